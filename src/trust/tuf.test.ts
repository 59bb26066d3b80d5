import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { judgeTuf, type TufSource } from './tuf.ts';

const data = join(import.meta.dirname, '../../../shared/data/tuf-static');
const skip = existsSync(data) ? false : 'the TUF repositories are not beside the repository';

const folder = (path: string): TufSource => ({
  async read(name) {
    const at = join(path, name);
    return existsSync(at) ? readFileSync(at) : undefined;
  },
});
const file = (name: string, path: string): Buffer => readFileSync(join(data, name, path));
const when = (name: string): number => Date.parse(file(name, 'faketime').toString().trim());

test('a repository of tuf-on-ci, whole: roots, timestamp, snapshot, a delegated target', { skip }, async () => {
  const name = 'tuf-on-ci-0.11';
  const target = file(name, 'targetpath').toString().trim();
  const judged = await judgeTuf(folder(join(data, name)), file(name, 'initial_root.json'), when(name), target);
  assert.deepEqual(judged.reasons, []);
  assert.deepEqual(
    judged.roles.map(({ role, version }) => [role, version]),
    [
      ['timestamp', 2],
      ['snapshot', 2],
      ['targets', 1],
      ['delegatedrole', 2],
    ],
  );
  const [published = ''] = readdirSync(join(data, name, 'targets/delegatedrole'));
  assert.equal(`${judged.target?.sha256}.artifact`, published);

  const source = folder(join(data, name));
  const swapped: TufSource = {
    read: async (path, limit) => {
      const bytes = await source.read(path, limit);
      return path.startsWith('targets/') && bytes !== undefined ? Buffer.concat([bytes, Buffer.from('x')]) : bytes;
    },
  };
  const code = async (from: TufSource, now = when(name), wanted = target): Promise<string | undefined> =>
    (await judgeTuf(from, file(name, 'initial_root.json'), now, wanted)).reasons[0]?.code;
  assert.equal(await code(swapped), 'trust.tuf-digest');
  assert.equal(await code(source, Date.parse('2060-01-01')), 'trust.tuf-expired');
  assert.equal(await code(source, when(name), 'another/artifact'), 'trust.tuf-missing');
});

test(
  'the roots of sigstore, from the first, the sixth and the twelfth on; its timestamp; and that the rest was not copied',
  { skip },
  async () => {
    const name = 'sigstore-root-signing';
    for (const version of [1, 6, 12]) {
      const first = version === 12 ? file(name, 'initial_root.json') : file(name, `metadata/${version}.root.json`);
      const judged = await judgeTuf(folder(join(data, name)), first, when(name), 'trusted_root.json');
      assert.equal(judged.root?.version, 12, `from ${version}: ${judged.reasons[0]?.detail}`);
      assert.deepEqual(
        judged.roles.map((role) => [role.role, role.version]),
        [['timestamp', 272]],
      );
      // The data hold neither snapshot nor targets of this repository: what is missing is said, and nothing passes.
      assert.deepEqual(
        judged.reasons.map(({ code, where }) => [code, where]),
        [['trust.tuf-missing', 'metadata/159.snapshot.json']],
      );
    }
  },
);

interface Role {
  readonly name: string;
  readonly key: KeyObject;
}

/** A small repository with keys of our own, of which one thing at a time is made wrong. */
function repository(change: {
  readonly threshold?: number;
  readonly sameKeyTwice?: boolean;
  readonly snapshotVersion?: number;
  readonly listed?: number;
  readonly type?: string;
  readonly duplicate?: boolean;
  readonly next?: { readonly by: 'old' | 'new' | 'both'; readonly version?: number };
}): { source: TufSource; root: Uint8Array } {
  const key = (): KeyObject => generateKeyPairSync('ed25519').privateKey;
  const raw = (one: KeyObject): string =>
    (one.export({ format: 'jwk' }) as { x: string }).x === undefined
      ? ''
      : Buffer.from((one.export({ format: 'jwk' }) as { x: string }).x, 'base64url').toString('hex');
  const [first, second, online] = [key(), key(), key()];
  const text = (value: unknown): string => JSON.stringify(value);
  // Written with sorted keys and without white space, JSON.stringify is canonical JSON for these values.
  const sorted = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(sorted)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(
            Object.entries(value)
              .sort(([a], [b]) => (a < b ? -1 : 1))
              .map(([name, inner]) => [name, sorted(inner)]),
          )
        : value;
  const signedBy = (signed: Record<string, unknown>, by: readonly Role[]): Buffer => {
    const message = text(sorted(signed));
    const signatures = by.map(({ name, key: one }) => ({
      keyid: name,
      sig: sign(null, Buffer.from(message), one).toString('hex'),
    }));
    return Buffer.from(`{"signatures":${text(signatures)},"signed":${message}}`);
  };
  const keyOf = (one: KeyObject) => ({ keytype: 'ed25519', scheme: 'ed25519', keyval: { public: raw(one) } });
  const common = { spec_version: '1.0.31', expires: '2040-01-01T00:00:00Z' };
  const rootOf = (version: number, signer: KeyObject) => ({
    ...common,
    _type: 'root',
    version,
    consistent_snapshot: false,
    keys: { a: keyOf(signer), b: keyOf(change.sameKeyTwice === true ? signer : key()), o: keyOf(online) },
    roles: {
      root: { keyids: ['a', 'b'], threshold: change.threshold ?? 1 },
      timestamp: { keyids: ['o'], threshold: 1 },
      snapshot: { keyids: ['o'], threshold: 1 },
      targets: { keyids: ['o'], threshold: 1 },
    },
  });
  const twice = change.sameKeyTwice === true ? [{ name: 'b', key: first }] : [];
  const root = signedBy(rootOf(1, first), [{ name: 'a', key: first }, ...twice]);
  const by = (name: string): Role[] => [{ name, key: online }];
  const files = new Map<string, Buffer>([
    [
      'metadata/timestamp.json',
      signedBy(
        { ...common, _type: 'timestamp', version: 3, meta: { 'snapshot.json': { version: change.listed ?? 2 } } },
        by('o'),
      ),
    ],
    [
      'metadata/snapshot.json',
      signedBy(
        {
          ...common,
          _type: change.type ?? 'snapshot',
          version: change.snapshotVersion ?? 2,
          meta: { 'targets.json': { version: 1 } },
        },
        by('o'),
      ),
    ],
    ['metadata/targets.json', signedBy({ ...common, _type: 'targets', version: 1, targets: {} }, by('o'))],
  ]);
  if (change.next !== undefined) {
    const { by: who, version = 2 } = change.next;
    const signers: Role[] = [];
    // The id of the new key is the old one's, so each signature stands under the id that its root gives it.
    if (who !== 'new') signers.push({ name: 'a', key: first });
    if (who !== 'old') signers.push({ name: 'a', key: second });
    files.set('metadata/2.root.json', signedBy(rootOf(version, second), signers));
  }
  if (change.duplicate === true) {
    const one = files.get('metadata/targets.json')!.toString();
    files.set('metadata/targets.json', Buffer.from(one.replace('{"signatures"', '{"signatures":[],"signatures"')));
  }
  return { source: { read: async (path) => files.get(path) }, root };
}

test('what a TUF repository may not be', async () => {
  const now = Date.parse('2026-01-01');
  const code = async (change: Parameters<typeof repository>[0]): Promise<string | undefined> => {
    const { source, root } = repository(change);
    return (await judgeTuf(source, root, now)).reasons[0]?.code;
  };
  assert.equal(await code({}), undefined, 'the control');
  assert.equal(await code({ next: { by: 'both' } }), undefined, 'a root that both signed');
  const cases: [string, Parameters<typeof repository>[0], string][] = [
    ['two of two, and one key under two ids', { threshold: 2, sameKeyTwice: true }, 'trust.tuf-signatures'],
    ['threshold 0', { threshold: 0 }, 'trust.tuf-malformed'],
    ['a root that only the old key signed', { next: { by: 'old' } }, 'trust.tuf-signatures'],
    ['a root that only the new key signed', { next: { by: 'new' } }, 'trust.tuf-signatures'],
    ['a root that leaps', { next: { by: 'both', version: 3 } }, 'trust.tuf-version'],
    ['another snapshot than the timestamp names', { snapshotVersion: 1 }, 'trust.tuf-version'],
    ['mix and match: a newer snapshot', { listed: 1 }, 'trust.tuf-version'],
    ['another role in its place', { type: 'targets' }, 'trust.tuf-malformed'],
    ['a duplicate JSON key', { duplicate: true }, 'trust.tuf-malformed'],
  ];
  for (const [name, change, due] of cases) assert.equal(await code(change), due, name);
});
