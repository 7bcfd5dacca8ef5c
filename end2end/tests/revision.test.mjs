// A new revision asks again only where it asks for more.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, control, settle, until, world } from '../harness.mjs';

let shop;
before(async () => (shop = await world()));
after(() => shop?.close());

const loader = async () => (await fetch(`${shop.server.url}/s/shop.js`)).headers.get('etag');

/** Publishes while the server runs, and waits until it serves the new revision. */
async function publish(change) {
  const old = await loader();
  change(shop.config);
  await shop.server.publish(shop.config);
  await until(async () => (await loader()) !== old, 'the new revision', 90_000);
}

/** The same visitor, without the loader in the cache: as after the five minutes for which it is fresh. */
async function comesBack(visitor) {
  const storageState = await visitor.context.storageState();
  await visitor.close();
  return shop.visitor({ storageState });
}

test('changed wording does not ask again, a new service does', async () => {
  let visitor = await shop.visitor();
  await control(await visitor.open(), 'accept').click();
  const first = await visitor.chosen();
  assert.equal(first.revision, 1);

  await publish((config) => (config.services[1].purpose = 'Counts visits, in new words.'));
  visitor = await comesBack(visitor);
  let page = await visitor.open();
  await settle(page);
  assert.equal(await banner(page).count(), 0);
  assert.equal((await page.evaluate(() => window.assent.choice())).chosen, true);

  await publish((config) =>
    config.services.push({ id: 'clarity', category: 'performance', name: 'Clarity', provider: 'Microsoft', purpose: 'Records clicks.' }),
  );
  visitor = await comesBack(visitor);
  const before = shop.recorder.requests.length;
  page = await visitor.open();
  await banner(page).waitFor();
  await settle(page);
  assert.equal(shop.recorder.requests.length, before, 'the old choice no longer counts');
  await control(page, 'reject').click();
  const second = await until(async () => ((await visitor.consent())?.record !== first.record ? visitor.consent() : null), 'the second choice');
  assert.equal(second.revision, 3);
  assert.equal(second.key, first.key, 'still the same subject');
  const { record } = await until(() => shop.server.record('shop', second.record, second.key), 'the record');
  assert.equal(record.previous, first.record);
  await visitor.close();
});
