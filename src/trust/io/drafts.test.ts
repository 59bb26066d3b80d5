import assert from 'node:assert/strict';
import { copyFile, cp, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fault, type Files } from '#kernel';
import { fixedClock, testWorld } from '#kernel/testing';
import { nodeFiles } from '#system';
import { faultyFiles, temporaryFolder } from '#system/testing';
import { encodeDraft, parseDraft, progressOf } from '../draft.ts';
import { ROOT_PAYLOAD_TYPE } from '../root.ts';
import { memoryAppender, testKey, unflushed } from '../testing/index.ts';
import { keyNewVerb } from '../verbs/key-new.ts';
import { proposeVerb, revokeVerb, rotateVerb } from '../verbs/propose.ts';
import { showVerb } from '../verbs/show.ts';
import { signVerb } from '../verbs/sign.ts';
import { type Acceptance, acceptDraft, readDraft } from './drafts.ts';
import { effectiveRoot, ownRoot, pinRoot, readPinned, readRoots } from './roots.ts';
import { createSide, type Side } from './side.ts';

const clock = fixedClock();
const disk = unflushed(nodeFiles);
const code = (expected: string) => (error: unknown) => error instanceof Fault && error.code === expected;
const style = { bold: String, dim: String, good: String, bad: String, warn: String, width: 100 };

interface Story {
  readonly folder: string;
  readonly side: Side;
  readonly world: ReturnType<typeof testWorld>;
}

/** A side of one person, keys of Ada, Ben and Cat, and the unsigned draft `two` in which they share it. */
async function story(t: { after(fn: () => Promise<void>): void }): Promise<Story> {
  const folder = await temporaryFolder(t);
  const side = await createSide(disk, `${folder}/out`, { site: 'low', purpose: 'one-person', clock });
  const world = testWorld(disk, folder);
  for (const holder of ['Ada', 'Ben', 'Cat']) await keyNewVerb.run({ file: `${holder}.key`, holder }, world);
  await proposeVerb.run(
    {
      out: 'two',
      home: 'out',
      add: ['Ada', 'Ben', 'Cat'].map((holder) => `${holder}.key.pub.json`),
      role: ['root', 'Ada=root,sealer', 'Ben=root,sealer', 'low=ledger'],
      threshold: ['root=2'],
      custody: 'shared',
    },
    world,
  );
  return { folder, side, world };
}

const accept = (home: string, draft: string, ledger = memoryAppender(), files: Files = disk): Promise<Acceptance> =>
  acceptDraft(files, home, draft, { now: clock.now(), ledger: async () => ledger });

const codes = ({ verdict, reasons }: Acceptance): string[] => [verdict, ...reasons.map((reason) => reason.code)];

test('DRAFT-1: a draft gathers signatures on several machines, and is taken when both roots have enough', async (t) => {
  const { folder, world, side } = await story(t);
  const home = `${folder}/out`;
  const draft = `${folder}/two`;
  assert.deepEqual(codes(await accept(home, draft)), ['refused', 'trust.root-not-succeeded', 'trust.root-unsigned']);
  await copyFile(draft, `${folder}/copy`);
  const mine = await signVerb.run({ draft: ['two'], key: ['out/keys/sealer.key', 'Ada.key'] }, world);
  assert.deepEqual([mine.added.length, mine.signatures.previous?.enough, mine.signatures.ready], [2, true, false]);
  assert.deepEqual(codes(await accept(home, draft)), ['refused', 'trust.root-unsigned']);
  assert.equal((await signVerb.run({ draft: ['two'], key: ['Ada.key'] }, world)).added.length, 0, 'once is enough');
  await signVerb.run({ draft: ['copy'], key: ['Ben.key'] }, world);
  assert.deepEqual(codes(await accept(home, `${folder}/copy`)), [
    'refused',
    'trust.root-not-succeeded',
    'trust.root-unsigned',
  ]);
  const merged = await signVerb.run({ draft: ['two', 'copy'] }, world);
  assert.deepEqual(
    [merged.changed, merged.signatures.own.signed, merged.signatures.ready],
    [true, ['Ada', 'Ben'], true],
  );
  const shown = await showVerb.run({ file: 'two' }, world);
  assert.equal(shown.signatures?.ready, true);
  assert.match(showVerb.show(shown, style), /2 of 2 holders of version 2 signed: Ada, Ben/);
  const ledger = memoryAppender();
  const taken = await accept(home, draft, ledger);
  assert.deepEqual(
    [codes(taken), taken.root.path, taken.ledger?.size],
    [['accepted'], `${home}/trust/root.2.dsse.json`, 1],
  );
  const [entry] = ledger.happenings;
  assert.equal(entry?.predicateType, 'sallyport/root-rotated/v1');
  assert.deepEqual(entry?.predicate['signed'], { previous: ['low'], own: ['Ada', 'Ben'] });
  assert.deepEqual(entry?.predicate['previous'], { version: 1, fingerprint: side.fingerprint });
  assert.equal((await ownRoot(disk, home)).root.version, 2);
  assert.deepEqual(codes(await accept(home, draft, ledger)), ['already-here']);
  assert.equal(ledger.happenings.length, 1);
  const own = await showVerb.run({ home: 'out' }, world);
  assert.deepEqual(
    own.chain.map(({ version }) => version),
    [1, 2],
  );
});

test('DRAFT-2: keys of nobody, other drafts, what is no draft', async (t) => {
  const { folder, world } = await story(t);
  await keyNewVerb.run({ file: 'Eve.key', holder: 'Eve' }, world);
  await assert.rejects(signVerb.run({ draft: ['two'], key: ['Eve.key'] }, world), code('trust.key-not-of-root'));
  await proposeVerb.run({ out: 'other', home: 'out', expires: '2028-01-01' }, world);
  await assert.rejects(signVerb.run({ draft: ['two', 'other'] }, world), code('trust.drafts-differ'));
  await assert.rejects(proposeVerb.run({ out: 'two', home: 'out' }, world), code('trust.draft-exists'));
  const text = await readFile(`${folder}/two`, 'utf8');
  const document = JSON.parse(text) as Record<string, unknown>;
  const sig = { keyid: (await showVerb.run({ home: 'out' }, world)).holders[0]?.keys[0]?.keyid, sig: 'AAAA' };
  const bad: readonly (string | Record<string, unknown>)[] = [
    '',
    '[]',
    text.replace('{', '{"payload":"",'),
    { ...document, 'sallyport-draft': '2.0' },
    { ...document, previous: 'AAAA' },
    { ...document, previous: undefined },
    { ...document, payload: 'e30=' },
    { ...document, payload: '!' },
    { ...document, payloadType: 'application/x' },
    { ...document, signatures: 7 },
    { ...document, signatures: [sig] },
    {
      ...document,
      signatures: [
        { keyid: 'x', sig: 'AA==' },
        { keyid: 'x', sig: 'AA==' },
      ],
    },
  ];
  for (const content of bad) {
    await writeFile(`${folder}/bad`, typeof content === 'string' ? content : JSON.stringify(content));
    await assert.rejects(
      readDraft(disk, `${folder}/bad`),
      code('trust.not-a-draft'),
      JSON.stringify(content).slice(0, 80),
    );
  }
  await assert.rejects(readDraft(disk, `${folder}/none`), code('trust.not-a-draft'));
  await assert.rejects(readDraft(disk, '/dev/null'), code('trust.not-a-draft'));
  const read = parseDraft(Buffer.from(text));
  assert.ok(typeof read !== 'string');
  assert.equal(Buffer.from(encodeDraft(read)).toString(), text, 'one draft, one text');
});

test('DRAFT-3: what a draft says of the root before decides nothing', async (t) => {
  const { folder, world } = await story(t);
  const eve = await createSide(disk, `${folder}/eve`, { site: 'low', purpose: 'one-person', clock });
  await proposeVerb.run({ out: 'forged', home: 'eve', custody: 'one-person' }, world);
  await signVerb.run({ draft: ['forged'], key: ['eve/keys/sealer.key'] }, world);
  assert.equal((await showVerb.run({ file: 'forged' }, world)).signatures?.ready, true, 'for her own side it is');
  const refused = await accept(`${folder}/out`, `${folder}/forged`);
  assert.deepEqual(codes(refused), ['refused', 'trust.root-not-succeeded']);
  assert.equal((await accept(eve.home.path, `${folder}/forged`)).verdict, 'accepted');
  const back = await accept(`${folder}/out`, eve.rootPath);
  assert.deepEqual(codes(back), ['refused', 'trust.foreign-root']);
});

test('DRAFT-4: expired, and a jump of versions', async (t) => {
  const { folder, world } = await story(t);
  const home = `${folder}/out`;
  await proposeVerb.run({ out: 'short', home: 'out', expires: '2026-12-01' }, world);
  await signVerb.run({ draft: ['short'], key: ['out/keys/sealer.key'] }, world);
  const late = { now: Date.parse('2027-01-01T00:00:00Z'), ledger: () => assert.fail('nothing is recorded') };
  assert.deepEqual(codes(await acceptDraft(disk, home, `${folder}/short`, late)), ['refused', 'trust.root-expired']);
  await cp(home, `${folder}/ahead`, { recursive: true });
  assert.equal((await accept(`${folder}/ahead`, `${folder}/short`)).verdict, 'accepted');
  await proposeVerb.run({ out: 'three', home: 'ahead' }, world);
  await signVerb.run({ draft: ['three'], key: ['out/keys/sealer.key'] }, world);
  assert.deepEqual(codes(await accept(home, `${folder}/three`)), ['refused', 'trust.root-gap']);
});

test('DRAFT-5: a side that pinned another root: own drafts go to trust/own, roots of the pinned chain to trust', async (t) => {
  const { folder, world, side } = await story(t);
  await createSide(disk, `${folder}/in`, { site: 'high', purpose: 'one-person', clock });
  const home = `${folder}/in`;
  const pin = {
    now: clock.now(),
    expected: side.fingerprint,
    ask: async () => '',
    ledger: async () => memoryAppender(),
  };
  await pinRoot(disk, home, side.rootPath, pin);
  await proposeVerb.run({ out: 'high2', home: 'in' }, world);
  await signVerb.run({ draft: ['high2'], key: ['in/keys/sealer.key'] }, world);
  assert.equal((await accept(home, `${folder}/high2`)).root.path, `${home}/trust/own/root.2.dsse.json`);
  assert.deepEqual([(await ownRoot(disk, home)).root.version, (await effectiveRoot(disk, home)).root.version], [2, 1]);
  await signVerb.run({ draft: ['two'], key: ['out/keys/sealer.key', 'Ada.key', 'Ben.key'] }, world);
  const taken = await accept(home, `${folder}/two`);
  assert.deepEqual([codes(taken), taken.root.path], [['accepted'], `${home}/trust/root.2.dsse.json`]);
  assert.equal((await effectiveRoot(disk, home)).fingerprint, taken.root.fingerprint);
  // A side that pinned its own root has one chain, in both places.
  await pinRoot(disk, side.home, side.rootPath, pin);
  assert.equal((await accept(side.home.path, `${folder}/two`)).verdict, 'accepted');
  assert.equal((await ownRoot(disk, side.home)).root.version, 2);
  assert.equal((await readPinned(disk, side.home))?.root.version, 2);
  assert.equal((await accept(side.home.path, `${folder}/two`)).verdict, 'already-here');
});

test('DRAFT-6: two at once are one entry and one root', async (t) => {
  const { folder, world } = await story(t);
  await signVerb.run({ draft: ['two'], key: ['out/keys/sealer.key', 'Ada.key', 'Ben.key'] }, world);
  const home = `${folder}/out`;
  const ledger = memoryAppender();
  const late = await acceptDraft(disk, home, `${folder}/two`, {
    now: clock.now(),
    ledger: async () => {
      await accept(home, `${folder}/two`);
      return ledger;
    },
  });
  assert.deepEqual([late.verdict, ledger.happenings.length], ['already-here', 0]);
});

test('DRAFT-7: cut short at every touch of the disk: the old root or the new one with its entry, and a second run ends it', async (t) => {
  const { folder, world, side } = await story(t);
  await signVerb.run({ draft: ['two'], key: ['out/keys/sealer.key', 'Ada.key', 'Ben.key'] }, world);
  const pin = {
    now: clock.now(),
    expected: side.fingerprint,
    ask: async () => '',
    ledger: async () => memoryAppender(),
  };
  // With its own root pinned there are two places to write.
  await pinRoot(disk, side.home, side.rootPath, pin);
  await cp(side.home.path, `${folder}/count`, { recursive: true });
  const counting = faultyFiles(disk, { failAt: 0, mode: 'error' });
  await accept(`${folder}/count`, `${folder}/two`, memoryAppender(), counting);
  assert.ok(counting.calls() > 30, `${counting.calls()} calls`);
  for (const mode of ['error', 'crash'] as const) {
    for (let failAt = 1; failAt <= counting.calls(); failAt++) {
      const home = `${folder}/${mode}-${failAt}`;
      await cp(side.home.path, home, { recursive: true });
      const ledger = memoryAppender();
      const files = faultyFiles(disk, { failAt, mode, torn: true });
      await accept(home, `${folder}/two`, ledger, files).catch(() => undefined);
      const between = (await readRoots(disk, home)).length;
      if (between === 2)
        assert.equal(ledger.happenings.length, 1, `never a root without an entry: ${mode} at ${failAt}`);
      assert.notEqual((await accept(home, `${folder}/two`)).verdict, 'refused');
      assert.equal((await ownRoot(disk, home)).root.version, 2);
      assert.equal((await effectiveRoot(disk, home)).root.version, 2, `${mode} at ${failAt}`);
    }
  }
});

test('DRAFT-7: a draft that is signed keeps its signatures whatever the disk does', async (t) => {
  const { folder, world } = await story(t);
  await signVerb.run({ draft: ['two'], key: ['Ada.key'] }, world);
  const counting = faultyFiles(disk, { failAt: 0, mode: 'error' });
  await copyFile(`${folder}/two`, `${folder}/count`);
  await signVerb.run({ draft: ['count'], key: ['Ben.key'] }, { ...world, files: counting });
  await proposeVerb.run({ out: 'propose', home: 'out' }, { ...world, files: counting });
  for (let failAt = 1; failAt <= counting.calls(); failAt++) {
    const name = `cut-${failAt}`;
    await copyFile(`${folder}/two`, `${folder}/${name}`);
    const files = faultyFiles(disk, { failAt, mode: 'crash', torn: true });
    await signVerb.run({ draft: [name], key: ['Ben.key'] }, { ...world, files }).catch(() => undefined);
    assert.ok((await readDraft(disk, `${folder}/${name}`)).signatures.length >= 1);
    assert.equal((await signVerb.run({ draft: [name], key: ['Ben.key'] }, world)).signatures.own.signed.length, 2);
    const made = `made-${failAt}`;
    const cut = faultyFiles(disk, { failAt, mode: 'crash', torn: true });
    await proposeVerb.run({ out: made, home: 'out' }, { ...world, files: cut }).catch(() => undefined);
    if ((await disk.look(`${folder}/${made}`)) === undefined) await proposeVerb.run({ out: made, home: 'out' }, world);
    assert.equal((await readDraft(disk, `${folder}/${made}`)).root.version, 2);
  }
});

test('rotate and revoke: drafts for the usual cases', async (t) => {
  const { folder, world } = await story(t);
  await signVerb.run({ draft: ['two'], key: ['out/keys/sealer.key', 'Ada.key', 'Ben.key'] }, world);
  await accept(`${folder}/out`, `${folder}/two`);
  await keyNewVerb.run({ file: 'ada2.key', holder: 'Ada', algorithm: 'ml-dsa-65' }, world);
  const rotated = await rotateVerb.run({ out: 'r3', home: 'out', holder: 'Ada', add: ['ada2.key.pub.json'] }, world);
  assert.equal(rotated.root.version, 3);
  assert.deepEqual((await showVerb.run({ file: 'r3' }, world)).revoked, []);
  await rotateVerb.run({ out: 'lost', home: 'out', holder: 'Ada', add: ['ada2.key.pub.json'], reason: 'lost' }, world);
  const lost = await showVerb.run({ file: 'lost' }, world);
  assert.deepEqual(
    [lost.revoked[0]?.reason, lost.holders.find(({ name }) => name === 'Ada')?.roles],
    ['lost', ['root', 'sealer']],
  );
  await revokeVerb.run({ out: 'gone', home: 'out', who: ['Ben'], reason: 'left' }, world);
  const gone = await showVerb.run({ file: 'gone' }, world);
  assert.deepEqual([gone.holders.some(({ name }) => name === 'Ben'), gone.revoked[0]?.reason], [false, 'left']);
  assert.match(showVerb.show(gone, style), /revoked +[0-9a-f]{64}/);
  const wrong = (holder: string) =>
    rotateVerb.run({ out: 'x', home: 'out', holder, add: ['ada2.key.pub.json'] }, world);
  await assert.rejects(wrong('Ben'), code('trust.proposal'));
  await assert.rejects(wrong('Zoe'), code('trust.proposal'));
});

test('a root that says more than this Sallyport knows is not written again', async (t) => {
  const { folder, world, side } = await story(t);
  const { signWith } = await import('../algorithm.ts');
  const { readPrivateKey } = await import('./keys.ts');
  const { pae, encodeEnvelope } = await import('#formats');
  const payload = Buffer.from(
    Buffer.from(JSON.parse(await readFile(side.rootPath, 'utf8')).payload as string, 'base64')
      .toString()
      .replace('"critical"', '"later": 1, "critical"'),
  );
  const key = await readPrivateKey(disk, `${folder}/out/keys/sealer.key`);
  const sig = signWith('ed25519', key.private, pae(ROOT_PAYLOAD_TYPE, payload));
  const bytes = encodeEnvelope({ payloadType: ROOT_PAYLOAD_TYPE, payload, signatures: [{ keyid: key.keyid, sig }] });
  await writeFile(side.rootPath, bytes);
  assert.equal((await ownRoot(disk, `${folder}/out`)).root.version, 1);
  await assert.rejects(proposeVerb.run({ out: 'x', home: 'out' }, world), code('trust.proposal'));
  assert.ok(testKey());
});

test('DRAFT-4: a rehearsal’s root stays one', async (t) => {
  const folder = await temporaryFolder(t);
  await createSide(disk, `${folder}/play`, { site: 'play', purpose: 'rehearsal', clock });
  const world = testWorld(disk, folder);
  const shared = { out: 'no', home: 'play', custody: 'shared' } as const;
  await assert.rejects(proposeVerb.run(shared, world), code('trust.proposal'));
  const made = await proposeVerb.run({ out: 'two', home: 'play' }, world);
  assert.equal(made.custody, 'rehearsal');
  await signVerb.run({ draft: ['two'], key: ['play/keys/sealer.key'] }, world);
  assert.equal((await accept(`${folder}/play`, `${folder}/two`)).verdict, 'accepted');
});

test('DRAFT-2: any bytes are a draft or a sentence, and a changed draft signs nothing new', async (t) => {
  const { folder, world } = await story(t);
  await signVerb.run({ draft: ['two'], key: ['Ada.key'] }, world);
  const good = await readFile(`${folder}/two`);
  const whole = parseDraft(good);
  assert.ok(typeof whole !== 'string');
  const place = fc.nat(good.length - 1);
  const changed = fc.tuple(place, fc.integer({ min: 1, max: 255 })).map(([at, by]) => {
    const bytes = Buffer.from(good);
    bytes[at] = (bytes[at] ?? 0) ^ by;
    return bytes;
  });
  const cut = place.map((at) => good.subarray(0, at));
  fc.assert(
    fc.property(fc.oneof(changed, cut, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      const read = parseDraft(bytes);
      if (typeof read === 'string') return assert.notEqual(read, '');
      // What is left to change without notice is not signed: the name of a key, the file of the root before.
      assert.ok(progressOf(read.root, read).signed.every((name) => name === 'Ada'));
      if (read.root.fingerprint !== whole.root.fingerprint) assert.deepEqual(progressOf(read.root, read).signed, []);
    }),
    { numRuns: 400 },
  );
});
