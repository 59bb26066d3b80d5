import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ecosystemOf } from '#ecosystems/list';
import { admitted, linuxAmd64, linuxArm64, type Sample, pypiIndex, PYPI_INDEX, wheel } from '#ecosystems/testing';
import type { Target } from '#kernel';
import { pipProgram } from '#system';
import { temporaryFolder } from '#system/testing';
import { skipped, used } from '../../components.ts';
import { run, serve } from './serve.ts';

const pypi = ecosystemOf('pypi');
assert.ok(pypi);
const python = await run('python3', ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'], '/', {});
/** The machine's pip, or Debian's unpacked; what it installs goes into a folder of each test. */
const pip = python.code === 0 ? await pipProgram({ env: process.env }).catch(() => undefined) : undefined;
const skip = pip === undefined ? skipped('pip', 'there is no pip, and it cannot be unpacked') : false;
const version = python.output.trim();
const here: Target = {
  ...(process.arch === 'arm64' ? linuxArm64 : linuxAmd64),
  python: [{ implementation: 'cpython', version: version === '' ? '3.11' : version }],
};
const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
const cp = `cp${version.replace('.', '')}`;

function sample(): Sample & { lock: string } {
  const pure = wheel('demo-pure', '1.4.0');
  const right = wheel('demo-native', '2.0', `${cp}-${cp}-manylinux_2_17_${machine}.manylinux2014_${machine}`);
  const wrong = wheel('demo-native', '2.0', `cp27-cp27mu-manylinux1_${machine}`);
  const lock = [
    `demo-pure==1.4.0 --hash=sha256:${pure.sha256}`,
    `Demo.Native==2.0 \\`,
    `    --hash=sha256:${right.sha256} \\`,
    `    --hash=sha256:${wrong.sha256}`,
    `never-here==1.0 ; sys_platform == "win32" --hash=sha256:${'0'.repeat(64)}`,
    '',
  ].join('\n');
  return {
    lock,
    input: { path: 'requirements.txt', bytes: lock },
    targets: [here],
    settings: { pip: { registries: [PYPI_INDEX], scopes: {} } },
    upstream: pypiIndex([pure, right, wrong]),
    served: [],
    missing: { path: '', says: /./, name: '' },
    tamper: { at: '', bytes: '' },
  };
}

async function project(t: TestContext, given: Sample & { lock: string }) {
  assert.ok(pypi);
  const { catalog, closure } = await admitted(pypi, given);
  const served = await serve(t, ['pypi'], catalog);
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'home'));
  await writeFile(join(folder, 'requirements.txt'), given.lock);
  const client = (await pypi.inside()).clients.find((c) => c.client === 'pip');
  assert.ok(client);
  const environment = { ...client.environment(served.base), PIP_CACHE_DIR: join(folder, 'cache'), PIP_RETRIES: '0' };
  const install = (args: readonly string[]) =>
    run(pip?.command ?? '', [...(pip?.args ?? []), 'install', '--target', 'installed', ...args], folder, environment);
  return { folder, served, install, closure };
}

test('pip installs an unmodified hash-locked file', { skip }, async (t) => {
  const given = sample();
  const { folder, served, install, closure } = await project(t, given);
  assert.equal(closure.artifacts.filter((a) => a.file.endsWith('.whl')).length, 2);
  const ran = await install(['--require-hashes', '-r', 'requirements.txt']);
  assert.equal(ran.code, 0, `${ran.output}\n${served.log.join('\n')}`);
  const shown = await run(
    'python3',
    ['-c', 'import demo_pure, demo_native; print(demo_pure.VERSION, demo_native.VERSION)'],
    folder,
    { PYTHONPATH: join(folder, 'installed') },
  );
  assert.equal(shown.output.trim(), 'demo-pure 1.4.0 demo-native 2.0');
  assert.equal(await readFile(join(folder, 'requirements.txt'), 'utf8'), given.lock);
  assert.ok(served.log.some((line) => line.startsWith('GET /pypi/files/')));
  used(
    'pip',
    /pip ([\d.]+)/.exec((await run(pip?.command ?? '', [...(pip?.args ?? []), '--version'], folder, {})).output)?.[1] ??
      '',
  );
});

test('pip resolves by name through pages and metadata', { skip }, async (t) => {
  const { served, install } = await project(t, sample());
  const ran = await install(['Demo_Pure']);
  assert.equal(ran.code, 0, `${ran.output}\n${served.log.join('\n')}`);
  assert.ok(
    served.log.every((line) => !/ (?:4|5)\d\d$/.test(line)),
    served.log.join('\n'),
  );
});

test('pip refuses a file whose hash is not the one of its lock', { skip }, async (t) => {
  const { folder, install } = await project(t, sample());
  await writeFile(join(folder, 'requirements.txt'), `demo-pure==1.4.0 --hash=sha256:${'1'.repeat(64)}\n`);
  const ran = await install(['--require-hashes', '-r', 'requirements.txt']);
  assert.notEqual(ran.code, 0);
  assert.match(ran.output, /DO NOT MATCH THE HASHES|HashMismatch/i);
});

test('pip fails cleanly for a project that is not here', { skip }, async (t) => {
  const { served, install } = await project(t, sample());
  const ran = await install(['absent-project']);
  assert.notEqual(ran.code, 0);
  assert.ok(served.log.includes('GET /pypi/simple/absent-project/ 404'), served.log.join('\n'));
});
