import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { digestOf, type Fault, type Files, homeAt, isFault, type World } from '#kernel';
import { testWorld } from '#kernel/testing';
import { parseVkey } from '#formats';
import { parseLock } from '#project';
import { openStore } from '#store';
import { nodeFiles } from '#system';
import { faultyFiles, temporaryFolder } from '#system/testing';
import { createSide } from '#trust';
import { verifyLedger } from '#ledger';
import type { CaptureOutput } from './operations.ts';
import { captureVerb } from './verbs/capture.ts';

const SECRET = 'p1anted-secret-2b9c';
type After = { after(fn: () => Promise<void> | void): void };

interface Bench {
  readonly folder: string;
  readonly base: string;
  /** Paths that were asked for, with the range if one was. */
  readonly asked: string[];
  handler: RequestListener;
  run(over?: Partial<World>, input?: { frozen?: boolean }): Promise<CaptureOutput>;
  yaml(inputs: string): Promise<void>;
  lock(): Promise<string>;
}

async function bench(t: After, folder?: string): Promise<Bench> {
  folder ??= await temporaryFolder(t);
  return benchIn(t, folder);
}

/** A folder in memory where there is one: thousands of fsyncs on a busy disk take minutes. */
async function memoryFolder(t: After): Promise<string | undefined> {
  const folder = await mkdtemp('/dev/shm/sallyport-test-').catch(() => undefined);
  if (folder !== undefined) t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function benchIn(t: After, folder: string): Promise<Bench> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.url}${request.headers.range === undefined ? '' : ` ${request.headers.range}`}`);
    made.handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await createSide(nodeFiles, homeAt(join(folder, '.sallyport')), {
    site: 'outside',
    purpose: 'one-person',
    clock: { now: () => Date.parse('2026-11-22T06:00:00Z') },
  });
  const env = { PATH: process.env['PATH'], HOME: join(folder, 'home') };
  await mkdir(join(folder, 'home'));
  const made: Bench = {
    folder,
    base,
    asked,
    handler: (_, response) => void response.writeHead(404).end(),
    run: (over = {}, input = {}) => captureVerb.run(input, testWorld(nodeFiles, folder, { env, ...over })),
    async yaml(inputs) {
      await writeFile(
        join(folder, 'sallyport.yaml'),
        `sallyport: "1.0"\nname: test\ntargets:\n  linux: { os: linux, arch: amd64 }\ninputs:\n${inputs}`,
      );
    },
    lock: () => readFile(join(folder, 'sallyport.lock'), 'utf8'),
  };
  return made;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function fromUrl(base: string, name: string, hash: string): string {
  return `  - files: { url: "${base}/${name}", sha256: "${hash}", name: ${name} }\n`;
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

/** A server of these files, which resumes. */
function serving(files: Readonly<Record<string, Buffer>>): RequestListener {
  return (request, response) => {
    const bytes = files[(request.url ?? '').slice(1)];
    if (bytes === undefined) {
      response.writeHead(404).end();
      return;
    }
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const head = { etag: '"1"', 'content-length': bytes.length - from };
    if (from > 0)
      response.writeHead(206, { ...head, 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` });
    else response.writeHead(200, head);
    response.end(bytes.subarray(from));
  };
}

test('it fetches, locks, records; again it asks nobody and changes nothing', async (t) => {
  const b = await bench(t);
  const bytes = randomBytes(50_000);
  b.handler = serving({ 'tool.bin': bytes });
  await mkdir(join(b.folder, 'files'));
  await writeFile(join(b.folder, 'files/a.txt'), 'a');
  await b.yaml(`${fromUrl(b.base, 'tool.bin', sha256(bytes))}  - files: files\n`);
  const first = await b.run();
  assert.equal(first.artifacts, 2);
  assert.deepEqual(first.fetched, { count: 2, bytes: 50_001 });
  assert.deepEqual(b.asked, ['/tool.bin']);
  const lock = await b.lock();
  assert.equal(first.lock.digest, digestOf(lock));
  const store = await openStore(nodeFiles, join(b.folder, '.sallyport'));
  for (const row of parseLock(Buffer.from(lock), 'lock').rows) {
    if (row.row === 'artifact') assert.equal(await store.verify(row.digest), 'whole');
  }

  const second = await b.run();
  assert.deepEqual(second.fetched, { count: 0, bytes: 0 });
  assert.equal(second.kept, 2);
  assert.equal(b.asked.length, 1);
  assert.equal(await b.lock(), lock);
  assert.deepEqual(second.changes, { added: [], removed: [], changed: [] });
  assert.equal(second.ledger!.size, first.ledger!.size + 1);
  const vkey = parseVkey((await readFile(join(b.folder, '.sallyport/trust/ledger.vkey'), 'utf8')).trim());
  assert.ok('name' in vkey);
  const report = await verifyLedger(nodeFiles, join(b.folder, '.sallyport/ledger'), vkey);
  assert.equal(report.verdict, 'verified');
});

test('the same project gives the same lock, byte for byte, in another home', async (t) => {
  const b = await bench(t);
  const files = { 'z.bin': randomBytes(100), 'a.bin': randomBytes(100) };
  b.handler = serving(files);
  await b.yaml(fromUrl(b.base, 'z.bin', sha256(files['z.bin'])) + fromUrl(b.base, 'a.bin', sha256(files['a.bin'])));
  await b.run();
  const lock = await b.lock();
  await rm(join(b.folder, 'sallyport.lock'));
  await rm(join(b.folder, '.sallyport/store'), { recursive: true });
  await b.run();
  assert.equal(await b.lock(), lock);
});

test('a hash that does not match stops it, naming artifact, expected, found and origin', async (t) => {
  const b = await bench(t);
  const right = randomBytes(1000);
  const wrong = Buffer.from(right);
  wrong[500]! ^= 1;
  b.handler = serving({ 'tool.bin': wrong });
  await b.yaml(fromUrl(b.base, 'tool.bin', sha256(right)));
  const error = await fault(b.run());
  assert.equal(error.code, 'capture.mismatch');
  assert.match(error.where, /files tool\.bin/);
  for (const part of [sha256(right), sha256(wrong), `${b.base}/tool.bin`])
    assert.ok(error.message.includes(part), error.message);
  await assert.rejects(b.lock(), { code: 'ENOENT' });
  const store = await openStore(nodeFiles, join(b.folder, '.sallyport'));
  assert.equal(await store.has(digestOf(wrong)), false);
  assert.deepEqual(
    (await readdir(join(b.folder, '.sallyport/capture'))).filter((name) => name.endsWith('.part')),
    [],
    'wrong bytes are not kept for the next run',
  );
  b.handler = serving({ 'tool.bin': right });
  assert.equal((await b.run()).fetched.count, 1);
});

test('what is gone upstream is a fault that says where it was asked', async (t) => {
  const b = await bench(t);
  await b.yaml(fromUrl(b.base, 'gone.bin', 'a'.repeat(64)));
  const error = await fault(b.run());
  assert.equal(error.code, 'capture.source-missing');
  assert.match(error.message, /404/);
  assert.ok(error.message.includes(`${b.base}/gone.bin`));
});

test('stopped in the middle, it goes on where it was', async (t) => {
  const b = await bench(t);
  const small = randomBytes(1000);
  const large = randomBytes(400_000);
  const controller = new AbortController();
  b.handler = (request, response) => {
    if (request.url === '/large.bin' && request.headers.range === undefined) {
      response.writeHead(200, { etag: '"1"', 'content-length': large.length });
      response.write(large.subarray(0, 200_000));
      setTimeout(() => controller.abort(new Error('stopped')), 150);
    } else serving({ 'small.bin': small, 'large.bin': large })(request, response);
  };
  await b.yaml(fromUrl(b.base, 'small.bin', sha256(small)) + fromUrl(b.base, 'large.bin', sha256(large)));
  await assert.rejects(b.run({ signal: controller.signal }));
  await assert.rejects(b.lock(), { code: 'ENOENT' });
  const before = b.asked.length;
  const output = await b.run();
  assert.deepEqual(b.asked.slice(before), ['/large.bin bytes=200000-']);
  assert.equal(output.fetched.count, 1);
  assert.equal(output.kept, 1);
  assert.deepEqual(await readdir(join(b.folder, '.sallyport/capture')), []);
});

test('a half that was left by an earlier run and does not fit any more is fetched anew', async (t) => {
  const b = await bench(t);
  const bytes = randomBytes(100_000);
  const controller = new AbortController();
  b.handler = (_, response) => {
    response.writeHead(200, { 'content-length': bytes.length });
    response.write(randomBytes(40_000));
    setTimeout(() => controller.abort(), 100);
  };
  await b.yaml(fromUrl(b.base, 'tool.bin', sha256(bytes)));
  await assert.rejects(b.run({ signal: controller.signal }));
  b.handler = serving({ 'tool.bin': bytes });
  assert.equal((await b.run()).fetched.count, 1);
  assert.deepEqual(b.asked, ['/tool.bin', '/tool.bin bytes=40000-', '/tool.bin']);
});

test('rows of unchanged inputs are kept, changed ones resolved again', async (t) => {
  const b = await bench(t);
  const files = { 'a.bin': randomBytes(100), 'b.bin': randomBytes(100), 'c.bin': randomBytes(100) };
  b.handler = serving(files);
  const line = (name: keyof typeof files): string => fromUrl(b.base, name, sha256(files[name]));
  await b.yaml(line('a.bin') + line('b.bin'));
  await b.run();
  await b.yaml(line('a.bin') + line('c.bin'));
  const frozen = await b.run({}, { frozen: true });
  assert.equal(frozen.verdict, 'differs');
  assert.equal(captureVerb.exit(frozen), 1);
  assert.equal(frozen.reasons.length, 2);
  const output = await b.run();
  // They are fetched side by side, so their order says nothing.
  assert.deepEqual([...b.asked].sort(), ['/a.bin', '/b.bin', '/c.bin']);
  assert.equal(output.changes.added.length, 2);
  assert.equal(output.changes.removed.length, 2);
  assert.equal(output.changes.changed.length, 0);
  assert.equal((await b.run({}, { frozen: true })).verdict, 'same');
});

test('changed targets resolve everything again', async (t) => {
  const b = await bench(t);
  await writeFile(join(b.folder, 'a.txt'), 'a');
  await b.yaml('  - files: a.txt\n');
  await b.run();
  const text = await readFile(join(b.folder, 'sallyport.yaml'), 'utf8');
  await writeFile(join(b.folder, 'sallyport.yaml'), text.replace('arch: amd64', 'arch: arm64'));
  const frozen = await b.run({}, { frozen: true });
  assert.deepEqual(
    frozen.reasons.map(({ where }) => where),
    ['sallyport.yaml#targets'],
  );
});

test('--frozen without a lock differs, and writes nothing', async (t) => {
  const b = await bench(t);
  await writeFile(join(b.folder, 'a.txt'), 'a');
  await b.yaml('  - files: a.txt\n');
  const before = await readdir(b.folder, { recursive: true });
  assert.equal((await b.run({}, { frozen: true })).verdict, 'differs');
  assert.deepEqual(await readdir(b.folder, { recursive: true }), before);
});

test('content that rotted or vanished from the store is put right', async (t) => {
  const b = await bench(t);
  const files = { 'a.bin': randomBytes(100), 'b.bin': randomBytes(100) };
  b.handler = serving(files);
  await b.yaml(fromUrl(b.base, 'a.bin', sha256(files['a.bin'])) + fromUrl(b.base, 'b.bin', sha256(files['b.bin'])));
  await b.run();
  const lock = await b.lock();
  const store = await openStore(nodeFiles, join(b.folder, '.sallyport'));
  const rotten = digestOf(files['a.bin']);
  await chmod(store.pathOf(rotten), 0o644);
  await writeFile(store.pathOf(rotten), randomBytes(100));
  await rm(store.pathOf(digestOf(files['b.bin'])));
  const output = await b.run();
  assert.equal(output.fetched.count, 2);
  assert.equal(await store.verify(rotten), 'whole');
  assert.equal(await store.verify(digestOf(files['b.bin'])), 'whole');
  assert.equal(await b.lock(), lock);
});

test('a full disk is told before a byte is fetched, and while it fills', async (t) => {
  const b = await bench(t);
  const bytes = randomBytes(1000);
  b.handler = serving({ 'a.bin': bytes });
  await writeFile(join(b.folder, 'large.txt'), 'x'.repeat(10_000));
  await b.yaml(`${fromUrl(b.base, 'a.bin', sha256(bytes))}  - files: large.txt\n`);
  const tight: Files = { ...nodeFiles, space: async () => ({ free: 5000, largestFile: 1e12 }) };
  const early = await fault(b.run({ files: tight }));
  assert.equal(early.code, 'capture.no-space');
  assert.match(early.message, /10000 bytes are to be fetched, 5000 are free/);
  assert.deepEqual(b.asked, []);
  const filling: Files = {
    ...nodeFiles,
    async open(path, flags, options) {
      const file = await nodeFiles.open(path, flags, options);
      if (!path.endsWith('.part')) return file;
      const write = async (): Promise<void> => {
        throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
      };
      return { ...file, write };
    },
  };
  assert.equal((await fault(b.run({ files: filling }))).code, 'capture.no-space');
  await assert.rejects(b.lock(), { code: 'ENOENT' });
  assert.equal((await b.run()).artifacts, 2);
});

test('inputs that are not there, or of an ecosystem that is not known, are named with their line', async (t) => {
  const b = await bench(t);
  await b.yaml('  - npm: web/package-lock.json\n');
  const missing = await fault(b.run());
  assert.equal(missing.code, 'capture.input-missing');
  assert.equal(missing.where, 'sallyport.yaml:6:5');
  assert.equal(missing.exit, 2);
  await b.yaml('  - nmp: web/package-lock.json\n');
  const unknown = await fault(b.run());
  assert.equal(unknown.code, 'capture.ecosystem-unknown');
  assert.match(unknown.fix, /'npm'/);
});

test('a link in a folder of files is refused, so that nothing outside the project is carried', async (t) => {
  const b = await bench(t);
  await mkdir(join(b.folder, 'files'));
  execFileSync('ln', ['-s', '/etc/passwd', join(b.folder, 'files/passwd')]);
  await b.yaml('  - files: files\n');
  assert.ok((await fault(b.run())).code.match(/capture\.input-unreadable|files\./));
});

// --------------------------------------------------------------------------------------- with the real npm's settings

/** A tarball that is enough for a registry: capture does not unpack it. */
function tarball(name: string): Buffer {
  return gzipSync(Buffer.from(`package ${name}`));
}

/** A registry of npm that wants a token. `seen` collects what it was sent. */
function registry(b: Bench, seen: string[]): RequestListener {
  return (request, response) => {
    seen.push(request.headers.authorization ?? 'none');
    if (request.headers.authorization !== `Bearer ${SECRET}`) {
      response.writeHead(401).end();
      return;
    }
    const name = decodeURIComponent((request.url ?? '').split('/')[1] ?? '');
    const bytes = tarball(name);
    if (request.url?.endsWith('.tgz') === true) {
      response.end(bytes);
      return;
    }
    const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
    const dist = { tarball: `${b.base}/${name}/-/${name}-1.0.0.tgz`, integrity };
    const version = { name, version: '1.0.0', dist };
    response.end(
      JSON.stringify({
        name,
        'dist-tags': { latest: '1.0.0' },
        versions: { '1.0.0': version },
        time: { '1.0.0': '2026-01-02T03:04:05.000Z' },
      }),
    );
  };
}

async function npmProject(b: Bench, names: readonly string[]): Promise<void> {
  const packages: Record<string, unknown> = {
    '': { name: 'app', version: '1.0.0', dependencies: Object.fromEntries(names.map((name) => [name, '1.0.0'])) },
  };
  for (const name of names) {
    const integrity = `sha512-${createHash('sha512').update(tarball(name)).digest('base64')}`;
    packages[`node_modules/${name}`] = { version: '1.0.0', integrity };
  }
  const lock = { name: 'app', version: '1.0.0', lockfileVersion: 3, requires: true, packages };
  await writeFile(join(b.folder, 'package-lock.json'), JSON.stringify(lock, null, 2));
  await writeFile(join(b.folder, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0' }));
  await b.yaml('  - npm: package-lock.json\n');
}

test("npm's registry, token and environment are honoured, and the token is shown nowhere", async (t) => {
  const b = await bench(t);
  const seen: string[] = [];
  b.handler = registry(b, seen);
  await npmProject(b, ['left', 'right']);
  const host = b.base.replace('http:', '');
  await writeFile(join(b.folder, '.npmrc'), `registry=${b.base}/\n${host}/:_authToken=\${TEST_TOKEN}\n`);
  const env = { PATH: process.env['PATH'], HOME: join(b.folder, 'home'), TEST_TOKEN: SECRET };
  const world = testWorld(nodeFiles, b.folder, { env });
  const output = await captureVerb.run({}, world);
  assert.equal(output.artifacts, 2);
  assert.equal(output.documents, 2);
  assert.ok(seen.every((one) => one === `Bearer ${SECRET}`));
  const row = parseLock(Buffer.from(await b.lock()), 'lock').rows.find((one) => one.row === 'artifact');
  assert.ok(row?.row === 'artifact');
  assert.equal(row.published, '2026-01-02T03:04:05Z');
  assert.equal(row.evidence[0]!.grade, 'strong');

  const shown = inspect(world.events, { depth: 9 }) + JSON.stringify(output) + captureVerb.show(output, plain);
  assert.ok(!shown.includes(SECRET));
  for (const path of await readdir(b.folder, { recursive: true, withFileTypes: true })) {
    if (!path.isFile() || path.name === '.npmrc') continue;
    const bytes = await readFile(join(path.parentPath, path.name));
    assert.ok(!bytes.includes(SECRET), path.name);
  }

  const requests = b.asked.length;
  const again = await captureVerb.run({}, testWorld(nodeFiles, b.folder, { env }));
  assert.equal(again.fetched.count, 0);
  assert.equal(b.asked.length, requests, 'a second run asks nobody');

  await rm(join(b.folder, 'sallyport.lock'));
  const wrong = await fault(
    captureVerb.run({}, testWorld(nodeFiles, b.folder, { env: { ...env, TEST_TOKEN: `${SECRET}-expired` } })),
  );
  assert.ok(!inspect(wrong, { depth: 20, showHidden: true }).includes(SECRET));
});

const plain = {
  bold: (text: string) => text,
  dim: (text: string) => text,
  good: (text: string) => text,
  bad: (text: string) => text,
  warn: (text: string) => text,
  width: 100,
};

test('a union merge by git of two branches, then capture, gives a whole lock', async (t) => {
  const b = await bench(t);
  const seen: string[] = [];
  b.handler = registry(b, seen);
  const host = b.base.replace('http:', '');
  await writeFile(join(b.folder, '.npmrc'), `registry=${b.base}/\n${host}/:_authToken=${SECRET}\n`);
  const git = (...args: string[]): string =>
    execFileSync(
      'git',
      ['-c', 'user.name=T', '-c', 'user.email=t@example.test', '-c', 'commit.gpgsign=false', ...args],
      {
        cwd: b.folder,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env['PATH'], HOME: join(b.folder, 'home'), GIT_CONFIG_NOSYSTEM: '1' },
      },
    );
  const commit = (): void => {
    git('add', 'sallyport.lock', 'sallyport.yaml', 'package-lock.json', 'package.json', '.gitattributes');
    git('commit', '-q', '-m', 'work');
  };
  git('init', '-q', '-b', 'main');
  await writeFile(join(b.folder, '.gitattributes'), 'sallyport.lock merge=union\npackage-lock.json merge=ours\n');
  git('config', 'merge.ours.driver', 'true');
  await npmProject(b, ['base']);
  await b.run();
  commit();
  git('checkout', '-q', '-b', 'theirs');
  await npmProject(b, ['base', 'left']);
  await b.run();
  commit();
  git('checkout', '-q', 'main');
  await npmProject(b, ['base', 'right']);
  await b.run();
  commit();
  git('merge', '-q', 'theirs', '-m', 'merge');
  // As npm does after a merge: the lockfile has both.
  await npmProject(b, ['base', 'left', 'right']);

  const merged = await b.lock();
  assert.throws(
    () => parseLock(Buffer.from(merged), 'lock'),
    (error) => isFault(error) && error.code === 'lock.duplicate',
  );
  assert.equal((await b.run({}, { frozen: true })).verdict, 'differs');
  const tarballs = (): number => b.asked.filter((path) => path.endsWith('.tgz')).length;
  const before = tarballs();
  const output = await b.run();
  assert.equal(output.artifacts, 3);
  assert.equal(tarballs(), before, 'every tarball was in the store');
  const lock = await b.lock();
  assert.equal(parseLock(Buffer.from(lock), 'lock').rows.filter(({ row }) => row === 'artifact').length, 3);

  await cp(join(b.folder, 'sallyport.lock'), join(b.folder, 'merged.lock'));
  await rm(join(b.folder, 'sallyport.lock'));
  await b.run();
  assert.equal(await b.lock(), lock, 'the same lock as without a history');
});

test('with the n-th I/O failing as in a crash, for every n, a second run gives the same lock and a whole store', async (t) => {
  const b = await bench(t, await memoryFolder(t));
  const bytes = randomBytes(3000);
  b.handler = serving({ 'tool.bin': bytes });
  await b.yaml(fromUrl(b.base, 'tool.bin', sha256(bytes)));
  const home = join(b.folder, '.sallyport');
  const fresh = join(b.folder, 'fresh');
  await cp(home, fresh, { recursive: true });
  const reset = async (): Promise<void> => {
    await rm(home, { recursive: true });
    await rm(join(b.folder, 'sallyport.lock'), { force: true });
    await cp(fresh, home, { recursive: true });
  };
  const counting = faultyFiles(nodeFiles, { failAt: 0, mode: 'crash' });
  await b.run({ files: counting });
  const lock = await b.lock();
  const calls = counting.calls();
  assert.ok(calls > 30 && calls < 300, `${calls} calls`);
  for (let n = 1; n <= calls; n++) {
    await reset();
    await b.run({ files: faultyFiles(nodeFiles, { failAt: n, mode: 'crash', torn: true }) }).catch((error: unknown) => {
      assert.match(inspect(error, { depth: 6 }), /injected|ECRASH/, `n = ${n}`);
    });
    const there = await b.lock().catch(() => lock);
    assert.equal(there, lock, `n = ${n}: a lock is whole or not there`);
    // After a real crash the process that held the ledger is gone; here it is this one.
    for (const path of await readdir(home, { recursive: true })) {
      if (/(?:^|\/)lock\.\d+$/.test(path)) await rm(join(home, path));
    }
    const output = await b.run();
    assert.equal(await b.lock(), lock, `n = ${n}`);
    assert.equal(output.artifacts, 1);
    const store = await openStore(nodeFiles, home);
    assert.equal(await store.verify(digestOf(bytes)), 'whole', `n = ${n}`);
  }
});
