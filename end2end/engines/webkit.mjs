// WebKitGTK over plain WebDriver, in a virtual display. WebDriver tells of no requests and no errors: the
// proxy's log stands for the first, what the page itself collected (`window.errors`) for the second.
import { spawn } from 'node:child_process';

import { freePort, until } from '../server.mjs';
import { Page } from './page.mjs';
import { proxy } from './proxy.mjs';
import { shared } from './shared.mjs';

const START_TIMEOUT_MS = 15_000;

/** A process of ours: `{ child, close() }`; `close` ends it and waits until it is gone. */
async function start(program, args, options) {
  const child = spawn(program, args, options);
  const ended = new Promise((done) => child.once('exit', done));
  await new Promise((done, fail) => child.once('spawn', done).once('error', fail));
  return {
    child,
    async close(signal) {
      child.kill(signal);
      await ended;
    },
  };
}

/** A virtual display that nobody else uses; `name` is what DISPLAY has to say. */
async function display() {
  const xvfb = await start(process.env.XVFB || '/usr/bin/Xvfb', ['-displayfd', '3', '-screen', '0', '1280x800x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const number = await new Promise((done, fail) => {
    xvfb.child.stdio[3].once('data', done);
    xvfb.child.once('exit', () => fail(new Error('Xvfb ended')));
  });
  return { ...xvfb, name: `:${String(number).trim()}` };
}

/** Calls the driver and gives the answer's value. */
async function call(method, address, body, timeout_ms = 30_000) {
  const answer = await fetch(address, { method, body: body && JSON.stringify(body), signal: AbortSignal.timeout(timeout_ms) });
  const { value } = await answer.json();
  if (!answer.ok) throw new Error(`WebKitWebDriver: ${value.error}: ${value.message}`);
  return value;
}

/** A driver in a display of its own: `{ session(), close() }`; a browser that is left goes with the display. */
async function driver(door) {
  const screen = await display();
  let running;
  const close = async () => {
    // One that hangs may not listen to anything milder.
    await running?.close('SIGKILL');
    await screen.close();
  };
  try {
    const port = await freePort();
    running = await start(process.env.WEBKIT_DRIVER || '/usr/bin/WebKitWebDriver', [`--port=${port}`], {
      stdio: 'ignore',
      env: {
        ...process.env,
        DISPLAY: screen.name,
        GDK_BACKEND: 'x11',
        LIBGL_ALWAYS_SOFTWARE: '1',
        NO_AT_BRIDGE: '1',
        // Layers that nobody's graphics card puts together take a quarter of a test's time.
        WEBKIT_DISABLE_DMABUF_RENDERER: '1',
      },
    });
    const address = `http://127.0.0.1:${port}`;
    await until(() => call('GET', `${address}/status`).catch(() => null), 'WebKitWebDriver');
    return { session: () => session(address, door), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The address of a new session, which is a browser with a profile of its own. */
async function session(driver, door) {
  // The proxy capability knows no SOCKS that applies to http and https.
  const args = ['--automation', `--proxy=socks5://127.0.0.1:${door.port}`];
  const alwaysMatch = { acceptInsecureCerts: true, 'webkitgtk:browserOptions': { args } };
  const { sessionId } = await call('POST', `${driver}/session`, { capabilities: { alwaysMatch } }, START_TIMEOUT_MS);
  return `${driver}/session/${sessionId}`;
}

/** WebKitGTK in a world: `{ recorder, context(options), close() }`. A driver has one session at a time. */
export const launch = shared(async () => {
  const door = await proxy();
  const drivers = new Set();
  const idle = [];
  const start = async () => {
    const running = await driver(door);
    drivers.add(running);
    return running;
  };
  const fresh = async (broken) => {
    drivers.delete(broken);
    await broken.close();
    return start();
  };
  return {
    door,
    async context(options) {
      let running = idle.pop() ?? (await start());
      // On a busy machine the driver has been seen to wait for ever for a browser it had started.
      const address = await running.session().catch(async () => (running = await fresh(running)).session());
      return context(address, door, options, () => idle.push(running));
    },
    async close() {
      for (const running of drivers) await running.close();
      door.close();
    },
  };
});

const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';
/** Keys by WebDriver's code points. */
const KEYS = { PageDown: '\uE00F', Tab: '\uE004', Enter: '\uE007', Escape: '\uE00C', Space: ' ' };

/** A context is a session: WebKitGTK has no other way to a fresh profile, and starts in half a second. */
function context(session, door, { viewport }, closed) {
  const from = door.seen.length;
  let open = 0;
  /** A window without a page: the session begins with one, and ends when it has none. */
  let spare = call('GET', `${session}/window`);
  let present = null;
  let last = Promise.resolve();
  /** Calls follow each other: each first turns to its window. */
  const inWindow = (handle, work) => {
    const turn = last.then(async () => {
      if (present !== handle) await call('POST', `${session}/window`, { handle });
      present = handle;
      return work();
    });
    last = turn.catch(() => {});
    return turn;
  };
  const run = (script) => call('POST', `${session}/execute/sync`, { script, args: [] });
  return {
    /** The proxy's log: the driver has none. Visitors at the same time share it. */
    get requests() {
      return door.seen.slice(from);
    },
    async newPage() {
      const handle = (await spare) ?? (await call('POST', `${session}/window/new`, { type: 'window' })).handle;
      spare = null;
      open += 1;
      const own = (work) => inWindow(handle, work);
      const resize = ({ width, height }) => own(() => call('POST', `${session}/window/rect`, { width, height }));
      await resize(viewport);
      return new Page({
        evaluate: (expression) => own(() => run(`return (${expression})`)),
        hover: (expression) =>
          own(async () => {
            const origin = await run(`return (${expression})`);
            const actions = [{ type: 'pointerMove', origin, x: 0, y: 0, duration: 0 }];
            await call('POST', `${session}/actions`, { actions: [{ type: 'pointer', id: 'mouse', actions }] });
          }),
        click: (expression) =>
          own(async () => {
            const element = await run(`return (${expression})`);
            await call('POST', `${session}/element/${element[ELEMENT]}/click`, {});
          }),
        press: (key) =>
          own(async () => {
            const actions = ['keyDown', 'keyUp'].map((type) => ({ type, value: KEYS[key] }));
            await call('POST', `${session}/actions`, { actions: [{ type: 'key', id: 'keyboard', actions }] });
          }),
        goto: (url) => own(() => call('POST', `${session}/url`, { url })),
        reload: () => own(() => call('POST', `${session}/refresh`, {})),
        resize,
        close: () =>
          own(async () => {
            open -= 1;
            present = null;
            if (open) return call('DELETE', `${session}/window`);
            spare = handle;
            return call('POST', `${session}/url`, { url: 'about:blank' });
          }),
      });
    },
    /** Those of the page that was last turned to: WebDriver tells of no others. */
    async cookies() {
      await last;
      const cookies = await call('GET', `${session}/cookie`);
      return cookies.map(({ expiry, ...cookie }) => ({ ...cookie, expires: expiry }));
    },
    /** A cookie can only be given to the page that is open: this one exists nowhere. */
    async addCookies(cookies) {
      for (const { name, value, url } of cookies) {
        await call('POST', `${session}/url`, { url: new URL('/none', url).href });
        await call('POST', `${session}/cookie`, { cookie: { name, value, path: '/' } });
      }
    },
    async close() {
      await call('DELETE', session);
      closed();
    },
  };
}
