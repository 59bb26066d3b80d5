import { decodeBase64, encodeBase64, formatNote, isProblem, parseNote, parseStrictJson } from '#formats';
import { type Files, type Home, isObject, type Reason } from '#kernel';
import { makeFolderDurably, readIfThere, writeDurably } from '#system';
import { makeWitness, readWitness, type WitnessSigner } from '#trust';
import { formatTreeHead, type TreeHead } from './checkpoint.ts';
import { type ConsistencyProofs, formatConsistency, parseConsistency } from './consistency.ts';
import { ledgerFault } from './faults.ts';
import { sameHash, verifyConsistency } from './tree.ts';

/**
 * A side as a witness of another log (C2SP tlog-witness, without its network): it keeps the largest tree that it saw of
 * each log, and believes no other history afterwards.
 */

/** What was seen last of a log. */
export interface Seen extends TreeHead {
  /** The checkpoint as it came, with its own signature. */
  readonly checkpoint: Uint8Array;
  /** Proofs that came with it: they show later that smaller trees, which were overtaken on their way, belong to it. */
  readonly proofs: ConsistencyProofs;
}

export type Observation =
  | { readonly outcome: 'first' | 'grown' | 'same' | 'older' }
  | { readonly outcome: 'forked' | 'rewound' | 'unproved'; readonly reason: Reason };

/** How a tree head whose signature holds stands to what was seen of its log. Pure. */
export function judgeHead(last: Seen | undefined, head: TreeHead, proofs: ConsistencyProofs): Observation {
  if (last === undefined) return { outcome: 'first' };
  const where = head.origin;
  const sizes = `${last.size} was seen, ${head.size} came`;
  if (head.size === last.size) {
    if (sameHash(head.root, last.root)) return { outcome: 'same' };
    return { outcome: 'forked', reason: why('ledger.forked', where, `Two roots of size ${head.size}.`) };
  }
  const newer = head.size > last.size;
  const [small, large] = newer ? [last, head] : [head, last];
  if (newer && last.size === 0) return { outcome: 'grown' };
  const proof = (newer ? proofs : last.proofs).get(small.size);
  if (proof === undefined) {
    if (newer) return { outcome: 'unproved', reason: why('ledger.no-consistency', where, `${sizes}.`) };
    return { outcome: 'rewound', reason: why('ledger.rewound', where, `${sizes}.`) };
  }
  if (!verifyConsistency(small.size, large.size, small.root, large.root, proof)) {
    return { outcome: 'forked', reason: why('ledger.forked', where, `${sizes}, and the proof does not hold.`) };
  }
  return { outcome: newer ? 'grown' : 'older' };
}

function why(code: string, where: string, detail: string): Reason {
  return { code, where, detail };
}

export interface Witness {
  readonly signer: WitnessSigner;
  seen(origin: string): Seen | undefined;
  /** All logs that it has seen something of. */
  readonly logs: readonly Seen[];
  /**
   * Keeps what was seen, durably, and only then cosigns it: the checkpoint with this witness's signatures added. The
   * caller has judged it as first, same or grown.
   */
  cosign(seen: Seen, now: number): Promise<Uint8Array>;
}

const STATE_LIMIT = 16 * 1024 * 1024;

function statePath(home: Home): string {
  return `${home.path}/witness/state.json`;
}

/**
 * The witness of a home; made where it is wanted the first time. Throws ledger.witness-lost where the keys are there and
 * what it saw is not, or is older than what this side's own ledger says that it saw (`observed`, sizes by origin).
 */
export async function openWitness(
  files: Files,
  home: Home,
  site: string,
  observed: ReadonlyMap<string, number>,
): Promise<Witness> {
  const path = statePath(home);
  const known = await readWitness(files, home);
  const bytes = await readIfThere(files, path, STATE_LIMIT);
  const lost = (detail: string) => ledgerFault('ledger.witness-lost', { where: path, detail });
  if (bytes === undefined && (known !== undefined || observed.size > 0)) throw lost('It is not there.');
  const logs = bytes === undefined ? new Map<string, Seen>() : decodeState(bytes);
  if (logs === undefined) throw lost('It cannot be read.');
  for (const [origin, size] of observed) {
    const kept = logs.get(origin)?.size ?? -1;
    if (kept < size) throw lost(`It knows size ${kept} of ${origin}; the ledger says that ${size} was seen.`);
  }
  // The state first: keys without a state are a witness that has lost it.
  if (bytes === undefined) {
    await makeFolderDurably(files, `${home.path}/witness`, 0o700);
    await writeDurably(files, path, encodeState(logs), { mode: 0o600 });
  }
  const signer = known ?? (await makeWitness(files, home, site));
  return {
    signer,
    seen: (origin) => logs.get(origin),
    get logs() {
      return [...logs.values()];
    },
    async cosign(seen, now) {
      logs.set(seen.origin, seen);
      await writeDurably(files, path, encodeState(logs), { mode: 0o600 });
      const note = parseNote(seen.checkpoint);
      if (isProblem(note)) throw new TypeError(`not a checkpoint: ${note.detail}`);
      return formatNote(note.text, [...note.signatures, ...signer.cosign(note.text, Math.floor(now / 1000))]);
    },
  };
}

function encodeState(logs: ReadonlyMap<string, Seen>): Uint8Array {
  const document = {
    'sallyport-witness': '1.0',
    logs: [...logs.values()].map(({ origin, size, root, checkpoint, proofs }) => ({
      origin,
      size,
      root: encodeBase64(root),
      checkpoint: encodeBase64(checkpoint),
      proofs: encodeBase64(formatConsistency(proofs)),
    })),
  };
  return Buffer.from(`${JSON.stringify(document)}\n`, 'utf8');
}

function decodeState(bytes: Uint8Array): Map<string, Seen> | undefined {
  const parsed = parseStrictJson(bytes, { size: STATE_LIMIT });
  if (!parsed.ok || !isObject(parsed.value) || parsed.value['sallyport-witness'] !== '1.0') return undefined;
  const rows = parsed.value['logs'];
  if (!Array.isArray(rows)) return undefined;
  const logs = new Map<string, Seen>();
  for (const row of rows) {
    if (!isObject(row)) return undefined;
    const { origin, size, root, checkpoint, proofs } = row;
    if (typeof origin !== 'string' || typeof size !== 'number' || !Number.isSafeInteger(size)) return undefined;
    const hashes = decode(root);
    const note = decode(checkpoint);
    const list = decode(proofs);
    const read = list === undefined ? undefined : parseConsistency(list);
    if (hashes?.length !== 32 || note === undefined || read === undefined || isProblem(read)) return undefined;
    const head = { origin, size, root: hashes };
    const parsedNote = parseNote(note);
    if (isProblem(parsedNote) || !sameHash(parsedNote.text, formatTreeHead(head))) return undefined;
    logs.set(origin, { ...head, checkpoint: note, proofs: read });
  }
  return logs;
}

function decode(value: unknown): Uint8Array | undefined {
  return typeof value === 'string' ? decodeBase64(value) : undefined;
}
