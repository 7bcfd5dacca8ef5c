/** `?assent_debug`: says of every tag on the page whether it may run, and why. */
import { FOREIGN, FREE } from '../answer';
import { early, warn } from '../early';
import type { Host } from '../host';
import { SERVICE } from '../services';

/** A tag and what becomes of it. */
interface Line {
  tag: string;
  loads: string;
  decision: 'released' | 'held' | 'left alone';
  reason: string;
}

const TAGS = 'script,iframe,img,source,video,audio,track,object,embed,input[src],image,feImage,link[rel],style[data-category]';

/** Where a tag loads from, or would. */
function address(tag: HTMLElement): string {
  for (const name of ['src', 'href', 'xlink:href', 'data', 'srcset', 'imagesrcset', 'poster']) {
    const value = tag.getAttribute(name) ?? tag.dataset[name];
    // More than text where the page requires Trusted Types.
    if (value) return String(value);
  }
  return '';
}

function own(address: string): boolean {
  try {
    const { origin, protocol } = new URL(address, document.baseURI);
    return origin == location.origin || !/^http/.test(protocol);
  } catch {
    return true;
  }
}

function line(tag: HTMLElement, host: Host): Line {
  const { assentHost, category } = tag.dataset;
  const loads = address(tag);
  let decision: Line['decision'] = 'left alone';
  let reason = 'not marked';
  if ('assentLoader' in tag.dataset || loads.startsWith(`${host.server}/s/`)) {
    reason = 'the loader';
  } else if (host.once.has(tag)) {
    decision = 'released';
    reason = tag.tagName == 'SCRIPT' ? 'has run' : 'loaded once by the visitor';
  } else if (assentHost || category !== undefined) {
    const answer = host.answerFor(tag);
    const name = assentHost?.startsWith(SERVICE)
      ? `the service ${assentHost.slice(SERVICE.length)}`
      : assentHost
        ? `the host ${assentHost}`
        : `“${category}”`;
    if (answer == FOREIGN) {
      const inert = tag instanceof HTMLScriptElement && tag.type == 'text/plain';
      decision = inert ? 'held' : 'left alone';
      reason = `${name} names no category of Assent`;
    } else {
      decision = answer == FREE ? 'released' : 'held';
      reason = `${name} ${answer == FREE ? 'is' : 'is not'} granted`;
    }
  } else if (own(loads)) {
    reason = 'not marked, of this site';
  }
  return { tag: tag.tagName.toLowerCase(), loads: loads || '(inline)', decision, reason };
}

/** Prints the list when it changes, and hands it out as `assent.debug()`. */
export function debug(host: Host): void {
  const list = () => [...document.querySelectorAll<HTMLElement>(TAGS)].map((tag) => line(tag, host));
  Object.assign(host.assent, { debug: list });
  if (early()) warn();
  let last = '';
  const print = () => {
    const lines = list();
    const text = JSON.stringify(lines);
    if (text == last) return;
    last = text;
    console.groupCollapsed(
      `Assent: ${lines.filter(({ decision }) => decision == 'held').length} of ${lines.length} tags are held`,
    );
    console.log(host.assent.choice());
    console.table(lines);
    console.groupEnd();
  };
  print();
  host.after.push(() => queueMicrotask(print));
}
