import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Catalog, DepotAnswer, InsideHalf } from '#ecosystems';
import { type Digest, isFault, printable } from '#kernel';
import { type Blobs, blobsOf } from './blobs.ts';
import type { Journal } from './journal.ts';
import { allowsRange, matchesNone, parseRange } from './range.ts';
import { parseHost, parseTarget, type RequestTarget } from './target.ts';
import { type Tokens, whoAsks } from './tokens.ts';

export interface ServedEcosystem {
  readonly id: string;
  readonly title: string;
  readonly half: InsideHalf;
}

export interface DepotOptions {
  readonly ecosystems: readonly ServedEcosystem[];
  readonly catalog: Catalog;
  readonly journal: Pick<Journal, 'served' | 'missed' | 'isBehind'>;
  /** Absent: everybody who reaches the address may ask. */
  readonly tokens?: Tokens;
  /** A mistake of ours in one answer: told loudly, while other clients are served on. */
  readonly onBug: (error: unknown, request: string) => void;
}

/** Bodies of questions (npm's audit, a push that is refused) are read and dropped, so far. */
const BODY_LIMIT = 1024 * 1024;
const BODY_WAIT = 10_000;

/** Answers every request: `node:http`'s own form, because blobs go out of two buffers without a framework between. */
export function depotHandler(options: DepotOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const blobs = blobsOf(options.catalog.content);
  return (request, response) => {
    response.on('error', () => response.destroy());
    answer(request, response, options, blobs).catch((error: unknown) => {
      options.onBug(error, `${request.method ?? ''} ${printable((request.url ?? '').slice(0, 200))}`);
      if (response.headersSent) response.destroy();
      else plain(response, 500, 'The depot could not answer this; its own output says why.\n');
    });
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: DepotOptions,
  blobs: Blobs,
): Promise<void> {
  const method = request.method ?? '';
  let token: string | undefined;
  if (options.tokens !== undefined) {
    token = whoAsks(options.tokens, request.headers.authorization);
    if (token === undefined) {
      response.setHeader('www-authenticate', 'Basic realm="sallyport", charset="UTF-8"');
      return refuse(response, request.url ?? '', 401, 'UNAUTHORIZED', 'This depot asks for a token.');
    }
  }
  if (method !== 'GET' && method !== 'HEAD' && !(await drop(request))) {
    response.setHeader('connection', 'close');
    return refuse(
      response,
      request.url ?? '',
      413,
      'SIZE_INVALID',
      'The body is larger than anything that is taken here.',
    );
  }
  const target = parseTarget(request.url ?? '');
  const host = request.headers.host === undefined ? undefined : parseHost(request.headers.host);
  if (target === undefined || (request.headers.host !== undefined && host === undefined)) {
    return refuse(response, request.url ?? '', 400, 'NAME_INVALID', 'The address of the request cannot be read.');
  }

  const served = options.ecosystems.find(({ half }) => target.path.startsWith(half.prefix));
  if (served === undefined) return elsewhere(response, target, method, options);
  const base = baseOf(request, host);
  const given = await served.half
    .handle({ method, path: target.path, query: target.query, headers: single(request), base }, options.catalog)
    .catch((error: unknown): DepotAnswer => {
      // A fault of the store (a disk that does not answer) has words for people; anything else is a bug.
      if (!isFault(error)) throw error;
      options.onBug(error, `${method} ${printable(target.path)}`);
      return { status: 503, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${error.message}\n` };
    });
  const agent = request.headers['user-agent'] ?? '';
  if (given.missed !== undefined) options.journal.missed(given.missed, target.path, agent);
  if (typeof given.body === 'object' && 'blob' in given.body) {
    const { blob, size } = given.body;
    return sendBlob(request, response, given, { digest: blob, size }, blobs, options, {
      client: `${request.socket.remoteAddress ?? ''}:${request.socket.remotePort ?? ''}`,
      ...(token === undefined ? {} : { token }),
      agent,
      ecosystem: served.id,
      path: target.path,
    });
  }
  sendBytes(request, response, given);
}

async function sendBlob(
  request: IncomingMessage,
  response: ServerResponse,
  given: DepotAnswer,
  blob: { readonly digest: Digest; readonly size: number },
  blobs: Blobs,
  { journal, onBug }: DepotOptions,
  who: {
    readonly client: string;
    readonly token?: string;
    readonly agent: string;
    readonly ecosystem: string;
    readonly path: string;
  },
): Promise<void> {
  const { digest, size } = blob;
  const etag = `"${digest}"`;
  const headers: Record<string, string | number> = { ...given.headers, etag, 'accept-ranges': 'bytes' };
  if (given.status === 200 && matchesNone(request.headers['if-none-match'], etag)) {
    delete headers['content-type'];
    response.writeHead(304, headers).end();
    return;
  }
  if (!(await blobs.has(digest, size))) {
    onBug(new Error(`the store does not have ${digest} with ${size} bytes`), who.path);
    return refuse(
      response,
      who.path,
      500,
      'BLOB_UNKNOWN',
      `The store has lost ${digest}: restore it, or admit its bundle again.`,
    );
  }
  const asked =
    given.status === 200 && request.method === 'GET' && allowsRange(single(request)['if-range'], etag)
      ? parseRange(request.headers.range, size)
      : undefined;
  if (asked === 'unsatisfiable') {
    headers['content-range'] = `bytes */${size}`;
    delete headers['content-type'];
    response.writeHead(416, { ...headers, 'content-length': 0 }).end();
    return;
  }
  const part = asked ?? { start: 0, end: size };
  headers['content-length'] = part.end - part.start;
  if (asked !== undefined) headers['content-range'] = `bytes ${part.start}-${part.end - 1}/${size}`;
  if (request.method === 'HEAD') {
    response.writeHead(given.status, headers).end();
    return;
  }
  if (journal.isBehind) {
    return refuse(
      response,
      who.path,
      503,
      'UNAVAILABLE',
      'What is served cannot be recorded: the disk of the depot takes no more.',
    );
  }
  response.writeHead(asked === undefined ? given.status : 206, headers);
  const sent = await blobs.send(digest, size, part, response);
  journal.served({ ...who, digest, sent, whole: sent === size });
}

function sendBytes(request: IncomingMessage, response: ServerResponse, given: DepotAnswer): void {
  const { body } = given;
  const bytes =
    typeof body === 'string' ? Buffer.from(body, 'utf8') : body instanceof Uint8Array ? body : Buffer.alloc(0);
  const etag = given.headers['etag'];
  if (given.status === 200 && etag !== undefined && matchesNone(request.headers['if-none-match'], etag)) {
    response.writeHead(304, given.headers).end();
    return;
  }
  const bodyless = given.status === 204 || given.status === 304;
  response.writeHead(given.status, bodyless ? given.headers : { ...given.headers, 'content-length': bytes.length });
  response.end(request.method === 'HEAD' || bodyless ? undefined : bytes);
}

/** Outside of every ecosystem: the first page, a forgotten slash, or nothing. */
function elsewhere(
  response: ServerResponse,
  target: RequestTarget,
  method: string,
  { ecosystems }: DepotOptions,
): void {
  const slashed = ecosystems.find(({ half }) => `${target.path}/` === half.prefix);
  if (slashed !== undefined) {
    response.writeHead(308, { location: slashed.half.prefix, 'content-length': 0 }).end();
    return;
  }
  const lines = ecosystems.map(({ half, title }) => `${half.prefix.padEnd(10)} ${title}\n`).join('');
  if (target.path === '/') {
    const body = `Sallyport depot. 'sallyport client-config' prints what a client needs.\n\n${lines}`;
    return plain(response, 200, method === 'HEAD' ? '' : body);
  }
  plain(response, 404, `Nothing is served under ${printable(target.path.slice(0, 200))}. What is:\n\n${lines}`);
}

/** A refusal before any ecosystem saw the request, in the words of the client that sent it. */
function refuse(response: ServerResponse, url: string, status: number, code: string, message: string): void {
  if (!url.startsWith('/v2/')) return plain(response, status, `${message}\n`);
  const body = JSON.stringify({ errors: [{ code, message, detail: {} }] });
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
    .end(body);
}

function plain(response: ServerResponse, status: number, body: string): void {
  response
    .writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(body) })
    .end(body);
}

/** Reads a body and drops it. False where it is too large or does not come. */
function drop(request: IncomingMessage): Promise<boolean> {
  return new Promise((resolve) => {
    let size = 0;
    const late = setTimeout(() => resolve(false), BODY_WAIT);
    const done = (whole: boolean): void => {
      clearTimeout(late);
      resolve(whole);
    };
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > BODY_LIMIT) done(false);
    });
    request.on('end', () => done(true));
    request.on('error', () => done(false));
    request.on('close', () => done(false));
  });
}

function single(request: IncomingMessage): Readonly<Record<string, string | undefined>> {
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}

function baseOf(request: IncomingMessage, host: string | undefined): string {
  const scheme = (request.socket as Partial<TLSSocket>).encrypted === true ? 'https' : 'http';
  if (host !== undefined) return `${scheme}://${host}`;
  const { localAddress = '127.0.0.1', localPort = 0 } = request.socket;
  return `${scheme}://${localAddress.includes(':') ? `[${localAddress}]` : localAddress}:${localPort}`;
}
