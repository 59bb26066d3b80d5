/**
 * Who a process is, and for which package it works, from /proc. What a process says of itself (its command line, its
 * environment, files in its folder) it can forge: this names a culprit among the honest and is no proof against the others.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { claimedPackage, type ProcessClaims } from '../claimed-package.ts';

export interface Owner {
  readonly process: { readonly pid: number; readonly command: string };
  readonly package?: string;
}

/** Bytes that are kept of a command line. */
const COMMAND = 512;
/** A program that was started by a program, and so on: how far up the package is looked for. */
const PARENTS = 8;

/** Undefined where the process is gone. `pid` may be a thread's. */
export function ownerOf(pid: number): Owner | undefined {
  const status = textOf(`/proc/${pid}/status`, 4096);
  if (status === '') return undefined;
  // The innermost number is the one that the program itself knows.
  const inner = /^NSpid:.*\s(\d+)$/m.exec(status)?.[1];
  const command = commandOf(pid);
  const inside = namespaceOf(pid);
  let name: string | undefined;
  let at = pid;
  let words = status;
  // Not beyond the first process of its container: that one was started by us.
  for (let up = 0; up < PARENTS && name === undefined && (up === 0 || namespaceOf(at) === inside); up++) {
    name = claimedPackage(claimsOf(at));
    at = Number(/^PPid:\s*(\d+)$/m.exec(words)?.[1] ?? 0);
    words = textOf(`/proc/${at}/status`, 4096);
  }
  return {
    process: { pid: Number(inner ?? pid), command },
    ...(name === undefined ? {} : { package: name }),
  };
}

function claimsOf(pid: number): ProcessClaims {
  const environment = new Map<string, string>();
  for (const entry of textOf(`/proc/${pid}/environ`, 65536).split('\0')) {
    const at = entry.indexOf('=');
    if (at > 0) environment.set(entry.slice(0, at), entry.slice(at + 1));
  }
  let cwd = '';
  try {
    cwd = readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    // Gone, or not ours to see.
  }
  return {
    environment,
    cwd,
    args: textOf(`/proc/${pid}/cmdline`, 4096).split('\0'),
    read: (path) => textOf(`/proc/${pid}/root${path}`, 256 * 1024),
  };
}

function namespaceOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return '';
  }
}

function commandOf(pid: number): string {
  return textOf(`/proc/${pid}/cmdline`, COMMAND).replace(/\0+$/, '').replaceAll('\0', ' ');
}

/** Numbers of the calls that open a file, and which of their arguments is its path: x86_64 and arm64. */
const OPENING: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  x64: { 2: 0, 257: 1, 437: 1 },
  arm64: { 56: 1, 437: 1 },
};

/** Threads of a process that wait for a lease to be given up, while they open a file (proc_pid_syscall(5)). */
export function blockedThreads(pid: number): { thread: number; at: bigint; flags: number }[] {
  const found: { thread: number; at: bigint; flags: number }[] = [];
  let threads: string[] = [];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return found;
  }
  for (const thread of threads) {
    const fields = textOf(`/proc/${pid}/task/${thread}/syscall`, 512).split(' ');
    const argument = OPENING[process.arch]?.[Number(fields[0])];
    const address = argument === undefined ? undefined : fields[argument + 1];
    if (argument === undefined || address === undefined || !/^0x[0-9a-f]+$/.test(address)) continue;
    const flags = Number(fields[argument + 2] ?? 0);
    // openat2 has its flags in memory.
    found.push({ thread: Number(thread), at: BigInt(address), flags: fields[0] === '437' ? 0 : flags });
  }
  return found;
}

/** The processes whose network namespace is this one (`net:[4026531840]`). */
export function processesIn(namespace: string): number[] {
  const found: number[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (readlinkSync(`/proc/${name}/ns/net`) === namespace) found.push(Number(name));
    } catch {
      // Gone meanwhile.
    }
  }
  return found;
}

/**
 * The process of that network namespace that holds the socket with this local port. Looked for while the socket is open:
 * a connection that waits for its answer, a question that waits for its address.
 */
export function socketHolder(namespace: string, protocol: 'tcp' | 'udp', port: number): number | undefined {
  const processes = processesIn(namespace);
  const one = processes[0];
  if (one === undefined) return undefined;
  const wanted = new Set<string>();
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const table of [protocol, `${protocol}6`]) {
    for (const line of textOf(`/proc/${one}/net/${table}`, 4 * 1024 * 1024).split('\n')) {
      const fields = line.trim().split(/\s+/);
      const inode = fields[9];
      if (fields[1]?.endsWith(suffix) === true && inode !== undefined && inode !== '0') wanted.add(`socket:[${inode}]`);
    }
  }
  if (wanted.size === 0) return undefined;
  for (const pid of processes) {
    let descriptors: string[];
    try {
      descriptors = readdirSync(`/proc/${pid}/fd`);
    } catch {
      continue;
    }
    for (const descriptor of descriptors) {
      try {
        if (wanted.has(readlinkSync(`/proc/${pid}/fd/${descriptor}`))) return pid;
      } catch {
        // Closed meanwhile.
      }
    }
  }
  return undefined;
}

/** The beginning of a plain file as text, '' where there is none. Never waits: a pipe in its place is left alone. */
function textOf(path: string, limit: number): string {
  // Files of the kernel have no size beforehand; they are as they are.
  const kernel = /^\/proc\/\d+\/(?!root\/)/.test(path);
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    if (!kernel && !fstatSync(file).isFile()) return '';
    if (kernel && limit > 1024 * 1024) return readFileSync(file, 'utf8').slice(0, limit);
    const bytes = Buffer.alloc(limit);
    let have = 0;
    for (;;) {
      const count = readSync(file, bytes, have, limit - have, null);
      if (count === 0) break;
      have += count;
      if (have === limit) break;
    }
    return bytes.toString('utf8', 0, have);
  } catch {
    return '';
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
