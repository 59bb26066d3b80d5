import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { createServer, isIP, Socket } from 'node:net';
import { type Duplex, pipeline } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Attempt } from '../attempt.ts';
import { javaTrustStore } from '../java-trust-store.ts';
import type { Owner } from './owner.ts';
import { RunAuthority } from './run-authority.ts';
import { readFirstBytes } from '../first-bytes.ts';
import {
  ANSWER_HEADER,
  decodeWords,
  encodeWords,
  endToEnd,
  type GivenAnswer,
  pairsOf,
  readHost,
  REQUEST_HEADER,
  SESSION_WINDOW,
  WHOLE_TRAILER,
  WINDOW,
  WORDS_LIMIT,
} from '../recorder-channel.ts';

export interface RecorderOptions {
  /** TCP ports that clients mean, and on which port of this namespace each arrives. */
  readonly ports: ReadonlyMap<number, number>;
  readonly ipv6: boolean;
  readonly machineOf: (address: string) => string;
  /** Who last called that address and port from a machine, where that is seen. */
  readonly ownerOf: (machine: string, address: string, port: number) => Owner | undefined;
  /** The decoy whose content stands in these bytes. */
  readonly leaks: (bytes: Buffer) => string | undefined;
  readonly tell: (attempt: Omit<Attempt, 'time'>) => void;
}

/** What is known of a connection before its first request. */
interface Arrival {
  readonly from: string;
  readonly address: string;
  readonly port: number;
  readonly owner: Owner | undefined;
  serverName?: string;
}

/** Milliseconds that a new connection may stay silent; a pool may open one before it needs it. */
const SILENCE = 30_000;
const KEPT = 64;
const TARGET_LIMIT = 8192;

let made: RunAuthority | undefined;

/** One for the life of this process. */
function runAuthority(): RunAuthority {
  made ??= RunAuthority.create(new Date());
  return made;
}

/**
 * Files below /etc for programs that were told of no certificate: every list of authorities that Debian's programs read,
 * with the one of this run in it and no other.
 */
export function recorderCertificates(): Readonly<Record<string, string | Uint8Array>> {
  const { certificate, hashedName } = runAuthority();
  return {
    'ssl/certs/ca-certificates.crt': certificate,
    [`ssl/certs/${hashedName}`]: certificate,
    'ssl/certs/java/cacerts': javaTrustStore(certificate),
    // Red Hat's place, which programs that carry their own OpenSSL look at too.
    'pki/tls/certs/ca-bundle.crt': certificate,
  };
}

/**
 * The only way out of a recorded enclave: it ends TLS with certificates of this run's authority, reads HTTP/1.1, and
 * hands each request to the product. It has no network of its own. What is not HTTP is reset and told. Gives the
 * certificate of the authority (PEM).
 */
export async function openRecorder(options: RecorderOptions): Promise<string> {
  const authority = runAuthority();
  // To the product, which has the way out.
  const channel = new Socket({ fd: 3, readable: true, writable: true });
  const session = connectHttp2('http://recorder', {
    createConnection: () => channel,
    settings: { initialWindowSize: WINDOW, enablePush: false },
  });
  session.on('error', () => undefined);
  session.once('connect', () => session.setLocalWindowSize(SESSION_WINDOW));
  const arrivals = new WeakMap<Duplex, Arrival>();
  const refuse = (arrival: Arrival, what: Partial<Attempt>): void =>
    options.tell({
      from: arrival.from,
      kind: 'call',
      address: arrival.address,
      port: arrival.port,
      protocol: 'tcp',
      answer: 'refused',
      ...arrival.owner,
      ...(arrival.serverName === undefined ? {} : { serverName: arrival.serverName }),
      ...what,
    });

  const http = createHttpServer({ keepAliveTimeout: 60_000, requestTimeout: 0, headersTimeout: 60_000 });
  http.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const arrival = arrivals.get(request.socket);
    if (arrival === undefined) return void request.socket.destroy();
    const url = urlOf(request, arrival);
    if (typeof url !== 'string') {
      refuse(arrival, {
        speaks: 'http',
        request: `${request.method ?? ''} ${request.headers.host ?? ''}`.slice(0, 512),
      });
      return deny(response, url.status, url.detail);
    }
    const leak = options.leaks(Buffer.from([request.url, ...request.rawHeaders].join('\n')));
    if (leak !== undefined) {
      refuse(arrival, { speaks: 'http', request: `${request.method ?? ''} ${new URL(url).host}`, leaks: leak });
      return deny(response, 403, 'The request carries what was read from a file that is nobody’s.');
    }
    passOn(session, request, response, arrival, url);
  });
  // A tunnel or another protocol would pass by unread.
  for (const event of ['connect', 'upgrade'] as const) {
    http.on(event, (request: IncomingMessage, socket: Duplex) => {
      const arrival = arrivals.get(socket);
      const line = `${request.method ?? ''} ${request.headers.host ?? ''}${request.url ?? ''}`.slice(0, 512);
      if (arrival !== undefined) refuse(arrival, { speaks: 'http', request: line });
      socket.end('HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    });
  }
  http.on('clientError', (_error, socket) => {
    const arrival = arrivals.get(socket);
    if (arrival !== undefined && socket.writable) refuse(arrival, { speaks: 'http' });
    socket.destroy();
  });

  const secure = (socket: Socket, arrival: Arrival): void => {
    const tls = new TLSSocket(socket, {
      isServer: true,
      ALPNProtocols: ['http/1.1'],
      minVersion: 'TLSv1.2',
      // For a client that names no server: it meant the address.
      secureContext: authority.contextFor(arrival.address),
      SNICallback: (name, done) => {
        arrival.serverName = name;
        try {
          done(null, authority.contextFor(name));
        } catch (error) {
          done(error as Error);
        }
      },
    });
    arrivals.set(tls, arrival);
    let isOpen = false;
    tls.once('secure', () => {
      isOpen = true;
      // Nobody is asked for a context when a session is resumed, but the name is there.
      const name = (tls as { servername?: string | false | null }).servername;
      if (typeof name === 'string' && name !== '') arrival.serverName = name;
      http.emit('connection', tls);
    });
    tls.on('error', () => tls.destroy());
    tls.once('close', () => {
      // Most often: the client does not trust the authority of this run, because it brings its own list.
      if (!isOpen) refuse(arrival, { speaks: 'tls' });
    });
  };

  const arrive = (socket: Socket, port: number): void => {
    const from = options.machineOf(plain(socket.remoteAddress));
    const address = plain(socket.localAddress);
    const arrival: Arrival = { from, address, port, owner: options.ownerOf(from, address, port) };
    arrivals.set(socket, arrival);
    socket.setNoDelay(true);
    const silent = setTimeout(() => {
      refuse(arrival, {});
      socket.resetAndDestroy();
    }, SILENCE);
    socket.on('error', () => undefined);
    socket.once('close', () => clearTimeout(silent));
    socket.once('end', () => {
      // It connected, said nothing and left: a look at whether the way is open.
      if (socket.bytesRead === 0) refuse(arrival, {});
    });
    const begin = (): void => {
      const first = socket.read() as Buffer | null;
      if (first === null) return void socket.once('readable', begin);
      clearTimeout(silent);
      socket.unshift(first);
      if (first[0] === 0x16) return secure(socket, arrival);
      if (/^[A-Z]{1,20}/.test(first.toString('latin1', 0, 20))) return void http.emit('connection', socket);
      const { speaks } = readFirstBytes(first);
      const firstBytes = first.subarray(0, KEPT).toString('hex');
      refuse(arrival, { ...(speaks === '' ? {} : { speaks }), firstBytes, answer: 'reset' });
      socket.resetAndDestroy();
    };
    socket.once('readable', begin);
  };

  for (const [meant, listening] of options.ports) {
    const server = createServer((socket) => arrive(socket, meant));
    server.listen(listening, options.ipv6 ? '::' : '0.0.0.0', 4096);
    await once(server, 'listening');
  }
  return authority.certificate;
}

/** The address that a request means, or why it is not passed on. */
function urlOf(request: IncomingMessage, arrival: Arrival): string | { status: number; detail: string } {
  const target = request.url ?? '';
  const isTls = request.socket instanceof TLSSocket;
  const host = readHost(request.headers.host);
  if (host === undefined || request.headersDistinct['host']?.length !== 1) {
    return { status: 400, detail: 'The request names no host.' };
  }
  if (!target.startsWith('/') || target.length > TARGET_LIMIT) {
    return { status: 400, detail: 'The request names no path, or a longer one than is passed on.' };
  }
  // Behind another name than the one that was spoken for, a record would name the wrong one.
  if (arrival.serverName !== undefined && arrival.serverName.toLowerCase() !== host.name) {
    return { status: 421, detail: 'The host of the request is not the server name of its connection.' };
  }
  // An address as server stands for itself: whoever connects to it by number means that number.
  const bare = host.name.replace(/^\[|\]$/g, '');
  if (isIP(bare) !== 0 && !isSame(bare, arrival.address)) {
    return { status: 421, detail: 'The host of the request is not the address of its connection.' };
  }
  const standard = isTls ? 443 : 80;
  return `${isTls ? 'https' : 'http'}://${host.name}${arrival.port === standard ? '' : `:${arrival.port}`}${target}`;
}

/** Whether two texts are one address: IPv6 has many spellings. */
function isSame(one: string, other: string): boolean {
  const spelt = (address: string): string => (isIP(address) === 6 ? new URL(`http://[${address}]`).hostname : address);
  return spelt(one) === spelt(other);
}

function passOn(
  session: ClientHttp2Session,
  request: IncomingMessage,
  response: ServerResponse,
  arrival: Arrival,
  url: string,
): void {
  const method = request.method ?? '';
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
  const headers = endToEnd(pairsOf(request.rawHeaders)).filter(([name]) => !/^(host|expect)$/i.test(name));
  const words = encodeWords({ machine: arrival.from, ...arrival.owner, method, url, headers, hasBody });
  if (words.length > WORDS_LIMIT || session.closed || session.destroyed) {
    return deny(response, 502, 'The request cannot be passed on.');
  }
  const stream = session.request({ ':method': 'POST', [REQUEST_HEADER]: words }, { endStream: !hasBody });
  if (hasBody) pipeline(request, stream, () => undefined);
  else request.resume();
  response.once('close', () => {
    // The client has gone: nobody needs the rest.
    if (!response.writableFinished) stream.close(constants.NGHTTP2_CANCEL);
  });
  stream.on('error', () => {
    if (response.headersSent) response.destroy();
    else deny(response, 502, 'The recorder has ended.');
  });
  stream.once('response', (fields) => {
    const answer = decodeWords<GivenAnswer>(fields[ANSWER_HEADER]);
    try {
      response.writeHead(answer.status, endToEnd(answer.headers).flat());
    } catch {
      // Upstream sent what no HTTP/1.1 header can hold.
      stream.close(constants.NGHTTP2_CANCEL);
      return deny(response, 502, "Upstream's answer is not HTTP/1.1.");
    }
    // A body that broke off must break off for the client too: an orderly end would pass for the whole.
    let isWhole = false;
    stream.once('trailers', (trailers) => (isWhole = trailers[WHOLE_TRAILER] === 'yes'));
    stream.pipe(response, { end: false });
    stream.once('close', () => {
      if (isWhole && stream.readableEnded) response.end();
      else response.destroy();
    });
  });
}

function deny(response: ServerResponse, status: number, detail: string): void {
  if (response.headersSent) return void response.destroy();
  const text = `sallyport: ${detail}\n`;
  response.writeHead(status, { 'content-type': 'text/plain', 'content-length': text.length, connection: 'close' });
  response.end(text);
}

/** `::ffff:192.0.2.1` is `192.0.2.1` as a socket of both families shows it. */
function plain(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '');
}
