// Global Privacy Control and Do Not Track: applied as the rule says, and shown to the visitor as honoured.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, control, dialog, hasRun, not, ran, settle, until, world } from '../harness.mjs';

const ALL = ['gtag', 'gtm', 'hotjar', 'pixel'];
const WITHOUT_TARGETING = ['gtag', 'hotjar'];
const HONOURED = {
  GPC: /Global Privacy Control signal, and this site honours it/,
  DNT: /Do Not Track signal, and this site honours it/,
};

const rule = { id: 'us', regions: ['*'], model: 'opt-out', on_by_default: ['performance', 'functional', 'targeting'], expiry_days: 180 };

const sites = {};
before(async () => {
  sites.gpc = await world({ change: (config) => ({ ...config, rules: [rule] }) });
  // Nobody is asked.
  sites.none = await world({ change: (config) => ({ ...config, rules: [{ ...rule, model: 'none' }] }) });
  sites.dnt = await world({ change: (config) => ({ ...config, rules: [{ ...rule, honours_gpc: false, honours_dnt: true }] }) });
});
after(async () => {
  for (const site of Object.values(sites)) await site.close();
});

/** A visitor whose browser sends a signal, to pages and to servers. */
async function objecting(site, property, sent, header) {
  const visitor = await site.visitor({ extraHTTPHeaders: { [header]: '1' } });
  await visitor.prepare(([name, value]) => Object.defineProperty(Navigator.prototype, name, { get: () => value }), [property, sent]);
  return visitor;
}
const gpc = (site) => objecting(site, 'globalPrivacyControl', true, 'Sec-GPC');
const dnt = (site) => objecting(site, 'doNotTrack', '1', 'DNT');

for (const [what, site, signal, runs] of [
  ['no signal', 'gpc', (shop) => shop.visitor(), ALL],
  ['GPC, honoured', 'gpc', gpc, WITHOUT_TARGETING],
  ['GPC, not honoured', 'dnt', gpc, ALL],
  ['DNT, not honoured', 'gpc', dnt, ALL],
  ['DNT, honoured', 'dnt', dnt, WITHOUT_TARGETING],
]) {
  test(`${what}: what runs without a choice`, async () => {
    const visitor = await signal(sites[site]);
    const page = await visitor.open();
    await hasRun(page, runs);
    await settle(page);
    assert.deepEqual((await ran(page)).sort(), runs);
    assert.equal((await page.evaluate(() => window.assent.choice())).targeting, runs === ALL);
    await visitor.close();
  });

  test(`${what}: what dialog and center say of it`, not({ webkit: 'its driver sends no headers of ours' }), async () => {
    const shop = sites[site];
    const visitor = await signal(shop);
    const page = await visitor.open();
    await banner(page).waitFor();
    await page.evaluate(() => window.assent.show());
    await dialog(page).waitFor();
    const said = (text) => Object.keys(HONOURED).filter((name) => HONOURED[name].test(text));
    const expected = what.endsWith(', honoured') ? [what.slice(0, 3)] : [];
    assert.deepEqual(said(await dialog(page).innerText()), expected, 'dialog');
    await page.goto(`${shop.server.origin}/c/shop`);
    assert.deepEqual(said(await page.locator('main').innerText()), expected, 'center');
    assert.equal(await page.locator('input[name=targeting]').isChecked(), runs === ALL);
    await visitor.close();
  });
}

for (const [model, name] of [['opt-out', 'gpc'], ['none', 'none']]) {
  test(`${model}: what was stored before the signal was sent goes, without a choice`, async () => {
    const shop = sites[name];
    shop.page('/plain', { head: '', body: '' });
    const visitor = await gpc(shop);
    const page = await visitor.open('/plain');
    await page.evaluate(() => {
      for (const name of ['_ga', '_fbp', 'basket']) document.cookie = `${name}=1`;
      localStorage.setItem('lastExternalReferrer', '1');
    });
    await page.reload();
    await until(async () => (await visitor.cookies()).join() === '_ga,basket', 'the cookie to go');
    assert.equal(await page.evaluate(() => localStorage.getItem('lastExternalReferrer')), null);
    assert.equal(await visitor.consent(), null);
    await visitor.close();
  });
}

for (const [name, signal] of [['gpc', gpc], ['dnt', dnt]]) {
  test(`a choice stands above ${name}, and the record says that it was sent`, async () => {
    const shop = sites[name];
    const visitor = await signal(shop);
    const page = await visitor.open();
    await control(page, 'accept').click();
    await hasRun(page, ALL);
    const { key, record } = await visitor.consent();
    const stored = await until(() => shop.server.record('shop', record, key), 'the record');
    assert.deepEqual({ gpc: stored.record.gpc, dnt: stored.record.dnt }, { gpc: name === 'gpc', dnt: name === 'dnt' });
    await visitor.close();
  });
}
