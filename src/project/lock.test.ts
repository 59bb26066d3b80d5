import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ArtifactRow, compareUtf8, digestOf, isFault, type LockRow } from '#kernel';
import { formatLock, formatRow, parseLock, parseMergedLock, rowKey } from './index.ts';

const HEADER = '{"sallyport-lock":"1.0","critical":[]}';

const text = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((s) => s.isWellFormed() && !s.includes('\0'));
const name = text.filter((s) => s !== '');
const digest = fc.string({ maxLength: 8 }).map((s) => digestOf(s));
const inputs = fc.uniqueArray(name, { minLength: 1, maxLength: 3 }).map((all) => all.sort(compareUtf8));
const identity = { ecosystem: fc.constantFrom('npm', 'pypi', 'oci', 'files'), authority: text, name };
const evidence = fc.record({
  algorithm: fc.constant('sha256' as const),
  value: digest.map((one) => one.slice(7)),
  scope: fc.constant('file' as const),
  source: name,
  grade: fc.constantFrom('strong' as const, 'first-use' as const),
});
const row: fc.Arbitrary<LockRow> = fc.oneof(
  fc.record({ row: fc.constant('input' as const), ecosystem: identity.ecosystem, path: name, digest, size: fc.nat() }),
  fc.record({
    row: fc.constant('artifact' as const),
    ...identity,
    version: text,
    file: text,
    targets: fc.oneof(fc.constant('any' as const), inputs),
    digest,
    size: fc.nat(),
    media: text,
    origin: text,
    published: fc.constantFrom('', '2026-11-22T06:00:00Z'),
    evidence: fc.array(evidence, { minLength: 1, maxLength: 3 }),
    inputs,
    facts: fc.dictionary(
      name.filter((key) => key !== '__proto__'),
      text,
      { maxKeys: 4 },
    ),
  }),
  fc.record({
    row: fc.constant('document' as const),
    ...identity,
    version: text,
    file: text,
    role: name,
    digest,
    size: fc.nat(),
    media: text,
    origin: text,
    inputs,
  }),
  fc.record({
    row: fc.constant('pointer' as const),
    ...identity,
    version: fc.constant(''),
    file: fc.constant(''),
    pointer: name,
    value: text,
    inputs,
  }),
);
const rows = fc.uniqueArray(row, { selector: rowKey, maxLength: 12 });

test('what is written is read, and written the same in whatever order it comes', () => {
  fc.assert(
    fc.property(rows, fc.infiniteStream(fc.nat()), (all, order) => {
      const bytes = formatLock({ rows: all });
      const read = parseLock(bytes, 'lock');
      assert.deepEqual(Buffer.from(formatLock(read)), Buffer.from(bytes));
      const shuffled = all.map((one) => ({ one, at: order.next().value as number })).sort((a, b) => a.at - b.at);
      assert.deepEqual(Buffer.from(formatLock({ rows: shuffled.map(({ one }) => one) })), Buffer.from(bytes));
    }),
    { numRuns: 150 },
  );
});

test('lines in any order, and identical lines twice, are one lock', () => {
  fc.assert(
    fc.property(rows, (all) => {
      const lines = all.map(formatRow);
      const merged = [HEADER, ...lines.toReversed(), ...lines].map((line) => `${line}\n`).join('');
      assert.deepEqual(
        Buffer.from(formatLock(parseLock(Buffer.from(merged), 'lock'))),
        Buffer.from(formatLock({ rows: all })),
      );
    }),
    { numRuns: 50 },
  );
});

test('a lock with any byte flipped is read as what it then says, or refused; it never crashes', () => {
  fc.assert(
    fc.property(rows, fc.nat(), fc.integer({ min: 0, max: 7 }), (all, where, bit) => {
      const bytes = Buffer.from(formatLock({ rows: all }));
      bytes[where % bytes.length]! ^= 1 << bit;
      try {
        parseLock(bytes, 'lock');
      } catch (error) {
        assert.ok(isFault(error), String(error));
        assert.match(error.where, /^lock:\d+$/);
      }
    }),
    { numRuns: 400 },
  );
});

const artifact: ArtifactRow = {
  row: 'artifact',
  ecosystem: 'npm',
  authority: 'registry.example.test',
  name: 'left',
  version: '1.0.0',
  file: 'left-1.0.0.tgz',
  targets: 'any',
  digest: digestOf('left'),
  size: 4,
  media: '',
  origin: 'https://registry.example.test/left',
  published: '',
  evidence: [
    { algorithm: 'sha256', value: digestOf('left').slice(7), scope: 'file', source: 'index', grade: 'strong' },
  ],
  inputs: ['package-lock.json'],
  facts: {},
};
const line = formatRow(artifact);

function refused(source: string | Uint8Array): { code: string; where: string; message: string } {
  try {
    parseLock(typeof source === 'string' ? Buffer.from(source) : source, 'lock');
  } catch (error) {
    assert.ok(isFault(error), String(error));
    return error;
  }
  return assert.fail('it was read');
}

test('what is not a lock is refused with its line', () => {
  const cases: readonly (readonly [string, string | Uint8Array, string, string])[] = [
    ['empty', '', 'lock.malformed', 'lock:1'],
    ['no header', `${line}\n`, 'lock.malformed', 'lock:1'],
    ['cut off', `${HEADER}\n${line}`, 'lock.malformed', 'lock:2'],
    ['byte order mark', `\ufeff${HEADER}\n`, 'lock.malformed', 'lock:1'],
    ['CR LF', `${HEADER}\n${line}\r\n`, 'lock.malformed', 'lock:2'],
    ['not UTF-8', Buffer.concat([Buffer.from(`${HEADER}\n`), Buffer.from([0xff, 0x0a])]), 'lock.malformed', 'lock:2'],
    ['empty line', `${HEADER}\n\n${line}\n`, 'lock.malformed', 'lock:2'],
    ['trailing junk', `${HEADER}\n${line} x\n`, 'lock.malformed', 'lock:2'],
    ['two values', `${HEADER}\n${line}${line}\n`, 'lock.malformed', 'lock:2'],
    ['duplicate key', `${HEADER}\n${line.replace('"size":4', '"size":4,"size":5')}\n`, 'lock.malformed', 'lock:2'],
    ['spaces', `${HEADER}\n${line.replace(',', ', ')}\n`, 'lock.malformed', 'lock:2'],
    ['escapes', `${HEADER}\n${line.replace('"left"', '"l\\u0065ft"')}\n`, 'lock.malformed', 'lock:2'],
    ['lone surrogate', `${HEADER}\n${line.replace('"left"', '"\\ud800"')}\n`, 'lock.malformed', 'lock:2'],
    [
      '__proto__',
      `${HEADER}\n${line.replace('"facts":{}', '"facts":{"__proto__":"x"}')}\n`,
      'lock.malformed',
      'lock:2',
    ],
    ['unknown row', `${HEADER}\n{"row":"other"}\n`, 'lock.malformed', 'lock:2'],
    ['missing key', `${HEADER}\n${line.replace('"media":"",', '')}\n`, 'lock.malformed', 'lock:2'],
    ['bad digest', `${HEADER}\n${line.replace('sha256:', 'sha256:A')}\n`, 'lock.malformed', 'lock:2'],
    ['negative size', `${HEADER}\n${line.replace('"size":4', '"size":-4')}\n`, 'lock.malformed', 'lock:2'],
    [
      'unsorted inputs',
      `${HEADER}\n${line.replace('["package-lock.json"]', '["b","a"]')}\n`,
      'lock.malformed',
      'lock:2',
    ],
    ['no evidence', `${HEADER}\n${formatRow({ ...artifact, evidence: [] })}\n`, 'lock.malformed', 'lock:2'],
    ['too long a line', `${HEADER}\n${'x'.repeat(1024 * 1024 + 1)}\n`, 'lock.malformed', 'lock:2'],
    ['newer major', '{"sallyport-lock":"2.0","critical":[]}\n', 'lock.version', 'lock:1'],
    ['critical', '{"sallyport-lock":"1.0","critical":["seals"]}\n', 'lock.version', 'lock:1'],
    ['marks', `${HEADER}\n<<<<<<< ours\n${line}\n=======\n>>>>>>> theirs\n`, 'lock.conflict', 'lock:2'],
    ['second header', `${HEADER}\n${HEADER}\n`, 'lock.malformed', 'lock:2'],
  ];
  for (const [what, source, code, where] of cases) {
    const error = refused(source);
    assert.equal(error.code, code, `${what}: ${error.message}`);
    assert.equal(error.where, where, what);
  }
});

test('a newer minor version and keys that are not known are read and kept', () => {
  const newer = line.replace(/\}$/, ',"zeal":{"a":1}}');
  const lock = parseLock(Buffer.from(`{"sallyport-lock":"1.7","critical":[]}\n${newer}\n`), 'lock');
  assert.equal(formatRow(lock.rows[0]!), newer);
});

test('two things about one name are refused with both lines; capture gets them taken out', () => {
  const other = formatRow({ ...artifact, inputs: ['web/package-lock.json'] });
  const source = `${HEADER}\n${line}\n${other}\n`;
  const error = refused(source);
  assert.equal(error.code, 'lock.duplicate');
  assert.match(error.message, /Lines 2 and 3/);
  const merged = parseMergedLock(Buffer.from(source), 'lock');
  assert.deepEqual(merged.rows, []);
  assert.deepEqual([...merged.unsettled], ['package-lock.json', 'web/package-lock.json']);
  const tampered = formatRow({ ...artifact, digest: digestOf('other') });
  assert.throws(
    () => parseMergedLock(Buffer.from(`${HEADER}\n${line}\n${tampered}\n`), 'lock'),
    (fault) => isFault(fault) && fault.code === 'lock.duplicate' && /two digests/.test(fault.message),
  );
});

test('names beyond the basic plane sort by UTF-8 bytes', () => {
  const high = { ...artifact, name: '\u{10000}' };
  const low = { ...artifact, name: '\uffee' };
  const lock = parseLock(formatLock({ rows: [high, low] }), 'lock');
  assert.deepEqual(
    lock.rows.map((one) => one.row === 'artifact' && one.name),
    ['\uffee', '\u{10000}'],
  );
});

test('a hundred thousand rows are read', () => {
  const many: LockRow[] = [];
  for (let i = 0; i < 100_000; i++) many.push({ ...artifact, name: `package-${i}` });
  const bytes = formatLock({ rows: many });
  assert.equal(parseLock(bytes, 'lock').rows.length, 100_000);
});
