import { z } from 'zod';
import { reasonShape, sealShape } from '#bundle/operations';
import { operation } from '#kernel';

export const admitInput = z.object({
  bundle: z.string(),
  root: z.string().optional(),
  home: z.string().optional(),
});
export const admitOutput = z.object({
  verdict: z.enum(['admitted', 'already-here', 'held', 'partial', 'refused']),
  reasons: z.array(reasonShape),
  /** After this command. `index` is the entry that it made, if it made one. */
  ledger: z.object({ size: z.number(), root: z.string(), index: z.number().optional() }),
  trust: z
    .object({
      custody: z.string(),
      holders: z.array(z.string()),
      root: z.object({ version: z.number(), fingerprint: z.string(), pinned: z.boolean() }),
    })
    .optional(),
  bundle: sealShape.optional(),
  figures: z.object({
    /** Bytes of the medium that were read. */
    read: z.number(),
    /** Blobs and bytes that were not here before. */
    written: z.object({ blobs: z.number(), bytes: z.number() }),
    /** Blobs that were here, and are what their digest says. */
    reused: z.number(),
    /** Blobs that were here and had rotted; they were replaced. */
    healed: z.number(),
    milliseconds: z.number(),
  }),
  /** Folder with the evidence that was kept of a refusal. */
  evidence: z.string().optional(),
});

export const admit = operation({
  name: ['admit'],
  summary: 'Verify a bundle and take it in, whole or not at all',
  parameters: [
    { key: 'bundle', form: 'BUNDLE', help: 'the bundle file, on its medium' },
    { key: 'root', form: '--root ROOT', help: 'the root file to trust for this one command; it must fit a pinned one' },
    { key: 'home', form: '--home HOME', help: 'the folder of this side' },
  ],
  input: admitInput,
  output: admitOutput,
  load: async () => (await import('./verbs/admit.ts')).admit,
});
