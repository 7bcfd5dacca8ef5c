// Before a choice, under opt-in: nothing optional runs, loads or is stored, and the banner is polite.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, control, errors, not, settle, until, world } from '../harness.mjs';

let shop;
before(async () => (shop = await world()));
after(() => shop?.close());

test('no request and no cookie beyond necessary', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await banner(page).waitFor();
  await settle(page);
  assert.deepEqual(visitor.foreign(), []);
  assert.deepEqual(shop.recorder.requests, [], 'what reached the vendors');
  assert.deepEqual(await visitor.cookies(), []);
  const stored = await page.evaluate(() => [...Object.keys(localStorage), ...Object.keys(sessionStorage)]);
  assert.deepEqual(stored.filter((name) => !name.startsWith('assent-')), []);
  assert.deepEqual(await errors(page), []);
  await visitor.close();
});

test('the banner needs one request before it can be answered', not({ webkit: 'its driver waits until a page has loaded' }), async () => {
  // An image that never comes keeps the page loading, and so the dialog from being loaded ahead.
  shop.page('/loading', { body: '<img alt="" src="https://slow.example/never.gif?wait=30000">' });
  const visitor = await shop.visitor();
  const page = await visitor.context.newPage();
  await page.goto(shop.at('/loading'), { waitUntil: 'domcontentloaded' });
  await control(page, 'accept').waitFor();
  const before = visitor.requests.filter((url) => new URL(url).origin === shop.server.origin);
  assert.deepEqual(before.filter((url) => !url.endsWith('/events')), [`${shop.server.origin}/s/shop.js`]);
  await visitor.close();
});

const NO_CACHE = 'its driver does not tell what comes from the cache';
test('the dialog is fetched ahead for who has yet to choose, not for who chose at once', not({ webkit: NO_CACHE }), async () => {
  const dialogs = (visitor) => visitor.requests.filter((url) => /\/dialog\.(js|wasm)$/.test(url));
  const undecided = await shop.visitor();
  await banner(await undecided.open()).waitFor();
  await until(async () => dialogs(undecided).length === 2, 'the dialog to be fetched');
  await undecided.close();

  const accept = '<script>onload = () => document.querySelector("[data-assent-do=accept]").click()</script>';
  shop.page('/at-once', { tag: shop.tag(''), body: accept });
  const visitor = await shop.visitor();
  const page = await visitor.open('/at-once');
  await visitor.chosen();
  await settle(page);
  assert.deepEqual(dialogs(visitor), []);
  await visitor.close();
});

test('accept, reject and settings are equal', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await banner(page).waitFor();
  const looks = [];
  for (const action of ['accept', 'reject', 'settings']) {
    looks.push(
      await control(page, action).evaluate((button) => {
        const style = getComputedStyle(button);
        const box = button.getBoundingClientRect();
        return {
          width: Math.round(box.width),
          height: Math.round(box.height),
          top: Math.round(box.top),
          fontSize: style.fontSize,
          fontWeight: style.fontWeight,
          color: style.color,
          background: style.backgroundColor,
          border: style.border,
        };
      }),
    );
  }
  assert.deepEqual(looks[1], looks[0]);
  const { color, background, border, ...size } = looks[0];
  const { color: c, background: b, border: l, ...settings } = looks[2];
  assert.deepEqual(settings, size);
  await visitor.close();
});

test('no scroll lock, no stolen focus, no pre-ticked box', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await banner(page).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement === document.body), true);
  await page.keyboard.press('PageDown');
  await page.waitForFunction(() => scrollY > 0);
  assert.equal(await page.locator('#assent input:checked').count(), 0);
  await visitor.close();
});

test('closing the page without an answer is no consent', async () => {
  const visitor = await shop.visitor();
  await banner(await visitor.open()).waitFor();
  const page = await visitor.open('/policy');
  await banner(page).waitFor();
  assert.equal(await visitor.consent(), null);
  await visitor.close();
});
