import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readFlowSet } from '../flow-set.ts';
import { resolveFlows } from '../generate/resolve.ts';
import { readCluster } from '../read-cluster.ts';
import { withAccepted } from './accept.ts';
import { sightingsInCompose } from './from-compose.ts';
import { sightingsInLog } from './from-log.ts';
import { controllerOf, sightingsInManifests } from './from-manifests.ts';
import { hostsNamedIn } from './named-in-text.ts';
import { proposalsOf } from './proposal.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const deployment = (namespace: string, name: string, port: number, container: string): string => `---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: ${namespace} }
spec:
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name}, app.kubernetes.io/name: ${name} } }
    spec: { containers: [{ name: c, ports: [{ name: p, containerPort: ${port} }], ${container} }] }
---
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: ${namespace} }
spec: { selector: { app: ${name} }, ports: [{ name: main, port: ${port - 1000}, targetPort: p }] }
`;
const MANIFESTS = `${deployment('shop', 'web', 9080, `env: [{ name: API, value: "http://api:8000/v1" }, { name: DB_HOST, value: db.data }, { name: DB_PORT, value: "4432" }, { name: MODE, value: fast }]`)}${deployment(
  'shop',
  'api',
  9000,
  `envFrom: [{ configMapRef: { name: settings } }], args: ["--cache=redis://cache.example.test:6379"]`,
)}${deployment('data', 'db', 5432, 'env: []')}${deployment('edge', 'traefik', 9443, 'env: []')}---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings, namespace: shop }
data: { DATABASE_URL: "postgres://u:p@db.data.svc.cluster.local:4432/x" }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: door, namespace: shop }
spec: { rules: [{ http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: web, port: { name: main } } } }] } }] }
`;
const FILES = [{ name: 'm.yaml', bytes: bytes(MANIFESTS) }];
const { cluster, findings } = readCluster(FILES);
assert.deepEqual(findings.errors, []);

const texts = (proposals: ReturnType<typeof proposalsOf>): string[] =>
  proposals.map(({ from, to, port, denied }) => `${from} => ${to} ${port}${denied > 0 ? ' stopped' : ''}`);

test('names of Services in the environment, and entrances, are flows to the pods behind them', () => {
  const { sightings, unclear } = sightingsInManifests(FILES, cluster, controllerOf(cluster, undefined));
  assert.deepEqual(texts(proposalsOf(sightings, [])), [
    'edge/traefik => shop/web 9080/tcp',
    'shop/api => data/db 5432/tcp',
    'shop/web => data/db 5432/tcp',
    'shop/web => shop/api 9000/tcp',
  ]);
  for (const { evidence } of sightings) assert.match(evidence.where, /^m\.yaml:\d+$/);
  assert.deepEqual(
    unclear.map(({ detail }) => detail),
    ['args 1 of shop/api names cache.example.test:6379'],
  );
});

test('without a controller an entrance is no flow, and says what is missing', () => {
  const { sightings, unclear } = sightingsInManifests(FILES, cluster, undefined);
  assert.ok(sightings.every(({ evidence }) => evidence.source !== 'entrance'));
  assert.match(unclear.map(({ why }) => why).join(), /--controller/);
});

test('a Compose file speaks of flows by its environment, and by what depends on a service with one port', () => {
  const compose = `services:
  web: { environment: { API: "http://api:9000", SELF: "http://web:1" }, depends_on: { db: { condition: service_healthy } } }
  api: { environment: ["DATABASE_URL=postgres://u:p@db/x"] }
  db: { ports: ["127.0.0.1:15432:5432"] }
  other: { depends_on: [web] }
`;
  const { sightings, unclear } = sightingsInCompose('compose.yaml', bytes(compose), cluster, undefined);
  assert.deepEqual(texts(proposalsOf(sightings, [])), [
    'shop/api => data/db 5432/tcp',
    'shop/web => data/db 5432/tcp',
    'shop/web => shop/api 9000/tcp',
  ]);
  assert.equal(sightings[0]!.evidence.where, 'compose.yaml:2');
  assert.match(unclear.map(({ why }) => why).join(), /'other'/);
  for (const bad of ['', 'services: {}', '{']) {
    assert.throws(() => sightingsInCompose('c', bytes(bad), cluster, undefined), {
      code: 'policy.evidence-unreadable',
    });
  }
});

const hubble = (source: object, destination: object, more: object = {}): string =>
  JSON.stringify({
    flow: {
      verdict: 'FORWARDED',
      IP: { source: '10.1.1.1', destination: '192.0.2.1' },
      l4: { TCP: { source_port: 1, destination_port: 5432 } },
      source,
      destination,
      is_reply: false,
      ...more,
    },
    node_name: 'n',
  });
const API = { namespace: 'shop', workloads: [{ name: 'api', kind: 'Deployment' }], labels: [] };
const DB = {
  namespace: 'data',
  labels: ['k8s:app=db', 'k8s:app.kubernetes.io/name=db', 'k8s:io.kubernetes.pod.namespace=data'],
};

test('flows of Hubble: new connections by workload or by labels; replies and other events are none', () => {
  const log = [
    hubble(API, DB),
    hubble(API, DB),
    hubble(DB, API, { is_reply: true }),
    hubble(API, { labels: ['reserved:world'] }, { verdict: 'DROPPED' }),
    hubble({ labels: ['reserved:host'] }, DB),
    hubble({ namespace: 'shop', labels: ['k8s:app=gone'] }, DB),
    hubble(API, DB, { l4: { ICMPv4: { type: 8 } } }),
    JSON.stringify({ node_status: {} }),
    '',
  ].join('\n');
  const { sightings, unclear } = sightingsInLog('h', bytes(log), cluster);
  const proposals = proposalsOf(sightings, []);
  assert.deepEqual(texts(proposals), [
    'kubelet => data/db 5432/tcp',
    'shop/api => 192.0.2.1 5432/tcp stopped',
    'shop/api => data/db 5432/tcp',
  ]);
  assert.equal(proposals[2]!.seen, 2);
  assert.deepEqual(
    unclear.map(({ where }) => where),
    ['h:6'],
  );
});

test('flow logs of Calico, lines of a log, and the attempts of a rehearsal', () => {
  const calico = JSON.stringify({
    source_type: 'wep',
    source_namespace: 'shop',
    source_name_aggr: 'web-5d8f7c9-*',
    dest_type: 'wep',
    dest_namespace: 'data',
    dest_name_aggr: 'db-5d8f7c9-*',
    dest_port: 5432,
    proto: 'tcp',
    action: 'deny',
    reporter: 'dst',
  });
  const plain = JSON.stringify({
    time: '2026-01-01T00:00:00Z',
    from: 'web',
    to: 'shop/api',
    port: 9000,
    protocol: 'tcp',
  });
  assert.deepEqual(texts(proposalsOf(sightingsInLog('c', bytes(`${calico}\n${plain}`), cluster).sightings, [])), [
    'shop/web => data/db 5432/tcp stopped',
    'shop/web => shop/api 9000/tcp',
  ]);
  const edge = { kind: 'edge', from: 'api', to: 'web', port: 9080, protocol: 'tcp', deliberate: false };
  const report = { attempts: [edge, { ...edge, to: 'db', deliberate: true }, { ...edge, kind: 'call' }] };
  assert.deepEqual(
    texts(proposalsOf(sightingsInLog('r', bytes(JSON.stringify(report, undefined, 2)), cluster).sightings, [])),
    ['shop/api => shop/web 9080/tcp stopped'],
  );
  for (const bad of ['{"from":"a"}', 'x', '[]', `${plain}\n{`]) {
    assert.throws(() => sightingsInLog('l', bytes(bad), cluster), { code: 'policy.evidence-unreadable' }, bad);
  }
});

test('no line of a log makes it fail in another way than with a fault', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.json().map((one) => `{"flow":{"verdict":${one},"l4":${one},"source":${one}}}`),
      ),
      (line) => {
        try {
          sightingsInLog('l', bytes(line), cluster);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'policy.evidence-unreadable');
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('what is accepted is a FlowSet that leaves the rest of the file as it is, and is proposed no more', () => {
  const { sightings } = sightingsInManifests(FILES, cluster, controllerOf(cluster, undefined));
  const proposals = proposalsOf(sightings, []);
  const before =
    '# Ours.\nsallyport-flows: "1.0"\nflows:\n  # Kept.\n  - { from: shop/web, to: shop/api, port: p, reason: r, owner: o }\n';
  const declared = (text: string) => resolveFlows(readFlowSet('f.yaml', bytes(text)), cluster);
  const open = proposalsOf(sightings, declared(before));
  assert.equal(open.length, proposals.length - 1);
  const after = withAccepted(before, open, { by: 'Ada', owner: 'shop', day: '2026-01-31' });
  assert.ok(after.startsWith(before.trimEnd()), after);
  assert.deepEqual(proposalsOf(sightings, declared(after)), []);
  assert.equal(readFlowSet('f.yaml', bytes(after)).flows[1]!.accepted, 'Ada, 2026-01-31');
  const fresh = withAccepted(undefined, proposals, { by: 'Ada', owner: 'shop', reason: 'because', day: '2026-01-31' });
  assert.deepEqual(proposalsOf(sightings, declared(fresh)), []);
});

test('hosts are found in addresses, lists and pairs', () => {
  const cases: [string, string[]][] = [
    ['http://api/x?y=http', ['api:80']],
    ['jdbc:postgresql://db.data:6432/x', ['db.data:6432']],
    ['amqp://u:p@mq1,mq2:5673/v', ['mq1:5672', 'mq2:5673']],
    ['kafka-0:9092,kafka-1:9092', ['kafka-0:9092', 'kafka-1:9092']],
    ['db.data.svc', ['db.data.svc']],
    ['api:99999', ['api']],
    ['-x', []],
  ];
  for (const [text, hosts] of cases) {
    assert.deepEqual(
      hostsNamedIn(text).map(({ host, port }) => (port === undefined ? host : `${host}:${port}`)),
      hosts,
      text,
    );
  }
});
