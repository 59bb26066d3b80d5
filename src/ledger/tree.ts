import { hash } from 'node:crypto';

/**
 * The Merkle tree of RFC 6962 section 2.1 (SHA-256), in terms of perfect subtrees: node (level, index) is the root of
 * the leaves from index · 2^level to (index + 1) · 2^level − 1. Sizes are safe integers, so no bit operators here:
 * JavaScript's work on 32 bits.
 */
export type Hash = Uint8Array;

export const HASH_BYTES = 32;

export function leafHash(entry: Uint8Array): Hash {
  const bytes = Buffer.allocUnsafe(1 + entry.length);
  bytes[0] = 0;
  bytes.set(entry, 1);
  return hash('sha256', bytes, 'buffer');
}

export function nodeHash(left: Hash, right: Hash): Hash {
  const bytes = Buffer.allocUnsafe(1 + 2 * HASH_BYTES);
  bytes[0] = 1;
  bytes.set(left, 1);
  bytes.set(right, 1 + HASH_BYTES);
  return hash('sha256', bytes, 'buffer');
}

/** Root of the tree without leaves: SHA-256 of nothing. */
export function emptyRoot(): Hash {
  return hash('sha256', Buffer.alloc(0), 'buffer');
}

export function sameHash(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Root of a perfect subtree over a power of two of hashes. */
export function perfectRoot(hashes: readonly Hash[]): Hash {
  let row = hashes;
  while (row.length > 1) {
    const next: Hash[] = [];
    for (let i = 0; i < row.length; i += 2) next.push(nodeHash(at(row, i), at(row, i + 1)));
    row = next;
  }
  return at(row, 0);
}

/** The perfect subtrees that make up a range of leaves that starts at a multiple of its own largest power of two. */
export interface Node {
  readonly level: number;
  readonly index: number;
}

/** Cuts leaves [start, end) into perfect subtrees, largest first; `start` must be aligned to the first one's size. */
export function nodesOf(start: number, end: number): Node[] {
  const nodes: Node[] = [];
  let from = start;
  while (from < end) {
    let level = 0;
    while (from + 2 ** (level + 1) <= end && from % 2 ** (level + 1) === 0) level += 1;
    nodes.push({ level, index: from / 2 ** level });
    from += 2 ** level;
  }
  return nodes;
}

/** Root over subtrees that get smaller to the right, as RFC 6962 joins them. */
export function joinRight(hashes: readonly Hash[]): Hash {
  let root = at(hashes, hashes.length - 1);
  for (let i = hashes.length - 2; i >= 0; i--) root = nodeHash(at(hashes, i), root);
  return root;
}

/** Largest power of two smaller than `size`, which is at least 2. */
function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}

/** The ranges whose roots are the inclusion proof of a leaf (RFC 6962 section 2.1.1), from the leaf to the root. */
export function inclusionRanges(index: number, size: number): { start: number; end: number }[] {
  const path: { start: number; end: number }[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const middle = start + splitOf(end - start);
    if (index < middle) {
      path.push({ start: middle, end });
      end = middle;
    } else {
      path.push({ start, end: middle });
      start = middle;
    }
  }
  return path.reverse();
}

/** The ranges whose roots are the consistency proof of two sizes, 0 < older <= newer (RFC 6962 section 2.1.2). */
export function consistencyRanges(older: number, newer: number): { start: number; end: number }[] {
  const path: { start: number; end: number }[] = [];
  let start = 0;
  let end = newer;
  let whole = true;
  while (older < end) {
    const middle = start + splitOf(end - start);
    if (older <= middle) {
      path.push({ start: middle, end });
      end = middle;
    } else {
      path.push({ start, end: middle });
      start = middle;
      whole = false;
    }
  }
  if (!whole) path.push({ start, end });
  return path.reverse();
}

/** Leaves [start, end) of a tree; in proofs `start` is a multiple of the smallest power of two that is not below their number. */
export interface Subtree {
  readonly start: number;
  readonly end: number;
}

/** RFC 9162 section 2.1.3.2. */
export function verifyInclusion(index: number, size: number, leaf: Hash, proof: readonly Hash[], root: Hash): boolean {
  return verifySubtreeInclusion(index, { start: 0, end: size }, leaf, proof, root);
}

/** That a leaf is in a subtree with this root (draft-ietf-plants-merkle-tree-certs, subtree inclusion proofs). */
export function verifySubtreeInclusion(
  index: number,
  subtree: Subtree,
  leaf: Hash,
  proof: readonly Hash[],
  root: Hash,
): boolean {
  const { start, end } = subtree;
  if (!isSize(index) || !isSubtree(subtree) || index < start || index >= end) return false;
  if (!allHashes([leaf, root, ...proof])) return false;
  let fn = index - start;
  let sn = end - start - 1;
  let result = leaf;
  for (const hashed of proof) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      result = nodeHash(hashed, result);
      while (fn % 2 === 0 && fn !== 0) {
        fn = half(fn);
        sn = half(sn);
      }
    } else {
      result = nodeHash(result, hashed);
    }
    fn = half(fn);
    sn = half(sn);
  }
  return sn === 0 && sameHash(result, root);
}

/** RFC 9162 section 2.1.4.2. From size 0 to another there is no proof, because it would bind nothing. */
export function verifyConsistency(
  older: number,
  newer: number,
  olderRoot: Hash,
  newerRoot: Hash,
  proof: readonly Hash[],
): boolean {
  if (older === 0) return newer === 0 && proof.length === 0 && sameHash(olderRoot, newerRoot);
  return verifySubtreeConsistency({ start: 0, end: older }, newer, olderRoot, newerRoot, proof);
}

/** That a subtree with this root is in a tree of `size` leaves (the same draft, subtree consistency proofs). */
export function verifySubtreeConsistency(
  subtree: Subtree,
  size: number,
  subtreeRoot: Hash,
  root: Hash,
  proof: readonly Hash[],
): boolean {
  if (!isSize(size) || subtree.end > size) return false;
  // Of a subtree without leaves there is nothing to prove but its root.
  if (isSize(subtree.start) && subtree.start === subtree.end) {
    return proof.length === 0 && sameHash(subtreeRoot, emptyRoot());
  }
  if (!isSubtree(subtree)) return false;
  if (subtree.start === 0 && subtree.end === size) return proof.length === 0 && sameHash(subtreeRoot, root);
  if (!allHashes([subtreeRoot, root, ...proof])) return false;
  let fn = subtree.start;
  let sn = subtree.end - 1;
  let tn = size - 1;
  const shift = (): void => {
    fn = half(fn);
    sn = half(sn);
    tn = half(tn);
  };
  if (sn === tn) while (fn !== sn) shift();
  else while (fn !== sn && sn % 2 === 1) shift();
  // A subtree that is one node of the tree is itself the first hash of the path.
  const path = [...proof];
  const first = fn === sn ? subtreeRoot : path.shift();
  if (first === undefined) return false;
  let fr = first;
  let sr = first;
  for (const hashed of path) {
    if (tn === 0) return false;
    if (sn % 2 === 1 || sn === tn) {
      if (fn < sn) fr = nodeHash(hashed, fr);
      sr = nodeHash(hashed, sr);
      while (sn % 2 === 0) shift();
    } else {
      sr = nodeHash(sr, hashed);
    }
    shift();
  }
  return tn === 0 && sameHash(fr, subtreeRoot) && sameHash(sr, root);
}

function isSubtree({ start, end }: Subtree): boolean {
  if (!isSize(start) || !isSize(end) || start >= end) return false;
  let width = 1;
  while (width < end - start) width *= 2;
  return start % width === 0;
}

/** Sizes are beyond 32 bits, so this is no shift. */
function half(value: number): number {
  return Math.floor(value / 2);
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function allHashes(hashes: readonly Uint8Array[]): boolean {
  return hashes.every((hashed) => hashed.length === HASH_BYTES);
}

function at(hashes: readonly Hash[], index: number): Hash {
  const found = hashes[index];
  if (found === undefined) throw new RangeError(`no hash at ${index} of ${hashes.length}`);
  return found;
}
