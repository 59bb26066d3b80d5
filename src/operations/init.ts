import { z } from 'zod';
import { operation } from '#kernel';

export const initOutput = z.object({
  /** sallyport.yaml: absent where nothing was found to write one from and only a home was asked for. */
  project: z.object({ path: z.string(), written: z.boolean(), inputs: z.number() }).optional(),
  home: z.object({ path: z.string(), made: z.boolean() }),
  site: z.string(),
  custody: z.string(),
  root: z.object({ path: z.string(), version: z.number(), fingerprint: z.string() }),
  ledger: z.object({ origin: z.string(), size: z.number(), root: z.string() }),
});
export type InitOutput = z.infer<typeof initOutput>;

export const initInput = z.object({
  folder: z.string().optional(),
  home: z.string().optional(),
  site: z.string().optional(),
  purpose: z.enum(['one-person', 'rehearsal']).default('one-person'),
  /** Whether sallyport.yaml is written too; `trust init` makes a home only. */
  project: z.boolean().default(true),
});
export type InitInput = z.infer<typeof initInput>;

const side = [
  { key: 'site', form: '--site NAME', help: 'the name of this side, in its ledger and root (default: the folder’s)' },
  {
    key: 'purpose',
    form: '--purpose PURPOSE',
    help: 'one-person, or rehearsal: keys that are refused anywhere but in a rehearsal',
  },
] as const;

export const trustInit = operation<InitInput, InitOutput>({
  name: ['trust', 'init'],
  summary: "Make a home with keys, a ledger and a root of its own; 'init' without a project",
  parameters: [{ key: 'home', form: '--home HOME', help: 'the folder of this side (default: .sallyport)' }, ...side],
  input: initInput.extend({ project: z.literal(false).default(false) }) as never,
  output: initOutput,
  load: async () => (await import('./verbs/init.ts')).initVerb,
});

export const init = operation<InitInput, InitOutput>({
  name: ['init'],
  summary: 'Write a commented sallyport.yaml from what a folder holds, and make a home with keys and a root of its own',
  parameters: [{ key: 'folder', form: '[DIR]', help: 'the project (default: the working folder)' }, ...side],
  input: initInput as never,
  output: initOutput,
  load: async () => (await import('./verbs/init.ts')).initVerb,
});
