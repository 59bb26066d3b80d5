import { getFips } from 'node:crypto';
import { resolve } from 'node:path';
import { digestOf, type Files, printable } from '#kernel';
import { readIfThere } from '#system';
import type { Algorithm } from '../algorithm.ts';
import {
  allowsAlgorithm,
  both,
  type CryptoModule,
  type CryptoProfile,
  DEFAULT_PROFILE,
  FIPS_PROFILE,
  type ModuleKind,
  restricts,
} from '../crypto-profile.ts';
import { trustFault } from '../faults.ts';
import type { Root } from '../root.ts';
import { homeOf, type Place } from './place.ts';

const LIMIT = 64 * 1024;
const VARIABLE = 'SALLYPORT_CRYPTO';

type Environment = Readonly<Record<string, string | undefined>>;

/** The OpenSSL in this process. That a provider named `fips` is active is all that Node tells; not whose build it is. */
export function opensslModule(): CryptoModule {
  const fips = getFips() === 1;
  const name = `OpenSSL ${process.versions.openssl} of Node ${process.versions.node}, ${fips ? 'FIPS provider active' : 'no FIPS provider'}`;
  return fips
    ? { kind: 'openssl-fips', name, validation: 'not known' }
    : { kind: 'openssl', name, validation: 'not validated' };
}

/**
 * The profile that holds here: what `crypto.yaml` of the home, SALLYPORT_CRYPTO (`default`, `fips` or a file) and, where
 * OpenSSL's FIPS provider is active, `fips` all allow. Throws trust.crypto-profile for what cannot be understood.
 */
export async function readCryptoProfile(
  files: Files,
  home?: Place,
  env: Environment = process.env,
): Promise<CryptoProfile> {
  let profile = getFips() === 1 ? FIPS_PROFILE : DEFAULT_PROFILE;
  const named = env[VARIABLE] ?? '';
  if (named !== '') profile = both(profile, builtIn(named) ?? (await readProfileFile(files, resolve(named), true)));
  if (home !== undefined)
    profile = both(profile, await readProfileFile(files, `${homeOf(home).path}/crypto.yaml`, false));
  return profile;
}

/** The same, for work that is about to be done: a profile that forbids this process's OpenSSL stops it. */
export async function cryptoProfile(files: Files, home?: Place): Promise<CryptoProfile> {
  const profile = await readCryptoProfile(files, home);
  // Hashing and verifying happen here whatever signs.
  requireModule(profile, opensslModule());
  return profile;
}

export function requireModule(profile: CryptoProfile, { kind, name }: Pick<CryptoModule, 'kind' | 'name'>): void {
  const stands: readonly ModuleKind[] = kind === 'openssl-fips' ? ['openssl-fips', 'openssl'] : [kind];
  if (stands.some((one) => profile.modules.includes(one))) return;
  const detail = `It is ${name}; the profile ${profile.name} allows ${profile.modules.join(', ') || 'nothing'}.`;
  throw trustFault('trust.crypto-module', { detail });
}

/** By what a new key is made where nobody says it. */
export function preferred(profile: CryptoProfile): Algorithm {
  return profile.sign.find((algorithm) => allowsAlgorithm(profile, 'sign', algorithm)) ?? 'ed25519';
}

/** A root that judges, and whose holders sign, by a profile; the same one where that takes nothing away. */
export function underProfile(root: Root, profile: CryptoProfile): Root {
  return restricts(profile) ? { ...root, profile } : root;
}

function builtIn(name: string): CryptoProfile | undefined {
  return [DEFAULT_PROFILE, FIPS_PROFILE].find((profile) => profile.name === name);
}

async function readProfileFile(files: Files, path: string, required: boolean): Promise<CryptoProfile> {
  const bytes = await readIfThere(files, path, LIMIT);
  const wrong = (detail: string) =>
    trustFault('trust.crypto-profile', { where: path, detail: printable(detail).slice(0, 500) });
  if (bytes === undefined) {
    if (required) throw wrong(`${VARIABLE} names it, and it does not exist.`);
    return DEFAULT_PROFILE;
  }
  // A YAML reader takes time to load, and few sides have the file.
  const { parseCryptoProfile } = await import('../crypto-profile-file.ts');
  const read = parseCryptoProfile(Buffer.from(bytes).toString('utf8'));
  if (typeof read === 'string') throw wrong(read);
  return { ...read, digest: digestOf(bytes) };
}
