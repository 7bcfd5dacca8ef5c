// A receipt verifies with somebody else's library, and only as long as nobody has touched it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compactVerify, createRemoteJWKSet } from 'jose';

import { control, world } from '../harness.mjs';

let shop;
before(async () => (shop = await world()));
after(() => shop?.close());

test('jose verifies the receipt against the published keys', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'accept').click();
  await page.waitForFunction(() => window.assent.choice().receipt);
  const { receipt, record: id } = await page.evaluate(() => window.assent.choice());
  const keys = createRemoteJWKSet(new URL(`${shop.server.url}/.well-known/jwks.json`));
  const { payload, protectedHeader } = await compactVerify(receipt, keys, { algorithms: ['EdDSA'] });
  assert.equal(protectedHeader.typ, 'consent-receipt+jws');
  const record = JSON.parse(new TextDecoder().decode(payload));
  assert.equal(record.id, id);
  assert.equal(record.site, 'shop');
  assert.equal(record.rule, 'eu');
  assert.deepEqual(record.choice, { performance: true, functional: true, targeting: true });
  const { key } = await visitor.consent();
  assert.ok(!receipt.includes(key) && !JSON.stringify(record).includes(key), 'the secret key is not in it');
  const answer = await shop.server.record('shop', id, key);
  assert.equal(answer.receipt, receipt);
  assert.deepEqual(answer.record, record);

  const [head, , signature] = receipt.split('.');
  const altered = Buffer.from(JSON.stringify({ ...record, choice: { ...record.choice, targeting: false } })).toString('base64url');
  await assert.rejects(compactVerify(`${head}.${altered}.${signature}`, keys), /signature/);
  assert.equal(await shop.server.record('shop', id, key.replace(/./g, '0')), null, 'a stranger does not read it');
  await visitor.close();
});
