import { z } from 'zod';
import { operation } from '#kernel';
import { CNIS } from './enforcers.ts';
import { RENDERINGS } from './generate/renderings.ts';
import { LEVELS } from './lint/rules.ts';

const profile = z.enum(['specification', 'np-guard']);
const cni = z.enum(CNIS);
const cniParameter = { key: 'cni', form: '--cni NAME', help: `the network plugin of the cluster: ${CNIS.join(', ')}` };
/** Of a bundle, whose word counts for it. */
export const trustKeys = { root: z.string().optional(), home: z.string().optional() };
export const trustParameters = [
  { key: 'root', form: '--root ROOT', help: 'the root file that you trust, where a bundle is named' },
  {
    key: 'home',
    form: '--home HOME',
    help: "verify a bundle against the root that this home pinned; 'admitted:CHANNEL' names what it admitted",
  },
];
export const finding = z.object({
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

/** In which form the answer is written, and where, if not on standard output. */
const writing = z.object({ format: z.string(), file: z.string().optional() });
const outputParameters = (formats: string) => [
  { key: 'output', form: '--output FORMAT', help: `table (default), ${formats}; the name of the file says it too` },
  { key: 'out', form: '-o, --out FILE', help: 'write it to a file' },
];
const outputKeys = { output: z.string().optional(), out: z.string().optional() };

export const mapInput = z.object({
  folder: z.string(),
  profile: profile.optional(),
  cni: cni.optional(),
  summary: z.boolean().optional(),
  ...outputKeys,
  ...trustKeys,
});
export const mapOutput = z.object({
  verdict: z.enum(['mapped', 'unknown']),
  profile,
  connections: z.array(connection),
  /** With --summary, in place of connections: each policy once, and each wall around pods once. */
  policies: z
    .array(
      z.object({
        policy: z.string(),
        where: z.string(),
        ingress: z.array(z.string()).readonly().optional(),
        egress: z.array(z.string()).readonly().optional(),
      }),
    )
    .readonly()
    .optional(),
  walls: z
    .array(
      z.object({
        direction: z.enum(['ingress', 'egress']),
        workloads: z.array(z.string()).readonly(),
        policies: z.array(z.number()).readonly(),
        outside: z.array(connection.omit({ from: true, to: true }).extend({ range: z.string() })).readonly(),
      }),
    )
    .readonly()
    .optional(),
  /** Why the answer is unknown. */
  errors: z.array(finding),
  /** What is worth knowing beside the answer. */
  findings: z.array(finding),
  ignored: z.array(z.object({ kind: z.string(), count: z.number() })),
  counts: z.object({ workloads: z.number(), policies: z.number(), namespaces: z.number() }),
  writing: writing.optional(),
});

const policyMap = operation<z.infer<typeof mapInput>, z.infer<typeof mapOutput>>({
  name: ['policy', 'map'],
  summary: 'Say who can talk to whom by the policies of Kubernetes manifests',
  parameters: [
    { key: 'folder', form: 'DIR', help: 'a folder with manifests, one file, a bundle, or admitted:CHANNEL' },
    {
      key: 'profile',
      form: '--profile PROFILE',
      help: "'specification' (default): what the Kubernetes documents say; 'np-guard': as netpol-analyzer answers",
    },
    cniParameter,
    { key: 'summary', form: '--summary', help: 'each policy and each wall around pods once, and no rows' },
    ...outputParameters('json, csv, dot, svg, html'),
    ...trustParameters,
  ],
  input: mapInput,
  output: mapOutput,
  load: async () => (await import('./verbs/map.ts')).mapVerb,
});

export const diffInput = z.object({
  from: z.string(),
  to: z.string(),
  profile: profile.optional(),
  cni: cni.optional(),
  ...outputKeys,
  ...trustKeys,
});
/** Positions among `changes`, and how they work: `alone`, `each` of them, `together`, or `unproved`. */
const cause = z.object({
  by: z.enum(['alone', 'each', 'together', 'unproved']),
  changes: z.array(z.number()).readonly(),
});
const causedConnection = connection.extend({ cause: cause.optional() });
export const diffOutput = z.object({
  verdict: z.enum(['same', 'differs', 'unknown']),
  profile,
  added: z.array(causedConnection),
  removed: z.array(causedConnection),
  changed: z.array(
    z.object({
      from: z.string(),
      to: z.string(),
      before: z.string(),
      after: z.string(),
      cause: cause.optional(),
    }),
  ),
  /** What may be open stays the same, and what is certainly open does not. */
  certainty: z.array(
    z.object({ from: z.string(), to: z.string(), ports: z.string(), before: z.string(), after: z.string() }),
  ),
  /** What differs between the two states, one by one. */
  changes: z.array(
    z.object({
      kind: z.enum(['policy', 'workload', 'namespace', 'service', 'entrance', 'account']),
      how: z.enum(['added', 'removed', 'changed']),
      name: z.string(),
      detail: z.string(),
      where: z.string(),
    }),
  ),
  errors: z.array(finding),
  writing: writing.optional(),
});

const policyDiff = operation<z.infer<typeof diffInput>, z.infer<typeof diffOutput>>({
  name: ['policy', 'diff'],
  summary: 'Say which connections a change of manifests opens, closes or changes',
  parameters: [
    { key: 'from', form: '--from OLD', help: 'the manifests before, or a bundle' },
    { key: 'to', form: '--to NEW', help: 'the manifests after, or a bundle' },
    { key: 'profile', form: '--profile PROFILE', help: "'specification' (default) or 'np-guard'" },
    cniParameter,
    ...outputParameters('json, csv, dot, svg, html'),
    ...trustParameters,
  ],
  input: diffInput,
  output: diffOutput,
  load: async () => (await import('./verbs/diff.ts')).diffVerb,
});

export const exposureInput = z.object({
  folder: z.string(),
  profile: profile.optional(),
  cni: cni.optional(),
  ...outputKeys,
  ...trustKeys,
});
const direction = z.enum(['egress', 'ingress']);
export const exposureOutput = z.object({
  verdict: z.enum(['answered', 'unknown']),
  profile,
  exposure: z.array(
    z.object({
      direction,
      workload: z.string(),
      /** `entire-cluster`, pods that a rule speaks of and that are in no manifest, or a range of addresses. */
      peer: z.string(),
      ports: z.string(),
      certain: z.string().optional(),
      depends: z.array(z.string()).readonly().optional(),
      /** Selectors as kubectl takes them, '' for all; absent for addresses. */
      namespaces: z.string().optional(),
      pods: z.string().optional(),
    }),
  ),
  unprotected: z.array(z.object({ workload: z.string(), direction })),
  errors: z.array(finding),
  writing: writing.optional(),
});

const policyExposure = operation<z.infer<typeof exposureInput>, z.infer<typeof exposureOutput>>({
  name: ['policy', 'exposure'],
  summary: 'Say what pods that are in no manifest yet could reach, or be reached from',
  parameters: [
    { key: 'folder', form: 'DIR', help: 'a folder with manifests, one file, a bundle, or admitted:CHANNEL' },
    { key: 'profile', form: '--profile PROFILE', help: "'specification' (default) or 'np-guard'" },
    cniParameter,
    ...outputParameters('json, csv, dot, svg, html'),
    ...trustParameters,
  ],
  input: exposureInput,
  output: exposureOutput,
  load: async () => (await import('./verbs/exposure.ts')).exposureVerb,
});

export const rolloutInput = z.object({
  from: z.string(),
  to: z.string(),
  profile: profile.optional(),
  cni: cni.optional(),
  ...trustKeys,
});
const opened = connection.pick({ from: true, to: true, ports: true });
export const rolloutOutput = z.object({
  verdict: z.enum(['safe', 'unsafe', 'unknown']),
  profile,
  steps: z.array(
    z.object({
      action: z.enum(['create', 'replace', 'delete']),
      object: z.string(),
      /** `FOLDER: file:line`; empty for what stands only during the rollout. */
      file: z.string(),
      /** What to apply, where no file has it. */
      manifest: z.record(z.string(), z.unknown()).optional(),
      /** The object stands only during the rollout. */
      temporary: z.boolean(),
      opens: z.array(opened),
      closes: z.array(opened),
      /** What is wrong after this step; `until`: how many steps have been made when it is over. */
      troubles: z.array(opened.extend({ is: z.enum(['exposed', 'lost', 'unsure', 'priority']), until: z.number() })),
    }),
  ),
  /** States that were analysed in search of the order. */
  analysed: z.number(),
  /** A safe order was found, or it is certain that there is none. */
  complete: z.boolean(),
  /** The last state answers all as the later manifests do. */
  reached: z.boolean(),
  errors: z.array(finding),
});

const policyRollout = operation<z.infer<typeof rolloutInput>, z.infer<typeof rolloutOutput>>({
  name: ['policy', 'rollout'],
  summary: 'Order the steps of a change of policies so that no state between exposes or loses a connection',
  parameters: [
    { key: 'from', form: '--from OLD', help: 'a folder with the manifests as they are, or a bundle' },
    { key: 'to', form: '--to NEW', help: 'a folder with the manifests as they will be, or a bundle' },
    { key: 'profile', form: '--profile PROFILE', help: "'specification' (default) or 'np-guard'" },
    cniParameter,
    ...trustParameters,
  ],
  input: rolloutInput,
  output: rolloutOutput,
  load: async () => (await import('./verbs/rollout.ts')).rolloutVerb,
});

export const explainInput = z.object({
  source: z.string(),
  destination: z.string(),
  port: z.string(),
  in: z.string().optional(),
  profile: profile.optional(),
  cni: cni.optional(),
  ...trustKeys,
});
const decision = z.object({
  verdict: z.enum(['allowed', 'denied', 'depends']),
  direction,
  of: z.string(),
  peer: z.string(),
  /** `5432/tcp`, that of the pod behind a Service. */
  port: z.string(),
  rules: z.array(
    z.object({
      policy: z.string(),
      action: z.string(),
      rule: z.string(),
      where: z.string(),
      certain: z.boolean(),
      /** The rule as it is written. */
      source: z.array(z.string()),
    }),
  ),
  /** The policies because of which all is closed that no rule allows. */
  isolatedBy: z.array(z.object({ policy: z.string(), where: z.string() })),
  /** Of what is denied: rules that are about this peer, on other ports. */
  near: z.array(z.object({ policy: z.string(), rule: z.string(), where: z.string(), ports: z.string() })),
  depends: z.array(z.string()),
});
export const explainOutput = z.object({
  verdict: z.enum(['allowed', 'denied', 'depends', 'unknown']),
  profile,
  /** What a Service, an Ingress or a Route makes of the connection. */
  translation: z.array(z.object({ by: z.string(), where: z.string(), to: z.array(z.string()) })),
  decisions: z.array(decision),
  remarks: z.array(z.string()),
  errors: z.array(finding),
});

const policyExplain = operation<z.infer<typeof explainInput>, z.infer<typeof explainOutput>>({
  name: ['policy', 'explain'],
  summary: 'Say which rules let one connection through, or keep it out',
  parameters: [
    { key: 'source', form: 'SRC', help: 'a workload as NAMESPACE/NAME, an address, or {ingress-controller}' },
    { key: 'destination', form: 'DST', help: 'a workload, a Service or an address' },
    { key: 'port', form: 'PORT', help: '80, 53/udp, 2905/sctp' },
    { key: 'in', form: '--in DIR', help: 'the folder of manifests, or a bundle (default: the working folder)' },
    { key: 'profile', form: '--profile PROFILE', help: "'specification' (default) or 'np-guard'" },
    cniParameter,
    ...trustParameters,
  ],
  input: explainInput,
  output: explainOutput,
  load: async () => (await import('./verbs/explain.ts')).explainVerb,
});

export const lintInput = z.object({
  folder: z.string(),
  cni: cni.optional(),
  failOn: z.enum([...LEVELS, 'never']).optional(),
  ignore: z.array(z.string()).optional(),
  ...outputKeys,
  ...trustKeys,
});
export const lintOutput = z.object({
  verdict: z.enum(['passed', 'failed', 'unknown']),
  findings: z.array(
    z.object({
      rule: z.string(),
      level: z.enum(LEVELS),
      where: z.string(),
      title: z.string(),
      detail: z.string(),
      why: z.string(),
      fix: z.string(),
    }),
  ),
  counts: z.object({ error: z.number(), warning: z.number(), note: z.number() }),
  /** How many findings --ignore left out, by rule. */
  ignored: z.record(z.string(), z.number()),
  /** What leads from the working folder to the files. */
  base: z.string(),
  version: z.string(),
  writing,
});

const policyLint = operation<z.infer<typeof lintInput>, z.infer<typeof lintOutput>>({
  name: ['policy', 'lint'],
  summary: 'Look for policies that do not do what they seem to',
  parameters: [
    { key: 'folder', form: 'DIR', help: 'a folder with manifests, one file, a bundle, or admitted:CHANNEL' },
    cniParameter,
    {
      key: 'failOn',
      form: '--fail-on LEVEL',
      help: 'exit 1 at findings of this level or above: error, warning (default), note, never',
    },
    {
      key: 'ignore',
      form: '--ignore RULE...',
      help: 'leave out findings of this rule, such as lint.open-ports; again for more',
    },
    ...outputParameters('json, sarif'),
    ...trustParameters,
  ],
  input: lintInput,
  output: lintOutput,
  load: async () => (await import('./verbs/lint.ts')).lintVerb,
});

export const invariantInput = z.object({
  folder: z.string(),
  file: z.string().optional(),
  expressions: z.array(z.string()).optional(),
  future: z.boolean().optional(),
  cni: cni.optional(),
  ...trustKeys,
});
export const invariantOutput = z.object({
  verdict: z.enum(['holds', 'violated', 'depends', 'vacuous', 'unknown']),
  invariants: z.array(
    z.object({
      name: z.string(),
      reason: z.string(),
      where: z.string(),
      /** `vacuous`: it speaks of nothing that is there. */
      verdict: z.enum(['holds', 'violated', 'depends', 'vacuous']),
      detail: z.string(),
      /** Pairs that speak against it; the first of them are the witnesses. */
      against: z.number(),
      witnesses: z.array(
        z.object({
          from: z.string(),
          to: z.string(),
          ports: z.string(),
          certain: z.boolean(),
          depends: z.array(z.string()),
          decisions: z.array(decision),
        }),
      ),
    }),
  ),
  errors: z.array(finding),
});

const policyInvariant = operation<z.infer<typeof invariantInput>, z.infer<typeof invariantOutput>>({
  name: ['policy', 'invariant'],
  summary: 'Say whether sentences about a cluster hold, and what speaks against them',
  parameters: [
    { key: 'folder', form: 'DIR', help: 'a folder with manifests, one file, a bundle, or admitted:CHANNEL' },
    { key: 'file', form: '-f, --file FILE', help: 'a file of invariants (docs/spec/invariants.md)' },
    {
      key: 'expressions',
      form: '-e, --expression TEXT...',
      help: "'deny FROM -> TO : PORTS', 'only …' or 'allow …'; again for more",
    },
    { key: 'future', form: '--future', help: 'count pods that may come too' },
    cniParameter,
    ...trustParameters,
  ],
  input: invariantInput,
  output: invariantOutput,
  load: async () => (await import('./verbs/invariant.ts')).invariantVerb,
});

export const generateInput = z.object({
  folder: z.string().optional(),
  flows: z.string(),
  dialects: z.array(z.enum([...RENDERINGS, 'all'])).optional(),
  out: z.string().optional(),
  set: z.array(z.string()).optional(),
  at: z.iso.date().optional(),
  ...trustKeys,
});
export const generateOutput = z.object({
  verdict: z.enum(['proved', 'depends', 'refuted', 'unknown']),
  flows: z.number(),
  /** Flows that are left out because their last day is over. */
  expired: z.array(z.string()),
  renderings: z.array(
    z.object({
      dialect: z.enum(RENDERINGS),
      verdict: z.enum(['proved', 'depends', 'refuted', 'unknown']),
      policies: z.number(),
      /** Paths below the folder of -o. */
      files: z.array(z.string()),
      /** Questions that the proof asked. */
      asked: z.number(),
      /** Answers that are not as declared; the first of them follow. */
      different: z.number(),
      differences: z.array(
        z.object({
          is: z.enum(['depends', 'wider', 'narrower']),
          direction,
          workload: z.string(),
          peer: z.string(),
          declared: z.string(),
          possible: z.string(),
          certain: z.string(),
          why: z.array(z.string()),
        }),
      ),
      errors: z.array(finding),
    }),
  ),
  /** Policies among the manifests, which the proof does not count. */
  others: z.number(),
  /** Why the manifests cannot be read. */
  errors: z.array(finding),
  folder: z.string().optional(),
});

const policyGenerate = operation<z.infer<typeof generateInput>, z.infer<typeof generateOutput>>({
  name: ['policy', 'generate'],
  summary: 'Make policies that admit the declared flows and nothing else, and prove it',
  parameters: [
    {
      key: 'folder',
      form: '[DIR]',
      help: 'the manifests of the workloads, a folder or a bundle (default: the working folder)',
    },
    { key: 'flows', form: '--flows FILE', help: 'a FlowSet file (docs/spec/flow-set.md), or a sallyport.yaml' },
    {
      key: 'dialects',
      form: '--dialect DIALECT...',
      help: `${RENDERINGS.join(', ')} or all; again for more (default: kubernetes)`,
    },
    {
      key: 'out',
      form: '-o, --out DIR',
      help: 'write the policies here, a folder for each dialect; without it they are only proved',
    },
    { key: 'set', form: '--set NAME=VALUE...', help: 'a value for a parameter of the FlowSet; again for more' },
    { key: 'at', form: '--at DAY', help: 'the day by which flows may have expired, YYYY-MM-DD (default: today)' },
    ...trustParameters,
  ],
  input: generateInput,
  output: generateOutput,
  load: async () => (await import('./verbs/generate.ts')).generateVerb,
});

export const assertInput = z.object({
  folder: z.string().optional(),
  file: z.string().optional(),
  flows: z.string().optional(),
  out: z.string().optional(),
  profile: profile.optional(),
  cni: cni.optional(),
  mutate: z.boolean().optional(),
  threshold: z.string().optional(),
  ...trustKeys,
});
export const assertOutput = z.object({
  /** `weak`: all of it holds, and too few mutants would be noticed. */
  verdict: z.enum(['holds', 'fails', 'unknown', 'weak']),
  profile,
  results: z.array(
    z.object({
      from: z.string(),
      to: z.string(),
      port: z.number(),
      protocol: z.enum(['TCP', 'UDP', 'SCTP']),
      expect: z.enum(['allow', 'deny']),
      reason: z.string(),
      where: z.string(),
      verdict: z.enum(['holds', 'fails', 'depends', 'unknown']),
      actual: z.enum(['allowed', 'denied', 'depends', 'unknown']),
    }),
  ),
  coverage: z
    .object({
      open: z.number(),
      asserted: z.number(),
      workloads: z.number(),
      deniedIn: z.number(),
      deniedOut: z.number(),
      missing: z.array(z.string()),
    })
    .optional(),
  mutation: z
    .object({
      /** Of the mutants that change anything, the part that some assertion notices. */
      score: z.number(),
      threshold: z.number().optional(),
      killed: z.number(),
      /** Mutants by which no connection changes. */
      equivalent: z.number(),
      survived: z.array(z.object({ operator: z.string(), what: z.string() })),
      operators: z.array(z.object({ operator: z.string(), killed: z.number(), all: z.number() })),
    })
    .optional(),
  errors: z.array(finding),
});

const policyAssert = operation<z.infer<typeof assertInput>, z.infer<typeof assertOutput>>({
  name: ['policy', 'assert'],
  summary: 'Check what has to be open and closed, how much of the cluster that covers, and whether mutants are noticed',
  parameters: [
    { key: 'folder', form: '[DIR]', help: 'the manifests, a folder or a bundle (default: the working folder)' },
    { key: 'file', form: '--file FILE', help: 'the assertions (docs/spec/assertions.md)' },
    {
      key: 'flows',
      form: '--flows FILE',
      help: 'or made from declared flows: each is open, and its neighbours are not',
    },
    { key: 'out', form: '-o, --out FILE', help: 'write the assertions that were checked to a file' },
    { key: 'profile', form: '--profile NAME', help: 'specification (default) or np-guard' },
    cniParameter,
    {
      key: 'mutate',
      form: '--mutate',
      help: 'change the manifests in many small ways, and count which changes are noticed',
    },
    { key: 'threshold', form: '--threshold SCORE', help: 'the least part of mutants that has to be noticed, 0 to 1' },
    ...trustParameters,
  ],
  input: assertInput,
  output: assertOutput,
  load: async () => (await import('./verbs/assert.ts')).assertVerb,
});

export const suggestInput = z.object({
  folder: z.string().optional(),
  flows: z.string().optional(),
  set: z.array(z.string()).optional(),
  compose: z.array(z.string()).optional(),
  logs: z.array(z.string()).optional(),
  controller: z.string().optional(),
  namespace: z.string().optional(),
  accept: z.array(z.string()).optional(),
  by: z.string().min(1).optional(),
  owner: z.string().min(1).optional(),
  reason: z.string().min(1).optional(),
  ...trustKeys,
});
const evidence = z.object({
  source: z.enum(['environment', 'entrance', 'dns', 'compose', 'connection log']),
  where: z.string(),
  detail: z.string(),
});
export const suggestOutput = z.object({
  verdict: z.enum(['answered', 'unknown']),
  proposals: z.array(
    z.object({
      id: z.string(),
      from: z.string(),
      to: z.string(),
      port: z.string(),
      evidence: z.array(evidence),
      /** Pieces of evidence, of which the first are listed, and how many of them were stopped. */
      seen: z.number(),
      denied: z.number(),
    }),
  ),
  /** What is spoken of and cannot be said as a flow, and why. */
  unclear: z.array(evidence.extend({ why: z.string() })),
  accepted: z.array(z.string()),
  errors: z.array(finding),
});

const policySuggest = operation<z.infer<typeof suggestInput>, z.infer<typeof suggestOutput>>({
  name: ['policy', 'suggest'],
  summary: 'Propose flows from manifests, Compose files and connection logs, each with its evidence',
  parameters: [
    {
      key: 'folder',
      form: '[DIR]',
      help: 'the manifests of the workloads, a folder or a bundle (default: the working folder)',
    },
    {
      key: 'flows',
      form: '--flows FILE',
      help: 'a FlowSet file: what it declares is not proposed, and accepted proposals go there',
    },
    { key: 'set', form: '--set NAME=VALUE...', help: 'a value for a parameter of the FlowSet; again for more' },
    { key: 'compose', form: '--compose FILE...', help: 'a Compose file; again for more' },
    {
      key: 'logs',
      form: '--observed FILE...',
      help: 'report.json of a rehearsal, or flows of Hubble or Calico as JSON lines; again for more',
    },
    { key: 'controller', form: '--controller NAMESPACE/WORKLOAD', help: 'what serves Ingress and Gateway' },
    { key: 'namespace', form: '--namespace NAME', help: 'where the services of Compose files run' },
    {
      key: 'accept',
      form: '--accept ID...',
      help: "a proposal to write to --flows, or 'all' that were not always stopped; again for more",
    },
    { key: 'by', form: '--by NAME', help: 'who accepts' },
    { key: 'owner', form: '--owner NAME', help: 'who owns what is accepted' },
    { key: 'reason', form: '--reason TEXT', help: 'why it is needed (default: the first evidence)' },
    ...trustParameters,
  ],
  input: suggestInput,
  output: suggestOutput,
  load: async () => (await import('./verbs/suggest.ts')).suggestVerb,
});

export const policyOperations = [
  policyMap,
  policyDiff,
  policyRollout,
  policyExplain,
  policyExposure,
  policyLint,
  policyInvariant,
  policyGenerate,
  policySuggest,
  policyAssert,
];
