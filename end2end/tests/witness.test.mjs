// One server countersigns another's log, and does not when that was cut off or rewritten.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { BINARY, Server, until } from '../server.mjs';
import { config } from '../site.mjs';
import { noticeOf, submission } from '../submission.mjs';

const ORIGIN = 'http://shop.test';

let server;
let witness;
/** The receipt of the record that was stored last. */
let last;
let folder;
let notice;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assent-witness-'));
  server = await Server.prepare({ options: ['--records-per-minute', '0'] });
  await server.publish(config(ORIGIN));
  await server.start();
  const loader = await (await fetch(`${server.url}/s/shop.js`)).text();
  notice = noticeOf(loader);
  await store(3);
  await writeFile(join(folder, 'keys.json'), await (await fetch(`${server.url}/.well-known/jwks.json`)).text());
  await configure([`${server.url}/v1/sites/shop/log`]);
  witness = await Server.prepare({ host: 'witness.test', options: ['--config', join(folder, 'assent.toml')] });
  await witness.start();
});
after(async () => {
  await witness?.close();
  await server?.close();
  await rm(folder, { recursive: true, force: true });
});

/** The witness's settings: the logs at these addresses. */
async function configure(addresses) {
  const logs = addresses.map((address) => `[[witness.logs]]\naddress = "${address}"\nkeys = "${join(folder, 'keys.json')}"\n`);
  await writeFile(join(folder, 'assent.toml'), `[witness]\nevery_s = 1\n${logs.join('')}`);
}

const assent = (...options) =>
  new Promise((done) => execFile(BINARY, options, (error, stdout, stderr) => done({ code: error?.code ?? 0, text: stdout + stderr })));

async function store(records) {
  for (let number = 0; number < records; number++) {
    const answer = await fetch(`${server.url}/v1/sites/shop/records`, {
      method: 'POST',
      headers: { origin: ORIGIN, 'content-type': 'text/plain' },
      body: JSON.stringify(submission(notice)),
    });
    assert.equal(answer.status, 201);
    ({ receipt: last } = await answer.json());
  }
}

const seen = async () => {
  const answer = await fetch(`${witness.url}/v1/witness/${new URL(server.origin).host}/v1/sites/shop/log`);
  return answer.ok ? answer.text() : '';
};
const sizeSeen = async () => Number((await seen()).split('\n')[1]);
const audit = () => assent('audit', '--log', server.url, '--site', 'shop', '--witness', witness.url);

test('each new checkpoint is countersigned, and an audit says who saw what', async () => {
  await until(async () => (await sizeSeen()) === 3, 'the first checkpoint to be countersigned', 20_000);
  const names = [...(await seen()).matchAll(/^— (\S+) /gm)].map(([, name]) => name);
  assert.deepEqual(names, [`${new URL(server.origin).host}/v1/sites/shop/log`, new URL(witness.origin).host]);
  await store(2);
  await until(async () => (await sizeSeen()) === 5, 'the next one', 30_000);
  const { code, text } = await audit();
  assert.equal(code, 0, text);
  assert.match(text, /^The witness witness\.test:\d+ saw the log's first 5 entries on /);
  // It is a checkpoint that anybody may keep.
  const kept = join(folder, 'kept');
  await writeFile(kept, await seen());
  assert.equal((await assent('audit', '--data', server.data, '--checkpoint', kept)).code, 0);
  const receipt = join(folder, 'receipt.jws');
  await writeFile(receipt, last);
  const verified = await assent('verify', receipt, '--log', server.url, '--witness', witness.url);
  assert.equal(verified.code, 0, verified.text);
  assert.match(verified.text, /holds {4}The witness witness\.test:\d+ saw the log's first 5 entries on .*\. The record is among them\./);
});

test('a log that was put back to an earlier state is not countersigned, whatever it becomes', async () => {
  await server.stop();
  await cp(server.data, join(folder, 'before'), { recursive: true });
  await server.start();
  await store(2);
  await until(async () => (await sizeSeen()) === 7, 'the log before it is cut off', 30_000);
  const kept = await seen();
  await server.stop();
  await rm(server.data, { recursive: true });
  await cp(join(folder, 'before'), server.data, { recursive: true });
  await server.start();
  await until(() => /does not extend that of 7 entries/.test(witness.output), 'the witness to complain', 20_000);
  await store(1);
  const rewritten = last;
  await store(3);
  await until(() => /its checkpoint of 9 entries does not extend/.test(witness.output), 'the witness to complain of what it became', 30_000);
  assert.equal(await seen(), kept);
  const { code, text } = await audit();
  assert.equal(code, 1, text);
  assert.match(text, /the checkpoint of 7 entries that you gave: the log does not begin with what it signed there/);
  // What it has signed, it remembers.
  await witness.stop();
  await witness.start();
  assert.equal(await seen(), kept);
  const receipt = join(folder, 'receipt.jws');
  await writeFile(receipt, last);
  const verified = await assent('verify', receipt, '--log', server.url, '--witness', witness.url);
  assert.equal(verified.code, 0, 'a witness that has not seen the record says nothing against it');
  assert.match(verified.text, /not done Whether a witness has seen the record: it came later\. /);
  await writeFile(receipt, rewritten);
  const second = await assent('verify', receipt, '--log', server.url, '--witness', witness.url);
  assert.equal(second.code, 1, second.text);
  assert.match(second.text, /FAILS {4}The witness .* The record is not among them: /);
});

test('a log is known by its name: it may move, and no other address may be taken for it', async () => {
  const kept = await seen();
  const addresses = [server.url.replace('127.0.0.1', 'localhost'), server.url].map((url) => `${url}/v1/sites/shop/log`);
  await witness.stop();
  await configure(addresses);
  await witness.start();
  const name = `${new URL(server.origin).host}/v1/sites/shop/log`;
  await until(
    () => witness.output.includes(`its checkpoint is of the log ${name}, which is watched at ${addresses[0]} already`),
    'the second address to be refused',
    20_000,
  );
  // At the new address it is still the log that was cut off.
  await until(() => /localhost\S+ .*does not extend that of 7 entries/.test(witness.output), 'the first one to be known', 20_000);
  assert.equal(await seen(), kept);
  await witness.stop();
  await configure([addresses[0], `${addresses[0]}/`]);
  const twice = await assent('serve', '--config', join(folder, 'assent.toml'), '--data', witness.data, '--listen', '127.0.0.1:0');
  assert.equal(twice.code, 1, twice.text);
  assert.match(twice.text, /is to be watched twice/);
});
