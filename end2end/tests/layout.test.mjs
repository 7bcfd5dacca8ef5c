// Phone widths, dark mode, keyboard, and no layout shift.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, control, dialog, settle, world } from '../harness.mjs';

let shop;
before(async () => (shop = await world()));
after(() => shop?.close());

const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
const inside = (page, locator) =>
  locator.evaluate((element) => {
    const box = element.getBoundingClientRect();
    return box.left >= 0 && box.top >= 0 && box.right <= innerWidth + 0.5 && box.bottom <= innerHeight + 0.5;
  });

for (const width of [320, 375]) {
  test(`${width} px: banner, dialog and center fit`, async () => {
    const visitor = await shop.visitor({ viewport: { width, height: 640 }, hasTouch: true, isMobile: true });
    const page = await visitor.open();
    await banner(page).waitFor();
    await settle(page);
    assert.equal(await overflow(page), 0);
    for (const action of ['accept', 'reject', 'settings']) {
      assert.equal(await inside(page, control(page, action)), true, action);
      const box = await control(page, action).boundingBox();
      assert.ok(box.height >= 44, `${action} is ${box.height} px high`);
    }
    await control(page, 'settings').tap();
    await dialog(page).waitFor();
    await settle(page);
    assert.equal(await overflow(page), 0);
    for (const action of ['accept-all', 'reject-all', 'confirm', 'close']) {
      assert.equal(await inside(page, control(page, action)), true, action);
    }
    assert.equal(await dialog(page).evaluate((element) => element.scrollWidth - element.clientWidth), 0);
    await page.goto(`${shop.server.origin}/c/shop`);
    assert.equal(await overflow(page), 0);
    await visitor.close();
  });
}

/** Words of the dialog that are broken over lines, although they are short enough to stand on one. */
const broken = (page) =>
  dialog(page).evaluate((element) => {
    const found = [];
    const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    for (const range = document.createRange(); texts.nextNode(); ) {
      // On a phone for screen readers only.
      if (texts.currentNode.parentElement.closest('thead')) continue;
      for (const { 0: word, index } of texts.currentNode.data.matchAll(/(?<![\w*])[\w*]{2,12}(?![\w*])/g)) {
        range.setStart(texts.currentNode, index);
        range.setEnd(texts.currentNode, index + word.length);
        if (new Set([...range.getClientRects()].map(({ top }) => top)).size > 1) found.push(word);
      }
    }
    return found;
  });

for (const width of [320, 360, 390]) {
  test(`${width} px: in the dialog no word breaks`, async () => {
    const visitor = await shop.visitor({ viewport: { width, height: 640 }, hasTouch: true, isMobile: true });
    const page = await visitor.open();
    await control(page, 'settings').tap();
    const closed = dialog(page).locator('button[aria-expanded="false"]');
    await closed.first().waitFor();
    while (await closed.count()) await closed.first().tap();
    await dialog(page).getByText('_hjViewportId').waitFor();
    assert.deepEqual(await broken(page), []);
    await visitor.close();
  });
}

test('200 % text size still fits', async () => {
  const visitor = await shop.visitor({ viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 });
  const page = await visitor.open();
  await banner(page).waitFor();
  await settle(page);
  assert.equal(await overflow(page), 0);
  for (const action of ['accept', 'reject', 'settings']) assert.equal(await inside(page, control(page, action)), true, action);
  await visitor.close();
});

test('dark mode changes the surface', async () => {
  const colours = {};
  for (const colorScheme of ['light', 'dark']) {
    const visitor = await shop.visitor({ colorScheme });
    const page = await visitor.open();
    await banner(page).waitFor();
    colours[colorScheme] = await banner(page).evaluate((element) => {
      const [r, g, b] = getComputedStyle(element).backgroundColor.match(/\d+/g).map(Number);
      return (r + g + b) / 3;
    });
    await visitor.close();
  }
  assert.ok(colours.light > 200 && colours.dark < 60, JSON.stringify(colours));
});

test('keyboard: Tab reaches the banner first; Esc closes the dialog and focus returns', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await banner(page).waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => !!document.activeElement.closest('#assent .assent-banner')), true);
  await control(page, 'settings').focus();
  await page.keyboard.press('Enter');
  await dialog(page).waitFor();
  const stays = [];
  for (let press = 0; press < 30; press++) {
    await page.keyboard.press('Tab');
    stays.push(await page.evaluate(() => document.activeElement === document.body || !!document.activeElement.closest('dialog')));
  }
  assert.ok(!stays.includes(false), 'Tab stays in the dialog');
  await page.keyboard.press('Escape');
  await dialog(page).waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => document.activeElement.dataset.assentDo), 'settings');
  assert.equal(await visitor.consent(), null);
  await control(page, 'reject').focus();
  await page.keyboard.press('Space');
  await banner(page).waitFor({ state: 'detached' });
  assert.equal((await visitor.consent()).granted, 1);
  await visitor.close();
});

test('no layout shift, from first paint to after the answer', async () => {
  const visitor = await shop.visitor();
  await visitor.prepare(() => {
    window.shift = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) window.shift += entry.value;
    }).observe({ type: 'layout-shift', buffered: true });
  });
  const page = await visitor.open('/policy');
  await banner(page).waitFor();
  await settle(page);
  await control(page, 'reject').click();
  await settle(page);
  assert.equal(await page.evaluate(() => window.shift), 0);
  await visitor.close();
});

test('reduced motion: nothing moves', async () => {
  const visitor = await shop.visitor({ reducedMotion: 'reduce' });
  const page = await visitor.open();
  await control(page, 'settings').click();
  await dialog(page).waitFor();
  const moving = await page.evaluate(() =>
    document.getAnimations().filter((animation) => animation.effect.getComputedTiming().duration > 1).length,
  );
  assert.equal(moving, 0);
  await visitor.close();
});
