/**
 * Sockets of many network namespaces held by one thread, which Node cannot make: a socket belongs to the namespace that
 * its thread is in when it is made (setns(2)). Everything is non-blocking and at once, so that thousands of probes are a
 * few ten thousand system calls. Through `node:ffi`, as in libc.ts: only in a process started with `--experimental-ffi`.
 *
 * Calls answer as the kernel does: a result that is not negative, or minus the error number.
 */
export interface NamespaceSockets {
  /** From now on this thread makes sockets, and starts programs, in the namespace of this open file. */
  enter(namespace: number): number;
  socket(protocol: 'TCP' | 'UDP', family: 4 | 6): number;
  /**
   * `address` may be one that no interface has (IP_FREEBIND). A source's port is chosen when it is known whereto, so that
   * there are as many for each destination.
   */
  bind(descriptor: number, address: SocketAddress, as: 'listener' | 'source'): number;
  listen(descriptor: number): number;
  /** -115: it is under way. */
  connect(descriptor: number, address: SocketAddress): number;
  /** The descriptor of the connection; `from` says who it is from. */
  accept(descriptor: number): number;
  send(descriptor: number, bytes: Buffer): number;
  /** To whom the last `receive` was from. */
  answer(descriptor: number, bytes: Buffer): number;
  /** Length of the datagram, or of what a connection had; `from` says who it is from. */
  receive(descriptor: number, bytes: Buffer): number;
  /** Address and port of the last `accept` or `receive`, as `endOf` has them. */
  from(): string;
  localPort(descriptor: number): number;
  /** What became of a connection (SO_ERROR), as a positive number; 0: nothing wrong. */
  error(descriptor: number): number;
  /** Descriptors that are ready now or within the time, in milliseconds. */
  ready(descriptors: readonly number[], wanted: 'read' | 'write', timeout: number): boolean[];
  /** A set of descriptors of which those that can be read are told. */
  watcher(): Watcher;
  close(descriptor: number): void;
}

export interface Watcher {
  add(descriptor: number): number;
  /** Those that can be read, at most 256. */
  wait(timeout: number): number[];
}

/** An address as the C library has it. */
export type SocketAddress = Buffer;

/** `address`: 4 or 16 bytes in the order of the network. */
export function socketAddress(address: Uint8Array, port: number): SocketAddress {
  const four = address.length === 4;
  const bytes = Buffer.alloc(four ? 16 : 28);
  bytes.writeUInt16LE(four ? 2 : 10, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(address, four ? 4 : 8);
  return bytes;
}

/** Port and address as one text, by which ends are compared. */
export function endOf(address: SocketAddress): string {
  return address.toString('latin1', 2, address.length === 16 ? 8 : 24);
}

/** Why there are none is said. */
export async function openNamespaceSockets(): Promise<NamespaceSockets | { readonly unavailable: string }> {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) {
    return { unavailable: `no known layout of the C library's structures on ${process.platform} ${process.arch}` };
  }
  try {
    return socketsOf(await import('node:ffi'));
  } catch (error) {
    return { unavailable: error instanceof Error ? error.message : String(error) };
  }
}

const NEW_NETWORK = 0x40000000;
const NONBLOCK = 0o4000;
const CLOEXEC = 0o2000000;
const LEVEL = { socket: 1, ip: 0, ipv6: 41 } as const;
const OPTION = { reuse: 2, error: 4, linger: 13, freebind: 15, noPort: 24, only6: 26, freebind6: 78 } as const;
const POLL = { read: 1, write: 4 } as const;
/** epoll_event is packed on x86-64 alone (epoll_ctl(2)). */
const EVENT = process.arch === 'x64' ? { size: 12, data: 4 } : { size: 16, data: 8 };
const EVENTS = 256;

function socketsOf(ffi: typeof import('node:ffi')): NamespaceSockets {
  const { functions: c } = ffi.dlopen('libc.so.6', {
    setns: { arguments: ['int32', 'int32'], return: 'int32' },
    socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    bind: { arguments: ['int32', 'buffer', 'uint32'], return: 'int32' },
    listen: { arguments: ['int32', 'int32'], return: 'int32' },
    connect: { arguments: ['int32', 'buffer', 'uint32'], return: 'int32' },
    accept4: { arguments: ['int32', 'buffer', 'buffer', 'int32'], return: 'int32' },
    getsockname: { arguments: ['int32', 'buffer', 'buffer'], return: 'int32' },
    setsockopt: { arguments: ['int32', 'int32', 'int32', 'buffer', 'uint32'], return: 'int32' },
    getsockopt: { arguments: ['int32', 'int32', 'int32', 'buffer', 'buffer'], return: 'int32' },
    send: { arguments: ['int32', 'buffer', 'uint64', 'int32'], return: 'int64' },
    sendto: { arguments: ['int32', 'buffer', 'uint64', 'int32', 'buffer', 'uint32'], return: 'int64' },
    recvfrom: { arguments: ['int32', 'buffer', 'uint64', 'int32', 'buffer', 'buffer'], return: 'int64' },
    poll: { arguments: ['buffer', 'uint64', 'int32'], return: 'int32' },
    epoll_create1: { arguments: ['int32'], return: 'int32' },
    epoll_ctl: { arguments: ['int32', 'int32', 'int32', 'buffer'], return: 'int32' },
    epoll_wait: { arguments: ['int32', 'buffer', 'int32', 'int32'], return: 'int32' },
    close: { arguments: ['int32'], return: 'int32' },
    __errno_location: { arguments: [], return: 'pointer' },
  });
  const checked = (result: number | bigint): number => {
    const number = Number(result);
    return number >= 0 ? number : -ffi.getInt32(c.__errno_location());
  };
  const one = Buffer.alloc(4);
  one.writeInt32LE(1);
  // On, and for no time: what is closed is reset, and leaves no state behind that would use ports up.
  const abrupt = Buffer.alloc(8);
  abrupt.writeInt32LE(1);
  const peer = Buffer.alloc(28);
  const length = Buffer.alloc(4);
  const number = Buffer.alloc(4);
  let peerLength = 0;
  const withPeer = (result: number): number => {
    peerLength = length.readUInt32LE();
    return result;
  };
  const option = (descriptor: number, level: number, name: number, value: Buffer): number =>
    checked(c.setsockopt(descriptor, level, name, value, value.length));
  return {
    enter: (namespace) => checked(c.setns(namespace, NEW_NETWORK)),
    socket(protocol, family) {
      const type = (protocol === 'TCP' ? 1 : 2) | NONBLOCK | CLOEXEC;
      const descriptor = checked(c.socket(family === 4 ? 2 : 10, type, 0));
      if (descriptor < 0) return descriptor;
      if (protocol === 'TCP') option(descriptor, LEVEL.socket, OPTION.linger, abrupt);
      return descriptor;
    },
    bind(descriptor, address, as) {
      const four = address.length === 16;
      if (as === 'listener') option(descriptor, LEVEL.socket, OPTION.reuse, one);
      else option(descriptor, LEVEL.ip, OPTION.noPort, one);
      if (!four) option(descriptor, LEVEL.ipv6, OPTION.only6, one);
      option(descriptor, four ? LEVEL.ip : LEVEL.ipv6, four ? OPTION.freebind : OPTION.freebind6, one);
      return checked(c.bind(descriptor, address, address.length));
    },
    listen: (descriptor) => checked(c.listen(descriptor, 4096)),
    connect: (descriptor, address) => checked(c.connect(descriptor, address, address.length)),
    accept(descriptor) {
      length.writeUInt32LE(peer.length);
      return withPeer(checked(c.accept4(descriptor, peer, length, NONBLOCK | CLOEXEC)));
    },
    send: (descriptor, bytes) => checked(c.send(descriptor, bytes, BigInt(bytes.length), 0)),
    answer: (descriptor, bytes) => checked(c.sendto(descriptor, bytes, BigInt(bytes.length), 0, peer, peerLength)),
    receive(descriptor, bytes) {
      length.writeUInt32LE(peer.length);
      return withPeer(checked(c.recvfrom(descriptor, bytes, BigInt(bytes.length), 0, peer, length)));
    },
    from: () => endOf(peer.subarray(0, peerLength)),
    localPort(descriptor) {
      const own = Buffer.alloc(28);
      number.writeUInt32LE(own.length);
      const result = checked(c.getsockname(descriptor, own, number));
      return result < 0 ? result : own.readUInt16BE(2);
    },
    error(descriptor) {
      const value = Buffer.alloc(4);
      number.writeUInt32LE(4);
      const result = checked(c.getsockopt(descriptor, LEVEL.socket, OPTION.error, value, number));
      return result < 0 ? -result : value.readInt32LE();
    },
    ready(descriptors, wanted, timeout) {
      if (descriptors.length === 0) return [];
      const bytes = Buffer.alloc(8 * descriptors.length);
      for (const [i, descriptor] of descriptors.entries()) {
        bytes.writeInt32LE(descriptor, 8 * i);
        bytes.writeInt16LE(POLL[wanted], 8 * i + 4);
      }
      c.poll(bytes, BigInt(descriptors.length), timeout);
      return descriptors.map((_, i) => bytes.readInt16LE(8 * i + 6) !== 0);
    },
    watcher() {
      const watcher = checked(c.epoll_create1(CLOEXEC));
      const event = Buffer.alloc(EVENT.size);
      const events = Buffer.alloc(EVENT.size * EVENTS);
      return {
        add(descriptor) {
          event.writeUInt32LE(1, 0);
          event.writeInt32LE(descriptor, EVENT.data);
          return checked(c.epoll_ctl(watcher, 1, descriptor, event));
        },
        wait(timeout) {
          const count = Math.max(0, c.epoll_wait(watcher, events, EVENTS, timeout));
          return Array.from({ length: count }, (_, i) => events.readInt32LE(EVENT.size * i + EVENT.data));
        },
      };
    },
    close: (descriptor) => void c.close(descriptor),
  };
}
