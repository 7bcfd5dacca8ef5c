/** The services among which the visitor chooses one by one, as the loader lists them. */
import type { Services } from './host';
import type { Loader } from './loader';

/** Stands before a service's id where a host would stand, and in `when`. */
export const SERVICE = 'service:';

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

/** The services whose answer differs from their category's; nothing where there are none. */
export function exceptions(loader: Loader, categories: number, granted: Services): Services | undefined {
  const differ = listed(loader).filter(({ id, bit }) => !!granted[id] != !!(categories & bit));
  return differ.length ? Object.fromEntries(differ.map(({ id }) => [id, !!granted[id]])) : undefined;
}
