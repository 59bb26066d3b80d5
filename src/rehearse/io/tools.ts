import { mkdir, realpath, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isFault, type World } from '#kernel';
import {
  childEnvironment,
  debianTools,
  findProgram,
  lastWords,
  namespacesAllowed,
  pipProgram,
  runProcess,
} from '#system';
import { StepFailure } from '../story.ts';

/** The real clients of this machine, and what the enclave is made with. */
export interface Clients {
  readonly ip: string;
  readonly nft: string;
  readonly runc: string;
  readonly skopeo: string | undefined;
  /** npm's program file, run with the pinned Node. */
  readonly npm: string | undefined;
  readonly python: string | undefined;
  readonly pip: { readonly command: string; readonly args: readonly string[] } | undefined;
  /** Folder with `node` and `python` as the services call them. */
  readonly bin: string;
  /** What of these programs is not the system's: their files and folders, and no more of the places where they lie. */
  readonly folders: readonly string[];
  /** Versions, for the report. */
  readonly versions: string;
}

interface Found {
  readonly npm?: string;
  readonly python?: string;
  readonly pip?: NonNullable<Clients['pip']>;
  readonly skopeo?: string;
  readonly versions: readonly string[];
  readonly folders: readonly string[];
}

/** Finds or unpacks them. Throws StepFailure (`not-tested`) where this machine forbids namespaces. */
export async function findClients(
  world: World,
  work: string,
  wanted: { readonly images: boolean; readonly npm: boolean; readonly pip: boolean },
): Promise<Clients> {
  const { env, report, signal } = world;
  const options = { env, report, signal };
  const { ip, nft, runc } = await debianTools(['ip', 'nft', 'runc'], options).catch(lacking);
  const answer = await namespacesAllowed(env, { ip: ip.path, nft: nft.path });
  if (!answer.allowed) throw new StepFailure(`This machine forbids namespaces: ${answer.reason}`, 'not-tested');
  const bin = join(work, 'bin');
  await mkdir(bin, { recursive: true });
  await symlink(process.execPath, join(bin, 'node'));
  // npm would keep compiled code in a folder of its own below /tmp, which nobody ever clears.
  const cache = env['NODE_COMPILE_CACHE'];
  const environment = childEnvironment(env, {
    also: ['HOME'],
    set: cache === undefined ? { NODE_DISABLE_COMPILE_CACHE: '1' } : { NODE_COMPILE_CACHE: cache },
  });
  const ask = async (command: string, args: readonly string[]): Promise<string> => {
    const ended = await runProcess(command, args, { env: environment, timeout: 60_000, signal, cwd: work });
    if (ended.code !== 0) throw new StepFailure(`${command} ${args.join(' ')}: ${lastWords(ended)}`, 'not-tested');
    return ended.stdout.trim();
  };

  const nothing: Found = { versions: [], folders: [] };
  const findNpm = async (): Promise<Found> => {
    if (!wanted.npm) return nothing;
    const found = await findProgram('npm', env);
    if (found === undefined) throw new StepFailure('npm is not on this machine.', 'not-tested');
    const npm = await realpath(found);
    // NPM/bin/npm-cli.js
    const version = await ask(process.execPath, [npm, '--version']);
    return { npm, versions: [`npm ${version}`], folders: [dirname(dirname(npm))] };
  };
  const findPip = async (): Promise<Found> => {
    if (!wanted.pip) return nothing;
    const found = await findProgram('python3', env);
    if (found === undefined) throw new StepFailure('python3 is not on this machine.', 'not-tested');
    // A version manager puts a script there, which needs its own settings; the program itself needs nothing.
    const asked = await ask(found, ['-c', 'import sys; print(sys.executable, sys.prefix, sys.base_prefix, sep="\\n")']);
    const [python = '', ...prefixes] = asked.split('\n');
    await symlink(python, join(bin, 'python'));
    await symlink(python, join(bin, 'python3'));
    const program = await pipProgram(options);
    const pip = { command: program.source === 'host' ? python : program.command, args: program.args };
    const version = await ask(pip.command, [...pip.args, '--version']);
    const versions = [await ask(python, ['--version']), version.split(' from ')[0] ?? ''];
    // PACKAGE/bin/pip3
    const unpacked = program.source === 'cache' ? [dirname(dirname(program.command))] : [];
    return { python, pip, versions, folders: [...prefixes, ...unpacked] };
  };
  const findSkopeo = async (): Promise<Found> => {
    if (!wanted.images) return nothing;
    const { path: skopeo, source } = (await debianTools(['skopeo'], options).catch(lacking)).skopeo;
    const versions = [await ask(skopeo, ['--version'])];
    return { skopeo, versions, folders: [source === 'cache' ? dirname(dirname(skopeo)) : skopeo] };
  };
  const all = await Promise.all([findNpm(), findPip(), findSkopeo()]);
  const versions = [`Node ${process.versions.node}`, ...all.flatMap((one) => one.versions)];
  const [{ npm }, { python, pip }, { skopeo }] = all;
  const folders = [bin, ...all.flatMap((one) => one.folders)];
  const paths = { ip: ip.path, nft: nft.path, runc: runc.path };
  return { ...paths, folders, skopeo, npm, python, pip, bin, versions: versions.join(', ') };
}

/** A tool that cannot be had says nothing about the project. */
function lacking(error: unknown): never {
  if (!isFault(error)) throw error;
  throw new StepFailure([error.message, error.where, error.fix].filter((part) => part !== '').join(' '), 'not-tested');
}
