// What other parties' tags are told beyond the plain signals of Google's Consent Mode.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { banner, control, hasRun, not, ran, settle, until, world } from '../harness.mjs';
import { ROOT } from '../server.mjs';

const NO_CONSOLE = 'the driver does not tell what the console says';
const STUB = readFileSync(join(ROOT, 'target/assets/stub.js'), 'utf8');
const GTAG = `<script>window.dataLayer = window.dataLayer || []; function gtag(){dataLayer.push(arguments);} gtag('js', new Date()); gtag('config', 'G-TEST1');</script>`;
const GOOGLE = {
  wait_for_update_ms: 900,
  regions: [{ region: ['US-CA', 'BR'], granted: ['ad_storage', 'analytics_storage'] }],
  url_passthrough: true,
  ads_data_redaction: true,
  types: { analytics_storage: 'targeting', functionality_storage: 'necessary' },
};

let plain, shop, advanced;
before(async () => {
  plain = await world();
  shop = await world({
    change: (config) => ({ ...config, signals: { google: GOOGLE, microsoft_uet: true, clarity: true, data_layer_events: true } }),
  });
  advanced = await world({
    change(config) {
      config.services.find(({ id }) => id === 'google-analytics').hosts = ['www.googletagmanager.com', 'connect.facebook.net'];
      const [rule] = config.rules;
      config.rules = [{ ...rule, honours_gpc: false, honours_dnt: true }];
      const regions = [{ region: ['US-CA'], granted: ['ad_storage', 'analytics_storage'] }];
      return { ...config, signals: { google: { advanced: true, regions } } };
    },
  });
  for (const site of [plain, shop]) {
    site.page('/', { tag: site.tag(''), head: GTAG, body: '' });
    site.page('/late', { head: GTAG, body: '', tag: `${GTAG}${site.tag('')}` });
  }
  advanced.page('/', {
    tag: `<script>${STUB}</script>${advanced.tag('data-assent-loader async')}`,
    head: `${GTAG}<script async src="https://www.googletagmanager.com/gtag/js?id=G-TEST1"></script><script async src="https://connect.facebook.net/en_US/fbevents.js"></script>`,
    body: '',
  });
});
after(async () => {
  for (const site of [plain, shop, advanced]) await site?.close();
});

/** Everything on the dataLayer, commands as lists. */
const layer = (page) =>
  page.evaluate(() => (window.dataLayer ?? []).map((entry) => (Object.prototype.toString.call(entry) === '[object Arguments]' ? [...entry] : { ...entry })));
const consent = async (page) => (await layer(page)).filter((entry) => entry[0] === 'consent');
const events = async (page) => (await layer(page)).filter(({ event }) => event?.startsWith('assent_')).map(({ event }) => event);
const granted = (types) => Object.keys(types).filter((type) => types[type] === 'granted');
const uet = (page) => page.evaluate(() => window.uetq);
const clarity = (page) => page.evaluate(() => window.clarity.q.map((command) => [...command]));

/** A visitor whose browser sends a signal of its own. */
async function objecting(site, property, value) {
  const visitor = await site.visitor();
  await visitor.prepare(([name, sent]) => Object.defineProperty(Navigator.prototype, name, { get: () => sent }), [property, value]);
  return visitor;
}

test('without settings the loader has no part for them and says what it always said', async () => {
  const loader = await (await fetch(`${plain.server.url}/s/shop.js`)).text();
  assert.ok(!loader.includes('uetq') && !loader.includes('consentv2'));
  const visitor = await plain.visitor();
  const page = await visitor.open('/');
  await page.evaluate(() => window.assent.set({ performance: true }));
  const [first, second, ...rest] = await consent(page);
  assert.deepEqual([first[1], first[2].wait_for_update, first[2].region], ['default', 500, undefined]);
  assert.deepEqual(granted(second[2]), ['analytics_storage', 'security_storage']);
  assert.deepEqual(rest, []);
  assert.deepEqual(await events(page), []);
  assert.equal(await page.evaluate(() => window.uetq ?? window.clarity), undefined);
  await visitor.close();
});

test('Google: switches, then the defaults of regions and of everywhere, before every other command', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/');
  const [passthrough, redaction, region, everywhere, ...rest] = await layer(page);
  assert.deepEqual(passthrough, ['set', 'url_passthrough', true]);
  assert.deepEqual(redaction, ['set', 'ads_data_redaction', true]);
  assert.deepEqual(region.slice(0, 2), ['consent', 'default']);
  assert.deepEqual(region[2].region, ['US-CA', 'BR']);
  assert.equal(region[2].wait_for_update, 900);
  assert.deepEqual(granted(region[2]), ['ad_storage', 'analytics_storage', 'security_storage']);
  assert.equal(region[2].ad_user_data, 'denied');
  assert.deepEqual(everywhere.slice(0, 2), ['consent', 'default']);
  assert.deepEqual([everywhere[2].wait_for_update, everywhere[2].region], [900, undefined]);
  assert.deepEqual(granted(everywhere[2]), ['functionality_storage', 'security_storage']);
  assert.equal(rest.filter((entry) => entry[0] === 'consent').length, 0, 'no update before the choice');
  await visitor.close();
});

test('Google: types follow the categories that the owner gave them', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/');
  const last = async () => granted((await consent(page)).at(-1)[2]);
  await page.evaluate(() => window.assent.set({ performance: true }));
  assert.deepEqual(await last(), ['functionality_storage', 'security_storage']);
  await page.evaluate(() => window.assent.set({ performance: false, targeting: true }));
  assert.deepEqual(await last(), ['ad_storage', 'ad_user_data', 'ad_personalization', 'analytics_storage', 'functionality_storage', 'security_storage']);
  await page.evaluate(() => window.assent.set({ targeting: false, functional: true }));
  assert.deepEqual(await last(), ['functionality_storage', 'personalization_storage', 'security_storage']);
  await visitor.close();
});

test('Google: who has chosen gets no default of a region, but default and update', async () => {
  const visitor = await shop.visitor();
  await control(await visitor.open('/'), 'reject').click();
  await visitor.chosen();
  const page = await visitor.open('/');
  const said = await until(async () => {
    const all = await consent(page);
    return all.length >= 2 && all;
  }, 'the update');
  assert.deepEqual(said.map(([, kind, types]) => [kind, types.region, granted(types)]), [
    ['default', undefined, ['functionality_storage', 'security_storage']],
    ['update', undefined, ['functionality_storage', 'security_storage']],
  ]);
  await visitor.close();
});

test("Google: a region's default grants nothing that a signal objects to which the rule honours", async () => {
  // On `shop` analytics follows targeting, too.
  for (const [site, name, value, expected] of [
    [shop, 'globalPrivacyControl', true, ['security_storage']],
    [shop, 'doNotTrack', '1', ['ad_storage', 'analytics_storage', 'security_storage']],
    [advanced, 'globalPrivacyControl', true, ['ad_storage', 'analytics_storage', 'security_storage']],
    [advanced, 'doNotTrack', '1', ['analytics_storage', 'security_storage']],
    [advanced, 'doNotTrack', '0', ['ad_storage', 'analytics_storage', 'security_storage']],
  ]) {
    const visitor = await objecting(site, name, value);
    const page = await visitor.open('/');
    const region = await until(async () => (await consent(page)).find(([, , types]) => types.region), 'the default of a region');
    assert.deepEqual(granted(region[2]), expected, `${name} ${value}`);
    await visitor.close();
  }
});

test('Google: advanced mode runs the tag that the stub holds before the choice, and no other', async () => {
  const visitor = await advanced.visitor();
  const page = await visitor.open('/');
  await hasRun(page, ['gtag']);
  await settle(page);
  assert.deepEqual(await ran(page), ['gtag']);
  const said = await consent(page);
  assert.deepEqual(said.map(([, kind, { region }]) => [kind, region]), [
    ['default', undefined],
    ['default', ['US-CA']],
    ['default', undefined],
  ]);
  await page.evaluate(() => window.assent.set({ performance: true }));
  await hasRun(page, ['gtag', 'pixel']);
  assert.equal((await consent(page)).at(-1)[1], 'update');
  await visitor.close();
});

test('a Google tag that ran before the default is warned of, by the part and by ?assent_debug', not({ firefox: NO_CONSOLE, webkit: NO_CONSOLE }), async () => {
  for (const [site, path, warned] of [
    [shop, '/late', true],
    [shop, '/', false],
    [plain, '/late?assent_debug', true],
    [plain, '/?assent_debug', false],
  ]) {
    const visitor = await site.visitor();
    const page = await visitor.context.newPage();
    const warnings = [];
    page.on('console', (message) => message.type() === 'warning' && warnings.push(message.text()));
    await page.goto(site.at(path));
    await banner(page).waitFor();
    if (path.includes('debug')) await page.waitForFunction(() => window.assent.debug);
    if (warned) await until(() => warnings.some((text) => /Google tag/.test(text)), path);
    await settle(page);
    assert.equal(warnings.filter((text) => /Google tag/.test(text)).length, warned ? 1 : 0, path);
    await visitor.close();
  }
});

test('Microsoft UET: default, then updates, by advertising', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/');
  assert.deepEqual(await uet(page), ['consent', 'default', { ad_storage: 'denied' }]);
  await page.evaluate(() => window.assent.set({ performance: true }));
  await page.evaluate(() => window.assent.set({ targeting: true }));
  await page.evaluate(() => window.assent.withdraw());
  const said = (await uet(page)).slice(3);
  assert.deepEqual(said, ['denied', 'granted', 'denied'].flatMap((ad_storage) => ['consent', 'update', { ad_storage }]));
  const next = await visitor.open('/');
  assert.deepEqual(await uet(next), ['consent', 'default', { ad_storage: 'denied' }, 'consent', 'update', { ad_storage: 'denied' }]);
  await visitor.close();
});

test('Microsoft Clarity: consentv2 into its queue, by advertising and analytics', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/');
  assert.deepEqual(await clarity(page), [['consentv2', { ad_Storage: 'denied', analytics_Storage: 'denied' }]]);
  await page.evaluate(() => window.assent.set({ targeting: true }));
  assert.deepEqual((await clarity(page)).at(-1), ['consentv2', { ad_Storage: 'granted', analytics_Storage: 'granted' }]);
  await visitor.close();
});

test('the dataLayer: an event for each change and for each category that changed; all for a stored choice', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/');
  assert.deepEqual(await events(page), []);
  await page.evaluate(() => window.assent.set({ performance: true }));
  assert.deepEqual(await events(page), ['assent_change', 'assent_performance_granted']);
  const change = (await layer(page)).find(({ event }) => event === 'assent_change');
  assert.deepEqual(change.assent, { necessary: true, performance: true, functional: false, targeting: false });
  await page.evaluate(() => window.assent.set({ performance: false, targeting: true }));
  assert.deepEqual((await events(page)).slice(2), ['assent_change', 'assent_performance_denied', 'assent_targeting_granted']);
  const order = (await layer(page)).map((entry) => entry.event ?? entry[1]);
  assert.ok(order.lastIndexOf('update') < order.lastIndexOf('assent_change'), 'Consent Mode is told first');
  const next = await visitor.open('/');
  await until(async () => (await events(next)).length, 'the events');
  assert.deepEqual(await events(next), ['assent_change', 'assent_performance_denied', 'assent_functional_denied', 'assent_targeting_granted']);
  await visitor.close();
});
