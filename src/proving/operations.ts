import { z } from 'zod';
import { operation } from '#kernel';
import { finding, trustKeys, trustParameters } from '#policy/operations';

const established = z.enum(['kept', 'cut']);
const enforcer = z.object({
  name: z.string(),
  kernel: z.string(),
  nft: z.string(),
  established,
  /** What it chose where the documents leave a choice. */
  choices: z.array(z.string()).readonly(),
});
const establishedParameter = {
  key: 'established',
  form: '--established HOW',
  help: "'kept' (default) or 'cut': what becomes of open connections that a later policy forbids",
};

export const proveInput = z.object({
  folder: z.string().optional(),
  file: z.string().optional(),
  flows: z.string().optional(),
  established: established.optional(),
  ...trustKeys,
});
export const proveOutput = z.object({
  'sallyport-proof': z.literal('1.0'),
  /** `unknown` too where something that was asked for could not be tested. */
  verdict: z.enum(['holds', 'fails', 'unknown']),
  /** Why nothing was proved; '' where something was. */
  reason: z.string(),
  /** `assertions` of a file or of flows; `relation`: samples of all that the analysis says. */
  asked: z.enum(['assertions', 'relation']),
  enforcer: enforcer.optional(),
  rounds: z.number(),
  /** Of one round, with the controls. */
  probes: z.number(),
  counts: z.object({
    holds: z.number(),
    fails: z.number(),
    unknown: z.number(),
    notTested: z.number(),
  }),
  results: z.array(
    z.object({
      from: z.string(),
      to: z.string(),
      port: z.number(),
      protocol: z.enum(['TCP', 'UDP', 'SCTP']),
      families: z.array(z.enum(['IPv4', 'IPv6'])).readonly(),
      expect: z.enum(['allow', 'deny']).optional(),
      reason: z.string().optional(),
      where: z.string().optional(),
      verdict: z.enum(['holds', 'fails', 'unknown', 'not tested']),
      live: z.enum(['allowed', 'denied', 'refused', 'one way', 'differs', 'unstable', 'unknown', 'not tested']),
      analysed: z.enum(['allowed', 'denied', 'depends', 'differs', 'unknown']),
      /** From where the same listener was reached in the same rounds; '' where nothing was asked. */
      control: z.string(),
      rounds: z.number(),
      why: z.string(),
    }),
  ),
  /** What no probe is about, and why; rows that are not tested are among the results. */
  notTested: z.array(z.string()),
  errors: z.array(finding),
});

const policyProve = operation<z.infer<typeof proveInput>, z.infer<typeof proveOutput>>({
  name: ['policy', 'prove'],
  summary: "Enforce the policies by this machine's kernel, and probe whether it lets through what they say",
  parameters: [
    { key: 'folder', form: '[DIR]', help: 'the manifests, a folder or a bundle (default: the working folder)' },
    { key: 'file', form: '--file FILE', help: 'the assertions (docs/spec/assertions.md)' },
    { key: 'flows', form: '--flows FILE', help: 'or made from declared flows; without either, the whole relation' },
    establishedParameter,
    ...trustParameters,
  ],
  input: proveInput,
  output: proveOutput,
  load: async () => (await import('./verbs/prove.ts')).proveVerb,
});

export const applyInput = z.object({
  from: z.string(),
  to: z.string(),
  atOnce: z.boolean().optional(),
  flips: z.string().optional(),
  established: established.optional(),
  ...trustKeys,
});
const stateResult = z.object({ holds: z.number(), fails: z.number(), unknown: z.number(), wrong: z.array(z.string()) });
const load = z.object({
  changes: z.number(),
  /** Packets and connections to what is closed before and after, and those that arrived. */
  closed: z.number(),
  leaked: z.number(),
  /** Changes during which something leaked, and the least number of such probes that were sent while one change was made. */
  leaking: z.number(),
  leastDuring: z.number(),
  /** New connections and datagrams to what is open before and after, and those that were lost. */
  fresh: z.number(),
  lost: z.number(),
  /** Bytes over connections that were open all the time, and those that did not arrive. */
  kept: z.number(),
  keptLost: z.number(),
  milliseconds: z.number(),
  /** Which, at most twenty each. */
  leaks: z.array(z.string()).readonly(),
  losses: z.array(z.string()).readonly(),
});
export const applyOutput = z.object({
  'sallyport-applied': z.literal('1.0'),
  /** `unsafe`: something leaked or was lost on the way, or a state is not what the analysis says. */
  verdict: z.enum(['applied', 'unsafe', 'unknown']),
  reason: z.string(),
  enforcer: enforcer.optional(),
  /** What `policy rollout` says of the order; absent with --at-once and --flips. */
  planned: z.enum(['safe', 'unsafe', 'unknown']).optional(),
  steps: z.array(z.string()),
  before: stateResult.optional(),
  after: stateResult.optional(),
  load: load.optional(),
  errors: z.array(finding),
});

const policyApply = operation<z.infer<typeof applyInput>, z.infer<typeof applyOutput>>({
  name: ['policy', 'apply'],
  summary: 'Perform a rollout of policies in the kernel of this machine, under load, and count what leaks or is lost',
  parameters: [
    { key: 'from', form: '--from OLD', help: 'the manifests as they are, a folder or a bundle' },
    { key: 'to', form: '--to NEW', help: 'the manifests as they will be, a folder or a bundle' },
    { key: 'atOnce', form: '--at-once', help: "all policies in one change, in place of the steps of 'policy rollout'" },
    { key: 'flips', form: '--flips N', help: 'there and back, each at once, N changes in all' },
    establishedParameter,
    ...trustParameters,
  ],
  input: applyInput,
  output: applyOutput,
  load: async () => (await import('./verbs/apply.ts')).applyVerb,
});

export const provingOperations = [policyProve, policyApply];
