// The server as its owner starts and ends it at the terminal. No browser is needed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { BINARY, until } from '../server.mjs';

/** The environment without settings of the server. */
const ENVIRONMENT = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ASSENT_')));

let folder;
before(async () => (folder = await mkdtemp(join(tmpdir(), 'assent-start-'))));
after(() => rm(folder, { recursive: true, force: true }));

/** Runs the binary in the folder; `ended` gives exit code and signal. */
function assent(args, env = {}) {
  const child = spawn(BINARY, args, { cwd: folder, env: { ...ENVIRONMENT, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const running = { child, out: '', err: '' };
  child.stdout.on('data', (text) => (running.out += text));
  child.stderr.on('data', (text) => (running.err += text));
  running.ended = new Promise((done) => child.once('close', (code, signal) => done({ code, signal })));
  return running;
}

/** Starts a server on a free port; it is ready when it has said where everything is. */
async function serve(...options) {
  const server = assent(['serve', '--listen', '127.0.0.1:0', ...options]);
  await until(() => /Console .*\n/.test(server.out), 'the greeting', 30_000);
  server.address = /^Assent listens on (127\.0\.0\.1:\d+)$/m.exec(server.out)[1];
  return server;
}

async function end(server, signal = 'SIGTERM') {
  server.child.kill(signal);
  return server.ended;
}

test('in an empty folder it starts, and every address that it prints answers', async () => {
  const server = await serve('--data', 'new/data', '--demo');
  try {
    const origin = `http://${server.address}`;
    const printed = Object.fromEntries([...server.out.matchAll(/^(\S+(?: \S+)*) {2,}(http\S+)$/gm)].map(([, what, address]) => [what, address]));
    const { 'One-time sign-in': link, ...others } = printed;
    assert.deepEqual(others, { 'Demo page': `${origin}/demo/`, 'Preference center': `${origin}/c/demo`, 'Console': `${origin}/console` });
    const tag = `<script async fetchpriority="high" src="${origin}/s/demo.js"></script>`;
    assert.ok(server.out.includes(`Paste into the head of every page of Marram:\n  ${tag}\n`), server.out);
    for (const [address, holds] of [
      [`${origin}/demo/`, /<script [^>]*src="[^"]*\/s\/demo\.js"/],
      [`${origin}/s/demo.js`, /Your privacy, your choice/],
      [`${origin}/c/demo`, /<title>Privacy settings/],
      [`${origin}/console`, /type="password"/],
      [link, /type="password"/],
    ]) {
      const answer = await fetch(address, { headers: { 'accept-language': 'en' } });
      assert.equal(answer.status, 200, address);
      assert.match(await answer.text(), holds, address);
    }
    assert.ok((await readdir(join(folder, 'new/data'))).includes('assent.db'));
  } finally {
    await end(server);
  }
});

test('without a site it says how to publish one', async () => {
  const server = await serve('--data', 'bare');
  await end(server);
  assert.match(server.out, /^No site yet: publish one with `assent publish FILE`\.$/m);
  assert.doesNotMatch(server.out, /Demo page|Preference center|<script/);
});

test('a port that is taken is named, with what to do, and nothing is made', async () => {
  const server = await serve('--data', 'first');
  try {
    const second = assent(['serve', '--listen', server.address, '--data', 'second']);
    assert.deepEqual(await second.ended, { code: 1, signal: null });
    assert.equal(second.err, `assent: ${server.address} is in use by another program. Choose another address with --listen.\n`);
    assert.equal(second.out, '');
    assert.ok(!(await readdir(folder)).includes('second'));
    assert.equal((await fetch(`http://${server.address}/health`)).status, 200, 'the first goes on');
  } finally {
    await end(server);
  }
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  test(`${signal} ends it with exit code 0`, async () => {
    const server = await serve('--data', 'ending');
    assert.deepEqual(await end(server, signal), { code: 0, signal: null });
    assert.match(server.out, /Ending …\n$/);
    assert.equal(server.err.match(/ERROR|WARN|panicked/), null, server.err);
  });
}

/** Every setting that has a flag: its table, its name in the file, and three values. */
const SETTINGS = [
  ['server', 'listen', '127.0.0.1:1001', '127.0.0.1:1002', '127.0.0.1:1003'],
  ['server', 'public_url', 'https://file.test', 'https://environment.test', 'https://flag.test'],
  ['server', 'data', 'file', 'environment', 'flag'],
  ['server', 'database', 'sqlite:file.db', 'sqlite:environment.db', 'sqlite:flag.db'],
  ['server', 'owner_email', 'file@shop.test', 'environment@shop.test', 'flag@shop.test'],
  ['proxy', 'trusted', ['10.0.0.1'], ['10.0.0.2'], ['10.0.0.3']],
  ['proxy', 'country_header', 'X-File', 'X-Environment', 'X-Flag'],
  ...['records_per_minute', 'events_per_minute', 'handovers_per_minute', 'sign_ins_per_minute', 'proofs_per_minute', 'queue_len'].map((name) => ['limits', name, 11, 12, 13]),
];
/** A setting's name as flag and variable have it. */
const flagged = (name) => (name === 'trusted' ? 'trusted_proxies' : name);

test('each setting is taken from its flag, else its environment variable, else the file, else its default', async () => {
  const toml = (at) =>
    ['server', 'proxy', 'limits']
      .map((table) => `[${table}]\n${SETTINGS.filter(([of]) => of === table).map((setting) => `${setting[1]} = ${JSON.stringify(setting[at])}\n`).join('')}`)
      .join('\n');
  await writeFile(join(folder, 'assent.toml'), toml(2));
  const file = ['--config', 'assent.toml'];
  const variables = Object.fromEntries(SETTINGS.map(([, name, , value]) => [`ASSENT_${flagged(name).toUpperCase()}`, String(value)]));
  const flags = SETTINGS.flatMap(([, name, , , value]) => [`--${flagged(name).replaceAll('_', '-')}`, String(value)]);
  const effective = async (args, env) => {
    const printing = assent(['serve', '--print-config', ...args], env);
    assert.deepEqual(await printing.ended, { code: 0, signal: null }, printing.err);
    return printing.out;
  };
  const none = await effective([]);
  assert.match(none, /^listen = "127\.0\.0\.1:8787"$/m);
  for (const [what, at, args, env] of [
    ['the file', 2, file],
    ['the file that a variable names', 2, [], { ASSENT_CONFIG: 'assent.toml' }],
    ['variables before the file', 3, file, variables],
    ['flags before both', 4, [...file, ...flags], variables],
  ]) {
    const text = await effective(args, env);
    assert.ok(text.startsWith(toml(at)), `${what}:\n${text}`);
    assert.notEqual(text, none);
  }
});
