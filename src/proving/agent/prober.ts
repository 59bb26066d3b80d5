import { readFileSync } from 'node:fs';
import {
  endOf,
  type NamespaceSockets,
  type SocketAddress,
  socketAddress,
  type Watcher,
} from '#system/namespace-sockets';
import type { Listener, Probe, Seen } from '../protocol.ts';

/** Probes that are under way at once at most: each may have two sockets, beside which some files are open. */
const CHUNK = 5000;
const OTHER_FILES = 200;
/** Milliseconds that controls may take. */
const SLOWEST = 3000;
/** Probes between two looks at the listeners, whose queues are short. */
const LOOK = 64;
const [IN_PROGRESS, REFUSED] = [-115, 111];

interface Open {
  readonly descriptor: number;
  readonly listener: OpenListener;
}

interface OpenListener extends Listener {
  readonly descriptor: number;
  readonly bytes: SocketAddress;
}

/** Probes from every place to listeners in every place, by one thread. What goes in and what arrives are both seen. */
export class Prober {
  readonly sockets: NamespaceSockets;
  readonly #namespaces: readonly number[];
  readonly #listeners: OpenListener[] = [];
  readonly #byDescriptor = new Map<number, number>();
  readonly #watcher: Watcher;
  #nonce = 0;
  #place = -1;

  constructor(sockets: NamespaceSockets, namespaces: readonly number[]) {
    this.sockets = sockets;
    this.#namespaces = namespaces;
    this.#watcher = sockets.watcher();
  }

  /** Into the namespace of a place; 0 is the node, where programs are started. */
  enter(place: number): void {
    if (place === this.#place) return;
    const result = this.sockets.enter(this.#namespaces[place]!);
    if (result < 0) throw new Error(`namespace of place ${place}: ${says(-result)}`);
    this.#place = place;
  }

  listen(listeners: readonly Listener[]): void {
    for (const one of listeners) {
      const bytes = bytesOf(one.address, one.port);
      this.enter(one.place);
      const descriptor = this.sockets.socket(one.protocol, bytes.length === 16 ? 4 : 6);
      const bound = descriptor < 0 ? descriptor : this.sockets.bind(descriptor, bytes, 'listener');
      const result = bound < 0 || one.protocol === 'UDP' ? bound : this.sockets.listen(descriptor);
      if (result < 0) throw new Error(`${one.protocol} ${one.address} port ${one.port}: ${says(-result)}`);
      this.#watcher.add(descriptor);
      this.#byDescriptor.set(descriptor, this.#listeners.length);
      this.#listeners.push({ ...one, descriptor, bytes });
    }
    this.enter(0);
  }

  listener(number: number): OpenListener {
    return this.#listeners[number]!;
  }

  /** A socket in a place, bound to its source; of TCP not yet connected. Minus the error number. */
  socket({ place, source, to }: Probe): number {
    const { protocol } = this.#listeners[to]!;
    this.enter(place);
    const from = bytesOf(source, 0);
    const descriptor = this.sockets.socket(protocol, from.length === 16 ? 4 : 6);
    if (descriptor < 0) return descriptor;
    const bound = this.sockets.bind(descriptor, from, 'source');
    if (bound < 0) this.sockets.close(descriptor);
    return bound < 0 ? bound : descriptor;
  }

  /** As `connection` of `drain` will tell of it: the listener, and address and port of the source. */
  keyOf({ source, to }: Probe, descriptor: number): string {
    return `${to} ${endOf(bytesOf(source, this.sockets.localPort(descriptor)))}`;
  }

  /** Asks each probe once, all at the same time, and waits `patience` milliseconds for those that nothing is heard of. Those from `controls` on are known to be answered. */
  round(probes: readonly Probe[], patience: number, controls = probes.length): Seen[] {
    const seen: Seen[] = [];
    const free = Math.floor((openFiles() - OTHER_FILES - this.#listeners.length) / 2);
    const size = Math.max(1, Math.min(CHUNK, free));
    for (let at = 0; at < probes.length; at += size) {
      for (const one of this.#chunk(probes.slice(at, at + size), patience, controls - at)) seen.push(one);
    }
    this.enter(0);
    return seen;
  }

  /**
   * What came in at the listeners until now. `datagram` hears of each datagram, which is answered if it says so;
   * `connection` of each connection, which is its own from then on.
   */
  drain(
    timeout: number,
    heard: {
      datagram: (listener: number, bytes: Buffer) => boolean;
      connection: (listener: number, from: string, descriptor: number) => void;
    },
  ): void {
    const bytes = Buffer.alloc(64);
    for (let ready = this.#watcher.wait(timeout); ready.length > 0; ready = this.#watcher.wait(0)) {
      for (const descriptor of ready) {
        const number = this.#byDescriptor.get(descriptor)!;
        if (this.#listeners[number]!.protocol === 'TCP') {
          for (let one = this.sockets.accept(descriptor); one >= 0; one = this.sockets.accept(descriptor)) {
            heard.connection(number, this.sockets.from(), one);
          }
          continue;
        }
        for (;;) {
          const length = this.sockets.receive(descriptor, bytes);
          if (length < 0) break;
          const own = bytes.subarray(0, length);
          if (heard.datagram(number, own)) this.sockets.answer(descriptor, own);
        }
      }
    }
  }

  #chunk(probes: readonly Probe[], patience: number, controls: number): Seen[] {
    const { sockets } = this;
    const nonce = ++this.#nonce;
    const clients: (Open | undefined)[] = [];
    const [sent, arrived]: [boolean[], boolean[]] = [[], []];
    const failed = new Map<number, Seen>();
    /** Who a connection must be from: listener, and address and port of the source. */
    const expected = new Map<string, number>();
    const came = new Set<string>();
    const accepted: number[] = [];
    const heard = {
      datagram: (_: number, bytes: Buffer): boolean => {
        if (bytes.length !== 8 || bytes.readUInt32LE(0) !== nonce) return false;
        arrived[bytes.readUInt32LE(4)] = true;
        return true;
      },
      connection: (listener: number, from: string, descriptor: number): void => {
        accepted.push(descriptor);
        came.add(`${listener} ${from}`);
      },
    };
    const payload = Buffer.alloc(8);
    payload.writeUInt32LE(nonce, 0);
    for (const [i, probe] of probes.entries()) {
      const listener = this.#listeners[probe.to]!;
      const descriptor = this.socket(probe);
      if (descriptor < 0) {
        failed.set(i, 'e');
        continue;
      }
      clients[i] = { descriptor, listener };
      const result = sockets.connect(descriptor, listener.bytes);
      if (result < 0 && result !== IN_PROGRESS) failed.set(i, result === -REFUSED ? 'r' : 'e');
      else if (listener.protocol === 'UDP') {
        payload.writeUInt32LE(i, 4);
        if (sockets.send(descriptor, payload) < 0) failed.set(i, 'e');
      } else {
        expected.set(this.keyOf(probe, descriptor), i);
      }
      if (i % LOOK === LOOK - 1) this.drain(0, heard);
    }
    const bytes = Buffer.alloc(64);
    let pending = probes.flatMap((_, i) => (clients[i] === undefined || failed.has(i) ? [] : [i]));
    const latest = performance.now() + SLOWEST;
    let deadline = performance.now() + patience;
    for (let timeout = 0; pending.length > 0; timeout = 5) {
      this.drain(timeout, heard);
      const of = (protocol: string): number[] => pending.filter((i) => clients[i]!.listener.protocol === protocol);
      const [tcp, udp] = [of('TCP'), of('UDP')];
      const done = new Set<number>();
      const descriptors = (list: readonly number[]): number[] => list.map((i) => clients[i]!.descriptor);
      for (const [at, is] of sockets.ready(descriptors(tcp), 'write', 0).entries()) {
        if (!is) continue;
        const i = tcp[at]!;
        const error = sockets.error(clients[i]!.descriptor);
        if (error === 0) sent[i] = true;
        else failed.set(i, error === REFUSED ? 'r' : 'e');
        done.add(i);
      }
      for (const [at, is] of sockets.ready(descriptors(udp), 'read', 0).entries()) {
        if (!is) continue;
        const i = udp[at]!;
        const length = sockets.receive(clients[i]!.descriptor, bytes);
        if (length === 8 && bytes.readUInt32LE(0) === nonce && bytes.readUInt32LE(4) === i) sent[i] = true;
        else failed.set(i, length === -REFUSED ? 'r' : 'e');
        done.add(i);
      }
      pending = pending.filter((i) => !done.has(i));
      const now = performance.now();
      // Where the machine is busy silence is measured from the moment at which the controls, sent last, have answered.
      if (now < latest && pending.some((i) => i >= controls)) deadline = now + patience;
      if (now > deadline) break;
    }
    this.drain(0, heard);
    for (const [key, i] of expected) arrived[i] = came.has(key);
    for (const one of clients) if (one !== undefined) sockets.close(one.descriptor);
    for (const one of accepted) sockets.close(one);
    return probes.map((_, i) => {
      const [out, into] = [sent[i] ?? false, arrived[i] ?? false];
      if (out && into) return 'o';
      if (out || into) return 'h';
      return failed.get(i) ?? 'n';
    });
  }
}

/** How many files this process may have open. */
function openFiles(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? 1024);
}

function says(error: number): string {
  return error === 24 ? 'too many open files (ulimit -n)' : `error ${error}`;
}

function bytesOf(hex: string, port: number): SocketAddress {
  return socketAddress(Buffer.from(hex, 'hex'), port);
}
