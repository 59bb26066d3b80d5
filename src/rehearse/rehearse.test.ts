import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { errorMessage } from '#kernel';
import { testWorld } from '#kernel/testing';
import { debianTools, findProgram, namespacesAllowed, nodeFiles, runProcess } from '#system';
import { temporaryFolder } from '#system/testing';
import { rehearseVerb } from './verbs/rehearse.ts';
import { verifyReportVerb } from './verbs/verify.ts';

// On a machine that lacks them they are unpacked into the cache first, as a rehearsal does.
const found = await debianTools(['ip', 'nft'], { env: process.env }).catch((error: unknown) => errorMessage(error));
const npm = await findProgram('npm', process.env);
const answer =
  typeof found === 'string' || npm === undefined
    ? ({ allowed: false, reason: typeof found === 'string' ? found : 'npm is not here' } as const)
    : await namespacesAllowed(process.env, { ip: found.ip.path, nft: found.nft.path });
const skip = answer.allowed ? false : `no namespaces: ${answer.reason}`;
const launcher = fileURLToPath(new URL('../../sallyport', import.meta.url));

const SERVER = `require('node:http').createServer((q, s) => s.end(process.env.WORD ?? 'well')).listen(process.env.PORT)`;

/** A project that needs no network: two services in the language that is here anyway, and a file. */
async function project(folder: string, services: object, requests: object[]): Promise<void> {
  const target = { os: 'linux', arch: process.arch === 'arm64' ? 'arm64' : 'amd64' };
  await mkdir(join(folder, 'data'), { recursive: true });
  await writeFile(join(folder, 'data', 'terms.txt'), 'terms\n');
  await writeFile(
    join(folder, 'sallyport.yaml'),
    JSON.stringify({
      sallyport: '1.0',
      name: 'small',
      channel: 'main',
      targets: { 'linux-here': target },
      inputs: [{ files: 'data' }],
      services,
      flows: [{ from: 'front', to: 'back', port: 8001, protocol: 'tcp', reason: 'test', owner: 'test' }],
      requests,
    }),
  );
}

function worldFor(folder: string, env: Record<string, string | undefined> = {}) {
  return testWorld(nodeFiles, folder, {
    clock: { now: () => Date.now() },
    env: { ...process.env, ...env },
    self: [launcher],
  });
}

const CALLER = `const http = require('node:http'); http.createServer((q, s) => http.get('http://back:8001/', (a) => a.resume().on('end', () => s.end('well')))).listen(process.env.PORT)`;
const front = { folder: 'data', run: ['node', '-e', CALLER], port: 8000, needs: ['back'] };
const back = { folder: 'data', run: ['node', '-e', SERVER], port: 8001, environment: { WORD: 'behind' } };

describe('a rehearsal', { skip }, () => {
  test('is proved and can be checked without us; warm, it says no or unknown where that is the truth', async (t) => {
    const folder = await temporaryFolder(t);
    await project(folder, { front, back }, [{ to: 'front', path: '/', expect: { status: 200, contains: 'well' } }]);
    const world = worldFor(folder);
    const report = await rehearseVerb.run({}, world);
    assert.deepEqual(report.reasons, []);
    assert.deepEqual([report.verdict, report.offline, rehearseVerb.exit(report)], ['proved', 'yes', 0]);
    assert.deepEqual(
      report.refusals.map(({ refused }) => refused),
      [true, true, true],
    );
    assert.deepEqual(report.artifacts?.foreign, []);
    const edge = report.attempts.find(({ kind, from, to }) => kind === 'edge' && from === 'back' && to === 'front');
    assert.equal(edge?.deliberate, true);
    const [use, ...others] = report.uses ?? [];
    assert.deepEqual([use?.from, use?.to, use?.port, use?.protocol, others], ['front', 'back', 8001, 'tcp', []]);
    assert.ok((use?.count ?? 0) >= 1, 'what front asked of back is a use of the flow');
    assert.ok(use!.until >= report.started);
    const call = report.attempts.find(({ serverName }) => serverName === 'telemetry.example.test');
    assert.deepEqual([call?.port, call?.protocol, call?.deliberate], [443, 'tcp', true]);
    assert.deepEqual(JSON.parse(await readFile(report.report, 'utf8')), report);
    const root = join(folder, '.sallyport/inside/trust/own/root.1.dsse.json');
    const genuine = await verifyReportVerb.run({ report: report.report, root }, world);
    assert.deepEqual([genuine.verdict, genuine.reasons, genuine.entry], ['verified', [], report.entry]);
    assert.deepEqual(
      report.proofs
        .map(({ side, what }) => `${side}: ${what}`)
        .filter((one) => /(?:sealed|admitted|pinned)$/.test(one)),
      [
        'outside: The bundle was sealed',
        'inside: The root of the outside was pinned',
        'inside: The bundle was admitted',
      ],
    );
    assert.ok(
      report.artifacts?.files.every(({ row, served, why }) => (row === 'artifact' ? served && why === '' : true)),
    );
    const limits = new Map(report.enclave?.limits.map(({ what, state }) => [what, state]));
    for (const what of ['Network', 'Files of the host', 'Capabilities', 'New privileges', 'System calls', 'User']) {
      assert.equal(limits.get(what), 'in-force', what);
    }
    assert.match(report.enclave?.kernel ?? '', /^Linux \d/);
    assert.deepEqual(report.logs.map(({ service }) => service).sort(), ['back', 'front']);
    for (const { start, milliseconds } of report.steps)
      assert.ok(start >= 0 && start + milliseconds <= report.milliseconds);

    const tools = await debianTools(['openssl', 'zstd'], { env: process.env });
    const empty = await temporaryFolder(t);
    const folders = Object.values(tools).map((tool) => dirname(tool.path));
    const env = { PATH: [...folders, process.env['PATH'] ?? '/usr/bin:/bin'].join(':') };
    const checked = await runProcess('/bin/sh', ['-c', report.check.join('\n')], { cwd: empty, env });
    assert.match(checked.stdout, /checked\n$/);

    // Again, with a service that never answers: nothing is carried twice, and it is not proved.
    const broken = {
      folder: 'data',
      run: ['node', '-e', 'console.error("no such\\u001b[31m table"); process.exit(3)'],
      port: 8001,
    };
    await project(folder, { front, back: broken }, [{ to: 'front', path: '/', expect: { status: 200 } }]);
    const again = await rehearseVerb.run({}, world);
    assert.equal(again.bundle?.index, report.bundle?.index);
    assert.equal(again.steps.find(({ id }) => id === 'admit')?.detail, 'already-here');
    assert.equal(again.steps.find(({ id }) => id === 'capture')?.bytes, 0);
    assert.deepEqual([again.verdict, again.offline, rehearseVerb.exit(again)], ['not-proved', 'no', 1]);
    const outcomes = new Map(again.steps.map(({ id, outcome }) => [id, outcome]));
    assert.deepEqual(
      ['service-back', 'service-front', 'request-1', 'refuse-older'].map((id) => outcomes.get(id)),
      ['failed', 'not-tested', 'not-tested', 'ok'],
    );
    const said = again.steps.find(({ id }) => id === 'service-back')?.detail ?? '';
    assert.match(said, /no such\\u\{1b\}\[31m table/);

    // And where namespaces are forbidden: all up to there is done, and the reason is told.
    const bin = await temporaryFolder(t);
    await writeFile(join(bin, 'unshare'), '#!/bin/sh\necho "unshare failed: Operation not permitted" >&2\nexit 1\n', {
      mode: 0o755,
    });
    const shut = await rehearseVerb.run({}, worldFor(folder, { PATH: `${bin}:${process.env['PATH'] ?? ''}` }));
    assert.deepEqual([shut.verdict, shut.offline], ['not-proved', 'unknown']);
    const step = shut.steps.find(({ id }) => id === 'clients');
    assert.equal(step?.outcome, 'not-tested');
    assert.match(step?.detail ?? '', /Operation not permitted/);
    assert.equal(shut.steps.find(({ id }) => id === 'admit')?.outcome, 'ok');
    assert.equal(shut.enclave, undefined);
    assert.equal((await verifyReportVerb.run({ report: shut.report, root }, world)).verdict, 'verified');
  });

  test('two at once: the second is told who the first is', async (t) => {
    const folder = await temporaryFolder(t);
    await mkdir(join(folder, '.sallyport'), { mode: 0o700 });
    const stat = await readFile('/proc/self/stat', 'utf8');
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    await writeFile(join(folder, '.sallyport', 'rehearsal.lock'), `${process.pid} ${start}\n`);
    await assert.rejects(rehearseVerb.run({}, worldFor(folder)), { code: 'rehearse.running' });
    await assert.rejects(rehearseVerb.run({ folder: 'nowhere' }, worldFor(folder)), { code: 'rehearse.no-folder' });
  });
});
