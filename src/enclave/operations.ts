import { z } from 'zod';
import { operation } from '#kernel';
import { ATTEMPT_ANSWERS, ATTEMPT_KINDS } from './attempt.ts';

const project = z.string().optional();
const projectParameter = {
  key: 'project',
  form: '--project DIR',
  help: 'the project whose rehearsal is kept (default: the working folder, or the nearest above it)',
} as const;
const nameParameter = { key: 'name', form: '--name NAME', help: 'which one, where several are kept' } as const;

const attempt = z.looseObject({
  time: z.string(),
  from: z.string(),
  kind: z.enum(ATTEMPT_KINDS),
  answer: z.enum(ATTEMPT_ANSWERS).optional(),
  protocol: z.string(),
});

const listInput = z.object({ project });
export type ListInput = z.output<typeof listInput>;
const listOutput = z.object({
  enclaves: z.array(
    z.object({
      name: z.string(),
      project: z.string(),
      machines: z.array(z.string()),
      since: z.string(),
      until: z.string(),
      services: z.array(
        z.object({ name: z.string(), state: z.enum(['ready', 'ended']), restarts: z.number(), trouble: z.string() }),
      ),
      /** How many there were until now. */
      attempts: z.number(),
      pid: z.number(),
    }),
  ),
});
export type ListOutput = z.output<typeof listOutput>;
const list = operation<ListInput, ListOutput>({
  name: ['enclave', 'list'],
  summary: 'Show the enclave that a rehearsal kept: machines, services, attempts to call out',
  parameters: [projectParameter],
  input: listInput,
  output: listOutput,
  load: async () => (await import('./verbs/list.ts')).listVerb,
});

const shellInput = z.object({
  machine: z.string().optional(),
  command: z.array(z.string()).optional(),
  project,
  name: z.string().optional(),
});
export type ShellInput = z.output<typeof shellInput>;
const shellOutput = z.object({
  machine: z.string(),
  verdict: z.enum(['done', 'failed']),
  code: z.number().nullable(),
  signal: z.string().nullable(),
  stdout: z.string(),
  stderr: z.string(),
  /** What this machine tried while it ran. */
  attempts: z.array(attempt),
});
export type ShellOutput = z.output<typeof shellOutput>;
const shell = operation<ShellInput, ShellOutput>({
  name: ['enclave', 'shell'],
  summary: 'Run a command, or a shell, in a machine of the enclave, and show what it tried to reach',
  parameters: [
    { key: 'machine', form: '--machine NAME', help: 'a service or a place of the enclave (default: its user)' },
    { key: 'command', form: '[COMMAND...]', help: 'after --: what to run (default, on a terminal: a shell)' },
    projectParameter,
    nameParameter,
  ],
  input: shellInput,
  output: shellOutput,
  load: async () => (await import('./verbs/shell.ts')).shellVerb,
});

const logsInput = z.object({
  service: z.string(),
  follow: z.boolean().optional(),
  project,
  name: z.string().optional(),
});
export type LogsInput = z.output<typeof logsInput>;
const logsOutput = z.object({
  service: z.string(),
  /** Files that hold it, oldest first. */
  files: z.array(z.string()),
  /** Controls are escaped. At most the last 1 MiB. */
  text: z.string(),
  cut: z.boolean(),
});
export type LogsOutput = z.output<typeof logsOutput>;
const logs = operation<LogsInput, LogsOutput>({
  name: ['enclave', 'logs'],
  summary: 'Show what a service of the enclave wrote',
  parameters: [
    { key: 'service', form: 'SERVICE', help: 'its name' },
    { key: 'follow', form: '--follow', help: 'go on with what it writes, until it or this is stopped' },
    projectParameter,
    nameParameter,
  ],
  input: logsInput,
  output: logsOutput,
  load: async () => (await import('./verbs/logs.ts')).logsVerb,
});

const captureInput = z.object({
  out: z.string(),
  seconds: z.coerce.number().positive().max(86_400).optional(),
  machine: z.string().optional(),
  project,
  name: z.string().optional(),
});
export type CaptureInput = z.output<typeof captureInput>;
const captureOutput = z.object({ path: z.string(), bytes: z.number(), packets: z.number(), detail: z.string() });
export type CaptureOutput = z.output<typeof captureOutput>;
const capture = operation<CaptureInput, CaptureOutput>({
  name: ['enclave', 'capture'],
  summary: 'Write the packets of the enclave into a pcap file',
  parameters: [
    { key: 'out', form: '-o, --out FILE', help: 'the new file' },
    { key: 'seconds', form: '--seconds N', help: 'how long (default: until this is stopped)' },
    { key: 'machine', form: '--machine NAME', help: 'the link of one machine (default: all links)' },
    projectParameter,
    nameParameter,
  ],
  input: captureInput,
  output: captureOutput,
  load: async () => (await import('./verbs/capture.ts')).captureVerb,
});

const stopInput = z.object({ name: z.string().optional(), project });
export type StopInput = z.output<typeof stopInput>;
const stopOutput = z.object({ stopped: z.array(z.string()) });
export type StopOutput = z.output<typeof stopOutput>;
const stop = operation<StopInput, StopOutput>({
  name: ['enclave', 'stop'],
  summary: 'End the enclave that a rehearsal kept, its services in order',
  parameters: [{ key: 'name', form: '[NAME]', help: 'which one (default: all of this project)' }, projectParameter],
  input: stopInput,
  output: stopOutput,
  load: async () => (await import('./verbs/stop.ts')).stopVerb,
});

export const enclaveOperations = [list, shell, logs, capture, stop] as const;
