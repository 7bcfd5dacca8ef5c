// The archive of notices: what a visitor was shown can be seen again as it was, and nothing works there.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';

import { acknowledged, banner, control, dialog, errors, not, until, world } from '../harness.mjs';

let shop;
before(async () => (shop = await world()));
after(() => shop?.close());

/** What an element and all below it look like, as far as it does not depend on the width: one entry for each. */
const looks = (root) => {
  const NAMES = ['color', 'backgroundColor', 'fontSize', 'fontWeight', 'lineHeight', 'padding', 'borderRadius', 'display', 'minHeight'];
  return [root, ...root.querySelectorAll('*')].map((element) => {
    const style = getComputedStyle(element);
    const { width } = element.getBoundingClientRect();
    return [element.tagName, element.className, ...(width ? NAMES.map((name) => style[name]) : [])].join(' ');
  });
};

/** What an element and all below it say: each with its attributes in any order, and its own text. */
const markup = (root) =>
  [root, ...root.querySelectorAll('*')].map((element) => {
    const attributes = [...element.attributes].filter(({ name }) => name !== 'open').map(({ name, value }) => `${name}="${value}"`);
    const texts = [...element.childNodes].filter(({ nodeType }) => nodeType === Node.TEXT_NODE).map(({ data }) => data);
    return [element.tagName, ...attributes.sort(), texts.join('')].join(' ');
  });

const archived = (hash) => `${shop.server.origin}/v1/sites/shop/notices/${hash}`;

const FRAMES = { skip: not({ firefox: 'its driver does not reach into frames', webkit: 'its driver does not reach into frames' }).skip };

test('the old notice is replayed as it looked, after texts have changed, and nothing works there', FRAMES, async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await banner(page).waitFor();
  const then = {
    html: await banner(page).evaluate(markup),
    looks: await banner(page).evaluate(looks),
  };
  const words = await banner(page).innerText();
  await control(page, 'settings').click();
  await dialog(page).waitFor();
  const opened = { html: await dialog(page).evaluate(markup), looks: await dialog(page).evaluate(looks) };
  await control(page, 'confirm').click();
  await acknowledged(page);
  const { key, record } = await visitor.consent();
  const { notice } = (await shop.server.record('shop', record, key)).record;
  await visitor.close();

  const { texts } = shop.config;
  await shop.server.publish({ ...shop.config, texts: { ...texts, en: { ...texts?.en, banner_title: 'Another title', dialog_title: 'Another title' } } });
  const loader = async () => (await fetch(`${shop.server.url}/s/shop.js?lang=en`)).text();
  await until(async () => (await loader()).includes('Another title'), 'the new texts', 60_000);
  const later = await shop.visitor();
  const now = await later.open();
  await banner(now).waitFor();
  assert.notEqual(await banner(now).innerText(), words);
  await now.close();

  // Whoever has the address computes the hash: `curl … | sha256sum`.
  const bytes = Buffer.from(await (await fetch(archived(notice).replace(shop.server.origin, shop.server.url))).arrayBuffer());
  assert.equal(createHash('sha256').update(bytes).digest('hex'), notice);

  const replay = await later.context.newPage();
  await replay.goto(`${archived(notice)}/replay`);
  const asked = later.requests.length;
  const frame = async (name) => (await replay.locator(`iframe.${name}`).elementHandle()).contentFrame();
  const shown = await (await frame('banner')).waitForSelector('.assent-banner');
  assert.deepEqual(await shown.evaluate(markup), then.html);
  assert.deepEqual(await shown.evaluate(looks), then.looks);
  assert.equal(await shown.innerText(), words);
  const dialogFrame = await (await frame('dialog')).waitForSelector('dialog');
  assert.deepEqual(await dialogFrame.evaluate(markup), opened.html);
  assert.deepEqual(await dialogFrame.evaluate(looks), opened.looks);
  const unfolded = await (await frame('unfolded')).waitForSelector('dialog');
  assert.match(await unfolded.innerText(), /What Hotjar is for/);

  // Nothing runs, is sent, or leads away.
  for (const [name, selector] of [['banner', '[data-assent-do=accept]'], ['banner', 'a'], ['dialog', '[data-assent-do=accept-all]'], ['dialog', 'a']]) {
    await (await frame(name)).locator(selector).first().click();
  }
  await replay.waitForTimeout(700);
  const icon = (url) => url.endsWith('/favicon.svg');
  assert.deepEqual(later.requests.slice(asked).filter((url) => !icon(url)), []);
  assert.equal(await (await (await frame('banner')).waitForSelector('.assent-banner')).innerText(), words);
  assert.deepEqual((await later.cookies()).filter((name) => name.startsWith('assent')), []);
  assert.deepEqual(await errors(replay), []);
  await later.close();
});

test('from the center to what was shown', async () => {
  const visitor = await shop.visitor({ javaScriptEnabled: false });
  const page = await visitor.context.newPage();
  await page.goto(`${shop.server.origin}/c/shop`);
  await page.locator('button[name=do][value=accept]').click();
  await page.waitForURL(`${shop.server.origin}/c/shop**saved=1`);
  await page.locator('a.replay').click();
  await page.waitForURL('**/replay');
  assert.match(await page.locator('main').innerText(), /SHA-256/);
  assert.equal(await page.locator('iframe').count(), 3);
  await visitor.close();
});
