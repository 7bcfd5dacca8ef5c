// Brings up everything that a browser test needs: the server, the site's pages, the vendors, a browser.
// `world()` starts it; `close()` ends every part of it by its own process id or handle.
import http from 'node:http';

import { Server, until } from './server.mjs';
import * as site from './site.mjs';

export { until } from './server.mjs';

/** The engine under test: the name of a file in end2end/engines. */
export const ENGINE = process.env.ENGINE || 'chromium';
const engine = await import(`./engines/${ENGINE}.mjs`);

/** Names of this machine, as patterns; any other is a vendor's. */
const OURS = ['*.test', '*.co.uk', '*.github.io'];

/** Options of a test that cannot be run in some engines: engine to the reason why. */
export const not = (reasons) => ({ skip: reasons[ENGINE] });

/** Errors of a page, for drivers that tell of none, or of more than errors. */
const NOTE_ERRORS = `window.errors = [];
addEventListener('error', (event) => window.errors.push(event.message));
addEventListener('unhandledrejection', (event) => window.errors.push(String(event.reason)));`;

/** A page with scripts before all others, as far as its own policy lets them in. */
function prepared(body, policy, scripts) {
  const nonce = /'nonce-(\w+)'/.exec(policy)?.[1];
  if (!scripts.length || (policy && !nonce)) return body;
  return body.replace('<meta charset', `<script${nonce ? ` nonce="${nonce}"` : ''}>${scripts.join('\n')}</script>$&`);
}

/** A page server for any host: `pages` maps a path to `{ body, type, headers }`; where a body is a list, its parts come
    half a second apart. */
async function pageServer(world) {
  const pages = new Map([['/shop.css', { body: site.CSS, type: 'text/css' }]]);
  const server = http.createServer((request, response) => {
    const found = pages.get(new URL(request.url, 'http://page').pathname);
    response.writeHead(found ? 200 : 404, { 'content-type': `${found?.type ?? 'text/html'}; charset=utf-8`, ...found?.headers });
    const [first, ...rest] = [found?.body ?? '<!doctype html><title>Not found</title>'].flat();
    response.write(found?.type ? first : prepared(first, found?.headers?.['content-security-policy'], world.scripts));
    const send = () => (rest.length ? (response.write(rest.shift()), setTimeout(send, 500)) : response.end());
    if (rest.length) setTimeout(send, 500);
    else response.end();
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { pages, server, port: server.address().port };
}

/** Everything that runs. See `world`. */
class World {
  /** Address of a page of the shop. */
  at(path = '/') {
    return this.origin + path;
  }

  /** The loader's script tag, with further attributes. */
  tag(attributes = 'async fetchpriority="high"') {
    return `<script ${attributes} src="${this.server.origin}/s/shop.js"></script>`;
  }

  /** Puts a page of the shop under a path; all vendors' snippets are in it unless `head` says otherwise. */
  page(path, { tag = this.tag(), head = site.SNIPPETS, body = site.EMBEDS, headers } = {}) {
    this.pages.set(path, { body: site.page({ tag, head, body }), headers });
  }

  /** A visitor with a browser profile of their own. */
  async visitor(options = {}) {
    const context = await this.browser.context({ viewport: { width: 1280, height: 800 }, ...options });
    const visitor = new Visitor(this, context);
    this.visitors.push(visitor);
    return visitor;
  }

  async close() {
    await this.browser?.close();
    this.pageServer.closeAllConnections();
    this.pageServer.close();
    await this.server.close();
  }
}

/** One visitor: a context whose every request is noted. */
class Visitor {
  constructor(world, context) {
    this.world = world;
    this.context = context;
    this.scripts = [];
  }

  /** Addresses of all requests of all pages, from the browser's own log where it has one. */
  get requests() {
    return this.context.requests;
  }

  /** Opens a page of the shop in a new tab. */
  async open(path = '/') {
    const page = await this.context.newPage();
    await page.goto(this.world.at(path));
    return page;
  }

  /** Runs a function before all scripts of the pages that are opened from now on. */
  async prepare(code, value) {
    if (this.context.addInitScript) return this.context.addInitScript(code, value);
    this.scripts.push(`(${code})(${JSON.stringify(value)});`);
    this.world.scripts.push(this.scripts.at(-1));
  }

  /** Requests to anybody but the shop and its Assent server; to a name that ends in `invalid` nothing goes (RFC 2606). */
  foreign() {
    const own = [this.world.origin, this.world.server.origin];
    return this.requests.filter((address) => {
      const url = new URL(address);
      return url.protocol !== 'data:' && !own.includes(url.origin) && !url.hostname.endsWith('.invalid');
    });
  }

  /** Names of all cookies in the jar, of every domain, but for the one that is there while a record is on its way. */
  async cookies() {
    return (await this.context.cookies()).map(({ name }) => name).filter((name) => !name.endsWith('-outbox')).sort();
  }

  /** The consent cookie's parts, null if there is none. */
  async consent() {
    const cookie = (await this.context.cookies(this.world.at())).find(({ name }) => name === 'assent-shop');
    if (!cookie) return null;
    const [version, revision, granted, decided_at_s, key, record, exceptions] = cookie.value.split('.');
    return { version, revision: Number(revision), granted: parseInt(granted, 16), decided_at_s: Number(decided_at_s), key, record, exceptions, cookie };
  }

  /** The consent cookie's parts once there is one: a click may still be on its way to the page. */
  chosen() {
    return until(() => this.consent(), 'a choice');
  }

  async close() {
    this.world.scripts = this.world.scripts.filter((script) => !this.scripts.includes(script));
    await this.context.close();
  }
}

/** Starts a world with the site `shop` published. `change` may alter its configuration first. */
export async function world({ change = (config) => config, options = [] } = {}) {
  const self = new World();
  self.visitors = [];
  self.scripts = ENGINE === 'chromium' ? [] : [NOTE_ERRORS];
  const { pages, server, port } = await pageServer(self);
  Object.assign(self, { pages, pageServer: server, origin: `http://shop.test:${port}` });
  self.server = await Server.prepare({ options });
  self.config = change(site.config(self.origin));
  try {
    await self.server.publish(self.config);
    await self.server.start();
    self.browser = await engine.launch({ ours: OURS });
    self.recorder = self.browser.recorder;
    self.page('/');
    self.page('/policy', { head: '', body: '<p>Our cookies.</p>' });
  } catch (error) {
    await self.close();
    throw error;
  }
  return self;
}

/** The banner on a page. */
export const banner = (page) => page.locator('#assent .assent-banner');
/** The dialog on a page. */
export const dialog = (page) => page.locator('#assent dialog');
/** A control of banner or dialog. */
export const control = (page, action) => page.locator(`#assent [data-assent-do="${action}"]`);
/** The vendors' scripts that ran on a page, in order. */
export const ran = (page) => page.evaluate(() => window.ran ?? []);

/** The errors of a page. */
export const errors = async (page) => page.errors ?? page.evaluate('window.errors ?? []');

/** Ids of the records that a page's outbox holds, oldest first. */
export const waiting = (page) =>
  page.evaluate(() =>
    Object.keys(localStorage)
      .filter((name) => /^assent-\w+-outbox-/.test(name))
      .map((name) => name.replace(/.*-outbox-/, ''))
      .sort(),
  );

/** Waits until the server has acknowledged what was chosen on a page. */
export const acknowledged = (page) =>
  page.waitForFunction(() => {
    const names = Object.keys(localStorage);
    return names.some((name) => name.endsWith('-receipt')) && !names.some((name) => name.includes('-outbox-'));
  });

/** Waits until exactly these vendors' scripts have run, in any order. */
export async function hasRun(page, names) {
  const wanted = [...names].sort().join();
  let last = '';
  await until(async () => (last = (await ran(page)).sort().join()) === wanted, `${wanted} to run`).catch((error) => {
    throw new Error(`${error.message}; ran: ${last}`);
  });
}

/** Clicks what leads to another page, or to the same one anew, and waits until that is there. */
export async function follow(page, locator) {
  await Promise.all([page.waitForEvent('framenavigated'), locator.click()]);
  await page.waitForLoadState();
}

/** Time for something that must not happen to happen. */
export const settle = (page) => page.waitForTimeout(700);
