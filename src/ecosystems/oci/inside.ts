import type { AdmittedArtifact, Catalog, DepotAnswer, DepotRequest, InsideHalf } from '#ecosystems';
import { compareUtf8 } from '#kernel';
import { clients } from './clients.ts';
import { MANIFEST_LIMIT, OCI_INDEX, parseManifest } from './manifest.ts';
import { isContentDigest, isRepository, isTag } from './reference.ts';
import { choose, repositoriesOf, type Repository } from './repositories.ts';

const PREFIX = '/v2/';
const COMMON = { 'docker-distribution-api-version': 'registry/2.0' };
/** Most names in one answer of tags/list and _catalog; more are had by following Link. */
const PAGE_LIMIT = 1000;
const IMMUTABLE = 'public, max-age=31536000, immutable';

/** Distribution specification 1.1, pull, content discovery and errors; nothing can be pushed. */
export const ociInside: InsideHalf = {
  prefix: PREFIX,
  clients,

  async handle(request, catalog): Promise<DepotAnswer> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return error(
        405,
        'UNSUPPORTED',
        'This depot only gives images: what is inside came in a sealed bundle.',
        {
          fix: 'Build and push outside, capture, seal, and admit the bundle.',
        },
        { allow: 'GET, HEAD' },
      );
    }
    const path = decoded(request.path);
    if (path === undefined) return error(400, 'NAME_INVALID', 'The path cannot be read.', {});
    if (path === '/v2/' || path === '/v2') return json(200, {});
    if (path === '/v2/_catalog') return list(request, 'repositories', allNames(catalog), path);

    const parts = path.slice(PREFIX.length).split('/');
    const last = parts.at(-1) ?? '';
    const verb = parts.at(-2);
    const name = parts.slice(0, -2).join('/');
    if (parts.at(-1) === '' && parts.at(-2) === 'uploads') {
      return error(405, 'UNSUPPORTED', 'This depot only gives images.', {}, { allow: 'GET, HEAD' });
    }
    if (
      parts.length < 3 ||
      !/^(?:manifests|blobs|referrers|tags)$/.test(verb ?? '') ||
      (verb === 'tags' && last !== 'list')
    ) {
      return error(404, 'UNSUPPORTED', 'This path is none of the pull protocol.', { path });
    }
    if (!isPullName(name)) return error(400, 'NAME_INVALID', 'The name of the repository cannot be read.', { name });

    const chosen = choose(repositoriesOf(catalog), name, request.query.get('ns'), request.headers['host']);
    if (chosen.repository === undefined) {
      const wanted = verb === 'manifests' ? last : '';
      return {
        ...error(
          404,
          verb === 'blobs' ? 'BLOB_UNKNOWN' : 'NAME_UNKNOWN',
          chosen.why,
          howToBring(`${chosen.authority === '' ? '' : `${chosen.authority}/`}${chosen.name}`, wanted),
        ),
        missed: { ecosystem: 'oci', name: `${chosen.authority}/${chosen.name}`, version: wanted, file: '' },
      };
    }
    const { repository } = chosen;
    if (verb === 'tags') return list(request, 'tags', [...repository.tags.keys()].sort(compareUtf8), path, name);
    if (verb === 'manifests') return manifest(request, repository, last);
    if (!isContentDigest(last))
      return error(400, 'DIGEST_INVALID', 'That is no sha256 or sha512 digest.', { digest: last });
    return verb === 'blobs' ? blob(repository, last) : referrers(request, repository, last, catalog);
  },
};

function manifest(request: DepotRequest, repository: Repository, reference: string): DepotAnswer {
  const byDigest = isContentDigest(reference);
  if (!byDigest && !isTag(reference)) {
    return error(400, 'TAG_INVALID', 'That is neither a tag nor a sha256 or sha512 digest.', { reference });
  }
  const digest = byDigest ? reference : repository.tags.get(reference);
  const row = digest === undefined ? undefined : repository.manifests.get(digest);
  const full = `${repository.authority}/${repository.name}`;
  if (row === undefined) {
    const platform = digest === undefined ? undefined : repository.absent.get(digest);
    const answer =
      platform !== undefined
        ? error(
            404,
            'MANIFEST_UNKNOWN',
            `The image is here, but not for ${platform === '' ? 'this platform' : platform}: that is none of the targets it was captured for.`,
            {
              digest,
              platform,
              fix: 'Add a target for this platform to sallyport.yaml outside, capture, seal, and admit the bundle.',
            },
          )
        : error(404, 'MANIFEST_UNKNOWN', `No admitted bundle brought ${full}${byDigest ? '@' : ':'}${reference}.`, {
            ...howToBring(full, reference),
            tags: [...repository.tags.keys()].sort(compareUtf8).slice(0, 20),
          });
    return { ...answer, missed: { ecosystem: 'oci', name: full, version: reference, file: '' } };
  }
  const media = row.facts['mediaType'] ?? row.media;
  // By digest a client knows what it gets; by tag it may have no reader for it (RFC 9110, 12.5.1).
  if (!byDigest && !accepts(request.headers['accept'], media)) {
    return error(404, 'MANIFEST_UNKNOWN', `${full}:${reference} is ${media}, which this client does not accept.`, {
      digest: row.digest,
      mediaType: media,
    });
  }
  return {
    status: 200,
    headers: {
      ...COMMON,
      'content-type': media,
      'docker-content-digest': byDigest ? reference : row.version,
      'cache-control': byDigest ? IMMUTABLE : 'no-cache',
      vary: 'accept',
      ...namespace(request, repository),
    },
    body: { blob: row.digest, size: row.size },
  };
}

function blob(repository: Repository, digest: string): DepotAnswer {
  // A manifest is content too: some clients read it through the blob path.
  const row = repository.blobs.get(digest) ?? repository.manifests.get(digest);
  if (row === undefined) {
    const full = `${repository.authority}/${repository.name}`;
    return {
      ...error(404, 'BLOB_UNKNOWN', `No admitted bundle brought this blob of ${full}.`, {
        digest,
        ...howToBring(full, ''),
      }),
      missed: { ecosystem: 'oci', name: full, version: digest, file: '' },
    };
  }
  return {
    status: 200,
    headers: {
      ...COMMON,
      'content-type': 'application/octet-stream',
      'docker-content-digest': digest,
      'cache-control': IMMUTABLE,
    },
    body: { blob: row.digest, size: row.size },
  };
}

/** Distribution specification 1.1, "Listing Referrers": never 404, an index of descriptors, filtered by artifactType. */
async function referrers(
  request: DepotRequest,
  repository: Repository,
  digest: string,
  catalog: Catalog,
): Promise<DepotAnswer> {
  const same = repository.manifests.get(digest);
  const rows = [
    ...(repository.referrers.get(digest) ?? []),
    ...(same !== undefined && same.version !== digest ? (repository.referrers.get(same.version) ?? []) : []),
  ];
  const filter = request.query.get('artifactType');
  const manifests = [];
  for (const row of rows.sort((a, b) => compareUtf8(a.digest, b.digest))) {
    const descriptor = await descriptorOf(row, catalog);
    if (filter === null || descriptor.artifactType === filter) manifests.push(descriptor);
  }
  return {
    status: 200,
    headers: {
      ...COMMON,
      'content-type': OCI_INDEX,
      'cache-control': 'no-cache',
      ...(filter === null ? {} : { 'oci-filters-applied': 'artifactType' }),
    },
    body: JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }),
  };
}

interface ReferrerDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

async function descriptorOf(row: AdmittedArtifact, catalog: Catalog): Promise<ReferrerDescriptor> {
  const mediaType = row.facts['mediaType'] ?? row.media;
  const plain = { mediaType, digest: row.version, size: row.size };
  const bytes = await catalog.content.read(row.digest, MANIFEST_LIMIT);
  if (bytes === undefined) return plain;
  const read = parseManifest(bytes, mediaType, row.digest);
  // The specification's fallback: an image manifest without artifactType is known by its config's media type.
  const artifactType =
    read.artifactType !== '' ? read.artifactType : read.kind === 'manifest' ? read.config.mediaType : '';
  return {
    ...plain,
    ...(artifactType === '' ? {} : { artifactType }),
    ...(Object.keys(read.annotations).length === 0 ? {} : { annotations: read.annotations }),
  };
}

/** One page of sorted names, with `n`, `last` and Link (distribution specification 1.1, "Listing Tags"). */
function list(
  request: DepotRequest,
  field: 'tags' | 'repositories',
  names: readonly string[],
  path: string,
  name?: string,
): DepotAnswer {
  const asked = request.query.get('n');
  if (asked !== null && !/^\d{1,9}$/.test(asked)) {
    return error(400, 'PAGINATION_NUMBER_INVALID', 'n is not a number.', { n: asked.slice(0, 40) });
  }
  const n = Math.min(asked === null ? PAGE_LIMIT : Number(asked), PAGE_LIMIT);
  const after = request.query.get('last');
  const rest = after === null ? names : names.filter((one) => compareUtf8(one, after) > 0);
  const page = rest.slice(0, n);
  const more = page.length > 0 && rest.length > page.length;
  const next = new URLSearchParams({ n: String(n), last: page.at(-1) ?? '' });
  const ns = request.query.get('ns');
  if (ns !== null) next.set('ns', ns);
  return json(
    200,
    field === 'tags' ? { name, tags: page } : { repositories: page },
    more ? { link: `<${path}?${next.toString()}>; rel="next"` } : {},
  );
}

function allNames(catalog: Catalog): readonly string[] {
  return repositoriesOf(catalog)
    .all()
    .map((one) => `${one.authority}/${one.name}`)
    .sort(compareUtf8);
}

/** The name in a pull path: a repository, perhaps with its registry before it. */
function isPullName(name: string): boolean {
  if (isRepository(name)) return true;
  const slash = name.indexOf('/');
  return slash > 0 && /^[A-Za-z0-9.:[\]-]+$/.test(name.slice(0, slash)) && isRepository(name.slice(slash + 1));
}

function accepts(header: string | undefined, media: string): boolean {
  if (header === undefined || header.trim() === '') return true;
  return header.split(',').some((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    if (parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter))) return false;
    return type === '*/*' || type === media || (type.endsWith('/*') && media.startsWith(type.slice(0, -1)));
  });
}

function namespace(request: DepotRequest, repository: Repository): Readonly<Record<string, string>> {
  return request.query.get('ns') === null ? {} : { 'oci-namespace': repository.authority };
}

function howToBring(name: string, reference: string): Readonly<Record<string, string>> {
  const separator = reference === '' ? '' : isContentDigest(reference) ? '@' : ':';
  return {
    fix: `Add 'oci: ${name}${separator}${reference}' to inputs in sallyport.yaml outside, capture, seal, and admit the bundle.`,
  };
}

function decoded(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

function json(status: number, body: object, headers: Readonly<Record<string, string>> = {}): DepotAnswer {
  return {
    status,
    headers: { ...COMMON, 'content-type': 'application/json', 'cache-control': 'no-cache', ...headers },
    body: JSON.stringify(body),
  };
}

/** Distribution specification 1.1, "Error Codes". */
function error(
  status: number,
  code: string,
  message: string,
  detail: object,
  headers: Readonly<Record<string, string>> = {},
): DepotAnswer {
  return json(status, { errors: [{ code, message, detail }] }, headers);
}
