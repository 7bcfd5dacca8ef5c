// How Assent's banner and dialog look beside its peers', as each comes from its package: writes
// docs/images/beside-{desktop,phone}.png and prints what of it can be measured. `node end2end/bench/looks.mjs`;
// docs/comparison.md says what we see in it.
import { join } from 'node:path';

import { start } from '../engines/chromium.mjs';
import { ROOT } from '../server.mjs';
import { stage } from './pages.mjs';

const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 375, height: 720 } };
/** How wide one picture is in the whole. */
const WIDTHS = { desktop: 640, phone: 300 };
/** Where each keeps its banner, its buttons to accept, to refuse and to open the settings, and the settings. */
const PEERS = {
  assent: { banner: '.assent-banner', accept: '[data-assent-do=accept]', reject: '[data-assent-do=reject]', settings: '[data-assent-do=settings]', dialog: '#assent dialog' },
  cookieconsent: { banner: '#cc-main .cm', accept: '.cm [data-role=all]', reject: '.cm [data-role=necessary]', settings: '.cm [data-role=show]', dialog: '#cc-main .pm' },
  orejime: { banner: '.orejime-Banner', accept: '.orejime-Banner-saveButton', reject: '.orejime-Banner-declineButton', settings: '.orejime-Banner-learnMoreButton', dialog: '.orejime-Modal' },
};

/** Runs in the page: what a visitor meets. */
function measure({ banner, accept, reject }) {
  const box = (selector) => document.querySelector(selector).getBoundingClientRect();
  const { width, height } = box(banner);
  const look = (selector) => {
    const { backgroundColor, color, fontSize, fontWeight } = getComputedStyle(document.querySelector(selector));
    const { width, height } = box(selector);
    return { size: `${Math.round(width)} × ${Math.round(height)}`, style: [backgroundColor, color, fontSize, fontWeight].join(', ') };
  };
  const [yes, no] = [accept, reject].map(look);
  return {
    covers: `${Math.round((100 * width * height) / (innerWidth * innerHeight))} %`,
    accept: yes.size,
    reject: no.size,
    alike: yes.size === no.size && yes.style === no.style,
    text: getComputedStyle(document.querySelector(banner)).fontSize,
    focus: document.querySelector(banner).contains(document.activeElement) ? 'taken' : 'left',
  };
}

const { origin, close } = await stage();
let browser;
try {
  browser = await start();
  for (const [size, viewport] of Object.entries(SIZES)) {
    const banners = [];
    const dialogs = [];
    for (const [name, peer] of Object.entries(PEERS)) {
      const page = await browser.newPage({ viewport, locale: 'en-GB' });
      await page.goto(`${origin}/${name}`);
      await page.locator(peer.accept).waitFor();
      // Transitions have ended by then.
      await page.waitForTimeout(800);
      banners.push(await page.screenshot());
      console.log(size, name, await page.evaluate(measure, peer));
      await page.locator(peer.settings).click();
      await page.locator(peer.dialog).waitFor();
      await page.mouse.move(0, 0);
      await page.waitForTimeout(800);
      dialogs.push(await page.screenshot());
      await page.close();
    }
    const pictures = [...banners, ...dialogs].map((png) => `<img width="${WIDTHS[size]}" src="data:image/png;base64,${png.toString('base64')}">`);
    const whole = await browser.newPage({ viewport: { width: 3 * WIDTHS[size] + 32, height: 300 } });
    await whole.setContent(`<body style="margin:8px;background:#888;display:grid;grid-template-columns:repeat(3,auto);gap:8px">${pictures.join('')}`);
    await whole.screenshot({ path: join(ROOT, `docs/images/beside-${size}.png`), fullPage: true });
    await whole.close();
  }
} finally {
  await browser?.close();
  await close();
}
