import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { temporaryFolder } from '#system/testing';
import { LogFile } from './log-file.ts';

test('what fits is kept byte for byte, and lines of ours stand by themselves', async (t) => {
  const path = join(await temporaryFolder(t), 'web.log');
  const log = new LogFile(path);
  log.write(Buffer.from('one\ntw'));
  log.write(Buffer.from('o\n\u001b[31mthree'));
  log.note('ended with 3');
  log.close();
  const text = await readFile(path, 'utf8');
  assert.match(text, /^one\ntwo\n\u001b\[31mthree\n-- sallyport \S+Z: ended with 3\n$/);
  assert.deepEqual(log.logged, { path, bytes: 18, lines: 2, cut: true });
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

test('however much is written, two files of bounded size hold the end of it', async (t) => {
  const folder = await temporaryFolder(t);
  let number = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 900 }), { maxLength: 40 }), async (sizes) => {
      const path = join(folder, `${number++}.log`);
      const log = new LogFile(path, 1000);
      let all = '';
      for (const [index, size] of sizes.entries()) {
        const piece = String(index % 10).repeat(size);
        all += piece;
        log.write(Buffer.from(piece));
      }
      const { bytes, cut } = log.logged;
      log.close();
      const now = await readFile(path, 'utf8');
      const before = await readFile(`${path}.1`, 'utf8').catch(() => '');
      assert.ok(now.length <= 1300 && before.length <= 1300);
      const kept = (before + now).replace(/-- sallyport [^\n]*\n/g, '');
      assert.equal(bytes, all.length);
      assert.ok(all.endsWith(kept));
      assert.equal(cut, kept.length < all.length);
      assert.ok(kept.length >= Math.min(all.length, 1000 - 300));
    }),
    { numRuns: 30 },
  );
});

test('a link where the file should be leads nowhere, and a log that cannot be written ends nothing', async (t) => {
  const folder = await temporaryFolder(t);
  const target = join(folder, 'target');
  await writeFile(target, 'mine');
  await symlink(target, join(folder, 'a.log'));
  await mkdir(join(folder, 'b.log'));
  for (const name of ['a.log', 'b.log']) {
    const log = new LogFile(join(folder, name));
    log.write(Buffer.from('theirs\n'));
    log.note('ended');
    assert.deepEqual([log.logged.bytes, log.logged.cut], [7, true]);
  }
  assert.equal(await readFile(target, 'utf8'), 'mine');
  assert.deepEqual((await readdir(folder)).sort(), ['a.log', 'b.log', 'target']);
});
