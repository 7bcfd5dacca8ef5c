// The Merkle tree of RFC 6962, section 2.1, as far as a proof of inclusion needs it.
import { equal, sha256, type Bytes } from './bytes';

const LEAF = new Uint8Array([0]);
const NODE = new Uint8Array([1]);

/** Hash of a leaf. */
export const leaf = (entry: Bytes): Promise<Bytes> => sha256(LEAF, entry);

/** Whether a proof shows that the leaf stands at `index` in the tree of `size` leaves with this root (RFC 9162,
    section 2.1.3.2). */
export async function includes(leaf: Bytes, index: bigint, size: bigint, proof: Bytes[], root: Bytes): Promise<boolean> {
  if (index >= size) return false;
  let [at, last, hash] = [index, size - 1n, leaf];
  for (const sibling of proof) {
    if (last === 0n) return false;
    if (at & 1n || at === last) {
      hash = await sha256(NODE, sibling, hash);
      while (at !== 0n && !(at & 1n)) {
        at >>= 1n;
        last >>= 1n;
      }
    } else {
      hash = await sha256(NODE, hash, sibling);
    }
    at >>= 1n;
    last >>= 1n;
  }
  return last === 0n && equal(hash, root);
}
