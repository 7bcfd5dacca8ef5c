/** Google tags that came before the default of Consent Mode. */
import type { Layer } from './gtag';

/** Whether a command of Google's tags stands before the default, or a tag has run where there is no default yet. */
export function early(): boolean {
  for (const entry of (window as Layer).dataLayer ?? []) {
    const { 0: command, 1: kind, 'gtm.start': start } = Object(entry);
    if (command == 'consent' && kind == 'default') return false;
    if (/^(js|config|event)$/.test(command) || start) return true;
  }
  return 'google_tag_manager' in window || 'google_tag_data' in window;
}

/** Says so in the console. */
export const warn = (): void =>
  console.warn(
    'Assent: a Google tag ran, or was called, before the default of Consent Mode was set. It may have measured without a choice. Put the loader before it without async, or the inline stub before everything.',
  );
