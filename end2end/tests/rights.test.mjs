// What is stored about a visitor: seen, taken along, restricted, erased; with JavaScript on and off, and what the site does after.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { acknowledged, banner, control, follow, hasRun, ran, settle, until, world } from '../harness.mjs';
import { BINARY } from '../server.mjs';

let shop;
before(async () => (shop = await world()));
after(() => shop?.close());

const stays = (page, name) => page.evaluate((name) => document.cookie.includes(`${name}=`), name);

test('it can be taken along and erased without JavaScript, and the log still verifies', async () => {
  const visitor = await shop.visitor({ javaScriptEnabled: false });
  const page = await visitor.context.newPage();
  await page.goto(`${shop.server.origin}/c/shop`);
  assert.equal(await page.locator('a[href*="/erase"]').count(), 0, 'nothing is stored yet');
  await page.locator('button[name=do][value=accept]').click();
  await page.waitForURL(`${shop.server.origin}/c/shop**saved=1`);

  const [download] = await Promise.all([page.waitForEvent('download'), page.locator('a[href*="/data.json"]').click()]);
  assert.equal(download.suggestedFilename(), 'consent-data-shop.json');
  const data = JSON.parse(await readFile(await download.path(), 'utf8'));
  assert.equal(data.records.length, 1);
  const { id } = data.records[0].record;

  await page.locator('a[href$="/c/shop/data"]').click();
  await page.waitForURL('**/c/shop/data');
  assert.match(await page.locator('main').textContent(), new RegExp(id));
  await page.emulateMedia({ media: 'print' });
  assert.equal(await page.locator('.screen, .back, .receipt').first().isVisible(), false);
  assert.equal(await page.locator('.fields').first().isVisible(), true);
  await page.emulateMedia({ media: 'screen' });

  await page.locator('a.back').click();
  await page.locator('a[href$="/c/shop/erase"]').click();
  await page.waitForURL('**/c/shop/erase');
  await follow(page, page.locator('form button'));
  assert.match(await page.locator('main').textContent(), new RegExp(id));
  const confirmation = page.locator('a[download="erasure-confirmation.jws"]');
  const [signed] = await Promise.all([page.waitForEvent('download'), confirmation.click()]);
  const payload = (await readFile(await signed.path(), 'utf8')).split('.')[1];
  assert.deepEqual(JSON.parse(Buffer.from(payload, 'base64url')).records, [id]);

  await page.goto(`${shop.server.origin}/c/shop`);
  assert.equal(await page.locator('a[href*="/receipts/"], a[href*="/erase"]').count(), 0);
  await visitor.close();
  const { stdout } = await promisify(execFile)(BINARY, ['audit', '--data', shop.server.data]);
  assert.match(stdout, /erased/);
});

test('its use can be restricted, and that lifted again, without JavaScript', async () => {
  const visitor = await shop.visitor({ javaScriptEnabled: false });
  const page = await visitor.context.newPage();
  await page.goto(`${shop.server.origin}/c/shop`);
  await page.locator('button[name=do][value=accept]').click();
  await page.waitForURL(`${shop.server.origin}/c/shop**saved=1`);
  for (const [wish, restricted] of [['restrict', true], ['lift', false]]) {
    await page.locator('a[href$="/c/shop/restrict"]').click();
    await page.waitForURL('**/c/shop/restrict');
    await page.locator(`form button[name=do][value=${wish}]`).click();
    const confirmation = page.locator('a[download="restriction-confirmation.jws"]');
    const [signed] = await Promise.all([page.waitForEvent('download'), confirmation.click()]);
    const payload = (await readFile(await signed.path(), 'utf8')).split('.')[1];
    assert.equal(JSON.parse(Buffer.from(payload, 'base64url')).restricted_since_ms !== null, restricted);
    await page.locator('a.back').click();
    await page.waitForURL('**/c/shop');
    assert.equal(await page.locator('.rights .note').count(), restricted ? 1 : 0, 'it is said in the center');
  }
  await visitor.close();
});

test('the site forgets a visitor who had everything erased, and asks anew', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'accept').click();
  await hasRun(page, ['gtag', 'gtm', 'hotjar', 'pixel']);
  await acknowledged(page);
  const { key, record } = await visitor.consent();
  const other = await visitor.open();
  await other.locator('iframe[src]').waitFor();
  await page.evaluate(() => window.assent.center());
  await page.waitForURL(`${shop.server.origin}/c/shop**`);
  await page.locator('a[href*="/erase"]').click();
  await page.locator('form button').click();
  await page.locator('a[href$="/#assent"]').click();
  await page.waitForURL(`${shop.origin}/**`);
  await banner(page).waitFor();
  await settle(page);
  assert.deepEqual(await ran(page), [], 'nothing runs that was allowed before');
  assert.equal(await visitor.consent(), null);
  assert.equal(await stays(page, 'assent-shop-center'), false);
  assert.equal(await page.evaluate(() => localStorage.getItem('assent-shop-receipt')), null);
  const erased = async () => !(await visitor.cookies()).some((name) => ['_ga', '_fbp', '_gcl_au'].includes(name));
  await until(erased, 'the cookies of what was allowed to go');
  await banner(other).waitFor();
  assert.equal(await other.locator('iframe[src]').count(), 0, 'nor does anything go on in the other tab');
  assert.equal(await shop.server.record('shop', record, key), null);

  await control(page, 'reject').click();
  await until(async () => (await visitor.consent())?.granted === 1, 'the new choice');
  const next = await visitor.consent();
  assert.notEqual(next.key, key);
  await until(() => shop.server.record('shop', next.record, next.key), 'its record');
  await visitor.close();
});

test('a record that is sent again after it was erased is let go', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'accept').click();
  await acknowledged(page);
  const sent = visitor.requests.filter((url) => url.endsWith('/records')).length;
  assert.equal(sent, 1);
  const { key, record } = await visitor.consent();
  const { record: stored } = await shop.server.record('shop', record, key);
  const { choice, asked, gpc, dnt, method, notice, revision, decided_at_ms } = stored;
  const again = { id: record, key, revision, notice, method, choice, asked, gpc, dnt, previous: null, decided_at_ms };
  await page.evaluate(() => window.assent.center());
  await page.waitForURL(`${shop.server.origin}/c/shop**`);
  await page.locator('a[href*="/erase"]').click();
  await follow(page, page.locator('form button'));
  // As if the browser had not heard the answer; and the visitor comes back without the link.
  const answer = await fetch(`${shop.server.url}/v1/sites/shop/records`, {
    method: 'POST',
    headers: { origin: shop.origin, 'content-type': 'text/plain' },
    body: JSON.stringify(again),
  });
  assert.equal(answer.status, 409);
  const back = await visitor.open();
  await banner(back).waitFor();
  assert.equal(await visitor.consent(), null);
  assert.equal(await shop.server.recordsOf('shop', key), 0);
  await visitor.close();
});
