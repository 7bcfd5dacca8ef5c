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

/** All but the loader, and what was released, which keeps its mark. What waits is held again: a script may get its type, or
    a frame another address, after its first. */
const HOLDABLE = ':is(iframe,img,script):not([data-assent-loader],[data-assent-host]:not(script[data-type],[data-src]))';

function hold(node: Node): void {
  node.childNodes.forEach(hold);
  const { src, dataset, type } = node as HTMLScriptElement;
  if (!src || !(node as Element).matches(HOLDABLE)) return;
  // Host and path. Not `new URL`, which would throw at what is no address, and leave the nodes after it.
  const place = src.replace(/^https?:..([^/]*@)?([^/]*?)\.?(:\d+)?(\/[^?#]*).*/, '$2$4');
  if (place == src || src.startsWith(location.origin + '/')) return;
  const script = type != null;
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
    // The gate looks at what is added, and a frame that stood there empty is not.
    (node as Element).replaceWith(node);
  }
}

// A script or frame that a script inserts loads whatever happens to it afterwards: it is held when it gets its
// address. What is released keeps its mark, and so passes here.
for (const [{ prototype }, name] of [
  [HTMLIFrameElement, 'src'],
  [HTMLScriptElement, 'src'],
  [HTMLScriptElement, 'type'],
] as const) {
  const { setAttribute } = prototype;
  const put: typeof setAttribute = (prototype.setAttribute = function (name, value) {
    setAttribute.call(this, name, value);
    hold(this);
  });
  Object.defineProperty(prototype, name, {
    ...Object.getOwnPropertyDescriptor(prototype, name),
    set(value) {
      // Not by way of a method that the page may have put in its place, and that may set this property.
      put.call(this, name, value);
    },
  });
}

new MutationObserver((mutations) => {
  for (const { addedNodes } of mutations) addedNodes.forEach(hold);
}).observe(document, { subtree: true, childList: true });
