import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runtimeEnvironment } from '#system';
import { cgroupOwner, readHierarchies } from './cgroups.ts';
import { type Enclave, type InsideOptions, openEnclave } from './index.ts';
import type { Stopped } from './limits.ts';
import { namespacesHere } from '#system/testing';

const { skip, tools } = await namespacesHere();
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...runtimeEnvironment(process.env) };

const MIB = 1024 * 1024;
const node = (script: string): readonly [string, readonly string[]] => [process.execPath, ['-e', script]];
const shell = (script: string): readonly [string, readonly string[]] => ['/bin/sh', ['-c', script]];

interface Greed {
  readonly what: string;
  readonly line: readonly [string, readonly string[]];
  readonly limits: NonNullable<InsideOptions['limits']>;
  readonly stopped: Stopped;
}

const GREED: readonly Greed[] = [
  {
    what: 'memory',
    line: node('const all = []; for (;;) { all.push(Buffer.alloc(8e6, 1)); }'),
    limits: { memory: 256 * MIB },
    stopped: 'memory',
  },
  {
    what: 'memory of many processes, none of which takes much',
    line: shell(
      'for n in 1 2 3 4 5 6 7 8 9 10; do node -e "setInterval(() => 0, 1000, Buffer.alloc(5e7, 1))" & done; wait',
    ),
    limits: { memory: 256 * MIB },
    stopped: 'memory',
  },
  {
    what: 'processes that make processes',
    line: shell('f() { f | f & }; f; sleep 60'),
    limits: { processes: 100 },
    stopped: 'processes',
  },
  {
    what: 'one large file',
    line: shell('exec head -c 400m /dev/zero > file'),
    limits: { disk: 50 * MIB },
    stopped: 'disk',
  },
  {
    what: 'many files, in folders',
    line: shell(
      'n=0; while [ $n -lt 80 ]; do mkdir d$n; head -c 5000000 /dev/zero > d$n/file; n=$((n + 1)); sleep 0.02; done; sleep 60',
    ),
    limits: { disk: 50 * MIB },
    stopped: 'disk',
  },
  {
    what: 'a file that has lost its name',
    line: node(`const fs = require('node:fs'); const file = fs.openSync('gone', 'w'); fs.unlinkSync('gone');
      for (let n = 0; n < 100; n++) fs.writeSync(file, Buffer.alloc(1e6, 1)); setInterval(() => 0, 1000);`),
    limits: { disk: 50 * MIB },
    stopped: 'disk',
  },
  { what: 'words without end', line: ['/usr/bin/yes', []], limits: { output: 30 * MIB }, stopped: 'output' },
];

/** Cgroups of enclaves of a process, wherever there are some. */
async function cgroupsOf(pid: number | undefined): Promise<string[]> {
  const read = (file: string): Promise<string> => readFile(`/proc/self/${file}`, 'utf8').catch(() => '');
  const found: string[] = [];
  for (const { place } of readHierarchies(await read('mountinfo'), await read('cgroup'))) {
    const names = await readdir(place).catch(() => []);
    found.push(...names.filter((name) => cgroupOwner(name)?.pid === pid).map((name) => join(place, name)));
  }
  return found;
}

test('what a killed process left of its cgroups is taken away by the next enclave', { skip }, async (t) => {
  const work = await mkdtemp(join(tmpdir(), 'sallyport-limits-'));
  t.after(() => rm(work, { recursive: true, force: true }));
  const options = { machines: ['a'], flows: [], writable: [work], tools };
  const program = `
    import { openEnclave } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
    const enclave = await openEnclave({ ...${JSON.stringify(options)}, env: process.env, signal: AbortSignal.timeout(60_000) });
    const one = await enclave.start('a', '/bin/sh', ['-c', 'echo up; sleep 300'], {
      cwd: ${JSON.stringify(work)}, env: { PATH: '/bin' }, onLine: (line) => console.log(line, enclave.cgroups.length) });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said = await new Promise<string>((resolve) =>
    child.stdout.once('data', (data: Buffer) => resolve(String(data))),
  );
  const before = await cgroupsOf(child.pid);
  child.kill('SIGKILL');
  await once(child, 'close');
  if (said !== 'up 0\n') assert.notDeepEqual(before, []);
  const enclave = await openEnclave({ ...options, env: process.env, signal: AbortSignal.timeout(60_000) });
  await enclave.close();
  assert.deepEqual(await cgroupsOf(child.pid), []);
});

for (const cgroups of [true, false]) {
  describe(`limits, ${cgroups ? 'by cgroups where there are any' : 'watched only'}`, { skip }, () => {
    let enclave: Enclave;
    let work = '';
    before(async () => {
      work = await mkdtemp(join(tmpdir(), 'sallyport-limits-'));
      enclave = await openEnclave({
        machines: ['a'],
        flows: [],
        writable: [work],
        env: process.env,
        tools,
        cgroups,
        signal: new AbortController().signal,
      });
      if (!cgroups) assert.deepEqual(enclave.cgroups, []);
    });
    after(async () => {
      await enclave.close();
      await rm(work, { recursive: true, force: true });
    });

    for (const { what, line, limits, stopped } of GREED) {
      test(what, { skip }, async () => {
        const folder = await mkdtemp(join(work, 'greed-'));
        const path = `${join(process.execPath, '..')}:${env.PATH}`;
        const ended = await enclave.run('a', ...line, {
          cwd: folder,
          env: { ...env, PATH: path },
          limits,
          timeout: 60_000,
        });
        assert.equal(ended.stopped, stopped, ended.stderr);
        assert.match(ended.stderr, /sallyport: stopped: more than \d+/);
        await rm(folder, { recursive: true, force: true });
      });
    }

    test('what lies in memory is bounded by itself, and other programs go on', { skip }, async () => {
      const folder = await mkdtemp(join(work, 'greed-'));
      const script =
        'head -c 100m /dev/zero > /tmp/x; head -c 100m /dev/zero > "$HOME/x"; head -c 100m /dev/zero > /run/x; echo on';
      const ended = await enclave.run('a', ...shell(script), {
        cwd: folder,
        env,
        limits: { temporary: 10 * MIB },
        timeout: 60_000,
      });
      assert.deepEqual([ended.stdout, ended.code, ended.stopped], ['on\n', 0, null]);
      assert.equal(ended.stderr.match(/No space left on device/g)?.length, 3, ended.stderr);
    });

    test('its time', { skip }, async () => {
      const ended = await enclave.run('a', ...shell('sleep 60'), { cwd: work, env, timeout: 300 });
      assert.deepEqual([ended.stopped, ended.timedOut], ['time', true]);
    });

    test('no cgroup stays behind', { skip }, async () => {
      await enclave.close();
      assert.deepEqual(await cgroupsOf(process.pid), []);
    });
  });
}
