/**
 * A thread that is told of system calls of confined programs before they are carried out, and lets them go on at once.
 * It waits inside the kernel, so it has no event loop: what it learns it posts. Where the thread ends, the kernel answers
 * these calls with ENOSYS: nothing gets through unseen.
 */
import { closeSync, constants, lstatSync, openSync, readlinkSync, readSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { type Libc, openLibc } from '#system/libc';
import { readQuestion } from '../dns.ts';
import {
  closedSocket,
  NOTIFICATION,
  type Notification,
  readNotification,
  readSocketAddress,
  type SocketAddress,
  writeAnswer,
} from '../observed-calls.ts';
import type { WatchedFile } from './decoy-posts.ts';
import { blockedThreads, ownerOf, type Owner, processesIn } from './owner.ts';

export interface WatcherData {
  /** Of the Unix socket to which the container runtime passes each program's descriptor. */
  readonly path: string;
  /** Each is leased: who opens one waits until it is known who that is. */
  readonly files: readonly WatchedFile[];
  /** Machine to the file of its network namespace. */
  readonly namespaces: Readonly<Record<string, string>>;
  /** Not 0: it is to end. */
  readonly stop: SharedArrayBuffer;
}

/** What the runtime passes on with each program's descriptor. */
export interface WatcherMetadata {
  readonly machine: string;
  /** Folders that the program may write to. */
  readonly writable: readonly string[];
}

type What = { readonly machine: string } & (
  | { readonly seen: 'address'; readonly address: string; readonly port: number }
  | { readonly seen: 'question'; readonly name: string }
  | { readonly seen: 'unix'; readonly path: string; readonly there: boolean }
  | { readonly seen: 'socket'; readonly family: string }
  | { readonly seen: 'write'; readonly path: string; readonly decoy: boolean }
  | { readonly seen: 'read'; readonly path: string }
);

/** A call, and who made it where that could still be known. */
export type Seen = What & { readonly owner: Owner | undefined };

export type WatcherWord =
  | { readonly word: 'ready'; readonly wake: number; readonly leases: boolean }
  | { readonly word: 'unavailable'; readonly reason: string }
  | { readonly word: 'seen'; readonly seen: readonly Seen[] };

const EAFNOSUPPORT = 97;
/** fcntl(2): a write lease, which every open by another breaks. */
const LEASE = { set: 1024, get: 1025, write: 1, none: 2 } as const;
/** Milliseconds after which a lease that was broken is taken again: its reader must have closed the file. */
const REARM = 50;
/** Milliseconds for which the reader of a decoy is looked for; on a busy machine it stands still late. */
const PATIENCE = 500;
/** The same thing of the same process is told once in so many milliseconds. */
const AGAIN = 250;
/** Most things that are told in one second: who tries more often is known by then. */
const PER_SECOND = 2000;
/** Sockets that libc itself looks for before it looks into files; nothing is meant by it. */
const HABITS = [
  /^\/(?:var\/)?run\/nscd\/socket$/,
  /^\/(?:var\/)?run\/systemd\//,
  /^\/dev\/log$/,
  /^\/run\/user\/\d+\/bus$/,
];
/** Python keeps compiled modules beside their source, and does without where it cannot. */
const KEPT_CODE = /\/__pycache__(?:\/|$)/;
/** Whatever lies below these is the program's own, or the kernel's. */
const OPEN_FOLDERS = ['/tmp', '/var/tmp', '/run', '/dev', '/proc'];

const data = workerData as WatcherData;
const post = (word: WatcherWord): void => parentPort?.postMessage(word);

interface Lease {
  readonly file: WatchedFile;
  readonly descriptor: number;
  held: boolean;
  /** Since when somebody waits for it; 0 is nobody. */
  broken: number;
}

class Watcher {
  readonly #libc: Libc;
  readonly #leases: Lease[] = [];
  readonly #programs = new Map<number, WatcherMetadata>();
  readonly #told = new Map<string, number>();
  readonly #owners = new Map<number, { readonly owner: Owner | undefined; readonly until: number }>();
  #batch: Seen[] = [];
  #second = 0;
  #inSecond = 0;

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  run(listener: number, wake: number): void {
    const stop = new Int32Array(data.stop);
    const counter = Buffer.alloc(8);
    for (;;) {
      const descriptors = [wake, listener, ...this.#programs.keys()];
      const breaking = this.#leases.some(({ broken }) => broken !== 0);
      const all = this.#leases.every(({ held }) => held);
      const states = this.#libc.poll(descriptors, breaking ? 2 : all ? -1 : REARM);
      if (states[0] !== undefined) {
        readSync(wake, counter);
        if (Atomics.load(stop, 0) !== 0) break;
      }
      if (states[0] !== undefined || breaking) this.#lookAtLeases();
      for (const lease of this.#leases) if (!lease.held) this.#hold(lease);
      if (states[1] !== undefined) this.#welcome(listener);
      for (const [index, descriptor] of descriptors.entries()) {
        if (index < 2) continue;
        if (states[index] === 'readable') this.#answer(descriptor);
        else if (states[index] === 'closed') {
          this.#programs.delete(descriptor);
          this.#libc.close(descriptor);
        }
      }
    }
    for (const descriptor of [listener, wake, ...this.#programs.keys()]) this.#libc.close(descriptor);
    for (const { descriptor } of this.#leases) closeSync(descriptor);
  }

  /** False where the file system has no leases: then its reads are not seen. */
  lease(files: readonly WatchedFile[]): boolean {
    for (const file of files) {
      const descriptor = openSync(file.source, constants.O_RDONLY);
      const lease = { file, descriptor, held: false, broken: 0 };
      this.#leases.push(lease);
      this.#hold(lease);
    }
    return this.#leases.every(({ held }) => held);
  }

  #hold(lease: Lease): void {
    lease.held = this.#libc.fcntl(lease.descriptor, LEASE.set, LEASE.write) >= 0;
  }

  /** Whoever opens one stands still in the kernel until it is given up. */
  #lookAtLeases(): void {
    for (const lease of this.#leases) {
      if (!lease.held || this.#libc.fcntl(lease.descriptor, LEASE.get, 0) === LEASE.write) continue;
      const now = performance.now();
      lease.broken ||= now;
      try {
        // It is signalled before the reader stands still, and until it does the kernel does not say what it does.
        if (!this.#findReaders(lease.file, now - lease.broken > PATIENCE)) continue;
      } catch {
        // It is gone; that somebody read is told by nobody then, and nobody waits.
      }
      lease.held = false;
      lease.broken = 0;
      this.#libc.fcntl(lease.descriptor, LEASE.set, LEASE.none);
    }
    if (this.#batch.length > 0) post({ word: 'seen', seen: this.#batch });
    this.#batch = [];
  }

  /** False where nobody is found and there is still time. */
  #findReaders({ machine, path, readers }: WatchedFile, last: boolean): boolean {
    const namespace = data.namespaces[machine];
    const processes = namespace === undefined ? [] : processesIn(`net:[${statSync(namespace).ino}]`);
    const own = readers === '' ? undefined : new RegExp(readers);
    const name = posix.basename(path);
    const found = processes
      .flatMap((pid) => blockedThreads(pid))
      .filter(({ thread, at }) => posix.basename(this.#text(thread, at) ?? '') === name);
    if (found.length === 0 && !last) return false;
    for (const { thread, flags } of found) {
      const owner = ownerOf(thread);
      if (own?.test(owner?.process.command ?? '') === true) continue;
      const writing = (flags & 3) !== 0;
      this.#batch.push({ ...(writing ? { seen: 'write', decoy: true } : { seen: 'read' }), machine, path, owner });
    }
    // Whoever would not wait (O_NONBLOCK) is gone. Where nobody else is there, it was the program whose setting it is.
    const others = processes
      .map((pid) => ownerOf(pid)?.process)
      .filter((one) => one !== undefined && one.pid !== 1 && own?.test(one.command) !== true);
    const known = own !== undefined && processes.length > 0 && others.length === 0;
    if (found.length === 0 && !known) this.#batch.push({ seen: 'read', machine, path, owner: undefined });
    return true;
  }

  /** The runtime's message (runtime-spec, "The Container Process State") and with it the descriptor. */
  #welcome(listener: number): void {
    const connection = this.#libc.accept(listener);
    if (connection < 0) return;
    const { data: text, descriptors } = this.#libc.receive(connection, 64 * 1024);
    this.#libc.close(connection);
    const [first, ...others] = descriptors;
    for (const other of others) this.#libc.close(other);
    if (first === undefined) return;
    try {
      const state = JSON.parse(text.toString('utf8')) as { metadata?: string };
      this.#programs.set(first, JSON.parse(state.metadata ?? '') as WatcherMetadata);
    } catch {
      this.#libc.close(first);
    }
  }

  #answer(descriptor: number): void {
    const bytes = Buffer.alloc(NOTIFICATION.size);
    // ENOENT: the program was killed, or a signal came between.
    if (this.#libc.ioctl(descriptor, NOTIFICATION.receive, bytes) < 0) return;
    const notification = readNotification(bytes);
    const program = this.#programs.get(descriptor);
    let error: number | undefined;
    try {
      if (notification.name === 'socket') error = EAFNOSUPPORT;
      if (program !== undefined) this.#look(notification, program);
    } catch {
      // Whatever a program has put where its words should be: it goes on, and the network sees it.
    }
    // Told before it is carried out, so that whoever sees the packet can know whose it is.
    if (this.#batch.length > 0) post({ word: 'seen', seen: this.#batch });
    this.#batch = [];
    this.#libc.ioctl(descriptor, NOTIFICATION.send, writeAnswer(notification.id, error));
  }

  #look({ pid, name, args }: Notification, program: WatcherMetadata): void {
    const argument = (index: number): bigint => args[index] ?? 0n;
    const number = (index: number): number => Number(BigInt.asIntN(32, argument(index)));
    const { machine } = program;
    switch (name) {
      case 'socket': {
        const family = closedSocket(number(0), number(1), number(2));
        if (family !== undefined) this.#tell(pid, `socket ${family}`, { seen: 'socket', machine, family });
        return;
      }
      case 'connect':
        return this.#address(pid, machine, argument(1), number(2));
      case 'sendto':
        this.#address(pid, machine, argument(4), number(5));
        return this.#question(pid, machine, argument(1), number(2));
      case 'sendmsg':
        return this.#message(pid, machine, argument(1));
      case 'sendmmsg':
        // struct mmsghdr: a struct msghdr and what was sent of it.
        for (let one = 0; one < Math.min(4, number(2)); one++)
          this.#message(pid, machine, argument(1) + BigInt(64 * one));
        return;
      case 'openat':
        return this.#write(pid, program, argument(1), number(0));
      case 'mkdirat':
        return this.#write(pid, program, argument(1), number(0), true);
      case 'mkdir':
        return this.#write(pid, program, argument(0), -100, true);
      case 'open':
      case 'creat':
      case 'truncate':
        return this.#write(pid, program, argument(0));
      case undefined:
        return;
    }
  }

  #message(pid: number, machine: string, at: bigint): void {
    const header = this.#libc.readMemory(pid, at, 32);
    if (header === undefined || header.length < 32) return;
    const name = header.readBigUInt64LE(0);
    if (name !== 0n) this.#address(pid, machine, name, header.readUInt32LE(8));
    const part = this.#libc.readMemory(pid, header.readBigUInt64LE(16), 16);
    if (part === undefined || part.length < 16) return;
    this.#question(pid, machine, part.readBigUInt64LE(0), Number(part.readBigUInt64LE(8)));
  }

  #address(pid: number, machine: string, at: bigint, length: number): void {
    if (at === 0n || length < 2) return;
    const bytes = this.#libc.readMemory(pid, at, Math.min(length, 110));
    const meant = bytes === undefined ? undefined : readSocketAddress(bytes);
    if (meant === undefined || meant.family === 'other') return;
    if (meant.family === 'unix') return this.#unix(pid, machine, meant);
    if (meant.address.startsWith('127.') || meant.address === '::1') return;
    const { address, port } = meant;
    this.#tell(pid, `${address} ${port}`, { seen: 'address', machine, address, port });
  }

  #unix(pid: number, machine: string, { path }: SocketAddress & { family: 'unix' }): void {
    if (HABITS.some((habit) => habit.test(path))) return;
    const whole = path.startsWith('@') ? path : this.#absolute(pid, path);
    // Abstract names live in the network namespace: the host's are not there, whoever listens.
    const there = path.startsWith('@') ? false : exists(`/proc/${pid}/root${whole}`);
    this.#tell(pid, `unix ${whole}`, { seen: 'unix', machine, path: whole, there });
  }

  #question(pid: number, machine: string, at: bigint, length: number): void {
    if (length < 17 || length > 512) return;
    const bytes = this.#libc.readMemory(pid, at, length);
    const question = bytes === undefined ? undefined : readQuestion(bytes);
    if (question === undefined) return;
    this.#tell(pid, `question ${question.name}`, { seen: 'question', machine, name: question.name });
  }

  #write(pid: number, { machine, writable }: WatcherMetadata, at: bigint, folder = -100, making = false): void {
    const text = this.#text(pid, at);
    if (text === undefined) return;
    const path = this.#absolute(pid, text, folder);
    const own = (open: string): boolean => path === open || path.startsWith(`${open}/`);
    if (path === '' || KEPT_CODE.test(path) || OPEN_FOLDERS.some(own) || writable.some(own)) return;
    // A folder that is there is not made again: `mkdir -p` asks for each part of a path.
    if (making && exists(`/proc/${pid}/root${path}`)) return;
    this.#tell(pid, `write ${path}`, { seen: 'write', machine, path, decoy: false });
  }

  /** A text that ends with a zero, of at most two pages: the one after it need not be there. */
  #text(pid: number, at: bigint): string | undefined {
    const rest = 4096 - Number(at % 4096n);
    const first = this.#libc.readMemory(pid, at, rest);
    if (first === undefined) return undefined;
    const bytes = first.includes(0)
      ? first
      : Buffer.concat([first, this.#libc.readMemory(pid, at + BigInt(rest), 4096) ?? Buffer.alloc(0)]);
    const end = bytes.indexOf(0);
    return end === -1 ? undefined : bytes.toString('utf8', 0, end);
  }

  /** As text: links are not followed, since whoever makes one has it followed by the kernel at another moment. */
  #absolute(pid: number, path: string, folder = -100): string {
    if (path.startsWith('/')) return posix.normalize(path);
    try {
      return posix.join(readlinkSync(folder === -100 ? `/proc/${pid}/cwd` : `/proc/${pid}/fd/${folder}`), path);
    } catch {
      return '';
    }
  }

  #tell(pid: number, key: string, what: What): void {
    const now = performance.now();
    const whole = `${pid} ${key}`;
    if (now - (this.#told.get(whole) ?? -AGAIN) < AGAIN) return;
    if (this.#told.size > 4096) this.#told.clear();
    this.#told.set(whole, now);
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#inSecond = 0;
    }
    this.#inSecond += 1;
    if (this.#inSecond > PER_SECOND) return;
    this.#batch.push({ ...what, owner: this.#owner(pid, now) });
  }

  #owner(pid: number, now: number): Owner | undefined {
    const known = this.#owners.get(pid);
    if (known !== undefined && known.until > now) return known.owner;
    const owner = ownerOf(pid);
    if (this.#owners.size > 1024) this.#owners.clear();
    // Short: the same number may soon be another program.
    this.#owners.set(pid, { owner, until: now + AGAIN });
    return owner;
  }
}

function exists(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

const libc = await openLibc();
if ('unavailable' in libc) {
  post({ word: 'unavailable', reason: libc.unavailable });
} else {
  const listener = libc.listen(data.path);
  const wake = libc.eventfd();
  if (listener < 0 || wake < 0) post({ word: 'unavailable', reason: `no socket at ${data.path}: error ${-listener}` });
  else {
    const watcher = new Watcher(libc);
    const leases = watcher.lease(data.files);
    post({ word: 'ready', wake, leases });
    watcher.run(listener, wake);
  }
}
