/** Google's queue of commands, and the types of its Consent Mode. */

/** In the order of the gate's bits. */
const TYPES = [
  'ad_storage',
  'ad_user_data',
  'ad_personalization',
  'analytics_storage',
  'functionality_storage',
  'personalization_storage',
  'security_storage',
];

export type Layer = Window & { dataLayer?: unknown[] };

// Google reads an `arguments` object, not an array.
export function gtag(..._: unknown[]): void {
  ((window as Layer).dataLayer ??= []).push(arguments);
}

/** The types with what bits grant of them. */
export function types(bits: number): Record<string, unknown> {
  const types: Record<string, unknown> = {};
  TYPES.forEach((type, bit) => (types[type] = (bits >> bit) & 1 ? 'granted' : 'denied'));
  return types;
}
