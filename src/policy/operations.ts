import { z } from 'zod';
import { operation } from '#kernel';

const profile = z.enum(['specification', 'np-guard']);
const finding = z.object({
  severity: z.enum(['error', 'warning', 'note']),
  code: z.string(),
  where: z.string(),
  detail: z.string(),
});
const connection = z.object({
  from: z.string(),
  to: z.string(),
  ports: z.string(),
  certain: z.string().optional(),
  depends: z.array(z.string()).readonly().optional(),
});

export const mapInput = z.object({ folder: z.string(), profile: profile.optional() });
export const mapOutput = z.object({
  verdict: z.enum(['mapped', 'unknown']),
  profile,
  connections: z.array(connection),
  /** Why the answer is unknown. */
  errors: z.array(finding),
  /** What is worth knowing beside the answer. */
  findings: z.array(finding),
  ignored: z.array(z.object({ kind: z.string(), count: z.number() })),
  counts: z.object({ workloads: z.number(), policies: z.number(), namespaces: z.number() }),
});

export const policyMap = operation<z.infer<typeof mapInput>, z.infer<typeof mapOutput>>({
  name: ['policy', 'map'],
  summary: 'Say who can talk to whom by the policies of Kubernetes manifests',
  parameters: [
    { key: 'folder', form: 'DIR', help: 'a folder with manifests, or one file' },
    {
      key: 'profile',
      form: '--profile PROFILE',
      help: "'specification' (default): what the Kubernetes documents say; 'np-guard': as netpol-analyzer answers",
    },
  ],
  input: mapInput,
  output: mapOutput,
  load: async () => (await import('./verbs/map.ts')).mapVerb,
});

export const diffInput = z.object({ from: z.string(), to: z.string(), profile: profile.optional() });
export const diffOutput = z.object({
  verdict: z.enum(['same', 'differs', 'unknown']),
  profile,
  added: z.array(connection),
  removed: z.array(connection),
  changed: z.array(z.object({ from: z.string(), to: z.string(), before: z.string(), after: z.string() })),
  errors: z.array(finding),
});

export const policyDiff = operation<z.infer<typeof diffInput>, z.infer<typeof diffOutput>>({
  name: ['policy', 'diff'],
  summary: 'Say which connections a change of manifests opens, closes or changes',
  parameters: [
    { key: 'from', form: '--from OLD', help: 'the manifests before' },
    { key: 'to', form: '--to NEW', help: 'the manifests after' },
    { key: 'profile', form: '--profile PROFILE', help: "'specification' (default) or 'np-guard'" },
  ],
  input: diffInput,
  output: diffOutput,
  load: async () => (await import('./verbs/diff.ts')).diffVerb,
});
