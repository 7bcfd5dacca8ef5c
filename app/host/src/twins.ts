/** Scripts of the head that Turbo adds once more. It knows a script by its markup, and takes one that bears a mark of ours
    for another than the next page's, which it then adds. */
const served = new Set<string>();

const markup = (script: Element): string =>
  script.outerHTML.replace(/ (nonce|type|data-(assent-host|type))="[^"]*"/g, '');

/** Notes a script before it is marked, if it is one of the head. */
export function note(script: Element): void {
  if (script.closest('head')) served.add(markup(script));
}

/** Whether a script is in the head already. */
export const isTwin = (script: Element): boolean => 'Turbo' in window && served.has(markup(script));
