import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { isSoundEd25519 } from './ed25519-point.ts';
import { type Problem, isProblem, problem } from './problem.ts';

/** A signed note (C2SP signed-note) taken apart. */
export interface Note {
  /** The signed text with its final newline. */
  readonly text: Uint8Array;
  readonly signatures: readonly NoteSignature[];
}

export interface NoteSignature {
  readonly name: string;
  /** Four bytes as 8 lower-case hex digits. */
  readonly keyHash: string;
  /** What follows the key hash: 64 bytes for Ed25519, 72 and 2,428 for cosignatures. */
  readonly signature: Uint8Array;
}

/** A note verifier key: `name+hash+base64(type || key)`. */
export interface Vkey {
  readonly name: string;
  readonly keyHash: string;
  /** 0x01 Ed25519; 0x04 and 0x06 timestamped cosignatures by Ed25519 and ML-DSA-44 (C2SP signed-note, tlog-cosignature). */
  readonly type: number;
  readonly key: Uint8Array;
}

export const NOTE_ED25519 = 0x01;
export const NOTE_COSIGNATURE = 0x04;
export const NOTE_COSIGNATURE_MLDSA44 = 0x06;
const MLDSA44_KEY = 1312;
const MLDSA44_SIGNATURE = 2420;
/** Largest note and signatures in one: what golang.org/x/mod/sumdb/note reads. */
export const NOTE_SIZE_LIMIT = 1_000_000;
export const NOTE_SIGNATURES_LIMIT = 100;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** Key names hold neither a plus nor any Unicode space, and no control character would survive in a note. */
// eslint-disable-next-line no-control-regex
const NAME = /^[^\s+\u0085\u0000-\u001f\u007f]+$/u;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/;

export function isNoteName(name: string): boolean {
  return NAME.test(name) && name.isWellFormed();
}

/** SHA-256(name || 0x0A || type || key), first four bytes, as hex. */
export function noteKeyHash(name: string, type: number, key: Uint8Array): string {
  return createHash('sha256')
    .update(name, 'utf8')
    .update(Uint8Array.of(0x0a, type))
    .update(key)
    .digest('hex')
    .slice(0, 8);
}

export function formatVkey(name: string, type: number, key: Uint8Array): string {
  if (!isNoteName(name)) throw new TypeError(`not a note key name: ${JSON.stringify(name)}`);
  return `${name}+${noteKeyHash(name, type, key)}+${encodeBase64(Buffer.concat([Uint8Array.of(type), key]))}`;
}

/** A verifier key without its line end. Key types that we do not know are parsed, never verified. */
export function parseVkey(text: string): Vkey | Problem {
  const [, name, keyHash, encoded] = /^([^+]+)\+([0-9a-f]{8})\+([^\s]+)$/.exec(text) ?? [];
  if (name === undefined || keyHash === undefined || encoded === undefined) {
    return problem('', "A verifier key is 'name+hash+key', with 8 lower-case hex digits and base64.");
  }
  if (!isNoteName(name)) return problem('', 'The name of the verifier key holds a space or a control character.');
  const bytes = decodeBase64(encoded);
  const type = bytes?.[0];
  if (bytes === undefined || type === undefined) return problem('', 'The key is not canonical base64.');
  const key = bytes.subarray(1);
  if ((type === NOTE_ED25519 || type === NOTE_COSIGNATURE) && key.length !== 32) {
    return problem('', `An Ed25519 key has 32 bytes, not ${key.length}.`);
  }
  if ((type === NOTE_ED25519 || type === NOTE_COSIGNATURE) && !isSoundEd25519(key)) {
    return problem('', 'The key is a point of small order or not canonical: one signature would fit many texts.');
  }
  if (type === NOTE_COSIGNATURE_MLDSA44 && key.length !== MLDSA44_KEY) {
    return problem('', `An ML-DSA-44 key has ${MLDSA44_KEY} bytes, not ${key.length}.`);
  }
  if (noteKeyHash(name, type, key) !== keyHash) return problem('', 'The key hash is not that of the name and the key.');
  return { name, keyHash, type, key };
}

/** A note from its text, which ends with a newline, and its signatures in order. */
export function formatNote(text: Uint8Array, signatures: readonly NoteSignature[]): Uint8Array {
  const bad = judgeText(text);
  if (bad !== undefined) throw new TypeError(`not a note's text: ${bad}`);
  const lines = signatures.map(({ name, keyHash, signature }) => {
    return `\u2014 ${name} ${encodeBase64(Buffer.concat([Buffer.from(keyHash, 'hex'), signature]))}\n`;
  });
  return Buffer.concat([text, Buffer.from(`\n${lines.join('')}`, 'utf8')]);
}

/**
 * Takes a note apart without judging signatures. The text ends at the last blank line: it may hold blank lines itself,
 * and splitting at the first would let a reader see signatures in what is signed.
 */
export function parseNote(bytes: Uint8Array): Note | Problem {
  if (bytes.length > NOTE_SIZE_LIMIT) return problem('', `The note has more than ${NOTE_SIZE_LIMIT} bytes.`);
  const split = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).lastIndexOf('\n\n');
  if (split < 0) return problem('', 'The note has no blank line before its signatures.');
  const text = bytes.subarray(0, split + 1);
  const bad = judgeText(text);
  if (bad !== undefined) return problem('', bad);
  let tail: string;
  try {
    tail = utf8.decode(bytes.subarray(split + 2));
  } catch {
    return problem('', 'The signatures are not UTF-8.');
  }
  if (!tail.endsWith('\n')) return problem('', 'The note does not end with a signature and a newline.');
  const lines = tail.slice(0, -1).split('\n');
  if (lines.length > NOTE_SIGNATURES_LIMIT) {
    return problem('', `The note has ${lines.length} signatures; at most ${NOTE_SIGNATURES_LIMIT} are read.`);
  }
  const signatures: NoteSignature[] = [];
  for (const [index, line] of lines.entries()) {
    const signature = parseSignature(line, `signature ${index + 1}`);
    if (isProblem(signature)) return signature;
    signatures.push(signature);
  }
  return { text, signatures };
}

function judgeText(text: Uint8Array): string | undefined {
  if (text.at(-1) !== 0x0a) return 'The text does not end with a newline.';
  let decoded: string;
  try {
    decoded = utf8.decode(text);
  } catch {
    return 'The text is not UTF-8.';
  }
  return CONTROL.test(decoded) ? 'The text holds a control character other than a newline.' : undefined;
}

function parseSignature(line: string, where: string): NoteSignature | Problem {
  const [, name, encoded] = /^\u2014 ([^ ]+) ([^ ]+)$/u.exec(line) ?? [];
  if (name === undefined || encoded === undefined || !isNoteName(name)) {
    return problem(where, "A signature line is '— name base64'.");
  }
  const bytes = decodeBase64(encoded);
  if (bytes === undefined || bytes.length < 5) return problem(where, 'The signature is not canonical base64.');
  return { name, keyHash: Buffer.from(bytes.subarray(0, 4)).toString('hex'), signature: bytes.subarray(4) };
}

/** A note that at least one known key signed, and whose known keys all hold. */
export interface OpenedNote {
  readonly text: Uint8Array;
  /** Keys that signed, each once. `time` is that of a cosignature, in seconds since the epoch. */
  readonly signers: readonly { readonly vkey: Vkey; readonly time?: number }[];
}

/**
 * Judges a note by the keys that the caller knows (C2SP signed-note, "Verifying"): signatures of unknown keys are
 * ignored, a known key whose signature fails rejects the note, and no known key at all rejects it too.
 */
export function openNote(bytes: Uint8Array, known: readonly Vkey[]): OpenedNote | Problem {
  const note = parseNote(bytes);
  if (isProblem(note)) return note;
  const signers = new Map<Vkey, { vkey: Vkey; time?: number }>();
  for (const signature of note.signatures) {
    const vkey = known.find(({ name, keyHash }) => name === signature.name && keyHash === signature.keyHash);
    if (vkey === undefined) continue;
    const signed = verifySignature(vkey, note.text, signature.signature);
    if (signed === undefined) return problem(signature.name, 'The signature of a known key does not hold.');
    if (!signers.has(vkey)) signers.set(vkey, { vkey, ...signed });
  }
  if (signers.size === 0) return problem('', 'No known key signed the note.');
  return { text: note.text, signers: [...signers.values()] };
}

function verifySignature(vkey: Vkey, text: Uint8Array, signature: Uint8Array): { time?: number } | undefined {
  if (vkey.type === NOTE_ED25519) return noteSignatureFits(vkey, text, signature) ? {} : undefined;
  if (signature.length < 8) return undefined;
  const time = Buffer.from(signature.subarray(0, 8)).readBigUInt64BE();
  if (time > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  const message =
    vkey.type === NOTE_COSIGNATURE
      ? cosignedMessage(NOTE_COSIGNATURE, vkey.name, Number(time), text)
      : subtreeMessage(vkey.name, Number(time), text);
  if (message === undefined || !noteSignatureFits(vkey, message, signature.subarray(8))) return undefined;
  return { time: Number(time) };
}

/**
 * Whether a signature without its time fits by the key of a note: Ed25519 (0x01, 0x04) or ML-DSA-44 (0x06), whose context
 * is empty. Keys of other types fit nothing.
 */
export function noteSignatureFits(vkey: Vkey, message: Uint8Array, signature: Uint8Array): boolean {
  const { type, key } = vkey;
  if (type === NOTE_ED25519 || type === NOTE_COSIGNATURE) {
    return signature.length === 64 && verify(null, message, ed25519Key(key), signature);
  }
  if (type !== NOTE_COSIGNATURE_MLDSA44 || signature.length !== MLDSA44_SIGNATURE) return false;
  return verify(null, message, mldsa44Key(key), signature);
}

/**
 * What a cosigner signs over the text of a checkpoint, by the type of its key (C2SP tlog-cosignature). `time` in seconds
 * since the epoch. Throws for a text that no cosigner of that type signs.
 */
export function cosignedMessage(type: number, name: string, time: number, text: Uint8Array): Uint8Array {
  if (type === NOTE_COSIGNATURE) return Buffer.concat([Buffer.from(`cosignature/v1\ntime ${time}\n`), text]);
  const message = type === NOTE_COSIGNATURE_MLDSA44 ? subtreeMessage(name, time, text) : undefined;
  if (message === undefined) throw new TypeError(`not a checkpoint for a key of type ${type}`);
  return message;
}

/** `timestamped_signature`: the time as an unsigned 64-bit number, and the signature. */
export function timestamped(time: number, signature: Uint8Array): Uint8Array {
  const stamp = Buffer.alloc(8);
  stamp.writeBigUInt64BE(BigInt(time));
  return Buffer.concat([stamp, signature]);
}

/** `cosigned_message` for the whole tree (C2SP tlog-cosignature, "ML-DSA-44 signed message"); extension lines are not in it. */
function subtreeMessage(name: string, time: number, text: Uint8Array): Uint8Array | undefined {
  const [origin = '', size = '', root = ''] = Buffer.from(text).toString('utf8').split('\n');
  const hash = decodeBase64(root);
  const names = [name, origin].map((one) => Buffer.from(one, 'utf8'));
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size) || hash?.length !== 32) return undefined;
  if (names.some(({ length }) => length === 0 || length > 255)) return undefined;
  const number = (value: bigint): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return bytes;
  };
  const [cosigner = Buffer.alloc(0), log = Buffer.alloc(0)] = names.map((one) =>
    Buffer.concat([Uint8Array.of(one.length), one]),
  );
  return Buffer.concat([
    Buffer.from('subtree/v1\n\0', 'latin1'),
    cosigner,
    number(BigInt(time)),
    log,
    number(0n),
    number(BigInt(size)),
    hash,
  ]);
}

/** SubjectPublicKeyInfo of an ML-DSA-44 key (RFC 9881) is this prefix and its 1,312 bytes. */
const MLDSA44_SPKI = Buffer.from('30820532300b06096086480165030403110382052100', 'hex');

function mldsa44Key(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([MLDSA44_SPKI, raw]), format: 'der', type: 'spki' });
}

/** SubjectPublicKeyInfo of an Ed25519 key (RFC 8410) is this prefix and its 32 bytes. */
const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex');

function ed25519Key(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([ED25519_SPKI, raw]), format: 'der', type: 'spki' });
}
