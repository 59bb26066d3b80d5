import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorMessage } from '#kernel';
import { debianTools, namespacesAllowed, runtimeEnvironment } from '#system';
import { type Attempt, type EnclaveOptions, openEnclave } from './index.ts';

const found = await debianTools(['ip', 'nft'], { env: process.env }).catch((error: unknown) => errorMessage(error));
const answer =
  typeof found === 'string'
    ? ({ allowed: false, reason: found } as const)
    : await namespacesAllowed(process.env, { ip: found.ip.path, nft: found.nft.path });
const skip = answer.allowed ? false : `no namespaces: ${answer.reason}`;
const tools = typeof found === 'string' ? { ip: '', nft: '' } : { ip: found.ip.path, nft: found.nft.path };

/** What a program that calls by name and by address is answered, and what is recorded of it. */
async function tried(answers: EnclaveOptions['answers']): Promise<{ said: unknown; attempts: readonly Attempt[] }> {
  const work = await mkdtemp(join(tmpdir(), 'sallyport answers '));
  const enclave = await openEnclave({
    machines: ['web'],
    flows: [],
    writable: [work],
    env: process.env,
    tools,
    ...(answers === undefined ? {} : { answers }),
    signal: new AbortController().signal,
  });
  try {
    const script = `
      const { connect } = require('node:net');
      const { lookup } = require('node:dns/promises');
      const { createSocket } = require('node:dgram');
      const call = (port) => new Promise((resolve) => {
        const socket = connect({ host: '203.0.113.9', port, timeout: 1500 }, () => socket.write('hello'));
        socket.on('error', (error) => resolve(error.code)).on('timeout', () => { socket.destroy(); resolve('silence'); });
      });
      const datagram = () => new Promise((resolve) => {
        const socket = createSocket('udp4');
        socket.on('error', (error) => resolve(error.code));
        socket.connect(99, '203.0.113.9', () => { socket.send('x'); setTimeout(() => { resolve('silence'); socket.close(); }, 500); });
      });
      (async () => {
        const name = await lookup('somewhere.example.test').then(({ address }) => address, (error) => error.code);
        console.log(JSON.stringify([name, await call(4711), await datagram()]));
      })();`;
    const ended = await enclave.run('web', process.execPath, ['-e', script], {
      cwd: work,
      env: { PATH: '/usr/bin:/bin', ...runtimeEnvironment(process.env) },
      timeout: 60_000,
    });
    return { said: JSON.parse(ended.stdout), attempts: await enclave.attempts() };
  } finally {
    await enclave.close();
    await rm(work, { recursive: true, force: true });
  }
}

/** Of the name, the connection and the datagram. */
function answersIn(attempts: readonly Attempt[]): (string | undefined)[] {
  const of = (wanted: Partial<Attempt>): string | undefined =>
    attempts.find((one) => Object.entries(wanted).every(([key, value]) => one[key as keyof Attempt] === value))?.answer;
  return [of({ kind: 'name', name: 'somewhere.example.test' }), of({ port: 4711 }), of({ port: 99 })];
}

test('by default names get an address, calls are accepted and reset, datagrams are dropped', { skip }, async () => {
  const { said, attempts } = await tried(undefined);
  assert.deepEqual(said, ['198.18.0.1', 'ECONNRESET', 'silence']);
  assert.deepEqual(answersIn(attempts), ['answered', 'reset', 'dropped']);
});

test('names can be unknown, and calls refused at once', { skip }, async () => {
  const { said, attempts } = await tried({ names: 'unknown', calls: 'refuse' });
  assert.deepEqual(said, ['ENOTFOUND', 'ECONNREFUSED', 'ECONNREFUSED']);
  assert.deepEqual(answersIn(attempts), ['unknown-name', 'refused', 'refused']);
});

test('names and calls can get no answer, and how long a program waited is recorded', { skip }, async () => {
  const { said, attempts } = await tried({ names: 'drop', calls: 'drop' });
  assert.deepEqual(said, ['EAI_AGAIN', 'silence', 'silence']);
  assert.deepEqual(answersIn(attempts), ['dropped', 'dropped', 'dropped']);
  const call = attempts.find(({ port }) => port === 4711);
  // It gave up after one and a half seconds, and was looked at four times a second.
  assert.ok((call?.stalledMs ?? 0) >= 500, String(call?.stalledMs));
});
