import { mkdir, readdir, realpath, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { printable, type World } from '#kernel';
import type { Preparation } from '#project';
import { childEnvironment, findProgram, pipProgram, runProcess } from '#system';
import { captureFault } from '../faults.ts';

/** What a confined command has of programs beside the system's own. */
export interface Programs {
  /** Folders for PATH, after `bin`. */
  readonly path: readonly string[];
  /** Absolute paths that it must see for them. */
  readonly readable: readonly string[];
  /** Where they look for themselves. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Puts the programs themselves into `bin`: what a version manager has on PATH needs a home that is not there. Throws
 * capture.prepare-failed where one is not on this machine.
 */
export async function putPrograms(
  world: World,
  { needs, run: [program = ''] }: Preparation,
  bin: string,
): Promise<Programs> {
  const { env, report, signal } = world;
  await mkdir(bin);
  const path: string[] = [];
  const readable: string[] = [];
  const environment: Record<string, string> = {};
  const put = (name: string, target: string): Promise<void> => symlink(target, join(bin, name));
  await put('node', process.execPath);

  if ([...needs, basename(program)].some((name) => ['pip', 'python', 'python3'].includes(name))) {
    const python = await pythonOf(world);
    if (python !== undefined) {
      for (const name of ['python3', 'python']) await put(name, python.program);
      readable.push(...python.folders.filter((folder) => !isTheirs(folder, env['HOME'] ?? '')));
    }
  }
  for (const name of needs) {
    if (name === 'pip') {
      const pip = await pipProgram({ env, report, signal });
      // As `pip3` on PATH, where the machine's Python comes without it.
      if (pip.source === 'cache') {
        path.push(dirname(pip.command));
        readable.push(dirname(dirname(pip.command)));
      }
      continue;
    }
    if (['node', 'python', 'python3'].includes(name)) continue;
    const found = await findProgram(name, env);
    if (found === undefined) {
      throw captureFault('capture.prepare-failed', {
        where: printable(name),
        detail: "The command needs this program ('needs'), and it is not on this machine.",
        fix: 'Install it, then run this command again.',
      });
    }
    const real = await realpath(found);
    await put(name, real);
    readable.push(folderOf(real, env['HOME'] ?? ''), ...(await configurationOf(name)));
    if (name === 'cargo') Object.assign(environment, await rustup(env, readable));
  }
  return { path, readable, environment };
}

/** The interpreter itself, and where its library is: both of a virtual environment and of what it is made from. */
async function pythonOf({ env, signal }: World): Promise<{ program: string; folders: string[] } | undefined> {
  const found = await findProgram('python3', env);
  if (found === undefined) return undefined;
  const code = 'import sys; print(sys.executable); print(sys.prefix); print(sys.base_prefix)';
  const asked = await runProcess(found, ['-c', code], {
    env: childEnvironment(env, { also: ['HOME', 'PYENV_ROOT', 'PYENV_VERSION', 'VIRTUAL_ENV'] }),
    // Python imports from where it runs, and the project is not to be run here.
    cwd: '/',
    timeout: 60_000,
    signal,
  });
  const [program = '', ...folders] = asked.stdout.trim().split('\n');
  if (asked.code !== 0 || !program.startsWith('/')) return { program: found, folders: [] };
  return { program, folders: [...new Set([...folders, await realpath(program)])] };
}

/** The folder in which a program and its libraries lie; of one that stands among the user's own things, itself alone. */
function folderOf(program: string, home: string): string {
  const folder = dirname(dirname(program));
  return isTheirs(folder, home) ? program : folder;
}

/** Whether a folder holds more of the user's than a program: the home, what is around it, ~/.local, ~/.cargo. */
function isTheirs(folder: string, home: string): boolean {
  return folder === '/' || (home.startsWith('/') && (`${home}/`.startsWith(`${folder}/`) || dirname(folder) === home));
}

/** Debian keeps settings of these in /etc, and links to them from their folders. */
async function configurationOf(name: string): Promise<string[]> {
  if (name !== 'java' && name !== 'mvn') return [];
  const names = await readdir('/etc');
  return names
    .filter((one) => /^java-\d+-openjdk$/.test(one) || (name === 'mvn' && one === 'maven'))
    .map((one) => join('/etc', one));
}

/** `cargo` of rustup is a door to a toolchain, which it looks for in the user's home. */
async function rustup(env: World['env'], readable: string[]): Promise<Record<string, string>> {
  const folder = env['RUSTUP_HOME'] ?? join(env['HOME'] ?? '/', '.rustup');
  const real = await realpath(folder).catch(() => undefined);
  if (real === undefined) return {};
  readable.push(real);
  return { RUSTUP_HOME: real };
}
