import type { LookupFunction } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { errorCode, errorMessage, printable } from '#kernel';
import { networkFault } from './network-faults.ts';

/** The way out that one client's settings give: its proxies, authorities and credentials. */
export interface Route {
  /** Addresses of proxies, with credentials where they need some; '' for none. */
  readonly httpProxy: string;
  readonly httpsProxy: string;
  /** Hosts that are reached directly, as in NO_PROXY. */
  readonly noProxy: string;
  /** PEM certificates of authorities, in place of the default ones. */
  readonly authorities?: readonly string[];
  /** Hosts whose certificate is not checked because the client says so (strict-ssl=false, trusted-host). */
  readonly unchecked?: (host: string) => boolean;
  /** Value of `authorization` for exactly this address, or undefined. Asked again for every hop of a redirect. */
  readonly authorization?: (url: URL) => string | undefined;
}

export interface NetworkRequest {
  readonly url: string;
  /** Lower-case names. A `authorization` or `cookie` among them is sent to the first address's origin only. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly route: Route;
}

export interface NetworkAnswer {
  readonly status: number;
  /** Lower-case names; repeated headers are joined with `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** Final address, without secrets. */
  readonly origin: string;
  /** Must be read to the end or destroyed. */
  readonly body: AsyncIterable<Uint8Array> & { destroy(): void };
}

/** One request, passed on for somebody else. */
export interface ExchangeRequest {
  readonly method: string;
  readonly url: string;
  readonly route: Route;
  /** Lower-case names. Only where it has no `authorization` of its own is that of the route added. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body?: AsyncIterable<Uint8Array>;
  /** Ends this one exchange. */
  readonly signal: AbortSignal;
}

export interface ExchangeAnswer {
  readonly status: number;
  /** Lower-case names, as often as they came. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** As it came: no coding is undone. Must be read to the end or destroyed. */
  readonly body: AsyncIterable<Uint8Array> & { destroy(): void };
}

/** Where a download goes. */
export interface DownloadSink {
  /** Bytes that are there, from before too. */
  readonly size: number;
  /** `ETag` or `Last-Modified` of what is there, for If-Range; '' where none is known. */
  readonly validator: string;
  /** What is there does not go on: begins again with nothing. */
  restart(): Promise<void>;
  /** Told before the first byte of an answer. */
  begin(answer: { validator: string; total: number | undefined }): Promise<void>;
  write(bytes: Uint8Array): Promise<void>;
}

export interface Network {
  /** GET, with retries until an answer begins. Redirects are followed; every other status is an answer. */
  get(request: NetworkRequest): Promise<NetworkAnswer>;
  /** GET of at most `limit` bytes, with retries until it is whole. */
  getBytes(
    request: NetworkRequest,
    limit: number,
  ): Promise<{ status: number; headers: Readonly<Record<string, string>>; bytes: Uint8Array }>;
  /**
   * GET into a sink, which is resumed by Range where it broke off, in this run or an earlier one. Throws
   * network.refused for any status but 200 and 206. At most `limit` bytes.
   */
  download(request: NetworkRequest, sink: DownloadSink, limit: number): Promise<void>;
  /**
   * One request and its answer as they are: any method, one attempt, no redirect followed, no coding undone. Throws
   * network.unreachable and network.certificate.
   */
  exchange(request: ExchangeRequest): Promise<ExchangeAnswer>;
  /** Requests that were sent, redirects and retries included. */
  requests(): number;
  close(): Promise<void>;
}

export interface NetworkOptions {
  readonly signal: AbortSignal;
  /** Product and version, for `user-agent`. */
  readonly agent: string;
  /** Attempts in all. Default 5. */
  readonly attempts?: number;
  /** Wait before the second attempt in milliseconds, doubled for each further one. Default 400. */
  readonly backoff?: number;
  /** Milliseconds without a byte after which a connection counts as broken. Default 60000. */
  readonly quiet?: number;
  /** How names of hosts that are reached without a proxy become addresses. Default: as the system does it. */
  readonly lookup?: LookupFunction;
}

const REDIRECTS = 10;
const AGAIN = new Set([408, 425, 429, 500, 502, 503, 504]);
/** Longest Retry-After that is waited for, in milliseconds. */
const PATIENCE = 120_000;

/** Opens the way out. undici is loaded here, so that commands that stay inside never load it. */
export async function openNetwork(options: NetworkOptions): Promise<Network> {
  const { EnvHttpProxyAgent } = await import('undici');
  const { signal } = options;
  const attempts = options.attempts ?? 5;
  const backoff = options.backoff ?? 400;
  const quiet = options.quiet ?? 60_000;
  const agents = new Map<Route, { checked: Dispatcher; unchecked?: Dispatcher }>();
  let sent = 0;

  function agentFor(route: Route, host: string): Dispatcher {
    const make = (rejectUnauthorized: boolean): Dispatcher => {
      const tls = {
        rejectUnauthorized,
        ...(route.authorities === undefined ? {} : { ca: [...route.authorities] }),
      };
      return new EnvHttpProxyAgent({
        httpProxy: route.httpProxy,
        httpsProxy: route.httpsProxy === '' ? route.httpProxy : route.httpsProxy,
        noProxy: route.noProxy,
        connect: { timeout: 20_000, ...tls, ...(options.lookup === undefined ? {} : { lookup: options.lookup }) },
        requestTls: tls,
        proxyTls: tls,
        headersTimeout: quiet,
        bodyTimeout: quiet,
        keepAliveTimeout: 10_000,
        connections: 16,
      });
    };
    const known = agents.get(route) ?? { checked: make(true) };
    agents.set(route, known);
    if (route.unchecked?.(host) !== true) return known.checked;
    known.unchecked ??= make(false);
    return known.unchecked;
  }

  /** One request and its redirects. Throws system errors as they come. */
  async function once(request: NetworkRequest, extra: Readonly<Record<string, string>>): Promise<NetworkAnswer> {
    const first = parseAddress(request.url);
    const own = userinfo(first);
    let url = bare(first);
    for (let hop = 0; ; hop++) {
      signal.throwIfAborted();
      const headers: Record<string, string> = {
        'user-agent': options.agent,
        accept: '*/*',
        // Bytes are hashed as they come: a second encoding would only hide them.
        'accept-encoding': 'identity',
        ...request.headers,
        ...extra,
      };
      if (url.origin !== first.origin) {
        delete headers['authorization'];
        delete headers['cookie'];
      }
      if (headers['authorization'] === undefined) {
        const known = (url.origin === first.origin ? own : undefined) ?? request.route.authorization?.(url);
        if (known !== undefined) headers['authorization'] = known;
      }
      sent += 1;
      const answer = await agentFor(request.route, url.host).request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: 'GET',
        headers,
        signal,
      });
      const flat: Record<string, string> = {};
      for (const [name, value] of Object.entries(answer.headers)) {
        if (value !== undefined) flat[name] = Array.isArray(value) ? value.join(', ') : value;
      }
      const location = flat['location'];
      if (answer.statusCode >= 301 && answer.statusCode <= 308 && answer.statusCode !== 304 && location !== undefined) {
        await answer.body.dump({ limit: 65_536 }).catch(() => undefined);
        if (hop === REDIRECTS) {
          throw networkFault('network.redirect', {
            where: withoutSecrets(url),
            detail: `There were more than ${REDIRECTS} redirects.`,
          });
        }
        const next = URL.canParse(location, url) ? new URL(location, url) : undefined;
        if (next === undefined || (next.protocol !== 'https:' && next.protocol !== 'http:')) {
          throw networkFault('network.redirect', {
            where: withoutSecrets(url),
            detail: 'It leads to something that is no web address.',
          });
        }
        if (url.protocol === 'https:' && next.protocol === 'http:') {
          throw networkFault('network.redirect', {
            where: withoutSecrets(url),
            detail: `It leads from https to ${withoutSecrets(next)}.`,
          });
        }
        url = bare(next);
        continue;
      }
      const body = answer.body as unknown as AsyncIterable<Uint8Array> & {
        destroy(): void;
        on(name: 'error', act: () => void): void;
      };
      // Destroying an unread body emits an error that nobody waits for.
      body.on('error', () => undefined);
      return { status: answer.statusCode, headers: flat, origin: withoutSecrets(url), body };
    }
  }

  async function wait(attempt: number, answer: NetworkAnswer | undefined): Promise<void> {
    const said = answer === undefined ? undefined : retryAfter(answer.headers['retry-after']);
    const own = backoff * 2 ** (attempt - 1) * (0.75 + Math.random() / 2);
    await sleep(Math.min(PATIENCE, Math.max(said ?? 0, own)), undefined, { signal });
  }

  async function get(request: NetworkRequest, extra: Readonly<Record<string, string>> = {}): Promise<NetworkAnswer> {
    for (let attempt = 1; ; attempt++) {
      let answer: NetworkAnswer;
      try {
        answer = await once(request, extra);
      } catch (error) {
        signal.throwIfAborted();
        if (!isPassing(error) || attempt >= attempts) throw unreachable(error, request.url);
        await wait(attempt, undefined);
        continue;
      }
      if (!AGAIN.has(answer.status) || attempt >= attempts) return answer;
      answer.body.destroy();
      await wait(attempt, answer);
    }
  }

  return {
    get: (request) => get(request),

    async getBytes(request, limit) {
      for (let attempt = 1; ; attempt++) {
        // Documents are text that shrinks ten times; artifacts travel as they are, so that a Range means their bytes.
        const answer = await get(request, { 'accept-encoding': 'gzip' });
        try {
          const parts: Uint8Array[] = [];
          let size = 0;
          for await (const part of decoded(answer)) {
            size += part.length;
            if (size > limit) {
              answer.body.destroy();
              throw networkFault('network.too-large', { where: answer.origin, detail: `The limit is ${limit} bytes.` });
            }
            parts.push(part);
          }
          return { status: answer.status, headers: answer.headers, bytes: Buffer.concat(parts) };
        } catch (error) {
          signal.throwIfAborted();
          if (!isPassing(error) || attempt >= attempts) throw unreachable(error, request.url);
          await wait(attempt, undefined);
        }
      }
    },

    async download(request, sink, limit) {
      let failures = 0;
      for (;;) {
        const before = sink.size;
        const range: Record<string, string> =
          before === 0
            ? {}
            : { range: `bytes=${before}-`, ...(sink.validator === '' ? {} : { 'if-range': sink.validator }) };
        const answer = await get(request, range);
        const where = answer.origin;
        if (answer.status === 416 && before > 0) {
          answer.body.destroy();
          // What is there may be all of it; the hash will say. Anything else begins again.
          if (answer.headers['content-range'] === `bytes */${before}`) return;
          await sink.restart();
          continue;
        }
        if (answer.status !== 200 && answer.status !== 206) {
          answer.body.destroy();
          throw networkFault('network.refused', {
            where,
            detail: `The status was ${answer.status}.`,
            cause: answer.status,
          });
        }
        let from = 0;
        if (answer.status === 206) {
          const start = /^bytes (\d+)-/.exec(answer.headers['content-range'] ?? '')?.[1];
          if (start === undefined || Number(start) !== before) {
            answer.body.destroy();
            if (before === 0)
              throw networkFault('network.refused', { where, detail: 'It sent a part that was not asked for.' });
            await sink.restart();
            continue;
          }
          from = before;
        } else if (before > 0) await sink.restart();
        const length = answer.headers['content-length'];
        const total = length === undefined || !/^\d+$/.test(length) ? undefined : from + Number(length);
        const tooLarge = (): Error =>
          networkFault('network.too-large', { where, detail: `At most ${limit} bytes are expected.` });
        try {
          if (total !== undefined && total > limit) throw tooLarge();
          await sink.begin({ validator: validatorOf(answer.headers), total });
          for await (const part of answer.body) {
            if (sink.size + part.length > limit) throw tooLarge();
            await sink.write(part);
          }
          if (total === undefined || sink.size === total) return;
          throw Object.assign(new Error('the answer ended early'), { code: 'ECONNRESET' });
        } catch (error) {
          answer.body.destroy();
          signal.throwIfAborted();
          // Progress buys further attempts: a large file over a bad line ends at some time.
          failures = sink.size > before ? 1 : failures + 1;
          if (!isPassing(error) || failures >= attempts) throw unreachable(error, request.url);
          await wait(failures, undefined);
        }
      }
    },

    async exchange(request) {
      const url = bare(parseAddress(request.url));
      const headers: Record<string, string | string[]> = { ...request.headers };
      if (headers['authorization'] === undefined) {
        const known = request.route.authorization?.(url);
        if (known !== undefined) headers['authorization'] = known;
      }
      sent += 1;
      try {
        const answer = await agentFor(request.route, url.host).request({
          origin: url.origin,
          path: url.pathname + url.search,
          method: request.method as Dispatcher.HttpMethod,
          headers,
          body: request.body === undefined ? null : Readable.from(request.body, { objectMode: false }),
          signal: AbortSignal.any([signal, request.signal]),
        });
        const flat: [string, string][] = [];
        for (const [name, value] of Object.entries(answer.headers)) {
          for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) flat.push([name, one]);
        }
        const body = answer.body as unknown as ExchangeAnswer['body'] & { on(name: 'error', act: () => void): void };
        body.on('error', () => undefined);
        return { status: answer.statusCode, headers: flat, body };
      } catch (error) {
        signal.throwIfAborted();
        request.signal.throwIfAborted();
        throw unreachable(error, request.url);
      }
    },

    requests: () => sent,

    async close() {
      for (const { checked, unchecked } of agents.values()) {
        await checked.destroy();
        await unchecked?.destroy();
      }
      agents.clear();
    },
  };
}

/** The body without its content coding; one that was not asked for is not understood. */
function decoded(answer: NetworkAnswer): AsyncIterable<Uint8Array> {
  const coding = answer.headers['content-encoding'] ?? 'identity';
  if (coding === 'identity' || coding === '') return answer.body;
  if (coding === 'gzip' || coding === 'x-gzip') {
    const body = answer.body as unknown as Readable;
    const gunzip = createGunzip();
    body.on('error', (error) => gunzip.destroy(error));
    gunzip.on('close', () => answer.body.destroy());
    return body.pipe(gunzip);
  }
  answer.body.destroy();
  throw networkFault('network.refused', {
    where: answer.origin,
    detail: `It used the content coding ${printable(coding)}.`,
  });
}

/** An address fit for logs, locks and faults: no user, no password, no query, no fragment. */
export function withoutSecrets(url: string | URL): string {
  if (typeof url === 'string' && !URL.canParse(url))
    return printable(url.replace(/\/\/[^/@]*@/, '//').replace(/[?#].*$/s, ''));
  const copy = new URL(url);
  copy.username = '';
  copy.password = '';
  copy.search = '';
  copy.hash = '';
  return printable(copy.href);
}

/** Basic credentials for `authorization`. */
export function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`;
}

/** The proxies that the environment names, lower case first as curl does; ALL_PROXY counts where it is HTTP. */
export function environmentProxies(env: Readonly<Record<string, string | undefined>>): {
  httpProxy: string;
  httpsProxy: string;
  noProxy: string;
} {
  const of = (name: string): string => env[name.toLowerCase()] || env[name.toUpperCase()] || '';
  const all = /^https?:/i.test(of('all_proxy')) ? of('all_proxy') : '';
  return {
    httpProxy: of('http_proxy') || all,
    httpsProxy: of('https_proxy') || all,
    noProxy: of('no_proxy'),
  };
}

/** What curl and container tools would trust: Node's authorities, NODE_EXTRA_CA_CERTS, and those of the system. */
export function machineAuthorities(): string[] {
  // It takes as long to load as a third of a start, and few commands need it.
  const { getCACertificates } = process.getBuiltinModule('node:tls');
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
}

function parseAddress(url: string): URL {
  if (!URL.canParse(url))
    throw networkFault('network.refused', { where: withoutSecrets(url), detail: 'It is no address.' });
  const parsed = new URL(url);
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:') {
    throw networkFault('network.refused', {
      where: withoutSecrets(url),
      detail: `The scheme ${printable(parsed.protocol)} is not used here.`,
    });
  }
  return parsed;
}

function bare(url: URL): URL {
  const copy = new URL(url);
  copy.username = '';
  copy.password = '';
  copy.hash = '';
  return copy;
}

function userinfo(url: URL): string | undefined {
  if (url.username === '' && url.password === '') return undefined;
  return basic(decode(url.username), decode(url.password));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A strong ETag, else Last-Modified (RFC 9110, 13.1.5: a weak one never matches If-Range). */
function validatorOf(headers: Readonly<Record<string, string>>): string {
  const tag = headers['etag'] ?? '';
  if (/^"[^"]*"$/.test(tag)) return tag;
  return headers['last-modified'] ?? '';
}

/** Milliseconds; RFC 9110, 10.2.3. */
function retryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,6}$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

const PASSING = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'HPE_INVALID_EOF_STATE',
  'Z_BUF_ERROR',
]);

function isPassing(error: unknown): boolean {
  return PASSING.has(codeOf(error));
}

/** The code of an error, or of the first of the errors that it stands for. */
function codeOf(error: unknown): string {
  const own = errorCode(error);
  if (own !== '') return own;
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return error instanceof Error && error.cause !== undefined ? codeOf(error.cause) : '';
}

/**
 * A network error as a fault. The original is not kept as its cause: what the library hangs on its errors can hold
 * headers, and headers hold credentials.
 */
function unreachable(error: unknown, url: string): unknown {
  const code = codeOf(error);
  const where = withoutSecrets(url);
  if (/CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|EPROTO/.test(code)) {
    return networkFault('network.certificate', { where, detail: `${code}.` });
  }
  if (
    PASSING.has(code) ||
    code === 'ENOTFOUND' ||
    code.startsWith('UND_ERR') ||
    code.startsWith('HPE_') ||
    code.startsWith('Z_')
  ) {
    const said = code === 'UND_ERR_ABORTED' ? errorMessage(error) : code;
    return networkFault('network.unreachable', { where, detail: `${printable(said)}.` });
  }
  return error;
}
