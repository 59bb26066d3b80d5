import { createHash } from 'node:crypto';
import type { Target } from '#kernel';
import { tarball, zip } from './archives.ts';
import type { Sample } from './contract.ts';
import { hashOf } from './memory.ts';

export const NPM_REGISTRY = 'https://registry.example.test/mirror/npm/';
export const PYPI_INDEX = 'https://index.example.test/root/simple/';

export const linuxAmd64: Target = {
  name: 'linux-amd64',
  os: 'linux',
  arch: 'amd64',
  libc: { name: 'glibc', version: '2.36' },
  python: [{ implementation: 'cpython', version: '3.11' }],
  node: '26.10.0',
};
export const linuxArm64: Target = { ...linuxAmd64, name: 'linux-arm64', arch: 'arm64' };
export const alpine: Target = { ...linuxAmd64, name: 'alpine', libc: { name: 'musl', version: '1.2' } };

export function sri(bytes: Uint8Array, algorithm = 'sha512'): string {
  return `${algorithm}-${createHash(algorithm).update(bytes).digest('base64')}`;
}

/** A package of an npm registry: its tarball and its entry in a packument. */
export function npmPackage(name: string, version: string, manifest: Readonly<Record<string, unknown>> = {}) {
  const packageJson = { name, version, main: 'index.js', ...manifest };
  const bytes = tarball({
    'package/package.json': JSON.stringify(packageJson),
    'package/index.js': `module.exports = ${JSON.stringify(`${name} ${version}`)};\n`,
  });
  const file = `${name.slice(name.indexOf('/') + 1)}-${version}.tgz`;
  const url = `${NPM_REGISTRY}${name}/-/${file}`;
  const dist = {
    tarball: url,
    integrity: sri(bytes),
    shasum: hashOf('sha1', bytes),
    signatures: [{ keyid: 'k', sig: 's' }],
  };
  return { name, version, file, url, bytes, integrity: dist.integrity, manifest: { ...packageJson, dist } };
}

/** An npm registry that has these packages, as addresses and answers. */
export function npmRegistry(packages: readonly ReturnType<typeof npmPackage>[], registry = NPM_REGISTRY) {
  const routes: Record<string, Uint8Array | string> = {};
  for (const name of new Set(packages.map((p) => p.name))) {
    const own = packages.filter((p) => p.name === name);
    routes[`${registry}${name.replace('/', '%2f')}`] = JSON.stringify({
      _id: name,
      name,
      'dist-tags': { latest: own.at(-1)?.version, next: own[0]?.version },
      versions: Object.fromEntries(own.map((p) => [p.version, p.manifest])),
      time: {
        created: '2019-01-01T00:00:00.000Z',
        modified: '2026-01-01T00:00:00.000Z',
        ...Object.fromEntries(own.map((p, i) => [p.version, `2020-01-0${i + 1}T10:11:12.345Z`])),
      },
      readme: 'kept as upstream has it',
    });
    for (const p of own) routes[p.url] = p.bytes;
  }
  return routes;
}

export function npmSample(): Sample & { readonly packages: ReturnType<typeof npmPackage>[] } {
  const left = npmPackage('left', '1.2.0', { dependencies: { '@demo/right': '^2.0.0' } });
  const older = npmPackage('left', '1.1.0');
  const newer = npmPackage('left', '2.0.0');
  const right = npmPackage('@demo/right', '2.0.1');
  const packages = [older, left, newer, right];
  return {
    packages,
    input: { path: 'web/package-lock.json', bytes: npmLock({ left: '^1.0.0' }, [left, right], true) },
    targets: [linuxAmd64],
    settings: { npm: { registries: [NPM_REGISTRY], scopes: {} } },
    upstream: npmRegistry(packages),
    served: [
      { path: '/npm/left/-/left-1.2.0.tgz', bytes: left.bytes },
      { path: '/npm/@demo/right/-/right-2.0.1.tgz', bytes: right.bytes },
      { path: '/npm/@demo%2fright/-/right-2.0.1.tgz', bytes: right.bytes },
      { path: '/npm/mirror/npm/left/-/left-1.2.0.tgz', bytes: left.bytes },
    ],
    missing: { path: '/npm/left/-/left-1.1.0.tgz', says: /"error":.*left-1\.1\.0\.tgz.*it has 1\.2\.0/, name: 'left' },
    tamper: { at: left.url, bytes: npmPackage('left', '1.2.0', { scripts: { postinstall: 'evil' } }).bytes },
  };
}

/** A package-lock.json of version 3 for a project with these packages at its top. */
export function npmLock(
  dependencies: Readonly<Record<string, string>>,
  packages: readonly ReturnType<typeof npmPackage>[],
  resolved: boolean,
  extra: Readonly<Record<string, unknown>> = {},
): string {
  const entries = packages.map((p) => {
    const { dist: _, name: __, main: ___, version, ...rest } = p.manifest as unknown as Record<string, unknown>;
    return [
      `node_modules/${p.name}`,
      { version, ...(resolved && { resolved: p.url }), integrity: p.integrity, ...rest },
    ];
  });
  const root = { name: 'demo-app', version: '1.0.0', dependencies };
  const all = { '': root, ...Object.fromEntries(entries), ...extra };
  return `${JSON.stringify({ name: 'demo-app', version: '1.0.0', lockfileVersion: 3, requires: true, packages: all }, undefined, 2)}\n`;
}

/** A pure or platform wheel that pip can install. */
export function wheel(project: string, version: string, tag = 'py3-none-any', requires: readonly string[] = []) {
  const module = project.replace(/-/g, '_');
  const info = `${module}-${version}.dist-info`;
  const metadata = [
    'Metadata-Version: 2.1',
    `Name: ${project}`,
    `Version: ${version}`,
    ...requires.map((r) => `Requires-Dist: ${r}`),
    '',
  ].join('\n');
  const pure = tag.endsWith('-any');
  const files: Record<string, string> = {
    [`${module}.py`]: `VERSION = ${JSON.stringify(`${project} ${version}`)}\n`,
    [`${info}/METADATA`]: metadata,
    [`${info}/WHEEL`]: `Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: ${pure}\nTag: ${tag}\n`,
  };
  const record = Object.entries(files).map(([path, content]) => {
    const hash = createHash('sha256').update(content).digest('base64url');
    return `${path},sha256=${hash},${Buffer.byteLength(content)}\n`;
  });
  files[`${info}/RECORD`] = `${record.join('')}${info}/RECORD,,\n`;
  const bytes = zip(files);
  const file = `${module}-${version}-${tag}.whl`;
  return { project, version, file, bytes, metadata: Buffer.from(metadata), sha256: hashOf('sha256', bytes) };
}

export interface IndexedFile {
  readonly project: string;
  readonly version: string;
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly metadata?: Uint8Array;
  readonly sha256: string;
}

/** An index that has these files, in the JSON form. */
export function pypiIndex(files: readonly IndexedFile[], index = PYPI_INDEX) {
  const routes: Record<string, { body: Uint8Array | string; headers?: Record<string, string> }> = {};
  for (const project of new Set(files.map((f) => f.project))) {
    const own = files.filter((f) => f.project === project);
    routes[`${index}${project}/`] = {
      headers: { 'content-type': 'application/vnd.pypi.simple.v1+json' },
      body: JSON.stringify({
        meta: { 'api-version': '1.1' },
        name: project,
        versions: [...new Set(own.map((f) => f.version))],
        files: own.map((f, i) => ({
          filename: f.file,
          url: `../../packages/${f.sha256.slice(0, 4)}/${f.file}`,
          hashes: { sha256: f.sha256 },
          size: f.bytes.length,
          'upload-time': `2021-02-0${i + 1}T03:04:05.678901Z`,
          'requires-python': '>=3.8',
          yanked: false,
          ...(f.metadata !== undefined && { 'core-metadata': { sha256: hashOf('sha256', f.metadata) } }),
        })),
      }),
    };
    for (const f of own) {
      const url = new URL(`../../packages/${f.sha256.slice(0, 4)}/${f.file}`, `${index}${project}/`).href;
      routes[url] = { body: f.bytes };
      if (f.metadata !== undefined) routes[`${url}.metadata`] = { body: f.metadata };
    }
  }
  return routes;
}

export function pypiSample(): Sample & { readonly wheels: ReturnType<typeof wheel>[] } {
  const pure = wheel('demo-pure', '1.4.0');
  const old = wheel('demo-pure', '1.3.0');
  const native = wheel('demo-native', '2.0', 'cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64');
  const arm = wheel('demo-native', '2.0', 'cp311-cp311-manylinux_2_17_aarch64');
  const wheels = [old, pure, native, arm];
  const url = (w: IndexedFile): string =>
    new URL(`../../packages/${w.sha256.slice(0, 4)}/${w.file}`, `${PYPI_INDEX}${w.project}/`).href;
  const path = (w: IndexedFile): string => `/pypi/files/${w.sha256.slice(0, 16)}/${w.file}`;
  return {
    wheels,
    input: {
      path: 'api/requirements.txt',
      bytes: [
        '# made by a tool',
        `Demo_Pure==1.4.0 \\`,
        `    --hash=sha256:${pure.sha256}`,
        `demo-native==2.0 ; python_version >= "3.8" \\`,
        `    --hash=sha256:${native.sha256} \\`,
        `    --hash=sha256:${arm.sha256}`,
        '    # via demo',
        '',
      ].join('\n'),
    },
    targets: [linuxAmd64],
    settings: { pip: { registries: [PYPI_INDEX], scopes: {} } },
    upstream: pypiIndex(wheels),
    served: [
      { path: path(pure), bytes: pure.bytes },
      { path: `${path(pure)}.metadata`, bytes: pure.metadata },
      { path: path(native), bytes: native.bytes },
    ],
    missing: { path: path(arm), says: /aarch64.*is not in this depot/, name: 'demo-native' },
    tamper: { at: url(native), bytes: wheel('demo-native', '2.0', 'cp311-cp311-linux_x86_64').bytes },
  };
}
