import assert from 'node:assert/strict';
import { chown, lstat, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { testWorld } from '#kernel/testing';
import { nodeFiles } from '#system';
import { temporaryFolder } from '#system/testing';
import { copyProject } from './io/copy-project.ts';

const root = process.getuid?.() === 0;

test(
  'a copy by root belongs to root, whoever owns the project',
  { skip: root ? false : 'only root can give files to somebody else' },
  async (t) => {
    const folder = join(await temporaryFolder(t), 'project');
    await mkdir(join(folder, 'data'), { recursive: true });
    await writeFile(join(folder, 'data', 'terms.txt'), 'terms\n');
    await symlink('terms.txt', join(folder, 'data', 'link'));
    for (const name of ['data', 'data/terms.txt']) await chown(join(folder, name), 4242, 4242);
    const copy = `${folder}-copy`;
    await copyProject(testWorld(nodeFiles, folder), folder, copy);
    for (const name of ['data', 'data/terms.txt', 'data/link']) {
      const { uid, gid } = await lstat(join(copy, name));
      assert.deepEqual([uid, gid], [0, process.getgid?.()], name);
    }
  },
);
