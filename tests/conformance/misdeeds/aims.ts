import { createHash } from 'node:crypto';
import { createSocket, type Socket as Datagrams } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';

/** What of this machine the misdeeds are aimed at: real, harmless, and watched. */
export interface Aims {
  /** For `aims.json`. */
  readonly aims: Readonly<Record<string, unknown>>;
  /** Each thing that was reached, in order: `tcp`, `unix`, … */
  readonly reached: string[];
  /** Datagrams that came. */
  readonly datagrams: Buffer[];
  /** What stands in the environment of a process that is to be robbed. */
  readonly secret: { readonly name: string; readonly value: string };
  /** Folders that nothing may be written to. */
  readonly folders: readonly string[];
}

type After = { after(fn: () => Promise<void> | void): void };

/** Listens by every way there is, and lays out what is worth reading and spoiling, below `folder`. */
export async function layOut(t: After, folder: string): Promise<Aims> {
  const reached: string[] = [];
  const datagrams: Buffer[] = [];
  const listening = async (what: string, at: { host: string; port: number } | { path: string }): Promise<Server> => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => {
        reached.push(what);
        socket.end(`this is ${what}`);
      });
    });
    server.listen(at);
    await once(server, 'listening');
    t.after(() => void server.close());
    return server;
  };
  const port = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;
  const answering = async (what: string, answer: (message: Buffer) => Buffer): Promise<Datagrams> => {
    const socket = createSocket('udp4');
    socket.on('message', (message, from) => {
      reached.push(what);
      datagrams.push(message);
      socket.send(answer(message), from.port, from.address);
    });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    t.after(() => void socket.close());
    return socket;
  };

  const web = createHttp((_, response) => {
    reached.push('http');
    response.end('well');
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  t.after(() => {
    web.closeAllConnections();
    web.close();
  });
  const unix = join(folder, 'host.sock');
  const abstract = `sallyport-test-${process.pid}`;
  const tcp = await listening('tcp', { host: '127.0.0.1', port: 0 });
  await listening('unix', { path: unix });
  await listening('abstract', { path: `\0${abstract}` });
  const udp = await answering('udp', () => Buffer.from('this is udp'));
  const dns = await answering('dns', textAnswer);

  const home = join(folder, 'home');
  const [product, store, project] = ['product', 'store', 'project'].map((name) => join(folder, 'owned', name)) as [
    string,
    string,
    string,
  ];
  for (const one of [join(home, '.ssh'), product, store, project]) await mkdir(one, { recursive: true });
  const key = join(folder, 'owned', 'ledger.key');
  const contents = ['a key of somebody', 'a key of a side'] as const;
  await writeFile(join(home, '.ssh', 'id_ed25519'), contents[0]);
  await writeFile(key, contents[1]);
  const secret = { name: 'MISDEEDS_TEST_SECRET', value: `not-for-you-${process.pid}` };
  return {
    reached,
    datagrams,
    secret,
    folders: [home, product, store, project],
    aims: {
      tcp: { host: '127.0.0.1', port: port(tcp) },
      udp: { host: '127.0.0.1', port: port(udp) },
      quic: { host: '127.0.0.1', port: port(udp), name: 'quic.example.test' },
      https: `http://127.0.0.1:${port(web)}/`,
      tunnel: { name: 'tunnel.example.test', host: '127.0.0.1', port: port(dns) },
      resolver: { host: '127.0.0.1', port: port(dns) },
      loopback: { host: '127.0.0.1', port: port(tcp) },
      unixSockets: [unix],
      abstractSockets: [abstract],
      homes: [home],
      products: [product],
      stores: [store],
      projects: [project],
      keys: [key],
      treasures: contents.map((content) => createHash('sha256').update(content).digest('hex')),
      secret: secret.value,
      processes: [process.pid],
    },
  };
}

/** An answer with one TXT record to the one question of a message (RFC 1035). */
function textAnswer(message: Buffer): Buffer {
  let end = 12;
  while (message[end] !== 0 && end < message.length) end += 1 + (message[end] ?? 0);
  const question = message.subarray(12, end + 5);
  const head = Buffer.from([0, 0, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
  message.copy(head, 0, 0, 2);
  const text = Buffer.from('go on');
  const record = Buffer.from([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 0, 0, text.length + 1, text.length]);
  return Buffer.concat([head, question, record, text]);
}

/** A pcap file (LINKTYPE_RAW) with each datagram as one packet of IPv4 and UDP to port 443. */
export async function writePcap(path: string, datagrams: readonly Buffer[]): Promise<void> {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65535, 16);
  head.writeUInt32LE(101, 20);
  const packets = datagrams.map((data) => {
    const packet = Buffer.alloc(16 + 28);
    packet.writeUInt32LE(28 + data.length, 8);
    packet.writeUInt32LE(28 + data.length, 12);
    Buffer.from([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]).copy(packet, 16);
    packet.writeUInt16BE(28 + data.length, 18);
    packet.writeUInt16BE(40_000, 36);
    packet.writeUInt16BE(443, 38);
    packet.writeUInt16BE(8 + data.length, 40);
    return Buffer.concat([packet, data]);
  });
  await writeFile(path, Buffer.concat([head, ...packets]));
}
