import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runtimeEnvironment } from '#system';
import { type Attempt, type EnclaveOptions, openEnclave } from './index.ts';
import { namespacesHere } from '#system/testing';

const { skip, tools } = await namespacesHere();

const SCRIPT = `
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

/** What a program is answered (by default one that calls by name and by address), and what is recorded of it. */
async function tried(
  answers: EnclaveOptions['answers'],
  script = SCRIPT,
  observe: EnclaveOptions['observe'] = {},
): Promise<{ said: unknown; attempts: readonly Attempt[] }> {
  const work = await mkdtemp(join(tmpdir(), 'sallyport answers '));
  const enclave = await openEnclave({
    machines: ['web'],
    flows: [],
    writable: [work],
    env: process.env,
    tools,
    ...(answers === undefined ? {} : { answers }),
    observe,
    signal: new AbortController().signal,
  });
  try {
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

test('names that are asked over TCP, TLS and HTTPS are seen for what they are', { skip }, async () => {
  const { said, attempts } = await tried(
    undefined,
    `
    const { connect } = require('node:net');
    const tls = require('node:tls');
    const question = (name) => {
      const labels = Buffer.concat(name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])));
      const body = Buffer.concat([Buffer.from('000701000001000000000000', 'hex'), labels, Buffer.from('0000100001', 'hex')]);
      return Buffer.concat([Buffer.from([0, body.length]), body]);
    };
    const overTcp = () => new Promise((resolve) => {
      // Two questions in one piece, and the second cut.
      const both = Buffer.concat([question('one.example.test'), question('two.example.test')]);
      let got = 0;
      const socket = connect(53, '203.0.113.53', () => { socket.write(both.subarray(0, 50)); setTimeout(() => socket.write(both.subarray(50)), 50); });
      socket.on('data', (piece) => { got += piece.length; if (got >= both.length) { resolve(got); socket.destroy(); } });
    });
    const overTls = (host, port, servername) => new Promise((resolve) => {
      tls.connect({ host, port, servername }).on('error', (error) => resolve(error.code));
    });
    const overHttp = () => fetch('http://203.0.113.8/dns-query?dns=AAAB').then(() => 'answer', () => 'none');
    (async () => {
      console.log(JSON.stringify([
        await overTcp(),
        await overTls('203.0.113.9', 853, 'resolver.example.test'),
        await overTls('203.0.113.9', 443, 'dns.example.test'),
        await overHttp(),
      ]));
    })();`,
  );
  assert.deepEqual(said, [72, 'ECONNRESET', 'ECONNRESET', 'none']);
  const names = attempts.filter(({ kind }) => kind === 'name').map(({ name, request }) => [name, request]);
  assert.deepEqual(names, [
    ['one.example.test', 'TXT'],
    ['two.example.test', 'TXT'],
  ]);
  const calls = attempts.filter(({ kind }) => kind === 'call');
  assert.deepEqual(calls.map(({ address, port, speaks, serverName }) => [address, port, speaks, serverName]).sort(), [
    ['203.0.113.53', 53, 'dns', undefined],
    ['203.0.113.8', 80, 'doh', undefined],
    ['203.0.113.9', 443, 'doh', 'dns.example.test'],
    ['203.0.113.9', 853, 'dot', 'resolver.example.test'],
  ]);
});

test(
  'where nobody watches system calls, who holds the socket is named while it is open, and there are no decoys',
  { skip },
  async () => {
    const script = `
    const { existsSync } = require('node:fs');
    const { homedir } = require('node:os');
    console.log(JSON.stringify([existsSync(homedir() + '/.ssh'), existsSync('/run/docker.sock')]));
    require('node:net').connect(4712, '203.0.113.9').on('error', () => 0);`;
    const { said, attempts } = await tried(undefined, script, { calls: false });
    assert.deepEqual(said, [false, false]);
    const call = attempts.find(({ port }) => port === 4712);
    assert.match(call?.process?.command ?? '', /^\S*node -e /);
  },
);
