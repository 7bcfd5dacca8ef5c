// The recorder: answers for every vendor host in the world, notes each request, and sets cookies as vendors
// do. The browser is told that all names but *.test live here.
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';

import { certificate } from './certificate.mjs';

const note = (name) => `(window.ran ??= []).push(${JSON.stringify(name)});`;
const cookie = (text) => `document.cookie = ${JSON.stringify(`${text}; path=/; max-age=86400; samesite=lax`)};`;
const ping = (url) => `new Image().src = ${JSON.stringify(url)};`;

/** Host and start of the path → what the vendor's script does. */
const SCRIPTS = [
  ['www.googletagmanager.com/gtag/js', note('gtag') + cookie('_ga=GA1.1.1.1') + cookie('_ga_TEST1=GS2.1.s1') + ping('https://www.google-analytics.com/g/collect?v=2')],
  ['www.googletagmanager.com/gtm.js', note('gtm') + cookie('_gcl_au=1.1.1.1')],
  [
    'connect.facebook.net/en_US/fbevents.js',
    note('pixel') + cookie('_fbp=fb.1.1.1') + ping('https://www.facebook.com/tr?id=1&ev=PageView') + "localStorage.setItem('lastExternalReferrer', 'empty');",
  ],
  ['static.hotjar.com/c/hotjar-', note('hotjar') + cookie('_hjSession_1=a') + cookie('_hjSessionUser_1=a') + "sessionStorage.setItem('_hjViewportId', 'a');"],
];

const PIXEL = Buffer.from('R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==', 'base64');

/** Whether a browser asks for itself, as for its updates, with no page behind it. Of a page's request it says how it
    was made (Sec-Fetch-Mode), but over TLS only; over plain http Chromium's updater gives itself away. */
const isBrowsersOwn = ({ socket, headers }) =>
  socket.encrypted ? !headers['sec-fetch-mode'] : Object.keys(headers).some((name) => name.startsWith('x-goog-update-'));

function answer(request, response, arrived) {
  const url = new URL(request.url, `${request.socket.encrypted ? 'https' : 'http'}://${request.headers.host}`);
  if (!isBrowsersOwn(request)) {
    arrived({ scheme: url.protocol, host: url.hostname, path: url.pathname + url.search, cookie: request.headers.cookie ?? '' });
  }
  response.setHeader('set-cookie', 'vendor=1; path=/; max-age=86400; secure; samesite=none');
  response.setHeader('access-control-allow-origin', '*');
  const wait = Number(url.searchParams.get('wait') ?? 0);
  setTimeout(() => {
    const place = url.hostname + url.pathname;
    const script = SCRIPTS.find(([start]) => place.startsWith(start))?.[1];
    if (script || url.pathname.endsWith('.js')) {
      response.setHeader('content-type', 'text/javascript');
      response.end(script ?? note(url.searchParams.get('name') ?? url.pathname.slice(1, -3)));
    } else if (url.pathname.startsWith('/embed') || url.pathname.startsWith('/maps')) {
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><title>Vendor</title><p>A vendor’s frame');
    } else {
      response.setHeader('content-type', 'image/gif');
      response.end(PIXEL);
    }
  }, wait);
}

/**
 * Starts the recorder: `{ port, requests, greeted, close() }`; `requests` holds `{ scheme, host, path, cookie }`,
 * `greeted` the host of every connection, over TLS also where no request follows. `heard` is told of each request.
 */
export async function vendors(heard = () => {}) {
  const requests = [];
  const greeted = [];
  const arrived = (entry) => {
    requests.push(entry);
    heard(entry);
  };
  const handle = (request, response) => answer(request, response, arrived);
  const plain = http.createServer(handle);
  const secure = https.createServer({ ...certificate(), SNICallback: (name, done) => done(null, void greeted.push(name)) }, handle);
  const sockets = new Set();
  // One port for both: a TLS greeting begins with the byte 22.
  const door = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.once('data', (first) => {
      socket.pause();
      socket.unshift(first);
      (first[0] === 22 ? secure : plain).emit('connection', socket);
      process.nextTick(() => socket.resume());
    });
  });
  await new Promise((done) => door.listen(0, '127.0.0.1', done));
  return {
    port: door.address().port,
    requests,
    greeted,
    close() {
      for (const socket of sockets) socket.destroy();
      door.close();
    },
  };
}
