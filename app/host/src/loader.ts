/** What the server writes into the loader, beside this code. Short names: every byte is on every first visit. */
export interface Loader {
  /** Site id. */
  s: string;
  /** Revision. */
  r: number;
  /** Choices made on an earlier revision no longer count. */
  v: number;
  /** Hash of the notice: 64 hexadecimal digits. */
  n: string;
  /** Language of the texts. */
  l: string;
  /** Model: 0 opt-in, 1 opt-out, 2 notice, 3 none. */
  m: number;
  /** Categories granted before a choice, as bits. */
  d: number;
  /** Signals that the rule honours: bit 0 Global Privacy Control, bit 1 Do Not Track. */
  q: number;
  /** Days for which a choice counts. */
  e: number;
  /** What the gate says of a visitor without a cookie, where that is nothing but the necessary: the answer of
      `start`, and from bit 6 the granted Google types. 0 where the gate itself has to be asked. */
  i: number;
  /** Declared cookies of the optional categories: entries of category digit and name. */
  c: string;
  /** Declared items of localStorage and sessionStorage, likewise. */
  t: string;
  /** Declared databases, caches and service workers, likewise; not there if there are none. */
  u?: [string, string, string];
  /** Declared hosts of the optional services, likewise. */
  b: string;
  /** What of `late.ts` the site may need, as bits; not there if it is nothing. 1: placeholders; above: something to do
      where the visitor has refused something, 2: erase what `u` lists. */
  x: number;
  /** Path of the folder with the lazily loaded files, `/a/HASH/`. */
  a: string;
  /** The banner's markup. */
  h: string;
  /** The styles of banner and control. */
  y: string;
  /** Label of the control that reopens the dialog. */
  p: string;
  /** Automatic blocking, where it is on: whether it holds or only reports, whether it holds unknown third parties,
      and the hosts that it never touches, between spaces. */
  wall?: { enforce: boolean; unknown: boolean; own: string };
  /** A space and the list of services, where the visitor chooses among them one by one: for each the digit of its
      category and the code by which the cookie knows it. See consent/src/services.rs. */
  o?: string;
  /** The ids of those services, in the same order, then those of the necessary ones, between spaces. */
  services?: string;
  /** The gate: one character for each byte. */
  g: string;
  /** Marks of other consent managers, where the site reads any. */
  marks?: Mark[];
  /** What the site has decided about the signals, where that is more than the plain ones. */
  signals?: Told;
}

/** The site's signals; see consent/src/signals/settings.rs. */
export interface Told {
  /** For each set of categories the granted types of Google's Consent Mode, as bits. */
  types: number[];
  /** Milliseconds that Google's tags wait. */
  wait: number;
  /** Regions, and the types that are granted there. */
  regions: [string[], number][];
  /** Names of the switches of Google's that are on. */
  set: string[];
  advanced?: true;
  uet?: true;
  clarity?: true;
  events?: true;
}

/** An attribute in which another manager's marks stand; see consent/src/marks.rs. */
export interface Mark {
  attribute: string;
  /** Regular expression whose group holds the names. */
  pattern: string;
  /** Regular expression for what stands between several names; empty where there is only one. */
  between: string;
  /** Attributes in which a held element has its address, beside `data-src`. */
  held: string[];
  /** Name → value of `data-category`. */
  names: Record<string, string>;
}

declare const ASSENT: Loader;
declare const COOKIES: string;

/** This site's part of the loader. */
export const loader: Loader = ASSENT;

/** Name of the cookie, and the beginning of the names of all else that is stored. */
export const NAME = `assent-${loader.s}`;

/** The page's cookies when this script began. */
export const cookies: string = COOKIES;

/** The element that loaded this script; its nonce and its attributes are used. */
export const element = (
  // An element of that name in the page's content must not pass for it.
  document.currentScript instanceof HTMLScriptElement
    ? document.currentScript
    : document.querySelector(`script[src*="/s/${loader.s}.js"]`)
) as HTMLScriptElement;

/** Origin of the server that this script came from. */
export const server = new URL(element.src).origin;

/** Base address of the site's API. */
export const api = `${server}/v1/sites/${loader.s}/`;
