/** Shell scripts that close the file system of the enclave. Pure: they are text until the agent runs them. */
import { shellQuote } from '#kernel';

/** One mount of /proc/self/mountinfo (proc_pid_mountinfo(5)). */
export interface Mount {
  readonly point: string;
  readonly options: readonly string[];
}

export function readMounts(mountinfo: string): Mount[] {
  return mountinfo
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(' ');
      const point = (fields[4] ?? '').replace(/\\([0-7]{3})/g, (_, digits: string) =>
        String.fromCharCode(Number.parseInt(digits, 8)),
      );
      return { point: Buffer.from(point, 'latin1').toString('utf8'), options: (fields[5] ?? '').split(',') };
    });
}

/** Folders of the host that programs expect to write to, or that hold its sockets: each becomes an empty one. */
export const EMPTIED = ['/tmp', '/var/tmp', '/run', '/dev/shm'] as const;

/**
 * Empties the folders above, except for `needed` paths below them, and makes each writable folder a mount of its own so
 * that it can stay writable.
 */
export function emptyScript(
  needed: readonly string[],
  writable: readonly string[],
  present: readonly string[],
): string {
  const lines = ['set -e'];
  const kept = [...new Set([...needed, ...writable])].filter((path) => EMPTIED.some((folder) => isBelow(path, folder)));
  // An outer path brings the inner ones with it.
  const outer = kept.filter((path) => !kept.some((other) => other !== path && isBelow(path, other)));
  // An open folder leads to what was there after something else is mounted over it.
  for (const [index, folder] of present.entries()) lines.push(`exec ${index + 3}<${shellQuote(folder)}`);
  for (const folder of present) lines.push(`mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs ${shellQuote(folder)}`);
  for (const path of outer) {
    const index = present.findIndex((folder) => isBelow(path, folder));
    if (index === -1) continue;
    const old = `/proc/self/fd/${index + 3}${path.slice((present[index] ?? '').length)}`;
    lines.push(
      `if [ -d ${shellQuote(old)} ]; then mkdir -p ${shellQuote(path)}; mount -c --rbind ${shellQuote(old)} ${shellQuote(path)}; fi`,
    );
  }
  for (const path of writable) lines.push(`mount --bind ${shellQuote(path)} ${shellQuote(path)}`);
  return `${lines.join('\n')}\n`;
}

/** Makes every mount read-only except for what is named; prints the mount points that the kernel did not allow. */
export function readOnlyScript(
  mounts: readonly Mount[],
  writable: readonly string[],
  present: readonly string[],
): string {
  const open = (point: string): boolean =>
    point === '/proc' ||
    isBelow(point, '/proc') ||
    point === '/dev' ||
    isBelow(point, '/dev') ||
    present.includes(point) ||
    writable.some((folder) => point === folder || isBelow(point, folder));
  const lines: string[] = [];
  for (const { point, options } of mounts) {
    if (open(point) || options.includes('ro')) continue;
    // Flags that the host has locked must be repeated, or the kernel refuses.
    const flags = options.filter((option) => /^(nosuid|nodev|noexec|noatime|relatime|nodiratime)$/.test(option));
    const all = ['remount', 'bind', 'ro', ...flags].join(',');
    lines.push(`mount -o ${all} ${shellQuote(point)} 2>/dev/null || printf '%s\\n' ${shellQuote(point)}`);
  }
  return `${lines.join('\n')}\n`;
}

/** An unpacked image as the whole file system of a process. */
export interface Root {
  /** Absolute folder; nothing in it is written to. */
  readonly path: string;
  /** Absolute paths inside it that the image declares as volumes: empty and writable. */
  readonly volumes: readonly string[];
  /** Working folder inside it. */
  readonly cwd: string;
}

/** Folders that a process in an image expects; they must be there before it is made read-only. */
export const IMAGE_FOLDERS = ['dev', 'proc', 'tmp', 'run', 'etc', 'var/tmp'] as const;
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'] as const;

/** Nobody in particular: no file of the host is theirs, and a new user namespace gives them no capability. */
const USER = 1000;
const IMAGE_USER = 65532;

/**
 * What a process is started through, inside its machine: hides folders, then stands as the first process of its PID
 * namespace, so that signals reach the program and orphans are collected. `$@` is the program.
 *
 * The program gets a user namespace of its own, as a user who is not root: it has no capability over the enclave's
 * network and mounts, and inside a changed root it cannot make further user namespaces (the kernel refuses that to a
 * process whose root is not the root of its mounts), so it cannot leave it.
 */
export function initScript(unshare: string, hide: readonly string[], root?: Root): string {
  const lines = ['set -e'];
  for (const folder of hide) {
    lines.push(`mount -t tmpfs -o mode=0,size=4k,nosuid,nodev,noexec,ro tmpfs ${shellQuote(folder)}`);
  }
  if (root !== undefined) lines.push(...rootMounts(root));
  const user = root === undefined ? USER : IMAGE_USER;
  const prefix = ['setpriv', '--no-new-privs', '--', unshare, '--user', `--map-user=${user}`, `--map-group=${user}`];
  if (root !== undefined) prefix.push(`--root=${root.path}`, `--wd=${root.cwd}`);
  lines.push(
    'set +e',
    `${prefix.map(shellQuote).join(' ')} -- "$@" &`,
    'child=$!',
    `trap 'kill -TERM "$child" 2>/dev/null' TERM INT HUP`,
    'while :; do wait "$child"; code=$?; kill -0 "$child" 2>/dev/null || break; done',
    'exit "$code"',
  );
  return `${lines.join('\n')}\n`;
}

function rootMounts({ path, volumes }: Root): string[] {
  const at = (inside: string): string => shellQuote(`${path}/${inside.replace(/^\/+/, '')}`);
  return [
    `mount --bind ${shellQuote(path)} ${shellQuote(path)}`,
    `mount -o remount,bind,ro,nosuid,nodev ${shellQuote(path)}`,
    `mount -t tmpfs -o mode=755,size=1m,nosuid,noexec tmpfs ${at('dev')}`,
    ...DEVICES.flatMap((name) => [`: > ${at(`dev/${name}`)}`, `mount --bind /dev/${name} ${at(`dev/${name}`)}`]),
    `mkdir ${at('dev/shm')}`,
    `chmod 1777 ${at('dev/shm')}`,
    `ln -s /proc/self/fd ${at('dev/fd')}`,
    ...['stdin', 'stdout', 'stderr'].map((name, index) => `ln -s /proc/self/fd/${index} ${at(`dev/${name}`)}`),
    `mount -t proc -o nosuid,nodev,noexec proc ${at('proc')}`,
    ...['tmp', 'run', 'var/tmp'].map((folder) => `mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs ${at(folder)}`),
    ...['hosts', 'resolv.conf'].map((name, index) => `mount --bind /run/sallyport/${index} ${at(`etc/${name}`)}`),
    ...volumes.map((volume) => `mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs ${at(volume)}`),
  ];
}

export function isBelow(path: string, folder: string): boolean {
  return folder === '/' ? path !== '/' : path.startsWith(`${folder}/`);
}
