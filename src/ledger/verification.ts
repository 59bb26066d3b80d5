import { encodeBase64, type Vkey, isProblem, parseNote, problem } from '#formats';
import { type Files, type Reason, type Verdict } from '#kernel';
import { CHECKPOINT_LIMIT, openCheckpoint, type TreeHead, parseTreeHead } from './checkpoint.ts';
import { decodeEntry, statementPath } from './entry.ts';
import type { ledgerCatalogue } from './faults.ts';
import { ledgerFault } from './faults.ts';
import { isReadProblem, logReader, type LogReader, readBundle, readTile } from './io/reader.ts';
import {
  decodeEntries,
  decodeHashes,
  edgeOf,
  edgeRoot,
  encodeEntries,
  FULL_BUNDLE_LIMIT,
  FULL_TILE_BYTES,
  levelsOf,
  type Tile,
  TILE_WIDTH,
  tilePath,
} from './tile.ts';
import { emptyRoot, type Hash, HASH_BYTES, leafHash, perfectRoot, sameHash } from './tree.ts';

/** The answer about a log's folder. Size, root and origin are those of the signed checkpoint; before one, 0 and ''. */
export interface LedgerReport extends Verdict<'verified' | 'unverified'> {
  readonly origin: string;
  readonly size: number;
  /** Base64, as in the checkpoint. */
  readonly root: string;
  /** Statements that entries name and that are there, whole. */
  readonly statements: number;
}

type ReasonCode = keyof typeof ledgerCatalogue;

/** Listed reasons; what is beyond is counted. */
const REASONS_LIMIT = 100;

/**
 * Judges a log's folder by its verifier key: the checkpoint's signature, then every tile, full or partial, against its
 * parent up to the signed root (CVE-2026-56865: a reader that trusted some of them could be given forged ones), every
 * entry bundle against its tile, and every statement that an entry of ours names. The folder may be hostile: it is read
 * in memory that does not depend on its size, no link is followed, and nothing in it is believed before its parent is.
 * Throws ledger.missing where there is no such folder.
 */
export async function verifyLedger(files: Files, folder: string, vkey: Vkey): Promise<LedgerReport> {
  const look = await files.look(folder);
  if (look === undefined) throw ledgerFault('ledger.missing', { where: folder });
  const judge = judgement();
  const reader = logReader(files, folder);
  let head: TreeHead | undefined;
  if (look.kind === 'file' || look.kind === 'other') judge.reason('ledger.not-a-file', '', `It is a ${look.kind}.`);
  else head = await readHead(reader, vkey, judge);
  let statements = 0;
  if (head !== undefined) statements = await verifyTree(reader, head, judge);
  const reasons = judge.reasons();
  return {
    verdict: head !== undefined && reasons.length === 0 ? 'verified' : 'unverified',
    reasons,
    origin: head?.origin ?? '',
    size: head?.size ?? 0,
    root: head === undefined ? '' : encodeBase64(head.root),
    statements,
  };
}

/** The same without a key: whether tiles, entries and statements are those of the checkpoint, whoever signed that. */
export async function verifyUnsigned(files: Files, folder: string): Promise<LedgerReport> {
  const judge = judgement();
  const reader = logReader(files, folder);
  const bytes = await reader.file('checkpoint', CHECKPOINT_LIMIT);
  const note = isReadProblem(bytes) ? problem('', bytes.detail) : parseNote(bytes);
  const head = isProblem(note) ? note : parseTreeHead(note.text);
  if (isProblem(head)) judge.reason('ledger.checkpoint-malformed', 'checkpoint', head.detail);
  const statements = isProblem(head) ? 0 : await verifyTree(reader, head, judge);
  const reasons = judge.reasons();
  return {
    verdict: reasons.length === 0 ? 'verified' : 'unverified',
    reasons,
    origin: isProblem(head) ? '' : head.origin,
    size: isProblem(head) ? 0 : head.size,
    root: isProblem(head) ? '' : encodeBase64(head.root),
    statements,
  };
}

/** The answer where there is no checkpoint, for which no key is needed; undefined where there is one. */
export async function unsignedReport(files: Files, folder: string): Promise<LedgerReport | undefined> {
  const look = await files.look(folder);
  const isFolder = look?.kind === 'folder' || look?.kind === 'link';
  if (isFolder && (await files.look(`${folder}/checkpoint`)) !== undefined) return undefined;
  const reason = isFolder
    ? { code: 'ledger.no-checkpoint', where: 'checkpoint', detail: 'It is not there.' }
    : { code: 'ledger.not-a-file', where: '', detail: 'It is no folder.' };
  return { verdict: 'unverified', reasons: [reason], origin: '', size: 0, root: '', statements: 0 };
}

interface Judgement {
  reason(code: ReasonCode, where: string, detail: string): void;
  reasons(): Reason[];
}

function judgement(): Judgement {
  const listed: Reason[] = [];
  let more = 0;
  return {
    reason(code, where, detail) {
      if (listed.length < REASONS_LIMIT) listed.push({ code, where, detail });
      else more += 1;
    },
    reasons: () =>
      more === 0 ? listed : [...listed, { code: 'ledger.more-reasons', where: '', detail: `${more} more.` }],
  };
}

async function readHead(reader: LogReader, vkey: Vkey, judge: Judgement): Promise<TreeHead | undefined> {
  const bytes = await reader.file('checkpoint', CHECKPOINT_LIMIT);
  if (isReadProblem(bytes)) {
    const code = {
      missing: 'ledger.no-checkpoint',
      'not-a-file': 'ledger.not-a-file',
      unreadable: 'ledger.unreadable',
      'too-large': 'ledger.checkpoint-malformed',
    } as const;
    judge.reason(code[bytes.problem], 'checkpoint', bytes.detail);
    return undefined;
  }
  const head = openCheckpoint(bytes, vkey);
  if ('code' in head) {
    judge.reason(head.code, 'checkpoint', head.detail);
    return undefined;
  }
  return head;
}

const TILE_CODES = {
  missing: 'ledger.tile-missing',
  'not-a-file': 'ledger.not-a-file',
  unreadable: 'ledger.unreadable',
  'too-large': 'ledger.tile-size',
  size: 'ledger.tile-size',
} as const;

const BUNDLE_CODES = {
  missing: 'ledger.bundle-missing',
  'not-a-file': 'ledger.not-a-file',
  unreadable: 'ledger.unreadable',
  'too-large': 'ledger.bundle-malformed',
  'bundle-malformed': 'ledger.bundle-malformed',
  'bundle-count': 'ledger.bundle-count',
} as const;

async function verifyTree(reader: LogReader, head: TreeHead, judge: Judgement): Promise<number> {
  const levels = levelsOf(head.size);
  const edge: Hash[][] = [];
  for (const level of levels) {
    const { full, width } = edgeOf(level, head.size);
    edge.push(width === 0 ? [] : ((await tileHashes(reader, { level, index: full, width }, judge)) ?? []));
  }
  const complete = levels.every((level) => edge[level]?.length === edgeOf(level, head.size).width);
  if (complete && !sameHash(edgeRoot(edge) ?? emptyRoot(), head.root)) {
    const parts = levels.map((level) => edgeOf(level, head.size).width).join(', ');
    judge.reason('ledger.root-differs', 'checkpoint', `The partial tiles of levels 0 and up, of widths ${parts}.`);
  }

  let statements = 0;
  /** Judges what lies below a tile whose hashes its parent, or the signed root, vouches for. */
  const below = async (level: number, index: number, hashes: readonly Hash[]): Promise<void> => {
    await verifyPartials(reader, { level, index, width: hashes.length }, Buffer.concat(hashes), judge);
    if (level === 0) {
      statements += await verifyBundle(reader, index, hashes, judge);
      return;
    }
    for (const [i, expected] of hashes.entries()) {
      const child: Tile = { level: level - 1, index: index * TILE_WIDTH + i, width: TILE_WIDTH };
      const found = await tileHashes(reader, child, judge);
      if (found === undefined) continue;
      if (sameHash(perfectRoot(found), expected)) await below(level - 1, child.index, found);
      else judge.reason('ledger.tile-forged', tilePath(child), 'It does not hash to the hash in its parent.');
    }
  };
  for (const level of [...levels].reverse()) {
    const hashes = edge[level] ?? [];
    if (hashes.length > 0) await below(level, edgeOf(level, head.size).full, hashes);
  }
  return statements;
}

async function tileHashes(reader: LogReader, tile: Tile, judge: Judgement): Promise<Hash[] | undefined> {
  const bytes = await readTile(reader, tile);
  if (isReadProblem(bytes)) {
    judge.reason(TILE_CODES[bytes.problem], bytes.path, bytes.detail);
    return undefined;
  }
  return decodeHashes(bytes);
}

/** Entries against the hashes of their tile; then the statements that they name. Says how many of these are whole. */
async function verifyBundle(
  reader: LogReader,
  index: number,
  hashes: readonly Hash[],
  judge: Judgement,
): Promise<number> {
  const entries = await readBundle(reader, index, hashes.length);
  if (isReadProblem(entries)) {
    judge.reason(BUNDLE_CODES[entries.problem], entries.path, entries.detail);
    return 0;
  }
  const path = tilePath({ level: 'entries', index, width: hashes.length });
  let statements = 0;
  let whole = true;
  for (const [i, entry] of entries.entries()) {
    if (sameHash(leafHash(entry), hashes[i] ?? Buffer.alloc(0))) {
      if (await verifyStatement(reader, index * TILE_WIDTH + i, entry, judge)) statements += 1;
    } else {
      whole = false;
      judge.reason('ledger.entry-forged', path, `Entry ${index * TILE_WIDTH + i} hashes to something else.`);
    }
  }
  if (whole) {
    const tile: Tile = { level: 'entries', index, width: hashes.length };
    await verifyPartials(reader, tile, encodeEntries(entries), judge);
  }
  return statements;
}

/**
 * Narrower partial tiles, which older checkpoints of the same log need, must be beginnings of what they became. A full
 * or wider file at the edge is no part of this tree.
 */
async function verifyPartials(reader: LogReader, tile: Tile, whole: Uint8Array, judge: Judgement): Promise<void> {
  const folder = `${tilePath({ ...tile, width: TILE_WIDTH })}.p`;
  const listed = await reader.list(folder);
  if (isReadProblem(listed)) {
    judge.reason(TILE_CODES[listed.problem], listed.path, listed.detail);
    return;
  }
  for (const { name } of listed) {
    if (!/^[1-9][0-9]{0,2}$/.test(name) || Number(name) >= Math.min(TILE_WIDTH, tile.width)) continue;
    const width = Number(name);
    const path = `${folder}/${name}`;
    const bytes = await reader.file(path, tile.level === 'entries' ? FULL_BUNDLE_LIMIT : FULL_TILE_BYTES);
    if (isReadProblem(bytes)) {
      judge.reason((tile.level === 'entries' ? BUNDLE_CODES : TILE_CODES)[bytes.problem], path, bytes.detail);
    } else if (tile.level !== 'entries' && bytes.length !== width * HASH_BYTES) {
      judge.reason(
        'ledger.tile-size',
        path,
        `It has ${bytes.length} bytes; ${width} hashes are ${width * HASH_BYTES}.`,
      );
    } else if (tile.level === 'entries' && decodeEntries(bytes)?.length !== width) {
      judge.reason('ledger.bundle-count', path, `It does not hold ${width} entries.`);
    } else if (!sameHash(bytes, whole.subarray(0, bytes.length))) {
      judge.reason('ledger.partial-forged', path, 'It differs from the beginning of the wider one.');
    }
  }
}

async function verifyStatement(
  reader: LogReader,
  index: number,
  entry: Uint8Array,
  judge: Judgement,
): Promise<boolean> {
  const record = decodeEntry(entry);
  if (record === 'opaque') return false;
  if (record === 'malformed') {
    judge.reason('ledger.entry-malformed', `entry ${index}`, 'It begins like a record of Sallyport and is none.');
    return false;
  }
  const path = statementPath(record.statement);
  const found = await reader.digest(path);
  if (isReadProblem(found)) {
    const code = {
      missing: 'ledger.statement-missing',
      'not-a-file': 'ledger.not-a-file',
      unreadable: 'ledger.unreadable',
      'too-large': 'ledger.statement-differs',
    } as const;
    judge.reason(code[found.problem], path, `Entry ${index} names it. ${found.detail}`);
    return false;
  }
  if (found.digest !== record.statement || found.size !== record.size) {
    const detail = `Entry ${index} names ${record.size} bytes; ${found.size} bytes with ${found.digest} are there.`;
    judge.reason('ledger.statement-differs', path, detail);
    return false;
  }
  return true;
}
