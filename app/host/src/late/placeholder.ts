/** Stands in the place of each held embed: what it is, from whom, and the buttons that load it. */
import { FREE, HELD } from '../answer';
import { EMBEDS } from '../holdable';
import type { Category } from '../../../types/assent';
import type { Host } from '../host';
import { SERVICE } from '../services';

/** What is needed of a notice; see consent/src/notice.rs. */
interface Notice {
  language: string;
  texts: Record<`placeholder_${'from' | 'category' | 'once' | 'always'}` | 'direction', string>;
  categories: { id: Category; label: string; services: Service[] }[];
}

interface Service {
  id: string;
  name: string;
  provider: string;
  hosts: string[];
}

/** Which embeds the visitor has loaded once, in this tab. */
interface Once {
  /** The choice that stood then: any later one ends it, also one that was made where this code does not run. */
  record: string | null;
  addresses: string[];
}

const MARK = ':is([data-category],[data-assent-host])';
/** A player may be held for its sources alone. */
const TAGS = `:is(${EMBEDS})${MARK},:is(video,audio)>source${MARK}`;

/** What decides about a place in the layout. Read from the embed as it stands, so that nothing moves. */
const PLACE = [
  ...['top', 'right', 'bottom', 'left'].flatMap((side) => [side, `margin-${side}`]),
  ...['position', 'float', 'clear', 'z-index', 'vertical-align', 'max-width', 'order', 'align-self', 'justify-self'],
  ...['grid-row-start', 'grid-row-end', 'grid-column-start', 'grid-column-end'],
];

/** Below this there is no room for two buttons. WebKit's player of sounds is 31 pixels high, Firefox's 40. */
const WIDTH_MIN = 160;
const HEIGHT_MIN = 30;

/** How often a placeholder comes back where the page takes it away. */
const RETURNS_MAX = 9;

/** The embed and what else of it is marked. */
const parts = (embed: Element): Element[] => [embed, ...embed.querySelectorAll('source,track')];

/** Where a held embed would load from. */
function address(embed: HTMLElement): URL | undefined {
  for (const part of parts(embed)) {
    const { src, data } = (part as HTMLElement).dataset;
    try {
      const url = new URL((src ?? data)!, document.baseURI);
      if ((src ?? data) && /^https?:$/.test(url.protocol)) return url;
    } catch {
      // Nothing that could be loaded.
    }
  }
  return undefined;
}

function focus(embed: HTMLElement): void {
  embed.focus({ preventScroll: true });
  if (document.activeElement == embed) return;
  embed.tabIndex = -1;
  embed.focus({ preventScroll: true });
  embed.addEventListener('blur', () => embed.removeAttribute('tabindex'), { once: true });
}

function element(tag: string, className: string, ...content: (Node | string)[]): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...content);
  return made;
}

/** Puts a placeholder where a held embed is, now and later. */
export function placeholders(host: Host): void {
  const { assent, loader, server } = host;
  const key = `assent-${loader.s}-once`;
  const boxes = new Map<HTMLElement, HTMLElement>();
  const placed = new WeakMap<Element, number>();
  let notice: Notice | undefined;
  let asked = false;
  let allowing = false;

  function recall(): string[] {
    try {
      const { record, addresses } = JSON.parse(sessionStorage.getItem(key)!) as Once;
      return record == assent.choice().record ? addresses : [];
    } catch {
      return [];
    }
  }

  function remember(addresses: string[]): void {
    try {
      if (addresses.length) sessionStorage.setItem(key, JSON.stringify({ record: assent.choice().record, addresses }));
      else sessionStorage.removeItem(key);
    } catch {
      // Without storage it ends with the page.
    }
  }

  /** Those that declare an address. The gate matches: a list whose one entry is necessary allows what it matches. */
  const declaring = ({ hostname, pathname }: URL, services: Service[]): Service[] =>
    services.filter(({ hosts }) =>
      hosts.some((entry) => host.allowed(`0${entry}${entry.includes('/') ? '' : '/*'}`, hostname + pathname) == FREE),
    );

  /** The marked parts of an embed that wait. */
  const waiting = (embed: HTMLElement): HTMLElement[] =>
    (parts(embed) as HTMLElement[]).filter((tag) => tag.matches(MARK) && host.answerFor(tag) == HELD);

  /** The single services that an embed waits for, where the visitor chooses among them. */
  function servicesFor(embed: HTMLElement, from: URL): Service[] {
    const granted = assent.choice().services;
    if (!granted) return [];
    const all = notice!.categories.flatMap(({ services }) => services).filter(({ id }) => granted[id] == false);
    return all.filter((service) =>
      waiting(embed).some(({ dataset: { assentHost } }) =>
        assentHost?.startsWith(SERVICE)
          ? assentHost == SERVICE + service.id
          : assentHost && declaring(from, [service]).length,
      ),
    );
  }

  /** The categories that an embed waits for. */
  function waitsFor(embed: HTMLElement, from: URL): Notice['categories'] {
    const tags = waiting(embed);
    return notice!.categories.filter(
      ({ id, services }) =>
        !assent.choice()[id] &&
        tags.some(({ dataset: { assentHost, category } }) =>
          assentHost
            ? // A service that nobody declares is no leave to grant whoever owns the address.
              !assentHost.startsWith(SERVICE) && declaring(from, services).length
            : category!.split(/\s+/).includes(id),
        ),
    );
  }

  function once(embed: HTMLElement): void {
    for (const part of parts(embed)) host.once.add(part);
  }

  function button(label: string, press: () => void): HTMLElement {
    const made = element('button', '', label) as HTMLButtonElement;
    made.type = 'button';
    made.addEventListener('click', () => {
      // Safari does not focus what is clicked, and the focus is to follow the content.
      made.focus({ preventScroll: true });
      press();
    });
    return made;
  }

  function make(embed: HTMLElement, from: URL): HTMLElement {
    const { categories, language, texts } = notice!;
    const single = servicesFor(embed, from);
    const waits = single.length ? [] : waitsFor(embed, from);
    const [own, all] = [waits, categories].map((list) => declaring(from, list.flatMap(({ services }) => services)));
    const services = [single, own, all].find((list) => list.length) ?? [];
    const source = [...services.map(({ name, provider }) => `${name} (${provider})`), from.host].join(', ');
    const name = embed.title || embed.getAttribute('aria-label') || services[0]?.name || from.host;
    const words = [texts.placeholder_from.replace('{source}', () => source)];
    const labels = (single.length ? categories.filter(({ services }) => single.some((one) => services.includes(one))) : waits)
      .map(({ label }) => label)
      .join(', ');
    if (labels) words.push(texts.placeholder_category.replace('{category}', () => labels));
    const load = button(texts.placeholder_once, () => {
      remember([...recall(), from.href]);
      once(embed);
      host.apply();
    });
    const always = button(texts.placeholder_always, () => {
      const kept = recall();
      allowing = true;
      if (host.set) {
        const wanted = Object.fromEntries((single.length ? single : waits).map(({ id }) => [id, true]));
        host.set(single.length ? { services: wanted } : wanted, 'embed');
      } else {
        const granted = waits.reduce((bits, category) => bits | (1 << categories.indexOf(category)), host.granted());
        host.decide(granted, 'embed');
      }
      allowing = false;
      remember(kept);
    });
    const box = element(
      'div',
      'assent-placeholder',
      element(
        'div',
        'assent-held',
        element('div', 'assent-words', element('p', 'assent-name', name), element('p', 'assent-from', words.join(' '))),
        element('div', 'assent-actions', load, ...(labels ? [always] : [])),
      ),
    );
    box.setAttribute('role', 'group');
    box.setAttribute('aria-label', name);
    box.lang = language;
    box.dir = texts.direction;
    return box;
  }

  /** Gives the placeholder the embed's place; false if the embed is not there to be seen. */
  function fit(embed: HTMLElement, box: HTMLElement): boolean {
    box.hidden = true;
    const { display } = embed.style;
    const style = getComputedStyle(embed);
    const gone = style.display == 'none' || (style.visibility == 'hidden' && getComputedStyle(embed.parentElement!).visibility != 'hidden');
    // Without its data an object, and to Firefox an embed, is a piece of text, and its size does not count.
    if (!gone && embed.matches('object,embed')) embed.style.display = 'inline-block';
    const { width, height } = embed.getBoundingClientRect();
    const size = (side: 'width' | 'height', length: number, otherwise: string) =>
      length ? `${length}px` : style[side] == 'auto' ? otherwise : style[side];
    const wide = size('width', width, '300px');
    const high = size('height', height, '150px');
    for (const name of PLACE) box.style.setProperty(name, style.getPropertyValue(name));
    box.style.display = style.display.startsWith('inline') ? 'inline-block' : 'block';
    box.style.width = wide;
    box.style.height = high;
    embed.style.display = display;
    box.hidden = false;
    const small = (length: string, least: number) => length.endsWith('px') && parseFloat(length) < least;
    return !gone && !small(wide, WIDTH_MIN) && !small(high, HEIGHT_MIN);
  }

  const widths = new WeakMap<Element, number>();
  // With the next frame: what changes sizes while sizes are told is an error that the page would hear of.
  const resized = new ResizeObserver((entries) =>
    requestAnimationFrame(() => {
      for (const { target, contentRect } of entries) {
        const { width } = contentRect;
        if (widths.get(target) == width) continue;
        widths.set(target, width);
        for (const [embed, box] of boxes) if (embed.parentElement == target) fit(embed, box);
      }
    }),
  );

  const stands = (embed: HTMLElement): boolean => boxes.get(embed)?.nextElementSibling == embed;

  function place(embed: HTMLElement, from: URL): void {
    const returns = placed.get(embed) ?? 0;
    if (stands(embed) || returns > RETURNS_MAX) return;
    const box = boxes.get(embed) ?? make(embed, from);
    box.remove();
    if (!fit(embed, box)) return;
    placed.set(embed, returns + 1);
    boxes.set(embed, box);
    embed.before(box);
    resized.observe(embed.parentElement!);
  }

  function look(): void {
    const held = new Map<HTMLElement, URL>();
    const remembered = recall();
    let again = false;
    for (const tag of document.querySelectorAll<HTMLElement>(TAGS)) {
      const embed = tag.closest<HTMLElement>(EMBEDS)!;
      const from = address(embed);
      // What is live is the owner's own stand-in; what must not be granted cannot be allowed.
      if (host.answerFor(tag) != HELD || !from || embed.matches('[src],[data]') || tag.dataset.category?.includes('!')) continue;
      if (remembered.includes(from.href)) {
        once(embed);
        again = true;
      } else if (embed.dataset.assentPlaceholder != 'none') {
        held.set(embed, from);
      }
    }
    // A copy, of a page that was kept as it stood.
    const own = new Set<Element>(boxes.values());
    for (const box of document.querySelectorAll('.assent-placeholder')) if (!own.has(box)) box.remove();
    for (const [embed, box] of boxes) {
      if (held.has(embed)) continue;
      const focused = box.contains(document.activeElement);
      box.remove();
      boxes.delete(embed);
      placed.delete(embed);
      if (focused && embed.isConnected) focus(embed);
    }
    if (notice) for (const [embed, from] of held) place(embed, from);
    else if (held.size) prepare();
    if (again) host.apply();
  }

  function prepare(): void {
    if (asked) return;
    asked = true;
    Promise.all([
      fetch(`${server}/v1/sites/${loader.s}/notices/${loader.n}`).then((answer) => answer.json()),
      fetch(`${server}${loader.a}placeholder.css`).then((answer) => answer.text()),
    ]).then(
      ([shown, css]) => {
        host.style(css);
        notice = shown;
        look();
        // Frameworks take away one or the other.
        new MutationObserver(() => {
          if ([...boxes.keys()].some((embed) => !stands(embed))) look();
        }).observe(document, { childList: true, subtree: true });
      },
      () => (asked = false),
    );
  }

  host.after.push(look);
  host.assent.on('change', () => {
    if (allowing) return;
    remember([]);
    for (const embed of document.querySelectorAll(EMBEDS)) for (const part of parts(embed)) host.once.delete(part);
    host.apply();
  });
  look();
}
