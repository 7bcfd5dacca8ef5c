// axe-core finds nothing on banner, dialog, center and console, light and dark.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

import { acknowledged, banner, control, dialog, follow, settle, until, world } from '../harness.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SCHEMES = ['light', 'dark'];

let shop;
before(async () => (shop = await world({ options: ['--demo'], change: (config) => ({ ...config, blocking: { mode: 'report' } }) })));
after(() => shop?.close());

/** Runs axe on a page, or on one part of it, and fails with what it found. */
async function clean(page, within) {
  // Through the debugger, because the server's pages forbid scripts.
  await page.evaluate(AXE);
  const violations = await page.evaluate(
    async (within) => (await window.axe.run(within ?? document, { resultTypes: ['violations'] })).violations,
    within ?? null,
  );
  assert.deepEqual(
    violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join('; ')}`),
    [],
  );
}

/** Opens everything that can be folded out. */
async function openAll(part) {
  const closed = part.locator('details:not([open]) > summary, button[aria-expanded="false"]');
  while (await closed.count()) await closed.first().click();
}

for (const colorScheme of SCHEMES) {
  test(`banner, control and dialog, ${colorScheme}`, async () => {
    const visitor = await shop.visitor({ colorScheme });
    const page = await visitor.open('/policy');
    await banner(page).waitFor();
    await settle(page);
    await clean(page);
    await control(page, 'settings').click();
    await dialog(page).waitFor();
    await settle(page);
    await clean(page);
    await openAll(dialog(page));
    await settle(page);
    await clean(page);
    await control(page, 'reject-all').click();
    await dialog(page).waitFor({ state: 'detached' });
    await settle(page);
    await clean(page);
    await visitor.close();
  });

  test(`preference center, ${colorScheme}`, async () => {
    const visitor = await shop.visitor({ colorScheme });
    const page = await visitor.context.newPage();
    await page.goto(`${shop.server.origin}/c/shop`);
    await clean(page);
    await follow(page, page.locator('button[name=do][value=accept]'));
    await openAll(page.locator('main'));
    await clean(page);
    for (const name of ['data', 'restrict', 'erase']) {
      await page.goto(`${shop.server.origin}/c/shop/${name}`);
      await clean(page);
    }
    for (const name of ['restrict', 'restrict', 'erase']) {
      await page.goto(`${shop.server.origin}/c/shop/${name}`);
      await page.locator('form.sure button').click();
      await page.locator('.signed').waitFor();
      await clean(page);
    }
    await visitor.close();
  });
}

for (const colorScheme of SCHEMES) {
  test(`demo page, with the banner and without, ${colorScheme}`, async () => {
    const visitor = await shop.visitor({ colorScheme });
    const page = await visitor.context.newPage();
    await page.goto(`${shop.server.origin}/demo/`);
    await banner(page).waitFor();
    await settle(page);
    await clean(page);
    await control(page, 'reject').click();
    await settle(page);
    await clean(page);
    await visitor.close();
  });
}

test('console: sign-in, password, rates, third parties, records, light and dark', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.context.newPage();
  const eachScheme = async () => {
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme });
      // Colours may fade over.
      await settle(page);
      await clean(page);
    }
  };
  await page.goto(`${shop.server.origin}/console`);
  await eachScheme();
  await page.goto(shop.server.signInLink());
  await eachScheme();
  for (const field of await page.locator('input[type=password]').all()) await field.fill('a long enough password');
  await follow(page, page.locator('button[type=submit], form button').last());
  assert.equal(await page.locator('input[type=password]').count(), 0, 'signed in');
  await eachScheme();
  const shopper = await shop.visitor();
  shop.page('/unmarked', { body: '<img alt="" src="https://static.hotjar.com/x.gif"><img alt="" src="https://unknown.vendor.example/x.gif">' });
  const shopped = await shopper.open('/unmarked');
  await until(() => shopper.requests.some((url) => url.endsWith('/third-parties')), 'the report');
  await control(shopped, 'accept').click();
  await acknowledged(shopped);
  await page.goto(`${shop.server.origin}/console/sites/shop`);
  await eachScheme();
  assert.ok(await page.getByRole('img').or(page.locator('svg[role=img]')).count(), 'a chart');
  await follow(page, page.getByRole('link', { name: 'Third parties' }));
  await until(async () => (await page.reload(), await page.locator('tbody tr').count()) === 2, 'the lines');
  await openAll(page.locator('main'));
  await eachScheme();
  const { record } = await shopper.consent();
  const lookUp = async (text) => {
    await page.getByRole('link', { name: 'Records' }).click();
    await page.getByLabel('Receipt or record id').fill(text);
    await page.getByRole('button', { name: 'Look up' }).click();
  };
  await lookUp('nothing');
  await eachScheme();
  await lookUp(record);
  await page.getByLabel('Reason').fill('A claim');
  await openAll(page.locator('main'));
  await eachScheme();
  await page.getByRole('link', { name: 'Erase …' }).click();
  await eachScheme();
  await page.getByRole('link', { name: 'Keep it' }).click();
  await page.getByLabel('Reason').fill('A claim');
  await page.getByLabel('Until').fill(new Date(Date.now() + 9 * 86_400_000).toISOString().slice(0, 10));
  await page.getByRole('button', { name: 'Hold', exact: true }).click();
  await page.getByRole('heading', { name: /On legal hold/ }).waitFor();
  await page.getByRole('button', { name: 'Restrict use' }).click();
  await page.getByRole('heading', { name: /Use restricted/ }).waitFor();
  await eachScheme();
  await follow(page, page.getByRole('link', { name: 'Records' }));
  assert.equal(await page.locator('tbody tr').count(), 3);
  await eachScheme();
  await shopper.close();
  await visitor.close();
});
