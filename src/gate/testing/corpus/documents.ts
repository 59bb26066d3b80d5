import { createHash } from 'node:crypto';
import { gzip, tar, type TarEntry, text } from './build.ts';
import { codesOf, type Codes, type Held, type HostileCase, type Material } from './case.ts';

const json = (id: string, name: string, cve: string, document: string | Uint8Array, good = false): HostileCase => ({
  id,
  name: `json-${name}`,
  cve,
  as: 'json',
  extension: 'json',
  expect: good ? 'accept' : 'refuse',
  codes: good ? [] : ['examine.json'],
  make: () => (typeof document === 'string' ? text(document) : document),
});

/** JSON documents that two readers read in two ways. */
const jsonCases: readonly HostileCase[] = [
  json('HC-17', 'key-twice', 'CVE-2017-12635', '{"a":1,"a":2}'),
  json('HC-17', 'key-twice-escaped', 'CVE-2017-12635', '{"a":1,"\\u0061":2}'),
  json('HC-17', 'proto', 'CVE-2019-10744', '{"__proto__":{"x":1}}'),
  json('HC-17', 'proto-escaped', 'CVE-2019-10744', '{"\\u005f_proto__":{"x":1}}'),
  json('HC-17', 'integer', '', '{"a":9007199254740993}'),
  json('HC-17', 'integer-negative', '', '[-9007199254740993]'),
  json('HC-17', 'number-infinite', '', '[1e999]'),
  json('HC-17', 'surrogate', '', '["\\ud800"]'),
  json('HC-17', 'surrogate-low', '', '["\\udc00\\ud800"]'),
  json('HC-17', 'bom', '', Buffer.from('efbbbf7b7d', 'hex')),
  json('HC-17', 'utf8', '', Buffer.from('5b22ff225d', 'hex')),
  json('HC-17', 'utf16', '', Buffer.from('fffe5b005d00', 'hex')),
  json('HC-17', 'trailing', '', '{} {}'),
  json('HC-17', 'trailing-nul', '', '{}\0'),
  json('HC-17', 'cut', 'CVE-2024-24786', '{"a":'),
  json('HC-17', 'comment', '', '{/* */}'),
  json('HC-17', 'single-quotes', '', "{'a':1}"),
  json('HC-17', 'leading-zero', '', '[01]'),
  json('HC-17', 'nan', '', '[NaN]'),
  json('HC-17', 'control', '', '["a\tb"]'),
  json('HC-19', 'deep', 'CVE-2025-55199', '['.repeat(100_000)),
  json('HC-19', 'deep-closed', 'CVE-2025-55199', `${'['.repeat(65)}${']'.repeat(65)}`),
  {
    ...json('HC-19', 'large', 'CVE-2025-66506', ''),
    codes: ['examine.document-size'],
    make: () => ({ size: 9 * 1024 * 1024, holes: [{ at: 0, bytes: text('["') }] }),
  },
  json('control', 'plain', '', '{"a":[1,-2.5e3,null,true,"\\ud83d\\ude00"],"b":{}}', true),
  json('control', 'numbers', '', '[0,-0,9007199254740991,1e-400,0.1]', true),
  json('control', 'escapes', '', '{"\\u0061":"\\/\\b"," proto ":1}', true),
  json('control', 'empty', '', '{}', true),
  json('control', 'depth', '', `${'['.repeat(60)}${']'.repeat(60)}`, true),
];

type Text = { [key: string]: unknown };
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const M = 'application/vnd.oci.image.manifest.v1+json';
const I = 'application/vnd.oci.image.index.v1+json';
const C = 'application/vnd.oci.image.config.v1+json';
const L = 'application/vnd.oci.image.layer.v1.tar+gzip';

interface LayoutChange {
  readonly layer?: readonly TarEntry[];
  readonly layerBytes?: Uint8Array;
  readonly layerType?: string;
  readonly layerMore?: Text;
  readonly config?: Text;
  readonly manifest?: (manifest: Text) => Text;
  readonly descriptor?: Text;
  readonly index?: (index: Text) => Text | string;
  readonly files?: (files: Record<string, Held>) => void;
}

/** An OCI layout that is right but for what is said. */
export function layoutOf(change: LayoutChange = {}): { folder: Record<string, Held> } {
  const plain = tar(...(change.layer ?? [{ name: 'etc/motd', body: 'hello' }]));
  const layer = change.layerBytes ?? gzip(plain);
  const config = text(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha(plain)}`] },
      ...change.config,
    }),
  );
  const describe = (mediaType: string, bytes: Uint8Array): Text => ({
    mediaType,
    digest: `sha256:${sha(bytes)}`,
    size: bytes.length,
  });
  const first: Text = {
    schemaVersion: 2,
    mediaType: M,
    config: describe(C, config),
    layers: [{ ...describe(change.layerType ?? L, layer), ...change.layerMore }],
  };
  const manifest = text(JSON.stringify(change.manifest?.(first) ?? first));
  const index: Text = {
    schemaVersion: 2,
    mediaType: I,
    manifests: [{ ...describe(M, manifest), ...change.descriptor }],
  };
  const changed = change.index?.(index) ?? index;
  const folder: Record<string, Held> = {
    'oci-layout': text('{"imageLayoutVersion":"1.0.0"}'),
    'index.json': text(typeof changed === 'string' ? changed : JSON.stringify(changed)),
    [`blobs/sha256/${sha(manifest)}`]: manifest,
    [`blobs/sha256/${sha(config)}`]: config,
    [`blobs/sha256/${sha(layer)}`]: layer,
  };
  change.files?.(folder);
  return { folder };
}

const oci = (id: string, name: string, cve: string, codes: Codes, change: LayoutChange): HostileCase => ({
  id,
  name: `oci-${name}`,
  cve,
  as: 'oci',
  extension: '',
  expect: codes === '' ? 'accept' : 'refuse',
  codes: codesOf(codes),
  make: (): Material => layoutOf(change),
});
const layerCase = (id: string, name: string, cve: string, codes: Codes, ...layer: TarEntry[]): HostileCase =>
  oci(id, `layer-${name}`, cve, codes, { layer });
const hex = 'a'.repeat(64);
const blobs = (files: Record<string, Held>): string[] => Object.keys(files).filter((name) => name.startsWith('blobs/'));

const ociCases: readonly HostileCase[] = [
  oci('HC-14', 'two-documents', 'CVE-2021-41190', 'two-documents', { manifest: (m) => ({ ...m, manifests: [] }) }),
  oci('HC-14', 'media-type', 'CVE-2021-41190', 'media-type', { manifest: (m) => ({ ...m, mediaType: I }) }),
  oci('HC-14', 'descriptor-type', 'CVE-2021-41190', 'media-type', { descriptor: { mediaType: I } }),
  oci('HC-14', 'unknown-type', '', 'media-type', { descriptor: { mediaType: 'application/json' } }),
  oci('HC-14', 'neither', '', 'media-type', { manifest: () => ({ schemaVersion: 2 }) }),
  oci('HC-14', 'schema-1', '', 'media-type', { manifest: (m) => ({ ...m, schemaVersion: 1 }) }),
  oci('HC-14', 'platform', '', 'platform', { descriptor: { platform: { os: 'linux', architecture: 'arm64' } } }),
  oci('HC-14', 'foreign-url', 'CVE-2020-15157', 'foreign-layer', {
    layerMore: { urls: ['http://registry.example.test/x'] },
  }),
  oci('HC-14', 'foreign-type', 'CVE-2020-15157', 'foreign-layer', {
    layerType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  }),
  oci('HC-14', 'layer-type', '', 'media-type', { layerType: 'application/vnd.oci.image.layer.v1.tar' }),
  oci('HC-14', 'layer-type-unknown', '', 'media-type', { layerType: 'application/x-evil' }),
  oci('HC-15', 'digest-path', 'CVE-2024-3727', 'digest-form', { layerMore: { digest: 'sha256:../../../etc/passwd' } }),
  oci('HC-15', 'digest-upper', 'CVE-2024-3727', 'digest-form', { layerMore: { digest: `sha256:${'A'.repeat(64)}` } }),
  oci('HC-15', 'digest-short', 'CVE-2024-3727', 'digest-form', { layerMore: { digest: 'sha256:abcd' } }),
  oci('HC-15', 'digest-md5', '', 'digest-form', { layerMore: { digest: `md5:${'a'.repeat(32)}` } }),
  oci('HC-15', 'digest-unknown', '', 'digest-form', { layerMore: { digest: `blake9:${hex}` } }),
  oci('HC-15', 'digest-number', '', 'digest-form', { layerMore: { digest: 7 } }),
  oci('HC-15', 'digest-newline', '', 'digest-form', { layerMore: { digest: `sha256:${hex}\n` } }),
  oci('HC-15', 'size', '', 'descriptor', { layerMore: { size: 1 } }),
  oci('HC-15', 'size-negative', '', 'descriptor', { layerMore: { size: -1 } }),
  oci('HC-15', 'size-fraction', '', 'descriptor', { layerMore: { size: 1.5 } }),
  oci('HC-15', 'data', '', 'descriptor', { layerMore: { data: 'ZXZpbA==' } }),
  oci('HC-15', 'missing', '', 'missing', { layerMore: { digest: `sha256:${hex}` } }),
  oci('HC-15', 'content', '', 'digest', {
    files: (files) => {
      for (const name of blobs(files)) {
        const bytes = Buffer.from(files[name] as Uint8Array);
        if (bytes[0] === 0x1f) continue;
        if (bytes.includes('rootfs')) files[name] = Buffer.from(bytes.toString().replace('amd64', 'amd65'));
      }
    },
  }),
  oci('HC-15', 'diff-id', '', 'digest', { config: { rootfs: { type: 'layers', diff_ids: [`sha256:${hex}`] } } }),
  oci('HC-15', 'diff-ids-few', '', 'descriptor', { config: { rootfs: { type: 'layers', diff_ids: [] } } }),
  oci('HC-11', 'unreferenced', '', 'unreferenced', {
    files: (files) => (files[`blobs/sha256/${sha(text('x'))}`] = text('x')),
  }),
  oci('HC-11', 'other-file', '', 'layout', { files: (files) => (files['evil.sh'] = text('x')) }),
  oci('HC-02', 'blob-link', 'CVE-2026-50162', ['link', 'missing'], {
    files: (files) => {
      for (const name of blobs(files)) if (name.includes('/')) files[name] = { link: '/etc/passwd' };
    },
  }),
  oci('HC-06', 'blob-fifo', '', 'special', { files: (files) => (files[`blobs/sha256/${hex}`] = { fifo: true }) }),
  oci('HC-11', 'no-marker', '', 'layout', { files: (files) => delete files['oci-layout'] }),
  oci('HC-11', 'no-index', '', 'layout', { files: (files) => delete files['index.json'] }),
  oci('HC-11', 'version', '', 'layout', {
    files: (files) => (files['oci-layout'] = text('{"imageLayoutVersion":"9.0.0"}')),
  }),
  oci('HC-17', 'index-key-twice', '', 'json', {
    index: (index) => JSON.stringify(index).replace('{', '{"schemaVersion":2,'),
  }),
  oci('HC-17', 'index-proto', '', 'json', { index: (index) => JSON.stringify(index).replace('{', '{"__proto__":{},') }),
  oci('HC-17', 'manifests-object', '', 'descriptor', { index: (index) => ({ ...index, manifests: {} }) }),
  layerCase('HC-01', 'parent', 'CVE-2026-28406', 'name-parent', { name: '../evil', body: 'x' }),
  layerCase('HC-01', 'absolute', 'CVE-2026-28406', 'name-absolute', { name: '/etc/evil', body: 'x' }),
  layerCase(
    'HC-02',
    'link-through',
    'CVE-2025-47290',
    'link-through',
    { name: 'x', type: '2', link: '/etc' },
    { name: 'x/evil', body: 'x' },
  ),
  layerCase('HC-03', 'hardlink', 'CVE-2026-50163', 'link-outside', { name: 'x', type: '1', link: '../../etc/shadow' }),
  layerCase('HC-06', 'device', '', 'device', { name: 'dev/sda', type: '4' }),
  layerCase('HC-08', 'dev-link', 'CVE-2026-41579', 'root-link', { name: 'dev', type: '2', link: 'tmp' }),
  layerCase('HC-08', 'proc-link', 'CVE-2026-41579', 'root-link', { name: './proc', type: '2', link: '/tmp' }),
  layerCase('HC-08', 'whiteout-parent', '', 'whiteout', { name: 'a/.wh...' }),
  layerCase('HC-08', 'whiteout-itself', '', 'whiteout', { name: 'a/.wh.' }),
  layerCase('HC-08', 'whiteout-whiteout', '', 'whiteout', { name: 'a/.wh..wh.x' }),
  layerCase('HC-13', 'control', 'CVE-2021-25743', 'name-control', { name: 'a\u001b[2J', body: 'x' }),
  oci('HC-09', 'layer-trailing', '', 'trailing', {
    layerBytes: Buffer.concat([gzip(tar({ name: 'a' })), text('hidden')]),
  }),
  layerCase('HC-16', 'nested-cut', 'CVE-2026-28407', 'truncated', {
    name: 'usr/share/testdata/cut.tar.gz',
    body: gzip(tar({ name: 'a', body: 'x' })).subarray(0, -8),
  }),
  layerCase('HC-16', 'nested-parent', 'CVE-2026-28407', 'name-parent', {
    name: 'usr/share/testdata/evil.tar',
    body: tar({ name: '../evil', body: 'x' }),
  }),
  oci('HC-18', 'layer-bomb', 'CVE-2023-25153', 'ratio', {
    layer: [{ name: 'z', body: Buffer.alloc(40 * 1024 * 1024) }],
  }),
  oci('control', 'plain', '', '', {}),
  oci('control', 'system', '', '', {
    layer: [
      { name: 'usr/bin/su', mode: 0o4755, body: 'x' },
      { name: 'bin', type: '2', link: 'usr/bin' },
      { name: 'etc/mtab', type: '2', link: '/proc/mounts' },
      { name: 'usr/share/A', body: 'x' },
      { name: 'usr/share/a', body: 'x' },
      { name: 'var/.wh.old' },
      { name: 'var/.wh..wh..opq' },
    ],
  }),
  oci('control', 'empty-layer', '', '', { layer: [] }),
  oci('control', 'nested-good', '', '', {
    layer: [{ name: 'usr/share/doc/changelog.gz', body: gzip(text('harmless')) }],
  }),
  oci('control', 'platform-right', '', '', {
    manifest: (m) => ({ ...m, annotations: { a: 'b' } }),
    descriptor: { platform: { os: 'linux', architecture: 'amd64' } },
  }),
];

const medium = (id: string, name: string, cve: string, codes: Codes, folder: Record<string, Held>): HostileCase => ({
  id,
  name: `medium-${name}`,
  cve,
  as: 'medium',
  extension: '',
  expect: codes === '' ? 'accept' : 'refuse',
  codes: codesOf(codes),
  make: () => ({ folder }),
});
const x = text('x');
const mediumCases: readonly HostileCase[] = [
  medium('HC-26', 'autorun', 'CVE-2010-2568', 'autorun', { 'autorun.inf': text('[autorun]\nopen=evil.exe\n') }),
  medium('HC-26', 'autorun-case', 'CVE-2010-2568', 'autorun', { 'AutoRun.INF': x }),
  medium('HC-26', 'autorun-linux', '', 'autorun', { 'autorun.sh': x }),
  medium('HC-26', 'shortcut', 'CVE-2010-2568', 'shortcut', { 'photos.lnk': x }),
  medium('HC-26', 'shortcut-hidden', 'CVE-2017-8464', 'shortcut', {
    'readme.txt': Buffer.concat([Buffer.from('4c0000000114020000000000c000000000000046', 'hex'), Buffer.alloc(100)]),
  }),
  medium('HC-26', 'desktop-ini', '', 'shortcut', { 'docs/desktop.ini': x }),
  medium('HC-26', 'scf', '', 'shortcut', { 'a.scf': x }),
  medium('HC-26', 'library', 'CVE-2025-24071', 'shortcut', { 'a.library-ms': x }),
  medium('HC-26', 'link', '', 'link', { bundle: { link: '/etc/passwd' } }),
  medium('HC-26', 'link-inside', '', 'link', { a: x, b: { link: 'a' } }),
  medium('HC-26', 'fifo', '', 'special', { pipe: { fifo: true } }),
  medium('HC-26', 'case', '', 'collision', { 'A.TXT': x, 'a.txt': x }),
  medium('HC-26', 'reserved', '', 'name-windows', { 'AUX.txt': x }),
  medium('HC-26', 'trailing-dot', '', 'name-windows', { 'a.': x }),
  medium('HC-26', 'control', 'CVE-2021-25743', 'name-control', { 'a\u001b[2J': x }),
  medium('HC-26', 'bidi', 'CVE-2021-42574', 'name-control', { 'a\u202egpj.exe': x }),
  medium('HC-26', 'backslash', '', 'name-backslash', { 'a\\b': x }),
  medium('HC-26', 'empty', '', 'empty', {}),
  medium('control', 'unicode', '', '', { 'gr\u00fc\u00dfe.txt': x, '\u65e5\u672c/a': x }),
  medium('control', 'deep', '', '', { 'a/b/c/d/e/f.txt': x }),
  medium('control', 'plain', '', '', { 'storefront.bundle': x, 'docs/README.txt': x }),
];

/** Cases of JSON documents, OCI layouts and mounted media. */
export const documentCases: readonly HostileCase[] = [...jsonCases, ...ociCases, ...mediumCases];
