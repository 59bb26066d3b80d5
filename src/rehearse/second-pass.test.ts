import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { errorMessage } from '#kernel';
import { testWorld } from '#kernel/testing';
import { debianTools, findProgram, namespacesAllowed, nodeFiles } from '#system';
import { temporaryFolder } from '#system/testing';
import { rehearseVerb } from './verbs/rehearse.ts';

const found = await debianTools(['ip', 'nft'], { env: process.env }).catch((error: unknown) => errorMessage(error));
const npm = await findProgram('npm', process.env);
const answer =
  typeof found === 'string' || npm === undefined
    ? ({ allowed: false, reason: typeof found === 'string' ? found : 'npm is not here' } as const)
    : await namespacesAllowed(process.env, { ip: found.ip.path, nft: found.nft.path });
const skip = answer.allowed ? false : `no namespaces: ${answer.reason}`;
const launcher = fileURLToPath(new URL('../../sallyport', import.meta.url));

/** Starts only where a name has an address. */
const CLOCK = `require('node:dns').lookup('time.example.test', (error) => {
  if (error) { console.error('no time: ' + error.code); process.exit(1); }
  require('node:http').createServer((q, s) => s.end('well')).listen(process.env.PORT);
});`;
/** Answers well only where somebody outside accepts a connection. */
const FRONT = `require('node:http').createServer((q, s) => {
  const socket = require('node:net').connect(443, '203.0.113.7');
  const end = (code, words) => s.headersSent || s.writeHead(code).end(words);
  socket.on('connect', () => end(200, 'well')).on('error', (error) => end(502, error.code));
}).listen(process.env.PORT);`;
/** Asks outside too, and does not mind. */
const CALM = `require('node:net').connect(443, '203.0.113.8').on('error', () => {});
require('node:http').createServer((q, s) => s.end('well')).listen(process.env.PORT);`;

test('what runs only because the sink answers is found by the pass without routes, by name', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'data'), { recursive: true });
  await writeFile(join(folder, 'data', 'terms.txt'), 'terms\n');
  const service = (program: string, port: number) => ({ folder: 'data', run: ['node', '-e', program], port });
  const ask = (to: string) => ({ to, path: '/', expect: { status: 200, contains: 'well' } });
  await writeFile(
    join(folder, 'sallyport.yaml'),
    JSON.stringify({
      sallyport: '1.0',
      name: 'leaning',
      targets: { here: { os: 'linux', arch: process.arch === 'arm64' ? 'arm64' : 'amd64' } },
      inputs: [{ files: 'data' }],
      services: { clock: service(CLOCK, 8001), front: service(FRONT, 8002), calm: service(CALM, 8003) },
      requests: [ask('clock'), ask('front'), ask('calm')],
    }),
  );
  const world = testWorld(nodeFiles, folder, {
    clock: { now: () => Date.now() },
    env: process.env,
    self: [launcher],
  });
  const report = await rehearseVerb.run({}, world);
  const steps = new Map(report.steps.map((step) => [step.id, step]));
  for (const id of ['service-clock', 'service-front', 'service-calm', 'request-1', 'request-2', 'request-3', 'alone']) {
    assert.equal(steps.get(id)?.outcome, 'ok', `${id}: ${steps.get(id)?.detail}`);
  }
  assert.deepEqual(
    report.reasons.map(({ code, where }) => [code, where]),
    [
      ['rehearse.leans-on-outside', 'alone-services'],
      ['rehearse.leans-on-outside', 'alone-requests'],
    ],
  );
  assert.deepEqual([report.verdict, report.offline, rehearseVerb.exit(report)], ['not-proved', 'no', 1]);
  const services = steps.get('alone-services')?.detail ?? '';
  assert.match(services, /^The service clock runs: leans on an answer from outside \(it wanted time\.example\.test\)/);
  assert.match(services, /no time: (?:EAI_AGAIN|ENOTFOUND)/);
  assert.doesNotMatch(services, /front|calm/);
  const requests = steps.get('alone-requests')?.detail ?? '';
  assert.match(requests, /GET \/ of front: leans on an answer from outside \(it wanted 203\.0\.113\.7\).*ENETUNREACH/);
  assert.doesNotMatch(requests, /of calm/);
});
