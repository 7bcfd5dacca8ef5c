/** What the loader offers to its further parts: those that the publisher puts into it where a site uses them, and
    those that come after the page has loaded. */
import type { Assent, Choice } from '../../types/assent';
import type { emit } from './events';
import type { signal } from './google';
import { server, loader, type Loader } from './loader';
import { rest } from './rest';

/** Exceptions of a choice: the services whose answer differs from their category's. */
export type Services = Record<string, boolean>;

/** The loader, as its parts see it. */
export interface Host {
  /** `window.assent`. */
  assent: Assent;
  /** Run whenever the gate has been applied to the page, told whether any embed is held. */
  after: ((embeds: boolean) => void)[];
  /** Whether what loads from a place may load: HELD, FREE, or FOREIGN if no service declares it. */
  allowed(list: string, place: string): number;
  /** Whether a marked tag may run: HELD, FREE or FOREIGN. */
  answerFor(tag: HTMLElement): number;
  apply(): void;
  /** Run whenever the gate is about to be applied to the page. */
  before: (() => void)[];
  /** Decides about nodes by the place that they load from, as HELD or FREE; a part may decide in its stead. */
  byHost: { decide(place: string): number };
  /** A choice's exceptions as the cookie keeps them; a part fills this in where the site offers a choice per service. */
  codes(services?: Services): string;
  /** Carries out a choice: categories as bits, and its exceptions. */
  decide(bits: number, method: 'api' | 'embed', services?: Services): void;
  emit: typeof emit;
  /** Whether the stored item `name` has to go. */
  erased(list: string, name: string): boolean;
  /** The granted categories, as bits. */
  granted(): number;
  /** Granted types of Google Consent Mode, as bits, of what the gate holds now. */
  google(): number;
  loader: Loader;
  /** What the parts add to the choice as the page's scripts see it. */
  more: Partial<Choice>;
  /** Markup as the page's policy wants it; a part fills this in where that is more than text. */
  markup?(text: string): string;
  /** As `assent.set`, of single services; a part fills this in where the site offers a choice per service. */
  set?(wanted: Parameters<Assent['set']>[0], method: 'api' | 'embed'): void;
  /** Embeds that the visitor has loaded without a choice for their category, and scripts that have been run. */
  once: WeakSet<Element>;
  /** Whether a tag with this `data-category` may run: HELD, FREE or FOREIGN. */
  released(category: string): number;
  server: string;
  /** Tells other parties' tags what is granted; a part may put another in its place. */
  signal: typeof signal;
  /** Adds a style sheet to the page. */
  style(css: string): void;
}

/** Filled by the parts, which stand before this code in the loader. */
declare const PARTS: ((host: Host) => void)[];

/** The parts that this site's loader holds. */
export const parts = PARTS;

let asked = false;

/** Loads the parts that few pages need, once. */
export function late(host: Host): void {
  if (asked) return;
  asked = true;
  rest(() => {
    import(`${server}${loader.a}late.js`).then((module) => module.default(host)).catch(() => {});
  });
}
