import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Closure, Wanted } from '#ecosystems';
import { type ArtifactRow, digestOf, type InputRow, isFault, type LockRow } from '#kernel';
import { type MergedLock, rowKey } from '#project';
import { Hashes } from './hashes.ts';
import { artifactRow, jobsOf, mergeRows, planCapture } from './plan.ts';

function input(path: string, content = path, ecosystem = 'npm'): InputRow {
  return { row: 'input', ecosystem, path, digest: digestOf(content), size: content.length };
}

function wanted(name: string, over: Partial<Wanted> = {}): Wanted {
  return {
    ecosystem: 'npm',
    authority: 'registry.example.test',
    name,
    version: '1.0.0',
    file: `${name}.tgz`,
    targets: 'any',
    sources: [],
    expected: [],
    media: '',
    published: '',
    facts: {},
    ...over,
  };
}

function closure(...artifacts: Wanted[]): Closure {
  return { artifacts, documents: [], pointers: [], notes: [] };
}

function row(name: string, inputs: readonly string[], over: Partial<ArtifactRow> = {}): ArtifactRow {
  return { ...artifactRow({ ...wanted(name), inputs }, digestOf(name), name.length, ''), ...over };
}

function lock(...rows: LockRow[]): MergedLock {
  return { rows, unsettled: new Set() };
}

const names = (rows: readonly LockRow[]): string[] => rows.map((one) => (one.row === 'input' ? one.path : one.name));

test('without a lock everything is resolved', () => {
  const plan = planCapture(undefined, [input('a'), input('b')]);
  assert.equal(plan.resolve.size, 2);
  assert.deepEqual(plan.kept, []);
});

test('unchanged inputs keep their rows; a removed input takes its own away', () => {
  const before = lock(input('a'), input('b'), row('x', ['a']), row('y', ['b']), row('z', ['a', 'b']));
  const plan = planCapture(before, [input('a')]);
  assert.equal(plan.resolve.size, 0);
  assert.deepEqual(names(plan.kept), ['x', 'z']);
  assert.deepEqual(plan.kept[1]!.inputs, ['a']);
  assert.deepEqual(
    plan.differences.map(({ where }) => where),
    ['b'],
  );
});

test('the same path in two ecosystems is two inputs', () => {
  const before = lock(input('a'), input('a', 'a', 'files'), row('x', ['a']), row('y', ['a'], { ecosystem: 'files' }));
  const plan = planCapture(before, [input('a', 'changed'), input('a', 'a', 'files')]);
  assert.deepEqual(names(plan.kept), ['y']);
  assert.equal(plan.resolve.size, 1);
});

test('a row for some targets that a changed input shares takes the others with it', () => {
  const before = lock(
    input('a'),
    input('b'),
    input('c'),
    row('x', ['a', 'b'], { targets: ['linux'] }),
    row('y', ['b', 'c']),
  );
  const plan = planCapture(before, [input('a', 'changed'), input('b'), input('c')]);
  assert.equal(plan.resolve.size, 2);
  assert.deepEqual(names(plan.kept), ['y']);
  assert.deepEqual(plan.kept[0]!.inputs, ['c']);
});

test('evidence of an input that goes, goes with it; where nothing is left, the rest is resolved again', () => {
  const evidence = [
    { algorithm: 'sha256', value: digestOf('x').slice(7), scope: 'file', source: 'a', grade: 'strong' },
  ] as const;
  const both = [...evidence, { ...evidence[0], source: 'b' }];
  const inputs = [input('a', 'changed'), input('b')];
  const kept = planCapture(lock(input('a'), input('b'), row('x', ['a', 'b'], { evidence: both })), inputs);
  assert.equal(kept.resolve.size, 1);
  assert.ok(kept.kept[0]?.row === 'artifact' && kept.kept[0].evidence.length === 1);
  const lost = planCapture(lock(input('a'), input('b'), row('x', ['a', 'b'], { evidence })), inputs);
  assert.equal(lost.resolve.size, 2);
});

test('ROLE-1: a file keeps its role as long as an input with the role names it, and no longer', () => {
  const file = (inputs: string[], facts = {}): ArtifactRow => row('x', inputs, { ecosystem: 'files', facts });
  const role = { role: 'policy' };
  const files = (path: string, content = path): InputRow => input(path, content, 'files');
  const gone = planCapture(lock(files('a'), files('b'), file(['a', 'b'], role)), [files('b')]);
  assert.deepEqual([gone.kept, gone.resolve.size], [[], 1], 'what b is for is asked again');

  const came = planCapture(lock(files('a'), files('b'), file(['a', 'b'])), [files('a', 'changed'), files('b')]);
  const [both] = mergeRows([], came.kept, [file(['a'], role)], []);
  assert.deepEqual(
    [both?.row === 'artifact' && both.facts, both?.row === 'artifact' && both.inputs],
    [role, ['a', 'b']],
  );
  const [other] = mergeRows([], [file(['a'], role)], [file(['b'])], []);
  assert.deepEqual(other?.row === 'artifact' && other.facts, role);
  const x = (facts = {}): Wanted => wanted('x', { ecosystem: 'files', facts });
  const [job] = jobsOf([
    { path: 'a', closure: closure(x(role)) },
    { path: 'b', closure: closure(x()) },
  ]);
  assert.deepEqual(job?.facts, role);
});

test('damaged content and unsettled merges resolve their inputs', () => {
  const x = row('x', ['a']);
  const inputs = [input('a'), input('b')];
  const before = lock(...inputs, x, row('y', ['b']));
  assert.deepEqual(names(planCapture(before, inputs, new Set([rowKey(x)])).kept), ['y']);
  assert.deepEqual(names(planCapture({ ...before, unsettled: new Set(['b']) }, inputs).kept), ['x']);
});

test('what two inputs want is one job; where they expect different bytes, it is a fault', () => {
  const sha = (text: string): Wanted['expected'][number] => ({
    algorithm: 'sha256',
    value: digestOf(text).slice(7),
    scope: 'file',
    source: text,
    grade: 'strong',
  });
  const [job, ...more] = jobsOf([
    { path: 'b', closure: closure(wanted('x', { targets: ['mac'] })) },
    { path: 'a', closure: closure(wanted('x', { targets: ['linux'], size: 3, expected: [sha('x')] })) },
  ]);
  assert.equal(more.length, 0);
  assert.deepEqual(job!.inputs, ['a', 'b']);
  assert.deepEqual(job!.targets, ['linux', 'mac']);
  assert.equal(job!.size, 3);
  assert.throws(
    () =>
      jobsOf([
        { path: 'a', closure: closure(wanted('x', { expected: [sha('x')] })) },
        { path: 'b', closure: closure(wanted('x', { expected: [sha('y')] })) },
      ]),
    (error) => isFault(error) && error.code === 'capture.conflict',
  );
});

test('a kept row and a resolved one become one, or a fault where their bytes differ', () => {
  const inputs = [input('a'), input('b')];
  const kept = row('x', ['a']);
  const merged = mergeRows(inputs, [kept], [row('x', ['b'])], []).find((one) => one.row === 'artifact');
  assert.deepEqual(merged?.inputs, ['a', 'b']);
  assert.throws(() => mergeRows(inputs, [kept], [row('x', ['b'], { digest: digestOf('other') })], []), {
    code: 'capture.conflict',
  });
});

test('all hashes are computed in one pass, and the first that does not hold is named', () => {
  const known = {
    md5: '900150983cd24fb0d6963f7d28e17f72',
    sha1: 'a9993e364706816aba3e25717850c26c9cd0d89d',
    sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  } as const;
  const expected = Object.entries(known).map(([algorithm, value]) => ({
    algorithm: algorithm as keyof typeof known,
    value: value as string,
    scope: 'file' as const,
    source: 'index',
    grade: 'strong' as const,
  }));
  const hashes = new Hashes(expected);
  hashes.update(Buffer.from('a'));
  hashes.update(Buffer.from('bc'));
  assert.equal(hashes.size, 3);
  assert.deepEqual(hashes.finish(), { digest: `sha256:${known.sha256}`, mismatch: undefined });
  const wrong = new Hashes(expected);
  wrong.update(Buffer.from('abd'));
  assert.equal(wrong.finish().mismatch?.algorithm, 'md5');
});
