import assert from 'node:assert/strict';
import { mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Image, makeExfat, makeFat, type Tree } from '#media/testing';
import { temporaryFolder } from '#system/testing';
import { sallyport } from './sallyport.ts';

// At the import station: a medium is looked at, refused or read, and nothing is mounted.

async function write(path: string, image: Image): Promise<string> {
  const file = await open(path, 'w');
  await file.truncate(image.size);
  for (const at of image.written()) {
    const bytes = image.bytes(at, Math.min(4096, image.size - at));
    await file.write(bytes, 0, bytes.length, at);
  }
  await file.close();
  return path;
}

test('a stick is judged, refused for what lies beside the bundle, and admitted when it is clean', async (t) => {
  const folder = await temporaryFolder(t);
  const run = async (words: readonly string[], code = 0) => {
    const ran = await sallyport(folder, [...words, '--json']);
    assert.equal(ran.code, code, `${words.join(' ')}: ${ran.out}${ran.err}`);
    return ran.json;
  };
  await mkdir(join(folder, 'files'));
  await writeFile(join(folder, 'files', 'note.txt'), 'carried\n');
  await writeFile(
    join(folder, 'sallyport.yaml'),
    'sallyport: "1.0"\nname: stick\nchannel: main\ntargets:\n  linux-amd64: { os: linux, arch: amd64, libc: { name: glibc, version: "2.36" } }\ninputs:\n  - files: files\n',
  );
  await run(['init', '--home', 'out', '--site', 'low']);
  await run(['init', '--home', 'in', '--site', 'high']);
  await run(['capture', '--home', 'out']);
  await run(['seal', '-o', 'one', '--home', 'out']);
  const bundle = await readFile(join(folder, 'one'));
  const root = join(
    folder,
    'out/trust',
    (await readdir(join(folder, 'out/trust'))).find((name) => name.startsWith('root.'))!,
  );
  const admit = (path: string, more: readonly string[] = []): readonly string[] => {
    return ['admit', path, '--root', root, '--home', 'in', ...more];
  };
  const stick = async (name: string, tree: Tree): Promise<string> =>
    write(join(folder, name), makeFat('FAT16', { 'media/one.bundle': bundle, ...tree }).image);

  const hostile = await stick('hostile.img', { 'autorun.inf': Buffer.from('[autorun]\nopen=evil.exe\n') });
  assert.equal((await run(['examine', hostile, '--as', 'medium'], 1)).reasons[0].code, 'examine.autorun');
  const refused = await run(admit(hostile), 1);
  assert.deepEqual([refused.verdict, refused.reasons[0].code], ['refused', 'examine.autorun']);
  assert.ok(Number.isInteger(refused.ledger.index), 'the refusal is evidence');
  assert.ok((await readdir(refused.evidence)).length > 0);

  const two = await stick('two.img', { 'old.bundle': bundle.subarray(0, 100_000) });
  const several = await run(admit(two), 1);
  assert.equal(several.reasons[0].code, 'media.several-bundles');
  assert.match(several.reasons[0].detail, /media\/one\.bundle.*old\.bundle|old\.bundle.*media\/one\.bundle/);
  assert.equal((await run(['inspect', two, '--path', 'media/one.bundle'])).bundle.sequence, 1);
  assert.equal((await run(['verify', two, '--path', 'media/one.bundle', '--root', root])).verdict, 'verified');
  assert.equal((await run(admit(two, ['--path', 'media/one.bundle']))).verdict, 'admitted');
  assert.equal(
    (await run(admit(await write(join(folder, 'x.img'), makeExfat({ one: bundle }).image)))).verdict,
    'already-here',
  );
  assert.equal((await run(['verify', '/dev/null', '--root', root], 3)).fault.code, 'bundle.unreadable');

  for (const code of ['media.several-bundles', 'media.two-systems', 'custody.volume-unreadable']) {
    assert.match((await sallyport(folder, ['explain', code])).out, /medium|volume/);
  }
});

test('doctor --station says of each line whether it is so, and never takes unknown for yes', async (t) => {
  const folder = await temporaryFolder(t);
  const { code, json } = await sallyport(folder, ['doctor', '--station', '--home', 'side', '--json']);
  const checks = json.checks as { name: string; state: string; ok: boolean; fix: string; costs: string }[];
  assert.ok(checks.length >= 15);
  for (const { name, state, ok, fix, costs } of checks) {
    assert.equal(ok, state === 'ok', name);
    assert.equal(fix !== '' && costs !== '', state !== 'ok', name);
  }
  const well = checks.every(({ ok }) => ok);
  assert.deepEqual([json.verdict, code], well ? ['well', 0] : ['lacking', 1]);
  const { out } = await sallyport(folder, ['doctor', '--station', '--home', 'side']);
  for (const { name } of checks) assert.ok(out.includes(name), name);
});
