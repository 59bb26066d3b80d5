import { spawnSync } from 'node:child_process';
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { printable } from '#kernel';
import { derSignature, publicKeyOf, type SigningKey } from '../algorithm.ts';
import { trustFault } from '../faults.ts';

/** Keys that an ssh-agent holds (draft-miller-ssh-agent): `ssh-agent:` and a comment, a fingerprint, or a key id of ours. */

const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const SIGN_REQUEST = 13;
const SIGN_RESPONSE = 14;
const IDENTITIES = 1024;

interface Identity {
  readonly blob: Buffer;
  readonly comment: string;
  readonly key: KeyObject | undefined;
}

/** The key of a reference, ready to sign. Throws trust.agent. */
export function agentKey(reference: string, env: Readonly<Record<string, string | undefined>>): SigningKey {
  const wrong = (detail: string) => trustFault('trust.agent', { where: printable(reference).slice(0, 200), detail });
  const socket = env['SSH_AUTH_SOCK'];
  if (socket === undefined || socket === '') throw wrong('SSH_AUTH_SOCK is not set: no agent runs here.');
  const wanted = reference.slice('ssh-agent:'.length);
  const answer = ask(socket, Buffer.of(REQUEST_IDENTITIES), wrong);
  const found = identitiesIn(answer, wrong).filter(
    ({ blob, comment, key }) =>
      comment === wanted || fingerprint(blob) === wanted || (key !== undefined && publicKeyOf(key)?.keyid === wanted),
  );
  const [one] = found;
  if (one === undefined) throw wrong("The agent has no such key; 'ssh-add -l' lists what it has.");
  if (found.length > 1) throw wrong('The agent has several keys of this name; name it by its fingerprint.');
  const known = one.key === undefined ? undefined : publicKeyOf(one.key);
  if (known === undefined) throw wrong('The key is of a type that is not used here: Ed25519, P-256 and P-384 are.');
  return {
    ...known,
    module: { kind: 'ssh-agent', name: 'ssh-agent, which does not say what works in it', validation: 'not known' },
    sign(message) {
      const request = Buffer.concat([Buffer.of(SIGN_REQUEST), string(one.blob), string(message), Buffer.alloc(4)]);
      const reader = new Reader(ask(socket, request, wrong), wrong);
      if (reader.byte() !== SIGN_RESPONSE)
        throw wrong('The agent refused to sign: it may be locked, or somebody said no.');
      const signature = new Reader(reader.string(), wrong);
      const algorithm = signature.string().toString('latin1');
      const value = signature.string();
      if (algorithm === 'ssh-ed25519' && value.length === 64) return value;
      const size = { 'ecdsa-sha2-nistp256': 32, 'ecdsa-sha2-nistp384': 48 }[algorithm];
      if (size === undefined) throw wrong(`The agent signed by ${printable(algorithm)}.`);
      const numbers = new Reader(value, wrong);
      return derSignature(Buffer.concat([padded(numbers.string(), size), padded(numbers.string(), size)]));
    },
  };
}

function ask(socket: string, body: Buffer, wrong: (detail: string) => Error): Buffer {
  const here = fileURLToPath(import.meta.url);
  const program = join(dirname(here), `agent-request${extname(here)}`);
  const ended = spawnSync(process.execPath, [program, socket], {
    input: body,
    timeout: 90_000,
    maxBuffer: 4 * 1024 * 1024,
  });
  if (ended.status !== 0)
    throw wrong(`The agent cannot be asked: ${printable(ended.stderr.toString('utf8')).slice(0, 200)}.`);
  return ended.stdout;
}

function identitiesIn(answer: Buffer, wrong: (detail: string) => Error): Identity[] {
  const reader = new Reader(answer, wrong);
  if (reader.byte() !== IDENTITIES_ANSWER) throw wrong('The agent does not list its keys.');
  const count = reader.number();
  if (count > IDENTITIES) throw wrong(`The agent has ${count} keys.`);
  return Array.from({ length: count }, () => {
    const blob = reader.string();
    return { blob, comment: reader.string().toString('utf8'), key: keyIn(blob, wrong) };
  });
}

const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const CURVES: Readonly<Record<string, Buffer>> = {
  'ecdsa-sha2-nistp256': Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex'),
  'ecdsa-sha2-nistp384': Buffer.from('3076301006072a8648ce3d020106052b81040022036200', 'hex'),
};

/** RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709 section 4. */
function keyIn(blob: Buffer, wrong: (detail: string) => Error): KeyObject | undefined {
  const reader = new Reader(blob, wrong);
  const type = reader.string().toString('latin1');
  const curve = CURVES[type];
  if (type !== 'ssh-ed25519' && curve === undefined) return undefined;
  if (curve !== undefined) reader.string();
  const point = reader.string();
  try {
    return createPublicKey({ key: Buffer.concat([curve ?? ED25519_SPKI, point]), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
}

/** As `ssh-add -l` prints it. */
function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

function string(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function padded(number: Buffer, size: number): Buffer {
  const digits = number.subarray(Math.max(0, number.length - size));
  return Buffer.concat([Buffer.alloc(size - digits.length), digits]);
}

class Reader {
  readonly #bytes: Buffer;
  readonly #wrong: (detail: string) => Error;
  #at = 0;

  constructor(bytes: Buffer, wrong: (detail: string) => Error) {
    this.#bytes = bytes;
    this.#wrong = wrong;
  }

  #take(count: number): Buffer {
    if (this.#at + count > this.#bytes.length) throw this.#wrong('Its answer is cut off.');
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  byte(): number {
    return this.#take(1).readUInt8();
  }

  number(): number {
    return this.#take(4).readUInt32BE();
  }

  string(): Buffer {
    return this.#take(this.number());
  }
}
