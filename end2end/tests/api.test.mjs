// window.assent, the DOM event, and the owner's own controls.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, control, dialog, until, world } from '../harness.mjs';

let shop;
before(async () => {
  shop = await world();
  shop.page('/own', { body: '<p><button id="mine" type="button" data-assent="settings">Our privacy settings</button></p>' });
});
after(() => shop?.close());

test('choice, set, withdraw, on and the DOM event', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await banner(page).waitFor();
  await page.evaluate(() => {
    window.heard = [];
    window.assent.on('change', (choice) => window.heard.push(['on', choice.targeting]));
    document.addEventListener('assent:change', (event) => window.heard.push(['event', event.detail.targeting]));
  });
  const before = await page.evaluate(() => window.assent.choice());
  assert.equal(before.chosen, false);
  assert.deepEqual([before.necessary, before.performance, before.functional, before.targeting], [true, false, false, false]);
  await page.evaluate(() => window.assent.set({ targeting: true }));
  const chosen = await page.evaluate(() => window.assent.choice());
  assert.equal(chosen.chosen, true);
  assert.deepEqual([chosen.performance, chosen.functional, chosen.targeting], [false, false, true]);
  assert.equal(chosen.record, (await visitor.consent()).record);
  await page.evaluate(() => window.assent.withdraw());
  assert.deepEqual((await page.evaluate(() => window.heard)).sort(), [['event', false], ['event', true], ['on', false], ['on', true]]);
  const { key, record } = await visitor.consent();
  const stored = await until(() => shop.server.record('shop', record, key), 'the record');
  assert.equal(stored.record.method, 'api');
  assert.equal(stored.record.asked, false);
  await visitor.close();
});

test('the small control reopens the dialog after the choice', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'reject').click();
  const reopen = page.locator('.assent-reopen');
  await reopen.waitFor();
  assert.ok((await reopen.innerText()).length > 3);
  await reopen.click();
  await dialog(page).waitFor();
  await page.keyboard.press('Escape');
  await dialog(page).waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => document.activeElement.className), 'assent-reopen');
  await visitor.close();
});

test("an element of the owner's opens it, and no second control stands beside it", async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/own');
  await control(page, 'reject').click();
  await banner(page).waitFor({ state: 'detached' });
  assert.equal(await page.locator('.assent-reopen').count(), 0);
  await page.click('#mine');
  await dialog(page).waitFor();
  await control(page, 'close').click();
  await dialog(page).waitFor({ state: 'detached' });
  await page.evaluate(() => window.assent.show());
  await dialog(page).waitFor();
  await visitor.close();
});
