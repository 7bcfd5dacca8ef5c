// Pages over TLS, with Assent behind the same proxy: the choice's cookie is for TLS alone, and cookies go that only such
// pages can have.
import assert from 'node:assert/strict';
import http from 'node:http';
import https from 'node:https';
import { after, before, test } from 'node:test';

import { certificate } from '../certificate.mjs';
import { acknowledged, control, errors, until, world } from '../harness.mjs';
import { page } from '../site.mjs';

let proxy;
let origin;
let shop;
before(async () => {
  const body = page({ tag: '<script async src="/s/shop.js"></script>', head: '', body: '' });
  proxy = https.createServer(certificate(), (request, response) => {
    if (/^\/(s|a|v1)\//.test(request.url)) {
      const { method, url, headers } = request;
      const onward = http.request(shop.server.url + url, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      onward.on('error', () => response.destroy());
      request.pipe(onward);
    } else {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
      response.end(body);
    }
  });
  await new Promise((done) => proxy.listen(0, '127.0.0.1', done));
  origin = `https://www.shop.test:${proxy.address().port}`;
  shop = await world({ change: (config) => ({ ...config, origins: [origin, ...config.origins] }) });
});
after(async () => {
  proxy?.closeAllConnections();
  proxy?.close();
  await shop?.close();
});

async function arrive(visitor) {
  const page = await visitor.context.newPage();
  await page.goto(`${origin}/winter/coats`);
  return page;
}

test('the choice stands in a cookie for TLS alone, and its record arrives', async () => {
  const visitor = await shop.visitor();
  const page = await arrive(visitor);
  await control(page, 'accept').click();
  await acknowledged(page);
  const [cookie] = (await visitor.context.cookies(origin)).filter(({ name }) => name === 'assent-shop');
  assert.equal(cookie.secure, true);
  assert.equal(cookie.domain, '.shop.test');
  assert.deepEqual(await errors(page), []);
  await visitor.close();
});

test('a withdrawal erases cookies for TLS alone and those of a partition, on every domain and path', async () => {
  const visitor = await shop.visitor();
  const page = await arrive(visitor);
  await control(page, 'accept').click();
  await acknowledged(page);
  const there = await page.evaluate(() => {
    let at = 0;
    for (const domain of ['', ';domain=shop.test', ';domain=www.shop.test']) {
      for (const path of ['/', '/winter', '/winter/coats']) {
        // Where the engine knows no partitions, these are two that differ by name alone.
        for (const kind of ['', ';partitioned']) document.cookie = `_ga_${at++}=1;max-age=600;secure;path=${path}${domain}${kind}`;
        // Both of one name.
        for (const kind of ['', ';partitioned']) document.cookie = `_fbp=1;max-age=600;secure;path=${path}${domain}${kind}`;
      }
    }
    document.cookie = 'basket=1;secure;partitioned';
    return document.cookie.match(/_ga_\d+=/g).length;
  });
  assert.equal(there, 18);
  await page.evaluate(() => window.assent.withdraw());
  await until(async () => !(await page.evaluate(() => document.cookie)).includes('_ga_'), 'the cookies to go');
  assert.deepEqual(
    (await page.evaluate(() => document.cookie)).split('; ').map((pair) => pair.split('=')[0]).filter((name) => !name.startsWith('assent-shop')),
    ['basket'],
  );
  await visitor.close();
});
