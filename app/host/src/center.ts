/** The visitor's way to the preference center and back, for the few pages where one takes it: a module of its own. */

import type { Loader } from './loader';
import { listed } from './services';

/** A choice to keep: granted categories, revision, seconds since 1970, subject key, record id, codes of its exceptions. */
export type Kept = [number, number, number, string, string, string?];

/** Codes that no gate can read, so that it grants nothing and asks. */
const UNREADABLE = '-';

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

/** Leads to the center at `address`. The subject key travels as a token that works once, within ten minutes. */
export async function go(address: string, language: string, api: string, key: string): Promise<void> {
  let query = `?lang=${language}`;
  if (key) {
    let token = '';
    try {
      const answer = await fetch(`${api}handover`, { method: 'POST', body: JSON.stringify({ key }) });
      if (answer.ok) ({ token } = await answer.json());
    } catch {
      // The center says that it could not take the choice over.
    }
    query += `&t=${token}`;
  }
  const link = document.createElement('a');
  link.href = address + query;
  // The center takes a token only from the site's own pages, so it has to learn where the visitor comes from.
  link.referrerPolicy = 'origin';
  link.click();
}

/** What to take over of what the server knows: a later choice as it is, an earlier one only where it grants less, for
    two clocks are in play, and what was withdrawn in either place must not come back. */
function adopted(known: Known, stored: string, loader: Loader): Kept | undefined {
  const [, , bits, at, key = '', record, codes = ''] = stored.split('.');
  if (known.record == record) return undefined;
  const decided = Math.floor(known.decided_at_ms / 1000);
  if (!(decided <= +at)) {
    return [known.granted, known.revision, decided, known.key ?? key, known.record, known.codes];
  }
  const present = parseInt(bits, 16);
  const both = present & known.granted;
  const here = split(codes);
  const there = split(known.codes);
  let less = present & ~known.granted;
  let except = '';
  let read = 0;
  for (const { code, bit } of listed(loader)) {
    const [granted, other] = [here.includes(code), there.includes(code)];
    read += +granted + +other;
    const before = !!(present & bit) != granted;
    const after = before && !!(known.granted & bit) != other;
    if (before && !after) less = bit;
    if (after != !!(both & bit)) except += code;
  }
  // Another loader than this one lists the rest.
  if (read < here.length + there.length) except = UNREADABLE;
  return less || except == UNREADABLE ? [both, loader.r, +at, key, known.record, except] : undefined;
}

const split = (codes = ''): string[] => codes.match(/.../g) ?? [];

/** Forgets the visitor, who had everything erased in the center: the cookie, on every domain where it may stand, and
    what waits or was received. */
function forget(site: string): void {
  const name = `assent-${site}`;
  const labels = location.hostname.split('.');
  for (const domain of ['', ...labels.map((_, at) => `;domain=${labels.slice(at).join('.')}`)]) {
    document.cookie = `${name}=;max-age=0;path=/${domain}`;
  }
  for (const more of ['center', 'outbox']) document.cookie = `${name}-${more}=;max-age=0;path=/`;
  try {
    for (const item of Object.keys(localStorage)) {
      if (item == `${name}-receipt` || item.startsWith(`${name}-outbox-`)) localStorage.removeItem(item);
    }
  } catch {
    // The browser refuses storage: nothing is in it.
  }
}

/** What to keep of a choice made in the center, known by the token of the link `back`, else by the key. */
export async function news(
  server: string,
  api: string,
  key: string,
  back: RegExpExecArray | null,
  loader: Loader,
  stored: () => string,
): Promise<Kept | undefined> {
  if (back) history.replaceState(history.state, '', location.pathname + location.search);
  // A token counts only on the way back from the center: a link from anywhere else could make the visitor go on
  // as the subject of whoever made it.
  const [{ type }] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  let answer: Response | undefined;
  if (back?.[2] && type == 'navigate' && document.referrer.startsWith(`${server}/`)) {
    answer = await fetch(`${api}redeem`, { method: 'POST', body: JSON.stringify({ token: back[2] }) });
  } else if (key) {
    const record = stored().split('.')[5];
    answer = await fetch(`${api}choice?record=${record}`, { headers: { authorization: `Bearer ${key}` } });
    if (answer.status == 410) forget(loader.s);
  }
  return answer?.ok ? adopted(await answer.json(), stored(), loader) : undefined;
}
