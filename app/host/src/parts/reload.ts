/**
 * Ends scripts of what was taken back: they stop with the page only. In the loaders of sites that ask for it, because
 * it listens from the first script on.
 */
import { HELD } from '../answer';
import type { Host } from '../host';

declare const PARTS: ((host: Host) => void)[];

/** How long a choice takes from one tab's process to another's, and more. */
const WAIT_MS = 100;

const MARKED = 'script:not([type="text/plain"]):is([data-category],[data-assent-host])';

PARTS.push((host) => {
  /** Those that were released, also if they have left the page since. */
  const ran = new Set<HTMLElement>();
  const held = ({ dataset: { assentHost, category = '' } }: HTMLElement): boolean =>
    // What runs only without consent had none when it ran.
    !category.includes('!') && (assentHost ? host.byHost.decide(assentHost) : host.released(category)) == HELD;

  host.assent.on('released', (tag) => {
    if (tag instanceof HTMLScriptElement) ran.add(tag);
  });
  host.assent.on('withdrawn', ({ record }) => {
    if (![...ran, ...document.querySelectorAll<HTMLElement>(MARKED)].some(held)) return;
    // By then the record is in the outbox, and the cookie has come from the tab that wrote it. Where the browser keeps
    // no choice, a reload would only undo it.
    setTimeout(() => {
      if (document.cookie.includes(record!)) location.reload();
    }, WAIT_MS);
  });
});
