import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openTestUpstream } from '#enclave/testing';
import { openNetwork } from '#system';
import { openRecorder } from '#enclave';
import { namespacesHere, temporaryFolder } from '#system/testing';

// The command as a user starts it, and as it ends: by Ctrl-C, by the death of the process, by too much.

const SALLYPORT = join(import.meta.dirname, '../../../sallyport');
const { skip, tools } = await namespacesHere();

interface Bench {
  readonly folder: string;
  start(...words: readonly string[]): ChildProcess;
  /** Resolves when the command of `prepare` has asked for something, and waits. */
  readonly reached: Promise<void>;
}

/** A project whose preparation asks, starts something that outlives its parent, and waits without end. */
async function bench(t: TestContext): Promise<Bench> {
  const root = await temporaryFolder(t);
  const folder = join(root, 'project');
  await mkdir(join(root, 'user'), { recursive: true });
  await mkdir(folder);
  const reached = Promise.withResolvers<void>();
  const upstream = await openTestUpstream((_, response) => {
    response.write('the beginning of an answer');
    reached.resolve();
  });
  t.after(() => upstream.close());
  await writeFile(join(root, 'ca.pem'), upstream.authority);
  await writeFile(
    join(folder, 'make.mjs'),
    `import { spawn } from 'node:child_process'; import { existsSync, writeFileSync } from 'node:fs';
     if (existsSync('quick')) { writeFileSync('made', 'whole'); process.exit(0); }
     writeFileSync('made', 'half');
     spawn('/bin/sh', ['-c', 'trap "" TERM INT HUP; while :; do sleep 1; done'], { detached: true, stdio: 'ignore' }).unref();
     await (await fetch('https://registry.example.test/')).text();`,
  );
  await writeFile(
    join(folder, 'sallyport.yaml'),
    `sallyport: "1.0"\nname: test\ntargets:\n  linux: { os: linux, arch: amd64 }\nprepare:\n  - { run: [node, make.mjs], makes: made }\ninputs:\n  - files: made\n`,
  );
  const env = {
    PATH: process.env['PATH'],
    HOME: join(root, 'user'),
    XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] ?? join(process.env['HOME'] ?? '/root', '.cache'),
    SSL_CERT_FILE: join(root, 'ca.pem'),
    ...upstream.env,
  };
  const start = (...words: readonly string[]): ChildProcess =>
    spawn(SALLYPORT, words, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  assert.equal((await ended(start('init', '.'))).code, 0);
  return { folder, start, reached: reached.promise };
}

async function ended(child: ChildProcess): Promise<{ code: number | null; stdout: string; stderr: string }> {
  let stdout = '';
  let stderr = '';
  child.stdout!.on('data', (piece: Buffer) => (stdout += piece.toString()));
  child.stderr!.on('data', (piece: Buffer) => (stderr += piece.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, stdout, stderr };
}

/** Processes in a network namespace of their own that work for this folder. */
async function leftovers(folder: string): Promise<string[]> {
  const own = await readlink('/proc/self/ns/net');
  const left: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const space = await readlink(`/proc/${pid}/ns/net`).catch(() => own);
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '');
    if (space !== own && (cwd.includes(folder) || mounts.includes(folder))) left.push(pid);
  }
  return left;
}

async function none(folder: string): Promise<string[]> {
  for (let i = 0; i < 200; i++) {
    const left = await leftovers(folder);
    if (left.length === 0) return left;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return leftovers(folder);
}

const scratch = async (folder: string): Promise<string[]> =>
  (await readdir(join(folder, '.sallyport/capture')).catch(() => [])).filter((name) => name.startsWith('prepare-'));

test('Ctrl-C ends a preparation with 130: no process, no file, no half of what it makes', { skip }, async (t) => {
  const b = await bench(t);
  const child = b.start('capture', '--json');
  const end = ended(child);
  await b.reached;
  assert.notDeepEqual(await leftovers(b.folder), []);
  child.kill('SIGINT');
  const { code, stderr } = await end;
  assert.equal(code, 130, stderr);
  assert.deepEqual(await none(b.folder), []);
  assert.deepEqual(await scratch(b.folder), []);
  assert.deepEqual((await readdir(b.folder)).sort(), ['.sallyport', 'make.mjs', 'sallyport.yaml']);
});

test('killed, it leaves no process; the next run clears its files away', { skip }, async (t) => {
  const b = await bench(t);
  const child = b.start('capture', '--json');
  const end = ended(child);
  await b.reached;
  child.kill('SIGKILL');
  await end;
  assert.deepEqual(await none(b.folder), []);
  assert.deepEqual((await readdir(b.folder)).sort(), ['.sallyport', 'make.mjs', 'sallyport.yaml']);
  assert.equal((await scratch(b.folder)).length, 1);
  await writeFile(join(b.folder, 'quick'), '');
  const again = await ended(b.start('capture', '--json'));
  assert.equal(again.code, 0, again.stderr);
  assert.equal(await readFile(join(b.folder, 'made'), 'utf8'), 'whole');
  assert.deepEqual(await scratch(b.folder), []);
});

test('a gigabyte passes with little memory', { skip }, async (t) => {
  const SIZE = 1024 ** 3;
  const piece = Buffer.alloc(1024 * 1024, 7);
  const upstream = await openTestUpstream(async (_, response) => {
    response.writeHead(200, { 'content-length': SIZE });
    for (let sent = 0; sent < SIZE; sent += piece.length) {
      if (!response.write(piece)) await new Promise((resolve) => response.once('drain', resolve));
    }
    response.end();
  });
  t.after(() => upstream.close());
  const folder = await temporaryFolder(t);
  const work = join(folder, 'work');
  await mkdir(work);
  const recorder = await openRecorder({
    permission: { known: [] },
    openNetwork,
    routeFor: async () => upstream.route,
    agent: 'test/1',
    folder,
    writable: [work],
    env: process.env,
    tools,
    signal: new AbortController().signal,
  });
  try {
    const before = process.memoryUsage().rss;
    const most = { product: 0, agent: 0 };
    const children = await readFile(`/proc/self/task/${process.pid}/children`, 'utf8');
    const look = setInterval(() => {
      most.product = Math.max(most.product, process.memoryUsage().rss - before);
      void heaviest(children.trim().split(' ')).then((size) => (most.agent = Math.max(most.agent, size)));
    }, 200);
    const source = `let size = 0;
      for await (const part of (await fetch('https://files.example.test/big')).body) size += part.length;
      console.log(size);`;
    const words = ['--input-type=module', '-e', source];
    const run = await recorder.run(process.execPath, words, { cwd: work, env: { PATH: '/usr/bin:/bin' } });
    clearInterval(look);
    assert.equal(run.stdout.trim(), String(SIZE), run.stderr);
    assert.equal(recorder.requests()[0]?.size, SIZE);
    // The servers of this test are in the product's process too.
    const limit = 256 * 1024 * 1024;
    assert.equal(most.product < limit && most.agent > 0 && most.agent < limit, true, JSON.stringify(most));
  } finally {
    await recorder.close();
  }
});

/** The largest process of ours that is an agent, in bytes, among these and what they started. */
async function heaviest(pids: readonly string[]): Promise<number> {
  let size = 0;
  for (const pid of pids) {
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    const below = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
    if (words.includes('agent/main')) size = Math.max(size, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024);
    if (below.trim() !== '') size = Math.max(size, await heaviest(below.trim().split(' ')));
  }
  return size;
}
