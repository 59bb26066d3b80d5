import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { isFault } from '#kernel';
import { childEnvironment, runProcess, startProcess } from './processes.ts';

const env = { PATH: '/usr/bin:/bin' };

test('a child gets the allow-list, what is named, and nothing else', () => {
  const host = { PATH: '/bin', PIP_FIND_LINKS: '/wheels', npm_config_registry: 'x', https_proxy: 'p', HOME: '/root' };
  assert.deepEqual(childEnvironment(host), { PATH: '/bin' });
  assert.deepEqual(childEnvironment(host, { network: true, set: { HOME: '/tmp/empty', PATH: undefined } }), {
    https_proxy: 'p',
    HOME: '/tmp/empty',
  });
});

test('output is bounded, the exit code is kept', async () => {
  const ended = await runProcess('sh', ['-c', 'head -c 100000 /dev/zero; echo words >&2; exit 7'], { env, keep: 10 });
  assert.deepEqual([ended.code, ended.stdout.length, ended.cut], [7, 10, true]);
  assert.equal(ended.stderr, 'words\n');
});

test('a time limit ends the whole group, also what ignores SIGTERM', async () => {
  const running = await startProcess('sh', ['-c', "trap '' TERM; sleep 60 & echo $!; wait; sleep 60"], {
    env,
    timeout: 100,
    grace: 100,
  });
  const ended = await running.ended;
  assert.equal(ended.timedOut, true);
  // A zombie that waits for its new parent has ended too.
  const state = await readFile(`/proc/${ended.stdout.trim()}/stat`, 'utf8').catch(() => ') Z');
  assert.match(state, /\) [ZX]/);
});

test('a missing program is a fault, and input reaches the child', async () => {
  await assert.rejects(
    runProcess('no-such-program', [], { env }),
    (error) => isFault(error) && error.code === 'process.missing',
  );
  assert.equal((await runProcess('cat', [], { env, input: 'hello' })).stdout, 'hello');
});

test('an abort stops it and is thrown', async () => {
  const controller = new AbortController();
  const running = runProcess('sleep', ['60'], { env, signal: controller.signal });
  setTimeout(() => controller.abort(new Error('stopped')), 50);
  await assert.rejects(running, /stopped/);
});
