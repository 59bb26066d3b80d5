import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram, lastWords, pipProgram, runProcess, toolsFolder } from '#system';

/** Clients from npm and PyPI, with the versions that the depot is tested with. */
const NPM = { pnpm: '12.21.0', '@yarnpkg/cli-dist': '4.18.1', bun: '1.4.5' } as const;
const PYPI = { uv: '0.13.9', poetry: '2.5.1' } as const;
const LIMIT = 5 * 60_000;

/**
 * A folder of programs: pnpm, yarn, bun, uv and poetry, installed once into the user's cache by the machine's own npm
 * and pip, each with its own settings. What cannot be had is not in it.
 */
export async function installedClients(): Promise<string> {
  const versions = Object.entries({ ...NPM, ...PYPI }).map(([name, version]) => `${name.replace(/\W/g, '')}${version}`);
  const folder = join(toolsFolder(process.env), `test-clients-${versions.join('-')}`);
  const bin = join(folder, 'bin');
  if ((await findProgram('yarn', { PATH: bin })) === join(bin, 'yarn')) return bin;
  await mkdir(toolsFolder(process.env), { recursive: true, mode: 0o700 });
  const work = await mkdtemp(`${folder}.`);
  const env = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >;
  try {
    await mkdir(join(work, 'bin'));
    const npm = join(work, 'npm');
    await mkdir(npm);
    await writeFile(join(npm, 'package.json'), JSON.stringify({ private: true, dependencies: NPM }));
    const words = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--no-package-lock'];
    const ended = await runProcess('npm', words, { cwd: npm, env, timeout: LIMIT });
    if (ended.code !== 0) process.stderr.write(`npm clients: ${lastWords(ended)}\n`);
    // Final paths: the folder is renamed into place when it is whole.
    const at = (path: string): string => join(folder, 'npm', 'node_modules', path);
    // Its bin is a placeholder that an install script replaces.
    await wrapper(join(work, 'bin', 'pnpm'), `exec node '${at('pnpm/bin/pnpm.mjs')}' "$@"`);
    await symlink(at('@yarnpkg/cli-dist/bin/yarn.js'), join(work, 'bin', 'yarn'));
    const cpu = process.arch === 'arm64' ? 'aarch64' : 'x64';
    await symlink(at(`@oven/bun-linux-${cpu}/bin/bun`), join(work, 'bin', 'bun'));
    await python(work, folder, env);
    await rename(work, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return bin;
}

async function python(work: string, folder: string, env: Record<string, string>): Promise<void> {
  const pip = await pipProgram({ env: process.env });
  const wanted = Object.entries(PYPI).map(([name, version]) => `${name}==${version}`);
  const words = ['install', '--quiet', '--no-compile', '--target', join(work, 'python'), ...wanted];
  const ended = await runProcess(pip.command, [...pip.args, ...words], { env, timeout: LIMIT });
  if (ended.code !== 0) process.stderr.write(`PyPI clients: ${lastWords(ended)}\n`);
  for (const name of Object.keys(PYPI)) {
    const target = join(folder, 'python');
    await wrapper(join(work, 'bin', name), `PYTHONPATH='${target}' exec '${target}/bin/${name}' "$@"`);
  }
}

async function wrapper(path: string, line: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${line}\n`, { mode: 0o755 });
}
