import { type Digest, digestOf, type Happening } from '#kernel';
import { statementNeedsNewer } from '#formats';
import { ledgerFault } from './faults.ts';
import { decodeEntry, statementPath } from './entry.ts';
import { isReadProblem, type LogReader, readBundle, readTile } from './io/reader.ts';
import { readStatement, STATEMENT_LIMIT } from './statement.ts';
import { decodeHashes, edgeOf, TILE_WIDTH } from './tile.ts';
import {
  type Hash,
  inclusionRanges,
  joinRight,
  leafHash,
  type Node,
  nodesOf,
  perfectRoot,
  verifyInclusion,
  consistencyRanges,
  verifyConsistency,
} from './tree.ts';

/** One entry of the log, with its statement where it is a record of ours and the statement is whole. */
export interface LedgerRecord {
  readonly index: number;
  readonly entry: Uint8Array;
  readonly digest?: Digest;
  readonly type?: string;
  /** The statement's envelope, exact bytes. */
  readonly statement?: Uint8Array;
  readonly happening?: Happening;
}

/**
 * Records for those who decide by what they say: one that needs a newer Sallyport is a Fault, where leaving it out could
 * forget what was admitted or sealed. Throws ledger.needs-newer.
 */
export async function* understood(records: AsyncIterable<LedgerRecord>): AsyncGenerator<LedgerRecord> {
  for await (const record of records) {
    const newer = record.type === undefined ? undefined : statementNeedsNewer(record.type, record.happening?.predicate);
    if (newer !== undefined) throw ledgerFault('ledger.needs-newer', { where: `entry ${record.index}`, detail: newer });
    yield record;
  }
}

/** The hashes of perfect subtrees of a tree of this size, from its tiles. */
export function nodeReader(reader: LogReader, size: number): (node: Node) => Promise<Hash> {
  const tiles = new Map<string, Hash[]>();
  return async ({ level, index }) => {
    const tileLevel = Math.floor(level / 8);
    const span = 2 ** (level % 8);
    const first = index * span;
    const tileIndex = Math.floor(first / TILE_WIDTH);
    const key = `${tileLevel} ${tileIndex}`;
    let hashes = tiles.get(key);
    if (hashes === undefined) {
      const { full, width } = edgeOf(tileLevel, size);
      const bytes = await readTile(reader, {
        level: tileLevel,
        index: tileIndex,
        width: tileIndex < full ? TILE_WIDTH : width,
      });
      if (isReadProblem(bytes)) throw ledgerFault('ledger.damaged', { where: bytes.path, detail: bytes.detail });
      hashes = decodeHashes(bytes);
      if (tiles.size >= 32) tiles.clear();
      tiles.set(key, hashes);
    }
    return perfectRoot(hashes.slice(first % TILE_WIDTH, (first % TILE_WIDTH) + span));
  };
}

/** Root over the leaves [start, end) of a tree, as they occur in its proofs. */
export async function rangeRoot(
  node: (node: Node) => Promise<Hash>,
  { start, end }: { start: number; end: number },
): Promise<Hash> {
  const hashes: Hash[] = [];
  for (const part of nodesOf(start, end)) hashes.push(await node(part));
  return joinRight(hashes);
}

/** The inclusion proof of an entry, checked against the root before it is handed out. */
export async function proveInclusion(
  reader: LogReader,
  index: number,
  head: { readonly size: number; readonly root: Hash },
): Promise<Hash[]> {
  const node = nodeReader(reader, head.size);
  const proof: Hash[] = [];
  for (const range of inclusionRanges(index, head.size)) proof.push(await rangeRoot(node, range));
  const leaf = leafHash(await entryAt(reader, index, head.size));
  if (!verifyInclusion(index, head.size, leaf, proof, head.root)) {
    throw ledgerFault('ledger.damaged', { where: `entry ${index}`, detail: 'Its proof does not lead to the root.' });
  }
  return proof;
}

/** The consistency proof from an older size, checked against both roots before it is handed out. */
export async function proveConsistency(
  reader: LogReader,
  older: number,
  head: { readonly size: number; readonly root: Hash },
): Promise<Hash[]> {
  const node = nodeReader(reader, head.size);
  const proof: Hash[] = [];
  if (older === head.size) return proof;
  for (const range of consistencyRanges(older, head.size)) proof.push(await rangeRoot(node, range));
  const olderRoot = await rangeRoot(node, { start: 0, end: older });
  if (!verifyConsistency(older, head.size, olderRoot, head.root, proof)) {
    throw ledgerFault('ledger.damaged', { where: `size ${older}`, detail: 'Its proof does not lead to the root.' });
  }
  return proof;
}

async function bundleAt(reader: LogReader, index: number, size: number): Promise<Uint8Array[]> {
  const { full, width } = edgeOf('entries', size);
  const bundle = await readBundle(reader, index, index < full ? TILE_WIDTH : width);
  if (isReadProblem(bundle)) throw ledgerFault('ledger.damaged', { where: bundle.path, detail: bundle.detail });
  return bundle;
}

export async function entryAt(reader: LogReader, index: number, size: number): Promise<Uint8Array> {
  const bundle = await bundleAt(reader, Math.floor(index / TILE_WIDTH), size);
  const entry = bundle[index % TILE_WIDTH];
  if (entry === undefined) throw ledgerFault('ledger.no-entry', { where: `entry ${index}` });
  return entry;
}

/** The entries from an index on, each with its statement, one bundle in memory at a time. */
export async function* recordsOf(reader: LogReader, from: number, size: number): AsyncGenerator<LedgerRecord> {
  for (let tile = Math.floor(from / TILE_WIDTH); tile * TILE_WIDTH < size; tile++) {
    const bundle = await bundleAt(reader, tile, size);
    for (const [offset, entry] of bundle.entries()) {
      const index = tile * TILE_WIDTH + offset;
      if (index >= from) yield recordOf(reader, index, entry);
    }
  }
}

export async function recordOf(reader: LogReader, index: number, entry: Uint8Array): Promise<LedgerRecord> {
  const record = decodeEntry(entry);
  if (typeof record === 'string') return { index, entry };
  const { statement: digest, type, size } = record;
  const statement = await reader.file(statementPath(digest), STATEMENT_LIMIT);
  if (isReadProblem(statement) || statement.length !== size || digestOf(statement) !== digest) {
    return { index, entry, digest, type };
  }
  const happening = readStatement(statement);
  return { index, entry, digest, type, statement, ...(happening === undefined ? {} : { happening }) };
}
