// As much of Playwright's pages and locators as the tests use, over a driver that can no more than evaluate, point, click
// and type: `{ evaluate(expression), hover(expression), click(expression), press(key), goto(url), reload(),
// resize({ width, height }), close() }`. What a test finds missing here does not work, rather than work differently.
import { until } from '../server.mjs';

const TIMEOUT_MS = 20_000;

/** Runs in the page: the elements that a locator's steps lead to. */
function find(steps) {
  const plain = (text) => (text ?? '').replace(/\s+/g, ' ').trim();
  const nameOf = (element) =>
    plain(
      element.getAttribute('aria-label') ??
        element.getAttribute('aria-labelledby')?.split(' ').map((id) => document.getElementById(id)?.textContent).join(' ') ??
        (element.labels?.length ? [...element.labels].map((label) => label.textContent).join(' ') : null) ??
        (plain(element.textContent) || element.title),
    );
  const has = (text, { source, flags }) => new RegExp(source, flags).test(plain(text));
  const ROLES = { button: 'button,[role=button]', switch: '[role=switch]', group: '[role=group],fieldset' };
  const inside = (scopes, selector) => [...new Set(scopes.flatMap((scope) => [...scope.querySelectorAll(selector)]))];
  return steps.reduce(
    (scopes, { css, role, text, nth }) => {
      if (nth !== undefined) return scopes.slice(nth, nth + 1);
      if (css) return inside(scopes, css).filter((element) => !text || has(element.textContent, text));
      if (role) return inside(scopes, ROLES[role]).filter((element) => !text || has(nameOf(element), text));
      return inside(scopes, '*').filter((element) => has(element.textContent, text) && ![...element.children].some((child) => has(child.textContent, text)));
    },
    [document],
  );
}

/** Runs in the page: scrolls until nothing covers the middle of an element; false if something always does. */
function reachable(element) {
  return ['nearest', 'center', 'start', 'end'].some((block) => {
    element.scrollIntoView({ block, behavior: 'instant' });
    const { x, y, width, height } = element.getBoundingClientRect();
    const hit = document.elementFromPoint(x + width / 2, y + height / 2);
    return !!hit && (element.contains(hit) || hit.contains(element) || [...(element.labels ?? [])].some((label) => label.contains(hit)));
  });
}

/** Runs in the page: a value as JSON, also where the page's library has given arrays a `toJSON` of its own. */
async function carried(work) {
  const value = await work();
  const { toJSON } = Array.prototype;
  delete Array.prototype.toJSON;
  try {
    return JSON.stringify(value);
  } finally {
    if (toJSON) Array.prototype.toJSON = toJSON;
  }
}

/** A text as Playwright matches it: a part, in whichever case, or a pattern. */
const matcher = (text) =>
  text === undefined
    ? undefined
    : text instanceof RegExp
      ? { source: text.source, flags: text.flags }
      : { source: text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), flags: 'i' };

const call = (code, ...values) => `(${code})(${values.map((value) => JSON.stringify(value) ?? 'undefined').join()})`;

class Locator {
  constructor(page, steps) {
    this.page = page;
    this.steps = steps;
  }

  locator = (css, { hasText } = {}) => this.#with({ css, text: matcher(hasText) });
  getByRole = (role, { name } = {}) => this.#with({ role, text: matcher(name) });
  getByText = (text) => this.#with({ text: matcher(text) });
  first = () => this.#with({ nth: 0 });

  async all() {
    return Array.from({ length: await this.count() }, (_, nth) => this.#with({ nth }));
  }

  count() {
    return this.page.evaluate(`${this.#found}.length`);
  }

  isVisible() {
    return this.page.evaluate(`${this.#found}[0]?.checkVisibility({ visibilityProperty: true }) ?? false`);
  }

  async waitFor({ state = 'visible' } = {}) {
    const reached = { visible: () => this.isVisible(), attached: () => this.count(), detached: async () => !(await this.count()) };
    await until(() => reached[state]().catch(() => false), `${JSON.stringify(this.steps)} to be ${state}`, TIMEOUT_MS);
  }

  async evaluate(code, value) {
    await this.waitFor({ state: 'attached' });
    return this.page.evaluate(`(${code})(${this.#found}[0], ${JSON.stringify(value)})`);
  }

  innerText = () => this.evaluate((element) => element.innerText);
  isChecked = () => this.evaluate((element) => element.checked);
  focus = () => this.evaluate((element) => element.focus());
  getAttribute = (name) => this.evaluate((element, name) => element.getAttribute(name), name);
  boundingBox = async () => {
    await this.waitFor();
    return this.evaluate((element) => element.getBoundingClientRect().toJSON());
  };

  click = () => this.#point('click');
  hover = () => this.#point('hover');

  async #point(way) {
    await this.waitFor();
    const done = () =>
      this.evaluate(reachable).then(
        (free) => free && this.page.driver[way](`${this.#found}[0]`).then(() => true),
        () => false,
      );
    await until(done, `${JSON.stringify(this.steps)} to take a ${way}`, TIMEOUT_MS);
  }

  check = () => this.#set(true);
  uncheck = () => this.#set(false);

  async #set(wanted) {
    if ((await this.isChecked()) !== wanted) await this.click();
  }

  get #found() {
    return call(find, this.steps);
  }

  #with(step) {
    return new Locator(this.page, [...this.steps, step]);
  }
}

/** A tab. */
export class Page {
  constructor(driver) {
    this.driver = driver;
    const root = new Locator(this, []);
    for (const way of ['locator', 'getByRole', 'getByText']) this[way] = root[way];
    this.keyboard = { press: (key) => driver.press(key) };
  }

  /** The value of an expression or of a function of one argument, as JSON carries it. */
  async evaluate(code, value) {
    const expression = typeof code === 'function' ? call(code, value) : code;
    const json = await this.driver.evaluate(`(${carried})(async () => (${expression}))`);
    return json === undefined || json === null ? undefined : JSON.parse(json);
  }

  /** A page that is about to go has no answer, and is asked again. */
  waitForFunction(code, value) {
    const expression = typeof code === 'function' ? call(code, value) : code;
    return until(() => this.evaluate(`!!(await ${expression})`).catch(() => false), String(code), TIMEOUT_MS);
  }

  waitForTimeout(ms) {
    return new Promise((done) => setTimeout(done, ms));
  }

  async waitForURL(glob) {
    const pattern = new RegExp(`^${glob.split('**').map((part) => matcher(part).source).join('.*')}$`);
    await this.waitForFunction(`document.readyState === 'complete' && ${pattern}.test(location.href)`);
  }

  async url() {
    return this.evaluate('location.href');
  }

  /** `waitUntil`: 'load' or 'domcontentloaded'. */
  goto = (url, { waitUntil = 'load' } = {}) => this.driver.goto(url, waitUntil);
  reload = () => this.driver.reload();
  setViewportSize = (size) => this.driver.resize(size);
  close = () => this.driver.close();
  click = (css) => this.locator(css).click();
}
