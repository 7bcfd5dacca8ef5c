// The server's public keys, and Ed25519 by WebCrypto.
import { base64url, type Bytes } from './bytes';

/** The browser lacks Ed25519. */
export class Unsupported extends Error {}

export interface Key {
  /** Its id in receipts (RFC 7638). */
  id: string;
  bytes: Bytes;
}

/** The Ed25519 keys of a JWK set; others are left out. */
export function read(jwks: unknown): Key[] {
  const list: unknown = (jwks as { keys?: unknown } | null)?.keys;
  return (Array.isArray(list) ? list : []).flatMap(({ kty, crv, kid, x }: Record<string, unknown>) => {
    const bytes = kty === 'OKP' && crv === 'Ed25519' && typeof x === 'string' ? base64url(x) : null;
    return bytes?.length === 32 ? [{ id: String(kid), bytes }] : [];
  });
}

/** Whether a key signed the bytes. Throws [Unsupported]. */
export async function signed(key: Key, signature: Bytes, what: Bytes): Promise<boolean> {
  let imported: CryptoKey;
  try {
    imported = await crypto.subtle.importKey('raw', key.bytes, 'Ed25519', false, ['verify']);
  } catch {
    throw new Unsupported();
  }
  return crypto.subtle.verify('Ed25519', imported, signature, what);
}
