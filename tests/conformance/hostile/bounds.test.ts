import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { hostileCorpus, layOut } from '#gate/testing';
import { temporaryFolder } from '#system/testing';
import { launcher } from '../../scripts/sallyport.ts';

// `sallyport examine` as a process of its own: seconds and memory by the kernel's word, and what it leaves behind.

const MOST_MEMORY = 256 * 1024 * 1024;
const MOST_SECONDS = 10;

interface Run {
  readonly code: number;
  readonly seconds: number;
  /** VmHWM, in bytes. */
  readonly memory: number;
  readonly verdict: string;
}

function examine(path: string, as: string | undefined, env: Record<string, string>): Promise<Run> {
  const started = performance.now();
  const words = ['examine', path, '--json', ...(as === undefined ? [] : ['--as', as])];
  const child = spawn(launcher, words, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  let memory = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      memory = Math.max(memory, Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024);
    } catch {
      // It ended between two looks.
    }
  }, 5);
  const limit = setTimeout(() => child.kill('SIGKILL'), 60_000);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(timer);
      clearTimeout(limit);
      const { verdict } = (out === '' ? {} : JSON.parse(out)) as { verdict?: string };
      resolve({ code: code ?? -1, seconds: (performance.now() - started) / 1000, memory, verdict: verdict ?? '' });
    });
  });
}

/** Inputs that cost the most for what they are: each is within one bound and far beyond what is real. */
const dear: Readonly<Record<string, { readonly as: string; readonly make: () => Uint8Array }>> = {
  'lists.json': { as: 'json', make: () => Buffer.from(`[${'[],'.repeat(1_390_000)}[]]`) },
  'objects.json': { as: 'json', make: () => Buffer.from(`[${'{"":0},'.repeat(590_000)}{}]`) },
  'keys.json': {
    as: 'json',
    make: () => Buffer.from(`{${Array.from({ length: 330_000 }, (_, at) => `"k${at}":0`).join(',')}}`),
  },
  'deep.json': {
    as: 'json',
    make: () => Buffer.from(`${'['.repeat(63)}${'[],'.repeat(1_390_000)}[]${']'.repeat(63)}`),
  },
  'names.tgz': { as: 'tar', make: () => manyNames(50_000) },
  'manifest.tgz': {
    as: 'npm',
    make: () => tarOf([['package/package.json', `{"name":"a","version":"1.0.0","x":[${'[],'.repeat(1_390_000)}[]]}`]]),
  },
  'chart.tgz': {
    as: 'helm',
    make: () =>
      tarOf([['left/Chart.yaml', `apiVersion: v2\nname: left\nversion: 1.0.0\nx: [${'a,'.repeat(65_000)}]\n`]]),
  },
  'chart-maps.tgz': {
    as: 'helm',
    make: () =>
      tarOf([['left/Chart.yaml', `apiVersion: v2\nname: left\nversion: 1.0.0\nx: [${'{},'.repeat(43_000)}]\n`]]),
  },
  'chart-lines.tgz': {
    as: 'helm',
    make: () =>
      tarOf([['left/Chart.yaml', `apiVersion: v2\nname: left\nversion: 1.0.0\nx:\n${'- #\n'.repeat(32_000)}`]]),
  },
  'tags.pom': {
    as: 'maven',
    make: () => Buffer.from(`<project>${'<a></a>'.repeat(590_000)}<artifactId>left</artifactId></project>`),
  },
  'noise.tar.gz': { as: 'tar', make: () => gzipSync(Buffer.alloc(200_000_000), { level: 1 }) },
};

function header(name: string, size: number, type = '0'): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, 100, 'utf8');
  block.write('0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  block.write(type, 156);
  block.write('ustar\x0000', 257, 'latin1');
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function tarOf(members: readonly (readonly [string, string])[]): Buffer {
  const parts = members.flatMap(([name, body]) => {
    const bytes = Buffer.from(body);
    return [header(name, bytes.length), bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
  });
  return gzipSync(Buffer.concat([...parts, Buffer.alloc(1024)]), { level: 1 });
}

/** Folders of names that are as long as they may be together. */
function manyNames(count: number): Buffer {
  const all = Buffer.alloc(512 * count + 1024);
  for (let at = 0; at < count; at++) {
    header(`${'d'.repeat(45)}${at}/${'f'.repeat(40)}${at}`, 0).copy(all, at * 512);
  }
  return gzipSync(all, { level: 1 });
}

async function digests(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const isSmall = entry.isFile() && !/file-2-3/.test(path);
    found.push(
      `${path} ${
        isSmall
          ? createHash('sha256')
              .update(await readFile(path))
              .digest('hex')
          : ''
      }`,
    );
  }
  return found.sort();
}

test('whatever the input, examine takes less than 10 s and 256 MiB, and leaves nothing', async (t) => {
  const folder = await temporaryFolder(t);
  const cases = join(folder, 'cases');
  const temporary = join(folder, 'tmp');
  await mkdir(cases);
  await mkdir(temporary);
  const env = { TMPDIR: temporary, HOME: temporary, XDG_CACHE_HOME: join(folder, 'cache') };
  const inputs: { name: string; path: string; as: string | undefined }[] = [];
  for (const [name, { as, make }] of Object.entries(dear)) {
    await writeFile(join(cases, name), make());
    inputs.push({ name, path: join(cases, name), as });
  }
  for (const hostile of hostileCorpus) {
    if (!/bomb|many|file-2-|huge|deep|large/.test(hostile.name)) continue;
    inputs.push({ name: hostile.name, path: await layOut(cases, hostile), as: hostile.as });
  }
  const before = await digests(cases);
  for (const { name, path, as } of inputs) {
    await t.test(name, async (inner) => {
      const { code, seconds, memory, verdict } = await examine(path, as, env);
      assert.ok(code === 0 || code === 1, `exit ${code}`);
      assert.notEqual(verdict, '');
      assert.ok(seconds < MOST_SECONDS, `${seconds} s`);
      assert.ok(memory < MOST_MEMORY, `${(memory / 1024 ** 2).toFixed(0)} MiB`);
      inner.diagnostic(`${verdict} in ${seconds.toFixed(1)} s and ${(memory / 1024 ** 2).toFixed(0)} MiB`);
    });
  }
  assert.deepEqual(await digests(cases), before);
  assert.deepEqual(await readdir(temporary), [], 'nothing is left where temporary files go');
});

test('no link is followed: what lies behind one would never end', async (t) => {
  const folder = await temporaryFolder(t);
  // Whoever opens a FIFO without a writer waits for ever.
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  const digest = 'a'.repeat(64);
  for (const [name, link] of [
    ['medium', 'notes.txt'],
    ['layout', `blobs/sha256/${digest}`],
    ['marker', 'index.json'],
  ] as const) {
    const at = join(folder, name);
    await mkdir(join(at, 'blobs/sha256'), { recursive: true });
    if (name !== 'medium') await writeFile(join(at, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    if (name === 'layout') {
      const descriptor = `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:${digest}","size":2}`;
      await writeFile(join(at, 'index.json'), `{"schemaVersion":2,"manifests":[${descriptor}]}`);
    }
    await symlink(join(folder, 'pipe'), join(at, link));
    const { verdict, seconds } = await examine(at, name === 'medium' ? 'medium' : 'oci', {});
    assert.equal(verdict, 'refuse', name);
    assert.ok(seconds < MOST_SECONDS, name);
  }
  for (const [name, as] of [
    ['pipe', undefined],
    ['direct', 'tar'],
  ] as const) {
    if (name === 'direct') await symlink(join(folder, 'pipe'), join(folder, name));
    assert.equal((await examine(join(folder, name), as, {})).verdict, 'refuse', name);
  }
});
