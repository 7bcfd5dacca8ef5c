// Before a choice, under opt-in: nothing optional runs, loads or is stored, and the banner is polite.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, control, dialog, errors, not, settle, until, world } from '../harness.mjs';

let shop;
before(async () => {
  shop = await world();
  // An image that never comes keeps the page loading, and so the dialog from being loaded ahead.
  shop.page('/loading', { body: '<img alt="" src="https://slow.example/never.gif?wait=30000">' });
  const accept = '<script>onload = () => document.querySelector("[data-assent-do=accept]").click()</script>';
  shop.page('/at-once', { tag: shop.tag(''), body: accept });
});
after(() => shop?.close());

/** Vendors' hosts that the shop's page names, and those that their scripts ask. */
const VENDORS = /(^|\.)(googletagmanager|google-analytics|facebook|hotjar|youtube)\.(com|net)$/;

test('no request, no connection, no cookie and nothing stored', async () => {
  const { requests, greeted } = shop.recorder;
  // Where tests share a process and its browser, the log begins with those of the files before.
  const earlier = { requests: requests.length, greeted: greeted.length };
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await banner(page).waitFor();
  await settle(page);
  const nothing = async (when) => {
    assert.deepEqual(visitor.foreign(), [], when);
    assert.deepEqual(requests.slice(earlier.requests), [], `what reached the vendors ${when}`);
    const vendors = greeted.slice(earlier.greeted).filter((host) => VENDORS.test(host));
    assert.deepEqual(vendors, [], `whom the browser connected to ${when}`);
    assert.deepEqual(await visitor.cookies(), [], when);
    assert.deepEqual(await page.evaluate(stored), [], when);
  };
  await nothing('under the banner');
  await control(page, 'settings').click();
  await dialog(page).waitFor();
  await settle(page);
  await nothing('under the dialog');
  assert.deepEqual(await errors(page), []);
  await visitor.close();
});

/** Runs in the page: names of all that it stores but cookies. */
async function stored() {
  const databases = await indexedDB.databases();
  return [...Object.keys(localStorage), ...Object.keys(sessionStorage), ...databases.map(({ name }) => name)];
}

test('the recorder would hear of a request over plain http, too', async () => {
  shop.page('/plain', { head: '', body: '<img alt="" src="http://plain.vendor.example/x.gif">' });
  const { requests } = shop.recorder;
  const visitor = await shop.visitor();
  await visitor.open('/plain');
  await until(() => requests.some(({ host }) => host === 'plain.vendor.example'), 'the request');
  assert.deepEqual(visitor.foreign(), ['http://plain.vendor.example/x.gif']);
  await visitor.close();
});

test('the banner says what it asks, and its link leads to the policy', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await banner(page).waitFor();
  const words = (await banner(page).innerText()).trim().split(/\n+/);
  assert.deepEqual(words, [
    'Your privacy, your choice',
    'We use cookies and similar technologies to run this site and, if you agree, to measure its use, add features and show advertising that suits you. You can change your mind at any time. Cookie policy',
    'Accept all',
    'Reject all',
    'Settings',
  ]);
  await banner(page).locator('a').click();
  await page.waitForURL(shop.at('/policy'));
  await banner(page).waitFor();
  assert.equal(await visitor.consent(), null, 'reading the policy is no choice');
  await visitor.close();
});

test('the banner needs one request before it can be answered', not({ webkit: 'its driver waits until a page has loaded' }), async () => {
  const visitor = await shop.visitor();
  const page = await visitor.context.newPage();
  await page.goto(shop.at('/loading'), { waitUntil: 'domcontentloaded' });
  await control(page, 'accept').waitFor();
  const before = visitor.requests.filter((url) => new URL(url).origin === shop.server.origin);
  assert.deepEqual(before.filter((url) => !url.endsWith('/events')), [`${shop.server.origin}/s/shop.js`]);
  await visitor.close();
});

const dialogs = (visitor) => visitor.requests.filter((url) => /\/dialog\.(js|wasm)$/.test(url));

for (const way of ['hover', 'focus']) {
  test(`${way} of Settings loads the dialog, and nothing before it does`, not({ webkit: 'its driver waits until a page has loaded' }), async () => {
    const visitor = await shop.visitor();
    const page = await visitor.context.newPage();
    await page.goto(shop.at('/loading'), { waitUntil: 'domcontentloaded' });
    await control(page, 'settings').waitFor();
    await control(page, 'accept')[way]();
    await settle(page);
    assert.deepEqual(dialogs(visitor), []);
    await control(page, 'settings')[way]();
    await until(() => dialogs(visitor).length === 2, 'the dialog');
    assert.equal(await dialog(page).count(), 0, 'it is not opened');
    await visitor.close();
  });
}

test('a pointer that comes near the control loads the dialog for who chose at once', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/at-once');
  await page.locator('.assent-reopen').waitFor();
  await settle(page);
  assert.deepEqual(dialogs(visitor), []);
  await page.locator('.assent-reopen').hover();
  await until(() => dialogs(visitor).length === 2, 'the dialog');
  assert.equal(await dialog(page).count(), 0, 'it is not opened');
  await visitor.close();
});

const NO_CACHE = 'its driver does not tell what comes from the cache';
test('the dialog is fetched ahead for who has yet to choose, not for who chose at once', not({ webkit: NO_CACHE }), async () => {
  const undecided = await shop.visitor();
  await banner(await undecided.open()).waitFor();
  await until(async () => dialogs(undecided).length === 2, 'the dialog to be fetched');
  await undecided.close();

  const visitor = await shop.visitor();
  const page = await visitor.open('/at-once');
  await visitor.chosen();
  await settle(page);
  assert.deepEqual(dialogs(visitor), []);
  await visitor.close();
});

/** Runs in the page: how a button looks, in every respect that the browser computes, and how big it is. */
function look(button) {
  const style = getComputedStyle(button);
  const { width, height } = button.getBoundingClientRect();
  return { ...Object.fromEntries([...style].map((name) => [name, style.getPropertyValue(name)])), box: `${Math.round(width)} × ${Math.round(height)}` };
}

const NO_SCHEME = 'its driver knows no colour scheme';
const PHONE = { viewport: { width: 375, height: 667 } };
for (const [where, options, reasons = {}] of [
  ['on a desktop', {}],
  ['on a phone', PHONE],
  ['in dark mode', { colorScheme: 'dark' }, { firefox: NO_SCHEME, webkit: NO_SCHEME }],
  ['on a phone in dark mode', { ...PHONE, colorScheme: 'dark' }, { firefox: NO_SCHEME, webkit: NO_SCHEME }],
]) {
  test(`the buttons of banner and dialog are equal in weight ${where}`, not(reasons), async () => {
    const visitor = await shop.visitor(options);
    const page = await visitor.open();
    await banner(page).waitFor();
    const equal = async (actions) => {
      const [first, ...others] = await Promise.all(actions.map((action) => control(page, action).evaluate(look)));
      assert.ok(first['background-color'] && first.box, 'there is something to compare');
      for (const other of others) assert.deepEqual(other, first);
    };
    await equal(['accept', 'reject', 'settings']);
    await page.evaluate(() => window.assent.show());
    await dialog(page).waitFor();
    await equal(['accept-all', 'reject-all', 'confirm']);
    await visitor.close();
  });
}

test('no scroll lock, no stolen focus, no pre-ticked box', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await banner(page).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement === document.body), true);
  // A page that has just been shown may miss a key.
  await until(async () => (await page.keyboard.press('PageDown'), page.evaluate(() => scrollY > 0)), 'the page to scroll');
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
