import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  admitted,
  linuxAmd64,
  linuxArm64,
  alpine,
  npmLock,
  npmPackage,
  npmRegistry,
  npmSample,
  resolve,
} from '#ecosystems/testing';
import type { Sample } from '#ecosystems/testing';
import { isFault, type Target } from '#kernel';
import { npm } from './index.ts';
import { parseNpmLock } from './lockfile.ts';
import { parseWithLines } from './lines.ts';

const left = npmPackage('left', '1.2.0');

function lockOf(entries: Readonly<Record<string, unknown>>, over: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify(
    { name: 'a', lockfileVersion: 3, packages: { '': { name: 'a' }, ...entries }, ...over },
    undefined,
    1,
  );
}

async function faultOf(work: () => unknown): Promise<{ code: string; where: string; message: string }> {
  try {
    await work();
  } catch (error) {
    if (!isFault(error)) throw error;
    assert.notEqual(error.fix, '');
    return error;
  }
  assert.fail('no fault');
}

function parse(text: string | Uint8Array) {
  return parseNpmLock(typeof text === 'string' ? Buffer.from(text) : text, 'web/package-lock.json');
}

function sample(lock: string, over: Partial<Sample> = {}): Sample {
  return {
    ...npmSample(),
    input: { path: 'web/package-lock.json', bytes: lock },
    upstream: npmRegistry([left]),
    ...over,
  };
}

describe('an npm lock that cannot be carried', () => {
  const entry = (resolved: unknown, more: object = {}) =>
    lockOf({ 'node_modules/x': { version: '1.0.0', resolved, ...more } });
  const cases: [string, string | Uint8Array, string, RegExp][] = [
    ['not JSON', '{"lockfileVersion": 3,\n "packages": ', 'npm.lock-unreadable', /:2$/],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'npm.lock-unreadable', /:1$/],
    ['a duplicate key', '{"lockfileVersion":3,\n"packages":{\n"a":{},\n"a":{}}}', 'npm.lock-unreadable', /:4$/],
    ['conflict markers', '{\n<<<<<<< HEAD\n"lockfileVersion":3}', 'npm.lock-unreadable', /:2$/],
    ['a conflict inside', '{"lockfileVersion":3,\n"packages":{"a":\n=======\n{}}}', 'npm.lock-unreadable', /:3$/],
    ['not an object', '[]', 'npm.lock-unreadable', /:1$/],
    ['version 1', JSON.stringify({ lockfileVersion: 1, dependencies: {} }), 'npm.lock-version', /./],
    ['no version', '{}', 'npm.lock-version', /./],
    ['no packages', '{"lockfileVersion":3}', 'npm.lock-version', /./],
    ['a git dependency', entry('git+ssh://git@host.example.test/x.git#0123'), 'npm.git-dependency', /:8$/],
    ['git over https', entry('git+https://user:secret@host.example.test/x.git#0123'), 'npm.git-dependency', /:8$/],
    ['a link outside', lockOf({ 'node_modules/x': { resolved: '../x', link: true } }), 'npm.outside-project', /./],
    ['a folder outside', lockOf({ '../x': { version: '1.0.0' } }), 'npm.outside-project', /./],
    ['a key that climbs', lockOf({ '../../node_modules/x': { version: '1.0.0' } }), 'npm.outside-project', /./],
    ['a tarball outside', entry('file:../../x.tgz'), 'npm.outside-project', /./],
    ['a bad name', lockOf({ 'node_modules/a b': { version: '1.0.0' } }), 'npm.lock-entry', /./],
    ['a name that climbs', lockOf({ 'node_modules/x': { name: '@a/..', version: '1.0.0' } }), 'npm.lock-entry', /./],
    ['no version of an entry', lockOf({ 'node_modules/x': {} }), 'npm.lock-entry', /./],
    ['a version with a slash', lockOf({ 'node_modules/x': { version: '../1' } }), 'npm.lock-entry', /./],
    ['a short integrity', entry(undefined, { integrity: 'sha512-AAAA' }), 'npm.lock-entry', /./],
    [
      'an integrity of two files',
      entry(undefined, { integrity: `${left.integrity} ${npmPackage('b', '1.0.0').integrity}` }),
      'npm.lock-entry',
      /./,
    ],
    ['another scheme', entry('ftp://host.example.test/x.tgz'), 'npm.lock-entry', /./],
    ['an entry that is no object', lockOf({ 'node_modules/x': 'x' }), 'npm.lock-entry', /./],
  ];
  for (const [title, text, code, where] of cases) {
    test(title, async () => {
      const fault = await faultOf(() => parse(text));
      assert.equal(fault.code, code);
      assert.match(fault.where, /^web\/package-lock\.json:\d+$/);
      assert.match(fault.where, where);
      assert.doesNotMatch(fault.message, /secret/);
    });
  }

  test('a missing local tarball and a missing workspace', async () => {
    const tarball = lockOf({ 'node_modules/x': { version: '1.0.0', resolved: 'file:vendor/x.tgz' } });
    assert.equal((await faultOf(() => resolve(npm, sample(tarball)))).code, 'npm.missing-file');
    const workspace = lockOf({
      'packages/x': { version: '1.0.0' },
      'node_modules/x': { resolved: 'packages/x', link: true },
    });
    const fault = await faultOf(() => resolve(npm, sample(workspace)));
    assert.equal(fault.code, 'npm.missing-file');
    assert.match(fault.message, /web\/packages\/x\/package\.json/);
  });

  test('an unknown package, an unknown version, another integrity', async () => {
    const at = async (entry: object) => faultOf(() => resolve(npm, sample(lockOf({ 'node_modules/left': entry }))));
    assert.equal((await at({ version: '9.9.9' })).code, 'npm.unknown-version');
    assert.match((await at({ version: '9.9.9' })).where, /web\/package-lock\.json:\d+$/);
    assert.equal((await at({ version: '1.2.0', name: 'absent' })).code, 'npm.unknown-package');
    const other = npmPackage('left', '1.2.0', { description: 'another' });
    assert.equal((await at({ version: '1.2.0', integrity: other.integrity })).code, 'npm.integrity-differs');
  });

  test('an address that is no registry, without an integrity', async () => {
    const lock = lockOf({ 'node_modules/odd': { version: '1.0.0', resolved: 'https://files.example.test/odd.tgz' } });
    assert.equal((await faultOf(() => resolve(npm, sample(lock)))).code, 'npm.remote-tarball');
  });

  test('an answer that is no packument', async () => {
    const lock = npmLock({}, [left], true);
    const url = Object.keys(npmRegistry([left]))[0] ?? '';
    for (const body of ['<html>', '{}', '{"name":"other","versions":{}}']) {
      const fault = await faultOf(() => resolve(npm, sample(lock, { upstream: { [url]: body } })));
      assert.equal(fault.code, 'npm.upstream');
    }
    const denied = await faultOf(() => resolve(npm, sample(lock, { upstream: { [url]: { status: 403, body: '' } } })));
    assert.equal(denied.code, 'npm.upstream');
  });

  test('whatever bytes: a fault or a lock, never another error', () => {
    const text = npmLock({ left: '1' }, [left], true);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 3 }), fc.nat(4), (at, insert, cut) => {
        try {
          parse(text.slice(0, at) + insert + text.slice(at + cut));
        } catch (error) {
          if (!isFault(error)) throw error;
        }
      }),
      { numRuns: 300 },
    );
  });
});

test('the reader of lines agrees with JSON.parse', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), (text) => {
      const parsed = parseWithLines(Buffer.from(text));
      assert.ok(parsed.ok);
      assert.equal(JSON.stringify(parsed.value), JSON.stringify(JSON.parse(text)));
    }),
    { numRuns: 300 },
  );
});

describe('what an npm lock asks for', () => {
  test('platforms are those of the targets', async () => {
    const native = [
      npmPackage('n-x64', '1.0.0', { os: ['linux'], cpu: ['x64'], libc: ['glibc'] }),
      npmPackage('n-musl', '1.0.0', { os: ['linux'], cpu: ['x64'], libc: ['musl'] }),
      npmPackage('n-arm', '1.0.0', { os: ['linux'], cpu: ['arm64'] }),
      npmPackage('n-mac', '1.0.0', { os: ['darwin'] }),
      npmPackage('n-any', '1.0.0', { os: ['!win32'] }),
    ];
    const entries = native.map((p) => [
      `node_modules/${p.name}`,
      { ...p.manifest, dist: undefined, optional: true, integrity: p.integrity },
    ]);
    const lock = lockOf(Object.fromEntries(entries));
    const on = async (targets: readonly Target[]) => {
      const { closure } = await resolve(npm, sample(lock, { targets, upstream: npmRegistry(native) }));
      return Object.fromEntries(closure.artifacts.map((a) => [a.name, a.targets]));
    };
    assert.deepEqual(await on([linuxAmd64, linuxArm64, alpine]), {
      'n-any': ['alpine', 'linux-amd64', 'linux-arm64'],
      'n-arm': ['linux-arm64'],
      'n-musl': ['alpine'],
      'n-x64': ['linux-amd64'],
    });
    assert.deepEqual(await on([linuxArm64]), { 'n-any': ['linux-arm64'], 'n-arm': ['linux-arm64'] });
  });

  test('one package in many places is one artifact; bundled ones come with their parent', async () => {
    const entry = { version: '1.2.0', integrity: left.integrity, resolved: left.url };
    const lock = lockOf({
      'node_modules/left': entry,
      'node_modules/b/node_modules/left': entry,
      'node_modules/b/node_modules/inside': { version: '3.0.0', inBundle: true },
      'node_modules/b': { version: '1.2.0', name: 'left', integrity: left.integrity },
    });
    const { closure } = await resolve(npm, sample(lock));
    assert.equal(closure.artifacts.length, 1);
    assert.equal(closure.artifacts[0]?.authority, 'registry.example.test/mirror/npm');
    assert.equal(closure.artifacts[0]?.published, '2020-01-01T10:11:12Z');
    assert.deepEqual(closure.artifacts[0]?.facts, {});
  });

  test('two integrities of one package are a fault', async () => {
    const sha1 = `sha1-${Buffer.alloc(20, 1).toString('base64')}`;
    const other = `sha1-${Buffer.alloc(20, 2).toString('base64')}`;
    const bare = { ...left.manifest, dist: { tarball: left.url } };
    const routes = npmRegistry([{ ...left, manifest: bare as never }]);
    const lock = lockOf({
      'node_modules/left': { version: '1.2.0', integrity: sha1 },
      'node_modules/b/node_modules/left': { version: '1.2.0', integrity: other },
    });
    assert.equal((await faultOf(() => resolve(npm, sample(lock, { upstream: routes })))).code, 'npm.integrity-differs');
  });

  test('without integrity the index vouches, and without that nobody does', async () => {
    const lock = lockOf({ 'node_modules/left': { version: '1.2.0' } });
    const { closure } = await resolve(npm, sample(lock));
    assert.deepEqual(
      closure.artifacts[0]?.expected.map((e) => [e.algorithm, e.source, e.grade]),
      [['sha512', 'index', 'strong']],
    );
    const bare = { ...left, manifest: { ...left.manifest, dist: { tarball: left.url } } as never };
    const none = await resolve(npm, sample(lock, { upstream: npmRegistry([bare]) }));
    assert.deepEqual(none.closure.artifacts[0]?.expected, []);
  });

  test('a weak integrity is joined by a strong one of the index', async () => {
    const weak = Buffer.from((left.manifest['dist'] as { shasum: string }).shasum, 'hex').toString('base64');
    const lock = lockOf({ 'node_modules/left': { version: '1.2.0', integrity: `sha1-${weak}` } });
    const { closure } = await admitted(npm, sample(lock));
    assert.deepEqual(
      closure.artifacts[0]?.expected.map((e) => `${e.algorithm} ${e.grade}`),
      ['sha1 weak', 'sha512 strong'],
    );
  });

  test('a lock of another registry than the configured one', async () => {
    const other = 'https://other.example.test/npm/';
    const own = npmPackage('private', '1.0.0');
    const url = `${other}private/-/private-1.0.0.tgz`;
    const lock = lockOf({ 'node_modules/private': { version: '1.0.0', resolved: url, integrity: own.integrity } });
    const upstream = { ...npmRegistry([{ ...own, url }], other) };
    const { closure } = await resolve(npm, sample(lock, { upstream }));
    assert.equal(closure.artifacts[0]?.authority, 'other.example.test/npm');
    assert.equal(closure.documents[0]?.origin, `${other}private`);
  });

  test('a scope has a registry of its own', async () => {
    const own = npmPackage('@corp/thing', '1.0.0');
    const scoped = 'https://corp.example.test/';
    const url = `${scoped}@corp/thing/-/thing-1.0.0.tgz`;
    const manifest = { ...own.manifest, dist: { ...(own.manifest['dist'] as object), tarball: url } } as never;
    const lock = lockOf({ 'node_modules/@corp/thing': { version: '1.0.0', integrity: own.integrity } });
    const { closure, upstream } = await resolve(
      npm,
      sample(lock, {
        upstream: npmRegistry([{ ...own, url, manifest }], scoped),
        settings: { npm: { registries: ['https://registry.example.test/'], scopes: { '@corp': scoped } } },
      }),
    );
    assert.deepEqual(closure.artifacts[0]?.sources, [{ kind: 'url', url }]);
    assert.deepEqual(upstream.asked, [`${scoped}@corp%2fthing`]);
  });

  test('local tarballs and workspaces are of the project', async () => {
    const lock = lockOf({
      'packages/x': { version: '1.0.0' },
      'node_modules/x': { resolved: 'packages/x', link: true },
      'node_modules/left': { version: '1.2.0', resolved: 'file:vendor/left.tgz', integrity: left.integrity },
    });
    const { rows } = await admitted(
      npm,
      sample(lock, { upstream: {}, files: { 'web/packages/x/package.json': '{}', 'web/vendor/left.tgz': left.bytes } }),
    );
    const [, row] = rows;
    assert.equal(row?.row === 'artifact' && row.origin, 'web/vendor/left.tgz');
  });

  test('notes tell of scripts, and of platforms that do not fit', async () => {
    const lock = lockOf({
      'node_modules/left': { version: '1.2.0', hasInstallScript: true },
      'node_modules/mac': { version: '1.0.0', os: ['darwin'] },
    });
    const { closure } = await resolve(npm, sample(lock));
    assert.match(closure.notes.join('\n'), /left 1\.2\.0 runs a script/);
    assert.match(closure.notes.join('\n'), /mac 1\.0\.0 fits no target/);
  });

  test('an optional package that a target needs and the lock lacks is told, others are not', async () => {
    const musl = npmPackage('n-musl', '1.0.0', { libc: ['musl'], os: ['linux'] });
    const mac = npmPackage('n-mac', '1.0.0', { os: ['darwin'] });
    const lock = lockOf({
      'node_modules/left': {
        version: '1.2.0',
        optionalDependencies: { 'n-musl': '1.0.0', 'n-mac': '1.0.0', 'n-there': '1.0.0', 'n-gone': '1.0.0' },
      },
      'node_modules/left/node_modules/n-there': { version: '1.2.0', name: 'left' },
    });
    const upstream = npmRegistry([left, musl, mac]);
    const { closure, content } = await resolve(npm, sample(lock, { upstream, targets: [linuxAmd64, alpine] }));
    assert.equal(closure.notes.length, 3, closure.notes.join('\n'));
    assert.match(closure.notes[0] ?? '', /does not name 3 optional packages/);
    assert.match(closure.notes.join('\n'), /n-musl 1\.0\.0, which the lock does not name although it fits alpine/);
    assert.match(closure.notes.join('\n'), /n-gone 1\.0\.0.*could not be found out/);
    assert.equal(content.blobs.size, closure.documents.length);
  });
});
