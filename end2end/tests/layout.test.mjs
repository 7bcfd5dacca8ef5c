// Phone widths, dark mode, keyboard, and no layout shift.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { acknowledged, banner, control, dialog, follow, settle, world } from '../harness.mjs';

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

test('at 200 % zoom the banner still fits', async () => {
  const visitor = await shop.visitor({ viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 });
  const page = await visitor.open();
  await banner(page).waitFor();
  await settle(page);
  assert.equal(await overflow(page), 0);
  for (const action of ['accept', 'reject', 'settings']) assert.equal(await inside(page, control(page, action)), true, action);
  await visitor.close();
});

/** Elements of a part whose text does not fit into them. */
const cut = (part) =>
  part.evaluate((part) =>
    [part, ...part.querySelectorAll('*')]
      // Boxes without a scroll container show what stands out of them; the head of a table is for screen readers only.
      .filter((element) => element.checkVisibility() && element.clientWidth && !element.closest('thead, input') && element.scrollWidth > element.clientWidth + 1)
      .map((element) => `${element.localName}.${element.className}: ${element.scrollWidth} in ${element.clientWidth}`),
  );

for (const width of [320, 375]) {
  test(`${width} px at twice the text size: banner and dialog fit, and their buttons work`, async () => {
    const visitor = await shop.visitor({ viewport: { width, height: 640 }, hasTouch: true, isMobile: true });
    const page = await visitor.context.newPage();
    // The browser's own setting; 16 px without it.
    const session = await visitor.context.newCDPSession(page);
    await session.send('Page.setFontSizes', { fontSizes: { standard: 32 } });
    await page.goto(shop.at());
    await banner(page).waitFor();
    await settle(page);
    const size = (locator) => locator.evaluate((element) => getComputedStyle(element).fontSize);
    assert.equal(await size(banner(page)), '32px');
    assert.equal(await size(control(page, 'accept')), '32px');
    assert.equal(await overflow(page), 0);
    assert.deepEqual(await cut(banner(page)), []);
    assert.equal(await inside(page, banner(page)), true);
    for (const action of ['accept', 'reject', 'settings']) {
      await control(page, action).scrollIntoViewIfNeeded();
      assert.equal(await inside(page, control(page, action)), true, action);
    }
    await control(page, 'settings').tap();
    await dialog(page).waitFor();
    await settle(page);
    assert.equal(await size(dialog(page)), '32px');
    assert.equal(await overflow(page), 0);
    assert.equal(await inside(page, dialog(page)), true);
    for (const action of ['close', 'accept-all', 'reject-all', 'confirm']) {
      await control(page, action).scrollIntoViewIfNeeded();
      assert.equal(await inside(page, control(page, action)), true, action);
    }
    await dialog(page).getByRole('switch', { name: /performance/i }).tap();
    await control(page, 'confirm').tap();
    assert.equal((await visitor.chosen()).granted, 0b0011);
    await visitor.close();
  });
}

for (const [width, size] of [[320, 32], [375, 32], [375, 16]]) {
  test(`${width} px, text of ${size} px: in the dialog nothing is cut, no word breaks, and only its body scrolls`, async () => {
    const visitor = await shop.visitor({ viewport: { width, height: 640 }, hasTouch: true, isMobile: true });
    const page = await visitor.context.newPage();
    const session = await visitor.context.newCDPSession(page);
    await session.send('Page.setFontSizes', { fontSizes: { standard: size } });
    await page.goto(shop.at());
    await control(page, 'settings').tap();
    const closed = dialog(page).locator('button[aria-expanded="false"]');
    await closed.first().waitFor();
    while (await closed.count()) await closed.first().tap();
    assert.deepEqual(await cut(dialog(page)), []);
    assert.deepEqual(await broken(page), []);
    assert.equal(await dialog(page).evaluate((element) => element.scrollHeight - element.clientHeight), 0);
    await visitor.close();
  });
}

/** Mean of red, green and blue of a colour that the browser computed. */
const brightness = (locator, property) =>
  locator.evaluate((element, property) => {
    const [r, g, b, alpha = 1] = getComputedStyle(element)[property].match(/[\d.]+/g).map(Number);
    // What is transparent shows something else.
    return alpha === 1 ? (r + g + b) / 3 : null;
  }, property);

/** Signs the owner in and gives the page of the site's rates. */
async function signedIn() {
  const owner = await shop.visitor();
  const page = await owner.context.newPage();
  await page.goto(await shop.server.newSignInLink());
  for (const field of await page.locator('input[type=password]').all()) await field.fill('a long enough password');
  await follow(page, page.locator('form button').last());
  await page.waitForURL('**/console/sites/shop');
  return [owner, page];
}

test('dark mode: banner, dialog, center and console are dark, their text is light', async () => {
  const [owner, rates] = await signedIn();
  const visitor = await shop.visitor();
  const page = await visitor.open();
  const center = await visitor.context.newPage();
  await center.goto(`${shop.server.origin}/c/shop`);
  await control(page, 'settings').click();
  await dialog(page).waitFor();
  const ground = (page) => page.locator('.assent-page');
  for (const colorScheme of ['light', 'dark']) {
    for (const [name, surface, text = surface] of [
      ['banner', banner(page), banner(page).locator('h2')],
      ['dialog', dialog(page), dialog(page).locator('h2')],
      ['center', ground(center)],
      ['a card of the center', center.locator('.card').first()],
      ['console', ground(rates)],
      ['a card of the console', rates.locator('.card').first()],
    ]) {
      for (const tab of [page, center, rates]) await tab.emulateMedia({ colorScheme });
      const [back, ink] = [await brightness(surface, 'backgroundColor'), await brightness(text, 'color')];
      const fits = colorScheme === 'dark' ? back < 60 && ink > 200 : back > 200 && ink < 60;
      assert.ok(back !== null && fits, `${name}, ${colorScheme}: ${ink} on ${back}`);
    }
  }
  await visitor.close();
  await owner.close();
});

for (const width of [320, 375]) {
  test(`${width} px: no page of the console is wider than the screen`, async () => {
    const visitor = await shop.visitor();
    const shopped = await visitor.open();
    await control(shopped, 'accept').click();
    await acknowledged(shopped);
    const { record } = await visitor.consent();
    const [owner, page] = await signedIn();
    await page.setViewportSize({ width, height: 640 });
    for (const path of ['', '/third-parties', '/notices', '/records', `/records/${record}`, `/records/${record}/erase`]) {
      const answer = await page.goto(`${shop.server.origin}/console/sites/shop${path}`);
      assert.equal(answer.status(), 200, path);
      assert.equal(await overflow(page), 0, path);
    }
    await owner.context.clearCookies();
    for (const address of [`${shop.server.origin}/console`, await shop.server.newSignInLink()]) {
      await page.goto(address);
      await page.locator('input[type=password]').first().waitFor();
      assert.equal(await overflow(page), 0, address);
    }
    await owner.close();
    await visitor.close();
  });
}

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
