import { compareUtf8, type Identity } from '#kernel';
import { isProblem, type Problem, problem } from './problem.ts';

/** The parts of a package URL (ECMA-427), as they are before encoding. */
export interface PurlParts {
  readonly type: string;
  readonly namespace?: string;
  readonly name: string;
  readonly version?: string;
  readonly qualifiers?: Readonly<Record<string, string>>;
  readonly subpath?: string;
}

/** A purl that was read; parts that are not there are empty. */
export interface Purl {
  readonly type: string;
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  readonly qualifiers: Readonly<Record<string, string>>;
  readonly subpath: string;
}

/** A package URL from its parts, in canonical form. Throws for parts that no purl has. */
export function formatPurl(parts: PurlParts): string {
  const purl = buildPurl(parts);
  if (typeof purl !== 'string') throw new TypeError(`not a purl: ${purl.where} ${purl.detail}`);
  return purl;
}

/** The same for parts that come from outside. */
export function buildPurl(parts: PurlParts): string | Problem {
  const purl = judge({
    type: parts.type.toLowerCase(),
    namespace: segments(parts.namespace ?? '').join('/'),
    name: parts.name,
    version: parts.version ?? '',
    qualifiers: Object.fromEntries(
      Object.entries(parts.qualifiers ?? {})
        .filter(([, value]) => value !== '')
        .map(([key, value]) => [key.toLowerCase(), value]),
    ),
    subpath: subpathOf(parts.subpath ?? ''),
  });
  return isProblem(purl) ? purl : textOf(purl);
}

/** Reads a package URL by ECMA-427, with the rules of its type; `buildPurl` of the answer is its canonical form. */
export function parsePurl(text: string): Purl | Problem {
  if (!text.isWellFormed() || text.length > PURL_LIMIT)
    return problem('', `It is longer than ${PURL_LIMIT} characters.`);
  let rest = text.trim();
  const [, scheme = '', body = ''] = /^([^:]*):(.*)$/s.exec(rest) ?? [];
  if (scheme.toLowerCase() !== 'pkg') return problem('', "It does not begin with 'pkg:'.");
  rest = body.replace(/^\/+/, '');
  try {
    // The first number sign and question mark end what is before them: both are encoded inside.
    const [beforeSubpath = '', ...more] = rest.split('#');
    const subpath = subpathOf(more.join('#'), decodeURIComponent);
    const [path = '', ...query] = beforeSubpath.split('?');
    const qualifiers: Record<string, string> = {};
    for (const pair of query.join('?').split('&')) {
      if (pair === '') continue;
      const [key = '', ...value] = pair.split('=');
      const name = key.toLowerCase();
      if (value.length === 0) return problem('qualifiers', `'${key}' has no value.`);
      if (Object.hasOwn(qualifiers, name)) return problem('qualifiers', `'${name}' is there twice.`);
      qualifiers[name] = decodeURIComponent(value.join('='));
    }
    rest = path.replace(/\/+$/, '');
    const slash = rest.indexOf('/');
    if (slash < 0) return problem('', 'It has no name.');
    const type = rest.slice(0, slash).toLowerCase();
    rest = rest.slice(slash + 1);
    // The scope of an npm name may be written with a bare @: a version never holds a slash that is not encoded.
    const at = rest.lastIndexOf('@') > rest.lastIndexOf('/') ? rest.lastIndexOf('@') : rest.length;
    const version = rest.slice(at + 1);
    rest = rest.slice(0, at);
    const parts = segments(rest).map(decodeURIComponent);
    const name = parts.pop() ?? '';
    if (parts.some((part) => part.includes('/'))) return problem('namespace', 'A segment holds a slash.');
    return judge({
      type,
      namespace: parts.join('/'),
      name,
      version: decodeURIComponent(version),
      qualifiers: Object.fromEntries(Object.entries(qualifiers).filter(([, value]) => value !== '')),
      subpath,
    });
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return problem('', 'Its percent encoding is not UTF-8.');
  }
}

const PURL_LIMIT = 8192;

function textOf({ type, namespace, name, version, qualifiers, subpath }: Purl): string {
  let purl = `pkg:${type}/`;
  const folders = segments(namespace);
  if (folders.length > 0) purl += `${folders.map(encode).join('/')}/`;
  purl += encode(name);
  if (version !== '') purl += `@${encode(version)}`;
  const pairs = Object.entries(qualifiers).sort(([a], [b]) => compareUtf8(a, b));
  if (pairs.length > 0) purl += `?${pairs.map(([key, value]) => `${key}=${encode(value)}`).join('&')}`;
  if (subpath !== '') purl += `#${subpath.split('/').map(encode).join('/')}`;
  return purl;
}

function segments(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

function subpathOf(path: string, decode: (segment: string) => string = (segment) => segment): string {
  return segments(path)
    .map(decode)
    .filter((segment) => segment !== '.' && segment !== '..' && segment !== '')
    .join('/');
}

/** Everything but unreserved characters and the colon is percent-encoded, as UTF-8, with upper-case digits. */
function encode(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%3A/g, ':');
}

interface TypeRules {
  readonly namespace?: 'required' | 'prohibited';
  readonly lower?: readonly ('namespace' | 'name' | 'version')[];
  readonly judge?: (purl: Purl) => Purl | Problem;
}

/** What the types demand beyond the grammar (the type definitions of package-url/purl-spec). */
const RULES: Readonly<Record<string, TypeRules>> = {
  alpm: { lower: ['namespace', 'name'] },
  apk: { lower: ['namespace', 'name'] },
  bitbucket: { lower: ['namespace', 'name'] },
  brew: { lower: ['namespace'] },
  'chrome-extension': {
    judge: (purl) =>
      /^(?:|[0-9]+(?:\.[0-9]+){0,3})$/.test(purl.version) ? purl : problem('version', 'It has one to four numbers.'),
  },
  composer: { lower: ['namespace', 'name'] },
  cpan: {
    judge: (purl) => (purl.name.includes('::') ? problem('name', 'It is of a module, not of a distribution.') : purl),
  },
  deb: { lower: ['namespace', 'name'] },
  // A host and a path: how much of the path is the name is nothing that the text says.
  git: {
    judge(purl) {
      const path = segments(`${purl.namespace}/${purl.name}`);
      const name = path.pop() ?? '';
      return { ...purl, namespace: path.join('/'), name };
    },
  },
  github: { lower: ['namespace', 'name'] },
  golang: { lower: ['namespace', 'name'] },
  hex: { lower: ['namespace', 'name'] },
  huggingface: { lower: ['version'] },
  npm: { lower: ['namespace', 'name'] },
  oci: { namespace: 'prohibited', lower: ['name'] },
  otp: { namespace: 'prohibited' },
  pub: { lower: ['name'] },
  pypi: { judge: (purl) => ({ ...purl, name: purl.name.toLowerCase().replaceAll('_', '-') }) },
  rpm: { lower: ['namespace'] },
  swift: { namespace: 'required' },
  vcpkg: { namespace: 'prohibited' },
  'vscode-extension': { namespace: 'required' },
};

/** A purl in the form that its type has, or why it is none. */
function judge(purl: Purl): Purl | Problem {
  if (!/^[a-z][a-z0-9.-]*$/.test(purl.type)) return problem('type', 'A type has letters, digits, dots and dashes.');
  if (purl.name === '') return problem('name', 'It has no name.');
  for (const key of Object.keys(purl.qualifiers)) {
    if (!/^[a-z][a-z0-9._-]*$/.test(key))
      return problem('qualifiers', 'A key has letters, digits, dots, dashes and underscores.');
  }
  const rules = (Object.hasOwn(RULES, purl.type) ? RULES[purl.type] : undefined) ?? {};
  const changed = { ...purl };
  for (const part of rules.lower ?? []) changed[part] = changed[part].toLowerCase();
  if (rules.namespace === 'required' && changed.namespace === '')
    return problem('namespace', `A ${purl.type} has one.`);
  if (rules.namespace === 'prohibited' && changed.namespace !== '')
    return problem('namespace', `A ${purl.type} has none.`);
  return rules.judge?.(changed) ?? changed;
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
