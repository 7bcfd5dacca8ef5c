/**
 * For pages whose Content Security Policy requires Trusted Types: what the loader writes where only a trusted object may
 * go, it writes through a policy named `assent`. In the loaders of sites that ask for it.
 */
import { FREE } from '../answer';
import type { Host } from '../host';
import type { Loader } from '../loader';

declare const ASSENT: Loader;
declare const PARTS: ((host: Host) => void)[];

/** As much of the interface as is used; see https://w3c.github.io/trusted-types/. */
interface Policies {
  createPolicy(
    name: string,
    rules: Record<'createHTML' | 'createScript' | 'createScriptURL', (text: string) => string>,
  ): Record<'createHTML' | 'createScript' | 'createScriptURL', (text: string) => string>;
}

const MARKED = ':is([data-category],[data-assent-host])';
const same = (text: string): string => text;

// Where the page's policy does not allow the name, this throws, the browser says why, and everything stays held.
const policy = (window as { trustedTypes?: Policies }).trustedTypes?.createPolicy('assent', {
  createHTML: same,
  createScript: same,
  createScriptURL: same,
});

/** Gives the host, which makes the script that runs of what a held one says, trusted objects to read. */
function dress(held: HTMLScriptElement): void {
  const src = held.getAttribute('src') ?? held.dataset.src;
  const getAttribute = (name: string) =>
    name == 'src' && src ? policy!.createScriptURL(src) : Element.prototype.getAttribute.call(held, name);
  for (const [name, value] of Object.entries({ text: policy!.createScript(held.text), getAttribute })) {
    Object.defineProperty(held, name, { configurable: true, value });
  }
}

/** Whoever can write data attributes must not be able to run a script with them. */
function isWeb(address: string): boolean {
  try {
    return /^https?:$/.test(new URL(address, document.baseURI).protocol);
  } catch {
    return false;
  }
}

if (policy) {
  // Before the host looks: it shows the banner also where no gate can be had.
  ASSENT.h = policy.createHTML(ASSENT.h);
  PARTS.push((host) => {
    host.markup = (text) => policy.createHTML(text);
    const scripts = () => document.querySelectorAll<HTMLScriptElement>(`script${MARKED}`);
    // What the page reads of them is text again.
    host.after.push(() => {
      for (const held of scripts()) {
        for (const name of ['text', 'getAttribute']) delete (held as unknown as Record<string, unknown>)[name];
      }
    });
    host.before.push(() => {
      for (const held of scripts()) if (held.type == 'text/plain' && !host.once.has(held) && host.answerFor(held) == FREE) dress(held);
      // Their addresses may be trusted objects only; the host knows no others than text.
      for (const tag of document.querySelectorAll<HTMLElement>(`:is(object,embed)${MARKED}`)) {
        const name = tag.tagName == 'EMBED' ? 'src' : 'data';
        const address = tag.dataset[name];
        if (!address || host.answerFor(tag) != FREE || !isWeb(address)) continue;
        tag.setAttribute(name, policy.createScriptURL(address));
        delete tag.dataset[name];
        host.emit('released', tag);
      }
    });
  });
}
