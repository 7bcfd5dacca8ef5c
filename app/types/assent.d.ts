/** Types of `window.assent`, which Assent's loader and its inline stub put on a page. */

/** The categories that a visitor decides about. */
export type OptionalCategory = 'performance' | 'functional' | 'targeting';
/** All categories; `necessary` is always granted. */
export type Category = 'necessary' | OptionalCategory;

/** The present choice. */
export interface Choice {
  readonly necessary: true;
  readonly performance: boolean;
  readonly functional: boolean;
  readonly targeting: boolean;
  /** Each optional service by its id, on sites that let visitors choose among services. */
  readonly services?: Readonly<Record<string, boolean>>;
  /** Whether the visitor has chosen; otherwise the values are what the rule grants without a choice. */
  readonly chosen: boolean;
  /** Revision of the site's configuration. */
  readonly revision: number;
  /** Language of the texts, a BCP 47 tag. */
  readonly language: string;
  /** Id of the choice's consent record, null before the first. */
  readonly record: string | null;
  /** Signed receipt (compact JWS) of this browser's last choice, null until the server has acknowledged one. */
  readonly receipt: string | null;
}

/** What `set` takes. A category that is left out or undefined stays as it is; where nothing is named, nothing happens. */
export interface Wanted extends Partial<Record<OptionalCategory, boolean>> {
  /** Single services by their ids, on sites that let visitors choose among services; nothing happens elsewhere. */
  services?: Record<string, boolean>;
}

/** What `on` can hear, with what its listener gets; each is also an event `assent:TYPE` of the document. */
export interface AssentEvents {
  /** The banner stands on the page. */
  shown: undefined;
  /** The visitor, or the page for them, has made a choice here; nothing is released or held yet. */
  decided: Choice;
  /** A choice has been carried out, made here, in another tab or in the preference center. */
  change: Choice;
  /** A choice has taken something back; follows `change`. */
  withdrawn: Choice;
  /** A held element was released. */
  released: HTMLElement;
  /** An element that could load is held. */
  held: HTMLElement;
}

/** A tag and what becomes of it. */
export interface DebugLine {
  tag: string;
  loads: string;
  decision: 'released' | 'held' | 'left alone';
  reason: string;
}

/** `window.assent`. */
export interface Assent {
  /** The present choice. Not in the inline stub: wait for `on('change', …)` or `when(…)` there. */
  choice(): Choice;
  /** Opens the dialog. */
  show(): void;
  /** Leads to the preference center. */
  center(): void;
  /**
   * Decides for the named categories and leaves the others as they are. A category takes its services with it; services
   * named beside it stand above it.
   */
  set(choice: Wanted): void;
  /** Refuses all optional categories. */
  withdraw(): void;
  /** Calls `listener` on each event of a type. What is returned ends that (nothing, in the inline stub). */
  on<Type extends keyof AssentEvents>(type: Type, listener: (detail: AssentEvents[Type]) => void): () => void;
  /**
   * Resolves when the category, or the service as `service:ID` on sites that let visitors choose among services, is
   * granted: at once, or after a choice. `then` is called likewise.
   */
  when(name: Category | `service:${string}`, then?: (choice: Choice) => void): Promise<Choice>;
  /** Every tag of the page with decision and reason; there with `?assent_debug` in the page's address. */
  debug?(): DebugLine[];
}

declare global {
  interface Window {
    assent: Assent;
  }
  interface DocumentEventMap {
    'assent:shown': CustomEvent<undefined>;
    'assent:decided': CustomEvent<Choice>;
    'assent:change': CustomEvent<Choice>;
    'assent:withdrawn': CustomEvent<Choice>;
    'assent:released': CustomEvent<HTMLElement>;
    'assent:held': CustomEvent<HTMLElement>;
  }
}
