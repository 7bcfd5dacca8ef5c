// Hosts under suffixes of several labels, which browsers treat as one: what was set on any domain and path that the
// page can reach goes, and the choice stands on the widest domain that the browser accepts.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, control, errors, settle, until, world } from '../harness.mjs';

/** Host of the page, the widest domain that takes its cookies (none for the host alone), and all domains of cookies. */
const HOSTS = [
  ['www.shop.example.co.uk', '.example.co.uk', ['.example.co.uk', '.shop.example.co.uk', '.www.shop.example.co.uk', '']],
  ['example.co.uk', '.example.co.uk', ['.example.co.uk', '']],
  ['shop.github.io', '.shop.github.io', ['.shop.github.io', '']],
  ['www.shop.github.io', '.shop.github.io', ['.shop.github.io', '.www.shop.github.io', '']],
];
const PATHS = ['/', '/winter', '/winter/coats'];

let shop;
const at = (host, path) => shop.at(path).replace('shop.test', host);
before(async () => {
  shop = await world({
    change(config) {
      for (const [host] of HOSTS) config.origins.push(config.origins[0].replace('shop.test', host));
      return config;
    },
  });
  for (const path of ['/none', '/winter/coats/']) shop.page(path, { head: '', body: '' });
  shop.pages.set('/none', { body: '<!doctype html><title>Nothing</title>' });
});
after(() => shop?.close());

/** Domain and path of the jar's cookies with such a name. */
const jar = async (visitor, url, names) =>
  (await visitor.context.cookies(url)).filter(({ name }) => names.test(name)).map(({ domain, path }) => `${domain}${path}`);

for (const [host, widest, domains] of HOSTS) {
  test(`${host}: a withdrawal erases on every domain and path, the choice stands on ${widest}`, async () => {
    const visitor = await shop.visitor();
    const page = await visitor.context.newPage();
    const url = at(host, '/winter/coats/');
    await page.goto(url);
    await control(page, 'accept').click();
    await banner(page).waitFor({ state: 'detached' });
    assert.deepEqual(await jar(visitor, url, /^assent-shop$/), [`${widest}/`]);

    const names = await page.evaluate(
      ([domains, paths]) =>
        domains.flatMap((domain, one) =>
          paths.map((path, other) => {
            const name = `_ga_${one}${other}`;
            document.cookie = `${name}=1;max-age=600;path=${path}${domain && `;domain=${domain}`}`;
            document.cookie = `_fbp=1;max-age=600;path=${path}${domain && `;domain=${domain}`}`;
            return name;
          }),
        ),
      [domains, PATHS],
    );
    // Each of them is there, and the one that shares its name with others is there as often.
    const there = await page.evaluate(() => document.cookie);
    for (const name of names) assert.ok(there.includes(`${name}=`), name);
    assert.equal(there.split('_fbp=').length - 1, names.length);

    await page.evaluate(() => window.assent.set({ targeting: false }));
    await until(async () => !(await page.evaluate(() => document.cookie)).includes('_fbp'), 'targeting to go');
    assert.equal((await page.evaluate(() => document.cookie)).split('_ga_').length - 1, names.length, 'performance stays');
    await page.evaluate(() => window.assent.withdraw());
    await until(async () => !/_ga_|_fbp/.test(await page.evaluate(() => document.cookie)), 'all optional to go');
    // Also what other pages of the host, or the browser's own list, would show.
    await until(async () => !(await jar(visitor, url, /^_/)).length, 'the jar to say so');
    assert.deepEqual(await jar(visitor, url, /^assent-shop$/), [`${widest}/`], 'still one');
    assert.deepEqual(await errors(page), []);

    // Whoever comes back is not asked again, on the parent either.
    await page.goto(at(widest.slice(1), '/winter/coats/'));
    await settle(page);
    assert.equal(await banner(page).count(), 0);
    await visitor.close();
  });
}

test('a neighbour under a public suffix knows nothing of the choice', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.context.newPage();
  await page.goto(at('shop.github.io', '/winter/coats/'));
  await control(page, 'accept').click();
  await banner(page).waitFor({ state: 'detached' });
  await page.goto(at('other.github.io', '/none'));
  assert.equal(await page.evaluate(() => document.cookie), '');
  await visitor.close();
});
