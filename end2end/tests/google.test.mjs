// Google Consent Mode v2: default before any tag, all seven types, update on a choice.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, control, until, world } from '../harness.mjs';

const TYPES = ['ad_storage', 'ad_user_data', 'ad_personalization', 'analytics_storage', 'functionality_storage', 'personalization_storage', 'security_storage'];
const GTAG = `<script>window.dataLayer = window.dataLayer || []; function gtag(){dataLayer.push(arguments);} gtag('js', new Date()); gtag('config', 'G-TEST1');</script>`;
/** Held until performance is granted: keeps what the layer holds when it runs. */
const HELD = `<script type="text/plain" data-category="performance">window.met = (window.dataLayer ?? []).map((entry) => [...entry]);</script>`;
/** Page → how its loader stands there. */
const PLACES = [
  ['/held-sync', ''],
  ['/held-async', 'async'],
];

let shop;
before(async () => {
  shop = await world();
  shop.page('/advanced', { tag: shop.tag(''), head: GTAG, body: '' });
  for (const [path, attributes] of PLACES) shop.page(path, { tag: shop.tag(attributes), head: HELD, body: '' });
});
after(() => shop?.close());

/** The consent commands, and what came before the first of them, as Google's tag would read them. */
const layer = (page) =>
  page.evaluate(() =>
    (window.dataLayer ?? []).map((entry) => (Object.prototype.toString.call(entry) === '[object Arguments]' ? [...entry] : ['not arguments'])),
  );
const granted = (types) => TYPES.filter((type) => types[type] === 'granted');

test('default stands before every other command and denies all but security', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/advanced');
  const [first, ...rest] = await layer(page);
  assert.deepEqual(first.slice(0, 2), ['consent', 'default']);
  for (const type of TYPES) assert.ok(['granted', 'denied'].includes(first[2][type]), type);
  assert.deepEqual(granted(first[2]), ['security_storage']);
  assert.ok(rest.some(([command]) => command === 'config'));
  assert.ok(!rest.some(([command]) => command === 'consent'), 'no update before the choice');
  await visitor.close();
});

test('update follows the choice, by category', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/advanced');
  await banner(page).waitFor();
  const last = async () => (await layer(page)).filter(([command, kind]) => command === 'consent' && kind === 'update').at(-1)?.[2];
  await page.evaluate(() => window.assent.set({ performance: true }));
  assert.deepEqual(granted(await last()), ['analytics_storage', 'security_storage']);
  await page.evaluate(() => window.assent.set({ performance: false, targeting: true }));
  assert.deepEqual(granted(await last()), ['ad_storage', 'ad_user_data', 'ad_personalization', 'security_storage']);
  await page.evaluate(() => window.assent.set({ functional: true, performance: true }));
  assert.deepEqual(granted(await last()), TYPES);
  await page.evaluate(() => window.assent.withdraw());
  assert.deepEqual(granted(await last()), ['security_storage']);
  await visitor.close();
});

test('a returning visitor: default, then update, before the tag', async () => {
  const visitor = await shop.visitor();
  await control(await visitor.open('/advanced'), 'accept').click();
  await visitor.chosen();
  const page = await visitor.open('/advanced');
  const commands = await until(async () => {
    const all = await layer(page);
    return all.length >= 4 && all;
  }, 'the commands');
  assert.deepEqual(commands.slice(0, 3).map(([command, kind]) => [command, command === 'consent' ? kind : '']), [
    ['consent', 'default'],
    ['consent', 'update'],
    ['js', ''],
  ]);
  assert.deepEqual(granted(commands[0][2]), ['security_storage']);
  assert.deepEqual(granted(commands[1][2]), TYPES);
  await visitor.close();
});

for (const [path] of PLACES) {
  test(`${path}: a tag that is released finds default and update, at the first choice and on the next visit`, async () => {
    const visitor = await shop.visitor();
    const first = await visitor.open(path);
    await control(first, 'accept').click();
    for (const [visit, page] of [['first', first], ['next', await visitor.open(path)]]) {
      const met = await until(() => page.evaluate('window.met'), `the tag of the ${visit} visit`);
      assert.deepEqual(met.map(([command, kind]) => `${command} ${kind}`), ['consent default', 'consent update'], visit);
      assert.deepEqual(granted(met[0][2]), ['security_storage'], visit);
      assert.deepEqual(granted(met[1][2]), TYPES, visit);
    }
    await visitor.close();
  });
}
