import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { testWorld } from '#kernel/testing';
import { nodeFiles } from '#system';
import { connectionsOf, connectivity } from '../connections.ts';
import { placeText } from '../document.ts';
import type { Cni } from '../enforcers.ts';
import { manifestsBelow } from '../io/manifests.ts';
import type { Cluster } from '../model.ts';
import { readCluster } from '../read-cluster.ts';
import { admitsPacket, type RawObject } from '../testing/packets.ts';
import { lintVerb } from '../verbs/lint.ts';
import { lint } from './lint.ts';
import { lintCatalogue, type LintCode } from './rules.ts';
import { sarif } from './sarif.ts';

const utf8 = new TextEncoder();

/** `rule:line` of what is found in a manifest. */
function found(text: string, cni?: Cni): string[] {
  const { remarks } = lint([{ name: 'm.yaml', bytes: utf8.encode(text) }], cni);
  return remarks.map(({ rule, where }) => `${rule}:${where.replace('m.yaml:', '')}`);
}

/** Two namespaces with a pod each; policies begin in line 12. */
const CLUSTER = `apiVersion: v1
kind: List
items:
- { apiVersion: v1, kind: Namespace, metadata: { name: north, labels: { team: north } } }
- { apiVersion: v1, kind: Namespace, metadata: { name: south, labels: { team: south } } }
- { apiVersion: v1, kind: Pod, metadata: { name: a, namespace: north, labels: { app: a } }, spec: { containers: [{ name: c, ports: [{ name: web, containerPort: 80 }] }] } }
- { apiVersion: v1, kind: Pod, metadata: { name: b, namespace: north, labels: { app: b, tier: x } }, spec: { containers: [] } }
- { apiVersion: v1, kind: Pod, metadata: { name: c, namespace: south, labels: { app: a } }, spec: { containers: [] } }
---
`;

function policy(spec: string): string {
  return `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: p, namespace: north }
spec:
${spec
  .trim()
  .split('\n')
  .map((line) => `  ${line}`)
  .join('\n')}
---
`;
}

function ingress(rules: string, more = ''): string {
  return policy(`podSelector: {}\npolicyTypes: [Ingress]\n${more}ingress:\n${rules}`);
}

function egress(rules: string): string {
  return policy(`podSelector: { matchLabels: { app: a } }\npolicyTypes: [Egress]\negress:\n${rules}`);
}

function admin(spec: string, tier = 'Admin', name = 'c', priority = 1): string {
  return `apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: ${name} }
spec:
  tier: ${tier}
  priority: ${priority}
  subject: { namespaces: {} }
${spec}
---
`;
}

const A = '- { podSelector: { matchLabels: { app: a } } }';
const PORT = 'ports: [{ port: 80, protocol: TCP }]';

/** For each rule what it must find, with the line, and what it must not. */
const CASES: Readonly<Record<LintCode, { bad: string; line: number; good: string; cni?: Cni }>> = {
  'lint.unreadable': {
    bad: ingress(`- { from: [${A.slice(2)}], ports: [{ port: 90, endPort: 80, protocol: TCP }] }`),
    line: 17,
    good: ingress(`- { from: [${A.slice(2)}], ports: [{ port: 80, endPort: 90, protocol: TCP }] }`),
  },
  'lint.open-peers': { bad: ingress(`- ${PORT}`), line: 17, good: ingress(`- from:\n  ${A}\n  ${PORT}`) },
  'lint.open-ports': { bad: ingress(`- from:\n  ${A}`), line: 17, good: ingress(`- from:\n  ${A}\n  ${PORT}`) },
  'lint.whole-cluster': {
    bad: ingress(`- from:\n  ${A}\n  - namespaceSelector: {}\n  ${PORT}`),
    line: 19,
    good: ingress(`- from:\n  - { namespaceSelector: {}, podSelector: { matchLabels: { app: a } } }\n  ${PORT}`),
  },
  'lint.and-as-or': {
    bad: ingress(`- from:\n  - namespaceSelector: { matchLabels: { team: south } }\n  ${A}\n  ${PORT}`),
    line: 19,
    good: ingress(
      `- from:\n  - namespaceSelector: { matchLabels: { team: south } }\n    podSelector: { matchLabels: { app: a } }\n  ${PORT}`,
    ),
  },
  'lint.peer-nothing': {
    bad: ingress(`- from:\n  - podSelector: { matchLabels: { app: aa } }\n  ${PORT}`),
    line: 18,
    good: ingress(`- from:\n  ${A}\n  ${PORT}`),
  },
  'lint.redundant-rule': {
    bad: ingress(`- from:\n  ${A}\n  ${PORT}\n- from:\n  ${A}\n  ports: [{ port: 79, endPort: 81, protocol: TCP }]`),
    line: 17,
    // The pods that may come in namespaces with this label are not among those of the other rule.
    good: ingress(
      `- from:\n  ${A}\n  ${PORT}\n- from:\n  - namespaceSelector: { matchLabels: { team: east } }\n    podSelector: { matchLabels: { app: a } }\n  ${PORT}`,
    ),
  },
  'lint.missing-types': {
    bad: policy('podSelector: {}\negress: []'),
    line: 13,
    good: policy('podSelector: {}\npolicyTypes: [Egress]'),
  },
  'lint.rules-without-type': {
    bad: ingress(`- from:\n  ${A}\n  ${PORT}`, `egress: [{ to: [${A.slice(2)}] }]\n`),
    line: 16,
    good: ingress(`- from:\n  ${A}\n  ${PORT}`),
  },
  'lint.one-direction': {
    bad:
      egress(`- to:\n  ${A}\n  ${PORT}`) +
      admin('  ingress: [{ action: Deny, from: [{ namespaces: { matchLabels: { team: south } } }] }]', 'Baseline'),
    line: 10,
    good:
      egress(`- to:\n  ${A}\n  ${PORT}`) +
      admin('  egress: [{ action: Deny, to: [{ namespaces: { matchLabels: { team: south } } }] }]', 'Baseline'),
  },
  'lint.one-family': {
    bad: egress(`- to:\n  - ipBlock: { cidr: 0.0.0.0/0, except: [10.0.0.0/8] }\n  ${PORT}`),
    line: 18,
    good: egress(`- to:\n  - ipBlock: { cidr: 0.0.0.0/0 }\n  - ipBlock: { cidr: '::/0' }\n  ${PORT}`),
  },
  'lint.block-not-canonical': {
    bad: egress(`- to:\n  - ipBlock: { cidr: 10.10.1.12/24 }\n  ${PORT}`),
    line: 18,
    good: egress(`- to:\n  - ipBlock: { cidr: 10.10.1.0/24 }\n  ${PORT}`),
  },
  'lint.absent-label': {
    bad: ingress(
      `- from:\n  - podSelector: { matchExpressions: [{ key: tier, operator: NotIn, values: [z] }] }\n  ${PORT}`,
    ),
    line: 18,
    good: ingress(
      `- from:\n  - podSelector: { matchExpressions: [{ key: tier, operator: In, values: [x] }] }\n  ${PORT}`,
    ),
  },
  'lint.equal-priority': {
    bad: admin('  ingress: []') + admin('  ingress: []', 'Admin', 'd'),
    line: 19,
    good: admin('  ingress: []') + admin('  ingress: []', 'Admin', 'd', 2),
  },
  'lint.port-name': {
    bad: ingress(`- { from: [${A.slice(2)}], ports: [{ port: web, protocol: UDP }] }`),
    line: 17,
    good: ingress(`- { from: [${A.slice(2)}], ports: [{ port: web, protocol: TCP }] }`),
  },
  'lint.protocol-missing': {
    bad: ingress(`- from:\n  ${A}\n  ports:\n  - port: 80`),
    line: 20,
    good: ingress(`- from:\n  ${A}\n  ${PORT}`),
  },
  'lint.dns-one-protocol': {
    bad: egress('- to:\n  - namespaceSelector: { matchLabels: { team: south } }\n  ports: [{ port: 53 }]'),
    line: 17,
    good: egress(
      '- to:\n  - namespaceSelector: { matchLabels: { team: south } }\n  ports: [{ port: 53, protocol: TCP }, { port: 53, protocol: UDP }]',
    ),
  },
  'lint.dns-closed': {
    bad: egress(`- to:\n  ${A}\n  ${PORT}`),
    line: 10,
    good: egress(
      '- to:\n  - namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: kube-system } }\n    podSelector: { matchLabels: { k8s-app: kube-dns } }\n  ports: [{ port: 53, protocol: UDP }, { port: 53, protocol: TCP }]',
    ),
  },
  'lint.selects-nothing': {
    bad: policy('podSelector: { matchLabels: { app: x } }\npolicyTypes: [Ingress]'),
    line: 10,
    good: policy('podSelector: { matchLabels: { app: a } }\npolicyTypes: [Ingress]'),
  },
  'lint.no-default-deny': {
    bad: policy('podSelector: { matchLabels: { app: a } }\npolicyTypes: [Ingress, Egress]'),
    line: 4,
    good:
      policy('podSelector: {}\npolicyTypes: [Ingress, Egress]') +
      policy('podSelector: {}\npolicyTypes: [Ingress, Egress]').replace('namespace: north', 'namespace: south'),
  },
  'lint.host-network': {
    bad: `{ apiVersion: v1, kind: Pod, metadata: { name: h, namespace: north }, spec: { hostNetwork: true } }\n---\n${policy('podSelector: {}\npolicyTypes: [Ingress]')}`,
    line: 10,
    good: `{ apiVersion: v1, kind: Pod, metadata: { name: h, namespace: south }, spec: { hostNetwork: true } }\n---\n${policy('podSelector: {}\npolicyTypes: [Ingress]')}`,
  },
  'lint.except-again': {
    bad: egress(
      `- to:\n  - ipBlock: { cidr: 10.0.0.0/8, except: [10.1.0.0/16] }\n  ${PORT}\n- to:\n  - ipBlock: { cidr: 10.1.2.0/24 }\n  ${PORT}`,
    ),
    line: 17,
    good: egress(
      `- to:\n  - ipBlock: { cidr: 10.0.0.0/8, except: [10.1.0.0/16] }\n  ${PORT}\n- to:\n  - ipBlock: { cidr: 10.1.2.0/24 }\n  ports: [{ port: 81, protocol: TCP }]`,
    ),
  },
  'lint.deny-covers-pods': {
    bad: admin("  egress: [{ action: Deny, to: [{ networks: ['0.0.0.0/0', '::/0'] }] }]"),
    line: 17,
    good: admin(
      "  egress: [{ action: Pass, to: [{ namespaces: {} }] }, { action: Deny, to: [{ networks: ['0.0.0.0/0', '::/0'] }] }]",
    ),
  },
  'lint.dialect': {
    bad: admin('  ingress: []'),
    line: 10,
    cni: 'cilium',
    good: policy('podSelector: {}\npolicyTypes: [Ingress]'),
  },
  'lint.empty-in-cilium': {
    bad: 'apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: { name: p, namespace: north }\nspec:\n  endpointSelector: {}\n  ingress: []\n',
    line: 15,
    good: 'apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata: { name: p, namespace: north }\nspec:\n  endpointSelector: {}\n  ingress: [{}]\n',
  },
  'lint.host-endpoints': {
    bad: "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: { name: p }\nspec:\n  selector: app == 'a'\n  types: [Ingress]\n",
    line: 10,
    good: "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: { name: p }\nspec:\n  selector: app == 'a' && projectcalico.org/orchestrator == 'k8s'\n  types: [Ingress]\n",
  },
  'lint.namespace-unknown': {
    bad: `{ apiVersion: v1, kind: Pod, metadata: { name: x, namespace: unknown } }\n---\n${ingress(`- from:\n  - namespaceSelector: { matchLabels: { team: south } }\n  ${PORT}`)}`,
    line: 10,
    good: ingress(`- from:\n  - namespaceSelector: { matchLabels: { team: south } }\n  ${PORT}`),
  },
  'lint.duplicate': {
    bad: policy('podSelector: {}\npolicyTypes: [Ingress]').repeat(2),
    line: 17,
    good: policy('podSelector: {}\npolicyTypes: [Ingress]'),
  },
};

for (const [rule, { bad, line, good, cni }] of Object.entries(CASES)) {
  test(`${rule} finds what it is for, with its line, and leaves the rest`, () => {
    assert.ok(found(CLUSTER + bad, cni).includes(`${rule}:${line}`), found(CLUSTER + bad, cni).join(' '));
    assert.deepEqual(
      found(CLUSTER + good, cni).filter((one) => one.startsWith(`${rule}:`)),
      [],
    );
  });
}

test('every rule has a good and a bad example', () => {
  assert.deepEqual(Object.keys(CASES).sort(), Object.keys(lintCatalogue).sort());
});

const DATA = join(import.meta.dirname, '../../../../shared/data/netpol-golden/manifests');
const missing = existsSync(DATA) ? false : `${DATA} is not beside the repository`;

test('without the rules that are found needless, every map stays as it is', { skip: missing }, async () => {
  let removed = 0;
  // Every third, for time.
  for (const folder of readdirSync(DATA).filter((_, i) => i % 3 === 0)) {
    const files = await manifestsBelow(nodeFiles, join(DATA, folder));
    const { remarks, errors } = lint(files, undefined);
    const needless = new Set(remarks.filter(({ rule }) => rule === 'lint.redundant-rule').map(({ where }) => where));
    if (errors.length > 0 || needless.size === 0) continue;
    const { cluster } = readCluster(files);
    const less: Cluster = {
      ...cluster,
      policies: cluster.policies.map((one) => ({
        ...one,
        ingress: one.ingress?.filter(({ place }) => !needless.has(placeText(place))),
        egress: one.egress?.filter(({ place }) => !needless.has(placeText(place))),
      })),
    };
    const rows = (of: Cluster): string[] =>
      connectionsOf(connectivity(of, 'specification')).map(
        ({ from, to, ports, certain }) => `${from} ${to} ${ports} ${certain}`,
      );
    assert.deepEqual(rows(less).sort(), rows(cluster).sort(), folder);
    removed += needless.size;
  }
  assert.ok(removed > 10, `only ${removed} rules were removed`);
});

const TOOL = join(import.meta.dirname, '../../../../shared/tools/policy-clusters.py');
const absent = existsSync(TOOL) ? false : `${TOOL} is not beside the repository`;

test(
  'a judge of single packets sees no difference without the rules that are found needless',
  { skip: absent },
  (t) => {
    const run = spawnSync('python3', [TOOL, 'random', '--count', '25'], { encoding: 'utf8', maxBuffer: 1 << 28 });
    if (run.error !== undefined) return t.skip('python3 is not on this machine');
    let removed = 0;
    for (const line of run.stdout.trim().split('\n')) {
      const { objects } = JSON.parse(line) as { objects: RawObject[] };
      const bytes = utf8.encode(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }, null, 1));
      const file = [{ name: 'm.json', bytes }];
      const needless = new Set(
        lint(file, undefined)
          .remarks.filter(({ rule }) => rule === 'lint.redundant-rule')
          .map(({ where }) => where),
      );
      if (needless.size === 0) continue;
      const less = structuredClone(objects) as RawObject[];
      for (const { namespace, name, ingress = [], egress = [] } of readCluster(file).cluster.policies) {
        const raw = less.find(
          ({ kind, metadata }) =>
            kind === 'NetworkPolicy' && metadata.name === name && metadata.namespace === namespace,
        )!;
        // The default of policyTypes depends on the rules, which are taken out here.
        raw.spec.policyTypes ??= ['Ingress', ...((raw.spec.egress?.length ?? 0) > 0 ? ['Egress'] : [])];
        for (const [key, rules] of [
          ['ingress', ingress],
          ['egress', egress],
        ] as const) {
          if (rules.length === 0) continue;
          const before = raw.spec[key].length;
          raw.spec[key] = raw.spec[key].filter((_: unknown, i: number) => !needless.has(placeText(rules[i]!.place)));
          removed += before - raw.spec[key].length;
        }
      }
      const pods = objects.filter(({ kind }) => kind === 'Pod');
      const ends = [...pods, '8.8.8.8', '2001:db8:ffff::1', '10.0.0.1'];
      for (const from of ends) {
        for (const to of ends) {
          if (from === to || (typeof from === 'string' && typeof to === 'string')) continue;
          for (const protocol of ['TCP', 'UDP', 'SCTP']) {
            for (const port of [1, 53, 80, 81, 443, 5432, 8080, 65535]) {
              const packet = { from, to, protocol, port };
              assert.equal(admitsPacket(less, packet), admitsPacket(objects, packet), `${protocol} ${port} in ${line}`);
            }
          }
        }
      }
    }
    assert.ok(removed > 10, `only ${removed} rules were removed`);
  },
);

test('policies of Calico: an allow without a source, and two of one order in a tier', () => {
  const calico = (name: string, order: number): string =>
    `apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: { name: ${name}, namespace: north }
spec: { order: ${order}, selector: app == 'a', types: [Ingress], ingress: [{ action: Allow }] }
---
`;
  const two = found(CLUSTER + calico('one', 5) + calico('two', 5), 'calico');
  assert.ok(two.includes('lint.open-peers:13') && two.includes('lint.equal-priority:15'), two.join(' '));
  assert.ok(!found(CLUSTER + calico('one', 5) + calico('two', 6), 'calico').some((one) => one.includes('equal')));
});

const folder = mkdtempSync(join(tmpdir(), 'sallyport-lint-'));
after(() => rmSync(folder, { recursive: true }));

test('the level that fails can be chosen, and SARIF is written', async () => {
  const world = testWorld(nodeFiles, folder);
  writeFileSync(join(folder, 'm.yaml'), CLUSTER + ingress(`- from:\n  ${A}\n  ${PORT}`));
  const exits: (readonly [string | undefined, number])[] = [
    [undefined, 1],
    ['error', 0],
    ['warning', 1],
    ['never', 0],
  ];
  for (const [failOn, exit] of exits) {
    const result = await lintVerb.run(
      { folder: '.', ...(failOn === undefined ? {} : { failOn: failOn as 'error' }) },
      world,
    );
    assert.equal(lintVerb.exit(result), exit, String(failOn));
  }
  const ignoring = await lintVerb.run({ folder: '.', ignore: ['lint.no-default-deny'] }, world);
  assert.deepEqual(
    [ignoring.verdict, ignoring.ignored, ignoring.findings],
    ['passed', { 'lint.no-default-deny': 2 }, []],
  );
  await assert.rejects(lintVerb.run({ folder: '.', ignore: ['lint.nothing'] }, world), { code: 'policy.rule-unknown' });
  await lintVerb.run({ folder: 'm.yaml', out: 'found.sarif' }, world);
  const log = JSON.parse(readFileSync(join(folder, 'found.sarif'), 'utf8')) as {
    runs: {
      results: { ruleId: string; locations: { physicalLocation: unknown }[] }[];
      tool: { driver: { rules: { id: string }[] } };
    }[];
  };
  const [run] = log.runs;
  assert.deepEqual(
    run!.tool.driver.rules.map(({ id }) => id),
    ['lint.no-default-deny'],
  );
  assert.deepEqual(run!.results[0]!.locations[0]!.physicalLocation, {
    artifactLocation: { uri: 'm.yaml' },
    region: { startLine: 4 },
  });
  for (const [base, uri] of [
    ['deploy/', 'deploy/m.yaml'],
    ['./a/b', 'a/b/m.yaml'],
    ['/srv/x', '/srv/x/m.yaml'],
    ['.', 'm.yaml'],
  ] as const) {
    const text = sarif([{ rule: 'lint.open-ports', level: 'note', where: 'm.yaml:1', detail: '' }], '1', base);
    assert.ok(text.includes(`"uri": "${uri}"`), text);
  }
  await assert.rejects(lintVerb.run({ folder: '.', output: 'docx' }, world), {
    code: 'policy.format-unknown',
    exit: 2,
  });
});

test('what cannot be read is unknown, and fails at every level', async () => {
  const world = testWorld(nodeFiles, folder);
  writeFileSync(join(folder, 'bad.yaml'), CLUSTER + policy('podSelectr: {}'));
  const result = await lintVerb.run({ folder: 'bad.yaml', failOn: 'never' }, world);
  assert.deepEqual([result.verdict, lintVerb.exit(result)], ['unknown', 1]);
  assert.deepEqual(
    result.findings.map(({ rule, where }) => `${rule} ${where}`),
    ['lint.unreadable bad.yaml:14'],
  );
});
