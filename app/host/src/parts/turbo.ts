/** Scripts of the head run once where Turbo exchanges pages beside the inline stub, whose marks it would take for new scripts. */
import { ahead } from '../ahead';

declare const PARTS: ((host: unknown) => void)[];

// The stub has marked them by now; there is nothing to rewrite.
PARTS.push(() => void ahead('script[data-assent-host]', () => {}));
