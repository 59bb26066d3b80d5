import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import {
  cosignedMessage,
  formatVkey,
  isProblem,
  NOTE_COSIGNATURE,
  NOTE_COSIGNATURE_MLDSA44,
  type NoteSignature,
  parseVkey,
  timestamped,
} from '#formats';
import type { Files, Home } from '#kernel';
import { readIfThere, writeDurably } from '#system';
import { trustFault } from '../faults.ts';

/** The keys by which a side, as a witness, cosigns checkpoints of other logs: never those of its own log. */
export interface WitnessSigner {
  readonly name: string;
  /** Verifier keys, one a line in `trust/witness.vkey`: Ed25519 (0x04), then ML-DSA-44 (0x06). */
  readonly vkeys: readonly string[];
  /** One signature for each key over the text of a checkpoint. `time` in seconds since the epoch. */
  cosign(text: Uint8Array, time: number): readonly NoteSignature[];
}

const TYPES = [
  { type: NOTE_COSIGNATURE, algorithm: 'ed25519', file: 'witness.key', bytes: 32 },
  { type: NOTE_COSIGNATURE_MLDSA44, algorithm: 'ml-dsa-44', file: 'witness-ml-dsa-44.key', bytes: 1312 },
] as const;

/** The witness keys of a home; undefined where it has never been a witness. */
export async function readWitness(files: Files, home: Home): Promise<WitnessSigner | undefined> {
  const path = `${home.trust}/witness.vkey`;
  const bytes = await readIfThere(files, path, 64 * 1024);
  if (bytes === undefined) return undefined;
  const vkeys = Buffer.from(bytes).toString('utf8').trimEnd().split('\n');
  const keys: { name: string; keyHash: string; type: number; key: KeyObject }[] = [];
  for (const [index, { type, file }] of TYPES.entries()) {
    const vkey = parseVkey(vkeys[index] ?? '');
    const secret = await readIfThere(files, `${home.keys}/${file}`, 64 * 1024);
    if (secret === undefined) throw trustFault('trust.key-missing', { where: `${home.keys}/${file}` });
    const key = privateKey(secret);
    if (isProblem(vkey) || vkey.type !== type || key === undefined || !rawOf(key, vkey.key.length).equals(vkey.key)) {
      throw trustFault('trust.key-differs', { where: `${home.keys}/${file}`, detail: `${path} names another key.` });
    }
    keys.push({ name: vkey.name, keyHash: vkey.keyHash, type, key });
  }
  return {
    name: keys[0]?.name ?? '',
    vkeys,
    cosign: (text, time) =>
      keys.map(({ name, keyHash, type, key }) => ({
        name,
        keyHash,
        signature: timestamped(time, sign(null, cosignedMessage(type, name, time, text), key)),
      })),
  };
}

/**
 * Makes a side a witness, with keys under a name that no other witness has. One whose state was lost is retired, never
 * started again under the same name: it could cosign what contradicts what it cosigned before.
 */
export async function makeWitness(files: Files, home: Home, site: string): Promise<WitnessSigner> {
  const name = `${site}/${randomBytes(8).toString('hex')}`;
  const vkeys: string[] = [];
  for (const { type, algorithm, file, bytes } of TYPES) {
    const { privateKey: key } =
      algorithm === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ml-dsa-44');
    const pem = key.export({ format: 'pem', type: 'pkcs8' });
    await writeDurably(files, `${home.keys}/${file}`, pem, { mode: 0o600 });
    vkeys.push(formatVkey(name, type, rawOf(key, bytes)));
  }
  // Last: without it the keys are nobody's, and the next run makes others.
  await writeDurably(files, `${home.trust}/witness.vkey`, `${vkeys.join('\n')}\n`);
  const made = await readWitness(files, home);
  if (made === undefined) throw new Error('a witness that was just made is not there');
  return made;
}

function privateKey(pem: Uint8Array): KeyObject | undefined {
  try {
    return createPrivateKey(Buffer.from(pem));
  } catch {
    // A key file is never quoted; the caller says which one it is.
    return undefined;
  }
}

/** The last bytes of a SubjectPublicKeyInfo of these types are the key itself (RFC 8410, RFC 9881). */
function rawOf(key: KeyObject, bytes: number): Buffer {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-bytes);
}
