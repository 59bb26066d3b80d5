import { createHash } from 'node:crypto';
import { lookup as lookupName } from 'node:dns';
import { constants, performServerHandshake, type ServerHttp2Stream } from 'node:http2';
import { isIP, type LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { digestFromHex, digestOf, errorMessage, isFault, printable } from '#kernel';
import { type ExchangeAnswer, type Network, type NetworkOptions, type Route, withoutSecrets } from '#system';
import { isPublicAddress } from './public-address.ts';
import {
  ANSWER_HEADER,
  type AskedRequest,
  decodeWords,
  encodeWords,
  endToEnd,
  type HeaderPair,
  REQUEST_HEADER,
  SESSION_WINDOW,
  WHOLE_TRAILER,
  WINDOW,
  WORDS_LIMIT,
} from '../recorder-channel.ts';
import { type Outcome, Recording } from '../recording.ts';

/** What programs may ask for. */
export interface Permission {
  /** Hosts as URLs write them (name, or name:port). Undefined: every host with a public address. */
  readonly hosts?: readonly string[];
  /** Hosts that the machine's own settings name: they may have any address. */
  readonly known: readonly string[];
  /** Addresses to which a body may be sent, with everything below them. Elsewhere only GET and HEAD are passed on. */
  readonly posts?: readonly string[];
}

export interface ExchangeOptions {
  readonly permission: Permission;
  /** The way out, which is its caller's to give: this context has none. */
  readonly openNetwork: (options: NetworkOptions) => Promise<Network>;
  /** The machine's way to an address: proxies, authorities, credentials. */
  readonly routeFor: (url: URL) => Promise<Route>;
  /** `user-agent` for requests that name none. */
  readonly agent: string;
  readonly signal: AbortSignal;
}

const REFUSED_ADDRESS = 'ERR_SALLYPORT_ADDRESS';
/** Bytes of a body that a program may send. */
const SENT_LIMIT = 64 * 1024 * 1024;

/** Performs the requests that come over the channel, each once, and writes them down. */
export async function openExchange(channel: Duplex, options: ExchangeOptions) {
  const { permission, signal } = options;
  const recording = new Recording();
  const network = await options.openNetwork({ signal, agent: options.agent, lookup: guardedLookup(permission) });
  const session = performServerHandshake(channel, {
    settings: { initialWindowSize: WINDOW, maxConcurrentStreams: 1000, enablePush: false },
  });
  session.setLocalWindowSize(SESSION_WINDOW);
  session.on('error', () => undefined);
  const live = new Set<Promise<void>>();
  session.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    const done = perform(stream, decodeWords<AskedRequest>(headers[REQUEST_HEADER])).finally(() => live.delete(done));
    live.add(done);
  });

  async function perform(stream: ServerHttp2Stream, asked: AskedRequest): Promise<void> {
    const url = new URL(asked.url);
    const exchange = recording.begin(
      {
        time: new Date().toISOString(),
        machine: asked.machine,
        ...(asked.process === undefined
          ? {}
          : { process: { ...asked.process, command: printable(asked.process.command) } }),
        ...(asked.package === undefined ? {} : { package: printable(asked.package) }),
        method: printable(asked.method),
        url: withoutSecrets(url),
        ...(url.search === '' ? {} : { query: digestOf(url.search) }),
      },
      url.href,
    );
    const answerPlainly = (status: number, outcome: Outcome): void => {
      exchange.end(outcome);
      const text = `sallyport: ${outcome.detail ?? ''}\n`;
      respond(stream, status, [
        ['content-type', 'text/plain; charset=utf-8'],
        ['content-length', String(Buffer.byteLength(text))],
      ]);
      if (!stream.destroyed) finish(stream, text);
    };
    const refusal = refusalOf(asked, url, permission);
    if (refusal !== undefined) {
      stream.resume();
      return answerPlainly(403, { outcome: 'refused', size: 0, detail: refusal });
    }

    const gone = new AbortController();
    stream.once('close', () => gone.abort());
    const sent = asked.hasBody ? { hash: createHash('sha256'), size: 0 } : undefined;
    const sentWords = (): Pick<Outcome, 'sent'> =>
      sent === undefined ? {} : { sent: { digest: digestFromHex(sent.hash.copy().digest('hex')), size: sent.size } };
    async function* body(): AsyncGenerator<Uint8Array> {
      for await (const piece of stream as AsyncIterable<Buffer>) {
        if (sent === undefined) continue;
        sent.size += piece.length;
        if (sent.size > SENT_LIMIT) throw new RangeError(`More than ${SENT_LIMIT} bytes were sent.`);
        sent.hash.update(piece);
        yield piece;
      }
    }
    let answer: ExchangeAnswer;
    try {
      const route = await options.routeFor(url);
      answer = await network.exchange({
        method: asked.method,
        url: url.href,
        headers: forUpstream(asked.headers, options.agent),
        // A secret that we add would be readable on the way.
        route: mayCarrySecrets(url) ? route : { ...route, authorization: () => undefined },
        ...(asked.hasBody ? { body: body() } : {}),
        signal: gone.signal,
      });
    } catch (error) {
      if (signal.aborted) return void stream.close(constants.NGHTTP2_CANCEL);
      if (gone.signal.aborted) {
        return exchange.end({
          outcome: 'broken',
          size: 0,
          detail: 'The program left before an answer came.',
          ...sentWords(),
        });
      }
      if (isGuard(error)) {
        return answerPlainly(403, { outcome: 'refused', size: 0, detail: notPublic(url) });
      }
      const detail = isFault(error) ? error.message : errorMessage(error);
      return answerPlainly(502, { outcome: 'failed', size: 0, detail: printable(detail), ...sentWords() });
    }
    await giveBack(stream, asked, url, answer, (outcome) => exchange.end({ ...outcome, ...sentWords() }));
  }

  return {
    recording,
    /** Resolves when no request is under way, at most after the time. */
    async settle(milliseconds: number): Promise<void> {
      const timer = new Promise((resolve) => setTimeout(resolve, milliseconds).unref());
      await Promise.race([Promise.allSettled(live), timer]);
    },
    async close(): Promise<void> {
      session.destroy();
      await network.close();
    },
  };
}

/** Streams upstream's answer to the program and tells how it ended. */
async function giveBack(
  stream: ServerHttp2Stream,
  asked: AskedRequest,
  url: URL,
  answer: ExchangeAnswer,
  end: (outcome: Outcome) => void,
): Promise<void> {
  const { status } = answer;
  const valueOf = (wanted: string): string | undefined => answer.headers.find(([name]) => name === wanted)?.[1];
  const coding = valueOf('content-encoding');
  const range = status === 206 ? valueOf('content-range') : undefined;
  const location = status >= 301 && status <= 308 && status !== 304 ? locationOf(valueOf('location'), url) : undefined;
  const known = {
    status,
    ...(coding === undefined ? {} : { coding: printable(coding) }),
    ...(range === undefined ? {} : { range: printable(range) }),
    ...(location === undefined ? {} : { location }),
  };
  const hash = createHash('sha256');
  let size = 0;
  try {
    if (!respond(stream, status, answer.headers)) {
      answer.body.destroy();
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      return end({ ...known, outcome: 'broken', size, detail: 'The headers of the answer are too large.' });
    }
    for await (const piece of answer.body) {
      hash.update(piece);
      size += piece.length;
      if (stream.destroyed) throw new Error('The program left before the end.');
      if (!stream.write(piece)) await drained(stream);
    }
    await finish(stream);
    if (stream.destroyed && !stream.writableFinished) throw new Error('The program left before the end.');
    const digest = digestFromHex(hash.digest('hex'));
    const hasContent = asked.method !== 'HEAD' && status !== 204 && status !== 304;
    end({ ...known, outcome: 'answered', size, ...(hasContent ? { digest } : {}) });
  } catch (error) {
    answer.body.destroy();
    const left = stream.destroyed;
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    const detail = left ? 'The program left before the end.' : `The answer broke off: ${errorMessage(error)}`;
    end({ ...known, outcome: 'broken', size, detail: printable(detail) });
  }
}

/** Ends a body that is whole, and says so. Resolves when it is on its way, or cannot be any more. */
function finish(stream: ServerHttp2Stream, text?: string): Promise<void> {
  return new Promise((resolve) => {
    stream.once('wantTrailers', () => stream.sendTrailers({ [WHOLE_TRAILER]: 'yes' }));
    stream.once('close', resolve);
    stream.end(text);
    if (stream.destroyed) resolve();
  });
}

function drained(stream: ServerHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.once('drain', done);
    stream.once('close', done);
    if (stream.destroyed) done();
  });
}

/** False where the headers are too large to be passed on. */
function respond(stream: ServerHttp2Stream, status: number, headers: readonly HeaderPair[]): boolean {
  if (stream.destroyed || stream.closed) return true;
  const words = encodeWords({ status, headers: endToEnd(headers) });
  if (words.length > WORDS_LIMIT) return false;
  stream.respond({ ':status': 200, [ANSWER_HEADER]: words }, { waitForTrailers: true });
  return true;
}

/** Why a request is not passed on, in words for the program and the record. */
function refusalOf(asked: AskedRequest, url: URL, permission: Permission): string | undefined {
  const host = url.host;
  const isNamed = (list: readonly string[]): boolean => list.includes(host) || list.includes(url.hostname);
  if (permission.hosts !== undefined && !isNamed(permission.hosts) && !isNamed(permission.known)) {
    return `${printable(host)} is not among the hosts that may be reached.`;
  }
  const isRead = (asked.method === 'GET' || asked.method === 'HEAD') && !asked.hasBody;
  if (!isRead && !(permission.posts ?? []).some((prefix) => isBelowAddress(url, prefix))) {
    return `${printable(asked.method)}${asked.hasBody ? ' with a body' : ''} is not declared for this address; GET and HEAD are passed on.`;
  }
  const bare = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(bare) !== 0 && !isPublicAddress(bare) && !isNamed([...permission.known, ...(permission.hosts ?? [])])) {
    return notPublic(url);
  }
  return undefined;
}

function notPublic(url: URL): string {
  return `${printable(url.host)} has an address of this machine or its own network, and neither the client's settings nor the project names it.`;
}

function isBelowAddress(url: URL, prefix: string): boolean {
  if (!URL.canParse(prefix)) return false;
  const { origin, pathname } = new URL(prefix);
  if (url.origin !== origin) return false;
  return url.pathname === pathname || url.pathname.startsWith(pathname.endsWith('/') ? pathname : `${pathname}/`);
}

/**
 * Names are looked up here, in the moment of connecting, so that a name cannot mean a public address when it is judged and
 * this machine when it is used. Through a proxy it is the proxy that looks up.
 */
function guardedLookup({ known, hosts }: Permission): LookupFunction {
  const named = new Set([...known, ...(hosts ?? [])].map((host) => host.replace(/:\d+$/, '')));
  return (hostname, options, callback) => {
    lookupName(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '');
      const fit = named.has(hostname) ? addresses : addresses.filter(({ address }) => isPublicAddress(address));
      const [first] = fit;
      if (first === undefined) {
        return callback(Object.assign(new Error('not a public address'), { code: REFUSED_ADDRESS }), '');
      }
      if (options.all === true) callback(null, fit);
      else callback(null, first.address, first.family);
    });
  };
}

function isGuard(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    if ((at as NodeJS.ErrnoException).code === REFUSED_ADDRESS) return true;
  }
  return false;
}

function forUpstream(headers: readonly HeaderPair[], agent: string): Record<string, string | string[]> {
  const result: Record<string, string | string[]> = { 'user-agent': agent };
  const seen = new Set<string>();
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    const before = seen.has(lower) ? result[lower] : undefined;
    result[lower] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
    seen.add(lower);
  }
  // So that digests of one content are one digest, whatever the client can unpack.
  result['accept-encoding'] = 'identity';
  return result;
}

function locationOf(value: string | undefined, url: URL): string | undefined {
  if (value === undefined || !URL.canParse(value, url)) return undefined;
  const next = new URL(value, url);
  next.hash = '';
  next.username = '';
  next.password = '';
  return next.href;
}

function mayCarrySecrets({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
}
