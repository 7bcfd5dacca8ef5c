// Bytes and the texts that they stand in.

export type Bytes = Uint8Array<ArrayBuffer>;

const encoder = new TextEncoder();

/** A text in UTF-8. */
export const utf8 = (text: string): Bytes => encoder.encode(text);

/** Reads UTF-8; null if it is none. */
export function text(bytes: Bytes): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** One after the other. */
export function concat(...parts: Bytes[]): Bytes {
  const all = new Uint8Array(parts.reduce((len, part) => len + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export const equal = (a: Bytes, b: Bytes): boolean => a.length === b.length && a.every((byte, at) => byte === b[at]);

export const hex = (bytes: Bytes): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** Reads base64 in its one canonical form (RFC 4648, section 4); null if it is not. Other forms would let a changed
    character pass. */
export function base64(text: string): Bytes | null {
  try {
    const binary = atob(text);
    return btoa(binary) === text ? Uint8Array.from(binary, (char) => char.charCodeAt(0)) : null;
  } catch {
    return null;
  }
}

/** Writes base64 in that form. */
export const base64Of = (bytes: Bytes): string => btoa(String.fromCharCode(...bytes));

/** Likewise base64url without padding (RFC 7515, section 2). */
export function base64url(text: string): Bytes | null {
  if (!/^[\w-]*$/.test(text)) return null;
  return base64(text.replaceAll('-', '+').replaceAll('_', '/').padEnd(Math.ceil(text.length / 4) * 4, '='));
}

/** SHA-256 of the parts, one after the other. */
export async function sha256(...parts: Bytes[]): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', concat(...parts)));
}
