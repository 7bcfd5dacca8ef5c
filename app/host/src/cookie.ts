/** The cookie that keeps the choice, and the erasure of what is no longer granted. */
import { erased } from './gate';
import { NAME, cookies, loader } from './loader';

/** Says that the center was opened from here within the hour: the next pages ask what was chosen there. A cookie,
    because opening the browser's storage takes longer than a page may wait. */
const CENTER = `${NAME}-center`;

/** The page's host and its parents of two labels or more, widest first, then none (a host-only cookie). */
function domains(): string[] {
  // Of an address browsers refuse all but the whole.
  const labels = location.hostname.split('.');
  return [...labels.map((_, at) => `;domain=${labels.slice(at).join('.')}`).slice(0, -1).reverse(), ''];
}

/** Writes a cookie for `age` seconds; `domain` is what `domains` gives. */
export function put(name: string, value: string, age: number, domain: string, path = '/'): void {
  document.cookie =
    `${name}=${value};max-age=${age};path=${path}${domain};samesite=lax` +
    (location.protocol == 'https:' ? ';secure' : '');
}

/** The stored value, empty if there is none. */
export function read(jar: string, name = NAME): string {
  for (const pair of jar.split('; ')) {
    if (pair.startsWith(`${name}=`)) return pair.slice(name.length + 1);
  }
  return '';
}

/** Notes that the center is being opened. */
export const leave = (): void => put(CENTER, '1', 3600, '');

/** Whether the center was opened within the hour before this page. */
export const left = (): boolean => !!read(cookies, CENTER);

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
