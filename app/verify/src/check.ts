// The four steps, each with a finding in plain words. What is sent, and to this server only: a record's site and id,
// and its entry, which is a hash.
import { equal, hex, type Bytes } from './bytes';
import { isSigned, type Erasure } from './erasure';
import { Unsupported, read as readKeys, signed, type Key } from './keys';
import { entriesPath, openCheckpoint, readEntries, readProof } from './log';
import { includes, leaf } from './merkle';
import { entry, read, type Receipt, type Record } from './receipt';

/** `holds` and `fails` are certain; `open` could not be checked, `wait` cannot be yet. */
export type State = 'holds' | 'fails' | 'open' | 'wait';

export interface Finding {
  state: State;
  text: string;
  /** What the record says, label and text. */
  says?: [string, string][];
  /** Where what was shown can be seen again. */
  shown?: string;
}

export type Step = 'receipt' | 'signature' | 'content' | 'log';

const CLI = 'Use the command line instead: assent verify receipt.jws --log ' + location.origin;
const UNSUPPORTED = `This cannot be checked in this browser: it has no Ed25519 signatures in its cryptography. ${CLI}`;
const UNREACHABLE = 'The server did not answer. Try again when you are online.';

const holds = (text: string): Finding => ({ state: 'holds', text });
const fails = (text: string): Finding => ({ state: 'fails', text });
const open = (text: string): Finding => ({ state: 'open', text });

/** Gets what is public, without the visitor's cookies. Throws where nothing answers. */
const get = (path: string) =>
  fetch(path, { credentials: 'omit', cache: 'no-store', referrerPolicy: 'no-referrer', redirect: 'error' });

/** Checks a text step by step, and tells of each step as it is done. */
export async function check(text: string, tell: (step: Step, finding: Finding) => void): Promise<void> {
  const receipt = read(text);
  if (!receipt) {
    const open = { state: 'open', text: 'There is no receipt to look at.' } as const;
    tell('receipt', fails('This is not a receipt, or it is not complete. A receipt is one long line: three parts with dots between them.'));
    tell('signature', open);
    tell('content', open);
    tell('log', open);
    return;
  }
  tell('receipt', holds('The text is a consent receipt, complete and in the right form.'));
  const keys = await published();
  const signature = await ofSignature(receipt, keys);
  tell('signature', signature);
  tell('content', ofContent(receipt.record, signature.state));
  tell('log', await ofLog(receipt, keys, signature));
}

async function published(): Promise<Key[] | null> {
  try {
    const answer = await get('/.well-known/jwks.json');
    return answer.ok ? readKeys(await answer.json()) : null;
  } catch {
    return null;
  }
}

async function ofSignature(receipt: Receipt, keys: Key[] | null): Promise<Finding> {
  if (!keys) return open(`The server’s keys could not be fetched. ${UNREACHABLE}`);
  const key = keys.find(({ id }) => id === receipt.key);
  if (!key) {
    return fails('The receipt names a key that this server has not published. It is another server’s receipt, or a forged one.');
  }
  try {
    return (await signed(key, receipt.signature, receipt.signed))
      ? holds('The receipt was signed with this server’s published key, and nothing in it was changed since.')
      : fails('The signature does not fit: the receipt was changed after it was signed, or this server never signed it.');
  } catch (error) {
    if (error instanceof Unsupported) return open(UNSUPPORTED);
    throw error;
  }
}

const METHODS: { [id: string]: string } = {
  banner: 'On the banner',
  dialog: 'In the settings dialog',
  center: 'In the privacy center',
  api: 'With a control of the site’s own',
  embed: 'On the placeholder of an embed',
};

const EVENTS: { [id: string]: string } = {
  given: 'Allowed',
  refused: 'Refused',
  renewed: 'Allowed again when asked again',
  changed: 'Changed',
  withdrawn: 'Withdrawn',
};

function moment(at_ms: number): string {
  const date = new Date(at_ms);
  const text = (options: Intl.DateTimeFormatOptions) => date.toLocaleString('en-GB', { timeZone: 'UTC', ...options });
  return Number.isNaN(date.getTime())
    ? 'unreadable'
    : `${text({ day: 'numeric', month: 'long', year: 'numeric' })}, ${text({ hour: '2-digit', minute: '2-digit' })} UTC`;
}

function language(tag: string): string {
  try {
    return `${new Intl.DisplayNames('en', { type: 'language' }).of(tag)} (${tag})`;
  } catch {
    return tag;
  }
}

function ofContent(record: Record, signature: State): Finding {
  const answer = (is: boolean) => (is ? 'allowed' : 'refused');
  const { choice } = record;
  const signals = [record.gpc && 'Global Privacy Control', record.dnt && 'Do Not Track'].filter(Boolean);
  const says: [string, string][] = [
    ['Site', record.site],
    ['What happened', EVENTS[record.event] ?? record.event],
    ['Decided', moment(record.decided_at_ms)],
    ['Stored', moment(record.received_at_ms)],
    ['Counts until', moment(record.expires_at_ms)],
    ['Performance', answer(choice.performance)],
    ['Functional', answer(choice.functional)],
    ['Targeting', answer(choice.targeting)],
    ...Object.entries(record.services).map(([id, is]): [string, string] => [`Service “${id}”`, answer(is)]),
    ['Where', METHODS[record.method] ?? record.method],
    ['Language of the notice', language(record.language)],
    ['Notice', `revision ${record.revision}, rule “${record.rule}”, ${record.notice}`],
    ['Signals of the browser', signals.join(', ') || 'none'],
    ['Record', record.id],
  ];
  const shown = `/v1/sites/${encodeURIComponent(record.site)}/notices/${encodeURIComponent(record.notice)}/replay`;
  const said = {
    holds: 'This is what the server signed.',
    fails: 'This is what the text says, but nobody vouches for it: the signature does not hold.',
    open: 'This is what the text says. Whether the server signed it could not be checked.',
    wait: '',
  }[signature];
  return { state: signature, text: said, says, shown };
}

async function ofLog({ record, payload }: Receipt, keys: Key[] | null, signature: Finding): Promise<Finding> {
  if (signature.state === 'fails') return open('The server was not asked: the signature does not hold, so this is none of its receipts.');
  if (signature.state === 'open' || !keys) return signature;
  const own = await entry(payload);
  const site = `/v1/sites/${encodeURIComponent(record.site)}`;
  try {
    const answer = await get(`${site}/records/${encodeURIComponent(record.id)}/proof?entry=${hex(own)}`);
    if (answer.status === 409) {
      return { state: 'wait', text: 'Not yet: the record is stored, but the log has not been signed since. Try again in a minute.' };
    }
    if (answer.status === 404) return await ofErased(`${site}/log`, record.site, own, keys);
    if (!answer.ok) return open(`The server cannot answer now (${answer.status}). Try again soon.`);
    return await ofProof(await answer.text(), record.site, own, keys);
  } catch (error) {
    // Anything else is a fault of this page's, and must not read as an answer.
    if (error instanceof TypeError) return open(UNREACHABLE);
    throw error;
  }
}

async function ofProof(text: string, site: string, own: Bytes, keys: Key[]): Promise<Finding> {
  const proof = readProof(text);
  if (!proof) return fails('What the server sent is no proof.');
  const checkpoint = await openCheckpoint(proof.checkpoint, keys);
  if (typeof checkpoint === 'string') return fails(`The proof’s checkpoint does not hold: ${checkpoint}.`);
  if (!checkpoint.origin.endsWith(`/v1/sites/${site}/log`)) return fails('The proof is of another site’s log.');
  return (await includes(await leaf(own), proof.index, checkpoint.size, proof.hashes, checkpoint.root))
    ? holds(`The record is entry ${proof.index} of the site’s log, below a signed checkpoint of ${checkpoint.size} ${checkpoint.size === 1n ? 'entry' : 'entries'}.`)
    : fails('The proof does not hold: it does not lead from this record to what the log signed.');
}

/** Without a proof: whether the log lists the entry as erased, and the server signed that. */
async function ofErased(log: string, site: string, own: Bytes, keys: Key[]): Promise<Finding> {
  const missing = fails('The server knows no such record: it is not in the site’s log.');
  const head = await get(`${log}/checkpoint`);
  if (head.status === 404) return open('This server publishes no log of this site.');
  const size = Number((await head.text()).split('\n')[1]);
  let from: number | null = 0;
  let [path, entries]: [string, Bytes[]] = ['', []];
  while (from !== null) {
    const answer: Response = await get(`${log}/erased?from=${from}`);
    if (!answer.ok) return open(`The server cannot answer now (${answer.status}). Try again soon.`);
    const page = (await answer.json()) as { erased: Erasure[]; next: number | null };
    for (const erasure of page.erased) {
      const { index, erased_at_ms } = erasure;
      const next = entriesPath(index, size);
      if (next !== path) {
        const tile = await get(`${log}/${next}`);
        entries = (tile.ok && readEntries(new Uint8Array(await tile.arrayBuffer()))) || [];
        path = next;
      }
      const found = entries[index % 256];
      if (!found || !equal(found, own)) continue;
      const date = moment(erased_at_ms);
      return (await isSigned(erasure, site, own, keys))
        ? open(`The record was erased on ${date}, and the server signed that it did so. Its entry, number ${index}, still stands in the site’s log, but the server proves it to nobody any more.`)
        : fails(`The site’s log lists the record as erased on ${date}, but this server’s published keys did not sign that. Somebody else may have removed it.`);
    }
    // A list that does not go on would be read for ever.
    from = page.next !== null && page.next > from ? page.next : null;
  }
  return missing;
}
