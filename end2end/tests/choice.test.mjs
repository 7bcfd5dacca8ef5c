// Accept, reject, a mixed choice in the dialog, a withdrawal.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, control, dialog, errors, hasRun, ran, settle, until, world } from '../harness.mjs';

const ALL = ['gtag', 'gtm', 'hotjar', 'pixel'];
const OPTIONAL_COOKIES = /^(_ga|_gcl_au|_fbp|_hj)/;

let shop;
before(async () => (shop = await world()));
after(() => shop?.close());

const acknowledged = (visitor) =>
  until(async () => {
    const { key, record } = await visitor.consent();
    return shop.server.record('shop', record, key);
  }, 'the record');

test('accept all: every tag runs at once, without a reload, and the record arrives', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'accept').click();
  await hasRun(page, ALL);
  assert.equal(await banner(page).count(), 0);
  assert.equal((await visitor.consent()).granted, 15);
  const cookies = await visitor.cookies();
  for (const name of ['_ga', '_ga_TEST1', '_fbp', '_gcl_au', '_hjSession_1']) assert.ok(cookies.includes(name), name);
  await until(() => visitor.requests.includes('https://www.youtube.com/embed/x1'), 'the film');
  const { record, receipt } = await acknowledged(visitor);
  assert.deepEqual(record.choice, { performance: true, functional: true, targeting: true });
  assert.equal(record.method, 'banner');
  assert.equal(record.asked, true);
  assert.equal(receipt.split('.').length, 3);
  assert.deepEqual(await errors(page), []);
  await visitor.close();
});

test('the consent cookie is one first-party cookie under 400 bytes, Lax', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'reject').click();
  const { cookie, decided_at_s } = await visitor.chosen();
  assert.ok(cookie.name.length + cookie.value.length < 400);
  assert.equal(cookie.sameSite, 'Lax');
  assert.match(cookie.domain, /shop\.test$/);
  assert.ok(Math.abs(decided_at_s - Date.now() / 1000) < 30);
  const days = (cookie.expires - Date.now() / 1000) / 86_400;
  assert.ok(days > 179 && days <= 180.1, `${days} days`);
  await visitor.close();
});

test('reject all: nothing runs, now or on the next page, and the record says so', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'reject').click();
  await banner(page).waitFor({ state: 'detached' });
  await page.reload();
  await settle(page);
  assert.equal(await banner(page).count(), 0);
  assert.deepEqual(visitor.foreign(), []);
  assert.deepEqual(await visitor.cookies(), ['assent-shop']);
  const { record } = await acknowledged(visitor);
  assert.deepEqual(record.choice, { performance: false, functional: false, targeting: false });
  await visitor.close();
});

test('mixed, in the dialog: only what was switched on runs', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'settings').click();
  await dialog(page).waitFor();
  const switches = dialog(page).getByRole('switch');
  assert.equal(await switches.count(), 3);
  for (const box of await switches.all()) assert.equal(await box.isChecked(), false);
  await dialog(page).getByRole('switch', { name: /performance/i }).check();
  assert.equal(await visitor.consent(), null, 'a switch alone is no choice');
  await control(page, 'confirm').click();
  await hasRun(page, ['gtag', 'hotjar']);
  await dialog(page).waitFor({ state: 'detached' });
  assert.equal(await banner(page).count(), 0);
  await settle(page);
  assert.deepEqual((await ran(page)).sort(), ['gtag', 'hotjar']);
  assert.equal((await visitor.consent()).granted, 0b0011);
  const { record } = await acknowledged(visitor);
  assert.equal(record.method, 'dialog');
  assert.deepEqual(record.choice, { performance: true, functional: false, targeting: false });
  await visitor.close();
});

/** What can be read of one category once it is unfolded, line by line; cells of a table are parted by a stroke. */
async function read(page, name) {
  const category = dialog(page).locator('.assent-category', { hasText: name });
  await category.getByRole('button', { name }).click();
  return category.evaluate((category) => {
    const lines = [...category.querySelectorAll('h3, .assent-always, p, h4, tr')].filter((line) => line.checkVisibility());
    const parts = (line) => [...(line.cells ?? [line])];
    return lines.map((line) => parts(line).map((part) => part.textContent.replace(/\s+/g, ' ').trim()).join(' | ')).filter(Boolean);
  });
}

test('the dialog says what each category, service and cookie is for', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'settings').click();
  await dialog(page).waitFor();
  assert.equal(await dialog(page).getByText(/^Always active$/).count(), 1);
  const HEADS = 'Name | Purpose | Kept for | Type';
  assert.deepEqual(await read(page, 'Strictly Necessary Cookies'), [
    'Strictly Necessary Cookies',
    'Always active',
    'The site cannot work without these. They are set only in answer to something you do, such as signing in, filling in a form or choosing your privacy settings. You can block them in your browser, but then parts of the site will not work.',
    'Services in this category',
    'Assent',
    'Remembers your privacy choice, so that you are not asked on every page.',
    'Provider: The Shop Limited',
    HEADS,
    'assent-shop | Your choice and the number of its receipt. | 180 days | Cookie',
    'assent-shop-center | Notes that you opened the privacy settings page, to take over what you change there. | 1 hour, and then until the next page of the site that you open; 180 days at most | Cookie',
    'assent-center-shop | Knows you on the privacy settings page. | 50 minutes; 13 months where you chose there without coming from the site | Cookie',
    'assent-shop-outbox | A choice on its way to the server, until it has arrived. | Seconds, as a rule | Cookie',
    'assent-shop-outbox-* | A choice on its way to the server, until it has arrived. | Seconds, as a rule | Local storage',
    'assent-shop-receipt | The signed receipt of your last choice. | Until you delete it | Local storage',
    'assent-shop-once | Contents that you asked to load once, until you close the tab. | Until you close the tab | Session storage',
    'Session',
    'What Session is for.',
    'Provider: Session Limited · Privacy policy',
    HEADS,
    'session | Recognises the browser. | 1 day | Cookie',
  ]);
  assert.deepEqual(await read(page, 'Performance Cookies'), [
    'Performance Cookies',
    'These let us count visits and see where they come from, so that we can find out which pages work well and which do not, and improve them. If you do not allow them, your visit is not part of these figures.',
    'Services in this category',
    'Google Analytics',
    'What Google Analytics is for.',
    'Provider: Google Analytics Limited · Privacy policy',
    HEADS,
    '_ga | Recognises the browser. | 1 day | Cookie',
    '_ga_* | Recognises the browser. | 1 day | Cookie',
    'Hotjar',
    'What Hotjar is for.',
    'Provider: Hotjar Limited · Privacy policy',
    HEADS,
    '_hjSession* | Recognises the browser. | 1 day | Cookie',
    '_hjViewportId | Recognises the browser. | 1 day | Session storage',
  ]);
  assert.deepEqual(await read(page, 'Functional Cookies'), [
    'Functional Cookies',
    'These make extra features and personal settings possible, such as videos, maps and live chat. They may be set by us or by providers whose services we have added to our pages. If you do not allow them, some of these features may not work.',
    'Services in this category',
    'YouTube',
    'What YouTube is for.',
    'Provider: YouTube Limited · Privacy policy',
  ]);
  assert.deepEqual(await read(page, 'Targeting Cookies'), [
    'Targeting Cookies',
    'Our advertising partners set these through our site. They can use them to learn what interests you and to show you fitting advertising on other sites. If you do not allow them, you will see just as much advertising, but it will be less relevant to you.',
    'Services in this category',
    'Google Tag Manager',
    'What Google Tag Manager is for.',
    'Provider: Google Tag Manager Limited · Privacy policy',
    HEADS,
    '_gcl_au | Recognises the browser. | 1 day | Cookie',
    'Meta Pixel',
    'What Meta Pixel is for.',
    'Provider: Meta Pixel Limited · Privacy policy',
    HEADS,
    '_fbp | Recognises the browser. | 1 day | Cookie',
    'lastExternalReferrer | Recognises the browser. | 1 day | Local storage',
  ]);
  await visitor.close();
});

test('the dialog’s other buttons work', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'settings').click();
  await dialog(page).waitFor();
  await control(page, 'close').click();
  await dialog(page).waitFor({ state: 'detached' });
  assert.equal(await visitor.consent(), null, 'closing is no choice');
  assert.equal(await banner(page).count(), 1);
  await control(page, 'settings').click();
  await control(page, 'reject-all').click();
  await until(async () => (await visitor.consent())?.granted === 1, 'reject all');
  await page.evaluate(() => window.assent.show());
  await control(page, 'accept-all').click();
  await until(async () => (await visitor.consent())?.granted === 15, 'accept all');
  await hasRun(page, ALL);
  await visitor.close();
});

test('withdraw: cookies and storage items go, tags stop with the next page', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'accept').click();
  await hasRun(page, ALL);
  const first = await visitor.consent();
  await page.evaluate(() => window.assent.withdraw());
  await until(async () => !(await visitor.context.cookies(shop.at())).some(({ name }) => OPTIONAL_COOKIES.test(name)), 'the erasure');
  assert.deepEqual(await page.evaluate(() => [localStorage.getItem('lastExternalReferrer'), sessionStorage.getItem('_hjViewportId')]), [null, null]);
  assert.equal(await page.locator('iframe[src]').count(), 0, 'the embed is held again');
  const second = await visitor.consent();
  assert.equal(second.granted, 1);
  assert.equal(second.key, first.key, 'the same subject');
  const { record } = await acknowledged(visitor);
  assert.equal(record.previous, first.record);
  assert.equal(record.asked, false);
  const before = visitor.foreign().length;
  await page.reload();
  await settle(page);
  assert.deepEqual(await ran(page), []);
  assert.equal(visitor.foreign().length, before);
  await visitor.close();
});

test('withdrawing one category in the dialog leaves the others alone', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await control(page, 'accept').click();
  await hasRun(page, ALL);
  await page.evaluate(() => window.assent.show());
  await dialog(page).waitFor();
  const targeting = dialog(page).getByRole('switch', { name: /targeting/i });
  assert.equal(await targeting.isChecked(), true, 'the dialog shows the present choice');
  await targeting.uncheck();
  await control(page, 'confirm').click();
  await until(async () => !(await visitor.cookies()).some((name) => ['_fbp', '_gcl_au'].includes(name)), 'the erasure');
  assert.ok((await visitor.cookies()).includes('_ga'));
  assert.equal((await visitor.consent()).granted, 0b0111);
  await visitor.close();
});

test('what a page’s content says in data attributes neither consents nor runs', async () => {
  shop.page('/content', {
    head: '',
    body: `<a href="#x" data-assent="accept">Read more</a><a href="#y" data-assent-do="accept">And more</a>
      <iframe title="A frame" data-category="necessary" data-src="javascript:parent.harm=1"></iframe>
      <img alt="" name="currentScript" src="https://evil.example/x.gif">`,
  });
  const visitor = await shop.visitor();
  const page = await visitor.open('/content');
  await banner(page).waitFor();
  await page.getByText('Read more').click();
  await page.getByText('And more').click();
  await settle(page);
  assert.equal(await visitor.consent(), null);
  assert.equal(await page.evaluate(() => window.harm), undefined);
  await visitor.close();
});
