/** With the inline stub, which marks scripts before anybody can note how the server has sent them; see twins.ts. */
import type { Host } from '../host';

/** Takes away scripts that Turbo has added to the head although they are there. */
export function turbo(host: Host): void {
  const known = new Set<Element>();
  const look = () => {
    for (const script of document.head.querySelectorAll('[data-assent-host][type="text/plain"]')) {
      if (known.has(script)) continue;
      if ([...known].some((other) => other.isEqualNode(script))) script.remove();
      else known.add(script);
    }
  };
  look();
  host.before.push(look);
}
