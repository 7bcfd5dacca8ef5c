/** Google Consent Mode v2. */
import { google } from './gate';

const TYPES = [
  'ad_storage',
  'ad_user_data',
  'ad_personalization',
  'analytics_storage',
  'functionality_storage',
  'personalization_storage',
  'security_storage',
];

type Layer = Window & { dataLayer?: unknown[] };

// Google reads an `arguments` object, not an array.
function gtag(..._: unknown[]): void {
  ((window as Layer).dataLayer ??= []).push(arguments);
}

/** Tells Google's tags what is granted: `default` before any of them runs, `update` on a choice. */
export function signal(kind: 'default' | 'update', bits = google()): void {
  const types: Record<string, string | number> = {};
  TYPES.forEach((type, bit) => (types[type] = (bits >> bit) & 1 ? 'granted' : 'denied'));
  if (kind == 'default') types.wait_for_update = 500;
  gtag('consent', kind, types);
}
