/** When nothing urgent is left to do. */

/** Runs something when the page has loaded and is at rest, so that it competes with nothing. */
export function rest(then: () => void): void {
  const later = () => setTimeout(then, 500);
  if (document.readyState == 'complete') later();
  else addEventListener('load', later);
}
