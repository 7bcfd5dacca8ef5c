// kill -9 under load: whatever the server has acknowledged is there afterwards.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { compactVerify, createLocalJWKSet } from 'jose';

import { BINARY, Server } from '../server.mjs';
import { config } from '../site.mjs';

const ORIGIN = 'http://shop.test';
const CONNECTIONS = 32;
const LOAD_MS = 1500;

let server;
before(async () => {
  server = await Server.prepare({ options: ['--records-per-minute', '0'] });
  await server.publish(config(ORIGIN));
  await server.start();
});
after(() => server?.close());

function uuid7() {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5');
}

const post = (agent, body) =>
  new Promise((done, fail) => {
    const request = http.request(
      { host: '127.0.0.1', port: server.port, path: '/v1/sites/shop/records', method: 'POST', agent, headers: { origin: ORIGIN, 'content-type': 'text/plain' } },
      (answer) => {
        let text = '';
        answer.on('data', (part) => (text += part));
        answer.on('end', () => done({ status: answer.statusCode, text }));
        answer.on('error', fail);
      },
    );
    request.on('error', fail);
    request.end(JSON.stringify(body));
  });

test('no acknowledged record is lost, three times in a row', async () => {
  const loader = await (await fetch(`${server.url}/s/shop.js`)).text();
  const notice = /"n":"([0-9a-f]{64})"/.exec(loader)[1];
  const jwks = await (await fetch(`${server.url}/.well-known/jwks.json`)).json();
  const keys = createLocalJWKSet(jwks);
  const acknowledged = [];

  for (let round = 0; round < 3; round++) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    let alive = true;
    const one = async () => {
      while (alive) {
        const id = uuid7();
        const key = randomBytes(16).toString('hex');
        const body = {
          id,
          key,
          revision: 1,
          notice,
          method: 'banner',
          choice: { performance: true, functional: false, targeting: false },
          asked: true,
          gpc: false,
          dnt: false,
          previous: null,
          decided_at_ms: Date.now(),
        };
        const answer = await post(agent, body).catch(() => null);
        if (!answer) return;
        assert.equal(answer.status, 201, answer.text);
        acknowledged.push({ id, key, receipt: JSON.parse(answer.text).receipt });
      }
    };
    const load = Promise.all(Array.from({ length: CONNECTIONS }, one));
    const before = acknowledged.length;
    await new Promise((done) => setTimeout(done, LOAD_MS));
    await server.stop('SIGKILL');
    alive = false;
    await load;
    agent.destroy();
    assert.ok(acknowledged.length > before + 100, `only ${acknowledged.length - before} records under load`);
    // Its exit code says that every record is in the log and every entry has its record.
    await promisify(execFile)(BINARY, ['audit', '--data', server.data]);
    await server.start();
  }

  const jwksAfter = await (await fetch(`${server.url}/.well-known/jwks.json`)).json();
  assert.deepEqual(jwksAfter, jwks, 'the signing key survives');
  for (const { id, key, receipt } of acknowledged) {
    const found = await server.record('shop', id, key);
    assert.ok(found, `${id} is lost`);
    assert.equal(found.receipt, receipt);
  }
  for (const { receipt } of acknowledged.slice(-50)) await compactVerify(receipt, keys);
});
