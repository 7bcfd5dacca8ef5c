// The receipt: a compact JWS (RFC 7515) with EdDSA (RFC 8037). consent/src/receipt.rs and record.rs have the format.
import { base64url, sha256, text, utf8, type Bytes } from './bytes';

/** A consent record, as far as the page tells of it. */
export interface Record {
  id: string;
  site: string;
  revision: number;
  notice: string;
  rule: string;
  language: string;
  event: string;
  method: string;
  choice: { performance: boolean; functional: boolean; targeting: boolean };
  /** The services whose answer differs from their category's. */
  services: { [id: string]: boolean };
  gpc: boolean;
  dnt: boolean;
  /** By the visitor's and by the server's clock, in milliseconds since 1970. */
  decided_at_ms: number;
  received_at_ms: number;
  expires_at_ms: number;
}

export interface Receipt {
  /** Id of the key that it names. */
  key: string;
  signature: Bytes;
  /** What is signed. */
  signed: Bytes;
  payload: Bytes;
  record: Record;
}

const json = (bytes: Bytes | null): unknown => {
  try {
    return JSON.parse((bytes && text(bytes)) ?? '');
  } catch {
    return null;
  }
};

/** Reads a receipt; nothing of it is checked yet. Null if it is none. */
export function read(jws: string): Receipt | null {
  const parts = jws.trim().split('.');
  if (parts.length !== 3) return null;
  const [header, payload, signature] = parts.map(base64url);
  const head = json(header) as { alg?: unknown; typ?: unknown; kid?: unknown } | null;
  const isReceipt = head?.alg === 'EdDSA' && head.typ === 'consent-receipt+jws' && typeof head.kid === 'string';
  const record = payload && asRecord(json(payload));
  if (!isReceipt || !record || signature?.length !== 64) return null;
  return { key: head.kid as string, signature, signed: utf8(`${parts[0]}.${parts[1]}`), payload, record };
}

function asRecord(value: unknown): Record | null {
  const record = value as Record | null;
  if (typeof record !== 'object' || record === null || (record as { version?: unknown }).version !== 1) return null;
  const has = (type: string, ...values: unknown[]) => values.every((one) => typeof one === type);
  const { choice, services = {} } = record;
  const isWhole =
    has('string', record.id, record.site, record.notice, record.rule, record.language, record.event, record.method) &&
    has('boolean', choice?.performance, choice?.functional, choice?.targeting, record.gpc, record.dnt) &&
    has('number', record.revision, record.decided_at_ms, record.received_at_ms, record.expires_at_ms) &&
    has('boolean', ...Object.values(services ?? {}));
  return isWhole ? { ...record, services } : null;
}

/** What stands for a record in its site's log. */
export const entry = (payload: Bytes): Promise<Bytes> => sha256(utf8('assent record v1\0'), payload);
