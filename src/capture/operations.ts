import { z } from 'zod';
import { operation } from '#kernel';

export const captureInput = z.object({
  file: z.string().optional(),
  home: z.string().optional(),
  frozen: z.boolean().optional(),
});
export type CaptureInput = z.infer<typeof captureInput>;

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
    { key: 'frozen', form: '--frozen', help: 'change nothing; answer 1 if sallyport.lock does not fit the project' },
  ],
  input: captureInput as never,
  output: captureOutput,
  load: async () => (await import('./verbs/capture.ts')).captureVerb,
});
