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
  const { key } = await visitor.consent();
  await until(() => shop.server.recordsOf('shop', key), 'the record');
  await settle(other);
  assert.equal(await shop.server.recordsOf('shop', key), 1);

  await other.evaluate(() => window.assent.withdraw());
  await until(async () => (await one.evaluate(() => window.assent.choice())).targeting === false, 'the first tab');
  assert.equal(await one.locator('iframe[src]').count(), 0);
  await until(async () => (await shop.server.recordsOf('shop', key)) === 2, 'the second record');
  await settle(one);
  assert.equal(await shop.server.recordsOf('shop', key), 2);
  await visitor.close();
});

test('a frame of the site shows no banner of its own, unless its tag asks for one, and follows the page around it', async () => {
  const visitor = await shop.visitor();
  shop.page('/inner');
  shop.page('/asking', { tag: shop.tag('async data-frames') });
  shop.page('/outer', { head: '', body: '<iframe title="inner" src="/inner"></iframe><iframe title="asking" src="/asking"></iframe>' });
  const page = await visitor.open('/outer');
  await banner(page).waitFor();
  await page.waitForFunction(() => [0, 1].every((at) => frames[at]?.assent?.choice));
  const inside = () => page.evaluate(() => [0, 1].map((at) => [frames[at].document.querySelectorAll('#assent .assent-banner').length, frames[at].ran?.length ?? 0]));
  await settle(page);
  assert.deepEqual(await inside(), [[0, 0], [1, 0]]);
  await control(page, 'accept').click();
  await until(async () => (await inside()).join() === '0,4,0,4', 'the frames’ tags');
  await visitor.close();
});

test('a choice on one subdomain counts on the others', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await page.goto(shop.at('/').replace('shop.test', 'www.shop.test'));
  await control(page, 'accept').click();
  await banner(page).waitFor({ state: 'detached' });
  const cookies = await visitor.context.cookies(shop.at());
  assert.deepEqual(cookies.filter(({ name }) => name === 'assent-shop').map(({ domain }) => domain), ['.shop.test']);
  await page.goto(shop.at('/'));
  await hasRun(page, ['gtag', 'gtm', 'hotjar', 'pixel']);
  assert.equal(await banner(page).count(), 0);
  await visitor.close();
});

test('a page that comes back from the back-forward cache takes over what was chosen meanwhile', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await banner(page).waitFor();
  // Browsers under a driver keep no pages; what a kept page hears is this event.
  const other = await visitor.open();
  await other.evaluate(() => { BroadcastChannel.prototype.postMessage = () => {}; });
  await control(other, 'accept').click();
  // Each page is a process of its own, which the cookie reaches when it reaches it.
  await page.waitForFunction(() => document.cookie.includes('assent-shop='));
  await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
  await hasRun(page, ['gtag', 'gtm', 'hotjar', 'pixel']);
  assert.equal(await banner(page).count(), 0);
  await visitor.close();
});

test('what another tab says and does not count here takes back what ran by it, and asks', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'accept').click();
  await page.locator('iframe[src]').waitFor();
  const other = await visitor.open('/policy');
  await other.evaluate(() => new BroadcastChannel('assent-shop').postMessage('1.1.f.1000.0'));
  await banner(page).waitFor();
  assert.equal(await page.locator('iframe[src]').count(), 0);
  assert.equal((await page.evaluate(() => window.assent.choice())).targeting, false);
  await visitor.close();
});

test('a page that is rendered ahead counts its banner when it is looked at', async () => {
  const visitor = await shop.visitor();
  await visitor.prepare(() => {
    window.ahead = true;
    Object.defineProperty(document, 'prerendering', { get: () => window.ahead });
  });
  const page = await visitor.open();
  await banner(page).waitFor();
  const counted = () => visitor.requests.filter((url) => url.endsWith('/events')).length;
  await page.waitForTimeout(1500);
  assert.equal(counted(), 0);
  await page.evaluate(() => {
    window.ahead = false;
    document.dispatchEvent(new Event('prerenderingchange'));
  });
  await until(() => counted() === 1, 'the count');
  await visitor.close();
});
