// Released scripts keep their order and their attributes.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';

import { control, hasRun, ran, settle, world } from '../harness.mjs';

const held = (attributes, text = '') => `<script type="text/plain" data-category="performance" ${attributes}>${text}</script>`;
const push = (name) => `(window.ran ??= []).push('${name}')`;
const vendor = (name, wait = 0) => `src="https://tags.vendor.example/${name}.js?wait=${wait}"`;

const MIXED = [
  held(vendor('a', 400)),
  held('', push('b')),
  held(vendor('c', 50)),
  held('', push('d')),
  held(`async ${vendor('quick')}`),
  held(`defer ${vendor('deferred', 50)}`),
  held('data-type="module"', `${push('module')}`),
  held('', push('e')),
].join('\n');
const NAMES = ['a', 'b', 'c', 'd', 'e', 'quick', 'deferred', 'module'];

/** A page that comes in three parts: the first two end in the middle of an inline script. */
const inParts = (tag) => [
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Parts</title><link rel="icon" href="data:,">${tag}</head><body>
<script type="text/plain" data-category="performance">${push('begin')};`,
  `\n${push('middle')};`,
  `\n${push('end')};</script>${held('', push('after'))}<p>The end</p></body></html>`,
];

let shop;
before(async () => {
  shop = await world();
  shop.pages.set('/parts', { body: inParts(shop.tag()) });
  shop.pages.set('/parts-sync', { body: inParts(shop.tag('')) });
  shop.page('/mixed', { head: MIXED, body: '' });
  shop.page('/mixed-sync', { tag: shop.tag(''), head: MIXED, body: `<script>${push('page')}</script>` });
});
after(() => shop?.close());

const inOrder = (order, ...names) => {
  const places = names.map((name) => order.indexOf(name));
  assert.deepEqual(places, [...places].sort((one, other) => one - other), order.join(' '));
};

test('released on a click: document order, async free of it', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/mixed');
  await control(page, 'accept').click();
  await hasRun(page, NAMES);
  const order = await ran(page);
  inOrder(order, 'a', 'b', 'c', 'd', 'e');
  inOrder(order, 'quick', 'a');
  await visitor.close();
});

test('released while the parser runs: the same, and deferred ones after the parser', async () => {
  const visitor = await shop.visitor();
  const first = await visitor.open('/mixed-sync');
  await control(first, 'accept').click();
  await hasRun(first, [...NAMES, 'page']);
  const page = await visitor.open('/mixed-sync');
  await hasRun(page, [...NAMES, 'page']);
  const order = await ran(page);
  inOrder(order, 'a', 'b', 'c', 'd', 'e');
  inOrder(order, 'page', 'deferred');
  inOrder(order, 'page', 'module');
  await visitor.close();
});

test('each runs once, however often the choice changes', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/mixed');
  await control(page, 'accept').click();
  await hasRun(page, NAMES);
  await page.evaluate(() => window.assent.withdraw());
  await page.evaluate(() => window.assent.set({ performance: true }));
  await settle(page);
  assert.equal((await ran(page)).length, NAMES.length);
  await visitor.close();
});

test('attributes are kept, integrity is enforced', async () => {
  const code = '(window.ran ??= []).push("sri");';
  const good = `sha384-${createHash('sha384').update(code).digest('base64')}`;
  const bad = good.replace(/-../, '-AA');
  shop.page('/attributes', {
    head:
      held(`id="kept" class="x" data-foo="bar" crossorigin="anonymous" referrerpolicy="no-referrer" integrity="${good}" ${vendor('sri')}`) +
      held(`crossorigin="anonymous" integrity="${bad}" src="https://tags.vendor.example/altered.js"`) +
      held('', push('after')),
    body: '',
  });
  const visitor = await shop.visitor();
  const page = await visitor.open('/attributes');
  await control(page, 'accept').click();
  await hasRun(page, ['sri', 'after']);
  assert.deepEqual(
    await page.evaluate(() => {
      const script = document.getElementById('kept');
      return [script.className, script.dataset.foo, script.crossOrigin, script.referrerPolicy, script.integrity.length];
    }),
    ['x', 'bar', 'anonymous', 'no-referrer', good.length],
  );
  await visitor.close();
});

test('a tag of two categories needs both, an unknown category is never released', async () => {
  shop.page('/several', {
    head: `
      <script type="text/plain" data-category="performance targeting">${push('both')}</script>
      <script type="text/plain" data-category="marketing">${push('unknown')}</script>
      <script type="text/plain" data-category="">${push('empty')}</script>
      <script type="text/plain" data-category="necessary">${push('necessary')}</script>`,
    body: '',
  });
  const visitor = await shop.visitor();
  const page = await visitor.open('/several');
  await hasRun(page, ['necessary']);
  await page.evaluate(() => window.assent.set({ performance: true }));
  await settle(page);
  assert.deepEqual(await ran(page), ['necessary']);
  await page.evaluate(() => window.assent.set({ targeting: true, functional: true }));
  await hasRun(page, ['necessary', 'both']);
  await settle(page);
  assert.deepEqual(await ran(page), ['necessary', 'both']);
  await visitor.close();
});

for (const path of ['/parts', '/parts-sync']) {
  test(`an inline script that comes in parts runs when it is whole, ${path}`, async () => {
    const visitor = await shop.visitor();
    const first = await visitor.open('/mixed');
    await control(first, 'accept').click();
    await hasRun(first, NAMES);
    const page = await visitor.open(path);
    await hasRun(page, ['begin', 'middle', 'end', 'after']);
    assert.deepEqual(await ran(page), ['begin', 'middle', 'end', 'after']);
    await visitor.close();
  });
}
