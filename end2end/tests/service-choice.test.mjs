// Where the site offers it, visitors choose among the services of a category one by one.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

import { acknowledged, banner, control, dialog, errors, follow, hasRun, not, ran, settle, until, world } from '../harness.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const NO_OPTIONS = 'the driver sets neither colour scheme nor a context’s cookies at its start, and cannot switch scripts off';
const NO_ROUTES = 'the driver cannot lose a request';
const FILM = 'https://www.youtube.com/embed/x1';
const CATEGORIES = { performance: 0b0010, functional: 0b0100, targeting: 0b1000 };

const script = (marks, src) => `<script type="text/plain" ${marks} src="https://${src}"></script>`;
const TAGS = [
  script('data-service="google-analytics"', 'www.googletagmanager.com/gtag/js?id=G-TEST1'),
  script('data-category="performance" data-service="hotjar"', 'static.hotjar.com/c/hotjar-1.js'),
  script('data-category="targeting" data-service="meta-pixel"', 'connect.facebook.net/en_US/fbevents.js'),
  script('data-category="targeting" data-service="tag-manager"', 'www.googletagmanager.com/gtm.js?id=GTM-TEST1'),
].join('');
const film = (marks) => `<iframe title="A film" ${marks} data-src="${FILM}" width="560" height="315"></iframe>`;

let shop;
before(async () => {
  shop = await world({
    change(config) {
      config.service_choice = true;
      const youtube = config.services.find(({ id }) => id === 'youtube');
      youtube.hosts = ['*.youtube.com'];
      config.services.push({ ...youtube, id: 'vimeo', name: 'Vimeo', hosts: ['player.vimeo.com'] });
      return config;
    },
  });
  shop.page('/', { head: TAGS, body: '' });
  shop.page('/film', { head: '', body: film('data-category="functional" data-service="youtube"') });
});
after(() => shop?.close());

const choice = (page) => page.evaluate(() => window.assent.choice());
/** The services that are granted. */
const on = async (page) => Object.entries((await choice(page)).services).flatMap(([id, granted]) => (granted ? [id] : []));
const service = (page, id) => dialog(page).locator(`input[value="${id}"]`);
const whole = (page, category) => dialog(page).locator(`input[value="${category}"]`);
// WebKit gives it no innerText.
const partly = (page, category) =>
  dialog(page).locator(`.assent-category:has(input[value="${category}"]) .assent-partly`).evaluate((element) => element.textContent);

/** Opens the dialog with everything in it in sight. */
async function settings(page) {
  await page.locator('#assent [data-assent-do="settings"], #assent [data-assent="settings"]').first().click();
  const closed = dialog(page).locator('button[aria-expanded="false"]');
  await closed.first().waitFor();
  while (await closed.count()) await closed.first().click();
}
const confirm = async (page) => {
  await control(page, 'confirm').click();
  await dialog(page).waitFor({ state: 'detached' });
};

/** Unfolds every list of services in the center. */
async function unfold(page) {
  const closed = page.locator('details:not([open]) > summary');
  while (await closed.count()) await closed.first().click();
}

/** The record of the present choice, from the server. */
async function record(visitor) {
  const { key, record } = await visitor.consent();
  return (await until(() => shop.server.record('shop', record, key), 'the record')).record;
}

test('in the dialog: only the chosen service runs, and only its cookies stay', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await settings(page);
  for (const id of ['google-analytics', 'hotjar', 'youtube', 'vimeo', 'tag-manager', 'meta-pixel']) {
    assert.equal(await service(page, id).isChecked(), false, id);
  }
  assert.equal(await service(page, 'session').count(), 0, 'necessary');
  await page.evaluate(() => (document.cookie = '_ga=left'));
  await service(page, 'hotjar').check();
  assert.equal(await whole(page, 'performance').isChecked(), false);
  assert.equal(await partly(page, 'performance'), '1 of 2 services allowed');
  await whole(page, 'targeting').check();
  assert.equal(await service(page, 'meta-pixel').isChecked(), true, 'a category takes its services along');
  await service(page, 'meta-pixel').uncheck();
  assert.equal(await whole(page, 'targeting').isChecked(), true);
  assert.equal(await partly(page, 'targeting'), '1 of 2 services allowed');
  await confirm(page);
  await hasRun(page, ['hotjar', 'gtm']);
  await settle(page);
  assert.deepEqual(await ran(page), ['hotjar', 'gtm']);
  const jar = await visitor.cookies();
  assert.ok(jar.includes('_hjSession_1') && jar.includes('_gcl_au') && !jar.includes('_ga'), String(jar));
  assert.deepEqual((await on(page)).sort(), ['hotjar', 'tag-manager']);
  const cookie = await visitor.consent();
  assert.equal(cookie.granted, 1 | CATEGORIES.targeting);
  assert.equal(cookie.exceptions.length, 6);
  const { choice: decided, services } = await record(visitor);
  assert.deepEqual(decided, { performance: false, functional: false, targeting: true });
  assert.deepEqual(services, { hotjar: true, 'meta-pixel': false });

  await page.reload();
  await hasRun(page, ['hotjar', 'gtm']);
  await settle(page);
  assert.equal(await banner(page).count(), 0);
  assert.deepEqual((await on(page)).sort(), ['hotjar', 'tag-manager']);

  // One service taken back: what it stored goes, the other stays.
  await page.evaluate(() => document.addEventListener('assent:withdrawn', ({ detail }) => (window.withdrawn = detail.services.hotjar)));
  await settings(page);
  assert.equal(await service(page, 'hotjar').isChecked(), true);
  assert.equal(await service(page, 'meta-pixel').isChecked(), false);
  await service(page, 'hotjar').uncheck();
  assert.equal(await partly(page, 'performance'), '');
  await confirm(page);
  await until(async () => !(await visitor.cookies()).some((name) => name.startsWith('_hj')), 'the cookies to go');
  assert.equal(await page.evaluate(() => sessionStorage.getItem('_hjViewportId')), null);
  assert.ok((await visitor.cookies()).includes('_gcl_au'));
  assert.equal(await page.evaluate(() => window.withdrawn), false);
  assert.deepEqual((await record(visitor)).services, { 'meta-pixel': false });
  await visitor.close();
});

test('a service refused under categories that are all granted loses what it stored', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'accept').click();
  await hasRun(page, ['gtag', 'hotjar', 'pixel', 'gtm']);
  assert.equal((await visitor.consent()).exceptions, undefined);
  assert.ok((await visitor.cookies()).includes('_fbp'));
  await page.evaluate(() => window.assent.set({ services: { 'meta-pixel': false } }));
  assert.equal((await visitor.consent()).granted, 15);
  await until(async () => !(await visitor.cookies()).includes('_fbp'), 'the cookie to go');
  assert.equal(await page.evaluate(() => localStorage.getItem('lastExternalReferrer')), null);
  // Left by a script that ran before, or by another page: it goes with the next page.
  await page.evaluate(() => (document.cookie = '_fbp=left'));
  await page.reload();
  await until(async () => !(await visitor.cookies()).includes('_fbp'), 'the cookie to go again');
  assert.deepEqual((await ran(page)).sort(), ['gtag', 'gtm', 'hotjar']);
  await visitor.close();
});

test('all services on is the category on, and accepting or rejecting all leaves no exception', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await settings(page);
  await service(page, 'google-analytics').check();
  await service(page, 'hotjar').check();
  assert.equal(await whole(page, 'performance').isChecked(), true);
  await whole(page, 'performance').uncheck();
  assert.equal(await service(page, 'hotjar').isChecked(), false);
  await whole(page, 'performance').check();
  await service(page, 'google-analytics').uncheck();
  await service(page, 'hotjar').uncheck();
  assert.equal(await whole(page, 'performance').isChecked(), false, 'none is left');
  await service(page, 'hotjar').check();
  await control(page, 'accept-all').click();
  assert.equal((await visitor.chosen()).granted, 15);
  assert.equal((await visitor.consent()).exceptions, undefined);
  assert.equal((await on(page)).length, 6);
  await page.evaluate(() => window.assent.set({ services: { youtube: false } }));
  await page.evaluate(() => {
    window.withdrawals = 0;
    document.addEventListener('assent:withdrawn', () => window.withdrawals++);
  });
  await settings(page);
  await control(page, 'reject-all').click();
  await until(async () => (await visitor.consent()).granted === 1, 'the refusal');
  assert.equal(await page.evaluate('withdrawals'), 1, 'categories are told together with their services');
  assert.equal((await visitor.consent()).exceptions, undefined);
  assert.deepEqual(await on(page), []);
  await visitor.close();
});

test('marks: the service decides in place of the category, and an unknown one is held', async () => {
  const vendor = (marks, name) => script(marks, `vendor.test-vendor.example/${name}.js`);
  shop.page('/marks', {
    head:
      vendor('data-service="session"', 'necessary') +
      vendor('data-service="hotjar"', 'alone') +
      vendor('data-category="targeting" data-service="hotjar"', 'instead') +
      vendor('data-category="performance" data-service="unheard-of"', 'unknown') +
      vendor('data-category="performance" data-service="google-analytics"', 'other') +
      vendor('data-category="performance"', 'category'),
    body: film('data-service="youtube"') + `<img alt="" data-service="unheard-of" data-category="necessary" data-src="https://vendor.example/p.gif">`,
  });
  const visitor = await shop.visitor();
  const page = await visitor.open('/marks');
  await hasRun(page, ['necessary']);
  await page.evaluate(() => {
    window.assent.when('service:hotjar', () => (window.heard = true));
    window.assent.set({ services: { hotjar: true, youtube: true, 'unheard-of': true } });
  });
  await hasRun(page, ['necessary', 'alone', 'instead']);
  await until(() => visitor.requests.includes(FILM), 'the film');
  assert.equal(await page.evaluate(() => window.heard), true);
  const added = vendor('data-service="hotjar"', 'added');
  await page.evaluate((markup) => document.body.append(document.createRange().createContextualFragment(markup)), added);
  await hasRun(page, ['necessary', 'alone', 'instead', 'added']);
  await page.evaluate(() => window.assent.set({ performance: true }));
  await hasRun(page, ['necessary', 'alone', 'instead', 'added', 'other', 'category']);
  await page.evaluate(() => window.assent.set({ performance: true, services: { hotjar: false, youtube: false } }));
  await settle(page);
  assert.equal(await page.locator('iframe').getAttribute('src'), null);
  assert.ok(!visitor.requests.some((url) => /unknown|p\.gif/.test(url)));
  assert.deepEqual(await errors(page), []);
  await visitor.close();
});

test('what is undefined says nothing, and a tag that comes in the midst of a script waits for its service', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/');
  await page.evaluate(() => window.assent.set({ targeting: undefined, services: { youtube: undefined } }));
  assert.equal((await choice(page)).chosen, false);
  await banner(page).waitFor();
  await page.evaluate(() => window.assent.set({ functional: true, services: { youtube: false, vimeo: undefined } }));
  assert.deepEqual(await on(page), ['vimeo']);
  assert.deepEqual((await record(visitor)).services, { youtube: false });
  const marked = script('data-category="functional" data-service="youtube"', 'vendor.test-vendor.example/midst.js');
  await page.evaluate((markup) => {
    document.body.append(document.createRange().createContextualFragment(markup));
    window.assent.set({ performance: true });
  }, marked);
  await settle(page);
  assert.ok(!visitor.requests.some((url) => url.includes('midst')));
  await visitor.close();
});

test('“Always allow” on a placeholder allows the one service', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/film');
  const box = page.getByRole('group', { name: 'A film' });
  await box.waitFor();
  assert.match(await box.innerText(), /YouTube \(YouTube Limited\)/);
  await box.getByRole('button', { name: 'Always allow' }).click();
  await until(() => visitor.requests.includes(FILM), 'the film');
  assert.deepEqual(await on(page), ['youtube']);
  assert.equal((await visitor.consent()).granted, 1);
  const { method, services } = await record(visitor);
  assert.deepEqual({ method, services }, { method: 'embed', services: { youtube: true } });
  await page.reload();
  await until(() => visitor.requests.filter((url) => url === FILM).length === 2, 'the film again');
  assert.equal(await banner(page).count(), 0);
  await visitor.close();
});

test('another tab follows', async () => {
  const visitor = await shop.visitor();
  const one = await visitor.open();
  const other = await visitor.open();
  await control(one, 'accept').click();
  await hasRun(other, ['gtag', 'hotjar', 'pixel', 'gtm']);
  await other.evaluate(() => document.addEventListener('assent:withdrawn', ({ detail }) => (window.withdrawn = detail.services.hotjar)));
  await one.evaluate(() => window.assent.set({ services: { hotjar: false } }));
  await other.waitForFunction(() => window.withdrawn === false);
  assert.equal((await on(other)).includes('hotjar'), false);
  await visitor.close();
});

test('the center without JavaScript, and back to the site', not({ firefox: NO_OPTIONS, webkit: NO_OPTIONS }), async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await page.evaluate(() => window.assent.set({ targeting: true, services: { 'meta-pixel': false } }));
  await acknowledged(page);
  await page.evaluate(() => window.assent.center());
  await page.waitForURL(`${shop.server.origin}/c/shop**`);
  const entered = await visitor.context.storageState();

  // The same browser, scripts switched off.
  const plain = await shop.visitor({ storageState: entered, javaScriptEnabled: false });
  const center = await plain.context.newPage();
  await center.goto(`${shop.server.origin}/c/shop`);
  const box = (name) => center.locator(`input[name="${name}"]`);
  const save = async () => {
    await follow(center, center.locator('button[name=do][value=save]'));
    await unfold(center);
  };
  await unfold(center);
  assert.equal(await box('targeting').isChecked(), true);
  assert.equal(await box('service-tag-manager').isChecked(), true);
  assert.equal(await box('service-meta-pixel').isChecked(), false);
  assert.match(await center.locator('.history').innerText(), /Meta Pixel\s+Not allowed/i);
  await box('performance').check();
  await box('service-vimeo').check();
  await save();
  assert.equal(await box('service-hotjar').isChecked(), true, 'the category takes its services along');
  assert.equal(await box('functional').isChecked(), false);
  assert.equal(await box('service-vimeo').isChecked(), true);
  assert.equal(await box('service-meta-pixel').isChecked(), false);
  assert.match(await center.locator('.history').innerText(), /Vimeo\s+Allowed/i);
  await box('service-google-analytics').uncheck();
  await save();
  await plain.close();

  // Back in the first browser, whose key the center has.
  await page.goto(shop.at('/'));
  await hasRun(page, ['hotjar', 'gtm']);
  await settle(page);
  assert.deepEqual((await on(page)).sort(), ['hotjar', 'tag-manager', 'vimeo']);
  assert.deepEqual((await record(visitor)).services, { 'google-analytics': false, 'meta-pixel': false, vimeo: true });
  await visitor.close();
});

test('what was refused on either side stays refused, service by service', not({ firefox: NO_ROUTES, webkit: NO_ROUTES }), async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'accept').click();
  const { key } = await visitor.chosen();
  await page.evaluate(() => window.assent.set({ services: { hotjar: false } }));
  const older = await record(visitor);
  // A later choice here, which does not reach the server; the server's then is the earlier one.
  await visitor.context.route('**/records', (route) => route.abort());
  await page.waitForTimeout(1100);
  await page.evaluate(() => {
    window.assent.set({ performance: true, services: { 'meta-pixel': false } });
    document.cookie = 'assent-shop-center=1;path=/';
  });
  const next = await visitor.open();
  await hasRun(next, ['gtag', 'gtm']);
  await settle(next);
  assert.deepEqual((await ran(next)).sort(), ['gtag', 'gtm']);
  assert.equal((await visitor.consent()).granted, 15);
  assert.equal((await visitor.consent()).record, older.id);
  assert.equal((await visitor.consent()).key, key);
  await visitor.close();
});

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing, and the switches work by keyboard, ${colorScheme}`, not({ firefox: NO_OPTIONS, webkit: NO_OPTIONS }), async () => {
    const visitor = await shop.visitor({ colorScheme });
    const page = await visitor.open();
    const clean = async (page, within) => {
      await page.evaluate(AXE);
      const found = await page.evaluate(async (within) => (await window.axe.run(within ?? document, { resultTypes: ['violations'] })).violations, within);
      assert.deepEqual(found.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target).join('; ')}`), []);
    };
    await settings(page);
    await service(page, 'hotjar').focus();
    await page.keyboard.press('Space');
    assert.equal(await service(page, 'hotjar').isChecked(), true);
    assert.equal(await dialog(page).getByRole('switch', { name: 'Hotjar', exact: true }).count(), 1);
    await settle(page);
    await clean(page);
    await confirm(page);
    await page.evaluate(() => window.assent.center());
    await page.waitForURL(`${shop.server.origin}/c/shop**`);
    await unfold(page);
    assert.equal(await page.getByRole('switch', { name: 'Hotjar', exact: true }).isChecked(), true);
    await clean(page);
    await visitor.close();
  });
}

test('a tag that runs only without consent goes by its service, too', async () => {
  shop.page('/negated', { head: script('data-category="!targeting" data-service="meta-pixel"', 'connect.facebook.net/en_US/fbevents.js'), body: '' });
  const visitor = await shop.visitor();
  const page = await visitor.open('/negated');
  await hasRun(page, ['pixel']);
  await page.evaluate(() => window.assent.set({ targeting: true, services: { 'meta-pixel': false } }));
  await page.reload();
  await hasRun(page, ['pixel']);
  await page.evaluate(() => window.assent.set({ services: { 'meta-pixel': true } }));
  await page.reload();
  await settle(page);
  assert.deepEqual(await ran(page), []);
  await visitor.close();
});

test('a new revision with other services still reads the choice; asked again, what was refused stays refused', not({ firefox: NO_OPTIONS, webkit: NO_OPTIONS }), async () => {
  const loader = async () => (await fetch(`${shop.server.url}/s/shop.js`)).headers.get('etag');
  const publish = async (change) => {
    const old = await loader();
    change(shop.config);
    await shop.server.publish(shop.config);
    await until(async () => (await loader()) !== old, 'the new revision', 90_000);
  };
  const again = async (visitor) => {
    const storageState = await visitor.context.storageState();
    await visitor.close();
    return shop.visitor({ storageState });
  };
  let visitor = await shop.visitor();
  let page = await visitor.open();
  await page.evaluate(() => window.assent.set({ performance: true, targeting: true, services: { hotjar: false, vimeo: true } }));

  await publish((config) => (config.services = config.services.filter(({ id }) => !['vimeo', 'google-analytics'].includes(id))));
  visitor = await again(visitor);
  page = await visitor.open();
  await hasRun(page, ['pixel', 'gtm']);
  assert.equal((await choice(page)).chosen, true);
  assert.deepEqual((await on(page)).sort(), ['meta-pixel', 'tag-manager']);

  await publish((config) => {
    config.rules = [{ id: 'eu', regions: ['*'], model: 'opt-out', on_by_default: ['performance', 'functional', 'targeting'], expiry_days: 180 }];
    config.services.push({ id: 'clarity', category: 'performance', name: 'Clarity', provider: 'Microsoft', purpose: 'Records clicks.' });
  });
  visitor = await again(visitor);
  page = await visitor.open();
  await banner(page).waitFor();
  await hasRun(page, ['pixel', 'gtm']);
  await settle(page);
  assert.deepEqual((await on(page)).sort(), ['clarity', 'meta-pixel', 'tag-manager'], 'neither hotjar nor, of a refused category, youtube');

  // The choice is no longer offered: nobody knows what of the categories was refused.
  await publish((config) => (config.service_choice = false));
  visitor = await again(visitor);
  page = await visitor.open();
  await banner(page).waitFor();
  await settle(page);
  assert.deepEqual(await ran(page), []);
  assert.equal((await choice(page)).services, undefined);
  await visitor.close();
});
