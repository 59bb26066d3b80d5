import { zstdCompressSync } from 'node:zlib';
import { codesOf, type Codes, type HostileCase, type Material } from './case.ts';
import { END, gzip, member, pax, tar, type TarEntry, text, zip } from './build.ts';

const ok: TarEntry = { name: 'a.txt', body: 'harmless' };
const link = (name: string, target: string): TarEntry => ({ name, type: '2', link: target });
const hard = (name: string, target: string): TarEntry => ({ name, type: '1', link: target });

function one(
  id: string,
  name: string,
  cve: string,
  codes: Codes,
  make: () => Material,
  extension = 'tar',
): HostileCase {
  const expect = codes === '' ? 'accept' : codes === 'mode' || codes === 'attributes' ? 'neutralised' : 'refuse';
  return { id, name: `tar-${name}`, cve, as: 'tar', extension, expect, codes: codesOf(codes), make };
}

const of =
  (...parts: readonly (Uint8Array | TarEntry)[]) =>
  (): Material =>
    tar(...parts);
const named = (name: string, id: string, codes: Codes, label: string, cve = ''): HostileCase =>
  one(id, `name-${label}`, cve, codes, of({ name, body: 'x' }));

function bomb(megabytes: number): Buffer {
  return gzip(tar({ name: 'zeros', body: Buffer.alloc(megabytes * 1024 * 1024) }));
}

function nestedTars(depth: number): Buffer {
  let inner: Buffer = tar(ok);
  for (let level = 1; level < depth; level++) inner = tar({ name: `level${level}.tar`, body: inner });
  return inner;
}

/** `tar(ok)` as liblzma compresses it; nothing here writes xz. */
const xz = Buffer.from(
  '/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4Af/AERdADCLiofEDvKXpPh1PcWp7dmXqZhJyAi8azFkhguXriIP2boQ+xnBek86Vb9JSWWy' +
    'hCKXyF3l87aF2wOa+4UWuTjkEoAAAOji5khgwVN2AAFggBAAAACKPF4qscRn+wIAAAAABFla',
  'base64',
);
const xzWith = (at: number): Buffer => {
  const bytes = Buffer.from(xz);
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  return bytes;
};

/** Cases of tar archives, plain and compressed. */
export const tarCases: readonly HostileCase[] = [
  named('../evil', 'HC-01', 'name-parent', 'parent', 'CVE-2018-1002207, CVE-2007-4559'),
  named('a/../../evil', 'HC-01', 'name-parent', 'parent-inside', 'CVE-2024-0406'),
  named('a/..', 'HC-01', 'name-parent', 'parent-last', 'CVE-2025-3445'),
  named('..', 'HC-01', 'name-parent', 'parent-only', 'CVE-2025-3445'),
  named('..\\evil', 'HC-01', ['name-parent', 'name-backslash'], 'parent-backslash', 'CVE-2018-1002207'),
  named('/etc/evil', 'HC-01', 'name-absolute', 'absolute', 'CVE-2026-28406'),
  named('//server/share/evil', 'HC-01', 'name-drive', 'share', ''),
  named('C:/evil', 'HC-01', 'name-drive', 'drive', 'CVE-2021-32804'),
  named('C:evil', 'HC-01', 'name-drive', 'drive-relative', 'CVE-2021-37713'),
  named('\\\\server\\share\\evil', 'HC-01', 'name-drive', 'share-backslash'),
  named('a\\b', 'HC-01', 'name-backslash', 'backslash'),
  one('HC-01', 'name-nul', '', 'name-nul', of({ name: 'a.txt\0.exe', body: 'x' })),
  one('HC-01', 'pax-nul', '', 'name-nul', of(pax([['path', 'a\0b']]), ok)),
  one('HC-01', 'pax-parent', 'CVE-2007-4559', 'name-parent', of(pax([['path', '../evil']]), ok)),
  one(
    'HC-01',
    'gnu-parent',
    'CVE-2007-4559',
    'name-parent',
    of({ name: '././@LongLink', type: 'L', body: '../evil\0' }, ok),
  ),
  one('HC-01', 'prefix-parent', '', 'name-parent', of({ name: 'evil', prefix: '..', body: 'x' })),
  one('HC-01', 'prefix-absolute', '', 'name-absolute', of({ name: 'evil', prefix: '/etc', body: 'x' })),
  named('', 'HC-01', 'name-empty', 'empty'),
  named('a//b', 'HC-01', 'name-dots', 'double-slash'),
  named('a/./b', 'HC-01', 'name-dots', 'dot-part'),

  one(
    'HC-02',
    'link-write-through',
    'CVE-2026-29064',
    ['link-outside', 'link-through'],
    of(link('x', '/tmp'), { name: 'x/evil', body: 'x' }),
  ),
  one(
    'HC-02',
    'link-write-through-inside',
    'CVE-2026-50162',
    'link-through',
    of({ name: 'd/', type: '5' }, link('x', 'd'), { name: 'x/evil', body: 'x' }),
  ),
  one(
    'HC-02',
    'link-write-over',
    'CVE-2026-24846',
    'type-change',
    of({ name: 'd/f', body: '1' }, link('x', 'd/f'), { name: 'x', body: '2' }),
  ),
  one('HC-02', 'link-parent', 'CVE-2026-24846', 'link-outside', of(link('x', '../y'))),
  one('HC-02', 'link-deep-parent', '', 'link-outside', of(link('a/b/x', '../../../y'))),
  one('HC-02', 'link-absolute', '', 'link-outside', of(link('x', '/etc/passwd'))),
  one('HC-02', 'link-back-and-forth', 'CVE-2025-4517', 'link-outside', of(link('x', 'a/../../b'))),
  one('HC-02', 'link-empty', '', 'link-outside', of(link('x', ''))),
  one('HC-02', 'link-drive', '', 'link-outside', of(link('x', 'C:/y'))),
  one('HC-02', 'link-backslash', '', 'link-outside', of(link('x', '..\\y'))),
  one('HC-02', 'link-pax-target', '', 'link-outside', of(pax([['linkpath', '../../etc/passwd']]), link('x', 'y'))),
  one(
    'HC-02',
    'link-gnu-target',
    '',
    'link-outside',
    of({ name: '././@LongLink', type: 'K', body: '/etc/passwd\0' }, link('x', 'y')),
  ),
  one(
    'HC-02',
    'link-case-through',
    'CVE-2021-37701',
    ['collision', 'link-through'],
    of(link('Dir', 'elsewhere'), { name: 'dir/evil', body: 'x' }),
  ),

  one('HC-03', 'hardlink-outside', 'CVE-2026-26960', 'link-outside', of(hard('x', '../../etc/passwd'))),
  one('HC-03', 'hardlink-absolute', 'CVE-2026-24842', 'link-outside', of(hard('x', '/etc/passwd'))),
  one('HC-03', 'hardlink-missing', 'CVE-2026-23745', 'link-target', of(hard('x', 'not-there'))),
  one('HC-03', 'hardlink-later', '', 'link-target', of(hard('x', 'a.txt'), ok)),
  one(
    'HC-03',
    'hardlink-to-link',
    'CVE-2026-50163',
    ['link-outside', 'link-target'],
    of(link('l', '/etc/passwd'), hard('x', 'l')),
  ),
  one(
    'HC-03',
    'hardlink-through-link',
    'CVE-2026-23745',
    'link-target',
    of({ name: 'd/f', body: 'x' }, link('l', 'd'), hard('x', 'l/f')),
  ),
  one('HC-03', 'hardlink-content', '', 'header', of(ok, { ...hard('x', 'a.txt'), body: 'x' })),

  one('HC-04', 'root-link', 'CVE-2021-29136', 'root-link', of(link('.', '/tmp'), { name: './x', body: 'x' })),
  one('HC-04', 'root-link-slash', 'CVE-2021-29136', 'root-link', of(link('./', '/tmp'), { name: './x', body: 'x' })),

  one('HC-05', 'setuid', 'CVE-2021-32760', 'mode', of({ name: 'su', mode: 0o4755, body: 'x' })),
  one('HC-05', 'setgid', 'CVE-2021-32760', 'mode', of({ name: 'sg', mode: 0o2755, body: 'x' })),
  one('HC-05', 'sticky', '', 'mode', of({ name: 'tmp/', type: '5', mode: 0o1777 })),
  one('HC-05', 'xattr', '', 'attributes', of(pax([['SCHILY.xattr.security.capability', 'x']]), ok)),

  one('HC-06', 'character', '', 'device', of({ name: 'null', type: '3' })),
  one('HC-06', 'block', '', 'device', of({ name: 'sda', type: '4' })),
  one('HC-06', 'fifo', '', 'special', of({ name: 'pipe', type: '6' })),
  one('HC-06', 'type-unknown', '', 'special', of({ name: 'x', type: 'Z' })),
  one('HC-06', 'volume-label', '', 'special', of({ name: 'label', type: 'V' })),
  one('HC-06', 'multi-volume', '', 'special', of({ name: 'x', type: 'M' })),
  one('HC-06', 'contiguous', '', 'special', of({ name: 'x', type: '7', body: 'x' })),

  one('HC-07', 'file-then-folder', '', 'type-change', of({ name: 'p', body: 'x' }, { name: 'p/q', body: 'x' })),
  one('HC-07', 'folder-then-file', '', 'type-change', of({ name: 'p/q', body: 'x' }, { name: 'p', body: 'x' })),
  one('HC-07', 'folder-then-link', '', 'type-change', of({ name: 'p/q', body: 'x' }, link('p', 'r'))),
  one('HC-07', 'file-with-slash', '', 'type-change', of({ name: 'p/', body: 'x' })),
  one('HC-07', 'folder-with-content', '', 'header', of({ name: 'p/', type: '5', body: 'x' })),

  one('HC-09', 'data-after-end', '', 'trailing', () => Buffer.concat([tar(ok), text('hidden'.padEnd(512, '!'))])),
  one('HC-09', 'tar-after-end', '', 'concatenated', () =>
    Buffer.concat([tar(ok), tar({ name: 'hidden.txt', body: 'x' })]),
  ),
  one('HC-09', 'tar-after-zeros', '', 'concatenated', () => Buffer.concat([tar(ok), Buffer.alloc(10240), tar(ok)])),
  one('HC-09', 'one-zero-block', '', 'trailing', () =>
    Buffer.concat([member(ok), Buffer.alloc(512), member({ name: 'b' }), END]),
  ),
  one('HC-09', 'no-end', '', 'truncated', () => member(ok)),
  one('HC-09', 'half-end', '', 'truncated', () => Buffer.concat([member(ok), Buffer.alloc(512)])),
  one('HC-09', 'cut-content', '', 'truncated', () => member({ name: 'a', body: Buffer.alloc(2000) }).subarray(0, 1000)),
  one('HC-09', 'padding', '', 'padding', of({ ...ok, pad: 0x41 })),
  one('HC-09', 'gzip-two-members', '', 'concatenated', () => Buffer.concat([gzip(tar(ok)), gzip(tar(ok))]), 'tgz'),
  one(
    'HC-09',
    'gzip-split-members',
    '',
    'concatenated',
    () => {
      const bytes = tar(ok, { name: 'b' });
      return Buffer.concat([gzip(bytes.subarray(0, 1024)), gzip(bytes.subarray(1024))]);
    },
    'tgz',
  ),
  one('HC-09', 'gzip-trailing', '', 'trailing', () => Buffer.concat([gzip(tar(ok)), text('hidden')]), 'tgz'),
  one('HC-09', 'gzip-trailing-zeros', '', 'trailing', () => Buffer.concat([gzip(tar(ok)), Buffer.alloc(8)]), 'tgz'),
  one(
    'HC-09',
    'gzip-crc',
    '',
    'checksum',
    () => {
      const bytes = gzip(tar(ok));
      bytes.writeUInt32LE((bytes.readUInt32LE(bytes.length - 8) ^ 1) >>> 0, bytes.length - 8);
      return bytes;
    },
    'tgz',
  ),
  one(
    'HC-09',
    'gzip-length',
    '',
    'checksum',
    () => {
      const bytes = gzip(tar(ok));
      bytes.writeUInt32LE(1, bytes.length - 4);
      return bytes;
    },
    'tgz',
  ),
  one('HC-09', 'gzip-no-trailer', '', 'truncated', () => gzip(tar(ok)).subarray(0, -8), 'tgz'),
  one(
    'HC-09',
    'gzip-cut',
    '',
    'compressed',
    () => gzip(tar({ name: 'a', body: text('x'.repeat(9) + 'yz') })).subarray(0, 40),
    'tgz',
  ),
  one(
    'HC-09',
    'zstd-two-frames',
    '',
    'concatenated',
    () => Buffer.concat([zstdCompressSync(tar(ok)), zstdCompressSync(tar(ok))]),
    'tar.zst',
  ),
  one(
    'HC-09',
    'zstd-trailing',
    '',
    'trailing',
    () => Buffer.concat([zstdCompressSync(tar(ok)), text('hidden')]),
    'tar.zst',
  ),

  one('HC-09', 'xz-two-streams', '', 'concatenated', () => Buffer.concat([xz, xz]), 'tar.xz'),
  one('HC-09', 'xz-trailing', '', 'trailing', () => Buffer.concat([xz, text('hidden')]), 'tar.xz'),
  one('HC-09', 'xz-header-flags', '', 'checksum', () => xzWith(7), 'tar.xz'),
  one('HC-09', 'xz-block-header', '', 'checksum', () => xzWith(16), 'tar.xz'),
  one('HC-09', 'xz-footer', '', 'checksum', () => xzWith(-5), 'tar.xz'),
  one('HC-09', 'xz-no-end', '', 'truncated', () => xz.subarray(0, -12), 'tar.xz'),

  one(
    'HC-10',
    'pax-size-larger',
    'CVE-2025-62518',
    'size-differs',
    of(pax([['size', '1024']]), { name: 'a', body: '' }, member({ name: 'hidden' }), member({ name: 'b' })),
  ),
  one(
    'HC-10',
    'pax-size-smaller',
    'CVE-2025-62518',
    'size-differs',
    of(pax([['size', '0']]), { name: 'a', body: Buffer.concat([member({ name: 'hidden' })]) }),
  ),
  one('HC-10', 'pax-size-sign', '', 'extended', of(pax([['size', '+8']]), ok)),
  one('HC-10', 'pax-twice', '', 'extended', of(pax([['path', 'a']]), pax([['path', 'b']]), ok)),
  one(
    'HC-10',
    'pax-key-twice',
    '',
    'extended',
    of(
      pax([
        ['path', 'a'],
        ['path', 'b'],
      ]),
      ok,
    ),
  ),
  one('HC-10', 'pax-malformed', '', 'extended', of({ name: 'x', type: 'x', body: '99 path=evil\n' }, ok)),
  one('HC-10', 'pax-no-newline', '', 'extended', of({ name: 'x', type: 'x', body: '10 path=ab' }, ok)),
  one('HC-10', 'pax-zero-length', '', 'extended', of({ name: 'x', type: 'x', body: '0 path=a\n' }, ok)),
  one(
    'HC-10',
    'pax-and-gnu',
    '',
    'extended',
    of(pax([['path', 'a']]), { name: '././@LongLink', type: 'L', body: 'b\0' }, ok),
  ),
  one(
    'HC-10',
    'gnu-name-twice',
    '',
    'extended',
    of({ name: 'l', type: 'L', body: 'a\0' }, { name: 'l', type: 'L', body: 'b\0' }, ok),
  ),
  one('HC-10', 'gnu-name-endless', '', 'extended', of({ name: 'l', type: 'L', body: 'abc' }, ok)),
  one('HC-10', 'gnu-name-nul', '', 'name-nul', of({ name: 'l', type: 'L', body: 'a\0b\0' }, ok)),
  one('HC-10', 'pax-global-path', '', 'extended', of(pax([['path', 'everything']], 'g'), ok)),
  one('HC-10', 'pax-global-size', '', 'extended', of(pax([['size', '0']], 'g'), ok)),
  one('HC-10', 'pax-charset', '', 'extended', of(pax([['hdrcharset', 'BINARY']]), ok)),
  one('HC-10', 'pax-dangling', '', 'extended', of(pax([['path', 'a']]))),
  one(
    'HC-10',
    'pax-huge',
    'CVE-2026-32288',
    'extended',
    of({ name: 'x', type: 'x', body: Buffer.alloc(2 * 1024 * 1024, 0x20) }, ok),
  ),
  one('HC-10', 'sparse-gnu', 'CVE-2025-58183', 'sparse', of({ name: 's', type: 'S', magic: 'ustar  \0' })),
  one(
    'HC-10',
    'sparse-pax',
    'CVE-2025-58183',
    'sparse',
    of(
      pax([
        ['GNU.sparse.major', '1'],
        ['GNU.sparse.minor', '0'],
        ['GNU.sparse.name', '../evil'],
      ]),
      ok,
    ),
  ),
  one('HC-10', 'size-negative', '', 'header', of({ name: 'a', sizeField: Buffer.alloc(12, 0xff) })),
  one('HC-10', 'size-junk', '', 'header', of({ name: 'a', sizeField: text('0000000001x\0') })),
  one(
    'HC-10',
    'size-beyond',
    '',
    'header',
    of({ name: 'a', sizeField: Buffer.from('80ffffffffffffffffffffff', 'hex') }),
  ),
  one('HC-10', 'checksum', '', 'header', of({ ...ok, checksum: 1 })),
  one('HC-10', 'magic', '', 'header', of({ ...ok, magic: 'uStar\x0000' })),
  one('HC-10', 'gnu-with-prefix', '', 'header', of({ ...ok, magic: 'ustar  \0', prefix: 'evil' })),
  one(
    'HC-10',
    'v7-with-prefix',
    '',
    'header',
    of({ ...ok, magic: '\0', at: [[257, '\0\0\0\0\0\0\0\0']], prefix: 'evil' }),
  ),
  one('HC-10', 'star-tail', '', 'header', of({ ...ok, at: [[508, 'tar\0']] })),

  one('HC-11', 'duplicate', '', 'duplicate', of({ name: 'a', body: '1' }, { name: 'a', body: '2' })),
  one('HC-11', 'duplicate-dot', '', 'duplicate', of({ name: 'a', body: '1' }, { name: './a', body: '2' })),
  one(
    'HC-11',
    'duplicate-hardlink',
    '',
    'duplicate',
    of({ name: 'a', body: '1' }, { name: 'b', body: '2' }, hard('a', 'b')),
  ),

  one('HC-12', 'case', 'CVE-2026-23950', 'collision', of({ name: 'A.txt' }, { name: 'a.txt' })),
  one('HC-12', 'case-folder', 'CVE-2021-21300', 'collision', of({ name: 'A/x' }, { name: 'a/y' })),
  one('HC-12', 'nfc-nfd', 'CVE-2021-37712', 'collision', of({ name: 'caf\u00e9' }, { name: 'cafe\u0301' })),
  one('HC-12', 'sharp-s', 'CVE-2026-23950', 'collision', of({ name: 'stra\u00dfe' }, { name: 'strasse' })),
  one('HC-12', 'kelvin', '', 'collision', of({ name: '\u212a.txt' }, { name: 'k.txt' })),
  one('HC-12', 'ligature', '', 'collision', of({ name: '\ufb01x' }, { name: 'fix' })),
  named('aux.c', 'HC-12', 'name-windows', 'reserved'),
  named('dir/CON', 'HC-12', 'name-windows', 'reserved-upper'),
  named('com\u00b9.txt', 'HC-12', 'name-windows', 'reserved-superscript'),
  named('NUL ', 'HC-12', 'name-windows', 'reserved-space'),
  named('file.', 'HC-12', 'name-windows', 'trailing-dot'),
  named('file ', 'HC-12', 'name-windows', 'trailing-space'),
  named('a.txt:stream', 'HC-12', 'name-windows', 'stream', 'CVE-2019-1352'),
  named('GIT~1', 'HC-12', 'name-windows', 'short', 'CVE-2014-9390'),
  one('HC-12', 'name-component-long', '', 'name-long', of(pax([['path', 'x'.repeat(256)]]), ok)),
  one(
    'HC-12',
    'name-path-long',
    '',
    'name-long',
    of(pax([['path', `${'d'.repeat(200)}/`.repeat(25)]]), { name: 'd/', type: '5' }),
  ),

  named('a\nb', 'HC-13', 'name-control', 'newline'),
  named('a\u001b[2Jb', 'HC-13', 'name-control', 'ansi', 'CVE-2021-25743'),
  named('a\u202egpj.exe', 'HC-13', 'name-control', 'bidi', 'CVE-2021-42574'),
  named('a\u200bb', 'HC-13', 'name-control', 'zero-width'),
  named('a\u007fb', 'HC-13', 'name-control', 'delete'),
  named('\u009b31m', 'HC-13', 'name-control', 'c1'),
  one('HC-13', 'name-not-utf8', '', 'name-encoding', of({ name: Buffer.from([0x61, 0xff, 0xfe]), body: 'x' })),
  one(
    'HC-13',
    'name-overlong',
    '',
    'name-encoding',
    of({ name: Buffer.from([0xc0, 0xae, 0xc0, 0xae, 0x2f, 0x78]), body: 'x' }),
  ),

  one(
    'HC-16',
    'nested-cut-zip',
    'CVE-2026-28407',
    'truncated',
    of({ name: 'in.zip', body: zip([{ name: 'a', body: 'x' }]).subarray(0, 40) }),
  ),
  one(
    'HC-16',
    'nested-xz',
    'CVE-2026-28407',
    'truncated',
    of({ name: 'in.tar.xz', body: Buffer.from('fd377a585a000004e6d6b446', 'hex') }),
  ),
  one(
    'HC-16',
    'nested-bzip2',
    'CVE-2026-28407',
    'unreadable',
    of({ name: 'in', body: Buffer.from('425a68393141592653590000', 'hex') }),
  ),
  one(
    'HC-16',
    'nested-7z',
    'CVE-2026-28407',
    'unreadable',
    of({ name: 'in.7z', body: Buffer.from('377abcaf271c00040000', 'hex') }),
  ),
  one(
    'HC-16',
    'nested-rar',
    'CVE-2026-28407',
    'unreadable',
    of({ name: 'data', body: text('Rar!\u001a\u0007\u0001\u0000....') }),
  ),
  one('HC-16', 'nested-not-one', 'CVE-2026-28407', 'unreadable', of({ name: 'in.tar.gz', body: 'no archive at all' })),
  one('HC-16', 'nested-gzip-crc', 'CVE-2026-28407', 'checksum', () => {
    const inner = gzip(tar(ok));
    inner[inner.length - 8]! ^= 1;
    return tar({ name: 'in.tgz', body: inner });
  }),
  one('HC-16', 'nested-parent', '', 'name-parent', of({ name: 'in.tgz', body: gzip(tar({ name: '../evil' })) })),
  one(
    'HC-16',
    'nested-encrypted-zip',
    '',
    'unreadable',
    of({ name: 'in.zip', body: zip([{ name: 'a', body: 'x', flags: 1 }]) }),
  ),
  one(
    'HC-16',
    'nested-hidden-name',
    '',
    'name-parent',
    of({ name: 'picture.png', body: zip([{ name: '../evil', body: 'x' }]) }),
  ),

  one('HC-18', 'gzip-bomb', 'CVE-2025-32386', 'ratio', () => bomb(40), 'tgz'),
  one(
    'HC-18',
    'zstd-bomb',
    'CVE-2026-54448',
    'ratio',
    () => zstdCompressSync(tar({ name: 'zeros', body: Buffer.alloc(40 * 1024 * 1024) })),
    'tar.zst',
  ),
  one('HC-18', 'nested-bomb', 'CVE-2026-54448', 'ratio', of({ name: 'in.gz', body: bomb(40) })),
  one('HC-18', 'nested-deep', '', 'nesting', () => nestedTars(7)),
  one('HC-18', 'gzip-of-gzip', '', 'nesting', () => {
    let bytes = gzip(tar(ok));
    for (let level = 0; level < 8; level++) bytes = gzip(bytes);
    return tar({ name: 'in.gz', body: bytes });
  }),
  one(
    'HC-18',
    'many-members',
    'CVE-2023-25153',
    'entries',
    () => {
      const block = member({ name: 'd/', type: '5' });
      const all = Buffer.alloc(512 * 50_001 + 1024);
      for (let at = 0; at < 50_001; at++) block.copy(all, at * 512);
      return gzip(all);
    },
    'tgz',
  ),
  one('HC-18', 'deep-folders', '', 'name-deep', of(pax([['path', 'd/'.repeat(100)]]), { name: 'd/', type: '5' })),
  one('HC-18', 'file-2-31', '', '', () => ({
    size: 512 + 2 ** 31 + 1024,
    holes: [{ at: 0, bytes: member({ name: 'big', size: 2 ** 31 }) }],
  })),
  one('HC-18', 'file-2-33', '', '', () => ({
    size: 512 * 3 + 2 ** 33 + 1024,
    holes: [{ at: 0, bytes: Buffer.concat([pax([['size', String(2 ** 33)]]), member({ name: 'big', size: 0 })]) }],
  })),
  one('HC-18', 'file-claimed', '', 'truncated', of({ name: 'big', size: 2 ** 33 - 1 })),

  one('control', 'plain', '', '', of(ok, { name: 'd/', type: '5' }, { name: 'd/b', body: 'b' })),
  one('control', 'dot-names', '', '', of({ name: './', type: '5' }, { name: './a', body: 'x' })),
  one(
    'control',
    'links-inside',
    '',
    '',
    of({ name: 'd/f', body: 'x' }, link('d/l', 'f'), link('m', 'd/l'), link('d/up', '../m'), hard('h', 'd/f')),
  ),
  one(
    'control',
    'pax-names',
    '',
    '',
    of(
      pax([
        ['path', `${'long/'.repeat(30)}name`],
        ['mtime', '1.5'],
      ]),
      ok,
    ),
  ),
  one('control', 'pax-size-equal', '', '', of(pax([['size', '8']]), ok)),
  one('control', 'global-comment', '', '', of(pax([['comment', 'a'.repeat(40)]], 'g'), ok)),
  one(
    'control',
    'gnu-long-name',
    '',
    '',
    of(
      { name: '././@LongLink', type: 'L', body: `${'n'.repeat(150)}\0`, magic: 'ustar  \0' },
      { ...ok, magic: 'ustar  \0' },
    ),
  ),
  one(
    'control',
    'unicode-names',
    '',
    '',
    of({ name: '\u65e5\u672c\u8a9e.txt', body: 'x' }, { name: 'gr\u00fc\u00dfe', body: 'x' }),
  ),
  one('control', 'star-times', '', '', of({ ...ok, at: [[476, '14631237430\u000014631237430\u0000']] })),
  one('control', 'v7', '', '', of({ ...ok, at: [[257, '\0\0\0\0\0\0\0\0']] })),
  one('control', 'gzip', '', '', () => gzip(tar(ok)), 'tgz'),
  one('control', 'zstd', '', '', () => zstdCompressSync(tar(ok)), 'tar.zst'),
  one('control', 'xz', '', '', () => xz, 'tar.xz'),
  one(
    'control',
    'nested',
    '',
    '',
    of({ name: 'in.tgz', body: gzip(tar(ok)) }, { name: 'in.zip', body: zip([{ name: 'a', body: 'x' }]) }),
  ),
  one('control', 'long-padding', '', '', () => Buffer.concat([tar(ok), Buffer.alloc(9216)])),
];
