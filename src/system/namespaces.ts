import { readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { lastWords, runProcess } from './processes.ts';
import { findProgram } from './tools.ts';

/** Whether this machine lets us make namespaces, and if not, what stands in the way. */
export type NamespaceAnswer = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };

/** mount_setattr(2), by which everything below a read-only folder is read-only as well, came with 5.12. */
function isAtLeast(kernel: string, major: number, minor: number): boolean {
  const [, ours, below] = /^(\d+)\.(\d+)/.exec(kernel) ?? [];
  return Number(ours) > major || (Number(ours) === major && Number(below) >= minor);
}

const MASKED =
  'parts of /proc are masked, as in a container; one that is started with its system paths open ' +
  '(Docker: --security-opt systempaths=unconfined, Podman: --security-opt unmask=ALL) may do it';

/**
 * The arguments of unshare(1) for an enclave: one path for everybody, root included. The network namespace is made
 * after the user namespace that owns it, so that its counters can be read. `--kill-child`: all of it dies together.
 * `given`: the ids are written from outside (/proc/PID/uid_map), and a line on standard input says that they are.
 */
export function namespaceArguments(unshare: string, given = false): readonly string[] {
  const user = given
    ? ['--user', '--', '/bin/sh', '-c', 'read -r begin && exec "$@"', '-', unshare]
    : ['--user', '--map-root-user'];
  const outer = ['--mount', '--pid', '--ipc', '--uts', '--fork', '--kill-child', '--mount-proc'];
  return [...user, ...outer, '--', unshare, '--net', '--'];
}

/** Tries it: makes the namespaces once, with a link and an nftables rule if `nft` and `ip` are given. */
export async function namespacesAllowed(
  env: Readonly<Record<string, string | undefined>>,
  tools: { readonly ip?: string; readonly nft?: string } = {},
): Promise<NamespaceAnswer> {
  if (!isAtLeast(release(), 5, 12)) return { allowed: false, reason: `Linux 5.12 is needed, and this is ${release()}` };
  const unshare = await findProgram('unshare', env);
  if (unshare === undefined) return { allowed: false, reason: 'the program unshare (util-linux) is missing' };
  const script = [
    'set -e',
    'mount -t tmpfs tmpfs /run',
    ...(tools.ip === undefined ? [] : ['"$1" link add sallyport0 type veth peer name sallyport1']),
    ...(tools.nft === undefined
      ? []
      : [
          `printf '%s\\n' 'table inet t {' 'set s { type ipv4_addr . inet_service; flags dynamic,timeout; timeout 1m; }' 'chain c {' 'type nat hook prerouting priority dstnat' 'tcp dport 1 add @s { ip saddr . th sport } dnat to :2' '}' '}' | "$2" -f -`,
        ]),
  ].join('\n');
  const ended = await runProcess(
    unshare,
    [...namespaceArguments(unshare), '/bin/sh', '-c', script, '-', tools.ip ?? '', tools.nft ?? ''],
    { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }, cwd: '/', timeout: 10_000 },
  );
  if (ended.code === 0) return { allowed: true };
  const settings: string[] = [];
  for (const [file, closed] of [
    ['/proc/sys/user/max_user_namespaces', '0'],
    ['/proc/sys/kernel/unprivileged_userns_clone', '0'],
    ['/proc/sys/kernel/apparmor_restrict_unprivileged_userns', '1'],
  ] as const) {
    const value = await readFile(file, 'utf8').catch(() => undefined);
    if (value?.trim() === closed) settings.push(`${file.slice('/proc/sys/'.length).replaceAll('/', '.')} is ${closed}`);
  }
  // The kernel gives a new /proc only to who sees all of the one that is there (mount_namespaces(7)).
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  const masks = mounts.split('\n').map((line) => line.split(' ')[4] ?? '');
  if (
    lastWords(ended, 2).includes('/proc') &&
    masks.some((path) => path.startsWith('/proc/') && !path.startsWith('/proc/sys/fs/binfmt_misc'))
  ) {
    settings.push(MASKED);
  }
  return { allowed: false, reason: [lastWords(ended, 2), ...settings].filter((part) => part !== '').join('; ') };
}
