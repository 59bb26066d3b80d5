import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorsIn, IPV4, IPV6, namespace, networkPolicy, object, pod, TestMap } from './testing/map.ts';

const NONE = 'No Connections';
const ALL = 'All Connections';
const BASE =
  namespace('n', 'env: prod') +
  namespace('m', 'env: test') +
  pod('a', { labels: 'app: a, role: front-end', ip: '10.1.0.1' }) +
  pod('b', { labels: 'app: b', ip: '10.1.0.2', ports: '{ name: web, containerPort: 8080 }' }) +
  pod('x', { labels: 'app: a', space: 'm', ip: '10.2.0.1', account: 'robot' });

function np(spec: string, name = 'c', version = 'projectcalico.org/v3'): string {
  return object(version, 'NetworkPolicy', name, spec, 'n');
}

function gnp(spec: string, name = 'g'): string {
  return object('projectcalico.org/v3', 'GlobalNetworkPolicy', name, spec);
}

const B = `selector: "app == 'b'"`;

function calico(policies: string, more = ''): TestMap {
  return new TestMap(BASE + more + policies, 'calico');
}

/** From whom an ingress rule with this source allows, among the pods and all of IPv4. */
function from(source: string, more = ''): string {
  const map = calico(np(`{ ${B}, ingress: [{ action: Allow, source: { ${source} } }] }`), more);
  return ['a', 'm/x', IPV4].filter((peer) => map.certain(peer, 'b') === ALL).join();
}

test('Calico (reference/resources/networkpolicy): rules in order, the first that matches decides, Log decides nothing', () => {
  const rules = `ingress: [{ action: Log }, { action: Deny, protocol: TCP, destination: { ports: [80] } }, { action: Allow, source: { selector: "app == 'a'" } }]`;
  const map = calico(np(`{ ${B}, ${rules} }`));
  assert.equal(map.certain('a', 'b'), 'SCTP 1-65535,TCP 1-79,81-65535,UDP 1-65535');
  assert.deepEqual([map.possible('m/x', 'b'), map.possible(IPV4, 'b'), map.certain('b', 'a')], [NONE, NONE, ALL]);
  const stored = calico(np(`{ ${B}, ${rules} }`, 'c', 'crd.projectcalico.org/v1'));
  assert.deepEqual(stored.rows, map.rows);
});

test('Calico (networkpolicy.go, Order): lower orders first, none last, equal ones by name', () => {
  const allow = (order: string) => np(`{ ${order} ${B}, ingress: [{ action: Allow }] }`, 'b');
  const deny = (order: string, name: string) => np(`{ ${order} ${B}, ingress: [{ action: Deny }] }`, name);
  assert.equal(calico(allow('order: 10,') + deny('order: 20,', 'z')).certain('a', 'b'), ALL);
  assert.equal(calico(allow('order: 10,') + deny('order: 9.5,', 'z')).possible('a', 'b'), NONE);
  assert.equal(calico(allow('') + deny('order: 20,', 'z')).possible('a', 'b'), NONE);
  assert.equal(calico(allow('order: 1,') + deny('order: 1,', 'a')).possible('a', 'b'), NONE);
  assert.equal(calico(allow('order: 1,') + deny('order: 1,', 'c')).certain('a', 'b'), ALL);
});

test('Calico (networkpolicy.go, Types): the default follows the rules', () => {
  const closed = (spec: string) => {
    const map = calico(np(`{ ${B}${spec} }`));
    return [map.possible('a', 'b') === NONE, map.possible('b', 'a') === NONE];
  };
  const rule = '[{ action: Deny }]';
  assert.deepEqual(closed(''), [true, false]);
  assert.deepEqual(closed(`, ingress: ${rule}`), [true, false]);
  assert.deepEqual(closed(`, egress: ${rule}`), [false, true]);
  assert.deepEqual(closed(`, ingress: ${rule}, egress: ${rule}`), [true, true]);
  assert.deepEqual(closed(`, egress: ${rule}, types: [Ingress]`), [true, false]);
});

test('Calico (reference/resources/tier, CAL-2): tiers by order, Pass to the next, what no rule decides is denied or passed at the end', () => {
  const tier = (name: string, spec: string) => object('projectcalico.org/v3', 'Tier', name, spec);
  const first = tier('first', '{ order: 10 }');
  const passing = tier('first', '{ order: 10, defaultAction: Pass }');
  const rule = (action: string, extra = '') => `ingress: [{ action: ${action}${extra} }]`;
  const tcp = ', protocol: TCP';
  const inFirst = (rules: string) => gnp(`{ tier: first, ${B}, ${rules} }`, 'first.g');
  const last = np(`{ ${B}, ${rule('Allow')} }`);
  assert.equal(calico(first + inFirst(rule('Allow', tcp)) + last).certain('a', 'b'), 'TCP 1-65535');
  assert.equal(calico(passing + inFirst(rule('Deny', tcp)) + last).certain('a', 'b'), 'SCTP 1-65535,UDP 1-65535');
  assert.equal(calico(first + inFirst(rule('Pass', tcp)) + last).certain('a', 'b'), 'TCP 1-65535');
  // A Pass in the last tier leads to the profile of the namespace, which allows.
  assert.equal(calico(np(`{ ${B}, ${rule('Pass', tcp)} }`)).certain('a', 'b'), 'TCP 1-65535');
  // The tier of which no policy selects the pod is passed over, whatever its default.
  assert.equal(
    calico(first + gnp(`{ tier: first, selector: "app == 'q'", ${rule('Deny')} }`, 'first.g')).certain('a', 'b'),
    ALL,
  );
  // So is one whose policies do not cover the direction.
  assert.equal(
    calico(first + gnp(`{ tier: first, ${B}, egress: [{ action: Deny }] }`, 'first.g')).certain('a', 'b'),
    ALL,
  );
});

test('Calico (CAL-1): policies of Kubernetes stand in the tier default with the order 1000, those of the cluster in tiers around it', () => {
  const kube = networkPolicy('{ podSelector: { matchLabels: { app: b } }, ingress: [{ ports: [{ port: 80 }] }] }');
  const deny = (order: string) =>
    gnp(`{ ${order} ${B}, ingress: [{ action: Deny, source: { selector: "app == 'a'" } }] }`);
  assert.equal(calico(kube + deny('order: 999,')).possible('a', 'b'), NONE);
  assert.equal(calico(kube + deny('order: 1001,')).certain('a', 'b'), 'TCP 80');
  const admin = (tier: string, action: string) =>
    object(
      'policy.networking.k8s.io/v1alpha2',
      'ClusterNetworkPolicy',
      tier.toLowerCase(),
      `{ tier: ${tier}, priority: 1, subject: { namespaces: {} }, ingress: [{ action: ${action}, from: [{ namespaces: {} }] }] }`,
    );
  assert.equal(calico(admin('Admin', 'Accept') + deny('')).certain('a', 'b'), ALL);
  assert.equal(calico(admin('Baseline', 'Accept') + deny('')).possible('a', 'b'), NONE);
  // NP-25: a policy of the other direction does not keep the Baseline out.
  const other = networkPolicy('{ podSelector: { matchLabels: { app: b } }, policyTypes: [Egress], egress: [{}] }');
  const map = calico(admin('Baseline', 'Deny') + other);
  assert.deepEqual([map.possible('a', 'b'), map.why('a', 'b')], [NONE, '']);
});

test('Calico (reference/resources/networkpolicy "Selectors"): the language of selectors', () => {
  const is = (selector: string) => from(`selector: "${selector}"`, pod('e', { labels: 'kind: other' })) === 'a';
  for (const yes of [
    `app == 'a'`,
    `app=='a'`,
    `app != 'b'`,
    `app in {'a', 'c'}`,
    `app not in {'b'}`,
    `has(role)`,
    `role contains 'ont'`,
    `role starts with 'front'`,
    `role ends with 'end'`,
    `app == 'a' && has(role)`,
    `app == 'q' || app == 'a'`,
    `!(app == 'b')`,
    `!!has(role)`,
    `(app == 'a')`,
    `app == 'q' || app == 'a' && has(role)`,
    `all()`,
    `!has(nothing)`,
    `! app starts with 'b'`,
    `projectcalico.org/namespace == 'n'`,
    `projectcalico.org/orchestrator == 'k8s'`,
    `pcns.env == 'prod'`,
  ])
    assert.equal(is(yes), true, yes);
  for (const no of [
    `app == 'b'`,
    `app in {}`,
    `!has(app)`,
    `role contains 'x'`,
    `role starts with 'end'`,
    `role ends with 'front'`,
    `(app == 'q' || app == 'a') && !has(role)`,
    `!all()`,
    `has(app) && app != 'a'`,
    `projectcalico.org/namespace == 'm'`,
    `projectcalico.org/orchestrator == 'openstack'`,
  ])
    assert.equal(is(no), false, no);
  for (const wrong of [
    'app =',
    `app == a`,
    `app == 'a' &&`,
    `app 'a'`,
    `(app == 'a'`,
    `app in {'a'`,
    'has(',
    `app == 'a')`,
    'global()',
    'app == "a',
    '&& has(a)',
    `projectcalico.org/kind == 'NetworkSet'`,
  ]) {
    const errors = errorsIn(BASE + np(`{ selector: ${JSON.stringify(wrong)} }`));
    assert.match(errors.join(), /^m\.yaml:\d+: policy\.selector-invalid$/, wrong);
  }
});

test('Calico (policy_common.go, EntityRule): of a namespaced policy a selector is of its namespace, a namespaceSelector of others', () => {
  assert.equal(from(`selector: "app == 'a'"`), 'a');
  assert.equal(from(`namespaceSelector: "env == 'test'"`), 'm/x');
  assert.equal(from(`namespaceSelector: "all()"`), 'a,m/x');
  assert.equal(from(`namespaceSelector: "projectcalico.org/name == 'm'", selector: "app == 'a'"`), 'm/x');
  assert.equal(from(`namespaceSelector: "kubernetes.io/metadata.name in {'m', 'n'}", selector: "has(role)"`), 'a');
  assert.equal(from(`namespaceSelector: "global()"`), '');
  const global = calico(gnp(`{ ${B}, ingress: [{ action: Allow, source: { selector: "app == 'a'" } }] }`));
  assert.deepEqual(
    [global.certain('a', 'b'), global.certain('m/x', 'b'), global.possible(IPV4, 'b')],
    [ALL, ALL, NONE],
  );
});

test('Calico (policy_common.go, NotSelector): the negative selector covers what is no endpoint, a selector of what is not does not', () => {
  const global = (source: string) => {
    const map = calico(gnp(`{ ${B}, ingress: [{ action: Allow, source: { ${source} } }] }`));
    return ['a', 'm/x', IPV4].filter((peer) => map.certain(peer, 'b') === ALL).join();
  };
  assert.equal(global(`notSelector: "has(role)"`), `m/x,${IPV4}`);
  assert.equal(global(`selector: "!has(role)"`), 'm/x');
  // Of a namespaced policy any selector limits the rule to its namespace.
  assert.equal(from(`notSelector: "app == 'q'"`), 'a');
});

test('Calico (policy_common.go, Nets): nets are looked up by the address of the packet, that of a pod too; the families are apart', () => {
  assert.equal(from('nets: [10.1.0.0/16]'), 'a');
  assert.equal(from('nets: [10.0.0.0/8], notNets: [10.1.0.0/16]'), 'm/x');
  assert.equal(from(`nets: [10.0.0.0/8], selector: "app == 'a'"`), 'a');
  assert.equal(from(`nets: [10.2.0.0/16], namespaceSelector: "all()"`), 'm/x');
  assert.equal(from('nets: [10.1.0.1]'), 'a');
  // felix/rules, FilterRuleToIPVersion: a rule with nets of one family only is not there for the other.
  const not = calico(np(`{ ${B}, ingress: [{ action: Allow, source: { notNets: [192.168.0.0/16] } }] }`));
  assert.equal(not.certain('a', 'b'), ALL);
  assert.equal(not.possible(IPV6, 'b'), NONE);
  assert.equal(not.possible('192.168.0.0-192.168.255.255', 'b'), NONE);
  const six = calico(np(`{ ${B}, ingress: [{ action: Allow, ipVersion: 6 }] }`));
  assert.deepEqual([six.possible('a', 'b'), six.possible(IPV4, 'b'), six.certain(IPV6, 'b')], [NONE, NONE, ALL]);
  const unknown = calico(
    gnp(`{ ${B}, ingress: [{ action: Deny, source: { nets: [10.0.0.0/8] } }, { action: Allow }] }`),
    pod('u'),
  );
  assert.deepEqual([unknown.possible('u', 'b'), unknown.certain('u', 'b')], [ALL, NONE]);
});

test('Calico (reference/resources/networkset, globalnetworkset): selectors select ranges by labels', () => {
  const set = (kind: string, name: string, spec: string, space = '') =>
    object('projectcalico.org/v3', kind, name, spec, space).replace(
      'metadata: {',
      'metadata: { labels: { list: out },',
    );
  const global = set('GlobalNetworkSet', 'g', '{ nets: [192.0.2.0/24] }');
  const own = set('NetworkSet', 's', '{ nets: [198.51.100.0/24] }', 'n');
  const other = set('NetworkSet', 'o', '{ nets: [203.0.113.0/24] }', 'm');
  const ranges = (policy: string) =>
    calico(policy, global + own + other)
      .rows.filter(({ to, from: source }) => to === 'n/b[Pod]' && !source.endsWith(']'))
      .map(({ from: source }) => source);
  const rule = (source: string) => `{ ${B}, ingress: [{ action: Allow, source: { ${source} } }] }`;
  assert.deepEqual(ranges(np(rule(`selector: "list == 'out'"`))), ['198.51.100.0-198.51.100.255']);
  assert.deepEqual(ranges(np(rule(`selector: "list == 'out'", namespaceSelector: "global()"`))), [
    '192.0.2.0-192.0.2.255',
  ]);
  assert.deepEqual(ranges(np(rule(`selector: "list == 'out'", namespaceSelector: "env == 'test'"`))), [
    '203.0.113.0-203.0.113.255',
  ]);
  assert.equal(ranges(gnp(rule(`selector: "list == 'out'"`))).length, 3);
  const not = calico(gnp(rule(`notSelector: "list == 'out'"`)), global);
  assert.equal(not.possible('192.0.2.0-192.0.2.255', 'b'), NONE);
  assert.equal(not.certain('192.0.3.0-255.255.255.255', 'b'), ALL);
  assert.equal(not.certain('a', 'b'), ALL);
});

test('Calico (policy_common.go, ServiceAccounts): by name, and by the labels of their objects', () => {
  assert.equal(from('serviceAccounts: { names: [robot] }, namespaceSelector: "all()"'), 'm/x');
  assert.equal(from('serviceAccounts: { names: [default] }'), 'a');
  const account =
    'apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: robot, namespace: m, labels: { metal: tin } }\n---\n';
  const defaults =
    account.replace('robot', 'default').replace('tin', 'iron') +
    account.replace('robot', 'default').replace('namespace: m', 'namespace: "n"').replace('tin', 'iron');
  const words = `serviceAccounts: { selector: "metal == 'tin'" }, namespaceSelector: "all()"`;
  assert.equal(from(words, account), 'm/x');
  const unknown = calico(np(`{ ${B}, ingress: [{ action: Allow, source: { ${words} } }] }`));
  assert.deepEqual([unknown.possible('m/x', 'b'), unknown.certain('m/x', 'b')], [ALL, NONE]);
  assert.match(unknown.why('m/x', 'b'), /service account/);
  const subject = calico(
    gnp(`{ serviceAccountSelector: "metal == 'tin'", ingress: [{ action: Deny }] }`),
    account + defaults,
  );
  assert.deepEqual([subject.possible('a', 'm/x'), subject.certain('a', 'b')], [NONE, ALL]);
});

test('Calico (policy_common.go, Protocol, Ports): ranges, names, numbers of protocols, and what is excluded', () => {
  const to = (rule: string) => calico(np(`{ ${B}, ingress: [{ action: Allow, ${rule} }] }`)).certain('a', 'b');
  assert.equal(to('protocol: TCP'), 'TCP 1-65535');
  assert.equal(to('protocol: 17'), 'UDP 1-65535');
  assert.equal(to('notProtocol: TCP'), 'SCTP 1-65535,UDP 1-65535');
  assert.equal(to(`protocol: TCP, destination: { ports: [80, "90:92", web] }`), 'TCP 80,90-92,8080');
  assert.equal(to(`protocol: UDP, destination: { ports: [web] }`), NONE);
  assert.equal(to(`protocol: TCP, destination: { notPorts: [80, web] }`), 'TCP 1-79,81-8079,8081-65535');
  assert.equal(to('protocol: ICMP, icmp: { type: 8 }'), NONE);
  assert.equal(to('protocol: 47'), NONE);
  const source = calico(np(`{ ${B}, ingress: [{ action: Allow, protocol: TCP, source: { ports: [53] } }] }`));
  assert.deepEqual([source.possible('a', 'b'), source.certain('a', 'b')], ['TCP 1-65535', NONE]);
  const http = calico(np(`{ ${B}, ingress: [{ action: Allow, http: { methods: [GET] } }] }`));
  assert.deepEqual([http.possible('a', 'b'), http.certain('a', 'b')], [ALL, NONE]);
});

test('Calico (policy_common.go, ServiceMatch): the pods behind a Service, on the ports to which it leads', () => {
  const service =
    'apiVersion: v1\nkind: Service\nmetadata: { name: s, namespace: "n" }\nspec: { selector: { app: b }, ports: [{ port: 80, targetPort: web }, { port: 53, protocol: UDP }] }\n---\n';
  const rule = (extra = '') =>
    np(
      `{ selector: "app == 'a'", egress: [{ action: Allow${extra}, destination: { services: { name: s, namespace: "n" } } }] }`,
    );
  assert.equal(calico(rule(), service).certain('a', 'b'), 'TCP 8080,UDP 53');
  assert.equal(calico(rule(', protocol: TCP'), service).certain('a', 'b'), 'TCP 8080');
  assert.equal(calico(rule(), service).possible('a', 'm/x'), NONE);
  const missing = calico(rule());
  assert.deepEqual([missing.possible('a', IPV4), missing.certain('a', IPV4)], [ALL, NONE]);
});

test('Calico (policy_common.go, Destination): what an ingress rule asks of the pod itself', () => {
  const all = (rules: string) => calico(np(`{ selector: "all()", ingress: [${rules}] }`));
  const map = all(`{ action: Allow, destination: { selector: "app == 'b'" } }`);
  assert.deepEqual([map.certain('m/x', 'b'), map.possible('m/x', 'a')], [ALL, NONE]);
  const nets = all('{ action: Allow, destination: { nets: [10.1.0.2/32] } }');
  assert.deepEqual([nets.certain('m/x', 'b'), nets.possible('m/x', 'a')], [ALL, NONE]);
});

test('Calico: a subject in several ways, a global one by namespace, and pods in the network of their node', () => {
  const map = calico(gnp(`{ selector: "app == 'b' || has(role)", ingress: [{ action: Deny }] }`));
  assert.deepEqual([map.possible('m/x', 'a'), map.possible('m/x', 'b'), map.certain('a', 'm/x')], [NONE, NONE, ALL]);
  const space = calico(gnp(`{ namespaceSelector: "env == 'test'", ingress: [{ action: Deny }] }`));
  assert.deepEqual([space.certain('m/x', 'a'), space.possible('a', 'm/x')], [ALL, NONE]);
  const host = calico(gnp(`{ selector: "all()", types: [Ingress] }`), pod('h', { labels: 'app: b', host: true }));
  assert.equal(host.possible('a', 'h'), ALL);
  const nothing = calico(gnp(`{ selector: "has(a) && !has(a)", ingress: [{ action: Deny }] }`));
  assert.equal(nothing.certain('a', 'b'), ALL);
});

test('Calico (CAL-5): staged policies, and what applies to the endpoints of hosts, change nothing and are listed', () => {
  for (const kind of ['StagedGlobalNetworkPolicy', 'StagedNetworkPolicy', 'StagedKubernetesNetworkPolicy']) {
    const map = calico(object('projectcalico.org/v3', kind, 's', '{ selector: "all()", types: [Ingress] }', 'n'));
    assert.equal(map.certain('a', 'b'), ALL, kind);
    assert.ok(
      map.findings.some(({ code }) => code === 'policy.staged'),
      kind,
    );
  }
  const before = calico(gnp('{ preDNAT: true, applyOnForward: true, ingress: [{ action: Deny }] }'));
  assert.equal(before.certain('a', 'b'), ALL);
  assert.ok(before.findings.some(({ code }) => code === 'policy.for-nodes'));
  const endpoint = object('projectcalico.org/v3', 'HostEndpoint', 'e', '{ node: n1 }');
  assert.equal(calico(endpoint + gnp(`{ ${B}, ingress: [{ action: Deny }] }`)).possible('a', 'b'), NONE);
  assert.match(
    errorsIn(BASE + endpoint + gnp('{ applyOnForward: true, ingress: [{ action: Deny }] }')).join(),
    /policy\.host-endpoint/,
  );
});

test('what Calico would refuse, or what is not known, makes the answer unknown, with file and line', () => {
  const refused: readonly (readonly [string, RegExp])[] = [
    [np('{ tier: nowhere }'), /policy\.tier-unknown/],
    [np(`{ ${B}, namespaceSelector: "all()" }`), /policy\.field-unknown/],
    [np(`{ ${B}, ingress: [{ action: allow }] }`), /policy\.malformed/],
    [np(`{ ${B}, ingress: [{ action: Allow, source: { domains: [a.test] } }] }`), /policy\.field-unknown/],
    [np(`{ ${B}, ingress: [{ action: Allow, source: { nets: [10.0.0.0/40] } }] }`), /policy\.cidr-invalid/],
    [
      np(`{ ${B}, ingress: [{ action: Allow, protocol: TCP, destination: { ports: ["90:80"] } }] }`),
      /policy\.port-invalid/,
    ],
    [np(`{ ${B}, ingress: [{ action: Allow, protocol: TPC }] }`), /policy\.malformed/],
    [
      np(`{ ${B}, ingress: [{ action: Allow, source: { services: { name: s }, nets: [10.0.0.0/8] } }] }`),
      /policy\.malformed/,
    ],
    [np(`{ ${B}, order: first }`), /policy\.malformed/],
    [object('projectcalico.org/v3', 'Tier', 't', '{ order: 1, defaultAction: Allow }'), /policy\.malformed/],
    [object('projectcalico.org/v3', 'Profile', 'kns.n', '{ ingress: [] }'), /policy\.kind-unknown/],
    [object('projectcalico.org/v3', 'PolicyRecommendationScope', 'p', '{}'), /policy\.kind-unknown/],
    [np(`{ ${B} }`, 'c', 'projectcalico.org/v4'), /policy\.kind-unknown/],
  ];
  for (const [policy, code] of refused) {
    const [first = ''] = errorsIn(BASE + policy);
    assert.match(first, code, policy);
    assert.match(first, /^m\.yaml:\d+: /);
  }
});
