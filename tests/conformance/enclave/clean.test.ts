import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { toolsFolder } from '#system';
import { skipped } from '../../components.ts';
import { files, type HostState, hostState, lastingChanges } from './host-state.ts';
import { launcher, smallProject, whyNoEnclave } from './small-project.ts';

const why = await whyNoEnclave();
/** Kills of whole rehearsals, and of a program that only opens an enclave: a rehearsal lives for seconds. */
const [REHEARSALS = 40, ENCLAVES = 60] = (process.env['SALLYPORT_KILLS'] ?? '').split(',').filter(Boolean).map(Number);
const KILLS = { rehearsals: REHEARSALS, enclaves: ENCLAVES, atOnce: 4 };

describe('the host', { skip: why !== false && skipped('namespaces', why) }, () => {
  let base = '';
  let host: HostState;
  /** What is of these runs: their folders have this name in them, which nothing else has. */
  const ours = (line: string): boolean => base !== '' && line.includes(base);
  let env: Record<string, string> = {};

  before(async () => {
    if (why !== false) return;
    base = await mkdtemp(join(tmpdir(), 'sallyport-host-'));
    const own = { HOME: join(base, 'home'), TMPDIR: join(base, 'tmp') };
    for (const folder of Object.values(own)) await mkdir(folder);
    // Tools that were unpacked already need not be again, whatever the cache of this machine is called.
    const cache = join(own.HOME, '.cache', 'sallyport', 'tools');
    await cp(toolsFolder(process.env), cache, { recursive: true, verbatimSymlinks: true }).catch(() => undefined);
    const { XDG_CACHE_HOME: _, NODE_COMPILE_CACHE: __, ...rest } = process.env as Record<string, string>;
    env = { ...rest, ...own };
    host = await hostState(ours);
  });
  after(() => rm(base, { recursive: true, force: true }));

  interface Run {
    readonly child: ChildProcess;
    readonly ended: Promise<{ code: number | null; signal: string | null; out: string }>;
  }
  function start(folder: string): Run {
    const words = ['rehearse', folder, '--json', '--log', 'quiet'];
    const child = spawn(launcher, words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    child.stdout.on('data', (piece: Buffer) => (out += piece.toString()));
    child.stderr.on('data', (piece: Buffer) => (out += piece.toString()));
    const ended = new Promise<{ code: number | null; signal: string | null; out: string }>((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal, out }));
    });
    return { child, ended };
  }
  async function project(name: string): Promise<string> {
    const folder = join(base, name);
    await smallProject(folder);
    return folder;
  }
  async function proved(folder: string): Promise<void> {
    const { code, out } = await start(folder).ended;
    assert.equal(code, 0, out.slice(0, 4000));
  }
  const asItWas = async (): Promise<void> => assert.deepEqual(await lastingChanges(host, ours), []);

  test('is as it was after a rehearsal, and below the home only the cache has grown', async () => {
    await proved(await project('first'));
    await asItWas();
    assert.deepEqual(await readdir(env['TMPDIR'] ?? ''), []);
    const grown = (await files(env['HOME'] ?? '')).map((line) => line.slice((env['HOME'] ?? '').length + 1));
    assert.deepEqual(
      grown.filter((line) => !/^\.cache( |\/sallyport( |\/(tools|compile)[ /]))/.test(line)),
      [],
    );
  });

  test('is as it was after Ctrl-C, and the services were stopped in order', async () => {
    const folder = join(base, 'stopped');
    const bye = (name: string): string[] => [
      'node',
      '-e',
      `process.on('SIGTERM', () => { console.log('bye', Date.now()); process.exit(0); });
       require('node:http').createServer((q, s) => s.end(${JSON.stringify(name)})).listen(process.env.PORT)`,
    ];
    const endless = "process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000)";
    await smallProject(folder, {
      services: {
        back: { folder: 'data', run: bye('behind'), port: 8001 },
        front: { folder: 'data', run: bye('front'), port: 8000, needs: ['back'] },
        slow: { folder: 'data', run: ['node', '-e', endless], ready: { log: 'never' }, needs: ['front'] },
      },
      requests: [],
    });
    const run = start(folder);
    const log = (name: string): Promise<string> =>
      readFile(join(folder, '.sallyport', 'logs', `${name}.log`), 'utf8').catch(() => '');
    let over = false;
    const early = run.ended.then(({ out: said }) => {
      over = true;
      return said;
    });
    while (!(await log('slow')).includes('started')) {
      if (over) assert.fail(`it ended before: ${(await early).slice(0, 4000)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    run.child.kill('SIGINT');
    const { code, out } = await run.ended;
    assert.equal(code, 130, out.slice(0, 2000));
    const times = await Promise.all(
      ['front', 'back'].map(async (name) => Number(/bye (\d+)/.exec(await log(name))?.[1])),
    );
    assert.ok((times[0] ?? Number.NaN) <= (times[1] ?? Number.NaN), `front ${times[0]}, back ${times[1]}`);
    await asItWas();
    assert.deepEqual(await readdir(env['TMPDIR'] ?? ''), []);
  });

  test('is as it was after two at once: of one folder the second is told, of two both work', async () => {
    const [one, two] = await Promise.all([project('one'), project('two')]);
    const first = start(one);
    while (!existsSync(join(one, '.sallyport', 'rehearsal.lock')))
      await new Promise((resolve) => setTimeout(resolve, 20));
    const second = await start(one).ended;
    assert.equal(second.code, 3, second.out.slice(0, 2000));
    assert.match(second.out, /rehearse\.running/);
    await Promise.all([proved(two), first.ended.then(({ code, out }) => assert.equal(code, 0, out.slice(0, 4000)))]);
    await asItWas();
  });

  test('is as it was after kill -9 at random moments, and the next run is whole', async (t) => {
    const seed = Number(process.env['SALLYPORT_SEED'] ?? Date.now() % 2 ** 31);
    t.diagnostic(`seed ${seed}`);
    let state = seed;
    // A linear congruential generator (Numerical Recipes): the same seed is the same moments.
    const random = (): number => (state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32) / 2 ** 32;
    const folders = await Promise.all(Array.from({ length: KILLS.atOnce }, (_, index) => project(`killed-${index}`)));
    const began = Date.now();
    await proved(folders[0] ?? '');
    // Warm it takes about half of that, and side by side about twice.
    const life = Date.now() - began;
    const moments = Array.from({ length: KILLS.rehearsals }, () => random() * life);
    const others = Array.from({ length: KILLS.enclaves }, () => random() * 1500);
    const killed = { early: 0, late: 0 };
    const killAt = async (run: Run, moment: number): Promise<void> => {
      const timer = setTimeout(() => run.child.kill('SIGKILL'), moment);
      const { signal } = await run.ended;
      clearTimeout(timer);
      killed[signal === 'SIGKILL' ? 'early' : 'late'] += 1;
    };
    await Promise.all(
      folders.map(async (folder) => {
        for (let moment = moments.pop(); moment !== undefined; moment = moments.pop())
          await killAt(start(folder), moment);
      }),
    );
    await Promise.all(
      folders.map(async (folder) => {
        for (let moment = others.pop(); moment !== undefined; moment = others.pop())
          await killAt(opening(folder), moment);
      }),
    );
    t.diagnostic(`${killed.early} were killed while they ran, ${killed.late} had ended; a life is ${life} ms`);
    assert.ok(killed.early > KILLS.rehearsals / 2);
    await Promise.all(folders.map(proved));
    await asItWas();
    assert.deepEqual(await readdir(env['TMPDIR'] ?? ''), []);
    for (const folder of folders) {
      const left = await readdir(join(folder, '.sallyport'));
      assert.deepEqual(
        left.filter((name) => name === 'work' || name.endsWith('.lock')),
        [],
      );
    }
  });

  /** A program that opens an enclave with a service in it, for ever. */
  function opening(folder: string): Run {
    const index = new URL('../../../src/enclave/index.ts', import.meta.url).href;
    const system = new URL('../../../src/system/index.ts', import.meta.url).href;
    const program = `import { openEnclave } from ${JSON.stringify(index)};
      import { debianTools } from ${JSON.stringify(system)};
      const found = await debianTools(['ip', 'nft'], { env: process.env });
      const work = ${JSON.stringify(join(folder, 'data'))};
      const enclave = await openEnclave({ machines: ['a', 'b'], flows: [], writable: [work], env: process.env,
        tools: { ip: found.ip.path, nft: found.nft.path }, signal: new AbortController().signal });
      await enclave.start('a', '/bin/sh', ['-c', 'sleep 300 & sleep 300'], { cwd: work, env: { PATH: '/bin' } });
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    child.stderr.on('data', (piece: Buffer) => (out += piece.toString()));
    const ended = new Promise<{ code: number | null; signal: string | null; out: string }>((resolve) => {
      child.once('close', (code, signal) => resolve({ code, signal, out }));
    });
    return { child, ended };
  }
});
