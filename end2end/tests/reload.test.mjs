// Where the owner wants it, a page whose scripts lost their consent is loaded anew: nothing else stops them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, control, hasRun, ran, settle, until, world } from '../harness.mjs';

let shop;
before(async () => {
  shop = await world({ change: (config) => ({ ...config, reload_on_withdrawal: true }) });
  shop.page('/one', {
    body: '',
    head: `<script type="text/plain" data-category="targeting">(window.ran ??= []).push('one'); document.currentScript.remove();</script>
<script type="text/plain" data-category="!targeting">(window.ran ??= []).push('without');</script>`,
  });
});
after(() => shop?.close());

/** Waits until a call has had the page loaded anew. */
async function reloadedBy(page, call) {
  await page.evaluate(() => void (window.old = true));
  await page.evaluate(call);
  await page.waitForFunction(() => !window.old && document.readyState === 'complete');
}

/** How often a page was loaded. */
const loads = (visitor, path = '/') => visitor.requests.filter((url) => url === shop.at(path)).length;

test('a withdrawal reloads the page once, with its record on the way', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'accept').click();
  await hasRun(page, ['gtag', 'gtm', 'hotjar', 'pixel']);
  await reloadedBy(page, () => window.assent.withdraw());
  await settle(page);
  assert.equal(loads(visitor), 2);
  assert.deepEqual(await ran(page), []);
  assert.equal(await banner(page).count(), 0);
  const { key, record, granted } = await visitor.consent();
  assert.equal(granted, 1);
  await until(() => shop.server.record('shop', record, key), 'the record');
  await visitor.close();
});

test('only for scripts that have run, and not for those that run without consent', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/one');
  await hasRun(page, ['without']);
  await control(page, 'accept').click();
  await hasRun(page, ['without', 'one']);
  await page.evaluate(() => window.assent.set({ performance: false }));
  await settle(page);
  assert.equal(loads(visitor, '/one'), 1, 'nothing of that category has run');
  await reloadedBy(page, () => window.assent.set({ targeting: false }));
  await hasRun(page, ['without']);
  await settle(page);
  assert.equal(loads(visitor, '/one'), 2);
  await visitor.close();
});

test('the other tabs, once each', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/');
  await control(page, 'accept').click();
  await hasRun(page, ['gtag', 'gtm', 'hotjar', 'pixel']);
  const other = await visitor.open('/one');
  await hasRun(other, ['one']);
  const third = await visitor.open('/policy');
  await page.evaluate(() => window.assent.withdraw());
  await until(() => loads(visitor) === 2 && loads(visitor, '/one') === 2, 'both');
  await settle(third);
  assert.deepEqual([loads(visitor), loads(visitor, '/one'), loads(visitor, '/policy')], [2, 2, 1]);
  await visitor.close();
});

test('not where the browser does not keep the choice', async () => {
  const visitor = await shop.visitor();
  await visitor.prepare(() => Object.defineProperty(Document.prototype, 'cookie', { get: () => '', set() {} }));
  const page = await visitor.open('/one');
  await control(page, 'accept').click();
  await hasRun(page, ['without', 'one']);
  await page.evaluate(() => window.assent.withdraw());
  await settle(page);
  assert.equal(loads(visitor, '/one'), 1);
  await visitor.close();
});
