import { z } from 'zod';
import { operation } from '#kernel';
import { type Report, reportShape } from './report.ts';

const rehearseInput = z.object({
  folder: z.string().optional(),
  report: z.string().optional(),
});
export type RehearseInput = z.output<typeof rehearseInput>;

export const rehearse = operation<RehearseInput, Report>({
  name: ['rehearse'],
  summary: 'Carry a project over a gap on this one machine, and run it where there is no network',
  parameters: [
    { key: 'folder', form: '[DIR]', help: 'the project (default: the working folder)' },
    { key: 'report', form: '--report FILE', help: 'where the report goes (default: DIR/.sallyport/report.json)' },
  ],
  input: rehearseInput,
  output: reportShape,
  load: async () => (await import('./verbs/rehearse.ts')).rehearseVerb,
});

const doctorInput = z.object({});
const doctorOutput = z.object({
  verdict: z.enum(['well', 'lacking']),
  checks: z.array(
    z.object({
      name: z.string(),
      ok: z.boolean(),
      found: z.string(),
      /** What is not possible without it. */
      costs: z.string(),
      fix: z.string(),
    }),
  ),
});
export type DoctorOutput = z.output<typeof doctorOutput>;

export const doctor = operation<z.output<typeof doctorInput>, DoctorOutput>({
  name: ['doctor'],
  summary: 'Say what this machine lacks, and what that costs',
  parameters: [],
  input: doctorInput,
  output: doctorOutput,
  load: async () => (await import('./verbs/doctor.ts')).doctorVerb,
});

export const rehearseOperations = [rehearse, doctor] as const;
