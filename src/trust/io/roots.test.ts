import assert from 'node:assert/strict';
import { cp, readFile, readdir, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Fault, type Files } from '#kernel';
import { fixedClock, testWorld } from '#kernel/testing';
import { nodeFiles } from '#system';
import { faultyFiles, temporaryFolder } from '#system/testing';
import { encodeRoot, ROOT_PAYLOAD_TYPE, type RootDraft } from '../root.ts';
import { signEnvelope } from '../signing.ts';
import { pinOutput, showOutput } from '../operations.ts';
import { pinVerb } from '../verbs/pin.ts';
import { showVerb } from '../verbs/show.ts';
import { memoryAppender, unflushed } from '../testing/index.ts';
import { sealersOf } from './keys.ts';
import { effectiveRoot, keepRoots, ownRoot, type Pinning, pinRoot, readPinned } from './roots.ts';
import { createSide, type Side } from './side.ts';

const clock = fixedClock();
const disk = unflushed(nodeFiles);
const code = (expected: string) => (error: unknown) => error instanceof Fault && error.code === expected;
const never = (): Promise<never> => assert.fail('nobody is to be asked');

async function twoSides(t: {
  after(fn: () => Promise<void>): void;
}): Promise<{ folder: string; outside: Side; inside: Side; home: string }> {
  const folder = await temporaryFolder(t);
  const outside = await createSide(disk, `${folder}/outside`, { site: 'outside', purpose: 'one-person', clock });
  const inside = await createSide(disk, `${folder}/inside`, { site: 'inside', purpose: 'one-person', clock });
  return { folder, outside, inside, home: `${folder}/inside` };
}

async function pin(home: string, side: Side, ledger = memoryAppender(), files: Files = disk): Promise<Pinning> {
  return pinRoot(files, home, side.rootPath, {
    now: clock.now(),
    expected: side.fingerprint,
    ask: never,
    ledger: async () => ledger,
  });
}

/** The next version of a side's root, as its holder would write it. */
async function nextRoot(side: Side, over: Partial<RootDraft> = {}): Promise<Uint8Array> {
  const { root, home } = side;
  const draft: RootDraft = {
    ...root,
    version: root.version + 1,
    holders: root.holders.map((holder) => ({ ...holder, require: Object.fromEntries(holder.require) })),
    roles: Object.fromEntries(root.roles),
    thresholds: Object.fromEntries(root.thresholds),
    ...over,
  };
  return signEnvelope(ROOT_PAYLOAD_TYPE, encodeRoot(draft), await sealersOf(disk, home));
}

test('PIN-1, PIN-4: pinning once: an entry in the ledger, the chain in trust/, the own root in trust/own/', async (t) => {
  const { outside, inside, home } = await twoSides(t);
  const ledger = memoryAppender();
  const pinning = await pin(home, outside, ledger);
  assert.equal(pinning.verdict, 'pinned');
  assert.deepEqual(pinning.ledger, { size: 1, root: 'AAAA' });
  assert.equal(ledger.happenings[0]?.predicateType, 'sallyport/pinned/v1');
  assert.equal(ledger.happenings[0]?.subject[0]?.digest.sha256, outside.fingerprint);
  assert.deepEqual(await readFile(`${home}/trust/root.1.dsse.json`), await readFile(outside.rootPath));
  assert.equal((await ownRoot(disk, home)).root.fingerprint, inside.fingerprint);
  const root = await effectiveRoot(disk, home);
  assert.deepEqual([root.pinned, root.fingerprint, root.refusal], [true, outside.fingerprint, undefined]);
  assert.equal((await sealersOf(disk, home)).length, 1, 'the side still seals with its own key');
});

test('PIN-1: the same root again is fine, another one is refused, and neither writes to the ledger', async (t) => {
  const { outside, inside, home } = await twoSides(t);
  await pin(home, outside);
  const ledger = memoryAppender();
  assert.equal((await pin(home, outside, ledger)).verdict, 'already-pinned');
  const own = { ...inside, rootPath: `${home}/trust/own/root.1.dsse.json` };
  const other = await pin(home, own, ledger);
  assert.equal(other.verdict, 'refused');
  assert.equal(other.reasons[0]?.code, 'trust.pinned-other');
  assert.equal(ledger.happenings.length, 0);
});

test('PIN-1: a fingerprint that differs, an expired root, a rehearsal’s root pin nothing', async (t) => {
  const { folder, outside, home } = await twoSides(t);
  const ledger = memoryAppender();
  const differs = await pin(home, { ...outside, fingerprint: '0'.repeat(64) }, ledger);
  assert.equal(differs.reasons[0]?.code, 'trust.fingerprint-differs');
  const late = await pinRoot(disk, home, outside.rootPath, {
    now: Date.parse('2040-01-01T00:00:00Z'),
    expected: outside.fingerprint,
    ask: never,
    ledger: async () => ledger,
  });
  assert.equal(late.reasons[0]?.code, 'trust.root-expired');
  const play = await createSide(disk, `${folder}/play`, { site: 'play', purpose: 'rehearsal', clock });
  assert.equal((await pin(home, play, ledger)).reasons[0]?.code, 'trust.rehearsal-root');
  assert.equal(ledger.happenings.length, 0);
  assert.equal(await readPinned(disk, home), undefined);
});

test('no file, no root: a Fault that says so', async (t) => {
  const { folder, outside, home } = await twoSides(t);
  await assert.rejects(pin(home, { ...outside, rootPath: `${folder}/none` }), code('trust.no-root'));
  await writeFile(`${folder}/junk`, 'junk');
  await assert.rejects(pin(home, { ...outside, rootPath: `${folder}/junk` }), code('trust.not-a-root'));
  await assert.rejects(pin(home, { ...outside, rootPath: folder }), code('trust.not-a-root'));
  for (const device of ['/dev/zero', '/dev/null']) {
    await assert.rejects(pin(home, { ...outside, rootPath: device }), code('trust.not-a-root'), device);
  }
  await writeFile(`${folder}/huge`, Buffer.alloc(5 * 1024 * 1024));
  await assert.rejects(pin(home, { ...outside, rootPath: `${folder}/huge` }), code('trust.not-a-root'));
});

test('PIN-1: of two pins at once, one counts', async (t) => {
  const { folder, outside, inside, home } = await twoSides(t);
  const third = await createSide(disk, `${folder}/third`, { site: 'third', purpose: 'one-person', clock });
  const ledger = memoryAppender();
  let waiting = 0;
  const both = Promise.withResolvers<void>();
  const slow = {
    ...ledger,
    async append(happening: Parameters<typeof ledger.append>[0]) {
      if (++waiting === 2) both.resolve();
      await both.promise;
      return ledger.append(happening);
    },
  };
  const verdicts = (await Promise.all([pin(home, outside, slow), pin(home, third, slow)])).map(
    ({ verdict }) => verdict,
  );
  assert.deepEqual(verdicts.sort(), ['pinned', 'refused']);
  assert.equal((await ownRoot(disk, home)).root.fingerprint, inside.fingerprint);
});

test('PIN-1: a pin that another process made while this one waited for the ledger', async (t) => {
  const { folder, outside, home } = await twoSides(t);
  const third = await createSide(disk, `${folder}/third`, { site: 'third', purpose: 'one-person', clock });
  const ledger = memoryAppender();
  const late = await pinRoot(disk, home, third.rootPath, {
    now: clock.now(),
    expected: third.fingerprint,
    ask: never,
    ledger: async () => {
      await pin(home, outside);
      return ledger;
    },
  });
  assert.deepEqual([late.verdict, late.reasons[0]?.code], ['refused', 'trust.pinned-other']);
  assert.equal(ledger.happenings.length, 0, 'no entry about a pin that is none');
});

test('PIN-4: own roots that a crash left beside the pinned chain are not of it', async (t) => {
  const { outside, inside, home } = await twoSides(t);
  const second = `${home}/trust/root.2.dsse.json`;
  const own = await nextRoot(inside);
  await writeFile(second, own);
  assert.equal((await ownRoot(disk, home)).root.version, 2);
  await pin(home, outside);
  await writeFile(second, own);
  assert.equal((await effectiveRoot(disk, home)).fingerprint, outside.fingerprint);
  assert.equal((await ownRoot(disk, home)).root.version, 2);
  await pin(home, outside);
  assert.equal((await readdir(`${home}/trust`)).includes('root.2.dsse.json'), false);
});

test('PIN-3: --root on a pinned side must lie on its chain', async (t) => {
  const { folder, outside, inside, home } = await twoSides(t);
  await pin(home, outside);
  assert.equal((await effectiveRoot(disk, home, outside.rootPath)).refusal, undefined);
  const foreign = await effectiveRoot(disk, home, `${home}/trust/own/root.1.dsse.json`);
  assert.equal(foreign.refusal?.code, 'trust.foreign-root');
  assert.equal(foreign.fingerprint, outside.fingerprint, 'the pinned root stays the one that judges');
  assert.notEqual(foreign.fingerprint, inside.fingerprint);
  const second = `${folder}/root.2.dsse.json`;
  await writeFile(second, await nextRoot(outside));
  const newer = await effectiveRoot(disk, home, second);
  assert.deepEqual([newer.root.version, newer.chain.length, newer.refusal], [2, 2, undefined]);
  assert.equal((await effectiveRoot(disk, home)).root.version, 1, 'for this command only');
  await writeFile(second, await nextRoot(outside, { version: 3 }));
  assert.equal((await effectiveRoot(disk, home, second)).refusal?.code, 'trust.foreign-root', 'a gap');
});

test('PIN-3: newer roots that arrived are kept, and older ones then lie on the chain', async (t) => {
  const { outside, home } = await twoSides(t);
  const second = await nextRoot(outside);
  await keepRoots(disk, home, [second]);
  assert.equal((await readdir(`${home}/trust`)).includes('root.2.dsse.json'), false, 'nothing is pinned yet');
  await pin(home, outside);
  await keepRoots(disk, home, [await readFile(outside.rootPath), second]);
  const root = await effectiveRoot(disk, home);
  assert.equal(root.root.version, 2);
  assert.equal((await effectiveRoot(disk, home, outside.rootPath)).root.version, 2, 'the newest of the chain judges');
  assert.equal((await pin(home, outside)).verdict, 'already-pinned');
  assert.equal((await effectiveRoot(disk, home)).root.version, 2, 'and pinning again moves nothing back');
  await assert.rejects(keepRoots(disk, home, [await nextRoot(outside, { version: 9 })]), code('trust.chain-broken'));
});

test('PIN-5: a damaged pin is a Fault, never an unpinned side', async (t) => {
  const { outside, home } = await twoSides(t);
  await pin(home, outside);
  for (const text of ['', '{}', '{"root":"!!"}', '{"root":"AAAA"}']) {
    await writeFile(`${home}/trust/pinned.json`, text);
    await assert.rejects(effectiveRoot(disk, home), code('trust.chain-broken'), text);
    await assert.rejects(effectiveRoot(disk, home, outside.rootPath), code('trust.chain-broken'), text);
  }
});

test('PIN-4: cut short at every touch of the disk, the side is pinned or not, and a second run pins it', async (t) => {
  const { folder, outside, inside, home } = await twoSides(t);
  await cp(home, `${folder}/count`, { recursive: true });
  const counting = faultyFiles(disk, { failAt: 0, mode: 'error' });
  await pin(`${folder}/count`, outside, memoryAppender(), counting);
  const calls = counting.calls();
  assert.ok(calls > 20, `${calls} calls`);
  for (let failAt = 1; failAt <= calls; failAt++) {
    const copy = `${folder}/cut-${failAt}`;
    await cp(home, copy, { recursive: true });
    const ledger = memoryAppender();
    const files = faultyFiles(disk, { failAt, mode: 'crash', torn: true });
    await pin(copy, outside, ledger, files).catch(() => undefined);
    const between = await readPinned(disk, copy);
    if (between !== undefined) {
      assert.equal(between.root.fingerprint, outside.fingerprint);
      assert.equal(ledger.happenings.length, 1, 'never a pin without an entry');
    }
    assert.equal((await ownRoot(disk, copy)).root.fingerprint, inside.fingerprint, `cut at ${failAt}`);
    assert.equal((await sealersOf(disk, copy)).length, 1);
    assert.notEqual((await pin(copy, outside, memoryAppender(), disk)).verdict, 'refused');
    assert.equal((await effectiveRoot(disk, copy)).fingerprint, outside.fingerprint);
    assert.deepEqual(await readFile(`${copy}/trust/root.1.dsse.json`), await readFile(outside.rootPath));
  }
});

test('the verbs: show, pin with and without a person', async (t) => {
  const { folder, outside, inside } = await twoSides(t);
  const ledger = memoryAppender();
  const pinner = pinVerb(async () => ledger);
  const world = testWorld(disk, folder);
  const before = showOutput.parse(await showVerb.run({ home: 'inside' }, world));
  assert.deepEqual(before.root, { path: inside.rootPath, version: 1, fingerprint: inside.fingerprint });
  assert.deepEqual(
    [before.pinned, before.custody, before.site, before.ledger?.origin],
    [false, 'one-person', 'inside', inside.ledger.origin],
  );
  const input = { root: 'outside/trust/root.1.dsse.json', home: 'inside' };
  const usage = await pinner.run(input, world).catch((error: unknown) => error);
  assert.ok(usage instanceof Fault && usage.code === 'trust.fingerprint-needed' && usage.exit === 2);
  const form = await pinner.run({ ...input, fingerprint: 'abc' }, world).catch((error: unknown) => error);
  assert.ok(form instanceof Fault && form.code === 'trust.fingerprint-form' && form.exit === 2);
  const asked: string[] = [];
  const answering = (answer: string) => ({ ...world, ask: async (question: string) => (asked.push(question), answer) });
  const wrong = await pinner.run(input, answering('f'.repeat(64)));
  assert.deepEqual([wrong.verdict, pinner.exit(wrong)], ['refused', 1]);
  assert.ok(!asked.join('').includes(outside.fingerprint), 'the question does not give the answer away');
  const spaced = outside.fingerprint.toUpperCase().replace(/(.{8})/g, '$1 ');
  const right = pinOutput.parse(await pinner.run(input, answering(spaced)));
  assert.deepEqual([right.verdict, pinner.exit(right), right.ledger?.size], ['pinned', 0, 1]);
  const again = await pinner.run(input, world);
  assert.deepEqual([again.verdict, pinner.exit(again)], ['already-pinned', 0], 'the same one needs nobody');
  const after = showOutput.parse(await showVerb.run({ home: 'inside' }, world));
  assert.deepEqual(
    [after.pinned, after.root.fingerprint, after.own?.fingerprint],
    [true, outside.fingerprint, inside.fingerprint],
  );
  const style = { bold: String, dim: String, good: String, bad: String, warn: String, width: 100 };
  assert.match(showVerb.show(after, style), new RegExp(outside.fingerprint));
  assert.match(pinner.show(wrong, style), /trust\.fingerprint-differs/);
  await assert.rejects(showVerb.run({ home: 'nowhere' }, world), code('home.missing'));
});
