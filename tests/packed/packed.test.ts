import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryFolder } from '#system/testing';
import { used } from '../components.ts';

const run = promisify(execFile);
const pack = fileURLToPath(new URL('../../packaging/pack.ts', import.meta.url));

async function packInto(folder: string): Promise<string> {
  const { stdout } = await run(process.execPath, [pack, '--out', folder]);
  return stdout.trim();
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

before(() => used('node', process.versions.node, 'npm node-linux-*'));

test('two runs give the same bytes, and no type or test is carried', async (t) => {
  const folder = await temporaryFolder(t);
  const [one, two] = [await packInto(join(folder, 'one')), await packInto(join(folder, 'two'))];
  assert.equal(await sha256(one), await sha256(two));
  const files = await readdir(one.replace(/\.tar$/, ''), { recursive: true });
  assert.deepEqual(
    files.filter((file) => /\.ts$|\.test\.|\/testing\//.test(file) && !file.startsWith('node_modules/')),
    [],
  );
  assert.ok(!files.some((file) => file.startsWith('node_modules/typescript')));
});

test('the packed tree runs below a node_modules folder', async (t) => {
  const folder = await temporaryFolder(t);
  const tar = await packInto(join(folder, 'dist'));
  const modules = join(folder, 'node_modules');
  await mkdir(modules);
  await run('tar', ['--extract', `--file=${tar}`, `--directory=${modules}`]);
  const [name] = await readdir(modules);
  assert.ok(name !== undefined);
  await rename(join(modules, name), join(modules, 'sallyport'));
  const project = join(folder, 'project');
  await mkdir(join(project, 'files'), { recursive: true });
  await writeFile(join(project, 'files', 'hello.txt'), 'hello\n');
  await writeFile(
    join(project, 'sallyport.yaml'),
    'sallyport: "1.0"\nname: packed\ntargets:\n  linux-amd64: { os: linux, arch: amd64 }\ninputs:\n  - files: files\n',
  );
  // Nothing of this machine but what a shell has: no Node on the path.
  const env = { PATH: '/usr/bin:/bin', HOME: join(folder, 'home') };
  const sallyport = (...words: string[]) => run(join(modules, 'sallyport', 'sallyport'), words, { cwd: project, env });
  assert.match((await sallyport('--version')).stdout, /^\d+\.\d+\.\d+/);
  await sallyport('init', '--home', 'out', '--site', 'low', '--json');
  await sallyport('init', '--home', 'in', '--site', 'high', '--json');
  await sallyport('capture', '--home', 'out', '--json');
  await sallyport('seal', '-o', 'one.bundle', '--home', 'out', '--json');
  const root = join('out', 'trust', 'root.1.dsse.json');
  const { stdout } = await sallyport('admit', 'one.bundle', '--root', root, '--home', 'in', '--json');
  assert.equal((JSON.parse(stdout) as { verdict: string }).verdict, 'admitted');
});
