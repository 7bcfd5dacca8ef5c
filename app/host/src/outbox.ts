/** Keeps each consent record until the server has acknowledged it. */
import { put } from './jar';
import { NAME, api } from './loader';
import { random } from './random';

/** The cookie that says that records may wait: who has none need not open the browser's storage, which takes long. */
export const OUTBOX = `${NAME}-outbox`;

/** Beginning of the names under which records wait, each under its own: tabs that write at the same time would take an
    item from each other that held them all. */
const WAITS = `${OUTBOX}-`;
const RECEIPT = `${NAME}-receipt`;

/** Stands in for localStorage where the browser refuses it, or where it is full. */
const memory: Record<string, string> = {};
let sending = false;
let delay = 2000;

/** Reads an item of localStorage, null where there is none or no storage. */
export function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

/** Writes an item of localStorage; false where that is refused or full. */
export function remember(key: string, value: string): boolean {
  try {
    localStorage.setItem(key, value);
    return true;
  } catch {
    return false;
  }
}

/** The records that wait, oldest first: their ids begin with the time. */
function waiting(): string[] {
  let names = Object.keys(memory);
  try {
    names = names.concat(Object.keys(localStorage));
  } catch {
    // The browser refuses storage: all is in memory.
  }
  return names.filter((name) => name.startsWith(WAITS)).sort();
}

/** Milliseconds since 1970 of the last id. */
let last = 0;

/** A UUID of version 7 (RFC 9562), greater than the one before. */
export function uuid(): string {
  // Eleven digits until the year 2527.
  const time = `0${(last = Math.max(Date.now(), last + 1)).toString(16)}`;
  const digits = random(9);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${digits.slice(0, 3)}-8${digits.slice(3, 6)}-${digits.slice(6)}`;
}

/** The last receipt of this browser, null before the first. */
export const receipt = (): string | null => recall(RECEIPT);

/** Adds a record and sends what waits. */
export function post(id: string, record: object): void {
  const name = WAITS + id;
  const body = JSON.stringify(record);
  if (!remember(name, body)) memory[name] = body;
  send();
}

/** Sends what waits, oldest first. A record goes when the server has acknowledged it, or has said what is wrong
    with it; anything else, such as a proxy's page, leaves it where it is. */
export function send(): void {
  const [name] = waiting();
  // Almost a year, as long as the server takes what waits. By each attempt, so that no other tab's end takes it away.
  put(OUTBOX, '1', name ? 3e7 : 0, '');
  if (!name || sending) return;
  sending = true;
  fetch(`${api}records`, { method: 'POST', body: memory[name] ?? recall(name), keepalive: true })
    .then(async (answer) => {
      const { receipt, detail } = await answer.json();
      if (receipt) remember(RECEIPT, receipt);
      else if (detail && [400, 409, 413, 422].includes(answer.status)) console.warn('Assent:', detail);
      else throw 0;
      forget(name);
      sending = false;
      delay = 2000;
      send();
    })
    .catch(() => {
      sending = false;
      setTimeout(send, delay);
      delay = Math.min(delay * 2, 300000);
    });
}

function forget(name: string): void {
  delete memory[name];
  try {
    localStorage.removeItem(name);
  } catch {
    // It was in memory alone.
  }
}
