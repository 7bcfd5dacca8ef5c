/** Holds and releases the marked tags of the page. */
import { held, released } from './gate';
import { loader } from './loader';

/** Marked by the owner, or held by the inline stub because of its host. */
const MARKED = 'script[type="text/plain"],iframe,img'
  .split(',')
  .map((tag) => `${tag}[data-category],${tag}[data-assent-host]`)
  .join();

/** Scripts that were released and have not run yet; an inline script waits for them, as in a parsed page. */
let running = 0;

/** Releases, in document order, every held tag whose categories are granted, and holds embeds whose are not. */
export function apply(): void {
  let waits = false;
  for (const tag of document.querySelectorAll<HTMLElement>(MARKED)) {
    const { assentHost, category } = tag.dataset;
    const free = assentHost ? !held(loader.b, assentHost) : released(category!);
    // A script that ran meanwhile may have had this one released by a choice of its own.
    if (!tag.isConnected) continue;
    if (!(tag instanceof HTMLScriptElement)) {
      embed(tag as HTMLIFrameElement, free);
    } else if (free) {
      const src = tag.getAttribute('src') ?? tag.dataset.src;
      const parallel = src && tag.hasAttribute('async');
      const late = tag.dataset.type == 'module' || (src && tag.hasAttribute('defer'));
      if (late && !parallel && document.readyState == 'loading') continue;
      waits ||= !src && !late && running > 0;
      if (!waits || parallel) run(tag, src, !late && !parallel);
    }
  }
}

/** Runs a held script in its place. `blocks`: inline scripts after it wait for it, as in a parsed page. */
function run(held: HTMLScriptElement, src: string | undefined, blocks: boolean): void {
  const script = document.createElement('script');
  for (const { name, value } of held.attributes) {
    if (!/^(type|src|data-(type|src))$/.test(name)) script.setAttribute(name, value);
  }
  script.type = held.dataset.type ?? '';
  script.nonce = held.nonce;
  script.text = held.text;
  if (src || script.type == 'module') script.async = held.hasAttribute('async');
  if (src) {
    if (blocks) running++;
    const settled = ({ type }: Event) => {
      // Whoever inserted the held script listens on that one.
      held.dispatchEvent(new Event(type));
      if (blocks) {
        running--;
        apply();
      }
    };
    script.onload = settled;
    script.onerror = settled as OnErrorEventHandler;
    script.src = src;
  }
  held.replaceWith(script);
}

function embed(tag: HTMLIFrameElement | HTMLImageElement, free: boolean): void {
  const { src } = tag.dataset;
  if (free) {
    // Whoever can write data attributes must not be able to run a script with them.
    if (src && /^https?:$/.test(new URL(src, location.href).protocol)) {
      delete tag.dataset.src;
      tag.src = src;
    }
  } else if (!src && tag.hasAttribute('src')) {
    // A fresh element, because a frame whose `src` goes keeps its document.
    const held = tag.cloneNode() as typeof tag;
    held.dataset.src = tag.getAttribute('src')!;
    held.removeAttribute('src');
    tag.replaceWith(held);
  }
}

/** Applies the gate to tags that the parser or a script adds, and calls `changed` on every change. */
export function watch(changed: () => void): void {
  new MutationObserver((mutations) => {
    changed();
    if (
      mutations.some(({ addedNodes }) =>
        [...addedNodes].some(
          (node) => node instanceof Element && (node.matches(MARKED) || node.querySelector(MARKED)),
        ),
      )
    ) {
      apply();
    }
  }).observe(document, { childList: true, subtree: true });
  document.addEventListener('DOMContentLoaded', apply);
}
