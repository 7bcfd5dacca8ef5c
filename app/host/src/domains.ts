/** The domains on which the page's host may set cookies, as a cookie's attribute: its parents of two labels or more,
    widest first, itself, then none (a cookie of the host alone). */
export function domains(): string[] {
  // Of an address browsers refuse all but the whole.
  const labels = location.hostname.split('.');
  return [...labels.map((_, at) => `;domain=${labels.slice(at).join('.')}`).slice(0, -1).reverse(), ''];
}
