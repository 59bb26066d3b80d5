import assert from 'node:assert/strict';
import { copyFile, cp } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { test, type TestContext } from 'node:test';
import { decodeBase64, decodeEnvelope, isProblem } from '#formats';
import { Fault, type Files } from '#kernel';
import { fixedClock, testWorld } from '#kernel/testing';
import { nodeFiles } from '#system';
import { faultyFiles, temporaryFolder } from '#system/testing';
import { endOf, transcriptOf } from '../ceremony.ts';
import { memoryAppender, unflushed } from '../testing/index.ts';
import {
  abortVerb,
  attestVerb,
  closeVerb,
  confirmVerb,
  openVerb,
  recordVerb,
  signCeremonyVerb,
} from '../verbs/ceremony.ts';
import { keyNewVerb } from '../verbs/key-new.ts';
import { proposeVerb } from '../verbs/propose.ts';
import { machineFacts, readCeremony, recordCeremony } from './ceremonies.ts';
import { ownRoot, readRoots } from './roots.ts';
import { createSide } from './side.ts';

const clock = fixedClock();
const disk = unflushed(nodeFiles);
const code = (expected: string) => (error: unknown) => error instanceof Fault && error.code === expected;

async function story(t: TestContext, allowNetwork = true) {
  const folder = await temporaryFolder(t);
  const side = await createSide(disk, `${folder}/out`, { site: 'low', purpose: 'one-person', clock });
  const world = testWorld(disk, folder);
  for (const holder of ['Ada', 'Ben', 'Eve']) await keyNewVerb.run({ file: `${holder}.key`, holder }, world);
  await proposeVerb.run(
    {
      out: 'next',
      home: 'out',
      add: ['Ada', 'Ben'].map((holder) => `${holder}.key.pub.json`),
      role: ['Ada=root,sealer', 'Ben=root,sealer', 'low=root,ledger'],
      threshold: ['root=2'],
    },
    world,
  );
  const { root } = await openVerb.run(
    { draft: 'next', out: 'c', by: 'Ada', witness: ['Eve.key.pub.json'], allowNetwork },
    world,
  );
  return { folder, side, world, fingerprint: root.fingerprint };
}

const record = async (home: string, path: string, ledger = memoryAppender(), files: Files = disk) =>
  recordCeremony(files, home, path, await readCeremony(disk, path), { now: clock.now(), ledger: async () => ledger });

test('CER-5, CER-9: the fingerprint is typed, never copied; nothing is signed without it; the ledger has the transcript', async (t) => {
  const { folder, side, world, fingerprint } = await story(t);
  const sign = { file: 'c', key: ['out/keys/sealer.key', 'Ada.key', 'Ben.key'] };
  await assert.rejects(signCeremonyVerb.run(sign, world), code('trust.ceremony-step'));
  assert.equal((await readCeremony(disk, `${folder}/c`)).draft.signatures.length, 0);
  const asked: string[] = [];
  const person = {
    ...world,
    ask: async (question: string) => {
      asked.push(question);
      return fingerprint.toUpperCase().replace(/(.{4})/g, '$1 ');
    },
  };
  await confirmVerb.run({ file: 'c', who: 'ada' }, person);
  assert.equal(asked.length, 1);
  assert.ok(!(asked[0] ?? '').includes(fingerprint.slice(0, 8)));
  await assert.rejects(
    confirmVerb.run({ file: 'c', who: 'Ben', fingerprint: 'ab'.repeat(32) }, world),
    code('trust.ceremony-step'),
  );
  await assert.rejects(confirmVerb.run({ file: 'c', who: 'Ben' }, world), code('trust.fingerprint-needed'));
  await assert.rejects(confirmVerb.run({ file: 'c', who: 'Mallory', fingerprint }, world), code('trust.ceremony-step'));
  for (const who of ['low', 'Ben', 'Eve']) await confirmVerb.run({ file: 'c', who, fingerprint }, world);
  await assert.rejects(signCeremonyVerb.run({ file: 'c', key: ['Eve.key'] }, world), code('trust.key-not-of-root'));
  await signCeremonyVerb.run(sign, world);
  await assert.rejects(attestVerb.run({ file: 'c', key: ['Ada.key'] }, world), code('trust.ceremony-step'));
  const early = await record(side.home.path, `${folder}/c`);
  assert.equal(early.verdict, 'refused');
  await closeVerb.run({ file: 'c', by: 'Ada' }, world);
  await assert.rejects(
    attestVerb.run({ file: 'c', key: ['out/keys/ledger.key'] }, world),
    code('trust.ceremony-step'),
    'a key of the root, and not for it',
  );
  const ended = await attestVerb.run({ file: 'c', key: ['Ada.key', 'Ben.key', 'Eve.key'] }, world);
  assert.deepEqual([ended.attested, ended.unattested], [['Ada', 'Ben', 'Eve'], []]);
  const ledger = memoryAppender();
  const verb = recordVerb(async () => ledger);
  assert.equal((await verb.run({ file: 'c', home: 'out' }, world)).verdict, 'accepted');
  assert.equal((await verb.run({ file: 'c', home: 'out' }, world)).verdict, 'already-here');
  assert.equal(ledger.happenings.length, 1);
  const [entry] = ledger.happenings;
  const kept = entry?.predicate['ceremony'] as { transcript: string; attested: string[] };
  assert.deepEqual(kept.attested, ['Ada', 'Ben', 'Eve']);
  assert.equal(entry?.subject[1]?.digest.sha256, ended.transcript.sha256);
  const envelope = decodeEnvelope(decodeBase64(kept.transcript) ?? new Uint8Array());
  assert.ok(!isProblem(envelope));
  assert.equal(Buffer.from(envelope.payload).toString('utf8'), ended.transcript.text);
  assert.equal(envelope.signatures.length, 3);
});

test('CER-6: a machine with a network signs nothing where that is forbidden', async (t) => {
  const { world, fingerprint } = await story(t, false);
  const facts = machineFacts('1');
  const online = Object.values(networkInterfaces()).some((all) => (all ?? []).some(({ internal }) => !internal));
  assert.equal(facts.network.length > 0, online);
  const confirming = confirmVerb.run({ file: 'c', who: 'Ada', fingerprint }, world);
  if (online) await assert.rejects(confirming, code('trust.ceremony-online'));
  else await confirming;
});

test('cut short at every touch of the disk: the step was taken or not, and a second run takes it; so with abort', async (t) => {
  const { folder, world, fingerprint } = await story(t);
  for (const who of ['low', 'Ada', 'Eve']) await confirmVerb.run({ file: 'c', who, fingerprint }, world);
  const steps: readonly (readonly [string, (file: string, files: Files) => Promise<unknown>])[] = [
    ['confirm', (file, files) => confirmVerb.run({ file, who: 'Ben', fingerprint }, { ...world, files })],
    [
      'sign',
      (file, files) =>
        signCeremonyVerb.run({ file, key: ['out/keys/sealer.key', 'Ada.key', 'Ben.key'] }, { ...world, files }),
    ],
    ['close', (file, files) => closeVerb.run({ file, by: 'Ada' }, { ...world, files })],
    ['attest', (file, files) => attestVerb.run({ file, key: ['Ada.key', 'Ben.key', 'Eve.key'] }, { ...world, files })],
  ];
  for (const [name, take] of steps) {
    await copyFile(`${folder}/c`, `${folder}/count`);
    const counting = faultyFiles(disk, { failAt: 0, mode: 'error' });
    await take('count', counting);
    const [before, after] = [await readCeremony(disk, `${folder}/c`), await readCeremony(disk, `${folder}/count`)];
    for (let failAt = 1; failAt <= counting.calls(); failAt++) {
      await copyFile(`${folder}/c`, `${folder}/cut`);
      await take('cut', faultyFiles(disk, { failAt, mode: 'crash', torn: true })).catch(() => undefined);
      const left = await readCeremony(disk, `${folder}/cut`);
      assert.ok(
        [before, after].some((one) => one.steps.length === left.steps.length),
        `${name} at ${failAt}`,
      );
      // Whatever was left can be aborted, and what was cut short goes on.
      if (name !== 'attest' && endOf(left) === undefined) {
        await copyFile(`${folder}/cut`, `${folder}/aborted`);
        const gone = await abortVerb.run({ file: 'aborted', by: 'Eve', reason: 'the power failed' }, world);
        assert.equal(gone.state, 'aborted');
      }
      await take('cut', disk);
      const ended = await readCeremony(disk, `${folder}/cut`);
      assert.equal(transcriptOf(ended), transcriptOf(after), `${name} at ${failAt}`);
      assert.equal(ended.attestations.length, after.attestations.length);
    }
    await copyFile(`${folder}/count`, `${folder}/c`);
  }
});

test('cut short while it is recorded: the old root, or the new one with its transcript in the ledger', async (t) => {
  const { folder, side, world, fingerprint } = await story(t);
  for (const who of ['low', 'Ada', 'Ben', 'Eve']) await confirmVerb.run({ file: 'c', who, fingerprint }, world);
  await signCeremonyVerb.run({ file: 'c', key: ['out/keys/sealer.key', 'Ada.key', 'Ben.key'] }, world);
  await closeVerb.run({ file: 'c', by: 'Ada' }, world);
  await attestVerb.run({ file: 'c', key: ['Ada.key', 'Ben.key', 'Eve.key'] }, world);
  await cp(side.home.path, `${folder}/count`, { recursive: true });
  const counting = faultyFiles(disk, { failAt: 0, mode: 'error' });
  await record(`${folder}/count`, `${folder}/c`, memoryAppender(), counting);
  for (let failAt = 1; failAt <= counting.calls(); failAt++) {
    const home = `${folder}/cut-${failAt}`;
    await cp(side.home.path, home, { recursive: true });
    const ledger = memoryAppender();
    const files = faultyFiles(disk, { failAt, mode: 'crash', torn: true });
    await record(home, `${folder}/c`, ledger, files).catch(() => undefined);
    if ((await readRoots(disk, home)).length === 2) {
      assert.equal(ledger.happenings.length, 1, `never a root without its transcript: ${failAt}`);
      assert.ok(ledger.happenings[0]?.predicate['ceremony'] !== undefined);
    }
    assert.notEqual((await record(home, `${folder}/c`)).verdict, 'refused');
    assert.equal((await ownRoot(disk, home)).root.version, 2);
  }
});

test('what is no ceremony, what is there already, a draft that somebody signed before', async (t) => {
  const { folder, world } = await story(t);
  await assert.rejects(readCeremony(disk, `${folder}/next`), code('trust.not-a-ceremony'));
  await assert.rejects(readCeremony(disk, `${folder}/none`), code('trust.not-a-ceremony'));
  await assert.rejects(openVerb.run({ draft: 'next', out: 'c', by: 'Ada' }, world), code('trust.draft-exists'));
  const { signVerb } = await import('../verbs/sign.ts');
  await signVerb.run({ draft: ['next'], key: ['Ada.key'] }, world);
  await assert.rejects(openVerb.run({ draft: 'next', out: 'd', by: 'Ada' }, world), code('trust.ceremony-step'));
  const root = 'out/trust/root.1.dsse.json';
  await assert.rejects(openVerb.run({ draft: root, out: 'd', by: 'Ada' }, world), code('trust.ceremony-step'));
});
