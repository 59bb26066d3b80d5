import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { Attempt } from '../attempt.ts';
import { NameBook, readQuestion, TYPE, typeName, writeAnswer } from '../dns.ts';
import { isQuicInitial, readFirstBytes } from '../first-bytes.ts';
import { type Machine, protocolName, ROUTER, SINK, type Tuple } from '../network.ts';

export interface SinkOptions {
  readonly machines: readonly Machine[];
  readonly ipv6: boolean;
  readonly tell: (attempt: Attempt) => void;
  /** The elements of a set of the ruleset. */
  readonly list: (set: string) => Promise<Tuple[]>;
}

/** Milliseconds that a connection may stay silent before it is written down as it is. */
const SILENCE = 1500;
const KEPT = 64;

/**
 * Where every route ends that no machine owns. It accepts, because a server name appears only after an accepted
 * handshake; it writes down what came first, and resets.
 */
export async function openSink(options: SinkOptions): Promise<{ flush(): Promise<void> }> {
  const book = new NameBook();
  const machineAt = new Map<string, string>();
  for (const { name, ipv4, ipv6 } of options.machines) machineAt.set(ipv4, name).set(ipv6, name);
  const nameOf = (address: string): string => machineAt.get(address) ?? address;

  const told = new Set<string>();
  const tell = (attempt: Omit<Attempt, 'time'>, once_?: string): void => {
    if (once_ !== undefined) {
      if (told.has(once_)) return;
      // Bounded: a program that asks without end is known by its first hundred thousand questions.
      if (told.size < 100_000) told.add(once_);
    }
    options.tell({ time: new Date().toISOString(), ...attempt });
  };
  const call = (from: string, address: string, port: number | undefined, protocol: string): Omit<Attempt, 'time'> => {
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

  // ------------------------------------------------------------------------------------------------ names
  const own = new Map(options.machines.map((machine) => [machine.name.toLowerCase(), machine]));
  const answer = (message: Uint8Array, from: string): Buffer | undefined => {
    const question = readQuestion(message);
    if (question === undefined) return undefined;
    const machine = own.get(question.name);
    if (machine !== undefined) {
      if (question.type === TYPE.A) return writeAnswer(question, [Buffer.from(machine.ipv4.split('.').map(Number))]);
      if (question.type === TYPE.AAAA && options.ipv6) return writeAnswer(question, [ipv6Bytes(machine.ipv6)]);
      return writeAnswer(question, []);
    }
    const machineName = nameOf(from);
    const attempt = { from: machineName, kind: 'name', name: question.name, protocol: 'dns' } as const;
    tell({ ...attempt, request: typeName(question.type) }, `name ${machineName} ${question.name}`);
    return writeAnswer(question, question.type === TYPE.A ? [book.addressOf(question.name)] : []);
  };
  const addresses = options.ipv6 ? [ROUTER.ipv4, ROUTER.ipv6] : [ROUTER.ipv4];
  for (const address of addresses) {
    const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    udp.on('message', (message, from) => {
      const reply = answer(message, from.address);
      if (reply !== undefined) udp.send(reply, from.port, from.address, () => undefined);
    });
    udp.on('error', () => undefined);
    udp.bind(SINK.dns, address);
    await once(udp, 'listening');
    const tcp = createServer((socket) => {
      let have: Buffer = Buffer.alloc(0);
      socket.setTimeout(5000, () => socket.destroy());
      socket.on('error', () => undefined);
      socket.on('data', (piece: Buffer) => {
        have = Buffer.concat([have, piece]);
        if (have.length < 2 || have.length < 2 + have.readUInt16BE(0)) return;
        const reply = answer(have.subarray(2, 2 + have.readUInt16BE(0)), plain(socket.remoteAddress));
        if (reply === undefined) return void socket.destroy();
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.end(Buffer.concat([length, reply]));
      });
    });
    tcp.listen(SINK.dns, address);
    await once(tcp, 'listening');
  }

  // --------------------------------------------------------------------------------------- original ports
  /** `source|source port|address|protocol` to the port that was meant; later elements win. */
  let ports = new Map<string, number>();
  let seen: Tuple[] = [];
  let reading: Promise<void> | undefined;
  let again: Promise<void> | undefined;
  const readSeen = async (): Promise<void> => {
    const lists = await Promise.all((options.ipv6 ? ['seen4', 'seen6'] : ['seen4']).map((set) => options.list(set)));
    seen = lists
      .flat()
      .map(([from, port, to, protocol = '', meant]) => [from, port, to, protocolName(protocol), meant]) as Tuple[];
    ports = new Map(
      seen.map(([from, port, to, protocol, meant]) => [`${from}|${port}|${to}|${protocol}`, Number(meant)]),
    );
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
    const from = plain(socket.remoteAddress);
    const to = plain(socket.localAddress);
    const key = `${from}|${socket.remotePort ?? 0}|${to}|tcp`;
    let bytes: Buffer = Buffer.alloc(0);
    await new Promise<void>((resolve) => {
      socket.setTimeout(SILENCE, resolve);
      socket.on('error', () => resolve());
      socket.on('end', () => resolve());
      socket.on('close', () => resolve());
      socket.on('data', (piece: Buffer) => {
        bytes = Buffer.concat([bytes, piece]);
        if (!readFirstBytes(bytes).incomplete || bytes.length > 65536) resolve();
      });
    });
    const port = await meantPort(key).catch(() => undefined);
    const { speaks, serverName, request } = readFirstBytes(bytes);
    tell({
      ...call(nameOf(from), to, port, 'tcp'),
      ...(serverName === undefined ? {} : { serverName }),
      ...(request === undefined ? {} : { request }),
      ...(speaks === '' ? {} : { speaks }),
      ...(bytes.length === 0 ? {} : { firstBytes: bytes.subarray(0, KEPT).toString('hex') }),
    });
    socket.resetAndDestroy();
  };
  const tcp = createServer({ allowHalfOpen: true }, (socket) => {
    const heard = hear(socket).finally(() => pending.delete(heard));
    pending.add(heard);
  });
  tcp.listen(SINK.tcp, any);
  await once(tcp, 'listening');

  const udp = createSocket(options.ipv6 ? 'udp6' : 'udp4');
  const datagram = async (message: Buffer, info: RemoteInfo): Promise<void> => {
    const from = plain(info.address);
    await refresh();
    const firstBytes = message.subarray(0, KEPT).toString('hex');
    const quic = isQuicInitial(message);
    for (const [source, port, to, protocol, meant] of seen) {
      if (source !== from || Number(port) !== info.port || protocol !== 'udp' || Number(meant) === 53) continue;
      tell(
        { ...call(nameOf(from), String(to), Number(meant), 'udp'), ...(quic ? { speaks: 'quic' } : {}), firstBytes },
        `udp ${source} ${port} ${to} ${meant}`,
      );
    }
  };
  udp.on('message', (message, info) => {
    if (pending.size > 1000) return;
    const heard = datagram(message, info)
      .catch(() => undefined)
      .finally(() => pending.delete(heard));
    pending.add(heard);
  });
  udp.on('error', () => undefined);
  udp.bind(SINK.udp, any);
  await once(udp, 'listening');

  return {
    async flush() {
      await Promise.all(pending);
      await refresh();
      for (const [from, port, to, protocol, meant] of seen) {
        const key = `${protocol} ${from} ${port} ${to} ${meant}`;
        const asksUs = to === ROUTER.ipv4 || to === ROUTER.ipv6;
        // TCP speaks for itself when it is accepted; names are written down by name, unless another server was meant.
        if (Number(meant) === 53 ? asksUs : protocol === 'tcp') continue;
        tell(call(nameOf(String(from)), String(to), Number(meant), String(protocol)), key);
      }
      for (const family of options.ipv6 ? ['4', '6'] : ['4']) {
        for (const [from, to, protocol, port] of await options.list(`refused${family}`)) {
          const attempt = {
            from: nameOf(String(from)),
            kind: 'edge',
            to: nameOf(String(to)),
            address: String(to),
            port: Number(port),
            protocol: protocolName(protocol ?? ''),
          } as const;
          tell(attempt, `edge ${from} ${to} ${protocol} ${port}`);
        }
        for (const [from, to, protocol] of await options.list(`other${family}`)) {
          if (!machineAt.has(String(from))) continue;
          const target = machineAt.get(String(to));
          const attempt = call(nameOf(String(from)), String(to), undefined, protocolName(protocol ?? ''));
          tell(
            target === undefined ? attempt : { ...attempt, kind: 'edge', to: target },
            `other ${from} ${to} ${protocol}`,
          );
        }
      }
    },
  };
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
