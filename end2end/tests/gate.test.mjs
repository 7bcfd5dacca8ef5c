// The gate in WebAssembly and its translation to JavaScript must decide alike, whatever they are given.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

const assets = new URL('../../target/assets/', import.meta.url);
const BUFFER_LEN = 16_384;
const NOW_S = 1_795_000_000;
const KEY = '0123456789abcdef0123456789abcdef';
const RECORD = '019a0000-0000-7000-8000-000000000001';

/** The translation, and the gate of the sites with a choice per service, from which it is made, or the other one. */
async function gates(name = 'gate-services') {
  const { instance } = await WebAssembly.instantiate(await readFile(new URL(`${name}.wasm`, assets)), {});
  return [instance.exports, await import(new URL('gate.js', assets))].map(
    ({ memory, a: allowed, b: buffer, c: choose, e: erased, g: google, k: cookie, r: released, s: start }) => ({ memory, allowed, buffer, choose, erased, google, cookie, released, start }),
  );
}

function put(gate, text) {
  const view = new Uint8Array(gate.memory.buffer, gate.buffer(), BUFFER_LEN);
  return new TextEncoder().encodeInto(text, view).written;
}

function buffer(gate, len) {
  return Buffer.from(gate.memory.buffer, gate.buffer(), len).toString('utf8');
}

/** A generator with a seed (mulberry32), so that a failure can be repeated. */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function alike([wasm, script], call) {
  const answer = call(wasm);
  assert.deepEqual(call(script), answer, String(call));
  return answer;
}

for (const name of ['gate', 'gate-services']) test(`a written cookie is read back as the choice that it holds, ${name}`, async () => {
  const both = await gates(name);
  for (let bits = 0; bits < 16; bits += 1) {
    const value = alike(both, (gate) => {
      gate.choose(bits);
      put(gate, KEY + RECORD);
      return buffer(gate, gate.cookie(7, NOW_S));
    });
    const answer = alike(both, (gate) => gate.start(put(gate, value), 0, 0, 0, 7, 86_400, NOW_S + 60));
    assert.equal(answer & 15, bits | 1);
    assert.ok(answer & 32, 'a stored choice decided');
    // Without a list of services nobody knows what of the categories was refused.
    const excepted = alike(both, (gate) => gate.start(put(gate, `${value}.abc`), 1, 15, 0, 7, 86_400, NOW_S + 60) & 63);
    assert.equal(excepted, 1 | 16);
  }
});

test('exceptions behind the record count by service', async () => {
  const both = await gates();
  const value = alike(both, (gate) => {
    gate.choose(3);
    put(gate, KEY + RECORD);
    return `${buffer(gate, gate.cookie(7, NOW_S))}.abcxyz`;
  });
  const answer = alike(both, (gate) => gate.start(put(gate, `${value} 1abc1def3ghi3xyz`), 0, 0, 0, 7, 86_400, NOW_S + 60));
  assert.equal(answer, 3 | 32 | 64);
  const granted = ['4', '5', '6', '7'].map((mark) => alike(both, (gate) => gate.allowed(put(gate, `${mark}*`), 0)));
  assert.deepEqual(granted, [0, 1, 0, 1]);
  alike(both, (gate) => gate.start(put(gate, ' '), 0, 0, 0, 7, 86_400, NOW_S));
});

test('without a cookie, opt-in grants the necessary category only and asks', async () => {
  const answer = alike(await gates(), (gate) => gate.start(0, 0, 0, 0, 1, 86_400, NOW_S));
  assert.equal(answer, 1 | 16);
});

test('both gates answer alike on cookies, categories and lists that nobody expected', async () => {
  const both = await gates();
  const next = random(20_261_121);
  const pick = (values) => values[Math.floor(next() * values.length)];
  const number = (below) => Math.floor(next() * below);
  const words = ['necessary', 'performance', 'functional', 'targeting', ' ', ',', '1_ga*', '3_fbp\n', '4_hj*', ' 1abc3xyz', '.abc', 'xyz', 'é', '\0', '.', KEY];
  const text = () => Array.from({ length: number(8) }, () => pick(words)).join('');
  alike(both, (gate) => gate.choose(6) && put(gate, KEY + RECORD));
  const cookie = alike(both, (gate) => buffer(gate, gate.cookie(3, NOW_S)));

  for (let round = 0; round < 5_000; round += 1) {
    const at = number(cookie.length);
    const altered = pick([cookie, cookie.slice(0, at), cookie.slice(0, at) + pick(words) + cookie.slice(at + 1), text()]);
    const terms = [number(6), number(16), number(16), number(5), pick([0, 60, 86_400, 4_294_967_295]), NOW_S + number(200_000)];
    alike(both, (gate) => gate.start(put(gate, altered), ...terms));
    const [list, name] = [text(), text()];
    alike(both, (gate) => gate.released(put(gate, list)));
    alike(both, (gate) => {
      const len = put(gate, list + name);
      const listLen = Buffer.byteLength(list);
      return gate.erased(listLen, len - listLen) * 2 + gate.allowed(listLen, len - listLen);
    });
    alike(both, (gate) => gate.google());
    alike(both, (gate) => gate.choose(terms[1]));
  }
});

test('a length beyond the buffer stays inside it', async () => {
  const both = await gates();
  for (const len of [BUFFER_LEN, BUFFER_LEN + 1, 2 ** 31 - 1, -1]) {
    alike(both, (gate) => gate.released(len));
    alike(both, (gate) => gate.erased(len, len));
    alike(both, (gate) => gate.allowed(len, len));
    alike(both, (gate) => gate.start(len, 0, 0, 0, 1, 86_400, NOW_S));
  }
});
