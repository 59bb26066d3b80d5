import { z } from 'zod';
import { operation } from '#kernel';

export const reviewInput = z.object({
  folder: z.string().optional(),
  flows: z.array(z.string()).optional(),
  set: z.array(z.string()).optional(),
  observed: z.array(z.string()).optional(),
  sign: z.string().optional(),
  key: z.array(z.string()).optional(),
  passphraseFile: z.array(z.string()).optional(),
  signature: z.array(z.string()).optional(),
  root: z.string().optional(),
  home: z.string().optional(),
  at: z.string().optional(),
  failOn: z.enum(['error', 'warning', 'note', 'never']).optional(),
  output: z.string().optional(),
  out: z.string().optional(),
});
export type ReviewInput = z.infer<typeof reviewInput>;

const finding = z.object({
  code: z.string(),
  level: z.enum(['error', 'warning', 'note']),
  where: z.string(),
  detail: z.string(),
});
export const reviewOutput = z.object({
  verdict: z.enum(['in-order', 'findings', 'signed']),
  project: z.string(),
  /** The day for which it is judged. */
  at: z.string(),
  /** 16 hex digits over all rows: the same register, the same version. */
  version: z.string(),
  register: z.array(
    z.object({
      from: z.string(),
      to: z.string(),
      /** `8000/tcp`, each. */
      ports: z.array(z.string()).readonly(),
      reason: z.string(),
      owner: z.string(),
      approver: z.string().optional(),
      ticket: z.string().optional(),
      'review-by': z.string().optional(),
      expires: z.string().optional(),
      where: z.string(),
      /** RFC 3339; absent where it was not seen, or nothing was observed. */
      'last-use': z.string().optional(),
      /** Holders whose signature holds for the row as it stands. */
      'signed-by': z.array(z.string()).readonly(),
      findings: z.array(z.string()),
    }),
  ),
  owners: z.array(
    z.object({
      owner: z.string(),
      flows: z.number(),
      /** How many of them are as they were signed. */
      signed: z.number(),
      by: z.array(z.string()),
      at: z.string().optional(),
    }),
  ),
  observed: z.boolean(),
  findings: z.array(finding),
  /** The file that an owner's signature was written to. */
  signature: z.string().optional(),
  writing: z.object({ format: z.string(), file: z.string().optional() }).optional(),
});
export type ReviewOutput = z.infer<typeof reviewOutput>;

export const review = operation<ReviewInput, ReviewOutput>({
  name: ['policy', 'review'],
  summary: 'Print the register of declared flows: who answers for each, until when, last used when, signed by whom',
  parameters: [
    { key: 'folder', form: '[DIR]', help: 'the folder of sallyport.yaml, or the file (default: the working folder)' },
    {
      key: 'flows',
      form: '--flows FILE...',
      help: 'FlowSet files, in place of the flows of sallyport.yaml; again for more',
    },
    { key: 'set', form: '--set NAME=VALUE...', help: 'a value for a parameter of a FlowSet; again for more' },
    {
      key: 'observed',
      form: '--observed FILE...',
      help: 'report.json of a rehearsal, or a connection log; again for more',
    },
    { key: 'sign', form: '--sign OWNER', help: 'sign the flows of this owner (with --key and --signature)' },
    { key: 'key', form: '--key FILE...', help: 'a private key of a reviewer or approver; again for more' },
    { key: 'passphraseFile', form: '--passphrase-file FILE...', help: 'whose first line opens an encrypted key' },
    {
      key: 'signature',
      form: '--signature FILE...',
      help: "owners' signatures to judge (default: reviews/*.dsse.json beside sallyport.yaml), or the file to write",
    },
    { key: 'root', form: '--root FILE', help: 'the root that judges signatures (default: that of the home)' },
    { key: 'at', form: '--at DAY', help: 'judge for this day, YYYY-MM-DD (default: today)' },
    {
      key: 'failOn',
      form: '--fail-on LEVEL',
      help: 'exit 1 at findings of this level or above: error (default), warning, note, never',
    },
    {
      key: 'output',
      form: '--output FORMAT',
      help: 'table (default), json, csv, html; the name of the file says it too',
    },
    { key: 'out', form: '-o, --out FILE', help: 'write it to a file' },
  ],
  input: reviewInput,
  output: reviewOutput,
  load: async () => (await import('./verbs/review.ts')).reviewVerb,
});
