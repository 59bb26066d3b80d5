import {
  decodeBase64,
  encodeBase64,
  formatNote,
  isProblem,
  NOTE_ED25519,
  openNote,
  parseVkey,
  type Problem,
  problem,
  type Vkey,
} from '#formats';
import type { LogSigner } from './ports.ts';
import { HASH_BYTES, type Hash } from './tree.ts';

/** A tree head: origin, size and root (C2SP tlog-checkpoint), without extension lines (DECISIONS 16). */
export interface TreeHead {
  readonly origin: string;
  readonly size: number;
  readonly root: Hash;
}

/** More than any checkpoint with our own and witnesses' signatures needs. */
export const CHECKPOINT_LIMIT = 256 * 1024;

export function formatTreeHead({ origin, size, root }: TreeHead): Uint8Array {
  return Buffer.from(`${origin}\n${size}\n${encodeBase64(root)}\n`, 'utf8');
}

/** The three lines of a tree head and nothing else: a size is minimal decimal digits, a root canonical base64. */
export function parseTreeHead(text: Uint8Array): TreeHead | Problem {
  const lines = Buffer.from(text).toString('utf8').split('\n');
  const [origin, digits, encoded, end] = lines;
  if (lines.length !== 4 || origin === undefined || digits === undefined || encoded === undefined || end !== '') {
    return problem('', `A checkpoint has three lines: origin, size, root. This one has ${lines.length - 1}.`);
  }
  if (origin === '') return problem('origin', 'The origin is empty.');
  const size = parseSize(digits);
  if (size === undefined) return problem('size', 'The size is not a decimal number without leading zeros.');
  const root = decodeBase64(encoded);
  if (root === undefined || root.length !== HASH_BYTES) {
    return problem('root', 'The root is not 32 bytes in canonical base64.');
  }
  return { origin, size, root };
}

/** A decimal number without sign, leading zeros or anything else, that is a safe integer. */
export function parseSize(digits: string): number | undefined {
  if (!/^(0|[1-9][0-9]{0,15})$/.test(digits)) return undefined;
  const size = Number(digits);
  return Number.isSafeInteger(size) ? size : undefined;
}

export function signCheckpoint(head: Omit<TreeHead, 'origin'>, signer: LogSigner): Uint8Array {
  const text = formatTreeHead({ origin: signer.name, ...head });
  return formatNote(text, [{ name: signer.name, keyHash: signer.keyHash, signature: signer.sign(text) }]);
}

/** Why a checkpoint is not to be believed; the codes are those of the catalogue. */
export interface CheckpointProblem {
  readonly code: 'ledger.checkpoint-malformed' | 'ledger.checkpoint-unsigned' | 'ledger.origin-differs';
  readonly detail: string;
}

/** The tree head of a checkpoint that this key signed and whose origin is the key's name. */
export function openCheckpoint(bytes: Uint8Array, vkey: Vkey): TreeHead | CheckpointProblem {
  const note = openNote(bytes, [vkey]);
  if (isProblem(note)) {
    const detail = note.where === '' ? note.detail : `${note.where}: ${note.detail}`;
    return { code: 'ledger.checkpoint-unsigned', detail };
  }
  const head = parseTreeHead(note.text);
  if (isProblem(head)) return { code: 'ledger.checkpoint-malformed', detail: head.detail };
  if (head.origin !== vkey.name) {
    return { code: 'ledger.origin-differs', detail: `The origin is ${head.origin}, the key is that of ${vkey.name}.` };
  }
  return head;
}

/** A log's verifier key from the text of its file: one line, Ed25519 (type 0x01). */
export function parseLedgerVkey(text: string): Vkey | Problem {
  const line = text.endsWith('\n') ? text.slice(0, -1) : text;
  const vkey = parseVkey(line);
  if (isProblem(vkey)) return vkey;
  return vkey.type === NOTE_ED25519 ? vkey : problem('', 'The key is not an Ed25519 log key (type 0x01).');
}
