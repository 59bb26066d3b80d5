import { encodeBase64, isProblem, parseVkey, type Vkey } from '#formats';
import {
  type Appended,
  type Clock,
  type Digest,
  digestOf,
  type Files,
  type Happening,
  type Home,
  type LedgerAppender,
} from '#kernel';
import { makeFolderDurably } from '#system';
import { ledgerSigner } from '#trust';
import { CHECKPOINT_LIMIT, openCheckpoint, signCheckpoint, type TreeHead } from './checkpoint.ts';
import { decodeEntry, encodeEntry, statementPath } from './entry.ts';
import { ledgerFault } from './faults.ts';
import { takeLock } from './io/lock.ts';
import { isReadProblem, logReader, type LogReader, readBundle, readTile } from './io/reader.ts';
import { sweepBeyond } from './io/sweep.ts';
import { type LogWriter, logWriter, writeFault } from './io/writer.ts';
import { type LedgerRecord, nodeReader, proveConsistency, proveInclusion, rangeRoot, recordsOf } from './log-view.ts';
import type { LogSigner } from './ports.ts';
import { formatProof } from './proof.ts';
import { edgeFrom, emptyEdge, grow, type RightEdge, rootOf } from './right-edge.ts';
import { decodeSigningState, encodeSigningState, type SigningState } from './signing-state.ts';
import { signStatement } from './statement.ts';
import { edgeOf, ENTRY_LIMIT, levelsOf, tilePath } from './tile.ts';
import { emptyRoot, sameHash } from './tree.ts';

/** Where an entry stands, after the checkpoint that covers it is on disk. */
export interface Logged {
  readonly index: number;
  readonly size: number;
  /** Base64, as in the checkpoint. */
  readonly root: string;
}

/** The ledger of a side, open for writing by this process alone. */
export interface Ledger extends LedgerAppender {
  /** Origin of the log and name of its key. */
  readonly origin: string;
  /** Size and root (base64) of the checkpoint that is on disk. */
  readonly size: number;
  readonly root: string;
  /** Happenings that stand next to each other, under one checkpoint. */
  appendAll(happenings: readonly Happening[]): Promise<Appended[]>;
  /** An entry that is no record of ours: at most 65,535 bytes. */
  appendEntry(entry: Uint8Array): Promise<Logged>;
  /** The checkpoint on disk, exact bytes; empty before the first entry. */
  checkpoint(): Promise<Uint8Array>;
  /** A C2SP tlog-proof of an entry under the checkpoint on disk. */
  prove(index: number): Promise<Uint8Array>;
  /** The consistency proof from an older size, 0 < older <= size, to the checkpoint on disk (RFC 6962 section 2.1.2). */
  proveConsistency(older: number): Promise<readonly Uint8Array[]>;
  records(from?: number): AsyncIterable<LedgerRecord>;
  /** Waits for what was appended, then lets other processes write. */
  close(): Promise<void>;
}

/** How long a second writer waits for the first, in milliseconds. */
const LOCK_WAIT = 30_000;
/** One commit takes at most this many entries and bytes, so that memory and the wait of the first are bounded. */
const BATCH_ENTRIES = 4096;
const BATCH_BYTES = 32 * 1024 * 1024;

const STATE_FOLDER = 'state';
const STATE = `${STATE_FOLDER}/signing-state`;
const STATE_LIMIT = 2 * CHECKPOINT_LIMIT;

/** Opens the ledger of a home for writing; makes it where there is none. One process at a time. */
export async function openLedger(files: Files, home: Home, clock: Clock): Promise<Ledger> {
  return openLog(files, home.ledger, await ledgerSigner(files, home.path), clock);
}

/** The same for any folder and signer. `wait` is how long to wait for another writer, in milliseconds. */
export async function openLog(
  files: Files,
  folder: string,
  signer: LogSigner,
  clock: Clock,
  options: { readonly wait?: number } = {},
): Promise<Ledger> {
  const vkey = parseVkey(signer.vkey);
  if (isProblem(vkey)) throw new TypeError(`the ledger's signer has no verifier key: ${vkey.detail}`);
  const scratch = `${folder}/${STATE_FOLDER}`;
  try {
    await makeFolderDurably(files, folder);
    await makeFolderDurably(files, scratch);
    const lock = await takeLock(files, scratch, clock, options.wait ?? LOCK_WAIT);
    try {
      for (const { name } of await files.list(scratch)) {
        if (name.endsWith('.sallyport-tmp') && !name.startsWith('lock.')) await files.remove(`${scratch}/${name}`);
      }
      const log: Log = { folder, signer, vkey, reader: logReader(files, folder), files, scratch };
      return await ledgerOf(log, lock);
    } catch (error) {
      await lock.release().catch(() => undefined);
      throw error;
    }
  } catch (error) {
    throw writeFault(error, folder);
  }
}

interface Log {
  readonly files: Files;
  readonly folder: string;
  readonly scratch: string;
  readonly signer: LogSigner;
  readonly vkey: Vkey;
  readonly reader: LogReader;
}

/** What is on disk and signed, and what it takes to go on. */
interface Standing {
  readonly edge: RightEdge;
  readonly root: Uint8Array;
  readonly note: Uint8Array;
}

interface Waiting {
  readonly entries: readonly Uint8Array[];
  readonly statements: readonly { readonly digest: Digest; readonly bytes: Uint8Array }[];
  readonly bytes: number;
  resolve(standing: { first: number; standing: Standing }): void;
  reject(error: unknown): void;
}

async function ledgerOf(log: Log, lock: { release(): Promise<void> }): Promise<Ledger> {
  let writer = logWriter(log.files, log.folder, log.scratch);
  let standing = await recover(log, writer);
  /** Set by a failed write: what is on disk must be looked at again before anything is added to it. */
  let doubtful = false;
  let closed = false;
  let waiting: Waiting[] = [];
  let working: Promise<void> | undefined;

  async function commit(batch: readonly Waiting[]): Promise<void> {
    if (doubtful) {
      writer = logWriter(log.files, log.folder, log.scratch);
      standing = await recover(log, writer);
      doubtful = false;
    }
    doubtful = true;
    let first = standing.edge.size;
    standing = await extend(log, writer, standing, batch);
    doubtful = false;
    for (const item of batch) {
      item.resolve({ first, standing });
      first += item.entries.length;
    }
  }

  async function work(): Promise<void> {
    // Appenders that were answered together ask again together: let all of them in before the next batch is cut.
    await new Promise((done) => setImmediate(done));
    while (waiting.length > 0) {
      const batch = cutBatch(waiting);
      waiting = waiting.slice(batch.length);
      try {
        await commit(batch);
      } catch (error) {
        const fault = writeFault(error, log.folder);
        for (const item of batch) item.reject(fault);
      }
      await new Promise((done) => setImmediate(done));
    }
    working = undefined;
  }

  function enqueue(
    entries: readonly Uint8Array[],
    statements: Waiting['statements'],
  ): Promise<{ first: number; standing: Standing }> {
    if (closed) throw new Error('the ledger is closed');
    const bytes = [...entries, ...statements.map((statement) => statement.bytes)].reduce((n, b) => n + b.length, 0);
    return new Promise((resolve, reject) => {
      waiting.push({ entries, statements, bytes, resolve, reject });
      working ??= work();
    });
  }

  async function appendAll(happenings: readonly Happening[]): Promise<Appended[]> {
    if (happenings.length === 0) return [];
    const statements = happenings.map((happening) => {
      const bytes = signStatement(happening, log.signer);
      return { digest: digestOf(bytes), bytes };
    });
    const entries = statements.map(({ digest, bytes }, i) =>
      encodeEntry({ statement: digest, size: bytes.length, type: happenings[i]?.predicateType ?? '' }),
    );
    for (const entry of entries) judgeEntry(entry);
    const { first, standing: at } = await enqueue(entries, statements);
    const root = encodeBase64(at.root);
    return statements.map(({ digest }, i) => ({ index: first + i, size: at.edge.size, root, statement: digest }));
  }

  return {
    origin: log.signer.name,
    get size() {
      return standing.edge.size;
    },
    get root() {
      return encodeBase64(standing.root);
    },
    appendAll,
    async append(happening) {
      const [appended] = await appendAll([happening]);
      if (appended === undefined) throw new Error('an append without an answer');
      return appended;
    },
    async appendEntry(entry) {
      judgeEntry(entry);
      if (decodeEntry(entry) !== 'opaque') throw new TypeError('records of ours are appended as happenings');
      const { first, standing: at } = await enqueue([Uint8Array.from(entry)], []);
      return { index: first, size: at.edge.size, root: encodeBase64(at.root) };
    },
    async checkpoint() {
      return standing.edge.size === 0 ? new Uint8Array() : standing.note;
    },
    async prove(index) {
      const { edge, root, note } = standing;
      if (!Number.isSafeInteger(index) || index < 0 || index >= edge.size) {
        throw ledgerFault('ledger.no-entry', { where: `entry ${index}`, detail: `The size is ${edge.size}.` });
      }
      const hashes = await proveInclusion(log.reader, index, { size: edge.size, root });
      return formatProof({ index, hashes, checkpoint: note });
    },
    async proveConsistency(older) {
      const { edge, root } = standing;
      if (!Number.isSafeInteger(older) || older <= 0 || older > edge.size) {
        throw ledgerFault('ledger.no-entry', { where: `size ${older}`, detail: `The size is ${edge.size}.` });
      }
      return proveConsistency(log.reader, older, { size: edge.size, root });
    },
    records: (from = 0) => recordsOf(log.reader, from, standing.edge.size),
    async close() {
      if (closed) return;
      closed = true;
      while (working !== undefined) await working;
      try {
        await lock.release();
      } catch (error) {
        throw writeFault(error, log.folder);
      }
    },
  };
}

function judgeEntry(entry: Uint8Array): void {
  if (entry.length > ENTRY_LIMIT) {
    throw ledgerFault('ledger.entry-too-large', { detail: `It has ${entry.length} bytes.` });
  }
}

function cutBatch(waiting: readonly Waiting[]): Waiting[] {
  const batch: Waiting[] = [];
  let entries = 0;
  let bytes = 0;
  for (const item of waiting) {
    entries += item.entries.length;
    bytes += item.bytes;
    if (batch.length > 0 && (entries > BATCH_ENTRIES || bytes > BATCH_BYTES)) break;
    batch.push(item);
  }
  return batch;
}

/**
 * The order of DECISIONS 14: statements, entries and tiles, then the signing state, then the checkpoint. What is durable
 * of the last two before their turn is a temporary without a name that counts.
 */
async function extend(log: Log, writer: LogWriter, from: Standing, batch: readonly Waiting[]): Promise<Standing> {
  const statements = new Map(batch.flatMap((item) => item.statements.map(({ digest, bytes }) => [digest, bytes])));
  const { edge, tiles } = grow(
    from.edge,
    batch.flatMap((item) => item.entries),
  );
  const root = rootOf(edge);
  const note = signCheckpoint({ size: edge.size, root }, log.signer);
  await writer.commit({
    fresh: tiles.map(({ tile, bytes }) => ({ path: tilePath(tile), bytes })),
    whole: [...statements].map(([digest, bytes]) => ({ path: statementPath(digest), bytes })),
    last: [
      { path: STATE, bytes: encodeSigningState({ size: edge.size, root, note }) },
      { path: 'checkpoint', bytes: note },
    ],
  });
  return { edge, root, note };
}

/**
 * Where the log stands: at its signing state, which is never older than what was published. The tree must be there up
 * to that size; what lies beyond was never signed and is removed; a checkpoint that is behind is rolled forward.
 */
async function recover(log: Log, writer: LogWriter): Promise<Standing> {
  const state = await readState(log);
  const published = await readPublished(log);
  if (state === undefined) {
    if (published !== undefined || (await log.files.look(`${log.folder}/tile`)) !== undefined) {
      throw ledgerFault('ledger.state-missing', { where: log.folder });
    }
    const root = emptyRoot();
    const note = signCheckpoint({ size: 0, root }, log.signer);
    await writer.commit({ last: [{ path: STATE, bytes: encodeSigningState({ size: 0, root, note }) }] });
    return { edge: emptyEdge, root, note };
  }
  if (published !== undefined && published.size > state.size) {
    throw ledgerFault('ledger.state-behind', {
      where: log.folder,
      detail: `It signed size ${state.size}; size ${published.size} is published.`,
    });
  }
  const edge = await readEdge(log, state);
  if (published !== undefined && !sameHash(await rootAt(log, published.size, state), published.root)) {
    throw ledgerFault('ledger.fork', { where: log.folder, detail: `Size ${published.size} has two roots.` });
  }
  await sweepBeyond(log.files, log.folder, state.size);
  // A process that was killed between a rename and the flush of its folder left names that are not durable yet.
  await log.files.syncFolder(log.scratch);
  if (state.size > 0 && (published === undefined || published.size < state.size)) {
    await writer.commit({ last: [{ path: 'checkpoint', bytes: state.note }] });
  } else {
    await log.files.syncFolder(log.folder);
  }
  return { edge, root: state.root, note: state.note };
}

async function readState(log: Log): Promise<SigningState | undefined> {
  const bytes = await log.reader.file(STATE, STATE_LIMIT);
  const where = `${log.folder}/${STATE}`;
  if (isReadProblem(bytes)) {
    if (bytes.problem === 'missing') return undefined;
    throw ledgerFault('ledger.state-damaged', { where, detail: bytes.detail });
  }
  const state = decodeSigningState(bytes);
  if (state === undefined) throw ledgerFault('ledger.state-damaged', { where });
  const head = openCheckpoint(state.note, log.vkey);
  if ('code' in head) throw ledgerFault('ledger.state-damaged', { where, detail: head.detail });
  if (head.size !== state.size || !sameHash(head.root, state.root)) {
    throw ledgerFault('ledger.state-damaged', { where, detail: 'Its note is of another tree.' });
  }
  return state;
}

async function readPublished(log: Log): Promise<TreeHead | undefined> {
  const bytes = await log.reader.file('checkpoint', CHECKPOINT_LIMIT);
  const where = `${log.folder}/checkpoint`;
  if (isReadProblem(bytes)) {
    if (bytes.problem === 'missing') return undefined;
    throw ledgerFault('ledger.fork', { where, detail: bytes.detail });
  }
  const head = openCheckpoint(bytes, log.vkey);
  if ('code' in head) throw ledgerFault('ledger.fork', { where, detail: head.detail });
  return head;
}

async function readEdge(log: Log, state: SigningState): Promise<RightEdge> {
  const behind = (where: string, detail: string): Error => ledgerFault('ledger.tree-behind', { where, detail });
  const levels: Uint8Array[] = [];
  for (const level of levelsOf(state.size)) {
    const { full, width } = edgeOf(level, state.size);
    const tile = { level, index: full, width };
    const bytes = width === 0 ? new Uint8Array() : await readTile(log.reader, tile);
    if (isReadProblem(bytes)) throw behind(`${log.folder}/${bytes.path}`, bytes.detail);
    levels.push(bytes);
  }
  const { full, width } = edgeOf('entries', state.size);
  const bundle = width === 0 ? [] : await readBundle(log.reader, full, width);
  if (isReadProblem(bundle)) throw behind(`${log.folder}/${bundle.path}`, bundle.detail);
  const edge = edgeFrom(state.size, levels, bundle);
  if (edge === undefined) throw behind(log.folder, 'The last entries are not those of the tree.');
  if (!sameHash(rootOf(edge), state.root)) throw behind(log.folder, `Size ${state.size} has another root.`);
  return edge;
}

/** Root of an older size of the tree, from its tiles. */
async function rootAt(log: Log, size: number, state: SigningState): Promise<Uint8Array> {
  if (size === state.size) return state.root;
  if (size === 0) return emptyRoot();
  return rangeRoot(nodeReader(log.reader, state.size), { start: 0, end: size });
}
