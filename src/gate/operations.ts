import { z } from 'zod';
import { operation } from '#kernel';

/** Everything that `examine` judges. */
const KINDS = [
  'tar',
  'zip',
  'oci',
  'npm',
  'wheel',
  'crate',
  'deb',
  'gomod',
  'helm',
  'maven',
  'json',
  'medium',
] as const;
export type ExamineKind = (typeof KINDS)[number];

export const examineInput = z.object({ path: z.string(), as: z.enum(KINDS).optional() });
export const examineOutput = z.object({
  verdict: z.enum(['accept', 'neutralised', 'refuse']),
  /** What it was judged as; `unknown` where that could not be told. */
  as: z.enum([...KINDS, 'unknown']),
  reasons: z.array(z.object({ code: z.string(), where: z.string(), detail: z.string() })),
});
export const examine = operation({
  name: ['examine'],
  summary: 'Judge one file or folder as hostile: may it be unpacked',
  parameters: [
    { key: 'path', form: 'PATH', help: 'an archive, package, JSON document, OCI layout folder or mounted medium' },
    { key: 'as', form: '--as KIND', help: `what it is meant to be: ${KINDS.join(', ')}` },
  ],
  input: examineInput,
  output: examineOutput,
  load: async () => (await import('./verbs/examine.ts')).examine,
});
