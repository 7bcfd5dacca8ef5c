// Automatic blocking: third parties that nobody has marked wait for their category, whichever way they come.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { banner, ENGINE, errors, hasRun, not, ran, settle, until, world } from '../harness.mjs';

const PAGE = (tag, head, body) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Wall</title><link rel="icon" href="data:,">
${tag}${head}</head><body><h1>Wall</h1>${body}</body></html>`;

/** Ways to a third party, each in a script of the page; none may get there before its category is granted. */
const WAYS = {
  'a script by src': `const s = document.createElement('script'); s.src = at; document.head.append(s);`,
  'a script by setAttribute': `const s = document.createElement('script'); s.setAttribute('src', at); document.head.appendChild(s);`,
  'a script whose type is set last': `const s = document.createElement('script'); s.src = at; s.type = 'text/javascript'; document.head.insertBefore(s, null);`,
  'a script whose type attribute is set last': `const s = document.createElement('script'); s.src = at; s.setAttribute('type', 'text/javascript'); document.head.append(s);`,
  'a script that is in the page before its address': `const s = document.createElement('script'); document.head.append(s); s.src = at;`,
  'a frame by src': `const f = document.createElement('iframe'); f.title = 'f'; document.body.append(f); f.src = at;`,
  'a frame by innerHTML': `const d = document.createElement('div'); document.body.append(d); d.innerHTML = '<p>x</p><iframe title="f" src="' + at + '"></iframe>';`,
  'a picture by insertAdjacentHTML': `document.body.insertAdjacentHTML('beforeend', '<img alt="" src="' + at + '">');`,
  'a picture by outerHTML': `const d = document.createElement('div'); document.body.append(d); d.outerHTML = '<img alt="" src="' + at + '">';`,
  'a picture by the clone of a template': `const t = document.createElement('template'); t.innerHTML = '<img alt="" src="' + at + '">'; document.body.append(t.content.cloneNode(true));`,
  'a picture by srcset': `const i = document.createElement('img'); i.alt = ''; i.srcset = at + ' 1x'; document.body.append(i);`,
  'a style sheet': `const l = document.createElement('link'); l.rel = 'stylesheet'; l.href = at; document.head.append(l);`,
  'a preload': `const l = document.createElement('link'); l.href = at; l.as = 'image'; l.rel = 'preload'; document.head.append(l);`,
  'an object': `const o = document.createElement('object'); o.data = at; document.body.append(o);`,
  'a film': `const v = document.createElement('video'); v.src = at; v.poster = at; document.body.append(v);`,
  'a script with a mark that is not ours': `const s = document.createElement('script'); s.dataset.category = 'shoes'; s.src = at; document.head.append(s);`,
  'a picture with a mark that is not ours': `const i = new Image(); i.dataset.category = 'landscape'; i.src = at; document.body.append(i);`,
  'a script whose address has a line break': `const s = document.createElement('script'); s.src = at.replace('//', '\\n//'); document.head.append(s);`,
  'a picture whose address has white space': `document.body.insertAdjacentHTML('beforeend', '<img alt="" src=" ht\\ttps:' + at.slice(6) + ' ">');`,
  'a script whose type has white space': `const s = document.createElement('script'); s.type = ' text/javascript '; s.src = at; document.head.append(s);`,
  'a picture by the second of its sizes': `const i = document.createElement('img'); i.alt = ''; i.srcset = '/own.gif 1w, ' + at + ' 9000w'; document.body.append(i);`,
  'a picture by sizes without spaces between': `const i = document.createElement('img'); i.alt = ''; i.setAttribute('srcset', '/own.gif 1w,' + at + ' 9000w'); document.body.append(i);`,
  'a script of a frame’s document': `const f = document.createElement('iframe'); f.title = 'f'; document.body.append(f); const s = f.contentDocument.createElement('script'); s.src = at; document.head.append(s);`,
  'a script in a shadow root': `const d = document.createElement('div'); document.body.append(d); const r = d.attachShadow({ mode: 'closed' }); const s = document.createElement('script'); s.src = at; r.append(s);`,
  'a picture in a shadow root by innerHTML': `const d = document.createElement('div'); document.body.append(d); d.attachShadow({ mode: 'open' }).innerHTML = '<p>x</p><img alt="" src="' + at + '">';`,
  'a frame in a shadow root': `const d = document.createElement('div'); const r = d.attachShadow({ mode: 'closed' }); document.body.append(d); const t = document.createElement('template'); t.innerHTML = '<iframe title="f" src="' + at + '"></iframe>'; r.append(t.content);`,
  'a picture by insertNode of a range': `const t = document.createElement('template'); t.innerHTML = '<p><img alt="" src="' + at + '"></p>'; const r = document.createRange(); r.selectNodeContents(document.body); r.insertNode(document.importNode(t.content, true));`,
  'a script by a contextual fragment': `document.body.append(document.createRange().createContextualFragment('<script src="' + at + '"></' + 'script>'));`,
  'a picture by a contextual fragment': `document.body.append(document.createRange().createContextualFragment('<img alt="" src="' + at + '">'));`,
  'a script after a text': `const t = document.createTextNode('x'); document.body.append(t); const s = document.implementation.createHTMLDocument().createElement('script'); s.src = at; t.after(s);`,
  'a link whose purpose comes last': `const l = document.createElement('link'); l.href = at; document.head.append(l); l.rel = 'stylesheet';`,
  'a link whose address comes last': `const l = document.createElement('link'); l.rel = 'stylesheet'; document.head.append(l); l.setAttribute('href', at);`,
  'a picture by setAttributeNS': `const i = document.createElement('img'); document.body.append(i); i.setAttributeNS(null, 'src', at);`,
  'subtitles': `const v = document.createElement('video'); v.crossOrigin = ''; const t = document.createElement('track'); v.append(t); document.body.append(v); t.track.mode = 'showing'; t.src = at;`,
  'a picture of SVG': `document.body.insertAdjacentHTML('beforeend', '<svg><image href="' + at + '"/></svg>');`,
  'a picture of SVG by setAttributeNS': `const i = document.createElementNS('http://www.w3.org/2000/svg', 'image'); const s = document.createElementNS('http://www.w3.org/2000/svg', 'svg'); s.append(i); document.body.append(s); i.setAttributeNS('http://www.w3.org/1999/xlink', 'xlink:href', at);`,
  'a script of SVG': `const s = document.createElementNS('http://www.w3.org/2000/svg', 'script'); s.setAttribute('href', at); const g = document.createElementNS('http://www.w3.org/2000/svg', 'svg'); document.body.append(g); g.append(s);`,
  'a button with a picture': `const i = document.createElement('input'); i.type = 'image'; i.alt = ''; i.src = at; document.body.append(i);`,
  // Where the engine has no such method, as it would be written there.
  'a picture by setHTMLUnsafe': `const d = document.createElement('div'); document.body.append(d); const i = '<img alt="" src="' + at + '">'; if (d.setHTMLUnsafe) d.setHTMLUnsafe('<p><template shadowrootmode="open">' + i + '</template></p>'); else d.attachShadow({ mode: 'open' }).innerHTML = i;`,
  'a picture of SVG by innerHTML': `const g = document.createElementNS('http://www.w3.org/2000/svg', 'svg'); document.body.append(g); g.innerHTML = '<image href="' + at + '"/>';`,
  'a frame in HTML in SVG': `const g = document.createElementNS('http://www.w3.org/2000/svg', 'svg'); const f = document.createElementNS('http://www.w3.org/2000/svg', 'foreignObject'); g.append(f); document.body.append(g); f.innerHTML = '<p>x</p><iframe title="f" src="' + at + '"></iframe>';`,
  'a picture beside SVG': `const g = document.createElementNS('http://www.w3.org/2000/svg', 'svg'); document.body.append(g); g.insertAdjacentHTML('afterend', '<p><img alt="" src="' + at + '"></p>');`,
  'a picture out of a template of the markup': `const t = document.createElement('template'); t.innerHTML = '<p id="imported"></p>'; const i = t.content.ownerDocument.createElement('img'); i.setAttributeNS(null, 'alt', ''); i.attributes.setNamedItem(Object.assign(document.createAttribute('src'), { value: at })); t.content.firstChild.append(i); window.imported = document.importNode(t.content, true); setTimeout(() => document.body.append(window.imported), 50);`,
  'a preload by its sizes': `const l = document.createElement('link'); l.rel = 'preload'; l.as = 'image'; l.imageSrcset = at + ' 9000w'; l.imageSizes = '100vw'; document.head.append(l);`,
};

/** Calls: what the page hears instead of an answer. */
const CALLS = {
  fetch: [`fetch(at, { mode: 'no-cors' }).then(() => 'answered', (error) => error.name + ' ' + (error instanceof TypeError))`, 'TypeError true'],
  'fetch with a Request': [`fetch(new Request(at, { mode: 'no-cors' })).then(() => 'answered', (error) => error.name)`, 'TypeError'],
  XMLHttpRequest: [`new Promise((done) => { const x = new XMLHttpRequest(); x.onload = () => done('answered'); x.onerror = () => done('error ' + x.status); x.open('GET', at); x.send(); })`, 'error 0'],
  'a synchronous XMLHttpRequest': [`(() => { try { const x = new XMLHttpRequest(); x.open('GET', at, false); x.send(); return 'answered'; } catch (error) { return error.name; } })()`, 'NetworkError'],
  sendBeacon: [`navigator.sendBeacon(at, 'x')`, true],
  'sendBeacon of the prototype': [`Navigator.prototype.sendBeacon.call(navigator, at, 'x')`, true],
  'an image pixel': [`new Promise((done) => { const i = new Image(); i.onload = () => done('loaded'); i.onerror = () => done('error'); i.src = at; })`, 'error'],
  EventSource: [`new Promise((done) => { const e = new EventSource(at); e.onerror = () => (e.close(), done('error')); })`, 'error'],
  WebSocket: [`new Promise((done) => { const w = new WebSocket(at.replace('https', 'wss')); w.onerror = () => done('error ' + (w instanceof WebSocket)); w.onopen = () => done('open'); })`, 'error true'],
};

const NO_CONSOLE = 'the driver does not tell what the console says';
const HOST = 'static.hotjar.com';

let shop;
before(async () => {
  shop = await world({
    change(config) {
      config.blocking = { mode: 'enforce', allow: ['cdn.shop-static.example', 'connect.facebook.net'] };
      config.services.find(({ id }) => id === 'youtube').hosts = ['films.example/embed/*'];
      config.services.find(({ id }) => id === 'session').hosts = ['script.hotjar.com'];
      return config;
    },
  });
  shop.pages.set('/', { body: PAGE(shop.tag(''), '', '') });
});
after(() => shop?.close());

const places = (visitor) => visitor.foreign().map((url) => new URL(url).host + new URL(url).pathname);
const ready = async (page) => {
  await banner(page).waitFor();
  // The list of third parties has come.
  await page.waitForFunction(() => performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/rules.js')));
  await page.waitForTimeout(100);
};

test('every way to a known third party is held, and opens with its category, once', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await ready(page);
  for (const [at, code] of Object.values(WAYS).entries()) {
    await page.evaluate(([code, at]) => new Function('at', code)(at), [code, `https://${HOST}/${at}.js?name=way${at}`]);
  }
  await settle(page);
  const early = places(visitor).map((place) => Object.keys(WAYS)[parseInt(place.split('/')[1])]);
  assert.deepEqual([...new Set(early)], [], 'before the choice');
  await page.evaluate(() => window.assent.set({ performance: true }));
  // Firefox looks for the address of subtitles once, or when a script sets it.
  const opens = (way) => ENGINE !== 'firefox' || way !== 'subtitles';
  const expected = Object.keys(WAYS).flatMap((way, at) => (opens(way) ? `${HOST}/${at}.js` : []));
  await until(() => new Set(places(visitor)).size === expected.length, 'all ways to be open').catch(() => {});
  await settle(page);
  assert.deepEqual([...new Set(places(visitor))].sort(), expected.toSorted(), 'after the choice');
  await hasRun(page, Object.keys(WAYS).flatMap((way, at) => (way.startsWith('a script') ? `way${at}` : [])));
  assert.deepEqual(await errors(page), []);
  await visitor.close();
});

test('what turns to the site’s own address is let go, and not taken away by a later choice', async () => {
  shop.pages.set('/own.js', { body: '(window.ran ??= []).push("own");', type: 'text/javascript' });
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await ready(page);
  await page.evaluate((host) => {
    for (const id of ['detached', 'attached']) {
      const picture = new Image();
      picture.id = id;
      if (id === 'attached') document.body.append(picture);
      picture.src = `https://${host}/avatar.png`;
      picture.src = '/anonymous.png';
      document.body.append(picture);
    }
    document.body.insertAdjacentHTML('beforeend', `<img id="markup" alt="" src="https://${host}/avatar.png">`);
    document.getElementById('markup').src = '/anonymous.png';
    const script = document.createElement('script');
    script.src = `https://${host}/x.js`;
    script.src = '/own.js';
    document.head.append(script);
  }, HOST);
  await hasRun(page, ['own']);
  await page.evaluate(() => window.assent.set({ functional: true }));
  await settle(page);
  const ids = ['detached', 'attached', 'markup'];
  const own = ids.map(() => '/anonymous.png');
  const addresses = () => page.evaluate((ids) => ids.map((id) => document.getElementById(id).getAttribute('src')), ids);
  assert.deepEqual(await addresses(), own);
  await page.evaluate(() => window.assent.set({ performance: true }));
  await settle(page);
  assert.deepEqual(await addresses(), own);
  await page.evaluate(() => window.assent.withdraw());
  await settle(page);
  assert.deepEqual(await addresses(), own);
  assert.deepEqual(places(visitor), []);
  await visitor.close();
});

test('libraries that nobody lists run in their place, and so does all for who has granted everything', async () => {
  const script = (at) => `<script src="https://${at}?name=${at.split('/')[0]}"></script><script>(window.ran ??= []).push('after');</script>`;
  shop.pages.set('/libraries', { body: PAGE(shop.tag(''), script('code.jquery.com/jquery-3.7.1.min.js') + script('tags.vendor.example/unlisted.js'), '') });
  const visitor = await shop.visitor();
  const page = await visitor.open('/libraries');
  await hasRun(page, ['code.jquery.com', 'after', 'after', 'tags.vendor.example']);
  assert.deepEqual((await page.evaluate('window.ran')).slice(0, 2), ['code.jquery.com', 'after']);
  await page.evaluate(() => window.assent.set({ performance: true, functional: true, targeting: true }));
  await until(() => visitor.consent(), 'the choice');
  const again = await visitor.open('/libraries');
  await hasRun(again, ['code.jquery.com', 'after', 'tags.vendor.example', 'after']);
  assert.deepEqual(await again.evaluate('window.ran'), ['code.jquery.com', 'after', 'tags.vendor.example', 'after']);
  await visitor.close();
});

test('a refused service stays refused where its live tags are marked with it', async () => {
  const other = await world({
    change: (config) => ({ ...config, service_choice: true, blocking: { mode: 'enforce' } }),
  });
  try {
    other.pages.set('/', {
      body: PAGE(
        other.tag(''),
        `<script data-category="performance" data-service="hotjar" src="https://static.hotjar.com/x.js?name=live"></script>
         <script data-service="hotjar" src="https://tags.vendor.example/unlisted.js?name=unlisted"></script>
         <script data-service="google-analytics" src="https://tags.vendor.example/granted.js?name=granted"></script>`,
        '',
      ),
    });
    const visitor = await other.visitor();
    const page = await visitor.open();
    await ready(page);
    await settle(page);
    assert.deepEqual(await ran(page), []);
    // Where only automatic blocking looks.
    await page.evaluate(() => {
      const root = document.body.appendChild(document.createElement('div')).attachShadow({ mode: 'open' });
      root.innerHTML = '<iframe title="f" data-service="hotjar" src="https://static.hotjar.com/embed"></iframe><img alt="" data-category="performance" data-service="hotjar" src="https://static.hotjar.com/s.gif">';
    });
    await page.evaluate(() => window.assent.set({ performance: true, services: { hotjar: false } }));
    await page.evaluate(() => {
      const picture = new Image();
      Object.assign(picture.dataset, { category: 'performance', service: 'hotjar' });
      picture.src = 'https://static.hotjar.com/p.gif';
    });
    await hasRun(page, ['granted']);
    await settle(page);
    assert.deepEqual(await ran(page), ['granted']);
    const refused = ['p.gif', 'embed', 's.gif'].map((name) => `static.hotjar.com/${name}`);
    assert.deepEqual(places(visitor).filter((place) => refused.includes(place)), []);
    await page.evaluate(() => window.assent.set({ services: { hotjar: true } }));
    await until(() => refused.slice(1).every((place) => places(visitor).includes(place)), 'what stands in a shadow root');
    await page.evaluate(() => window.assent.set({ services: { hotjar: false } }));
    const again = await visitor.open();
    await hasRun(again, ['granted']);
    await settle(again);
    assert.deepEqual(await ran(again), ['granted']);
    await again.evaluate(() => window.assent.set({ services: { hotjar: true } }));
    await hasRun(again, ['granted', 'live', 'unlisted']);
    await visitor.close();
  } finally {
    await other.close();
  }
});

test('a call to a known third party fails as a network error does, and goes out while its category is granted', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await ready(page);
  // Drivers do not tell of every kind of call, so the vendor says what has come; of sockets each has a host of its own.
  const arrived = (when) => {
    const { greeted, requests } = shop.recorder;
    const sockets = greeted.filter((host) => host.startsWith(`${when}.`)).map(() => 'WebSocket');
    const calls = requests.filter(({ host, path }) => host === HOST && path.startsWith(`/${when}/`)).map(({ path }) => Object.keys(CALLS)[path.split('/')[2]]);
    return [...new Set([...calls, ...sockets])].sort();
  };
  const all = async (when) => {
    const heard = {};
    for (const [at, [name, [code]]] of Object.entries(CALLS).entries()) {
      const host = name === 'WebSocket' ? `${when}.hotjar.com` : HOST;
      heard[name] = await page.evaluate(([code, at]) => new Function('at', `return ${code}`)(at), [code, `https://${host}/${when}/${at}`]);
    }
    await settle(page);
    return heard;
  };
  const refused = Object.fromEntries(Object.entries(CALLS).map(([name, [, heard]]) => [name, heard]));
  assert.deepEqual(await all('early'), refused);
  assert.deepEqual(arrived('early'), []);
  assert.deepEqual(places(visitor), []);
  await page.evaluate(() => window.assent.set({ performance: true }));
  const { fetch, XMLHttpRequest, 'a synchronous XMLHttpRequest': synchronous, 'an image pixel': pixel } = await all('granted');
  assert.deepEqual([fetch, XMLHttpRequest, synchronous, pixel], ['answered', 'answered', 'answered', 'loaded']);
  // WebKit does not tell the vendor of the page with a synchronous one, so that the recorder does not note it.
  const told = Object.keys(CALLS).filter((name) => ENGINE !== 'webkit' || !name.startsWith('a synchronous'));
  assert.deepEqual(arrived('granted'), told.sort());
  await page.evaluate(() => window.assent.withdraw());
  assert.deepEqual(await all('withdrawn'), refused);
  assert.deepEqual(arrived('withdrawn'), []);
  assert.deepEqual(await errors(page), []);
  await visitor.close();
});

test('what is not in the markup’s own document, or of no kind that the gate knows, is held again after a withdrawal', async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await ready(page);
  await page.evaluate((host) => {
    const outer = document.createElement('div');
    document.body.append(outer);
    window.root = outer.attachShadow({ mode: 'closed' });
    root.innerHTML = `<div id="inner"></div><iframe title="f" src="https://${host}/embed/1"></iframe>`;
    root.getElementById('inner').attachShadow({ mode: 'open' }).innerHTML = `<img alt="" src="https://${host}/deep.gif">`;
    document.body.insertAdjacentHTML('beforeend', `<svg><image xlink:href="https://${host}/svg.gif"/></svg><input type="image" alt="" src="https://${host}/input.gif">`);
  }, HOST);
  const live = () =>
    page.evaluate(() => {
      const all = [root.querySelector('iframe'), root.getElementById('inner').shadowRoot.querySelector('img'), document.querySelector('svg image'), document.querySelector('input[type=image]')];
      return all.filter((tag) => tag.hasAttribute('src') || tag.hasAttribute('href') || tag.hasAttribute('xlink:href')).length;
    });
  for (const [performance, count] of [[false, 0], [true, 4], [false, 0], [true, 4]]) {
    await page.evaluate((performance) => window.assent.set({ performance }), performance);
    assert.equal(await live(), count);
  }
  await until(() => new Set(places(visitor)).size === 4, 'all of them');
  assert.deepEqual(await errors(page), []);
  await visitor.close();
});

test('tags in the markup are kept from running, whatever the browser has fetched ahead', async () => {
  const visitor = await shop.visitor();
  shop.pages.set('/markup', {
    body: PAGE(
      shop.tag(''),
      `<script src="https://${HOST}/one.js"></script><script>(window.ran ??= []).push('own')</script><script async src="https://www.googletagmanager.com/gtag/js?id=G-TEST1"></script>`,
      '<iframe title="Film" src="https://films.example/embed/1"></iframe><iframe title="Other" src="https://films.example/about"></iframe>',
    ),
  });
  const page = await visitor.open('/markup');
  await ready(page);
  await settle(page);
  assert.deepEqual(await page.evaluate(() => window.ran), ['own']);
  // What Firefox has fetched ahead leaves the vendor's cookie in a jar of the page's own.
  assert.deepEqual((await visitor.cookies()).filter((name) => ENGINE !== 'firefox' || name !== 'vendor'), []);
  assert.deepEqual(
    await page.evaluate(() => [...document.querySelectorAll('iframe')].map((frame) => frame.hasAttribute('src'))),
    [false, true],
    'a path of a host is declared, the rest of the host is not',
  );
  await page.evaluate(() => window.assent.set({ performance: true, functional: true, targeting: true }));
  await until(async () => (await page.evaluate(() => window.ran)).length === 3, 'the tags to run');
  assert.deepEqual((await page.evaluate(() => window.ran)).sort(), ['gtag', 'one', 'own']);
  await page.evaluate(() => window.assent.withdraw());
  assert.equal(await page.evaluate(() => document.querySelector('iframe').hasAttribute('src')), false);
  await visitor.close();
});

/** What stands in the markup; whether some engine asks for it before a script can hold it. */
const MARKUP = {
  'script.js': [`<script src="AT"></script>`, true],
  'link.css': [`<link rel="stylesheet" href="AT">`, true],
  'img.gif': [`<img alt="" src="AT">`, true],
  'source.gif': [`<picture><source srcset="AT"><img alt=""></picture>`, true],
  'poster.gif': [`<video poster="AT"></video>`, true],
  'input.gif': [`<input type="image" alt="" src="AT">`, true],
  'svg.gif': [`<svg><image href="AT"/></svg>`, true],
  'embed/frame': [`<iframe title="f" src="AT"></iframe>`, true],
  'embed/object': [`<object data="AT"></object>`, true],
  'embed/embed': [`<embed src="AT">`, true],
  'lazy.gif': [`<img alt="" loading="lazy" src="AT">`, false],
  'film.webm': [`<video src="AT"></video>`, false],
  'sound.mp3': [`<audio preload="auto" src="AT"></audio>`, false],
  'track.vtt': [`<video crossorigin><track default src="AT"></video>`, false],
};

test('what stands in the markup is held in the page, and the vendor hears of it only from what loads ahead of scripts', async () => {
  const visitor = await shop.visitor();
  const markup = Object.entries(MARKUP).map(([name, [tag]]) => tag.replace('AT', `https://${HOST}/parsed/${name}`));
  shop.pages.set('/parsed', { body: PAGE(shop.tag(''), '', markup.join('\n')) });
  const arrived = () => shop.recorder.requests.filter(({ path }) => path.startsWith('/parsed/')).map(({ path }) => path.slice(8));
  const page = await visitor.open('/parsed');
  await ready(page);
  await settle(page);
  const live = () => page.evaluate((host) => [...document.querySelectorAll('*')].filter((tag) => !/^text\/(plain|ran)$/.test(tag.getAttribute('type')) && ['src', 'srcset', 'href', 'data', 'poster'].some((name) => tag.getAttribute(name)?.includes(host))).map(({ localName }) => localName), HOST);
  assert.deepEqual(await live(), []);
  assert.deepEqual(arrived().filter((name) => !MARKUP[name][1]), []);
  assert.deepEqual(await page.evaluate(() => window.ran ?? []), []);
  await page.evaluate(() => window.assent.set({ performance: true }));
  await hasRun(page, ['parsed/script']);
  assert.equal((await live()).length, markup.length);
  await until(() => arrived().includes('film.webm'), 'the film');
  assert.deepEqual(await errors(page), []);
  await visitor.close();
});

test('what an owner has marked goes by its mark, whether it could load or not', async () => {
  const visitor = await shop.visitor();
  shop.pages.set('/marked', {
    body: PAGE(
      shop.tag(''),
      `<script data-category="targeting" src="https://${HOST}/could.js"></script>
       <script type="text/plain" data-category="targeting" src="https://${HOST}/inert.js"></script>`,
      `<script>for (const place of ['${HOST}', 'unknown.vendor.example']) {
        const i = new Image();
        i.dataset.category = 'targeting';
        i.src = 'https://' + place + '/marked.gif';
        document.body.append(i);
      }</script>`,
    ),
  });
  const page = await visitor.open('/marked');
  await ready(page);
  const pictures = () => places(visitor).filter((place) => place.endsWith('.gif')).sort();
  await page.evaluate(() => window.assent.set({ performance: true }));
  await settle(page);
  assert.deepEqual(await page.evaluate(() => window.ran ?? []), []);
  assert.deepEqual(pictures(), []);
  await page.evaluate(() => window.assent.set({ performance: false, targeting: true }));
  await hasRun(page, ['could', 'inert']);
  await until(() => pictures().length === 2, 'the pictures');
  assert.deepEqual(pictures(), [`${HOST}/marked.gif`, 'unknown.vendor.example/marked.gif']);
  await visitor.close();
});

test('what a script of the page writes while it is parsed waits, and so do shadow roots in the markup', async () => {
  const visitor = await shop.visitor();
  shop.pages.set('/written', {
    body: PAGE(
      shop.tag(''),
      `<script>document.write(unescape("%3Cscript src='https://${HOST}/written.js' type='text/javascript'%3E%3C/script%3E"));</script>
       <script>document.write('<script>(window.ran ??= []).push("own")<', '/script>');</script>
       <script>document.writeln('<p id="words">words</p>', '<img alt="" src="https://${HOST}/written.gif">');</script>`,
      `<div><template shadowrootmode="open"><script src="https://${HOST}/shadow.js"></script></template></div>`,
    ),
  });
  const page = await visitor.open('/written');
  await ready(page);
  await settle(page);
  const written = () => places(visitor).filter((place) => !place.endsWith('/shadow.js')).sort();
  assert.deepEqual(written(), []);
  assert.deepEqual(await page.evaluate(() => window.ran), ['own']);
  assert.equal(await page.locator('#words').innerText(), 'words');
  await page.evaluate(() => window.assent.set({ performance: true }));
  await hasRun(page, ['own', 'written', 'shadow']);
  await until(() => written().length === 2, 'the picture');
  assert.deepEqual(await errors(page), []);
  await visitor.close();
});

test('the page hears once of what is held, and of its release', async () => {
  const visitor = await shop.visitor();
  shop.pages.set('/heard', {
    body: PAGE(
      `<script>window.heard = []; for (const type of ['held', 'released']) document.addEventListener('assent:' + type, ({ detail }) => heard.push(type + ' ' + detail.id));</script>${shop.tag('')}`,
      '',
      `<script>
        const s = document.createElement('script'); s.id = 'script'; s.src = 'https://${HOST}/heard.js'; document.body.append(s);
        const d = document.createElement('div'); document.body.append(d); d.innerHTML = '<img alt="" id="picture" src="https://${HOST}/heard.gif"><img alt="" id="own" src="/own.gif">';
      </script><img alt="" id="inert" data-category="targeting" data-src="https://${HOST}/inert.gif">`,
    ),
  });
  const page = await visitor.open('/heard');
  await ready(page);
  await settle(page);
  const heard = () => page.evaluate(() => window.heard);
  assert.deepEqual((await heard()).sort(), ['held picture', 'held script']);
  await page.evaluate(() => window.assent.set({ performance: true }));
  await hasRun(page, ['heard']);
  assert.deepEqual((await heard()).slice(2).sort(), ['released picture', 'released script']);
  await page.evaluate(() => window.assent.withdraw());
  assert.deepEqual((await heard()).slice(4), ['held picture']);
  await page.evaluate(() => window.assent.set({ performance: true }));
  await settle(page);
  await hasRun(page, ['heard']);
  await visitor.close();
});

test("the site's own hosts, necessary ones, allowed ones and unknown ones are not touched", async () => {
  const visitor = await shop.visitor();
  const page = await visitor.open();
  await ready(page);
  const hosts = ['script.hotjar.com', 'cdn.shop-static.example', 'a.cdn.shop-static.example', 'connect.facebook.net', 'unknown.vendor.example', 'cdn.jsdelivr.net'];
  for (const host of hosts) await page.evaluate((host) => new Promise((done) => { const i = new Image(); i.onload = i.onerror = done; i.src = `https://${host}/x.gif`; document.body.append(i); }), host);
  assert.deepEqual(places(visitor).sort(), hosts.map((host) => `${host}/x.gif`).sort());
  assert.equal(await page.evaluate(() => fetch('/').then(({ status }) => status)), 200);
  await visitor.close();
});

test('unknown third parties wait for all categories where the owner says so', async () => {
  const strict = await world({
    change: (config) => ({
      ...config,
      origins: [...config.origins, 'https://www.sister-shop.example'],
      blocking: { mode: 'enforce', hold_unknown: true, allow: ['cdn.shop-static.example'] },
    }),
  });
  try {
    strict.pages.set('/', { body: PAGE(strict.tag(''), '', '') });
    const visitor = await strict.visitor();
    const page = await visitor.open();
    await ready(page);
    const add = (host) => page.evaluate((host) => { const i = new Image(); i.src = `https://${host}/x.gif`; document.body.append(i); }, host);
    const own = ['cdn.shop-static.example', 'img.sister-shop.example'].map((host) => `${host}/x.gif`);
    for (const host of ['unknown.vendor.example', 'cdn.shop-static.example', 'img.sister-shop.example']) await add(host);
    await page.evaluate(() => window.assent.set({ performance: true }));
    await settle(page);
    assert.deepEqual(places(visitor).sort(), own, 'allowed ones and those of the site load at once');
    await page.evaluate(() => window.assent.set({ functional: true, targeting: true }));
    await until(() => places(visitor).length === 3, 'the picture');
    await visitor.close();
  } finally {
    await strict.close();
  }
});

test('report only: everything loads, and the browser’s console says what would be held', not({ firefox: NO_CONSOLE, webkit: NO_CONSOLE }), async () => {
  const lenient = await world({ change: (config) => ({ ...config, blocking: { mode: 'report' } }) });
  try {
    lenient.pages.set('/', { body: PAGE(lenient.tag(), '', `<img alt="" src="https://${HOST}/x.gif"><img alt="" src="https://cdn.jsdelivr.net/x.gif">`) });
    const visitor = await lenient.visitor();
    const page = await visitor.context.newPage();
    const said = [];
    page.on('console', async (message) => said.push([message.type(), message.text(), ...(await Promise.all(message.args().map((value) => value.jsonValue())))]));
    await page.goto(lenient.at('/'));
    await until(() => said.some(([type]) => type === 'table'), 'the report');
    assert.equal(said.find(([type]) => type === 'startGroupCollapsed')[1], 'Assent would hold 1 of 2 third parties on this page');
    assert.deepEqual(said.find(([type]) => type === 'table')[2], [
      { host: HOST, kinds: 'img', waits_for: 'performance' },
      { host: 'cdn.jsdelivr.net', kinds: 'img', waits_for: 'unknown' },
    ]);
    assert.equal(places(visitor).length, 2);
    await visitor.close();
  } finally {
    await lenient.close();
  }
});
