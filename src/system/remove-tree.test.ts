import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeTree } from './remove-tree.ts';
import { temporaryFolder } from './testing/index.ts';

test('closed folders are removed with what is in them, and what links point to stays', async (t) => {
  const folder = await temporaryFolder(t);
  const kept = join(folder, 'kept');
  mkdirSync(kept);
  writeFileSync(join(kept, 'file'), 'x');
  chmodSync(kept, 0o500);
  const tree = join(folder, 'tree');
  mkdirSync(join(tree, 'a', 'b'), { recursive: true });
  writeFileSync(join(tree, 'a', 'b', 'file'), 'x');
  symlinkSync(kept, join(tree, 'a', 'link'));
  for (const path of [join(tree, 'a', 'b'), join(tree, 'a'), tree]) chmodSync(path, 0);
  await removeTree(tree);
  assert.deepEqual([existsSync(tree), existsSync(join(kept, 'file'))], [false, true]);
  await removeTree(tree);
  chmodSync(kept, 0o700);
});
