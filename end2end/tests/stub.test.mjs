// With the inline stub, tags that nobody has marked wait for the gate as well, by their host.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { banner, control, ENGINE, hasRun, ran, settle, until, world } from '../harness.mjs';
import { ROOT } from '../server.mjs';

const STUB = readFileSync(join(ROOT, 'target/assets/stub.js'), 'utf8');
const HOSTS = { 'google-analytics': ['www.googletagmanager.com'], youtube: ['www.youtube.com'], 'meta-pixel': ['connect.facebook.net', 'www.facebook.com'] };

let shop;
before(async () => {
  shop = await world({
    change(config) {
      for (const service of config.services) service.hosts = HOSTS[service.id] ?? [];
      return config;
    },
  });
  shop.page('/unmarked', {
    tag: `<script>${STUB}</script>${shop.tag("async data-assent-loader")}`,
    head: `
      <script>window.dataLayer = window.dataLayer || []; function gtag(){dataLayer.push(arguments);} gtag('js', new Date());</script>
      <script async src="https://www.googletagmanager.com/gtag/js?id=G-TEST1"></script>
      <script src="https://connect.facebook.net/en_US/fbevents.js"></script>`,
    body: '<iframe title="Film" src="https://www.youtube.com/embed/x1"></iframe><img alt="" src="https://www.facebook.com/tr?id=1">',
  });
});
after(() => shop?.close());

test('nothing of a foreign host runs or stores before the choice', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/unmarked');
  await banner(page).waitFor();
  await settle(page);
  assert.deepEqual(await ran(page), []);
  // What Firefox fetches ahead of its parser no script can hold: docs/embedding.md says so.
  if (ENGINE !== 'firefox') assert.deepEqual(await visitor.cookies(), []);
  const [first] = await page.evaluate(() => window.dataLayer.map((entry) => [...entry].slice(0, 2)));
  assert.deepEqual(first, ['consent', 'default']);
  await visitor.close();
});

test('each is released with its own category', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/unmarked');
  await banner(page).waitFor();
  await page.evaluate(() => window.assent.set({ performance: true }));
  await hasRun(page, ['gtag']);
  await settle(page);
  assert.deepEqual(await ran(page), ['gtag']);
  await page.evaluate(() => window.assent.set({ functional: true, targeting: true }));
  await hasRun(page, ['gtag', 'pixel']);
  await until(() => page.locator('iframe[src]').count(), 'the frame');
  await visitor.close();
});

test('a script that a script inserts waits as well, and tells its inserter when it has run', async () => {
  shop.page('/inserted', {
    tag: `<script>${STUB}</script>${shop.tag("async data-assent-loader")}`,
    head: `<script>
      window.heard = [];
      for (const address of ['https://connect.facebook.net/en_US/fbevents.js', 'https://cdn.example/library.js']) {
        const script = document.createElement('script');
        script.async = true;
        script.onload = () => window.heard.push(new URL(address).host);
        script.src = address;
        document.head.append(script);
      }
    </script>`,
    body: '',
  });
  const visitor = await shop.visitor();
  const page = await visitor.open('/inserted');
  await banner(page).waitFor();
  await hasRun(page, ['library']);
  await settle(page);
  assert.deepEqual(await ran(page), ['library'], 'once, and nothing of a declared host');
  await control(page, 'accept').click();
  await hasRun(page, ['library', 'pixel']);
  await settle(page);
  assert.deepEqual(await ran(page), ['library', 'pixel']);
  await until(async () => (await page.evaluate(() => window.heard)).join() === 'cdn.example,connect.facebook.net', 'the inserter to hear');
  await visitor.close();
});

/** How scripts make scripts: by name, what comes after the first line, given the address. */
const MAKING = {
  property: (script, address) => {
    script.src = address;
    script.type = 'text/javascript';
  },
  attribute: (script, address) => {
    script.setAttribute('src', address);
    script.setAttribute('type', 'text/javascript');
  },
  module: (script, address) => {
    script.src = address;
    script.type = 'module';
  },
  before: (script, address) => {
    script.type = 'text/javascript';
    script.src = address;
  },
};

test('a script waits in whatever order it gets address and type, and comes back as what it is', async () => {
  const made = Object.entries(MAKING).map(
    ([name, make]) => `{ const script = document.createElement('script'); (${make})(script, 'https://connect.facebook.net/made.js?name=${name}'); document.head.append(script); }`,
  );
  shop.page('/made', {
    tag: `<script>${STUB}</script>${shop.tag('async data-assent-loader')}`,
    head: `<script>${made.join('\n')}</script>`,
    body: '',
  });
  const visitor = await shop.visitor();
  const page = await visitor.open('/made');
  await banner(page).waitFor();
  await settle(page);
  assert.deepEqual(await ran(page), []);
  await control(page, 'accept').click();
  await hasRun(page, Object.keys(MAKING));
  await settle(page);
  assert.deepEqual((await ran(page)).sort(), Object.keys(MAKING).sort(), 'each once');
  assert.equal(await page.evaluate(() => document.querySelectorAll('script[type="module"][src*="name=module"]').length), 1);
  await visitor.close();
});

test('the tag’s own language works beside the stub, which lets the second loader pass', async () => {
  shop.page('/language', { tag: `<script>${STUB}</script>${shop.tag('async data-assent-loader data-lang="de"')}`, head: '', body: '' });
  const visitor = await shop.visitor({ locale: 'en-GB' });
  const page = await visitor.open('/language');
  await banner(page).waitFor();
  assert.equal(await page.evaluate(() => window.assent.choice().language), 'de');
  await visitor.close();
});

test('data attributes of the page’s own neither let a script run before the choice nor make it run twice', async () => {
  const script = (name, then) => `{ const script = document.createElement('script'); script.src = 'https://connect.facebook.net/own.js?name=${name}'; ${then} document.head.append(script); }`;
  shop.page('/own', {
    tag: `<script>${STUB}</script>${shop.tag('async data-assent-loader')}`,
    head: `<script>
      ${script('id', "script.setAttribute('data-type-id', '1');")}
      ${script('host', "script.dataset.host = 'x'; script.type = 'text/javascript';")}
      {
        const script = document.createElement('script');
        script.dataset.type = 'own';
        script.src = 'https://connect.facebook.net/own.js?name=type';
        script.type = 'text/javascript';
        document.head.append(script);
      }
    </script>`,
    body: '<iframe title="Film" id="film" data-assent-placeholder="none" src="https://www.youtube.com/embed/own"></iframe>',
  });
  const visitor = await shop.visitor();
  const page = await visitor.open('/own');
  await banner(page).waitFor();
  await settle(page);
  assert.deepEqual(await ran(page), []);
  assert.equal(await page.locator('#film[src]').count(), 0);
  await control(page, 'accept').click();
  await hasRun(page, ['id', 'host', 'type']);
  await until(() => page.locator('#film[src]').count(), 'the frame');
  await settle(page);
  assert.deepEqual((await ran(page)).sort(), ['host', 'id', 'type']);
  await visitor.close();
});

test('a frame waits by each of its addresses, also where it stands in the page before it has one', async () => {
  shop.page('/frames', {
    tag: `<script>${STUB}</script>${shop.tag('async data-assent-loader')}`,
    head: '',
    body: '<iframe title="Film" id="empty" data-type="own"></iframe><iframe title="Film" id="second" data-type="own" src="https://www.youtube.com/embed/first"></iframe>',
  });
  const visitor = await shop.visitor();
  const page = await visitor.open('/frames');
  await banner(page).waitFor();
  const go = (id, name) => page.evaluate(([id, name]) => void (document.getElementById(id).src = `https://www.youtube.com/embed/${name}`), [id, name]);
  const fetched = (name) => visitor.requests.some((address) => new URL(address).pathname === `/embed/${name}`);
  await go('empty', 'early');
  await go('second', 'second');
  await settle(page);
  // A foreign document would not show itself. It may have been asked for: docs/embedding.md says so.
  assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll('iframe')].map(({ src, contentDocument }) => [src, !!contentDocument])), [['', true], ['', true]]);
  await control(page, 'accept').click();
  const shown = () => page.evaluate(() => [...document.querySelectorAll('iframe')].filter(({ contentDocument }) => !contentDocument).map(({ src }) => src.replace(/.*\//, '')).join());
  await until(async () => (await shown()) === 'early,second', 'the frames');
  for (const name of ['third', 'fourth']) {
    await go('empty', name);
    await until(() => fetched(name), name);
  }
  await page.evaluate(() => {
    const late = document.createElement('iframe');
    late.title = 'Film';
    late.id = 'late';
    document.body.append(late);
  });
  await go('late', 'late');
  await until(() => fetched('late'), 'a frame that came empty after the choice');
  assert.equal(await page.locator('iframe[src]').count(), 3);
  await visitor.close();
});

test('a frame in a shadow root, which automatic blocking releases, is not held anew', async () => {
  const shop = await world({ change: (config) => known({ ...config, blocking: { mode: 'enforce' } }) });
  try {
    shop.page('/', {
      tag: `<script>${STUB}</script>${shop.tag('async data-assent-loader')}`,
      head: '',
      body: `<div id="host"></div><script>
        const frame = document.createElement('iframe');
        frame.src = 'https://films.example/embed/shadow';
        document.getElementById('host').attachShadow({ mode: 'open' }).append(frame);
      </script>`,
    });
    const visitor = await shop.visitor();
    const page = await visitor.open();
    const fetched = () => visitor.requests.includes('https://films.example/embed/shadow');
    await banner(page).waitFor();
    await settle(page);
    assert.ok(!fetched(), 'before the choice');
    await control(page, 'accept').click();
    await until(fetched, 'the frame');
    await visitor.close();
  } finally {
    await shop.close();
  }
});

test('a page that puts its own method in the place of one of the stub’s is not called in circles', async () => {
  shop.page('/method', {
    tag: `<script>${STUB}</script>${shop.tag('async data-assent-loader')}`,
    head: `<script>
      const { setAttribute } = HTMLScriptElement.prototype;
      HTMLScriptElement.prototype.setAttribute = function (name, value) {
        if (name === 'src') this.src = value;
        else setAttribute.call(this, name, value);
      };
      const script = document.createElement('script');
      script.setAttribute('src', 'https://connect.facebook.net/own.js?name=method');
      document.head.append(script);
    </script>`,
    body: '',
  });
  const visitor = await shop.visitor();
  const page = await visitor.open('/method');
  await banner(page).waitFor();
  await settle(page);
  assert.deepEqual(await ran(page), []);
  await control(page, 'accept').click();
  await hasRun(page, ['method']);
  await visitor.close();
});

test('a marked tag runs once beside the stub', async () => {
  shop.page('/both', {
    tag: `<script>${STUB}</script>${shop.tag("async data-assent-loader")}`,
    head: '<script type="text/plain" data-category="targeting" src="https://tags.vendor.example/marked.js"></script>',
    body: '',
  });
  const visitor = await shop.visitor();
  const page = await visitor.open('/both');
  await control(page, 'accept').click();
  await hasRun(page, ['marked']);
  await settle(page);
  assert.deepEqual(await ran(page), ['marked']);
  await visitor.close();
});

test('calls made before the loader has arrived are kept', async () => {
  shop.page('/queue', {
    tag: `<script>${STUB}</script>${shop.tag("async data-assent-loader")}`,
    head: "<script>window.heard = []; window.assent.on('change', (choice) => window.heard.push(choice.targeting));</script>",
    body: '',
  });
  const visitor = await shop.visitor();
  const page = await visitor.open('/queue');
  await control(page, 'accept').click();
  await until(() => page.evaluate(() => window.heard.length), 'the change');
  assert.deepEqual(await page.evaluate(() => window.heard), [true]);
  await visitor.close();
});

/** Of a declared host, of a declared path, of a declared file, of the rest of that host, and of hosts that the site calls its own. */
const PLACES = {
  host: 'films.example/host.js',
  path: 'tags.vendor.example/maps/path.js',
  file: 'tags.vendor.example/file.js',
  rest: 'tags.vendor.example/rest.js',
  allowed: 'cdn.allowed.example/allowed.js',
  own: 'img.sister-shop.example/own.js',
};
const known = (config) => {
  config.services.find(({ id }) => id === 'youtube').hosts = ['films.example', 'tags.vendor.example/maps/*', 'tags.vendor.example/file.js'];
  return { ...config, origins: [...config.origins, 'https://www.sister-shop.example'] };
};
const MODES = {
  off: ['allowed', 'own', 'rest'],
  report: ['allowed', 'own', 'rest'],
  enforce: ['allowed', 'own'],
};
for (const [mode, free] of Object.entries(MODES)) {
  test(`blocking ${mode}: declared hosts and paths wait, the others as the mode says`, async () => {
    const shop = await world({ change: (config) => known({ ...config, blocking: { mode, hold_unknown: true, allow: ['cdn.allowed.example'] } }) });
    try {
      shop.page('/', {
        tag: `<script>${STUB}</script>${shop.tag('async data-assent-loader')}`,
        head: Object.entries(PLACES).map(([name, place]) => `<script src="https://${place}?name=${name}"></script>`).join(''),
        body: '',
      });
      const visitor = await shop.visitor();
      const page = await visitor.open();
      await banner(page).waitFor();
      await hasRun(page, free);
      await settle(page);
      assert.deepEqual((await ran(page)).sort(), free);
      await page.evaluate(() => window.assent.set({ functional: true }));
      const declared = ['host', 'path', 'file', ...free];
      await hasRun(page, declared);
      await settle(page);
      assert.deepEqual((await ran(page)).sort(), declared.sort());
      await page.evaluate(() => window.assent.set({ performance: true, targeting: true }));
      await hasRun(page, Object.keys(PLACES));
      await visitor.close();
    } finally {
      await shop.close();
    }
  });
}

test('a mark of ours decides also on what could run; any other word there is no mark', async () => {
  shop.page('/words', {
    tag: `<script>${STUB}</script>${shop.tag("async data-assent-loader")}`,
    head: `
      <script data-category="targeting" src="https://tags.vendor.example/marked.js"></script>
      <script type="text/plain" data-category="targeting" src="https://tags.vendor.example/inert.js"></script>
      <script data-category="shoes" src="https://www.youtube.com/shoes.js"></script>
      <script data-category="shoes" src="https://tags.vendor.example/unknown.js"></script>`,
    body: `
      <img alt="" id="shoes" data-category="shoes" src="https://www.youtube.com/x.gif">
      <iframe title="Film" id="film" data-category="functional" data-src="https://www.youtube.com/embed/x1"></iframe>
      <iframe title="Late" id="late"></iframe>
      <script>Object.assign(document.getElementById('late').dataset, { src: 'https://www.youtube.com/embed/x2', category: 'functional' });</script>`,
  });
  const visitor = await shop.visitor();
  const page = await visitor.open('/words');
  await banner(page).waitFor();
  await hasRun(page, ['unknown']);
  await settle(page);
  assert.deepEqual(await ran(page), ['unknown']);
  assert.equal(await page.locator('#shoes[src], iframe[src]').count(), 0);
  await page.evaluate(() => window.assent.set({ functional: true }));
  await hasRun(page, ['unknown', 'shoes']);
  await until(async () => (await page.locator('#shoes[src], #film[src], #late[src]').count()) === 3, 'what is functional');
  await page.evaluate(() => window.assent.set({ targeting: true }));
  await hasRun(page, ['unknown', 'shoes', 'marked', 'inert']);
  await settle(page);
  assert.equal((await ran(page)).length, 4, 'each once');
  await visitor.close();
});

test('an address that is none does not keep what follows from being held', async () => {
  shop.page('/broken', {
    tag: `<script>${STUB}</script>${shop.tag("async data-assent-loader")}`,
    head: '',
    body: '<div><img alt="" src="https://"><img alt="" src="https://:x/"><iframe title="Film" src="https://www.youtube.com/embed/x1"></iframe></div>',
  });
  const visitor = await shop.visitor();
  const page = await visitor.open('/broken');
  await banner(page).waitFor();
  assert.equal(await page.locator('iframe[src]').count(), 0);
  await visitor.close();
});

/** A site whose visitors choose by service and whose pages are marked for OneTrust. */
test('inert scripts with marks that are not the stub’s to read run when they are released, and nothing behind them waits', async () => {
  const other = await world({
    change: (config) => ({ ...config, service_choice: true, marks: { onetrust: {} } }),
  });
  try {
    const inert = (marks, name) => `<script type="text/plain" ${marks} src="https://tags.vendor.example/${name}.js?name=${name}"></script>`;
    other.page('/inert', {
      tag: `<script>${STUB}</script>${other.tag('async data-assent-loader')}`,
      head: `
        <script type="text/x-template" src="https://tags.vendor.example/template.html"></script>
        <script data-category="Targeting" src="https://tags.vendor.example/capital.js?name=capital"></script>
        ${inert('class="optanon-category-C0002"', 'onetrust')}
        ${inert('data-service="hotjar"', 'service')}
        ${inert('data-category="functional"', 'category')}
        <script type="text/plain" data-category="performance">(window.ran ??= []).push('inline')</script>`,
      body: '',
    });
    const visitor = await other.visitor();
    const page = await visitor.open('/inert');
    await banner(page).waitFor();
    await settle(page);
    assert.deepEqual(await ran(page), []);
    await page.evaluate(() => window.assent.set({ performance: true, functional: true }));
    await hasRun(page, ['onetrust', 'service', 'category', 'inline']);
    await settle(page);
    await page.evaluate(() => window.assent.set({ targeting: true }));
    await hasRun(page, ['onetrust', 'service', 'category', 'inline', 'capital']);
    await visitor.close();
  } finally {
    await other.close();
  }
});
