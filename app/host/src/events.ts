/** What happens, told to the page: an event `assent:TYPE` on the document. */
import type { AssentEvents } from '../../types/assent';

/** Tells the page. */
export function emit<Type extends keyof AssentEvents>(type: Type, detail?: AssentEvents[Type]): void {
  document.dispatchEvent(new CustomEvent(`assent:${type}`, { detail }));
}

/** Calls `listener` with the detail of each event of a type; what it returns ends that. */
export function on<Type extends keyof AssentEvents>(
  type: Type,
  listener: (detail: AssentEvents[Type]) => void,
): () => void {
  const hear = (event: Event) => listener((event as CustomEvent).detail);
  document.addEventListener(`assent:${type}`, hear);
  return () => document.removeEventListener(`assent:${type}`, hear);
}
