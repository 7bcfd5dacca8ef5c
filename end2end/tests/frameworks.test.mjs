// Pages that React, Vue and Turbo draw, with the libraries themselves: what they add is held and released, what they
// take away or bring back breaks nothing and runs no more often than they mean it to.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { banner, control, errors, ran, settle, until, world } from '../harness.mjs';
import { ROOT } from '../server.mjs';

const VENDOR = 'https://tags.vendor.example';
const STUB = readFileSync(join(ROOT, 'target/assets/stub.js'), 'utf8');
const note = (name) => `(window.ran ??= []).push('${name}')`;
const reopen = (page) => page.locator('#assent [data-assent="settings"]');

/** Draws `#app` anew for each view: `draw('film')`. A frame, a picture and two scripts stand directly in what changes. */
const REACT = `
import { createElement as h, Fragment, StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
function Shop() {
  const [view, draw] = useState('home');
  const [times, again] = useState(0);
  useEffect(() => { window.draw = draw; window.again = () => again((times) => times + 1); }, []);
  if (view == 'home') return h('h2', null, 'Home ', times);
  return h(Fragment, null,
    h('h2', null, 'Film ', times),
    h('iframe', { title: 'Film', 'data-category': 'functional', 'data-src': '${VENDOR}/embed/film' }),
    h('img', { alt: '', 'data-category': 'targeting', 'data-src': '${VENDOR}/film.gif' }),
    h('script', { type: 'text/plain', 'data-category': 'targeting', dangerouslySetInnerHTML: { __html: "${note('film')}" } }),
    h('script', { type: 'text/plain', 'data-category': 'targeting', src: '${VENDOR}/film.js?name=film.js' }));
}
createRoot(document.getElementById('app')).render(h(StrictMode, null, h(Shop)));`;

/** The same things below an element, as a server draws them and a browser takes them over. An external script is `async`:
    React does not look for it where it was written. */
const DRAWN = `
import { createElement as h, useState } from 'react';
const Shop = () => {
  const [times, again] = useState(0);
  return h('main', null,
    h('h2', { onClick: () => again(times + 1) }, 'Home ', times),
    h('script', { type: 'text/plain', 'data-category': 'targeting', dangerouslySetInnerHTML: { __html: "${note('inline')}" } }),
    h('iframe', { title: 'Film', 'data-category': 'functional', 'data-src': '${VENDOR}/embed/film' }),
    h('script', { type: 'text/plain', 'data-category': 'targeting', async: true, src: '${VENDOR}/film.js?name=film.js' }),
    h('p', null, 'End'));
};`;
const SERVER = `${DRAWN}
import { renderToString } from 'react-dom/server';
module.exports = renderToString(h(Shop));`;
const BROWSER = `${DRAWN}
import { hydrateRoot } from 'react-dom/client';
window.hydrate = () => hydrateRoot(document.getElementById('app'), h(Shop), {
  onRecoverableError: (error) => (window.recovered ??= []).push(String(error)),
});`;

const VUE = `
const { createApp, h, ref, Fragment } = Vue;
createApp({
  setup() {
    const view = ref('home'), times = ref(0);
    window.draw = (to) => (view.value = to);
    window.again = () => times.value++;
    return () => view.value == 'home' ? h('h2', 'Home ' + times.value) : [
      h('h2', 'Film ' + times.value),
      h('iframe', { title: 'Film', 'data-category': 'functional', 'data-src': '${VENDOR}/embed/film' }),
      h('img', { alt: '', 'data-category': 'targeting', 'data-src': '${VENDOR}/film.gif' }),
      h('script', { type: 'text/plain', 'data-category': 'targeting', innerHTML: "${note('film')}" }),
      h('script', { type: 'text/plain', 'data-category': 'targeting', src: '${VENDOR}/film.js?name=film.js' })];
  },
}).mount('#app');`;

async function bundled(source, options) {
  const { build } = createRequire(join(ROOT, 'package.json'))('esbuild');
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: join(ROOT, 'end2end') },
    ...options,
    bundle: true,
    minify: true,
    write: false,
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  return outputFiles[0].text;
}

let shop;
before(async () => {
  shop = await world();
  const library = (path) => readFileSync(join(ROOT, 'end2end/node_modules', path), 'utf8');
  const script = (path, body) => shop.pages.set(path, { body, type: 'text/javascript' });
  script('/react.js', await bundled(REACT));
  script('/hydrate.js', await bundled(BROWSER));
  const server = { exports: '' };
  new Function('module', 'require', await bundled(SERVER, { platform: 'node' }))(server, createRequire(import.meta.url));
  shop.page('/hydrate', { head: '', body: `<div id="app">${server.exports}</div><script src="/hydrate.js"></script>` });
  script('/vue.js', `${library('vue/dist/vue.global.prod.js')}\n${VUE}`);
  script('/turbo.js', library('@hotwired/turbo/dist/turbo.es2017-umd.js'));
  for (const name of ['react', 'vue']) {
    shop.page(`/${name}`, { head: '', body: `<div id="app"></div><script src="/${name}.js"></script>` });
  }
  const head = `<script src="/turbo.js" defer></script>
<script type="text/plain" data-category="targeting">${note('head')}</script>
<script type="text/plain" data-category="targeting" src="${VENDOR}/head.js?name=head.js"></script>`;
  for (const [name, other] of ['ab', 'ba']) {
    const body = `<a id="on" href="/turbo-${other}">On</a>
<script type="text/plain" data-category="targeting">${note(name)}</script>
<img alt="" data-category="targeting" data-src="${VENDOR}/${name}.gif">
<iframe title="Film" width="560" height="315" data-category="functional" data-src="${VENDOR}/embed/${name}"></iframe>`;
    shop.page(`/turbo-${name}`, { head, body });
  }
});
after(() => shop?.close());

/** Opens a page that has to live through the whole test: a reload would lose the mark. */
async function open(visitor, path) {
  const page = await visitor.open(path);
  await banner(page).waitFor();
  await page.evaluate(() => void (window.marked = true));
  return page;
}

const lives = async (page) => {
  assert.ok(await page.evaluate(() => window.marked), 'the page was not loaded anew');
  assert.deepEqual(await errors(page), []);
};

/** What vendors were asked for since `from`, as paths, sorted. */
const asked = (from) =>
  shop.recorder.requests
    .slice(from)
    .filter(({ host }) => host.endsWith('vendor.example'))
    .map(({ path }) => path.split('?')[0])
    .sort();

/** Waits until nothing but the view's heading is there: neither what it brought nor what stood in for it. What ran by an
    address keeps its place. */
const bare = (page) => until(async () => (await page.locator('#app :not(script)').count()) === 1, 'an empty view');

for (const name of ['react', 'vue']) {
  const draw = async (page, view) => {
    await page.evaluate((view) => window.draw(view), view);
    await page.locator('#app h2', { hasText: view }).waitFor();
  };

  test(`${name}: what a view brings waits, is released once, and goes with the view`, async () => {
    const from = shop.recorder.requests.length;
    const visitor = await shop.visitor();
    const page = await open(visitor, `/${name}`);
    await page.waitForFunction(() => window.draw);
    await draw(page, 'film');
    await settle(page);
    assert.deepEqual(asked(from), []);
    await control(page, 'accept').click();
    const film = ['/embed/film', '/film.gif', '/film.js'];
    await until(async () => asked(from).length === 3 && (await ran(page)).length === 2, 'the film');
    await page.evaluate(() => window.again());
    await settle(page);
    assert.deepEqual(asked(from), film);
    assert.deepEqual((await ran(page)).sort(), ['film', 'film.js']);
    // The library finds what it has made, and takes it away.
    await draw(page, 'home');
    await bare(page);
    await lives(page);
    // What it makes anew runs anew, at once.
    await draw(page, 'film');
    await until(async () => (await ran(page)).length === 4, 'the film once more');
    await lives(page);
    await visitor.close();
  });

  test(`${name}: what a withdrawal takes back the view can still take away`, async () => {
    const visitor = await shop.visitor();
    const page = await open(visitor, `/${name}`);
    await page.waitForFunction(() => window.draw);
    await draw(page, 'film');
    await control(page, 'accept').click();
    await page.locator('#app iframe[src]').waitFor({ state: 'attached' });
    await until(async () => (await ran(page)).length === 2, 'the scripts');
    await page.evaluate(() => window.assent.withdraw());
    await page.waitForFunction(() => !document.querySelector('#app [src*="embed"],#app img[src]'));
    await draw(page, 'home');
    await bare(page);
    await lives(page);
    await visitor.close();
  });
}

test('React takes over what a server drew, although its tags have been released before', async () => {
  const visitor = await shop.visitor();
  const page = await open(visitor, '/hydrate');
  await control(page, 'accept').click();
  await until(async () => (await ran(page)).length === 2, 'the scripts');
  const again = await visitor.open('/hydrate');
  await until(async () => (await ran(again)).length === 2 && (await again.locator('iframe[src]').count()), 'the tags');
  await settle(again);
  await again.evaluate(() => void window.hydrate());
  await until(async () => {
    await again.locator('#app h2').click();
    return (await again.locator('#app h2').innerText()) !== 'Home 0';
  }, 'the heading to answer');
  await settle(again);
  assert.deepEqual((await ran(again)).sort(), ['film.js', 'inline']);
  assert.equal(await again.evaluate(() => window.recovered), undefined);
  assert.deepEqual(await errors(again), []);
  await visitor.close();
});

/** Follows the page's link, or goes back, and waits for the page `name`. */
async function visit(page, name, how = () => page.locator('#on').click()) {
  await how();
  await page.waitForFunction((name) => location.pathname === `/turbo-${name}` && document.querySelector(`#on:not([href$="-${name}"])`) && !document.documentElement.hasAttribute('data-turbo-preview'), name);
}
const back = (page) => () => page.evaluate(() => history.back());

test('Turbo: scripts of the head run once, those of a body with each page that comes from the server', async () => {
  const from = shop.recorder.requests.length;
  const visitor = await shop.visitor();
  const page = await open(visitor, '/turbo-a');
  await visit(page, 'b');
  await settle(page);
  assert.deepEqual(asked(from), []);
  await control(page, 'accept').click();
  await until(async () => (await ran(page)).length === 3 && asked(from).length === 3, 'the tags');
  await visit(page, 'a');
  await until(async () => (await ran(page)).includes('a'), 'the tag of a');
  // From Turbo's copy of the page.
  await visit(page, 'b', back(page));
  await settle(page);
  assert.deepEqual((await ran(page)).sort(), ['a', 'b', 'head', 'head.js']);
  assert.deepEqual(asked(from).filter((path) => path === '/head.js'), ['/head.js']);
  await lives(page);
  await visitor.close();
});

/** Where Turbo does not know a script of the head again, because its marks are not those that the server wrote. */
const REWRITTEN = {
  "another manager's": {
    change: (config) => ({ ...config, marks: { onetrust: {} } }),
    script: (name) => `<script type="text/plain" class="optanon-category-C0004" src="${VENDOR}/${name}.js"></script>`,
  },
  'of a service': {
    change: (config) => ({ ...config, service_choice: true }),
    script: (name) => `<script type="text/plain" data-service="meta-pixel">${note(name)}</script>`,
  },
  'none, with automatic blocking': {
    change: (config) => ({ ...config, blocking: { mode: 'enforce' } }),
    tag: () => rewritten.tag(''),
    script: (name) => `<script async src="${VENDOR}/${name}.js"></script>`,
  },
  'none, with the inline stub': {
    change: (config) => ({ ...config, turbo: true }),
    tag: () => `<script>${STUB}</script>${rewritten.tag('async data-assent-loader')}`,
    script: (name) => `<script async src="${VENDOR}/${name}.js" type="text/javascript"></script>`,
  },
};

let rewritten;
for (const [marks, { change, tag, script }] of Object.entries(REWRITTEN)) {
  test(`Turbo: scripts of the head run once whatever their marks (${marks})`, async () => {
    rewritten = await world({
      change(config) {
        for (const service of config.services) service.hosts = service.id === 'meta-pixel' ? ['tags.vendor.example'] : [];
        return change(config);
      },
    });
    try {
      rewritten.pages.set('/turbo.js', shop.pages.get('/turbo.js'));
      for (const [name, other] of ['ab', 'ba']) {
        rewritten.page(`/turbo-${name}`, {
          tag: tag?.(),
          // One of them the first page does not have.
          head: `<script src="/turbo.js" defer></script>${script('first')}${script('second')}${name === 'b' ? script('third') : ''}`,
          body: `<a id="on" href="/turbo-${other}">On</a>${script('body')}`,
        });
      }
      const names = async (page) => (await ran(page)).filter((name) => name !== 'body').sort();
      const visitor = await rewritten.visitor();
      const page = await open(visitor, '/turbo-a');
      for (const name of 'bab') await visit(page, name);
      assert.deepEqual(await ran(page), []);
      await control(page, 'accept').click();
      await until(async () => (await ran(page)).length >= 4, 'the tags');
      for (const [name, how] of [['a'], ['b', back(page)], ['a']]) {
        await visit(page, name, how);
        await settle(page);
      }
      assert.deepEqual(await names(page), ['first', 'second', 'third']);
      await lives(page);
      // Nor for whoever comes back, for whom they never wait. What stands in a body runs with each page.
      const again = await visitor.open('/turbo-a');
      await again.evaluate(() => void (window.marked = true));
      await until(async () => (await ran(again)).length === 3, 'the tags');
      for (const name of 'bab') {
        await visit(again, name);
        await settle(again);
      }
      assert.deepEqual(await names(again), ['first', 'second', 'third']);
      assert.ok((await ran(again)).filter((name) => name === 'body').length >= 4);
      await lives(again);
      await visitor.close();
    } finally {
      await rewritten.close();
    }
  });
}

test('Turbo: what the page’s own scripts add to the head runs as often as they add it', async () => {
  const wall = await world({ change: (config) => ({ ...config, blocking: { mode: 'enforce' } }) });
  try {
    wall.pages.set('/turbo.js', shop.pages.get('/turbo.js'));
    for (const [name, other] of ['ab', 'ba']) {
      wall.page(`/turbo-${name}`, {
        tag: wall.tag(''),
        head: '<script src="/turbo.js" defer></script>',
        body: `<a id="on" href="/turbo-${other}">On</a>`,
      });
    }
    const add = (page) =>
      page.evaluate(
        (src) => new Promise((done) => {
          const script = document.createElement('script');
          script.onload = script.onerror = ({ type }) => done(type);
          script.src = src;
          document.head.appendChild(script);
        }),
        `${VENDOR}/added.js`,
      );
    const visitor = await wall.visitor();
    const page = await open(visitor, '/turbo-a');
    await page.evaluate(() => window.assent.set({ targeting: true }));
    assert.deepEqual([await add(page), await add(page)], ['load', 'load']);
    await visit(page, 'b');
    assert.equal(await add(page), 'load');
    assert.deepEqual(await ran(page), ['added', 'added', 'added']);
    await lives(page);
    await visitor.close();
  } finally {
    await wall.close();
  }
});

test('Turbo: what it kept of a page before a withdrawal runs and loads no more', async () => {
  const visitor = await shop.visitor();
  const page = await open(visitor, '/turbo-a');
  await control(page, 'accept').click();
  await page.waitForFunction(() => document.querySelector('iframe')?.src && window.ran?.length === 3);
  await visit(page, 'b');
  await page.waitForFunction(() => window.ran.length === 4);
  await page.evaluate(() => window.assent.withdraw());
  await settle(page);
  const from = shop.recorder.requests.length;
  await visit(page, 'a', back(page));
  await settle(page);
  assert.deepEqual(asked(from), []);
  assert.equal((await ran(page)).length, 4);
  await lives(page);
  await visitor.close();
});

test('Turbo: one banner on every page, gone for good after the choice; the control stays, however far the visitor goes', async () => {
  const visitor = await shop.visitor();
  const page = await open(visitor, '/turbo-a');
  await visit(page, 'b');
  await visit(page, 'a', back(page));
  await banner(page).waitFor();
  assert.equal(await page.locator('.assent-banner').count(), 1);
  await visit(page, 'b');
  await control(page, 'reject').click();
  await reopen(page).waitFor();
  for (const [at, name] of [...'abababababab'].entries()) {
    await visit(page, name, at % 3 ? undefined : back(page));
    await reopen(page).waitFor();
    assert.deepEqual([await page.locator('.assent-banner').count(), await page.locator('.assent-reopen').count()], [0, 1], `visit ${at} ${name}`);
  }
  await reopen(page).click();
  await page.locator('#assent dialog').waitFor();
  await lives(page);
  await visitor.close();
});

test('Turbo: one placeholder for each embed, and its buttons work, also on the way back', async () => {
  const from = shop.recorder.requests.length;
  const visitor = await shop.visitor();
  const page = await open(visitor, '/turbo-a');
  await control(page, 'reject').click();
  const boxes = page.locator('.assent-placeholder');
  await boxes.first().waitFor();
  await visit(page, 'b');
  await boxes.first().waitFor();
  await visit(page, 'a', back(page));
  await settle(page);
  assert.equal(await boxes.count(), 1);
  await boxes.locator('button').first().click();
  await until(() => asked(from).length, 'the frame');
  assert.deepEqual(asked(from), ['/embed/a']);
  assert.equal(await boxes.count(), 0);
  await lives(page);
  await visitor.close();
});
