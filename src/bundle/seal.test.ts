import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Digest, digestOf, type Files, hexOf, isFault } from '#kernel';
import { isProblem } from '#formats';
import { parseLedgerVkey, verifyLedger } from '#ledger';
import { openStore } from '#store';
import { debianTools, nodeFiles } from '#system';
import { faultyFiles, temporaryFolder } from '#system/testing';
import { sealersOf } from '#trust';
import { checkLines } from './check-lines.ts';
import { MAX_FRAME_BYTES } from './layout.ts';
import { endOfProcess, memoryFolder, outsideWith } from './testing/index.ts';
import { diff } from './verbs/diff.ts';
import { inspect } from './verbs/inspect.ts';
import { seal } from './verbs/seal.ts';
import { verify } from './verbs/verify.ts';

/** Index of the bundle that this project wrote when format 1.0 was new. */
const GOLDEN_INDEX = 'sha256:697fe9957d9e8d69c4372d66b3b50836bd371dcfb8024613df49954f32fc944a';

const some = {
  'a.txt': Buffer.from('hello\n'),
  'b.tgz': gzipSync(randomBytes(2_000_000)),
  'c.txt': Buffer.from('compressible text '.repeat(20_000)),
  empty: Buffer.alloc(0),
};

async function refusal(act: Promise<unknown>): Promise<string> {
  try {
    await act;
  } catch (error) {
    if (isFault(error)) return error.code;
    throw error;
  }
  return 'done';
}

test('what is sealed is inspected, verified and compared', async (t) => {
  const outside = await outsideWith(await temporaryFolder(t), some);
  const { world, root, folder } = outside;
  const one = await outside.seal('one', { destinations: ['high', 'higher'] });
  const inspected = await inspect.run({ bundle: one }, world);
  assert.equal(inspected.verdict, 'readable');
  assert.deepEqual(inspected.bundle?.destinations, ['high', 'higher']);
  assert.equal(inspected.contents?.length, 5);
  assert.deepEqual(
    inspected.carries?.map(({ name }) => name),
    ['seal.0.pem', 'root.1.dsse.json', 'ledger.statement', 'ledger.entry', 'ledger.proof', 'ledger.consistency'],
  );
  const verified = await verify.run({ bundle: one, root }, world);
  assert.equal(verified.verdict, 'verified', JSON.stringify(verified.reasons));
  assert.equal(verified.trust?.custody, 'one-person');
  assert.equal(verified.read, (await stat(one)).size);

  await outside.hold({ ...some, 'a.txt': Buffer.from('hello again\n'), 'd.txt': Buffer.from('new') });
  const two = await outside.seal('two');
  const compared = await diff.run({ from: one, to: two }, world);
  assert.equal(compared.verdict, 'differs');
  assert.deepEqual(
    compared.added.map(({ name }) => name),
    ['d.txt'],
  );
  assert.deepEqual(
    compared.changed.map(({ to }) => to.name),
    ['a.txt'],
  );
  assert.equal((await diff.run({ from: two, to: two }, world)).verdict, 'same');
  await writeFile(`${folder}/foreign`, 'foreign');
  assert.equal((await diff.run({ from: two, to: `${folder}/foreign` }, world)).verdict, 'refused');

  const again = await inspect.run({ bundle: two }, world);
  assert.equal(again.bundle?.sequence, 2);
  assert.deepEqual(again.previous, { sequence: 1, index: inspected.bundle?.index });
});

test('the same lock and store give the same index and the same blobs', async (t) => {
  const outside = await outsideWith(await temporaryFolder(t), some);
  const other = await outsideWith(await temporaryFolder(t), some, { site: 'elsewhere' });
  const blobsOf = async (path: string): Promise<Buffer> => {
    const bytes = await readFile(path);
    return bytes.subarray(bytes.indexOf('sallyport-bundle/index.jsonl'), bytes.indexOf('sallyport-bundle/seek'));
  };
  const one = await blobsOf(await outside.seal('one'));
  assert.ok(one.equals(await blobsOf(await outside.seal('two'))));
  assert.ok(one.equals(await blobsOf(await other.seal('three'))));
});

test('a bundle is verified by the root that was named and by no key in it', async (t) => {
  const outside = await outsideWith(await temporaryFolder(t), some);
  const stranger = await outsideWith(await temporaryFolder(t), some, { site: 'stranger' });
  const bundle = await outside.seal('one');
  const foreign = await verify.run({ bundle, root: stranger.root }, outside.world);
  assert.equal(foreign.verdict, 'refused');
  assert.match(foreign.reasons[0]!.code, /^trust\./);
  assert.equal(foreign.trust, undefined);
  assert.equal(await refusal(verify.run({ bundle, root: `${outside.folder}/none` }, outside.world)), 'trust.no-root');
  const late = { ...outside.world, clock: { now: () => Date.parse('2099-01-01T00:00:00Z') } };
  assert.equal((await verify.run({ bundle, root: outside.root }, late)).reasons[0]?.code, 'trust.root-expired');
  const rehearsal = await outsideWith(await temporaryFolder(t), some, { purpose: 'rehearsal' });
  const played = await verify.run({ bundle: await rehearsal.seal('one'), root: rehearsal.root }, outside.world);
  assert.equal(played.reasons[0]?.code, 'trust.rehearsal-root');
});

test('the lines that check a bundle without us hold for a good one and fail for a changed one', async (t) => {
  const big = { ...some, 'big.txt': Buffer.from('0123456789abcdef'.repeat(MAX_FRAME_BYTES / 16 + 1000)) };
  const outside = await outsideWith(await temporaryFolder(t), big);
  const bundle = await outside.seal("o'ne bundle");
  const [signer] = await sealersOf(nodeFiles, outside.home);
  const key = `${outside.folder}/sealer.pem`;
  await writeFile(key, signer!.publicKeyPem);
  const { bundle: summary } = await inspect.run({ bundle }, outside.world);
  const tools = await debianTools(['openssl', 'zstd'], { env: process.env });
  const folders = Object.values(tools).map((tool) => dirname(tool.path));
  const env = { ...process.env, PATH: [...folders, process.env['PATH'] ?? ''].join(':') };
  const run = async (path: string): Promise<string> => {
    const folder = `${outside.folder}/check`;
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder);
    const script = checkLines(path, key, { index: summary!.index as `sha256:${string}` }).join('\n');
    try {
      return execFileSync('sh', ['-c', script], { cwd: folder, env, stdio: 'pipe' }).toString();
    } catch {
      return 'failed';
    }
  };
  assert.match(await run(bundle), /checked\n$/);
  const bytes = await readFile(bundle);
  for (const position of [
    bytes.indexOf('DSSEv1') + 300,
    bytes.indexOf('sallyport-bundle/index.jsonl') + 600,
    bytes.indexOf(`blobs/${hexOf(digestOf(some['b.tgz']))}`) + 600,
    bytes.indexOf('.000000.zst') + 600,
  ]) {
    const changed = Buffer.from(bytes);
    changed[position]! ^= 1;
    await writeFile(`${outside.folder}/changed`, changed);
    assert.equal(await run(`${outside.folder}/changed`), 'failed', String(position));
  }
  const listed = execFileSync('tar', ['tf', bundle]).toString();
  assert.match(listed, /^sallyport-bundle\/1\n/);
  assert.equal(bytes.toString('latin1', 0, 18), 'sallyport-bundle/1');
});

test('the specification shows the same lines', async () => {
  const page = await readFile(new URL('../../docs/spec/bundle.md', import.meta.url), 'utf8');
  const lines = checkLines('BUNDLE', 'SEALER.pem', { index: 'sha256:DIGEST' as Digest });
  assert.ok(page.includes(lines.join('\n')));
});

test('what cannot be sealed is a fault that names it, and nothing is left', async (t) => {
  const outside = await outsideWith(await temporaryFolder(t), some);
  const { folder, home, world, store } = outside;
  const input = { out: `${folder}/one`, home };
  const before = async (): Promise<string[]> => (await readdir(folder)).sort();
  await outside.seal('zero');
  const names = await before();

  const path = store.pathOf(digestOf(some['b.tgz']));
  const good = await readFile(path);
  const rotten = Buffer.from(good);
  rotten[1_000_000]! ^= 1;
  await chmod(path, 0o644);
  await writeFile(path, rotten);
  assert.equal(await refusal(seal.run(input, world)), 'seal.rotten-content');
  await writeFile(path, rotten.subarray(1));
  await assert.rejects(seal.run(input, world), /b\.tgz/);
  await rm(path);
  assert.equal(await refusal(seal.run(input, world)), 'seal.missing-content');
  await writeFile(path, good);
  assert.deepEqual(await before(), names);

  const tight = (space: { free: number; largestFile: number }): Files => ({ ...nodeFiles, space: async () => space });
  const largest = Number.MAX_SAFE_INTEGER;
  assert.equal(
    await refusal(seal.run(input, { ...world, files: tight({ free: 1000, largestFile: largest }) })),
    'seal.no-space',
  );
  assert.equal(
    await refusal(seal.run(input, { ...world, files: tight({ free: largest, largestFile: 1000 }) })),
    'seal.file-too-large',
  );
  assert.equal(await refusal(seal.run({ ...input, out: `${folder}/no/such/folder` }, world)), 'seal.write');
  assert.deepEqual(await before(), names);
  await rm(`${folder}/sallyport.lock`);
  assert.equal(await refusal(seal.run(input, world)), 'seal.no-lock');
});

test('what a killed run left beside the target is removed by the next', async (t) => {
  const outside = await outsideWith(await temporaryFolder(t), some);
  const dead = spawnSync('true').pid;
  await writeFile(`${outside.folder}/.one.${dead}.01234567.sallyport-tmp`, 'half');
  await writeFile(`${outside.folder}/.two.${dead}.01234567.sallyport-tmp`, 'of another bundle');
  await writeFile(`${outside.folder}/.one.${process.pid}.01234567.sallyport-tmp`, 'of a process that runs');
  await outside.seal('one');
  assert.deepEqual((await readdir(outside.folder)).filter((name) => name.endsWith('-tmp')).sort(), [
    `.one.${process.pid}.01234567.sallyport-tmp`,
    `.two.${dead}.01234567.sallyport-tmp`,
  ]);
});

test('bundles of released formats are read for ever', async (t) => {
  const golden = new URL('testing/golden/', import.meta.url).pathname;
  const outside = await outsideWith(await temporaryFolder(t), {});
  const verified = await verify.run(
    { bundle: `${golden}1.0.bundle`, root: `${golden}root.1.dsse.json` },
    outside.world,
  );
  assert.equal(verified.verdict, 'verified', JSON.stringify(verified.reasons));
  assert.equal(verified.bundle?.index, GOLDEN_INDEX);
  const { contents } = await inspect.run({ bundle: `${golden}1.0.bundle` }, outside.world);
  assert.deepEqual(contents?.map(({ stored }) => stored).sort(), ['raw', 'raw', 'zstd', 'zstd']);
});

test('Ctrl-C while it is written leaves nothing, and a second run seals', async (t) => {
  const outside = await outsideWith(await temporaryFolder(t), some);
  const stop = new AbortController();
  const world = {
    ...outside.world,
    signal: stop.signal,
    report: ({ type }: { type: string }) => void (type === 'amount' && stop.abort()),
  };
  await assert.rejects(seal.run({ out: `${outside.folder}/one`, home: outside.home }, world), { name: 'AbortError' });
  assert.deepEqual(
    (await readdir(outside.folder)).filter((name) => name.includes('one')),
    [],
  );
  await outside.seal('one');
});

/** Fails each I/O of a run once, and asks after each what is left. */
for (const mode of ['error', 'crash'] as const) {
  test(`any I/O of seal may fail (${mode}): the store is unharmed and a second run seals`, async (t) => {
    const few = { 'a.txt': Buffer.from('hello\n'), 'b.tgz': gzipSync(randomBytes(2000)) };
    const outside = await outsideWith(await memoryFolder(t), few);
    const counting = faultyFiles(nodeFiles, { failAt: 0, mode: 'error' });
    await outside.seal('count', { files: counting });
    const calls = counting.calls();
    assert.ok(calls > 20 && calls <= 200, `${calls} I/Os`);
    const prepared = `${outside.folder}/prepared`;
    await cp(outside.home, prepared, { recursive: true });
    const vkey = parseLedgerVkey(await readFile(`${outside.home}/trust/ledger.vkey`, 'utf8'));
    assert.ok(!isProblem(vkey));
    const plans = Array.from({ length: calls }, (_, i) => ({ failAt: i + 1, torn: false }));
    for (const { failAt, torn } of plans) {
      const files = faultyFiles(nodeFiles, { failAt, mode, torn, code: failAt % 2 === 0 ? 'EIO' : 'ENOSPC' });
      await rm(outside.home, { recursive: true });
      await cp(prepared, outside.home, { recursive: true });
      let failed = false;
      try {
        await outside.seal('one', { files });
      } catch (error) {
        failed = true;
        assert.ok(isFault(error), `I/O ${failAt}: ${files.failed()} ${String(error)}`);
      }
      // A write that was cut by a power cut may have left its first half.
      if (mode === 'crash' && !torn && files.failed()?.startsWith('write') === true) plans.push({ failAt, torn: true });
      await endOfProcess(outside.home);
      const there = await nodeFiles.look(`${outside.folder}/one`);
      if (there !== undefined) {
        const { verdict } = await verify.run({ bundle: `${outside.folder}/one`, root: outside.root }, outside.world);
        assert.equal(verdict, 'verified', `I/O ${failAt}: ${files.failed()}`);
        await rm(`${outside.folder}/one`);
      } else assert.ok(failed);
      const store = await openStore(nodeFiles, outside.home);
      for (const bytes of Object.values(few)) assert.equal(await store.verify(digestOf(bytes)), 'whole');
      await outside.seal('one');
      await rm(`${outside.folder}/one`);
      if (failAt % 10 === 0) {
        const report = await verifyLedger(nodeFiles, `${outside.home}/ledger`, vkey);
        assert.equal(report.verdict, 'verified', `I/O ${failAt}: ${JSON.stringify(report.reasons)}`);
      }
      for (const name of await readdir(outside.folder)) {
        if (name.endsWith('.sallyport-tmp')) {
          assert.equal(mode, 'crash', `I/O ${failAt} left ${name}`);
          await rm(`${outside.folder}/${name}`);
        }
      }
    }
  });
}
