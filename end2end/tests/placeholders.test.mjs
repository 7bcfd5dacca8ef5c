// A held embed shows what it is and from whom, and loads once or always.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

import { control, errors, not, settle, until, world } from '../harness.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const FILM = 'https://www.youtube.com/embed/x1';
const MAP = 'https://www.google.com/maps/embed?pb=1';

const film = (attributes = 'width="560" height="315"') => `<iframe title="A film" data-category="functional" data-src="${FILM}" ${attributes}></iframe>`;
const map = `<iframe title="A map" data-category="functional targeting" data-src="${MAP}" width="400" height="300"></iframe>`;

/** Notes where things are before a placeholder has come. */
const NOTE_LAYOUT = `<script>addEventListener('load', () => {
  const { width, height } = document.querySelector('iframe').getBoundingClientRect();
  window.layout = { held: [width, height], below: document.querySelector('#after').getBoundingClientRect().top };
})</script>`;

const NO_OPTIONS = 'the driver sets neither language nor colour scheme';

let shop;
before(async () => {
  shop = await world({
    change(config) {
      config.services.find(({ id }) => id === 'youtube').hosts = ['*.youtube.com'];
      return config;
    },
  });
  const page = (path, body, more) => shop.page(path, { head: '', body, ...more });
  page('/film', `<p id="before">Before</p>${film()}<p id="after">After</p>${NOTE_LAYOUT}`);
  page('/two', film() + map);
  page('/nothing', '<script type="text/plain" data-category="targeting"></script><img alt="" data-category="targeting" data-src="https://www.facebook.com/tr?id=1">');
});
after(() => shop?.close());

const placeholder = (page, name = 'A film') => page.getByRole('group', { name });
const button = (page, label, name) => placeholder(page, name).getByRole('button', { name: label });
const size = (page, selector) =>
  page.evaluate((selector) => {
    const { width, height } = document.querySelector(selector).getBoundingClientRect();
    return [width, height];
  }, selector);
const asked = (visitor, url = FILM) => visitor.requests.filter((other) => other === url).length;
const late = (visitor) => visitor.requests.filter((url) => url.endsWith('/late.js')).length;

test('it says what is held, from whom and why, and nothing moves', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/film');
  const top = () => page.evaluate(() => document.querySelector('#after').getBoundingClientRect().top);
  const { held, below } = await page.evaluate(() => window.layout);
  await placeholder(page).waitFor();
  const text = await placeholder(page).innerText();
  for (const said of ['A film', 'YouTube (YouTube Limited)', 'www.youtube.com', 'Functional Cookies']) assert.ok(text.includes(said), `${said} in ${text}`);
  assert.deepEqual(await size(page, '.assent-placeholder'), held);
  assert.equal(await top(), below, 'shown');
  assert.equal(await page.locator('iframe').isVisible(), false);
  assert.deepEqual(visitor.foreign(), []);
  await button(page, 'Load once').click();
  await page.locator('iframe').waitFor();
  assert.equal(await placeholder(page).count(), 0);
  assert.equal(await top(), below, 'loaded');
  await until(() => asked(visitor) === 1, 'the film');
  assert.equal(await visitor.consent(), null, 'no choice was made');
  await visitor.close();
});

test('by keyboard, and the focus goes to what was loaded', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/two');
  // By no click: the focus would go from the banner to the control that comes after it, at some time.
  await page.evaluate(() => window.assent.withdraw());
  await button(page, 'Load once').waitFor();
  await page.locator('#first').focus();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Load once');
  await page.keyboard.press('Enter');
  await until(() => asked(visitor), 'the film');
  assert.equal(await page.evaluate(() => document.activeElement.title), 'A film');
  await button(page, 'Always allow', 'A map').focus();
  await page.keyboard.press('Space');
  await until(() => asked(visitor, MAP), 'the map');
  assert.equal(await page.evaluate(() => document.activeElement.title), 'A map');
  await visitor.close();
});

test('once: for the tab, across its pages, and until a choice says otherwise', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/film');
  await button(page, 'Load once').click();
  await until(() => asked(visitor) === 1, 'the film');
  await page.goto(shop.at('/two'));
  await until(() => asked(visitor) === 2, 'the film on the next page');
  await placeholder(page, 'A map').waitFor();
  assert.equal(await placeholder(page).count(), 0);
  assert.equal(asked(visitor, MAP), 0);
  const other = await visitor.open('/film');
  await placeholder(other).waitFor();
  assert.equal(asked(visitor), 2, 'not in another tab');
  // Refused in the other tab: it ends in this one, too.
  await control(other, 'reject').click();
  await placeholder(page).waitFor();
  await page.goto(shop.at('/film'));
  await placeholder(page).waitFor();
  await settle(page);
  assert.equal(asked(visitor), 2);
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  await visitor.close();
});

test('once ends with a choice that was made while the page was away', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/film');
  await button(page, 'Load once').click();
  await until(() => asked(visitor) === 1, 'the film');
  await page.goto(shop.at('/nothing'));
  await control(page, 'reject').click();
  await visitor.chosen();
  await page.goto(shop.at('/film'));
  await placeholder(page).waitFor();
  assert.equal(asked(visitor), 1);
  await visitor.close();
});

test('always: grants every category that the embed names, and ends nothing that was loaded once', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/two');
  shop.page('/video', { head: '', body: `<video title="Clip" controls data-category="performance" data-src="https://tags.vendor.example/embed.mp4" width="320" height="240"></video>${film()}` });
  await page.goto(shop.at('/video'));
  await button(page, 'Load once', 'Clip').click();
  await until(() => visitor.foreign().length === 1, 'the clip');
  await button(page, 'Always allow').click();
  await until(() => asked(visitor) === 1, 'the film');
  const { granted, key, record } = await visitor.consent();
  assert.equal(granted, 0b0101);
  const stored = await until(() => shop.server.record('shop', record, key), 'the record');
  assert.deepEqual([stored.record.method, stored.record.event], ['embed', 'given']);
  assert.ok(await page.evaluate(() => document.querySelector('video').hasAttribute('src')), 'still loaded');
  await page.goto(shop.at('/two'));
  await button(page, 'Always allow', 'A map').click();
  await until(() => asked(visitor, MAP), 'the map');
  assert.equal((await visitor.consent()).granted, 0b1101);
  await page.goto(shop.at('/video'));
  await until(() => page.evaluate(() => document.querySelector('video').hasAttribute('src')), 'the clip on the next page');
  await visitor.close();
});

test('it goes with the choice, and comes back with the withdrawal', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/film');
  await placeholder(page).waitFor();
  await page.evaluate(() => window.assent.set({ functional: true }));
  await placeholder(page).waitFor({ state: 'detached' });
  await page.locator('iframe').waitFor();
  await page.evaluate(() => window.assent.withdraw());
  await placeholder(page).waitFor();
  assert.equal(await page.locator('iframe').isVisible(), false);
  await button(page, 'Load once').click();
  await page.locator('iframe').waitFor();
  await page.evaluate(() => window.assent.withdraw());
  await placeholder(page).waitFor();
  assert.equal(await page.evaluate(() => document.querySelector('iframe').hasAttribute('src')), false);
  await visitor.close();
});

const KINDS = {
  iframe: film('style="width: 50%; height: 20em; float: right; margin: 1em auto"'),
  absolute: `<div style="position: relative; padding-bottom: 40%; height: 0">${film('style="position: absolute; inset: 0; width: 100%; height: 100%; border: 0"')}</div>`,
  flex: `<div style="display: flex; gap: 8px">${film('style="flex: 1"')}<p style="flex: 2">Beside it</p></div>`,
  grid: `<div style="display: grid; grid-template-columns: 1fr 2fr 1fr"><p>One</p>${film('style="width: 100%; border: 0; grid-area: 1 / 2 / 3 / 4"')}<p>Two</p></div>`,
  video: `<video aria-label="A film" controls data-category="functional" data-poster="https://tags.vendor.example/p.gif" style="width: 70%" width="640" height="360"><source data-category="functional" data-src="https://tags.vendor.example/v.mp4"></video>`,
  sources: `<video aria-label="A film" controls width="400" height="250"><source data-category="functional" data-src="https://tags.vendor.example/v.mp4"></video>`,
  audio: `<audio title="A film" controls data-category="functional" data-src="https://tags.vendor.example/a.mp3"></audio>`,
};
for (const [kind, body] of Object.entries(KINDS)) {
  test(`${kind}: stands where the embed stood, at every width`, async () => {
    shop.page('/kind', { head: '', body: `${body}<p id="after">After</p>` });
    const visitor = await shop.visitor();
    const page = await visitor.open('/kind');
    const rects = () =>
      page.evaluate(() =>
        [document.querySelector('.assent-placeholder') ?? document.querySelector('iframe,video,audio'), document.querySelector('#after')].map((node) => {
          const { x, y, width, height } = node.getBoundingClientRect();
          return [x, y + scrollY, width, height].map((length) => Math.round(length * 4) / 4);
        }),
      );
    const held = await rects();
    await placeholder(page).waitFor();
    assert.deepEqual(await rects(), held);
    await page.setViewportSize({ width: 700, height: 600 });
    await settle(page);
    const narrow = await rects();
    await button(page, 'Load once').click();
    await placeholder(page).waitFor({ state: 'detached' });
    assert.deepEqual(await rects(), narrow);
    await visitor.close();
  });
}

test('object and embed: the size that they ask for', async () => {
  shop.page('/object', {
    head: '',
    body: `<object title="One" data-category="functional" data-data="https://tags.vendor.example/embed/o" type="text/html" width="400" height="200">A text</object>
<embed title="Two" data-category="functional" data-src="https://tags.vendor.example/embed/e" type="text/html" width="410" height="210">`,
  });
  const visitor = await shop.visitor();
  const page = await visitor.open('/object');
  for (const [name, tag, width, height] of [
    ['One', 'object', 400, 200],
    ['Two', 'embed', 410, 210],
  ]) {
    const box = await placeholder(page, name).boundingBox();
    assert.deepEqual([box.width, box.height], [width, height]);
    await button(page, 'Load once', name).click();
    await placeholder(page, name).waitFor({ state: 'detached' });
    // Firefox shows the text of an object until its content has come.
    await until(async () => (await size(page, tag)).join() === `${width},${height}`, `the size of ${tag}`);
    assert.equal(await page.evaluate(() => document.activeElement.title), name);
  }
  await until(() => visitor.foreign().length === 2, 'both');
  assert.deepEqual(visitor.foreign().sort(), ['https://tags.vendor.example/embed/e', 'https://tags.vendor.example/embed/o']);
  await visitor.close();
});

test('nothing stands for what is not to be seen, or has a stand-in, or is not ours', async () => {
  shop.page('/none', {
    head: '',
    body:
      film('style="display: none"') +
      film('width="1" height="1"') +
      film('width="0" height="0" style="visibility: hidden"') +
      film('width="400" height="300" data-assent-placeholder="none"') +
      film('width="400" height="300" src="about:blank"') +
      '<iframe data-category="landscape" data-src="https://www.youtube.com/embed/x2" width="400" height="300"></iframe>' +
      '<iframe data-category="functional" data-src="javascript:alert(1)" width="400" height="300"></iframe>' +
      '<audio data-category="functional" data-src="https://tags.vendor.example/a.mp3"></audio>' +
      '<iframe title="A map" data-category="functional" data-src="https://maps.vendor.example/maps" width="400" height="300"></iframe>',
  });
  const visitor = await shop.visitor();
  const page = await visitor.open('/none');
  await placeholder(page, 'A map').waitFor();
  assert.equal(await page.locator('.assent-placeholder').count(), 1);
  assert.match(await placeholder(page, 'A map').innerText(), /comes from maps\.vendor\.example\. /);
  await visitor.close();
});

test('in a part that is shown later, and for what is added later', async () => {
  shop.page('/tabs', { head: '', body: `<div id="tab" style="display: none">${film('style="width: 100%; height: 300px"')}</div>` });
  const visitor = await shop.visitor();
  const page = await visitor.open('/tabs');
  await page.locator('.assent-placeholder').waitFor({ state: 'attached' });
  await page.evaluate(() => (document.querySelector('#tab').style.display = ''));
  await placeholder(page).waitFor();
  const width = await page.evaluate(() => document.querySelector('#tab').clientWidth);
  await until(async () => (await size(page, '.assent-placeholder')).join() === `${width},304`, 'the size');
  await page.evaluate((html) => document.querySelector('main').insertAdjacentHTML('beforeend', html), map);
  await placeholder(page, 'A map').waitFor();
  await visitor.close();
});

test('a framework may take away either', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/film');
  await placeholder(page).waitFor();
  await page.evaluate(() => document.querySelector('.assent-placeholder').remove());
  await placeholder(page).waitFor();
  await page.evaluate(() => {
    window.frame = document.querySelector('iframe');
    window.frame.remove();
  });
  await placeholder(page).waitFor({ state: 'detached' });
  await page.evaluate(() => document.querySelector('main').append(window.frame));
  await placeholder(page).waitFor();
  await button(page, 'Load once').click();
  await until(() => asked(visitor) === 1, 'the film');
  // A framework renders it anew: another element, the same content.
  await page.evaluate((html) => (document.querySelector('main').innerHTML = html), film());
  await until(() => asked(visitor) === 2, 'the film in a new element');
  // One that takes it away whenever it sees it wins, and the page goes on.
  await page.evaluate((html) => {
    window.removed = 0;
    new MutationObserver(() => document.querySelectorAll('.assent-placeholder').forEach((box) => (window.removed++, box.remove()))).observe(document, { childList: true, subtree: true });
    document.querySelector('main').innerHTML = html;
  }, map);
  await settle(page);
  assert.ok((await page.evaluate(() => window.removed)) < 20);
  assert.equal(await page.locator('iframe').isVisible(), true);
  assert.deepEqual(await errors(page), []);
  await visitor.close();
});

test('a copy of the page, as one that was kept for going back, brings no second one', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/film');
  await placeholder(page).waitFor();
  await page.evaluate(() => {
    const main = document.querySelector('main');
    main.outerHTML = main.outerHTML;
  });
  await settle(page);
  assert.equal(await placeholder(page).count(), 1);
  await button(page, 'Load once').click();
  await until(() => asked(visitor) === 1, 'the film');
  assert.equal(await placeholder(page).count(), 0);
  await visitor.close();
});

test('a strict Content Security Policy lets it stand', async () => {
  const policy = `default-src 'none'; script-src ${shop.server.origin}; connect-src ${shop.server.origin}; frame-src https:; style-src 'none'`;
  shop.page('/strict', { head: '', body: film(), headers: { 'content-security-policy': policy } });
  const visitor = await shop.visitor();
  const page = await visitor.open('/strict');
  await placeholder(page).waitFor();
  assert.equal(await page.locator('iframe').isVisible(), false);
  assert.deepEqual(await size(page, '.assent-placeholder'), [564, 319]);
  await visitor.close();
});

test('what the stub holds by its host has one, too', async () => {
  const stub = (await (await fetch(`${shop.server.url}/s/shop.js`)).text()) && readFileSync(new URL('../../target/assets/stub.js', import.meta.url), 'utf8');
  shop.page('/stub', { tag: `<script>${stub}</script>${shop.tag('async data-assent-loader')}`, head: '', body: `<iframe title="A film" src="${FILM}" width="560" height="315"></iframe>` });
  const visitor = await shop.visitor();
  const page = await visitor.open('/stub');
  await placeholder(page).waitFor();
  assert.match(await placeholder(page).innerText(), /Functional Cookies/);
  await button(page, 'Always allow').click();
  await placeholder(page).waitFor({ state: 'detached' });
  assert.equal((await visitor.consent()).granted, 0b0101);
  await visitor.close();
});

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing, ${colorScheme}`, not({ firefox: NO_OPTIONS, webkit: NO_OPTIONS }), async () => {
    shop.page('/axe', { head: '', body: film() + map + film('width="300" height="60"') + film('width="300" height="120"') });
    for (const viewport of [
      { width: 1280, height: 800 },
      { width: 360, height: 640 },
    ]) {
      const visitor = await shop.visitor({ colorScheme, viewport });
      const page = await visitor.open('/axe');
      await control(page, 'reject').click();
      await until(async () => (await page.locator('.assent-placeholder').count()) === 4, 'the placeholders');
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join('; ')}`), []);
      await visitor.close();
    }
  });
}

test('in the language of the banner', not({ firefox: NO_OPTIONS, webkit: NO_OPTIONS }), async () => {
  const visitor = await shop.visitor({ locale: 'de-DE' });
  const page = await visitor.open('/film');
  await button(page, 'Einmal laden').waitFor();
  assert.equal(await placeholder(page).getAttribute('lang'), 'de');
  await visitor.close();
});

test('late.js comes only where an embed is held', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/nothing');
  await settle(page);
  await settle(page);
  assert.equal(late(visitor), 0);
  await page.evaluate((html) => document.body.insertAdjacentHTML('beforeend', html), film());
  await until(() => late(visitor) === 1, 'late.js');
  await placeholder(page).waitFor();
  await control(page, 'accept').click();
  await page.goto(shop.at('/film'));
  await until(() => asked(visitor), 'the film');
  await settle(page);
  await settle(page);
  assert.equal(late(visitor), 1, 'released from the start');
  await visitor.close();
});

test('an owner can do without', async () => {
  const plain = await world({ change: (config) => ({ ...config, placeholders: false }) });
  try {
    plain.page('/film', { head: '', body: film() });
    const visitor = await plain.visitor();
    const page = await visitor.open('/film');
    await settle(page);
    await settle(page);
    assert.equal(late(visitor), 0);
    await visitor.close();
  } finally {
    await plain.close();
  }
});
