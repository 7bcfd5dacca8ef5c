/** For parts that rewrite marks before the gate looks. */
import { isTwin, note } from './twins';

/** Calls `rewrite` for each element of the page that matches, now and whenever one is added; returns what does so
    once more for the whole page. Called before the host observes, so that it comes first. */
export function ahead(selector: string, rewrite: (tag: HTMLElement) => void): () => void {
  const first = (tag: HTMLElement) => {
    if (tag instanceof HTMLScriptElement) {
      if (isTwin(tag)) return tag.remove();
      note(tag);
    }
    rewrite(tag);
  };
  const look = (root: Document | Element) => root.querySelectorAll<HTMLElement>(selector).forEach(first);
  look(document);
  new MutationObserver((mutations) => {
    for (const { addedNodes } of mutations) {
      for (const node of addedNodes) {
        if (!(node instanceof HTMLElement)) continue;
        if (node.matches(selector)) first(node);
        look(node);
      }
    }
  }).observe(document, { childList: true, subtree: true });
  return () => look(document);
}
