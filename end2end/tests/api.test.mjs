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

test('each event comes once, in order, by on and by the document', async () => {
  const visitor = await shop.visitor();
  shop.pages.set('/events', {
    body: shop.pages.get('/').body.replace(
      '<meta charset',
      "<script>window.heard = []; for (const type of ['shown', 'decided', 'change', 'withdrawn', 'released', 'held']) document.addEventListener('assent:' + type, ({ detail }) => heard.push(type + (detail?.tagName ? ' ' + detail.tagName : detail ? ' ' + detail.functional : '')));</script>$&",
    ),
  });
  const page = await visitor.open('/events');
  await banner(page).waitFor();
  const heard = () => page.evaluate(() => window.heard.splice(0));
  assert.deepEqual(await heard(), ['shown']);
  await page.evaluate(() => {
    window.own = [];
    window.end = window.assent.on('change', (choice) => window.own.push(choice.functional));
    window.assent.set({ functional: true });
  });
  assert.deepEqual(await heard(), ['decided true', 'released IFRAME', 'change true']);
  await page.evaluate(() => window.end());
  await page.evaluate(() => window.assent.withdraw());
  assert.deepEqual(await heard(), ['decided false', 'held IFRAME', 'change false', 'withdrawn false']);
  assert.deepEqual(await page.evaluate(() => window.own), [true]);
  await visitor.close();
});

test('when: at once for what is granted, after the choice for what is not, never for what is refused', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await banner(page).waitFor();
  await page.evaluate(() => {
    window.met = [];
    for (const category of ['necessary', 'performance', 'targeting']) {
      window.assent.when(category, (choice) => window.met.push(`${category} ${choice.chosen}`)).then(({ revision }) => window.met.push(`${category} ${revision}`));
    }
  });
  assert.deepEqual(await page.evaluate(() => window.met), ['necessary false', 'necessary 1']);
  await page.evaluate(() => window.assent.set({ performance: true }));
  await page.evaluate(() => window.assent.set({ performance: true }));
  assert.deepEqual((await page.evaluate(() => window.met)).slice(2), ['performance true', 'performance 1']);
  await visitor.close();
});

test('?assent_debug says of every tag what becomes of it and why', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/?assent_debug');
  await banner(page).waitFor();
  await page.waitForFunction(() => window.assent.debug);
  const lines = () => page.evaluate(() => window.assent.debug());
  const film = async () => (await lines()).find(({ tag }) => tag === 'iframe');
  assert.deepEqual(await film(), { tag: 'iframe', loads: 'https://www.youtube.com/embed/x1', decision: 'held', reason: '“functional” is not granted' });
  assert.ok((await lines()).some(({ reason }) => reason === 'the loader'));
  await page.evaluate(() => window.assent.set({ functional: true }));
  assert.equal((await film()).decision, 'released');
  await visitor.close();
});

test('the types are served', async () => {
  const answer = await fetch(`${shop.server.url}/assent.d.ts`);
  assert.equal(answer.status, 200);
  assert.match(await answer.text(), /interface Assent /);
});
