// Hostile pages: each file of end2end/pages is a case, with what must be seen in the browser's own network log
// and cookie jar. A page says in its first script (application/json, id "case"):
//   case      what it is about
//   tag       attributes of the loader's tag; `async fetchpriority="high"` if it says nothing
//   before    what may be requested of vendors before the choice, as host + path; nothing if it says nothing
//   set       the categories that are then granted; all if it says nothing
//   requested what must have been requested of vendors after it, in any order, no more and no less
//   ran       what must have run, in this order (`window.ran`)
//   holds     an expression that must be true in the page at the end
//   withdrawn an expression that must be true in the page after everything is withdrawn
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { banner, ran, settle, until, world } from '../harness.mjs';
import { ROOT } from '../server.mjs';

const FOLDER = join(ROOT, 'end2end/pages');
const CASE = /<script type="application\/json" id="case">([^]*?)<\/script>\n/;

const cases = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.html'))
  .map((name) => {
    const text = readFileSync(join(FOLDER, name), 'utf8');
    return { name, ...JSON.parse(text.match(CASE)[1]), text: text.replace(CASE, '') };
  });

let shop;
before(async () => {
  shop = await world();
  for (const { name, text, tag } of cases) shop.pages.set(`/${name}`, { body: text.replace('<!-- loader -->', shop.tag(tag)) });
});
after(() => shop?.close());

/** What a visitor's browser has asked vendors for, as host and path, sorted. */
const asked = (visitor) =>
  visitor
    .foreign()
    .map((url) => new URL(url))
    .map((url) => url.host + url.pathname)
    .sort();

for (const { name, case: what, before: early = [], set = { performance: true, functional: true, targeting: true }, ...expected } of cases) {
  test(`${name}: ${what}`, async () => {
    const visitor = await shop.visitor();
    const page = await visitor.open(`/${name}`);
    await banner(page).waitFor();
    await settle(page);
    assert.deepEqual(asked(visitor), early.toSorted(), 'requests before the choice');
    assert.deepEqual(await visitor.cookies(), [], 'cookies before the choice');
    await page.evaluate((categories) => window.assent.set(categories), set);
    const wanted = [...early, ...(expected.requested ?? [])].sort();
    await until(() => asked(visitor).length >= wanted.length, wanted.join()).catch(() => {});
    await settle(page);
    assert.deepEqual(asked(visitor), wanted, 'requests after the choice');
    assert.deepEqual(await ran(page), expected.ran ?? [], 'what ran');
    if (expected.holds) assert.ok(await page.evaluate(expected.holds), expected.holds);
    if (expected.withdrawn) {
      await page.evaluate(() => window.assent.withdraw());
      await until(() => page.evaluate(expected.withdrawn), expected.withdrawn);
    }
    assert.deepEqual(page.errors, []);
    await visitor.close();
  });
}
