// The console's rates: what visitors did, in the right column, end to end from the banner's beacon.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { acknowledged, banner, control, dialog, until, world } from '../harness.mjs';

let shop;
let owner;
before(async () => {
  shop = await world();
  const visitor = await shop.visitor({ javaScriptEnabled: false });
  owner = await visitor.context.newPage();
  await owner.goto(shop.server.signInLink());
  for (const field of await owner.locator('input[type=password]').all()) await field.fill('a long enough password');
  await owner.locator('form button').last().click();
  await owner.waitForURL('**/console/sites/shop');
});
after(() => shop?.close());

/** A visitor who sees the banner, and switches categories on, presses a button, or leaves. */
async function visit(what) {
  const visitor = await shop.visitor();
  const page = await visitor.open('/policy');
  await banner(page).waitFor();
  if (Array.isArray(what)) {
    await control(page, 'settings').click();
    for (const name of what) await dialog(page).getByRole('switch', { name }).check();
    await control(page, 'confirm').click();
  } else if (what !== 'leave') {
    await control(page, what).click();
  }
  if (what !== 'leave') await acknowledged(page);
  await page.goto('about:blank');
  // A browser that stays open: what the page still had to send goes out.
  await page.waitForTimeout(300);
  await visitor.close();
}

/** The cells of a row of the table, without the column of days. */
const cells = (row) => row.locator('td').evaluateAll((cells) => cells.map((cell) => cell.textContent.replace(/\s+/g, ' ')));

test('the beacon of a banner that was shown is accepted, and comes once for each page view', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.context.newPage();
  const answered = page.waitForResponse((answer) => answer.url() === `${shop.server.origin}/v1/sites/shop/events`);
  await page.goto(shop.at('/policy'));
  assert.equal((await answered).status(), 204);
  await control(page, 'reject').click();
  await acknowledged(page);
  await page.goto('about:blank');
  assert.equal(visitor.requests.filter((url) => url.endsWith('/events')).length, 1);
  await visitor.close();
  const row = owner.locator('tbody tr').first();
  await until(async () => (await owner.reload(), (await row.count()) && (await cells(row))[1] === '100.0 % 1 of 1'), 'the figures');
  assert.deepEqual(await cells(row), ['1', '100.0 % 1 of 1', '0.0 % 0 of 1', '100.0 % 1 of 1', '0.0 % 0 of 1', '0.0 % 0 of 1', '0.0 % 0 of 1', '0.0 % 0 of 1']);
});

test('each day’s row, the total and the figures say what visitors did', async () => {
  // With the refusal above, no two columns are alike.
  await visit('accept');
  await visit('reject');
  await visit([/performance/i]);
  await visit([/performance/i]);
  await visit([/performance/i, /functional/i]);
  for (let left = 0; left < 3; left++) await visit('leave');
  const row = owner.locator('tbody tr').first();
  await until(async () => (await owner.reload(), /^9$/.test((await cells(row))[0]) && /^66.7 % 6 of 9$/.test((await cells(row))[1])), 'the figures');
  const heads = await owner.locator('thead th').allTextContents();
  const expected = {
    'Shown': '9',
    'Decided': '66.7 % 6 of 9',
    'Accepted all': '16.7 % 1 of 6',
    'Rejected all': '33.3 % 2 of 6',
    'Mixed': '50.0 % 3 of 6',
    'Performance': '66.7 % 4 of 6',
    'Functional': '33.3 % 2 of 6',
    'Targeting': '16.7 % 1 of 6',
  };
  assert.deepEqual(heads, ['Day, UTC', ...Object.keys(expected)]);
  assert.deepEqual(await cells(row), Object.values(expected));
  assert.equal(await row.locator('time').getAttribute('datetime'), new Date().toISOString().slice(0, 10));
  assert.deepEqual(await cells(owner.locator('tfoot tr')), Object.values(expected));
  const figures = await owner.locator('.figure').evaluateAll((all) =>
    Object.fromEntries(all.map((figure) => [figure.querySelector('dt').textContent, figure.querySelector('.value').textContent.replace(/\s+/g, ' ')])),
  );
  assert.deepEqual(figures, { 'Banner shown': '9', 'Decided': '66.7 %', 'Accepted all': '16.7 %', 'Rejected all': '33.3 %', 'Mixed': '50.0 %' });
  const optIn = await owner.getByRole('region', { name: 'Opt-in rate per category' }).locator('li').evaluateAll((all) =>
    // Before the chart's own words.
    all.map((item) => item.textContent.replace(/\s+/g, ' ').replace(/(decided).*/, '$1')),
  );
  assert.deepEqual(optIn, ['Performance66.7 % · 4 of 6 decided', 'Functional33.3 % · 2 of 6 decided', 'Targeting16.7 % · 1 of 6 decided']);
});
