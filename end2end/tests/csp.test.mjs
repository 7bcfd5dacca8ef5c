// Under a Content-Security-Policy: strict styles and nonces pass without a report; without WebAssembly the
// translated gate takes over; without that, everything stays held and the center is the way.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, control, dialog, hasRun, ran, settle, until, world } from '../harness.mjs';

const held = (nonce) =>
  `<script nonce="${nonce}" type="text/plain" data-category="targeting">(window.ran ??= []).push("inline")</script>` +
  `<script nonce="${nonce}" type="text/plain" data-category="targeting" src="https://tags.vendor.example/outer.js"></script>`;

let shop;
const policy = (script, { server } = shop) =>
  `default-src 'none'; script-src ${script}; style-src 'self'; img-src 'self' data:; connect-src ${server.origin}; frame-src https://www.youtube.com; base-uri 'none'`;
const serve = (path, script, attributes, nonce = 'n1') =>
  shop.page(path, {
    tag: shop.tag(attributes),
    head: held(nonce),
    body: '<iframe title="Film" data-category="functional" data-src="https://www.youtube.com/embed/x1"></iframe>',
    headers: { 'content-security-policy': policy(script) },
  });

before(async () => {
  shop = await world();
  serve('/strict', "'nonce-n1' 'wasm-unsafe-eval'", 'async nonce="n1"');
  serve('/no-wasm', "'nonce-n1'", 'async nonce="n1"');
  // Only the loader's own address, so that nothing else of the server may be loaded.
  serve('/no-gate', `'nonce-other' ${shop.server.origin}/s/shop.js`, 'async', 'other');
  serve('/no-gate-sync', `'nonce-other' ${shop.server.origin}/s/shop.js`, '', 'other');
});
after(() => shop?.close());

async function open(path) {
  const visitor = await shop.visitor();
  await visitor.prepare(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => {
      window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
    });
  });
  return [visitor, await visitor.open(path)];
}

test('nonces and strict styles: no violation, in banner, dialog and released tags', async () => {
  const [visitor, page] = await open('/strict');
  await banner(page).waitFor();
  assert.notEqual(await banner(page).evaluate((element) => getComputedStyle(element).position), 'static', 'styles apply');
  await control(page, 'settings').click();
  await dialog(page).waitFor();
  await dialog(page).getByRole('switch', { name: /functional/i }).check();
  await control(page, 'confirm').click();
  await until(() => visitor.foreign().length === 1, 'the frame');
  await page.evaluate(() => window.assent.set({ targeting: true }));
  await hasRun(page, ['inline', 'outer']);
  await settle(page);
  assert.deepEqual(await page.evaluate(() => window.violations), []);
  await visitor.close();
});

test("without 'wasm-unsafe-eval' the translated gate decides, and settings lead to the center", async () => {
  const [visitor, page] = await open('/no-wasm');
  await control(page, 'accept').click();
  await hasRun(page, ['inline', 'outer']);
  assert.ok(visitor.requests.some((url) => /\/a\/[0-9a-f]+\/gate\.js$/.test(url)));
  const { key, record, granted } = await visitor.consent();
  assert.equal(granted, 15);
  await until(() => shop.server.record('shop', record, key), 'the record');
  const back = await visitor.open('/no-wasm');
  await hasRun(back, ['inline', 'outer']);
  await back.evaluate(() => window.assent.withdraw());
  await until(async () => (await visitor.consent()).granted === 1, 'the withdrawal');
  await back.evaluate(() => window.assent.show());
  await back.waitForURL(`${shop.server.origin}/c/shop**`);
  assert.equal(await back.locator('form').first().isVisible(), true);
  await visitor.close();
});

test('the translated gate keeps an early refusal under opt-out when the page comes to rest', async () => {
  const rules = [{ id: 'us', regions: ['*'], model: 'opt-out', on_by_default: ['performance', 'functional', 'targeting'], expiry_days: 180 }];
  const other = await world({ change: (config) => ({ ...config, rules }) });
  try {
    other.page('/', { tag: other.tag('async nonce="n1"'), head: '', body: '', headers: { 'content-security-policy': policy("'nonce-n1'", other) } });
    const visitor = await other.visitor();
    const page = await visitor.open();
    await control(page, 'reject').click();
    await until(async () => (await visitor.consent())?.granted === 1, 'the refusal');
    // Rest is half a second after the page has loaded.
    await page.waitForTimeout(1500);
    await page.evaluate(() => {
      document.body.insertAdjacentHTML('beforeend', '<iframe title="Film" data-category="functional" data-src="https://www.youtube.com/embed/x1"></iframe>');
      const script = document.createElement('script');
      Object.assign(script, { type: 'text/plain', nonce: 'n1', text: '(window.ran ??= []).push("late")' });
      script.dataset.category = 'targeting';
      document.body.append(script);
    });
    await settle(page);
    assert.deepEqual(await ran(page), []);
    assert.deepEqual(visitor.foreign(), []);
    await page.evaluate(() => window.assent.set({ targeting: true }));
    await hasRun(page, ['late']);
    await visitor.close();
  } finally {
    await other.close();
  }
});

test('Google’s tags find the default set although the gate has to be fetched, or cannot run', async () => {
  for (const [path, attributes, nonce] of [
    ['/no-wasm', 'nonce="n1"', 'n1'],
    // Without one it may fetch nothing of its own.
    ['/no-gate', '', 'other'],
  ]) {
    const probe = `<script nonce="${nonce}">window.dataLayer ??= []; dataLayer.push({ probe: 1 });</script>`;
    shop.page(`${path}-google`, { tag: shop.tag(attributes), head: probe, body: '', headers: shop.pages.get(path).headers });
  }
  const [visitor, page] = await open('/no-wasm');
  await control(page, 'reject').click();
  await until(async () => (await visitor.consent())?.granted === 1, 'the refusal');
  for (const [path, then] of [
    ['/no-wasm-google', ['update']],
    ['/no-gate-google', []],
  ]) {
    const google = await visitor.open(path);
    await settle(google);
    const layer = await google.evaluate(() =>
      window.dataLayer.map((entry) => (entry[0] === 'consent' ? `${entry[1]} ${Object.values(entry[2]).filter((value) => value === 'granted').length}` : entry.probe ? 'probe' : 'other')),
    );
    const kinds = layer.filter((entry) => entry !== 'other');
    // The update comes as soon as the gate does: from the browser's cache that is at once.
    assert.equal(kinds.shift(), 'default 1', path);
    assert.ok(kinds.includes('probe'), path);
    assert.deepEqual([...new Set(kinds.filter((kind) => kind !== 'probe'))], then.map((kind) => `${kind} 1`), path);
  }
  await visitor.close();
});

test('where no gate can run, everything stays held and the banner leads to the center', async () => {
  const [visitor, page] = await open('/no-gate');
  await banner(page).waitFor();
  await settle(page);
  assert.deepEqual(visitor.foreign(), []);
  assert.deepEqual(await ran(page), []);
  await control(page, 'settings').click();
  await page.waitForURL(`${shop.server.origin}/c/shop**`);
  assert.equal(await visitor.consent(), null);
  await visitor.close();
});

test('where no gate can run, an earlier consent releases nothing, and stays', async () => {
  const [visitor, accepting] = await open('/strict');
  await control(accepting, 'accept').click();
  await hasRun(accepting, ['inline', 'outer']);
  await until(() => visitor.foreign().length === 2, 'the tag and the frame');
  await settle(accepting);
  await accepting.close();
  const asked = shop.recorder.requests.length;
  for (const path of ['/no-gate', '/no-gate-sync']) {
    const page = await visitor.open(path);
    await banner(page).waitFor();
    await page.evaluate(() => document.body.insertAdjacentHTML('beforeend', '<iframe title="Late" data-category="functional" data-src="https://www.youtube.com/embed/late"></iframe>'));
    await settle(page);
    assert.deepEqual(await ran(page), [], path);
    assert.equal(visitor.foreign().length, 2, `what the browser asked vendors for on ${path}`);
    assert.equal(shop.recorder.requests.length, asked, `what reached the vendors from ${path}`);
  }
  assert.equal((await visitor.consent()).granted, 15, 'for the pages where a gate runs');
  await visitor.close();
});
