/** Scripts of the head that Turbo would add once more: it knows a script by its markup, takes one that bears a mark of
    ours for another than the next page's, and appends that one. */

/** Scripts of the head, and what the server wrote of each beside its text. */
const served = new Map<HTMLScriptElement, string>();

/** 1: the first page, 2: Turbo is on its way to another, 0: it has come there. */
let phase = 1;
document.addEventListener('turbo:visit', () => (phase = 2));
document.addEventListener('turbo:load', () => (phase = 0));

/** Whether Turbo is on its way to another page. */
export const onWay = (): boolean => phase > 1;

/** The start tag without what Assent or the browser has changed in it. */
function written({ attributes, dataset, type }: HTMLScriptElement): string {
  const kept = [...attributes].filter(({ name }) => !/^(nonce|type|data-(type|assent-\w+))$/.test(name));
  return JSON.stringify([dataset.type ?? type, ...kept.map(({ name, value }) => [name, value])]);
}

/** Notes a script before it is marked, if the server has sent it and it stands in the head, or is about to. */
export function note(script: HTMLScriptElement, head = script.parentNode): void {
  if (phase && head == document.head && !served.has(script)) served.set(script, written(script));
}

/** Whether a script that Turbo adds to the head, or is about to, is there already. */
export function isTwin(script: HTMLScriptElement, head = script.parentNode): boolean {
  if (!onWay() || head != document.head || served.has(script)) return false;
  const wanted = written(script);
  return [...served].some(([other, was]) => other.isConnected && was == wanted && other.text == script.text);
}
