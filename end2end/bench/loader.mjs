// Assent beside its peers on one page, in one run, interleaved. Prints a Markdown table of medians.
//
// ROUNDS (default 15) sets how often each variant is visited under each profile; ASSENT_BIN the server; VARIANTS, names
// between commas, which of them (all; assent and orejime have to be among them).
import { cpus } from 'node:os';

import { start } from '../engines/chromium.mjs';
import { stage, variants } from './pages.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 15);
/** `stands_ms`: by then every banner stands; `settled_ms`: by then what is loaded ahead has loaded, too. */
const PROFILES = {
  unthrottled: { latency_ms: 0, down_bytes_s: -1, up_bytes_s: -1, cpu: 1, stands_ms: 400, settled_ms: 2000 },
  'slow (150 ms, 1.6 Mbit/s, CPU ×4)': { latency_ms: 150, down_bytes_s: 200_000, up_bytes_s: 93_750, cpu: 4, stands_ms: 1000, settled_ms: 4000 },
};
const TIMEOUT_MS = 15_000;

/**
 * Runs in the page. Reports the Accept button's middle to `acceptVisible` as soon as a frame finds the button
 * painted: laid out inside the window, opaque up to the root, and on top of whatever else is there.
 */
function watch(selector) {
  const opaque = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.visibility !== 'visible' || Number(style.opacity) < 0.99) return false;
    }
    return true;
  };
  const look = () => {
    const button = document.querySelector(selector);
    if (button) {
      const box = button.getBoundingClientRect();
      const x = box.left + box.width / 2;
      const y = box.top + box.height / 2;
      if (box.width > 0 && y > 0 && y < innerHeight && opaque(button) && button.contains(document.elementFromPoint(x, y))) {
        window.bannerVisible = performance.now();
        window.acceptVisible(x, y);
        return;
      }
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** A page of a context under a profile, with a debugger session. */
async function tab(context, profile) {
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send('Performance.enable');
  await session.send('Network.enable');
  await session.send('Network.emulateNetworkConditions', {
    offline: false,
    latency: profile.latency_ms,
    downloadThroughput: profile.down_bytes_s,
    uploadThroughput: profile.up_bytes_s,
  });
  await session.send('Emulation.setCPUThrottlingRate', { rate: profile.cpu });
  return { page, session };
}

/** Runs in the page: a thousand nodes, ten at a time, as a page adds them that draws a list. */
async function addNodes() {
  const list = document.body.appendChild(document.createElement('div'));
  for (let round = 0; round < 100; round++) {
    for (let at = 0; at < 10; at++) list.appendChild(document.createElement('p')).textContent = at;
    await new Promise((done) => setTimeout(done));
  }
}

const script_ms = async (session) => {
  const { metrics } = await session.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'ScriptDuration').value * 1000;
};

const firstPaint = (page) =>
  page.waitForFunction(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime, null, { timeout: TIMEOUT_MS }).then((handle) => handle.jsonValue());

/** One visit, the click, and the visit after it. */
async function visit(browser, url, { accept }, profile) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB' });
  try {
    const { page } = await tab(context, profile);
    const measures = {};
    if (accept) {
      let seen;
      const visible = new Promise((done) => (seen = done));
      await context.exposeBinding('acceptVisible', (_, x, y) => {
        // As a visitor would: if nothing happens, press again.
        const press = () => page.mouse.click(x, y).catch(() => {});
        press();
        seen(setInterval(press, 100));
      });
      await page.addInitScript(watch, accept);
      await page.goto(url, { waitUntil: 'commit' });
      let timer;
      const late = new Promise((_, fail) => (timer = setTimeout(() => fail(new Error(`no banner: ${url}`)), TIMEOUT_MS)));
      const pressing = await Promise.race([visible, late]).finally(() => clearTimeout(timer));
      await page.waitForFunction(() => window.tagRan, null, { timeout: TIMEOUT_MS });
      clearInterval(pressing);
      Object.assign(measures, await page.evaluate(() => ({ visible: window.bannerVisible, works: window.tagRan })));
    } else {
      await page.goto(url);
    }
    measures.paint = await firstPaint(page);
    // What the first visit still has to send goes out before the second begins.
    await page.waitForTimeout(200 + 3 * profile.latency_ms);
    await page.close();
    const { page: again } = await tab(context, profile);
    await again.goto(url);
    await again.waitForFunction(() => window.tagRan, null, { timeout: TIMEOUT_MS });
    measures.returning = await again.evaluate(() => window.tagRan);
    await again.close();
    // Once more, undisturbed.
    const { page: third, session } = await tab(context, profile);
    const before = await script_ms(session);
    await third.goto(url, { waitUntil: 'commit' });
    await third.waitForTimeout(profile.stands_ms);
    measures.again = (await script_ms(session)) - before;
    return measures;
  } finally {
    await context.close();
  }
}

/** Script time of an undisturbed first visit: nothing of ours runs in the page. */
async function script(browser, url, profile) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB' });
  try {
    const { page, session } = await tab(context, profile);
    const before = await script_ms(session);
    await page.goto(url, { waitUntil: 'commit' });
    await page.waitForTimeout(profile.stands_ms);
    const script = (await script_ms(session)) - before;
    await page.waitForTimeout(profile.settled_ms - profile.stands_ms);
    const settled = (await script_ms(session)) - before;
    await page.evaluate(addNodes);
    return { script, settled, nodes: (await script_ms(session)) - before - settled };
  } finally {
    await context.close();
  }
}

const median = (values) => {
  const sorted = values.filter((value) => value !== undefined).sort((one, other) => one - other);
  if (!sorted.length) return undefined;
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

const COLUMNS = [
  ['paint', 'first paint ms', 0],
  ['visible', 'banner visible ms', 0],
  ['works', 'Accept works ms', 0],
  ['script', 'script ms, banner stands', 1],
  ['settled', 'script ms, all preloaded', 1],
  ['nodes', 'script ms, 1,000 nodes added', 1],
  ['returning', 'returning: targeting tag ran ms', 0],
  ['again', 'returning: script ms', 1],
];

function print(profile, results) {
  const cell = (value, digits) => (value === undefined ? '–' : value.toFixed(digits));
  console.log(`\n### ${profile}\n`);
  console.log(`| variant | ${COLUMNS.map(([, title]) => title).join(' | ')} |`);
  console.log(`|---|${'---:|'.repeat(COLUMNS.length)}`);
  for (const [name, medians] of Object.entries(results)) {
    console.log(`| ${name} | ${COLUMNS.map(([key, , digits]) => cell(medians[key], digits)).join(' | ')} |`);
  }
  const ratio = ([key]) => (results.assent[key] === undefined || !results.orejime[key] ? '–' : `${(results.assent[key] / results.orejime[key]).toFixed(2)} ×`);
  console.log(`| **assent : orejime** | ${COLUMNS.map(ratio).join(' | ')} |`);
}

const { origin, loader, close } = await stage([{ id: 'wall', blocking: { mode: 'enforce' } }]);
let browser;
try {
  browser = await start();
  const wanted = process.env.VARIANTS?.split(',');
  const every = variants(loader);
  const unknown = wanted?.filter((name) => !(name in every));
  if (unknown?.length) throw new Error(`no variant ${unknown}: there are ${Object.keys(every).join(', ')}`);
  const all = Object.entries(every).filter(([name]) => wanted?.includes(name) ?? true);
  console.log(`Chromium ${browser.version()}, ${cpus().length} × ${cpus()[0].model}, medians of ${ROUNDS} visits each, interleaved.`);
  console.log('vanilla-cookieconsent 3.1.0 (hideFromBots: false), orejime 3.2.1, brotli 11, all from 127.0.0.1.');
  for (const [title, profile] of Object.entries(PROFILES)) {
    const seen = Object.fromEntries(all.map(([name]) => [name, []]));
    // The first round warms up the machine and does not count.
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [name, variant] of all) {
        const measures = await visit(browser, `${origin}/${name}`, variant, profile);
        Object.assign(measures, await script(browser, `${origin}/${name}`, profile));
        if (round > 0) seen[name].push(measures);
      }
    }
    print(
      title,
      Object.fromEntries(
        Object.entries(seen).map(([name, runs]) => [name, Object.fromEntries(COLUMNS.map(([key]) => [key, median(runs.map((run) => run[key]))]))]),
      ),
    );
  }
} finally {
  await browser?.close();
  await close();
}
