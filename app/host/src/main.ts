/** The loader: decides at once, shows the banner if the visitor has to be asked, and carries out the choice. */
import type { Assent, Category, Choice as AssentChoice } from '../../types/assent';
import type { Kept } from './center';
import { erase, mark, write } from './cookie';
import * as gate from './gate';
import { emit, on } from './events';
import { signal } from './google';
import { late, parts, type Host, type Services } from './host';
import { read } from './jar';
import { NAME, cookies, element, loader, server } from './loader';
import { OUTBOX, post, receipt, send, uuid } from './outbox';
import { random } from './random';
import { rest } from './rest';
import { ask, asks, center, count, hold, holds, news, open, prefetch, preload, settle, style } from './surface';
import { after, answerFor, apply, before, byHost, once, watch } from './tags';

const OPTIONAL = ['performance', 'functional', 'targeting'] as const;
type Choice = Partial<Record<(typeof OPTIONAL)[number], boolean>>;
type Method = 'banner' | 'dialog' | 'api' | 'embed';

const page = window as { assent?: Assent & { q?: [string, never[]][] }; Turbo?: { cache?: { clear?(): void } } };
/** The calls that the page made of the inline stub. Where there are some, the signals' default is set, too. */
let queue = page.assent?.q;

let stored = read(NAME, cookies);
let state = 0;

/** The state of a visitor who comes for the first time, where the server knows it: the banner then stands before
    the gate is brought up. 0 where the gate has to say. */
const first = stored || mark[0] || page.assent || location.hash.startsWith('#assent') ? 0 : loader.i;
const tabs = window.BroadcastChannel && new BroadcastChannel(NAME);

/** The subject key, empty before the first choice, but where the visitor went to the center with one. */
const subject = (): string => stored.split('.')[4] ?? mark[1] ?? '';
const record = (): string | null => stored.split('.')[5] ?? null;

/** The present choice, as the page's scripts see it. */
function choice(): AssentChoice {
  const choice: Record<string, boolean> = { necessary: true };
  OPTIONAL.forEach((category, at) => (choice[category] = !!(state & (2 << at))));
  return {
    ...choice,
    ...host.more,
    chosen: !!(state & gate.CHOSEN),
    revision: loader.r,
    language: loader.l,
    record: record(),
    // Only who wants it waits for the browser's storage.
    get receipt() {
      return receipt();
    },
  } as AssentChoice;
}

/** Erases what is not granted. Where all is granted, the browser's storage stays closed. */
function clean(): void {
  if ((state ^ 15) & (15 | gate.EXCEPTIONS)) {
    erase();
    if (loader.x > 1) late(host);
  }
}

/** After a choice, made here or elsewhere; `before` holds what was granted until then. `store` keeps what was chosen
    here: the browser is slow to do so, and what is released now does not wait for it. */
function changed(before: number, store?: () => void): void {
  try {
    host.signal('update');
    apply();
  } finally {
    store?.();
  }
  if (!(state & gate.ASK)) settle();
  else if (!asks()) ask();
  clean();
  const detail = choice();
  emit('change', detail);
  // Its copies of pages hold what was released there, which loads and runs again with them.
  page.Turbo?.cache?.clear?.();
  if (before & 15 & ~state) emit('withdrawn', detail);
}

/** Takes a choice; the cookie is to be written still. */
function keep(...[bits, revision, at, key, id, codes]: Kept): void {
  gate.choose(bits);
  // A gate that knows nothing of exceptions has to see that there are some: then it grants nothing and asks.
  stored = gate.cookie(revision, at, key, id) + (codes ? `.${codes}` : '');
  // Whether it counts is for the gate to say: the revision may have widened since, or the choice be too old.
  state = gate.start(stored);
}

/** Calls `then` with the gate in place: at once, but where its translation has to be fetched. */
function gated(then: () => void, otherwise: () => void): void {
  if (gate.compile()) then();
  else gate.translate().then(then, otherwise);
}

/** The visitor's decision, or the center where no gate runs. */
function decide(bits: number, method: Method, services?: Services): void {
  gated(
    () => carryOut(bits, method, services),
    () => center(subject()),
  );
}

/** Everything happens here and now; the record follows when the network allows. */
function carryOut(bits: number, method: Method, services?: Services): void {
  const asked = asks() && method != 'api';
  const before = state;
  const previous = record();
  const id = uuid();
  // Begins with the time, so that the server's index grows at its end: `assent_consent::record::subject_key`.
  const key = subject() || id.slice(1, 8) + id[9] + random(12);
  keep(bits, loader.r, gate.now(), key, id, host.codes(services));
  const decided = choice();
  // What is released now may decide once more.
  const { performance, functional, targeting } = decided as Choice;
  const decided_at_ms = Date.now();
  emit('decided', decided);
  changed(before, () => {
    write(stored);
    tabs?.postMessage(stored);
  });
  post(id, {
    id,
    key,
    revision: loader.r,
    notice: loader.n,
    method,
    choice: { performance, functional, targeting },
    services,
    asked,
    ...gate.objections(),
    previous,
    decided_at_ms,
  });
  // Nobody may be counted as decided who is not counted as asked.
  if (asked) count();
}

/** A choice that another tab, or the center, has made. The other tab says it itself: it may be in another process,
    which the cookie reaches later. */
function refresh({ data }: { data?: string }): void {
  // Who only finds no cookie may be in a browser that keeps none; who had everything erased says so.
  const value = data ?? (read(NAME) || stored);
  if (value == stored) return;
  gated(
    () => {
      const before = state;
      stored = value;
      state = gate.start(value);
      changed(before);
    },
    () => {},
  );
}

/** Opens the dialog, where WebAssembly runs, else the center. */
function show(): void {
  if (gate.runs()) open(choice(), subject(), (bits, services) => decide(bits, 'dialog', services));
  else center(subject());
}

/** What the owner's page may call. */
const assent: Assent = {
  choice,
  show,
  center: () => center(subject()),
  set(wanted: Choice) {
    let bits = state & 15;
    /** Of the last category that is named. */
    let bit;
    OPTIONAL.forEach((category, at) => {
      const on = wanted[category];
      if (on != undefined) {
        bit = 2 << at;
        bits = on ? bits | bit : bits & ~bit;
      }
    });
    if (bit) decide(bits, 'api');
  },
  withdraw: () => decide(1, 'api'),
  on,
  when: (category, then) =>
    new Promise<AssentChoice>((granted) => {
      const test = () => {
        if (choice()[category as Category]) granted(choice());
      };
      test();
      on('change', test);
    }).then((present) => (then?.(present), present)),
};

let placed = false;
let resumed = false;

/** Shows what belongs on the page as soon as it has a body, and again if a framework takes it away. */
function surface(): void {
  if (!resumed) return;
  if (placed || !document.body) {
    hold();
  } else if (state & gate.ASK) {
    placed = true;
    ask();
  } else if (document.readyState != 'loading') {
    placed = true;
    settle();
  }
}

/** Gets ready what the next click needs when pointer or focus come near: the gate, and the dialog, where it can run, if it is a
    control that opens it. */
function near({ target }: Event): void {
  if (
    (target as Element).closest?.('#assent,[data-assent]') &&
    gate.runs() &&
    (target as Element).closest('[data-assent-do=settings],[data-assent=settings]')
  ) {
    preload().catch(() => {});
  }
}

function resume(): void {
  // Also to who was in the center and has not chosen: while it was asked, nothing was granted.
  if (state & gate.CHOSEN || mark[0]) host.signal('update');
  resumed = true;
  apply();
  surface();
  rest(() => {
    // Who has chosen since needs no dialog any more.
    if (asks() && gate.runs()) prefetch();
    // Erases what was stored before, for a choice that has expired, or against a signal of the browser's, and sends records
    // of a choice whose cookie may have gone since. Who brings no cookie at all brings nothing else, and the browser is slow
    // to open its storage.
    gated(() => {
      if (cookies) {
        clean();
        if (asks() || cookies.includes(OUTBOX)) send();
      }
    }, send);
  });
}

/** What the further parts of the loader work with. */
const host: Host = {
  assent,
  after,
  allowed: gate.allowed,
  answerFor,
  apply,
  before,
  byHost,
  codes: () => '',
  decide,
  emit,
  erased: gate.erased,
  granted: () => state & 15,
  google: gate.google,
  loader,
  more: {},
  once,
  released: gate.released,
  server,
  signal,
  style,
};

function begin(): void {
  for (const part of parts) part(host);
  if (location.search.includes('assent_debug')) late(host);
  after.push((embeds) => {
    // Not while the center is asked, when nothing is granted: what comes late erases.
    if (embeds && loader.x & 1 && resumed) late(host);
  });
  if (first) {
    state = first & 63;
    host.signal('default', first >> 6);
    watch(surface);
    resume();
    return;
  }
  state = gate.start(stored);
  const kept = news(subject());
  // The default is what holds without a choice; a stored choice is an update to it. While the center is
  // asked, nothing is granted: what was withdrawn there must not run once more.
  gate.choose(kept ? 0 : state & gate.CHOSEN ? loader.m && loader.d : state);
  host.signal(queue ? 'update' : 'default');
  watch(surface);
  if (kept) {
    // What is necessary does not wait.
    apply();
    kept.then((choice) => {
      // Which is gone where the visitor had everything erased.
      state = gate.start((stored = read(NAME)));
      if (choice) {
        keep(...choice);
        write(stored);
      }
      // Of nothing else: what the cookie says here may be older than what another tab has just chosen.
      if (choice || !stored) tabs?.postMessage(stored);
      resume();
      clean();
    });
  } else {
    gate.start(stored);
    resume();
  }
}

function click(event: Event): void {
  const control = (event.target as Element).closest<HTMLElement>('[data-assent-do],[data-assent]');
  // Only the banner's own buttons decide; what the page's content may do is open the settings.
  const own = control && holds(control) ? control.dataset.assentDo : undefined;
  const action = own ?? control?.dataset.assent;
  if (own == 'accept') decide(15, 'banner');
  else if (own == 'reject') decide(1, 'banner');
  else if (action == 'settings') show();
  else if (action == 'center') center(subject());
  else return;
  event.preventDefault();
}

/** Makes the calls that the stub has kept. */
function replay(): void {
  for (const [name, parameters] of queue ?? []) (assent[name as keyof typeof assent] as Function)(...parameters);
}

const language = element.dataset.lang;

if (language && !language.startsWith(loader.l) && !element.src.includes('?')) {
  // The tag wants another language than the browser's: the same loader, in that language, takes over.
  const other = document.createElement('script');
  other.nonce = element.nonce;
  // Before its address, so that the stub lets it pass.
  other.dataset.assentLoader = '';
  other.src = `${element.src}?lang=${language}`;
  element.after(other);
} else if (!page.assent?.choice) {
  // What else is named so is the inline stub, or an element with that id.
  page.assent = assent;
  document.addEventListener('click', click);
  for (const type of ['pointerover', 'focusin']) document.addEventListener(type, near);
  document.addEventListener('visibilitychange', refresh as EventListener);
  addEventListener('pageshow', refresh as EventListener);
  addEventListener('online', send);
  if (tabs) tabs.onmessage = refresh;
  const start = () => {
    begin();
    replay();
  };
  if (first) {
    start();
  } else {
    if (!gate.compile() && !queue) {
      // What nothing holds, as a Google tag, does not wait for the gate's translation.
      signal('default', 64);
      queue = [];
    }
    gated(start, () => {
      // Without any gate everything stays held; the banner's buttons lead to the center.
      state = gate.ASK | 1;
      resumed = true;
      watch(surface);
      surface();
      replay();
      rest(send);
    });
  }
}
