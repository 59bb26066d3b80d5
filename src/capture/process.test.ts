import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '#system/testing';

// The command as a user starts it: signals, exit codes, and a disk that is really full.

const SALLYPORT = join(import.meta.dirname, '../../sallyport');
type After = { after(fn: () => Promise<void> | void): void };

async function project(t: After, bytes: Buffer, handler: RequestListener) {
  const folder = await temporaryFolder(t);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.headers.range ?? 'all');
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/large.bin`;
  const hash = createHash('sha256').update(bytes).digest('hex');
  await writeFile(
    join(folder, 'sallyport.yaml'),
    `sallyport: "1.0"\nname: test\ntargets:\n  linux: { os: linux, arch: amd64 }\ninputs:\n  - files: { url: "${url}", sha256: "${hash}" }\n`,
  );
  await mkdir(join(folder, 'user'));
  const env = { PATH: process.env['PATH'], HOME: join(folder, 'user') };
  const start = (command: string, ...args: string[]): ChildProcess =>
    spawn(command, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  return { folder, asked, start };
}

async function ended(child: ChildProcess): Promise<{ code: number | null; stdout: string; stderr: string }> {
  let stdout = '';
  let stderr = '';
  child.stdout!.on('data', (piece: Buffer) => (stdout += piece.toString()));
  child.stderr!.on('data', (piece: Buffer) => (stderr += piece.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, stdout, stderr };
}

function sending(bytes: Buffer): RequestListener {
  return (request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const head = { etag: '"1"', 'content-length': bytes.length - from };
    response.writeHead(
      from === 0 ? 200 : 206,
      from === 0 ? head : { ...head, 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` },
    );
    response.end(bytes.subarray(from));
  };
}

test('Ctrl-C stops it with 130, and a second run goes on where it was', { timeout: 60_000 }, async (t) => {
  const bytes = randomBytes(300_000);
  const running: { child?: ChildProcess } = {};
  const { start, asked } = await project(t, bytes, (request, response) => {
    if (request.headers.range !== undefined) {
      sending(bytes)(request, response);
      return;
    }
    response.writeHead(200, { etag: '"1"', 'content-length': bytes.length });
    response.write(bytes.subarray(0, 100_000));
    setTimeout(() => running.child?.kill('SIGINT'), 300);
  });
  assert.equal((await ended(start(SALLYPORT, 'init', '.'))).code, 0);
  running.child = start(SALLYPORT, 'capture', '--json');
  const stopped = await ended(running.child);
  assert.equal(stopped.code, 130, stopped.stderr);
  const again = await ended(start(SALLYPORT, 'capture', '--json'));
  assert.equal(again.code, 0, again.stderr);
  assert.equal(JSON.parse(again.stdout).artifacts, 1);
  assert.deepEqual(asked, ['all', 'bytes=100000-']);
});

function noNamespaces(): string | false {
  try {
    execFileSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs none /mnt'], { stdio: 'pipe' });
    return false;
  } catch {
    return 'this user cannot make a file system in a namespace of its own';
  }
}

test(
  'a full disk is a fault with figures; with more space the same command ends well',
  { skip: noNamespaces(), timeout: 60_000 },
  async (t) => {
    const bytes = randomBytes(30 * 1024 * 1024);
    const { folder, start } = await project(t, bytes, sending(bytes));
    await mkdir(join(folder, 'disk'));
    const script = `
    mount -t tmpfs -o size=20m none disk || exit 99
    "$0" init . --home disk/home >&2 || exit 98
    "$0" capture --home disk/home --json; echo "code $?"
    test ! -e sallyport.lock || exit 97
    mount -t tmpfs -o remount,size=80m tmpfs disk || exit 96
    "$0" capture --home disk/home --json; echo "code $?"
  `;
    const { code, stdout, stderr } = await ended(start('unshare', '-rm', 'sh', '-c', script, SALLYPORT));
    assert.equal(code, 0, stderr);
    const [fault, first, output, second] = stdout.trim().split('\n');
    assert.equal(first, 'code 3', stdout + stderr);
    const { fault: said } = JSON.parse(fault!);
    assert.equal(said.code, 'capture.no-space');
    assert.match(said.message, /\d+ bytes are free/);
    assert.equal(second, 'code 0', stdout + stderr);
    assert.equal(JSON.parse(output!).artifacts, 1);
  },
);
