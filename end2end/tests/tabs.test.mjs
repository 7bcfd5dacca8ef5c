// A choice in one tab reaches the other.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, control, hasRun, settle, until, world } from '../harness.mjs';

let shop;
before(async () => (shop = await world()));
after(() => shop?.close());

test('accepted in one tab, released in both, recorded once; withdrawn in one, held in both', async () => {
  const visitor = await shop.visitor();
  const one = await visitor.open();
  const other = await visitor.open();
  await banner(one).waitFor();
  await banner(other).waitFor();
  await control(one, 'accept').click();
  await hasRun(other, ['gtag', 'gtm', 'hotjar', 'pixel']);
  assert.equal(await banner(other).count(), 0);
  assert.equal((await other.evaluate(() => window.assent.choice())).targeting, true);
  await settle(other);
  const { key } = await visitor.consent();
  assert.equal(await shop.server.recordsOf('shop', key), 1);

  await other.evaluate(() => window.assent.withdraw());
  await until(async () => (await one.evaluate(() => window.assent.choice())).targeting === false, 'the first tab');
  assert.equal(await one.locator('iframe[src]').count(), 0);
  await settle(one);
  assert.equal(await shop.server.recordsOf('shop', key), 2);
  await visitor.close();
});
