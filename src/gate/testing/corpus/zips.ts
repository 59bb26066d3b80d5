import { crc32, deflateRawSync } from 'node:zlib';
import { gzip, tar, text, zip, type ZipEntry, type ZipOptions } from './build.ts';
import { codesOf, type Codes, type HostileCase, type Material } from './case.ts';

const ok: ZipEntry = { name: 'a.txt', body: 'harmless' };

function one(id: string, name: string, cve: string, codes: Codes, make: () => Material): HostileCase {
  const expect = codes === '' ? 'accept' : codes === 'mode' ? 'neutralised' : 'refuse';
  return { id, name: `zip-${name}`, cve, as: 'zip', extension: 'zip', expect, codes: codesOf(codes), make };
}

const of =
  (entries: readonly ZipEntry[], options: ZipOptions = {}) =>
  (): Material =>
    zip(entries, options);
const named = (name: string | Uint8Array, id: string, codes: Codes, label: string, cve = ''): HostileCase =>
  one(id, `name-${label}`, cve, codes, of([{ name, body: 'x' }]));

/** Two names for the same compressed bytes, as in bombs that overlap (CVE-2019-13232). */
function overlapping(): Buffer {
  return zip([
    { name: 'a', body: 'x' },
    { name: 'b', body: 'x', offset: 0 },
  ]);
}

function unicodePath(name: string, other: string): Buffer {
  const value = text(other);
  const field = Buffer.alloc(9);
  field.writeUInt16LE(0x7075, 0);
  field.writeUInt16LE(5 + value.length, 2);
  field.writeUInt8(1, 4);
  field.writeUInt32LE(crc32(text(name)), 5);
  return Buffer.concat([field, value]);
}

/** Cases of zip archives. */
export const zipCases: readonly HostileCase[] = [
  named('../evil', 'HC-01', 'name-parent', 'parent', 'CVE-2018-1002207'),
  named('a/../../evil', 'HC-01', 'name-parent', 'parent-inside', 'CVE-2025-3445'),
  named('..\\evil', 'HC-01', ['name-parent', 'name-backslash'], 'parent-backslash', 'CVE-2018-1002207'),
  named('/etc/evil', 'HC-01', 'name-absolute', 'absolute'),
  named('C:/evil', 'HC-01', 'name-drive', 'drive'),
  named('a\0b', 'HC-01', 'name-nul', 'nul'),
  named('', 'HC-01', 'name-empty', 'empty'),
  one(
    'HC-02',
    'link-outside',
    'CVE-2025-3445',
    'link-outside',
    of([{ name: 'x', mode: 0o120777, body: '/etc/passwd' }]),
  ),
  one(
    'HC-02',
    'link-through',
    'CVE-2025-3445',
    'link-through',
    of([
      { name: 'x', mode: 0o120777, body: 'd' },
      { name: 'x/evil', body: 'x' },
    ]),
  ),
  one('HC-02', 'link-endless', '', 'link-outside', of([{ name: 'x', mode: 0o120777, body: 'y/'.repeat(4000) }])),
  one('HC-05', 'setuid', 'CVE-2021-32760', 'mode', of([{ name: 'su', mode: 0o104755, body: 'x' }])),
  one('HC-06', 'device', '', 'device', of([{ name: 'null', mode: 0o020666 }])),
  one('HC-06', 'fifo', '', 'special', of([{ name: 'pipe', mode: 0o010644 }])),
  one('HC-06', 'socket', '', 'special', of([{ name: 'sock', mode: 0o140644 }])),
  one(
    'HC-07',
    'file-then-folder',
    '',
    'type-change',
    of([
      { name: 'p', body: 'x' },
      { name: 'p/q', body: 'x' },
    ]),
  ),
  one('HC-07', 'slash-file', '', 'type-change', of([{ name: 'p/', mode: 0o100644, attributes: 0o100644 * 65536 }])),
  one('HC-07', 'folder-content', '', 'header', of([{ name: 'p/', body: 'x' }])),

  one('HC-09', 'suffix', 'CVE-2024-24789', 'trailing', of([ok], { suffix: text('hidden') })),
  one('HC-09', 'two-archives', 'CVE-2024-24789', ['concatenated'], () =>
    Buffer.concat([zip([ok]), zip([{ name: 'hidden', body: 'x' }])]),
  ),
  one('HC-09', 'end-in-comment', 'CVE-2024-24789', 'concatenated', () => {
    const inner = zip([{ name: 'hidden', body: 'x' }]);
    return zip([ok], { comment: inner });
  }),
  one('HC-09', 'deflate-trailing', '', 'trailing', () => {
    const raw = Buffer.concat([deflateRawSync(text('harmless')), text('hidden')]);
    return zip([{ ...ok, method: 8, raw }]);
  }),
  one('HC-09', 'deflate-cut', '', 'compressed', () =>
    zip([{ ...ok, method: 8, raw: deflateRawSync(text('harmless')).subarray(0, 4) }]),
  ),
  one('HC-09', 'cut', '', 'truncated', () => zip([ok]).subarray(0, 50)),

  one('HC-11', 'local-name', 'CVE-2025-54368', 'headers-differ', of([{ ...ok, localName: 'b.txt' }])),
  one('HC-11', 'local-size', 'CVE-2025-54368', 'headers-differ', of([{ ...ok, localSize: 3 }])),
  one('HC-11', 'local-crc', '', 'headers-differ', of([{ ...ok, localCrc: 1 }])),
  one('HC-11', 'local-method', 'CVE-2025-54368', 'headers-differ', of([{ ...ok, localMethod: 8 }])),
  one('HC-11', 'local-flags', '', 'headers-differ', of([{ ...ok, localFlags: 0x800 }])),
  one('HC-11', 'unicode-path', '', 'headers-differ', of([{ ...ok, centralExtra: unicodePath('a.txt', '../evil') }])),
  one(
    'HC-11',
    'unicode-path-local',
    '',
    'headers-differ',
    of([{ ...ok, localExtra: unicodePath('a.txt', '../evil') }]),
  ),
  one(
    'HC-11',
    'duplicate',
    'CVE-2025-54368',
    'duplicate',
    of([
      { name: 'a', body: '1' },
      { name: 'a', body: '2' },
    ]),
  ),
  one('HC-11', 'prefix', 'CVE-2025-54368', 'prefix', of([ok], { prefix: text('#!/bin/sh\n') })),
  one('HC-11', 'prefix-shifted', 'CVE-2025-54368', 'prefix', of([ok], { prefix: text('#!/bin/sh\n'), shifted: true })),
  one('HC-11', 'gap', '', 'gap', of([{ ...ok, after: text('hidden') }, { name: 'b' }])),
  one(
    'HC-11',
    'gap-member',
    'CVE-2025-54368',
    'gap',
    of([{ ...ok, after: zip([{ name: 'hidden', body: 'x' }]).subarray(0, 37) }, { name: 'b' }]),
  ),
  one('HC-11', 'gap-before-directory', '', 'gap', of([ok], { beforeDirectory: text('hidden') })),
  one('HC-11', 'gap-before-end', '', 'prefix', of([ok], { afterDirectory: text('hidden') })),
  one('HC-11', 'entries-more', '', 'headers-differ', of([ok], { entries: 2 })),
  one('HC-11', 'entries-fewer', '', 'headers-differ', of([ok, { name: 'b' }], { entries: 1 })),
  one('HC-11', 'entries-two-numbers', '', 'headers-differ', of([ok], { here: 0 })),
  one('HC-11', 'parts', '', 'unreadable', of([ok], { disk: 1 })),
  one('HC-11', 'member-part', '', 'unreadable', of([{ ...ok, disk: 1 }])),
  one('HC-11', 'crc', '', 'checksum', of([{ ...ok, crc: 1 }])),
  one('HC-11', 'size-larger', '', 'size-differs', of([{ ...ok, method: 8, size: 100 }])),
  one('HC-11', 'size-smaller', '', 'size-differs', of([{ ...ok, method: 8, size: 3 }])),
  one('HC-11', 'stored-two-sizes', '', 'size-differs', of([{ ...ok, size: 3 }])),
  one('HC-11', 'descriptor-wrong', 'CVE-2025-54368', 'headers-differ', of([{ ...ok, method: 8, descriptor: 'wrong' }])),
  one('HC-11', 'descriptor-stored', 'CVE-2025-54368', 'headers-differ', of([{ ...ok, descriptor: 'right' }])),
  one('HC-11', 'encrypted', '', 'unreadable', of([{ ...ok, flags: 1 }])),
  one('HC-11', 'masked', '', 'unreadable', of([{ ...ok, flags: 0x2000 }])),
  one('HC-11', 'method-lzma', '', 'unreadable', of([{ ...ok, localMethod: 14, centralMethod: 14 }])),
  one('HC-11', 'method-deflate64', '', 'unreadable', of([{ ...ok, localMethod: 9, centralMethod: 9 }])),
  one('HC-11', 'extra-cut', '', 'header', of([{ ...ok, centralExtra: Buffer.from([1, 0, 16, 0, 1]) }])),
  one('HC-11', 'directory-beyond', '', 'overlap', of([ok], { directoryOffset: 100_000 })),

  one('HC-12', 'case', 'CVE-2021-21300', 'collision', of([{ name: 'A' }, { name: 'a' }])),
  named('aux.txt', 'HC-12', 'name-windows', 'reserved'),
  named('x.', 'HC-12', 'name-windows', 'trailing-dot'),
  named('a\u001b[31m', 'HC-13', 'name-control', 'ansi', 'CVE-2021-25743'),
  named('a\u2066b', 'HC-13', 'name-control', 'bidi', 'CVE-2021-42574'),
  one('HC-13', 'name-cp437', '', 'name-encoding', of([{ name: Buffer.from([0x61, 0x81]), flags: 0, body: 'x' }])),
  one(
    'HC-13',
    'name-unmarked',
    '',
    'name-encoding',
    of([{ name: 'gr\u00fc\u00dfe', flags: 1 << 1, body: 'x', method: 8 }]),
  ),

  one(
    'HC-16',
    'nested-cut',
    'CVE-2026-28407',
    'truncated',
    of([{ name: 'in.tgz', body: gzip(tar({ name: 'a' })).subarray(0, -8) }]),
  ),
  one(
    'HC-16',
    'nested-xz',
    'CVE-2026-28407',
    'truncated',
    of([{ name: 'in', body: Buffer.from('fd377a585a000004e6d6b446', 'hex') }]),
  ),
  one('HC-18', 'overlap', 'CVE-2019-13232', 'overlap', overlapping),
  one('HC-18', 'bomb', 'CVE-2025-61728', 'ratio', () =>
    zip([{ name: 'zeros', method: 8, body: Buffer.alloc(40 * 1024 * 1024) }]),
  ),
  one('HC-18', 'bomb-hidden', '', ['size-differs'], () =>
    zip([{ name: 'zeros', method: 8, body: Buffer.alloc(1024 * 1024), size: 10 }]),
  ),
  one('HC-18', 'bomb-many', '', 'ratio', () => {
    const body = Buffer.alloc(1024 * 1024);
    const raw = deflateRawSync(body, { level: 9 });
    return zip(Array.from({ length: 64 }, (_, index) => ({ name: `f${index}`, method: 8, body, raw }) as const));
  }),
  one('HC-18', 'entries-claimed', 'CVE-2025-61728', 'truncated', () => {
    const bytes = zip([ok]);
    return Buffer.concat([bytes.subarray(0, 30)]);
  }),

  one('control', 'plain', '', '', of([ok, { name: 'd/' }, { name: 'd/b', body: 'b', method: 8 }])),
  one('control', 'descriptor', '', '', of([{ ...ok, method: 8, descriptor: 'right' }])),
  one('control', 'empty-files', '', '', of([{ name: 'd/' }, { name: 'd/e' }])),
  one('control', 'comment', '', '', of([ok], { comment: text('a comment') })),
  one('control', 'unicode', '', '', of([{ name: '\u65e5\u672c.txt', body: 'x' }])),
  one(
    'control',
    'link-inside',
    '',
    '',
    of([
      { name: 'd/f', body: 'x' },
      { name: 'd/l', mode: 0o120777, body: 'f' },
    ]),
  ),
  one('control', 'no-attributes', '', '', of([{ ...ok, mode: 0, attributes: 0 }])),
];
