/** Google Consent Mode v2. */
import { google } from './gate';
import { gtag, types } from './gtag';

/** Tells Google's tags what is granted: `default` before any of them runs, `update` on a choice. */
export function signal(kind: 'default' | 'update', bits = google()): void {
  const told = types(bits);
  if (kind == 'default') told.wait_for_update = 500;
  gtag('consent', kind, told);
}
