import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AskedNames } from './asked-names.ts';

const NOW = '2026-01-01T00:00:00.000Z';

test('a name is told once, its addresses together and every other type by itself', () => {
  const asked = new AskedNames();
  const verdicts = ['A', 'AAAA', 'HTTPS', 'TXT', 'TXT', 'NULL'].map(
    (type) => asked.ask('web', 'a.example.test', type).verdict,
  );
  assert.deepEqual(verdicts, ['tell', 'again', 'again', 'tell', 'again', 'tell']);
  assert.equal(asked.ask('api', 'a.example.test', 'A').verdict, 'tell');
  assert.deepEqual(asked.summaries(NOW), []);
});

test('of a tunnel the first names are told, and the rest is one attempt with a count and a sample', () => {
  const asked = new AskedNames();
  const verdicts = Array.from({ length: 500 }, (_, index) => {
    const name = `${Buffer.from(`secret part ${index}`.padEnd(25)).toString('hex')}.t.evil.test`;
    return asked.ask('web', name, index % 2 === 0 ? 'TXT' : 'NULL');
  });
  const told = verdicts.filter(({ verdict }) => verdict === 'tell');
  assert.equal(told.length, 20);
  assert.ok(told.every((one) => one.verdict === 'tell' && one.tunnel));
  const [summary, ...others] = asked.summaries(NOW);
  assert.deepEqual(others, []);
  assert.deepEqual(
    [summary?.from, summary?.name, summary?.count, summary?.speaks, summary?.request],
    ['web', '*.evil.test', 480, 'tunnel', 'TXT, NULL'],
  );
  assert.ok((summary?.firstBytes?.length ?? 0) <= 128);
  // Told once; what comes later is told later.
  assert.deepEqual(asked.summaries(NOW), []);
  asked.ask('web', 'one.more.evil.test', 'A');
  assert.equal(asked.summaries(NOW)[0]?.count, 1);
});

test('names that people choose are no tunnel', () => {
  const asked = new AskedNames();
  const names = ['registry.example.test', 'a.very.long.but.ordinary.name.of.a.service.in.some.namespace.example.test'];
  for (const name of names) {
    const verdict = asked.ask('web', name, 'A');
    assert.equal(verdict.verdict === 'tell' && verdict.tunnel, false);
  }
});

test('a flood over very many suffixes is counted in the end', () => {
  const asked = new AskedNames();
  for (let index = 0; index < 10_000; index++) asked.ask('web', `x.s${index}.test`, 'A');
  const summary = asked.summaries(NOW).find(({ speaks }) => speaks === 'flood');
  assert.ok((summary?.count ?? 0) > 5000);
});
