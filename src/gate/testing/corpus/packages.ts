import { createHash } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import type { ExamineKind } from '../../operations.ts';
import { ar, gzip, tar, type TarEntry, text, zip, type ZipEntry } from './build.ts';
import { codesOf, type Codes, type HostileCase, type Material } from './case.ts';

function caseOf(as: ExamineKind, extension: string) {
  return (id: string, name: string, cve: string, codes: Codes, make: () => Material): HostileCase => {
    const expect = codes === '' ? 'accept' : codes === 'mode' ? 'neutralised' : 'refuse';
    return { id, name: `${as}-${name}`, cve, as, extension, expect, codes: codesOf(codes), make };
  };
}

const manifest = (more: object = {}): TarEntry => ({
  name: 'package/package.json',
  body: JSON.stringify({ name: 'left', version: '1.0.0', ...more }),
});
const npm = caseOf('npm', 'tgz');
const npmOf =
  (...entries: readonly TarEntry[]) =>
  (): Material =>
    gzip(tar(...entries));
const npmWith = (more: object) => npmOf(manifest(more));

const npmCases: readonly HostileCase[] = [
  npm('HC-04', 'name-dots', 'CVE-2026-35206', 'metadata-name', npmWith({ name: '../../evil' })),
  npm('HC-04', 'name-backslash', '', 'metadata-name', npmWith({ name: '..\\evil' })),
  npm('HC-04', 'name-two-scopes', '', 'metadata-name', npmWith({ name: '@a/b/../c' })),
  npm('HC-04', 'name-none', '', 'metadata-name', npmWith({ name: '' })),
  npm('HC-04', 'version-dots', '', 'metadata-name', npmWith({ version: '1.0.0/../../x' })),
  npm('HC-04', 'version-number', '', 'metadata-name', npmWith({ version: 1 })),
  npm('HC-04', 'bin-outside', 'CVE-2019-16775', 'metadata-name', npmWith({ bin: { x: '../../etc/x' } })),
  npm('HC-04', 'bin-name', 'CVE-2019-16776', 'metadata-name', npmWith({ bin: { '../../bin/node': './x.js' } })),
  npm('HC-11', 'no-manifest', '', 'metadata', npmOf({ name: 'package/index.js', body: 'x' })),
  npm('HC-11', 'two-manifests', '', 'duplicate', npmOf(manifest(), manifest({ name: 'right' }))),
  npm('HC-11', 'outside-folder', '', 'layout', npmOf(manifest(), { name: 'index.js', body: 'x' })),
  npm('HC-11', 'two-folders', '', 'layout', npmOf(manifest(), { name: 'other/index.js', body: 'x' })),
  npm(
    'HC-17',
    'manifest-key-twice',
    '',
    'json',
    npmOf({ name: 'package/package.json', body: '{"name":"a","name":"b","version":"1.0.0"}' }),
  ),
  npm(
    'HC-17',
    'manifest-proto',
    '',
    'json',
    npmOf({ name: 'package/package.json', body: '{"__proto__":{},"name":"b","version":"1.0.0"}' }),
  ),
  npm(
    'HC-02',
    'link',
    'CVE-2021-32803',
    'link',
    npmOf(manifest(), { name: 'package/l', type: '2', link: 'package.json' }),
  ),
  npm(
    'HC-03',
    'hardlink',
    'CVE-2026-26960',
    'link',
    npmOf(manifest(), { name: 'package/l', type: '1', link: 'package/package.json' }),
  ),
  npm('HC-01', 'parent', 'CVE-2021-32804', 'name-parent', npmOf(manifest(), { name: 'package/../../evil', body: 'x' })),
  npm('HC-05', 'setuid', 'CVE-2021-32760', 'mode', npmOf(manifest(), { name: 'package/su', mode: 0o4755, body: 'x' })),
  npm('HC-16', 'not-a-tar', '', 'wrong-kind', () => gzip(text('not a tar'))),
  npm(
    'control',
    'plain',
    '',
    '',
    npmOf(manifest({ bin: { x: './x.js' } }), { name: 'package/x.js', body: 'x', mode: 0o755 }),
  ),
  npm('control', 'prerelease', '', '', npmOf(manifest({ version: '1.0.0-rc.1+build' }))),
  npm('control', 'scoped', '', '', npmOf(manifest({ name: '@scope/left' }))),
  npm(
    'control',
    'other-folder',
    '',
    '',
    npmOf(
      { name: 'left/package.json', body: '{"name":"@types/left","version":"1.0.0"}' },
      { name: 'left/index.d.ts', body: 'x' },
    ),
  ),
];

const record = (name: string, body: string, change: { hash?: string; size?: string } = {}): string =>
  `${name},${change.hash ?? `sha256=${createHash('sha256').update(body).digest('base64url')}`},${change.size ?? body.length}\n`;
const METADATA = 'Metadata-Version: 2.1\nName: left\nVersion: 1.0\n';
const WHEEL = 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n';

/** A wheel that is right but for what is said. */
function wheelOf(
  change: {
    metadata?: string;
    wheel?: string;
    info?: string;
    record?: string;
    add?: readonly ZipEntry[];
    code?: string;
  } = {},
): Material {
  const info = change.info ?? 'left-1.0.dist-info';
  const { metadata = METADATA, wheel = WHEEL, code = 'x = 1\n' } = change;
  const rows =
    change.record ??
    `${record('left.py', 'x = 1\n')}${record(`${info}/METADATA`, metadata)}${record(`${info}/WHEEL`, wheel)}${info}/RECORD,,\n`;
  return zip([
    { name: 'left.py', body: code, method: 8 },
    ...(metadata === '' ? [] : [{ name: `${info}/METADATA`, body: metadata }]),
    { name: `${info}/WHEEL`, body: wheel },
    { name: `${info}/RECORD`, body: rows },
    ...(change.add ?? []),
  ]);
}
const wheel = caseOf('wheel', 'zip');
const wheelCases: readonly HostileCase[] = [
  wheel('HC-11', 'hash', 'CVE-2025-54368', 'record', () => wheelOf({ code: 'x = 2\n' })),
  wheel('HC-11', 'unlisted', 'CVE-2025-54368', 'record', () => wheelOf({ add: [{ name: 'evil.py', body: 'x' }] })),
  wheel('HC-11', 'listed-missing', '', 'record', () =>
    wheelOf({ record: `${record('left.py', 'x = 1\n')}${record('gone.py', 'x')}left-1.0.dist-info/RECORD,,\n` }),
  ),
  wheel('HC-15', 'md5', '', 'record', () => wheelOf({ record: record('left.py', 'x = 1\n', { hash: 'md5=abc' }) })),
  wheel('HC-15', 'no-hash', '', 'record', () => wheelOf({ record: 'left.py,,6\n' })),
  wheel('HC-15', 'size', '', 'record', () => wheelOf({ record: record('left.py', 'x = 1\n', { size: '7' }) })),
  wheel('HC-11', 'listed-twice', '', 'record', () =>
    wheelOf({ record: `${record('left.py', 'x = 1\n')}${record('left.py', 'x = 1\n')}` }),
  ),
  wheel('HC-11', 'record-malformed', '', 'record', () => wheelOf({ record: 'left.py;sha256=x;6\n' })),
  wheel('HC-04', 'name-dots', 'CVE-2026-35206', 'metadata-name', () =>
    wheelOf({ metadata: METADATA.replace('left', '../left') }),
  ),
  wheel('HC-04', 'name-other', '', 'metadata-name', () => wheelOf({ metadata: METADATA.replace('left', 'right') })),
  wheel('HC-04', 'version-other', '', 'metadata-name', () =>
    wheelOf({
      metadata: METADATA.replace('1.0', '2.0')
        .replace('Metadata-Version: 2.0', 'Metadata-Version: 2.1')
        .replace('Version: 1.0', 'Version: 2.0'),
    }),
  ),
  wheel('HC-11', 'two-infos', '', 'layout', () =>
    wheelOf({ add: [{ name: 'right-1.0.dist-info/METADATA', body: METADATA }] }),
  ),
  wheel('HC-11', 'no-metadata', '', 'metadata', () => wheelOf({ metadata: '' })),
  wheel('HC-11', 'wheel-version', '', 'metadata', () => wheelOf({ wheel: WHEEL.replace('1.0', '9.0') })),
  wheel('HC-11', 'folder-name', '', 'metadata-name', () => wheelOf({ info: 'left.dist-info' })),
  wheel('HC-02', 'link', '', 'link', () => wheelOf({ add: [{ name: 'l', mode: 0o120777, body: 'left.py' }] })),
  wheel('HC-16', 'not-a-zip', '', 'truncated', () => text('no zip at all, but long enough to be looked at')),
  wheel('control', 'plain', '', '', () => wheelOf()),
  wheel('control', 'sha512', '', '', () => {
    const hash = (body: string): string => `sha512=${createHash('sha512').update(body).digest('base64url')}`;
    const info = 'left-1.0.dist-info';
    const rows = [
      record('left.py', 'x = 1\n', { hash: hash('x = 1\n') }),
      record(`${info}/METADATA`, METADATA, { hash: hash(METADATA) }),
      record(`${info}/WHEEL`, WHEEL, { hash: hash(WHEEL) }),
    ];
    return wheelOf({ record: `${rows.join('')}${info}/RECORD,,\n` });
  }),
  wheel('control', 'signed', '', '', () => wheelOf({ add: [{ name: 'left-1.0.dist-info/RECORD.jws', body: '{}' }] })),
];

const CARGO = '[package]\nedition = "2021"\nname = "left"\nversion = "1.0.0"\n\n[dependencies]\nname = "1"\n';
const crate = caseOf('crate', 'crate');
const crateOf =
  (cargo: string, ...more: readonly TarEntry[]) =>
  (): Material =>
    gzip(tar({ name: 'left-1.0.0/Cargo.toml', body: cargo }, { name: 'left-1.0.0/src/lib.rs', body: 'x' }, ...more));
const crateCases: readonly HostileCase[] = [
  crate(
    'HC-02',
    'cargo-ok',
    'CVE-2022-36113',
    ['layout', 'link'],
    crateOf(CARGO, { name: 'left-1.0.0/.cargo-ok', type: '2', link: '/etc/passwd' }),
  ),
  crate('HC-04', 'name-dots', '', 'metadata-name', crateOf(CARGO.replace('left', '../left'))),
  crate('HC-04', 'name-other', '', 'metadata-name', crateOf(CARGO.replace('left', 'right'))),
  crate('HC-04', 'version-other', '', 'metadata-name', crateOf(CARGO.replace('1.0.0', '1.0.1'))),
  crate('HC-11', 'name-twice', '', 'metadata', crateOf(CARGO.replace('name =', 'name = "right"\nname ='))),
  crate('HC-11', 'other-folder', '', 'layout', crateOf(CARGO, { name: 'right-1.0.0/src/lib.rs', body: 'x' })),
  crate('HC-11', 'no-manifest', '', 'metadata', () => gzip(tar({ name: 'left-1.0.0/lib.rs', body: 'x' }))),
  crate('HC-18', 'bomb', 'CVE-2022-36114', 'ratio', () =>
    gzip(
      tar(
        { name: 'left-1.0.0/Cargo.toml', body: CARGO },
        { name: 'left-1.0.0/z', body: Buffer.alloc(40 * 1024 * 1024) },
      ),
    ),
  ),
  crate('control', 'plain', '', '', crateOf(CARGO)),
  crate(
    'control',
    'original',
    '',
    '',
    crateOf(
      CARGO,
      { name: 'left-1.0.0/Cargo.toml.orig', body: CARGO },
      { name: 'left-1.0.0/.cargo_vcs_info.json', body: '{}' },
    ),
  ),
];

const CHART = 'apiVersion: v2\nname: left\nversion: 1.0.0\n';
const helm = caseOf('helm', 'tgz');
const helmOf =
  (chart: string, ...more: readonly TarEntry[]) =>
  (): Material =>
    gzip(tar({ name: 'left/Chart.yaml', body: chart }, { name: 'left/templates/a.yaml', body: 'a: 1' }, ...more));
const helmCases: readonly HostileCase[] = [
  helm('HC-04', 'name-dots', 'CVE-2026-35206', 'metadata-name', helmOf(CHART.replace('left', '..'))),
  helm('HC-04', 'name-path', 'CVE-2024-25620', 'metadata-name', helmOf(CHART.replace('left', '../../evil'))),
  helm('HC-04', 'version-dots', 'CVE-2026-35204', 'metadata-name', helmOf(CHART.replace('1.0.0', '1.0.0/../..'))),
  helm('HC-04', 'name-other', '', 'metadata-name', helmOf(CHART.replace('left', 'right'))),
  helm(
    'HC-04',
    'subchart-name',
    'CVE-2024-25620',
    'metadata-name',
    helmOf(CHART, { name: 'left/charts/sub/Chart.yaml', body: CHART.replace('left', '..') }),
  ),
  helm('HC-17', 'alias', 'CVE-2019-11253', 'metadata', helmOf(`${CHART}a: &a [x]\nb: [*a, *a]\n`)),
  helm('HC-17', 'key-twice', 'CVE-2026-53550', 'metadata', helmOf(`${CHART}name: right\n`)),
  helm('HC-17', 'not-yaml', '', 'metadata', helmOf('{')),
  helm('HC-11', 'no-chart', '', 'metadata', () => gzip(tar({ name: 'left/values.yaml', body: 'x: 1' }))),
  helm(
    'HC-02',
    'link',
    'CVE-2025-53547',
    'link',
    helmOf(CHART, { name: 'left/Chart.lock', type: '2', link: '/srv/x' }),
  ),
  helm(
    'HC-18',
    'bomb',
    'CVE-2025-32386',
    'ratio',
    helmOf(CHART, { name: 'left/z', body: Buffer.alloc(40 * 1024 * 1024) }),
  ),
  helm('control', 'plain', '', '', helmOf(CHART)),
  helm(
    'control',
    'subchart',
    '',
    '',
    helmOf(CHART, { name: 'left/charts/sub/Chart.yaml', body: CHART.replace('left', 'sub') }),
  ),
];

const gomod = caseOf('gomod', 'zip');
const P = 'example.test/left@v1.0.0';
const GOMOD = 'module example.test/left\n\ngo 1.22\n';
const goOf =
  (...entries: readonly ZipEntry[]) =>
  (): Material =>
    zip(entries);
const gomodCases: readonly HostileCase[] = [
  gomod('HC-01', 'no-prefix', '', 'layout', goOf({ name: `${P}/go.mod`, body: GOMOD }, { name: 'evil.go', body: 'x' })),
  gomod(
    'HC-01',
    'other-version',
    '',
    'layout',
    goOf({ name: `${P}/go.mod`, body: GOMOD }, { name: 'example.test/left@v1.0.1/a.go', body: 'x' }),
  ),
  gomod('HC-01', 'parent', '', 'name-parent', goOf({ name: `${P}/../../evil`, body: 'x' })),
  gomod(
    'HC-04',
    'module-other',
    '',
    'metadata-name',
    goOf({ name: `${P}/go.mod`, body: GOMOD.replace('left', 'right') }),
  ),
  gomod('HC-04', 'module-dots', '', 'metadata-name', goOf({ name: 'example.test/.left@v1.0.0/a.go', body: 'x' })),
  gomod('HC-04', 'version-form', '', 'metadata-name', goOf({ name: 'example.test/left@v01.0.0/a.go', body: 'x' })),
  gomod(
    'HC-11',
    'inner-go-mod',
    '',
    'layout',
    goOf({ name: `${P}/go.mod`, body: GOMOD }, { name: `${P}/sub/go.mod`, body: GOMOD }),
  ),
  gomod('HC-11', 'folder-entry', '', 'layout', goOf({ name: `${P}/go.mod`, body: GOMOD }, { name: `${P}/sub/` })),
  gomod('HC-02', 'link', '', 'link', goOf({ name: `${P}/l`, mode: 0o120777, body: 'go.mod' })),
  gomod('HC-12', 'case', '', 'collision', goOf({ name: `${P}/a.go`, body: 'x' }, { name: `${P}/A.go`, body: 'x' })),
  gomod(
    'control',
    'plain',
    '',
    '',
    goOf({ name: `${P}/go.mod`, body: GOMOD }, { name: `${P}/a.go`, body: 'package left' }),
  ),
];

const POM =
  '<?xml version="1.0"?>\n<project>\n  <groupId>test.example</groupId>\n  <artifactId>left</artifactId>\n  <version>1.0</version>\n</project>\n';
const pom = caseOf('maven', 'pom');
const jar = caseOf('maven', 'jar');
const mavenCases: readonly HostileCase[] = [
  pom('HC-17', 'doctype', '', 'metadata', () =>
    text(POM.replace('<project>', '<!DOCTYPE project [<!ENTITY x SYSTEM "file:///etc/passwd">]><project>')),
  ),
  pom('HC-04', 'artifact-dots', '', 'metadata-name', () => text(POM.replace('left', '../../evil'))),
  pom('HC-04', 'version-property', '', 'metadata-name', () =>
    text(POM.replace('1.0</version>', '${revision}</version>')),
  ),
  pom('HC-11', 'artifact-twice', '', 'metadata', () =>
    text(POM.replace('<version>', '<artifactId>right</artifactId><version>')),
  ),
  pom('HC-17', 'tags', '', 'metadata', () => text(POM.replace('</version>', '</versions>'))),
  pom('HC-17', 'after-end', '', 'metadata', () => text(`${POM}<project/>`)),
  jar('HC-04', 'pom-other', '', 'metadata-name', () =>
    zip([{ name: 'META-INF/maven/test.example/right/pom.xml', body: POM }]),
  ),
  jar('HC-11', 'prefix', 'CVE-2025-54368', 'prefix', () =>
    zip([{ name: 'A.class', body: 'x' }], { prefix: text('GIF89a') }),
  ),
  pom('control', 'pom', '', '', () => text(POM)),
  pom('control', 'parent', '', '', () =>
    text(
      '<project><!-- c --><parent><groupId>a.b</groupId><artifactId>p</artifactId><version>1</version></parent><artifactId>left</artifactId></project>',
    ),
  ),
  jar('control', 'jar', '', '', () =>
    zip([
      { name: 'META-INF/MANIFEST.MF', body: 'x' },
      { name: 'META-INF/maven/test.example/left/pom.xml', body: POM },
    ]),
  ),
];

const CONTROL = 'Package: left\nVersion: 1.0-1\nArchitecture: amd64\nMaintainer: nobody\nDescription: x\n';
const deb = caseOf('deb', 'deb');
const two = text('2.0\n');
const control = (body = CONTROL): Buffer => gzip(tar({ name: './', type: '5' }, { name: './control', body }));
const data = (...entries: readonly TarEntry[]): Buffer =>
  gzip(tar({ name: './', type: '5' }, { name: './usr/bin/su', body: 'x', mode: 0o4755 }, ...entries));
const debOf =
  (...members: readonly (readonly [string, Uint8Array])[]) =>
  (): Material =>
    ar(...members);
const debCases: readonly HostileCase[] = [
  deb(
    'HC-11',
    'order',
    '',
    'layout',
    debOf(['debian-binary', two], ['data.tar.gz', data()], ['control.tar.gz', control()]),
  ),
  deb(
    'HC-11',
    'extra',
    '',
    'layout',
    debOf(['debian-binary', two], ['control.tar.gz', control()], ['data.tar.gz', data()], ['_evil', text('x')]),
  ),
  deb(
    'HC-11',
    'second-control',
    '',
    'layout',
    debOf(
      ['debian-binary', two],
      ['control.tar.gz', control()],
      ['control.tar.gz', control()],
      ['data.tar.gz', data()],
    ),
  ),
  deb('HC-11', 'missing-data', '', 'layout', debOf(['debian-binary', two], ['control.tar.gz', control()])),
  deb(
    'HC-11',
    'version',
    '',
    'metadata',
    debOf(['debian-binary', text('3.0\n')], ['control.tar.gz', control()], ['data.tar.gz', data()]),
  ),
  deb(
    'HC-04',
    'package-dots',
    '',
    'metadata-name',
    debOf(
      ['debian-binary', two],
      ['control.tar.gz', control(CONTROL.replace('left', '../left'))],
      ['data.tar.gz', data()],
    ),
  ),
  deb(
    'HC-04',
    'package-twice',
    '',
    'metadata-name',
    debOf(['debian-binary', two], ['control.tar.gz', control(`${CONTROL}Package: right\n`)], ['data.tar.gz', data()]),
  ),
  deb(
    'HC-01',
    'data-parent',
    'CVE-2022-1664',
    'name-parent',
    debOf(['debian-binary', two], ['control.tar.gz', control()], ['data.tar.gz', data({ name: '../evil', body: 'x' })]),
  ),
  deb(
    'HC-02',
    'data-link-through',
    'CVE-2022-1664',
    'link-through',
    debOf(
      ['debian-binary', two],
      ['control.tar.gz', control()],
      ['data.tar.gz', data({ name: './l', type: '2', link: '/etc' }, { name: './l/evil', body: 'x' })],
    ),
  ),
  deb(
    'HC-06',
    'data-device',
    '',
    'device',
    debOf(
      ['debian-binary', two],
      ['control.tar.gz', control()],
      ['data.tar.gz', data({ name: './dev/null', type: '3' })],
    ),
  ),
  deb(
    'HC-16',
    'data-xz',
    'CVE-2026-28407',
    'truncated',
    debOf(
      ['debian-binary', two],
      ['control.tar.gz', control()],
      ['data.tar.xz', Buffer.from('fd377a585a000004e6d6b446', 'hex')],
    ),
  ),
  deb(
    'HC-16',
    'data-other',
    '',
    'wrong-kind',
    debOf(['debian-binary', two], ['control.tar.gz', control()], ['data.tar.gz', text('no archive')]),
  ),
  deb('HC-09', 'trailing', '', 'trailing', () =>
    Buffer.concat([ar(['debian-binary', two], ['control.tar.gz', control()], ['data.tar.gz', data()]), text('hidden')]),
  ),
  deb('HC-10', 'ar-size', '', 'truncated', () =>
    ar(['debian-binary', two], ['control.tar.gz', control()], ['data.tar.gz', data()]).subarray(0, -30),
  ),
  deb('HC-10', 'ar-header', '', 'header', () => {
    const bytes = ar(['debian-binary', two], ['control.tar.gz', control()]);
    bytes.write('-1', 8 + 48, 'latin1');
    return bytes;
  }),
  deb('control', 'gzip', '', '', debOf(['debian-binary', two], ['control.tar.gz', control()], ['data.tar.gz', data()])),
  deb(
    'control',
    'zstd',
    '',
    '',
    debOf(
      ['debian-binary', two],
      ['control.tar.zst', zstdCompressSync(tar({ name: './control', body: CONTROL }))],
      ['data.tar', tar({ name: './usr/a', body: 'x' })],
    ),
  ),
];

/** Cases of packages of each ecosystem. */
export const packageCases: readonly HostileCase[] = [
  ...npmCases,
  ...wheelCases,
  ...crateCases,
  ...helmCases,
  ...gomodCases,
  ...mavenCases,
  ...debCases,
];
