import { z } from 'zod';
import { operation } from '#kernel';

export const explainOutput = z.object({
  entries: z.array(z.object({ code: z.string(), kind: z.string(), title: z.string(), fix: z.string() })),
});
export type ExplainOutput = z.infer<typeof explainOutput>;

export const explain = operation<{ code?: string | undefined }, ExplainOutput>({
  name: ['explain'],
  summary: 'Say what the code of a fault or of a refusal means, and what to do',
  parameters: [{ key: 'code', form: '[CODE]', help: 'for example bundle.truncated; without it, all codes are listed' }],
  input: z.object({ code: z.string().optional() }),
  output: explainOutput,
  load: async () => (await import('./verbs/explain.ts')).explainVerb,
});
