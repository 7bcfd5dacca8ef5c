// A property of random pages: a tag runs only while its categories are granted, and once for each time that its page
// is opened, or that an app brings a view with it. What may run is worked out by a model that knows nothing of the gate; what ran is taken from the page's
// own scripts and from the recorder. A failure prints the seed and the page's plan: SEED=n repeats it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { errors, until, world } from '../harness.mjs';
import { ROOT } from '../server.mjs';

const STUB = readFileSync(join(ROOT, 'target/assets/stub.js'), 'utf8');

const SEED = Number(process.env.SEED ?? 20261122);
const PAGES = Number(process.env.PAGES ?? 24);
/** What a page is like beside its tags: pages take turns. `stub`: the inline stub stands before the loader; `by_service`: on
    a site where the visitor chooses among services one by one; `wall`: on one with automatic blocking in force. */
const SITES = [
  {},
  { stub: true },
  { by_service: true },
  { wall: true },
  { stub: true, by_service: true },
  { wall: true, by_service: true },
];

/** Mulberry32: random numbers that a seed repeats. */
function random(seed) {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const CATEGORIES = ['performance', 'functional', 'targeting'];
/** Services of the site, and the category of each. */
const SERVICES = { 'google-analytics': 'performance', hotjar: 'performance', youtube: 'functional', 'meta-pixel': 'targeting', 'tag-manager': 'targeting' };
const KINDS = ['inline', 'external', 'async', 'defer', 'module', 'image', 'frame', 'picture', 'sheet', 'object'];
const SCRIPTS = KINDS.slice(0, 5);
/** How a tag comes into the page; all but the first after a number of the visitor's choices. */
const WAYS = ['markup', 'append', 'innerHTML', 'template', 'moved', 'removed'];

function plan(roll, by_service) {
  const some = () => Object.keys(SERVICES).filter(() => roll(3) === 0);
  const tags = Array.from({ length: 3 + roll(10) }, (_, at) => {
    const marks = CATEGORIES.filter(() => roll(3) === 0).map((category) => (roll(6) === 0 ? `!${category}` : category));
    if (!marks.length) marks.push(roll(8) ? CATEGORIES[roll(3)] : 'necessary');
    let way = WAYS[roll(WAYS.length)];
    const kind = KINDS[roll(KINDS.length)];
    // Scripts that come by innerHTML never run, in any browser.
    if (way === 'innerHTML' && SCRIPTS.includes(kind)) way = 'append';
    const service = by_service && roll(2) ? Object.keys(SERVICES)[roll(5)] : undefined;
    const from = way === 'markup' ? 0 : roll(3);
    // Taken away before the next choice, or the one after it.
    return { name: `t${at}`, marks, service, kind, way, at: from, gone: way === 'removed' ? from + 1 + roll(2) : undefined };
  });
  const choices = Array.from({ length: 1 + roll(3) }, () => ({
    ...Object.fromEntries(CATEGORIES.map((category) => [category, roll(2) === 0])),
    ...(by_service && { services: Object.fromEntries(some().map((id) => [id, roll(2) === 0])) }),
  }));
  return { tags, choices, navigates: roll(2) === 0 };
}

const place = ({ kind, name }) =>
  SCRIPTS.includes(kind) ? `/${name}.js?name=${name}` : ['frame', 'object'].includes(kind) ? `/embed/${name}` : `/${name}.${kind === 'sheet' ? 'css' : 'gif'}`;

function markup(tag) {
  const address = `https://tags.vendor.example${place(tag)}`;
  const category = `data-category="${tag.marks.join(' ')}"${tag.service ? ` data-service="${tag.service}"` : ''}`;
  switch (tag.kind) {
    case 'inline':
      return `<script type="text/plain" ${category}>(window.ran ??= []).push('${tag.name}')</script>`;
    case 'module':
      return `<script type="text/plain" data-type="module" ${category}>(window.ran ??= []).push('${tag.name}')</script>`;
    case 'image':
      return `<img alt="" ${category} data-src="${address}">`;
    case 'picture':
      return `<picture><source ${category} data-srcset="${address}"><img alt=""></picture>`;
    case 'frame':
      return `<iframe title="${tag.name}" ${category} data-src="${address}"></iframe>`;
    case 'sheet':
      return `<link rel="stylesheet" ${category} data-href="${address}">`;
    case 'object':
      return `<object title="${tag.name}" type="text/html" ${category} data-data="${address}"></object>`;
    default:
      return `<script type="text/plain" ${tag.kind === 'external' ? '' : tag.kind} ${category} src="${address}"></script>`;
  }
}

/** The service decides in place of the categories; what the choice does not name follows its category. With a negated mark
    it runs only without the service. */
const may = ({ marks, service }, granted) =>
  service
    ? !!(granted.services?.[service] ?? granted[SERVICES[service]]) !== marks.some((mark) => mark.startsWith('!'))
    : marks.every((mark) => (mark.startsWith('!') ? !granted[mark.slice(1)] : mark === 'necessary' || granted[mark]));

const isEmbed = ({ kind }) => !SCRIPTS.includes(kind);

/** How often each tag runs on one opening of the page, at least and at most; `states` are what is granted at first
    and after each choice. A script runs once and cannot be called back. An embed loads each time that it is granted
    anew. The choices follow each other at once: what is taken back while it waits for a script before it, or before
    the browser has asked for it, does not run. */
const expected = (tags, states) =>
  Object.fromEntries(
    tags.map((tag) => {
      const free = states.map((granted, at) => at >= tag.at && !(at >= tag.gone) && may(tag, granted));
      const times = free.filter((now, at) => now && !free[at - 1]).length;
      return [tag.name, [free.at(-1) ? 1 : 0, isEmbed(tag) ? times : Math.min(times, 1)]];
    }),
  );

const worlds = new Map();
/** The site of a page, started when its first page is opened. */
async function siteOf({ by_service = false, wall = false }) {
  const key = `${by_service} ${wall}`;
  const change = (config) => ({ ...config, service_choice: by_service, ...(wall && { blocking: { mode: 'enforce' } }) });
  if (!worlds.has(key)) worlds.set(key, await world({ change }));
  return worlds.get(key);
}
after(async () => {
  for (const site of worlds.values()) await site.close();
});

/** Adds the tags that come after so many choices. */
const add = (page, tags, at) =>
  page.evaluate(
    (list) => {
      for (const { name, html, way } of list) {
        const template = document.createElement('template');
        template.innerHTML = html;
        const node = template.content.firstElementChild;
        node.id = name;
        const view = document.getElementById('view');
        if (way === 'template') view.append(template.content.cloneNode(true));
        else if (way === 'innerHTML') view.appendChild(document.createElement('div')).innerHTML = html;
        else view.append(node);
        // Put elsewhere before anything else happens, as frameworks do.
        if (way === 'moved') view.prepend(node);
      }
    },
    tags.filter((tag) => tag.way !== 'markup' && tag.at === at).map((tag) => ({ name: tag.name, html: markup(tag), way: tag.way })),
  );

for (let number = 0; number < PAGES; number++) {
  const seed = SEED + number;
  const kind = SITES[number % SITES.length];
  test(`random page ${seed}, ${Object.keys(kind).join(', ') || 'plain'}: a tag runs only if granted, and once`, async () => {
    const page_plan = plan(random(seed), kind.by_service);
    const { tags, choices } = page_plan;
    const site = await siteOf(kind);
    // With automatic blocking the loader stands before the page.
    const tag = kind.stub ? `<script>${STUB}</script>${site.tag('async data-assent-loader')}` : site.tag(kind.wall ? '' : undefined);
    site.page(`/${seed}`, { tag, head: tags.filter(({ way }) => way === 'markup').map(markup).join('\n'), body: '<main id="view"></main>' });
    const visitor = await site.visitor();
    try {
      let granted = { performance: false, functional: false, targeting: false };
      // The second opening is that of a visitor who has chosen.
      for (const opening of ['first', 'second']) {
        const from = site.recorder.requests.length;
        const states = [granted];
        const page = await visitor.open(`/${seed}`);
        await page.waitForFunction(() => window.assent?.choice);
        await add(page, tags, 0);
        for (const [at, choice] of choices.entries()) {
          const gone = tags.filter((tag) => tag.gone === at + 1).map(({ name }) => name);
          await page.evaluate((gone) => gone.forEach((id) => document.getElementById(id)?.remove()), gone);
          await page.evaluate((choice) => window.assent.set(choice), choice);
          granted = choice;
          states.push(granted);
          await add(page, tags, at + 1);
        }
        const there = tags.filter(({ at }) => at <= choices.length);
        const wanted = expected(there, states);
        /** The tags that ran too seldom or too often. */
        const wrong = async () => {
          const ran = await page.evaluate(() => window.ran ?? []);
          const asked = site.recorder.requests.slice(from).map(({ path }) => path);
          return there
            .map((tag) => {
              const times = isEmbed(tag) ? asked.filter((path) => path === place(tag)).length : ran.filter((name) => name === tag.name).length;
              const [least, most] = wanted[tag.name];
              return { ...tag, times, least, most };
            })
            .filter(({ times, least, most }) => times < least || times > most);
        };
        const check = async (when) => {
          await until(async () => !(await wrong()).length, 'all that may run').catch(() => {});
          // Time for what must not run.
          await page.waitForTimeout(150);
          assert.deepEqual(await wrong(), [], `${when} of ${JSON.stringify(page_plan)}`);
        };
        await check(`${opening} opening`);
        if (page_plan.navigates) {
          // To a view of tags like those of the first, which goes: what ran there does not run again.
          const next = tags.filter(({ way }) => way !== 'markup').map((tag) => ({ ...tag, name: `${tag.name}-next`, at: 0, gone: undefined }));
          await page.evaluate(() => {
            history.pushState(null, '', '?next');
            document.getElementById('view').replaceChildren();
          });
          await add(page, next, 0);
          there.push(...next);
          Object.assign(wanted, expected(next, [granted]));
          await check(`view after the ${opening} opening`);
        }
        assert.deepEqual(await errors(page), []);
        await page.close();
      }
    } finally {
      await visitor.close();
    }
  });
}
