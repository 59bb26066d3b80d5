import { mkdir, realpath, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { World } from '#kernel';
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
  readonly skopeo: string | undefined;
  /** npm's program file, run with the pinned Node. */
  readonly npm: string | undefined;
  readonly python: string | undefined;
  readonly pip: { readonly command: string; readonly args: readonly string[] } | undefined;
  /** Folder with `node` and `python` as the services call them. */
  readonly bin: string;
  /** Where the programs live that are not the system's. */
  readonly folders: readonly string[];
  /** Versions, for the report. */
  readonly versions: string;
}

/** Finds or unpacks them. Throws StepFailure (`not-tested`) where this machine forbids namespaces. */
export async function findClients(
  world: World,
  work: string,
  wanted: { readonly images: boolean; readonly npm: boolean; readonly pip: boolean },
): Promise<Clients> {
  const { env, report, signal } = world;
  const options = { env, report, signal };
  const { ip, nft } = await debianTools(['ip', 'nft'], options);
  const answer = await namespacesAllowed(env, { ip: ip.path, nft: nft.path });
  if (!answer.allowed) throw new StepFailure(`This machine forbids namespaces: ${answer.reason}`, 'not-tested');
  const skopeo = wanted.images ? (await debianTools(['skopeo'], options)).skopeo.path : undefined;
  const bin = join(work, 'bin');
  await mkdir(bin, { recursive: true });
  await symlink(process.execPath, join(bin, 'node'));
  const versions: string[] = [`Node ${process.versions.node}`];
  const environment = childEnvironment(env, { also: ['HOME'] });
  const ask = async (command: string, args: readonly string[]): Promise<string> => {
    const ended = await runProcess(command, args, { env: environment, timeout: 60_000, signal, cwd: work });
    if (ended.code !== 0) throw new StepFailure(`${command} ${args.join(' ')}: ${lastWords(ended)}`, 'not-tested');
    return ended.stdout.trim();
  };

  let npm: string | undefined;
  if (wanted.npm) {
    const found = await findProgram('npm', env);
    if (found === undefined) throw new StepFailure('npm is not on this machine.', 'not-tested');
    npm = await realpath(found);
    versions.push(`npm ${await ask(process.execPath, [npm, '--version'])}`);
  }
  let python: string | undefined;
  let pip: Clients['pip'];
  if (wanted.pip) {
    const found = await findProgram('python3', env);
    if (found === undefined) throw new StepFailure('python3 is not on this machine.', 'not-tested');
    // A version manager puts a script there, which needs its own settings; the program itself needs nothing.
    python = await ask(found, ['-c', 'import sys; print(sys.executable)']);
    await symlink(python, join(bin, 'python'));
    await symlink(python, join(bin, 'python3'));
    const program = await pipProgram(options);
    pip = { command: program.source === 'host' ? python : program.command, args: program.args };
    versions.push(
      await ask(python, ['--version']),
      (await ask(pip.command, [...pip.args, '--version'])).split(' from ')[0] ?? '',
    );
  }
  if (skopeo !== undefined) versions.push(await ask(skopeo, ['--version']));
  const folders = [
    ...[ip.path, nft.path, skopeo, python, pip?.command].flatMap((path) =>
      path === undefined ? [] : [dirname(dirname(path))],
    ),
    ...(npm === undefined ? [] : [dirname(dirname(npm))]),
  ];
  return { folders, ip: ip.path, nft: nft.path, skopeo, npm, python, pip, bin, versions: versions.join(', ') };
}
