// Writes docs/images/{banner,dialog,center,console}-{desktop,phone}-{light,dark}.png from the demo site, for
// the README. Run it when the look has changed: `node end2end/screenshots.mjs`.
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { start } from './engines/chromium.mjs';
import { acknowledged, banner, control, dialog, until } from './harness.mjs';
import { ROOT, Server } from './server.mjs';

const FOLDER = join(ROOT, 'docs/images');
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 375, height: 720 } };
const SCHEMES = ['light', 'dark'];

/** What the visitors who fill the console do, and how many of them. */
const VISITS = [
  ['ignore', 14],
  ['accept', 19],
  ['reject', 11],
  ['mixed', 7],
];

/** How busy the days before today were, nearest first, beside today. */
const DAYS = [1.1, 0.9, 1.3, 0.6, 0.5, 1, 1.2, 1.1, 1.4, 0.8, 0.4, 0.5, 0.9];

const server = await Server.prepare({ host: '127.0.0.1', options: ['--demo', '--records-per-minute', '0'] });
let browser;

/** A visitor's page of the demo site. */
async function visit(options) {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  const page = await context.newPage();
  await page.goto(`${server.origin}/demo/`);
  await banner(page).waitFor();
  return page;
}

async function shoot(page, name) {
  // Transitions have ended by then.
  await page.waitForTimeout(600);
  await page.screenshot({ path: join(FOLDER, `${name}.png`) });
}

async function visitors() {
  for (const [what, count] of VISITS) {
    for (let at = 0; at < count; at++) {
      const page = await visit({ viewport: at % 2 ? SIZES.phone : SIZES.desktop });
      if (what === 'mixed') {
        await control(page, 'settings').click();
        await dialog(page).getByRole('switch', { name: at % 3 ? /performance/i : /functional/i }).check();
        await control(page, 'confirm').click();
      } else if (what !== 'ignore') {
        await control(page, what).click();
      }
      if (what !== 'ignore') await acknowledged(page);
      // As visitors leave: what the page still has to send goes out.
      await page.goto('about:blank');
      await page.waitForTimeout(200);
      await page.context().close();
    }
  }
}

/** Gives today's counts a past, so that the picture shows the chart of an ordinary fortnight. Needs sqlite3. */
function past() {
  const statements = DAYS.map(
    (share, at) => `insert into rollup
      select site_number, hour - ${24 * (at + 1)}, revision, rule, language, device, measure,
        max(1, cast(total * ${share} * iif(measure = 'shown', ${1 + (at % 3) / 10}, 1) as integer))
      from rollup where hour >= ${Math.floor(Date.now() / 86_400_000) * 24}`,
  );
  execFileSync('sqlite3', [join(server.data, 'assent.db'), statements.join(';')]);
}

/** Signs in to the console and returns the context's cookies. */
async function signIn() {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(server.signInLink());
  for (const field of await page.locator('input[type=password]').all()) await field.fill('a password for pictures');
  await page.locator('form button').last().click();
  await until(async () => (await page.locator('input[type=password]').count()) === 0, 'the console');
  const state = await context.storageState();
  await context.close();
  return state;
}

try {
  await mkdir(FOLDER, { recursive: true });
  await server.start();
  browser = await start();
  await visitors();
  past();
  const storageState = await signIn();
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of SCHEMES) {
      const suffix = `${size}-${colorScheme}`;
      const page = await visit({ viewport, colorScheme });
      await shoot(page, `banner-${suffix}`);
      await control(page, 'settings').click();
      await dialog(page).waitFor();
      await page.mouse.move(0, 0);
      await shoot(page, `dialog-${suffix}`);
      await dialog(page).getByRole('switch', { name: /performance/i }).check();
      await control(page, 'confirm').click();
      await acknowledged(page);
      await page.evaluate(() => window.assent.center());
      await page.waitForURL('**/c/demo**');
      await shoot(page, `center-${suffix}`);
      await page.context().close();
      const context = await browser.newContext({ viewport, colorScheme, storageState });
      const console = await context.newPage();
      await console.goto(`${server.origin}/console`);
      await shoot(console, `console-${suffix}`);
      await context.close();
    }
  }
} finally {
  await browser?.close();
  await server.close();
}
