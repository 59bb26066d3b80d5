import { z } from 'zod';

/**
 * The report of a rehearsal: `report.json`, and the output of the operation (docs/spec/rehearsal-report.md). Much in it
 * is what hostile programs chose; readers escape it.
 */
const attempt = z.object({
  /** RFC 3339 with milliseconds. */
  time: z.string(),
  from: z.string(),
  kind: z.enum(['name', 'call', 'edge', 'socket', 'read', 'write']),
  name: z.string().optional(),
  to: z.string().optional(),
  address: z.string().optional(),
  port: z.number().optional(),
  protocol: z.string(),
  serverName: z.string().optional(),
  request: z.string().optional(),
  speaks: z.string().optional(),
  firstBytes: z.string().optional(),
  path: z.string().optional(),
  /** Who tried. Absent: not known, which is not the same as nobody. */
  process: z.object({ pid: z.number(), command: z.string() }).optional(),
  package: z.string().optional(),
  answer: z.enum(['reset', 'refused', 'unknown-name', 'dropped', 'denied', 'decoy', 'answered']).optional(),
  /** Milliseconds that the program was held up; the longest, where it tried more than once. */
  stalledMs: z.number().optional(),
  leaks: z.string().optional(),
  /** How often the same was tried; the rest is of the first time. */
  count: z.number(),
  /** Made by the rehearsal itself, to show that it is stopped. */
  deliberate: z.boolean(),
});

const step = z.object({
  id: z.string(),
  title: z.string(),
  /** `ok`, `failed`, or `not-tested`: it could not be tried, which is not the same as well. */
  outcome: z.enum(['ok', 'failed', 'not-tested']),
  side: z.enum(['outside', 'inside', 'enclave', 'both']),
  /** The command line, where the step is a command of the product or of a real client. */
  command: z.string().optional(),
  /** Milliseconds from the beginning of the rehearsal. */
  start: z.number(),
  milliseconds: z.number(),
  bytes: z.number().optional(),
  digest: z.string().optional(),
  /** Index of the entry that it left in the ledger of its side. */
  ledger: z.number().optional(),
  detail: z.string(),
});

const refusal = z.object({
  what: z.string(),
  bundle: z.string(),
  refused: z.boolean(),
  codes: z.array(z.string()),
  detail: z.string(),
  /** Index of the entry in the inside's ledger. */
  ledger: z.number().optional(),
});

/** One file of the lock, and what became of it in there. */
const lockedFile = z.object({
  artifact: z.string(),
  ecosystem: z.string(),
  /** `artifact`: goes out as it is. `document`: what upstream said; answers are made from it. */
  row: z.enum(['artifact', 'document']),
  digest: z.string(),
  size: z.number(),
  targets: z.string(),
  served: z.boolean(),
  /** How many answers held it, and their bytes. */
  answers: z.number(),
  bytes: z.number(),
  /**
   * Why it was not served: `other-target`: of no target of this machine. `optional`: clients may do without it.
   * `answers-made-from-it`: a document. `not-asked`: nobody here asked for it. '' where it was served.
   */
  why: z.enum(['', 'other-target', 'optional', 'answers-made-from-it', 'not-asked']),
});

/** A host that software wanted at run time. */
const runtimeHost = z.object({
  /** A name or an address; for what was silenced what is known to call, since nothing did. */
  host: z.string(),
  port: z.number().optional(),
  protocol: z.string(),
  /**
   * `needed`: it does not work without. `optional`: it works without. `silenced`: a setting keeps it quiet. `unknown`:
   * whether it works was not tried.
   */
  verdict: z.enum(['needed', 'optional', 'silenced', 'unknown']),
  by: z.array(z.string()).readonly(),
  count: z.number(),
  /** What silences it, where that is known. */
  setting: z.string().optional(),
  /** What it is for, where that is known. */
  what: z.string().optional(),
});

/** One measure of confinement. `unknown`: it could not be found out, which is not the same as there. */
const limit = z.object({
  what: z.string(),
  state: z.enum(['in-force', 'absent', 'unknown']),
  detail: z.string(),
});

const enclave = z.object({
  /** What encloses, by name. */
  enforcer: z.string(),
  /** `Linux 6.1.0 x86_64`; '' where it is not known. */
  kernel: z.string(),
  machines: z.number(),
  limits: z.array(limit),
  /** What of the host programs in there could see. */
  visible: z.array(z.string()),
});

const use = z.object({
  from: z.string(),
  to: z.string(),
  port: z.number(),
  protocol: z.string(),
  /** Connections, or datagrams until they were answered. */
  count: z.number(),
  /** When it was counted: the last use was not after it. */
  until: z.string(),
});

const log = z.object({
  service: z.string(),
  /** Of all that it wrote, also what is not kept. */
  lines: z.number(),
  bytes: z.number(),
  /** The last of it, bounded; controls are escaped. */
  text: z.string(),
  /** Whether more was written than is kept. */
  cut: z.boolean(),
});

const proof = z.object({
  side: z.enum(['outside', 'inside']),
  index: z.number(),
  /** Predicate type of its statement. */
  type: z.string(),
  /** What of the rehearsal relies on it. */
  what: z.string(),
  /** The entry's exact bytes: the leaf of the tree. */
  entry: z.string(),
  /** C2SP tlog-proof of the entry. */
  proof: z.string(),
});

const side = z.object({
  side: z.enum(['outside', 'inside']),
  origin: z.string(),
  /** The log's verifier key (C2SP signed-note). */
  vkey: z.string(),
  size: z.number(),
  /** Base64, as in the checkpoint. */
  root: z.string(),
});

export const REPORT_VERSION = '1.0';

export const reportShape = z.object({
  /** Later minor versions add keys, which are ignored. */
  'sallyport-report': z.string().regex(/^1\.(0|[1-9]\d{0,3})$/, 'another major version'),
  /** What a reader must know: nothing, in this version. */
  critical: z.array(z.string()).max(0, 'it needs what is not known here').optional(),
  verdict: z.enum(['proved', 'not-proved']),
  reasons: z.array(z.object({ code: z.string(), where: z.string(), detail: z.string() })),
  /** Could this run without internet? */
  offline: z.enum(['yes', 'no', 'unknown']),
  project: z.string(),
  folder: z.string(),
  started: z.string(),
  milliseconds: z.number(),
  version: z.string(),
  steps: z.array(step),
  bundle: z.object({ path: z.string(), size: z.number(), index: z.string(), sequence: z.number() }).optional(),
  /** By digest: what the depot served, and every file of the lock. */
  artifacts: z
    .object({
      locked: z.number(),
      served: z.number(),
      bytes: z.number(),
      /** Served, and not in the lock of this bundle. Always empty where all is well. */
      foreign: z.array(z.string()),
      files: z.array(lockedFile),
    })
    .optional(),
  enclave: enclave.optional(),
  attempts: z.array(attempt),
  /** Of each declared flow, how often it was used. Absent in reports of earlier versions. */
  uses: z.array(use).optional(),
  runtimeHosts: z.array(runtimeHost),
  refusals: z.array(refusal),
  logs: z.array(log),
  ledgers: z.array(side),
  proofs: z.array(proof),
  /** Lines for a shell that check the bundle without Sallyport. */
  check: z.array(z.string()),
  /** Where the ledger inside records the digest of this report. Absent where nothing has crossed. */
  entry: z.object({ origin: z.string(), index: z.number() }).optional(),
  report: z.string(),
  /** The same as one HTML page that opens without a network. */
  page: z.string(),
  /** The signature over the report, with the proof of its entry. */
  signature: z.string(),
});

export type Report = z.infer<typeof reportShape>;
export type Step = z.infer<typeof step>;
export type ReportedAttempt = z.infer<typeof attempt>;
export type Refusal = z.infer<typeof refusal>;
export type LockedFile = z.infer<typeof lockedFile>;
export type RuntimeHost = z.infer<typeof runtimeHost>;
export type EnclaveFacts = z.infer<typeof enclave>;
export type ServiceLog = z.infer<typeof log>;
export type LedgerProof = z.infer<typeof proof>;
export type ReportedLedger = z.infer<typeof side>;
