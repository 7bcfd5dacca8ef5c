// The host page of the benchmark in its variants, and the server that serves it with brotli.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants } from 'node:zlib';

import { Server, freePort } from '../server.mjs';
import { config } from '../site.mjs';

const require = createRequire(import.meta.url);
const compress = promisify(brotliCompress);
const PARAGRAPHS = Array.from(
  { length: 24 },
  (_, at) => `<p>${at + 1}. The planting begins before the light does. Eleven people walk down from the village, and in each bag are two hundred tufts of grass that were somebody else’s dune until yesterday. Nobody talks much.</p>`,
).join('\n');

/** Bytes of the loader, brotli: its budget in `server/assets.rs`. */
const BUDGET = 8192;

/** What the targeting tag does in every variant: it notes when it ran. */
const TAG = 'window.tagRan ??= performance.now();';

const COOKIECONSENT = `import '/cookieconsent.umd.js';
CookieConsent.run({
  hideFromBots: false,
  categories: { necessary: { enabled: true, readOnly: true }, performance: {}, functional: {}, targeting: {} },
  language: { default: 'en', translations: { en: {
    consentModal: {
      title: 'We value your privacy',
      description: 'We use cookies to run this site, to measure how it is used, to add features and to show advertising. You decide.',
      acceptAllBtn: 'Accept all', acceptNecessaryBtn: 'Reject all', showPreferencesBtn: 'Settings',
      footer: '<a href="/policy">Cookie policy</a>' },
    preferencesModal: {
      title: 'Privacy settings', acceptAllBtn: 'Accept all', acceptNecessaryBtn: 'Reject all', savePreferencesBtn: 'Confirm my choices', closeIconLabel: 'Close',
      sections: [
        { title: 'Strictly necessary', description: 'Needed for the site to work.', linkedCategory: 'necessary' },
        { title: 'Performance', description: 'Measures how the site is used.', linkedCategory: 'performance' },
        { title: 'Functional', description: 'Adds features.', linkedCategory: 'functional' },
        { title: 'Targeting', description: 'Advertising across sites.', linkedCategory: 'targeting' } ] } } } } });`;

const OREJIME = `window.orejimeConfig = {
  privacyPolicyUrl: '/policy',
  purposes: [
    { id: 'performance', title: 'Performance', description: 'Measures how the site is used.', cookies: ['_ga'] },
    { id: 'functional', title: 'Functional', description: 'Adds features.', cookies: [] },
    { id: 'targeting', title: 'Targeting', description: 'Advertising across sites.', cookies: ['_fbp'] } ] };`;

/** What no loader of Assent's kind can go below: it shows a bare button, reaches for each node that is added but asks nothing of it,
    starts a WebAssembly module that holds nothing, and runs the tag once that is done. No styles, no texts, no record, nothing checked. */
const FLOOR = `{
const held = () => document.querySelector('[data-category]');
const release = () => {
  new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])));
  const script = document.createElement('script');
  script.text = held().text;
  held().replaceWith(script);
};
const show = () => {
  const button = document.createElement('button');
  button.id = 'floor';
  button.textContent = 'Accept all';
  button.style = 'position:fixed;left:0;bottom:0';
  button.onclick = () => {
    button.remove();
    release();
    document.cookie = 'floor=1';
  };
  document.body.prepend(button);
};
const [start, ready] = document.cookie.includes('floor=1') ? [release, held()] : [show, document.body];
new MutationObserver((records) => {
  for (const { addedNodes } of records) addedNodes[0];
}).observe(document, { childList: true, subtree: true });
if (ready) start();
else document.addEventListener('DOMContentLoaded', start);
}`;

/** A comment that takes `bytes` bytes with brotli, too. */
function padding(bytes) {
  const blocks = Array.from({ length: Math.ceil(bytes / 64) }, (_, at) => createHash('sha512').update(`${at}`).digest());
  return `\n//${Buffer.concat(blocks).subarray(0, bytes).toString('base64')}`;
}

/** Name → where each variant's parts go, and how to find its Accept button. Installed as their documentation says. */
export const variants = (loader) => ({
  nothing: { head: '', tag: `<script>${TAG}</script>`, end: '' },
  assent: {
    head: `<script async fetchpriority="high" src="${loader}"></script>`,
    tag: `<script type="text/plain" data-category="targeting">${TAG}</script>`,
    end: '',
    accept: '#assent [data-assent-do="accept"]',
  },
  'assent-sync': {
    head: `<script src="${loader}"></script>`,
    tag: `<script type="text/plain" data-category="targeting">${TAG}</script>`,
    end: '',
    accept: '#assent [data-assent-do="accept"]',
  },
  'assent-enforce': {
    head: `<script src="${loader.replace('/s/shop.js', '/s/wall.js')}"></script>`,
    tag: `<script type="text/plain" data-category="targeting">${TAG}</script>`,
    end: '',
    accept: '#assent [data-assent-do="accept"]',
  },
  cookieconsent: {
    head: '<link rel="stylesheet" href="/cookieconsent.css">',
    tag: `<script type="text/plain" data-category="targeting">${TAG}</script>`,
    end: '<script type="module" src="/cookieconsent-config.js"></script>',
    accept: '#cc-main .cm [data-role="all"]',
  },
  orejime: {
    head: `<script>${OREJIME}</script><script src="/orejime-standard-en.js"></script><link href="/orejime-standard.css" rel="stylesheet">`,
    tag: `<template data-purpose="targeting"><script>${TAG}</script></template>`,
    end: '',
    accept: '.orejime-Banner-saveButton',
  },
  floor: {
    head: '<script async fetchpriority="high" src="/floor.js"></script>',
    tag: `<script type="text/plain" data-category="targeting">${TAG}</script>`,
    end: '',
    accept: '#floor',
  },
  // The same in as many bytes as the loader has.
  'floor-8k': {
    head: '<script async fetchpriority="high" src="/floor-8k.js"></script>',
    tag: `<script type="text/plain" data-category="targeting">${TAG}</script>`,
    end: '',
    accept: '#floor',
  },
});

const page = ({ head, tag, end }) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
${head}
<title>Winter issue</title>
<link rel="icon" href="data:,">
<style>body{font:17px/1.6 Georgia,serif;max-width:680px;margin:40px auto;padding:0 24px}h1{line-height:1.1}</style>
${tag}
</head>
<body>
<h1>What the grass knows</h1>
${PARAGRAPHS}
${end}
</body>
</html>`;

/** Serves `/{variant}` and the peers' files, brotli 11, from 127.0.0.1: an http server that does not listen yet. */
async function serve(loader) {
  const orejime = dirname(require.resolve('orejime/package.json'));
  const cookieconsent = dirname(require.resolve('vanilla-cookieconsent/package.json'));
  const files = new Map();
  const put = async (path, type, text) => {
    const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
    files.set(path, { type, body: await compress(text, quality) });
  };
  for (const [name, parts] of Object.entries(variants(loader))) await put(`/${name}`, 'text/html', page(parts));
  await put('/cookieconsent-config.js', 'text/javascript', COOKIECONSENT);
  await put('/cookieconsent.css', 'text/css', await readFile(join(cookieconsent, 'dist/cookieconsent.css')));
  await put('/cookieconsent.umd.js', 'text/javascript', await readFile(join(cookieconsent, 'dist/cookieconsent.umd.js')));
  await put('/floor.js', 'text/javascript', FLOOR);
  await put('/floor-8k.js', 'text/javascript', FLOOR + padding(BUDGET - files.get('/floor.js').body.length));
  await put('/orejime-standard-en.js', 'text/javascript', await readFile(join(orejime, 'dist/orejime-standard-en.js')));
  await put('/orejime-standard.css', 'text/css', await readFile(join(orejime, 'dist/orejime-standard.css')));
  const server = http.createServer((request, response) => {
    const file = files.get(new URL(request.url, 'http://page').pathname);
    if (!file) return response.writeHead(404).end();
    response.writeHead(200, {
      'content-type': `${file.type}; charset=utf-8`,
      'content-encoding': 'br',
      'content-length': file.body.length,
      // The same freshness as Assent's loader; pages are asked for each time.
      'cache-control': file.type === 'text/html' ? 'no-store' : 'max-age=300, stale-while-revalidate=86400',
    });
    response.end(file.body);
  });
  return server;
}

/** Brings up Assent, with the site `shop` and `more` like it, and the host pages: `{ origin, loader, close() }`. */
export async function stage(more = []) {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const assent = await Server.prepare({ host: '127.0.0.1' });
  let pages;
  const close = async () => {
    pages?.closeAllConnections();
    pages?.close();
    await assent.close();
  };
  try {
    for (const change of [{}, ...more]) await assent.publish({ ...config(origin), ...change });
    await assent.start();
    const loader = `${assent.origin}/s/shop.js`;
    pages = await serve(loader);
    await new Promise((done) => pages.listen(port, '127.0.0.1', done));
    return { origin, loader, close };
  } catch (error) {
    await close();
    throw error;
  }
}
