import { digestOf, hexOf, isObject, printable } from '#kernel';
import type { AdmittedArtifact, Catalog, DepotAnswer, DepotRequest, InsideHalf } from '#ecosystems';
import { RenderCache } from '../cache.ts';
import { npmClients } from './clients.ts';
import { bareName, isPackageName } from './names.ts';
import { PACKUMENT_LIMIT, type Packument, parsePackument } from './packument.ts';
import { highestRelease } from './semver.ts';

const PREFIX = '/npm/';
const ABBREVIATED = 'application/vnd.npm.install-v1+json';

interface Rendered {
  readonly body: Uint8Array;
  readonly etag: string;
}

/**
 * The registry protocol of npm (docs of npm/registry: REGISTRY-API.md, package-metadata.md) over what was admitted.
 * A packument is upstream's document cut to the admitted versions; only `dist.tarball` is rewritten, because npm takes
 * `dist.attestations.url` apart and puts its own registry in front.
 */
export const npmInside: InsideHalf = {
  prefix: PREFIX,
  clients: npmClients,

  async handle(request, catalog) {
    const parts = decodePath(request.path.slice(PREFIX.length));
    if (parts === undefined) return problem(400, 'The path is not valid percent-encoded UTF-8.');
    if (parts[0] === '-') return service(parts.slice(1), request);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return problem(405, 'This registry is read-only: packages arrive in bundles.', { allow: 'GET, HEAD' });
    }
    const dash = parts.lastIndexOf('-');
    if (dash > 0 && dash === parts.length - 2) return tarball(parts, dash, request, catalog);
    const name = parts.join('/');
    if (isPackageName(name)) return document(name, request, catalog);
    return byPath(request, catalog) ?? problem(404, `Nothing is served at ${printable(name)}.`);
  },
};

async function document(name: string, request: DepotRequest, catalog: Catalog): Promise<DepotAnswer> {
  const full = !wantsAbbreviated(request.headers['accept']);
  const rendered = await renderCache(catalog).get(catalog.generation, `${request.base}\0${full}\0${name}`, () =>
    render(name, full, request.base, catalog),
  );
  if (rendered === undefined) {
    const why = `${name} is not in this depot: no admitted bundle carries it. It has been noted for the next capture.`;
    return { ...problem(404, why), missed: { ecosystem: 'npm', name, version: '', file: '' } };
  }
  const headers = {
    'content-type': full ? 'application/json' : ABBREVIATED,
    etag: rendered.etag,
    vary: 'accept',
    'cache-control': 'no-cache',
  };
  if (request.headers['if-none-match'] === rendered.etag) return { status: 304, headers, body: undefined };
  return { status: 200, headers, body: rendered.body };
}

function tarball(parts: readonly string[], dash: number, request: DepotRequest, catalog: Catalog): DepotAnswer {
  const file = parts[dash + 1] ?? '';
  // A path that npm took from `resolved` of another registry may have that registry's folders in front of the name.
  const names = [parts.slice(Math.max(0, dash - 2), dash).join('/'), parts[dash - 1] ?? ''].filter(isPackageName);
  for (const name of names) {
    const found = catalog
      .artifacts('npm', name)
      .find((a) => a.file === file || `${bareName(a.name)}-${a.version}.tgz` === file);
    if (found !== undefined) return tarballAnswer(found);
  }
  const odd = byPath(request, catalog);
  if (odd !== undefined) return odd;
  const scoped = names.find((n) => n.startsWith('@'));
  const name = scoped ?? names.at(-1) ?? '';
  const known = catalog
    .artifacts('npm', name)
    .map((a) => a.version)
    .slice(0, 10);
  const version = file.startsWith(`${bareName(name)}-`)
    ? file.slice(bareName(name).length + 1).replace(/\.tgz$/, '')
    : '';
  const why =
    known.length === 0
      ? `${name} is not in this depot: no admitted bundle carries it.`
      : `${file} is not in this depot; of ${name} it has ${known.join(', ')}.`;
  return {
    ...problem(404, `${why} It has been noted for the next capture.`),
    missed: { ecosystem: 'npm', name, version, file },
  };
}

function tarballAnswer(artifact: AdmittedArtifact): DepotAnswer {
  return {
    status: 200,
    headers: { 'content-type': 'application/octet-stream', 'cache-control': 'public, max-age=31536000, immutable' },
    body: { blob: artifact.digest, size: artifact.size },
  };
}

/** Tarballs whose address upstream had another shape (`facts.path`), found by that path. */
function byPath(request: DepotRequest, catalog: Catalog): DepotAnswer | undefined {
  const state = stateOf(catalog);
  if (state.paths === undefined || state.generation !== catalog.generation) {
    state.paths = new Map();
    state.generation = catalog.generation;
    for (const key of catalog.keys('npm')) {
      for (const artifact of catalog.artifacts('npm', key)) {
        const path = artifact.facts['path'];
        if (path !== undefined && !state.paths.has(path)) state.paths.set(path, artifact);
      }
    }
  }
  const found = state.paths.get(`/${request.path.slice(PREFIX.length)}`);
  return found === undefined ? undefined : tarballAnswer(found);
}

function service(parts: readonly string[], request: DepotRequest): DepotAnswer {
  const path = parts.join('/');
  if (path === 'ping') return json(200, {});
  if (path === 'npm/v1/keys') {
    return problem(404, "Upstream's signing keys are not in this depot, so 'npm audit signatures' cannot answer here.");
  }
  if (/^npm\/v1\/security\/(?:advisories\/bulk|audits(?:\/quick)?)$/.test(path)) {
    // An empty answer would read as "no vulnerabilities"; nothing has been looked up, so npm must say that it failed.
    return problem(503, 'This depot has no advisory data: whether there are vulnerabilities is unknown.');
  }
  if (path.startsWith('npm/v1/attestations/')) return problem(404, 'Attestations are not in this depot.');
  if (path === 'whoami') return problem(401, 'This registry has no users.');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return problem(405, 'This registry is read-only: packages arrive in bundles.', { allow: 'GET, HEAD' });
  }
  return problem(404, 'This registry serves packages and tarballs only.');
}

// ------------------------------------------------------------------------------------------------------- documents

async function render(name: string, full: boolean, base: string, catalog: Catalog): Promise<Rendered | undefined> {
  const artifacts = catalog.artifacts('npm', name);
  const rows = catalog.documents('npm', name, 'packument');
  const wanted = new Map<string, AdmittedArtifact>();
  for (const artifact of artifacts) if (!wanted.has(artifact.version)) wanted.set(artifact.version, artifact);
  if (wanted.size === 0) return undefined;

  const versions = new Map<string, unknown>();
  const times = new Map<string, unknown>();
  const tags = new Map<string, string>();
  let top: Packument | undefined;
  for (const row of rows) {
    const bytes = await catalog.content.read(row.digest, PACKUMENT_LIMIT);
    const packument = bytes === undefined ? undefined : parsePackument(bytes);
    if (packument === undefined) continue;
    top ??= packument;
    const { time } = packument;
    for (const [version, artifact] of wanted) {
      if (versions.has(version) || artifact.authority !== row.authority) continue;
      const manifest = packument.manifest(version);
      if (manifest === undefined) continue;
      versions.set(version, manifestWith(manifest, artifact, full, base));
      if (Object.hasOwn(time, version)) times.set(version, time[version]);
    }
    if (packument === top) {
      for (const key of ['created', 'modified']) if (Object.hasOwn(time, key)) times.set(key, time[key]);
      for (const [tag, version] of packument.tags) if (wanted.has(version)) tags.set(tag, version);
    }
    if (versions.size === wanted.size) break;
  }
  if (top === undefined || versions.size === 0) return undefined;
  for (const [tag, version] of tags) if (!versions.has(version)) tags.delete(tag);

  const derived: string[] = [];
  if (!tags.has('latest')) {
    const latest = highestRelease([...versions.keys()]);
    if (latest !== undefined) {
      tags.set('latest', latest);
      derived.push('dist-tags.latest');
    }
  }
  // Order of versions as upstream has it would depend on which bundle came first; by text it does not.
  const sorted = Object.fromEntries([...versions].sort(([a], [b]) => (a < b ? -1 : 1)));
  const filtered = {
    'dist-tags': Object.fromEntries(tags),
    versions: sorted,
    time: Object.fromEntries(times),
    ...(derived.length > 0 && { _sallyport: { derived } }),
  };
  const modified = times.get('modified');
  const value = full
    ? { ...omit(top.rest(), ['dist-tags', 'time', '_attachments', '_rev', '_sallyport']), ...filtered }
    : { name, ...(modified !== undefined && { modified }), ...filtered };
  const body = Buffer.from(JSON.stringify(value), 'utf8');
  return { body, etag: `"${hexOf(digestOf(body)).slice(0, 32)}"` };
}

const ABBREVIATED_FIELDS = [
  'name',
  'version',
  'deprecated',
  'dependencies',
  'optionalDependencies',
  'devDependencies',
  'bundleDependencies',
  'bundledDependencies',
  'peerDependencies',
  'peerDependenciesMeta',
  'acceptDependencies',
  'bin',
  'directories',
  'dist',
  'engines',
  'os',
  'cpu',
  'libc',
  'funding',
  '_hasShrinkwrap',
  'hasInstallScript',
] as const;

function manifestWith(
  manifest: Readonly<Record<string, unknown>>,
  artifact: AdmittedArtifact,
  full: boolean,
  base: string,
): unknown {
  const dist = isObject(manifest['dist']) ? manifest['dist'] : {};
  const tarball = `${base}${PREFIX}${artifact.name}/-/${encodeURIComponent(artifact.file)}`;
  const rewritten = { ...dist, tarball };
  if (full) return { ...manifest, dist: rewritten };
  const short: [string, unknown][] = [];
  for (const field of ABBREVIATED_FIELDS) if (Object.hasOwn(manifest, field)) short.push([field, manifest[field]]);
  const scripts = isObject(manifest['scripts']) ? manifest['scripts'] : {};
  const runs = ['preinstall', 'install', 'postinstall'].some((script) => Object.hasOwn(scripts, script));
  if (runs && !Object.hasOwn(manifest, 'hasInstallScript')) short.push(['hasInstallScript', true]);
  return { ...Object.fromEntries(short), dist: rewritten };
}

function omit(document: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(document).filter(([key]) => !names.includes(key)));
}

// ------------------------------------------------------------------------------------------------------------ helpers

interface State {
  readonly renders: RenderCache<Rendered>;
  paths: Map<string, AdmittedArtifact> | undefined;
  generation: number;
}

const states = new WeakMap<Catalog, State>();

function stateOf(catalog: Catalog): State {
  let state = states.get(catalog);
  if (state === undefined) {
    state = { renders: new RenderCache(), paths: undefined, generation: -1 };
    states.set(catalog, state);
  }
  return state;
}

function renderCache(catalog: Catalog): RenderCache<Rendered> {
  return stateOf(catalog).renders;
}

/** npm asks with the abbreviated type at q=1 and the full one at q=0.8; a client that names only JSON gets the full one. */
function wantsAbbreviated(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  let short = 0;
  let full = 0;
  for (const range of accept.split(',').slice(0, 32)) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const q = parameters.find((p) => p.startsWith('q='))?.slice(2);
    const weight = q === undefined ? 1 : Number.parseFloat(q) || 0;
    if (type === ABBREVIATED) short = Math.max(short, weight);
    else if (type === 'application/json') full = Math.max(full, weight);
  }
  return short > 0 && short >= full;
}

/** Decoded segments of a path; `@scope%2fname` becomes two. Undefined where it cannot be decoded. */
function decodePath(path: string): readonly string[] | undefined {
  if (path.length > 2048) return undefined;
  try {
    return decodeURIComponent(path).split('/');
  } catch {
    return undefined;
  }
}

function problem(status: number, error: string, headers: Readonly<Record<string, string>> = {}): DepotAnswer {
  const answer = json(status, { error: printable(error) });
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

function json(status: number, value: unknown): DepotAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
