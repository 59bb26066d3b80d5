import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  admitted,
  ask,
  captured,
  npmLock,
  npmPackage,
  npmRegistry,
  npmSample,
  resolve,
  textOf,
} from '#ecosystems/testing';
import { npm } from './index.ts';

const ABBREVIATED = 'application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*';

test('a packument is cut to what was admitted, in both forms', async () => {
  const { catalog } = await admitted(npm, npmSample());
  const full = await ask(npm, catalog, '/npm/left');
  assert.equal(full.headers['content-type'], 'application/json');
  const document = JSON.parse(await textOf(full, catalog));
  assert.deepEqual(Object.keys(document.versions), ['1.2.0']);
  assert.deepEqual(Object.keys(document.time), ['1.2.0', 'created', 'modified']);
  assert.deepEqual(document['dist-tags'], { latest: '1.2.0' });
  assert.deepEqual(document._sallyport, { derived: ['dist-tags.latest'] });
  assert.equal(document.readme, 'kept as upstream has it');
  const { dist } = document.versions['1.2.0'];
  assert.equal(dist.tarball, 'http://127.0.0.1:4873/npm/left/-/left-1.2.0.tgz');
  assert.deepEqual(dist.signatures, [{ keyid: 'k', sig: 's' }]);

  const short = await ask(npm, catalog, '/npm/@demo%2fright', { accept: ABBREVIATED });
  assert.equal(short.headers['content-type'], 'application/vnd.npm.install-v1+json');
  const abbreviated = JSON.parse(await textOf(short, catalog));
  assert.equal(abbreviated.readme, undefined);
  assert.equal(abbreviated.versions['2.0.1'].main, undefined);
  assert.deepEqual(abbreviated['dist-tags'], { latest: '2.0.1', next: '2.0.1' });
  assert.equal(abbreviated._sallyport, undefined);
  assert.equal(abbreviated.time['2.0.1'], '2020-01-01T10:11:12.345Z');

  const again = await ask(npm, catalog, '/npm/left', { 'if-none-match': full.headers['etag'] ?? '' });
  assert.equal(again.status, 304);
});

test('packuments of several bundles are one, and a new admission is seen at once', async () => {
  const packages = [npmPackage('left', '1.1.0'), npmPackage('left', '1.2.0'), npmPackage('left', '2.0.0')];
  const [one, , two] = packages;
  assert.ok(one && two);
  const base = npmSample();
  const first = await admitted(npm, {
    ...base,
    input: { path: 'package-lock.json', bytes: npmLock({}, [one], true) },
    upstream: npmRegistry(packages.slice(0, 2)),
  });
  const before = JSON.parse(await textOf(await ask(npm, first.catalog, '/npm/left'), first.catalog));
  assert.deepEqual(Object.keys(before.versions), ['1.1.0']);
  const second = await resolve(npm, {
    ...base,
    input: { path: 'package-lock.json', bytes: npmLock({}, [two], true) },
    upstream: npmRegistry(packages),
  });
  for (const [digest, bytes] of second.content.blobs) first.content.blobs.set(digest, bytes);
  const rows = await captured(second.closure, second.input, second.upstream, first.content);
  first.catalog.admit({ sequence: 2, rows });
  const after = JSON.parse(await textOf(await ask(npm, first.catalog, '/npm/left'), first.catalog));
  assert.deepEqual(Object.keys(after.versions), ['1.1.0', '2.0.0']);
  assert.deepEqual(after['dist-tags'], { latest: '2.0.0', next: '1.1.0' });
});

test('a name is looked up byte for byte', async () => {
  const { catalog } = await admitted(npm, npmSample());
  for (const name of ['Left', 'LEFT', 'left ', '__proto__', 'constructor']) {
    assert.equal((await ask(npm, catalog, `/npm/${encodeURIComponent(name)}`)).status, 404);
  }
});

test('service endpoints answer honestly', async () => {
  const { catalog } = await admitted(npm, npmSample());
  assert.equal((await ask(npm, catalog, '/npm/-/ping')).status, 200);
  assert.equal((await ask(npm, catalog, '/npm/-/npm/v1/keys')).status, 404);
  const audit = await ask(npm, catalog, '/npm/-/npm/v1/security/advisories/bulk', {}, 'POST');
  assert.equal(audit.status, 503);
  assert.match(await textOf(audit, catalog), /unknown/);
  assert.equal((await ask(npm, catalog, '/npm/left', {}, 'PUT')).status, 405);
});

test('a tarball whose address has another shape is found by its path', async () => {
  const odd = npmPackage('odd', '1.0.0');
  const url = 'https://registry.example.test/download/odd/1.0.0/0a1b2c';
  const manifest = { ...odd.manifest, dist: { ...(odd.manifest['dist'] as object), tarball: url } } as never;
  const lock = npmLock({}, [{ ...odd, url }], true);
  const { catalog, closure } = await admitted(npm, {
    ...npmSample(),
    input: { path: 'package-lock.json', bytes: lock },
    upstream: npmRegistry([{ ...odd, url, manifest }]),
  });
  assert.deepEqual(closure.artifacts[0]?.facts, { path: '/download/odd/1.0.0/0a1b2c' });
  assert.equal((await ask(npm, catalog, '/npm/download/odd/1.0.0/0a1b2c')).status, 200);
  assert.equal((await ask(npm, catalog, '/npm/odd/-/odd-1.0.0.tgz')).status, 200);
});
