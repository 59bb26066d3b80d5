import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { Load, Probe, Request } from '../protocol.ts';
import { applyRules } from './network.ts';
import type { Prober } from './prober.ts';

/** Datagrams to each closed listener in one turn; a turn takes about a millisecond. */
const BURST = 4;
/** New connections and datagrams of open flows in one turn: more would fill the kernel's table of connections. */
const FRESH = 2;
/** Milliseconds after which a new connection is lost: a first packet that was dropped is sent again after a second. */
const LOST = 800;
/** Milliseconds for which a connection to a closed listener is tried. */
const TRIED = 10;
/** Milliseconds for what is under way at the end. */
const SETTLING = 3000;
/** Milliseconds for which a connection that stays open is waited for at the beginning. */
const ACCEPTED = 500;
const SHOWN = 20;

/** What a datagram is of: its first word. */
const [CLOSED, NEW, KEPT] = [1, 2, 3];
const LENGTH = 12;
/** What is sent waits for what was sent before. */
const FULL = -11;

interface Attempt {
  readonly descriptor: number;
  readonly at: number;
  readonly probe: number;
}

/**
 * Changes the rules again and again while probes run as fast as this thread can send them: to listeners that are closed
 * before and after each change, and to those that are open before and after.
 */
export async function runLoad(
  prober: Prober,
  nft: string,
  { closed, open, changes, times, rest }: Request & { do: 'load' },
): Promise<Load> {
  const load = new Running(prober, closed, open);
  let running = true;
  const turns = (async () => {
    while (running) {
      load.turn();
      await setImmediate();
    }
  })();
  const started = performance.now();
  let [made, leaking, leastDuring] = [0, 0, Infinity];
  try {
    await sleep(rest);
    for (let round = 0; round < times; round++) {
      for (const texts of changes) {
        const [sent, leaked] = [load.closedSent, load.leaked];
        await applyRules(nft, texts);
        leastDuring = Math.min(leastDuring, load.closedSent - sent);
        await sleep(rest);
        made++;
        if (load.leaked > leaked) leaking++;
      }
    }
  } finally {
    running = false;
    await turns;
  }
  const milliseconds = performance.now() - started;
  load.end();
  return {
    changes: made,
    closed: load.closedSent,
    leaked: load.leaked,
    leaking,
    fresh: load.fresh,
    lost: load.lost,
    kept: load.kept,
    keptLost: load.kept - load.keptArrived,
    leastDuring: made === 0 ? 0 : leastDuring,
    milliseconds,
    leaks: [...load.leaks].slice(0, SHOWN),
    losses: [...load.losses].slice(0, SHOWN),
  };
}

class Running {
  readonly #prober: Prober;
  readonly #closed: readonly Probe[];
  readonly #open: readonly Probe[];
  /** One for each closed probe of UDP, and for each open one what stays open. */
  readonly #senders: (number | undefined)[] = [];
  readonly #keepers: (number | undefined)[] = [];
  /** The other ends of connections that stay open. */
  readonly #ends: number[] = [];
  /** Connections that must not come, and that must, by listener and source. */
  readonly #forbidden = new Map<string, Attempt>();
  readonly #awaited = new Map<string, Attempt>();
  /** Datagrams that must come, by their number. */
  readonly #datagrams = new Map<number, Attempt>();
  #turn = 0;
  #number = 0;
  closedSent = 0;
  leaked = 0;
  fresh = 0;
  lost = 0;
  kept = 0;
  keptArrived = 0;
  readonly leaks = new Set<number>();
  readonly losses = new Set<number>();

  constructor(prober: Prober, closed: readonly Probe[], open: readonly Probe[]) {
    this.#prober = prober;
    this.#closed = closed;
    this.#open = open;
    for (const [i, probe] of open.entries()) {
      this.#keepers[i] = this.#client(probe);
      // Each connection is accepted before the next is tried: it is its.
      if (prober.listener(probe.to).protocol === 'TCP') {
        this.#drain((descriptor) => this.#ends.push(descriptor), ACCEPTED);
      }
    }
    prober.enter(0);
  }

  /** A socket that is connected, or about to be. */
  #client(probe: Probe): number {
    const descriptor = this.#prober.socket(probe);
    if (descriptor < 0) throw new Error(`a socket: error ${-descriptor}`);
    this.#prober.sockets.connect(descriptor, this.#prober.listener(probe.to).bytes);
    return descriptor;
  }

  #send(descriptor: number, kind: number, probe: number, number = 0): number {
    const bytes = Buffer.alloc(LENGTH);
    bytes.writeUInt32LE(kind, 0);
    bytes.writeUInt32LE(probe, 4);
    bytes.writeUInt32LE(number, 8);
    return this.#prober.sockets.send(descriptor, bytes);
  }

  turn(): void {
    const prober = this.#prober;
    const now = performance.now();
    const turn = this.#turn++;
    for (const [i, probe] of this.#closed.entries()) {
      if (prober.listener(probe.to).protocol === 'UDP') {
        this.#senders[i] ??= this.#client(probe);
        for (let n = 0; n < BURST; n++) {
          this.#send(this.#senders[i]!, CLOSED, i);
          this.closedSent++;
        }
      } else if (turn % this.#closed.length === i) {
        const descriptor = this.#client(probe);
        this.#forbidden.set(prober.keyOf(probe, descriptor), { descriptor, at: now, probe: i });
        this.closedSent++;
      }
    }
    for (let n = 0; n < Math.min(FRESH, this.#open.length); n++) {
      const i = (turn * FRESH + n) % this.#open.length;
      const probe = this.#open[i]!;
      const descriptor = this.#client(probe);
      const attempt = { descriptor, at: now, probe: i };
      this.fresh++;
      if (prober.listener(probe.to).protocol === 'TCP') this.#awaited.set(prober.keyOf(probe, descriptor), attempt);
      else {
        const number = this.#number++;
        this.#send(descriptor, NEW, i, number);
        this.#datagrams.set(number, attempt);
      }
    }
    for (const [i, descriptor] of this.#keepers.entries()) {
      if (descriptor === undefined) continue;
      const sent = this.#send(descriptor, KEPT, i);
      if (sent > 0) this.kept += sent;
      else if (sent !== FULL) this.losses.add(i);
    }
    this.#drain();
    if (turn % 64 === 0) this.#read();
    this.#forget(now);
    prober.enter(0);
  }

  #drain(also?: (descriptor: number) => void, timeout = 0): void {
    const { sockets } = this.#prober;
    this.#prober.drain(timeout, {
      datagram: (_, bytes) => {
        if (bytes.length !== LENGTH) return false;
        const [kind, probe, number] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8)];
        if (kind === CLOSED) this.#leak(probe);
        else if (kind === KEPT) this.keptArrived += LENGTH;
        else if (kind === NEW) {
          const attempt = this.#datagrams.get(number);
          if (attempt !== undefined) sockets.close(attempt.descriptor);
          this.#datagrams.delete(number);
        }
        // A flow is established once an answer was seen; nobody reads it.
        return kind === KEPT;
      },
      connection: (listener, from, descriptor) => {
        if (also !== undefined) return also(descriptor);
        const key = `${listener} ${from}`;
        const forbidden = this.#forbidden.get(key);
        if (forbidden !== undefined) this.#leak(forbidden.probe);
        const awaited = this.#awaited.get(key);
        for (const one of [forbidden, awaited]) if (one !== undefined) sockets.close(one.descriptor);
        this.#forbidden.delete(key);
        this.#awaited.delete(key);
        sockets.close(descriptor);
      },
    });
  }

  #leak(probe: number): void {
    this.leaked++;
    this.leaks.add(probe);
    // The kernel lets what came through once go on: another source is asked from now on.
    const sender = this.#senders[probe];
    if (sender !== undefined) this.#prober.sockets.close(sender);
    this.#senders[probe] = undefined;
  }

  /** What came over connections that stay open. */
  #read(): void {
    const bytes = Buffer.alloc(65_536);
    for (const end of this.#ends) {
      for (let length = this.#prober.sockets.receive(end, bytes); length > 0;) {
        this.keptArrived += length;
        length = this.#prober.sockets.receive(end, bytes);
      }
    }
  }

  #forget(now: number): void {
    const { sockets } = this.#prober;
    for (const [key, { descriptor, at }] of this.#forbidden) {
      if (now - at < TRIED) break;
      sockets.close(descriptor);
      this.#forbidden.delete(key);
    }
    for (const waiting of [this.#awaited, this.#datagrams] as Map<unknown, Attempt>[]) {
      for (const [key, { descriptor, at, probe }] of waiting) {
        if (now - at < LOST) break;
        sockets.close(descriptor);
        waiting.delete(key);
        this.lost++;
        this.losses.add(probe);
      }
    }
  }

  /** Waits for what is under way, and closes all. */
  end(): void {
    const { sockets } = this.#prober;
    const until = performance.now() + SETTLING;
    const isOpen = (): boolean => this.#awaited.size + this.#datagrams.size > 0 || this.keptArrived < this.kept;
    while (isOpen() && performance.now() < until) {
      this.#drain();
      this.#read();
      this.#forget(performance.now());
    }
    for (const map of [this.#forbidden, this.#awaited, this.#datagrams] as Map<unknown, Attempt>[]) {
      for (const { descriptor } of map.values()) sockets.close(descriptor);
    }
    for (const one of [...this.#senders, ...this.#keepers, ...this.#ends]) if (one !== undefined) sockets.close(one);
  }
}
