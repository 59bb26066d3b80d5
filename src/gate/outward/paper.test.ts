import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { encodeBase32 } from '#formats';
import { isFault } from '#kernel';
import { paperParts, readPaper } from './paper.ts';
import { sheetsPage } from './sheets.ts';

const release = randomBytes(5000);
const parts = paperParts(release);
const lines = parts.map(({ line }) => line);

const codes = (scanned: string): string[] => {
  const read = readPaper(scanned);
  return 'reasons' in read ? read.reasons.map(({ code }) => code) : [];
};
const sha = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex').toUpperCase();
/** A line with the check that it should have. */
const checked = (body: string): string => `${body}${sha(body).slice(0, 8)}`;
const set = sha(release).slice(0, 16);
/** A whole sequence from a stream of one's own. */
function sequence(stream: Uint8Array, of = set, size = 560): string {
  const total = Math.ceil(stream.length / size);
  const three = (value: number): string => String(value).padStart(3, '0');
  return Array.from({ length: total }, (_, i) =>
    checked(`SPR1${three(total)}${three(i + 1)}${of}${encodeBase32(stream.subarray(i * size, (i + 1) * size))}`),
  ).join('\n');
}

test('lines have one alphabet and bounded length, and every sheet has six', () => {
  for (const { line, index, sheet } of parts) {
    assert.match(line, /^[0-9A-Z]{1,930}$/);
    assert.equal(sheet, Math.floor((index - 1) / 6) + 1);
  }
  assert.equal(lines.length, 9);
  assert.deepEqual(paperParts(release), parts, 'a sheet can be printed again');
});

test('PAP-5: any order, any number of times, small letters, a scanner that adds its own', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 4000 }), fc.infiniteStream(fc.nat()), (bytes, luck) => {
      const mine = paperParts(bytes).map(({ line }) => line);
      const scanned = [...mine, ...mine.filter((_, i) => i % 2 === 0)]
        .map((line) => ({ line, at: luck.next().value }))
        .sort((a, b) => a.at - b.at)
        .map(({ line, at }) =>
          at % 3 === 0 ? `  ${line.toLowerCase()}\t\r` : at % 3 === 1 ? `]Q3${line}` : `\n${line}`,
        )
        .join('\n');
      const read = readPaper(scanned);
      assert.ok('release' in read);
      assert.deepEqual(Buffer.from(read.release), Buffer.from(bytes));
    }),
    { numRuns: 40 },
  );
});

test('PAP-6, PAP-8: what is missing is named with its sheet, and what was not read well with its line', () => {
  const read = readPaper(lines.filter((_, i) => i !== 1 && i !== 6).join('\n'));
  assert.ok('reasons' in read);
  assert.deepEqual(
    read.reasons.map(({ code, where }) => `${code} ${where}`),
    ['gate.paper-missing sheet 1, part 2 of 9', 'gate.paper-missing sheet 2, part 7 of 9'],
  );
  for (const position of [0, 5, 8, 12, 30, 500, lines[1]!.length - 1]) {
    const other = lines[1]![position] === 'A' ? 'B' : 'A';
    const damaged = lines.with(1, lines[1]!.slice(0, position) + other + lines[1]!.slice(position + 1));
    assert.deepEqual(codes(damaged.join('\n')), ['gate.paper-missing', 'gate.paper-damaged'], `at ${position}`);
    assert.deepEqual(codes([...damaged, lines[1]].join('\n')), [], 'read once more, it is whole');
  }
  assert.deepEqual(codes(''), ['gate.paper-wrong']);
  assert.deepEqual(codes('hello\n'), ['gate.paper-wrong', 'gate.paper-damaged']);
});

test('PAP-1, PAP-2, PAP-7, PAP-9, PAP-10: sequences that were made wrong', () => {
  const stream = deflateSync(release);
  const other = paperParts(randomBytes(5000)).map(({ line }) => line);
  const zeros = deflateSync(Buffer.alloc(1_048_577));
  const cases: [string, string, string][] = [
    ['PAP-1 more than 1 MiB', sequence(zeros, sha(Buffer.alloc(1_048_577)).slice(0, 16)), 'gate.paper-wrong'],
    ['PAP-1 bytes after the stream', sequence(Buffer.concat([stream, Buffer.from('x')])), 'gate.paper-wrong'],
    ['PAP-1 a stream that ends early', sequence(stream.subarray(0, -1)), 'gate.paper-wrong'],
    ['PAP-1 no stream', sequence(release), 'gate.paper-wrong'],
    ['PAP-2 parts of another size', sequence(stream, set, 500), 'gate.paper-wrong'],
    ['PAP-2 base32 with unused bits set', checked(`SPR1001001${set}MZ`), 'gate.paper-wrong'],
    ['PAP-2 base32 of an impossible length', checked(`SPR1001001${set}MZX`), 'gate.paper-wrong'],
    ['PAP-7 parts of two releases', [lines[0], ...other.slice(1)].join('\n'), 'gate.paper-mixed'],
    ['PAP-7 two totals', [lines[0], checked(`SPR1008002${lines[1]!.slice(10, -8)}`)].join('\n'), 'gate.paper-mixed'],
    [
      'PAP-7 two payloads of one index',
      [lines[0], checked(`SPR1009001${lines[1]!.slice(10, -8)}`)].join('\n'),
      'gate.paper-mixed',
    ],
    ['PAP-9 another digest', sequence(stream, '0'.repeat(16)), 'gate.paper-wrong'],
    ['PAP-10 another version', lines.map((line) => checked(`SPR2${line.slice(4, -8)}`)).join('\n'), 'gate.paper-wrong'],
    ['index 0', checked(`SPR1001000${set}MY`), 'gate.paper-wrong'],
    ['total 0', checked(`SPR1000001${set}MY`), 'gate.paper-wrong'],
    ['index beyond the total', checked(`SPR1001002${set}MY`), 'gate.paper-wrong'],
    ['more parts than 240', checked(`SPR1241001${set}${encodeBase32(Buffer.alloc(560))}`), 'gate.paper-wrong'],
  ];
  for (const [name, scanned, code] of cases) assert.equal(codes(scanned)[0], code, name);
  assert.deepEqual(codes(sequence(stream)), [], 'the control');
});

test('what does not fit on 40 sheets is not printed', () => {
  assert.throws(
    () => paperParts(randomBytes(140_000)),
    (error) => isFault(error) && error.code === 'gate.paper-too-large',
  );
});

test('a page has every code, one section a sheet, and asks nobody for anything', () => {
  const page = sheetsPage({ site: 'high', kind: 'receipt', level: 'verdicts', sha256: 'ab'.repeat(32) }, parts);
  assert.equal(page.match(/<svg /g)?.length, 9);
  assert.equal(page.match(/<section>/g)?.length, 2);
  assert.match(page, /Sheet 2 of 2, parts 7 to 9 of 9/);
  for (const { check } of parts) assert.ok(page.includes(check));
  assert.doesNotMatch(page, /https?:|<script|url\(/);
});
