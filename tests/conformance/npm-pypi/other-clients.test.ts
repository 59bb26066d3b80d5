import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Ecosystem } from '#ecosystems';
import { ecosystemOf } from '#ecosystems/list';
import { admitted, npmSample, pypiSample, type Sample } from '#ecosystems/testing';
import { temporaryFolder } from '#system/testing';
import { skipped, used } from '../../components.ts';
import { installedClients } from './install.ts';
import { type Ran, run, serve } from './serve.ts';

// The pinned Node, which they need; then somebody's own clients, which are as good as ours, and ours for the gaps.
const clients = await installedClients();
process.env['PATH'] = `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}:${clients}`;

/** The version of a client in PATH, or why it is not used. `accepts`: which versions the depot is for. */
async function clientOf(name: string, accepts: RegExp = /./): Promise<{ version: string; skip: string | false }> {
  const { code, output } = await run(name, ['--version'], '/', {});
  const version = output.trim().split('\n').at(-1) ?? '';
  if (code !== 0) return { version, skip: skipped(name, `it is not in PATH and could not be installed`) };
  return accepts.test(version)
    ? { version, skip: false }
    : { version, skip: skipped(name, `${version} is not supported`) };
}

async function folderFor(t: TestContext, ecosystem: Ecosystem | undefined, sample: Sample, client: string) {
  assert.ok(ecosystem);
  const { catalog } = await admitted(ecosystem, sample);
  const served = await serve(t, [ecosystem.id], catalog);
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'home'));
  const config = (await ecosystem.inside()).clients.find((c) => c.client === client);
  assert.ok(config);
  return { folder, served, environment: config.environment(served.base), text: config.render(served.base) };
}

function ok(ran: Ran, log: readonly string[]): void {
  assert.equal(ran.code, 0, `${ran.output}\n${log.join('\n')}`);
}

const NPM_CLIENTS = [
  {
    name: 'pnpm',
    accepts: /./,
    first: ['install', '--no-frozen-lockfile'],
    again: ['install', '--frozen-lockfile', '--force'],
  },
  { name: 'yarn', accepts: /^[2-9]/, first: ['install', '--no-immutable'], again: ['install', '--immutable'] },
  { name: 'bun', accepts: /./, first: ['install'], again: ['install', '--frozen-lockfile', '--force'] },
];

for (const { name, accepts, first, again } of NPM_CLIENTS) {
  const { version, skip } = await clientOf(name, accepts);
  test(`${name} resolves, and installs from its own lock`, { skip }, async (t) => {
    const { folder, served, environment } = await folderFor(t, ecosystemOf('npm'), npmSample(), name);
    const manifest = { name: 'demo-app', version: '1.0.0', dependencies: { left: '*' } };
    await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
    if (name === 'yarn') await writeFile(join(folder, 'yarn.lock'), '');
    const own = {
      ...environment,
      YARN_ENABLE_GLOBAL_CACHE: 'false',
      YARN_GLOBAL_FOLDER: join(folder, 'yarn'),
      YARN_NODE_LINKER: 'node-modules',
      BUN_INSTALL_CACHE_DIR: join(folder, 'bun'),
      npm_config_store_dir: join(folder, 'pnpm'),
    };
    ok(await run(name, first, folder, own), served.log);
    ok(await run(name, again, folder, own), served.log);
    const installed = JSON.parse(await readFile(join(folder, 'node_modules/left/package.json'), 'utf8'));
    assert.equal(installed.version, '1.2.0');
    assert.ok(
      served.log.every((line) => line.endsWith(' 200')),
      served.log.join('\n'),
    );
    used(name, version);
  });
}

const uv = await clientOf('uv');
test('uv installs a hash-locked file, and knows when a file was published', { skip: uv.skip }, async (t) => {
  const sample = pypiSample();
  const { folder, served, environment } = await folderFor(t, ecosystemOf('pypi'), sample, 'uv');
  await writeFile(join(folder, 'requirements.txt'), sample.input.bytes);
  const own = { ...environment, UV_CACHE_DIR: join(folder, 'uv') };
  ok(await run('uv', ['venv', '--python', '3.11', 'venv'], folder, own), served.log);
  const install = ['pip', 'install', '--python', 'venv/bin/python'];
  ok(await run('uv', [...install, '--require-hashes', '-r', 'requirements.txt'], folder, own), served.log);
  const older = await run(
    'uv',
    [...install, '--reinstall', '--exclude-newer', '2021-02-01T00:00:00Z', 'demo-pure'],
    folder,
    own,
  );
  assert.notEqual(older.code, 0);
  assert.match(older.output, /exclude-newer/);
  used('uv', uv.version);
});

const poetry = await clientOf('poetry');
test('poetry locks and installs from the depot as its source', { skip: poetry.skip }, async (t) => {
  const { folder, served, text } = await folderFor(t, ecosystemOf('pypi'), pypiSample(), 'poetry');
  const project = ['[project]', 'name = "demo-app"', 'version = "1.0.0"', 'requires-python = ">=3.9"'];
  const tool = ['dependencies = ["demo-pure>=1"]', '[tool.poetry]', 'package-mode = false', ''];
  await writeFile(join(folder, 'pyproject.toml'), [...project, ...tool].join('\n'));
  const own = { POETRY_VIRTUALENVS_IN_PROJECT: 'true', PYTHON_KEYRING_BACKEND: 'keyring.backends.null.Keyring' };
  for (const line of [...text.trim().split('\n'), 'poetry install --no-interaction']) {
    ok(await run('poetry', line.split(' ').slice(1), folder, own), served.log);
  }
  assert.ok(
    served.log.some((line) => /demo_pure-1\.4\.0.*\.whl 200$/.test(line)),
    served.log.join('\n'),
  );
  used('poetry', poetry.version);
});
