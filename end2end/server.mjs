// The real server, as a process of its own on a free loopback port with a temporary data folder.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The repository's root. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** The server's binary. */
export const BINARY = resolve(ROOT, process.env.ASSENT_BIN ?? 'target/debug/assent');

const run = promisify(execFile);

/** A port of 127.0.0.1 that nobody listens on at the moment. */
export async function freePort() {
  const server = net.createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Waits until `probe` gives something true; fails after `timeout_ms`. */
export async function until(probe, what, timeout_ms = 10_000) {
  const end = Date.now() + timeout_ms;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${timeout_ms} ms in vain for ${what}`);
    await new Promise((done) => setTimeout(done, 25));
  }
}

/** One Assent node. `url` is how node reaches it, `origin` how the browser does. */
export class Server {
  constructor(data, port, host, options) {
    this.data = data;
    this.port = port;
    this.origin = `http://${host}:${port}`;
    this.url = `http://127.0.0.1:${port}`;
    this.options = options;
    this.output = '';
    /** The program that starts the server, with its arguments; none: it starts by itself. */
    this.under = [];
    /** Site → the first of its origins. */
    this.sites = new Map();
  }

  /** A server with an empty data folder (`data`, else a new one), not yet started. `options` are further flags of `assent serve`. */
  static async prepare({ host = 'assent.test', options = [], data } = {}) {
    return new Server(data ?? (await mkdtemp(join(tmpdir(), 'assent-test-'))), await freePort(), host, options);
  }

  /** Publishes a site's configuration as its next revision, also while the server runs. */
  async publish(config) {
    this.sites.set(config.id, config.origins[0]);
    const file = join(this.data, `${config.id}.json`);
    await writeFile(file, JSON.stringify(config));
    await run(BINARY, ['publish', file, '--data', this.data]);
  }

  /** Starts the process, and waits for nothing. */
  spawn() {
    const [program, ...options] = [...this.under, BINARY];
    this.process = spawn(
      program,
      [
        ...options,
        'serve', '--data', this.data, '--listen', `127.0.0.1:${this.port}`, '--public-url', this.origin, ...this.options,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.ended = new Promise((done) => this.process.once('exit', done));
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.on('data', (text) => (this.output += text));
    }
  }

  /** Starts, or starts again on the same port and data. */
  async start() {
    this.spawn();
    await until(
      async () => {
        if (this.process.exitCode !== null) throw new Error(`the server ended:\n${this.output}`);
        return fetch(`${this.url}/health`).then((answer) => answer.ok, () => false);
      },
      'the server',
      20_000,
    );
  }

  /** Ends it: cleanly, or with another signal. */
  async stop(signal = 'SIGTERM') {
    if (this.process && this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill(signal);
      await this.ended;
    }
  }

  /** Ends it and removes its data. */
  async close() {
    await this.stop();
    await rm(this.data, { recursive: true, force: true });
  }

  /** The one-time sign-in link of the console, as the server printed it at its first start. */
  signInLink() {
    return this.output.match(/http\S*\/console\/link\S+/)[0];
  }

  /** A new one-time sign-in link of the console. */
  async newSignInLink() {
    const { stdout } = await run(BINARY, ['sign-in', '--data', this.data, '--public-url', this.origin]);
    return stdout.trim();
  }

  /** A consent record with its receipt as the subject reads it; null if the server does not know it. */
  async record(site, id, key) {
    const answer = await fetch(`${this.url}/v1/sites/${site}/records/${id}`, { headers: { authorization: `Bearer ${key}` } });
    return answer.ok ? answer.json() : null;
  }

  /** How many records the server holds of a subject, as the preference center lists them. */
  async recordsOf(site, key) {
    const headers = { origin: this.sites.get(site), 'content-type': 'text/plain' };
    const handover = await fetch(`${this.url}/v1/sites/${site}/handover`, { method: 'POST', headers, body: JSON.stringify({ key }) });
    const { token } = await handover.json();
    const from = { referer: `${this.sites.get(site)}/` };
    const entry = await fetch(`${this.url}/c/${site}?t=${token}`, { redirect: 'manual', headers: from });
    const cookie = entry.headers.get('set-cookie').split(';')[0];
    const page = await (await fetch(`${this.url}/c/${site}`, { headers: { cookie } })).text();
    return new Set(page.match(new RegExp(`/c/${site}/receipts/[0-9a-f-]{36}`, 'g'))).size;
  }
}
