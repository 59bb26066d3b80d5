import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { memoryFolder } from '#bundle/testing';
import { examinePath } from '#gate';
import { classes, hostileCorpus, layOut } from '#gate/testing';
import { ledgerVerify } from '#ledger/operations';
import { forgerySigner } from '#ledger/testing';
import { nodeFiles, systemClock } from '#system';
import { atDoor, bundleWith, contentRoot, logCases, standsFor, wholeCorpus } from './corpus.ts';
import { sallyport } from '../../scripts/sallyport.ts';
import { crossings } from './crossings.ts';
import { type Inside, insideAt, put } from './side.ts';

// The hostile corpus before the doors: `examine` for everything, and for what crosses the real `admit` or
// `ledger verify`. What is refused leaves nothing but an entry in the ledger and its evidence.

const world = { files: nodeFiles, clock: systemClock, signal: new AbortController().signal };

test('all 27 classes have cases, one case in ten is harmless, and each says what it stands for', () => {
  const wanted = Array.from({ length: 27 }, (_, at) => `HC-${String(at + 1).padStart(2, '0')}`);
  const found = new Set(wholeCorpus.map(({ id }) => id));
  assert.deepEqual(Object.keys(classes), [...wanted, 'control']);
  assert.deepEqual([...found].sort(), [...wanted, 'control']);
  assert.equal(new Set(wholeCorpus.map(({ name }) => name)).size, wholeCorpus.length);
  const controls = wholeCorpus.filter(({ id }) => id === 'control');
  assert.ok(wholeCorpus.length >= 250);
  assert.ok(controls.length * 10 >= wholeCorpus.length, `${controls.length} of ${wholeCorpus.length}`);
  for (const one of wholeCorpus) {
    assert.notEqual(standsFor(one), '', one.name);
    assert.match(one.cve, /^(?:(?:(?:CVE|GO)-\d{4}-\d{4,7})(?:, |$))*$/, one.name);
    assert.equal(one.id === 'control', one.expect === 'accept' && !/^tar-file-2-3[13]$/.test(one.name), one.name);
  }
});

/** What a refusal may leave: its entry, and evidence that is kept by name. */
async function refusedCleanly(
  inside: Inside,
  act: () => ReturnType<Inside['admit']>,
  codes: readonly string[],
  entries: number,
): Promise<void> {
  const before = await inside.rest();
  const answer = await act();
  const said = JSON.stringify(answer.reasons);
  assert.equal(answer.verdict, 'refused', said);
  for (const code of codes)
    assert.ok(
      answer.reasons.some((reason) => reason.code === code),
      `${code}: ${said}`,
    );
  assert.deepEqual(await inside.rest(), before, 'store, database, trust and quarantine are as they were');
  assert.equal(answer.ledger.size, entries + 1);
  const kept = JSON.parse(await readFile(`${answer.evidence}/refusal.json`, 'utf8')) as { reasons: unknown };
  assert.deepEqual(kept.reasons, answer.reasons, 'the evidence says why');
}

test('contents: what a hostile upstream had packed is refused or neutralised by name', async (t) => {
  const folder = await memoryFolder(t);
  const root = await put(`${folder}/root.dsse.json`, contentRoot);
  const refusing = await insideAt(folder, 'refusing');
  let fresh = 0;
  let refusals = 0;
  for (const hostile of hostileCorpus) {
    const bytes = await bundleWith(hostile);
    const door = atDoor(hostile);
    if (bytes === undefined || door === undefined) continue;
    await t.test(`${hostile.id} ${hostile.name}`, async () => {
      const bundle = await put(`${folder}/bundle`, bytes);
      if (door.expect === 'refuse') {
        await refusedCleanly(refusing, () => refusing.admit({ bundle, root }), hostile.codes, refusals);
        refusals += 1;
        return;
      }
      const inside = await insideAt(folder, `in${fresh++}`);
      const answer = await inside.admit({ bundle, root });
      const said = JSON.stringify(answer.reasons);
      assert.equal(answer.verdict, 'admitted', said);
      const named = door.expect === 'neutralised' || door.because?.includes('noted') === true;
      assert.deepEqual(new Set(answer.reasons.map(({ code }) => code)), new Set(named ? hostile.codes : []), said);
      await rm(inside.home, { recursive: true });
    });
  }
  assert.ok(refusals > 250);
  assert.equal(await refusing.entries(), refusals, 'every refusal is in the ledger, and nothing else');
});

test('bundles: what is wrong with seals, roots, proofs and numbers is refused by name', async (t) => {
  const folder = await memoryFolder(t);
  for (const [number, crossing] of crossings.entries()) {
    await t.test(`${crossing.id} ${crossing.name}`, async () => {
      const at = join(folder, String(number));
      await mkdir(at);
      const { bundle, root, before = [], rules, prepare, input = {}, world: over } = await crossing.make(at);
      const inside = await insideAt(at);
      if (rules !== undefined) {
        await writeFile(`${inside.home}/admission.yaml`, `sallyport-admission: "1.0"\n${rules}`);
      }
      for (const earlier of before) {
        assert.equal((await inside.admit({ bundle: earlier, root })).verdict, 'admitted', earlier);
      }
      await prepare?.(inside);
      const look = await examinePath(bundle, undefined, world);
      assert.ok(['accept', 'neutralised', 'refuse'].includes(look.verdict), 'it is judged as a file too');
      const act = () => inside.admit({ bundle, root, ...input }, over);
      if (crossing.expect === 'refuse') {
        const entries = await inside.entries();
        await refusedCleanly(inside, act, crossing.codes, entries);
        assert.equal(await inside.entries(), entries + 1);
      } else {
        const answer = await act();
        const said = JSON.stringify(answer.reasons);
        assert.equal(answer.verdict, crossing.verdict ?? 'admitted', said);
        for (const code of crossing.codes)
          assert.ok(
            answer.reasons.some((reason) => reason.code === code),
            said,
          );
      }
      await rm(at, { recursive: true });
    });
  }
});

test('logs: what no signature covers is refused by name, and the folder is only read', async (t) => {
  const folder = await memoryFolder(t);
  const vkey = await put(join(folder, 'log.vkey'), `${forgerySigner.vkey}\n`);
  const { run, exit } = await ledgerVerify.load();
  const { world: inWorld } = await insideAt(folder);
  for (const { id, name, expect, codes, make } of logCases) {
    await t.test(`${id} ${name}`, async () => {
      const at = join(folder, 'log');
      await make(at);
      const names = await readdir(at, { recursive: true });
      const answer = await run({ folder: at, vkey }, inWorld);
      const said = JSON.stringify(answer.reasons);
      assert.equal(answer.verdict, expect === 'accept' ? 'verified' : 'unverified', said);
      assert.equal(exit(answer), expect === 'accept' ? 0 : 1);
      for (const code of codes)
        assert.ok(
          answer.reasons.some((reason) => reason.code === code),
          `${code}: ${said}`,
        );
      await examinePath(at, undefined, world);
      assert.deepEqual(await readdir(at, { recursive: true }), names);
      for (const left of [at, `${at}.outside`]) await rm(left, { recursive: true, force: true });
    });
  }
});

test('one of each class by the command itself: exit 1, one document, and the reason in it', async (t) => {
  const folder = await memoryFolder(t);
  const root = await put(`${folder}/root.dsse.json`, contentRoot);
  const vkey = await put(`${folder}/log.vkey`, `${forgerySigner.vkey}\n`);
  const refusing = await insideAt(folder, 'in');
  const first = <T extends { readonly id: string; readonly expect: string }>(all: readonly T[], id: string) =>
    all.find((one) => one.id === id && one.expect === 'refuse');
  for (const id of Object.keys(classes)) {
    if (id === 'control') continue;
    await t.test(id, async () => {
      const hostile = hostileCorpus.find(
        (one) => one.id === id && one.expect === 'refuse' && atDoor(one)?.expect === 'refuse',
      );
      const crossing = first(crossings, id);
      const log = first(logCases, id);
      const alone = first(hostileCorpus, id);
      let words: readonly string[];
      let codes: readonly string[];
      if (hostile !== undefined) {
        const bundle = await put(`${folder}/bundle`, (await bundleWith(hostile)) ?? '');
        words = ['admit', bundle, '--root', root, '--home', refusing.home];
        codes = hostile.codes;
      } else if (log !== undefined) {
        await log.make(join(folder, 'log'));
        words = ['ledger', 'verify', join(folder, 'log'), '--vkey', vkey];
        codes = log.codes;
      } else if (crossing !== undefined && crossing.id !== 'HC-25') {
        const at = join(folder, id);
        await mkdir(at);
        const { bundle, root: rootFile, before = [], rules, prepare, input } = await crossing.make(at);
        const inside = await insideAt(at);
        if (rules !== undefined)
          await writeFile(`${inside.home}/admission.yaml`, `sallyport-admission: "1.0"\n${rules}`);
        for (const earlier of before) await inside.admit({ bundle: earlier, root: rootFile });
        await prepare?.(inside);
        const scans = (input?.scan ?? []).flatMap((one) => ['--scan', one]);
        words = ['admit', bundle, '--root', rootFile, '--home', inside.home, ...scans];
        codes = crossing.codes;
      } else if (id === 'HC-05') {
        // Nothing of this class refuses: it is dropped, and said.
        const dropped = hostileCorpus.find((one) => one.id === id)!;
        const ran = await sallyport(folder, ['examine', await layOut(folder, dropped), '--as', dropped.as, '--json']);
        assert.deepEqual([ran.code, ran.json.verdict], [0, 'neutralised']);
        return;
      } else if (alone !== undefined) {
        words = ['examine', await layOut(folder, alone), '--as', alone.as];
        codes = alone.codes;
      } else {
        assert.equal(id, 'HC-25');
        // A bit that changed on the way: what changes while it is read is for the test above.
        const at = join(folder, id);
        await mkdir(at);
        const changed = crossings.find(({ name }) => name === 'release-one-bit-of-a-blob')!;
        const { bundle, root: rootFile } = await changed.make(at);
        words = ['admit', bundle, '--root', rootFile, '--home', (await insideAt(at)).home];
        codes = changed.codes;
      }
      const { code, json } = await sallyport(folder, [...words, '--json']);
      const said = JSON.stringify(json.reasons);
      assert.equal(code, 1, said);
      assert.match(json.verdict, /^(?:refused?|unverified)$/);
      for (const due of codes) assert.ok(said.includes(`"${due}"`), `${due}: ${said}`);
    });
  }
});
