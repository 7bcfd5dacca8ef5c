/** Erases what pages reach only asynchronously: databases, caches and service workers of what is not granted. */
import type { Host } from '../host';

/** Goes on where the browser refuses one kind of storage. */
const attempt = (step: () => Promise<unknown>): Promise<unknown> => step().catch(() => {});

/** Names that stand in a list as they are, for browsers that do not say what there is. */
const plain = (list: string): string[] =>
  list.split(' ').map((entry) => entry.slice(1)).filter((name) => name && !name.includes('*'));

/** A worker is declared by its script or by its scope, each with or without the origin. */
const names = (address = ''): string[] => [address, address.slice(location.origin.length)];

/** Erases now and after each choice; `lists` are those of databases, caches and workers. */
export function storage(host: Host, [databases, caches, workers]: [string, string, string]): void {
  const erase = () => {
    attempt(async () => {
      const all = (await indexedDB.databases?.())?.map(({ name }) => name!) ?? plain(databases);
      for (const name of all) if (host.erased(databases, name)) indexedDB.deleteDatabase(name);
    });
    attempt(async () => {
      for (const name of await window.caches.keys()) if (host.erased(caches, name)) window.caches.delete(name);
    });
    attempt(async () => {
      for (const registration of await navigator.serviceWorker.getRegistrations()) {
        const { active, installing, scope, waiting } = registration;
        const script = (active ?? waiting ?? installing)?.scriptURL;
        if ([...names(script), ...names(scope)].some((name) => host.erased(workers, name))) registration.unregister();
      }
    });
  };
  erase();
  host.assent.on('change', erase);
}
