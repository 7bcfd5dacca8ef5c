/** Marks of other consent managers, rewritten to Assent's own before the gate looks. */
import { ahead } from '../ahead';
import { HOLDABLE } from '../holdable';
import type { Host } from '../host';

declare const PARTS: ((host: Host) => void)[];

PARTS.push(({ loader }) => {
  const marks = loader.marks!.map(({ pattern, ...mark }) => ({ ...mark, pattern: new RegExp(pattern) }));

  /** The value of `data-category` that stands for the element's mark; nothing where it has none, or one of its names
      is not known: then it stays as it is, and a script held. */
  function translate(tag: HTMLElement): void {
    const { dataset } = tag;
    // Rewritten before, also where the element is a copy.
    if ('assentMark' in dataset) return;
    for (const { attribute, pattern, between, held, names } of marks) {
      // The owner's own mark stands above any other manager's.
      if (dataset.category && attribute != 'data-category') continue;
      const found = pattern.exec(tag.getAttribute(attribute) ?? '')?.[1];
      if (!found) continue;
      const categories = (between ? found.split(new RegExp(between)) : [found]).map((name) => {
        const not = name.startsWith('!') ? '!' : '';
        const value: unknown = names[name.slice(not.length)];
        return typeof value == 'string' ? value.replace(/(?=\b\w)/g, not) : undefined;
      });
      if (categories.includes(undefined)) return;
      dataset.category = categories.join(' ');
      dataset.assentMark = '';
      // What the page's author says of it is more than what its host says; the stub leaves alone what has this.
      dataset.assentHost = '';
      for (const name of held) {
        const address = tag.getAttribute(name);
        if (address) dataset.src = address;
        tag.removeAttribute(name);
      }
      if (!/^(SCRIPT|STYLE)$/.test(tag.tagName) && tag.getAttribute('type') == 'text/plain') {
        // A style sheet of this type would not apply. Its address waits first, so that nothing loads by this.
        const address = tag.getAttribute('href');
        if (address) {
          dataset.href = address;
          tag.removeAttribute('href');
        }
        if (dataset.type) tag.setAttribute('type', dataset.type);
        else tag.removeAttribute('type');
      }
      return;
    }
  }

  ahead(HOLDABLE, translate);
});
