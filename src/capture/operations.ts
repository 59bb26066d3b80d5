import { z } from 'zod';
import { operation } from '#kernel';

export const captureInput = z.object({
  file: z.string().optional(),
  home: z.string().optional(),
  frozen: z.boolean().optional(),
  unconfined: z.boolean().optional(),
});
export type CaptureInput = z.infer<typeof captureInput>;

const recordedRequest = z.object({
  time: z.string(),
  machine: z.string(),
  process: z.object({ pid: z.number(), command: z.string() }).optional(),
  package: z.string().optional(),
  method: z.string(),
  url: z.string(),
  query: z.string().optional(),
  redirects: z.array(z.string()),
  outcome: z.enum(['answered', 'broken', 'failed', 'refused']),
  status: z.number().optional(),
  digest: z.string().optional(),
  size: z.number(),
  coding: z.string().optional(),
  range: z.string().optional(),
  sent: z.object({ digest: z.string(), size: z.number() }).optional(),
  detail: z.string().optional(),
});

/** One run of a command of `prepare`, and where what it made came from. */
const prepared = z.object({
  makes: z.string(),
  run: z.array(z.string()),
  /** False: it ran as the user, and what it asked is not known. */
  confined: z.boolean(),
  /** Of the file, or of a folder's listing: `<sha256 hex>  <size>  <path>` a file, sorted by path. */
  digest: z.string().optional(),
  files: z.number().optional(),
  bytes: z.number().optional(),
  requests: z.array(recordedRequest),
  /** What it tried beside requests; all of it was stopped. */
  attempts: z.array(z.looseObject({ time: z.string(), from: z.string(), kind: z.string(), protocol: z.string() })),
  /** How many more there were. */
  more: z.object({ requests: z.number(), attempts: z.number() }),
  ledger: z.object({ index: z.number() }),
});
export type Prepared = z.infer<typeof prepared>;

export const captureOutput = z.object({
  /** `captured`; `same` or `differs` with --frozen. */
  verdict: z.enum(['captured', 'same', 'differs']),
  reasons: z.array(z.object({ code: z.string(), where: z.string(), detail: z.string() })),
  lock: z.object({ path: z.string(), digest: z.string() }),
  artifacts: z.number(),
  documents: z.number(),
  /** What came over the network or from the project into the store in this run. */
  fetched: z.object({ count: z.number(), bytes: z.number() }),
  /** Artifacts that were in the store already. */
  kept: z.number(),
  notes: z.array(z.string()),
  /** Commands of `prepare` that ran. */
  prepared: z.array(prepared),
  changes: z.object({ added: z.array(z.string()), removed: z.array(z.string()), changed: z.array(z.string()) }),
  /** Absent with --frozen, which writes no entry. */
  ledger: z.object({ size: z.number(), root: z.string() }).optional(),
});
export type CaptureOutput = z.infer<typeof captureOutput>;

export const capture = operation<CaptureInput, CaptureOutput>({
  name: ['capture'],
  summary: 'Resolve and fetch everything that the project needs, and write sallyport.lock',
  parameters: [
    { key: 'file', form: '-f, --file FILE', help: 'sallyport.yaml of the project (default: in the working folder)' },
    {
      key: 'unconfined',
      form: '--unconfined',
      help: "run the commands of 'prepare' as you, with all that you may do, unrecorded; the ledger will say so",
    },
    { key: 'frozen', form: '--frozen', help: 'change nothing; answer 1 if sallyport.lock does not fit the project' },
  ],
  input: captureInput as never,
  output: captureOutput,
  load: async () => (await import('./verbs/capture.ts')).captureVerb,
});
