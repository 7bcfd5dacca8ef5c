/** The visitor's way to the preference center and back, for the few pages where one takes it: a module of its own. */

import { domains, put, read } from './jar';
import type { Loader } from './loader';
import { random } from './random';
import { listed } from './services';

/** A choice to keep: granted categories, revision, seconds since 1970, subject key, record id, codes of its exceptions. */
export type Kept = [number, number, number, string, string, string?];

/** Codes that no gate can read, so that it grants nothing and asks. */
const UNREADABLE = '-';

/** How long the center knows the visitor at most, in seconds: after it what was chosen there is asked for until nothing is
    left to take over, and then no more. Its cookie lasts less; see `SESSION_S` in server/src/http/center.rs. */
const VISIT_S = 3600;

/** A choice as the server knows it. */
interface Known {
  key?: string;
  granted: number;
  /** Codes of the exceptions. */
  codes?: string;
  record: string;
  revision: number;
  decided_at_ms: number;
}

const now = (): number => Math.floor(Date.now() / 1000);

/** A subject key that begins with the time: `assent_consent::record::subject_key`. */
function made(): string {
  return Date.now().toString(16).padStart(12, '0').slice(1, 9) + random(12);
}

/** Notes on the widest domain, where the choice stands too, that the visitor goes to the center as `key`: a cookie, because
    opening the browser's storage takes longer than a page may wait. False where the browser keeps none. */
function note(site: string, key: string, days: number): boolean {
  const name = `assent-${site}-center`;
  const value = `${now()}.${key}`;
  return domains().some((domain) => {
    put(name, value, days * 86400, domain);
    return read(name) == value;
  });
}

/** Leads to the center. The subject key, made here before a first choice and put into the page's `mark`, travels as a token
    that works once, within ten minutes. */
export async function go(server: string, api: string, key: string, loader: Loader, mark: string[]): Promise<void> {
  const own = key || (mark[1] ||= made());
  let query = `?lang=${loader.l}`;
  // Who can note no key would not know the choice again: they get one from the center.
  if (note(loader.s, own, loader.e) || key) {
    let token = '';
    try {
      const answer = await fetch(`${api}handover`, { method: 'POST', body: JSON.stringify({ key: own }) });
      if (answer.ok) ({ token } = await answer.json());
    } catch {
      // The center says that it could not take the choice over.
    }
    query += `&t=${token}`;
  }
  // A page that the browser has kept and shows again loads nothing.
  addEventListener('pageshow', async ({ persisted }) => {
    if (persisted && ((await latest(api, own, loader, mark)) || !mark.length)) location.reload();
  });
  const link = document.createElement('a');
  link.href = `${server}/c/${loader.s}${query}`;
  // The center takes a token only from the site's own pages, so it has to learn where the visitor comes from.
  link.referrerPolicy = 'origin';
  link.click();
}

/** What to take over of what the server knows: a later choice as it is, an earlier one only where it grants less, for
    two clocks are in play, and what was withdrawn in either place must not come back. */
function adopted(known: Known, key: string, loader: Loader): Kept | undefined {
  const [, , bits, at, , record, codes = ''] = read(`assent-${loader.s}`).split('.');
  if (known.record == record) return undefined;
  const subject = known.key ?? key;
  const decided = Math.floor(known.decided_at_ms / 1000);
  if (!(decided <= +at)) {
    return [known.granted, known.revision, decided, subject, known.record, known.codes];
  }
  const present = parseInt(bits, 16);
  const both = present & known.granted;
  const here = split(codes);
  const there = split(known.codes);
  let less = present & ~known.granted;
  let except = '';
  let met = 0;
  for (const { code, bit } of listed(loader)) {
    const [granted, other] = [here.includes(code), there.includes(code)];
    met += +granted + +other;
    const before = !!(present & bit) != granted;
    const after = before && !!(known.granted & bit) != other;
    if (before && !after) less = bit;
    if (after != !!(both & bit)) except += code;
  }
  // Another loader than this one lists the rest.
  if (met < here.length + there.length) except = UNREADABLE;
  return less || except == UNREADABLE ? [both, loader.r, +at, subject, known.record, except] : undefined;
}

const split = (codes = ''): string[] => codes.match(/.../g) ?? [];

/** Forgets the visitor, who had everything erased in the center: the cookies, on every domain where they may stand, and
    what waits or was received. */
function forget(site: string): void {
  const name = `assent-${site}`;
  for (const domain of domains()) {
    for (const more of ['', '-center', '-outbox']) put(name + more, '', 0, domain);
  }
  try {
    for (const item of Object.keys(localStorage)) {
      if (item == `${name}-receipt` || item.startsWith(`${name}-outbox-`)) localStorage.removeItem(item);
    }
  } catch {
    // The browser refuses storage: nothing is in it.
  }
}

/** Asks what was chosen in the center as one subject; `mark` is emptied for who is forgotten. Rejects where there is no
    answer. */
async function ask(api: string, key: string, loader: Loader, mark: string[]): Promise<Kept | undefined> {
  const record = read(`assent-${loader.s}`).split('.')[5];
  const headers = { authorization: `Bearer ${key}` };
  const answer = await fetch(`${api}choice?record=${record}`, { headers });
  if (answer.ok) return adopted(await answer.json(), key, loader);
  if (answer.status == 410) {
    forget(loader.s);
    mark.length = 0;
  } else if (answer.status != 404) throw 0;
  return undefined;
}

/** What to keep of a choice made in the center: as the stored choice's subject, else as the one that went there, which is
    another where a page that was open already has chosen meanwhile. */
async function latest(api: string, key: string, loader: Loader, mark: string[]): Promise<Kept | undefined> {
  const name = `assent-${loader.s}-center`;
  const [left, other] = read(name).split('.');
  let kept = await ask(api, key, loader, mark);
  if (!kept && other && other != key) kept = await ask(api, other, loader, mark);
  // The center knows the visitor no more, and there is nothing left to take over. Not before: what comes too late for this
  // page is for the next one.
  if (!kept && now() - parseInt(left) > VISIT_S) for (const domain of domains()) put(name, '', 0, domain);
  return kept;
}

/** What to keep of a choice made in the center, known by the token of the link back to this page, else by the key. */
export async function news(
  server: string,
  api: string,
  key: string,
  loader: Loader,
  mark: string[],
): Promise<Kept | undefined> {
  const back = /^#assent(=(\w+))?$/.exec(location.hash);
  if (!back && !mark[0]) return undefined;
  // Who has everything erased begins anew in every tab.
  new BroadcastChannel(`assent-${loader.s}`).onmessage = () => read(`assent-${loader.s}-center`) || (mark.length = 0);
  if (back) history.replaceState(history.state, '', location.pathname + location.search);
  // A token counts only on the way back from the center: a link from anywhere else could make the visitor go on
  // as the subject of whoever made it.
  const [{ type }] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  if (back?.[2] && type == 'navigate' && document.referrer.startsWith(`${server}/`)) {
    const answer = await fetch(`${api}redeem`, { method: 'POST', body: JSON.stringify({ token: back[2] }) });
    return answer.ok ? adopted(await answer.json(), key, loader) : undefined;
  }
  return key ? latest(api, key, loader, mark) : undefined;
}
