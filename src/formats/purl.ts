import { compareUtf8, type Identity } from '#kernel';

/** The parts of a package URL (ECMA-427), as they are before encoding. */
export interface PurlParts {
  readonly type: string;
  readonly namespace?: string;
  readonly name: string;
  readonly version?: string;
  readonly qualifiers?: Readonly<Record<string, string>>;
  readonly subpath?: string;
}

/** A package URL from its parts, with the normalisation of the types that Sallyport names. */
export function formatPurl(parts: PurlParts): string {
  const type = parts.type.toLowerCase();
  const { namespace, name, version } = normalise(type, parts);
  let purl = `pkg:${type}/`;
  const folders = segments(namespace);
  if (folders.length > 0) purl += `${folders.map(encode).join('/')}/`;
  purl += encode(name);
  if (version !== '') purl += `@${encode(version)}`;
  const qualifiers = Object.entries(parts.qualifiers ?? {})
    .filter(([, value]) => value !== '')
    .map(([key, value]) => [key.toLowerCase(), value] as const)
    .sort(([a], [b]) => compareUtf8(a, b));
  if (qualifiers.length > 0) purl += `?${qualifiers.map(([key, value]) => `${key}=${encode(value)}`).join('&')}`;
  const subpath = segments(parts.subpath ?? '').filter((segment) => segment !== '.' && segment !== '..');
  if (subpath.length > 0) purl += `#${subpath.map(encode).join('/')}`;
  return purl;
}

function segments(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

/** Everything but unreserved characters and the colon is percent-encoded, as UTF-8, with upper-case digits. */
function encode(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%3A/g, ':');
}

function normalise(type: string, parts: PurlParts): { namespace: string; name: string; version: string } {
  const { namespace = '', name, version = '' } = parts;
  switch (type) {
    case 'pypi':
      return { namespace, name: name.toLowerCase().replaceAll('_', '-'), version };
    case 'npm':
    case 'deb':
    case 'github':
      return { namespace: namespace.toLowerCase(), name: name.toLowerCase(), version };
    case 'oci':
      return { namespace: '', name: name.toLowerCase(), version };
    case 'golang':
      return { namespace: namespace.toLowerCase(), name: name.toLowerCase(), version };
    default:
      return { namespace, name, version };
  }
}

/** Ecosystems whose purl type has another name. */
const TYPES: Readonly<Record<string, string>> = { files: 'generic', go: 'golang', apt: 'deb' };
/** What parts namespace and name in upstream's own spelling. */
const SEPARATORS: Readonly<Record<string, string>> = { npm: '/', go: '/', maven: ':' };

/**
 * The package URL of an artifact, for SBOMs and reports. It is derived and never read back into an identity: two npm
 * packages share one purl (`JSONStream`, `jsonstream`), and one Python project has many spellings.
 */
export function purlOf(identity: Identity): string {
  const type = TYPES[identity.ecosystem] ?? identity.ecosystem;
  if (type === 'oci') {
    const name = identity.name.slice(identity.name.lastIndexOf('/') + 1);
    const isDigest = /^sha(256|512):[0-9a-f]+$/.test(identity.version);
    const repository = identity.authority === '' ? identity.name : `${identity.authority}/${identity.name}`;
    return formatPurl({
      type,
      name,
      version: isDigest ? identity.version : '',
      qualifiers: { repository_url: repository.toLowerCase(), ...(isDigest ? {} : { tag: identity.version }) },
    });
  }
  const separator = SEPARATORS[identity.ecosystem];
  const at = separator === undefined ? -1 : identity.name.lastIndexOf(separator);
  return formatPurl({
    type,
    namespace: at < 0 ? '' : identity.name.slice(0, at),
    name: identity.name.slice(at + 1),
    version: identity.version,
  });
}
