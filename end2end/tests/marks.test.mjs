// Pages prepared for another consent manager are gated as they are, as soon as the site names that manager.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { banner, ENGINE, errors, hasRun, ran, settle, until, world } from '../harness.mjs';
import { ROOT } from '../server.mjs';

const VENDOR = 'https://vendor.example';
const SHARED = { onetrust: {}, cookiebot: {}, klaro: { pixel: 'targeting' }, usercentrics: {}, cookieyes: {} };
const inline = (name) => `(window.ran ??= []).push('${name}')`;

/** Each manager's page: its markup as its own documentation has it, and what of it is released by performance, then by
    everything. What is named `never` has a name that nobody mapped. */
const CASES = {
  onetrust: {
    body: `
      <script type="text/plain" class="optanon-category-C0002" src="${VENDOR}/a.js"></script>
      <script type="text/plain" class="first optanon-category-C0002 last">${inline('a-inline')}</script>
      <script type="text/plain" class="optanon-category-C0002-C0004" src="${VENDOR}/both.js"></script>
      <script type="text/plain" class="optanon-category-BG7" src="${VENDOR}/never.js"></script>
      <iframe title="Film" class="optanon-category-C0003" data-src="${VENDOR}/embed/film"></iframe>
      <div class="optanon-category-C0004">Text</div>`,
    performance: ['/a.js'],
    all: ['/a.js', '/both.js', '/embed/film'],
  },
  cookiebot: {
    body: `
      <script type="text/plain" data-cookieconsent="statistics" src="${VENDOR}/a.js"></script>
      <script type="text/plain" data-cookieconsent="statistics">${inline('a-inline')}</script>
      <script type="text/plain" data-cookieconsent="statistics, marketing" src="${VENDOR}/both.js"></script>
      <script type="text/plain" data-cookieconsent="unclassified" src="${VENDOR}/never.js"></script>
      <script type="text/plain" data-cookieconsent="constructor" src="${VENDOR}/never.js"></script>
      <iframe title="Film" data-cookieconsent="marketing" data-cookieblock-src="${VENDOR}/embed/film"></iframe>
      <img alt="" data-cookieconsent="preferences" data-cookieblock-src="${VENDOR}/a.gif">
      <script data-cookieconsent="ignore">${inline('ignored')}</script>`,
    before: ['ignored'],
    performance: ['/a.js'],
    all: ['/a.gif', '/a.js', '/both.js', '/embed/film'],
  },
  klaro: {
    body: `
      <script type="text/plain" data-type="application/javascript" data-name="hotjar" data-src="${VENDOR}/a.js"></script>
      <script type="text/plain" data-type="application/javascript" data-name="google-analytics">${inline('a-inline')}</script>
      <script type="text/plain" data-type="application/javascript" data-name="pixel" data-src="${VENDOR}/both.js"></script>
      <script type="text/plain" data-type="application/javascript" data-name="unknown" data-src="${VENDOR}/never.js"></script>
      <iframe title="Film" data-name="youtube" data-src="${VENDOR}/embed/film"></iframe>
      <link rel="stylesheet" type="text/plain" data-type="text/css" data-name="youtube" data-href="${VENDOR}/a.css">`,
    performance: ['/a.js'],
    all: ['/a.css', '/a.js', '/both.js', '/embed/film'],
  },
  usercentrics: {
    body: `
      <script type="text/plain" data-usercentrics="Google Analytics" src="${VENDOR}/a.js"></script>
      <script type="text/plain" data-usercentrics="Hotjar">${inline('a-inline')}</script>
      <script type="text/plain" data-usercentrics="Meta Pixel" src="${VENDOR}/both.js"></script>
      <script type="text/plain" data-usercentrics="Google" src="${VENDOR}/never.js"></script>
      <iframe title="Film" data-usercentrics="YouTube" data-uc-src="${VENDOR}/embed/film"></iframe>
      <img alt="" data-usercentrics="Meta Pixel" data-src="${VENDOR}/a.gif">`,
    performance: ['/a.js'],
    all: ['/a.gif', '/a.js', '/both.js', '/embed/film'],
  },
  cookieyes: {
    body: `
      <script type="text/plain" data-cookieyes="cookieyes-analytics" src="${VENDOR}/a.js"></script>
      <script type="text/plain" data-cookieyes="cookieyes-performance">${inline('a-inline')}</script>
      <script type="text/plain" data-cookieyes="cookieyes-advertisement" src="${VENDOR}/both.js"></script>
      <script type="text/plain" data-cookieyes="analytics" src="${VENDOR}/never.js"></script>`,
    performance: ['/a.js'],
    all: ['/a.js', '/both.js'],
  },
  'vanilla-cookieconsent': {
    marks: { 'vanilla-cookieconsent': { analytics: 'performance', ads: ['targeting', 'performance'], functional: 'targeting' } },
    body: `
      <script type="text/plain" data-category="analytics" data-service="Analytics" data-src="${VENDOR}/a.js"></script>
      <script type="text/plain" data-category="analytics">${inline('a-inline')}</script>
      <script type="text/plain" data-category="ads" src="${VENDOR}/both.js"></script>
      <script type="text/plain" data-category="marketing" src="${VENDOR}/never.js"></script>
      <script type="text/plain" data-category="!analytics">${inline('without')}</script>
      <iframe title="Film" data-category="functional" data-src="${VENDOR}/embed/film"></iframe>`,
    before: ['without'],
    performance: ['/a.js'],
    // What stands for "targeting" must not become "functional" once it is rewritten and copied.
    afterwards: { performance: true, functional: true },
    all: ['/a.js', '/both.js', '/embed/film'],
  },
  complianz: {
    marks: { complianz: {} },
    body: `
      <script type="text/plain" data-service="general" data-category="statistics" data-cmplz-src="${VENDOR}/a.js"></script>
      <script type="text/plain" class="cmplz-stats">${inline('a-inline')}</script>
      <script type="text/plain" data-category="marketing" data-cmplz-src="${VENDOR}/both.js"></script>
      <script type="text/plain" data-category="other" data-cmplz-src="${VENDOR}/never.js"></script>
      <script type="text/plain" data-category="functional">${inline('needed')}</script>
      <iframe title="Film" class="cmplz-placeholder-element cmplz-iframe" data-category="marketing" data-service="youtube" data-src-cmplz="${VENDOR}/embed/film" src="about:blank"></iframe>
      <div data-category="marketing" class="cmplz-blocked-content-notice">Text</div>`,
    before: ['needed'],
    performance: ['/a.js'],
    all: ['/a.js', '/both.js', '/embed/film'],
  },
};

const sites = new Map();
before(async () => {
  for (const { marks = SHARED } of Object.values(CASES)) {
    const key = JSON.stringify(marks);
    if (!sites.has(key)) sites.set(key, await world({ change: (config) => ({ ...config, marks }) }));
  }
});
after(async () => {
  for (const shop of sites.values()) await shop.close();
});

/** What a visitor's browser has asked vendors for, as paths, sorted. */
const asked = (visitor) =>
  visitor
    .foreign()
    .map((url) => new URL(url).pathname)
    .sort();

for (const [manager, { marks = SHARED, body, before: early = [], ...expected }] of Object.entries(CASES)) {
  const open = async (way, place) => {
    const shop = sites.get(JSON.stringify(marks));
    const path = `/${manager}-${way}`;
    shop.page(path, { tag: shop.tag(way == 'sync' ? '' : undefined), head: '', body: place(body) });
    const visitor = await shop.visitor();
    const page = await visitor.open(path);
    await banner(page).waitFor();
    return [visitor, page];
  };

  /** Makes a choice and waits for what it must release, and for what it must not. */
  const choose = async (visitor, page, choice, wanted) => {
    await page.evaluate((categories) => window.assent.set(categories), choice);
    await until(() => asked(visitor).length >= wanted.length, wanted.join()).catch(() => {});
    await settle(page);
    assert.deepEqual(asked(visitor), wanted);
  };

  // How a loader comes does not touch what marks mean: each way in one engine, one way in each.
  for (const way of ENGINE === 'chromium' ? ['async', 'sync'] : ['async']) {
    test(`${manager}: its marks in the page are held and released by what they stand for (${way})`, async () => {
      const [visitor, page] = await open(way, (body) => body);
      await settle(page);
      assert.deepEqual(asked(visitor), [], 'before the choice');
      await until(async () => (await ran(page)).join() === early.join(), 'what is needed to run');
      await choose(visitor, page, { performance: true }, expected.performance);
      await until(async () => (await ran(page)).includes('a-inline'), 'the script after it');
      await choose(visitor, page, { functional: true, targeting: true }, expected.all);
      assert.ok(!(await ran(page)).includes('never'));
      if (body.includes('iframe')) {
        await page.evaluate(() => window.assent.withdraw());
        await until(() => page.evaluate(() => !/vendor/.test(document.querySelector('iframe').src)), 'the frame to go');
        await choose(visitor, page, expected.afterwards ?? { performance: true }, expected.all);
      }
      assert.deepEqual(await errors(page), []);
      await visitor.close();
    });
  }

  test(`${manager}: what a script adds later is treated alike`, async () => {
    const [visitor, page] = await open('late', () => '');
    await page.evaluate((html) => {
      window.assent.set({ performance: true });
      document.body.append(document.createRange().createContextualFragment(html));
    }, body);
    await choose(visitor, page, {}, expected.performance);
    await choose(visitor, page, { functional: true, targeting: true }, expected.all);
    assert.deepEqual(await errors(page), []);
    await visitor.close();
  });
}

test("Assent's own marks stand beside, and above another manager's on the same element", async () => {
  const shop = sites.get(JSON.stringify(SHARED));
  shop.page('/mixed', {
    head: '',
    body: `<script type="text/plain" data-category="targeting" data-cookieconsent="statistics" src="${VENDOR}/own.js"></script>
      <script type="text/plain" data-category="performance" src="${VENDOR}/alone.js"></script>`,
  });
  const visitor = await shop.visitor();
  const page = await visitor.open('/mixed');
  await banner(page).waitFor();
  await page.evaluate(() => window.assent.set({ performance: true }));
  await until(() => asked(visitor).length, 'the tag');
  await settle(page);
  assert.deepEqual(asked(visitor), ['/alone.js']);
  await visitor.close();
});

test('beside the stub a mark on a script that could run decides, not its host', async () => {
  const shop = sites.get(JSON.stringify(SHARED));
  const stub = readFileSync(join(ROOT, 'target/assets/stub.js'), 'utf8');
  shop.page('/stub', {
    tag: `<script>${stub}</script>${shop.tag('data-assent-loader async')}`,
    head: '',
    body: `<script data-cookieyes="cookieyes-advertisement" src="${VENDOR}/advert.js"></script><script src="${VENDOR}/other.js"></script>`,
  });
  const visitor = await shop.visitor();
  const page = await visitor.open('/stub');
  await banner(page).waitFor();
  await hasRun(page, ['other']);
  await settle(page);
  assert.deepEqual(await ran(page), ['other']);
  await page.evaluate(() => window.assent.set({ performance: true, functional: true }));
  await settle(page);
  assert.deepEqual(await ran(page), ['other']);
  await page.evaluate(() => window.assent.set({ targeting: true }));
  await until(async () => (await ran(page)).join() === 'other,advert', 'the advert');
  await visitor.close();
});

test('a site that names no manager reads none of their marks and has no part for them', async () => {
  const shop = await world();
  const loader = await (await fetch(`${shop.server.url}/s/shop.js`)).text();
  assert.ok(!loader.includes('data-cookieconsent') && !loader.includes('assentMark'));
  await shop.close();
});
