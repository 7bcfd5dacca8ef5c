// Frames, pictures, and whatever is added after the page has loaded.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { control, hasRun, settle, until, world } from '../harness.mjs';

let shop;
before(async () => {
  shop = await world();
  shop.page('/embeds', {
    head: '',
    body: `<iframe title="Film" data-category="functional" data-src="https://www.youtube.com/embed/x1"></iframe>
<iframe title="Map" data-category="functional" data-src="https://www.google.com/maps/embed?pb=1"></iframe>
<img alt="" data-category="targeting" data-src="https://www.facebook.com/tr?id=1">`,
  });
});
after(() => shop?.close());

test('frames and pictures wait for their own category', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/embeds');
  await settle(page);
  assert.deepEqual(visitor.foreign(), []);
  await page.evaluate(() => window.assent.set({ functional: true }));
  await until(() => visitor.foreign().length === 2, 'the frames');
  await settle(page);
  assert.deepEqual(visitor.foreign().sort(), ['https://www.google.com/maps/embed?pb=1', 'https://www.youtube.com/embed/x1']);
  await page.evaluate(() => window.assent.set({ targeting: true }));
  await until(() => visitor.foreign().includes('https://www.facebook.com/tr?id=1'), 'the picture');
  await visitor.close();
});

const add = (page) =>
  page.evaluate(() => {
    const script = document.createElement('script');
    script.type = 'text/plain';
    script.dataset.category = 'targeting';
    script.textContent = '(window.ran ??= []).push("late")';
    document.body.append(script);
    const box = document.createElement('div');
    box.innerHTML = '<p><iframe title="Late" data-category="functional" data-src="https://www.youtube.com/embed/late"></iframe></p>';
    document.body.append(box);
  });

test('nodes added later are held before the choice and released after it', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/embeds');
  await add(page);
  await settle(page);
  assert.deepEqual(visitor.foreign(), []);
  await control(page, 'accept').click();
  await hasRun(page, ['late']);
  await until(() => visitor.foreign().includes('https://www.youtube.com/embed/late'), 'the frame');
  await visitor.close();
});

test('nodes added after consent run at once', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open('/embeds');
  await control(page, 'accept').click();
  await add(page);
  await hasRun(page, ['late']);
  await visitor.close();
});
