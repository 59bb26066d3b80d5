import { decodeEnvelope, decodeStatement, formatVkey, isProblem, NOTE_ED25519, parseNote, parseVkey } from '#formats';
import { digestOf, hexOf, type Reason } from '#kernel';
import { type BundleHead, SEALED_PREDICATE } from '#bundle';
import {
  decodeEntry,
  judgeHead,
  leafHash,
  type Observation,
  openCheckpoint,
  parseConsistency,
  parseProof,
  type Seen,
  verifyInclusion,
} from '#ledger';
import type { Root } from '#trust';
import type { Arrival } from './arrival.ts';
import { reason } from './faults.ts';

/** What a bundle says about the ledger of the side that sealed it. */
export interface LowLedger {
  readonly seen: Seen;
  readonly outcome: Observation['outcome'];
  /** Against the bundle. */
  readonly reasons: readonly Reason[];
  /** Worth knowing, although the bundle comes in. */
  readonly notices: readonly Reason[];
}

/**
 * Judges checkpoint and proofs that a bundle carries. Undefined where it carries none: bundles of other writers. The
 * key is that of the root's role `ledger`; a checkpoint that it did not sign is no checkpoint of that side.
 */
export function judgeLowLedger(
  { carried, seal }: BundleHead,
  root: Root,
  arrival: Arrival,
  last: (origin: string) => Seen | undefined,
): LowLedger | Reason | undefined {
  const proofBytes = carried.get('ledger.proof');
  const entry = carried.get('ledger.entry');
  const statement = carried.get('ledger.statement');
  if (proofBytes === undefined || entry === undefined || statement === undefined) return undefined;
  const bad = (where: string, detail: string): Reason => reason('admit.low-ledger', where, detail);
  const proof = parseProof(proofBytes);
  if (isProblem(proof)) return bad('ledger.proof', `${proof.where} ${proof.detail}`);
  const note = parseNote(proof.checkpoint);
  if (isProblem(note)) return bad('ledger.proof', note.detail);
  const origin = Buffer.from(note.text).toString('utf8').split('\n')[0] ?? '';
  if (!origin.startsWith(`${root.site}/`)) {
    return bad('ledger.proof', `Its log is ${origin}; the root is that of ${root.site}.`);
  }
  const holders = root.roles.get('ledger') ?? [];
  const keys = root.holders
    .filter(({ name }) => holders.includes(name))
    .flatMap(({ keys: all, require }) => all.filter(({ keyid }) => require.get('ledger')?.includes(keyid) === true))
    .filter(({ algorithm }) => algorithm === 'ed25519');
  let problem = bad('ledger.proof', 'The root names no key of a ledger.');
  for (const { spki } of keys) {
    const vkey = parseVkey(formatVkey(origin, NOTE_ED25519, spki.subarray(-32)));
    if (isProblem(vkey)) continue;
    const head = openCheckpoint(proof.checkpoint, vkey);
    if ('code' in head) {
      problem = bad('ledger.proof', head.detail);
      continue;
    }
    if (!verifyInclusion(proof.index, head.size, leafHash(entry), proof.hashes, head.root)) {
      return bad('ledger.entry', 'The proof does not lead from the entry to the checkpoint.');
    }
    const record = decodeEntry(entry);
    if (typeof record === 'string' || record.statement !== digestOf(statement)) {
      return bad('ledger.entry', 'It does not name the statement that came with it.');
    }
    if (!isAbout(statement, seal)) {
      return bad('ledger.statement', 'It is about the sealing of something else (CVE-2026-22703).');
    }
    const list = carried.get('ledger.consistency');
    const proofs = list === undefined ? new Map<number, never>() : parseConsistency(list);
    if (isProblem(proofs)) return bad('ledger.consistency', `${proofs.where} ${proofs.detail}`);
    const seen: Seen = { ...head, checkpoint: proof.checkpoint, proofs };
    const observation = judgeHead(last(origin), head, proofs);
    const { outcome } = observation;
    const why = 'reason' in observation ? [observation.reason] : [];
    // A bundle that was overtaken on its way comes with an older tree; only the proofs of a later bundle could show
    // that it belongs to it. For one that is newer by its number the log must not be shorter.
    const against = outcome === 'forked' || (outcome === 'rewound' && arrival === 'newer');
    return { seen, outcome, reasons: against ? why : [], notices: against ? [] : why };
  }
  return problem;
}

/** Whether a statement of a ledger is that this bundle was sealed: a proof of another entry shows nothing. */
function isAbout(bytes: Uint8Array, { index, channel, sequence }: BundleHead['seal']): boolean {
  const envelope = decodeEnvelope(bytes);
  const statement = isProblem(envelope) ? envelope : decodeStatement(envelope.payload);
  if (isProblem(statement) || statement.predicateType !== SEALED_PREDICATE) return false;
  const [subject, ...more] = statement.subject;
  return (
    more.length === 0 &&
    subject?.digest.sha256 === hexOf(index) &&
    statement.predicate['channel'] === channel &&
    statement.predicate['sequence'] === sequence
  );
}
