import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { test } from 'node:test';
import { errorCode, type Files } from '#kernel';
import { temporaryFolder } from './temporary.ts';

/** What every file system port must do. Store, ledger and bundle lean on each of these rules. */
export function filesContract(name: string, make: (folder: string) => Files): void {
  test(`${name}: what is written is read, listed and looked at`, async (t) => {
    const folder = await temporaryFolder(t);
    const files = make(folder);
    await write(files, `${folder}/b`, 'text', 0o600);
    await symlink('b', `${folder}/a`);
    await files.makeFolder(`${folder}/c/d`, 0o700);
    await files.makeFolder(`${folder}/c/d`);
    assert.deepEqual(await files.list(folder), [
      { name: 'a', kind: 'link' },
      { name: 'b', kind: 'file' },
      { name: 'c', kind: 'folder' },
    ]);
    const look = await files.look(`${folder}/b`);
    assert.deepEqual([look?.kind, look?.size, look?.mode], ['file', 4, 0o600]);
    assert.equal((await files.look(`${folder}/a`))?.kind, 'link');
    assert.equal(await files.look(`${folder}/none`), undefined);
    assert.equal(await files.look(`${folder}/b/below`), undefined);
    assert.equal(Buffer.from(await files.read(`${folder}/b`, 4)).toString(), 'text');
    await assert.rejects(files.read(`${folder}/b`, 3), { code: 'EFBIG' });
    await assert.rejects(files.read(`${folder}/none`, 3), { code: 'ENOENT' });
    assert.ok((await files.space(folder)).free > 0);
  });

  test(`${name}: opening neither replaces nor follows where it is told not to`, async (t) => {
    const folder = await temporaryFolder(t);
    const files = make(folder);
    await write(files, `${folder}/b`, 'text');
    await symlink('b', `${folder}/a`);
    await assert.rejects(files.open(`${folder}/b`, 'wx'), (error) => errorCode(error) === 'EEXIST');
    await assert.rejects(files.open(`${folder}/a`, 'r', { follow: false }), { code: 'ELOOP' });
    const read = await files.open(`${folder}/a`, 'r');
    await read.close();
  });

  test(`${name}: a handle reads and writes where it stands or is told`, async (t) => {
    const folder = await temporaryFolder(t);
    const files = make(folder);
    await write(files, `${folder}/x`, '0123456789');
    const file = await files.open(`${folder}/x`, 'r+');
    await file.write(Buffer.from('ab'), 4);
    assert.equal(await file.size(), 10);
    const into = Buffer.alloc(4);
    assert.equal(await file.read(into, 3), 4);
    assert.equal(into.toString(), '3ab6');
    assert.equal(await file.read(Buffer.alloc(8), 7), 3);
    assert.equal(await file.read(Buffer.alloc(8), 10), 0);
    await file.truncate(2);
    await file.sync();
    await file.close();
    const more = await files.open(`${folder}/x`, 'a');
    await more.write(Buffer.from('!'));
    await more.close();
    assert.equal(Buffer.from(await files.read(`${folder}/x`, 9)).toString(), '01!');
  });

  test(`${name}: names are moved, linked and removed; what is gone is no error`, async (t) => {
    const folder = await temporaryFolder(t);
    const files = make(folder);
    await write(files, `${folder}/one`, '1');
    await write(files, `${folder}/two`, '2');
    await files.rename(`${folder}/one`, `${folder}/two`);
    await files.link(`${folder}/two`, `${folder}/three`);
    await assert.rejects(files.link(`${folder}/two`, `${folder}/three`), (error) => errorCode(error) === 'EEXIST');
    await files.syncFolder(folder);
    assert.equal(Buffer.from(await files.read(`${folder}/three`, 9)).toString(), '1');
    await files.remove(`${folder}/two`);
    await files.remove(`${folder}/two`);
    await files.makeFolder(`${folder}/deep/deeper`);
    await write(files, `${folder}/deep/deeper/x`, '');
    await files.removeTree(`${folder}/deep`);
    await files.removeTree(`${folder}/deep`);
    assert.deepEqual(
      (await files.list(folder)).map(({ name: left }) => left),
      ['three'],
    );
  });
}

async function write(files: Files, path: string, text: string, mode?: number): Promise<void> {
  const file = await files.open(path, 'wx', mode === undefined ? {} : { mode });
  await file.write(Buffer.from(text));
  await file.sync();
  await file.close();
}
