/** The browser's cookies, whoever needs them. */

/** The domains on which the page's host may set cookies, as a cookie's attribute: its parents of two labels or more,
    widest first, itself, then none (a cookie of the host alone). */
export function domains(): string[] {
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

/** A cookie's value, empty if there is none. */
export function read(name: string, jar = document.cookie): string {
  for (const pair of jar.split('; ')) {
    if (pair.startsWith(`${name}=`)) return pair.slice(name.length + 1);
  }
  return '';
}
