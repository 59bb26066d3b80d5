import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatNote, isProblem, openNote, parseVkey } from '#formats';
import { homeAt, isFault } from '#kernel';
import { nodeFiles } from '#system';
import { faultyFiles, temporaryFolder } from '#system/testing';
import { createSide } from '#trust';
import { formatTreeHead } from './checkpoint.ts';
import { formatConsistency, parseConsistency } from './consistency.ts';
import { judgeHead, openWitness, type Seen } from './witness.ts';
import { consistencyRanges, emptyRoot, type Hash, joinRight, leafHash, nodesOf, perfectRoot } from './tree.ts';

/** The witness looks at no signature of the log: whoever asks it has. */
const signature = { name: 'low/0123456789abcdef', keyHash: '00000000', signature: new Uint8Array(64) };

/** A log in memory: leaves, and what a witness gets of it. */
function logOf(name: string) {
  const leaf = (index: number): Hash => leafHash(Buffer.from(`${name} ${index}`));
  const root = (start: number, end: number): Hash =>
    end === 0
      ? emptyRoot()
      : joinRight(
          nodesOf(start, end).map(({ level, index }) =>
            perfectRoot(Array.from({ length: 2 ** level }, (_, i) => leaf(index * 2 ** level + i))),
          ),
        );
  const proof = (from: number, to: number): Hash[] =>
    from === to ? [] : consistencyRanges(from, to).map(({ start, end }) => root(start, end));
  const seen = (size: number, from: readonly number[]): Seen => {
    const head = { origin: 'low/0123456789abcdef', size, root: root(0, size) };
    const proofs = new Map(from.map((one) => [one, proof(one, size)]));
    return { ...head, proofs, checkpoint: formatNote(formatTreeHead(head), [signature]) };
  };
  return { seen };
}

const size = fc.integer({ min: 1, max: 70 });

test('a tree that grew is believed with its proof, a second history never', () => {
  const honest = logOf('a');
  const other = logOf('b');
  fc.assert(
    fc.property(size, size, (first, second) => {
      const [small, large] = first < second ? [first, second] : [second, first];
      const old = honest.seen(small, []);
      const grown = honest.seen(large, [small]);
      const expected = small === large ? 'same' : 'grown';
      assert.equal(judgeHead(old, grown, grown.proofs).outcome, expected);
      assert.equal(judgeHead(grown, old, old.proofs).outcome, small === large ? 'same' : 'older');
      const fork = other.seen(large, [small]);
      assert.equal(judgeHead(old, fork, fork.proofs).outcome, 'forked');
      assert.equal(judgeHead(fork, old, old.proofs).outcome, 'forked', 'also where the older one comes late');
      if (small === large) return;
      assert.equal(judgeHead(old, { ...grown }, new Map()).outcome, 'unproved');
      assert.equal(judgeHead({ ...grown, proofs: new Map() }, old, old.proofs).outcome, 'rewound');
    }),
    { numRuns: 200 },
  );
  assert.equal(judgeHead(undefined, honest.seen(5, []), new Map()).outcome, 'first');
});

test('proofs of consistency are read as they are written, and nothing else is', () => {
  fc.assert(
    fc.property(fc.uniqueArray(size, { maxLength: 8 }), (from) => {
      const { proofs } = logOf('a').seen(70, from);
      const read = parseConsistency(formatConsistency(proofs));
      assert.ok(!isProblem(read));
      assert.deepEqual(Buffer.from(formatConsistency(read)), Buffer.from(formatConsistency(proofs)));
    }),
    { numRuns: 50 },
  );
  for (const text of [
    '',
    'sallyport-consistency/1',
    'sallyport-consistency/2\n',
    'sallyport-consistency/1\nfrom 01\n',
    'sallyport-consistency/1\nfrom 2\nfrom 1\n',
    'sallyport-consistency/1\nfrom 1\nfrom 1\n',
    `sallyport-consistency/1\n${Buffer.alloc(32).toString('base64')}\n`,
    'sallyport-consistency/1\nfrom 1\nAAAA\n',
    `sallyport-consistency/1\nfrom 1\n${`${Buffer.alloc(32).toString('base64')}\n`.repeat(65)}`,
  ]) {
    assert.ok(isProblem(parseConsistency(Buffer.from(text))), JSON.stringify(text));
  }
});

async function homeOf(t: { after(fn: () => Promise<void>): void }) {
  const folder = await temporaryFolder(t);
  const clock = { now: () => Date.parse('2026-11-22T09:00:00Z') };
  await createSide(nodeFiles, join(folder, 'in'), { site: 'high', purpose: 'one-person', clock });
  return { home: homeAt(join(folder, 'in')), now: clock.now() };
}

test('it keeps what it saw, then cosigns by both keys, and knows it after it was closed', async (t) => {
  const { home, now } = await homeOf(t);
  const seen = logOf('a').seen(12, [5]);
  const witness = await openWitness(nodeFiles, home, 'high', new Map());
  const cosigned = await witness.cosign(seen, now);
  const vkeys = witness.signer.vkeys.map((line) => {
    const vkey = parseVkey(line);
    assert.ok(!isProblem(vkey));
    return vkey;
  });
  const note = openNote(cosigned, vkeys);
  assert.ok(!isProblem(note));
  assert.deepEqual(
    note.signers.map(({ vkey, time }) => [vkey.type, time]),
    [
      [4, now / 1000],
      [6, now / 1000],
    ],
  );
  // A byte of the text or of either signature, and it holds no more.
  for (const at of [3, cosigned.length - 10, cosigned.lastIndexOf(0x94) + 60]) {
    const bad = Buffer.from(cosigned);
    bad[at]! ^= 1;
    assert.ok(isProblem(openNote(bad, vkeys)), `byte ${at}`);
  }
  const again = await openWitness(nodeFiles, home, 'high', new Map([[seen.origin, 12]]));
  assert.equal(again.signer.name, witness.signer.name);
  assert.equal(again.seen(seen.origin)?.size, 12);
  assert.deepEqual([...(again.seen(seen.origin)?.proofs.keys() ?? [])], [5]);
});

test('a witness that lost what it saw is never started again', async (t) => {
  const { home, now } = await homeOf(t);
  const code = async (observed: ReadonlyMap<string, number>): Promise<string> => {
    try {
      await openWitness(nodeFiles, home, 'high', observed);
      return 'opened';
    } catch (error) {
      if (isFault(error)) return error.code;
      throw error;
    }
  };
  const witness = await openWitness(nodeFiles, home, 'high', new Map());
  const seen = logOf('a').seen(12, []);
  await witness.cosign(seen, now);
  assert.equal(await code(new Map([[seen.origin, 13]])), 'ledger.witness-lost', 'an older state was put back');
  await nodeFiles.open(`${home.path}/witness/state.json`, 'w').then(async (file) => {
    await file.write(Buffer.from('{"sallyport-witness":"1.0","logs":[{}]}'));
    await file.close();
  });
  assert.equal(await code(new Map()), 'ledger.witness-lost', 'it cannot be read');
  await rm(`${home.path}/witness/state.json`);
  assert.equal(await code(new Map()), 'ledger.witness-lost', 'it is gone, and the keys are here');
  for (const name of ['keys/witness.key', 'keys/witness-ml-dsa-44.key', 'trust/witness.vkey']) {
    await rm(`${home.path}/${name}`);
  }
  assert.equal(await code(new Map()), 'opened', 'retired: a new one has another name');
  assert.notEqual((await openWitness(nodeFiles, home, 'high', new Map())).signer.name, witness.signer.name);
});

test('whatever I/O fails, nothing is signed that is not kept', async (t) => {
  const { home, now } = await homeOf(t);
  const log = logOf('a');
  await (await openWitness(nodeFiles, home, 'high', new Map())).cosign(log.seen(3, []), now);
  for (let failAt = 1, failed = true; failed; failAt++) {
    failed = false;
    const files = faultyFiles(nodeFiles, { failAt, mode: 'crash' });
    let signed = false;
    try {
      const witness = await openWitness(files, home, 'high', new Map());
      await witness.cosign(log.seen(3 + failAt, [3]), now);
      signed = true;
    } catch {
      failed = true;
    }
    const kept = (await openWitness(nodeFiles, home, 'high', new Map())).seen('low/0123456789abcdef')?.size ?? 0;
    assert.ok(!signed || kept === 3 + failAt, `signed and not kept at ${failAt}`);
    assert.ok(kept >= 3, `what was kept is lost at ${failAt}`);
    assert.ok(failAt < 200);
  }
});
