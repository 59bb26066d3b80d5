import { ATTEMPT_ANSWERS, ATTEMPT_KINDS } from '#enclave';
import { z } from 'zod';

/** The report of a rehearsal: `report.json`, and the output of the operation. */
const attempt = z.object({
  time: z.string(),
  from: z.string(),
  kind: z.enum(ATTEMPT_KINDS),
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
  process: z.object({ pid: z.number(), command: z.string() }).optional(),
  package: z.string().optional(),
  answer: z.enum(ATTEMPT_ANSWERS).optional(),
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

export const reportShape = z.object({
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
  /** By digest: what the depot served, and what of the lock nobody asked for. */
  artifacts: z
    .object({
      locked: z.number(),
      served: z.number(),
      bytes: z.number(),
      /** Served, and not in the lock of this bundle. Always empty where all is well. */
      foreign: z.array(z.string()),
      notAsked: z.array(z.object({ artifact: z.string(), digest: z.string(), targets: z.string() })),
    })
    .optional(),
  attempts: z.array(attempt),
  refusals: z.array(refusal),
  /** Lines for a shell that check the bundle without Sallyport. */
  check: z.array(z.string()),
  report: z.string(),
  /** The same as one HTML page that opens without a network. */
  page: z.string(),
});

export type Report = z.infer<typeof reportShape>;
export type Step = z.infer<typeof step>;
export type ReportedAttempt = z.infer<typeof attempt>;
export type Refusal = z.infer<typeof refusal>;
