import assert from 'node:assert/strict';
import { test } from 'node:test';
import { analyse } from './analysis.ts';
import { type Connection, connectionsOf } from './connections.ts';
import type { Profile } from './engine.ts';

const utf8 = new TextEncoder();

function read(text: string, profile: Profile = 'specification') {
  return analyse([{ name: 'm.yaml', bytes: utf8.encode(text) }], profile);
}

function rows(text: string, profile: Profile = 'specification'): Connection[] {
  const { connectivity, findings } = read(text, profile);
  assert.ok(connectivity, findings.map(({ where, detail }) => `${where}: ${detail}`).join('\n'));
  return connectionsOf(connectivity);
}

/** The ports of one row, or `No Connections`; `a` is the pod of that name in the namespace `n`. */
function ports(text: string, from: string, to: string, profile: Profile = 'specification'): string {
  return row(rows(text, profile), from, to)?.ports ?? 'No Connections';
}

function row(all: readonly Connection[], from: string, to: string): Connection | undefined {
  const name = (peer: string): string =>
    /^[a-z]$/.test(peer) ? `n/${peer}[Pod]` : /^\w\/\w$/.test(peer) ? `${peer}[Pod]` : peer;
  return all.find((one) => one.from === name(from) && one.to === name(to));
}

const IPV4 = '0.0.0.0-255.255.255.255';
const IPV6 = '::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff';

function namespace(name: string, labels = ''): string {
  return `apiVersion: v1\nkind: Namespace\nmetadata: { name: "${name}", labels: {${labels}} }\n---\n`;
}

function pod(name: string, { labels = '', containerPorts = '', ip = '', space = 'n', host = false } = {}): string {
  return `apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: "${space}", labels: {${labels}} }
spec: { hostNetwork: ${host}, containers: [{ name: c, ports: [${containerPorts}] }] }
${
  ip === ''
    ? ''
    : `status: { podIPs: [${ip
        .split(' ')
        .map((one) => `{ ip: "${one}" }`)
        .join(', ')}] }`
}
---
`;
}

function policy(spec: string, name = 'p', space = 'n'): string {
  return `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: ${name}, namespace: "${space}" }
spec: ${spec}
---
`;
}

const BASE = namespace('n') + pod('a', { labels: 'app: a' }) + pod('b', { labels: 'app: b' });
const INTO_B = (from: string, extra = ''): string =>
  BASE + extra + policy(`{ podSelector: { matchLabels: { app: b } }, policyTypes: [Ingress], ingress: [${from}] }`);

test('NP-01: a missing and an empty podSelector select all pods; a peer without namespaceSelector is of its own namespace', () => {
  for (const selector of ['', 'podSelector: {}, ']) {
    assert.equal(ports(BASE + policy(`{ ${selector}policyTypes: [Ingress] }`), 'a', 'b'), 'No Connections');
  }
  const other = namespace('m') + pod('x', { space: 'm' });
  const own = INTO_B('{ from: [{ podSelector: {} }] }', other);
  assert.equal(ports(own, 'a', 'b'), 'All Connections');
  assert.equal(ports(own, 'm/x', 'b'), 'No Connections');
  assert.equal(ports(INTO_B('{ from: [{ namespaceSelector: {} }] }', other), 'm/x', 'b'), 'All Connections');
});

test('NP-01: selectors of one entry must both hold, of two entries either', () => {
  const other =
    namespace('m', 'env: prod') +
    pod('x', { space: 'm', labels: 'app: x' }) +
    pod('z', { space: 'm', labels: 'app: a' });
  const both = '{ namespaceSelector: { matchLabels: { env: prod } }, podSelector: { matchLabels: { app: a } } }';
  const either = '{ namespaceSelector: { matchLabels: { env: prod } } }, { podSelector: { matchLabels: { app: a } } }';
  assert.equal(ports(INTO_B(`{ from: [${both}] }`, other), 'm/x', 'b'), 'No Connections');
  assert.equal(ports(INTO_B(`{ from: [${both}] }`, other), 'm/z', 'b'), 'All Connections');
  assert.equal(ports(INTO_B(`{ from: [${both}] }`, other), 'a', 'b'), 'No Connections');
  assert.equal(ports(INTO_B(`{ from: [${either}] }`, other), 'm/x', 'b'), 'All Connections');
  assert.equal(ports(INTO_B(`{ from: [${either}] }`, other), 'a', 'b'), 'All Connections');
});

test('NP-02: no rule denies; an empty rule, empty, absent and null peers and ports allow everything', () => {
  assert.equal(ports(INTO_B(''), 'a', 'b'), 'No Connections');
  for (const rule of ['{}', '{ from: [] }', '{ from: null, ports: [] }', '{ ports: null }']) {
    assert.equal(ports(INTO_B(rule), 'a', 'b'), 'All Connections', rule);
    assert.equal(ports(INTO_B(rule), IPV4, 'b'), 'All Connections', rule);
    assert.equal(ports(INTO_B(rule), IPV6, 'b'), 'All Connections', rule);
  }
});

test('NP-03: without policyTypes Ingress is covered, and Egress only where it has rules', () => {
  assert.equal(
    ports(BASE + policy('{ podSelector: { matchLabels: { app: a } }, egress: [] }'), 'a', 'b'),
    'All Connections',
  );
  const rules = '{ podSelector: { matchLabels: { app: a } }, egress: [{ ports: [{ port: 53, protocol: UDP }] }] }';
  assert.equal(ports(BASE + policy(rules), 'a', 'b'), 'UDP 53');
  assert.equal(ports(BASE + policy(rules), 'b', 'a'), 'No Connections');
});

test('NP-04: NotIn and DoesNotExist select what lacks the label', () => {
  for (const expression of ['{ key: tier, operator: NotIn, values: [x] }', '{ key: tier, operator: DoesNotExist }']) {
    assert.equal(
      ports(INTO_B(`{ from: [{ podSelector: { matchExpressions: [${expression}] } }] }`), 'a', 'b'),
      'All Connections',
    );
  }
});

test('NP-05: the name of a namespace is its label; labels that no manifest says make an answer uncertain', () => {
  const named = (key: string, value: string): string =>
    pod('a', { space: 'm' }) +
    pod('b') +
    policy(`{ ingress: [{ from: [{ namespaceSelector: { matchLabels: { ${key}: ${value} } } }] }] }`);
  assert.equal(ports(named('kubernetes.io/metadata.name', 'm'), 'm/a', 'b'), 'All Connections');
  assert.equal(ports(named('kubernetes.io/metadata.name', 'other'), 'm/a', 'b'), 'No Connections');
  const unsure = row(rows(named('env', 'prod')), 'm/a', 'b');
  assert.equal(unsure?.ports, 'All Connections');
  assert.equal(unsure?.certain, 'No Connections');
  assert.match(unsure?.depends?.join() ?? '', /NP-05/);
  assert.equal(ports(named('env', 'prod'), 'm/a', 'b', 'np-guard'), 'No Connections');
});

test('NP-07, NP-08, NP-09, NP-10: protocols, named ports of the destination, endPort, SCTP', () => {
  const to = (list: string, containerPorts = ''): string =>
    ports(
      namespace('n') +
        pod('a') +
        pod('b', { labels: 'app: b', containerPorts }) +
        policy(`{ podSelector: { matchLabels: { app: b } }, ingress: [{ ports: [${list}] }] }`),
      'a',
      'b',
    );
  assert.equal(to('{ port: 80 }'), 'TCP 80');
  assert.equal(to('{ protocol: UDP }'), 'UDP 1-65535');
  assert.equal(to('{ port: 80, endPort: 90, protocol: SCTP }, { port: 91, protocol: SCTP }'), 'SCTP 80-91');
  const web = '{ name: web, containerPort: 8080 }, { name: dns, containerPort: 53, protocol: UDP }';
  assert.equal(to('{ port: web }', web), 'TCP 8080');
  assert.equal(to('{ port: dns }', web), 'No Connections');
  assert.equal(to('{ port: dns, protocol: UDP }, { port: 443 }', web), 'TCP 443,UDP 53');
  const egress =
    namespace('n') +
    pod('a', { labels: 'app: a', containerPorts: web }) +
    pod('b', { containerPorts: '{ name: web, containerPort: 81 }' }) +
    policy('{ podSelector: { matchLabels: { app: a } }, egress: [{ ports: [{ port: web }] }] }');
  assert.equal(ports(egress, 'a', 'b'), 'TCP 81');
  assert.equal(ports(egress, 'a', IPV4), 'No Connections');
});

test('NP-11: a block covers a pod by its known address, and some enforcers let it cover none', () => {
  const cluster = (block: string): string =>
    namespace('n') +
    pod('a', { ip: '10.1.2.3' }) +
    pod('b', { labels: 'app: b', ip: '10.9.0.1' }) +
    policy(`{ podSelector: { matchLabels: { app: b } }, ingress: [{ from: [{ ipBlock: ${block} }] }] }`);
  const found = row(rows(cluster('{ cidr: 10.0.0.0/8 }')), 'a', 'b');
  assert.equal(found?.ports, 'All Connections');
  assert.equal(found?.certain, 'No Connections');
  assert.match(found?.depends?.join() ?? '', /NP-11/);
  assert.equal(ports(cluster('{ cidr: 10.0.0.0/8, except: [10.1.0.0/16] }'), 'a', 'b'), 'No Connections');
  assert.equal(ports(cluster('{ cidr: 192.168.0.0/16 }'), 'a', 'b'), 'No Connections');
  assert.equal(ports(cluster('{ cidr: 10.0.0.0/8 }'), 'a', 'b', 'np-guard'), 'No Connections');
});

test('NP-12: what one block excepts another may allow', () => {
  const all = rows(
    INTO_B('{ from: [{ ipBlock: { cidr: 10.0.0.0/8, except: [10.1.0.0/16] } }, { ipBlock: { cidr: 10.1.2.0/24 } }] }'),
  );
  const sources = all.filter(({ to }) => to === 'n/b[Pod]').map(({ from }) => from);
  assert.deepEqual(sources, ['10.0.0.0-10.0.255.255', '10.1.2.0-10.1.2.255', '10.2.0.0-10.255.255.255']);
});

test('NP-13: a block with the address of a Service speaks perhaps of the pods behind it, on the ports to which it leads', () => {
  const cluster = (block: string, extra = '') =>
    namespace('n') +
    pod('a', { labels: 'app: a' }) +
    pod('b', { labels: 'app: b', containerPorts: '{ name: web, containerPort: 8080 }' }) +
    `apiVersion: v1
kind: Service
metadata: { name: s, namespace: "n" }
spec: { clusterIP: 10.96.0.7, selector: { app: b }, ports: [{ port: 80, targetPort: web }, { port: 81, targetPort: 9000 }] }
---
` +
    policy(
      `{ podSelector: { matchLabels: { app: a } }, policyTypes: [Egress], egress: [{ to: [{ ipBlock: { cidr: ${block} } }]${extra} }] }`,
    );
  const service = row(rows(cluster('10.96.0.7/32')), 'a', 'b');
  assert.deepEqual([service?.ports, service?.certain], ['TCP 8080,9000', 'No Connections']);
  assert.match(service?.depends?.join() ?? '', /NP-13/);
  assert.equal(ports(cluster('10.96.0.7/32', ', ports: [{ port: 80 }]'), 'a', 'b'), 'TCP 8080');
  assert.equal(ports(cluster('10.96.0.7/32', ', ports: [{ port: 8080 }]'), 'a', 'b'), 'No Connections');
  assert.equal(ports(cluster('10.97.0.0/16'), 'a', 'b'), 'No Connections');
  assert.equal(ports(cluster('10.96.0.7/32'), 'a', 'b', 'np-guard'), 'No Connections');
});

test('NP-14: the families are apart, and every address of a pod counts', () => {
  const four = INTO_B('{ from: [{ ipBlock: { cidr: 0.0.0.0/0 } }] }');
  assert.equal(ports(four, IPV4, 'b'), 'All Connections');
  assert.equal(ports(four, IPV6, 'b'), 'No Connections');
  const dual =
    namespace('n') +
    pod('a', { ip: '10.1.2.3 fd00::1' }) +
    pod('b', { labels: 'app: b', ip: '10.9.0.1' }) +
    policy('{ podSelector: { matchLabels: { app: b } }, ingress: [{ from: [{ ipBlock: { cidr: "fd00::/8" } }] }] }');
  assert.equal(ports(dual, 'a', 'b'), 'All Connections');
});

test("NP-15, NP-16: a pod in its node's network is never said to be isolated, nor kept out for certain", () => {
  const cluster =
    namespace('n') +
    pod('h', { host: true }) +
    pod('b', { labels: 'app: b' }) +
    policy('{ policyTypes: [Ingress, Egress] }');
  const found = row(rows(cluster), 'h', 'b');
  assert.equal(found?.ports, 'All Connections');
  assert.equal(found?.certain, 'No Connections');
  assert.match(found?.depends?.join() ?? '', /NP-16/);
  assert.equal(row(rows(cluster), IPV4, 'h')?.ports, 'All Connections');
  assert.equal(ports(cluster, 'h', 'b', 'np-guard'), 'No Connections');
});

test('NP-17: a pod to itself, and replicas of one workload among each other, have no row', () => {
  const all = rows(BASE + policy('{ policyTypes: [Ingress, Egress] }'));
  assert.equal(row(all, 'a', 'a'), undefined);
  const replicas = rows(
    `${namespace('n')}apiVersion: apps/v1
kind: Deployment
metadata: { name: d, namespace: "n" }
spec: { replicas: 3, template: { metadata: { labels: { app: d } }, spec: { containers: [] } } }
`,
  );
  assert.deepEqual(
    replicas.filter(({ from, to }) => from === to),
    [],
  );
});

test('NP-18: what is answered to an allowed connection needs no rule of its own', () => {
  const text =
    BASE +
    policy('{ podSelector: { matchLabels: { app: b } }, policyTypes: [Ingress, Egress], ingress: [{}], egress: [] }');
  assert.equal(ports(text, 'a', 'b'), 'All Connections');
  assert.equal(ports(text, 'b', 'a'), 'No Connections');
});

test('NP-19: a workload without a pod so far is subject to its policies from the first one on', () => {
  const text = `${namespace('n')}${pod('a', { labels: 'app: a' })}apiVersion: apps/v1
kind: Deployment
metadata: { name: d, namespace: "n" }
spec: { replicas: 0, template: { metadata: { labels: { app: d } }, spec: { containers: [] } } }
---
`;
  assert.equal(row(rows(text), 'a', 'n/d[Deployment]')?.ports, 'All Connections');
  assert.equal(row(rows(text + policy('{ policyTypes: [Ingress] }')), 'a', 'n/d[Deployment]'), undefined);
});

test('NP-20: the last policy that selects a pod, deleted, opens it; each direction stands for itself', () => {
  const closed = BASE + policy('{ podSelector: { matchLabels: { app: b } }, policyTypes: [Ingress] }');
  assert.equal(ports(closed, 'a', 'b'), 'No Connections');
  assert.equal(ports(closed, 'b', 'a'), 'All Connections');
  assert.equal(ports(BASE, 'a', 'b'), 'All Connections');
});

function cluster(tier: string, priority: number, rules: string, name = `c${priority}`): string {
  return `apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: { name: ${name} }
spec: { tier: ${tier}, priority: ${priority}, subject: { namespaces: {} }, ${rules} }
---
`;
}

test('NP-21, NP-22: tiers, priorities, order of rules, Pass, and no isolation by an admin policy', () => {
  const from = 'from: [{ namespaces: {} }]';
  const deny = cluster(
    'Admin',
    10,
    `ingress: [{ action: Deny, ${from}, protocols: [{ tcp: { destinationPort: { number: 80 } } }] }]`,
  );
  const pass = cluster(
    'Admin',
    5,
    `ingress: [{ action: Pass, ${from}, protocols: [{ tcp: { destinationPort: { range: { start: 80, end: 81 } } } }] }]`,
  );
  const baseline = cluster('Baseline', 1, `ingress: [{ action: Deny, ${from} }]`, 'b');
  assert.equal(ports(BASE + deny, 'a', 'b'), 'SCTP 1-65535,TCP 1-79,81-65535,UDP 1-65535');
  assert.equal(ports(BASE + deny + pass, 'a', 'b'), 'All Connections');
  assert.equal(ports(BASE + deny + pass + baseline, 'a', 'b'), 'No Connections');
  assert.equal(
    ports(BASE + deny + pass + baseline + policy('{ ingress: [{ ports: [{ port: 80 }, { port: 90 }] }] }'), 'a', 'b'),
    'TCP 80,90',
  );
  const { findings } = read(BASE + deny + cluster('Admin', 10, `ingress: [{ action: Accept, ${from} }]`, 'twin'));
  assert.deepEqual(
    findings.map(({ code }) => code),
    ['policy.priority-equal'],
  );
});

test('NP-23: networks of an admin policy cover pods', () => {
  const text =
    namespace('n') +
    pod('a') +
    pod('b', { ip: '10.1.2.3' }) +
    cluster('Admin', 1, 'egress: [{ action: Deny, to: [{ networks: [10.0.0.0/8] }] }]');
  assert.equal(ports(text, 'a', 'b'), 'No Connections');
  assert.equal(ports(text, 'b', 'a').length > 0, true);
});

test('NP-25: a Baseline under a policy of the other direction depends on the CNI', () => {
  const text =
    BASE +
    cluster('Baseline', 1, 'ingress: [{ action: Deny, from: [{ namespaces: {} }] }]') +
    policy('{ podSelector: { matchLabels: { app: b } }, policyTypes: [Egress], egress: [{}] }');
  const found = row(rows(text), 'a', 'b');
  assert.equal(found?.certain, 'No Connections');
  assert.match(found?.depends?.join() ?? '', /NP-25/);
  assert.equal(row(rows(text), 'b', 'a'), undefined);
});

test('NP-24: a peer of an admin policy that is not known, and one that is not set, leave nothing to say', () => {
  const codes = (peer: string): string[] => {
    const { connectivity, findings } = read(
      BASE + cluster('Admin', 1, `ingress: [{ action: Accept, from: [${peer}] }]`),
    );
    assert.equal(connectivity, undefined);
    return findings.map(({ code }) => code);
  };
  assert.deepEqual(codes('{ spiffe: {} }'), ['policy.field-unknown']);
  assert.deepEqual(codes('{}'), ['policy.malformed']);
  assert.deepEqual(codes(''), ['policy.malformed']);
});

test('NP-26: null, an empty list and nothing at all are the same, as the API server stores them', () => {
  for (const egress of ['', ', egress: null', ', egress: []']) {
    const text = BASE + policy(`{ podSelector: { matchLabels: { app: a } }, policyTypes: [Egress]${egress} }`);
    assert.equal(ports(text, 'a', 'b'), 'No Connections', egress);
  }
  for (const to of ['', 'to: null', 'to: []']) {
    const text =
      BASE + policy(`{ podSelector: { matchLabels: { app: a } }, policyTypes: [Egress], egress: [{ ${to} }] }`);
    assert.equal(ports(text, 'a', 'b'), 'All Connections', to);
  }
});

test('NP-06: what does not parse is refused, and a block that is not canonical is read as cleared, with a warning', () => {
  const from = (cidr: string): string => INTO_B(`{ from: [{ ipBlock: { cidr: ${cidr} } }] }`);
  assert.equal(read(from('10.10.1.12/33')).connectivity, undefined);
  const { connectivity, findings } = read(from('10.10.1.12/24'));
  assert.ok(connectivity);
  assert.deepEqual(
    findings.filter(({ severity }) => severity === 'warning').map(({ code }) => code),
    ['policy.cidr-not-canonical'],
  );
  assert.ok(connectionsOf(connectivity).some(({ from: source }) => source === '10.10.1.0-10.10.1.255'));
});
