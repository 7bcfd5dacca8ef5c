// The preference center on another origin: who may enter, and how a change there reaches the site.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { acknowledged, banner, control, dialog, hasRun, not, ran, settle, until, world } from '../harness.mjs';

const NO_ROUTES = 'the driver cannot lose a request';

let shop;
before(async () => {
  shop = await world();
  shop.page('/plain', { tag: '', head: '', body: '' });
  shop.page('/links', { body: '<a id="center" href="/" data-assent="center">Your choices</a>' });
});
after(() => shop?.close());

async function acceptedThenCenter() {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'accept').click();
  await hasRun(page, ['gtag', 'gtm', 'hotjar', 'pixel']);
  await acknowledged(page);
  await page.evaluate(() => window.assent.center());
  await page.waitForURL(`${shop.server.origin}/c/shop**`);
  return [visitor, page];
}

test('it shows the choice made on the site, and the link cannot be used twice', async () => {
  const [visitor, page] = await acceptedThenCenter();
  assert.equal(await page.locator('input[name=targeting]').isChecked(), true);
  assert.equal(await page.locator('a[href*="/receipts/"]').count(), 1);
  assert.ok(!(await page.url()).includes('t='), 'the token is gone from the address');
  const link = visitor.requests.find((url) => url.includes('/c/shop?') && url.includes('t='));
  assert.ok(link);
  const stranger = await shop.visitor();
  const theirs = await stranger.context.newPage();
  await theirs.goto(link);
  assert.equal(await theirs.locator('a[href*="/receipts/"]').count(), 0);
  assert.equal(await theirs.locator('input[name=targeting]').isChecked(), false);
  await stranger.close();
  await visitor.close();
});

test('a change there applies on the next load of the site', async () => {
  const [visitor, page] = await acceptedThenCenter();
  await page.locator('input[name=targeting]').uncheck();
  await page.locator('button[name=do][value=save]').click();
  await page.waitForURL(`${shop.server.origin}/c/shop**saved=1`);
  await page.goto(shop.at('/'));
  await hasRun(page, ['gtag', 'hotjar']);
  await settle(page);
  assert.deepEqual((await ran(page)).sort(), ['gtag', 'hotjar']);
  const { granted } = await visitor.consent();
  assert.equal(granted, 0b0111);
  const erased = async () => {
    const cookies = await visitor.cookies();
    return cookies.includes('_ga') && !cookies.includes('_fbp') && !cookies.includes('_gcl_au');
  };
  await until(erased, 'the cookies of targeting, and no others, to go');
  await visitor.close();
});

/** The mark with which the site asks for what was chosen in the center, as if it were so many seconds older. */
const age = (page, seconds) =>
  page.evaluate((seconds) => {
    const [, left, key] = /assent-shop-center=(\d+)\.(\w+)/.exec(document.cookie);
    for (const domain of ['', ...[...location.hostname.matchAll(/(?<=^|\.)[^.]+\..+/g)].map(([name]) => `;domain=${name}`)]) {
      document.cookie = `assent-shop-center=;max-age=0;path=/${domain}`;
    }
    document.cookie = `assent-shop-center=${left - seconds}.${key};path=/`;
  }, seconds);
const isMarked = (page) => page.evaluate(() => document.cookie.includes('assent-shop-center='));

test('a change there applies however late the next page is opened, and is then asked for no more', async () => {
  const [visitor, page] = await acceptedThenCenter();
  await page.locator('button[name=do][value=withdraw]').first().click();
  await page.waitForURL(`${shop.server.origin}/c/shop**saved=1`);
  const blank = await visitor.context.newPage();
  await blank.goto(shop.at('/plain'));
  assert.ok(await isMarked(blank));
  await age(blank, 5 * 3600);
  const next = await visitor.open();
  await until(async () => (await visitor.consent())?.granted === 1, 'the withdrawal');
  await settle(next);
  assert.deepEqual(await ran(next), []);
  // The page after it finds nothing left to take over.
  const last = await visitor.open();
  await until(async () => !(await isMarked(last)), 'the mark to go');
  await visitor.close();
});

test('who goes there before any choice keeps one key: what is chosen there applies on the next page', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/links');
  await banner(page).waitFor();
  await page.locator('#center').click();
  await page.waitForURL(`${shop.server.origin}/c/shop**`);
  assert.ok(!(await page.url()).includes('t='), 'the token is gone from the address');
  await page.locator('input[name=performance]').check();
  await page.locator('button[name=do][value=save]').click();
  await page.waitForURL(`${shop.server.origin}/c/shop**saved=1`);
  const next = await visitor.open();
  await until(async () => (await visitor.consent())?.granted === 0b0011, 'the choice');
  assert.equal(await banner(next).count(), 0);
  // And what is then chosen on the site stands in the same history.
  await next.evaluate(() => window.assent.set({ functional: true }));
  await acknowledged(next);
  await next.evaluate(() => window.assent.center());
  await next.waitForURL(`${shop.server.origin}/c/shop**`);
  assert.equal(await next.locator('a[href*="/receipts/"]').count(), 2);
  await visitor.close();
});

test('what is chosen there counts although another tab, open before, has chosen by itself', async () => {
  const visitor = await shop.visitor();
  const tab = await visitor.open();
  const page = await visitor.open('/links');
  await banner(page).waitFor();
  await page.locator('#center').click();
  await page.waitForURL(`${shop.server.origin}/c/shop**`);
  await control(tab, 'accept').click();
  await acknowledged(tab);
  // Whole seconds are compared.
  await page.waitForTimeout(1100);
  await page.locator('button[name=do][value=reject]').click();
  await page.waitForURL(`${shop.server.origin}/c/shop**saved=1`);
  const next = await visitor.open();
  await until(async () => (await visitor.consent())?.granted === 1, 'the refusal');
  await settle(next);
  assert.deepEqual(await ran(next), []);
  await visitor.close();
});

test('the dialog leads to the earlier choices and their receipts', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'accept').click();
  await acknowledged(page);
  await page.evaluate(() => window.assent.show());
  await dialog(page).locator('[data-assent=center]').click();
  await page.waitForURL(`${shop.server.origin}/c/shop**`);
  assert.equal(await page.locator('a[href*="/receipts/"]').count(), 1);
  await visitor.close();
});

test('a page that the browser has kept takes over what was changed there meanwhile', async () => {
  const [visitor, page] = await acceptedThenCenter();
  await page.locator('button[name=do][value=withdraw]').first().click();
  await page.waitForURL(`${shop.server.origin}/c/shop**saved=1`);
  // Over the page before the choice was saved, where the engine keeps one.
  await until(async () => {
    if ((await page.url()).startsWith(shop.origin)) return true;
    await page.evaluate(() => history.back()).catch(() => {});
    await new Promise((done) => setTimeout(done, 500));
    return false;
  }, 'the page of the site');
  await until(async () => (await visitor.consent())?.granted === 1, 'the withdrawal');
  await until(async () => (await ran(page)).length === 0, 'a page on which nothing runs');
  await visitor.close();
});

test('a first choice made there comes back by the link to the site', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.context.newPage();
  await page.goto(`${shop.server.origin}/c/shop`);
  await page.locator('button[name=do][value=reject]').click();
  await page.waitForURL(`${shop.server.origin}/c/shop**saved=1`);
  await page.locator('a[href$="/c/shop/back"]').first().click();
  await page.waitForURL(`${shop.origin}/**`);
  await until(async () => (await visitor.consent())?.granted === 1, 'the choice');
  assert.equal(await banner(page).count(), 0);
  assert.ok(!(await page.url()).includes('assent='), 'the token is gone from the address');
  const { key, record } = await visitor.consent();
  assert.equal((await shop.server.record('shop', record, key)).record.method, 'center');
  await visitor.close();
});

test('another site cannot post into it', async () => {
  const [visitor] = await acceptedThenCenter();
  shop.page('/attack', {
    tag: '',
    head: '',
    body: `<form method="post" action="${shop.server.origin}/c/shop"><input name="do" value="withdraw"><button id="go">Win</button></form>`,
  });
  const page = await visitor.open('/attack');
  const { key } = await visitor.consent();
  await page.click('#go');
  await page.waitForURL(`${shop.server.origin}/c/shop`);
  assert.equal(await shop.server.recordsOf('shop', key), 1);
  await visitor.close();
});

test('a withdrawal is not undone by an older choice that the server still holds', not({ firefox: NO_ROUTES, webkit: NO_ROUTES }), async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'accept').click();
  const { key, record } = await visitor.chosen();
  await until(() => shop.server.record('shop', record, key), 'the record');
  // As after a visit to the center; the withdrawal then does not reach the server.
  await page.evaluate(() => (document.cookie = 'assent-shop-center=1;path=/'));
  await visitor.context.route('**/records', (route) => route.abort());
  await page.waitForTimeout(1100);
  await page.evaluate(() => window.assent.withdraw());
  const next = await visitor.open();
  await settle(next);
  assert.deepEqual(await ran(next), []);
  assert.equal((await visitor.consent()).granted, 1);
  await visitor.close();
});

test('a planted link makes nobody go on as another subject', async () => {
  const key = 'ab'.repeat(16);
  const headers = { origin: shop.origin, 'content-type': 'text/plain' };
  const token = async () =>
    (await (await fetch(`${shop.server.url}/v1/sites/shop/handover`, { method: 'POST', headers, body: JSON.stringify({ key }) })).json()).token;
  const visitor = await shop.visitor();
  const page = await visitor.open(`/#assent=${await token()}`);
  await banner(page).waitFor();
  await control(page, 'reject').click();
  assert.notEqual((await visitor.chosen()).key, key);
  // Even from the site itself, and by way of the center.
  await page.evaluate((link) => void (location.href = link), `${shop.server.origin}/c/shop?t=${await token()}`);
  await page.waitForURL(`${shop.server.origin}/c/shop`);
  await page.locator('a[href$="/c/shop/back"]').first().click();
  await page.waitForURL(`${shop.origin}/**`);
  await settle(page);
  assert.notEqual((await visitor.consent()).key, key);
  assert.equal((await visitor.consent()).granted, 1);
  await visitor.close();
});
