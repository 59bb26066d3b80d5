import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorsIn, IPV4, IPV6, namespace, networkPolicy, object, pod, TestMap } from './testing/map.ts';

const NONE = 'No Connections';
const ALL = 'All Connections';
const BASE =
  namespace('n', 'env: prod') +
  namespace('m', 'env: test') +
  pod('a', { labels: 'app: a' }) +
  pod('b', { labels: 'app: b', ports: '{ name: web, containerPort: 8080 }' }) +
  pod('x', { labels: 'app: a', space: 'm' });

function cnp(spec: string, name = 'c'): string {
  return object('cilium.io/v2', 'CiliumNetworkPolicy', name, spec, 'n');
}

function ccnp(spec: string, name = 'cc'): string {
  return object('cilium.io/v2', 'CiliumClusterwideNetworkPolicy', name, spec);
}

const B = 'endpointSelector: { matchLabels: { app: b } }';

function cilium(policies: string, more = ''): TestMap {
  return new TestMap(BASE + more + policies, 'cilium');
}

test('Cilium (security/policy/intro): an endpoint is open until a policy covers the direction, and then allows only what a rule says', () => {
  const map = cilium(cnp(`{ ${B}, ingress: [{ fromEndpoints: [{ matchLabels: { app: a } }] }] }`));
  assert.equal(map.certain('a', 'b'), ALL);
  assert.equal(map.possible('m/x', 'b'), NONE);
  assert.equal(map.possible(IPV4, 'b'), NONE);
  assert.equal(map.certain('b', 'a'), ALL);
  assert.equal(map.certain('b', IPV4), ALL);
});

test('Cilium (CIL-1, security/policy/layer3 "Ingress/Egress Default Deny"): an empty rule denies, an empty list has no effect', () => {
  assert.equal(cilium(cnp(`{ ${B}, ingress: [{}] }`)).possible('a', 'b'), NONE);
  assert.equal(cilium(cnp(`{ ${B}, ingress: [] }`)).certain('a', 'b'), ALL);
  assert.equal(cilium(cnp(`{ ${B}, egress: [{}] }`)).possible('b', 'a'), NONE);
  assert.equal(cilium(cnp(`{ ${B}, egress: [{}] }`)).certain('a', 'b'), ALL);
});

test('Cilium (CIL-2, network/kubernetes/policy "Namespaces"): an empty selector is the namespace of the policy, and of a clusterwide one every pod', () => {
  const own = cilium(cnp(`{ ${B}, ingress: [{ fromEndpoints: [{}] }] }`));
  assert.deepEqual([own.certain('a', 'b'), own.possible('m/x', 'b'), own.possible(IPV4, 'b')], [ALL, NONE, NONE]);
  const all = cilium(ccnp('{ endpointSelector: {}, ingress: [{ fromEndpoints: [{}] }] }'));
  assert.deepEqual([all.certain('m/x', 'b'), all.possible(IPV4, 'b')], [ALL, NONE]);
});

test('Cilium (pkg/policy/api/ingress.go): no fromEndpoints is every peer if there are toPorts, an empty list none', () => {
  const ports = 'toPorts: [{ ports: [{ port: "80", protocol: TCP }] }]';
  assert.equal(cilium(cnp(`{ ${B}, ingress: [{ ${ports} }] }`)).certain(IPV4, 'b'), 'TCP 80');
  assert.equal(cilium(cnp(`{ ${B}, ingress: [{ fromEndpoints: [], ${ports} }] }`)).possible('a', 'b'), NONE);
});

test('Cilium (security/policy/layer3 "Endpoints based", k8s_namespaces): prefixes of labels, the namespace and its labels', () => {
  const from = (selector: string) => cilium(cnp(`{ ${B}, ingress: [{ fromEndpoints: [${selector}] }] }`));
  for (const key of ['app', '"k8s:app"', '"any:app"']) {
    assert.equal(from(`{ matchLabels: { ${key}: a } }`).certain('a', 'b'), ALL, key);
    assert.equal(from(`{ matchLabels: { ${key}: c } }`).possible('a', 'b'), NONE, key);
  }
  const space = from('{ matchLabels: { "k8s:io.kubernetes.pod.namespace": m, app: a } }');
  assert.deepEqual([space.certain('m/x', 'b'), space.possible('a', 'b')], [ALL, NONE]);
  const labelled = from('{ matchLabels: { "k8s:io.cilium.k8s.namespace.labels.env": test } }');
  assert.deepEqual([labelled.certain('m/x', 'b'), labelled.possible('a', 'b')], [ALL, NONE]);
  const any = from('{ matchExpressions: [{ key: "k8s:io.kubernetes.pod.namespace", operator: Exists }] }');
  assert.equal(any.certain('m/x', 'b'), ALL);
});

test('Cilium (security/policy/deny, CIL-3): a rule that denies wins over every one that allows, of a NetworkPolicy too', () => {
  const deny = cnp(
    `{ ${B}, ingressDeny: [{ fromEndpoints: [{ matchLabels: { app: a } }], toPorts: [{ ports: [{ port: "80", protocol: TCP }] }] }] }`,
  );
  const map = cilium(deny + networkPolicy('{ ingress: [{}] }'));
  assert.equal(map.certain('a', 'b'), 'SCTP 1-65535,TCP 1-79,81-65535,UDP 1-65535');
  assert.equal(map.certain(IPV4, 'b'), ALL);
  // "Pods will enter default-deny mode as soon a single policy selects it", one that denies as well.
  assert.equal(cilium(deny).possible('m/x', 'b'), NONE);
});

test('Cilium (pkg/policy/api/rule.go, EnableDefaultDeny): false lets what no rule decides pass, unless another policy closes', () => {
  const open = `{ ${B}, enableDefaultDeny: { ingress: false }, ingressDeny: [{ fromEndpoints: [{ matchLabels: { app: a } }] }] }`;
  const map = cilium(cnp(open));
  assert.deepEqual([map.possible('a', 'b'), map.certain(IPV4, 'b')], [NONE, ALL]);
  const closed = cilium(cnp(open) + cnp(`{ ${B}, ingress: [{}] }`, 'd'));
  assert.equal(closed.possible(IPV4, 'b'), NONE);
  assert.equal(cilium(cnp(`{ ${B}, enableDefaultDeny: { ingress: true } }`)).possible('a', 'b'), NONE);
});

test('Cilium: NetworkPolicies and its own allow together, and each closes', () => {
  const map = cilium(
    cnp(`{ ${B}, ingress: [{ toPorts: [{ ports: [{ port: "80", protocol: TCP }] }] }] }`) +
      networkPolicy('{ ingress: [{ ports: [{ port: 53, protocol: UDP }] }] }'),
  );
  assert.equal(map.certain('a', 'b'), 'TCP 80,UDP 53');
  assert.equal(map.possible('b', 'a'), 'UDP 53');
});

test('Cilium (security/policy/layer3 "IP/CIDR based", NP-11, CIL-5): blocks never cover pods, of a NetworkPolicy either; except takes out', () => {
  const known = pod('c', { labels: 'app: c', ip: '10.1.2.3' });
  const block = cilium(
    cnp(
      `{ ${B}, ingress: [{ fromCIDRSet: [{ cidr: 10.0.0.0/8, except: [10.1.0.0/16] }] }, { fromCIDR: [192.168.0.1] }] }`,
    ),
    known,
  );
  assert.equal(block.possible('c', 'b'), NONE);
  assert.equal(block.certain('10.0.0.0-10.0.255.255', 'b'), ALL);
  assert.equal(block.possible('10.1.0.0-10.1.255.255', 'b'), NONE);
  assert.equal(block.certain('192.168.0.1-192.168.0.1', 'b'), ALL);
  const plain = networkPolicy(
    '{ podSelector: { matchLabels: { app: b } }, ingress: [{ from: [{ ipBlock: { cidr: 10.0.0.0/8 } }] }] }',
  );
  assert.equal(cilium(plain, known).possible('c', 'b'), NONE);
});

test('Cilium (security/policy/layer3 "Entities based"): world is outside, cluster inside, all both, none nothing', () => {
  const from = (entity: string) => cilium(cnp(`{ ${B}, ingress: [{ fromEntities: [${entity}] }] }`));
  const answers = (entity: string) => {
    const map = from(entity);
    return [map.certain('a', 'b'), map.certain('m/x', 'b'), map.certain(IPV4, 'b'), map.certain(IPV6, 'b')];
  };
  assert.deepEqual(answers('world'), [NONE, NONE, ALL, ALL]);
  assert.deepEqual(answers('world-ipv6'), [NONE, NONE, NONE, ALL]);
  assert.deepEqual(answers('cluster'), [ALL, ALL, NONE, NONE]);
  assert.deepEqual(answers('all'), [ALL, ALL, ALL, ALL]);
  for (const entity of ['none', 'init', 'health', 'ingress', 'unmanaged']) {
    assert.deepEqual(answers(entity), [NONE, NONE, NONE, NONE], entity);
    assert.equal(from(entity).possible(IPV4, 'b'), NONE, entity);
  }
  for (const entity of ['host', 'remote-node', 'kube-apiserver']) {
    assert.equal(from(entity).possible('a', 'b'), NONE, entity);
    assert.equal(from(entity).possible(IPV4, 'b'), ALL, entity);
    assert.equal(from(entity).certain(IPV4, 'b'), NONE, entity);
  }
  const reserved = cilium(cnp(`{ ${B}, ingress: [{ fromEndpoints: [{ matchLabels: { "reserved:world": "" } }] }] }`));
  assert.equal(reserved.certain(IPV4, 'b'), ALL);
});

test('Cilium (pkg/policy/api/l4.go): ports are text, 0 is all, no protocol any, endPort and names as in a NetworkPolicy', () => {
  const to = (ports: string) =>
    cilium(cnp(`{ ${B}, ingress: [{ toPorts: [{ ports: [${ports}] }] }] }`)).certain('a', 'b');
  assert.equal(to('{ port: "80" }'), 'SCTP 80,TCP 80,UDP 80');
  assert.equal(to('{ port: "80", protocol: ANY }'), 'SCTP 80,TCP 80,UDP 80');
  assert.equal(to('{ port: "0", protocol: UDP }'), 'UDP 1-65535');
  assert.equal(to('{ port: "80", endPort: 82, protocol: TCP }'), 'TCP 80-82');
  assert.equal(to('{ port: web, protocol: TCP }'), 'TCP 8080');
  assert.equal(to('{ port: dns, protocol: TCP }'), NONE);
  const icmp = cilium(cnp(`{ ${B}, ingress: [{ icmps: [{ fields: [{ type: 8 }] }] }] }`));
  assert.equal(icmp.possible('a', 'b'), NONE);
});

test('Cilium (security/policy/layer7): a rule about requests is allowed below them, and is narrower', () => {
  const rule = 'ports: [{ port: "80", protocol: TCP }], rules: { http: [{ method: GET }] }';
  const map = cilium(cnp(`{ ${B}, ingress: [{ toPorts: [{ ${rule} }] }] }`));
  assert.deepEqual([map.possible('a', 'b'), map.certain('a', 'b')], ['TCP 80', NONE]);
  assert.match(map.why('a', 'b'), /HTTP requests/);
  const plain = '{ toPorts: [{ ports: [{ port: "80", protocol: TCP }] }] }';
  assert.equal(cilium(cnp(`{ ${B}, ingress: [{ toPorts: [{ ${rule} }] }, ${plain}] }`)).certain('a', 'b'), 'TCP 80');
  const mutual = cilium(cnp(`{ ${B}, ingress: [{ authentication: { mode: required }, ${plain.slice(2)}] }`));
  assert.deepEqual([mutual.possible('a', 'b'), mutual.certain('a', 'b')], ['TCP 80', NONE]);
});

test('Cilium (security/policy/layer3 "DNS based"): names outside are perhaps any address, and no pod', () => {
  const map = cilium(
    cnp(
      `{ ${B}, egress: [{ toFQDNs: [{ matchName: example.test }], toPorts: [{ ports: [{ port: "443", protocol: TCP }] }] }] }`,
    ),
  );
  assert.deepEqual([map.possible('b', IPV4), map.certain('b', IPV4)], ['TCP 443', NONE]);
  assert.equal(map.possible('b', 'a'), NONE);
  const groups = cilium(cnp(`{ ${B}, egress: [{ toGroups: [{ aws: { region: r } }] }] }`));
  assert.deepEqual([groups.possible('b', IPV4), groups.certain('b', IPV4)], [ALL, NONE]);
});

test('Cilium (security/policy/layer3 "Services based"): a Service stands for the pods that it selects, by version', () => {
  const service =
    'apiVersion: v1\nkind: Service\nmetadata: { name: s, namespace: m, labels: { tier: back } }\nspec: { selector: { app: a }, ports: [{ port: 80 }] }\n---\n';
  for (const words of [
    'k8sService: { serviceName: s, namespace: m }',
    'k8sServiceSelector: { selector: { matchLabels: { tier: back } }, namespace: m }',
  ]) {
    const map = cilium(cnp(`{ ${B}, egress: [{ toServices: [{ ${words} }] }] }`), service);
    assert.deepEqual([map.possible('b', 'm/x'), map.certain('b', 'm/x')], [ALL, NONE]);
    assert.equal(map.possible('b', 'a'), NONE);
  }
});

test('Cilium: groups of blocks by name and by label, and several specs in one policy', () => {
  const group = object('cilium.io/v2', 'CiliumCIDRGroup', 'g', '{ externalCIDRs: [10.0.0.0/8] }');
  const map = cilium(
    object('cilium.io/v2', 'CiliumNetworkPolicy', 'two', '{}', 'n').replace(
      'spec: {}',
      `specs: [{ ${B}, ingress: [{ fromCIDRSet: [{ cidrGroupRef: g }] }] }, { endpointSelector: { matchLabels: { app: a } }, ingress: [{}] }]`,
    ) + group,
  );
  assert.deepEqual([map.certain('10.0.0.0-10.255.255.255', 'b'), map.possible('b', 'a')], [ALL, NONE]);
  const missing = cilium(cnp(`{ ${B}, ingress: [{ fromCIDRSet: [{ cidrGroupRef: h }] }] }`));
  assert.deepEqual([missing.possible(IPV4, 'b'), missing.certain(IPV4, 'b')], [ALL, NONE]);
});

test('Cilium: service accounts, and the names of clusters, which no manifest says', () => {
  const accounts = pod('s', { labels: 'app: s', account: 'robot' });
  const map = cilium(
    cnp(`{ ${B}, ingress: [{ fromEndpoints: [{ matchLabels: { "io.cilium.k8s.policy.serviceaccount": robot } }] }] }`),
    accounts,
  );
  assert.deepEqual([map.certain('s', 'b'), map.possible('a', 'b')], [ALL, NONE]);
  const mesh = cilium(
    cnp(`{ ${B}, ingress: [{ fromEndpoints: [{ matchLabels: { app: a, "io.cilium.k8s.policy.cluster": one } }] }] }`),
  );
  assert.deepEqual([mesh.possible('a', 'b'), mesh.certain('a', 'b')], [ALL, NONE]);
});

test('Cilium: pods in the network of their node are no endpoints, and policies for nodes select none', () => {
  const host = pod('h', { labels: 'app: b', host: true });
  const map = cilium(cnp(`{ ${B}, ingress: [{}] }`), host);
  assert.deepEqual([map.possible('a', 'h'), map.certain('a', 'h')], [ALL, ALL]);
  const nodes = cilium(ccnp('{ nodeSelector: {}, ingress: [{}] }'));
  assert.equal(nodes.certain('a', 'b'), ALL);
  assert.ok(nodes.findings.some(({ code }) => code === 'policy.for-nodes'));
});

test('what Cilium would refuse, or what is not analysed, makes the answer unknown, with file and line', () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    [cnp('{ ingress: [] }'), /policy\.malformed/],
    [cnp(`{ ${B}, nodeSelector: {} }`), /policy\.malformed/],
    [cnp('{ nodeSelector: {}, ingress: [] }'), /policy\.malformed/],
    [cnp(`{ ${B}, ingres: [] }`), /policy\.field-unknown/],
    [cnp(`{ ${B}, ingress: [{ fromRequires: [{}] }] }`), /policy\.field-unknown/],
    [cnp(`{ ${B}, ingress: [{ fromEndpoints: [{}], fromCIDR: [10.0.0.0/8] }] }`), /policy\.malformed/],
    [cnp(`{ ${B}, ingress: [{ fromEntities: [moon] }] }`), /policy\.malformed/],
    [cnp(`{ ${B}, ingress: [{ fromCIDR: [10.0.0.0/33] }] }`), /policy\.cidr-invalid/],
    [cnp(`{ ${B}, ingress: [{ fromCIDRSet: [{ cidr: 10.0.0.0/8, except: [11.0.0.0/8] }] }] }`), /policy\.cidr-invalid/],
    [cnp(`{ ${B}, ingress: [{ toPorts: [{ ports: [{ port: "70000" }] }] }] }`), /policy\.port-invalid/],
    [cnp(`{ ${B}, ingress: [{ fromEndpoints: [{ matchLabels: { "container:x": z } }] }] }`), /policy\.not-modelled/],
    [
      cnp(`{ ${B}, ingress: [{ fromEndpoints: [{ matchLabels: { "reserved:host": "", app: a } }] }] }`),
      /policy\.not-modelled/,
    ],
  ];
  for (const [policy, code] of refused) {
    const [first = ''] = errorsIn(BASE + policy);
    assert.match(first, code, policy);
    assert.match(first, /^m\.yaml:\d+: /);
  }
  // The places of a deny rule without anything in it are documented nowhere.
  const nothing = cilium(cnp(`{ ${B}, enableDefaultDeny: { ingress: false }, ingressDeny: [{}] }`));
  assert.deepEqual([nothing.possible('a', 'b'), nothing.certain('a', 'b')], [ALL, NONE]);
});
