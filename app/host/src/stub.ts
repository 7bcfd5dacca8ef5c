/**
 * The inline stub, for pages whose tags are not marked: stands before everything else in the head, sets the
 * signals' default, keeps calls of the API and holds every node of a foreign host until the gate decides.
 * The same for every site, so that its CSP hash is, too.
 */
const queue: unknown[] = [];
const stub: Record<string, unknown> = { q: queue };
for (const name of ['center', 'withdraw', 'on', 'show', 'set']) {
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
gtag('consent', 'default', {
  security_storage: 'granted',
  wait_for_update: 500,
  functionality_storage: 'denied',
  analytics_storage: 'denied',
  ad_storage: 'denied',
  ad_personalization: 'denied',
  personalization_storage: 'denied',
  ad_user_data: 'denied',
});

function hold(node: Node): void {
  node.childNodes.forEach(hold);
  const { src, dataset, type, tagName } = node as HTMLScriptElement;
  // What has been held, and what was released since, has this mark: it is not held again. But a script that waits is, for
  // it may get its type after its address.
  if (!src || !/^(IFRAME|IMG|SCRIPT)$/.test(tagName) || /assent[HL](?!ost,type\b)/.test(Object.keys(dataset) as never)) return;
  // Host and path. Not `new URL`, which would throw at what is no address, and leave the nodes after it.
  const place = src.replace(/^https?:..([^/]*@)?([^/]*?)\.?(:\d+)?(\/[^?#]*).*/, '$2$4');
  if (place == src || src.startsWith(location.origin + '/')) return;
  const script = tagName == 'SCRIPT';
  // JavaScript, by all of its names. Anything else is data, or held by a mark that is not for the stub to read.
  const runs = /module|script|^$/i.test(type);
  // A mark of the owner's decides; all but scripts the gate can hold by it.
  const marked = /^(functional|necessary|performance|[!\s]|targeting)+$/i.test(dataset.category!);
  if (!runs && marked != script) return;
  dataset.assentHost = marked ? '' : place;
  if (runs) {
    dataset.type = type;
    (node as HTMLScriptElement).type = 'text/plain';
  } else if (!script) {
    dataset.src = src;
    (node as Element).removeAttribute('src');
  }
}

// A script or frame that a script inserts loads whatever happens to it afterwards: it is held when it gets its
// address. What is released keeps its mark, and so passes here.
for (const [{ prototype }, name] of [
  [HTMLIFrameElement, 'src'],
  [HTMLScriptElement, 'src'],
  [HTMLScriptElement, 'type'],
] as const) {
  Object.defineProperty(prototype, name, {
    ...Object.getOwnPropertyDescriptor(prototype, name),
    set(value) {
      this.setAttribute(name, value);
    },
  });
  const { setAttribute } = prototype;
  prototype.setAttribute = function (name, value) {
    setAttribute.call(this, name, value);
    hold(this);
  };
}

new MutationObserver((mutations) => {
  for (const { addedNodes } of mutations) addedNodes.forEach(hold);
}).observe(document, { subtree: true, childList: true });
