import {
  decodeBase64,
  decodeStatement,
  encodeBase64,
  encodeStatement,
  isProblem,
  NOTE_ED25519,
  noteKeyHash,
  parseNote,
  parseStrictJson,
  STATEMENT_PAYLOAD_TYPE,
  type Vkey,
} from '#formats';
import { type Digest, digestOf, type Happening, hexOf, isObject, printable, type Reason, type Verdict } from '#kernel';
import { decodeEntry, leafHash, openCheckpoint, parseLedgerVkey, parseProof, verifyInclusion } from '#ledger';
import { type Custody, type Root, verifyEnvelope } from '#trust';
import { type Report, reportShape } from './report.ts';

/** What the ledger inside records of a rehearsal. */
export const REHEARSED_PREDICATE = 'sallyport/rehearsed/v1';
/** What the inside's sealer signs beside the report. */
export const REPORT_PREDICATE = 'sallyport/rehearsal-report/v1';
/** The report in the subjects of both; its name on disk says nothing. */
const REPORT_SUBJECT = 'report.json';

/** The happening for the ledger inside: the report by its digest, the bundle by its index, and the outcome in short. */
export function rehearsedHappening(report: Report, digest: Digest): Happening {
  return {
    predicateType: REHEARSED_PREDICATE,
    subject: [
      { name: REPORT_SUBJECT, digest: { sha256: hexOf(digest) } },
      ...(report.bundle === undefined
        ? []
        : [{ name: 'index.jsonl', digest: { sha256: hexOf(report.bundle.index as Digest) } }]),
    ],
    predicate: {
      verdict: report.verdict,
      offline: report.offline,
      project: report.project,
      started: report.started,
      milliseconds: report.milliseconds,
      version: report.version,
      steps: report.steps.map(({ id, outcome }) => ({ id, outcome })),
      served: report.artifacts?.served ?? 0,
      locked: report.artifacts?.locked ?? 0,
      attempts: report.attempts.length,
      refused: report.refusals.map(({ what, refused, codes }) => ({ what, refused, codes })),
    },
  };
}

/** Where a ledger holds the rehearsal: all that it takes to check that without the ledger. */
export interface RecordedEntry {
  readonly origin: string;
  readonly index: number;
  /** Exact bytes of the entry, of the statement that it names, and of its C2SP tlog-proof. */
  readonly entry: Uint8Array;
  readonly statement: Uint8Array;
  readonly proof: Uint8Array;
}

/** Payload of the envelope beside the report. */
export function reportStatement(report: Report, digest: Digest, recorded: RecordedEntry): Uint8Array {
  return encodeStatement({
    predicateType: REPORT_PREDICATE,
    subject: [{ name: REPORT_SUBJECT, digest: { sha256: hexOf(digest) } }],
    predicate: {
      verdict: report.verdict,
      offline: report.offline,
      project: report.project,
      started: report.started,
      ledger: {
        origin: recorded.origin,
        index: recorded.index,
        entry: Buffer.from(recorded.entry).toString('utf8'),
        statement: encodeBase64(recorded.statement),
        proof: Buffer.from(recorded.proof).toString('utf8'),
      },
    },
  });
}

export interface ReportJudgement extends Verdict<'verified' | 'unverified'> {
  readonly holders: readonly string[];
  readonly custody: Custody;
  /** Only where verified. */
  readonly report?: Report;
  readonly entry?: { readonly origin: string; readonly index: number };
}

/**
 * Judges a report by the root of the side that signed it. Nothing in the report, in the envelope or beside them is
 * believed before the root's keys vouch for it. A rehearsal's keys are what is expected here, and the custody says so.
 */
export function judgeReport(
  root: Root,
  report: Uint8Array,
  envelope: Uint8Array | undefined,
  now: number,
): ReportJudgement {
  const no = (reason: Reason, holders: readonly string[] = []): ReportJudgement => ({
    verdict: 'unverified',
    reasons: [reason],
    holders,
    custody: root.custody,
  });
  if (envelope === undefined) return no(reasonOf('rehearse.unsigned', '', 'There is no signature beside it.'));
  const options = { now, expectRehearsal: true };
  const signed = verifyEnvelope(root, 'sealer', STATEMENT_PAYLOAD_TYPE, envelope, options);
  if (signed.payload === undefined) return { ...signed, verdict: 'unverified' };
  const { holders } = signed;
  const statement = decodeStatement(signed.payload);
  if (isProblem(statement) || statement.predicateType !== REPORT_PREDICATE) {
    const detail = isProblem(statement) ? statement.detail : `It is about ${printable(statement.predicateType)}.`;
    return no(reasonOf('rehearse.unsigned', 'predicateType', `The signature is not over a report. ${detail}`), holders);
  }
  const digest = digestOf(report);
  if (!names(statement, digest)) {
    const detail = `It has ${digest}; ${statement.subject[0]?.digest.sha256 ?? 'nothing'} was signed.`;
    return no(reasonOf('rehearse.report-changed', REPORT_SUBJECT, detail), holders);
  }
  const { ledger } = statement.predicate;
  const entry = judgeRecorded(root, ledger, digest, now);
  if ('code' in entry) return no(entry, holders);
  const parsed = parseStrictJson(report);
  const read = parsed.ok ? reportShape.safeParse(parsed.value) : undefined;
  if (read?.success !== true) {
    const issue = parsed.ok ? read?.error?.issues[0] : undefined;
    const where = parsed.ok ? printable((issue?.path ?? []).join('.')) : parsed.where;
    return no(
      reasonOf('rehearse.report-malformed', where, parsed.ok ? (issue?.message ?? '') : parsed.detail),
      holders,
    );
  }
  const wrong = judgeProofs(read.data, entry.vkey);
  if (wrong !== undefined) return no(wrong, holders);
  const { origin, index } = entry;
  return {
    verdict: 'verified',
    reasons: [],
    holders,
    custody: root.custody,
    report: read.data,
    entry: { origin, index },
  };
}

function reasonOf(code: string, where: string, detail: string): Reason {
  return { code, where, detail };
}

function names(statement: Happening, digest: Digest): boolean {
  return statement.subject.some(({ name, digest: { sha256 } }) => name === REPORT_SUBJECT && sha256 === hexOf(digest));
}

interface Recorded {
  readonly origin: string;
  readonly index: number;
  readonly vkey: Vkey;
}

/** The entry of the report in a ledger whose key the root names, by its proof alone. */
function judgeRecorded(root: Root, ledger: unknown, digest: Digest, now: number): Recorded | Reason {
  const no = (detail: string): Reason => reasonOf('rehearse.not-in-ledger', 'ledger', detail);
  if (!isObject(ledger)) return no('The signature names no entry.');
  const { entry: text, proof: proofText, statement: encoded } = ledger;
  const bytes = typeof encoded === 'string' ? decodeBase64(encoded) : undefined;
  if (typeof text !== 'string' || typeof proofText !== 'string' || bytes === undefined) {
    return no('Entry, statement or proof is missing.');
  }
  const entry = Buffer.from(text, 'utf8');
  const record = decodeEntry(entry);
  if (typeof record === 'string' || record.type !== REHEARSED_PREDICATE) return no('The entry is of another kind.');
  if (record.statement !== digestOf(bytes) || record.size !== bytes.length) {
    return no('The statement is not the one that the entry names.');
  }
  const signed = verifyEnvelope(root, 'ledger', STATEMENT_PAYLOAD_TYPE, bytes, { now, expectRehearsal: true });
  if (signed.payload === undefined) return no(`The statement: ${signed.reasons[0]?.detail ?? ''}`);
  const statement = decodeStatement(signed.payload);
  if (isProblem(statement) || statement.predicateType !== record.type || !names(statement, digest)) {
    return no('The entry is about another report.');
  }
  const proof = parseProof(Buffer.from(proofText, 'utf8'));
  if (isProblem(proof)) return no(proof.detail);
  for (const vkey of ledgerKeys(root, proof.checkpoint)) {
    const head = openCheckpoint(proof.checkpoint, vkey);
    if ('code' in head) continue;
    if (!verifyInclusion(proof.index, head.size, leafHash(entry), proof.hashes, head.root)) {
      return no('The proof does not lead from the entry to the root of the tree.');
    }
    return { origin: head.origin, index: proof.index, vkey };
  }
  return no("The checkpoint is not signed by a ledger's key of this root.");
}

/** The root's keys for the ledger, under the names by which the checkpoint's signatures call them. */
function ledgerKeys(root: Root, checkpoint: Uint8Array): Vkey[] {
  const note = parseNote(checkpoint);
  if (isProblem(note)) return [];
  const ids = new Set(root.holders.flatMap(({ require }) => require.get('ledger') ?? []));
  const keys = root.holders.flatMap((holder) => holder.keys).filter(({ keyid }) => ids.has(keyid));
  return keys
    .filter(({ algorithm }) => algorithm === 'ed25519')
    .flatMap(({ spki }) => {
      const key = spki.subarray(-32);
      return note.signatures.map(({ name }) => ({
        name,
        key,
        type: NOTE_ED25519,
        keyHash: noteKeyHash(name, NOTE_ED25519, key),
      }));
    });
}

/** The proofs in the report: those of the inside by the root's key, those of the outside by the key that it names. */
function judgeProofs(report: Report, inside: Vkey): Reason | undefined {
  for (const { side, index, entry, proof: text } of report.proofs) {
    const where = `${side} entry ${index}`;
    const no = (detail: string): Reason => reasonOf('rehearse.not-in-ledger', where, detail);
    const proof = parseProof(Buffer.from(text, 'utf8'));
    if (isProblem(proof)) return no(proof.detail);
    const vkey = side === 'inside' ? inside : vkeyOf(report.ledgers.find((one) => one.side === side)?.vkey ?? '');
    if (vkey === undefined) return no('The report names no key of that ledger.');
    const head = openCheckpoint(proof.checkpoint, vkey);
    if ('code' in head) return no(head.detail);
    const leaf = leafHash(Buffer.from(entry, 'utf8'));
    if (proof.index !== index || !verifyInclusion(index, head.size, leaf, proof.hashes, head.root)) {
      return no('The proof does not lead from the entry to the root of the tree.');
    }
  }
  return undefined;
}

function vkeyOf(text: string): Vkey | undefined {
  const vkey = parseLedgerVkey(text);
  return isProblem(vkey) ? undefined : vkey;
}
