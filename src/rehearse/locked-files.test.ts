import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ArtifactRow, Digest, DocumentRow, LockRow } from '#kernel';
import { lockedFiles } from './locked-files.ts';
import { LogTail } from './log-tail.ts';

const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}` as Digest;

function artifact(letter: string, over: Partial<ArtifactRow> = {}): ArtifactRow {
  return {
    row: 'artifact',
    ecosystem: 'npm',
    authority: 'registry.example.test',
    name: `pkg-${letter}`,
    version: '1.0.0',
    file: `pkg-${letter}-1.0.0.tgz`,
    targets: 'any',
    digest: digest(letter),
    size: 5,
    media: '',
    origin: '',
    published: '',
    evidence: [],
    inputs: [],
    facts: {},
    ...over,
  };
}

describe('every file of the lock stands in the report', () => {
  const document: DocumentRow = { ...artifact('e'), row: 'document', role: 'packument', version: '', file: '' };
  const rows: LockRow[] = [
    { row: 'input', ecosystem: 'npm', path: 'package-lock.json', digest: digest('0'), size: 1 },
    artifact('a'),
    artifact('b', { targets: ['mac'] }),
    artifact('c', { targets: ['mac', 'linux'] }),
    artifact('d'),
    document,
    artifact('f', { name: 'evil\u202e' }),
  ];
  const files = lockedFiles(
    rows,
    new Map([
      [digest('a'), { answers: 2, bytes: 10 }],
      [digest('b'), { answers: 1, bytes: 5 }],
    ]),
    { targets: new Set(['linux']), optional: new Set(['npm pkg-c 1.0.0']) },
  );

  test('with whether it was served, and why not', () => {
    assert.deepEqual(
      files.map(({ digest: one, served, answers, bytes, why }) => [one.slice(7, 8), served, answers, bytes, why]),
      [
        ['a', true, 2, 10, ''],
        // Served although no target of this machine wants it: what was served counts.
        ['b', true, 1, 5, ''],
        ['c', false, 0, 0, 'optional'],
        ['d', false, 0, 0, 'not-asked'],
        ['e', false, 0, 0, 'answers-made-from-it'],
        ['f', false, 0, 0, 'not-asked'],
      ],
    );
  });

  test('other targets are told from what nobody asked for', () => {
    const [only] = lockedFiles([artifact('b', { targets: ['mac'] })], new Map(), {
      targets: new Set(['linux']),
      optional: new Set(),
    });
    assert.deepEqual([only?.why, only?.targets], ['other-target', 'mac']);
  });

  test('by names that obey nobody', () => {
    assert.equal(files.at(-1)?.artifact, 'npm evil\\u{202e} 1.0.0 (pkg-f-1.0.0.tgz)');
  });
});

test('a log is the last of what was written, bounded and escaped, with the amount of all of it', () => {
  const log = new LogTail();
  for (let index = 0; index < 100_000; index++) log.add(`${index} ${'x'.repeat(1000)}`);
  log.add('\u001b[31mred\tend');
  const told = log.told('web');
  assert.equal(told.lines, 100_001);
  assert.ok(told.bytes > 100_000_000);
  assert.ok(told.cut && told.text.length < 200_000);
  assert.ok(told.text.endsWith('\n\\u{1b}[31mred  end'));
  assert.ok(!told.text.includes('99000 '));
  assert.deepEqual(log.last(1), ['\\u{1b}[31mred  end']);
  assert.deepEqual(new LogTail().told('web'), { service: 'web', lines: 0, bytes: 0, text: '', cut: false });
});
