import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { AskedNames } from '../asked-names.ts';
import type { Attempt } from '../attempt.ts';
import { NameBook, type Question, readQuestion, TYPE, typeName, writeAnswer } from '../dns.ts';
import { type FirstBytes, readFirstBytes } from '../first-bytes.ts';
import { type Machine, protocolName, ROUTER, SEEN, SINK, type SinkAnswers, type Tuple } from '../network.ts';
import { isQuicLong, QuicHellos } from '../quic.ts';
import { Tally } from '../tally.ts';
import { type Owner, ownerOf, socketHolder } from './owner.ts';
import { SilentCalls } from './silent-calls.ts';
import type { Watch } from './watch.ts';

export interface SinkOptions {
  readonly machines: readonly Machine[];
  readonly ipv6: boolean;
  readonly answers: SinkAnswers;
  readonly tell: (attempt: Attempt) => void;
  /** The elements of a set of the ruleset. */
  readonly list: (set: string) => Promise<Tuple[]>;
  readonly observers: Observers;
}

/** Who else looks. They come when they are ready: nothing runs before that. */
export interface Observers {
  /** Who made the calls; without it, sockets are looked up while they are open. */
  watch?: Watch | undefined;
  /** The decoy whose content stands in these bytes, or in what they decode to. */
  leaks?: ((bytes: Buffer) => string | undefined) | undefined;
}

export interface Sink {
  /** Tells everything that the kernel has counted, and what was only counted here. */
  flush(): Promise<void>;
}

/** Milliseconds that a connection may stay silent before it is written down as it is. */
const SILENCE = 1500;
/** After what says who is called: a body that follows at once may hold what was stolen. */
const AFTERWARDS = 60;
const MOST = 65_536;
const KEPT = 64;
/** Connections that are listened to at once; those beyond are reset when they come. */
const HEARD = 2000;
/** Look-ups of an open socket's process, a second. */
const LOOKUPS = 50;
/** Milliseconds that a report waits for connections that are being listened to. */
const FLUSH = 5000;
/** Datagrams of one ClientHello follow one another at once. */
const HELLO = 150;

type Bare = Omit<Attempt, 'time'>;

/**
 * Where every route ends that no machine owns. It accepts, because a server name appears only after an accepted
 * handshake; it writes down what came first, and resets.
 */
export async function openSink(options: SinkOptions): Promise<Sink> {
  const { answers, observers } = options;
  const leaks = (bytes: Buffer): string | undefined => observers.leaks?.(bytes);
  const book = new NameBook();
  const machineAt = new Map<string, string>();
  for (const { name, ipv4, ipv6 } of options.machines) machineAt.set(ipv4, name).set(ipv6, name);
  const nameOf = (address: string): string => machineAt.get(address) ?? address;

  const tally = new Tally();
  const asked = new AskedNames();
  const tell = (attempt: Bare, key?: string): void => {
    const whole = { time: new Date().toISOString(), ...attempt };
    if (tally.isNew(whole, key)) options.tell(whole);
  };
  const call = (from: string, address: string, port: number | undefined, protocol: string): Bare => {
    const name = book.nameOf(address);
    return {
      from,
      kind: 'call',
      ...(name === undefined ? {} : { name }),
      address,
      ...(port === undefined ? {} : { port }),
      protocol,
    };
  };

  // ---------------------------------------------------------------------------------------------- who tried
  const namespaces = new Map<string, string>();
  const namespaceOf = (machine: string): string | undefined => {
    const known = namespaces.get(machine);
    const id = options.machines.find(({ name }) => name === machine)?.id;
    if (known !== undefined || id === undefined) return known;
    try {
      const found = `net:[${statSync(`/run/netns/${id}`).ino}]`;
      namespaces.set(machine, found);
      return found;
    } catch {
      return undefined;
    }
  };
  let second = 0;
  let lookups = 0;
  const holder = (machine: string, protocol: 'tcp' | 'udp', port: number | undefined): Owner | undefined => {
    const namespace = namespaceOf(machine);
    const now = Math.floor(performance.now() / 1000);
    if (now !== second) [second, lookups] = [now, 0];
    if (namespace === undefined || port === undefined || (lookups += 1) > LOOKUPS) return undefined;
    const pid = socketHolder(namespace, protocol, port);
    return pid === undefined ? undefined : ownerOf(pid);
  };
  /** What the watcher said has come by then: it speaks before the call is carried out. */
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  // ------------------------------------------------------------------------------------------------ names
  const own = new Map(options.machines.map((machine) => [machine.name.toLowerCase(), machine]));
  const ownAnswer = (question: Question): Buffer | undefined => {
    const machine = own.get(question.name);
    if (machine === undefined) return undefined;
    if (question.type === TYPE.A) return writeAnswer(question, [Buffer.from(machine.ipv4.split('.').map(Number))]);
    if (question.type === TYPE.AAAA && options.ipv6) return writeAnswer(question, [ipv6Bytes(machine.ipv6)]);
    return writeAnswer(question, []);
  };
  /** First and last question for a name that gets no answer: for so long, at least, somebody waited. */
  const silences = new Map<string, { readonly attempt: Bare; readonly first: number; last: number }>();
  const noQuestions = new Set<string>();
  const hearName = async (message: Buffer, from: string, port: number, transport: 'udp' | 'tcp') => {
    const machine = nameOf(from);
    const question = readQuestion(message);
    if (question === undefined) {
      // Something else that goes to port 53, of us or of another: where it went is known to the kernel.
      const firstBytes = message.subarray(0, KEPT).toString('hex');
      if (noQuestions.size >= 1000 || noQuestions.has(`${machine} ${firstBytes}`)) return undefined;
      noQuestions.add(`${machine} ${firstBytes}`);
      await refresh().catch(() => undefined);
      const same = ([source, own, , protocol, meant]: Tuple): boolean =>
        source === from && Number(own) === port && protocol === transport && Number(meant) === 53;
      const to = String(seen.find(same)?.[2] ?? ROUTER.ipv4);
      tell(
        { ...call(machine, to, 53, transport), firstBytes, answer: 'dropped' },
        `${transport} ${from} ${port} ${to} 53`,
      );
      return undefined;
    }
    const known = ownAnswer(question);
    if (known !== undefined) return known;
    const reply = {
      address: () => writeAnswer(question, question.type === TYPE.A ? [book.addressOf(question.name)] : []),
      unknown: () => writeAnswer(question, 'unknown'),
      drop: () => undefined,
    }[answers.names]();
    if (isOwnReverse(question.name)) return reply;
    const verdict = asked.ask(machine, question.name, typeName(question.type));
    const key = `name ${machine} ${question.name}`;
    if (verdict.verdict === 'tell') {
      await settled();
      const owner = observers.watch?.asker(machine, question.name) ?? holder(machine, transport, port);
      const leak = leaks(Buffer.from(question.name));
      const attempt: Bare = {
        from: machine,
        kind: 'name',
        // The root itself has no labels.
        name: question.name || '.',
        protocol: 'dns',
        request: typeName(question.type),
        answer: ({ address: 'answered', unknown: 'unknown-name', drop: 'dropped' } as const)[answers.names],
        ...(verdict.tunnel ? { speaks: 'tunnel' } : {}),
        ...(leak === undefined ? {} : { leaks: leak }),
        ...owner,
      };
      const now = performance.now();
      if (answers.names === 'drop') silences.set(key, { attempt, first: now, last: now });
      else tell(attempt);
    }
    const waiting = silences.get(key);
    if (waiting !== undefined) waiting.last = performance.now();
    return reply;
  };
  const addresses = options.ipv6 ? [ROUTER.ipv4, ROUTER.ipv6] : [ROUTER.ipv4];
  for (const address of addresses) {
    const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    udp.on('message', (message, from) => {
      void hearName(message, from.address, from.port, 'udp').then((reply) => {
        if (reply !== undefined) udp.send(reply, from.port, from.address, () => undefined);
      });
    });
    udp.on('error', () => undefined);
    udp.bind(SINK.dns, address);
    await once(udp, 'listening');
    const tcp = createServer((socket) => nameConnection(socket, hearName));
    tcp.listen(SINK.dns, address);
    await once(tcp, 'listening');
  }

  // --------------------------------------------------------------------------------------- original ports
  /** `source|source port|address|protocol` to the port that was meant; later elements win. */
  let ports = new Map<string, number>();
  /** `source|source port` to what it sent datagrams to. */
  let datagrams = new Map<string, (readonly [to: string, port: number])[]>();
  let seen: Tuple[] = [];
  let reading: Promise<void> | undefined;
  let again: Promise<void> | undefined;
  let took = 0;
  let full = false;
  const readSeen = async (): Promise<void> => {
    // In a flood the sets are long, and reading them is work that programs would wait for.
    if (took > 100) await new Promise((resolve) => setTimeout(resolve, Math.min(took, 2000)));
    const began = performance.now();
    const lists = await Promise.all((options.ipv6 ? ['seen4', 'seen6'] : ['seen4']).map((set) => options.list(set)));
    seen = lists
      .flat()
      .map(([from, port, to, protocol = '', meant]) => [from, port, to, protocolName(protocol), meant]) as Tuple[];
    ports = new Map();
    datagrams = new Map();
    for (const [from, port, to, protocol, meant] of seen) {
      ports.set(`${from}|${port}|${to}|${protocol}`, Number(meant));
      if (protocol !== 'udp' || Number(meant) === 53) continue;
      const key = `${from}|${port}`;
      const known = datagrams.get(key);
      if (known === undefined) datagrams.set(key, [[String(to), Number(meant)]]);
      else known.push([String(to), Number(meant)]);
    }
    full = lists.some((list) => list.length >= SEEN);
    took = performance.now() - began;
  };
  /** A reading that began after this call: one that is under way may have missed the newest connection. */
  const refresh = (): Promise<void> => {
    if (reading === undefined) {
      reading = readSeen().finally(() => (reading = undefined));
      return reading;
    }
    again ??= reading
      .catch(() => undefined)
      .then(() => {
        again = undefined;
        return refresh();
      });
    return again;
  };
  const meantPort = async (key: string): Promise<number | undefined> => {
    if (!ports.has(key)) await refresh();
    return ports.get(key);
  };

  // ------------------------------------------------------------------------------------------------- calls
  const any = options.ipv6 ? '::' : '0.0.0.0';
  const pending = new Set<Promise<void>>();
  const hear = async (socket: Socket): Promise<void> => {
    const started = performance.now();
    const from = plain(socket.remoteAddress);
    const to = plain(socket.localAddress);
    const machine = nameOf(from);
    const source = socket.remotePort;
    const bytes = await firstOf(socket);
    const said = readFirstBytes(bytes);
    const holding = observers.watch?.unavailable === '' ? undefined : holder(machine, 'tcp', source);
    // What it held its program up for: until now it waited for an answer. Which port was meant can be read later.
    const stalledMs = Math.round(performance.now() - started);
    socket.resetAndDestroy();
    const port = await meantPort(`${from}|${source ?? 0}|${to}|tcp`).catch(() => undefined);
    const owner = observers.watch?.caller(machine, to, port) ?? holding;
    const leak = leaks(bytes);
    tell({
      ...call(machine, to, port, 'tcp'),
      ...wordsOf(said, port, to),
      ...(bytes.length === 0 ? {} : { firstBytes: bytes.subarray(0, KEPT).toString('hex') }),
      answer: 'reset',
      stalledMs,
      ...(leak === undefined ? {} : { leaks: leak }),
      ...owner,
    });
  };
  const tcp = createServer({ allowHalfOpen: true }, (socket) => {
    if (pending.size >= HEARD) {
      const from = nameOf(plain(socket.remoteAddress));
      socket.on('error', () => undefined);
      tell({ ...call(from, plain(socket.localAddress), undefined, 'tcp'), answer: 'reset' });
      return void socket.resetAndDestroy();
    }
    const heard = hear(socket)
      .catch(() => undefined)
      .finally(() => pending.delete(heard));
    pending.add(heard);
  });
  tcp.listen({ port: SINK.tcp, host: any, backlog: 4096 });
  await once(tcp, 'listening');

  const hellos = new QuicHellos();
  /** Connections whose ClientHello is not whole, and what ends the waiting for the rest. */
  const halves = new Map<string, () => void>();
  /** Sockets whose datagrams are being looked up, and the last that came meanwhile: it is looked up after that. */
  const lookedUp = new Map<string, readonly [Buffer, RemoteInfo] | undefined>();
  const datagram = async (message: Buffer, info: RemoteInfo): Promise<void> => {
    const from = plain(info.address);
    const machine = nameOf(from);
    const key = `${from}|${info.port}`;
    if (lookedUp.has(key) && !halves.has(key)) return void lookedUp.set(key, [message, info]);
    const quic = isQuicLong(message);
    const hello = quic ? hellos.take(key, message) : undefined;
    // The socket may be closed at the next moment.
    const holding = observers.watch?.unavailable !== '' ? holder(machine, 'udp', info.port) : undefined;
    halves.get(key)?.();
    if (hello?.incomplete === true && halves.size < 256) {
      const rest = await new Promise<boolean>((resolve) => {
        halves.set(key, () => resolve(true));
        setTimeout(() => resolve(false), HELLO);
      });
      halves.delete(key);
      // The datagram that came meanwhile tells it, with what both hold.
      if (rest) return;
    }
    lookedUp.set(key, undefined);
    await refresh().catch(() => undefined);
    const next = lookedUp.get(key);
    lookedUp.delete(key);
    const fresh = (datagrams.get(key) ?? []).filter(
      ([to, port]) => !tally.has(`udp ${from} ${info.port} ${to} ${port}`),
    );
    const leak = leaks(message);
    if (full && !datagrams.has(key)) {
      // The kernel's set is full: where it went is not known, that it was tried is.
      const words = wordsOf(hello ?? { speaks: quic ? 'quic' : '', incomplete: false }, undefined, '');
      const firstBytes = message.subarray(0, KEPT).toString('hex');
      const bare: Bare = { from: machine, kind: 'call', protocol: 'udp', ...words, firstBytes, answer: 'dropped' };
      tell({ ...bare, ...(leak === undefined ? {} : { leaks: leak }), ...holding }, `udp ${key} ?`);
    }
    for (const [to, port] of fresh) {
      const attempt: Bare = {
        ...call(machine, to, port, 'udp'),
        // One socket that sends to several at once: which said what is not known.
        ...(fresh.length > 1
          ? {}
          : {
              ...wordsOf(hello ?? { speaks: quic ? 'quic' : '', incomplete: false }, port, to),
              firstBytes: message.subarray(0, KEPT).toString('hex'),
            }),
        answer: 'dropped',
        ...(leak === undefined ? {} : { leaks: leak }),
        ...(observers.watch?.caller(machine, to, port) ?? holding),
      };
      tell(attempt, `udp ${from} ${info.port} ${to} ${port}`);
    }
    if (next !== undefined) await datagram(...next);
  };
  const udp: UdpSocket = createSocket({ type: options.ipv6 ? 'udp6' : 'udp4', recvBufferSize: 4 * 1024 * 1024 });
  udp.on('message', (message, info) => {
    // The kernel has counted it; it is told with the rest.
    if (pending.size >= HEARD) return;
    const heard = datagram(message, info)
      .catch(() => undefined)
      .finally(() => pending.delete(heard));
    pending.add(heard);
  });
  udp.on('error', () => undefined);
  udp.bind(SINK.udp, any);
  await once(udp, 'listening');

  const silent =
    answers.calls === 'drop'
      ? new SilentCalls(new Map(options.machines.map(({ name }) => [name, () => namespaceOf(name)])))
      : undefined;
  const answered = ({ reset: 'dropped', refuse: 'refused', drop: 'dropped' } as const)[answers.calls];
  return {
    async flush() {
      // Whoever floods without end does not keep the report waiting: the kernel has counted what is under way.
      await Promise.race([Promise.all(pending), new Promise((resolve) => setTimeout(resolve, FLUSH).unref())]);
      await refresh();
      for (const [from, port, to, protocol, meant] of seen) {
        const key = `${protocol} ${from} ${port} ${to} ${meant}`;
        const asksUs = to === ROUTER.ipv4 || to === ROUTER.ipv6;
        // TCP speaks for itself where it is accepted; names are written down by name, unless another server was meant.
        if (Number(meant) === 53 ? asksUs : protocol === 'tcp' && answers.calls === 'reset') continue;
        const machine = nameOf(String(from));
        const owner = observers.watch?.caller(machine, String(to), Number(meant));
        const dns = Number(meant) === 53 ? ({ speaks: 'dns', answer: 'answered' } as const) : { answer: answered };
        const stalledMs = protocol === 'tcp' ? silent?.stalled(machine, Number(port), Number(meant)) : undefined;
        const stall = stalledMs === undefined ? {} : { stalledMs };
        tell({ ...call(machine, String(to), Number(meant), String(protocol)), ...dns, ...stall, ...owner }, key);
      }
      for (const family of options.ipv6 ? ['4', '6'] : ['4']) {
        for (const [from, to, protocol, port] of await options.list(`refused${family}`)) {
          const machine = nameOf(String(from));
          tell(
            {
              from: machine,
              kind: 'edge',
              to: nameOf(String(to)),
              address: String(to),
              port: Number(port),
              protocol: protocolName(protocol ?? ''),
              answer: 'refused',
              ...observers.watch?.caller(machine, String(to), Number(port)),
            },
            `edge ${from} ${to} ${protocol} ${port}`,
          );
        }
        for (const [from, to, protocol] of await options.list(`other${family}`)) {
          if (!machineAt.has(String(from))) continue;
          const target = machineAt.get(String(to));
          const attempt = call(nameOf(String(from)), String(to), undefined, protocolName(protocol ?? ''));
          tell(
            { ...(target === undefined ? attempt : { ...attempt, kind: 'edge', to: target }), answer: 'dropped' },
            `other ${from} ${to} ${protocol}`,
          );
        }
      }
      for (const { attempt, first, last } of silences.values()) {
        tell({ ...attempt, stalledMs: Math.round(last - first) });
      }
      silences.clear();
      const time = new Date().toISOString();
      for (const summary of [...asked.summaries(time), ...tally.summaries(time)]) options.tell(summary);
    },
  };
}

/** What a connection says first, and what follows at once, until it is known what it wants. */
function firstOf(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  return new Promise((resolve) => {
    const end = (): void => resolve(Buffer.concat(pieces));
    let afterwards: NodeJS.Timeout | undefined;
    socket.setTimeout(SILENCE, end);
    for (const event of ['error', 'end', 'close'] as const) socket.on(event, end);
    socket.on('data', (piece: Buffer) => {
      if (size >= MOST) return;
      pieces.push(piece);
      size += piece.length;
      const said = readFirstBytes(Buffer.concat(pieces));
      if (size >= MOST) return end();
      // TLS says nothing more before it is answered; others may go on with a body.
      if (!said.incomplete && said.speaks === 'tls') return end();
      if (!said.incomplete) afterwards ??= setTimeout(end, AFTERWARDS);
    });
  });
}

/** Questions over TCP (RFC 1035, 4.2.2; RFC 7766): several, each after its length. */
function nameConnection(
  socket: Socket,
  hear: (message: Buffer, from: string, port: number, transport: 'tcp') => Promise<Buffer | undefined>,
): void {
  let have: Buffer = Buffer.alloc(0);
  const from = plain(socket.remoteAddress);
  const port = socket.remotePort ?? 0;
  socket.setTimeout(5000, () => socket.destroy());
  socket.on('error', () => undefined);
  socket.on('end', () => socket.end());
  socket.on('data', (piece: Buffer) => {
    have = Buffer.concat([have, piece]);
    while (have.length >= 2 && have.length >= 2 + have.readUInt16BE(0)) {
      const message = have.subarray(2, 2 + have.readUInt16BE(0));
      have = have.subarray(2 + message.length);
      void hear(message, from, port, 'tcp').then((reply) => {
        if (reply === undefined || socket.destroyed) return;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.write(Buffer.concat([length, reply]));
      });
    }
  });
}

/** Resolvers that answer encrypted questions: by their names, and the addresses that programs have built in. */
const RESOLVER_NAMES = /^(?:dns|doh|dot)\d*\.|[.-](?:dns|doh)\.|^(?:mozilla|chrome)\.cloudflare-dns\./;
const RESOLVERS = /^(?:1\.[01]\.[01]\.[123]|8\.8\.(?:8\.8|4\.4)|9\.9\.9\.\d+|149\.112\.112\.\d+|208\.67\.22[02]\.\d+)$/;

function wordsOf(said: FirstBytes, port: number | undefined, address: string): Partial<Bare> {
  const { speaks, serverName, request, protocols = [] } = said;
  const out = {
    ...(serverName === undefined ? {} : { serverName }),
    ...(request === undefined ? {} : { request }),
  };
  const resolver = RESOLVER_NAMES.test(serverName ?? '') || RESOLVERS.test(address);
  if (speaks === 'tls' && (port === 853 || protocols.includes('dot'))) return { ...out, speaks: 'dot' };
  if (speaks === 'quic' && (port === 853 || protocols.includes('doq'))) return { ...out, speaks: 'doq' };
  if ((speaks === 'tls' || speaks === 'quic') && port === 443 && resolver) return { ...out, speaks: 'doh' };
  if (speaks === 'http' && /^(?:GET|POST) \S*\/dns-query\b/.test(request ?? '')) return { ...out, speaks: 'doh' };
  return speaks === '' ? out : { ...out, speaks };
}

/** The way back from an address that we gave: asked by programs that log who is there. */
function isOwnReverse(name: string): boolean {
  return (
    /\.(?:231\.10|1[89]\.198|127)\.in-addr\.arpa$/.test(name) || name.endsWith('.9.7.c.6.c.6.1.6.3.5.d.f.ip6.arpa')
  );
}

/** `::ffff:192.0.2.1` is `192.0.2.1` as a socket of both families shows it. */
function plain(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '');
}

function ipv6Bytes(address: string): Uint8Array {
  const [head = '', tail = ''] = address.split('::');
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((part) => Number.parseInt(part, 16));
  const first = groups(head);
  const last = groups(tail);
  const all = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}
