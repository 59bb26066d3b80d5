import { encodeBase64, isProblem, type Vkey } from '#formats';
import { type Files, type Home, printable } from '#kernel';
import { readIfThere } from '#system';
import { CHECKPOINT_LIMIT, openCheckpoint, parseLedgerVkey } from './checkpoint.ts';
import { ledgerFault } from './faults.ts';
import { isReadProblem, logReader } from './io/reader.ts';
import {
  entryAt,
  type LedgerRecord,
  nodeReader,
  proveConsistency,
  proveInclusion,
  rangeRoot,
  recordOf,
  recordsOf,
} from './log-view.ts';
import { formatProof } from './proof.ts';
import type { Hash } from './tree.ts';

/** A ledger as a reader sees it: what its checkpoint covered when it was opened. A writer may go on meanwhile. */
export interface LedgerView {
  readonly origin: string;
  readonly size: number;
  /** Base64, as in the checkpoint; '' before the first entry. */
  readonly root: string;
  /** Exact bytes; empty before the first entry. */
  readonly checkpoint: Uint8Array;
  /** Throws ledger.no-entry and ledger.damaged. */
  record(index: number): Promise<LedgerRecord>;
  records(from?: number): AsyncIterable<LedgerRecord>;
  prove(index: number): Promise<{ readonly hashes: readonly Hash[]; readonly text: Uint8Array }>;
  /** From an older size, 0 < older <= size. */
  proveConsistency(older: number): Promise<readonly Hash[]>;
  /** Root (base64) of the tree when it had this size. */
  rootAt(size: number): Promise<string>;
}

/** Opens a log for reading, without a lock. Its checkpoint must be signed by the key; the rest is checked when it is used. */
export async function readLedger(files: Files, folder: string, vkey: Vkey): Promise<LedgerView> {
  if ((await files.look(folder)) === undefined) throw ledgerFault('ledger.missing', { where: folder });
  const reader = logReader(files, folder);
  const bytes = await reader.file('checkpoint', CHECKPOINT_LIMIT);
  const where = `${folder}/checkpoint`;
  if (isReadProblem(bytes)) {
    if (bytes.problem !== 'missing') throw ledgerFault('ledger.damaged', { where, detail: bytes.detail });
    const none = async (index: number): Promise<never> => {
      throw ledgerFault('ledger.no-entry', { where: `entry ${index}`, detail: 'The ledger is empty.' });
    };
    const records = async function* (): AsyncGenerator<LedgerRecord> {};
    return {
      origin: vkey.name,
      size: 0,
      root: '',
      checkpoint: new Uint8Array(),
      record: none,
      records,
      prove: none,
      proveConsistency: none,
      rootAt: none,
    };
  }
  const head = openCheckpoint(bytes, vkey);
  if ('code' in head) throw ledgerFault('ledger.damaged', { where, detail: printable(head.detail) });

  const judgeIndex = (index: number): void => {
    if (Number.isSafeInteger(index) && index >= 0 && index < head.size) return;
    throw ledgerFault('ledger.no-entry', { where: `entry ${index}`, detail: `The size is ${head.size}.` });
  };
  return {
    origin: head.origin,
    size: head.size,
    root: encodeBase64(head.root),
    checkpoint: bytes,
    async record(index) {
      judgeIndex(index);
      return recordOf(reader, index, await entryAt(reader, index, head.size));
    },
    records: (from = 0) => recordsOf(reader, from, head.size),
    async prove(index) {
      judgeIndex(index);
      const hashes = await proveInclusion(reader, index, head);
      return { hashes, text: formatProof({ index, hashes, checkpoint: bytes }) };
    },
    async proveConsistency(older) {
      judgeIndex(older - 1);
      return proveConsistency(reader, older, head);
    },
    async rootAt(size) {
      judgeIndex(size - 1);
      return encodeBase64(await rangeRoot(nodeReader(reader, head.size), { start: 0, end: size }));
    },
  };
}

const VKEY_LIMIT = 4096;

/** A log's verifier key from a file; undefined where there is no such file. Throws ledger.key-malformed. */
export async function readVkeyFile(files: Files, path: string): Promise<Vkey | undefined> {
  const bytes = await readIfThere(files, path, VKEY_LIMIT);
  if (bytes === undefined) return undefined;
  const vkey = parseLedgerVkey(Buffer.from(bytes).toString('utf8'));
  if (isProblem(vkey)) throw ledgerFault('ledger.key-malformed', { where: path, detail: printable(vkey.detail) });
  return vkey;
}

/** Where a home keeps the verifier key of its own ledger. */
export function vkeyPath(home: Home): string {
  return `${home.trust}/ledger.vkey`;
}

/** The ledger of a home, for reading. */
export async function readHomeLedger(files: Files, home: Home): Promise<LedgerView> {
  const vkey = await readVkeyFile(files, vkeyPath(home));
  if (vkey === undefined) throw ledgerFault('ledger.no-key', { where: vkeyPath(home) });
  return readLedger(files, home.ledger, vkey);
}
