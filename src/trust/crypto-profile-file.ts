import { z } from 'zod';
import { parseStrictYaml } from '#system/strict-yaml';
import { algorithms } from './algorithm.ts';
import {
  type CryptoProfile,
  DEFAULT_PROFILE,
  FIPS_PROFILE,
  HASH_OF,
  hashes,
  keyDerivations,
  moduleKinds,
} from './crypto-profile.ts';

function distinct<T extends string>(values: readonly [T, ...T[]]) {
  return z
    .array(z.enum(values))
    .min(1)
    .refine((list) => new Set(list).size === list.length, 'one of them stands twice');
}

/** `crypto.yaml` (docs/spec/crypto-profile.md). What it does not say is as in its base. */
const shape = z.strictObject({
  'sallyport-crypto': z.literal('1.0'),
  name: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,63}$/),
  base: z.enum(['default', 'fips']).default('default'),
  sign: distinct(algorithms).optional(),
  verify: distinct(algorithms).optional(),
  hashes: distinct(hashes)
    .refine((list) => list.includes('sha256'), 'sha256 is the identity of every content and cannot be left out')
    .optional(),
  'key-files': distinct(keyDerivations)
    .refine((list) => list.some((one) => one !== 'other'), 'scrypt or pbkdf2 is needed to write any')
    .optional(),
  modules: distinct(moduleKinds).optional(),
});

/** The profile of a site, or one sentence on what is wrong with it. A file only takes away from its base. */
export function parseCryptoProfile(text: string): CryptoProfile | string {
  const read = parseStrictYaml(text, shape);
  if (typeof read === 'string') return read;
  const { name, base, sign, verify, hashes: allowed, 'key-files': keyFiles, modules } = read.value;
  const from = base === 'fips' ? FIPS_PROFILE : DEFAULT_PROFILE;
  const usable = allowed ?? from.hashes;
  const verifies = verify ?? from.verify.filter((algorithm) => usable.includes(HASH_OF[algorithm]));
  const profile: CryptoProfile = {
    name,
    sign: sign ?? from.sign.filter((algorithm) => verifies.includes(algorithm)),
    verify: verifies,
    hashes: usable,
    keyFiles: keyFiles ?? from.keyFiles,
    modules: modules ?? from.modules,
    digest: undefined,
  };
  const wider = [
    ...profile.keyFiles.filter((one) => !from.keyFiles.includes(one)),
    ...profile.modules.filter((one) => !from.modules.includes(one)),
  ];
  if (wider.length > 0) return `${wider.join(', ')}: that is more than its base ${base} allows.`;
  for (const [purpose, named] of [
    ['sign', sign],
    ['verify', verify],
  ] as const) {
    const odd = named?.find((algorithm) => !profile.hashes.includes(HASH_OF[algorithm]));
    if (odd !== undefined) return `${purpose}: ${odd} rests on ${HASH_OF[odd]}, which 'hashes' leaves out.`;
  }
  const mute = profile.sign.find((algorithm) => !profile.verify.includes(algorithm));
  return mute === undefined ? profile : `sign: nobody here would verify what ${mute} signed.`;
}
