import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Enclave, openEnclave } from '#enclave';
import { errorMessage } from '#kernel';
import type { Readiness, Service } from '#project';
import { runtimeEnvironment } from '#system';
import { SupervisedService } from './io/supervised-service.ts';
import { LogTail } from './log-tail.ts';
import { namespacesHere } from '#system/testing';

const { skip, tools } = await namespacesHere();
const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...runtimeEnvironment(process.env) };
const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k'] as const;

describe('a service', { skip }, () => {
  let enclave: Enclave;
  let work = '';
  before(async () => {
    work = await mkdtemp(join(tmpdir(), 'sallyport-services-'));
    await mkdir(join(work, 'logs'));
    enclave = await openEnclave({
      machines: names,
      flows: [],
      writable: [work],
      env: process.env,
      tools,
      signal: new AbortController().signal,
    });
  });
  after(async () => {
    await enclave.close();
    await rm(work, { recursive: true, force: true });
  });

  function make(
    name: (typeof names)[number],
    line: readonly string[],
    more: Partial<Omit<Service, 'ready'>> & { readonly ready?: Readiness } = {},
  ) {
    const { ready, ...rest } = more;
    const service: Service = {
      name,
      folder: '.',
      arguments: [],
      needs: [],
      environment: {},
      startWithin: 20,
      restart: 'never',
      restarts: 5,
      ...(ready === undefined ? {} : { ready }),
      ...rest,
    };
    const log = new LogTail();
    const [command = '', ...args] = line;
    const file = join(work, 'logs', `${name}.log`);
    const launch = {
      command,
      args,
      options: { cwd: work, env, log: file },
      beside: ([program = '', ...words]: readonly string[]) => ({ command: program, args: words }),
    };
    return { one: new SupervisedService(enclave, service, launch, log), log, file };
  }
  const node = (script: string): string[] => [process.execPath, '-e', script];
  const shell = (script: string): string[] => ['/bin/sh', '-c', script];
  const until = async (what: () => boolean): Promise<void> => {
    const end = Date.now() + 20_000;
    while (!what()) {
      assert.ok(Date.now() < end, 'it took too long');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  test('is ready by a port, an answer over HTTP, a command or a line of its output, and not before', async () => {
    const late = `setTimeout(() => require('node:net').createServer().listen(81), 300)`;
    const warming = `let n = 0; require('node:http').createServer((q, s) => s.writeHead(n++ < 3 ? 503 : 204).end()).listen(82)`;
    const file = `setTimeout(() => require('node:fs').writeFileSync('made', ''), 300); setInterval(() => {}, 1000)`;
    const line = `setTimeout(() => console.log('warm: 42 ms'), 300); setInterval(() => {}, 1000)`;
    const services = [
      make('a', node(late), { ready: { kind: 'tcp', port: 81 } }),
      make('b', node(warming), { ready: { kind: 'http', port: 82, path: '/health', status: 204 } }),
      make('c', node(file), { ready: { kind: 'run', run: ['/bin/sh', '-c', 'test -f made'] } }),
      make('d', node(line), { ready: { kind: 'log', pattern: String.raw`^warm: \d+ ms$` } }),
    ];
    const how = await Promise.all(services.map(({ one }) => one.start()));
    assert.match(how[0] ?? '', /^answers on 81 after \d+ ms$/);
    assert.match(how[1] ?? '', /^answers 204 on 82\/health after/);
    assert.match(how[2] ?? '', /^its check passed after/);
    assert.match(how[3] ?? '', /^its output says that it is ready after/);
    assert.deepEqual(
      services.map(({ one }) => one.ready),
      [true, true, true, true],
    );
    await Promise.all(services.map(({ one }) => one.stop()));
    assert.deepEqual(
      services.map(({ one }) => [one.ready, one.trouble]),
      services.map(() => [false, '']),
    );
  });

  test('that never gets ready is stopped, and what was asked of it is told', async () => {
    const more = { startWithin: 1 } as const;
    const idle = shell('echo waiting; exec sleep 100');
    const cases = [
      [make('a', idle, { ...more, ready: { kind: 'tcp', port: 81 } }), /within 1 s: port 81: ECONNREFUSED\. .*waiting/],
      [
        make('b', node(`require('node:http').createServer((q, s) => s.writeHead(500).end()).listen(82)`), {
          ...more,
          ready: { kind: 'http', port: 82, path: '/x', status: 200 },
        }),
        /within 1 s: \/x answered 500, expected 200\. It said nothing/,
      ],
      [make('c', idle, { ...more, ready: { kind: 'run', run: ['/bin/false'] } }), /within 1 s: its check ended with 1/],
      [make('d', idle, { ...more, ready: { kind: 'log', pattern: 'ready' } }), /within 1 s: no line of its output/],
    ] as const;
    await Promise.all(cases.map(([{ one }, words]) => assert.rejects(one.start(), { message: words })));
    const { stdout } = await enclave.run('a', '/bin/sh', ['-c', 'cat /proc/[0-9]*/comm'], { cwd: work, env });
    assert.doesNotMatch(stdout, /sleep/);
  });

  test('that ends is named by its code or signal, and is not started again unless that was asked', async () => {
    const ready = { kind: 'tcp', port: 81 } as const;
    await assert.rejects(make('a', shell('echo no table; exit 3'), { ready }).one.start(), {
      message: 'It ended with 3. Its last words: no table',
    });
    await assert.rejects(make('b', shell('kill -SEGV $$'), { ready }).one.start(), {
      message: /^It (was ended by SIGSEGV|ended with 139 \(SIGSEGV\))\./,
    });
    const { one, file } = make('c', node(`console.log('up'); setTimeout(() => process.exit(4), 300)`), {
      ready: { kind: 'log', pattern: 'up' },
    });
    await one.start();
    await until(() => one.trouble !== '');
    assert.deepEqual([one.ready, one.trouble], [false, 'It ended with 4. Its last words: up']);
    assert.match(await readFile(file, 'utf8'), /: started\nup\n-- sallyport \S+: ended with 4\n$/);
    // A job: it has done what it should.
    const job = make('d', shell('echo done'));
    await job.one.start();
    await until(() => job.log.last(1)[0] === 'done');
    await job.one.stop();
    assert.equal(job.one.trouble, '');
  });

  test('that fails is started again with pauses, up to its limit', async () => {
    const ready = { kind: 'tcp', port: 81 } as const;
    const restart = 'on-failure' as const;
    const third = `const f = require('node:fs'); f.appendFileSync('starts', '.');
      if (f.readFileSync('starts', 'utf8').length < 3) process.exit(5); require('node:net').createServer().listen(81)`;
    const well = make('e', node(third), { ready, restart });
    assert.match(await well.one.start(), /answers on 81 after \d+ ms, started again 2 times$/);
    await well.one.stop();
    const loop = make('f', shell('exit 6'), { ready, restart, restarts: 2 });
    await assert.rejects(loop.one.start(), {
      message: 'It ended with 6. It was started again 2 times, to no avail. It said nothing.',
    });
    const notes = (await readFile(loop.file, 'utf8')).split('\n').filter((line) => line.endsWith(': started'));
    assert.equal(notes.length, 3);
    // It was ready, fell, and stands again.
    const once = `const f = require('node:fs'); const again = f.existsSync('fell'); f.writeFileSync('fell', '');
      console.log('up'); if (again) setInterval(() => {}, 1000); else setTimeout(() => process.exit(7), 200)`;
    const falls = make('g', node(once), { ready: { kind: 'log', pattern: 'up' }, restart });
    await falls.one.start();
    await until(() => !falls.one.ready);
    await until(() => falls.one.ready);
    assert.deepEqual([falls.one.restarts, falls.one.trouble], [1, '']);
    await falls.one.stop();
    // Stopped between two starts: that is the end of it.
    const waits = make('h', shell('exit 8'), { ready, restart, restarts: 100 });
    const starting = waits.one.start().catch((error: unknown) => errorMessage(error));
    await until(() => waits.one.restarts >= 2);
    await waits.one.stop();
    assert.match(String(await starting), /^It ended with 8\./);
  });

  test('that makes processes without end is stopped, and the others run on', async () => {
    const other = make('a', node(`require('node:net').createServer().listen(81)`), {
      ready: { kind: 'tcp', port: 81 },
    });
    await other.one.start();
    const ready = { kind: 'tcp', port: 82 } as const;
    const bomb = make('i', shell('while :; do sleep 300 & done 2>/dev/null'), { ready, restart: 'on-failure' });
    await assert.rejects(bomb.one.start(), { message: /^It made processes without end, and was stopped\./ });
    assert.equal(bomb.one.restarts, 0);
    assert.equal(other.one.ready, true);
    await other.one.stop();
  });

  test('that writes a gigabyte runs on, and a bounded end of it is kept', async () => {
    const gigabyte = `const piece = Buffer.alloc(1 << 20, 'a'.repeat(63) + '\\n');
      for (let n = 0; n < 1024; n++) require('node:fs').writeSync(1, piece);
      require('node:net').createServer().listen(81)`;
    const { one, file } = make('j', node(gigabyte), { ready: { kind: 'tcp', port: 81 }, startWithin: 120 });
    await one.start();
    const logged = (await enclave.logs()).find(({ path }) => path === file);
    assert.deepEqual([logged?.bytes, logged?.lines, logged?.cut], [2 ** 30, 2 ** 24, true]);
    const sizes = await Promise.all([file, `${file}.1`].map(async (path) => (await stat(path)).size));
    assert.ok(sizes.every((size) => size < 9 * 2 ** 20));
    await one.stop();
  });

  test('that writes escape codes moves no cursor', async () => {
    const { one, log } = make(
      'k',
      node(String.raw`console.log('\x1b]0;mine\x07\x1b[2J\x9b31mred\rover'); process.exit(1)`),
      {
        ready: { kind: 'tcp', port: 81 },
      },
    );
    const message = await one.start().catch((error: unknown) => errorMessage(error));
    for (const text of [message, log.told('k').text]) {
      // eslint-disable-next-line no-control-regex
      assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
      assert.match(text, /\\u\{1b\}\]0;mine\\u\{7\}/);
    }
  });

  test('that is stopped gets a signal first, and time to follow it', async () => {
    const polite = `process.on('SIGTERM', () => { console.log('bye'); setTimeout(() => process.exit(0), 200); });
      console.log('up'); setInterval(() => {}, 1000)`;
    const { one, log } = make('b', node(polite), { ready: { kind: 'log', pattern: 'up' }, restart: 'on-failure' });
    await one.start();
    await one.stop();
    assert.equal(log.last(1)[0], 'bye');
    assert.deepEqual([one.restarts, one.trouble], [0, '']);
  });
});
