import { mkdtemp, rm } from 'node:fs/promises';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEnclave } from '#enclave';
import { errorMessage, type Implementation, type World } from '#kernel';
import {
  canUnpackTools,
  childEnvironment,
  findProgram,
  homePath,
  namespacesAllowed,
  runProcess,
  toolAtHand,
} from '#system';
import { opensslModule, readCryptoProfile } from '#trust';
import type { DoctorInput, DoctorOutput } from '../operations.ts';
import { checkStation } from '../station.ts';

type Check = DoctorOutput['checks'][number];

const REHEARSAL = "no rehearsal: 'sallyport rehearse' stops before the enclave and answers 'not proved'";

export const doctorVerb: Implementation<DoctorInput, DoctorOutput> = {
  async run(input, world) {
    const { env, files } = world;
    if (input.station === true) {
      const home = homePath(world, input.home === undefined ? {} : { home: input.home });
      const found = (await checkStation(files, '', home, release())).map((one) => ({
        ...one,
        ok: one.state === 'ok',
        minor: false,
      }));
      return { verdict: found.every((one) => one.ok) ? 'well' : 'lacking', checks: found };
    }
    const checks: Check[] = [];
    const add = (name: string, ok: boolean, found: string, costs: string, fix: string, minor = false): void => {
      checks.push({ name, ok, minor, found, costs: ok ? '' : costs, fix: ok ? '' : fix });
    };
    add('kernel', process.platform === 'linux', `${process.platform} ${release()}`, 'nothing works', 'Use Linux.');
    const node = process.versions.node;
    add('Node', Number.parseInt(node, 10) >= 26, `${node} (pinned)`, 'nothing works', "Run 'npm ci' again.");

    const { name: openssl, validation } = opensslModule();
    const profile = await readCryptoProfile(world.files, undefined, env);
    add('cryptography', true, `${openssl}; validation: ${validation}; profile ${profile.name}`, '', '');

    const unpack = await canUnpackTools(env);
    const manner = 'Install apt-get and dpkg-deb, or the tool itself, by the machine’s own means.';
    add(
      'unpacking of tools',
      unpack,
      unpack ? 'apt-get, dpkg-deb' : 'apt-get or dpkg-deb is missing',
      'tools that are missing below stay missing',
      manner,
    );
    const tools: { ip?: string; nft?: string; runc?: string } = {};
    for (const [name, costs] of [
      ['ip', REHEARSAL],
      ['nft', REHEARSAL],
      ['runc', REHEARSAL],
      ['skopeo', 'a rehearsal cannot pull images with a real client'],
      ['tcpdump', "'sallyport enclave capture' cannot write packets"],
      ['curl', 'an enclave that is kept has no curl to try with'],
    ] as const) {
      const tool = await toolAtHand(name, env);
      if (tool !== undefined && (name === 'ip' || name === 'nft' || name === 'runc')) tools[name] = tool.path;
      const found =
        tool === undefined
          ? unpack
            ? "missing; it will be unpacked from this machine's Debian sources when it is needed, not installed"
            : 'missing'
          : tool.source === 'host'
            ? tool.path
            : `${tool.path} (unpacked, not installed)`;
      const minor = name === 'tcpdump' || name === 'curl';
      add(name, tool !== undefined || unpack, found, costs, `Install '${name}'.`, minor);
    }
    for (const [name, costs] of [
      ['unshare', REHEARSAL],
      ['nsenter', REHEARSAL],
      ['setpriv', REHEARSAL],
      ['mount', REHEARSAL],
      ['script', "'sallyport enclave shell' has no terminal to give"],
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
    const { ip, nft, runc } = tools;
    if (answer.allowed && ip !== undefined && nft !== undefined && runc !== undefined) {
      await tryEnclave(world, { ip, nft, runc }, add);
    }
    return { verdict: checks.every(({ ok, minor }) => ok || minor) ? 'well' : 'lacking', checks };
  },

  exit: ({ verdict }) => (verdict === 'well' ? 0 : 1),

  show({ checks }, style) {
    const mark = ({ ok, minor, state }: Check): string =>
      state === 'unknown'
        ? style.warn('unknown')
        : ok
          ? style.good('ok     ')
          : minor
            ? style.warn('without')
            : style.bad('lacking');
    const width = Math.max(...checks.map(({ name }) => name.length));
    return checks
      .flatMap((check) => [
        `${mark(check)}  ${check.name.padEnd(width)}  ${check.found}`,
        ...(check.ok
          ? []
          : [
              `         ${' '.repeat(width)}  costs: ${check.costs}`,
              `         ${' '.repeat(width)}  fix:   ${check.fix}`,
            ]),
      ])
      .join('\n');
  },
};

/** Opens one, with a program in it: what a machine really allows is known only then. */
async function tryEnclave(
  world: World,
  tools: { readonly ip: string; readonly nft: string; readonly runc: string },
  add: (name: string, ok: boolean, found: string, costs: string, fix: string, minor?: boolean) => void,
): Promise<void> {
  const { env, signal } = world;
  const work = await mkdtemp(join(tmpdir(), 'sallyport-doctor-'));
  const keep = "Keep what it says; 'sallyport rehearse' says the same.";
  try {
    const enclave = await openEnclave({ machines: ['one'], flows: [], writable: [work], env, tools, signal });
    try {
      const inside = { cwd: '/tmp', env: { PATH: '/usr/bin:/bin' }, timeout: 20_000 };
      const { code, stdout, stderr } = await enclave.run('one', '/bin/sh', ['-c', 'echo well'], inside);
      const well = code === 0 && stdout.trim() === 'well';
      const found = well ? 'opened, and a confined program ran in it' : stderr.trim().split('\n').slice(-2).join(' ');
      add('enclave', well, found, REHEARSAL, keep);
      const held = enclave.cgroups;
      add(
        'cgroups',
        held.includes('memory') && held.includes('pids'),
        held.length === 0 ? 'none in which this user may make one' : held.join(', '),
        'limits of memory and processes are watched, not held by the kernel: a program can overstep them for a moment; there is no limit of processors',
        "Run it where cgroups are delegated, for example 'systemd-run --user --scope -p Delegate=yes sallyport …', or as root.",
        true,
      );
      add(
        'attempts by program',
        enclave.unwatched === '',
        enclave.unwatched === '' ? 'attempts name the program and its package' : enclave.unwatched,
        'attempts name the machine only, not the program and its package',
        'Allow seccomp user notifications (Linux 5.9 or later) and the reading of /proc of own processes.',
        true,
      );
      add(
        'IPv6',
        enclave.ipv6,
        enclave.ipv6 ? 'links, routes and rules of both families' : 'this kernel has none',
        'calls over IPv6 fail in the program itself and are not seen; nothing can leave by it',
        'Load the module ipv6, or boot without ipv6.disable=1.',
        true,
      );
    } finally {
      await enclave.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    add('enclave', false, errorMessage(error), REHEARSAL, keep);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
