// Pages whose Content-Security-Policy requires Trusted Types.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, control, dialog, hasRun, ran, settle, until, world } from '../harness.mjs';

const REQUIRED = "require-trusted-types-for 'script'";
const VENDOR = 'https://tags.vendor.example';
const HEAD = `
<script type="text/plain" data-category="targeting">(window.ran ??= []).push('inline')</script>
<script type="text/plain" data-category="targeting" src="${VENDOR}/outer.js" onload="(window.ran ??= []).push('handler')"></script>
<script type="text/plain" data-category="targeting" data-src="${VENDOR}/waiting.js"></script>
<script type="text/plain" data-type="module" data-category="targeting">(window.ran ??= []).push('module')</script>`;
const BODY = `
<iframe title="Film" data-category="functional" data-src="https://www.youtube.com/embed/x1" width="560" height="315"></iframe>
<object data-category="functional" data-data="https://www.youtube.com/embed/x2" width="200" height="100"></object>
<embed data-category="functional" data-src="https://www.youtube.com/embed/x3" width="200" height="100">`;
/** A frame whose document stands in the page, and inherits its policy. */
const framed = (tag) => `<iframe title="Frame" srcdoc='<!doctype html>${tag}${HEAD.replaceAll("'", '&#39;')}'></iframe>`;

let shop;
before(async () => {
  shop = await world({ change: (config) => ({ ...config, trusted_types: true }) });
  const sites = {
    plain: { trusted_types: false },
    wall: { blocking: { mode: 'enforce' } },
  };
  for (const [id, change] of Object.entries(sites)) {
    await shop.server.publish({ ...shop.config, ...change, id });
    await until(async () => (await fetch(`${shop.server.url}/s/${id}.js`)).ok, id, 90_000);
  }
  const serve = (path, policy, site = 'shop') => {
    const tag = shop.tag('async').replace('/s/shop.js', `/s/${site}.js`);
    shop.page(path, { tag, head: HEAD, body: BODY + framed(tag), headers: { 'content-security-policy': policy } });
  };
  serve('/', REQUIRED);
  serve('/listed', `${REQUIRED}; trusted-types assent`);
  serve('/unlisted', `${REQUIRED}; trusted-types page`);
  serve('/plain', REQUIRED, 'plain');
  shop.page('/wall', {
    tag: shop.tag('').replace('/s/shop.js', '/s/wall.js'),
    head: '',
    body: '<div id="here"></div>',
    headers: { 'content-security-policy': `${REQUIRED}; trusted-types assent page` },
  });
});
after(() => shop?.close());

async function open(path, visitor) {
  visitor ??= await shop.visitor();
  await visitor.prepare(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, sample }) => window.violations.push(`${violatedDirective} ${sample}`));
  });
  return [visitor, await visitor.open(path)];
}
const violations = (page) => page.evaluate(() => window.violations);
const ALL = ['handler', 'inline', 'module', 'outer', 'waiting'];

for (const path of ['/', '/listed']) {
  test(`${path}: banner, dialog, placeholders and released tags pass without a violation`, async () => {
    const [visitor, page] = await open(path);
    await banner(page).waitFor();
    await page.getByRole('group', { name: 'Film' }).waitFor();
    await control(page, 'settings').click();
    await dialog(page).waitFor();
    await dialog(page).getByRole('switch', { name: /functional/i }).check();
    await control(page, 'confirm').click();
    await until(() => visitor.foreign().length === 3, 'the embeds');
    await page.evaluate(() => window.assent.set({ targeting: true }));
    await hasRun(page, ALL);
    const frame = page.frames().find((frame) => frame.url() === 'about:srcdoc');
    await until(async () => (await ran(frame)).length === ALL.length, 'the scripts of the frame');
    await settle(page);
    assert.deepEqual(await violations(page), []);
    assert.deepEqual(page.errors, []);
    await page.evaluate(() => window.assent.withdraw());
    await until(async () => (await page.locator('iframe[src], object[data], embed[src]').count()) === 0, 'the withdrawal');

    await page.evaluate(() => window.assent.set({ targeting: true }));
    const [, back] = await open(`${path}?assent_debug`, visitor);
    await hasRun(back, ALL);
    assert.ok(await until(() => back.evaluate(() => window.assent.debug?.().length), 'the list'));
    await back.evaluate(() => window.assent.center());
    await back.waitForURL(`${shop.server.origin}/c/shop**`);
    await visitor.close();
  });
}

for (const path of ['/plain', '/unlisted']) {
  test(`${path}: where the loader has no policy, everything stays held`, async () => {
    const [visitor, page] = await open(path);
    await until(async () => (await violations(page)).length, 'a violation');
    await page.evaluate(() => window.assent?.set({ performance: true, functional: true, targeting: true })).catch(() => {});
    await settle(page);
    assert.equal(await banner(page).count(), 0);
    assert.deepEqual(await ran(page), []);
    await visitor.close();
  });
}

test('automatic blocking holds what comes as a trusted object, and trusts no text', async () => {
  const [visitor, page] = await open('/wall');
  await banner(page).waitFor();
  await page.waitForFunction(() => performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/rules.js')));
  const refused = await page.evaluate(() => {
    const here = document.querySelector('#here');
    const page = window.trustedTypes.createPolicy('page', { createHTML: (text) => text, createScriptURL: (text) => text });
    here.innerHTML = page.createHTML('<img alt="" src="https://static.hotjar.com/one.gif">');
    here.insertAdjacentHTML('beforeend', page.createHTML('<img alt="" src="https://static.hotjar.com/two.gif"><p>words</p>'));
    const script = document.createElement('script');
    script.src = page.createScriptURL('https://static.hotjar.com/three.js');
    document.head.append(script);
    try {
      here.innerHTML = '<img alt="" src="https://static.hotjar.com/text.gif">';
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(refused, 'TypeError');
  await settle(page);
  assert.deepEqual(visitor.foreign(), []);
  assert.equal(await page.locator('#here p').innerText(), 'words');
  await page.evaluate(() => window.assent.set({ performance: true }));
  await until(() => visitor.foreign().length === 3, 'what was held');
  await hasRun(page, ['three']);
  assert.deepEqual(page.errors, []);
  await visitor.close();
});
