import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Appended, Files, Happening, LedgerAppender } from '#kernel';
import { type Algorithm, type PublicKey, publicKeyOf, signWith } from '../algorithm.ts';
import { encodeRoot, readRoot, type Root, ROOT_PAYLOAD_TYPE, type RootDraft } from '../root.ts';
import type { Role } from '../role.ts';
import { type Signer, signEnvelope } from '../signing.ts';

export interface TestKey extends PublicKey {
  readonly private: KeyObject;
  signer(holder: string): Signer;
}

/** A new key of any algorithm, in memory. */
export function testKey(algorithm: Algorithm = 'ed25519'): TestKey {
  const { privateKey } =
    algorithm === 'ecdsa-p256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : algorithm === 'ecdsa-p384'
        ? generateKeyPairSync('ec', { namedCurve: 'P-384' })
        : generateKeyPairSync(algorithm as 'ed25519');
  const known = publicKeyOf(createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' })));
  if (known === undefined) throw new Error(`no key of ${algorithm}`);
  return {
    ...known,
    private: privateKey,
    signer: (holder) => ({
      keyid: known.keyid,
      algorithm,
      holder,
      module: 'a test',
      sign: (message) => signWith(algorithm, privateKey, message),
      publicKeyPem: known.object.export({ format: 'pem', type: 'spki' }).toString(),
    }),
  };
}

/** A root draft in which each holder has one key for all roles named; every threshold is 1. */
export function testDraft(
  holders: Readonly<Record<string, { readonly key: PublicKey; readonly roles: readonly Role[] }>>,
  over: Partial<RootDraft> = {},
): RootDraft {
  const listed: Partial<Record<Role, string[]>> = {};
  for (const [name, { roles }] of Object.entries(holders)) {
    for (const role of roles) (listed[role] ??= []).push(name);
  }
  return {
    version: 1,
    site: 'test-site',
    custody: 'shared',
    expires: '2030-01-01T00:00:00Z',
    holders: Object.entries(holders).map(([name, { key, roles }]) => ({
      name,
      keys: [key],
      require: Object.fromEntries(roles.map((role) => [role, [key.keyid]])),
    })),
    roles: listed,
    thresholds: Object.fromEntries(Object.keys(listed).map((role) => [role, 1])),
    channels: ['*'],
    ...over,
  };
}

export function signedRoot(draft: RootDraft, signers: readonly Signer[]): Uint8Array {
  return signEnvelope(ROOT_PAYLOAD_TYPE, encodeRoot(draft), signers);
}

/** The root in signed bytes that must be good. */
export function mustRead(bytes: Uint8Array): Root {
  const read = readRoot(bytes);
  if (!read.ok) throw new Error(`${read.reason.code} ${read.reason.where} ${read.reason.detail}`);
  return read.value.root;
}

/** An appender that keeps what it is given, for tests that need no ledger on disk. */
export function memoryAppender(): LedgerAppender & { readonly happenings: Happening[]; close(): Promise<void> } {
  const happenings: Happening[] = [];
  return {
    happenings,
    async append(happening): Promise<Appended> {
      happenings.push(happening);
      const index = happenings.length - 1;
      return { index, size: index + 1, root: 'AAAA', statement: `sha256:${'0'.repeat(64)}` };
    },
    async close() {
      // Nothing is open.
    },
  };
}

/**
 * The machine's files without flushing to the disk: for tests that cut a run short hundreds of times, where a flush
 * costs milliseconds and shows nothing.
 */
export function unflushed(files: Files): Files {
  return {
    ...files,
    async open(path, flags, options) {
      const handle = await files.open(path, flags, options);
      return { ...handle, sync: async () => undefined };
    },
    syncFolder: async () => undefined,
  };
}
