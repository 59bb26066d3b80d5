import { release } from 'node:os';
import type { Implementation } from '#kernel';
import { canUnpackTools, childEnvironment, findProgram, namespacesAllowed, runProcess, toolAtHand } from '#system';
import type { DoctorOutput } from '../operations.ts';

type Check = DoctorOutput['checks'][number];

const REHEARSAL = "no rehearsal: 'sallyport rehearse' stops before the enclave and answers 'not proved'";

export const doctorVerb: Implementation<Record<string, never>, DoctorOutput> = {
  async run(_, world) {
    const { env } = world;
    const checks: Check[] = [];
    const add = (name: string, ok: boolean, found: string, costs: string, fix: string): void => {
      checks.push({ name, ok, found, costs: ok ? '' : costs, fix: ok ? '' : fix });
    };
    add('kernel', process.platform === 'linux', `${process.platform} ${release()}`, 'nothing works', 'Use Linux.');
    const node = process.versions.node;
    add('Node', Number.parseInt(node, 10) >= 26, `${node} (pinned)`, 'nothing works', "Run 'npm ci' again.");

    const unpack = await canUnpackTools(env);
    const manner = 'Install apt-get and dpkg-deb, or the tool itself, by the machine’s own means.';
    add(
      'unpacking of tools',
      unpack,
      unpack ? 'apt-get, dpkg-deb' : 'apt-get or dpkg-deb is missing',
      'tools that are missing below stay missing',
      manner,
    );
    const tools: { ip?: string; nft?: string } = {};
    for (const [name, costs] of [
      ['ip', REHEARSAL],
      ['nft', REHEARSAL],
      ['skopeo', 'a rehearsal cannot pull images with a real client'],
    ] as const) {
      const tool = await toolAtHand(name, env);
      if (tool !== undefined && name !== 'skopeo') tools[name] = tool.path;
      const found =
        tool === undefined
          ? unpack
            ? "missing; it will be unpacked from this machine's Debian sources when it is needed, not installed"
            : 'missing'
          : tool.source === 'host'
            ? tool.path
            : `${tool.path} (unpacked, not installed)`;
      add(name, tool !== undefined || unpack, found, costs, `Install '${name}'.`);
    }
    for (const [name, costs] of [
      ['unshare', REHEARSAL],
      ['nsenter', REHEARSAL],
      ['setpriv', REHEARSAL],
      ['mount', REHEARSAL],
      ['tar', 'images cannot be unpacked for a rehearsal'],
      ['npm', 'npm packages cannot be installed in a rehearsal'],
      ['python3', 'Python packages cannot be installed in a rehearsal'],
      ['git', 'git dependencies cannot be looked at'],
      ['openssl', 'the lines that check a bundle without Sallyport cannot be run here'],
      ['zstd', 'the lines that check a bundle without Sallyport cannot be run here'],
    ] as const) {
      const path = await findProgram(name, env);
      add(name, path !== undefined, path ?? 'missing', costs, `Install the program '${name}'.`);
    }
    const python = await findProgram('python3', env);
    if (python !== undefined) {
      const options = { env: childEnvironment(env, { also: ['HOME'] }), timeout: 30_000 };
      const ended = await runProcess(python, ['-m', 'pip', '--version'], options);
      const ok = ended.code === 0;
      const found = ok ? ended.stdout.trim().split(' from ')[0] : 'missing; it will be unpacked when it is needed';
      add(
        'pip',
        ok || unpack,
        found ?? 'pip',
        'Python packages cannot be installed in a rehearsal',
        'Install python3-pip.',
      );
    }
    const answer = await namespacesAllowed(env, tools);
    add(
      'namespaces',
      answer.allowed,
      answer.allowed ? 'user, mount, PID and network namespaces, with links and nftables' : answer.reason,
      REHEARSAL,
      'Allow user namespaces: user.max_user_namespaces above 0, kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0; in a container, a seccomp profile that lets unshare and mount through.',
    );
    return { verdict: checks.every(({ ok }) => ok) ? 'well' : 'lacking', checks };
  },

  exit: ({ verdict }) => (verdict === 'well' ? 0 : 1),

  show({ checks }, style) {
    const width = Math.max(...checks.map(({ name }) => name.length));
    return checks
      .flatMap(({ name, ok, found, costs, fix }) => [
        `${ok ? style.good('ok     ') : style.bad('lacking')}  ${name.padEnd(width)}  ${found}`,
        ...(ok
          ? []
          : [`         ${' '.repeat(width)}  costs: ${costs}`, `         ${' '.repeat(width)}  fix:   ${fix}`]),
      ])
      .join('\n');
  },
};
