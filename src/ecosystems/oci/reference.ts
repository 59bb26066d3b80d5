import { ociFault } from './faults.ts';
import { printable } from '#kernel';

/**
 * An image reference in canonical form. Grammar: distribution/reference, `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`; without
 * a host it is Docker's own registry, and a single part there stands below `library/`.
 */
export interface Reference {
  /** Canonical host and port: the part of the identity. */
  readonly authority: string;
  readonly name: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/**
 * Hosts that are one registry under several names. `endpoint` is where its protocol is spoken, which is not the name
 * that everybody writes; `login` is the name under which Docker stores its credentials.
 */
const CANONICAL: readonly {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly endpoint: string;
  readonly login: string;
}[] = [
  {
    name: 'docker.io',
    aliases: ['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'],
    endpoint: 'registry-1.docker.io',
    login: 'index.docker.io',
  },
];

const HOST =
  /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/;
const PART = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;
const NAME_LIMIT = 255;

export function parseReference(text: string, where = ''): Reference {
  const refuse = (detail: string): Error =>
    ociFault('oci.reference-malformed', { where, detail: `'${printable(text)}': ${detail}` });
  const at = text.indexOf('@');
  const digest = at === -1 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isContentDigest(digest)) throw refuse('after @ stands no sha256 or sha512 digest.');
  const rest = at === -1 ? text : text.slice(0, at);
  const colon = rest.lastIndexOf(':');
  const tagged = colon > rest.lastIndexOf('/');
  const first = rest.slice(0, Math.max(0, rest.indexOf('/')));
  const tag = tagged ? rest.slice(colon + 1) : undefined;
  if (tag !== undefined && !isTag(tag)) throw refuse('after : stands no tag.');
  const path = tagged ? rest.slice(0, colon) : rest;
  const hosted = isAuthorityLike(first);
  const host = hosted ? first.toLowerCase() : 'docker.io';
  if (!HOST.test(host)) throw refuse('the host cannot be read.');
  const authority = canonicalAuthority(host);
  const name = canonicalName(authority, hosted ? path.slice(first.length + 1) : path);
  if (!isRepository(name)) throw refuse('the name is not of lower-case parts joined by /.');
  return { authority, name, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

/** Whether the first part of a reference is a host: the rule by which all clients tell `a/b` from `a.b/c`. */
export function isAuthorityLike(part: string): boolean {
  return part.includes('.') || part.includes(':') || part === 'localhost';
}

export function canonicalAuthority(host: string): string {
  const lower = host.toLowerCase();
  return CANONICAL.find((one) => one.aliases.includes(lower))?.name ?? lower;
}

/** Repository name as its registry knows it. */
export function canonicalName(authority: string, name: string): string {
  return authority === 'docker.io' && !name.includes('/') ? `library/${name}` : name;
}

/** The host at which an authority's protocol is spoken. */
export function endpointOf(authority: string): string {
  return CANONICAL.find((one) => one.name === authority)?.endpoint ?? authority;
}

/** The host under which clients store credentials for an authority. */
export function loginOf(authority: string): string {
  return CANONICAL.find((one) => one.name === authority)?.login ?? authority;
}

export function isRepository(name: string): boolean {
  return name.length <= NAME_LIMIT && name.split('/').every((part) => PART.test(part));
}

export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** A digest of an algorithm that we can check. */
export function isContentDigest(text: string): boolean {
  return DIGEST.test(text);
}

export function formatReference(reference: Reference): string {
  const { authority, name, tag, digest } = reference;
  return `${authority}/${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}
