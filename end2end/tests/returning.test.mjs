// A returning visitor pays nothing: no banner, no dialog, no request, tags at once.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { acknowledged, banner, control, hasRun, not, settle, until, world } from '../harness.mjs';

let shop;
before(async () => (shop = await world()));
after(() => shop?.close());

/** An inline script, and what loads: the page's own script after them notes what it finds released. */
const SYNC = {
  head: '<script type="text/plain" data-category="targeting">(window.ran ??= []).push("early " + document.readyState)</script>',
  body: `<script id="outer" type="text/plain" data-category="targeting" src="https://tags.vendor.example/outer.js"></script>
<iframe title="Film" data-category="functional" data-src="https://www.youtube.com/embed/x1"></iframe>
<img alt="" data-category="performance" data-src="https://pixel.vendor.example/p.gif">
<script>
  (window.ran ??= []).push('page');
  window.live = [...document.querySelectorAll('#outer[type=""], iframe[src], img[src]')].map((tag) => tag.localName);
</script>`,
};

/** A visitor who has accepted on a page whose loader stands before the page's parser, so that its speed shows in the
    order of things. */
async function returning() {
  shop.page('/sync', { tag: shop.tag(''), ...SYNC });
  const visitor = await shop.visitor();
  const first = await visitor.open('/sync');
  await control(first, 'accept').click();
  await hasRun(first, ['early complete', 'outer', 'page']);
  assert.deepEqual(await first.evaluate('window.live'), [], 'nothing without a choice');
  await acknowledged(first);
  return visitor;
}

test('no banner, tags of every kind are released before the parser goes on', async () => {
  const visitor = await returning();
  const page = await visitor.open('/sync');
  await hasRun(page, ['early loading', 'outer', 'page']);
  await settle(page);
  assert.equal((await page.evaluate(() => window.ran))[0], 'early loading');
  assert.deepEqual(await page.evaluate('window.live'), ['script', 'iframe', 'img']);
  assert.equal(await banner(page).count(), 0);
  await visitor.close();
});

const NO_CACHE = 'the driver does not tell what comes from the cache; outbox.test.mjs shows it with the server away';
test('what a released script at the end of the page listens for comes once', async () => {
  const listen = (target, name) => `${target}.addEventListener('${name}', () => (window.heard ??= []).push('${target} ${name}'));`;
  const listeners = ['document', 'window'].flatMap((target) => ['DOMContentLoaded', 'load'].map((name) => [target, name]));
  shop.page('/end', {
    tag: shop.tag('async'),
    head: '',
    body: `<script type="text/plain" data-category="performance">${listeners.map(([target, name]) => listen(target, name)).join('')}</script>`,
  });
  const visitor = await returning();
  const page = await visitor.open('/end');
  await until(() => page.evaluate(() => window.heard?.length > 2), 'the listeners').catch(() => {});
  await settle(page);
  // `load` comes to the window alone.
  assert.deepEqual((await page.evaluate('window.heard')).sort(), ['document DOMContentLoaded', 'window DOMContentLoaded', 'window load']);
  await visitor.close();
});

test('no request to Assent', not({ firefox: NO_CACHE, webkit: NO_CACHE }), async () => {
  const visitor = await returning();
  const network = [];
  const page = await visitor.context.newPage();
  const session = await visitor.context.newCDPSession(page);
  await session.send('Network.enable');
  const cached = new Set();
  session.on('Network.requestServedFromCache', ({ requestId }) => cached.add(requestId));
  session.on('Network.responseReceived', ({ requestId, response }) => response.fromDiskCache && cached.add(requestId));
  session.on('Network.requestWillBeSent', ({ requestId, request }) => network.push({ requestId, url: request.url }));
  await page.goto(shop.at('/sync'));
  await settle(page);
  const assent = network.filter(({ url }) => url.startsWith(shop.server.origin));
  assert.deepEqual(assent.map(({ url }) => url), [`${shop.server.origin}/s/shop.js`]);
  assert.ok(assent.every(({ requestId }) => cached.has(requestId)), 'the loader came from the cache');
  await visitor.close();
});

test('with an async tag, too', async () => {
  const visitor = await shop.visitor();
  const first = await visitor.open();
  await control(first, 'accept').click();
  await acknowledged(first);
  await settle(first);
  await first.close();
  const before = visitor.requests.length;
  const page = await visitor.open();
  await hasRun(page, ['gtag', 'gtm', 'hotjar', 'pixel']);
  await settle(page);
  assert.equal(await banner(page).count(), 0);
  const own = visitor.requests.slice(before).filter((url) => url.startsWith(shop.server.origin));
  assert.deepEqual(own.filter((url) => !url.endsWith('/s/shop.js')), [], 'no dialog, no notice, no event');
  await visitor.close();
});

test('an expired, foreign or broken cookie is no consent', async () => {
  const donor = await shop.visitor();
  const page = await donor.open();
  await control(page, 'accept').click();
  const { cookie, decided_at_s } = await donor.chosen();
  await donor.close();
  for (const value of [
    cookie.value.replace(String(decided_at_s), String(decided_at_s - 181 * 86_400)),
    cookie.value.replace(String(decided_at_s), String(decided_at_s + 3 * 86_400)),
    cookie.value.replace(/^1\./, '2.'),
    cookie.value.replace(/\.f\./, '.F.'),
    `${cookie.value}x`,
    'true',
  ]) {
    const visitor = await shop.visitor();
    await visitor.context.addCookies([{ name: 'assent-shop', value, url: shop.at() }]);
    await banner(await visitor.open()).waitFor();
    assert.deepEqual(visitor.foreign(), [], value);
    await visitor.close();
  }
});

test('the control stands on a page in which nothing changes once it is parsed', async () => {
  shop.page('/still', { head: '', body: '' });
  const visitor = await shop.visitor();
  const page = await visitor.open('/still');
  await control(page, 'accept').click();
  await visitor.chosen();
  for (const time of ['first', 'again']) {
    await page.reload();
    await page.locator('#assent [data-assent="settings"]').waitFor();
    await settle(page);
    assert.equal(await page.locator('#assent [data-assent="settings"]').count(), 1, time);
  }
  await visitor.close();
});

test('what was stored under a choice that has expired, or before Assent came, goes before the visitor is asked anew', async () => {
  shop.pages.set('/before', { body: '<!doctype html><title>Before</title>' });
  const visitor = await shop.visitor();
  const page = await visitor.open('/before');
  await page.evaluate(() => {
    for (const name of ['_ga', '_fbp', 'session', 'other']) document.cookie = `${name}=1;max-age=600;path=/`;
    localStorage.setItem('lastExternalReferrer', '1');
    localStorage.setItem('other', '1');
  });
  await page.goto(shop.at());
  await banner(page).waitFor();
  const left = () => page.evaluate(() => `${document.cookie} ${Object.keys(localStorage)}`.split(/[;\s]+/).sort().join(' '));
  await until(async () => (await left()) === 'other other=1 session=1', 'the rest to go');
  await visitor.close();
});
