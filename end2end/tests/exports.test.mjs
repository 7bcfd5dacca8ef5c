// A record in the forms of others: what a real server gives out fits the schemas of docs/schemas. No browser is needed.
import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import Ajv from 'ajv/dist/2020.js';

import { Server } from '../server.mjs';
import * as site from '../site.mjs';
import { noticeOf } from '../submission.mjs';

const ORIGIN = 'http://shop.test';
const ajv = new Ajv({ allErrors: true, strictTypes: false });
const schema = async (name) => ajv.compile(JSON.parse(await readFile(new URL(`../../docs/schemas/${name}.schema.json`, import.meta.url))));
const FORMATS = { kantara: await schema('kantara-consent-receipt-1.1'), dpv: await schema('dpv-27560-record') };

let server;
let notice;
const key = randomBytes(16).toString('hex');
before(async () => {
  server = await Server.prepare();
  const config = site.config(ORIGIN);
  config.contact = { name: 'The officer', address: '1 High Street, 10115 Berlin', country: 'DE', email: 'privacy@shop.test', phone: '+49 30 1234567' };
  config.service_choice = true;
  config.services[0].legal_basis = 'contract';
  await server.publish(config);
  await server.start();
  const loader = await (await fetch(`${server.url}/s/shop.js?lang=en`)).text();
  notice = noticeOf(loader);
});
after(() => server?.close());

/** A UUID of version 7, as far as the server looks. */
const id = () => randomUUID().replace(/^(.{14})4/, '$17');

async function submit(allowed, more) {
  const record = id();
  const choice = Object.fromEntries(['performance', 'functional', 'targeting'].map((category) => [category, allowed.includes(category)]));
  const body = { id: record, key, revision: 1, notice, method: 'banner', choice, asked: true, gpc: false, dnt: false, previous: null, decided_at_ms: Date.now(), ...more };
  const answer = await fetch(`${server.url}/v1/sites/shop/records`, { method: 'POST', headers: { origin: ORIGIN, 'content-type': 'text/plain' }, body: JSON.stringify(body) });
  assert.equal(answer.status, 201, await answer.text());
  return record;
}

async function exported(record, format) {
  const answer = await fetch(`${server.url}/v1/sites/shop/records/${record}?format=${format}`, { headers: { authorization: `Bearer ${key}` } });
  assert.equal(answer.status, 200);
  return answer.json();
}

test('each kind of record fits both schemas', async () => {
  const given = await submit(['performance', 'targeting'], { services: { hotjar: false }, gpc: true });
  const changed = await submit(['performance'], { method: 'embed', asked: false, previous: given });
  const withdrawn = await submit([], { method: 'center', asked: false, previous: changed });
  const renewed = await submit(['functional'], { method: 'dialog', previous: withdrawn });
  const refused = await submit([], { method: 'api', previous: renewed });
  for (const [event, record] of Object.entries({ given, changed, withdrawn, renewed, refused })) {
    for (const [format, fits] of Object.entries(FORMATS)) {
      const found = await exported(record, format);
      assert.ok(fits(found), `${event} as ${format}: ${ajv.errorsText(fits.errors, { separator: '\n' })}`);
    }
    assert.equal((await exported(record, 'dpv'))['assent:event'], event);
  }
});

test('the schemas refuse what lacks something', async () => {
  const record = await submit(['targeting']);
  for (const [format, fits] of Object.entries(FORMATS)) {
    const whole = await exported(record, format);
    for (const name of fits.schema.required) {
      const { [name]: _, ...rest } = whole;
      assert.equal(fits(rest), false, `${format} without ${name}`);
    }
  }
  const wrong = await exported(record, 'dpv');
  delete wrong['dpv:hasProcess'][3]['dpv:hasProcess'][0]['dpv:hasConsentStatus'];
  assert.equal(FORMATS.dpv(wrong), false, 'a service without its state');
});
