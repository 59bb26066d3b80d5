import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { errorCode } from '#kernel';
import { clockContract, fixedClock } from '#kernel/testing';
import { makeFolderDurably, nodeFiles, openHome, systemClock, writeDurably } from '#system';
import { faultyFiles, filesContract, temporaryFolder } from '#system/testing';

filesContract('the machine’s files', () => nodeFiles);
filesContract('files that count calls', () => faultyFiles(nodeFiles, { failAt: 0, mode: 'error' }));
clockContract('the machine’s clock', systemClock);
clockContract('a clock that stands still', fixedClock());

test('a durable write leaves the old or the new file, whole, at whichever call it fails', async (t) => {
  const folder = await temporaryFolder(t);
  const path = `${folder}/file`;
  for (const mode of ['error', 'crash'] as const) {
    await writeFile(path, 'old');
    const count = faultyFiles(nodeFiles, { failAt: 0, mode });
    await writeDurably(count, path, 'old');
    assert.ok(count.calls() >= 5);
    for (let failAt = 1; failAt <= count.calls(); failAt++) {
      await writeFile(path, 'old');
      const files = faultyFiles(nodeFiles, { failAt, mode, torn: true });
      await assert.rejects(writeDurably(files, path, 'new content'));
      const found = Buffer.from(await nodeFiles.read(path, 100)).toString();
      assert.ok(found === 'old' || found === 'new content', `${files.failed()}: ${found}`);
      if (mode === 'error') {
        const left = (await nodeFiles.list(folder)).map(({ name }) => name);
        assert.deepEqual(left, ['file'], `left behind after ${files.failed()}`);
      } else {
        for (const { name } of await nodeFiles.list(folder))
          if (name !== 'file') await nodeFiles.remove(`${folder}/${name}`);
      }
    }
  }
});

test('an exclusive durable write never replaces', async (t) => {
  const folder = await temporaryFolder(t);
  await writeDurably(nodeFiles, `${folder}/x`, 'first', { exclusive: true });
  await assert.rejects(
    writeDurably(nodeFiles, `${folder}/x`, 'second', { exclusive: true }),
    (error) => errorCode(error) === 'EEXIST',
  );
  assert.deepEqual(
    (await nodeFiles.list(folder)).map(({ name }) => name),
    ['x'],
  );
});

test('folders are made with their parents', async (t) => {
  const folder = await temporaryFolder(t);
  await makeFolderDurably(nodeFiles, `${folder}/a/b/c`, 0o700);
  assert.equal((await nodeFiles.look(`${folder}/a/b/c`))?.mode, 0o700);
  await makeFolderDurably(nodeFiles, `${folder}/a/b/c`);
});

test('a home that others can read is a fault, and so is a key', async (t) => {
  const folder = await temporaryFolder(t);
  const path = `${folder}/home`;
  await assert.rejects(openHome(nodeFiles, path), { code: 'home.missing' });
  await nodeFiles.makeFolder(`${path}/keys`, 0o700);
  const { chmod } = await import('node:fs/promises');
  await chmod(path, 0o755);
  await assert.rejects(openHome(nodeFiles, path), { code: 'home.open-mode' });
  await chmod(path, 0o700);
  await openHome(nodeFiles, path);
  await writeFile(`${path}/keys/k.key`, 'secret', { mode: 0o644 });
  await chmod(`${path}/keys/k.key`, 0o640);
  await assert.rejects(openHome(nodeFiles, path), { code: 'home.open-mode', where: `${path}/keys/k.key` });
  await chmod(`${path}/keys/k.key`, 0o600);
  await openHome(nodeFiles, path);
});
