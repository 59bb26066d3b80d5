// A program that tries without end: what it tried is bounded and counted, and nobody else goes unseen for it.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Attempt, openEnclave } from '#enclave';
import { debianTools, runtimeEnvironment } from '#system';
import { skipped } from '../../components.ts';
import { whyNoEnclave } from './small-project.ts';

const why = await whyNoEnclave();

/** More datagrams than are told one by one, names without end below one suffix, and connections. */
const FLOOD = `
const { createSocket } = require('node:dgram');
const { connect } = require('node:net');
const { Resolver } = require('node:dns').promises;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
(async () => {
  const socket = createSocket('udp4');
  for (let index = 0; index < 25_000; index++) {
    await new Promise((resolve) => socket.send('x', 1 + (index % 60_000), '203.0.113.' + (1 + (index % 250)), resolve));
  }
  socket.close();
  const resolver = new Resolver({ timeout: 2000, tries: 1 });
  for (let index = 0; index < 1000; index++) await resolver.resolveTxt('n' + index + '.t.evil.test').catch(() => 0);
  for (let index = 0; index < 300; index++) {
    await new Promise((resolve) => connect(1000 + index, '203.0.113.9', function () { this.end('x'); }).on('error', resolve).on('close', resolve));
  }
})();`;

describe('a flood of attempts', { skip: why !== false && skipped('namespaces', why) }, () => {
  test('is told in part and counted in whole, and hides nobody else', async () => {
    const { ip, nft } = await debianTools(['ip', 'nft'], { env: process.env });
    const work = await mkdtemp(join(tmpdir(), 'sallyport flood '));
    const env = { PATH: '/usr/bin:/bin', ...runtimeEnvironment(process.env) };
    const enclave = await openEnclave({
      machines: ['loud', 'quiet'],
      flows: [],
      writable: [work],
      env: process.env,
      tools: { ip: ip.path, nft: nft.path },
      signal: new AbortController().signal,
    });
    try {
      const run = (machine: string, script: string) =>
        enclave.run(machine, process.execPath, ['-e', script], { cwd: work, env, timeout: 180_000 });
      const [loud, quiet] = await Promise.all([
        run('loud', FLOOD),
        run('quiet', `fetch('https://quiet.example.test:8443/').catch(() => 0)`),
      ]);
      assert.deepEqual([loud.code, quiet.code], [0, 0], loud.stderr);
      const late = await run(
        'quiet',
        `require('node:dgram').createSocket('udp4').send('late', 99, '203.0.113.7', () => process.exit())`,
      );
      assert.equal(late.code, 0, late.stderr);
      const attempts = await enclave.attempts();
      const of = (wanted: (attempt: Attempt) => boolean): number =>
        attempts.filter(wanted).reduce((sum, { count }) => sum + (count ?? 1), 0);
      const byLoud = attempts.filter(({ from }) => from === 'loud');
      assert.ok(byLoud.length <= 20_010, `${byLoud.length} told`);
      assert.equal(
        of(({ from, protocol }) => from === 'loud' && protocol === 'udp'),
        25_000,
      );
      assert.equal(
        of(({ name }) => name?.endsWith('.evil.test') === true),
        1000,
      );
      assert.equal(
        of(({ from, protocol }) => from === 'loud' && protocol === 'tcp'),
        300,
      );
      assert.ok(attempts.some(({ from, serverName }) => from === 'quiet' && serverName === 'quiet.example.test'));
      assert.ok(
        attempts.some(({ from, address, port }) => from === 'quiet' && address === '203.0.113.7' && port === 99),
      );
    } finally {
      await enclave.close();
      await rm(work, { recursive: true, force: true });
    }
  });
});
