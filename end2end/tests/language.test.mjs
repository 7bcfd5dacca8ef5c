// The banner speaks the browser's language, or the one that the tag asks for.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, control, until, world } from '../harness.mjs';

let shop;
before(async () => (shop = await world()));
after(() => shop?.close());

const seen = async (options, path = '/') => {
  const visitor = await shop.visitor(options);
  const page = await visitor.open(path);
  await banner(page).waitFor();
  const text = [await page.locator('#assent').getAttribute('lang'), await control(page, 'reject').innerText()];
  return { visitor, page, text };
};

test('by Accept-Language', async () => {
  const english = await seen({ locale: 'en-US' });
  const german = await seen({ locale: 'de-AT' });
  const other = await seen({ locale: 'ja-JP' });
  assert.equal(english.text[0], 'en');
  assert.equal(german.text[0], 'de');
  assert.notEqual(german.text[1], english.text[1]);
  assert.deepEqual(other.text, english.text, 'the default');
  for (const { visitor } of [english, german, other]) await visitor.close();
});

test('by data-lang, and the record names that language', async () => {
  shop.page('/deutsch', { tag: shop.tag('async data-lang="de"') });
  const { visitor, page, text } = await seen({ locale: 'en-GB' }, '/deutsch');
  assert.equal(text[0], 'de');
  assert.equal(await page.locator('#assent').count(), 1);
  await control(page, 'reject').click();
  const { key, record } = await visitor.chosen();
  const stored = await until(() => shop.server.record('shop', record, key), 'the record');
  assert.equal(stored.record.language, 'de');
  await visitor.close();
});
