// The server is away, or its answer is lost: the choice holds at once, the record arrives exactly once.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, control, hasRun, not, settle, until, waiting, world } from '../harness.mjs';

let shop;
before(async () => (shop = await world()));
after(() => shop?.close());

const NO_ROUTES = 'the driver cannot lose an answer';
const left = async (page) => (await waiting(page)).length;

test('server down while accepting, then up again: one record', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await banner(page).waitFor();
  await shop.server.stop();
  await control(page, 'accept').click();
  await hasRun(page, ['gtag', 'gtm', 'hotjar', 'pixel']);
  assert.equal(await left(page), 1);
  // On the next page as well: the loader comes from the cache.
  await page.goto(shop.at());
  await hasRun(page, ['gtag', 'gtm', 'hotjar', 'pixel']);
  assert.equal(await left(page), 1);
  await shop.server.start();
  await until(async () => (await left(page)) === 0, 'the outbox to empty', 30_000);
  const { key, record } = await visitor.consent();
  assert.ok(await shop.server.record('shop', record, key));
  await page.reload();
  await settle(page);
  assert.equal(await shop.server.recordsOf('shop', key), 1);
  assert.match((await page.evaluate(() => window.assent.choice())).receipt, /^ey[\w-]+\.[\w-]+\.[\w-]+$/);
  await visitor.close();
});

test('the answer is lost on its way: the second try is the same record', not({ firefox: NO_ROUTES, webkit: NO_ROUTES }), async () => {
  const visitor = await shop.visitor();
  let tries = 0;
  await visitor.context.route('**/v1/sites/shop/records', async (route) => {
    tries += 1;
    if (tries > 1) return route.continue();
    // The server gets it; the visitor never hears of it.
    await fetch(`${shop.server.url}/v1/sites/shop/records`, { method: 'POST', headers: { origin: shop.origin }, body: route.request().postData() });
    return route.abort();
  });
  const page = await visitor.open();
  await control(page, 'reject').click();
  await until(async () => tries === 2 && (await left(page)) === 0, 'the second try', 20_000);
  const { key } = await visitor.consent();
  assert.equal(await shop.server.recordsOf('shop', key), 1);
  await visitor.close();
});

test('several choices while the server is away arrive in order', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await banner(page).waitFor();
  await shop.server.stop();
  await control(page, 'accept').click();
  const first = await visitor.chosen();
  await page.evaluate(() => window.assent.withdraw());
  assert.equal(await left(page), 2);
  await shop.server.start();
  await until(async () => (await left(page)) === 0, 'the outbox to empty', 30_000);
  const { key, record } = await visitor.consent();
  assert.equal(await shop.server.recordsOf('shop', key), 2);
  assert.equal((await shop.server.record('shop', record, key)).record.previous, first.record);
  await visitor.close();
});

/** Two months. */
const AGE_MS = 60 * 86_400_000;

/** Two choices while the server is away, one after the other; the visitor's key and the records' ids. */
async function chooseTwice(visitor, page) {
  await control(page, 'accept').click();
  const { record: first } = await visitor.chosen();
  await page.evaluate(() => window.assent.withdraw());
  await until(async () => (await visitor.consent()).record !== first, 'the second choice');
  const { key, record: second } = await visitor.consent();
  return { key, ids: [first, second] };
}

/** Asserts that exactly these records of the visitor have arrived, in this order. */
async function arrived(key, ids) {
  const stored = () => shop.server.recordsOf('shop', key);
  await until(async () => (await stored()) === ids.length, `${ids.length} records`, 30_000);
  const records = [];
  for (const id of ids) records.push((await shop.server.record('shop', id, key)).record);
  records.slice(1).forEach(({ previous, received_at_ms }, at) => {
    assert.equal(previous, ids[at]);
    assert.ok(received_at_ms >= records[at].received_at_ms, 'the earlier choice came first');
  });
  assert.equal(await stored(), ids.length);
  return records;
}

test('choices that waited for two months arrive with the next visit, once, in order, as of when they were made', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await banner(page).waitFor();
  await shop.server.stop();
  const { key, ids } = await chooseTwice(visitor, page);
  assert.equal(await left(page), 2);
  assert.deepEqual(await waiting(page), ids, 'each by itself, so that no tab can overwrite what another adds');
  const decided = await page.evaluate(
    ([names, age]) =>
      names.map((name) => {
        const record = JSON.parse(localStorage.getItem(name));
        record.decided_at_ms -= age;
        localStorage.setItem(name, JSON.stringify(record));
        return record.decided_at_ms;
      }),
    [ids.map((id) => `assent-shop-outbox-${id}`), AGE_MS],
  );
  await page.close();
  await shop.server.start();
  const later = await visitor.open();
  await until(async () => (await left(later)) === 0, 'the outbox to empty', 30_000);
  const records = await arrived(key, ids);
  assert.deepEqual(records.map(({ decided_at_ms }) => decided_at_ms), decided);
  assert.ok(records.every(({ received_at_ms, decided_at_ms }) => received_at_ms - decided_at_ms >= AGE_MS));
  await visitor.close();
});

for (const [name, prepare] of [
  [
    'full',
    () => {
      for (let len = 1 << 20, number = 0; len >= 1; number++) {
        try {
          localStorage.setItem(`of the site ${number}`, 'x'.repeat(len));
        } catch {
          len >>= 1;
        }
      }
    },
  ],
  [
    'refused, as in some private windows',
    () =>
      Object.defineProperty(window, 'localStorage', {
        get() {
          throw new DOMException('The operation is insecure.', 'SecurityError');
        },
      }),
  ],
]) {
  test(`the browser’s storage is ${name}: choices wait on the page, and arrive once, in order`, async () => {
    const visitor = await shop.visitor();
    await visitor.prepare(prepare);
    const page = await visitor.open();
    await banner(page).waitFor();
    await shop.server.stop();
    const { key, ids } = await chooseTwice(visitor, page);
    await hasRun(page, ['gtag', 'gtm', 'hotjar', 'pixel']);
    const kept = await page.evaluate(() => {
      try {
        return Object.keys(localStorage).filter((name) => name.startsWith('assent-'));
      } catch {
        return [];
      }
    });
    assert.deepEqual(kept, []);
    await shop.server.start();
    await arrived(key, ids);
    await page.goto(shop.at('/policy'));
    await settle(page);
    assert.equal(await shop.server.recordsOf('shop', key), 2, 'the choice is in the cookie, and is not sent again');
    await visitor.close();
  });
}

test('two tabs send what waits: each record is stored once, in order', async () => {
  const visitor = await shop.visitor();
  const one = await visitor.open();
  const other = await visitor.open();
  await banner(one).waitFor();
  await banner(other).waitFor();
  await shop.server.stop();
  await control(one, 'accept').click();
  await hasRun(other, ['gtag', 'gtm', 'hotjar', 'pixel']);
  const { key, record: first } = await visitor.consent();
  await other.evaluate(() => window.assent.withdraw());
  await until(async () => (await visitor.consent()).record !== first, 'the second choice');
  const { record: second } = await visitor.consent();
  await until(async () => (await left(one)) === 2, 'both to wait');
  await shop.server.start();
  await arrived(key, [first, second]);
  await until(async () => (await left(one)) + (await left(other)) === 0, 'the outbox to empty', 30_000);
  await settle(one);
  assert.equal(await shop.server.recordsOf('shop', key), 2);
  await visitor.close();
});

test('however many choices wait, none is dropped, and those of one moment keep their order', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await banner(page).waitFor();
  await shop.server.stop();
  const ids = await page.evaluate(() =>
    Array.from({ length: 52 }, (_, at) => {
      window.assent.set({ targeting: at % 2 === 0 });
      return window.assent.choice().record;
    }),
  );
  assert.deepEqual(await waiting(page), ids);
  const { key } = await visitor.chosen();
  await shop.server.start();
  await until(async () => (await left(page)) === 0, 'the outbox to empty', 60_000);
  // In order: each names the one before.
  for (const [at, id] of ids.entries()) {
    const stored = await shop.server.record('shop', id, key);
    assert.equal(stored?.record.previous, at ? ids[at - 1] : null);
  }
  await visitor.close();
});
