import { z } from 'zod';
import { operation } from '#kernel';
import { custodyEvents } from './custody-statement.ts';
import { mediumEvents } from './medium.ts';

const home = z.string().optional();
const reasons = z.array(z.object({ code: z.string(), where: z.string(), detail: z.string() }));
const ledger = z.object({ size: z.number(), root: z.string(), index: z.number().optional() });
const homeParameter = { key: 'home', form: '--home HOME', help: 'the folder of this side' } as const;
const keyFiles = { key: z.array(z.string()).optional(), passphraseFile: z.array(z.string()).optional() };
const keyParameters = [
  { key: 'key', form: '--key FILE...', help: 'private keys of the persons who say so' },
  { key: 'passphraseFile', form: '--passphrase-file FILE...', help: 'file whose first line opens an encrypted key' },
] as const;
const mediumShape = z.object({
  serial: z.string(),
  state: z.enum(mediumEvents),
  to: z.string(),
  due: z.string(),
  entry: z.number(),
  at: z.string(),
});

const recordInput = z.object({
  event: z.enum(mediumEvents),
  serial: z.string(),
  to: z.string().optional(),
  due: z.string().optional(),
  home,
});
export type MediumRecordInput = z.infer<typeof recordInput>;
const recordOutput = z.object({ medium: mediumShape, ledger });
export type MediumRecordOutput = z.infer<typeof recordOutput>;

export const mediumRecord = operation<MediumRecordInput, MediumRecordOutput>({
  name: ['medium', 'record'],
  summary: 'Record what became of a medium: registered, issued, returned, lost, destroyed',
  parameters: [
    { key: 'event', form: 'EVENT', help: mediumEvents.join(', ') },
    { key: 'serial', form: 'SERIAL', help: 'its serial number, as it stands on it' },
    { key: 'to', form: '--to PERSON', help: 'who has it while it is issued' },
    { key: 'due', form: '--due TIME', help: 'when it has to be back, for example 2026-12-01T00:00:00Z' },
    homeParameter,
  ],
  input: recordInput,
  output: recordOutput,
  load: async () => (await import('./verbs/medium-record.ts')).mediumRecordVerb,
});

const listInput = z.object({ home });
export type MediumListInput = z.infer<typeof listInput>;
const listOutput = z.object({ verdict: z.enum(['well', 'overdue']), reasons, media: z.array(mediumShape) });
export type MediumListOutput = z.infer<typeof listOutput>;

export const mediumList = operation<MediumListInput, MediumListOutput>({
  name: ['medium', 'list'],
  summary: 'Show every medium that was registered, where it is, and which are overdue',
  parameters: [homeParameter],
  input: listInput,
  output: listOutput,
  load: async () => (await import('./verbs/medium-list.ts')).mediumListVerb,
});

const custodyInput = z.object({
  event: z.enum(custodyEvents),
  volume: z.array(z.string()),
  chain: z.string(),
  medium: z.string(),
  seal: z.array(z.string()).optional(),
  from: z.string().optional(),
  to: z.string(),
  ...keyFiles,
  root: z.string().optional(),
  home,
});
export type CustodyRecordInput = z.infer<typeof custodyInput>;
const custodyOutput = z.object({
  event: z.enum(custodyEvents),
  chain: z.string(),
  links: z.number(),
  volumes: z.array(z.object({ name: z.string(), sha256: z.string() })),
  signed: z.array(z.string()),
  ledger,
});
export type CustodyRecordOutput = z.infer<typeof custodyOutput>;

export const custodyRecord = operation<CustodyRecordInput, CustodyRecordOutput>({
  name: ['custody', 'record'],
  summary: 'Add a signed link to the chain of custody of a bundle: who had it, on which medium, under which seals',
  parameters: [
    { key: 'event', form: 'EVENT', help: custodyEvents.join(', ') },
    { key: 'volume', form: 'VOLUME...', help: 'the bundle, or all of its volumes' },
    {
      key: 'chain',
      form: '--chain FILE',
      help: 'the chain, which travels beside the bundle; made where it is not there',
    },
    { key: 'medium', form: '--medium SERIAL', help: 'serial number of the medium' },
    { key: 'seal', form: '--seal NUMBER...', help: 'numbers of the seals on it' },
    { key: 'from', form: '--from PERSON', help: 'who gave it away (default: who had it before)' },
    { key: 'to', form: '--to PERSON', help: 'who has it now' },
    ...keyParameters,
    { key: 'root', form: '--root ROOT', help: 'the root file to trust for this one command; it must fit a pinned one' },
    homeParameter,
  ],
  input: custodyInput,
  output: custodyOutput,
  load: async () => (await import('./verbs/custody-record.ts')).custodyRecordVerb,
});

const verifyInput = z.object({
  volume: z.array(z.string()),
  chain: z.string(),
  medium: z.string().optional(),
  seal: z.array(z.string()).optional(),
  root: z.string().optional(),
  home,
});
export type CustodyVerifyInput = z.infer<typeof verifyInput>;
const verifyOutput = z.object({
  verdict: z.enum(['verified', 'unverified']),
  reasons,
  links: z.array(
    z.object({
      event: z.enum(custodyEvents),
      medium: z.string(),
      seals: z.array(z.string()).readonly(),
      from: z.string(),
      to: z.string(),
      site: z.string(),
      at: z.string(),
    }),
  ),
});
export type CustodyVerifyOutput = z.infer<typeof verifyOutput>;

export const custodyVerify = operation<CustodyVerifyInput, CustodyVerifyOutput>({
  name: ['custody', 'verify'],
  summary: 'Judge a chain of custody, and whether it speaks of what is in front of you',
  parameters: [
    { key: 'volume', form: 'VOLUME...', help: 'the bundle, or all of its volumes' },
    { key: 'chain', form: '--chain FILE', help: 'the chain that came beside it' },
    { key: 'medium', form: '--medium SERIAL', help: 'serial number of the medium in your hand' },
    { key: 'seal', form: '--seal NUMBER...', help: 'numbers of the seals on it, all of them' },
    { key: 'root', form: '--root ROOT', help: 'the root file to trust for this one command; it must fit a pinned one' },
    homeParameter,
  ],
  input: verifyInput,
  output: verifyOutput,
  load: async () => (await import('./verbs/custody-verify.ts')).custodyVerifyVerb,
});

const scanInput = z.object({
  volume: z.string(),
  scanner: z.string(),
  verdict: z.enum(['clean', 'infected', 'unknown']),
  engine: z.string(),
  key: z.string(),
  passphraseFile: z.array(z.string()).optional(),
  out: z.string(),
});
export type ScanRecordInput = z.infer<typeof scanInput>;
const scanOutput = z.object({ path: z.string(), sha256: z.string(), scanner: z.string(), verdict: z.string() });
export type ScanRecordOutput = z.infer<typeof scanOutput>;

export const scanRecord = operation<ScanRecordInput, ScanRecordOutput>({
  name: ['custody', 'scan'],
  summary: "Sign, at the station, what the site's scanner said about a volume",
  parameters: [
    { key: 'volume', form: 'VOLUME', help: 'the bundle that was scanned' },
    {
      key: 'scanner',
      form: '--scanner NAME',
      help: 'name of the scanner; its public key is trust/scanners/NAME.pem inside',
    },
    { key: 'verdict', form: '--verdict WORD', help: 'clean, infected or unknown' },
    { key: 'engine', form: '--engine TEXT', help: 'engine and state of its signatures' },
    { key: 'key', form: '--key FILE', help: "the scanner's private key" },
    keyParameters[1],
    { key: 'out', form: '-o FILE', help: 'where the signed statement goes' },
  ],
  input: scanInput,
  output: scanOutput,
  load: async () => (await import('./verbs/scan-record.ts')).scanRecordVerb,
});
