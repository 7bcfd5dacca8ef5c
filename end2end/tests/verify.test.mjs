// The page on which anybody checks a receipt: what holds and what does not is named, and nothing but site, id and hash
// leaves the browser.
import assert from 'node:assert/strict';
import { createHash, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { start } from '../engines/chromium.mjs';
import { banner, control, until } from '../harness.mjs';
import { ROOT, Server } from '../server.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PROOF = '**/v1/sites/demo/records/*/proof?entry=*';

let server;
let browser;
let receipt;
before(async () => {
  server = await Server.prepare({ host: '127.0.0.1', options: ['--demo'] });
  await server.start();
  browser = await start();
  const page = await (await browser.newContext({ locale: 'en-GB' })).newPage();
  // Two choices: a log with one entry has a proof without hashes.
  for (const first of [true, false]) {
    await page.goto(`${server.origin}/demo/`);
    if (first) {
      await banner(page).waitFor();
      await control(page, 'accept').click();
    } else await page.evaluate(() => window.assent.withdraw());
    await page.waitForFunction((old) => (window.assent.choice().receipt ?? old) !== old, receipt ?? null);
    receipt = await page.evaluate(() => window.assent.choice().receipt);
  }
  await page.context().close();
  await until(
    async () => {
      const answer = await fetch(`${server.url}/v1/sites/demo/log/checkpoint`);
      return answer.ok && (await answer.text()).split('\n')[1] === '2';
    },
    'a checkpoint of both records',
    20_000,
  );
});
after(async () => {
  await browser?.close();
  await server?.close();
});

const record = () => JSON.parse(Buffer.from(receipt.split('.')[1], 'base64url'));
const encoded = (value) => Buffer.from(value).toString('base64url');

/** Opens the page; `prepare` may set up routes. */
async function open(prepare = () => {}, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  const page = await context.newPage();
  page.asked = [];
  page.errors = [];
  page.on('request', (request) => page.asked.push(`${request.method()} ${request.url().replace(server.origin, '')}`));
  page.on('console', (message) => message.type() === 'error' && page.errors.push(message.text()));
  page.on('pageerror', (error) => page.errors.push(String(error)));
  await prepare(page);
  await page.goto(`${server.origin}/verify`);
  return page;
}

/** Has a text checked: `{ verdict, receipt, signature, content, log }`, each as it stands there. */
async function checked(page, text) {
  await page.getByLabel('The receipt', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Check the receipt' }).click();
  return outcome(page);
}

async function outcome(page) {
  await page.waitForFunction(() => !/^(Checking…)?$/.test(document.getElementById('verdict').textContent));
  return page.evaluate(() => {
    const steps = [...document.querySelectorAll('.step')].map((step) => [
      step.id.slice(5),
      ['strong', 'p'].map((name) => step.querySelector(name)?.textContent).join(': '),
    ]);
    return { verdict: document.getElementById('verdict').textContent, ...Object.fromEntries(steps) };
  });
}

async function clean(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ['violations'] })).violations);
  assert.deepEqual(found.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`)}`), []);
}

test('a real receipt holds, and only site, id and hash are sent', async () => {
  const page = await open();
  const found = await checked(page, `  ${receipt}\n`);
  assert.equal(found.verdict, 'This receipt holds: it is signed, and its record is in the site’s log.');
  assert.match(found.receipt, /^Holds: /);
  assert.match(found.signature, /^Holds: .*signed with this server’s published key/);
  assert.match(found.content, /^Holds: This is what the server signed/);
  assert.match(found.log, /^Holds: The record is entry 1 .* signed checkpoint of 2 entries/);
  const says = await page.locator('.says').innerText();
  for (const part of ['demo', 'Targeting\nrefused', 'English', record().id]) assert.ok(says.includes(part), `${part} in ${says}`);
  const hash = createHash('sha256').update('assent record v1\0').update(Buffer.from(receipt.split('.')[1], 'base64url')).digest('hex');
  assert.deepEqual(page.asked.filter((asked) => !/\/(verify|favicon|a\/)/.test(asked)), [
    'GET /.well-known/jwks.json',
    `GET /v1/sites/demo/records/${record().id}/proof?entry=${hash}`,
  ]);
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test('the file can be chosen or dropped', async () => {
  const page = await open();
  await page.getByLabel('Or choose the file').setInputFiles({ name: 'receipt.jws', mimeType: 'application/jose', buffer: Buffer.from(receipt) });
  assert.match((await outcome(page)).verdict, /^This receipt holds/);
  await page.reload();
  await page.evaluate((text) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([text], 'receipt.jws'));
    document.body.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer }));
  }, receipt);
  assert.match((await outcome(page)).verdict, /^This receipt holds/);
  await page.context().close();
});

test('what was changed is named', async () => {
  const page = await open();
  const [head, payload, signature] = receipt.split('.');
  const bytes = Buffer.from(payload, 'base64url').toString();
  const flipped = Buffer.from(signature, 'base64url');
  flipped[40] ^= 1;
  // The same bytes in another spelling: a decoder that is not strict would let it pass.
  const spelled = signature.slice(0, -1) + String.fromCharCode(signature.charCodeAt(85) + 1);
  const altered = bytes.replace('"targeting":false', '"targeting":true ');
  assert.notEqual(altered, bytes);
  for (const [text, is] of [
    [`${head}.${encoded(altered)}.${signature}`, 'signature'],
    [`${head}.${payload}.${flipped.toString('base64url')}`, 'signature'],
    [`${head}.${payload}.${spelled}`, 'receipt'],
    [`${head}.${payload}`, 'receipt'],
    ['Good morning', 'receipt'],
    ['a.b.c', 'receipt'],
    [`${head}.${encoded('null')}.${signature}`, 'receipt'],
    [`${encoded('{"alg":"none"}')}.${payload}.${signature}`, 'receipt'],
  ]) {
    const found = await checked(page, text);
    assert.equal(found.verdict, 'This receipt does not hold.', text);
    assert.match(found[is], is === 'signature' ? /^Does not hold: The signature does not fit/ : /^Does not hold: This is not a receipt/);
    assert.match(found.log, /^Cannot be checked now/);
  }
  assert.equal(page.asked.filter((asked) => asked.includes('/proof')).length, 0, 'nothing of them is sent');
  await page.context().close();
});

test('a receipt of another server’s key is named, under its own key id and under this server’s', async () => {
  const page = await open();
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { x } = publicKey.export({ format: 'jwk' });
  const own = createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url');
  const { kid } = JSON.parse(Buffer.from(receipt.split('.')[0], 'base64url'));
  for (const [id, why] of [[own, /^Does not hold: .*key that this server has not published/], [kid, /^Does not hold: The signature does not fit/]]) {
    const signed = `${encoded(`{"alg":"EdDSA","kid":"${id}","typ":"consent-receipt+jws"}`)}.${receipt.split('.')[1]}`;
    const found = await checked(page, `${signed}.${encoded(sign(null, Buffer.from(signed), privateKey))}`);
    assert.match(found.signature, why);
    assert.match(found.content, /^Does not hold: .*nobody vouches/);
  }
  await page.context().close();
});

test('a proof that was served wrong is named', async () => {
  const lines = (body) => body.split('\n');
  for (const [what, change, why] of [
    ['a hash', (body) => body.replace(lines(body)[2], Buffer.alloc(32, 7).toString('base64')), /does not lead from this record/],
    ['no hash', (body) => body.replace(`${lines(body)[2]}\n`, ''), /does not lead from this record/],
    ['the index', (body) => body.replace('index 1', 'index 0'), /does not lead from this record/],
    ['an index beyond', (body) => body.replace('index 1', 'index 2'), /does not lead from this record/],
    ['the root', (body) => body.replace(lines(body)[6], Buffer.alloc(32, 7).toString('base64')), /checkpoint does not hold: its signature does not fit/],
    ['the size', (body) => body.replace('\n2\n', '\n3\n'), /checkpoint does not hold: its signature does not fit/],
    ['the origin', (body) => body.replaceAll('/sites/demo/', '/sites/shop/'), /checkpoint does not hold: none of this server’s keys/],
    ['no signature', (body) => body.slice(0, body.indexOf('—')), /checkpoint does not hold: it is not a checkpoint/],
    ['the format', () => 'hello', /what the server sent is no proof/i],
  ]) {
    const page = await open((page) =>
      page.route(PROOF, async (route) => {
        const answer = await route.fetch();
        const body = await answer.text();
        assert.notEqual(change(body), body, what);
        await route.fulfill({ response: answer, body: change(body) });
      }),
    );
    const found = await checked(page, receipt);
    assert.match(found.signature, /^Holds/);
    assert.match(found.log, /^Does not hold/, what);
    assert.match(found.log, why, what);
    await page.context().close();
  }
});

/** What the server signs when it erases the record of an entry. */
function erasure(index, at_ms, entry) {
  entry ??= createHash('sha256').update('assent record v1\0').update(Buffer.from(receipt.split('.')[1], 'base64url')).digest();
  const leaf = createHash('sha256').update('\0').update(entry).digest('base64');
  const seed = Buffer.from(readFileSync(join(server.data, 'receipt-key'), 'utf8').trim(), 'hex');
  // PKCS #8 (RFC 8410) around the seed.
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return sign(null, Buffer.from(`assent erasure v1\ndemo\n${index}\n${leaf}\n${at_ms}\n`), key).toString('base64');
}

test('not covered yet, erased, unknown, unreachable, and a browser without Ed25519 are told apart', async () => {
  const proof = (answer) => (page) => page.route(PROOF, (route) => (answer === 'abort' ? route.abort() : route.fulfill(answer)));
  const log = async (prepare) => {
    const page = await open(prepare);
    const found = await checked(page, receipt);
    await page.context().close();
    return found;
  };
  const early = await log(proof({ status: 409, headers: { 'retry-after': '5' } }));
  assert.match(early.log, /^Not yet: .*again in a minute/);
  assert.match(early.verdict, /cannot be checked yet/);
  assert.match((await log(proof({ status: 503 }))).log, /^Cannot be checked now: /);
  assert.match((await log(proof('abort'))).log, /^Cannot be checked now: The server did not answer/);
  const unknown = await log(proof({ status: 404 }));
  assert.match(unknown.log, /^Does not hold: The server knows no such record/);
  const at = Date.UTC(2026, 10, 20, 14, 3);
  const list = (index, signature = erasure(index, at), erased_at_ms = at) => async (page) => {
    await proof({ status: 404 })(page);
    await page.route('**/log/erased?from=0', (route) => route.fulfill({ json: { erased: [{ index, erased_at_ms, signature }], next: null } }));
  };
  assert.match(
    (await log(list(1))).log,
    /^Cannot be checked now: The record was erased on 20 November 2026, 14:03 UTC, and the server signed that it did so\. Its entry, number 1/,
  );
  for (const signature of [erasure(0, at), erasure(1, at + 1), erasure(1, at, Buffer.alloc(32, 7)), 'nonsense', '']) {
    const found = await log(list(1, signature));
    assert.match(found.log, /^Does not hold: The site’s log lists the record as erased on 20 November 2026, 14:03 UTC, but .* did not sign that/);
    assert.equal(found.verdict, 'This receipt does not hold.');
  }
  assert.match((await log(list(0))).log, /^Does not hold: The server knows no such record/, 'another record was erased');
  const offline = await log((page) => page.route('**/.well-known/jwks.json', (route) => route.abort()));
  assert.match(offline.signature, /^Cannot be checked now: The server’s keys could not be fetched/);
  assert.match(offline.log, /^Cannot be checked now/);
  assert.equal(offline.verdict, 'Not everything could be checked now.');
  const old = await log((page) =>
    page.addInitScript(() => {
      SubtleCrypto.prototype.importKey = () => Promise.reject(new DOMException('Unrecognized name.', 'NotSupportedError'));
    }),
  );
  assert.match(old.signature, /^Cannot be checked now: .*in this browser.* assent verify receipt\.jws --log http/);
});

test('by keyboard, for screen readers, in both schemes, on a phone', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const page = await open(undefined, { colorScheme, viewport: { width: 375, height: 720 } });
    await clean(page);
    await page.keyboard.press('Tab');
    await page.keyboard.insertText(receipt);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    assert.match((await outcome(page)).verdict, /^This receipt holds/);
    assert.equal(await page.locator('[aria-live=polite]').innerText(), 'This receipt holds: it is signed, and its record is in the site’s log.');
    await clean(page);
    await checked(page, 'nothing');
    await clean(page);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 375, 'no scrolling sideways');
    await page.context().close();
  }
});

test('without JavaScript the page says what to do', async () => {
  const page = await open(undefined, { javaScriptEnabled: false });
  assert.match(await page.locator('noscript').innerText(), new RegExp(`assent verify receipt.jws --log ${server.origin}`));
  assert.equal(await page.locator('form').isVisible(), false);
  await page.context().close();
});

test('the preference center leads here', async () => {
  const page = await (await browser.newContext({ locale: 'en-GB' })).newPage();
  await page.goto(`${server.origin}/c/demo`);
  await page.locator('button[name=do][value=accept]').click();
  await page.getByRole('link', { name: 'Check a receipt' }).click();
  await page.getByRole('heading', { name: 'Check a consent receipt' }).waitFor();
  await page.context().close();
});

test('the tree is that of Certificate Transparency’s test vectors', async () => {
  const { buildSync } = createRequire(join(ROOT, 'package.json'))('esbuild');
  const built = buildSync({ entryPoints: [join(ROOT, 'app/verify/src/merkle.ts')], bundle: true, format: 'esm', write: false });
  const { includes, leaf } = await import(`data:text/javascript;base64,${Buffer.from(built.outputFiles[0].contents).toString('base64')}`);
  const vectors = JSON.parse(readFileSync(join(ROOT, 'consent/testdata/merkle.json'), 'utf8'));
  const bytes = (text) => Uint8Array.from(Buffer.from(text, 'hex'));
  for (const { index, size, proof } of vectors.inclusion) {
    const hash = await leaf(bytes(vectors.leaves[index]));
    const root = bytes(vectors.roots[size]);
    const holds = (at = index, of = size, path = proof) => includes(hash, BigInt(at), BigInt(of), path.map(bytes), root);
    assert.ok(await holds(), `${index} of ${size}`);
    assert.ok(!(await holds(index, size, [...proof, vectors.roots[0]])), 'one more');
    assert.ok(!(await holds(size)), 'beyond');
    if (proof.length) {
      assert.ok(!(await holds(index, size, proof.slice(1))), 'one less');
      assert.ok(!(await holds(index ^ 1)), 'another place');
    }
  }
});
