import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { edgeRoot, indexParts, levelsOf, tilePath } from './tile.ts';
import { emptyEdge, grow, type RightEdge, rootOf } from './right-edge.ts';
import {
  consistencyRanges,
  emptyRoot,
  type Hash,
  inclusionRanges,
  leafHash,
  nodesOf,
  sameHash,
  verifyConsistency,
  verifyInclusion,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from './tree.ts';

/** RFC 6962 section 2.1, word by word, without anything of the code under test. */
function naiveRoot(entries: readonly Uint8Array[]): Hash {
  const [only] = entries;
  if (only === undefined) return createHash('sha256').digest();
  if (entries.length === 1) return createHash('sha256').update(Uint8Array.of(0)).update(only).digest();
  let split = 1;
  while (split * 2 < entries.length) split *= 2;
  return createHash('sha256')
    .update(Uint8Array.of(1))
    .update(naiveRoot(entries.slice(0, split)))
    .update(naiveRoot(entries.slice(split)))
    .digest();
}

function proofOf(entries: readonly Uint8Array[], ranges: readonly { start: number; end: number }[]): Hash[] {
  return ranges.map(({ start, end }) => naiveRoot(entries.slice(start, end)));
}

const some = (size: number): Uint8Array[] => Array.from({ length: size }, (_, i) => Buffer.from(`entry ${i}`));

test('the right edge has the root of RFC 6962 after every append, however entries are batched', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 6 }), (batches) => {
      const entries = some(batches.reduce((a, b) => a + b, 0));
      let edge: RightEdge = emptyEdge;
      for (const batch of batches) edge = grow(edge, entries.slice(edge.size, edge.size + batch)).edge;
      assert.equal(edge.size, entries.length);
      assert(sameHash(rootOf(edge), naiveRoot(entries)));
    }),
    { numRuns: 60 },
  );
});

test('the tiles do not depend on how entries are batched, but for the partial ones', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 }), (batches) => {
      const entries = some(batches.reduce((a, b) => a + b, 0));
      const tilesOf = (cuts: readonly number[]): Map<string, string> => {
        let edge: RightEdge = emptyEdge;
        const tiles = new Map<string, string>();
        for (const batch of cuts) {
          const grown = grow(edge, entries.slice(edge.size, edge.size + batch));
          for (const { tile, bytes } of grown.tiles) tiles.set(tilePath(tile), Buffer.from(bytes).toString('hex'));
          edge = grown.edge;
        }
        return tiles;
      };
      const once = tilesOf([entries.length]);
      const parts = tilesOf(batches);
      for (const [path, bytes] of once) assert.equal(parts.get(path), bytes, path);
    }),
    { numRuns: 40 },
  );
});

test('inclusion and consistency proofs of every small tree verify, and for nothing else', () => {
  const entries = some(40);
  const roots = entries.map((_, i) => naiveRoot(entries.slice(0, i + 1)));
  for (let size = 1; size <= entries.length; size++) {
    const root = roots[size - 1] ?? emptyRoot();
    const tree = entries.slice(0, size);
    for (const [index, entry] of tree.entries()) {
      const proof = proofOf(tree, inclusionRanges(index, size));
      const leaf = leafHash(entry);
      assert(verifyInclusion(index, size, leaf, proof, root));
      assert(!verifyInclusion(index, size, leaf, [...proof, root], root));
      assert(!verifyInclusion(index, size, leafHash(Buffer.from('x')), proof, root));
      assert(!verifyInclusion((index + 1) % size, size, leaf, proof, root) || size === 1);
      if (proof.length > 0) assert(!verifyInclusion(index, size, leaf, proof.slice(1), root));
    }
    for (let older = 1; older <= size; older++) {
      const olderRoot = roots[older - 1] ?? emptyRoot();
      const proof = older === size ? [] : proofOf(tree, consistencyRanges(older, size));
      assert(verifyConsistency(older, size, olderRoot, root, proof), `${older} to ${size}`);
      assert(!verifyConsistency(older, size, olderRoot, Buffer.alloc(32), proof));
      assert(!verifyConsistency(older, size, Buffer.alloc(32), root, proof));
      if (proof.length > 0) assert(!verifyConsistency(older, size, olderRoot, root, proof.slice(0, -1)));
    }
  }
});

test('ranges of proofs are cut into aligned subtrees, at any size that a number holds exactly', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
      const [index, size] = a < b ? [a, b] : [b, a + 1];
      const ranges = inclusionRanges(index, size);
      assert(ranges.length <= 53);
      for (const { start, end } of ranges) {
        let at = start;
        for (const node of nodesOf(start, end)) {
          assert.equal(node.index * 2 ** node.level, at);
          at += 2 ** node.level;
        }
        assert.equal(at, end);
      }
    }),
    { numRuns: 200 },
  );
});

test('tiles have the paths of C2SP tlog-tiles', () => {
  assert.deepEqual(indexParts(1234067), ['x001', 'x234', '067']);
  assert.deepEqual(indexParts(0), ['000']);
  assert.equal(tilePath({ level: 0, index: 999, width: 256 }), 'tile/0/999');
  assert.equal(tilePath({ level: 2, index: 1000, width: 3 }), 'tile/2/x001/000.p/3');
  assert.equal(tilePath({ level: 'entries', index: 1234067, width: 255 }), 'tile/entries/x001/x234/067.p/255');
  assert.deepEqual(levelsOf(0), []);
  assert.deepEqual(levelsOf(255), [0]);
  assert.deepEqual(levelsOf(65536), [0, 1, 2]);
  assert.equal(edgeRoot([]), undefined);
});

interface Vector {
  readonly desc?: string;
  readonly wantErr: boolean;
  readonly proof: readonly string[] | null;
  readonly leafIdx: number;
  readonly treeSize: number;
  readonly root: string;
  readonly leafHash: string;
  readonly size1: number;
  readonly size2: number;
  readonly root1: string;
  readonly root2: string;
  readonly start: number;
  readonly end: number;
  readonly size: number;
}

const DATA = join(import.meta.dirname, '../../../shared/data/merkle');
const bytes = (text: string | null): Uint8Array => Buffer.from(text ?? '', 'base64');

for (const [kind, judge] of [
  [
    'inclusion',
    (v: Vector, proof: Uint8Array[]) => verifyInclusion(v.leafIdx, v.treeSize, bytes(v.leafHash), proof, bytes(v.root)),
  ],
  [
    'consistency',
    (v: Vector, proof: Uint8Array[]) => verifyConsistency(v.size1, v.size2, bytes(v.root1), bytes(v.root2), proof),
  ],
  [
    'subtreeinclusion',
    (v: Vector, proof: Uint8Array[]) => verifySubtreeInclusion(v.leafIdx, v, bytes(v.leafHash), proof, bytes(v.root)),
  ],
  [
    'subtreeconsistency',
    (v: Vector, proof: Uint8Array[]) => verifySubtreeConsistency(v, v.size, bytes(v.root1), bytes(v.root2), proof),
  ],
] as const) {
  const folder = join(DATA, kind);
  const skip = existsSync(folder) ? false : 'the shared vectors are not beside the repository';
  test(`the ${kind} vectors of transparency-dev/merkle`, { skip }, (t) => {
    let count = 0;
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.json')) continue;
      const vector = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Vector;
      assert.equal(judge(vector, (vector.proof ?? []).map(bytes)), !vector.wantErr, `${name}: ${vector.desc}`);
      count += 1;
    }
    assert(count > 30);
    t.diagnostic(`${count} vectors`);
  });
}
