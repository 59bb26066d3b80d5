import { digestOf, hexOf, isObject, printable } from '#kernel';
import type { AdmittedArtifact, Catalog, DepotAnswer, DepotRequest, InsideHalf } from '#ecosystems';
import { RenderCache } from '../cache.ts';
import { pypiClients } from './clients.ts';
import { isProjectName, normaliseName } from './names.ts';
import { escapeHtml, HTML_TYPE, type IndexFile, JSON_TYPE, PAGE_LIMIT, parsePage } from './simple.ts';
import { comparePep440 } from './version.ts';
import { parseSdistName, parseWheelName } from './wheel.ts';

const PREFIX = '/pypi/';
/** Digits of the sha256 in a file's address: enough to keep two files of one name apart. */
const PREFIX_DIGITS = 16;

interface Rendered {
  readonly body: Uint8Array;
  readonly etag: string;
}

type Form = 'json' | 'html' | 'text-html';
const MEDIA: Readonly<Record<Form, string>> = {
  json: JSON_TYPE,
  html: HTML_TYPE,
  'text-html': 'text/html; charset=utf-8',
};

/** The Simple repository API (PEP 503, 592, 658, 691, 700, 714) over what was admitted. */
export const pypiInside: InsideHalf = {
  prefix: PREFIX,
  clients: pypiClients,

  async handle(request, catalog) {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return problem(405, 'This index is read-only: packages arrive in bundles.', { allow: 'GET, HEAD' });
    }
    const parts = decodePath(request.path.slice(PREFIX.length));
    if (parts === undefined) return problem(400, 'The path is not valid percent-encoded UTF-8.');
    const [area, one, two, three] = parts;
    if (area === 'simple' && parts.length === 1) return moved(`${PREFIX}simple/`);
    if (area === 'simple' && parts.length === 2) {
      return one === '' ? page(undefined, request, catalog) : project(one ?? '', false, request, catalog);
    }
    if (area === 'simple' && parts.length === 3 && two === '') return project(one ?? '', true, request, catalog);
    if (area === 'files' && parts.length === 3 && three === undefined) return file(one ?? '', two ?? '', catalog);
    return problem(404, 'This index serves /pypi/simple/ and /pypi/files/ only.');
  },
};

function project(
  name: string,
  slash: boolean,
  request: DepotRequest,
  catalog: Catalog,
): Promise<DepotAnswer> | DepotAnswer {
  if (!isProjectName(name)) return problem(404, `${name} is no name of a Python project.`);
  const key = normaliseName(name);
  if (key !== name || !slash) return moved(`${PREFIX}simple/${key}/`);
  return page(key, request, catalog);
}

async function page(key: string | undefined, request: DepotRequest, catalog: Catalog): Promise<DepotAnswer> {
  const form = negotiate(request.headers['accept']);
  if (form === undefined) {
    return problem(406, `This index answers with ${JSON_TYPE}, ${HTML_TYPE} or text/html.`);
  }
  const rendered = await cacheOf(catalog).get(
    catalog.generation,
    `${form === 'json' ? 'json' : 'html'}\0${key ?? ''}`,
    async () => {
      const text = key === undefined ? renderRoot(form, catalog) : await renderProject(key, form, catalog);
      if (text === undefined) return undefined;
      const body = Buffer.from(text, 'utf8');
      return { body, etag: `"${hexOf(digestOf(body)).slice(0, 32)}"` };
    },
  );
  if (rendered === undefined) {
    const why = `${key} is not in this depot: no admitted bundle carries it. It has been noted for the next capture.`;
    return { ...problem(404, why), missed: { ecosystem: 'pypi', name: key ?? '', version: '', file: '' } };
  }
  const headers = { 'content-type': MEDIA[form], etag: rendered.etag, vary: 'accept', 'cache-control': 'no-cache' };
  if (request.headers['if-none-match'] === rendered.etag) return { status: 304, headers, body: undefined };
  return { status: 200, headers, body: rendered.body };
}

function file(prefix: string, name: string, catalog: Catalog): DepotAnswer {
  const wheelFile = name.endsWith('.metadata') ? name.slice(0, -'.metadata'.length) : name;
  for (const key of keysOf(wheelFile)) {
    const artifacts = catalog.artifacts('pypi', key);
    const owner = artifacts.find((a) => a.file === wheelFile && addressPrefix(a) === prefix);
    if (owner === undefined) continue;
    const found = name === wheelFile ? owner : metadataOf(owner, artifacts);
    if (found === undefined) continue;
    return {
      status: 200,
      headers: { 'content-type': 'application/octet-stream', 'cache-control': 'public, max-age=31536000, immutable' },
      body: { blob: found.digest, size: found.size },
    };
  }
  const version = parseWheelName(wheelFile)?.version ?? '';
  const key = keysOf(wheelFile)[0] ?? '';
  const why = `${name} is not in this depot: no admitted bundle carries it under this hash. It has been noted for the next capture.`;
  return { ...problem(404, why), missed: { ecosystem: 'pypi', name: key, version, file: name } };
}

/** The projects that a file may belong to, by its name alone. */
function keysOf(name: string): readonly string[] {
  const wheel = parseWheelName(name);
  if (wheel !== undefined) return [normaliseName(wheel.distribution)];
  const keys: string[] = [];
  for (let at = name.indexOf('-'); at !== -1 && keys.length < 16; at = name.indexOf('-', at + 1)) {
    const key = normaliseName(name.slice(0, at));
    if (parseSdistName(name, normaliseName, key) !== undefined) keys.push(key);
  }
  return keys;
}

function metadataOf(owner: AdmittedArtifact, artifacts: readonly AdmittedArtifact[]): AdmittedArtifact | undefined {
  const name = `${owner.file}.metadata`;
  const same = artifacts.filter((a) => a.file === name && a.authority === owner.authority);
  // Two wheels of one name and index that differ come from different bundles; each brought its own metadata.
  return same.find((a) => a.bundle === owner.bundle) ?? same[0];
}

function addressPrefix(artifact: AdmittedArtifact): string {
  return hexOf(artifact.digest).slice(0, PREFIX_DIGITS);
}

// --------------------------------------------------------------------------------------------------------- documents

function renderRoot(form: Form, catalog: Catalog): string {
  const keys = catalog.keys('pypi');
  if (form === 'json') {
    return JSON.stringify({ meta: { 'api-version': '1.1' }, projects: keys.map((name) => ({ name })) });
  }
  const anchors = keys.map((key) => `<a href="${PREFIX}simple/${encodeURIComponent(key)}/">${escapeHtml(key)}</a><br>`);
  return html('Simple index', anchors);
}

async function renderProject(key: string, form: Form, catalog: Catalog): Promise<string | undefined> {
  const artifacts = catalog.artifacts('pypi', key);
  const files = artifacts.filter((a) => !a.file.endsWith('.metadata'));
  if (files.length === 0) return undefined;
  const told = new Map<string, IndexFile>();
  let status: unknown;
  for (const role of ['simple-json', 'simple-html'] as const) {
    for (const row of catalog.documents('pypi', key, role)) {
      const bytes = await catalog.content.read(row.digest, PAGE_LIMIT);
      const parsed = bytes === undefined ? undefined : parsePage(bytes, role, row.origin, key);
      if (parsed === undefined) continue;
      status ??= parsed.status;
      for (const entry of parsed.files) {
        const id = `${row.authority}\0${entry.filename}`;
        if (!told.has(id)) told.set(id, entry);
      }
    }
  }
  const seen = new Set<string>();
  const entries = [];
  for (const artifact of files) {
    const id = `${artifact.file}\0${artifact.digest}`;
    if (seen.has(id)) continue;
    seen.add(id);
    const upstream = told.get(`${artifact.authority}\0${artifact.file}`);
    const sha256 = upstream?.hashes.get('sha256');
    // What upstream says today may be about another file of this name; then only what the row says is served.
    const own =
      upstream !== undefined && (sha256 === undefined || sha256 === hexOf(artifact.digest)) ? upstream : undefined;
    entries.push({ artifact, own, metadata: metadataOf(artifact, artifacts) });
  }
  entries.sort(
    (a, b) => comparePep440(a.artifact.version, b.artifact.version) || (a.artifact.file < b.artifact.file ? -1 : 1),
  );

  if (form === 'json') {
    const known = isObject(status);
    return JSON.stringify({
      meta: { 'api-version': known ? '1.4' : '1.1' },
      name: key,
      ...(known && { 'project-status': status }),
      versions: [...new Set(entries.map((e) => e.artifact.version))],
      files: entries.map(({ artifact, own, metadata }) => {
        const requires = own?.requiresPython ?? artifact.facts['requires-python'];
        const yanked = own === undefined ? artifact.facts['yanked'] : own.yanked;
        const time = own?.uploadTime ?? (artifact.published === '' ? undefined : artifact.published);
        const core = metadata === undefined ? undefined : { sha256: hexOf(metadata.digest) };
        return {
          filename: artifact.file,
          url: addressOf(artifact),
          hashes: { sha256: hexOf(artifact.digest) },
          size: artifact.size,
          ...(time !== undefined && { 'upload-time': time }),
          ...(requires !== undefined && { 'requires-python': requires }),
          ...(yanked !== undefined && { yanked: yanked === '' ? true : yanked }),
          // Never by its old name here: pip 22.3 to 23.0, Debian 12's among them, ends with an exception (PEP 714).
          ...(core !== undefined && { 'core-metadata': core }),
        };
      }),
    });
  }
  const anchors = entries.map(({ artifact, own, metadata }) => {
    const requires = own?.requiresPython ?? artifact.facts['requires-python'];
    const yanked = own === undefined ? artifact.facts['yanked'] : own.yanked;
    const core = metadata === undefined ? undefined : `sha256=${hexOf(metadata.digest)}`;
    const attributes = [
      `href="${addressOf(artifact)}#sha256=${hexOf(artifact.digest)}"`,
      ...(requires === undefined ? [] : [`data-requires-python="${escapeHtml(requires)}"`]),
      ...(yanked === undefined ? [] : [`data-yanked="${escapeHtml(yanked)}"`]),
      ...(core === undefined ? [] : [`data-dist-info-metadata="${core}"`, `data-core-metadata="${core}"`]),
    ];
    return `<a ${attributes.join(' ')}>${escapeHtml(artifact.file)}</a><br>`;
  });
  return html(`Links for ${key}`, anchors);
}

/** Relative to `/pypi/simple/<project>/`, so that it holds under whatever address the client reached the depot. */
function addressOf(artifact: AdmittedArtifact): string {
  return `../../files/${addressPrefix(artifact)}/${encodeURIComponent(artifact.file)}`;
}

function html(title: string, lines: readonly string[]): string {
  const head = `<meta name="pypi:repository-version" content="1.1"><title>${escapeHtml(title)}</title>`;
  return `<!DOCTYPE html>\n<html><head>${head}</head><body>\n${lines.join('\n')}\n</body></html>\n`;
}

// ----------------------------------------------------------------------------------------------------------- helpers

const TYPES: Readonly<Record<string, Form>> = {
  'application/vnd.pypi.simple.v1+json': 'json',
  'application/vnd.pypi.simple.latest+json': 'json',
  'application/vnd.pypi.simple.v1+html': 'html',
  'application/vnd.pypi.simple.latest+html': 'html',
  'text/html': 'text-html',
  'text/*': 'text-html',
  'application/*': 'json',
  '*/*': 'text-html',
};

/** PEP 691, "Version + Format Selection": the best q wins, JSON among equals; without a wish the old HTML. */
function negotiate(accept: string | undefined): Form | undefined {
  if (accept === undefined || accept.trim() === '') return 'text-html';
  let best: { form: Form; q: number } | undefined;
  for (const range of accept.split(',').slice(0, 32)) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const form = TYPES[type];
    const text = parameters.find((p) => p.startsWith('q='))?.slice(2);
    const q = text === undefined ? 1 : Number.parseFloat(text);
    if (form === undefined || !(q > 0)) continue;
    const better = best === undefined || q > best.q || (q === best.q && form === 'json' && type !== 'application/*');
    if (better) best = { form, q };
  }
  return best?.form;
}

const caches = new WeakMap<Catalog, RenderCache<Rendered>>();

function cacheOf(catalog: Catalog): RenderCache<Rendered> {
  let cache = caches.get(catalog);
  if (cache === undefined) {
    cache = new RenderCache();
    caches.set(catalog, cache);
  }
  return cache;
}

function decodePath(path: string): readonly string[] | undefined {
  if (path.length > 2048) return undefined;
  try {
    return decodeURIComponent(path).split('/');
  } catch {
    return undefined;
  }
}

function moved(location: string): DepotAnswer {
  return {
    status: 301,
    headers: { location, 'content-type': 'text/plain; charset=utf-8' },
    body: `Moved to ${location}\n`,
  };
}

function problem(status: number, why: string, headers: Readonly<Record<string, string>> = {}): DepotAnswer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body: `${printable(why)}\n` };
}
