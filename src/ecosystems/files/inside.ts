import type { AdmittedArtifact, Catalog, ClientConfig, DepotAnswer, DepotRequest, InsideHalf } from '#ecosystems';
import { isDigest } from '#kernel';
import { encodeName } from './name.ts';

const PREFIX = '/files/';

/**
 * `GET /files/NAME` is the newest file of that name, with `?digest=sha256:…` an earlier one. `GET /files/` and
 * `GET /files/FOLDER/` list what is there: one line `digest  size  name` a file, or JSON where the client accepts it.
 */
export const filesInside: InsideHalf = {
  prefix: PREFIX,

  async handle(request, catalog): Promise<DepotAnswer> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return text(405, 'This depot only gives files; nothing can be put here.\n', { allow: 'GET, HEAD' });
    }
    const name = nameOf(request.path);
    if (name === undefined) return text(400, 'The path cannot be read: write each part percent-encoded once.\n');
    if (name === '' || name.endsWith('/')) return listing(name, request, catalog);

    const found = catalog.artifacts('files', name);
    const digest = request.query.get('digest');
    if (digest !== null && !isDigest(digest)) return text(400, 'digest is sha256: and 64 lower-case hex digits.\n');
    const row = digest === null ? found[0] : found.find((one) => one.digest === digest);
    return row === undefined ? missing(name, catalog) : file(row, digest !== null);
  },

  clients: [
    client('curl', 'curl -fsSLO', 'Fetches a file; -C - goes on with a broken download.'),
    client('wget', 'wget -nv', 'Fetches a file; -c goes on with a broken download.'),
  ],
};

function client(name: string, command: string, summary: string): ClientConfig {
  return {
    client: name,
    summary,
    render: (base) =>
      `${command} ${base}${PREFIX}NAME\n# What there is, with digests and sizes:\n${name === 'curl' ? 'curl -fsS' : 'wget -qO-'} ${base}${PREFIX}\n`,
    environment: () => ({}),
  };
}

function nameOf(path: string): string | undefined {
  try {
    return decodeURIComponent(path.slice(PREFIX.length));
  } catch {
    return undefined;
  }
}

function file(row: AdmittedArtifact, pinned: boolean): DepotAnswer {
  return {
    status: 200,
    headers: {
      'content-type': row.media === '' ? 'application/octet-stream' : row.media,
      // What was carried is data; a page among it must not act in the name of the depot.
      'content-security-policy': "default-src 'none'; sandbox",
      'content-disposition': `attachment; filename="${row.file.replace(/[^\w.+ -]/g, '_')}"; filename*=UTF-8''${encodeURIComponent(row.file).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)}`,
      'cache-control': pinned ? 'public, max-age=31536000, immutable' : 'no-cache',
    },
    body: { blob: row.digest, size: row.size },
  };
}

interface Line {
  readonly name: string;
  readonly digest: string;
  readonly size: number;
  readonly path: string;
}

function listing(folder: string, request: DepotRequest, catalog: Catalog): DepotAnswer {
  const lines: Line[] = [];
  for (const name of catalog.keys('files')) {
    const row = name.startsWith(folder) ? catalog.artifacts('files', name)[0] : undefined;
    if (row !== undefined) {
      lines.push({ name, digest: row.digest, size: row.size, path: PREFIX + encodeName(name) });
    }
  }
  if (lines.length === 0 && folder !== '') return missing(folder, catalog);
  if ((request.headers['accept'] ?? '').includes('application/json') || request.query.get('format') === 'json') {
    return {
      status: 200,
      headers: { 'content-type': 'application/json', 'cache-control': 'no-cache' },
      body: `${JSON.stringify({ files: lines })}\n`,
    };
  }
  return text(200, lines.map((line) => `${line.digest}  ${line.size}  ${encodeName(line.name)}\n`).join(''), {
    'cache-control': 'no-cache',
  });
}

function missing(name: string, catalog: Catalog): DepotAnswer {
  const last = name.split('/').at(-1);
  const near = catalog.keys('files').filter((key) => key.split('/').at(-1) === last);
  const hint =
    near.length > 0
      ? `Of that last name there is: ${near.slice(0, 5).map(encodeName).join(', ')}.`
      : `What there is stands at ${PREFIX}.`;
  const answer = text(
    404,
    `No admitted bundle brought the file ${encodeName(name)}. ${hint}\n` +
      'To have it here, name it under inputs in sallyport.yaml outside, capture, seal, and admit the bundle.\n',
  );
  return { ...answer, missed: { ecosystem: 'files', name, version: '', file: last ?? '' } };
}

function text(status: number, body: string, headers: Readonly<Record<string, string>> = {}): DepotAnswer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body };
}
