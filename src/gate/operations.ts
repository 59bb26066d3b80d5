import { z } from 'zod';
import { operation } from '#kernel';
import { kinds, levels } from './outward/release-text.ts';

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

export const examineInput = z.object({
  path: z.string(),
  as: z.enum(KINDS).optional(),
  schema: z.array(z.string()).optional(),
});
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
    {
      key: 'path',
      form: 'PATH',
      help: 'an archive, package, JSON document, OCI layout folder, mounted medium, block device or image of one',
    },
    { key: 'as', form: '--as KIND', help: `what it is meant to be: ${KINDS.join(', ')}` },
    {
      key: 'schema',
      form: '--schema FILE...',
      help: 'for a JSON document: the JSON Schema that it has to fit, then those that this refers to',
    },
  ],
  input: examineInput,
  output: examineOutput,
  load: async () => (await import('./verbs/examine.ts')).examine,
});

const home = z.string().optional();
const keyFiles = { key: z.array(z.string()).optional(), passphraseFile: z.array(z.string()).optional() };
const keyParameters = [
  { key: 'key', form: '--key FILE...', help: "an approver's private key; several times for several people" },
  { key: 'passphraseFile', form: '--passphrase-file FILE...', help: 'file whose first line opens an encrypted key' },
] as const;
const reasons = z.array(z.object({ code: z.string(), where: z.string(), detail: z.string() }));

const draftInput = z.object({
  kind: z.enum(kinds),
  out: z.string(),
  level: z.enum(levels).optional(),
  want: z.array(z.string()).optional(),
  home,
});
export type ReleaseDraftInput = z.infer<typeof draftInput>;
const draftOutput = z.object({
  verdict: z.enum(['drafted', 'refused']),
  reasons,
  kind: z.enum(kinds),
  path: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  /** All of it, as approvers read it. */
  text: z.string(),
});
export type ReleaseDraftOutput = z.infer<typeof draftOutput>;

export const releaseDraft = operation<ReleaseDraftInput, ReleaseDraftOutput>({
  name: ['release', 'draft'],
  summary: 'Write down what would leave the inside, for people to read',
  parameters: [
    { key: 'kind', form: 'KIND', help: kinds.join(', ') },
    { key: 'out', form: '-o FILE', help: 'where the draft goes' },
    { key: 'level', form: '--level LEVEL', help: `how much a receipt says: ${levels.join(', ')}` },
    { key: 'want', form: '--want WHAT...', help: 'for a request: ECOSYSTEM/NAME@VERSION' },
    { key: 'home', form: '--home HOME', help: 'the folder of this side' },
  ],
  input: draftInput,
  output: draftOutput,
  load: async () => (await import('./verbs/release-draft.ts')).releaseDraftVerb,
});

const approveInput = z.object({ draft: z.string(), ...keyFiles, root: z.string().optional(), home });
export type ReleaseApproveInput = z.infer<typeof approveInput>;
const approveOutput = z.object({
  draft: z.string(),
  sha256: z.string(),
  text: z.string(),
  approvers: z.array(z.string()),
  needed: z.number(),
});
export type ReleaseApproveOutput = z.infer<typeof approveOutput>;

export const releaseApprove = operation<ReleaseApproveInput, ReleaseApproveOutput>({
  name: ['release', 'approve'],
  summary: 'Show a draft whole, and sign that it may leave',
  parameters: [
    { key: 'draft', form: 'DRAFT', help: 'the draft' },
    ...keyParameters,
    { key: 'root', form: '--root ROOT', help: 'the root file to trust for this one command; it must fit a pinned one' },
    { key: 'home', form: '--home HOME', help: 'the folder of this side' },
  ],
  input: approveInput,
  output: approveOutput,
  load: async () => (await import('./verbs/release-approve.ts')).releaseApproveVerb,
});

const sendInput = z.object({ draft: z.string(), out: z.string(), root: z.string().optional(), home });
export type ReleaseSendInput = z.infer<typeof sendInput>;
const sendOutput = z.object({
  verdict: z.enum(['released', 'refused']),
  reasons,
  approvers: z.array(z.string()),
  path: z.string().optional(),
  bytes: z.number().optional(),
  ledger: z.object({ size: z.number(), root: z.string(), index: z.number().optional() }),
});
export type ReleaseSendOutput = z.infer<typeof sendOutput>;

export const releaseSend = operation<ReleaseSendInput, ReleaseSendOutput>({
  name: ['release', 'send'],
  summary: 'Let a draft leave that enough people have read, and record it',
  parameters: [
    { key: 'draft', form: 'DRAFT', help: 'the draft; the signatures lie beside it' },
    { key: 'out', form: '-o FILE', help: 'what is carried out' },
    { key: 'root', form: '--root ROOT', help: 'the root file to trust for this one command; it must fit a pinned one' },
    { key: 'home', form: '--home HOME', help: 'the folder of this side' },
  ],
  input: sendInput,
  output: sendOutput,
  load: async () => (await import('./verbs/release-send.ts')).releaseSendVerb,
});

const printInput = z.object({ release: z.string(), out: z.string(), home });
export type ReleasePrintInput = z.infer<typeof printInput>;
const printOutput = z.object({
  verdict: z.enum(['printed', 'refused']),
  reasons,
  sha256: z.string(),
  path: z.string().optional(),
  parts: z.number(),
  sheets: z.number(),
});
export type ReleasePrintOutput = z.infer<typeof printOutput>;

export const releasePrint = operation<ReleasePrintInput, ReleasePrintOutput>({
  name: ['release', 'print'],
  summary: 'Put what was released on paper: a page of QR codes that any hand scanner reads',
  parameters: [
    { key: 'release', form: 'RELEASE', help: "what 'release send' wrote" },
    { key: 'out', form: '-o FILE', help: 'the page, one file of HTML that prints offline' },
    { key: 'home', form: '--home HOME', help: 'the folder of this side' },
  ],
  input: printInput,
  output: printOutput,
  load: async () => (await import('./verbs/release-print.ts')).releasePrintVerb,
});

const receiveInput = z.object({ receipt: z.string().optional(), qr: z.string().optional(), home });
export type ReceiveInput = z.infer<typeof receiveInput>;
const receiveOutput = z.object({
  verdict: z.enum(['received', 'already-here', 'refused']),
  reasons,
  site: z.string(),
  level: z.string(),
  approvers: z.array(z.string()),
  /** The log of the other side, as this side has now seen and cosigned it. */
  high: z.object({ origin: z.string(), size: z.number(), root: z.string() }).optional(),
  /** How much of this side's log the other side has seen. */
  seen: z.number().optional(),
  outcomes: z.array(
    z.object({
      channel: z.string(),
      sequence: z.number(),
      index: z.string(),
      verdict: z.string(),
      codes: z.array(z.string()),
    }),
  ),
  ledger: z.object({ size: z.number(), root: z.string(), index: z.number().optional() }),
});
export type ReceiveOutput = z.infer<typeof receiveOutput>;

export const receive = operation<ReceiveInput, ReceiveOutput>({
  name: ['receive'],
  summary: 'Outside: check a receipt that came back, and record what it confirms',
  parameters: [
    { key: 'receipt', form: '[RECEIPT]', help: "what 'release send' wrote inside" },
    { key: 'qr', form: '--qr FILE', help: 'instead of it: the lines that a scanner typed from its sheets of paper' },
    { key: 'home', form: '--home HOME', help: 'the folder of this side' },
  ],
  input: receiveInput,
  output: receiveOutput,
  load: async () => (await import('./verbs/receive.ts')).receiveVerb,
});
