// Firefox over WebDriver BiDi.
import puppeteer from 'puppeteer-core';

import { proxy } from './proxy.mjs';

/** What cases and tests call it. */
export const NAME = 'firefox';

/** Starts Firefox: `{ recorder, visitor(), close() }`. */
export async function launch(shop) {
  const door = await proxy();
  try {
    const browser = await puppeteer.launch({
      browser: 'firefox',
      executablePath: process.env.FIREFOX || '/usr/bin/firefox-esr',
      acceptInsecureCerts: true,
      defaultViewport: { width: 1280, height: 800 },
      extraPrefsFirefox: {
        'network.proxy.type': 1,
        'network.proxy.socks': '127.0.0.1',
        'network.proxy.socks_port': door.port,
        'network.proxy.socks_version': 5,
        'network.proxy.socks_remote_dns': true,
        'network.proxy.no_proxies_on': '',
      },
    });
    return {
      recorder: door.recorder,
      visitor: () => visitor(shop, browser),
      async close() {
        await browser.close();
        door.close();
      },
    };
  } catch (error) {
    door.close();
    throw error;
  }
}

async function visitor(shop, browser) {
  const context = await browser.createBrowserContext();
  const requests = [];
  return {
    async open(path) {
      const page = await context.newPage();
      page.on('request', (request) => requests.push(request.url()));
      await page.goto(shop.at(path));
      const evaluate = (expression) => page.evaluate(expression);
      // The driver's own event also tells of warnings, such as a frame without a character encoding.
      return { evaluate, errors: () => evaluate('window.errors') };
    },
    requests: () => requests,
    cookies: () => context.cookies(),
    close: () => context.close(),
  };
}
