/** What the visitor sees on the site: the banner, the control that reopens the dialog, the dialog. */
import type { Choice } from '../../types/assent';
import { mark } from './cookie';
import { emit } from './events';
import type { Kept } from './center';
import type { Services } from './host';
import { api, element, loader, server } from './loader';
import { rest } from './rest';

/** The dialog's module; see app/widget. */
interface Dialog {
  default(input: { module_or_path: string }): Promise<unknown>;
  open(
    root: HTMLElement,
    notice: object,
    choice: Choice,
    onChoice: (bits: number, services?: Services) => void,
    onClose: () => void,
  ): void;
}

/** Address of the notice: what the dialog shows. */
const notice = `${api}notices/${loader.n}`;

let root: HTMLElement | undefined;
let dialog: Promise<[Dialog, { dialog_css: string }]> | undefined;
let opened = false;
let counted = false;

const banner = (): HTMLElement | null | undefined => root?.querySelector('.assent-banner');

/** In a frame the page around it asks and shows, unless the frame's tag says `data-frames`. */
const framed = top != self && !('frames' in element.dataset);

/** Whether the banner stands on the page. */
export const asks = (): boolean => !!banner();

/** Adds a style sheet to the page, whatever its Content Security Policy. */
export function style(css: string): void {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    document.adoptedStyleSheets.push(sheet);
  } catch {
    const tag = document.createElement('style');
    tag.nonce = element.nonce;
    tag.textContent = css;
    document.head.append(tag);
  }
}

function place(): HTMLElement {
  if (!root) {
    style(loader.y);
    root = document.createElement('div');
    root.id = 'assent';
    root.lang = loader.l;
  }
  if (!root.isConnected) {
    // What Turbo brings back is a copy of what stood there then.
    document.querySelector('div#assent[lang]')?.remove();
    // First in the body, so that Tab reaches the banner first; again, if a framework replaced the body.
    document.body?.prepend(root);
  }
  return root;
}

/** Shows the banner. */
export function ask(): void {
  if (framed) return;
  place().insertAdjacentHTML('afterbegin', loader.h);
  // Counted when the page is at rest, so that it delays neither paint nor click; or when the visitor leaves first, or
  // comes to what was rendered ahead.
  for (const type of ['prerenderingchange', 'visibilitychange']) document.addEventListener(type, count);
  rest(count);
  emit('shown');
}

/** Counts the banner as shown, once. */
export function count(): void {
  // What is rendered ahead nobody has seen yet.
  if (counted || (document as { prerendering?: boolean }).prerendering) return;
  counted = true;
  navigator.sendBeacon(
    `${api}events`,
    JSON.stringify({ event: 'shown', revision: loader.r, notice: loader.n }),
  );
}

/** Takes the banner away and shows the control, unless the page has a control of its own. */
export function settle(): void {
  const focused = root?.contains(document.activeElement);
  banner()?.remove();
  if (!framed && !document.querySelector('[data-assent="settings"]')) {
    const control = document.createElement('button');
    control.className = 'assent-reopen';
    control.dataset.assent = 'settings';
    control.textContent = loader.p;
    place().prepend(control);
    // Focus needs the layout, and what was just released should not wait for it.
    if (focused) requestAnimationFrame(() => control.focus());
  }
}

/** Whether the banner or the dialog holds this element. */
export const holds = (element: Element): boolean => !!root?.contains(element);

/** Puts the surface back where a framework removed it: with the next frame, so that nobody sees it gone, and a script that
    removes it again and again does not stop the page. */
export function hold(): void {
  if (root && !root.isConnected) requestAnimationFrame(place);
}

/** Brings the dialog's files into the browser's cache, running nothing. */
export function prefetch(): void {
  for (const file of [`${server}${loader.a}dialog.js`, `${server}${loader.a}dialog.wasm`, notice]) {
    fetch(file, { priority: 'low' } as RequestInit)
      .then((answer) => answer.blob())
      .catch(() => {});
  }
}

/** Loads the dialog: when a pointer nears its button, so that it opens at once. */
export function preload(): Promise<[Dialog, { dialog_css: string }]> {
  const folder = server + loader.a;
  return (dialog ??= Promise.all([
    (import(`${folder}dialog.js`) as Promise<Dialog>).then((module) =>
      module.default({ module_or_path: `${folder}dialog.wasm` }).then(() => module),
    ),
    fetch(notice).then((answer) => answer.json()),
  ]));
}

/** Opens the dialog, or the center where the dialog cannot run. */
export function open(choice: Choice, key: string, choose: (bits: number, services?: Services) => void): void {
  if (opened) return;
  opened = true;
  preload()
    .then(([module, shown]) => {
      if (shown.dialog_css) {
        place();
        style(shown.dialog_css);
        shown.dialog_css = '';
      }
      module.open(place(), shown, choice, choose, () => (opened = false));
    })
    .catch(() => {
      opened = false;
      dialog = undefined;
      center(key);
    });
}

/** The way to the center and back; see center.ts. */
const way = (): Promise<typeof import('./center')> => import(`${server}${loader.a}center.js`);

/** Leads to the center. */
export function center(key: string): void {
  way().then(
    ({ go }) => go(server, api, key, loader, mark),
    () => location.assign(`${server}/c/${loader.s}`),
  );
}

/** What is to be kept of a choice made in the center since: from the link back, or asked for if the visitor was there. */
export function news(key: string): Promise<Kept | undefined> | undefined {
  if (!mark[0] && !location.hash.startsWith('#assent')) return undefined;
  return Promise.race([
    way()
      .then((module) => module.news(server, api, key, loader, mark))
      .catch(() => undefined),
    new Promise<undefined>((done) => setTimeout(done, 4000)),
  ]);
}
