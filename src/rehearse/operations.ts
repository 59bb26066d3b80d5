import { z } from 'zod';
import { operation } from '#kernel';
import { reportShape } from './report.ts';

const rehearseInput = z.object({
  folder: z.string().optional(),
  report: z.string().optional(),
  everyInstall: z.boolean().optional(),
  keep: z.boolean().optional(),
  keepFor: z.string().optional(),
  unconfined: z.boolean().optional(),
});
export type RehearseInput = z.output<typeof rehearseInput>;

const rehearseOutput = reportShape.extend({
  /** The enclave that still runs. */
  kept: z.object({ name: z.string(), since: z.string(), until: z.string() }).optional(),
});
export type RehearseOutput = z.output<typeof rehearseOutput>;

export const rehearse = operation<RehearseInput, RehearseOutput>({
  name: ['rehearse'],
  summary: 'Carry a project over a gap on this one machine, and run it where there is no network',
  parameters: [
    { key: 'folder', form: '[DIR]', help: 'the project (default: the working folder)' },
    { key: 'report', form: '--report FILE', help: 'where the report goes (default: DIR/.sallyport/report.json)' },
    { key: 'keep', form: '--keep', help: "leave the enclave and its services running, until 'enclave stop'" },
    { key: 'keepFor', form: '--keep-for TIME', help: 'with --keep: how long at most, as 90s, 30m, 8h (default: 8h)' },
    {
      key: 'everyInstall',
      form: '--every-install',
      help: 'without any route install again also what had asked for nothing outside',
    },
    {
      key: 'unconfined',
      form: '--unconfined',
      help: "run the commands of 'prepare' as you, with all that you may do, unrecorded; the ledger will say so",
    },
  ],
  input: rehearseInput,
  output: rehearseOutput,
  load: async () => (await import('./verbs/rehearse.ts')).rehearseVerb,
});

const verifyReportInput = z.object({ report: z.string(), root: z.string(), signature: z.string().optional() });
export type VerifyReportInput = z.output<typeof verifyReportInput>;

const verifyReportOutput = z.object({
  verdict: z.enum(['verified', 'unverified']),
  reasons: z.array(z.object({ code: z.string(), where: z.string(), detail: z.string() })),
  path: z.string(),
  holders: z.array(z.string()),
  custody: z.string(),
  root: z.object({ version: z.number(), fingerprint: z.string() }),
  /** Where the ledger of the side that signed holds the report. */
  entry: z.object({ origin: z.string(), index: z.number() }).optional(),
  /** What the report says; only where it is verified. */
  report: z
    .object({
      verdict: z.string(),
      offline: z.string(),
      project: z.string(),
      started: z.string(),
      proofs: z.number(),
    })
    .optional(),
});
export type VerifyReportOutput = z.output<typeof verifyReportOutput>;

export const verifyReport = operation<VerifyReportInput, VerifyReportOutput>({
  name: ['rehearse', 'verify'],
  summary: 'Check the report of a rehearsal: its signature, and the proof that a ledger holds it',
  parameters: [
    { key: 'report', form: 'REPORT', help: 'the report, a JSON file' },
    { key: 'root', form: '--root ROOT', help: 'the root file of the side that signed it' },
    { key: 'signature', form: '--signature FILE', help: 'its signature (default: .dsse.json beside the report)' },
  ],
  input: verifyReportInput,
  output: verifyReportOutput,
  load: async () => (await import('./verbs/verify.ts')).verifyReportVerb,
});

const doctorInput = z.object({ station: z.boolean().optional(), home: z.string().optional() });
export type DoctorInput = z.output<typeof doctorInput>;
const doctorOutput = z.object({
  verdict: z.enum(['well', 'lacking']),
  checks: z.array(
    z.object({
      name: z.string(),
      ok: z.boolean(),
      /** The main things work without it. */
      minor: z.boolean(),
      /** Of an import station; `ok` is true for the first only. */
      state: z.enum(['ok', 'bad', 'unknown']).optional(),
      found: z.string(),
      /** What is not possible without it. */
      costs: z.string(),
      fix: z.string(),
    }),
  ),
});
export type DoctorOutput = z.output<typeof doctorOutput>;

export const doctor = operation<DoctorInput, DoctorOutput>({
  name: ['doctor'],
  summary: 'Say what this machine lacks, and what that costs',
  parameters: [
    { key: 'station', form: '--station', help: 'check it as an import station, which reads hostile media' },
    { key: 'home', form: '--home HOME', help: 'with --station: the home whose quarantine is looked at' },
  ],
  input: doctorInput,
  output: doctorOutput,
  load: async () => (await import('./verbs/doctor.ts')).doctorVerb,
});
