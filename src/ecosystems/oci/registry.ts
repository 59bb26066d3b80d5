import type { Source, Upstream, UpstreamAnswer } from '#ecosystems';
import { isObject, printable } from '#kernel';
import { ociFault } from './faults.ts';
import { checkContent, type Descriptor, MANIFEST_LIMIT, MANIFEST_TYPES, OCI_INDEX, parseManifest } from './manifest.ts';
import { endpointOf, formatReference, loginOf, type Reference } from './reference.ts';

/** A manifest as it came: bytes, and what its sender called them. */
export interface Given {
  readonly bytes: Uint8Array;
  readonly media: string;
}

/** Where an image is: a registry, or a layout folder of the project. */
export interface ImageSource {
  /** The manifest of a tag or digest; undefined where there is none. The bytes of a digest are checked. */
  manifest(reference: string): Promise<Given | undefined>;
  /** A small blob, checked. */
  blob(descriptor: Descriptor, limit: number): Promise<Uint8Array>;
  /** Where `capture` fetches content from. `kind` says by which path. */
  sources(digest: string, kind: 'manifests' | 'blobs'): Promise<readonly Source[]>;
  /** Manifests that name this digest as their subject, as far as the source knows. */
  referrers(digest: string): Promise<readonly Descriptor[]>;
  /** For faults and rows. */
  readonly label: string;
}

const TOKEN_LIMIT = 1024 * 1024;
const PAGE_LIMIT = 100;

/** A registry by the distribution protocol, pull side (distribution specification 1.1). */
export function registrySource(upstream: Upstream, reference: Reference, insecure: boolean | undefined): ImageSource {
  const host = endpointOf(reference.authority);
  const scheme = insecure === true || (insecure === undefined && isLoopback(host)) ? 'http' : 'https';
  const base = `${scheme}://${host}/v2/${reference.name}`;
  const label = formatReference(reference);
  let authorization: string | undefined;

  const get = async (url: string, accept: string, limit: number): Promise<UpstreamAnswer> => {
    const ask = (): Promise<UpstreamAnswer> =>
      upstream.getBytes(
        { client: 'oci', url, headers: { accept, ...(authorization === undefined ? {} : { authorization }) } },
        limit,
      );
    let answer = await ask();
    if (answer.status === 401) {
      authorization = await authorize(upstream, answer, reference);
      answer = await ask();
    }
    if (answer.status === 401 || answer.status === 403) {
      throw ociFault('oci.access-denied', { where: label, detail: said(answer) });
    }
    if (answer.status === 429) {
      const after = answer.headers['retry-after'];
      throw ociFault('oci.rate-limited', {
        where: label,
        detail: after === undefined ? said(answer) : `It asks to wait: ${printable(after)} (seconds or date).`,
      });
    }
    if (answer.status !== 200 && answer.status !== 404) {
      throw ociFault('oci.registry-answer', { where: url, detail: said(answer) });
    }
    return answer;
  };

  return {
    label,

    async manifest(which) {
      const answer = await get(`${base}/manifests/${which}`, MANIFEST_TYPES.join(', '), MANIFEST_LIMIT);
      if (answer.status === 404) return undefined;
      const where = `${reference.authority}/${reference.name} ${which}`;
      // A tag's digest as the registry says it must be the digest of what it sent.
      const digest = which.includes(':') ? which : answer.headers['docker-content-digest'];
      if (digest !== undefined && /^sha(256|512):[0-9a-f]+$/.test(digest)) {
        checkContent(answer.bytes, digest, undefined, where);
      }
      return { bytes: answer.bytes, media: answer.headers['content-type'] ?? '' };
    },

    async blob(descriptor, limit) {
      const url = `${base}/blobs/${descriptor.digest}`;
      const answer = await get(url, '*/*', limit);
      if (answer.status === 404) throw ociFault('oci.registry-answer', { where: url, detail: said(answer) });
      checkContent(answer.bytes, descriptor.digest, descriptor.size, `${label} ${descriptor.digest}`);
      return answer.bytes;
    },

    async sources(digest, kind) {
      const accept = kind === 'manifests' ? MANIFEST_TYPES.join(', ') : '*/*';
      const headers = (): Readonly<Record<string, string>> => ({
        accept,
        ...(authorization === undefined ? {} : { authorization }),
      });
      const renew = async (): Promise<Readonly<Record<string, string>>> => {
        const url = `${scheme}://${host}/v2/`;
        const answer = await upstream.getBytes({ client: 'oci', url, headers: { accept: '*/*' } }, TOKEN_LIMIT);
        if (answer.status === 401) authorization = await authorize(upstream, answer, reference);
        return headers();
      };
      return [{ kind: 'url', url: `${base}/${kind}/${digest}`, headers: headers(), renew }];
    },

    async referrers(digest) {
      const found: Descriptor[] = [];
      let url: string | undefined = `${base}/referrers/${digest}`;
      for (let page = 0; url !== undefined; page++) {
        if (page === PAGE_LIMIT) throw ociFault('oci.too-deep', { where: url, detail: 'More than 100 pages.' });
        const answer = await get(url, OCI_INDEX, MANIFEST_LIMIT).catch((error: unknown) => {
          // Registries without this API answer anything at all; only a refusal of access or of speed is meant.
          if (isObject(error) && error['code'] === 'oci.registry-answer') return undefined;
          throw error;
        });
        if (answer === undefined || answer.status === 404) break;
        if (!(answer.headers['content-type'] ?? '').startsWith(OCI_INDEX)) break;
        const read = parseManifest(answer.bytes, OCI_INDEX, url);
        if (read.kind === 'index') found.push(...read.manifests);
        url = nextPage(answer.headers['link'], url);
      }
      return found;
    },
  };
}

/** The next page's address, of the same origin only. */
function nextPage(link: string | undefined, from: string): string | undefined {
  const next = /<([^>]+)>\s*;[^,]*rel="?next"?/.exec(link ?? '')?.[1];
  if (next === undefined || !URL.canParse(next, from)) return undefined;
  const url = new URL(next, from);
  return url.origin === new URL(from).origin ? url.href : undefined;
}

/**
 * Answers a challenge (distribution token specification; RFC 7617). Basic needs nothing here: the way out sends stored
 * credentials by itself, so a challenge after that means that there are none or that they are refused.
 */
async function authorize(upstream: Upstream, answer: UpstreamAnswer, reference: Reference): Promise<string> {
  const label = formatReference(reference);
  const challenge = answer.headers['www-authenticate'] ?? '';
  const bearer = parseChallenge(challenge);
  if (bearer === undefined) throw ociFault('oci.access-denied', { where: label, detail: said(answer) });
  const { realm, service, scope } = bearer;
  if (realm === undefined || !URL.canParse(realm)) {
    throw ociFault('oci.registry-answer', { where: label, detail: 'Its challenge names no token service.' });
  }
  const url = new URL(realm);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.host))) {
    throw ociFault('oci.insecure-registry', { where: url.origin, detail: `The token service of ${label} is meant.` });
  }
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', scope ?? `repository:${reference.name}:pull`);
  const token = await upstream.getBytes(
    { client: 'oci', url: url.href, credentialsOf: loginOf(reference.authority) },
    TOKEN_LIMIT,
  );
  if (token.status === 429) throw ociFault('oci.rate-limited', { where: label, detail: said(token) });
  if (token.status !== 200) throw ociFault('oci.access-denied', { where: label, detail: said(token) });
  const value = tokenOf(token.bytes);
  if (value === undefined) {
    throw ociFault('oci.registry-answer', { where: url.origin, detail: 'The token service gave no token.' });
  }
  return `Bearer ${value}`;
}

/** The parameters of a Bearer challenge (RFC 9110, 11.6.1; RFC 6750, 3), undefined where there is none. */
export function parseChallenge(
  header: string,
): { readonly realm?: string; readonly service?: string; readonly scope?: string } | undefined {
  const start = /(?:^|,\s*)bearer\s+/i.exec(header);
  if (start === null) return undefined;
  const found: Record<string, string> = {};
  const parameter = /\s*([A-Za-z_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|$)/y;
  parameter.lastIndex = start.index + start[0].length;
  for (let match = parameter.exec(header); match !== null; match = parameter.exec(header)) {
    const [, name = '', quoted, plain] = match;
    found[name.toLowerCase()] ??= quoted === undefined ? (plain ?? '') : quoted.replace(/\\(.)/g, '$1');
  }
  return found;
}

function tokenOf(bytes: Uint8Array): string | undefined {
  try {
    const document: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const token = isObject(document) ? (document['token'] ?? document['access_token']) : undefined;
    return typeof token === 'string' && /^[\x21-\x7e]+$/.test(token) ? token : undefined;
  } catch {
    return undefined;
  }
}

export function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return name === 'localhost' || name === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

/** What a registry said, in a few words: status, and the first error of its document. */
function said(answer: UpstreamAnswer): string {
  let message = '';
  try {
    const document: unknown = JSON.parse(new TextDecoder().decode(answer.bytes.subarray(0, 65_536)));
    const first: unknown = isObject(document) && Array.isArray(document['errors']) ? document['errors'][0] : undefined;
    if (isObject(first))
      message = [first['code'], first['message']].filter((one) => typeof one === 'string').join(': ');
  } catch {
    message = '';
  }
  return `It answered ${answer.status}${message === '' ? '' : ` (${printable(message.slice(0, 300))})`}.`;
}
