import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { hostileCorpus, layOut } from '#gate/testing';
import { errorCode, isFault, printable, type World } from '#kernel';
import { nodeFiles } from '#system';
import { temporaryFolder } from '#system/testing';
import { gateCatalogue } from './faults.ts';
import { examine, examineOutput } from './operations.ts';

function world(change: Partial<World> = {}): World {
  return {
    clock: { now: () => Date.now() },
    files: nodeFiles,
    report: () => {},
    signal: new AbortController().signal,
    cwd: '/',
    env: {},
    ask: undefined,
    self: [],
    version: '0',
    ...change,
  } as World;
}

test('the hostile corpus is answered by name, case by case', async (t) => {
  const { run, exit } = await examine.load();
  for (const hostile of hostileCorpus) {
    await t.test(`${hostile.id} ${hostile.name}`, async (inner) => {
      const folder = await temporaryFolder(inner);
      const path = await layOut(folder, hostile);
      const started = performance.now();
      const output = await run({ path, as: hostile.as }, world());
      const seen = JSON.stringify(output.reasons);
      assert.equal(output.verdict, hostile.expect, seen);
      assert.equal(output.as, hostile.as);
      for (const code of hostile.codes) {
        assert.ok(
          output.reasons.some((reason) => reason.code === code),
          `${code} is not among ${seen}`,
        );
      }
      for (const { code, where, detail } of output.reasons) {
        assert.ok(code in gateCatalogue, code);
        assert.equal(printable(where + detail), where + detail, 'nothing reaches the terminal unescaped');
      }
      assert.equal(exit(output), hostile.expect === 'refuse' ? 1 : 0);
      assert.ok(performance.now() - started < 10_000);
      assert.deepEqual(examineOutput.parse(output), output);
      assert.deepEqual(await readdir(folder), [basename(path)], 'nothing was written');
    });
  }
});

test('the corpus has enough cases, each named once, one in ten of them harmless', () => {
  const names = new Set(hostileCorpus.map(({ name }) => name));
  const controls = hostileCorpus.filter(({ id }) => id === 'control');
  assert.equal(names.size, hostileCorpus.length);
  assert.ok(hostileCorpus.length >= 250, String(hostileCorpus.length));
  assert.ok(controls.length * 10 >= hostileCorpus.length, String(controls.length));
  assert.ok(controls.every(({ expect }) => expect === 'accept'));
});

test('without --as it says what it took it for, and never makes a refusal an acceptance', async (t) => {
  const { run } = await examine.load();
  const folder = await temporaryFolder(t);
  const wrong: string[] = [];
  for (const hostile of hostileCorpus) {
    if (/bomb|many/.test(hostile.name)) continue;
    const path = await layOut(folder, hostile);
    const output = await run({ path }, world());
    // Rules of a kind hold only where the kind shows: a package without its metadata is an archive.
    const generic = ['tar', 'zip', 'medium', 'unknown'].includes(output.as) && output.as !== hostile.as;
    if (hostile.expect === 'accept' && output.verdict !== 'accept' && output.as !== 'medium')
      wrong.push(`${hostile.name}: ${output.as}`);
    if (hostile.expect === 'refuse' && output.verdict === 'accept' && !generic)
      wrong.push(`${hostile.name}: accepted as ${output.as}`);
    await rm(path, { recursive: true });
  }
  assert.deepEqual(wrong, []);
});

test('a path that is not there is a fault; a link and an empty file are answers', async (t) => {
  const { run } = await examine.load();
  const folder = await temporaryFolder(t);
  await assert.rejects(
    run({ path: join(folder, 'none') }, world()),
    (error) => errorCode(error) === 'examine.not-there',
  );
  await writeFile(join(folder, 'empty'), '');
  await symlink('empty', join(folder, 'link'));
  await mkdir(join(folder, 'folder'));
  const codes = async (name: string, as?: 'tar' | 'oci'): Promise<string | undefined> =>
    (await run({ path: join(folder, name), as }, world())).reasons[0]?.code;
  assert.equal(await codes('empty'), 'examine.empty');
  assert.equal(await codes('link'), 'examine.link');
  assert.equal(await codes('folder', 'tar'), 'examine.wrong-kind');
  assert.equal(await codes('empty', 'oci'), 'examine.wrong-kind');
  await writeFile(join(folder, 'text'), 'just words');
  assert.equal(await codes('text'), 'examine.unknown-kind');
});

test('a reader that fails is a fault, and a clock that runs out is a refusal', async (t) => {
  const { run } = await examine.load();
  const folder = await temporaryFolder(t);
  const sample = hostileCorpus.find(({ name }) => name === 'tar-gzip')!;
  const path = await layOut(folder, sample);
  const files: World['files'] = {
    ...nodeFiles,
    async open(...words) {
      const file = await nodeFiles.open(...words);
      return { ...file, read: () => Promise.reject(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })) };
    },
  };
  await assert.rejects(run({ path }, world({ files })), (error) => errorCode(error) === 'examine.read');
  let now = 0;
  const output = await run({ path }, world({ clock: { now: () => (now += 60_000) } }));
  assert.deepEqual([output.verdict, output.reasons[0]?.code], ['refuse', 'examine.time']);
});

test('bytes cut or changed anywhere give an answer, never a crash', async (t) => {
  const { run } = await examine.load();
  const folder = await temporaryFolder(t);
  const path = join(folder, 'changed');
  const samples = [
    'tar-gzip',
    'tar-plain',
    'zip-plain',
    'tar-zstd',
    'wheel-plain',
    'deb-gzip',
    'npm-plain',
    'maven-jar',
  ];
  for (const name of samples) {
    const hostile = hostileCorpus.find((one) => one.name === name)!;
    await layOut(folder, hostile);
    const bytes = await readFile(await only(folder));
    await rm(await only(folder));
    const step = Math.max(1, Math.floor(bytes.length / 25));
    for (let at = 0; at < bytes.length; at += step) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 0x41;
      for (const changed of [flipped, bytes.subarray(0, at)]) {
        await writeFile(path, changed);
        const output = await run({ path, as: hostile.as }, world());
        if (changed.length < bytes.length) assert.equal(output.verdict, 'refuse', `${name} cut at ${at}`);
        await rm(path);
      }
    }
  }
});

async function only(folder: string): Promise<string> {
  return join(folder, (await readdir(folder))[0]!);
}

const cyclonedx = join(import.meta.dirname, '../../../shared/data/cyclonedx');
const absent = existsSync(cyclonedx) ? false : 'the public documents are not beside the repository';

test(
  'an SBOM is judged by the schemas that are named: every public document, through the verb',
  { skip: absent },
  async () => {
    const { run } = await examine.load();
    const schema = ['bom-1.7', 'spdx', 'jsf-0.82', 'cryptography-defs'].map((name) =>
      join(cyclonedx, `schema/${name}.schema.json`),
    );
    for (const name of await readdir(join(cyclonedx, '1.7'))) {
      const { verdict, reasons } = await run({ path: join(cyclonedx, '1.7', name), schema }, world());
      assert.equal(verdict, name.startsWith('valid') ? 'accept' : 'refuse', `${name}: ${JSON.stringify(reasons)}`);
      if (verdict === 'refuse') assert.deepEqual([reasons.length, reasons[0]?.code], [1, 'examine.schema'], name);
    }
  },
);

test('a schema that cannot be used is said, and nothing passes by it', async (t) => {
  const folder = await temporaryFolder(t);
  const { run } = await examine.load();
  await writeFile(join(folder, 'document'), '{"a":1}');
  const code = async (schema: string[], as?: 'tar'): Promise<string> => {
    const input = { path: join(folder, 'document'), schema, ...(as === undefined ? {} : { as }) };
    return run(input, world({ cwd: folder })).then(
      ({ verdict }) => verdict,
      (error: unknown) => (isFault(error) ? error.code : String(error)),
    );
  };
  const schemas: Record<string, string> = {
    good: '{"required":["a"]}',
    other: '{"required":["b"]}',
    unknown: '{"unevaluatedProperties":false}',
    twice: '{"type":"object","type":"object"}',
  };
  for (const [name, text] of Object.entries(schemas)) await writeFile(join(folder, name), text);
  assert.equal(await code(['good']), 'accept');
  assert.equal(await code(['other']), 'refuse');
  for (const name of ['unknown', 'twice', 'nothing']) assert.equal(await code([name]), 'examine.schema-unusable', name);
  assert.equal(await code(['good'], 'tar'), 'examine.schema-unusable');
});
