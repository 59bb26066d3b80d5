import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault } from '#kernel';
import { readFlowSet } from '../flow-set.ts';
import { readCluster } from '../read-cluster.ts';
import { generate } from './generate.ts';
import { prove } from './proof.ts';
import { RENDERINGS, type Rendering } from './renderings.ts';
import { closedNamespaces, resolveFlows } from './resolve.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const pod = (namespace: string, name: string, labels: string, more = ''): string => `---
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: ${namespace}, labels: ${labels} }
spec: { ${more}containers: [{ name: c, ports: [{ name: web, containerPort: 80 }, { name: dns, containerPort: 53, protocol: UDP }] }] }
`;
const SHOP = `apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Namespace
metadata: { name: data }
${pod('shop', 'front', '{ app: front, version: v7 }')}${pod('shop', 'back', '{ app: back }')}${pod('data', 'db', '{ app: db }')}---
apiVersion: v1
kind: Service
metadata: { name: back, namespace: shop }
spec: { selector: { app: back }, ports: [{ port: 8080, targetPort: web }] }
`;
const WHO = 'reason: r, owner: o';

function cluster(text = SHOP) {
  const { cluster: read, findings } = readCluster([{ name: 'm.yaml', bytes: bytes(text) }]);
  assert.deepEqual(findings.errors, []);
  return read;
}

function flows(...lines: string[]): string {
  return `sallyport-flows: "1.0"\nflows:\n${lines.map((line) => `  - { ${line}, ${WHO} }\n`).join('')}`;
}

function made(text: string, dialects: readonly Rendering[] = RENDERINGS, manifests = SHOP) {
  return generate(readFlowSet('flows.yaml', bytes(text)), cluster(manifests), dialects, '2026-06-01');
}

/** `code where` of the fault. */
function refused(text: string, manifests = SHOP, dialects: readonly Rendering[] = RENDERINGS): string {
  try {
    made(text, dialects, manifests);
  } catch (error) {
    if (isFault(error)) return `${error.code} ${error.where}`;
    throw error;
  }
  return 'nothing is wrong';
}

test('what is unknown is a fault with file and line, and nothing is generated', () => {
  const cases: [string, string][] = [
    ['from: shop/frnt, to: shop/back, port: 80', 'policy.flow-unresolved'],
    ['from: shop/front, to: shopp/back, port: 80', 'policy.flow-unresolved'],
    ['from: shop/app=nobody, to: shop/back, port: 80', 'policy.flow-unresolved'],
    ['from: shop/front, to: shop/back, port: http', 'policy.flow-unresolved'],
    ['from: shop/front, to: shop/back, port: web/udp', 'policy.flow-unresolved'],
    ['from: shop/front, to: { namespace: shop, service: back }, port: 80', 'policy.flow-unresolved'],
    ['from: shop/front, to: { namespace: shop, service: other }, port: 80', 'policy.flow-unresolved'],
    ['from: shop/front, to: dns', 'policy.flow-unresolved'],
    ['from: kubelet, to: shop/front, port: 80', 'policy.flow-unresolved'],
    ['from: shop/front, to: api-server, port: 6443', 'policy.flow-unresolved'],
  ];
  for (const [line, code] of cases) {
    assert.equal(refused(flows('from: shop/front, to: shop/back, port: 1', line)), `${code} flows.yaml:4`, line);
  }
});

test('what cannot be read is a fault with file and line', () => {
  const good = 'from: shop/front, to: shop/back, port: 80';
  for (const line of [
    'from: shop/front, to: shop/back',
    'from: shop/front, to: shop/back, ports: []',
    'from: shop/front, to: shop/back, port: 0',
    'from: shop/front, to: shop/back, port: 90-80',
    'from: shop/front, to: shop/back, port: 65536',
    'from: shop/front, to: shop/back, port: 80, protocol: icmp',
    'from: shop/front, to: shop/back, prot: 80',
    'from: shop/front, to: {}, port: 80',
    'from: shop/front, to: { namespace: shop }, port: 80',
    'from: shop/front, to: { namespace: shop, pods: {} }, port: 80',
    'from: shop/front, to: { addresses: [] }, port: 80',
    'from: shop/front, to: { addresses: [10.0.0.0/8], except: [11.0.0.0/16] }, port: 80',
    'from: shop/front, to: 10.0.0.1/8, port: 80',
    'from: shop/front, to: 10.0.0.0/33, port: 80',
    'from: shop/front, to: 10.0.0.0/8, port: web',
    'from: 10.0.0.0/8, to: 11.0.0.0/8, port: 80',
    'from: front, to: shop/back, port: 80',
    'from: shop/front, to: shop/back, port: 80, direction: egres',
    'from: shop/front, to: 10.0.0.0/8, port: 80, direction: ingress',
    'from: shop/front, to: shop/back, port: 80, http: [{ methods: [get] }]',
    'from: shop/front, to: shop/back, port: 80, expires: "2026-02-30"',
    'from: "${site}", to: shop/back, port: 80',
    good,
  ]) {
    assert.equal(refused(flows(good, line)), 'policy.flows-invalid flows.yaml:4', line);
  }
  assert.match(refused('sallyport-flows: "2.0"\nflows: []'), /^policy\.flows-invalid flows\.yaml:1$/);
  assert.match(
    refused('sallyport-flows: "1.0"\nflows:\n  - { from: shop/front, to: shop/back, port: 80, reason: r }'),
    /:3$/,
  );
  assert.equal(refused('{'), 'policy.flows-invalid flows.yaml:1');
  assert.equal(refused('a: &a [*a]'), 'policy.flows-invalid flows.yaml:1');
  assert.equal(refused('null'), 'policy.flows-invalid flows.yaml:1');
});

test('what would admit more than is declared is a fault', () => {
  const twin = `${SHOP}${pod('shop', 'twin', '{ app: front, version: v7 }')}`;
  assert.equal(refused(flows('from: shop/front, to: shop/back, port: 80'), twin), 'policy.flow-widens flows.yaml:3');
  const bare = `${SHOP}${pod('shop', 'bare', '{}')}`;
  assert.equal(refused(flows('from: shop/bare, to: shop/back, port: 80'), bare), 'policy.flow-unresolved flows.yaml:3');
  const placed = SHOP.replace('name: db, namespace: data', 'name: db, namespace: data').replace(
    /(name: db,[^]*?\}\] \}\] \})/,
    '$1\nstatus: { podIPs: [{ ip: 10.0.0.9 }] }',
  );
  const wide = flows('from: shop/front, to: 10.0.0.0/8, port: 443');
  assert.equal(refused(wide, placed), 'policy.flow-widens flows.yaml:3');
  const apart = wide.replace('\nflows:', '\ncluster: { pods: [10.0.0.0/24] }\nflows:');
  for (const { dialect, proof } of made(apart, RENDERINGS, placed).generated)
    assert.equal(proof.verdict, 'proved', dialect);
  const two = SHOP.replaceAll('name: dns, containerPort: 53', 'name: web, containerPort: 53');
  const named = flows('from: shop/front, to: shop/back, port: web');
  assert.equal(refused(named, two), 'policy.flow-widens flows.yaml:3');
  assert.equal(made(named, ['kubernetes', 'calico', 'cilium'], two).generated.length, 3);
});

test('labels that come and go with a version stand in no selector', () => {
  const [kubernetes] = made(flows('from: shop/front, to: shop/back, port: 80'), ['kubernetes']).generated;
  const text = [...kubernetes!.files.values()].join('');
  assert.match(text, /app: front/);
  assert.doesNotMatch(text, /v7/);
});

test('the order of flows changes no byte', () => {
  const lines = [
    'from: shop/front, to: shop/back, port: 80',
    'from: shop/back, to: data/db, ports: [80, dns/udp]',
    'from: 10.9.0.0/16, to: shop/front, port: 80',
  ];
  const [one, other] = [made(flows(...lines)), made(flows(...lines.toReversed()))];
  assert.deepEqual(
    one.generated.map(({ files }) => [...files]),
    other.generated.map(({ files }) => [...files]),
  );
  assert.deepEqual([...one.generated[0]!.files.keys()], ['kubernetes/data.yaml', 'kubernetes/shop.yaml']);
});

test('every namespace is closed, but for those that somebody leaves open', () => {
  const [closed] = made('sallyport-flows: "1.0"\nflows: []', ['kubernetes']).generated;
  assert.equal(closed!.policies, 2);
  const open = 'sallyport-flows: "1.0"\nopen-namespaces: [{ namespace: data, reason: r, owner: o }]\nflows: []';
  for (const { dialect, files, proof } of made(open).generated) {
    assert.equal(proof.verdict, 'proved');
    assert.deepEqual([...files.keys()], [`${dialect}/shop.yaml`]);
  }
  assert.equal(refused(open.replace('namespace: data', 'namespace: dta')), 'policy.flow-unresolved flows.yaml:2');
});

test('a flow is left out after its last day', () => {
  const line = 'from: shop/front, to: shop/back, port: 80, id: old';
  assert.deepEqual(made(flows(`${line}, expires: "2026-05-31"`)).expired, ['old']);
  assert.deepEqual(made(flows(`${line}, expires: "2026-06-01"`)).expired, []);
});

test('parameters fill texts, and only those that are declared', () => {
  const text = `sallyport-flows: "1.0"\nparameters: { users: { default: "10.9.0.0/16" }, port: {} }\nflows:\n  - { id: u, from: { addresses: ["\${users}"] }, to: shop/front, port: "\${port}", ${WHO} }\n`;
  const read = (values: [string, string][]) => readFlowSet('flows.yaml', bytes(text), new Map(values)).flows[0]!;
  const flow = read([
    ['port', '8443'],
    ['users', '10.9.0.0/16,fd00::/8'],
  ]);
  assert.equal(flow.from.is === 'addresses' && flow.from.blocks.length, 2);
  assert.deepEqual(
    flow.ports.map((one) => 'from' in one && one.from),
    [8443],
  );
  for (const values of [
    [],
    [
      ['port', '80'],
      ['other', 'x'],
    ],
    [['port', '']],
    [['port', '80, direction: egress']],
  ] as [string, string][][]) {
    assert.throws(() => read(values), { code: 'policy.flows-invalid' }, JSON.stringify(values));
  }
});

test('flows of a sallyport.yaml are read as they stand; what is outside has the addresses that are set', () => {
  const text = `sallyport: '1.0'\nname: x\nflows:\n  - { from: outside, to: front, port: 80, protocol: tcp, ${WHO} }\n  - { from: front, to: back, port: 80, protocol: tcp, ${WHO} }\n`;
  const set = readFlowSet('sallyport.yaml', bytes(text), new Map([['outside', '10.9.0.0/16']]));
  for (const { proof } of generate(set, cluster(), RENDERINGS, '2026-06-01').generated)
    assert.equal(proof.verdict, 'proved');
  assert.throws(() => readFlowSet('sallyport.yaml', bytes(text)), {
    code: 'policy.flows-invalid',
    where: 'sallyport.yaml:4',
  });
});

test('nodes are entities to Cilium, and that it is so is told', () => {
  const text = flows('from: kubelet, to: shop/front, port: 80').replace(
    '\nflows:',
    '\ncluster: { nodes: [10.1.0.0/24, "fd00:1::/64"] }\nflows:',
  );
  for (const { dialect, files, proof } of made(text).generated) {
    assert.equal(proof.verdict, dialect === 'cilium' ? 'depends' : 'proved', dialect);
    assert.equal(files.get(`${dialect}/shop.yaml`)!.includes('fromEntities'), dialect === 'cilium');
  }
});

test('a rendering that was changed by one word is refuted', () => {
  const text = flows(
    'from: shop/front, to: shop/back, ports: [80, dns/udp]',
    'from: shop/back, to: 10.9.0.0/16, port: 443',
    'from: "2001:db8::/32", to: shop/front, port: 80',
  );
  const set = readFlowSet('flows.yaml', bytes(text));
  const read = cluster();
  const resolved = resolveFlows(set, read);
  const closed = closedNamespaces(set, read);
  let mutants = 0;
  for (const { dialect, files, proof } of made(text).generated) {
    const whole = [...files.values()].join('---\n').replaceAll(/ *annotations:\n.*\n/g, '');
    // Pods of these manifests have no addresses, which only ClusterNetworkPolicy needs to know.
    assert.equal(proof.verdict, dialect === 'cluster' ? 'depends' : 'proved');
    const changes: [RegExp, string][] = [
      [/app(:|( ==)) '?back'?/, dialect === 'calico' ? "app == 'front'" : 'app: front'],
      [/10\.9\.0\.0\/16/, '10.8.0.0/15'],
      [/10\.9\.0\.0\/16/, '10.9.0.0/17'],
      [/2001:db8::\/32/, '2001:db8::/31'],
      [/\b443("?)$/m, '444$1'],
      [/( +)- 80\b|(: "?)80("?)$/m, '$1$2$3'],
      [/Egress|egress: *\n/, dialect === 'cilium' ? 'ingress:\n' : 'Ingress'],
    ];
    for (const [from, to] of changes) {
      const changed = whole.replace(from, to);
      if (changed === whole) continue;
      mutants++;
      const { verdict } = prove(dialect, changed, read, resolved, closed);
      assert.ok(verdict === 'refuted' || verdict === 'unknown', `${dialect}: ${String(from)} is not noticed`);
    }
    const noDeny = whole.replace(/name: default-deny\n  namespace: data/, 'name: default-deny\n  namespace: other');
    assert.equal(prove(dialect, noDeny, read, resolved, closed).verdict, 'refuted', dialect);
  }
  assert.ok(mutants >= 20, `only ${mutants} mutants`);
});

test('requests of HTTP are kept for a mesh and change nothing else', () => {
  const line = 'from: shop/front, to: shop/back, port: 80, id: f';
  const [plain, mesh] = [made(flows(line)), made(flows(`${line}, http: [{ methods: [GET], paths: [/v1] }]`))];
  plain.generated.forEach(({ files, dialect }, i) => {
    const text = (of: ReadonlyMap<string, string>): string => [...of.values()].join('');
    const other = text(mesh.generated[i]!.files);
    assert.match(other, /"http":\[\{"methods":\["GET"\],"paths":\["\/v1"\]\}\]/);
    assert.equal(other.replaceAll(/,"http":\[[^']*?\]\}\]/g, ''), text(files), dialect);
  });
});

test('dns is the pods behind the Service of the cluster, over both protocols', () => {
  const manifests = `${SHOP}${pod('kube-system', 'coredns', '{ k8s-app: kube-dns }')}---
apiVersion: v1
kind: Service
metadata: { name: kube-dns, namespace: kube-system }
spec: { selector: { k8s-app: kube-dns }, ports: [{ name: u, port: 53, protocol: UDP, targetPort: dns }, { name: t, port: 53, targetPort: 53 }] }
`;
  for (const { dialect, files, proof } of made(flows('from: shop/*, to: dns'), RENDERINGS, manifests).generated) {
    assert.equal(proof.verdict, 'proved', dialect);
    const egress = dialect === 'cluster' ? files.get('cluster/_cluster.yaml')! : files.get(`${dialect}/shop.yaml`)!;
    assert.match(egress, /kube-dns/);
  }
});

test('a workload in its node network is addresses of nodes, or nothing', () => {
  const manifests = `${SHOP}${pod('shop', 'agent', '{ app: agent }', 'hostNetwork: true, ')}`;
  const text = flows('from: shop/agent, to: shop/back, port: 80');
  assert.equal(refused(text, manifests), 'policy.flow-unresolved flows.yaml:3');
  const known = text.replace('\nflows:', '\ncluster: { nodes: [10.1.0.0/24] }\nflows:');
  for (const { dialect, proof } of made(known, RENDERINGS, manifests).generated) {
    assert.ok(proof.verdict === 'proved' || proof.verdict === 'depends', `${dialect}: ${JSON.stringify(proof)}`);
  }
});
