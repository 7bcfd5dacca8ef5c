/** The gate: Rust, in WebAssembly or translated to plain JavaScript. Only the gate releases. */
import { HELD } from './answer';
import { loader, server } from './loader';

/** What the gate exports, in one letter each; see app/gate/src/lib.rs for what they do. */
interface Gate {
  memory: { buffer: ArrayBuffer };
  /** `allowed` */
  a(listLen: number, placeLen: number): number;
  /** `buffer` */
  b(): number;
  /** `choose` */
  c(bits: number): number;
  /** `erased` */
  e(listLen: number, nameLen: number): number;
  /** `google` */
  g(): number;
  /** `cookie` */
  k(revision: number, now: number): number;
  /** `released` */
  r(len: number): number;
  /** `start` */
  s(len: number, model: number, defaults: number, flags: number, validFrom: number, expiry: number, now: number): number;
}

/** Size of the gate's buffer in bytes. */
const LEN_MAX = 16384;

/** Bits of `start`'s answer above the four categories. */
export const ASK = 16;
export const CHOSEN = 32;
/** The choice has exceptions: services whose answer differs from their category's. */
export const EXCEPTIONS = 64;

/** Seconds since 1970. */
export const now = (): number => (Date.now() / 1000) >>> 0;

let gate: Gate | undefined;
let refused = false;

/** Brings the gate up where WebAssembly runs, before the parser goes on. False where there is none. */
export function compile(): boolean {
  if (!gate && !refused) {
    try {
      // By index: callbacks take twice as long, and a returning visitor's tags wait for it.
      const code = new Uint8Array(loader.g.length);
      for (let at = code.length; at--; ) code[at] = loader.g.charCodeAt(at);
      gate = new WebAssembly.Instance(new WebAssembly.Module(code)).exports as unknown as Gate;
      start('');
    } catch {
      refused = true;
    }
  }
  return !!gate;
}

/** Whether the browser runs WebAssembly here. */
export const runs = (): boolean => compile() && !refused;

/** Fetches the same gate translated to JavaScript. Rejects where that fails too: then all stays held. */
export async function translate(): Promise<void> {
  const translated = (await import(`${server}${loader.a}gate.js`)) as Gate;
  // It may be there already, with a choice that it must not forget.
  if (gate) return;
  gate = translated;
  start('');
}

/** Writes text into the gate's buffer and returns its length in bytes, -1 if it does not fit. */
function put(text: string): number {
  const view = new Uint8Array(gate!.memory.buffer, gate!.b(), LEN_MAX);
  const { read, written } = new TextEncoder().encodeInto(text, view);
  return read < text.length ? -1 : written;
}

/** The signals with which this browser objects. */
export const objections = (): { dnt: boolean; gpc: boolean } => ({
  dnt: navigator.doNotTrack == '1',
  gpc: !!(navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl,
});

/** Decides from the cookie's value, empty without one; the answer holds the granted categories, ASK and CHOSEN. */
export function start(cookie: string): number {
  const { dnt, gpc } = objections();
  return gate!.s(
    // A browser's cookies and the longest list are far shorter than the buffer.
    put(cookie + (loader.o ?? '')),
    loader.m,
    loader.d,
    +gpc + +dnt * 2 + loader.q * 4,
    loader.v,
    loader.e * 86400,
    now(),
  );
}

/** Takes a choice and returns what is granted now. */
export const choose = (bits: number): number => gate!.c(bits);

/** Before the first choice: marks that wait in any case, so that the gate need not be brought up for them. */
const WAITS = /^\s*((performance|functional|targeting)\s*)+$/;

/** Whether a tag with this `data-category` may run: HELD, FREE or FOREIGN. */
export function released(category: string): number {
  if (!gate && WAITS.test(category)) return HELD;
  const len = compile() ? put(category) : -1;
  return len < 0 ? HELD : gate!.r(len);
}

/** Whether the stored item `name` has to go. */
export function erased(list: string, name: string): boolean {
  const len = put(list + name);
  // The name stays in the buffer behind the list.
  const listLen = put(list);
  return len >= 0 && !!gate!.e(listLen, len - listLen);
}

/** Whether what loads from `place`, a host or a host with a path, may load: HELD, FREE, or FOREIGN if nothing in the
    list declares it. */
export function allowed(list: string, place: string): number {
  const len = compile() ? put(list + place) : -1;
  if (len < 0) return HELD;
  const listLen = put(list);
  return gate!.a(listLen, len - listLen);
}

/** Granted types of Google Consent Mode, as bits. */
export const google = (): number => gate!.g();

/** The cookie's value for the categories of the present choice; its exceptions may follow, after a point. */
export function cookie(revision: number, at: number, key: string, record: string): string {
  put(key + record);
  const len = gate!.k(revision, at);
  return new TextDecoder().decode(new Uint8Array(gate!.memory.buffer, gate!.b(), len));
}
