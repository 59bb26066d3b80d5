import { z } from 'zod';
import { reasonShape, sealShape } from '#bundle/operations';
import { operation } from '#kernel';
import { grades } from './freshness.ts';

const admitInput = z.object({
  bundle: z.string(),
  path: z.string().optional(),
  root: z.string().optional(),
  home: z.string().optional(),
  hold: z.boolean().optional(),
  promotion: z.array(z.string()).optional(),
  medium: z.string().optional(),
  seal: z.array(z.string()).optional(),
  custody: z.string().optional(),
  scan: z.array(z.string()).optional(),
});
export type AdmitInput = z.infer<typeof admitInput>;
const freshness = z.object({ grade: z.enum(grades), days: z.number() });
const admitOutput = z.object({
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
  /** By the later of the clock and the floor. */
  freshness: freshness.optional(),
  /** Holders who approved it, where that was needed. */
  approvers: z.array(z.string()).optional(),
  /** Folder in quarantine, of a bundle that is held. */
  held: z.string().optional(),
  figures: z.object({
    /** Bytes of the medium that were read. */
    read: z.number(),
    /** Blobs and bytes that were not here before. */
    written: z.object({ blobs: z.number(), bytes: z.number() }),
    /** Blobs that were here, and are what their digest says. */
    reused: z.number(),
    /** Blobs that were here and had rotted; they were replaced. */
    healed: z.number(),
    /** Packages, archives and parts of images that were opened and examined. */
    examined: z.number(),
    milliseconds: z.number(),
  }),
  /** Folder with the evidence that was kept of a refusal. */
  evidence: z.string().optional(),
});
export type AdmitOutput = z.infer<typeof admitOutput>;

export const admit = operation({
  name: ['admit'],
  summary: 'Verify a bundle and take it in, whole or not at all',
  parameters: [
    { key: 'bundle', form: 'BUNDLE', help: 'the bundle file; or a block device, an image or a folder with it' },
    { key: 'path', form: '--path NAME', help: 'which bundle, where the medium holds several' },
    { key: 'root', form: '--root ROOT', help: 'the root file to trust for this one command; it must fit a pinned one' },
    { key: 'medium', form: '--medium SERIAL', help: 'serial number of the medium in your hand' },
    { key: 'seal', form: '--seal NUMBER...', help: 'numbers of the seals on it' },
    { key: 'custody', form: '--custody FILE', help: 'the chain of custody that came beside the bundle' },
    { key: 'scan', form: '--scan FILE...', help: "what the site's scanners signed about the bundle" },
    { key: 'promotion', form: '--promotion FILE...', help: "what a ring before this one signed about it ('promote')" },
    { key: 'hold', form: '--hold', help: 'verify it and keep it in quarantine until approvers agree' },
    { key: 'home', form: '--home HOME', help: 'the folder of this side' },
  ],
  input: admitInput,
  output: admitOutput,
  load: async () => (await import('./verbs/admit.ts')).admit,
});

const keyFiles = {
  key: z.array(z.string()).optional(),
  passphraseFile: z.array(z.string()).optional(),
};
const keyParameters = [
  { key: 'key', form: '--key FILE...', help: "an approver's private key; several times for several people" },
  { key: 'passphraseFile', form: '--passphrase-file FILE...', help: 'file whose first line opens an encrypted key' },
] as const;

const approveInput = z.object({
  bundle: z.string().optional(),
  ...keyFiles,
  root: z.string().optional(),
  home: z.string().optional(),
});
export type ApproveInput = z.infer<typeof approveInput>;

const approveOutput = admitOutput.partial({ ledger: true, figures: true }).extend({
  verdict: z.enum(['admitted', 'already-here', 'held', 'partial', 'refused', 'listed']),
  /** What waits in quarantine, after this command. */
  waiting: z.array(sealShape),
});
export type ApproveOutput = z.infer<typeof approveOutput>;

export const approve = operation<ApproveInput, ApproveOutput>({
  name: ['approve'],
  summary: 'List what is held in quarantine, or agree that a bundle of it comes in',
  parameters: [
    { key: 'bundle', form: '[INDEX]', help: 'the first digits of the digest of its index; without it, all are listed' },
    ...keyParameters,
    { key: 'root', form: '--root ROOT', help: 'the root file to trust for this one command; it must fit a pinned one' },
    { key: 'home', form: '--home HOME', help: 'the folder of this side' },
  ],
  input: approveInput,
  output: approveOutput,
  load: async () => (await import('./verbs/approve.ts')).approveVerb,
});

const rollbackInput = z.object({
  bundle: z.string(),
  ...keyFiles,
  root: z.string().optional(),
  home: z.string().optional(),
});
export type RollbackInput = z.infer<typeof rollbackInput>;

const rollbackOutput = z.object({
  verdict: z.enum(['rolled-back', 'already-here', 'refused']),
  reasons: z.array(reasonShape),
  channel: z.string(),
  /** Sequence numbers: where the channel stood, and where it stands now. */
  from: z.number(),
  to: z.number(),
  approvers: z.array(z.string()),
  ledger: z.object({ size: z.number(), root: z.string(), index: z.number().optional() }),
});
export type RollbackOutput = z.infer<typeof rollbackOutput>;

export const rollback = operation<RollbackInput, RollbackOutput>({
  name: ['rollback'],
  summary: 'Move a channel back to a bundle that was admitted before, with approvers',
  parameters: [
    { key: 'bundle', form: 'INDEX', help: 'the first digits of the digest of its index' },
    ...keyParameters,
    { key: 'root', form: '--root ROOT', help: 'the root file to trust for this one command; it must fit a pinned one' },
    { key: 'home', form: '--home HOME', help: 'the folder of this side' },
  ],
  input: rollbackInput,
  output: rollbackOutput,
  load: async () => (await import('./verbs/rollback.ts')).rollbackVerb,
});

const promoteInput = z.object({
  bundle: z.string(),
  ring: z.string(),
  out: z.string(),
  result: z.array(z.string()).optional(),
  ...keyFiles,
  root: z.string().optional(),
  home: z.string().optional(),
});
export type PromoteInput = z.infer<typeof promoteInput>;

const promoteOutput = z.object({
  verdict: z.enum(['promoted', 'refused']),
  reasons: z.array(reasonShape),
  bundle: z.string(),
  ring: z.string(),
  site: z.string(),
  results: z.array(z.object({ name: z.string(), sha256: z.string(), verdict: z.string() })),
  path: z.string().optional(),
  ledger: z.object({ size: z.number(), root: z.string(), index: z.number().optional() }),
});
export type PromoteOutput = z.infer<typeof promoteOutput>;

export const promote = operation<PromoteInput, PromoteOutput>({
  name: ['promote'],
  summary: 'Sign, in the ring where a bundle was tried, that the next ring may have it',
  parameters: [
    { key: 'bundle', form: 'INDEX', help: 'the first digits of the digest of its index' },
    { key: 'ring', form: '--ring RING', help: 'the ring that speaks; the seal must put this site into it' },
    { key: 'out', form: '-o FILE', help: 'where the promotion goes, to be carried to the next ring' },
    {
      key: 'result',
      form: '--result RESULT...',
      help: 'reports of rehearsals and tests, FILE or KIND=FILE (rehearsal=report.json); one that says no refuses it',
    },
    ...keyParameters,
    { key: 'root', form: '--root ROOT', help: 'the root file to trust for this one command; it must fit a pinned one' },
    { key: 'home', form: '--home HOME', help: 'the folder of this side' },
  ],
  input: promoteInput,
  output: promoteOutput,
  load: async () => (await import('./verbs/promote.ts')).promoteVerb,
});

const clockResetInput = z.object({
  to: z.string().optional(),
  reason: z.string(),
  ...keyFiles,
  root: z.string().optional(),
  home: z.string().optional(),
});
export type ClockResetInput = z.infer<typeof clockResetInput>;

const clockResetOutput = z.object({
  verdict: z.enum(['reset', 'refused']),
  reasons: z.array(reasonShape),
  /** The floor before, and now. */
  from: z.string(),
  to: z.string(),
  holders: z.array(z.string()),
  ledger: z.object({ size: z.number(), root: z.string(), index: z.number().optional() }),
});
export type ClockResetOutput = z.infer<typeof clockResetOutput>;

export const clockReset = operation<ClockResetInput, ClockResetOutput>({
  name: ['clock', 'reset'],
  summary: 'Set the floor of time anew, with the holders of the root, after a bundle came in by a wrong clock',
  parameters: [
    { key: 'to', form: '--to TIME', help: 'the new floor, not after the clock (default: now)' },
    { key: 'reason', form: '--reason TEXT', help: 'why; it stands in the ledger for all to read' },
    ...keyParameters,
    { key: 'root', form: '--root ROOT', help: 'the root file to trust for this one command; it must fit a pinned one' },
    { key: 'home', form: '--home HOME', help: 'the folder of this side' },
  ],
  input: clockResetInput,
  output: clockResetOutput,
  load: async () => (await import('./verbs/clock-reset.ts')).clockResetVerb,
});
