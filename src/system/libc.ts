/**
 * The few calls of the C library that Node has no words for. Here and in namespace-sockets.ts `node:ffi` is used; it is there only in
 * a worker thread or process started with `--experimental-ffi`.
 *
 * Every call answers as the kernel does: a result that is not negative, or minus the error number. A call with a wrong
 * buffer can end the process: buffers are made here, and nothing from outside decides their sizes.
 */
export interface Libc {
  /** Waits until one of the descriptors can be read or its other end is gone. Milliseconds; -1 waits for ever. */
  poll(descriptors: readonly number[], timeout: number): readonly ('readable' | 'closed' | undefined)[];
  /** A listening Unix socket; `path` at most 107 bytes. */
  listen(path: string): number;
  accept(descriptor: number): number;
  /** One message with the descriptors that came with it (SCM_RIGHTS, unix(7)), which are closed on exec. */
  receive(descriptor: number, size: number): { readonly data: Buffer; readonly descriptors: readonly number[] };
  ioctl(descriptor: number, request: number, argument: Buffer): number;
  fcntl(descriptor: number, command: number, argument: number): number;
  /** At most 4096 bytes of another process's memory (process_vm_readv(2)); undefined where they cannot be read. */
  readMemory(pid: number, address: bigint, length: number): Buffer | undefined;
  /** Counter that wakes `poll` when 8 bytes are written to it (eventfd(2)). */
  eventfd(): number;
  close(descriptor: number): void;
}

/** Why there is none is said, since without it what it serves is unknown and not absent. */
export async function openLibc(): Promise<Libc | { readonly unavailable: string }> {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) {
    return { unavailable: `no known layout of the C library's structures on ${process.platform} ${process.arch}` };
  }
  try {
    const ffi = await import('node:ffi');
    return libcOf(ffi);
  } catch (error) {
    return { unavailable: error instanceof Error ? error.message : String(error) };
  }
}

const POLLIN = 1;
const POLLGONE = 0x8 | 0x10 | 0x20;
const MSG_CMSG_CLOEXEC = 0x40000000;
const CLOEXEC = 0o2000000;
/** SOL_SOCKET and SCM_RIGHTS, and the size of a control message's header on 64-bit Linux. */
const RIGHTS = { level: 1, type: 1, header: 16 } as const;

function libcOf(ffi: typeof import('node:ffi')): Libc {
  const { functions: c } = ffi.dlopen('libc.so.6', {
    socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
    bind: { arguments: ['int32', 'buffer', 'uint32'], return: 'int32' },
    listen: { arguments: ['int32', 'int32'], return: 'int32' },
    accept4: { arguments: ['int32', 'uint64', 'uint64', 'int32'], return: 'int32' },
    recvmsg: { arguments: ['int32', 'buffer', 'int32'], return: 'int64' },
    ioctl: { arguments: ['int32', 'uint64', 'buffer'], return: 'int32' },
    fcntl: { arguments: ['int32', 'int32', 'uint64'], return: 'int32' },
    poll: { arguments: ['buffer', 'uint64', 'int32'], return: 'int32' },
    eventfd: { arguments: ['uint32', 'int32'], return: 'int32' },
    close: { arguments: ['int32'], return: 'int32' },
    process_vm_readv: {
      arguments: ['int32', 'buffer', 'uint64', 'buffer', 'uint64', 'uint64'],
      return: 'int64',
    },
    __errno_location: { arguments: [], return: 'pointer' },
  });
  const checked = (result: number | bigint): number => {
    const number = Number(result);
    return number >= 0 ? number : -ffi.getInt32(c.__errno_location());
  };
  // Whatever another structure points to is kept here: a small buffer of its own could be moved or collected meanwhile.
  const kept = { here: outOfHeap(64), there: outOfHeap(64), control: outOfHeap(256), page: outOfHeap(4096) };
  const pointerTo = Object.fromEntries(
    Object.entries(kept).map(([name, bytes]) => [name, ffi.getRawPointer(bytes)]),
  ) as Record<keyof typeof kept, bigint>;
  /** Writes a `struct iovec` of one part. */
  const vector = (bytes: Buffer, address: bigint, length: number): Buffer => {
    bytes.writeBigUInt64LE(address, 0);
    bytes.writeBigUInt64LE(BigInt(length), 8);
    return bytes;
  };
  return {
    poll(descriptors, timeout) {
      const bytes = Buffer.alloc(8 * descriptors.length);
      for (const [index, descriptor] of descriptors.entries()) {
        bytes.writeInt32LE(descriptor, 8 * index);
        bytes.writeInt16LE(POLLIN, 8 * index + 4);
      }
      c.poll(bytes, BigInt(descriptors.length), timeout);
      return descriptors.map((_, index) => {
        const events = bytes.readInt16LE(8 * index + 6);
        if ((events & POLLIN) !== 0) return 'readable';
        return (events & POLLGONE) === 0 ? undefined : 'closed';
      });
    },
    listen(path) {
      const address = Buffer.alloc(110);
      address.writeUInt16LE(1, 0);
      if (Buffer.byteLength(path) > 107) return -36;
      address.write(path, 2);
      const descriptor = checked(c.socket(1, 1 | CLOEXEC, 0));
      if (descriptor < 0) return descriptor;
      const bound = checked(c.bind(descriptor, address, address.length));
      const listening = bound < 0 ? bound : checked(c.listen(descriptor, 128));
      if (listening < 0) c.close(descriptor);
      return listening < 0 ? listening : descriptor;
    },
    accept: (descriptor) => checked(c.accept4(descriptor, 0n, 0n, CLOEXEC)),
    receive(descriptor, size) {
      const data = outOfHeap(size);
      const { control } = kept;
      vector(kept.here, ffi.getRawPointer(data), size);
      const message = Buffer.alloc(56);
      message.writeBigUInt64LE(pointerTo.here, 16);
      message.writeBigUInt64LE(1n, 24);
      message.writeBigUInt64LE(pointerTo.control, 32);
      message.writeBigUInt64LE(BigInt(control.length), 40);
      const length = checked(c.recvmsg(descriptor, message, MSG_CMSG_CLOEXEC));
      const end = Math.min(control.length, Number(message.readBigUInt64LE(40)));
      const descriptors: number[] = [];
      for (let at = 0; at + RIGHTS.header <= end;) {
        const whole = Number(control.readBigUInt64LE(at));
        if (whole < RIGHTS.header || at + whole > end) break;
        if (control.readInt32LE(at + 8) === RIGHTS.level && control.readInt32LE(at + 12) === RIGHTS.type) {
          for (let one = at + RIGHTS.header; one + 4 <= at + whole; one += 4)
            descriptors.push(control.readInt32LE(one));
        }
        at += Math.ceil(whole / 8) * 8;
      }
      return { data: data.subarray(0, Math.max(0, length)), descriptors };
    },
    ioctl: (descriptor, request, argument) => checked(c.ioctl(descriptor, BigInt(request), argument)),
    fcntl: (descriptor, command, argument) => checked(c.fcntl(descriptor, command, BigInt(argument))),
    readMemory(pid, address, length) {
      const wanted = Math.min(length, kept.page.length);
      vector(kept.here, pointerTo.page, wanted);
      const read = checked(c.process_vm_readv(pid, kept.here, 1n, vector(kept.there, address, wanted), 1n, 0n));
      return read < 0 ? undefined : Buffer.from(kept.page.subarray(0, read));
    },
    eventfd: () => checked(c.eventfd(0, CLOEXEC)),
    close: (descriptor) => void c.close(descriptor),
  };
}

function outOfHeap(size: number): Buffer {
  return Buffer.from(new ArrayBuffer(Math.max(size, 128)), 0, size);
}
