// The disk is full, or files may not grow: the server says so, acknowledges nothing that it has not stored, still answers
// what only reads, and goes on by itself when there is room again.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { BINARY, Server, until } from '../server.mjs';
import { config } from '../site.mjs';
import { noticeOf, submission } from '../submission.mjs';

const ORIGIN = 'http://shop.test';
const OPTIONS = ['--records-per-minute', '0', '--proofs-per-minute', '0'];
/** Far more than fit. */
const RECORDS_MAX = 4000;

/** Fills the server's room by `fill`, makes room by `free`. */
async function survives(server, fill, free) {
  await server.publish(config(ORIGIN));
  await server.start();
  const loader = await (await fetch(`${server.url}/s/shop.js`)).text();
  const notice = noticeOf(loader);
  const post = (body) =>
    fetch(`${server.url}/v1/sites/shop/records`, { method: 'POST', headers: { origin: ORIGIN, 'content-type': 'text/plain' }, body: JSON.stringify(body) });
  const acknowledged = [];
  const waiting = [];
  const send = async (body) => {
    const answer = await post(body);
    if ([200, 201].includes(answer.status)) return acknowledged.push(body);
    assert.equal(answer.status, 503);
    assert.ok(Number(answer.headers.get('retry-after')) > 0);
    waiting.push(body);
  };

  for (let number = 0; number < 20; number++) await send(submission(notice));
  assert.equal(acknowledged.length, 20);
  await fill();
  while (waiting.length < 20 && acknowledged.length < RECORDS_MAX) await send(submission(notice));
  assert.equal(waiting.length, 20, `${acknowledged.length} records were stored without room`);
  assert.equal((await fetch(`${server.url}/s/shop.js`)).status, 200);
  for (const { id, key } of acknowledged) assert.ok(await server.record('shop', id, key), `${id} is lost`);

  await free();
  for (const body of waiting) {
    await until(async () => (await post(body)).status < 300, 'room again').catch((error) => {
      throw new Error(`${error.message}; the server says: ${server.output.slice(-2000)}`);
    });
    acknowledged.push(body);
  }
  assert.equal((await post(submission(notice))).status, 201);
  await server.stop();
  const report = execFileSync(BINARY, ['audit', '--data', server.data]).toString();
  assert.match(report, new RegExp(`^ {2}${acknowledged.length + 1} entries were replayed\\.$`, 'm'), 'each once, and nothing else');
  assert.match(report, /Nothing was altered, removed or added/);
}

/** A file system of 24 MB in memory; null where that is not allowed. */
async function smallDisk() {
  const folder = await mkdtemp(join(tmpdir(), 'assent-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    await rm(folder, { recursive: true });
    return null;
  }
}

test('a full disk', { timeout: 120_000 }, async (t) => {
  const disk = await smallDisk();
  if (!disk) return t.skip('no file system can be mounted here');
  const data = join(disk, 'data');
  await mkdir(data);
  const server = await Server.prepare({ data, options: OPTIONS });
  const ballast = join(disk, 'ballast');
  try {
    await survives(
      server,
      async () => {
        const { bavail, bsize } = await statfs(disk);
        await writeFile(ballast, Buffer.alloc(bavail * bsize - 200_000));
      },
      () => rm(ballast),
    );
  } finally {
    await server.close();
    execFileSync('umount', [disk]);
    await rm(disk, { recursive: true });
  }
});

test('files that may not grow', { timeout: 120_000 }, async () => {
  const server = await Server.prepare({ options: OPTIONS });
  // Without this the system ends a process that writes too much.
  server.under = ['sh', '-c', 'trap "" XFSZ; exec "$0" "$@"'];
  const limit = (bytes) => execFileSync('prlimit', [`--pid=${server.process.pid}`, `--fsize=${bytes}:`]);
  try {
    await survives(
      server,
      () => limit(1_000_000),
      () => limit('unlimited'),
    );
  } finally {
    await server.close();
  }
});
