import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestOf, type Files, isFault } from '#kernel';
import { nodeFiles } from '#system';
import { faultyFiles, temporaryFolder } from '#system/testing';
import { openStore } from './index.ts';
import { memoryStore, storeContract } from './testing/index.ts';

let named = 0;

storeContract('store in files', async (t) => {
  const home = await temporaryFolder(t);
  const store = await openStore(nodeFiles, home);
  return {
    store,
    async file(bytes) {
      const path = join(home, `finished-${named++}`);
      await writeFile(path, bytes);
      return path;
    },
    async rot(digest, bytes) {
      await chmod(store.pathOf(digest), 0o644);
      await writeFile(store.pathOf(digest), bytes);
    },
  };
});

storeContract('store in memory', async () => {
  const finished = new Map<string, Uint8Array>();
  const store = memoryStore(async (path) => finished.get(path)!);
  return {
    store,
    async file(bytes) {
      const path = `finished-${named++}`;
      finished.set(path, bytes);
      return path;
    },
    rot: async (digest, bytes) => store.rot(digest, bytes),
  };
});

test('content lies under its digest, read-only, in a folder of its first two digits', async (t) => {
  const home = await temporaryFolder(t);
  const store = await openStore(nodeFiles, home);
  const digest = await store.put(Buffer.from('x'));
  const hex = digest.slice(7);
  assert.equal(store.pathOf(digest), `${home}/store/sha256/${hex.slice(0, 2)}/${hex}`);
  assert.equal((await stat(store.pathOf(digest))).mode & 0o777, 0o444);
});

test('what a crash left is removed when the store is opened; a running process keeps its own', async (t) => {
  const home = await temporaryFolder(t);
  await openStore(nodeFiles, home);
  const incoming = join(home, 'store/incoming');
  // The highest pid that Linux can give is 4194304.
  await writeFile(join(incoming, '4999999-dead.sallyport-tmp'), 'half');
  await writeFile(join(incoming, `${process.ppid}-alive.sallyport-tmp`), 'half');
  await writeFile(join(incoming, 'notes.txt'), 'not ours');
  await openStore(nodeFiles, home);
  assert.deepEqual((await readdir(incoming)).sort(), [`${process.ppid}-alive.sallyport-tmp`, 'notes.txt'].sort());
});

test('foreign files in the folders of the store are no content', async (t) => {
  const home = await temporaryFolder(t);
  const store = await openStore(nodeFiles, home);
  await mkdir(join(home, 'store/sha256/zz'), { recursive: true });
  await writeFile(join(home, 'store/sha256/zz/file'), '');
  await mkdir(join(home, 'store/sha256/00'), { recursive: true });
  await writeFile(join(home, 'store/sha256/00', 'f'.repeat(64)), '');
  assert.deepEqual(await Array.fromAsync(store.digests()), []);
});

test('a full disk is a fault with figures and leaves nothing', async (t) => {
  const home = await temporaryFolder(t);
  await openStore(nodeFiles, home);
  const full: Files = {
    ...nodeFiles,
    async open(path, flags, options) {
      const file = await nodeFiles.open(path, flags, options);
      return {
        ...file,
        write: async () => {
          throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
        },
      };
    },
  };
  const store = await openStore(full, home);
  await assert.rejects(store.put(Buffer.from('x')), (error) => {
    assert.ok(isFault(error) && error.code === 'store.full' && error.exit === 3);
    assert.match(error.message, /\d+ bytes are free/);
    return true;
  });
  assert.deepEqual(await readdir(join(home, 'store/incoming')), []);
});

for (const mode of ['error', 'crash'] as const) {
  test(`put with the n-th I/O failing (${mode}), for every n: the content is whole or absent, and a second put works`, async (t) => {
    const bytes = Buffer.from('content that matters');
    const digest = digestOf(bytes);
    const act = async (files: Files, home: string): Promise<void> => {
      const store = await openStore(files, home);
      await store.put(bytes);
    };
    const counting = faultyFiles(nodeFiles, { failAt: 0, mode });
    await act(counting, await temporaryFolder(t));
    assert.ok(counting.calls() > 5 && counting.calls() < 200);
    for (let n = 1; n <= counting.calls(); n++) {
      const home = await temporaryFolder(t);
      await act(faultyFiles(nodeFiles, { failAt: n, mode, torn: true }), home).catch((error: unknown) => {
        assert.match(String(error), /injected/);
      });
      const store = await openStore(nodeFiles, home);
      assert.notEqual(await store.verify(digest), 'rotten', `n = ${n}`);
      await act(nodeFiles, home);
      assert.equal(await store.verify(digest), 'whole', `n = ${n}`);
    }
  });
}
