/**
 * Automatic blocking: third parties that nobody has marked wait for their category, or are only reported. In the
 * loaders of sites that switch it on, before the host, so that it sees a node before anything else does.
 */
import { FOREIGN, HELD } from '../answer';
import { rest } from '../rest';
import type { Host } from '../host';

declare const PARTS: ((host: Host) => void)[];

/** Categories of `rules.js`, and all of them, for what is unknown. */
const ALL = 'performance functional targeting';

/** Attributes by which an element loads something by itself. */
const LOADS: Record<string, string[]> = {
  SCRIPT: ['src'],
  IFRAME: ['src'],
  IMG: ['src', 'srcset'],
  SOURCE: ['src', 'srcset'],
  VIDEO: ['src', 'poster'],
  AUDIO: ['src'],
  TRACK: ['src'],
  EMBED: ['src'],
  OBJECT: ['data'],
  LINK: ['href'],
};
const TAGS = Object.keys(LOADS).join();
/** Types of scripts that run. */
const RUNS = /^($|module$|(text|application)\/(x-)?(java|ecma|live|j)script)/i;
/** Links that fetch. */
const FETCHES = /\b(stylesheet|preload|prefetch|modulepreload|preconnect|dns-prefetch|prerender)\b/i;

PARTS.push((host) => {
  const { loader, server } = host;
  const { enforce, unknown, own } = loader.wall!;
  const bases = [...own.split(' '), location.hostname.replace(/^www\./, ''), new URL(server).hostname];
  /** Known third parties; until they have come, every undeclared one waits. */
  let rules: Map<string, string> | undefined;

  /** Host and path of a third party, nothing for the site's own addresses and for what is not fetched. */
  function third(address: unknown): string | undefined {
    try {
      const { hostname, pathname, protocol } = new URL(String(address), document.baseURI);
      const name = hostname.replace(/\.$/, '');
      if (!/^(https?|wss?):$/.test(protocol)) return undefined;
      if (bases.some((base) => name == base || name.endsWith(`.${base}`))) return undefined;
      return name + pathname;
    } catch {
      return undefined;
    }
  }

  /** The category that the shipped list gives a place, by the longest entry. */
  function known(place: string): string | undefined {
    const [name, first] = place.split('/');
    if (rules?.has(`${name}/${first}`)) return rules.get(`${name}/${first}`);
    const labels = name.split('.');
    for (let at = 0; at < labels.length - 1; at++) {
      const found = rules?.get(labels.slice(at).join('.'));
      if (found) return found;
    }
    return undefined;
  }

  /** HELD or FREE, or FOREIGN for what nobody has to agree to. What is not known yet is held. */
  function decide(place: string): number {
    const declared = host.allowed(loader.b, place);
    if (declared != FOREIGN) return declared;
    if (!rules) return HELD;
    const category = known(place) ?? (unknown ? ALL : '');
    return category ? host.released(category) : FOREIGN;
  }

  /** Whether an address has to wait. */
  function waits(address: unknown): boolean {
    const place = third(address);
    return !!place && decide(place) == HELD;
  }

  host.byHost.decide = (place) => +!!decide(place);

  /** Keeps an address from being loaded by an element, which waits from then on; true if it does. */
  function stash(tag: HTMLElement, name: string, address: string): boolean {
    const { dataset } = tag;
    // Of several addresses the first: they are sizes of one picture.
    const place = third(address.trim().split(/\s/)[0]);
    if (!place || 'category' in dataset || 'assentLoader' in dataset || host.once.has(tag)) return false;
    const script = tag instanceof HTMLScriptElement;
    // Data, or another manager's.
    if (script && !held(tag) && !RUNS.test(tag.type)) return false;
    const answer = decide(place);
    if (script && answer == HELD && !held(tag)) {
      dataset.type = tag.type;
      type.set!.call(tag, 'text/plain');
    }
    // Known by its place from now on, so that a withdrawal reaches it.
    if (answer != FOREIGN) dataset.assentHost = place;
    // A script of an unknown type loads nothing, and keeps its address.
    if (answer != HELD || script) return false;
    dataset[name] = address;
    tag.removeAttribute(name);
    // Whoever waits for a pixel that never stands in the page hears what a network error says.
    if (!tag.isConnected && tag instanceof HTMLImageElement) setTimeout(() => tag.dispatchEvent(new Event('error')));
    return true;
  }

  /** Holds one element if it would load from a third party that waits. */
  function hold(tag: HTMLElement): void {
    if (tag instanceof HTMLLinkElement && !FETCHES.test(tag.rel)) return;
    for (const name of LOADS[tag.tagName] ?? []) {
      const address = tag.getAttribute(name);
      // More than text where the page requires Trusted Types.
      if (address) stash(tag, name, String(address));
    }
  }

  function scan(node: unknown): void {
    if (node instanceof HTMLElement) hold(node);
    (node as ParentNode | null)?.querySelectorAll?.<HTMLElement>(TAGS).forEach(hold);
  }

  /** Puts something before a method of the page's interface. */
  function before(owner: object, name: string, look: (self: HTMLElement, parameters: unknown[]) => unknown[] | undefined): void {
    const native = (owner as Record<string, Function>)[name];
    if (!native) return;
    (owner as Record<string, Function>)[name] = function (this: HTMLElement, ...parameters: unknown[]) {
      return native.apply(this, look(this, parameters) ?? parameters);
    };
  }

  /** Puts something before a property is set. */
  function onSet(owner: object, name: string, set: (self: HTMLElement, value: unknown, native: (value: unknown) => void) => void): void {
    const property = Object.getOwnPropertyDescriptor(owner, name)!;
    Object.defineProperty(owner, name, {
      ...property,
      set(value: unknown) {
        set(this as HTMLElement, value, (value) => property.set!.call(this, value));
      },
    });
  }

  const type = Object.getOwnPropertyDescriptor(HTMLScriptElement.prototype, 'type')!;

  /** Whether an element is a script that is held here. */
  const held = (tag: HTMLElement): boolean =>
    tag instanceof HTMLScriptElement && 'assentHost' in tag.dataset && tag.type == 'text/plain';

  function enforceIt(): void {
    new MutationObserver((mutations) => {
      for (const { addedNodes } of mutations) addedNodes.forEach(scan);
    }).observe(document, { childList: true, subtree: true });
    scan(document);

    // An element that a script makes loads when it gets its address or its place, before any observer hears of it.
    for (const [{ prototype }, ...names] of [
      [HTMLScriptElement, 'src'],
      [HTMLIFrameElement, 'src'],
      [HTMLImageElement, 'src', 'srcset'],
      [HTMLSourceElement, 'src', 'srcset'],
      [HTMLMediaElement, 'src'],
      [HTMLVideoElement, 'poster'],
      [HTMLEmbedElement, 'src'],
      [HTMLObjectElement, 'data'],
    ] as [{ prototype: object }, ...string[]][]) {
      for (const name of names) {
        onSet(prototype, name, (self, value, native) => {
          if (!stash(self, name, String(value))) native(value);
        });
      }
    }
    onSet(HTMLScriptElement.prototype, 'type', (self, value, native) => {
      // A held script stays inert; what it is to be is kept for its release.
      if (held(self)) self.dataset.type = String(value);
      else native(value);
    });
    before(Element.prototype, 'setAttribute', (self, [name, value]) => {
      const lower = String(name).toLowerCase();
      if (lower == 'type' && held(self)) return ['data-type', value];
      // A link says what it is for in another attribute; it is looked at when it comes into the page.
      if (LOADS[self.tagName]?.includes(lower) && self.tagName != 'LINK' && stash(self, lower, String(value))) {
        return [`data-${lower}`, value];
      }
      return undefined;
    });
    const insert = (_: HTMLElement, parameters: unknown[]): undefined => parameters.forEach(scan) as undefined;
    for (const name of ['appendChild', 'insertBefore', 'replaceChild']) before(Node.prototype, name, insert);
    for (const { prototype } of [Element, DocumentFragment, Document]) {
      for (const name of ['append', 'prepend', 'replaceChildren']) before(prototype, name, insert);
    }
    for (const name of ['before', 'after', 'replaceWith', 'insertAdjacentElement']) before(Element.prototype, name, insert);

    const template = document.createElement('template');
    const html = Object.getOwnPropertyDescriptor(Element.prototype, 'innerHTML')!;
    /** Markup with what has to wait held in it; the same text where nothing has. */
    const quiet = (markup: unknown): unknown => {
      const text = String(markup);
      if (!/<(script|iframe|img|source|video|audio|track|embed|object|link)\b/i.test(text)) return markup;
      // As it came: the page's policy may want more than text.
      html.set!.call(template, markup);
      scan(template.content);
      if (!template.content.querySelector('[data-assent-host]')) return markup;
      const held = html.get!.call(template);
      return host.markup?.(held) ?? held;
    };
    for (const name of ['innerHTML', 'outerHTML']) {
      onSet(Element.prototype, name, (_, value, native) => native(quiet(value)));
    }
    before(Element.prototype, 'insertAdjacentHTML', (_, [where, markup]) => [where, quiet(markup)]);

    // A call that may not go out fails as a network error does.
    const nowhere = `blob:${location.origin}/assent-held`;
    const { fetch } = window;
    window.fetch = function (input, init) {
      return waits(input instanceof Request ? input.url : input)
        ? Promise.reject(new TypeError('Failed to fetch'))
        : fetch.call(this, input, init);
    };
    before(XMLHttpRequest.prototype, 'open', (_, [method, url, ...rest]) => (waits(url) ? [method, nowhere, ...rest] : undefined));
    const { sendBeacon } = navigator;
    navigator.sendBeacon = (url, body) => waits(url) || sendBeacon.call(navigator, url, body);
    const refuse = (name: 'EventSource' | 'WebSocket', instead: string) => {
      window[name] = new Proxy(window[name], {
        construct: (target, [url, ...rest], self) => Reflect.construct(target, [waits(url) ? instead : url, ...rest], self),
      }) as never;
    };
    refuse('EventSource', nowhere);
    // No name ends in `invalid` (RFC 2606): nobody is reached.
    refuse('WebSocket', 'wss://held.invalid/');
  }

  /** What the page has loaded without consent, from the browser's own list: for its console where nothing is held,
      and for the owner's. */
  function report(): void {
    // What carries a mark goes by its mark; what the visitor has loaded once, by the visitor.
    const settled = new Set<string>();
    for (const tag of document.querySelectorAll<HTMLImageElement & HTMLLinkElement & HTMLObjectElement>(TAGS)) {
      if ('category' in tag.dataset || host.once.has(tag)) settled.add(tag.currentSrc || tag.src || tag.href || tag.data);
    }
    const seen = new Map<string, { host: string; kinds: string[]; waits_for: string }>();
    for (const { name, initiatorType } of performance.getEntriesByType('resource') as PerformanceResourceTiming[]) {
      const place = third(name);
      if (!place || settled.has(name)) continue;
      const declared = host.allowed(loader.b, place);
      const category = known(place);
      if (declared == FOREIGN ? category && host.released(category) != HELD : declared != HELD) continue;
      const waits_for = declared == FOREIGN ? (category ?? 'unknown') : 'declared';
      const [vendor] = place.split('/');
      const line = seen.get(vendor + waits_for) ?? { host: vendor, kinds: [], waits_for };
      seen.set(vendor + waits_for, line);
      if (!line.kinds.includes(initiatorType)) line.kinds.push(initiatorType);
    }
    const lines = [...seen.values()].slice(0, 50);
    if (!lines.length) return;
    if (!enforce) {
      const held = lines.filter(({ waits_for }) => unknown || waits_for != 'unknown').length;
      console.groupCollapsed(`Assent would hold ${held} of ${lines.length} third parties on this page`);
      console.table(lines.map(({ host, kinds, waits_for }) => ({ host, kinds: kinds.join(), waits_for })));
      console.groupEnd();
    }
    const { globalPrivacyControl, doNotTrack } = navigator as { globalPrivacyControl?: boolean; doNotTrack?: string };
    if (globalPrivacyControl || doNotTrack == '1') return;
    navigator.sendBeacon(
      `${server}/v1/sites/${loader.s}/third-parties`,
      JSON.stringify({ revision: loader.r, seen: lines }),
    );
  }

  if (enforce) enforceIt();
  import(`${server}${loader.a}rules.js`).then(
    (module: { default: Record<string, string> }) => {
      rules = new Map();
      for (const [category, places] of Object.entries(module.default)) {
        for (const place of places.split(' ')) rules.set(place, category);
      }
      if (enforce) host.apply();
      const later = () => rest(report);
      // What is rendered ahead nobody has seen yet.
      if ((document as { prerendering?: boolean }).prerendering) document.addEventListener('prerenderingchange', later);
      else later();
    },
    () => console.warn('Assent: the list of third parties cannot be loaded; what no service declares stays held.'),
  );
});
