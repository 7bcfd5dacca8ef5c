// Brings up everything that a browser test needs: the server, the site's pages, the vendors, Chromium.
// `world()` starts it; `close()` ends every part of it by its own process id or handle.
import http from 'node:http';

import { chromium } from 'playwright-core';

import { Server, until } from './server.mjs';
import * as site from './site.mjs';
import { vendors } from './vendors.mjs';

export { until } from './server.mjs';

/** Flags under which Debian's Chromium stays quiet; the rules send every name to this machine. */
export const chromiumArgs = (rules) => [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  ...(rules ? [`--host-resolver-rules=${rules}`] : []),
];

/** Starts Chromium. */
export const launch = (rules) =>
  chromium.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: chromiumArgs(rules) });

/** A page server for any host: `pages` maps a path to `{ body, type, headers }`. */
async function pageServer() {
  const pages = new Map([['/shop.css', { body: site.CSS, type: 'text/css' }]]);
  const server = http.createServer((request, response) => {
    const found = pages.get(new URL(request.url, 'http://page').pathname);
    response.writeHead(found ? 200 : 404, { 'content-type': `${found?.type ?? 'text/html'}; charset=utf-8`, ...found?.headers });
    response.end(found?.body ?? '<!doctype html><title>Not found</title>');
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
    const context = await this.browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1280, height: 800 }, locale: 'en-GB', ...options });
    const visitor = new Visitor(this, context);
    this.visitors.push(visitor);
    return visitor;
  }

  async close() {
    await this.browser?.close();
    this.recorder.close();
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
    /** Addresses of all requests of all pages, from the browser's own log. */
    this.requests = [];
    context.on('request', (request) => this.requests.push(request.url()));
  }

  /** Opens a page of the shop in a new tab. */
  async open(path = '/') {
    const page = await this.context.newPage();
    page.errors = [];
    page.on('pageerror', (error) => page.errors.push(String(error)));
    await page.goto(this.world.at(path));
    return page;
  }

  /** Requests to anybody but the shop and its Assent server. */
  foreign() {
    return this.requests.filter((url) => !url.startsWith('data:') && ![this.world.origin, this.world.server.origin].includes(new URL(url).origin));
  }

  /** Names of all cookies in the jar, of every domain. */
  async cookies() {
    return (await this.context.cookies()).map(({ name }) => name).sort();
  }

  /** The consent cookie's parts, null if there is none. */
  async consent() {
    const cookie = (await this.context.cookies(this.world.at())).find(({ name }) => name === 'assent-shop');
    if (!cookie) return null;
    const [version, revision, granted, decided_at_s, key, record, exceptions] = cookie.value.split('.');
    return { version, revision: Number(revision), granted: parseInt(granted, 16), decided_at_s: Number(decided_at_s), key, record, exceptions, cookie };
  }

  async close() {
    await this.context.close();
  }
}

/** Starts a world with the site `shop` published. `change` may alter its configuration first. */
export async function world({ change = (config) => config, options = [] } = {}) {
  const self = new World();
  self.visitors = [];
  const { pages, server, port } = await pageServer();
  Object.assign(self, { pages, pageServer: server, origin: `http://shop.test:${port}` });
  self.recorder = await vendors();
  self.server = await Server.prepare({ options });
  self.config = change(site.config(self.origin));
  try {
    await self.server.publish(self.config);
    await self.server.start();
    self.browser = await launch(`MAP *.test 127.0.0.1, EXCLUDE 127.0.0.1, EXCLUDE localhost, MAP * 127.0.0.1:${self.recorder.port}`);
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

/** Waits until exactly these vendors' scripts have run, in any order. */
export async function hasRun(page, names) {
  const wanted = [...names].sort().join();
  let last = '';
  await until(async () => (last = (await ran(page)).sort().join()) === wanted, `${wanted} to run`).catch((error) => {
    throw new Error(`${error.message}; ran: ${last}`);
  });
}

/** Time for something that must not happen to happen. */
export const settle = (page) => page.waitForTimeout(700);
