import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFault } from '#kernel';
import { DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, parseManifest, refuseForeign } from './manifest.ts';
import { runsOn } from './platform.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;
const blob = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: DIGEST, size: 1 };
const image = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: blob, layers: [blob] };
const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ ...blob, mediaType: OCI_MANIFEST }] };

function code(document: unknown, media = ''): string {
  const bytes = Buffer.from(typeof document === 'string' ? document : JSON.stringify(document));
  try {
    return parseManifest(bytes, media, 'here').kind;
  } catch (error) {
    if (isFault(error)) return error.code;
    throw error;
  }
}

test('images and indexes are read, also without their own media type', () => {
  assert.equal(code(image), 'manifest');
  assert.equal(code(image, `${OCI_MANIFEST}; charset=utf-8`), 'manifest');
  assert.equal(code(index, OCI_INDEX), 'index');
  assert.equal(code({ ...image, mediaType: undefined }), 'manifest');
  assert.equal(code({ ...index, mediaType: undefined }), 'index');
  assert.equal(code({ ...image, mediaType: DOCKER_MANIFEST }, DOCKER_MANIFEST), 'manifest');
});

test('a document that two readers see differently is refused (CVE-2021-41190)', () => {
  for (const [document, media] of [
    [{ ...image, manifests: index.manifests }, OCI_MANIFEST],
    [{ ...index, layers: [] }, OCI_INDEX],
    [image, OCI_INDEX],
    [image, DOCKER_MANIFEST],
    [{ ...image, mediaType: OCI_INDEX }, ''],
    [{ ...index, mediaType: OCI_MANIFEST }, ''],
    [{ ...index, mediaType: undefined }, OCI_MANIFEST],
  ] as const) {
    assert.equal(code(document, media), 'oci.manifest-ambiguous', `${JSON.stringify(document)} as ${media}`);
  }
});

test('what cannot be read is refused by name', () => {
  const cases: readonly (readonly [unknown, string])[] = [
    ['', 'oci.manifest-malformed'],
    ['[]', 'oci.manifest-malformed'],
    ['\u00ff', 'oci.manifest-malformed'],
    [{ ...image, schemaVersion: 1 }, 'oci.schema1'],
    [{ schemaVersion: 2, fsLayers: [] }, 'oci.schema1'],
    [{ ...image, schemaVersion: '2' }, 'oci.manifest-malformed'],
    [{ ...image, mediaType: 'application/json' }, 'oci.manifest-malformed'],
    [{ ...image, config: { ...blob, size: -1 } }, 'oci.manifest-malformed'],
    [{ ...image, config: { ...blob, size: 1e300 } }, 'oci.manifest-malformed'],
    [{ ...image, config: { ...blob, digest: 'sha256:../../x' } }, 'oci.manifest-malformed'],
    [{ ...image, config: { ...blob, digest: `md5:${'0'.repeat(32)}` } }, 'oci.digest-unsupported'],
    [{ ...image, layers: { length: 1 } }, 'oci.manifest-malformed'],
    [{ ...image, layers: [null] }, 'oci.manifest-malformed'],
    [{ ...image, annotations: { a: 1 } }, 'oci.manifest-malformed'],
    [{ ...index, manifests: Array.from({ length: 10_001 }, () => blob) }, 'oci.too-deep'],
  ];
  for (const [document, expected] of cases)
    assert.equal(code(document), expected, JSON.stringify(document).slice(0, 80));
});

test('foreign layers are refused', () => {
  const layer = { ...blob, urls: [], platform: undefined, annotations: {}, artifactType: '', data: undefined };
  refuseForeign({ ...layer, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' }, 'here');
  for (const one of [
    { ...layer, mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' },
    { ...layer, mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar' },
    { ...layer, urls: ['https://elsewhere.example.test/layer'] },
  ]) {
    assert.throws(
      () => refuseForeign(one, 'here'),
      (error) => isFault(error) && error.code === 'oci.foreign-layer',
    );
  }
});

test('a target runs what its processor can run', () => {
  const on = (arch: string, variant: string | undefined, architecture: string, needs: string): boolean =>
    runsOn(
      { name: 't', os: 'linux', arch, ...(variant === undefined ? {} : { variant }) },
      { os: 'linux', architecture, variant: needs },
    );
  assert.ok(on('amd64', undefined, 'amd64', ''));
  assert.ok(on('amd64', undefined, 'amd64', 'v1'));
  assert.ok(!on('amd64', undefined, 'amd64', 'v3'));
  assert.ok(on('amd64', 'v3', 'amd64', 'v2'));
  assert.ok(!on('amd64', 'v2', 'amd64', 'v3'));
  assert.ok(on('arm64', undefined, 'arm64', 'v8'));
  assert.ok(on('arm64', undefined, 'arm64', ''));
  assert.ok(on('arm', 'v7', 'arm', 'v6'));
  assert.ok(!on('arm', 'v6', 'arm', 'v7'));
  assert.ok(on('arm', undefined, 'arm', 'v7'));
  assert.ok(!on('amd64', undefined, 'arm64', ''));
});
