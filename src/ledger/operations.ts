import { z } from 'zod';
import { operation } from '#kernel';

const home = z.string().optional();
const index = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,15})$/, 'an index is a decimal number from 0')
  .transform(Number);
const reason = z.object({ code: z.string(), where: z.string(), detail: z.string() });

const verifyInput = z.object({
  folder: z.string().optional(),
  vkey: z.string().optional(),
  home,
});
export type VerifyLedgerInput = z.output<typeof verifyInput>;

const verifyOutput = z.object({
  verdict: z.enum(['verified', 'unverified']),
  reasons: z.array(reason).readonly(),
  size: z.number(),
  /** Base64, as in the checkpoint. */
  root: z.string(),
  origin: z.string(),
  statements: z.number(),
  folder: z.string(),
  /** By which key, and where it was found. Absent where no key is known and nothing is signed. */
  key: z.object({ name: z.string(), path: z.string() }).optional(),
});
export type VerifyLedgerOutput = z.output<typeof verifyOutput>;

export const ledgerVerify = operation<VerifyLedgerInput, VerifyLedgerOutput>({
  name: ['ledger', 'verify'],
  summary: 'Check every tile, entry and statement of a ledger against its signed checkpoint',
  parameters: [
    { key: 'folder', form: '[DIR]', help: "the ledger's folder (default: the home's own)" },
    {
      key: 'vkey',
      form: '--vkey FILE',
      help: 'the verifier key of the log (default: trust/ledger.vkey of the home that holds DIR)',
    },
  ],
  input: verifyInput,
  output: verifyOutput,
  load: async () => (await import('./verbs/verify.ts')).verifyVerb,
});

const proveInput = z.object({ index, home, out: z.string().optional(), kit: z.string().optional() });
export type ProveInput = z.output<typeof proveInput>;

const proveOutput = z.object({
  index: z.number(),
  size: z.number(),
  /** Base64, as in the checkpoint. */
  root: z.string(),
  /** From the leaf's sibling to the root's child, base64. */
  proof: z.array(z.string()).readonly(),
  /** The C2SP tlog-proof, with its checkpoint. */
  proofText: z.string(),
  /** The exact bytes of the entry, base64: the leaf is SHA-256 over 0x00 and these. */
  entry: z.string(),
  /** Digest of the statement that the entry names. */
  statement: z.string().optional(),
  file: z.string().optional(),
  kit: z.string().optional(),
});
export type ProveOutput = z.output<typeof proveOutput>;

export const ledgerProve = operation<ProveInput, ProveOutput>({
  name: ['ledger', 'prove'],
  summary: 'Prove that an entry is in the ledger, in a form that other tools verify (C2SP tlog-proof)',
  parameters: [
    { key: 'index', form: 'INDEX', help: "the entry's index, counted from 0" },
    { key: 'out', form: '-o, --out FILE', help: 'write the proof into a file' },
    {
      key: 'kit',
      form: '--kit DIR',
      help: 'a new folder for an auditor: entry, proof, statement, and a shell script that checks them with openssl alone',
    },
  ],
  // The command line gives an index as text, so input and parsed input differ.
  input: proveInput as z.ZodType<ProveInput>,
  output: proveOutput,
  load: async () => (await import('./verbs/prove.ts')).proveVerb,
});

const recordRow = z.object({
  index: z.number(),
  /** Predicate type; 'opaque' for an entry that is no record of Sallyport. */
  type: z.string(),
  subjects: z.array(z.string()).readonly(),
  statement: z.string().optional(),
  /** Whether the statement is there, with the digest and size that the entry names. */
  whole: z.boolean(),
});
export type RecordRow = z.output<typeof recordRow>;

const listInput = z.object({ home, from: index.optional() });
export type ListInput = z.output<typeof listInput>;

const listOutput = z.object({
  origin: z.string(),
  size: z.number(),
  root: z.string(),
  records: z.array(recordRow).readonly(),
});
export type ListOutput = z.output<typeof listOutput>;

export const ledgerList = operation<ListInput, ListOutput>({
  name: ['ledger', 'list'],
  summary: 'List what the ledger records: index, type, subjects, statement',
  parameters: [{ key: 'from', form: '--from INDEX', help: 'the first index to list (default: 0)' }],
  input: listInput as z.ZodType<ListInput>,
  output: listOutput,
  load: async () => (await import('./verbs/list.ts')).listVerb,
});

const showInput = z.object({ index, home });
export type ShowInput = z.output<typeof showInput>;

const showOutput = recordRow.extend({
  /** The statement: subject and predicate, where it is there. */
  subject: z.array(z.object({ name: z.string(), digest: z.object({ sha256: z.string() }) })).readonly(),
  predicate: z.unknown(),
});
export type ShowOutput = z.output<typeof showOutput>;

export const ledgerShow = operation<ShowInput, ShowOutput>({
  name: ['ledger', 'show'],
  summary: 'Show one entry of the ledger with its statement',
  parameters: [{ key: 'index', form: 'INDEX', help: "the entry's index, counted from 0" }],
  input: showInput as z.ZodType<ShowInput>,
  output: showOutput,
  load: async () => (await import('./verbs/show.ts')).showVerb,
});

export const ledgerFsck = operation<VerifyLedgerInput, VerifyLedgerOutput>({
  ...ledgerVerify,
  name: ['ledger', 'fsck'],
  summary: "The same as 'ledger verify', under the name that such checkers have elsewhere",
});

const reconcileInput = z.object({ low: z.string(), high: z.string().optional() });
export type ReconcileInput = z.output<typeof reconcileInput>;

const opened = z.object({
  folder: z.string(),
  origin: z.string(),
  size: z.number(),
  /** Whether a key lay beside the log; without one the tree alone was judged. */
  signed: z.enum(['checked', 'not-checked']),
});
const reconcileOutput = z.object({
  /** `open`: nothing is wrong, and something has not arrived or waits. */
  verdict: z.enum(['reconciled', 'open', 'differs']),
  reasons: z.array(reason).readonly(),
  low: opened,
  high: opened.optional(),
  deliveries: z.array(
    z.object({
      channel: z.string(),
      sequence: z.number(),
      /** Numbers under which the same content was sealed before. */
      earlier: z.array(z.number()).readonly().optional(),
      index: z.string(),
      sealed: z.number().optional(),
      outcomes: z
        .array(z.object({ entry: z.number(), verdict: z.string(), codes: z.array(z.string()).readonly() }))
        .readonly(),
      confirmed: z.number().optional(),
      state: z.enum(['received', 'refused', 'held', 'sent-unconfirmed', 'never-sent']),
    }),
  ),
  /** Tree heads of the low log that the high one says it saw. */
  observed: z.array(z.object({ entry: z.number(), origin: z.string(), size: z.number(), root: z.string() })).readonly(),
  /** Refusals of what nobody sealed here. */
  foreign: z.number(),
});
export type ReconcileOutput = z.output<typeof reconcileOutput>;

export const ledgerReconcile = operation<ReconcileInput, ReconcileOutput>({
  name: ['ledger', 'reconcile'],
  summary:
    'Put the ledgers of two sides beside each other: sent and never received, received and never sent, forked, rewound',
  parameters: [
    { key: 'low', form: '--low DIR', help: 'ledger of the side that seals' },
    {
      key: 'high',
      form: '--high DIR',
      help: 'ledger of the side that admits (without it: what receipts say, and what was sent and is unconfirmed)',
    },
  ],
  input: reconcileInput,
  output: reconcileOutput,
  load: async () => (await import('./verbs/reconcile.ts')).reconcileVerb,
});

const witnessInput = z.object({ from: index, out: z.string().optional(), home });
export type WitnessInput = z.output<typeof witnessInput>;

const witnessOutput = z.object({
  from: z.number(),
  size: z.number(),
  /** Base64, as in the checkpoint. */
  root: z.string(),
  /** The body of a C2SP tlog-witness `add-checkpoint` request. */
  request: z.string(),
  file: z.string().optional(),
});
export type WitnessOutput = z.output<typeof witnessOutput>;

export const ledgerWitness = operation<WitnessInput, WitnessOutput>({
  name: ['ledger', 'witness'],
  summary: 'Write what a witness of others is sent to cosign this log (C2SP tlog-witness, add-checkpoint)',
  parameters: [
    { key: 'from', form: '--from SIZE', help: 'the size that the witness has seen last; 0 the first time' },
    { key: 'out', form: '-o, --out FILE', help: 'write it into a file' },
  ],
  input: witnessInput as z.ZodType<WitnessInput>,
  output: witnessOutput,
  load: async () => (await import('./verbs/witness.ts')).witnessVerb,
});

/** The verbs of this context, in the order of the help. */
export const ledgerOperations = [
  ledgerVerify,
  ledgerFsck,
  ledgerProve,
  ledgerList,
  ledgerShow,
  ledgerReconcile,
  ledgerWitness,
] as const;
