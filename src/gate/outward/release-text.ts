import { decodeBase64, type Problem, problem } from '#formats';

/**
 * What may leave the inside: lines of fixed words, numbers, digests and names, and no field in which anybody could write
 * what they like (docs/spec/release.md). Whoever approves reads all of it.
 */
export const kinds = ['receipt', 'request', 'ledger', 'support'] as const;
export type ReleaseKind = (typeof kinds)[number];

/** How much a receipt says: that the log was seen; what became of each bundle; which artifacts are inside. */
export const levels = ['checkpoint', 'verdicts', 'inventory'] as const;
export type ReceiptLevel = (typeof levels)[number];

export const RELEASE_PAYLOAD_TYPE = 'application/vnd.sallyport.release+text';
const HEADER = 'sallyport-release/1';

export interface ReleaseText {
  readonly kind: ReleaseKind;
  readonly site: string;
  /** Only of a receipt. */
  readonly level?: ReceiptLevel;
  readonly lines: readonly ReleaseLine[];
}

/** A keyword and its fields, in order. */
export type ReleaseLine = readonly [keyword: string, ...fields: string[]];

const NUMBER = /^(0|[1-9][0-9]{0,15})$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const NAME = /^[A-Za-z0-9@._/+~-]{1,214}$/;
const CODE = /^[a-z]+\.[a-z0-9-]{1,64}$/;
const TYPE = /^sallyport\/[a-z-]{1,64}\/v[0-9]{1,3}$/;
const VERDICT = /^(admitted|already-here|refused|held|rolled-back)$/;
const YES = /^(yes|no|unknown)$/;
const BASE64 = /^[A-Za-z0-9+/]{1,65536}={0,2}$/;

interface Grammar {
  readonly kinds: readonly ReleaseKind[];
  readonly fields: readonly RegExp[];
  /** The last field may stand any number of times. */
  readonly more?: RegExp;
}

const GRAMMAR: Readonly<Record<string, Grammar>> = {
  // A verifier key of the log of the inside, and its checkpoint.
  vkey: { kinds: ['receipt', 'ledger'], fields: [/^[A-Za-z0-9./-]{1,128}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{1,4096}={0,2}$/] },
  checkpoint: { kinds: ['receipt', 'ledger'], fields: [BASE64] },
  from: { kinds: ['receipt'], fields: [NUMBER] },
  hash: { kinds: ['receipt'], fields: [BASE64] },
  // The checkpoint of a log outside, as it was seen and cosigned.
  seen: { kinds: ['receipt'], fields: [BASE64] },
  // Channel, sequence, index of the bundle, what became of it, and the entry that says so.
  outcome: { kinds: ['receipt'], fields: [NAME, NUMBER, DIGEST, VERDICT, NUMBER], more: CODE },
  // Proof of the entry of the outcome before it: the entry itself, then the path.
  entry: { kinds: ['receipt'], fields: [BASE64], more: BASE64 },
  artifact: { kinds: ['receipt'], fields: [NAME, NAME, NAME, DIGEST] },
  want: { kinds: ['request'], fields: [NAME, NAME, NAME] },
  record: { kinds: ['ledger'], fields: [NUMBER, TYPE, DIGEST] },
  check: { kinds: ['support'], fields: [NAME, YES] },
  version: { kinds: ['support'], fields: [NAME, NAME] },
};

/** The one form: the same content gives the same bytes. Throws where a line is not of the grammar, which is a bug. */
export function formatRelease(text: ReleaseText): Uint8Array {
  const lines = [`${HEADER} ${text.kind}`, `site ${text.site}`];
  if (text.level !== undefined) lines.push(`level ${text.level}`);
  for (const line of text.lines) lines.push(line.join(' '));
  const bytes = Buffer.from(`${lines.join('\n')}\n`, 'latin1');
  const back = parseRelease(bytes);
  if ('ok' in back) throw new TypeError(`not a release: ${back.where} ${back.detail}`);
  return bytes;
}

/** Reads it strictly: an unknown word, a field more, a field of another form, and nothing of it is believed. */
export function parseRelease(bytes: Uint8Array): ReleaseText | Problem {
  const all = Buffer.from(bytes).toString('latin1');
  const end = all.at(-1);
  if (end !== '\n') return problem('', 'It does not end with a newline.');
  if (!/^[\x20-\x7e\n]*$/.test(all)) return problem('', 'It holds a character that is not printable ASCII.');
  const lines = all.slice(0, -1).split('\n');
  const kind = kinds.find((one) => lines[0] === `${HEADER} ${one}`);
  if (kind === undefined) return problem('line 1', `It does not begin with ${HEADER} and what it is.`);
  const site = /^site ([a-z0-9][a-z0-9.-]{0,63})$/.exec(lines[1] ?? '')?.[1];
  if (site === undefined) return problem('line 2', 'It does not say which site it is from.');
  const level = levels.find((one) => lines[2] === `level ${one}`);
  if ((kind === 'receipt') !== (level !== undefined))
    return problem('line 3', 'A receipt, and nothing else, has a level.');
  const read: ReleaseLine[] = [];
  for (const [offset, line] of lines.slice(level === undefined ? 2 : 3).entries()) {
    const where = `line ${offset + (level === undefined ? 3 : 4)}`;
    const [keyword = '', ...fields] = line.split(' ');
    const grammar = Object.hasOwn(GRAMMAR, keyword) ? GRAMMAR[keyword] : undefined;
    if (grammar === undefined || !grammar.kinds.includes(kind)) return problem(where, `A ${kind} has no such line.`);
    const rest = fields.slice(grammar.fields.length);
    const fits =
      fields.length >= grammar.fields.length &&
      grammar.fields.every((form, i) => form.test(fields[i] ?? '')) &&
      (grammar.more === undefined
        ? rest.length === 0
        : rest.length <= 64 && rest.every((one) => grammar.more?.test(one)));
    if (!fits) return problem(where, `Its fields are not those of '${keyword}'.`);
    read.push([keyword, ...fields]);
  }
  return { kind, site, ...(level === undefined ? {} : { level }), lines: read };
}

/** The bytes of a field in base64, which the grammar has checked. */
export function bytesOf(field: string): Uint8Array {
  return decodeBase64(field) ?? new Uint8Array();
}
