// What a log hands out: proofs (c2sp.org/tlog-proof) with the signed checkpoint (c2sp.org/tlog-checkpoint,
// c2sp.org/signed-note) that they end in. consent/src/ledger has the same in Rust.
import { base64, equal, sha256, utf8, type Bytes } from './bytes';
import { signed, type Key } from './keys';

/** The longest note that is read, as in consent/src/ledger/note.rs. */
const LEN_MAX = 64 * 1024;

export interface Proof {
  index: bigint;
  hashes: Bytes[];
  checkpoint: string;
}

export interface Checkpoint {
  origin: string;
  size: bigint;
  root: Bytes;
}

const hash = (text: string): Bytes | null => {
  const bytes = base64(text);
  return bytes?.length === 32 ? bytes : null;
};

const number = (text: string): bigint | null => (/^(0|[1-9]\d{0,18})$/.test(text) ? BigInt(text) : null);

/** Reads a proof; null if it is not exactly of the format. */
export function readProof(text: string): Proof | null {
  const parts = /^c2sp\.org\/tlog-proof@v1\n(?:extra [^\n]*\n)?index (\d+)\n((?:[^\n]+\n)*)\n([^]*)$/.exec(text);
  if (!parts || text.length > LEN_MAX) return null;
  const [, at, lines, checkpoint] = parts as unknown as [string, string, string, string];
  const index = number(at);
  const hashes = lines.split('\n').slice(0, -1).map(hash);
  return index === null || hashes.includes(null) ? null : { index, hashes: hashes as Bytes[], checkpoint };
}

/** Opens a checkpoint that the log itself signed with one of these keys. A string says why it does not hold. */
export async function openCheckpoint(note: string, keys: Key[]): Promise<Checkpoint | string> {
  const end = note.lastIndexOf('\n\n');
  const text = note.slice(0, end + 1);
  const parts = /^([^\s+]+)\n(\d+)\n(.{44})\n$/.exec(text);
  const size = parts && number(parts[2]!);
  const root = parts && hash(parts[3]!);
  if (end < 0 || !note.endsWith('\n') || !parts || size === null || !root) return 'it is not a checkpoint';
  const origin = parts[1]!;
  let isSigned = false;
  for (const line of note.slice(end + 2, -1).split('\n')) {
    const [, name, encoded] = /^— (\S+) (\S+)$/.exec(line) ?? [];
    const bytes = encoded === undefined ? null : base64(encoded);
    if (!bytes) return 'it is not a checkpoint';
    if (name !== origin) continue;
    for (const key of keys) {
      const id = await sha256(utf8(`${origin}\n`), new Uint8Array([1]), key.bytes);
      if (!equal(id.slice(0, 4), bytes.slice(0, 4))) continue;
      if (!(await signed(key, bytes.slice(4), utf8(text)))) return 'its signature does not fit';
      isSigned = true;
    }
  }
  return isSigned ? { origin, size, root } : 'none of this server’s keys signed it';
}

/** The entries of a bundle (c2sp.org/tlog-tiles), which are all of 32 bytes. Null if it is none. */
export function readEntries(bundle: Bytes): Bytes[] | null {
  const LENGTH = new Uint8Array([0, 32]);
  const entries = [];
  for (let at = 0; at < bundle.length; at += 34) {
    if (!equal(bundle.slice(at, at + 2), LENGTH) || at + 34 > bundle.length) return null;
    entries.push(bundle.slice(at + 2, at + 34));
  }
  return entries;
}

/** Path of the entries' tile that holds an index, in a log of `size` entries, below the log's address. */
export function entriesPath(index: number, size: number): string {
  const tile = Math.floor(index / 256);
  const width = Math.min(256, size - tile * 256);
  const digits = String(tile);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.{3}/g)!;
  const path = groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/');
  return `tile/entries/${path}${width < 256 ? `.p/${width}` : ''}`;
}
