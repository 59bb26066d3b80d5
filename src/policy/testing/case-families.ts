/**
 * The families of cases by which cyclonus asks enforcers, as data with expected verdicts (its 230 cases are made by
 * programs and have none): three namespaces x, y, z with the label `ns`, pods a, b, c in each with the label `pod`, ports
 * 80 and 81 of TCP, UDP and SCTP named `serve-80-tcp` and so on. What is expected is written from the words of
 * kubernetes/api networking/v1/types.go.
 */
export interface Family {
  readonly name: string;
  readonly cases: readonly Case[];
}

export interface Case {
  readonly name: string;
  /** By the namespace in which each stands (x if none is written, `y: …`), the specs of NetworkPolicies. */
  readonly policies: readonly string[];
  /** What the pods are, where a case changes labels: `x/b`, or `y` for a namespace. */
  readonly labels?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly ingress?: readonly Expected[];
  readonly egress?: readonly Expected[];
}

/** Pods that are closed in this direction but for these peers on these ports; patterns such as `x/*`, `* /b` without the blank. */
export interface Expected {
  readonly of: string;
  readonly peers: string;
  /** `TCP 80`, several separated by commas; `*`: all. */
  readonly ports: string;
  /** By a block, which covers pods with Calico and never with Cilium. */
  readonly block?: true;
}

const A = 'podSelector: { matchLabels: { pod: a } }';

/** A peer, or several, and whom it means to a policy in x. */
const PEERS: readonly (readonly [string, string, string])[] = [
  ['no peers', '', '*/*'],
  ['an empty list of peers', '[]', '*/*'],
  ['every pod of the namespace', '[{ podSelector: {} }]', 'x/*'],
  ['a pod by its label', '[{ podSelector: { matchLabels: { pod: b } } }]', 'x/b'],
  ['pods In', '[{ podSelector: { matchExpressions: [{ key: pod, operator: In, values: [b, c] }] } }]', 'x/b x/c'],
  ['pods NotIn', '[{ podSelector: { matchExpressions: [{ key: pod, operator: NotIn, values: [b] }] } }]', 'x/a x/c'],
  ['pods with a label', '[{ podSelector: { matchExpressions: [{ key: pod, operator: Exists }] } }]', 'x/*'],
  ['pods without a label', '[{ podSelector: { matchExpressions: [{ key: pod, operator: DoesNotExist }] } }]', ''],
  ['a label that no pod has', '[{ podSelector: { matchLabels: { pod: q } } }]', ''],
  ['every namespace', '[{ namespaceSelector: {} }]', '*/*'],
  ['every pod of every namespace', '[{ namespaceSelector: {}, podSelector: {} }]', '*/*'],
  ['a namespace by its label', '[{ namespaceSelector: { matchLabels: { ns: "y" } } }]', 'y/*'],
  ['a namespace by its name', '[{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: z } } }]', 'z/*'],
  [
    'namespaces In',
    '[{ namespaceSelector: { matchExpressions: [{ key: ns, operator: In, values: [x, z] }] } }]',
    'x/* z/*',
  ],
  [
    'namespaces NotIn',
    '[{ namespaceSelector: { matchExpressions: [{ key: ns, operator: NotIn, values: [x] }] } }]',
    'y/* z/*',
  ],
  [
    'namespaces without a label',
    '[{ namespaceSelector: { matchExpressions: [{ key: ns, operator: DoesNotExist }] } }]',
    '',
  ],
  [
    'a pod of a namespace',
    '[{ namespaceSelector: { matchLabels: { ns: "y" } }, podSelector: { matchLabels: { pod: b } } }]',
    'y/b',
  ],
  ['a pod of every namespace', '[{ namespaceSelector: {}, podSelector: { matchLabels: { pod: c } } }]', '*/c'],
  [
    'pods In of namespaces In',
    '[{ namespaceSelector: { matchExpressions: [{ key: ns, operator: In, values: [x, "y"] }] }, podSelector: { matchExpressions: [{ key: pod, operator: In, values: [b, c] }] } }]',
    'x/b x/c y/b y/c',
  ],
  [
    'a namespace or a pod',
    '[{ namespaceSelector: { matchLabels: { ns: "y" } } }, { podSelector: { matchLabels: { pod: b } } }]',
    'y/* x/b',
  ],
];

/** Blocks over the pods' addresses: x is 10.0.1.0/24 with a at .1, y 10.0.2.0/24, z 10.0.3.0/24. */
const BLOCKS: readonly (readonly [string, string, string])[] = [
  ['a block of all', '[{ ipBlock: { cidr: 0.0.0.0/0 } }]', '*/*'],
  ['a block of one pod', '[{ ipBlock: { cidr: 10.0.1.2/32 } }]', 'x/b'],
  ['a block of a namespace', '[{ ipBlock: { cidr: 10.0.2.0/24 } }]', 'y/*'],
  [
    'a block with exceptions',
    '[{ ipBlock: { cidr: 10.0.0.0/16, except: [10.0.2.0/24, 10.0.3.3/32] } }]',
    'x/* z/a z/b',
  ],
  ['a block where no pod is', '[{ ipBlock: { cidr: 192.168.0.0/16 } }]', ''],
];

const PORTS: readonly (readonly [string, string, string])[] = [
  ['no ports', '', '*'],
  ['an empty list of ports', '[]', '*'],
  ['a port without protocol', '[{ port: 80 }]', 'TCP 80'],
  ['a port of TCP', '[{ port: 81, protocol: TCP }]', 'TCP 81'],
  ['a port of UDP', '[{ port: 80, protocol: UDP }]', 'UDP 80'],
  ['a port of SCTP', '[{ port: 81, protocol: SCTP }]', 'SCTP 81'],
  ['a protocol without port', '[{ protocol: UDP }]', 'UDP 80,UDP 81'],
  ['an empty port', '[{}]', 'TCP 80,TCP 81'],
  ['a name', '[{ port: serve-80-tcp }]', 'TCP 80'],
  ['a name of another protocol', '[{ port: serve-80-udp }]', ''],
  ['a name of UDP', '[{ port: serve-81-udp, protocol: UDP }]', 'UDP 81'],
  ['a name that no pod has', '[{ port: serve-82-tcp }]', ''],
  ['a port that no pod has', '[{ port: 7981 }]', ''],
  ['a range', '[{ port: 79, endPort: 81 }]', 'TCP 80,TCP 81'],
  ['a range of one port', '[{ port: 80, endPort: 80 }]', 'TCP 80'],
  ['a range that ends between', '[{ port: 1, endPort: 80, protocol: SCTP }]', 'SCTP 80'],
  ['two ports', '[{ port: 80 }, { port: 81, protocol: UDP }]', 'TCP 80,UDP 81'],
  ['a name and a number', '[{ port: serve-81-sctp, protocol: SCTP }, { port: 80, protocol: UDP }]', 'SCTP 81,UDP 80'],
  ['the same port twice', '[{ port: 80 }, { port: 80, protocol: TCP }]', 'TCP 80'],
];

function spec(direction: 'ingress' | 'egress', peers: string, ports: string): string {
  const key = direction === 'ingress' ? 'from' : 'to';
  const type = direction === 'ingress' ? 'Ingress' : 'Egress';
  const rule = [...(peers === '' ? [] : [`${key}: ${peers}`]), ...(ports === '' ? [] : [`ports: ${ports}`])].join(', ');
  return `{ ${A}, policyTypes: [${type}], ${direction}: [{ ${rule} }] }`;
}

const DIRECTIONS = ['ingress', 'egress'] as const;

function both(make: (direction: 'ingress' | 'egress') => Case[]): Case[] {
  return DIRECTIONS.flatMap((direction) =>
    make(direction).map((one) => ({ ...one, name: `${direction}: ${one.name}` })),
  );
}

const CLOSED = (type: string): string => `{ podSelector: {}, policyTypes: [${type}] }`;

export const FAMILIES_OF_CASES: readonly Family[] = [
  {
    name: 'peers',
    cases: both((direction) => [
      ...PEERS.map(([name, peers, whom]): Case => ({
        name,
        policies: [spec(direction, peers, '')],
        [direction]: [{ of: 'x/a', peers: whom, ports: '*' }],
      })),
      ...PEERS.slice(2).map(([name, peers, whom]): Case => ({
        name: `${name}, on one port`,
        policies: [spec(direction, peers, '[{ port: 80 }]')],
        [direction]: [{ of: 'x/a', peers: whom, ports: 'TCP 80' }],
      })),
      ...BLOCKS.map(([name, peers, whom]): Case => ({
        name,
        policies: [spec(direction, peers, '')],
        [direction]: [{ of: 'x/a', peers: whom, ports: '*', block: true }],
      })),
    ]),
  },
  {
    name: 'ports and protocols',
    cases: both((direction) =>
      PORTS.map(([name, ports, which]): Case => ({
        name,
        policies: [spec(direction, '', ports)],
        [direction]: [{ of: 'x/a', peers: '*/*', ports: which }],
      })),
    ),
  },
  {
    name: 'rules',
    cases: [
      {
        name: 'none denies',
        policies: [`{ ${A}, policyTypes: [Ingress], ingress: [] }`],
        ingress: [{ of: 'x/a', peers: '', ports: '*' }],
      },
      {
        name: 'an empty one allows',
        policies: [`{ ${A}, policyTypes: [Egress], egress: [{}] }`],
        egress: [{ of: 'x/a', peers: '*/*', ports: '*' }],
      },
      {
        name: 'two add up',
        policies: [
          `{ ${A}, ingress: [{ from: [{ podSelector: { matchLabels: { pod: b } } }] }, { ports: [{ port: 80 }] }] }`,
        ],
        ingress: [
          { of: 'x/a', peers: 'x/b', ports: '*' },
          { of: 'x/a', peers: '*/*', ports: 'TCP 80' },
        ],
      },
      {
        name: 'both directions',
        policies: [
          `{ ${A}, policyTypes: [Ingress, Egress], ingress: [{ ports: [{ port: 80 }] }], egress: [{ ports: [{ port: 81 }] }] }`,
        ],
        ingress: [{ of: 'x/a', peers: '*/*', ports: 'TCP 80' }],
        egress: [{ of: 'x/a', peers: '*/*', ports: 'TCP 81' }],
      },
    ],
  },
  {
    name: 'targets',
    cases: [
      { name: 'all', policies: [CLOSED('Ingress')], ingress: [{ of: 'x/*', peers: '', ports: '*' }] },
      { name: 'no selector', policies: ['{ policyTypes: [Egress] }'], egress: [{ of: 'x/*', peers: '', ports: '*' }] },
      {
        name: 'by expression',
        policies: [
          '{ podSelector: { matchExpressions: [{ key: pod, operator: In, values: [a, c] }] }, policyTypes: [Ingress] }',
        ],
        ingress: [{ of: 'x/a x/c', peers: '', ports: '*' }],
      },
      {
        name: 'by NotIn',
        policies: [
          '{ podSelector: { matchExpressions: [{ key: pod, operator: NotIn, values: [a] }] }, policyTypes: [Ingress] }',
        ],
        ingress: [{ of: 'x/b x/c', peers: '', ports: '*' }],
      },
      { name: 'none', policies: ['{ podSelector: { matchLabels: { pod: q } }, policyTypes: [Ingress] }'] },
      {
        name: 'of another namespace',
        policies: [`y: ${CLOSED('Ingress')}`],
        ingress: [{ of: 'y/*', peers: '', ports: '*' }],
      },
    ],
  },
  {
    name: 'conflicts',
    cases: both((direction) => {
      const type = direction === 'ingress' ? 'Ingress' : 'Egress';
      const key = direction === 'ingress' ? 'from' : 'to';
      const pods = `{ podSelector: {}, policyTypes: [${type}], ${direction}: [{ ${key}: [{ podSelector: {} }] }] }`;
      const open = `{ podSelector: {}, policyTypes: [${type}], ${direction}: [{}] }`;
      const one = (of: string, peers: string, ports = '*', block = {}): Case => ({
        name: '',
        policies: [],
        [direction]: [{ of, peers, ports, ...block }],
      });
      return [
        { ...one('x/*', '*/*'), name: 'deny all, allow all', policies: [CLOSED(type), open] },
        { ...one('x/*', 'x/*'), name: 'deny all, allow the namespace', policies: [CLOSED(type), pods] },
        {
          ...one('x/*', 'x/* y/*'),
          name: 'allow the namespace, allow another',
          policies: [
            pods,
            `{ podSelector: {}, policyTypes: [${type}], ${direction}: [{ ${key}: [{ namespaceSelector: { matchLabels: { ns: "y" } } }] }] }`,
          ],
        },
        {
          ...one('x/*', 'x/*', '*', { block: true }),
          name: 'a block that leaves a part out, a block of that part',
          policies: [
            `{ podSelector: {}, policyTypes: [${type}], ${direction}: [{ ${key}: [{ ipBlock: { cidr: 10.0.1.0/24, except: [10.0.1.2/32] } }] }] }`,
            `{ podSelector: {}, policyTypes: [${type}], ${direction}: [{ ${key}: [{ ipBlock: { cidr: 10.0.1.2/32 } }] }] }`,
          ],
        },
        {
          ...one('x/*', '*/*', 'TCP 80,UDP 81'),
          name: 'one port, another port',
          policies: [
            `{ podSelector: {}, policyTypes: [${type}], ${direction}: [{ ports: [{ port: 80 }] }] }`,
            `{ podSelector: {}, policyTypes: [${type}], ${direction}: [{ ports: [{ port: 81, protocol: UDP }] }] }`,
          ],
        },
        {
          name: 'open one way, closed the other',
          policies: [open, CLOSED(direction === 'ingress' ? 'Egress' : 'Ingress')],
          [direction]: [{ of: 'x/*', peers: '*/*', ports: '*' }],
          [direction === 'ingress' ? 'egress' : 'ingress']: [{ of: 'x/*', peers: '', ports: '*' }],
        },
      ];
    }),
  },
  {
    name: 'actions',
    cases: [
      { name: 'before any policy', policies: [] },
      { name: 'a policy is made', policies: [CLOSED('Ingress')], ingress: [{ of: 'x/*', peers: '', ports: '*' }] },
      {
        name: 'it is changed',
        policies: [`{ podSelector: {}, policyTypes: [Ingress], ingress: [{ ports: [{ port: 80 }] }] }`],
        ingress: [{ of: 'x/*', peers: '*/*', ports: 'TCP 80' }],
      },
      {
        name: 'a pod gets the label of a peer',
        policies: [spec('ingress', '[{ podSelector: { matchLabels: { role: new } } }]', '')],
        labels: { 'x/c': { pod: 'c', role: 'new' } },
        ingress: [{ of: 'x/a', peers: 'x/c', ports: '*' }],
      },
      {
        name: 'a pod loses the label of the target',
        policies: [`{ ${A}, policyTypes: [Ingress] }`],
        labels: { 'x/a': { pod: 'other' } },
      },
      {
        name: 'a namespace gets the label of a peer',
        policies: [spec('ingress', '[{ namespaceSelector: { matchLabels: { role: new } } }]', '')],
        labels: { z: { ns: 'z', role: 'new' } },
        ingress: [{ of: 'x/a', peers: 'z/*', ports: '*' }],
      },
    ],
  },
  {
    name: 'as the end-to-end tests of Kubernetes',
    cases: [
      {
        name: 'default deny of ingress',
        policies: [CLOSED('Ingress')],
        ingress: [{ of: 'x/*', peers: '', ports: '*' }],
      },
      {
        name: 'default deny of both',
        policies: [CLOSED('Ingress, Egress')],
        ingress: [{ of: 'x/*', peers: '', ports: '*' }],
        egress: [{ of: 'x/*', peers: '', ports: '*' }],
      },
      {
        name: 'only from a namespace, on one port',
        policies: [spec('ingress', '[{ namespaceSelector: { matchLabels: { ns: "y" } } }]', '[{ port: 81 }]')],
        ingress: [{ of: 'x/a', peers: 'y/*', ports: 'TCP 81' }],
      },
      {
        name: 'stacked policies',
        policies: [
          spec('ingress', '[{ podSelector: { matchLabels: { pod: b } } }]', '[{ port: 80 }]'),
          spec('ingress', '[{ namespaceSelector: { matchLabels: { ns: "y" } } }]', '[{ port: 81 }]'),
        ],
        ingress: [
          { of: 'x/a', peers: 'x/b', ports: 'TCP 80' },
          { of: 'x/a', peers: 'y/*', ports: 'TCP 81' },
        ],
      },
      {
        name: 'egress to a pod of a namespace',
        policies: [
          spec(
            'egress',
            '[{ namespaceSelector: { matchLabels: { ns: "y" } }, podSelector: { matchLabels: { pod: a } } }]',
            '',
          ),
        ],
        egress: [{ of: 'x/a', peers: 'y/a', ports: '*' }],
      },
      {
        name: 'egress by CIDR to one pod',
        policies: [spec('egress', '[{ ipBlock: { cidr: 10.0.1.2/32 } }]', '')],
        egress: [{ of: 'x/a', peers: 'x/b', ports: '*', block: true }],
      },
      {
        name: 'overlapping CIDR and except',
        policies: [
          spec(
            'egress',
            '[{ ipBlock: { cidr: 10.0.1.0/24, except: [10.0.1.2/32] } }, { ipBlock: { cidr: 10.0.1.2/32 } }]',
            '',
          ),
        ],
        egress: [{ of: 'x/a', peers: 'x/*', ports: '*', block: true }],
      },
      {
        name: 'a policy for SCTP closes TCP',
        policies: [spec('ingress', '', '[{ port: 80, protocol: SCTP }]')],
        ingress: [{ of: 'x/a', peers: '*/*', ports: 'SCTP 80' }],
      },
      {
        name: 'a policy for UDP closes TCP',
        policies: [spec('ingress', '', '[{ port: 80, protocol: UDP }]')],
        ingress: [{ of: 'x/a', peers: '*/*', ports: 'UDP 80' }],
      },
    ],
  },
];
