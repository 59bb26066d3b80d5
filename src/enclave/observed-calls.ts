/**
 * System calls that a watcher is told of before they are carried out (seccomp_unotify(2)), as the kernel lays them out.
 * Which calls these are stands in seccomp.ts. Whatever an argument points to can be changed by the program after it was
 * read, so it is evidence of what was tried and never decides anything. Pure.
 */

/** Of linux/seccomp.h: sizes of the structures, and the requests that take them. */
export const NOTIFICATION = {
  size: 80,
  answerSize: 24,
  receive: 0xc0502100,
  send: 0xc0182101,
  continue: 1,
} as const;

export type ObservedName =
  | 'connect'
  | 'socket'
  | 'sendto'
  | 'sendmsg'
  | 'sendmmsg'
  | 'open'
  | 'openat'
  | 'creat'
  | 'mkdir'
  | 'mkdirat'
  | 'truncate';

export interface Notification {
  readonly id: bigint;
  /** As the watcher's own PID namespace numbers it: a thread. */
  readonly pid: number;
  /** Undefined: a call that nobody asked to be told of. */
  readonly name: ObservedName | undefined;
  readonly args: readonly bigint[];
}

/** AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64 (linux/audit.h), and their numbers. */
const NUMBERS: Readonly<Record<number, Readonly<Record<number, ObservedName>>>> = {
  0xc000003e: {
    2: 'open',
    41: 'socket',
    53: 'socket',
    42: 'connect',
    44: 'sendto',
    46: 'sendmsg',
    76: 'truncate',
    83: 'mkdir',
    85: 'creat',
    257: 'openat',
    258: 'mkdirat',
    307: 'sendmmsg',
  },
  0xc00000b7: {
    34: 'mkdirat',
    45: 'truncate',
    56: 'openat',
    198: 'socket',
    199: 'socket',
    203: 'connect',
    206: 'sendto',
    211: 'sendmsg',
    269: 'sendmmsg',
  },
};

export function readNotification(bytes: Buffer): Notification {
  return {
    id: bytes.readBigUInt64LE(0),
    pid: bytes.readUInt32LE(8),
    name: NUMBERS[bytes.readUInt32LE(20)]?.[bytes.readInt32LE(16)],
    args: [0, 1, 2, 3, 4, 5].map((index) => bytes.readBigUInt64LE(32 + 8 * index)),
  };
}

/** `error` is an error number; without one the call is carried out. */
export function writeAnswer(id: bigint, error?: number): Buffer {
  const bytes = Buffer.alloc(NOTIFICATION.answerSize);
  bytes.writeBigUInt64LE(id, 0);
  if (error === undefined) bytes.writeUInt32LE(NOTIFICATION.continue, 20);
  else bytes.writeInt32LE(-error, 16);
  return bytes;
}

export type SocketAddress =
  | { readonly family: 'inet' | 'inet6'; readonly address: string; readonly port: number }
  /** `path` starts with `@` where the name is abstract. */
  | { readonly family: 'unix'; readonly path: string }
  | { readonly family: 'other'; readonly number: number };

/** `struct sockaddr` as it stood in the program's memory; undefined where it is too short to be one. */
export function readSocketAddress(bytes: Buffer): SocketAddress | undefined {
  if (bytes.length < 2) return undefined;
  const family = bytes.readUInt16LE(0);
  if (family === 2 && bytes.length >= 8) {
    return { family: 'inet', port: bytes.readUInt16BE(2), address: [...bytes.subarray(4, 8)].join('.') };
  }
  if (family === 10 && bytes.length >= 24) {
    return { family: 'inet6', port: bytes.readUInt16BE(2), address: ipv6Text(bytes.subarray(8, 24)) };
  }
  if (family === 1) {
    const name = bytes.subarray(2);
    if (name.length === 0) return undefined;
    if (name[0] === 0) return { family: 'unix', path: `@${name.subarray(1).toString('latin1')}` };
    const end = name.indexOf(0);
    return { family: 'unix', path: name.toString('utf8', 0, end === -1 ? name.length : end) };
  }
  return { family: 'other', number: family };
}

/** As inet_ntop(3) writes it (RFC 5952), an IPv4 address in IPv6 as IPv4. */
function ipv6Text(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
    return [...bytes.subarray(12)].join('.');
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === 0) length += 1;
    if (length > best.length) best = { at, length };
  }
  const text = (list: readonly number[]): string => list.map((group) => group.toString(16)).join(':');
  if (best.at === -1) return text(groups);
  return `${text(groups.slice(0, best.at))}::${text(groups.slice(best.at + best.length))}`;
}

/**
 * What a socket that was refused is called, or undefined where it leads nowhere and is no attempt: kernel cryptography,
 * netlink, and multipath TCP, which Go's servers try before TCP.
 */
export function closedSocket(family: number, type: number, protocol: number): string | undefined {
  if (family === 2 || family === 10) {
    const name = INET_PROTOCOLS[protocol];
    if ((type & 0xf) === 3) return name === undefined ? 'raw' : `raw ${name}`;
    return protocol === 262 || protocol === 136 ? undefined : (name ?? `protocol ${protocol}`);
  }
  if (family === 1 || family === 15 || family === 16 || family === 38) return undefined;
  return FAMILY_NAMES[family] ?? `family ${family}`;
}

const INET_PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  33: 'dccp',
  58: 'icmpv6',
  115: 'l2tp',
  132: 'sctp',
};

/** Of sys/socket.h: those that lead, or could lead, past a network namespace. */
const FAMILY_NAMES: Readonly<Record<number, string>> = {
  3: 'ax25',
  4: 'ipx',
  5: 'appletalk',
  8: 'atmpvc',
  9: 'x25',
  17: 'packet',
  21: 'rds',
  23: 'irda',
  24: 'pppox',
  27: 'ib',
  29: 'can',
  30: 'tipc',
  31: 'bluetooth',
  35: 'phonet',
  36: 'ieee802154',
  39: 'nfc',
  40: 'vsock',
  41: 'kcm',
  42: 'qipcrtr',
  43: 'smc',
  44: 'xdp',
  45: 'mctp',
};
