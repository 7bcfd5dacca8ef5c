/** What few pages need, loaded after them. */
import { debug } from './late/debug';
import { placeholders } from './late/placeholder';
import { storage } from './late/storage';
import type { Host } from './host';

/** Starts what this page asks for. */
export default function (host: Host): void {
  if (/[?&]assent_debug\b/.test(location.search)) debug(host);
  if (host.loader.x & 1) placeholders(host);
  if (host.loader.u) storage(host, host.loader.u);
}
