// Firefox over WebDriver BiDi. Its start takes seconds: all worlds of a process share one.
import puppeteer from 'puppeteer-core';

import { Page } from './page.mjs';
import { proxy } from './proxy.mjs';
import { shared } from './shared.mjs';

/** Firefox in a world: `{ recorder, context(options), close() }`. */
export const launch = shared(async () => {
  const door = await proxy();
  try {
    const browser = await puppeteer.launch({
      browser: 'firefox',
      executablePath: process.env.FIREFOX || '/usr/bin/firefox-esr',
      acceptInsecureCerts: true,
      defaultViewport: null,
      extraPrefsFirefox: {
        'network.proxy.type': 1,
        'network.proxy.socks': '127.0.0.1',
        'network.proxy.socks_port': door.port,
        'network.proxy.socks_version': 5,
        'network.proxy.socks_remote_dns': true,
        'network.proxy.no_proxies_on': '',
        'network.proxy.allow_hijacking_localhost': true,
      },
    });
    return {
      door,
      context: (options) => context(browser, options),
      async close() {
        await browser.close();
        door.close();
      },
    };
  } catch (error) {
    door.close();
    throw error;
  }
});

async function context(browser, { viewport, extraHTTPHeaders }) {
  const inner = await browser.createBrowserContext();
  const requests = [];
  return {
    requests,
    async newPage() {
      const tab = await inner.newPage();
      await tab.setViewport(viewport);
      if (extraHTTPHeaders) await tab.setExtraHTTPHeaders(extraHTTPHeaders);
      tab.on('request', (request) => requests.push(request.url()));
      const point = (way) => async (expression) => {
        const element = await tab.evaluateHandle(expression);
        await tab.bringToFront();
        await element[way]();
      };
      return new Page({
        evaluate: (expression) => tab.evaluate(expression),
        hover: point('hover'),
        click: point('click'),
        press: (key) => tab.keyboard.press(key === 'Space' ? ' ' : key),
        goto: (url, waitUntil) => tab.goto(url, { waitUntil }),
        reload: () => tab.reload(),
        resize: (size) => tab.setViewport(size),
        close: () => tab.close(),
      });
    },
    async cookies(url) {
      const all = await inner.cookies();
      return url ? all.filter(({ domain }) => isSent(domain, url)) : all;
    },
    addCookies: (cookies) => inner.setCookie(...cookies.map(({ name, value, url }) => ({ name, value, domain: new URL(url).hostname, path: '/' }))),
    close: () => inner.close(),
  };
}

/** Whether a cookie of a domain is sent to an address. */
function isSent(domain, url) {
  const { hostname } = new URL(url);
  return domain.startsWith('.') ? `.${hostname}`.endsWith(domain) : domain === hostname;
}
