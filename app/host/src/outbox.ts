/** Keeps each consent record until the server has acknowledged it. */
import { NAME, api } from './loader';

const KEY = `${NAME}-outbox`;
const RECEIPT = `${NAME}-receipt`;

/** The most records that wait. */
const LEN_MAX = 50;

/** Stands in for localStorage where the browser refuses it, or where it is full. */
let memory: string | undefined;
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

function waiting(): string[] {
  try {
    return (JSON.parse(memory ?? recall(KEY) ?? '[]') as object[]).map((record) => JSON.stringify(record));
  } catch {
    return [];
  }
}

function keep(records: string[]): void {
  // By hand: libraries have given arrays a `toJSON` of their own.
  const text = `[${records}]`;
  memory = remember(KEY, text) ? undefined : text;
}

/** Random hexadecimal digits, two for each byte. */
export const random = (bytes: number): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) =>
    (byte + 256).toString(16).slice(1),
  ).join('');

/** A UUID of version 7 (RFC 9562). */
export function uuid(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  const digits = random(9);
  const variant = '89ab'[parseInt(digits[3], 16) & 3];
  return `${time.slice(0, 8)}-${time.slice(8)}-7${digits.slice(0, 3)}-${variant}${digits.slice(4, 7)}-${digits.slice(6)}`;
}

/** The last receipt of this browser, null before the first. */
export const receipt = (): string | null => recall(RECEIPT);

/** Adds a record and sends what waits. */
export function post(record: object): void {
  keep([...waiting(), JSON.stringify(record)].slice(-LEN_MAX));
  send();
}

/** Sends what waits, oldest first. A record goes when the server has acknowledged it, or has said what is wrong
    with it; anything else, such as a proxy's page, leaves it where it is. */
export function send(): void {
  const body = waiting()[0];
  if (!body || sending) return;
  sending = true;
  fetch(`${api}records`, { method: 'POST', body, keepalive: true })
    .then(async (answer) => {
      const { receipt, detail } = await answer.json();
      if (receipt) remember(RECEIPT, receipt);
      else if (detail && [400, 409, 413, 422].includes(answer.status)) console.warn('Assent:', detail);
      else throw 0;
      keep(waiting().filter((other) => other != body));
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
