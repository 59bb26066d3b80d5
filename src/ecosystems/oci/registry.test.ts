import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { memoryContent, type Route, stubUpstream } from '#ecosystems/testing';
import { isFault } from '#kernel';
import { OCI_INDEX, OCI_MANIFEST, parseManifest } from './manifest.ts';
import { parseReference } from './reference.ts';
import { isLoopback, parseChallenge, registrySource } from './registry.ts';

const BASE = 'https://r.example.test/v2/a';
const MANIFEST = '{"schemaVersion":2}';

function source(routes: Record<string, Route | string>, image = 'r.example.test/a:1', insecure?: boolean) {
  const upstream = stubUpstream(routes, memoryContent());
  return { upstream, registry: registrySource(upstream, parseReference(image), insecure) };
}
const rejects = (work: Promise<unknown>, code: string, says = /./): Promise<void> =>
  assert.rejects(work, (error) => isFault(error) && error.code === code && says.test(error.message));

test('challenges are read whatever their order and quoting', () => {
  for (const [header, expected] of [
    [
      'Bearer realm="https://t.example.test/x",service="s",scope="repository:a:pull,push"',
      { realm: 'https://t.example.test/x', service: 's', scope: 'repository:a:pull,push' },
    ],
    ['bearer service=s , realm="https://t.example.test"', { service: 's', realm: 'https://t.example.test' }],
    ['Basic realm="x", Bearer realm="https://t.example.test"', { realm: 'https://t.example.test' }],
    ['Bearer realm="a\\"b"', { realm: 'a"b' }],
    ['Basic realm="x"', undefined],
    ['', undefined],
  ] as const) {
    assert.deepEqual(parseChallenge(header), expected, header);
  }
  fc.assert(fc.property(fc.string(), (text) => void parseChallenge(`Bearer ${text}`)));
});

test('plain http only for this machine, or when told', async () => {
  assert.ok(isLoopback('127.0.0.1:5000') && isLoopback('localhost') && isLoopback('[::1]:5000'));
  assert.ok(
    !isLoopback('127.0.0.1.example.test') && !isLoopback('registry.example.test:5000') && !isLoopback('1127.0.0.1'),
  );
  for (const [image, insecure, scheme] of [
    ['r.example.test/a:1', undefined, 'https:'],
    ['r.example.test/a:1', true, 'http:'],
    ['127.0.0.1:5000/a:1', undefined, 'http:'],
    ['127.0.0.1:5000/a:1', false, 'https:'],
    ['localhost:5000/a:1', undefined, 'http:'],
  ] as const) {
    const { upstream, registry } = source({}, image, insecure);
    await registry.manifest('1');
    assert.equal(new URL(upstream.asked[0] ?? '').protocol, scheme, image);
  }
  const { upstream, registry } = source({}, 'nginx');
  await registry.manifest('latest');
  assert.equal(new URL(upstream.asked[0] ?? '').pathname, '/v2/library/nginx/manifests/latest');
});

test('a token service is asked over https only, and must give a token', async () => {
  const challenged = (realm: string): Route => ({
    status: 401,
    headers: { 'www-authenticate': `Bearer realm="${realm}",service="s"` },
    body: '',
  });
  const url = `${BASE}/manifests/1`;
  await rejects(
    source({ [url]: challenged('http://t.example.test/token') }).registry.manifest('1'),
    'oci.insecure-registry',
  );
  await rejects(source({ [url]: challenged('not an address') }).registry.manifest('1'), 'oci.registry-answer');
  const token = 'https://t.example.test/token?service=s&scope=repository%3Aa%3Apull';
  for (const body of ['{}', '[]', 'x', '{"token":"a\\nb"}', '{"token":""}']) {
    const { registry } = source({ [url]: challenged('https://t.example.test/token'), [token]: body });
    await rejects(registry.manifest('1'), 'oci.registry-answer', /no token/);
  }
  const denied = { status: 403, body: '{"errors":[{"code":"DENIED","message":"no \\u001b[31mway"}]}' };
  await rejects(
    source({ [url]: challenged('https://t.example.test/token'), [token]: denied }).registry.manifest('1'),
    'oci.access-denied',
    /DENIED: no \\u\{1b\}/,
  );
  // The token is taken, and the registry still wants another one: the user may not pull this.
  const { registry } = source({ [url]: challenged('https://t.example.test/token'), [token]: '{"access_token":"t"}' });
  await rejects(registry.manifest('1'), 'oci.access-denied');
});

test('answers that are no manifest have names', async () => {
  const url = `${BASE}/manifests/1`;
  const given = (route: Route) => source({ [url]: route }).registry.manifest('1');
  await rejects(given({ status: 429, headers: { 'retry-after': '60' }, body: '' }), 'oci.rate-limited', /60/);
  await rejects(given({ status: 403, body: 'no' }), 'oci.access-denied');
  await rejects(given({ status: 500, body: '<html>' }), 'oci.registry-answer', /500/);
  await rejects(
    given({ status: 401, headers: { 'www-authenticate': 'Basic realm="x"' }, body: '' }),
    'oci.access-denied',
  );
  assert.equal(await given({ status: 404, body: '' }), undefined);
});

test('referrers are followed over pages of the same registry; a registry without them has none', async () => {
  const digest = `sha256:${'1'.repeat(64)}`;
  const one = { mediaType: OCI_MANIFEST, digest: `sha256:${'2'.repeat(64)}`, size: 1 };
  const two = { ...one, digest: `sha256:${'3'.repeat(64)}` };
  const page = (found: object[], link?: string): Route => ({
    headers: { 'content-type': OCI_INDEX, ...(link === undefined ? {} : { link }) },
    body: JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: found }),
  });
  const url = `${BASE}/referrers/${digest}`;
  const of = async (routes: Record<string, Route>) =>
    (await source(routes).registry.referrers(digest)).map((descriptor) => descriptor.digest);
  assert.deepEqual(
    await of({
      [url]: page([one], '</v2/a/referrers/x?page=2>; rel="next"'),
      'https://r.example.test/v2/a/referrers/x?page=2': page([two]),
    }),
    [one.digest, two.digest],
  );
  assert.deepEqual(
    await of({
      [url]: page([one], '<https://elsewhere.example.test/x>; rel="next"'),
      'https://elsewhere.example.test/x': page([two]),
    }),
    [one.digest],
  );
  assert.deepEqual(await of({}), []);
  assert.deepEqual(await of({ [url]: { status: 405, body: '' } }), []);
  assert.deepEqual(await of({ [url]: { headers: { 'content-type': 'text/html' }, body: '<html>' } }), []);
  await rejects(source({ [url]: { status: 429, body: '' } }).registry.referrers(digest), 'oci.rate-limited');
  await rejects(source({ [url]: page([one], `<${url}>; rel=next`) }).registry.referrers(digest), 'oci.too-deep');
});

test('a blob that is read has its digest and size', async () => {
  const digest = `sha256:${'1'.repeat(64)}`;
  const descriptor = {
    mediaType: '',
    digest,
    size: 2,
    urls: [],
    platform: undefined,
    annotations: {},
    artifactType: '',
    data: undefined,
  };
  const { registry } = source({ [`${BASE}/blobs/${digest}`]: '{}' });
  await rejects(registry.blob(descriptor, 100), 'oci.digest-mismatch');
  await rejects(registry.blob({ ...descriptor, size: 3 }, 100), 'oci.size-mismatch');
  await rejects(source({}).registry.blob(descriptor, 100), 'oci.registry-answer');
});

test('property: whatever JSON a registry sends, a manifest is read or refused by name', () => {
  const key = fc.constantFrom(
    'schemaVersion',
    'mediaType',
    'config',
    'layers',
    'manifests',
    'digest',
    'size',
    'urls',
    'platform',
    'annotations',
    'subject',
    '__proto__',
    'data',
    'os',
  );
  const leaf = fc.oneof(
    fc.constantFrom(2, 1, OCI_INDEX, OCI_MANIFEST, `sha256:${'0'.repeat(64)}`, null, true, '', -1, MANIFEST),
    fc.string(),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(key, tie('tree'), { maxKeys: 6 }),
    ),
  }));
  fc.assert(
    fc.property(
      fc.dictionary(key, tree),
      fc.constantFrom('', OCI_INDEX, OCI_MANIFEST, 'text/html'),
      (document, media) => {
        try {
          parseManifest(Buffer.from(JSON.stringify({ schemaVersion: 2, ...document })), media, 'here');
        } catch (error) {
          assert.ok(isFault(error), String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('a source can renew the token that it was given', async () => {
  const challenge = {
    status: 401,
    body: '',
    headers: { 'www-authenticate': 'Bearer realm="https://t.example.test/token",service="s"' },
  };
  const { registry, upstream } = source({
    'https://r.example.test/v2/': challenge,
    'https://t.example.test/token?service=s&scope=repository%3Aa%3Apull': '{"token":"second"}',
  });
  const [found] = await registry.sources(`sha256:${'0'.repeat(64)}`, 'blobs');
  assert.ok(found?.kind === 'url');
  assert.equal(found.headers?.['authorization'], undefined);
  assert.equal((await found.renew?.())?.['authorization'], 'Bearer second');
  assert.ok(upstream.asked.includes('https://r.example.test/v2/'));
});
