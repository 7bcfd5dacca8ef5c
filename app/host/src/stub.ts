/**
 * The inline stub, for pages whose tags are not marked: stands before everything else in the head, sets the
 * signals' default, keeps calls of the API and holds every node of a foreign host until the gate decides.
 * The same for every site, so that its CSP hash is, too.
 */
const queue: unknown[] = [];
const stub: Record<string, unknown> = { q: queue };
for (const name of ['show', 'center', 'set', 'withdraw', 'on']) {
  stub[name] = (...parameters: unknown[]) => queue.push([name, parameters]);
}
stub.when = (category: string, then?: (choice: unknown) => void) =>
  new Promise((granted) => queue.push(['when', [category, (choice: unknown) => (then?.(choice), granted(choice))]]));
const page = window as { assent?: unknown; dataLayer?: unknown[] };
page.assent ??= stub;

// Google reads an `arguments` object, not an array.
function gtag(..._: unknown[]): void {
  (page.dataLayer ??= []).push(arguments);
}
const types: Record<string, unknown> = { security_storage: 'granted', wait_for_update: 500 };
for (const type of ['ad', 'analytics', 'functionality', 'personalization']) {
  types[`${type}_storage`] = 'denied';
}
types.ad_user_data = types.ad_personalization = 'denied';
gtag('consent', 'default', types);

function hold(node: Node): void {
  if (!(node instanceof Element)) return;
  node.childNodes.forEach(hold);
  const { dataset, src, type } = node as HTMLScriptElement;
  // A released node has its category or its host still: it is not held again.
  if (!src || !/^(SCRIPT|IFRAME|IMG)$/.test(node.tagName)) return;
  if (dataset.category || dataset.assentHost || 'assentLoader' in dataset) return;
  const { hostname, origin, protocol } = new URL(src, location.href);
  if (origin == location.origin || !/^http/.test(protocol)) return;
  dataset.assentHost = hostname.replace(/\.$/, '');
  if (node.tagName == 'SCRIPT') {
    dataset.type = type;
    (node as HTMLScriptElement).type = 'text/plain';
  } else {
    dataset.src = src;
    node.removeAttribute('src');
  }
}

// A script or frame that a script inserts loads whatever happens to it afterwards: it is held when it gets its
// address. What is released keeps its mark, and so passes here.
for (const { prototype } of [HTMLScriptElement, HTMLIFrameElement]) {
  const { get, set } = Object.getOwnPropertyDescriptor(prototype, 'src')!;
  Object.defineProperty(prototype, 'src', {
    get,
    set(address) {
      set!.call(this, address);
      hold(this);
    },
  });
  const { setAttribute } = prototype;
  prototype.setAttribute = function (name, value) {
    setAttribute.call(this, name, value);
    if (/^src$/i.test(name)) hold(this);
  };
}

new MutationObserver((mutations) => {
  for (const { addedNodes } of mutations) addedNodes.forEach(hold);
}).observe(document, { childList: true, subtree: true });
