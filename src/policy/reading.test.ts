import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { testWorld } from '#kernel/testing';
import { nodeFiles } from '#system';
import { analyse } from './analysis.ts';
import { connectionsOf } from './connections.ts';
import { diffVerb } from './verbs/diff.ts';
import { mapVerb } from './verbs/map.ts';

const utf8 = new TextEncoder();

function findings(text: string, name = 'm.yaml'): string[] {
  const { connectivity, findings: list } = analyse([{ name, bytes: utf8.encode(text) }], 'specification');
  const errors = list.filter(({ severity }) => severity === 'error');
  assert.equal(connectivity === undefined, errors.length > 0);
  return errors.map(({ code, where, detail }) => `${where}: ${code}: ${detail}`);
}

function policy(spec: string, name = 'p'): string {
  return `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: ${name}\nspec: ${spec}\n`;
}

/** What is refused, with the line and the code. */
const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ['no YAML', 'a: [1\nb: 2\n', /^m\.yaml:\d: policy\.unreadable/],
  ['a document that is text', '--- \nhello\n', /^m\.yaml:\d: policy\.unreadable/],
  ['an alias without an anchor', 'a: *b\n', /policy\.unreadable/],
  ['a key twice', policy('{}').replace('spec:', 'kind: NetworkPolicy\nspec:'), /policy\.unreadable/],
  ['a name that YAML 1.1 reads as a truth value', policy('{}', 'n'), /^m\.yaml:4: policy\.malformed: name is boolean/],
  ['no kind', 'apiVersion: v1\nmetadata: {}\n', /policy\.unreadable/],
  ['an unknown field', policy('\n  podSelector: {}\n  ingres: []'), /^m\.yaml:7: policy\.field-unknown: .*'ingres'/],
  ['an unknown field of a rule', policy('{ ingress: [{ form: [] }] }'), /policy\.field-unknown/],
  ['an unknown field of a peer', policy('{ ingress: [{ from: [{ podSelectr: {} }] }] }'), /policy\.field-unknown/],
  ['an empty peer', policy('{ ingress: [{ from: [{}] }] }'), /policy\.malformed/],
  [
    'a block beside a selector',
    policy('{ ingress: [{ from: [{ podSelector: {}, ipBlock: { cidr: 10.0.0.0/8 } }] }] }'),
    /policy\.malformed/,
  ],
  [
    'a block that is none',
    policy('{ ingress: [{ from: [{ ipBlock: { cidr: 10.0.0.0/33 } }] }] }'),
    /policy\.cidr-invalid/,
  ],
  ['an octal address', policy('{ ingress: [{ from: [{ ipBlock: { cidr: 010.0.0.0/8 } }] }] }'), /policy\.cidr-invalid/],
  [
    'an exception outside',
    policy('{ ingress: [{ from: [{ ipBlock: { cidr: 10.0.0.0/8, except: [11.0.0.0/16] } }] }] }'),
    /policy\.cidr-invalid/,
  ],
  [
    'an exception of the other family',
    policy('{ ingress: [{ from: [{ ipBlock: { cidr: 10.0.0.0/8, except: ["fd00::/16"] } }] }] }'),
    /policy\.cidr-invalid/,
  ],
  [
    'In without values (NP-05)',
    policy('{ podSelector: { matchExpressions: [{ key: a, operator: In, values: [] }] } }'),
    /policy\.selector-invalid/,
  ],
  [
    'an unknown operator',
    policy('{ podSelector: { matchExpressions: [{ key: a, operator: in, values: [b] }] } }'),
    /policy\.selector-invalid/,
  ],
  ['a number as a label', policy('{ podSelector: { matchLabels: { a: 1 } } }'), /policy\.malformed: a is number/],
  ['a label key that is none', policy('{ podSelector: { matchLabels: { "a b": c } } }'), /policy\.selector-invalid/],
  ['a port beyond 65535', policy('{ ingress: [{ ports: [{ port: 65536 }] }] }'), /policy\.port-invalid/],
  [
    'an endPort below its port (NP-09)',
    policy('{ ingress: [{ ports: [{ port: 80, endPort: 79 }] }] }'),
    /policy\.port-invalid/,
  ],
  [
    'an endPort with a named port (NP-09)',
    policy('{ ingress: [{ ports: [{ port: web, endPort: 79 }] }] }'),
    /policy\.port-invalid/,
  ],
  ['a protocol that is none', policy('{ ingress: [{ ports: [{ port: 80, protocol: tcp }] }] }'), /policy\.malformed/],
  ['a policy type that is none', policy('{ policyTypes: [ingress] }'), /policy\.malformed/],
  ['a list that is an object', policy('{ ingress: {} }'), /policy\.malformed/],
  ['two of one name', `${policy('{}')}---\n${policy('{ policyTypes: [Egress] }')}`, /^m\.yaml:7: policy\.duplicate/],
  ['an old version', policy('{}').replace('networking.k8s.io/v1', 'extensions/v1beta1'), /policy\.kind-unknown/],
  ['a kind misspelt', policy('{}').replace('NetworkPolicy', 'Networkpolicy'), /policy\.kind-unknown/],
  [
    'a policy of Cilium of a kind that is not analysed',
    'apiVersion: cilium.io/v2\nkind: CiliumLocalRedirectPolicy\nmetadata: { name: c }\n',
    /^m\.yaml:2: policy\.kind-unknown/,
  ],
  [
    'a policy of Calico in a tier that is in no manifest',
    'apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: { name: c }\nspec: { tier: t }\n',
    /^m\.yaml:4: policy\.tier-unknown/,
  ],
  [
    'a template of a chart that is not rendered',
    'apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}\n  {{- with .Values.labels }}\n  labels: {}\n  {{- end }}\n',
    /^m\.yaml:4: policy\.template/,
  ],
  [
    'a template in quotes',
    'apiVersion: v1\nkind: Pod\nmetadata:\n  name: "{{ .Release.Name }}"\n',
    /^m\.yaml:4: policy\.template/,
  ],
  [
    'namespaces of one name that contradict each other',
    'apiVersion: v1\nkind: Namespace\nmetadata: { name: n1, labels: { a: b } }\n---\napiVersion: v1\nkind: Namespace\nmetadata: { name: n1 }\n',
    /^m\.yaml:5: policy\.duplicate/,
  ],
  ['an anchor that contains itself', policy('&s { podSelector: *s }'), /policy\./],
  ['a list that contains itself', policy('{ ingress: &s [*s] }'), /policy\./],
  [
    'an item of a list',
    `apiVersion: v1\nkind: List\nitems:\n- ${policy('{ x: 1 }').trim().replaceAll('\n', '\n  ')}\n`,
    /^m\.yaml:8: policy\.field-unknown/,
  ],
];

for (const [what, text, pattern] of REFUSED) {
  test(`${what}: the answer is unknown, with file and line`, () => {
    assert.match(findings(text).join('\n'), pattern);
  });
}

test('what stands beside rendered manifests is told apart: values and the chart decide nothing, a kustomization may', () => {
  const files = [
    { name: 'c/Chart.yaml', bytes: utf8.encode('apiVersion: v2\nname: c\nversion: 1.0.0\n') },
    { name: 'c/values.yaml', bytes: utf8.encode('image: { tag: "{{ x }}" }\n') },
    {
      name: 'kustomization.yaml',
      bytes: utf8.encode('apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n'),
    },
    {
      name: 'a.yaml',
      bytes: utf8.encode('apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata: { b: "{{ .c }}" }\n'),
    },
    {
      name: 'n.yaml',
      bytes: utf8.encode(
        'apiVersion: v1\nkind: Namespace\nmetadata: { name: n1, labels: { kubernetes.io/metadata.name: n2 } }\n',
      ),
    },
  ];
  const { connectivity, findings: list, ignored } = analyse(files, 'specification');
  assert.ok(connectivity);
  assert.deepEqual(
    list.map(({ severity, code, where }) => [severity, code, where]),
    [
      ['warning', 'policy.template', 'kustomization.yaml:1'],
      ['warning', 'policy.malformed', 'n.yaml:3'],
    ],
  );
  assert.deepEqual(ignored.map(({ kind }) => kind).sort(), [
    '(chart)',
    '(no object of Kubernetes)',
    'ConfigMap',
    'Kustomization',
  ]);
});

test('aliases that multiply and nesting without end are findings', () => {
  const bomb = ['a0: &a0 [x,x,x,x,x,x,x,x,x,x]'];
  for (let i = 1; i < 9; i++)
    bomb.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(',')}]`,
    );
  assert.match(findings(bomb.join('\n')).join(), /policy\.unreadable/);
  assert.match(findings(`a: ${'['.repeat(20_000)}`).join(), /policy\.unreadable/);
  assert.match(findings(`{"a":${'['.repeat(20_000)}`, 'm.json').join(), /m\.json:1: policy\.unreadable/);
});

test('bytes that are no UTF-8, and JSON with a key twice, are findings', () => {
  const { connectivity } = analyse([{ name: 'm.yaml', bytes: Uint8Array.of(0x61, 0xff) }], 'np-guard');
  assert.equal(connectivity, undefined);
  assert.match(findings('{"kind":"Pod",\n"kind":"List"}', 'm.json').join(), /m\.json:2: policy\.unreadable/);
});

test('an object that is there twice alike is a warning; lists of a kind may leave the kind of their items out', () => {
  assert.deepEqual(findings(`${policy('{}')}---\n${policy('{}')}`), []);
  const list = 'apiVersion: v1\nkind: PodList\nitems:\n- metadata: { name: a }\n- metadata: { name: b }\n';
  const { connectivity } = analyse([{ name: 'm.yaml', bytes: utf8.encode(list) }], 'np-guard');
  assert.ok(connectionsOf(connectivity!).some(({ from, to }) => from === 'default/a[Pod]' && to === 'default/b[Pod]'));
});

test('every kind of workload is a peer with the labels and ports of its pods', () => {
  const pods = (name: string): string =>
    `{ metadata: { labels: { app: ${name} } }, spec: { containers: [{ name: c, ports: [{ name: web, containerPort: 8080 }] }] } }`;
  const kinds: readonly (readonly [string, string, (template: string) => string])[] = [
    ['Deployment', 'apps/v1', (template) => `{ template: ${template} }`],
    ['ReplicaSet', 'apps/v1', (template) => `{ template: ${template} }`],
    ['StatefulSet', 'apps/v1', (template) => `{ template: ${template} }`],
    ['DaemonSet', 'apps/v1', (template) => `{ template: ${template} }`],
    ['ReplicationController', 'v1', (template) => `{ template: ${template} }`],
    ['Job', 'batch/v1', (template) => `{ template: ${template} }`],
    ['CronJob', 'batch/v1', (template) => `{ jobTemplate: { spec: { template: ${template} } } }`],
    [
      'VirtualMachine',
      'kubevirt.io/v1',
      () => '{ template: { metadata: { labels: { app: virtualmachine } }, spec: { domain: {} } } }',
    ],
  ];
  for (const [kind, api, spec] of kinds) {
    const name = kind.toLowerCase();
    const text = `apiVersion: ${api}\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${spec(pods(name))}\n---
apiVersion: v1\nkind: Pod\nmetadata: { name: client, ownerReferences: [{ kind: ReplicaSet, name: client-1, controller: true }] }\nspec: {}\n---
${policy(`{ podSelector: { matchLabels: { app: ${name} } }, policyTypes: [Ingress], ingress: [{ ports: [{ port: ${kind === 'VirtualMachine' ? 8080 : 'web'} }] }] }`)}`;
    const { connectivity, findings: list } = analyse([{ name: 'm.yaml', bytes: utf8.encode(text) }], 'specification');
    assert.ok(connectivity !== undefined, JSON.stringify(list));
    const row = connectionsOf(connectivity).find(({ to }) => to === `default/${name}[${kind}]`);
    assert.deepEqual([row?.from, row?.ports], ['default/client-1[ReplicaSet]', 'TCP 8080'], kind);
  }
});

test('the verbs: folders are read to their depth, a link is no answer, exit codes say the verdict', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-policy-'));
  try {
    mkdirSync(join(folder, 'old/deep'), { recursive: true });
    mkdirSync(join(folder, 'new'));
    mkdirSync(join(folder, 'bad'));
    const pods = '{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]}';
    for (const place of ['old/deep/pods.json', 'new/pods.json', 'bad/pods.json'])
      writeFileSync(join(folder, place), pods);
    writeFileSync(join(folder, 'old/policy.yml'), policy('{}'));
    writeFileSync(join(folder, 'old/values.txt'), '@');
    writeFileSync(join(folder, 'bad/policy.yaml'), policy('{}', 'n'));
    mkdirSync(join(folder, 'linked'));
    symlinkSync(join(folder, 'new/pods.json'), join(folder, 'linked/pods.json'));
    symlinkSync(join(folder, 'new'), join(folder, 'old/elsewhere'));
    const world = testWorld(nodeFiles, folder);

    const map = await mapVerb.run({ folder: 'old', profile: 'np-guard' }, world);
    assert.equal(mapVerb.exit(map), 0);
    assert.deepEqual(
      map.connections.filter(({ to }) => to.endsWith('[Pod]')),
      [],
    );

    const linked = await mapVerb.run({ folder: 'linked' }, world);
    assert.deepEqual(
      [linked.verdict, linked.errors.map(({ code, where }) => `${where} ${code}`)],
      ['unknown', ['pods.json policy.unreadable']],
    );

    const bad = await mapVerb.run({ folder: 'bad' }, world);
    assert.equal(mapVerb.exit(bad), 1);
    assert.deepEqual([bad.verdict, bad.connections, bad.errors.length], ['unknown', [], 1]);
    assert.equal(bad.errors[0]?.where, 'policy.yaml:4');

    const diff = await diffVerb.run({ from: 'old', to: 'new', profile: 'np-guard' }, world);
    assert.equal(diffVerb.exit(diff), 1);
    assert.deepEqual([diff.removed, diff.changed], [[], []]);
    assert.ok(
      diff.added.some(
        ({ from, to, ports }) => `${from} ${to} ${ports}` === 'default/a[Pod] default/b[Pod] All Connections',
      ),
    );
    assert.equal(diffVerb.exit(await diffVerb.run({ from: 'new', to: 'new' }, world)), 0);
    const unknown = await diffVerb.run({ from: 'old', to: 'bad' }, world);
    assert.equal(diffVerb.exit(unknown), 1);
    assert.deepEqual([unknown.verdict, unknown.added, unknown.errors.length], ['unknown', [], 1]);

    await assert.rejects(mapVerb.run({ folder: 'nowhere' }, world), { code: 'policy.no-folder', exit: 2 });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
