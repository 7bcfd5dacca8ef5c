// The server is away, or its answer is lost: the choice holds at once, the record arrives exactly once.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, control, hasRun, not, settle, until, world } from '../harness.mjs';

let shop;
before(async () => (shop = await world()));
after(() => shop?.close());

const NO_ROUTES = 'the driver cannot lose an answer';
const waiting = (page) => page.evaluate(() => JSON.parse(localStorage.getItem('assent-shop-outbox') ?? '[]').length);

test('server down while accepting, then up again: one record', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await banner(page).waitFor();
  await shop.server.stop();
  await control(page, 'accept').click();
  await hasRun(page, ['gtag', 'gtm', 'hotjar', 'pixel']);
  assert.equal(await waiting(page), 1);
  // On the next page as well: the loader comes from the cache.
  await page.goto(shop.at());
  await hasRun(page, ['gtag', 'gtm', 'hotjar', 'pixel']);
  assert.equal(await waiting(page), 1);
  await shop.server.start();
  await until(async () => (await waiting(page)) === 0, 'the outbox to empty', 30_000);
  const { key, record } = await visitor.consent();
  assert.ok(await shop.server.record('shop', record, key));
  await page.reload();
  await settle(page);
  assert.equal(await shop.server.recordsOf('shop', key), 1);
  assert.match((await page.evaluate(() => window.assent.choice())).receipt, /^ey[\w-]+\.[\w-]+\.[\w-]+$/);
  await visitor.close();
});

test('the answer is lost on its way: the second try is the same record', not({ firefox: NO_ROUTES, webkit: NO_ROUTES }), async () => {
  const visitor = await shop.visitor();
  let tries = 0;
  await visitor.context.route('**/v1/sites/shop/records', async (route) => {
    tries += 1;
    if (tries > 1) return route.continue();
    // The server gets it; the visitor never hears of it.
    await fetch(`${shop.server.url}/v1/sites/shop/records`, { method: 'POST', headers: { origin: shop.origin }, body: route.request().postData() });
    return route.abort();
  });
  const page = await visitor.open();
  await control(page, 'reject').click();
  await until(async () => tries === 2 && (await waiting(page)) === 0, 'the second try', 20_000);
  const { key } = await visitor.consent();
  assert.equal(await shop.server.recordsOf('shop', key), 1);
  await visitor.close();
});

test('several choices while the server is away arrive in order', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await banner(page).waitFor();
  await shop.server.stop();
  await control(page, 'accept').click();
  const first = await visitor.consent();
  await page.evaluate(() => window.assent.withdraw());
  assert.equal(await waiting(page), 2);
  await shop.server.start();
  await until(async () => (await waiting(page)) === 0, 'the outbox to empty', 30_000);
  const { key, record } = await visitor.consent();
  assert.equal(await shop.server.recordsOf('shop', key), 2);
  assert.equal((await shop.server.record('shop', record, key)).record.previous, first.record);
  await visitor.close();
});
