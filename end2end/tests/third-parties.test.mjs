// Report mode of automatic blocking, from the visitor's page to the owner's console.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { control, settle, until, world } from '../harness.mjs';

const PAGE = (tag, body) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page</title><link rel="icon" href="data:,">
${tag}</head><body><h1>Page</h1>${body}</body></html>`;

/** Marked, declared, known, unknown, allowed and own. */
const BODY = `
<script type="text/plain" data-category="targeting" src="https://connect.facebook.net/en_US/fbevents.js"></script>
<img alt="" data-category="necessary" src="https://www.clarity.ms/marked.gif">
<iframe title="Film" src="https://films.example/embed/1"></iframe>
<iframe title="About" src="https://films.example/maps"></iframe>
<script src="https://static.hotjar.com/c/hotjar-1.js?visitor=secret"></script>
<img alt="" src="https://static.hotjar.com/x.gif">
<script>fetch('https://api.unknown.example/secret/path?visitor=secret', { mode: 'no-cors' })</script>
<img alt="" src="https://cdn.shop-static.example/x.gif"><img alt="" src="/own.gif">`;

const REPORT = [
  { host: 'api.unknown.example', kinds: ['fetch'], waits_for: 'unknown' },
  { host: 'films.example', kinds: ['iframe'], waits_for: 'declared' },
  { host: 'films.example', kinds: ['iframe'], waits_for: 'unknown' },
  { host: 'static.hotjar.com', kinds: ['img', 'script'], waits_for: 'performance' },
];

const change = (mode) => (config) => {
  config.blocking = { mode, allow: ['cdn.shop-static.example'] };
  config.services.find(({ id }) => id === 'youtube').hosts = ['films.example/embed/*'];
  return config;
};

let shop;
before(async () => {
  shop = await world({ change: change('report') });
  shop.pages.set('/', { body: PAGE(shop.tag(), BODY) });
});
after(() => shop?.close());

/** What the pages of a visitor report. */
function reports(visitor) {
  const bodies = [];
  visitor.context.on('request', (request) => {
    if (request.url().endsWith('/third-parties')) bodies.push(JSON.parse(request.postData()));
  });
  return bodies;
}

const sorted = (seen) => seen.map((line) => ({ ...line, kinds: line.kinds.toSorted() })).sort((a, b) => (a.host + a.waits_for < b.host + b.waits_for ? -1 : 1));

test('a page reports once what it loaded without consent, and the owner sees it', async () => {
  const visitor = await shop.visitor();
  const sent = reports(visitor);
  const page = await visitor.open();
  await until(() => sent.length, 'the report');
  await page.waitForTimeout(1500);
  assert.equal(sent.length, 1, 'once');
  assert.equal(sent[0].revision, 1);
  assert.deepEqual(sorted(sent[0].seen), REPORT);
  assert.equal(JSON.stringify(sent).includes('secret'), false, 'no path, no query');
  await visitor.close();

  const owner = await shop.visitor();
  const console = await owner.context.newPage();
  await console.goto(shop.server.signInLink());
  for (const field of await console.locator('input[type=password]').all()) await field.fill('a long enough password');
  await console.locator('form button').last().click();
  await console.getByRole('link', { name: 'Third parties' }).click();
  await console.waitForURL('**/third-parties');
  const lines = async () => {
    await console.reload();
    return console.locator('tbody tr').evaluateAll((rows) => rows.map((row) => [...row.children].slice(0, 5).map((cell) => cell.textContent).join(' | ')).sort());
  };
  await until(async () => (await lines()).length === 4, 'the lines');
  assert.deepEqual(await lines(), [
    'api.unknown.example | unknown: nobody declares it | request | 1 | 1',
    'films.example | YouTube (functional) | frame | 1 | 1',
    'films.example | unknown: nobody declares it | frame | 1 | 1',
    'static.hotjar.com | performance (shipped list) | script, picture | 1 | 1',
  ]);
  assert.match(await console.locator('main').innerText(), /2 third parties would wait until the visitor agrees/);
  await console.locator('summary', { hasText: 'static.hotjar.com' }).click();
  const entry = JSON.parse(await console.getByLabel('Service of static.hotjar.com').innerText());
  assert.deepEqual([entry.category, entry.hosts], ['performance', ['static.hotjar.com']]);
  await owner.close();
});

test('what the visitor has granted is not reported, nor anything by a browser that objects', async () => {
  const granting = await shop.visitor();
  const first = await granting.open();
  await control(first, 'accept').click();
  await granting.chosen();
  await first.close();
  const sent = reports(granting);
  await granting.open();
  await until(() => sent.length, 'the report');
  assert.deepEqual([...new Set(sent[0].seen.map(({ waits_for }) => waits_for))], ['unknown']);
  await granting.close();

  for (const [name, value] of [['globalPrivacyControl', true], ['doNotTrack', '1']]) {
    const objecting = await shop.visitor();
    await objecting.context.addInitScript(([name, value]) => Object.defineProperty(Navigator.prototype, name, { get: () => value }), [name, value]);
    const heard = reports(objecting);
    const page = await objecting.open();
    await page.waitForFunction(() => performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/rules.js')));
    await page.waitForTimeout(2000);
    assert.deepEqual(heard, [], name);
    await objecting.close();
  }
});

test('enforced, a page reports what loaded all the same', async () => {
  const strict = await world({ change: change('enforce') });
  try {
    const insert = `<script>for (const at of ['https://static.hotjar.com/x.gif', 'https://pixel.unknown.example/x.gif']) { const i = new Image(); i.src = at; document.body.append(i); }</script>`;
    strict.pages.set('/', { body: PAGE(strict.tag(''), insert) });
    const visitor = await strict.visitor();
    const sent = reports(visitor);
    const page = await visitor.open();
    await until(() => sent.length, 'the report');
    await settle(page);
    assert.deepEqual(sent.map(({ seen }) => seen), [[{ host: 'pixel.unknown.example', kinds: ['img'], waits_for: 'unknown' }]]);
    await visitor.close();
  } finally {
    await strict.close();
  }
});
