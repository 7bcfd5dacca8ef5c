// Writes docs/images/{banner,dialog,center,console}-{desktop,phone}-{light,dark}.png from the demo site, for
// the README. Run it when the look has changed: `node end2end/screenshots.mjs`.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { banner, control, dialog, launch, until } from './harness.mjs';
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
      await page.waitForTimeout(100);
      if (what === 'mixed') {
        await control(page, 'settings').click();
        await dialog(page).getByRole('switch', { name: at % 3 ? /performance/i : /functional/i }).check();
        await control(page, 'confirm').click();
      } else if (what !== 'ignore') {
        await control(page, what).click();
      }
      if (what !== 'ignore') await page.waitForFunction(() => localStorage.getItem('assent-demo-outbox') === '[]');
      await page.context().close();
    }
  }
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
  browser = await launch();
  await visitors();
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
      await page.waitForFunction(() => localStorage.getItem('assent-demo-outbox') === '[]');
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
