import { randomBytes } from 'node:crypto';
import { formatVkey, NOTE_ED25519 } from '#formats';
import { type Clock, errorCode, type Files, instantOf, type Home, printable } from '#kernel';
import { makeFolderDurably, readIfThere, writeDurably } from '#system';
import { trustFault } from '../faults.ts';
import { encodeRoot, isSite, readRoot, type Root, ROOT_PAYLOAD_TYPE } from '../root.ts';
import type { Role } from '../role.ts';
import { signEnvelope } from '../signing.ts';
import type { Algorithm } from '../algorithm.ts';
import { cryptoProfile, preferred } from './crypto-profiles.ts';
import { generatePrivateKey } from './key-files.ts';
import { homeOf, type Place } from './place.ts';
import { type PrivateKey, readPrivateKey, readVkey, signerOf } from './keys.ts';

/** How long the root of a new side holds. A side behind a gap gets a newer one only by medium, so this is long. */
export const FIRST_ROOT_DAYS = 3 * 365;
const DAY = 86_400_000;

/** A side that was just made. */
export interface Side {
  readonly home: Home;
  readonly root: Root;
  readonly rootPath: string;
  readonly fingerprint: string;
  readonly ledger: { readonly origin: string; readonly vkey: string };
}

export interface SideOptions {
  /** Name of the site: a-z, 0-9, dot, hyphen; at most 64. */
  readonly site: string;
  readonly purpose: 'one-person' | 'rehearsal';
  readonly clock: Clock;
  /** Name of the one holder in the root; the site's where it is not given. */
  readonly holder?: string;
}

/** Duties of the one person of a new side; the ledger has a key of its own. */
const DUTIES: readonly Role[] = ['root', 'sealer', 'reviewer', 'carrier', 'receiver', 'approver', 'auditor'];

/**
 * Makes a home with keys and a root of its own. The root file is written last and decides: a run that was cut short is
 * continued with the keys that it left, and a home with a root is never touched (trust.side-exists).
 */
export async function createSide(files: Files, place: Place, options: SideOptions): Promise<Side> {
  const { site, purpose, clock } = options;
  if (!isSite(site)) throw trustFault('trust.site-name', { where: printable(site) });
  const home = homeOf(place);
  const { path } = home;
  const look = await files.look(path);
  if (look !== undefined && (look.kind !== 'folder' || (look.mode & 0o077) !== 0)) {
    const detail = look.kind === 'folder' ? `Its mode is 0${look.mode.toString(8)}.` : 'It is not a folder.';
    throw trustFault('trust.home-open', { where: path, detail });
  }
  const rootPath = `${home.trust}/root.1.dsse.json`;
  for (const made of [rootPath, `${home.trust}/pinned.json`, `${home.trust}/own`]) {
    if ((await files.look(made)) !== undefined) throw trustFault('trust.side-exists', { where: path });
  }
  await makeFolderDurably(files, path, 0o700);
  // Everything in a home is either private or can be made again; no part of it belongs in a project's history.
  await writeDurably(files, `${path}/.gitignore`, '*\n');
  await makeFolderDurably(files, home.keys, 0o700);
  await makeFolderDurably(files, home.trust, 0o700);
  const profile = await cryptoProfile(files, home);
  const sealer = await makeKey(files, `${home.keys}/sealer.key`, preferred(profile));
  // The format of the ledger knows Ed25519, whatever people sign by.
  const ledger = await makeKey(files, `${home.keys}/ledger.key`, 'ed25519');
  const { name: origin, vkey } = await makeVkey(files, home, site, ledger);
  const holder = options.holder ?? site;
  const require = Object.fromEntries([...DUTIES.map((role) => [role, [sealer.keyid]]), ['ledger', [ledger.keyid]]]);
  const held = Object.keys(require);
  const payload = encodeRoot({
    version: 1,
    site,
    custody: purpose,
    expires: instantOf(clock.now() + FIRST_ROOT_DAYS * DAY),
    holders: [{ name: holder, keys: [sealer, ledger], require }],
    roles: Object.fromEntries(held.map((role) => [role, [holder]])),
    thresholds: Object.fromEntries(held.map((role) => [role, 1])),
    channels: ['*'],
  });
  const bytes = signEnvelope(ROOT_PAYLOAD_TYPE, payload, [signerOf(sealer, holder)]);
  const read = readRoot(bytes);
  if (!read.ok) throw new Error(`the new root is not valid: ${read.reason.where} ${read.reason.detail}`);
  await once(() => writeDurably(files, rootPath, bytes, { exclusive: true }), path);
  const { root } = read.value;
  return { home, root, rootPath, fingerprint: root.fingerprint, ledger: { origin, vkey } };
}

async function once(write: () => Promise<void>, path: string): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw trustFault('trust.side-exists', { where: path, cause: error });
    throw error;
  }
}

/** A new key, or the one that an interrupted run left. */
async function makeKey(files: Files, path: string, algorithm: Algorithm): Promise<PrivateKey> {
  if ((await files.look(path)) === undefined) {
    const pem = generatePrivateKey(algorithm).export({ format: 'pem', type: 'pkcs8' });
    await ifAbsent(() => writeDurably(files, path, pem, { mode: 0o600, exclusive: true }));
  }
  return readPrivateKey(files, path);
}

/** Origin and key name are `<site>/<16 hex digits>`, so that two homes of one site are two logs. */
async function makeVkey(
  files: Files,
  home: Home,
  site: string,
  key: PrivateKey,
): Promise<{ name: string; vkey: string }> {
  const path = `${home.trust}/ledger.vkey`;
  if ((await readIfThere(files, path, 4096)) === undefined) {
    const name = `${site}/${randomBytes(8).toString('hex')}`;
    const vkey = formatVkey(name, NOTE_ED25519, key.spki.subarray(-32));
    await ifAbsent(() => writeDurably(files, path, `${vkey}\n`, { exclusive: true }));
  }
  return readVkey(files, home.path);
}

async function ifAbsent(write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
}
