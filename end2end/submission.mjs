// A consent record as a browser sends it, without a browser.
import { randomBytes } from 'node:crypto';

function uuid7() {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5');
}

/** The notice that a loader shows: its hash. */
export const noticeOf = (loader) => /\bn:'([0-9a-f]{64})'/.exec(loader)[1];

/** A new subject's record of a choice made on revision 1, where this notice was shown. */
export const submission = (notice) => ({
  id: uuid7(),
  key: (Math.floor(Date.now() / 4096) % 2 ** 32).toString(16).padStart(8, '0') + randomBytes(12).toString('hex'),
  revision: 1,
  notice,
  method: 'banner',
  choice: { performance: true, functional: false, targeting: false },
  asked: true,
  gpc: false,
  dnt: false,
  previous: null,
  decided_at_ms: Date.now(),
});
