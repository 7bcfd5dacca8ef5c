// WebKitGTK over plain WebDriver, in a virtual display. WebDriver tells of no requests and no errors: the
// recorder's log stands for the first, what the page itself collected (`window.errors`) for the second.
import { spawn } from 'node:child_process';

import { freePort, until } from '../server.mjs';
import { proxy } from './proxy.mjs';

/** What cases and tests call it. */
export const NAME = 'webkit';

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
      env: { ...process.env, DISPLAY: screen.name, GDK_BACKEND: 'x11', LIBGL_ALWAYS_SOFTWARE: '1', NO_AT_BRIDGE: '1' },
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

/** Starts the driver: `{ recorder, visitor(), close() }`. */
export async function launch(shop) {
  const door = await proxy();
  let running;
  const close = async () => {
    await running?.close();
    door.close();
  };
  const fresh = async () => {
    await running?.close();
    running = null;
    running = await driver(door);
    return running.session();
  };
  try {
    running = await driver(door);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    recorder: door.recorder,
    // On a busy machine the driver has been seen to wait for ever for a browser it had started.
    visitor: async () => visitor(shop, await running.session().catch(fresh)),
    close,
  };
}

/** A visitor is a session: WebKitGTK has no other way to a fresh profile, and starts in half a second. */
function visitor(shop, session) {
  const evaluate = (expression) => call('POST', `${session}/execute/sync`, { script: `return (${expression})`, args: [] });
  return {
    async open(path) {
      await call('POST', `${session}/window/rect`, { width: 1280, height: 800 });
      await call('POST', `${session}/url`, { url: shop.at(path) });
      return { evaluate, errors: () => evaluate('window.errors') };
    },
    /** No log of the browser's own: see the recorder's. */
    requests: () => null,
    /** Those of the page that is open: WebDriver tells of no others. */
    cookies: () => call('GET', `${session}/cookie`),
    close: () => call('DELETE', session),
  };
}
