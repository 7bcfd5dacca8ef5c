// What pages reach only asynchronously goes with the category: databases, caches, service workers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, control, dialog, errors, settle, until, world } from '../harness.mjs';

const item = (name, kind) => ({ name, kind, purpose: 'Keeps something.', lifetime: '1 year' });

let shop;
/** Only pages of a secure origin have caches and service workers; the browser counts this machine's name as one. */
let origin;
before(async () => {
  shop = await world({
    change(config) {
      origin = config.origins[0].replace('shop.test', 'localhost');
      config.origins.push(origin);
      const of = (id) => config.services.find((service) => service.id === id).items;
      of('session').push(item('basket', 'indexed-db'));
      of('hotjar').push(item('hj-*', 'indexed-db'), item('hj-cache*', 'cache-storage'), item('/hj.js', 'service-worker'));
      of('meta-pixel').push(item('pixel', 'indexed-db'), item('pixel-*', 'cache-storage'), item('*/push/*', 'service-worker'));
      of('youtube').push({ ...item('VISITOR_INFO', 'cookie'), domain: '.youtube.com' }, { ...item('http_seal', 'cookie'), http_only: true });
      return config;
    },
  });
  const worker = { body: 'addEventListener("fetch", () => {});', type: 'text/javascript' };
  for (const path of ['/hj.js', '/push/worker.js', '/own.js']) shop.pages.set(path, worker);
  shop.page('/plain', { head: '', body: '' });
});
after(() => shop?.close());

/** Stores something of each kind, as the vendors' scripts would. */
const store = (page) =>
  page.evaluate(async () => {
    for (const name of ['basket', 'hj-1', 'hj-2', 'pixel', 'other']) {
      await new Promise((done, failed) => {
        const request = indexedDB.open(name);
        request.onsuccess = () => (request.result.close(), done());
        request.onerror = failed;
      });
    }
    for (const name of ['hj-cache-1', 'pixel-a', 'own-cache']) await (await caches.open(name)).put('/x', new Response('x'));
    for (const [script, scope] of [
      ['/hj.js', '/hj/'],
      ['/push/worker.js', '/push/'],
      ['/own.js', '/own/'],
    ]) {
      await navigator.serviceWorker.register(script, { scope });
    }
  });

/** What the browser holds. */
const stored = (page) =>
  page.evaluate(async () =>
    [
      ...(await indexedDB.databases()).map(({ name }) => name),
      ...(await caches.keys()),
      ...(await navigator.serviceWorker.getRegistrations()).map(({ scope }) => new URL(scope).pathname),
    ]
      .sort()
      .join(' '),
  );

const ALL = '/hj/ /own/ /push/ basket hj-1 hj-2 hj-cache-1 other own-cache pixel pixel-a';
const NO_TARGETING = '/hj/ /own/ basket hj-1 hj-2 hj-cache-1 other own-cache';
const NECESSARY = '/own/ basket other own-cache';

const late = (visitor) => visitor.requests.filter((url) => url.endsWith('/late.js')).length;
const arrive = async (visitor) => {
  const page = await visitor.context.newPage();
  await page.goto(`${origin}/plain`);
  return page;
};

test('a withdrawal erases what is of the category, and nothing else', async () => {
  const visitor = await shop.visitor();
  const page = await arrive(visitor);
  await control(page, 'accept').click();
  await store(page);
  await settle(page);
  await settle(page);
  assert.equal(await stored(page), ALL);
  assert.equal(late(visitor), 0, 'nothing refused');
  await page.evaluate(() => window.assent.set({ targeting: false }));
  await until(async () => (await stored(page)) === NO_TARGETING, 'targeting to go');
  await page.evaluate(() => window.assent.withdraw());
  await until(async () => (await stored(page)) === NECESSARY, 'all optional to go');
  assert.equal(late(visitor), 1);
  await visitor.close();
});

test('a later page erases what has come back since', async () => {
  const visitor = await shop.visitor();
  const page = await arrive(visitor);
  await settle(page);
  await settle(page);
  assert.equal(late(visitor), 0, 'no choice yet');
  await store(page);
  await control(page, 'reject').click();
  await until(async () => (await stored(page)) === NECESSARY, 'what was there before the choice to go');
  assert.equal(late(visitor), 1);
  await store(page);
  assert.equal(await stored(page), ALL);
  await page.reload();
  await until(async () => (await stored(page)) === NECESSARY, 'all optional to go');
  await visitor.close();
});

test('what was there before the visitor was ever asked goes without a choice', async () => {
  const visitor = await shop.visitor();
  const page = await arrive(visitor);
  await store(page);
  await page.evaluate(() => (document.cookie = '_fbp=1'));
  await page.reload();
  await banner(page).waitFor();
  await until(async () => (await stored(page)) === NECESSARY, 'all optional to go');
  assert.equal(await visitor.consent(), null);
  await visitor.close();
});

test('a browser that does not list its databases loses those that are named in full', async () => {
  const visitor = await shop.visitor();
  const page = await arrive(visitor);
  await store(page);
  await page.evaluate(() => {
    window.list = indexedDB.databases.bind(indexedDB);
    IDBFactory.prototype.databases = undefined;
  });
  await control(page, 'reject').click();
  const names = () => page.evaluate(async () => (await window.list()).map(({ name }) => name).sort().join(' '));
  await until(async () => (await names()) === 'basket hj-1 hj-2 other', 'pixel to go');
  await visitor.close();
});

test('where the origin is not secure, databases go all the same', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/plain');
  assert.equal(await page.evaluate(() => isSecureContext), false);
  await page.evaluate(() => new Promise((done) => (indexedDB.open('pixel').onsuccess = ({ target }) => (target.result.close(), done()))));
  await control(page, 'reject').click();
  await until(async () => (await page.evaluate(() => indexedDB.databases())).length === 0, 'the database to go');
  assert.deepEqual(await errors(page), []);
  await visitor.close();
});

test('what no page can erase is named, in the dialog and in the center', async () => {
  const visitor = await shop.visitor();
  const page = await arrive(visitor);
  await control(page, 'settings').click();
  await dialog(page).waitFor();
  const closed = dialog(page).locator('[aria-expanded=false]');
  while (await closed.count()) await closed.first().click();
  const row = (name) => dialog(page).locator('tr', { hasText: name });
  await row('VISITOR_INFO').waitFor();
  // WebKit gives these rows no innerText.
  const said = (name) => row(name).evaluate((element) => element.textContent);
  assert.match(await said('VISITOR_INFO'), /Only youtube\.com can remove it/);
  assert.match(await said('http_seal'), /No page can remove it/);
  assert.doesNotMatch(await said('_gcl_au'), /remove it/);
  await page.goto(`${shop.server.origin}/c/shop`);
  const folded = page.locator('details:not([open]) > summary');
  while (await folded.count()) await folded.first().click();
  const item = page.locator('.items li', { hasText: 'VISITOR_INFO' });
  await item.waitFor();
  assert.match(await item.innerText(), /Only youtube\.com can remove it/);
  // Left alone: a cookie of the site that bears the name is not that one.
  await page.goto(`${origin}/plain`);
  await page.evaluate(() => (document.cookie = 'VISITOR_INFO=own'));
  await control(page, 'reject').click();
  await settle(page);
  assert.ok((await visitor.cookies()).includes('VISITOR_INFO'));
  await visitor.close();
});

test('a site that declares nothing of the kind never asks for late.js', async () => {
  const plain = await world({ change: (config) => ({ ...config, placeholders: false }) });
  try {
    const visitor = await plain.visitor();
    const page = await visitor.open();
    await control(page, 'reject').click();
    await settle(page);
    await settle(page);
    assert.equal(late(visitor), 0);
    await visitor.close();
  } finally {
    await plain.close();
  }
});
