/** Holds and releases the marked tags of the page. */
import { FREE, HELD } from './answer';
import { emit } from './events';
import { allowed, released } from './gate';
import { EMBEDS, HOLDABLE } from './holdable';
import { loader } from './loader';
import { renew } from './renew';

/** Marked by the owner, or held by the inline stub because of its host. */
const MARKED = '[data-category],[data-assent-host]';

/** Attributes that load or apply something. A tag that waits has them as `data-…`. */
const LIVE = ['poster', 'href', 'data', 'src', 'srcset', 'imagesrcset'];

/** Decides about nodes that are known by their host; what no service declares may load. */
export const byHost = { decide: (host: string): number => +!!allowed(loader.b, `${host}/`) };

/** Run before each look at the page. */
export const before: (() => void)[] = [];

/** Run after each look at the page, told whether any embed is held. */
export const after: ((embeds: boolean) => void)[] = [];

/** What no choice holds any more: embeds that the visitor has loaded without one for their category, scripts that have
    been run. */
export const once = new WeakSet<Element>();

/** Whether a marked tag may run: HELD, FREE or FOREIGN. */
export function answerFor(tag: HTMLElement): number {
  const { assentHost, category } = tag.dataset;
  return once.has(tag) ? FREE : assentHost ? byHost.decide(assentHost) : released(category!);
}

/** Scripts that were released and have not run yet; an inline script waits for them, as in a parsed page. */
let running = 0;

/** How often the gate was applied: a script that it releases may make a choice, which applies it anew. */
let turns = 0;

/** Whether an inline script was not released because the parser may not be through with it. */
let cut = false;

/** Releases, in document order, every held tag whose categories are granted, and holds embeds whose are not. */
export function apply(): void {
  let waits = false;
  const turn = ++turns;
  const reading = document.readyState == 'loading';
  const last = reading && document.all[document.all.length - 1];
  cut = false;
  for (const first of before) first();
  const going: HTMLElement[] = [];
  for (const tag of document.querySelectorAll<HTMLElement>(MARKED)) {
    // A script that ran meanwhile may have taken this one away.
    if (!tag.isConnected || !tag.matches(HOLDABLE)) continue;
    const answer = answerFor(tag);
    if (!(tag instanceof HTMLScriptElement)) {
      if (answer == FREE) embed(tag, true);
      else if (answer == HELD) going.push(tag);
    } else if (answer == FREE && !once.has(tag)) {
      const src = tag.getAttribute('src') ?? tag.dataset.src;
      const parallel = src && (tag.hasAttribute('async') || tag.noModule);
      const late = tag.dataset.type == 'module' || (src && tag.hasAttribute('defer'));
      // The parser may be in the middle of the page's last element, and an inline script is as long as it has read.
      if (reading && ((late && !parallel) || (!src && (cut = last == tag)))) continue;
      waits ||= !src && !late && running > 0;
      if (!waits || parallel) run(tag, src, !late && !parallel);
    }
  }
  const embeds = going.some((tag) => tag.closest(EMBEDS));
  // Backwards, because a picture whose sources go before it asks for its own `src`.
  if (turn == turns) for (const tag of going.reverse()) embed(tag, false);
  for (const then of after) then(embeds);
}

/** What was to be called on `load` when a script was last released; undefined before the first. */
let onload: Window['onload'] | undefined;

/** Calls what a released script wants `target` to call when the page is ready or has loaded, if it has: the browser calls
    it no more. On its way from the document the event comes to the window still. */
function tell(target: unknown, name: string, then: EventListenerOrEventListenerObject | null): void {
  const entry = {
    DOMContentLoaded: target == window ? 'domContentLoadedEventEnd' : 'domContentLoadedEventStart',
    load: 'loadEventStart',
  }[name];
  if (!performance.timing[entry as 'loadEventStart']) return;
  const alone = new EventTarget();
  alone.addEventListener(name, then);
  setTimeout(() => alone.dispatchEvent(new Event(name)));
}

function listen(): void {
  const { prototype } = EventTarget;
  const { addEventListener } = prototype;
  prototype.addEventListener = function (...all: [string, never]) {
    addEventListener.apply(this, all);
    if ((this == document || this == window) && document.currentScript?.matches(MARKED)) tell(this, ...all);
  };
}

/** After a released script has run. */
function ran(): void {
  if (window.onload != onload) tell(window, 'load', (onload = window.onload));
}

/** Runs what a held script says, before it. The held one stays: whoever made it may look for it, as React, which fails
    where it is gone. `blocks`: inline scripts after it wait for it, as in a parsed page. */
function run(held: HTMLScriptElement, src: string | undefined, blocks: boolean): void {
  const script = document.createElement('script');
  for (const attribute of held.attributes) {
    // As nodes: the parser takes names that scripts may not set, as a quotation mark too many.
    if (!/^((data-)?(type|src)$|on)/.test(attribute.name)) script.setAttributeNode(attribute.cloneNode() as Attr);
  }
  script.type = held.dataset.type ?? '';
  script.nonce = held.nonce;
  script.text = held.text;
  const { write, writeln } = document;
  if (onload === undefined) listen();
  ({ onload } = window);
  script.async = held.hasAttribute('async');
  if (src) {
    if (blocks) running++;
    const settled = ({ type }: Event) => {
      ran();
      // Whoever inserted the held script listens on that one.
      held.dispatchEvent(new Event(type));
      if (blocks) {
        running--;
        apply();
      }
    };
    script.onload = script.onerror = settled as OnErrorEventHandler & typeof settled;
    script.src = src;
  } else {
    // The parser is not where the script stands: what it writes would take the place of the whole page.
    let end: ChildNode = script;
    document.write = document.writeln = (...texts: string[]) => {
      const written = document.createRange().createContextualFragment(texts.join(''));
      const { lastChild } = written;
      end.after(written);
      end = lastChild ?? end;
    };
  }
  once.add(held);
  // So that no copy of it runs, as none does of a script that was never held. In the head Turbo compares it with what the
  // next page says.
  if (held.closest('body')) held.type = 'text/ran';
  held.before(script);
  if (!src) {
    ran();
    // Frameworks that take over a page would find one too many. One with an address may keep to its place.
    script.remove();
  }
  emit('released', held);
  document.write = write;
  document.writeln = writeln;
}

/** Whoever can write data attributes must not be able to run a script with them. */
function isHarmless(address: string): boolean {
  try {
    return new URL(address, document.baseURI).protocol != 'javascript:';
  } catch {
    return false;
  }
}

/** Gives an embed what it loads, or takes it away. */
function embed(tag: HTMLElement, free: boolean): void {
  const { dataset } = tag;
  const live = LIVE.filter((name) =>
    free
      ? dataset[name] && (/srcset/.test(name) || isHarmless(dataset[name]))
      : // With both, what is live stands in for what waits.
        tag.hasAttribute(name) && (dataset[name] || tag.getAttribute(name)) == tag.getAttribute(name),
  );
  if (tag instanceof HTMLStyleElement) {
    // A style sheet of an unknown type does not apply, and what it names is not fetched.
    const type = free ? '' : 'text/plain';
    if (tag.type == type) return;
    tag.type = type;
  } else if (!live.length) return;
  for (const name of live) {
    if (free) {
      const address = dataset[name]!;
      // First: the stub holds what has it.
      delete dataset[name];
      tag.setAttribute(name, address);
    } else {
      dataset[name] = tag.getAttribute(name)!;
      tag.removeAttribute(name);
    }
  }
  // A frame whose `src` goes keeps its document.
  if (!free) renew(tag);
  emit(free ? 'released' : 'held', tag);
  // A player that has found no source does not look again by itself, and one that has lost its own plays on.
  tag.closest<HTMLMediaElement>('video,audio')?.load();
}

/** Applies the gate to tags that the parser or a script adds, and calls `changed` on every change. */
export function watch(changed: () => void): void {
  new MutationObserver((mutations) => {
    changed();
    let found: unknown = cut;
    for (const { target, addedNodes } of mutations) {
      // By index, and not at all where nothing but text has come: iterators, callbacks and lists that nobody has asked for
      // take several times as long, and pages add many nodes.
      for (let at = (target as Element).firstElementChild ? addedNodes.length : 0; at--; ) {
        const node = addedNodes[at] as Element;
        found ||= node.matches?.(MARKED) || (node.firstElementChild && node.querySelector(MARKED));
      }
    }
    if (found) apply();
  }).observe(document, { childList: true, subtree: true });
  // Nothing need change after the parser's last step.
  document.addEventListener('DOMContentLoaded', () => {
    changed();
    apply();
  });
}
