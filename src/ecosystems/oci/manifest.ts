import { createHash } from 'node:crypto';
import { isObject, printable } from '#kernel';
import { ociFault } from './faults.ts';
import { isContentDigest } from './reference.ts';

/** Manifests are at most 4 MiB (distribution specification 1.1, "Pushing manifests"). */
export const MANIFEST_LIMIT = 4 * 1024 * 1024;
/** Entries of one manifest or index: far above every real image. */
const ENTRY_LIMIT = 10_000;

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_INDEX = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const MANIFEST_TYPES: readonly string[] = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_INDEX];
const INDEX_TYPES: readonly string[] = [OCI_INDEX, DOCKER_INDEX];
const IMAGE_CONFIGS: readonly string[] = [
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
];

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly urls: readonly string[];
  readonly platform: Platform | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  readonly artifactType: string;
  /** Small content inside its descriptor (image specification, descriptor.md `data`). */
  readonly data: string | undefined;
}

export type Manifest = {
  readonly mediaType: string;
  readonly artifactType: string;
  readonly subject: Descriptor | undefined;
  readonly annotations: Readonly<Record<string, string>>;
} & (
  | { readonly kind: 'index'; readonly manifests: readonly Descriptor[] }
  | { readonly kind: 'manifest'; readonly config: Descriptor; readonly layers: readonly Descriptor[] }
);

/**
 * Reads a manifest or index (image specification 1.1, manifest.md and image-index.md; Docker schema 2). `media` is
 * what the Content-Type header or the descriptor said. The bytes themselves are never changed.
 */
export function parseManifest(bytes: Uint8Array, media: string, where: string): Manifest {
  const refuse = (detail: string): Error => ociFault('oci.manifest-malformed', { where, detail });
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw refuse('It is not JSON in UTF-8.');
  }
  if (!isObject(document)) throw refuse('It is not a JSON object.');
  const said = media.split(';')[0]?.trim() ?? '';
  const inside = document['mediaType'];
  if (
    document['schemaVersion'] === 1 ||
    said.startsWith('application/vnd.docker.distribution.manifest.v1+') ||
    'fsLayers' in document
  ) {
    throw ociFault('oci.schema1', { where });
  }
  if (document['schemaVersion'] !== 2) throw refuse('schemaVersion is not 2.');
  if (inside !== undefined && typeof inside !== 'string') throw refuse('mediaType is not a text.');

  // CVE-2021-41190: a document that is both is two images, one for each reader.
  const ambiguous = (detail: string): Error => ociFault('oci.manifest-ambiguous', { where, detail });
  const hasIndex = 'manifests' in document;
  const hasImage = 'config' in document || 'layers' in document;
  if (hasIndex && hasImage) throw ambiguous('It has manifests, and config or layers.');
  if (inside !== undefined && MANIFEST_TYPES.includes(said) && inside !== said) {
    throw ambiguous(`It came as ${printable(said)} and calls itself ${printable(inside)}.`);
  }
  const mediaType = inside ?? (MANIFEST_TYPES.includes(said) ? said : hasIndex ? OCI_INDEX : OCI_MANIFEST);
  if (!MANIFEST_TYPES.includes(mediaType)) throw refuse(`Its media type ${printable(mediaType)} is not known.`);
  const isIndex = INDEX_TYPES.includes(mediaType);
  if (isIndex ? !hasIndex : !hasImage || hasIndex) {
    throw ambiguous(`Its media type is ${mediaType}, its fields are those of ${hasIndex ? 'an index' : 'a manifest'}.`);
  }

  const list = (value: unknown, field: string): Descriptor[] => {
    if (!Array.isArray(value)) throw refuse(`${field} is not a list.`);
    if (value.length > ENTRY_LIMIT) throw ociFault('oci.too-deep', { where, detail: `${field} has ${value.length}.` });
    return value.map((one: unknown, i) => parseDescriptor(one, `${where}, ${field}[${i}]`));
  };
  const common = {
    mediaType,
    artifactType: textOr(document['artifactType'], ''),
    subject:
      document['subject'] === undefined || document['subject'] === null
        ? undefined
        : parseDescriptor(document['subject'], `${where}, subject`),
    annotations: annotationsOf(document['annotations'], where),
  };
  if (isIndex) return { ...common, kind: 'index', manifests: list(document['manifests'], 'manifests') };
  const config = parseDescriptor(document['config'], `${where}, config`);
  return { ...common, kind: 'manifest', config, layers: list(document['layers'] ?? [], 'layers') };
}

export function parseDescriptor(value: unknown, where: string): Descriptor {
  const refuse = (detail: string): Error => ociFault('oci.manifest-malformed', { where, detail });
  if (!isObject(value)) throw refuse('A descriptor is not an object.');
  const { mediaType, digest, size, urls, platform } = value;
  if (typeof mediaType !== 'string' || mediaType.length > 255) throw refuse('mediaType is no text.');
  if (typeof digest !== 'string') throw refuse('digest is no text.');
  if (!isContentDigest(digest)) {
    throw /^(?:sha256|sha512):/.test(digest)
      ? refuse(`The digest '${printable(digest.slice(0, 160))}' is not well formed.`)
      : ociFault('oci.digest-unsupported', { where, detail: printable(digest.slice(0, 160)) });
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw refuse('size is no size in bytes.');
  if (urls !== undefined && urls !== null && !(Array.isArray(urls) && urls.every((url) => typeof url === 'string'))) {
    throw refuse('urls is no list of addresses.');
  }
  return {
    mediaType,
    digest,
    size,
    urls: Array.isArray(urls) ? urls : [],
    platform: isObject(platform)
      ? {
          os: textOr(platform['os'], ''),
          architecture: textOr(platform['architecture'], ''),
          variant: textOr(platform['variant'], ''),
        }
      : undefined,
    annotations: annotationsOf(value['annotations'], where),
    artifactType: textOr(value['artifactType'], ''),
    data: typeof value['data'] === 'string' ? value['data'] : undefined,
  };
}

/** Whether the config is that of a container image, which names its platform, and not of another artifact. */
export function isImageConfig(config: Descriptor): boolean {
  return IMAGE_CONFIGS.includes(config.mediaType);
}

/** Foreign layers are kept outside the registry, under addresses in `urls`. */
export function refuseForeign(layer: Descriptor, where: string): void {
  const foreign = layer.mediaType.includes('.foreign.') || layer.mediaType.includes('nondistributable');
  if (!foreign && layer.urls.length === 0) return;
  throw ociFault('oci.foreign-layer', { where, detail: `${layer.digest} (${printable(layer.mediaType)}).` });
}

export function checkContent(bytes: Uint8Array, digest: string, size: number | undefined, where: string): void {
  if (size !== undefined && bytes.length !== size) {
    throw ociFault('oci.size-mismatch', { where, detail: `Expected ${size} bytes, found ${bytes.length}.` });
  }
  const algorithm = digest.slice(0, digest.indexOf(':'));
  const found = `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
  if (found !== digest) throw ociFault('oci.digest-mismatch', { where, detail: `Expected ${digest}, found ${found}.` });
}

function textOr<T>(value: unknown, otherwise: T): string | T {
  return typeof value === 'string' ? value : otherwise;
}

function annotationsOf(value: unknown, where: string): Readonly<Record<string, string>> {
  if (value === undefined || value === null) return {};
  if (!isObject(value) || !Object.values(value).every((text) => typeof text === 'string')) {
    throw ociFault('oci.manifest-malformed', { where, detail: 'annotations are not texts.' });
  }
  return value as Record<string, string>;
}
