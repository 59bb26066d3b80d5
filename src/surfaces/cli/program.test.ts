import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { Fault, operation } from '#kernel';
import { fixedClock } from '#kernel/testing';
import { nodeFiles } from '#system';
import { runCommandLine, type Terminal } from './index.ts';

const echo = operation<{ name: string; key?: string[] | undefined; home?: string | undefined }, { verdict: string }>({
  name: ['trust', 'echo'],
  summary: 'says it again',
  parameters: [
    { key: 'name', form: 'NAME', help: 'what to say' },
    { key: 'key', form: '--key FILE', help: 'may be repeated' },
  ],
  input: z.object({ name: z.string(), key: z.array(z.string()).optional(), home: z.string().optional() }),
  output: z.object({ verdict: z.string() }),
  load: async () => ({
    async run({ name, key, home }) {
      if (name === 'fault') throw new Fault('test.fault', 'It broke.', 'Mend it.', 'here', 3);
      if (name === 'bug') throw new Error('a bug');
      if (name === 'full') throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC', path: '/x' });
      return { verdict: [name, ...(key ?? []), ...(home === undefined ? [] : [home])].join(' ') };
    },
    exit: ({ verdict }) => (verdict === 'no' ? 1 : 0),
    show: ({ verdict }) => `verdict: ${verdict}`,
  }),
});

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const terminal: Terminal = {
    stdout: { write: (text) => void (out += text) },
    stderr: { write: (text) => void (err += text) },
    stdinIsTTY: false,
    ask: async () => '',
    keepBugReport: () => '/tmp/report',
  };
  const base = {
    clock: fixedClock(),
    files: nodeFiles,
    signal: new AbortController().signal,
    cwd: '/',
    env: {},
    self: [],
    version: '1.2.3',
  };
  const code = await runCommandLine(argv, [echo], base, terminal, () => undefined);
  return { code, out, err };
}

test('a result is one JSON document on stdout, or text', async () => {
  assert.deepEqual(await run('trust', 'echo', 'yes', '--json'), { code: 0, out: '{"verdict":"yes"}\n', err: '' });
  assert.deepEqual(await run('trust', 'echo', 'yes'), { code: 0, out: 'verdict: yes\n', err: '' });
});

test('a negative verdict exits 1, a repeated flag collects, a home is offered where the input has one', async () => {
  assert.equal((await run('trust', 'echo', 'no', '--json')).code, 1);
  const { out } = await run('trust', 'echo', 'a', '--key', 'b', '--key', 'c', '--home', 'd', '--json');
  assert.equal(out, '{"verdict":"a b c d"}\n');
});

test('usage errors exit 2 and are one JSON document with --json', async () => {
  for (const argv of [['nope'], ['trust', 'echo'], ['trust', 'echo', 'x', '--nope'], ['trust', 'echo', 'x', 'y']]) {
    const plain = await run(...argv);
    assert.equal(plain.code, 2, argv.join(' '));
    assert.equal(plain.out, '');
    assert.notEqual(plain.err, '');
    const json = await run(...argv, '--json');
    assert.equal(json.code, 2);
    assert.equal(json.err, '');
    assert.equal(JSON.parse(json.out).fault.code, 'usage');
  }
});

test('faults exit 3 and say what, where and what to do', async () => {
  const json = await run('trust', 'echo', 'fault', '--json');
  assert.equal(json.code, 3);
  assert.deepEqual(JSON.parse(json.out), {
    fault: { code: 'test.fault', message: 'It broke.', fix: 'Mend it.', where: 'here' },
  });
  const plain = await run('trust', 'echo', 'fault');
  assert.equal(plain.out, '');
  assert.match(plain.err, /It broke\.\n {2}where: here\n {2}fix: {3}Mend it\./);
  const full = await run('trust', 'echo', 'full', '--json');
  assert.equal(full.code, 3);
  assert.equal(JSON.parse(full.out).fault.code, 'system.no-space');
});

test('a bug exits 70 and says where its report is', async () => {
  const { code, err } = await run('trust', 'echo', 'bug');
  assert.equal(code, 70);
  assert.match(err, /\/tmp\/report/);
});

test('help and version exit 0', async () => {
  assert.deepEqual(await run('--version'), { code: 0, out: '1.2.3\n', err: '' });
  assert.match((await run('--help')).out, /Commands:/);
  assert.match((await run('help', 'trust', 'echo')).out, /NAME|trust/);
});
