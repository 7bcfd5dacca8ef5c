// The demo site, as a newcomer meets it: no mapped hosts, the server's own loopback address.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { start } from '../engines/chromium.mjs';
import { banner, control, dialog, until } from '../harness.mjs';
import { Server } from '../server.mjs';

let server;
let browser;
before(async () => {
  server = await Server.prepare({ host: '127.0.0.1', options: ['--demo'] });
  await server.start();
  browser = await start();
});
after(async () => {
  await browser?.close();
  await server?.close();
});

async function visit(file, options) {
  const context = await browser.newContext(options);
  const foreign = [];
  const failed = [];
  context.on('request', (request) => {
    if (!request.url().startsWith(server.origin)) foreign.push(request.url());
  });
  context.on('response', (response) => {
    if (response.status() >= 400) failed.push(`${response.status()} ${response.url()}`);
  });
  const page = await context.newPage();
  await page.goto(`${server.origin}/demo/${file}`);
  return { context, page, foreign, failed };
}

const states = (page) => page.locator('.chip .state').allTextContents();

/** What the panel lists of the browser, as `name: category`, sorted. */
const listed = async (page) => {
  const rows = page.locator('.panel-body table').last().locator('tbody tr');
  return (await rows.evaluateAll((rows) => rows.map(({ cells: [name, category] }) => `${name.textContent}: ${category.textContent}`))).sort();
};
/** What the tags of every page store, and Assent and the shop themselves. */
const EVERYWHERE = [
  '_fbp: Targeting',
  '_ga: Performance',
  '_ga_MARRAM2026: Performance',
  '_gcl_au: Targeting',
  '_hjSessionUser_3141592: Performance',
  '_hjSession_3141592: Performance',
  '_hjViewportId: Performance',
  'assent-demo-receipt: Necessary',
  'assent-demo: Necessary',
  'marram_session: Necessary',
];

for (const [file, tags, ...stored] of [
  ['', 4],
  ['article.html', 5, 'VISITOR_INFO1_LIVE: Functional', 'YSC: Functional', 'yt-remote-device-id: Functional'],
  ['visit.html', 5, 'NID: Functional'],
  ['shop.html', 6, 'crisp-client%2Fsession%2F5f0c2d9e-demo: Functional'],
  ['cookies.html', 4],
]) {
  test(`/demo/${file}: held, then run, then stopped`, async () => {
    const { context, page, foreign, failed } = await visit(file, { viewport: { width: 1440, height: 900 } });
    await banner(page).waitFor();
    assert.deepEqual(await states(page), Array(tags).fill('held'));
    assert.ok((await context.cookies()).every(({ name }) => name === 'marram_session'));
    assert.deepEqual(await listed(page), ['marram_session: Necessary']);
    await control(page, 'accept').click();
    await until(async () => (await states(page)).every((state) => state === 'ran'), 'every tag to run');
    await page.locator('.panel summary').click();
    await page.locator('.panel-body').waitFor();
    const expected = [...EVERYWHERE, ...stored].sort();
    await until(async () => (await listed(page)).join() === expected.join(), 'all that is stored').catch(() => {});
    assert.deepEqual(await listed(page), expected);
    await page.evaluate(() => window.assent.withdraw());
    await until(async () => (await context.cookies()).every(({ name }) => ['marram_session', 'assent-demo'].includes(name)), 'the erasure');
    await page.reload();
    await until(async () => (await states(page)).join() === Array(tags).fill('held').join(), 'all to be held again');
    assert.deepEqual(foreign, []);
    assert.deepEqual(failed, []);
    await context.close();
  });
}

test('the panel and the banner do not meet, on a phone and on a desktop', async () => {
  for (const viewport of [
    { width: 375, height: 667 },
    { width: 1280, height: 800 },
  ]) {
    const { context, page } = await visit('', { viewport });
    await banner(page).waitFor();
    const strip = await page.locator('.panel').boundingBox();
    const box = await banner(page).boundingBox();
    assert.ok(strip.y + strip.height <= box.y, JSON.stringify({ strip, box }));
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
    await context.close();
  }
});

test('the footer control opens the dialog in the three languages', async () => {
  const titles = new Set();
  for (const locale of ['en-GB', 'de-DE', 'fr-FR']) {
    const { context, page } = await visit('article.html', { locale });
    await page.locator('footer [data-assent=settings]').click();
    await dialog(page).waitFor();
    titles.add(await dialog(page).getByRole('heading').first().innerText());
    await context.close();
  }
  assert.equal(titles.size, 3);
});
