import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namespace, networkPolicy, object, pod, TestMap } from './testing/map.ts';

const API = 'gateway.networking.k8s.io/v1';
const NONE = 'No Connections';
const CONTROLLER = '{ingress-controller}';
const BASE =
  namespace('n', 'team: web') +
  namespace('m') +
  pod('b', { labels: 'app: b', ports: '{ name: web, containerPort: 8080 }' }) +
  pod('x', { labels: 'app: x', space: 'm' }) +
  object(
    'v1',
    'Service',
    's',
    '{ selector: { app: b }, ports: [{ name: http, port: 80, targetPort: web }, { name: raw, port: 81, targetPort: 9090 }, { name: dns, port: 53, protocol: UDP }] }',
    'n',
  ) +
  object('v1', 'Service', 't', '{ selector: { app: x }, ports: [{ port: 80 }] }', 'm');

function gateway(allowed = '', name = 'g', space = 'n'): string {
  return object(API, 'Gateway', name, `{ listeners: [{ name: web, port: 80, protocol: HTTP${allowed} }] }`, space);
}

function route(spec: string, kind = 'HTTPRoute', space = 'n'): string {
  return object(API, kind, 'r', spec, space);
}

const TO_S = 'rules: [{ backendRefs: [{ name: s, port: 80 }] }]';
const open = (text: string, to = 'b'): string => new TestMap(BASE + text).certain(CONTROLLER, to);

test('a route of a Gateway is an entrance, as an Ingress is: through the Service, as far as policies let it', () => {
  const spec = `{ parentRefs: [{ name: g }], ${TO_S} }`;
  assert.equal(open(gateway() + route(spec)), 'TCP 8080');
  for (const kind of ['GRPCRoute', 'TLSRoute', 'TCPRoute'])
    assert.equal(open(gateway() + route(spec, kind)), 'TCP 8080', kind);
  const udp = route('{ parentRefs: [{ name: g }], rules: [{ backendRefs: [{ name: s, port: 53 }] }] }', 'UDPRoute');
  assert.equal(open(gateway() + udp), 'UDP 53');
  const raw = route('{ parentRefs: [{ name: g }], rules: [{ backendRefs: [{ name: s, port: 81 }] }] }');
  // A container may listen on a port that it does not declare (core/v1 types.go, Container.Ports).
  assert.equal(open(gateway() + raw), 'TCP 9090');
  assert.equal(open(gateway() + route(spec) + networkPolicy('{ ingress: [] }')), NONE);
  const mirror =
    '{ parentRefs: [{ name: g }], rules: [{ filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: s, port: 81 } } }] }] }';
  assert.equal(open(gateway() + route(mirror)), 'TCP 9090');
});

test('a route without a Gateway that takes it opens nothing (allowedRoutes: Same if nothing is said)', () => {
  const far = `{ parentRefs: [{ name: g, namespace: m }], ${TO_S} }`;
  const from = (words: string): string => open(gateway(words, 'g', 'm') + route(far));
  assert.equal(from(''), NONE);
  assert.equal(from(', allowedRoutes: { namespaces: { from: All } }'), 'TCP 8080');
  assert.equal(
    from(', allowedRoutes: { namespaces: { from: Selector, selector: { matchLabels: { team: web } } } }'),
    'TCP 8080',
  );
  assert.equal(
    from(', allowedRoutes: { namespaces: { from: Selector, selector: { matchLabels: { team: db } } } }'),
    NONE,
  );
  assert.equal(from(', allowedRoutes: { namespaces: { from: All }, kinds: [{ kind: GRPCRoute }] }'), NONE);
  assert.equal(open(gateway() + route(`{ parentRefs: [{ name: g, sectionName: other }], ${TO_S} }`)), NONE);
  assert.equal(open(gateway() + route(`{ parentRefs: [{ name: g, port: 81 }], ${TO_S} }`)), NONE);
  assert.equal(open(gateway() + route(`{ ${TO_S} }`)), NONE);
  assert.equal(open(route(`{ parentRefs: [{ name: s, kind: Service, group: "" }], ${TO_S} }`)), NONE);
  const idle = new TestMap(BASE + gateway() + route(`{ parentRefs: [{ name: g, sectionName: other }], ${TO_S} }`));
  assert.ok(idle.findings.some(({ code }) => code === 'policy.route-idle'));
  // Of a Gateway that is in no manifest it is not known that it does not.
  const missing = new TestMap(BASE + route(`{ parentRefs: [{ name: g }], ${TO_S} }`));
  assert.equal(missing.possible(CONTROLLER, 'b'), 'TCP 8080');
  assert.ok(missing.findings.some(({ code }) => code === 'policy.reference-unknown'));
});

test('a Service of another namespace needs a ReferenceGrant there', () => {
  const spec = '{ parentRefs: [{ name: g }], rules: [{ backendRefs: [{ name: t, namespace: m, port: 80 }] }] }';
  const grant = (from: string, to: string) =>
    object('gateway.networking.k8s.io/v1beta1', 'ReferenceGrant', 'grant', `{ from: [${from}], to: [${to}] }`, 'm');
  const own = '{ group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: "n" }';
  const service = '{ group: "", kind: Service }';
  const through = (text: string): string => open(gateway() + route(spec) + text, 'm/x');
  assert.equal(through(''), NONE);
  assert.equal(through(grant(own, service)), 'TCP 80');
  assert.equal(through(grant(own, '{ group: "", kind: Service, name: t }')), 'TCP 80');
  assert.equal(through(grant(own, '{ group: "", kind: Service, name: other }')), NONE);
  assert.equal(through(grant(own.replace('HTTPRoute', 'GRPCRoute'), service)), NONE);
  assert.equal(through(grant(own.replace('"n"', 'm'), service)), NONE);
});

test('netpol-analyzer knows nothing of the Gateway API', () => {
  const map = new TestMap(BASE + gateway() + route(`{ parentRefs: [{ name: g }], ${TO_S} }`), undefined, 'np-guard');
  assert.equal(map.row(CONTROLLER, 'b'), undefined);
});
