/**
 * What the recorder inside and the product outside say to each other about one request. They speak HTTP/2 over the
 * agent's channel, for its streams and their flow control; the request and the answer that are meant travel whole in one
 * header each, so that nothing a client or an upstream writes has a meaning there.
 */

/** The longest that one of them may be, in bytes of base64: HTTP/1 headers are at most 16 KiB here. */
export const WORDS_LIMIT = 60_000;
export const REQUEST_HEADER = 'sallyport-request';
export const ANSWER_HEADER = 'sallyport-answer';
/** A trailer after a body that is whole. A stream of HTTP/2 that was reset can look like one that has ended. */
export const WHOLE_TRAILER = 'sallyport-whole';
/** Bytes on their way in each direction, for each request and for all of them. */
export const WINDOW = 256 * 1024;
// A program may read one of many answers to its end before it turns to the next.
export const SESSION_WINDOW = 256 * WINDOW;

export type HeaderPair = readonly [name: string, value: string];

export interface AskedRequest {
  readonly machine: string;
  /** Who asks, where that is known. */
  readonly process?: { readonly pid: number; readonly command: string };
  readonly package?: string;
  readonly method: string;
  /** Absolute, with a path and perhaps a query; never with userinfo or fragment. */
  readonly url: string;
  /** Without those that are about one connection (RFC 9110, 7.6.1). */
  readonly headers: readonly HeaderPair[];
  /** Whether a body follows. */
  readonly hasBody: boolean;
}

export interface GivenAnswer {
  readonly status: number;
  readonly headers: readonly HeaderPair[];
}

export function encodeWords(words: AskedRequest | GivenAnswer): string {
  return Buffer.from(JSON.stringify(words), 'utf8').toString('base64url');
}

/** The words come from our own other half; only their size was checked. */
export function decodeWords<T extends AskedRequest | GivenAnswer>(text: unknown): T {
  return JSON.parse(Buffer.from(String(text), 'base64url').toString('utf8')) as T;
}

const CONNECTION_HEADERS = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  // Would send the client past the recorder the next time.
  'alt-svc',
]);

/** The headers that are not about this one connection. */
export function endToEnd(headers: readonly HeaderPair[]): HeaderPair[] {
  const named = new Set(
    headers
      .filter(([name]) => name.toLowerCase() === 'connection')
      .flatMap(([, value]) => value.split(',').map((part) => part.trim().toLowerCase())),
  );
  return headers.filter(([name]) => {
    const lower = name.toLowerCase();
    return !CONNECTION_HEADERS.has(lower) && !named.has(lower);
  });
}

/** `[a, 1, b, 2]` as pairs, as node:http keeps raw headers. */
export function pairsOf(flat: readonly string[]): HeaderPair[] {
  const pairs: HeaderPair[] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) pairs.push([flat[at] ?? '', flat[at + 1] ?? '']);
  return pairs;
}

/** A Host header as name and port (RFC 9110, 7.2), or undefined. Names are lower-cased; an IPv6 address keeps its brackets. */
export function readHost(value: string | undefined): { readonly name: string; readonly port?: number } | undefined {
  const [, name, port] = /^([A-Za-z0-9._~-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?$/.exec(value ?? '') ?? [];
  if (name === undefined) return undefined;
  if (port === undefined) return { name: name.toLowerCase() };
  const number = Number(port);
  return number < 1 || number > 65535 ? undefined : { name: name.toLowerCase(), port: number };
}
