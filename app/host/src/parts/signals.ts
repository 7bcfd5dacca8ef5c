/** What goes beyond the plain signals: Google's options, Microsoft, events for Tag Manager. */
import { FREE } from '../answer';
import { early, warn } from '../early';
import { gtag, types, type Layer } from '../gtag';
import type { Host } from '../host';

declare const PARTS: ((host: Host) => void)[];
declare const COOKIES: string;

interface Page extends Layer {
  uetq?: { push(...command: unknown[]): void };
  clarity?: { (...command: unknown[]): void; q?: unknown[] };
}

PARTS.push((host) => {
  const { assent, byHost, loader } = host;
  const told = loader.signals!;
  const page = window as Page;
  const word = (granted: number) => (granted ? 'granted' : 'denied');
  /** Categories as the last events told them; undefined where all of them have to be told. */
  let last: number | undefined;
  let first = true;

  /** The signals that the rule honours and this browser sends. */
  function objects(): boolean {
    const { globalPrivacyControl: gpc, doNotTrack } = navigator as { globalPrivacyControl?: boolean; doNotTrack?: string };
    return !!((gpc && loader.q & 1) || (doNotTrack == '1' && loader.q & 2));
  }

  /** Google's defaults: those of single regions stand above the one for everywhere. */
  function defaults(kind: 'default' | 'update', bits: number): void {
    if (early()) warn();
    for (const name of told.set) gtag('set', name, true);
    // Whoever has chosen before, even if that no longer counts, or perhaps in the center, is not granted more than the rule
    // grants.
    const regions = assent.choice().record || COOKIES.includes(`assent-${loader.s}-center=`) ? [] : told.regions;
    // What follows targeting alone.
    const objected = objects() ? told.types[9] ^ told.types[1] : 0;
    for (const [region, granted] of regions) {
      gtag('consent', 'default', { ...types(granted & ~objected), region, wait_for_update: told.wait });
    }
    // An update would stand above the regions' defaults.
    if (kind == 'default' || regions.length) {
      gtag('consent', 'default', { ...types(bits), wait_for_update: told.wait });
    } else {
      gtag('consent', kind, types(bits));
    }
  }

  function events(): void {
    const granted = host.granted();
    const { necessary, performance, functional, targeting } = assent.choice();
    const layer = (page.dataLayer ??= []);
    layer.push({ event: 'assent_change', assent: { necessary, performance, functional, targeting } });
    ['performance', 'functional', 'targeting'].forEach((category, at) => {
      const bit = 2 << at;
      if (last == undefined || (last ^ granted) & bit) {
        layer.push({ event: `assent_${category}_${word(granted & bit)}` });
      }
    });
    last = granted;
  }

  host.signal = (kind, answer = host.google()) => {
    // Of the gate's answer bit 0 follows targeting, bit 3 performance, bit 4 functional.
    const bits = told.types[1 | ((answer >> 2) & 6) | ((answer & 1) << 3)];
    const { chosen } = assent.choice();
    if (first) defaults(kind, bits);
    else gtag('consent', kind, types(bits));
    if (told.uet) (page.uetq ??= []).push('consent', first ? 'default' : 'update', { ad_storage: word(bits & 1) });
    if (told.clarity) {
      page.clarity ??= function (): void {
        (page.clarity!.q ??= []).push(arguments);
      };
      page.clarity('consentv2', { ad_Storage: word(bits & 1), analytics_Storage: word(bits & 8) });
    }
    if (told.events) {
      if (!first && chosen) events();
      else if (!chosen) last = host.granted();
    }
    first = false;
  };

  if (told.advanced) {
    const { decide } = byHost;
    byHost.decide = (place) => (/^([^/]*\.)?googletagmanager\.com\//.test(place) ? FREE : decide(place));
  }
});
