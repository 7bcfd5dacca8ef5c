/** The services among which the visitor chooses one by one, as the loader lists them. */
import type { Loader } from './loader';

/** Stands before a service's id where a host would stand, and in `when`. */
export const SERVICE = 'service:';

/** What stands for a tag's service. One that runs only without consent to the category runs only without consent to the
    service. */
export const placeOf = ({ category, service }: DOMStringMap): string =>
  SERVICE + (category?.includes('!') ? '!' : '') + service!.trim();

/** An optional service. */
export interface Listed {
  id: string;
  /** By what the cookie knows it. */
  code: string;
  /** The bit of its category. */
  bit: number;
}

/** The optional services in the order of their slots; none where the site does not offer the choice. */
export function listed({ o = '', services = '' }: Loader): Listed[] {
  const ids = services.split(' ');
  return (o.match(/\d[\w-]{3}/g) ?? []).map((entry, slot) => ({
    id: ids[slot],
    code: entry.slice(1),
    bit: 1 << +entry[0],
  }));
}
