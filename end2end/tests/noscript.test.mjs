// JavaScript switched off: nothing runs, and the preference center works by plain forms.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { follow, settle, world } from '../harness.mjs';

let shop;
before(async () => (shop = await world()));
after(() => shop?.close());

test('nothing optional loads', async () => {
  const visitor = await shop.visitor({ javaScriptEnabled: false });
  const page = await visitor.open();
  await settle(page);
  assert.deepEqual(visitor.foreign(), []);
  assert.deepEqual(await visitor.cookies(), []);
  await visitor.close();
});

test('the center saves, lists, hands out receipts and withdraws', async () => {
  const visitor = await shop.visitor({ javaScriptEnabled: false });
  const page = await visitor.context.newPage();
  const answer = await page.goto(`${shop.server.origin}/c/shop`);
  assert.equal(answer.status(), 200);
  assert.match(answer.headers()['content-security-policy'], /default-src 'none'/);
  await page.locator('input[name=performance]').check();
  await follow(page, page.locator('button[name=do][value=save]'));
  assert.equal(await page.locator('input[name=performance]').isChecked(), true);
  assert.equal(await page.locator('input[name=targeting]').isChecked(), false);
  const receipts = page.locator('a[href*="/receipts/"]');
  assert.equal(await receipts.count(), 1);
  const [download] = await Promise.all([page.waitForEvent('download'), receipts.first().click()]);
  assert.match(download.suggestedFilename(), /\.jws$/);
  await follow(page, page.locator('button[name=do][value=accept]'));
  assert.equal(await page.locator('input[name=targeting]').isChecked(), true);
  await follow(page, page.locator('button[name=do][value=withdraw]'));
  for (const name of ['performance', 'functional', 'targeting']) {
    assert.equal(await page.locator(`input[name=${name}]`).isChecked(), false, name);
  }
  assert.equal(await receipts.count(), 3);
  await visitor.close();
});
