import assert from 'node:assert/strict';
import {
  appendFile,
  chmod,
  copyFile,
  cp,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { seal } from '#bundle/operations';
import { craftBundle, endOfProcess, memoryFolder, type Outside, outsideWith } from '#bundle/testing';
import { type Digest, digestOf, type Files, instantOf, isFault, type World } from '#kernel';
import { isProblem, openNote, parseVkey } from '#formats';
import { openLedger, parseLedgerVkey, verifyLedger } from '#ledger';
import { openDatabase, openStore, type Store } from '#store';
import { nodeFiles, openHome } from '#system';
import { faultyFiles } from '#system/testing';
import { createSide, sealersOf } from '#trust';
import { admit } from './verbs/admit.ts';
import { clockResetVerb } from './verbs/clock-reset.ts';

type Admitted = Awaited<ReturnType<typeof admit.run>>;

interface InsideSide {
  readonly home: string;
  admit(bundle: string, over?: { root?: string | undefined; world?: Partial<World> }): Promise<Admitted>;
  store(): Promise<Store>;
  /** Names and digests of everything but ledger and evidence. */
  rest(): Promise<string[]>;
  ledgerHolds(): Promise<number>;
}

async function insideOf(outside: Outside, name = 'in', site = 'high'): Promise<InsideSide> {
  const options = { site, purpose: 'one-person', clock: outside.world.clock } as const;
  await createSide(nodeFiles, `${outside.folder}/${name}`, options);
  return sideAt(outside, name);
}

function sideAt(outside: Outside, name: string): InsideSide {
  const home = `${outside.folder}/${name}`;
  return {
    home,
    admit(bundle, over = {}) {
      const root = 'root' in over ? over.root : outside.root;
      return admit.run({ bundle, home, ...(root === undefined ? {} : { root }) }, { ...outside.world, ...over.world });
    },
    store: () => openStore(nodeFiles, home),
    async rest() {
      const found: string[] = [];
      for (const entry of await readdir(home, { recursive: true, withFileTypes: true })) {
        const path = `${entry.parentPath}/${entry.name}`;
        const relative = path.slice(home.length + 1);
        if (/^(ledger|refused)(\/|$)/.test(relative)) continue;
        found.push(entry.isFile() ? `${relative} ${digestOf(await readFile(path))}` : relative);
      }
      return found.sort();
    },
    async ledgerHolds() {
      const vkey = parseLedgerVkey(await readFile(`${home}/trust/ledger.vkey`, 'utf8'));
      assert.ok(!isProblem(vkey));
      const report = await verifyLedger(nodeFiles, `${home}/ledger`, vkey);
      assert.deepEqual(report.reasons, []);
      return report.size;
    },
  };
}

const some = {
  'a.txt': Buffer.from('hello\n'),
  'b.gz': gzipSync(randomBytes(200_000)),
  'c.txt': Buffer.from('compressible text '.repeat(20_000)),
  empty: Buffer.alloc(0),
};

async function holds(store: Store, contents: Readonly<Record<string, Uint8Array>>): Promise<void> {
  for (const [name, bytes] of Object.entries(contents)) {
    assert.equal(await store.verify(digestOf(bytes)), 'whole', name);
  }
}

async function refusal(act: Promise<unknown>): Promise<string> {
  try {
    await act;
  } catch (error) {
    if (isFault(error)) return error.code;
    throw error;
  }
  return 'done';
}

test('a bundle is admitted once, recorded, and already here the second time', async (t) => {
  const outside = await outsideWith(await memoryFolder(t), some);
  const inside = await insideOf(outside);
  const bundle = await outside.seal('one');
  assert.equal(await refusal(inside.admit(bundle, { root: undefined })), 'trust.no-root');
  assert.deepEqual(await readdir(inside.home).then((names) => names.includes('quarantine')), false);

  const first = await inside.admit(bundle);
  assert.equal(first.verdict, 'admitted');
  assert.deepEqual(first.figures.written, { blobs: 5, bytes: first.bundle!.bytes });
  assert.equal(first.figures.read, (await stat(bundle)).size);
  assert.equal(first.trust?.custody, 'one-person');
  assert.equal(first.ledger.size, 1);
  await holds(await inside.store(), some);
  for (const bytes of Object.values(some)) {
    assert.equal((await stat((await inside.store()).pathOf(digestOf(bytes)))).mode & 0o777, 0o444);
  }
  const before = await inside.rest();
  const second = await inside.admit(bundle);
  assert.equal(second.verdict, 'already-here');
  assert.deepEqual(second.ledger, { size: 1, root: first.ledger.root });
  assert.equal(second.figures.reused, 5);
  assert.deepEqual(await inside.rest(), before);
  assert.equal(await inside.ledgerHolds(), 1);
  assert.equal((await readdir(inside.home)).includes('quarantine'), false);
});

test('only what is new is written, and what has rotted inside is put right', async (t) => {
  const outside = await outsideWith(await memoryFolder(t), some);
  const inside = await insideOf(outside);
  await inside.admit(await outside.seal('one'));
  await outside.hold({ ...some, 'd.txt': Buffer.from('new') });
  const two = await outside.seal('two');
  const next = await inside.admit(two);
  assert.equal(next.verdict, 'admitted');
  assert.equal(next.figures.written.blobs, 2);
  assert.equal(next.figures.reused, 4);

  const path = (await inside.store()).pathOf(digestOf(some['b.gz']));
  await chmod(path, 0o644);
  const rotten = Buffer.from(some['b.gz']);
  rotten[1000]! ^= 1;
  await writeFile(path, rotten);
  const healed = await inside.admit(two);
  assert.equal(healed.verdict, 'already-here');
  assert.equal(healed.figures.healed, 1);
  await holds(await inside.store(), some);
  assert.equal(await inside.ledgerHolds(), 3);
});

function stableOf(inside: InsideSide): string | undefined {
  const database = openDatabase(`${inside.home}/state.db`);
  try {
    return database.pointersOf('files', '', 'sample')[0]?.value;
  } finally {
    database.close();
  }
}

test('a bundle that would move something back is refused; what was admitted before is here and moves nothing', async (t) => {
  const outside = await outsideWith(await memoryFolder(t), {});
  const inside = await insideOf(outside);
  await outside.hold(some, { stable: '1' });
  const one = await outside.seal('one');
  await outside.hold({ ...some, 'a.txt': Buffer.from('second') }, { stable: '2' });
  const two = await outside.seal('two');
  const late = await insideOf(outside, 'late');
  await late.admit(two);
  const before = await late.rest();
  const older = await late.admit(one);
  assert.equal(older.verdict, 'refused');
  assert.deepEqual(new Set(older.reasons.map(({ code }) => code)), new Set(['admit.older']));
  assert.match(older.reasons.map(({ where }) => where).join(), /a\.txt.*stable|stable.*a\.txt/);
  assert.deepEqual(await late.rest(), before);

  await inside.admit(one);
  await inside.admit(two);
  const state = await inside.rest();
  const replayed = await inside.admit(one);
  assert.equal(replayed.verdict, 'already-here');
  assert.deepEqual(
    replayed.reasons.map(({ code }) => code),
    ['admit.replayed'],
  );
  assert.equal(replayed.ledger.size, 2);
  assert.deepEqual(await inside.rest(), state);
  assert.equal(stableOf(inside), '2');

  await outside.hold(some, { stable: '1' });
  const back = await inside.admit(await outside.seal('three'));
  assert.equal(back.verdict, 'admitted');
  assert.equal(stableOf(inside), '1');
  assert.equal((await inside.admit(two)).verdict, 'already-here');
  assert.equal(stableOf(inside), '1');

  // Sealed again without a change: nothing is new, and the channel has moved on.
  const same = await inside.admit(await outside.seal('four'));
  assert.equal(same.verdict, 'already-here');
  assert.equal(await inside.ledgerHolds(), same.ledger.size);
});

test('a bundle that was overtaken on its way comes in where it moves nothing back', async (t) => {
  const outside = await outsideWith(await memoryFolder(t), {});
  const inside = await insideOf(outside);
  const only = { 'only.txt': Buffer.from('only in the first') };
  await outside.hold({ ...some, ...only }, { stable: '2' });
  const one = await outside.seal('one');
  await outside.hold(some, { stable: '2' });
  const two = await outside.seal('two');
  await outside.hold({ ...some, 'd.txt': Buffer.from('fourth') }, { stable: '2' });
  const three = await outside.seal('three');
  assert.equal((await inside.admit(three)).verdict, 'admitted');
  const first = await inside.admit(one);
  assert.equal(first.verdict, 'admitted');
  await holds(await inside.store(), only);
  // All that it brings is here, so that it adds nothing but its number.
  const second = await inside.admit(two);
  assert.equal(second.verdict, 'already-here');
  assert.equal((await inside.admit(one)).reasons[0]?.code, 'admit.replayed');
  const database = openDatabase(`${inside.home}/state.db`);
  t.after(() => database.close());
  assert.equal(database.head('main')?.sequence, 3);
  assert.deepEqual(
    database.admitted().map(({ sequence }) => sequence),
    [3, 1, 2],
  );
  assert.equal(await inside.ledgerHolds(), 3);
});

test('the side that admits is a witness of the log of the side that seals: a second history never comes in', async (t) => {
  const outside = await outsideWith(await memoryFolder(t), {});
  const inside = await insideOf(outside);
  const deliver = async (name: string, text: string) => {
    await outside.hold({ ...some, [`${name}.txt`]: Buffer.from(text) }, {});
    return outside.seal(name);
  };
  const one = await deliver('one', '1');
  await cp(outside.home, `${outside.folder}/copy`, { recursive: true });
  const two = await deliver('two', '2');
  const three = await deliver('three', '3');
  const four = await deliver('four', '4');
  assert.equal((await inside.admit(one)).verdict, 'admitted');
  assert.equal((await inside.admit(three)).verdict, 'admitted');
  // Overtaken: the proofs that came with the third show that the tree of the second belongs to it.
  const late = await inside.admit(two);
  assert.deepEqual([late.verdict, late.reasons], ['admitted', []]);
  const observed = await observedBy(inside);
  assert.deepEqual(
    observed.map(({ size }) => size),
    [1, 3],
  );
  const vkeys = (await readFile(`${inside.home}/trust/witness.vkey`, 'utf8')).trimEnd().split('\n');
  const known = [...vkeys, (await readFile(`${outside.home}/trust/ledger.vkey`, 'utf8')).trim()].map((line) => {
    const vkey = parseVkey(line);
    assert.ok(!isProblem(vkey));
    return vkey;
  });
  const note = openNote(Buffer.from(observed[1]!.checkpoint), known);
  assert.ok(!isProblem(note));
  assert.deepEqual(
    note.signers.map(({ vkey }) => vkey.type).sort(),
    [1, 4, 6],
    'the log, and the witness by both of its keys',
  );

  // Somebody seals from a copy of the home: the same key, another past.
  const forkSide = { ...outside, home: `${outside.folder}/copy` };
  const fork = async (name: string) => {
    const yaml = `${outside.folder}/sallyport.yaml`;
    await outside.hold({ ...some, [`${name}.txt`]: Buffer.from(name) }, {});
    await cp(`${outside.home}/store`, `${forkSide.home}/store`, { recursive: true, force: true });
    await (await seal.load()).run({ out: `${outside.folder}/${name}`, home: forkSide.home, file: yaml }, outside.world);
    return `${outside.folder}/${name}`;
  };
  for (const name of ['five', 'six', 'seven']) await fork(name);
  const forked = await inside.admit(await fork('eight'));
  assert.deepEqual([forked.verdict, forked.reasons[0]?.code], ['refused', 'ledger.forked']);
  assert.equal((await inside.admit(four)).verdict, 'admitted', 'the true history goes on');

  await rm(`${inside.home}/witness/state.json`);
  assert.equal(await refusal(inside.admit(four)), 'ledger.witness-lost');
});

async function observedBy(inside: InsideSide): Promise<{ size: number; checkpoint: string }[]> {
  const side = await openHome(nodeFiles, inside.home);
  const ledger = await openLedger(nodeFiles, side, { now: () => Date.now() });
  const found: { size: number; checkpoint: string }[] = [];
  try {
    for await (const { happening } of ledger.records()) {
      const seen = happening?.predicate['observed'];
      if (seen !== null && seen !== undefined) found.push(seen as unknown as { size: number; checkpoint: string });
    }
  } finally {
    await ledger.close();
  }
  return found;
}

test('the clock, the age and the number of a bundle are judged by the rules of the side', async (t) => {
  const outside = await outsideWith(await memoryFolder(t), {});
  const inside = await insideOf(outside);
  const at = (days: number) => ({
    world: { clock: { now: () => outside.world.clock.now() + days * 24 * 60 * 60 * 1000 } },
  });
  const rules = (text: string) => writeFile(`${inside.home}/admission.yaml`, `sallyport-admission: "1.0"\n${text}`);
  await outside.hold(some, {});
  const one = await outside.seal('one');
  const expired = await inside.admit(one, at(400));
  assert.deepEqual([expired.verdict, expired.reasons[0]?.code], ['refused', 'admit.expired']);
  assert.equal((await readdir(inside.home)).includes('quarantine'), false);
  const held = await inside.admit(one, at(100));
  assert.deepEqual([held.verdict, held.reasons[0]?.code], ['held', 'admit.stale']);
  assert.deepEqual(held.freshness, { grade: 'stale', days: 100 });
  await rules('accept: stale\n');
  const stale = await inside.admit(one, at(100));
  assert.deepEqual([stale.verdict, stale.reasons[0]?.code], ['admitted', 'admit.stale']);
  assert.equal((await readdir(inside.home)).includes('quarantine'), false, 'it waits no more');

  await outside.hold({ ...some, 'e.txt': Buffer.from('e') }, {});
  const two = await outside.seal('two');
  const behind = await inside.admit(two, at(-3));
  assert.equal(behind.verdict, 'refused');
  assert.equal(behind.reasons[0]?.code, 'admit.sealed-in-future');
  const lock = await readFile(`${outside.folder}/sallyport.lock`);
  const signers = await sealersOf(nodeFiles, outside.home);
  const craft = async (name: string, over: { sequence: number; sealed?: string }) => {
    const contents = [...Object.values(some), Buffer.from('e')].map((bytes) => Buffer.from(bytes));
    const bytes = await craftBundle(lock, contents, signers, { seal: (seal) => ({ ...seal, ...over }) });
    await writeFile(`${outside.folder}/${name}`, bytes);
    return `${outside.folder}/${name}`;
  };
  const past = instantOf(outside.world.clock.now() - 4 * 24 * 60 * 60 * 1000);
  const late = await inside.admit(await craft('past', { sequence: 2, sealed: past }), at(-3));
  assert.deepEqual([late.verdict, late.reasons[0]?.code], ['refused', 'admit.clock-behind']);
  const sealed = instantOf(outside.world.clock.now());
  const far = await inside.admit(await craft('far', { sequence: 1002, sealed }));
  assert.deepEqual([far.verdict, far.reasons[0]?.code], ['refused', 'admit.sequence-jump']);
  await rules('sequence: { jump: 5000 }\n');
  assert.equal((await inside.admit(await craft('far', { sequence: 1002, sealed }))).verdict, 'admitted');
  await rules('acept: stale\n');
  assert.equal(await refusal(inside.admit(two)), 'admit.policy');
});

test('a bundle of another channel does not move a pointer back', async (t) => {
  const folder = await memoryFolder(t);
  const outside = await outsideWith(folder, {});
  const inside = await insideOf(outside);
  await outside.hold(some, { stable: '1' });
  const other = (await readFile(`${folder}/sallyport.yaml`, 'utf8')).replace('channel: main', 'channel: fast');
  const slow = await outside.seal('slow');
  await outside.hold(some, { stable: '2' });
  await writeFile(`${folder}/fast.yaml`, other);
  const later = { ...outside.world, clock: { now: () => outside.world.clock.now() + 60_000 } };
  await (await seal.load()).run({ out: `${folder}/fast`, home: outside.home, file: `${folder}/fast.yaml` }, later);
  assert.equal((await inside.admit(`${folder}/fast`)).verdict, 'admitted');
  const moved = await inside.admit(slow);
  assert.equal(moved.verdict, 'refused');
  assert.equal(moved.reasons[0]?.code, 'admit.older');
});

test('every bad bundle is refused by name, recorded, and changes nothing else', async (t) => {
  const folder = await memoryFolder(t);
  const outside = await outsideWith(folder, some);
  await mkdir(`${folder}/stranger`);
  const stranger = await outsideWith(`${folder}/stranger`, some, { site: 'low' });
  await mkdir(`${folder}/rehearsal`);
  const rehearsal = await outsideWith(`${folder}/rehearsal`, some, { purpose: 'rehearsal' });
  const inside = await insideOf(outside);
  const good = await outside.seal('good');
  const bytes = await readFile(good);
  const signers = await sealersOf(nodeFiles, outside.home);
  const lock = await readFile(`${folder}/sallyport.lock`);
  const all = Object.values(some);
  const bad = `${folder}/bad`;
  const crafted = async (...lies: Parameters<typeof craftBundle>): Promise<void> =>
    writeFile(bad, await craftBundle(...lies));
  const cases: Record<string, [expected: RegExp, make: () => Promise<unknown>, root?: string]> = {
    empty: [/^bundle\.empty$/, () => writeFile(bad, '')],
    foreign: [/^bundle\.foreign$/, () => writeFile(bad, randomBytes(10_000))],
    truncated: [/^bundle\.truncated$/, () => copyFile(good, bad).then(() => truncate(bad, bytes.length - 512))],
    'cut in a blob': [/^bundle\.truncated$/, () => writeFile(bad, bytes.subarray(0, 100_000))],
    'one bit of a blob': [/^bundle\.digest$/, () => writeFile(bad, flipped(bytes, 100_000))],
    concatenated: [/^bundle\.trailing$/, () => writeFile(bad, Buffer.concat([bytes, bytes]))],
    appended: [/^bundle\.trailing$/, () => copyFile(good, bad).then(() => appendFile(bad, 'x'))],
    're-signed by a stranger': [/^trust\./, async () => crafted(lock, all, await sealersOf(nodeFiles, stranger.home))],
    "a stranger's own bundle": [/^trust\./, async () => copyFile(await stranger.seal('s'), bad)],
    "a rehearsal's bundle": [
      /^trust\.rehearsal-root$/,
      async () => copyFile(await rehearsal.seal('r'), bad),
      rehearsal.root,
    ],
    'for another site': [
      /^admit\.wrong-destination$/,
      async () => copyFile(await outside.seal('elsewhere', { destinations: ['mars'] }), bad),
    ],
    'sealed in the future': [
      /^admit\.sealed-in-future$/,
      () => crafted(lock, all, signers, { seal: (s) => ({ ...s, sealed: '2026-11-24T06:00:01Z' }) }),
    ],
    'a missing blob': [/^bundle\.lock$/, () => crafted(lock, all.slice(1), signers)],
    'an extra blob': [/^bundle\.lock$/, () => crafted(lock, [...all, Buffer.from('extra')], signers)],
    'a lock that is none': [/^admit\.lock$/, () => crafted(Buffer.from('x'.repeat(1000)), all, signers)],
    'a content that is not what it says': [
      /^bundle\.(digest|size|frame)$/,
      () => crafted(lock, all, signers, { frame: (frame) => flipped(frame, frame.length - 5) }),
    ],
    'an unknown ecosystem': [
      /^admit\.unknown-ecosystem$/,
      () =>
        crafted(
          Buffer.from(lock.toString().replaceAll('"ecosystem":"files"', '"ecosystem":"punchcards"')),
          all,
          signers,
        ),
    ],
  };
  const before = await inside.rest();
  let entries = 0;
  for (const [name, [expected, make, root]] of Object.entries(cases)) {
    await make();
    const answer = await inside.admit(bad, root === undefined ? {} : { root });
    entries += 1;
    assert.equal(answer.verdict, 'refused', name);
    assert.match(answer.reasons[0]?.code ?? '', expected, `${name}: ${JSON.stringify(answer.reasons)}`);
    assert.equal(answer.ledger.size, entries, name);
    assert.ok((await stat(`${answer.evidence}/refusal.json`)).isFile(), name);
    assert.deepEqual(await inside.rest(), before, name);
    assert.equal(admit.exit(answer), 1);
  }
  assert.equal(await inside.ledgerHolds(), entries);
  const admitted = await inside.admit(good);
  assert.equal(admitted.verdict, 'admitted');
  const after = await inside.rest();
  await writeFile(bad, flipped(bytes, 100_000));
  assert.equal((await inside.admit(bad)).verdict, 'refused');
  assert.deepEqual(await inside.rest(), after);
  await holds(await inside.store(), some);
});

test('a number that was used twice is refused', async (t) => {
  const outside = await outsideWith(await memoryFolder(t), some);
  const inside = await insideOf(outside);
  await inside.admit(await outside.seal('one'));
  const signers = await sealersOf(nodeFiles, outside.home);
  await outside.hold({ 'z.txt': Buffer.from('other') });
  const lock = await readFile(`${outside.folder}/sallyport.lock`);
  await writeFile(`${outside.folder}/bad`, await craftBundle(lock, [Buffer.from('other')], signers));
  const twice = await inside.admit(`${outside.folder}/bad`);
  assert.equal(twice.reasons[0]?.code, 'admit.sequence-reused');
});

test('what cannot be read or written is a fault, and the inside is as it was', async (t) => {
  const outside = await outsideWith(await memoryFolder(t), some);
  const inside = await insideOf(outside);
  const bundle = await outside.seal('one');
  const before = await inside.rest();
  assert.equal(await refusal(inside.admit(`${outside.folder}/none`)), 'bundle.unreadable');
  assert.equal(await refusal(inside.admit('/dev/null')), 'bundle.unreadable');
  const tight = (space: { free: number; largestFile: number }): { world: Partial<World> } => ({
    world: { files: { ...nodeFiles, space: async () => space } satisfies Files },
  });
  const largest = Number.MAX_SAFE_INTEGER;
  assert.equal(await refusal(inside.admit(bundle, tight({ free: 100_000, largestFile: largest }))), 'admit.no-space');
  assert.equal(
    await refusal(inside.admit(bundle, tight({ free: largest, largestFile: 1000 }))),
    'admit.file-too-large',
  );
  const stop = new AbortController();
  const stopping = {
    signal: stop.signal,
    report: ({ type }: { type: string }) => void (type === 'amount' && stop.abort()),
  };
  await assert.rejects(inside.admit(bundle, { world: stopping }), { name: 'AbortError' });
  assert.deepEqual(await inside.rest(), before);
  assert.equal((await inside.admit(bundle)).verdict, 'admitted');
});

test('the database is made again from ledger and store', async (t) => {
  const outside = await outsideWith(await memoryFolder(t), some);
  const inside = await insideOf(outside);
  await inside.admit(await outside.seal('one'));
  await outside.hold({ 'y.txt': Buffer.from('y') }, { stable: '2' });
  const two = await outside.seal('two');
  await inside.admit(two);
  const look = (): unknown => {
    const database = openDatabase(`${inside.home}/state.db`);
    try {
      return [database.admitted(), database.pointersOf('files', '', 'sample'), database.ledgerIndexDone()];
    } finally {
      database.close();
    }
  };
  const known = look();
  await rm(`${inside.home}/state.db`);
  assert.equal((await inside.admit(two)).verdict, 'already-here');
  assert.deepEqual(look(), known);

  await rm(`${inside.home}/state.db`);
  const lock = digestOf(await readFile(`${outside.folder}/sallyport.lock`)) satisfies Digest;
  await (await inside.store()).remove(lock);
  assert.equal(await refusal(inside.admit(two)), 'admit.lock-lost');
});

test('ADM-2, ADM-4: a database from a backup lowers neither the floor nor the numbers, and a refusal moves neither', async (t) => {
  const outside = await outsideWith(await memoryFolder(t), some);
  const inside = await insideOf(outside);
  const day = 24 * 60 * 60 * 1000;
  const at = (days: number) => ({ world: { clock: { now: () => outside.world.clock.now() + days * day } } });
  const one = await outside.seal('one');
  assert.equal((await inside.admit(one)).verdict, 'admitted');
  await cp(`${inside.home}/state.db`, `${outside.folder}/backup.db`);
  await outside.hold({ ...some, 'e.txt': Buffer.from('e') }, {});
  await outside.seal('two');
  let lock = await readFile(`${outside.folder}/sallyport.lock`);
  const signers = await sealersOf(nodeFiles, outside.home);
  let contents = [...Object.values(some), Buffer.from('e')].map((bytes) => Buffer.from(bytes));
  const craft = async (name: string, sequence: number, days: number): Promise<string> => {
    const sealed = instantOf(outside.world.clock.now() + days * day);
    const bytes = await craftBundle(lock, contents, signers, { seal: (seal) => ({ ...seal, sequence, sealed }) });
    await writeFile(`${outside.folder}/${name}`, bytes);
    return `${outside.folder}/${name}`;
  };
  const codes = (output: { verdict: string; reasons: readonly { code: string }[] }): string[] => [
    output.verdict,
    ...output.reasons.map(({ code }) => code),
  ];
  // Sealed in a year: refused, and what was not admitted moves no floor and no number.
  assert.deepEqual(codes(await inside.admit(await craft('ahead', 900, 365))), ['refused', 'admit.sealed-in-future']);
  assert.deepEqual(codes(await inside.admit(await craft('jump', 5000, 0))), ['refused', 'admit.sequence-jump']);
  assert.equal((await inside.admit(await craft('later', 40, 10), at(10))).verdict, 'admitted');
  await cp(`${outside.folder}/backup.db`, `${inside.home}/state.db`);
  const behind = await inside.admit(await craft('third', 41, 1), at(3));
  assert.deepEqual(codes(behind), ['refused', 'admit.clock-behind'], 'the floor is in the ledger');
  const again = await inside.admit(one, at(11));
  assert.deepEqual(
    [again.verdict, again.reasons.some(({ code }) => code === 'admit.replayed')],
    ['already-here', true],
  );
  // Other content, by one more than the highest that was seen allows, and under a number that was used.
  await outside.hold({ ...some, 'f.txt': Buffer.from('f') }, {});
  await outside.seal('other');
  lock = await readFile(`${outside.folder}/sallyport.lock`);
  contents = [...Object.values(some), Buffer.from('f')].map((bytes) => Buffer.from(bytes));
  assert.deepEqual(codes(await inside.admit(await craft('far', 1041, 11), at(11))), ['refused', 'admit.sequence-jump']);
  assert.deepEqual(codes(await inside.admit(await craft('fork', 40, 11), at(11))), [
    'refused',
    'admit.sequence-reused',
  ]);
  assert.equal((await inside.admit(await craft('next', 1040, 11), at(11))).verdict, 'admitted');
});

test('ADM-25: a floor from a wrong clock is set anew by the holders of the root only, and recorded', async (t) => {
  const outside = await outsideWith(await memoryFolder(t), some);
  const inside = await insideOf(outside);
  const day = 24 * 60 * 60 * 1000;
  const world = (days: number) => ({ ...outside.world, clock: { now: () => outside.world.clock.now() + days * day } });
  await outside.seal('one');
  const lock = await readFile(`${outside.folder}/sallyport.lock`);
  const signers = await sealersOf(nodeFiles, outside.home);
  const craft = async (name: string, sequence: number, days: number, what: Uint8Array): Promise<string> => {
    const sealed = instantOf(outside.world.clock.now() + days * day);
    const bytes = await craftBundle(what, Object.values(some), signers, {
      seal: (seal) => ({ ...seal, sequence, sealed }),
    });
    await writeFile(`${outside.folder}/${name}`, bytes);
    return `${outside.folder}/${name}`;
  };
  // Both clocks were a year ahead.
  const wrong = await inside.admit(await craft('wrong', 1, 365, lock), { world: world(365) });
  assert.equal(wrong.verdict, 'admitted');
  const right = await craft('right', 2, 1, lock);
  const shut = await inside.admit(right, { world: world(1) });
  assert.deepEqual([shut.verdict, shut.reasons[0]?.code], ['refused', 'admit.clock-behind']);

  const { home } = inside;
  const root = outside.root;
  const reset = (over: Record<string, unknown>, files: Files = nodeFiles) =>
    clockResetVerb.run(
      { home, root, reason: 'a year ahead', key: [`${outside.home}/keys/sealer.key`], ...over },
      { ...world(1), files },
    );
  assert.equal(await refusal(reset({ key: [] })), 'admit.no-key');
  assert.equal(await refusal(reset({ key: [`${outside.home}/keys/ledger.key`] })), 'trust.key-unknown');
  assert.equal(
    await refusal(reset({ key: [`${home}/keys/sealer.key`] })),
    'trust.key-unknown',
    'a root of nobody here',
  );
  assert.equal(await refusal(reset({ to: instantOf(outside.world.clock.now() + 2 * day) })), 'admit.floor-time');
  assert.equal(await refusal(reset({ to: 'today' })), 'admit.floor-time');
  assert.equal(await refusal(reset({ reason: ' ' })), 'admit.floor-time');
  const counting = faultyFiles(nodeFiles, { failAt: 0, mode: 'error' });
  await cp(home, `${outside.folder}/counted`, { recursive: true });
  await reset({ home: `${outside.folder}/counted` }, counting);
  for (let failAt = 1; failAt <= counting.calls(); failAt += 5) {
    const cut = `${outside.folder}/cut-${failAt}`;
    await cp(home, cut, { recursive: true });
    await reset({ home: cut }, faultyFiles(nodeFiles, { failAt, mode: 'error' })).catch(() => undefined);
    // What a failure left open ends with its process.
    await endOfProcess(cut);
    const after = await sideAt(outside, `cut-${failAt}`).admit(right, { world: world(1) });
    const moved = (await readdir(cut)).includes('floor.json');
    assert.equal(after.verdict, moved ? 'already-here' : 'refused', `at ${failAt}`);
  }
  const done = await reset({});
  assert.equal(done.verdict, 'reset');
  assert.equal(done.from, instantOf(outside.world.clock.now() + 365 * day));
  assert.equal((await inside.admit(right, { world: world(1) })).verdict, 'already-here');
  await inside.ledgerHolds();
  // The file says where it stands in the ledger, and nothing by itself.
  await writeFile(`${home}/floor.json`, '{"entry":0}\n');
  assert.equal(await refusal(inside.admit(right, { world: world(1) })), 'admit.floor');
  await rm(`${home}/floor.json`);
  assert.equal((await inside.admit(right, { world: world(1) })).reasons[0]?.code, 'admit.clock-behind');
});

test('two admissions at once run one after the other', async (t) => {
  const outside = await outsideWith(await memoryFolder(t), some);
  const inside = await insideOf(outside);
  const bundle = await outside.seal('one');
  const both = await Promise.all([inside.admit(bundle), inside.admit(bundle)]);
  assert.deepEqual(both.map(({ verdict }) => verdict).sort(), ['admitted', 'already-here']);
  assert.equal(await inside.ledgerHolds(), 1);
});

for (const mode of ['error', 'crash'] as const) {
  test(`any I/O of admit may fail (${mode}): what was inside is unharmed, and a second run admits`, async (t) => {
    const few = { 'a.txt': Buffer.from('hello\n'), 'c.txt': Buffer.from('text '.repeat(1000)) };
    const old = { 'o.txt': Buffer.from('old') };
    const outside = await outsideWith(await memoryFolder(t), old);
    const first = await outside.seal('first');
    await outside.hold({ ...old, ...few });
    const bundle = await outside.seal('one');
    const prepared = await insideOf(outside, 'prepared');
    await prepared.admit(first);
    await cp(prepared.home, `${outside.folder}/counted`, { recursive: true });
    const counted = sideAt(outside, 'counted');
    const counting = faultyFiles(nodeFiles, { failAt: 0, mode: 'error' });
    await counted.admit(bundle, { world: { files: counting } });
    const calls = counting.calls();
    assert.ok(calls > 30 && calls <= 250, `${calls} I/Os`);
    const plans = Array.from({ length: calls }, (_, i) => ({ failAt: i + 1, torn: false }));
    for (const { failAt, torn } of plans) {
      await cp(prepared.home, `${outside.folder}/in-${failAt}`, { recursive: true });
      const inside = sideAt(outside, `in-${failAt}`);
      const files = faultyFiles(nodeFiles, { failAt, mode, torn, code: failAt % 2 === 0 ? 'EIO' : 'ENOSPC' });
      const where = (): string => `I/O ${failAt}: ${files.failed()}`;
      let verdict = 'fault';
      try {
        ({ verdict } = await inside.admit(bundle, { world: { files } }));
      } catch (error) {
        assert.ok(isFault(error), `${where()} ${String(error)}`);
      }
      assert.ok(verdict === 'admitted' || verdict === 'fault', `${where()} ${verdict}`);
      // A write that was cut by a power cut may have left its first half.
      if (mode === 'crash' && !torn && files.failed()?.startsWith('write') === true) plans.push({ failAt, torn: true });
      await endOfProcess(inside.home);
      const size = await inside.ledgerHolds();
      assert.ok(size === 1 || size === 2, where());
      await holds(await inside.store(), old);
      // An entry is the commit: everything that it names is there.
      if (size === 2) await holds(await inside.store(), few);
      const again = await inside.admit(bundle);
      // A signed state that was not published yet is rolled forward, so an entry may appear after the failure.
      if (size === 2 || again.verdict !== 'admitted') assert.equal(again.verdict, 'already-here', where());
      await holds(await inside.store(), { ...old, ...few });
      const database = openDatabase(`${inside.home}/state.db`);
      assert.equal(database.highest('main')?.sequence, 2, where());
      assert.equal(database.catalog(await inside.store()).artifacts('files', 'c.txt').length, 1, where());
      database.close();
      assert.equal((await readdir(inside.home)).includes('quarantine'), false, where());
      await rm(inside.home, { recursive: true });
    }
    const ledger = await openLedger(nodeFiles, await openHome(nodeFiles, counted.home), outside.world.clock);
    assert.equal(ledger.size, 2);
    await ledger.close();
  });
}

function flipped(bytes: Uint8Array, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1;
  return copy;
}
