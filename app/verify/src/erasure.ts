// What a log lists as erased. consent/src/ledger/erasure.rs has the same in Rust.
import { base64, base64Of, utf8, type Bytes } from './bytes';
import { signed, type Key } from './keys';
import { leaf } from './merkle';

/** An entry whose record was erased, as the server gives it. */
export interface Erasure {
  index: number;
  /** Milliseconds since 1970. */
  erased_at_ms: number;
  /** The server's, in base64. */
  signature: string;
}

/** Whether one of the keys signed that the record of this entry of a site's log was erased. Throws [Unsupported]. */
export async function isSigned(erasure: Erasure, site: string, entry: Bytes, keys: Key[]): Promise<boolean> {
  const { index, erased_at_ms } = erasure;
  const hash = base64Of(await leaf(entry));
  const text = utf8(`assent erasure v1\n${site}\n${index}\n${hash}\n${erased_at_ms}\n`);
  const signature = base64(String(erasure.signature));
  for (const key of keys) {
    if (signature && (await signed(key, signature, text))) return true;
  }
  return false;
}
