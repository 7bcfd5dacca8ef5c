// The owner's side of records: looked up by receipt, exported, held, erased; and what a visitor notices of a hold.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { acknowledged, banner, control, until, world } from '../harness.mjs';
import { BINARY } from '../server.mjs';

const run = promisify(execFile);

let shop;
let owner;
before(async () => {
  shop = await world();
  owner = await shop.visitor({ javaScriptEnabled: false });
  const page = await owner.context.newPage();
  await page.goto(shop.server.signInLink());
  for (const field of await page.locator('input[type=password]').all()) await field.fill('a long enough password');
  await page.locator('form button').last().click();
  await page.waitForURL('**/console/sites/shop');
});
after(() => shop?.close());

/** A visitor who has accepted, with the page, the receipt and the record's id. */
async function accepted() {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'accept').click();
  await acknowledged(page);
  const receipt = await page.evaluate(() => localStorage.getItem('assent-shop-receipt'));
  return { visitor, page, receipt, ...(await visitor.consent()) };
}

/** Looks a receipt up in the console. */
async function lookUp(receipt) {
  const page = await owner.context.newPage();
  await page.goto(`${shop.server.origin}/console/sites/shop`);
  await page.getByRole('link', { name: 'Records' }).click();
  await page.getByLabel('Receipt or record id').fill(receipt);
  await page.getByRole('button', { name: 'Look up' }).click();
  return page;
}

test('an owner finds a record by its receipt, and an export verifies offline', async () => {
  const { visitor, receipt, record } = await accepted();
  let page = await lookUp('no receipt at all');
  await page.getByRole('alert').waitFor();
  page = await lookUp(receipt);
  await page.waitForURL(`**/console/sites/shop/records/${record}`);
  await until(async () => (await page.reload(), /checkpoint of/.test(await page.locator('main').textContent())), 'a checkpoint');
  const exported = page.getByRole('button', { name: 'Export' });
  const [download] = await Promise.all([page.waitForEvent('download'), exported.click()]);
  const file = JSON.parse(await readFile(await download.path(), 'utf8'));
  assert.equal(file.record.id, record);
  const at = (name) => join(shop.server.data, name);
  await writeFile(at('r.jws'), file.receipt);
  await writeFile(at('r.proof'), file.proof);
  await writeFile(at('jwks.json'), await (await fetch(`${shop.server.url}/.well-known/jwks.json`)).text());
  await run(BINARY, ['verify', at('r.jws'), '--proof', at('r.proof'), '--keys', at('jwks.json')]);
  await page.close();
  await visitor.close();
});

test('an owner erases a record; the site asks its visitor anew', async () => {
  const { visitor, receipt, record } = await accepted();
  const page = await lookUp(receipt);
  await page.getByRole('link', { name: 'Erase …' }).click();
  await page.getByRole('link', { name: 'Keep it' }).click();
  await page.getByRole('link', { name: 'Erase …' }).click();
  await page.getByRole('button', { name: 'Erase now' }).click();
  const confirmation = page.getByRole('link', { name: 'Download confirmation' });
  const [signed] = await Promise.all([page.waitForEvent('download'), confirmation.click()]);
  const payload = (await readFile(await signed.path(), 'utf8')).split('.')[1];
  assert.deepEqual(JSON.parse(Buffer.from(payload, 'base64url')).records, [record]);
  await page.getByRole('link', { name: 'Records' }).click();
  const trail = page.getByRole('region', { name: /Audit trail/ }).locator('tbody tr').first();
  assert.match(await trail.textContent(), new RegExp(`erased.*@.*${record}`));
  const { stdout } = await run(BINARY, ['audit', '--data', shop.server.data]);
  assert.match(stdout, /erased/);
  await page.close();
  await visitor.close();
});

test('a held record survives its visitor’s erasure, which ends the choice all the same', async () => {
  const { visitor, page, receipt, record, key } = await accepted();
  const desk = await lookUp(receipt);
  await desk.getByLabel('Reason').fill('Inquiry 2026/118');
  await desk.getByLabel('Until').fill(new Date(Date.now() + 40 * 86_400_000).toISOString().slice(0, 10));
  await desk.getByRole('button', { name: 'Hold', exact: true }).click();
  await desk.getByRole('heading', { name: /On legal hold/ }).waitFor();
  assert.equal(await desk.getByRole('link', { name: 'Erase …' }).count(), 0);

  await page.evaluate(() => window.assent.center());
  await page.waitForURL(`${shop.server.origin}/c/shop**`);
  await page.locator('a[href*="/erase"]').click();
  assert.match(await page.locator('.held').textContent(), new RegExp(record));
  assert.doesNotMatch(await page.locator('main').textContent(), /2026\/118/, 'the reason is for the owner only');
  await page.locator('form button').click();
  assert.match(await page.locator('.held').textContent(), new RegExp(record));
  await page.locator('a[href$="/#assent"]').click();
  await page.waitForURL(`${shop.origin}/**`);
  await banner(page).waitFor();
  assert.equal(await visitor.consent(), null);
  assert.notEqual(await shop.server.record('shop', record, key), null);

  await desk.reload();
  await desk.getByRole('heading', { name: /Use restricted/ }).waitFor();
  assert.doesNotMatch(await desk.locator('main').textContent(), /As it is stored/);
  await desk.getByRole('button', { name: 'Lift the hold' }).click();
  await desk.getByRole('heading', { name: /was erased/ }).waitFor();
  assert.equal(await shop.server.record('shop', record, key), null);
  await desk.close();
  await visitor.close();
});
