import { createPrivateKey, type KeyObject } from 'node:crypto';
import { resolve } from 'node:path';
import { formatVkey, isProblem, NOTE_ED25519, noteKeyHash, parseVkey } from '#formats';
import { errorCode, type Files, printable, type World } from '#kernel';
import { readIfThere } from '#system';
import { publicKeyOf, type SigningKey, signWith } from '../algorithm.ts';
import { allowsAlgorithm, type CryptoProfile, DEFAULT_PROFILE, keyDerivationOf } from '../crypto-profile.ts';
import { trustFault } from '../faults.ts';
import { delegatesOf, type Role } from '../role.ts';
import type { Root } from '../root.ts';
import type { Signer } from '../signing.ts';
import { cryptoProfile, opensslModule, requireModule } from './crypto-profiles.ts';
import { homeOf, type Place } from './place.ts';
import { tokenKey } from './pkcs11.ts';
import { readPinned, readRoots } from './roots.ts';
import { agentKey } from './ssh-agent.ts';

const KEY_SIZE_LIMIT = 64 * 1024;
const PASSPHRASE_SIZE_LIMIT = 4096;

/**
 * Passphrases of an encrypted key, got only when such a key is met; all of them are tried. They get the file's path, to
 * ask for it.
 */
export type Passphrases = (keyFile: string) => Promise<readonly string[]>;

export interface PrivateKey extends SigningKey {
  readonly private: KeyObject;
}

/** Whether a name is that of a key which lies in no file: on a token or with an agent. */
export function isKeyReference(name: string): boolean {
  return name.startsWith('pkcs11:') || name.startsWith('ssh-agent:');
}

/** Paths are relative to the working folder; references to keys that lie elsewhere stay as they are. */
export function keyNames(cwd: string, names: readonly string[] = []): string[] {
  return names.map((name) => (isKeyReference(name) ? name : resolve(cwd, name)));
}

/**
 * A key by its name: a private key file, a PKCS #11 URI, or `ssh-agent:` and which. Throws trust.algorithm-outside and
 * trust.crypto-module where the profile does not let it sign.
 */
export async function signingKey(
  files: Files,
  name: string,
  passphrases: Passphrases | undefined,
  profile: CryptoProfile,
): Promise<SigningKey> {
  const key = await keyNamed(files, name, passphrases, profile);
  if (!allowsAlgorithm(profile, 'sign', key.algorithm)) {
    const detail = `The key is of ${key.algorithm}; the profile ${profile.name} signs by ${profile.sign.join(', ') || 'nothing'}.`;
    throw trustFault('trust.algorithm-outside', { where: printable(name), detail });
  }
  requireModule(profile, key.module);
  return key;
}

async function keyNamed(
  files: Files,
  name: string,
  passphrases: Passphrases | undefined,
  profile: CryptoProfile,
): Promise<SigningKey> {
  if (name.startsWith('ssh-agent:')) return agentKey(name, process.env);
  if (name.startsWith('pkcs11:')) {
    return tokenKey(files, name, async () => (await passphrases?.(name))?.[0]);
  }
  return readPrivateKey(files, name, passphrases, profile);
}

/** A private key file: PKCS#8 PEM, encrypted or not; a plain file that only its owner can read. */
export async function readPrivateKey(
  files: Files,
  path: string,
  passphrases?: Passphrases,
  profile: CryptoProfile = DEFAULT_PROFILE,
): Promise<PrivateKey> {
  const pem = Buffer.from(await readSecret(files, path)).toString('latin1');
  const encrypted = ENCRYPTED.test(pem);
  const derivation = keyDerivationOf(pem);
  if (derivation !== undefined && !profile.keyFiles.includes(derivation)) {
    const detail = `It is encrypted by ${derivation === 'other' ? 'an older form' : derivation}; the profile ${profile.name} allows ${profile.keyFiles.join(', ') || 'none'}.`;
    throw trustFault('trust.key-derivation', { where: path, detail });
  }
  return parsePrivateKey(pem, path, encrypted && passphrases !== undefined ? await passphrases(path) : []);
}

const ENCRYPTED = /ENCRYPTED/;

async function readSecret(files: Files, path: string): Promise<Uint8Array> {
  const look = await files.look(path);
  if (look === undefined) throw trustFault('trust.key-missing', { where: path });
  if (look.kind !== 'file') {
    throw trustFault('trust.key-unreadable', {
      where: path,
      detail: 'It is not a plain file.',
      fix: 'Name the file itself, not a link to it or a folder.',
    });
  }
  if ((look.mode & 0o077) !== 0) {
    throw trustFault('trust.key-open-mode', { where: path, detail: `Its mode is 0${look.mode.toString(8)}.` });
  }
  try {
    return await files.read(path, KEY_SIZE_LIMIT);
  } catch (cause) {
    if (errorCode(cause) === '') throw cause;
    throw trustFault('trust.key-unreadable', { where: path, detail: `Reading it failed: ${errorCode(cause)}.`, cause });
  }
}

/**
 * Where passphrases come from: the files named, else SALLYPORT_PASSPHRASE_FILE, the first line of each; else a person at
 * a terminal, unseen. They are never in an argument, where every process of the machine sees them.
 */
export function passphrasesOf(
  world: Pick<World, 'files' | 'cwd' | 'env' | 'askSecret'>,
  named: readonly string[] = [],
): Passphrases {
  const variable = world.env['SALLYPORT_PASSPHRASE_FILE'];
  const paths = named.length > 0 || variable === undefined || variable === '' ? named : [variable];
  return async (keyFile) => {
    if (paths.length === 0) {
      const answer = await world.askSecret?.(`Passphrase of ${printable(keyFile)}: `);
      return answer === undefined || answer === '' ? [] : [answer];
    }
    const read: string[] = [];
    for (const path of paths) read.push(await readPassphrase(world.files, resolve(world.cwd, path)));
    return read;
  };
}

async function readPassphrase(files: Files, path: string): Promise<string> {
  const unfit = (detail: string, cause?: unknown) =>
    trustFault('trust.passphrase-file', { where: path, detail, cause });
  const look = await files.look(path);
  if (look === undefined) throw unfit('It does not exist.');
  if (look.kind !== 'file') throw unfit('It is not a plain file.');
  if ((look.mode & 0o077) !== 0) throw unfit(`Its mode is 0${look.mode.toString(8)}: others can read it.`);
  let bytes: Uint8Array;
  try {
    bytes = await files.read(path, PASSPHRASE_SIZE_LIMIT);
  } catch (cause) {
    if (errorCode(cause) === '') throw cause;
    throw unfit(`Reading it failed: ${errorCode(cause)}.`, cause);
  }
  const passphrase = Buffer.from(bytes).toString('utf8').split(/\r?\n/)[0] ?? '';
  if (passphrase === '' || passphrase.includes('\ufffd')) throw unfit('Its first line is empty or no UTF-8.');
  return passphrase;
}

export function parsePrivateKey(pem: string, where: string, passphrases: readonly string[] = []): PrivateKey {
  const unreadable = (detail: string) => trustFault('trust.key-unreadable', { where, detail });
  if (/-----BEGIN PUBLIC KEY-----/.test(pem)) throw unreadable('It holds a public key; signing needs the private one.');
  const encrypted = ENCRYPTED.test(pem);
  if (encrypted && passphrases.length === 0) throw trustFault('trust.passphrase-needed', { where });
  const key = encrypted ? firstOpened(pem, passphrases) : opened(pem);
  if (key === undefined) {
    // The library's message could quote the file; a key file is never quoted.
    const cut = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem) && !/-----END [A-Z ]*PRIVATE KEY-----/.test(pem);
    if (encrypted && !cut) throw trustFault('trust.passphrase-wrong', { where });
    throw unreadable(cut ? 'It is cut off: its last line is missing.' : 'It is no PEM private key.');
  }
  const known = publicKeyOf(key);
  if (known === undefined) throw unreadable(`Its type, ${key.asymmetricKeyType ?? 'unknown'}, is not used here.`);
  return {
    ...known,
    private: key,
    module: opensslModule(),
    sign: (message) => signWith(known.algorithm, key, message),
  };
}

function firstOpened(pem: string, passphrases: readonly string[]): KeyObject | undefined {
  for (const passphrase of passphrases) {
    const key = opened(pem, passphrase);
    if (key !== undefined) return key;
  }
  return undefined;
}

function opened(pem: string, passphrase?: string): KeyObject | undefined {
  try {
    return createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase });
  } catch {
    return undefined;
  }
}

export function signerOf(key: SigningKey, holder: string): Signer {
  return {
    keyid: key.keyid,
    algorithm: key.algorithm,
    holder,
    module: key.module.name,
    sign: (message) => key.sign(message),
    publicKeyPem: publicPem(key.object),
  };
}

function publicPem(key: KeyObject): string {
  return key.export({ format: 'pem', type: 'spki' }).toString();
}

/**
 * The signers who seal for a side: the keys named, else the home's own. Each must belong to a holder who seals, or
 * seals this channel, by the side's own root or by the one that it pinned, so that nothing is sealed that nobody will
 * accept.
 */
export async function sealersOf(
  files: Files,
  home: Place,
  keyFiles?: readonly string[],
  passphrases?: Passphrases,
  channel?: string,
): Promise<readonly Signer[]> {
  const own = await readRoots(files, home);
  const pinned = await readPinned(files, home);
  const roots = [pinned?.root, own.at(-1)?.root].filter((root) => root !== undefined);
  if (roots.length === 0) throw trustFault('trust.no-root', { where: homeOf(home).path });
  const paths = keyFiles === undefined || keyFiles.length === 0 ? [`${homeOf(home).keys}/sealer.key`] : keyFiles;
  const signers = new Map<string, Signer>();
  const profile = await cryptoProfile(files, home);
  for (const path of paths) {
    const key = await signingKey(files, path, passphrases, profile);
    const roles: readonly Role[] = channel === undefined ? ['sealer'] : ['sealer', delegatesOf(channel)];
    const holder = roots
      .flatMap((root) => roles.map((role) => holderOf(root, key.keyid, role)))
      .find((name) => name !== undefined);
    if (holder === undefined) {
      throw trustFault('trust.key-unknown', { where: path, detail: `Role ${roles.join(' or ')}, key ${key.keyid}.` });
    }
    signers.set(key.keyid, signerOf(key, holder));
  }
  return [...signers.values()];
}

/** Signers in one of these roles of the root that judges a side, from key files. Throws trust.key-unknown for others. */
export async function roleSigners(
  files: Files,
  root: Root,
  role: Role | readonly Role[],
  keyFiles: readonly string[],
  passphrases?: Passphrases,
): Promise<readonly Signer[]> {
  const roles = typeof role === 'string' ? [role] : role;
  const signers = new Map<string, Signer>();
  // A root that judges a side carries the profile of its home, where that restricts anything.
  const profile = root.profile ?? (await cryptoProfile(files));
  for (const path of keyFiles) {
    const key = await signingKey(files, path, passphrases, profile);
    const holder = roles.map((one) => holderOf(root, key.keyid, one)).find((name) => name !== undefined);
    if (holder === undefined) {
      throw trustFault('trust.key-unknown', { where: path, detail: `Role ${roles.join(' or ')}, key ${key.keyid}.` });
    }
    signers.set(key.keyid, signerOf(key, holder));
  }
  return [...signers.values()];
}

/** A signer of any key file, for statements that no root judges: a scanner's, known by its public key. */
export async function keySigner(files: Files, path: string, name: string, passphrases?: Passphrases): Promise<Signer> {
  return signerOf(await signingKey(files, path, passphrases, await cryptoProfile(files)), name);
}

function holderOf(root: Root, keyid: string, role: Role): string | undefined {
  return root.holders.find(({ require }) => require.get(role)?.includes(keyid) === true)?.name;
}

/** The key by which a side signs its checkpoints and statements (C2SP signed-note, type 0x01). */
export interface NoteSigner {
  /** Also the log's origin. */
  readonly name: string;
  /** 8 lower-case hex digits. */
  readonly keyHash: string;
  /** 64 bytes over the note's text. */
  sign(noteText: Uint8Array): Uint8Array;
  readonly vkey: string;
  readonly publicKeyPem: string;
  /** The same key as a signer of envelopes: sha256 of its SubjectPublicKeyInfo, 64 hex digits. */
  readonly keyid: string;
  readonly holder: string;
}

export async function ledgerSigner(files: Files, home: Place): Promise<NoteSigner> {
  const at = homeOf(home);
  await cryptoProfile(files, home);
  const vkey = await readVkey(files, home);
  const key = await readPrivateKey(files, `${at.keys}/ledger.key`);
  const raw = key.spki.subarray(-32);
  if (key.algorithm !== 'ed25519' || noteKeyHash(vkey.name, NOTE_ED25519, raw) !== vkey.keyHash) {
    throw trustFault('trust.key-differs', { where: `${at.keys}/ledger.key` });
  }
  const own = await readRoots(files, home);
  const root = own.at(-1)?.root;
  return {
    name: vkey.name,
    keyHash: vkey.keyHash,
    sign: (text) => key.sign(text),
    vkey: formatVkey(vkey.name, NOTE_ED25519, raw),
    publicKeyPem: publicPem(key.object),
    keyid: key.keyid,
    holder: (root === undefined ? undefined : holderOf(root, key.keyid, 'ledger')) ?? vkey.name,
  };
}

export async function readVkey(files: Files, home: Place): Promise<{ name: string; keyHash: string; vkey: string }> {
  const path = `${homeOf(home).trust}/ledger.vkey`;
  const bytes = await readIfThere(files, path, 4096);
  if (bytes === undefined) {
    throw trustFault('trust.key-missing', { where: path, detail: "The ledger's verifier key is not here." });
  }
  const text = Buffer.from(bytes).toString('utf8').replace(/\n$/, '');
  const vkey = parseVkey(text);
  if (isProblem(vkey) || vkey.type !== NOTE_ED25519) {
    const detail = isProblem(vkey) ? vkey.detail : `Its type is ${vkey.type}.`;
    throw trustFault('trust.key-differs', { where: path, detail: printable(detail) });
  }
  return { name: vkey.name, keyHash: vkey.keyHash, vkey: text };
}
