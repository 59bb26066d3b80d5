import { createHash } from 'node:crypto';
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { debianTools, runProcess } from '#system';

/** What a careful owner of a machine would compare, by subject; each a set of lines. */
export type HostState = ReadonlyMap<string, ReadonlySet<string>>;

/** Files that decide how names are found and who is trusted. */
const NAMES = ['/etc/resolv.conf', '/etc/hosts', '/etc/nsswitch.conf', '/etc/passwd', '/etc/subuid', '/etc/subgid'];
const TRUST = ['/etc/ssl/certs', '/usr/local/share/ca-certificates', '/etc/ca-certificates', '/etc/pki'];
const SETTINGS = [
  'net/ipv4/ip_forward',
  'net/ipv6/conf/all/forwarding',
  'net/ipv4/ip_unprivileged_port_start',
  'user/max_user_namespaces',
  'kernel/unprivileged_userns_clone',
  'kernel/yama/ptrace_scope',
];
/** Where things are left lying about. */
const PLACES = ['/tmp', '/var/tmp', '/run', '/dev/shm', '/run/netns', '/var/run/netns', '/etc', '/usr/local', '/opt'];

/**
 * The state of the machine. `ours` says of what others on this machine may change meanwhile (processes, sockets, names
 * below /tmp, cgroups) whether it belongs to the runs that are judged; everything else is compared whole.
 */
export async function hostState(ours: (line: string) => boolean): Promise<HostState> {
  const tools = await debianTools(['ip', 'nft'], { env: process.env });
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
  const told = async (command: string, ...args: string[]): Promise<string[]> => {
    const { stdout, stderr } = await runProcess(command, args, { env });
    // Lifetimes of router advertisements count down by themselves.
    return [...stdout.replace(/ *expires \d+sec|(valid|preferred)_lft \d+sec/g, '').split('\n'), stderr.trim()];
  };
  const ip = tools.ip.path;
  const state = new Map<string, ReadonlySet<string>>();
  const set = (subject: string, lines: readonly string[]): void => {
    state.set(subject, new Set(lines.filter((line) => line !== '')));
  };
  set('nftables', await told(tools.nft.path, 'list', 'ruleset'));
  set('links', await told(ip, '-details', 'link'));
  set('addresses', await told(ip, 'address'));
  for (const family of ['-4', '-6']) {
    set(`routes ${family}`, await told(ip, family, 'route', 'show', 'table', 'all'));
    set(`rules ${family}`, await told(ip, family, 'rule'));
  }
  set('named network namespaces', await told(ip, 'netns'));
  set('settings', await Promise.all(SETTINGS.map(async (name) => `${name} ${await text(`/proc/sys/${name}`)}`)));
  set('names', await Promise.all(NAMES.map(async (path) => `${path} ${digest(await text(path))}`)));
  set('trust', (await Promise.all(TRUST.map(files))).flat());
  set(
    'mounts',
    (await text('/proc/self/mountinfo')).split('\n').map((line) => line.split(' ').slice(3).join(' ')),
  );
  set(
    'places',
    (await Promise.all(PLACES.map(async (path) => (await names(path)).map((name) => join(path, name)))))
      .flat()
      .filter(ours),
  );
  set('cgroups', (await folders('/sys/fs/cgroup', 4)).filter(ours));
  set('processes', (await processes()).filter(ours));
  const sockets = await Promise.all(['tcp', 'tcp6', 'udp', 'udp6', 'unix', 'raw', 'packet', 'vsock'].map(listening));
  set('sockets', sockets.flat().filter(ours));
  return state;
}

/** What is new or gone, with its subject; nothing where all is as it was. */
export function changes(before: HostState, after: HostState): string[] {
  const found: string[] = [];
  for (const [subject, lines] of after) {
    const was = before.get(subject) ?? new Set();
    for (const line of lines) if (!was.has(line)) found.push(`${subject}: new: ${line}`);
    for (const line of was) if (!lines.has(line)) found.push(`${subject}: gone: ${line}`);
  }
  return found;
}

/** The same, once the kernel and the programs that end by themselves have had their time. */
export async function lastingChanges(
  before: HostState,
  ours: (line: string) => boolean,
  time = 30_000,
): Promise<string[]> {
  const end = Date.now() + time;
  for (;;) {
    const found = changes(before, await hostState(ours));
    if (found.length === 0 || Date.now() > end) return found;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Every file below a folder, with its size and kind. */
export async function files(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return Promise.all(
    entries.map(async (entry) => {
      const path = join(entry.parentPath, entry.name);
      const look = await stat(path).catch(() => undefined);
      return `${path} ${entry.isDirectory() ? 'folder' : `${look?.size ?? 'dangling'}`}`;
    }),
  );
}

async function processes(): Promise<string[]> {
  const lines: string[] = [];
  for (const pid of await names('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const words = (await text(`/proc/${pid}/cmdline`)).replaceAll('\0', ' ');
    const environment = (await text(`/proc/${pid}/environ`)).replaceAll('\0', ' ');
    const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
    const root = await readlink(`/proc/${pid}/root`).catch(() => '');
    lines.push(`${pid} ${words} in ${cwd}, root ${root}, environment ${environment}`);
  }
  return lines;
}

async function listening(kind: string): Promise<string[]> {
  return (await text(`/proc/net/${kind}`)).split('\n').map((line) => `${kind} ${line}`);
}

async function folders(path: string, depth: number): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  const own = entries.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
  return depth === 0 ? own : [...own, ...(await Promise.all(own.map((one) => folders(one, depth - 1)))).flat()];
}

function names(path: string): Promise<string[]> {
  return readdir(path).catch(() => []);
}

function text(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

function digest(content: string): string {
  return createHash('sha256').update(content).digest('hex');
}
