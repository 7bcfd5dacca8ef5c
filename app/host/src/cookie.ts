/** The cookie that keeps the choice, and the erasure of what is no longer granted. */
import { domains, put, read } from './jar';
import { erased } from './gate';
import { NAME, cookies, loader } from './loader';

/** The mark of who went to the center, whose choice there the site still has to ask for: when, and with which subject key.
    See center.ts. */
export const mark = read(`${NAME}-center`, cookies).split('.');

/** Stores a value on the widest domain that the browser accepts, and nowhere else. */
export function write(value: string): void {
  const all = domains();
  // Each access to the cookies is a call into another process: no more of them than it takes.
  let jar = '';
  const widest = all.find((domain) => {
    put(NAME, value, loader.e * 86400, domain);
    return (jar = document.cookie).includes(value);
  });
  if (jar.split(`${NAME}=`).length > 2) {
    for (const domain of all) if (domain != widest) put(NAME, '', 0, domain);
  }
}

/** Erases the declared cookies and storage items of every category that is not granted. */
export function erase(): void {
  for (const pair of document.cookie.split('; ')) {
    const [name] = pair.split('=');
    if (!erased(loader.c, name)) continue;
    for (const domain of domains()) {
      for (let path = location.pathname; ; path = path.slice(0, path.lastIndexOf('/'))) {
        // With and without a slash, and of a partition or not: each of them is a cookie of its own.
        for (const end of ['', '/', ';partitioned', '/;partitioned']) put(name, '', 0, domain, path + end);
        if (!path) break;
      }
    }
  }
  for (const kind of ['localStorage', 'sessionStorage'] as const) {
    try {
      const storage = window[kind];
      for (const name of Object.keys(storage)) {
        if (erased(loader.t, name)) storage.removeItem(name);
      }
    } catch {
      // The browser refuses storage: there is nothing to erase.
    }
  }
}
