import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { craftBundle, memoryFolder } from '#bundle/testing';
import { hostileCorpus } from '#gate/testing';
import { type ArtifactRow, digestOf, type Files, isFault } from '#kernel';
import { testWorld } from '#kernel/testing';
import { openLedger } from '#ledger';
import { formatLock } from '#project';
import { openDatabase } from '#store';
import { nodeFiles, openHome } from '#system';
import { createSide } from '#trust';
import { signedRoot, testDraft, testKey } from '#trust/testing';
import { RULES } from '#gate';
import type { AdmitInput } from './operations.ts';
import { admit } from './verbs/admit.ts';
import { approveVerb as approve } from './verbs/approve.ts';

// What admit does with what the gate says: the rules of the gate themselves are tested where it is.

const sealer = testKey();
const approver = testKey();
const root = testKey();
const signers = [sealer.signer('ada')];

function material(name: string): Buffer {
  const made = hostileCorpus.find((one) => one.name === name)?.make();
  if (!(made instanceof Uint8Array)) throw new Error(`${name} is no file`);
  return Buffer.from(made);
}

type Named = readonly [bytes: Uint8Array, over: Partial<ArtifactRow>];

function row([bytes, over]: Named): ArtifactRow {
  const digest = digestOf(bytes);
  const value = digest.slice('sha256:'.length);
  return {
    row: 'artifact',
    ecosystem: 'npm',
    authority: '',
    name: 'left',
    version: '1.0.0',
    file: 'left-1.0.0.tgz',
    targets: 'any',
    digest,
    size: bytes.length,
    media: 'application/octet-stream',
    origin: 'test',
    published: '',
    evidence: [{ algorithm: 'sha256', value, scope: 'file', source: 'first-use', grade: 'first-use' }],
    inputs: ['test'],
    facts: {},
    ...over,
  };
}

const good = material('npm-plain');
const evil = material('npm-parent');
const setuid = material('npm-setuid');

async function sideIn(t: { after(fn: () => Promise<void>): void }) {
  const folder = await memoryFolder(t);
  const world = testWorld(nodeFiles, folder);
  const home = `${folder}/in`;
  await createSide(nodeFiles, home, { site: 'high', purpose: 'one-person', clock: world.clock });
  const draft = testDraft(
    {
      ada: { key: sealer, roles: ['sealer'] },
      cat: { key: approver, roles: ['approver'] },
      dan: { key: root, roles: ['root'] },
    },
    { site: 'low' },
  );
  const rootPath = `${folder}/root`;
  await writeFile(rootPath, signedRoot(draft, [root.signer('dan')]));
  await writeFile(`${folder}/approver.key`, approver.private.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  let sequence = 0;
  return {
    folder,
    home,
    world,
    rootPath,
    async bundle(...parts: readonly Named[]): Promise<string> {
      sequence += 1;
      const lock = formatLock({ rows: parts.map(row) });
      const contents = parts.map(([bytes]) => bytes);
      const at = sequence;
      const bytes = await craftBundle(lock, contents, signers, { seal: (seal) => ({ ...seal, sequence: at }) });
      await writeFile(`${folder}/bundle${at}`, bytes);
      return `${folder}/bundle${at}`;
    },
    admit: (bundle: string, over: Partial<AdmitInput> = {}, files: Files = nodeFiles) =>
      admit.run({ bundle, home, root: rootPath, ...over }, { ...world, files }),
    rules: (text: string) => writeFile(`${home}/admission.yaml`, `sallyport-admission: "1.0"\n${text}`),
    async rest(): Promise<string[]> {
      const names = await readdir(home, { recursive: true });
      return names.filter((name) => !/^(?:ledger|refused)(?:\/|$)/.test(name)).sort();
    },
    async lastEntry(): Promise<{ readonly [key: string]: unknown }> {
      const ledger = await openLedger(nodeFiles, await openHome(nodeFiles, home), world.clock);
      let last = {};
      try {
        for await (const { happening } of ledger.records()) last = happening?.predicate ?? {};
      } finally {
        await ledger.close();
      }
      return last;
    },
  };
}

const codes = (answer: { reasons: readonly { code: string }[] }): string[] => answer.reasons.map(({ code }) => code);

test('ADM-16, ADM-17: one hostile package refuses all of the bundle, by its name; the rest is as it was', async (t) => {
  const side = await sideIn(t);
  const before = await side.rest();
  const answer = await side.admit(await side.bundle([good, {}], [evil, { name: 'evil', file: 'evil-1.0.0.tgz' }]));
  assert.equal(answer.verdict, 'refused');
  assert.deepEqual(answer.reasons[0], {
    code: 'examine.name-parent',
    where: 'npm evil 1.0.0 (evil-1.0.0.tgz)!package/../../evil',
    detail: answer.reasons[0]?.detail,
  });
  assert.deepEqual(await side.rest(), before);
  const kept = JSON.parse(await readFile(`${answer.evidence}/refusal.json`, 'utf8')) as { reasons: unknown };
  assert.deepEqual(kept.reasons, answer.reasons);
  assert.deepEqual((await side.lastEntry())['reasons'], answer.reasons);
});

test('ADM-16: what nobody unpacks is not opened, whatever its bytes are', async (t) => {
  const side = await sideIn(t);
  const half = gzipSync('x'.repeat(1000)).subarray(0, 20);
  const files = { ecosystem: 'files', version: '' };
  const answer = await side.admit(
    await side.bundle(
      [evil, { ...files, name: 'notes.txt', file: 'notes.txt' }],
      [half, { ecosystem: 'pypi', file: 'left-1.0-py3-none-any.whl.metadata' }],
      [Buffer.from('{"a":1,"a":2,"__proto__":{}}'), { ...files, name: 'data.json', file: 'data.json' }],
    ),
  );
  assert.deepEqual([answer.verdict, answer.figures.examined], ['admitted', 0]);
  const opened = await side.admit(await side.bundle([evil, { ...files, name: 'notes.tgz', file: 'notes.tgz' }]));
  assert.equal(opened.verdict, 'refused', 'its name promises an archive now');
});

test('ADM-18: what is neutralised comes in, and is named here and in the ledger', async (t) => {
  const side = await sideIn(t);
  const answer = await side.admit(await side.bundle([setuid, {}]));
  assert.deepEqual([answer.verdict, codes(answer)], ['admitted', ['examine.mode']]);
  assert.equal(answer.reasons[0]?.where, 'npm left 1.0.0 (left-1.0.0.tgz)!package/su');
  const { examined } = (await side.lastEntry()) as { examined: { rules: number; neutralised: { code: string }[] } };
  assert.deepEqual([examined.rules, examined.neutralised.map(({ code }) => code)], [RULES, ['examine.mode']]);
});

test('ADM-20: the rules of a site note a code, or let a content in that people looked at', async (t) => {
  const side = await sideIn(t);
  const bundle = await side.bundle([evil, {}]);
  await side.rules('contents: { note: [examine.name-windows] }\n');
  assert.equal((await side.admit(bundle)).verdict, 'refused');
  for (const wrong of [
    'contents: { note: [examine.time] }',
    'contents: { note: [examine.nothing] }',
    'contents: { note: [admit.older] }',
    'contents: { except: [abc] }',
    'contents: { allow: [] }',
  ]) {
    await side.rules(`${wrong}\n`);
    const said = await side.admit(bundle).catch((error: unknown) => (isFault(error) ? error.code : error));
    assert.equal(said, 'admit.policy', wrong);
  }
  await side.rules('contents: { note: [examine.name-parent] }\n');
  const noted = await side.admit(bundle);
  assert.deepEqual([noted.verdict, codes(noted)], ['admitted', ['examine.name-parent']]);
  const other = material('npm-hardlink');
  await side.rules(`contents: { except: ["${digestOf(other)}"] }\n`);
  const excepted = await side.admit(await side.bundle([other, {}]));
  assert.deepEqual([excepted.verdict, codes(excepted)], ['admitted', ['admit.excepted']]);
  const entry = (await side.lastEntry()) as { examined: { excepted: string[]; contents: number } };
  assert.deepEqual([entry.examined.excepted, entry.examined.contents], [[digestOf(other)], 0]);
});

test('ADM-22: what was found without fault is opened once under the same rules, and again as something else', async (t) => {
  const side = await sideIn(t);
  const note: Named = [Buffer.from('1'), { ecosystem: 'files', version: '', name: 'a.txt', file: 'a.txt' }];
  assert.equal((await side.admit(await side.bundle([good, {}], [setuid, { name: 'su' }]))).figures.examined, 2);
  const again = await side.admit(await side.bundle([good, {}], [setuid, { name: 'su' }], note));
  assert.deepEqual(
    [again.figures.examined, codes(again)],
    [1, ['examine.mode']],
    'what had a fault is looked at again',
  );
  const wheel = await side.admit(await side.bundle([good, { ecosystem: 'pypi', file: 'left-1.0-py3-none-any.whl' }]));
  assert.equal(wheel.verdict, 'refused', 'a good package of npm is no wheel');
  const database = openDatabase(`${side.home}/state.db`);
  assert.equal(database.examined(digestOf(good), 'npm', RULES), true);
  database.markExamined([{ digest: digestOf(good), as: 'npm' }], RULES - 1);
  database.close();
  assert.equal((await side.admit(await side.bundle([good, { name: 'more' }]))).figures.examined, 1);
});

test('ADM-23: a hostile bundle is refused before it is held, and what was held is judged again', async (t) => {
  const side = await sideIn(t);
  const before = await side.rest();
  const refused = await side.admit(await side.bundle([evil, {}]), { hold: true });
  assert.deepEqual([refused.verdict, codes(refused)[0]], ['refused', 'examine.name-parent']);
  assert.deepEqual(await side.rest(), before, 'nothing waits in quarantine');
  await side.rules(`contents: { except: ["${digestOf(evil)}"] }\n`);
  const held = await side.admit(await side.bundle([evil, {}]), { hold: true });
  assert.equal(held.verdict, 'held');
  assert.deepEqual(
    (await side.rest()).filter((name) => name.startsWith('quarantine')).length,
    4,
    'quarantine, held, its folder, the bundle: no content beside it',
  );
  await side.rules('');
  const { index } = held.bundle!;
  const input = { bundle: index, home: side.home, root: side.rootPath, key: [`${side.folder}/approver.key`] };
  const late = await approve.run(input, { ...side.world, files: nodeFiles });
  assert.deepEqual([late.verdict, codes(late)[0]], ['refused', 'examine.name-parent'], 'by the rules of this moment');
});

test('HC-25: a held bundle that changes in quarantine is judged by what it is now', async (t) => {
  const side = await sideIn(t);
  const held = await side.admit(await side.bundle([good, {}]), { hold: true });
  const path = `${held.held}/bundle`;
  const bytes = await readFile(path);
  bytes[bytes.indexOf(good.subarray(20, 60))]! ^= 1;
  await nodeFiles.remove(path);
  await writeFile(path, bytes);
  const input = {
    bundle: held.bundle!.index,
    home: side.home,
    root: side.rootPath,
    key: [`${side.folder}/approver.key`],
  };
  const answer = await approve.run(input, { ...side.world, files: nodeFiles });
  assert.deepEqual([answer.verdict, codes(answer)], ['refused', ['bundle.digest']]);
});

test('a quarantine that cannot be read back is a fault, and nothing comes in', async (t) => {
  const side = await sideIn(t);
  const files: Files = {
    ...nodeFiles,
    async open(path, flags, options) {
      const handle = await nodeFiles.open(path, flags, options);
      if (flags !== 'r' || !path.includes('/quarantine/')) return handle;
      return { ...handle, read: () => Promise.reject(Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })) };
    },
  };
  const bundle = await side.bundle([good, {}]);
  const before = await side.rest();
  const said = await side.admit(bundle, {}, files).catch((error: unknown) => (isFault(error) ? error.code : error));
  assert.equal(said, 'examine.read');
  assert.deepEqual(await side.rest(), before);
  assert.equal((await side.admit(bundle)).verdict, 'admitted');
});
