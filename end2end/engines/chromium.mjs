// Chromium, through Playwright: its pages and contexts are what the tests are written for.
import { chromium } from 'playwright-core';

import { vendors } from '../vendors.mjs';

/** Chromium's suggestions under its address bar load two pages of their own beside every tab, which takes a third of a short test.
    What Playwright turns off stands here once more, because of several such flags Chromium heeds the last. */
const UNWANTED = [
  'WebUIOmniboxAimPopup',
  'WebUIOmniboxPopup',
  'AvoidCorsURLLoaderRestartOnRedirect',
  'AvoidUnnecessaryBeforeUnloadCheckSync',
  'DestroyProfileOnBrowserClose',
  'HttpsFirstBalancedModeAutoEnable',
  'HttpsUpgrades',
  'LensOverlay',
  'MediaRouter',
  'NetworkTimeServiceQuerying',
  'OptimizationHints',
  'PaintHolding',
  'PreconnectToSearch',
  'ThirdPartyStoragePartitioning',
];

/** Flags under which Debian's Chromium stays quiet; the rules send every name to this machine. */
export const chromiumArgs = (rules) => [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  `--disable-features=${UNWANTED}`,
  ...(rules ? [`--host-resolver-rules=${rules}`] : []),
];

/** Starts Chromium by itself. */
export const start = (rules) =>
  chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: chromiumArgs(rules) });

/** Starts Chromium in a world where `ours` are the names of this machine: `{ recorder, context(options), close() }`. */
export async function launch({ ours }) {
  const recorder = await vendors();
  const local = ours.map((name) => `MAP ${name} 127.0.0.1`);
  try {
    const browser = await start([...local, 'EXCLUDE 127.0.0.1', 'EXCLUDE localhost', `MAP * 127.0.0.1:${recorder.port}`].join());
    return {
      recorder,
      async context(options) {
        const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-GB', ...options });
        context.requests = [];
        context.on('request', (request) => context.requests.push(request.url()));
        // A page does not wait for the cookies that it sets, but for all of them when it reads its own.
        const { cookies } = context;
        context.cookies = async (urls) => {
          await Promise.all(context.pages().map((page) => page.evaluate('document.cookie').catch(() => {})));
          return cookies.call(context, urls);
        };
        context.on('page', (page) => {
          page.errors = [];
          page.on('pageerror', (error) => page.errors.push(String(error)));
        });
        return context;
      },
      async close() {
        await browser.close();
        recorder.close();
      },
    };
  } catch (error) {
    recorder.close();
    throw error;
  }
}
