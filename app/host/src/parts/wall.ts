/**
 * Automatic blocking: third parties that nobody has marked wait for their category, or are only reported. In the
 * loaders of sites that switch it on, before the host, so that it sees a node before anything else does.
 */
import { FOREIGN, FREE, HELD } from '../answer';
import { HOLDABLE } from '../holdable';
import { renew } from '../renew';
import { rest } from '../rest';
import { SERVICE, placeOf } from '../services';
import { isTwin, note, onWay } from '../twins';
import type { Host } from '../host';

declare const PARTS: ((host: Host) => void)[];

/** Categories of `rules.js`, and all of them, for what is unknown. */
const ALL = 'performance functional targeting';

const SVG = ['href', 'xlink:href'];
/** Attributes by which an element loads something by itself, by its `tagName`: that of SVG's is in lower case. */
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
  INPUT: ['src'],
  LINK: ['href', 'imagesrcset'],
  script: SVG,
  image: SVG,
  feImage: SVG,
};
const TAGS = Object.keys(LOADS).join();
/** Markup in which one of them may stand. */
const MARKUP = RegExp(`<(template|${TAGS.replace(/,/g, '|')})\\b`, 'i');
/** Types of scripts that run. */
const RUNS = /^\s*($|module\s*$|(text|application)\/(x-)?(java|ecma|live|j)script)/i;
/** Links that fetch. */
const FETCHES = /\b(stylesheet|preload|prefetch|modulepreload|preconnect|dns-prefetch|prerender|icon|manifest)\b/i;
/** The addresses of a `srcset`: each up to white space or a comma at its end, then up to a comma what it is for. */
const CANDIDATES = /[\s,]*(\S*[^\s,])(?:\s[^,(]*(?:\([^)]*\)?[^,(]*)*)?/g;

/** Hosts of libraries and fonts, which the list of third parties does not name and pages need at once. */
const LIBRARIES =
  /(^|\.)(ajax\.(googleapis|aspnetcdn)\.com|(fonts\.(googleapis|gstatic)|www\.gstatic|(code|cdn)\.jquery|cdnjs\.cloudflare|bootstrapcdn|fontawesome|unpkg|js\.stripe)\.com|(jsdelivr|typekit)\.net|esm\.sh)$/;

PARTS.push((host) => {
  const { loader, server } = host;
  const { enforce, unknown, own } = loader.wall!;
  const bases = [...own.split(' '), location.hostname.replace(/^www\./, ''), new URL(server).hostname];
  /** Known third parties; until they have come, every undeclared one waits, but for who has granted all. */
  let rules: Map<string, string> | undefined;

  /** Whether a host is the site's own, or one that its owner allows. */
  const isOwn = (name: string): boolean => bases.some((base) => name == base || name.endsWith(`.${base}`));

  /** Host and path of a third party, nothing for the site's own addresses and for what is not fetched. */
  function third(address: unknown): string | undefined {
    try {
      const { hostname, pathname, protocol } = new URL(String(address), document.baseURI);
      const name = hostname.replace(/\.$/, '');
      return /^(https?|wss?):$/.test(protocol) && !isOwn(name) ? name + pathname : undefined;
    } catch {
      return undefined;
    }
  }

  /** The third parties that an attribute names. */
  function thirds(name: string, value: string): string[] {
    const addresses = name.endsWith('srcset') ? [...value.matchAll(CANDIDATES)].map(([, address]) => address) : [value];
    return addresses.flatMap((address) => third(address) ?? []);
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
  function decideOne(place: string): number {
    // What the stub has held may be the site's own.
    const [name] = place.split('/');
    if (isOwn(name)) return FOREIGN;
    const declared = host.allowed(loader.b, place);
    if (declared != FOREIGN) return declared;
    if (!rules) return !unknown && LIBRARIES.test(name) ? FOREIGN : host.released(ALL);
    const category = known(place) ?? (unknown ? ALL : '');
    return category ? host.released(category) : FOREIGN;
  }

  /** Likewise of several places between spaces: where one has to wait, all do. */
  const decide = (places: string): number => Math.min(...places.split(' ').map(decideOne));

  /** Whether an address has to wait. */
  function waits(address: unknown): boolean {
    const place = third(address);
    return !!place && decide(place) == HELD;
  }

  /** Whether a service decides about an element, as the choice per service has it. */
  const isOfService = ({ assentMark, service }: DOMStringMap): boolean =>
    !!loader.services && service != undefined && assentMark == undefined;

  /** What its mark says of an element; FOREIGN where that is none of ours. */
  function byMark({ dataset }: HTMLElement): number {
    const { assentHost, category } = dataset;
    if (assentHost?.startsWith(SERVICE)) return host.byHost.decide(assentHost);
    if (isOfService(dataset)) return host.byHost.decide(placeOf(dataset));
    return category == undefined ? FOREIGN : host.released(category);
  }

  /** Whether an element is a script that is held here. */
  const held = (tag: HTMLElement): boolean =>
    tag.tagName == 'SCRIPT' && 'assentHost' in tag.dataset && (tag as HTMLScriptElement).type == 'text/plain';

  /** Gives a held script the type that it has come with. */
  function runAs(script: HTMLElement): void {
    const { type: own = '' } = script.dataset;
    // First, because the stub keeps another type of what waits.
    delete script.dataset.type;
    type.set!.call(script, own);
  }

  /** What was held here. */
  const stashed = new WeakSet<Element>();
  let count = 0;

  /** Keeps an address from being loaded by an element, which waits from then on; true if it does. */
  function stash(tag: HTMLElement, name: string, value: string): boolean {
    const { dataset } = tag;
    const key = name.replace(/.*:/, '');
    if ('assentLoader' in dataset || host.once.has(tag)) return false;
    const places = thirds(name, value);
    const script = tag.tagName == 'SCRIPT';
    // Data, or another manager's.
    if (script && !held(tag) && !RUNS.test((tag as HTMLScriptElement).type)) return false;
    const named = places.length;
    // Held here, or a copy of what was. A script that the stub has held is for the gate to release.
    const known = stashed.has(tag) || (!script && dataset.assentHost && !dataset.assentHost.startsWith(SERVICE));
    // An element waits for all that it loads.
    for (const other of LOADS[tag.tagName]) {
      const address = tag.getAttribute(other) ?? (known && dataset[other]);
      if (other != name && address) places.push(...thirds(other, String(address)));
    }
    const place = [...new Set(places)].join(' ');
    if (!named) {
      // The site's own, or nothing, has taken the place of what waited.
      if (known) {
        delete dataset[key];
        if (place) {
          dataset.assentHost = place;
        } else if (dataset.assentHost) {
          if (held(tag)) runAs(tag);
          delete dataset.assentHost;
        }
      }
      return false;
    }
    const marked = byMark(tag);
    const answer = marked == FOREIGN ? decide(place) : marked;
    if (script && answer == HELD && !held(tag)) {
      stashed.add(tag);
      dataset.type = (tag as HTMLScriptElement).type;
      type.set!.call(tag, 'text/plain');
    }
    // Known by its place from now on, so that a withdrawal reaches it; by its category where it has one.
    if (marked == FOREIGN) {
      if (answer != FOREIGN || 'assentHost' in dataset) dataset.assentHost = place;
    } else if (answer == HELD && !dataset.assentHost?.startsWith(SERVICE)) {
      dataset.assentHost = isOfService(dataset) ? placeOf(dataset) : '';
    }
    if (answer != HELD) return false;
    count++;
    // A script of an unknown type loads nothing, and keeps its address.
    if (script) return false;
    stashed.add(tag);
    dataset[key] = value;
    tag.removeAttribute(name);
    // Whoever waits for a pixel that never stands in the page hears what a network error says.
    if (!tag.isConnected && tag.tagName == 'IMG') setTimeout(() => tag.dispatchEvent(new Event('error')));
    return true;
  }

  /** Scripts that a script has added to the page. */
  const added = new WeakSet<Node>();

  /** Holds one element if it would load from a third party that waits; a link according to what it is for. */
  function hold(tag: HTMLElement, rel = (tag as HTMLLinkElement).rel): void {
    if (tag.tagName == 'LINK' && !FETCHES.test(rel)) return;
    if (tag instanceof HTMLScriptElement && tag.isConnected && !added.has(tag)) note(tag);
    // Not every element of a foreign kind has data attributes.
    for (const name of (tag.dataset && LOADS[tag.tagName]) ?? []) {
      const address = tag.getAttribute(name);
      // More than text where the page requires Trusted Types.
      if (address) stash(tag, name, String(address));
    }
  }

  // By its type, not its class: a node may come from a frame, where classes are others.
  function scan(node: unknown): void {
    if ((node as Node | null)?.nodeType == Node.ELEMENT_NODE) hold(node as HTMLElement);
    (node as ParentNode | null)?.querySelectorAll?.<HTMLElement>(TAGS).forEach((tag) => hold(tag));
  }

  /** The shadow roots of the page, as far as they can be seen and are of use still. */
  const roots = new Set<WeakRef<ShadowRoot>>();
  const seen = new WeakSet<ShadowRoot>();
  const observer = new MutationObserver((mutations) => {
    // What the parser adds it tells one by one, and most of it was seen with what it stands in.
    const done = new Set<Node | null>();
    for (const { addedNodes } of mutations) {
      for (const node of addedNodes) {
        if (!done.has(node.parentNode)) look(node);
        done.add(node);
      }
    }
  });

  /** Holds what is in a root, and what comes into it. */
  function observe(root: Document | ShadowRoot): void {
    observer.observe(root, { childList: true, subtree: true });
    look(root);
  }

  function inside(root: ShadowRoot): void {
    if (seen.has(root)) return;
    seen.add(root);
    roots.add(new WeakRef(root));
    observe(root);
  }

  /** As `scan`, also of shadow roots that markup has made. */
  function look(node: Node): void {
    scan(node);
    const { shadowRoot } = node as Element;
    if (shadowRoot) inside(shadowRoot);
    (node as ParentNode).querySelectorAll?.('*').forEach(({ shadowRoot }) => {
      if (shadowRoot) inside(shadowRoot);
    });
  }

  /** Gives an element what it waited for. */
  function release(tag: HTMLElement): void {
    const { dataset } = tag;
    const script = held(tag);
    const waited = LOADS[tag.tagName].filter((name) => dataset[name] && thirds(name, dataset[name]).length);
    // Nothing else was held: whoever can write data attributes must not be able to run a script with them.
    if (!script && !waited.length) return;
    for (const name of waited) {
      const address = dataset[name]!;
      // First: the stub holds what has it.
      delete dataset[name];
      tag.setAttribute(name, address);
    }
    if (script) runAs(tag);
    // A script, or a link by its sizes, is looked at again when it comes into its place.
    if (script || tag.tagName == 'LINK') renew(tag);
    host.emit('released', tag);
  }

  /** Whether the gate holds and releases an element that stands in the document. It knows a script by its class, which
      is another for one that comes from a frame, and only one address of a link. */
  const isGates = (tag: HTMLElement): boolean =>
    tag.matches(HOLDABLE) && (tag.tagName == 'SCRIPT' ? tag instanceof HTMLScriptElement : tag.tagName != 'LINK');

  /** Holds and releases what the gate does not look at: shadow roots, and elements that only this part holds. */
  function reach(): void {
    for (const root of [document, ...[...roots].map((root) => root.deref())]) {
      root?.querySelectorAll<HTMLElement>('[data-assent-host]').forEach((tag) => {
        if (root == document && isGates(tag)) return;
        const answer = host.answerFor(tag);
        try {
          if (answer == FREE) release(tag);
          // A script that has run stays.
          else if (answer == HELD && !/^script$/i.test(tag.tagName)) again(tag);
        } catch {
          // The page's policy takes trusted objects only: this one stays held.
        }
      });
    }
  }

  /** Holds what was free. */
  function again(tag: HTMLElement): void {
    const before = count;
    hold(tag);
    // A frame keeps its document otherwise.
    if (count > before) {
      renew(tag);
      tag.closest<HTMLMediaElement>('video,audio')?.load();
    }
  }

  const told = new WeakSet<Element>();

  /** Tells the page of what is held, also of what the stub held before anybody could listen. */
  function tell(): void {
    document.querySelectorAll<HTMLElement>('[data-assent-host]').forEach((tag) => {
      const { assentHost } = tag.dataset;
      if (told.has(tag) || host.once.has(tag) || assentHost!.startsWith(SERVICE) || (!assentHost && !stashed.has(tag))) return;
      if (tag.tagName == 'SCRIPT' ? held(tag) : host.answerFor(tag) == HELD) host.emit('held', tag);
    });
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
    const property = Object.getOwnPropertyDescriptor(owner, name);
    if (!property) return;
    Object.defineProperty(owner, name, {
      ...property,
      set(value: unknown) {
        set(this as HTMLElement, value, (value) => property.set!.call(this, value));
      },
    });
  }

  const type = Object.getOwnPropertyDescriptor(HTMLScriptElement.prototype, 'type')!;

  /** The attribute in which a value waits instead of taking effect in the one that it is meant for, if it has to. */
  function redirect(self: HTMLElement, name: unknown, value: unknown): string | undefined {
    const attribute = String(name).toLowerCase().replace(/.*:/, '');
    // A held script stays inert; what it is to be is kept for its release.
    if (attribute == 'type' && held(self) && !host.once.has(self)) return 'data-type';
    if (self.tagName == 'LINK') {
      // What it is for may come after its address.
      if (attribute == 'rel') hold(self, String(value));
      if (!FETCHES.test((self as HTMLLinkElement).rel)) return undefined;
    }
    const waiting = LOADS[self.tagName]?.includes(attribute) && stash(self, attribute, String(value));
    return waiting ? `data-${attribute}` : undefined;
  }

  function enforceIt(): void {
    observe(document);
    host.byHost.decide = (places) => +!!decide(places);
    host.before.push(reach);
    host.after.push(tell);
    // Ahead of the page's listeners, after which an engine may call observers.
    for (const [name, note] of [['held', 'add'], ['released', 'delete']] as const) {
      addEventListener(`assent:${name}`, (event) => told[note]((event as CustomEvent).detail), true);
    }

    // An element that a script makes loads when it gets its address or its place, before any observer hears of it.
    for (const [{ prototype }, ...names] of [
      [HTMLScriptElement, 'src', 'type'],
      [HTMLIFrameElement, 'src'],
      [HTMLImageElement, 'src', 'srcset'],
      [HTMLSourceElement, 'src', 'srcset'],
      [HTMLMediaElement, 'src'],
      [HTMLVideoElement, 'poster'],
      [HTMLTrackElement, 'src'],
      [HTMLEmbedElement, 'src'],
      [HTMLObjectElement, 'data'],
      [HTMLInputElement, 'src'],
      [HTMLLinkElement, 'href', 'imageSrcset', 'rel'],
    ] as [{ prototype: object }, ...string[]][]) {
      for (const name of names) {
        onSet(prototype, name, (self, value, native) => {
          const waiting = redirect(self, name, value);
          if (waiting) self.setAttribute(waiting, String(value));
          else native(value);
        });
      }
    }
    before(Element.prototype, 'setAttribute', (self, [name, value]) => {
      const waiting = redirect(self, name, value);
      return waiting ? [waiting, value] : undefined;
    });
    before(Element.prototype, 'setAttributeNS', (self, [, name, value]) => {
      const waiting = redirect(self, name, value);
      return waiting ? [null, waiting, value] : undefined;
    });
    const insert = (self: HTMLElement, parameters: unknown[]): undefined => {
      for (const node of parameters) {
        if (node instanceof HTMLScriptElement) {
          if (isTwin(node, self)) {
            // It goes its way and does nothing.
            type.set!.call(node, 'text/ran');
            queueMicrotask(() => node.remove());
            continue;
          }
          if (onWay()) note(node, self);
          added.add(node);
        }
        scan(node);
      }
    };
    for (const name of ['appendChild', 'insertBefore', 'replaceChild']) before(Node.prototype, name, insert);
    for (const { prototype } of [Element, DocumentFragment, Document]) {
      for (const name of ['append', 'prepend', 'replaceChildren']) before(prototype, name, insert);
    }
    for (const { prototype } of [Element, CharacterData]) {
      for (const name of ['before', 'after', 'replaceWith']) before(prototype, name, insert);
    }
    before(Element.prototype, 'insertAdjacentElement', insert);
    for (const name of ['insertNode', 'surroundContents']) before(Range.prototype, name, insert);
    // What has lain in a template loads from then on.
    for (const name of ['importNode', 'adoptNode']) before(Document.prototype, name, (_, [node]) => void scan(node));
    const { attachShadow } = Element.prototype;
    Element.prototype.attachShadow = function (init) {
      const root = attachShadow.call(this, init);
      inside(root);
      return root;
    };

    const template = document.createElement('template');
    const html = Object.getOwnPropertyDescriptor(Element.prototype, 'innerHTML')!;
    const deep = (content: DocumentFragment): void => {
      scan(content);
      content.querySelectorAll('template').forEach(({ content }) => deep(content));
    };
    /** Markup with what has to wait held in it; the same text where nothing has. `inside` what it is to stand. */
    const quiet = (markup: unknown, inside?: Node | null): unknown => {
      if (!MARKUP.test(String(markup))) return markup;
      const before = count;
      const policed = (text: string) => host.markup?.(text) ?? text;
      // Another language: what is a picture in SVG is none in HTML.
      let svg = inside instanceof SVGElement && !/^(foreignObject|desc|title)$/.test(inside.localName);
      if (svg) html.set!.call(template, policed(`<svg>${markup}</svg>`));
      // Or HTML after all, which has broken out.
      svg &&= template.content.childNodes.length < 2;
      // As it came: the page's policy may want more than text.
      if (!svg) html.set!.call(template, markup);
      deep(template.content);
      if (count == before) return markup;
      return policed(html.get!.call(svg ? template.content.firstChild : template));
    };
    for (const { prototype } of [Element, ShadowRoot]) {
      for (const name of ['innerHTML', 'outerHTML']) {
        onSet(prototype, name, (self, value, native) => native(quiet(value, name == 'innerHTML' ? self : self.parentNode)));
      }
      for (const name of ['setHTML', 'setHTMLUnsafe']) {
        before(prototype, name, (self, [markup, ...rest]) => [quiet(markup, self), ...rest]);
      }
    }
    before(Element.prototype, 'insertAdjacentHTML', (self, [where, markup]) => [
      where,
      quiet(markup, /afterbegin|beforeend/i.test(String(where)) ? self : self.parentNode),
    ]);
    before(Range.prototype, 'createContextualFragment', (_, [markup]) => [quiet(markup)]);
    // What a script of the page writes goes to the parser, ahead of every observer.
    for (const name of ['write', 'writeln']) {
      before(Document.prototype, name, (_, texts) => {
        const markup = texts.length > 1 ? texts.join('') : texts[0];
        const waiting = quiet(markup);
        return waiting == markup ? undefined : [waiting];
      });
    }

    // A call that may not go out fails as a network error does.
    const nowhere = `blob:${location.origin}/assent-held`;
    const { fetch } = window;
    window.fetch = function (input, init) {
      return waits((input as Request | undefined)?.url ?? input)
        ? Promise.reject(new TypeError('Failed to fetch'))
        : fetch.call(this, input, init);
    };
    before(XMLHttpRequest.prototype, 'open', (_, [method, url, ...rest]) => (waits(url) ? [method, nowhere, ...rest] : undefined));
    const { sendBeacon } = Navigator.prototype;
    Navigator.prototype.sendBeacon = function (url, body) {
      return waits(url) || sendBeacon.call(this, url, body);
    };
    const refuse = (name: 'EventSource' | 'WebSocket', instead: string) => {
      const { prototype } = window[name];
      window[name] = prototype.constructor = new Proxy(window[name], {
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
