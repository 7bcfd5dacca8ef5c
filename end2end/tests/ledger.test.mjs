// The log of a real server: checked from outside by nothing but node's own cryptography, and by `assent verify` and
// `assent audit`; and one byte changed in the database file.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { BINARY, Server, until } from '../server.mjs';
import { config } from '../site.mjs';
import { noticeOf, submission } from '../submission.mjs';

const ORIGIN = 'http://shop.test';
const RECORDS = 40;

const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts.map((part) => Buffer.from(part)))).digest();

let server;
let log;
const receipts = [];
const keys = [];

before(async () => {
  server = await Server.prepare({ options: ['--records-per-minute', '0'] });
  await server.publish(config(ORIGIN));
  await server.start();
  log = `${server.url}/v1/sites/shop/log`;
  const loader = await (await fetch(`${server.url}/s/shop.js`)).text();
  const notice = noticeOf(loader);
  for (let number = 0; number < RECORDS; number++) {
    const body = submission(notice);
    const answer = await fetch(`${server.url}/v1/sites/shop/records`, {
      method: 'POST',
      headers: { origin: ORIGIN, 'content-type': 'text/plain' },
      body: JSON.stringify(body),
    });
    assert.equal(answer.status, 201);
    receipts.push((await answer.json()).receipt);
    keys.push(body.key);
  }
});
after(() => server?.close());

/** Runs the binary; its exit code and what it printed. */
const assent = (...options) =>
  new Promise((done) => execFile(BINARY, options, (error, stdout, stderr) => done({ code: error?.code ?? 0, text: stdout + stderr })));

const payload = (receipt) => Buffer.from(receipt.split('.')[1], 'base64url');

/** The log's present head once it covers all records. */
const covered = () =>
  until(async () => {
    const answer = await fetch(`${log}/checkpoint`);
    const note = answer.ok ? await answer.text() : '';
    return note.split('\n')[1] === String(RECORDS) && note;
  }, 'a checkpoint of all records', 30_000);

test('a checkpoint comes after the last record, signed with the published key', async () => {
  const note = await covered();
  const [text, lines] = [note.slice(0, note.lastIndexOf('\n\n') + 1), note.slice(note.lastIndexOf('\n\n') + 2)];
  const [origin] = text.split('\n');
  assert.equal(origin, `${new URL(server.origin).host}/v1/sites/shop/log`);
  const [, name, signature] = /^— (\S+) (\S+)\n$/.exec(lines);
  assert.equal(name, origin);
  const { keys: [jwk] } = await (await fetch(`${server.url}/.well-known/jwks.json`)).json();
  const signed = Buffer.from(signature, 'base64');
  const id = sha256(`${name}\n`, [1], Buffer.from(jwk.x, 'base64url')).subarray(0, 4);
  assert.deepEqual(signed.subarray(0, 4), id);
  assert.ok(verify(null, Buffer.from(text), createPublicKey({ key: jwk, format: 'jwk' }), signed.subarray(4)));
});

test('the tree over the entries has the root that is signed, and the entries are those of the receipts', async () => {
  const note = await covered();
  const bundle = Buffer.from(await (await fetch(`${log}/tile/entries/000.p/${RECORDS}`)).arrayBuffer());
  const entries = Array.from({ length: RECORDS }, (_, index) => {
    assert.equal(bundle.readUInt16BE(index * 34), 32);
    return bundle.subarray(index * 34 + 2, index * 34 + 34);
  });
  receipts.forEach((receipt, index) => assert.deepEqual(entries[index], sha256('assent record v1\0', payload(receipt))));
  const root = (leaves) => {
    if (leaves.length === 1) return leaves[0];
    const half = 2 ** Math.floor(Math.log2(leaves.length - 1));
    return sha256([1], root(leaves.slice(0, half)), root(leaves.slice(half)));
  };
  assert.equal(root(entries.map((entry) => sha256([0], entry))).toString('base64'), note.split('\n')[2]);
});

test('a record is proven to who has its key, and to nobody else', async () => {
  await covered();
  const { id } = JSON.parse(payload(receipts[3]));
  const proof = (key) => fetch(`${server.url}/v1/sites/shop/records/${id}/proof`, { headers: { authorization: `Bearer ${key}` } });
  const lines = (await (await proof(keys[3])).text()).split('\n');
  assert.equal(lines[0], 'c2sp.org/tlog-proof@v1');
  assert.equal(lines[1], 'index 3');
  assert.equal((await proof(keys[4])).status, 404);
});

test('assent verify says what holds and what does not', async () => {
  await covered();
  const file = join(server.data, 'receipt.jws');
  await writeFile(file, receipts[5]);
  for (const place of [server.url, log, server.data]) {
    const { code, text } = await assent('verify', file, '--log', place);
    assert.equal(code, 0, text);
    assert.match(text, /^holds {4}The receipt is signed/m);
    assert.match(text, /allowed performance \(given, by banner\)/);
    assert.match(text, /^holds {4}The record is entry 5 of the log/m);
  }
  // Kept beside the receipt, proof and keys are enough.
  const { id } = JSON.parse(payload(receipts[5]));
  const proof = await fetch(`${server.url}/v1/sites/shop/records/${id}/proof`, { headers: { authorization: `Bearer ${keys[5]}` } });
  const [proofFile, keyFile] = [join(server.data, 'receipt.tlog-proof'), join(server.data, 'keys.json')];
  await writeFile(proofFile, await proof.text());
  await writeFile(keyFile, await (await fetch(`${server.url}/.well-known/jwks.json`)).text());
  assert.equal((await assent('verify', file, '--proof', proofFile, '--keys', keyFile)).code, 0);
  await writeFile(file, receipts[6]);
  const other = await assent('verify', file, '--proof', proofFile, '--keys', keyFile);
  assert.equal(other.code, 1);
  assert.match(other.text, /^FAILS {4}The proof does not hold/m);

  const [head, , signature] = receipts[5].split('.');
  const altered = { ...JSON.parse(payload(receipts[5])), choice: { functional: true, performance: true, targeting: true } };
  await writeFile(file, `${head}.${Buffer.from(JSON.stringify(altered)).toString('base64url')}.${signature}`);
  const forged = await assent('verify', file, '--log', server.url);
  assert.equal(forged.code, 1);
  assert.match(forged.text, /^FAILS {4}The signature does not fit/m);
  assert.equal((await assent('verify', file)).code, 2, 'without a key nothing can be said');
  assert.equal((await assent('verify', file, '--log', 'http://127.0.0.1:1')).code, 2);
});

test('assent audit replays the log from outside and from the data folder', async () => {
  await covered();
  const outside = await assent('audit', '--log', server.url, '--site', 'shop');
  assert.equal(outside.code, 0, outside.text);
  assert.match(outside.text, new RegExp(`${RECORDS} entries were replayed`));
  const inside = await assent('audit', '--data', server.data);
  assert.equal(inside.code, 0, inside.text);
  assert.match(inside.text, new RegExp(`${RECORDS} records are the ones that were logged`));
  assert.equal((await assent('audit', '--log', server.url, '--site', 'nothing')).code, 2);
});

test('an erased record is named as such if the server signed that, else as one that is missing', async () => {
  await covered();
  const erased = await fetch(`${server.url}/c/shop/erase`, {
    method: 'POST',
    headers: { cookie: `assent-center-shop=${keys[7]}.0`, origin: server.url, 'content-type': 'application/x-www-form-urlencoded' },
  });
  assert.equal(erased.status, 200);
  const file = join(server.data, 'receipt.jws');
  await writeFile(file, receipts[7]);
  for (const place of [server.url, server.data]) {
    const { code, text } = await assent('verify', file, '--log', place);
    assert.equal(code, 0, text);
    assert.match(text, /^holds {4}The record is entry 7 of the log/m);
    assert.match(text, /^holds {4}The record was erased on \S+ \S+ UTC, and the server signed that it did so\./m);
  }
  // Somebody lists another record as erased, with the signature of this one.
  const liar = createServer(async ({ url }, response) => {
    const asked = url.replace('erased?from=8', 'erased?from=7');
    const body = Buffer.from(await (await fetch(server.url + asked)).arrayBuffer());
    response.end(url === asked ? body : body.toString().replace('"index":7', '"index":8'));
  });
  await new Promise((done) => liar.listen(0, '127.0.0.1', done));
  await writeFile(file, receipts[8]);
  assert.equal((await assent('verify', file, '--log', server.url)).code, 0);
  const { code, text } = await assent('verify', file, '--log', `http://127.0.0.1:${liar.address().port}`);
  liar.close();
  assert.equal(code, 1, text);
  assert.match(text, /^FAILS {4}The log lists the record as erased on .*, but no known key signed that/m);
});

test('after a change of keys the old signatures still hold', async () => {
  await covered();
  await server.stop();
  const rotated = await assent('keys', 'rotate', '--data', server.data);
  assert.equal(rotated.code, 0, rotated.text);
  await server.start();
  const { keys: published } = await (await fetch(`${server.url}/.well-known/jwks.json`)).json();
  assert.equal(published.length, 2);
  const file = join(server.data, 'receipt.jws');
  await writeFile(file, receipts[0]);
  const verified = await assent('verify', file, '--log', server.url);
  assert.equal(verified.code, 0, verified.text);
  assert.equal((await assent('audit', '--log', log)).code, 0);
});

test('a backup of the running server is put into another folder: old signatures hold, the log goes on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'assent-restored-'));
  const file = join(folder, 'backup');
  const made = await assent('backup', '--data', server.data, '--to', file);
  assert.equal(made.code, 0, made.text);
  assert.match(made.text, new RegExp(`shop: ${RECORDS} entries in the log`));
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal((await assent('backup', '--data', server.data, '--to', file)).code, 1, 'nothing is overwritten');
  const secret = Buffer.from((await readFile(join(server.data, 'receipt-key'), 'utf8')).trim(), 'hex');
  const bytes = await readFile(file);
  assert.ok(!bytes.includes(secret) && !bytes.includes(secret.toString('hex')));
  const kept = join(folder, 'kept');
  await writeFile(kept, await (await fetch(`${log}/checkpoint`)).text());

  const data = join(folder, 'data');
  bytes[bytes.indexOf(Buffer.from(JSON.parse(payload(receipts[9])).salt, 'hex'))] ^= 1;
  await writeFile(join(folder, 'damaged'), bytes);
  const refused = await assent('restore', '--from', join(folder, 'damaged'), '--data', data);
  assert.equal(refused.code, 1, refused.text);
  assert.match(refused.text, /entry 9: the record \S+ is not the one that was logged/);
  assert.deepEqual(await readdir(data), [], 'nothing of it is left');

  const restored = await assent('restore', '--from', file, '--data', data);
  assert.equal(restored.code, 0, restored.text);
  assert.match(restored.text, /Nothing was altered, removed or added/);
  assert.equal((await assent('restore', '--from', file, '--data', data)).code, 2, 'no database is overwritten');
  const other = await Server.prepare({ data });
  await other.start();
  const { keys: published } = await (await fetch(`${other.url}/.well-known/jwks.json`)).json();
  assert.equal(published.length, 3, 'the two before, and a new one');
  const receipt = join(folder, 'receipt.jws');
  await writeFile(receipt, receipts[0]);
  const verified = await assent('verify', receipt, '--log', other.url);
  assert.equal(verified.code, 0, verified.text);
  const audited = await assent('audit', '--log', other.url, '--site', 'shop', '--checkpoint', kept);
  assert.equal(audited.code, 0, audited.text);

  await other.stop();
  await rm(join(data, 'retired-keys'));
  const lost = await assent('serve', '--data', data, '--listen', '127.0.0.1:0');
  assert.equal(lost.code, 1);
  assert.match(lost.text, /signed with a key that this server does not have/);
  assert.match(lost.text, /retired-keys/);
  await rm(folder, { recursive: true });
});

test('one byte changed in the file is named, and the server does not go on with it', async () => {
  await server.stop();
  const database = join(server.data, 'assent.db');
  const bytes = await readFile(database);
  const salt = Buffer.from(JSON.parse(payload(receipts[9])).salt, 'hex');
  const at = bytes.indexOf(salt);
  assert.ok(at > 0 && bytes.indexOf(salt, at + 1) < 0, 'the salt stands in the file once');
  bytes[at] ^= 1;
  await writeFile(database, bytes);
  const audited = await assent('audit', '--data', server.data);
  assert.equal(audited.code, 1, audited.text);
  assert.match(audited.text, /entry 9: the record \S+ is not the one that was logged/);
  const started = await assent('serve', '--data', server.data, '--listen', '127.0.0.1:0');
  assert.equal(started.code, 1);
  assert.match(started.text, /the log of the site shop is not to be trusted: the record of entry 9/);
  assert.match(started.text, /`assent audit` names what was altered/);
});
