// kill -9 at any moment, under load or while the server starts: whatever it has acknowledged is there afterwards, once;
// what it has not acknowledged is taken when it is sent again; nothing else is there. ASSENT_KILLS says how often
// (`cargo xtask faults 200`). A killed process loses nothing that it has handed to the system: what a loss of power
// does is not tested here.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { compactVerify, createLocalJWKSet } from 'jose';

import { BINARY, Server } from '../server.mjs';
import { config } from '../site.mjs';
import { noticeOf, submission } from '../submission.mjs';

const ORIGIN = 'http://shop.test';
const CONNECTIONS = 16;
const KILLS = Number(process.env.ASSENT_KILLS ?? 20);
/** The longest time under load, in milliseconds. */
const LOAD_MS_MAX = 400;

let server;
before(async () => {
  server = await Server.prepare({ options: ['--records-per-minute', '0', '--proofs-per-minute', '0'] });
  // In one language: most of the time goes by while the server starts.
  await server.publish({ ...config(ORIGIN), languages: ['en'] });
  await server.start();
});
after(() => server?.close());

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

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

/** What the audit says of the data folder; its exit code says that every record is in the log and every entry has its
    record. */
const audited = async () => (await promisify(execFile)(BINARY, ['audit', '--data', server.data])).stdout;

test(`no acknowledged record is lost or doubled by ${KILLS} times kill -9`, { timeout: 600_000 + KILLS * 30_000 }, async () => {
  const loader = await (await fetch(`${server.url}/s/shop.js`)).text();
  const notice = noticeOf(loader);
  const jwks = await (await fetch(`${server.url}/.well-known/jwks.json`)).json();
  const keys = createLocalJWKSet(jwks);
  const acknowledged = [];
  /** Sent, and not heard of again. */
  let unheard = [];

  for (let kill = 0; kill < KILLS; kill++) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    const sendAgain = unheard;
    unheard = [];
    let alive = true;
    const one = async () => {
      while (alive) {
        const body = sendAgain.pop() ?? submission(notice);
        const answer = await post(agent, body).catch(() => null);
        if (!answer) {
          unheard.push(body);
          return;
        }
        assert.ok([200, 201].includes(answer.status), answer.text);
        acknowledged.push({ id: body.id, key: body.key, receipt: JSON.parse(answer.text).receipt });
      }
    };
    const load = Promise.all(Array.from({ length: CONNECTIONS }, one));
    await pause(randomInt(LOAD_MS_MAX));
    await server.stop('SIGKILL');
    alive = false;
    await load;
    unheard.push(...sendAgain);
    agent.destroy();
    if (kill % 5 === 4) {
      // Once more while it starts.
      server.spawn();
      await pause(randomInt(150));
      await server.stop('SIGKILL');
      await audited();
    }
    await server.start();
  }

  const again = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (const body of unheard) {
    const answer = await post(again, body);
    assert.ok([200, 201].includes(answer.status), answer.text);
    acknowledged.push({ id: body.id, key: body.key, receipt: JSON.parse(answer.text).receipt });
  }
  again.destroy();
  assert.ok(acknowledged.length > KILLS * 20, `only ${acknowledged.length} records under load`);
  const jwksAfter = await (await fetch(`${server.url}/.well-known/jwks.json`)).json();
  assert.deepEqual(jwksAfter, jwks, 'the signing key survives');
  for (const { id, key, receipt } of acknowledged) {
    const found = await server.record('shop', id, key);
    assert.ok(found, `${id} is lost`);
    assert.equal(found.receipt, receipt);
  }
  for (const { receipt } of acknowledged.slice(-50)) await compactVerify(receipt, keys);
  await server.stop();
  const report = await audited();
  assert.match(report, new RegExp(`^ {2}${acknowledged.length} entries were replayed\\.$`, 'm'), 'each once, and nothing else');
  assert.match(report, new RegExp(`the last one covers ${acknowledged.length} entries`), 'the end is signed');
});
