import { createHash } from 'node:crypto';
import type { ArtifactRow } from '#kernel';
import { digestOf, isObject } from '#kernel';
import type { HostileCase } from '#gate/testing';
import { formatLock } from '#project';

/** A lock with these artifacts, and their bytes. */
export interface Sealable {
  readonly lock: Uint8Array;
  readonly contents: readonly Uint8Array[];
}

export function sealable(parts: readonly (readonly [ArtifactRow, Uint8Array])[]): Sealable {
  return { lock: formatLock({ rows: parts.map(([row]) => row) }), contents: parts.map(([, bytes]) => bytes) };
}

export function rowOf(
  bytes: Uint8Array,
  over: Partial<ArtifactRow> & { readonly ecosystem: string; readonly file: string },
): ArtifactRow {
  const digest = digestOf(bytes);
  const value = createHash('sha256').update(bytes).digest('hex');
  return {
    row: 'artifact',
    authority: '',
    name: 'left',
    version: '1.0.0',
    targets: 'any',
    digest,
    size: bytes.length,
    media: 'application/octet-stream',
    origin: 'corpus',
    published: '',
    evidence: [{ algorithm: 'sha256', value, scope: 'file', source: 'first-use', grade: 'first-use' }],
    inputs: ['corpus'],
    facts: {},
    ...over,
  };
}

/**
 * A case as what a hostile upstream would have put into a bundle. Undefined for what no bundle carries: media, documents
 * alone, and files that only a disk with holes can hold.
 */
export function contentsOf(hostile: HostileCase): Sealable | undefined {
  const { as, name, extension } = hostile;
  if (as === 'medium' || as === 'json') return undefined;
  const material = hostile.make();
  if (material instanceof Uint8Array) return sealable([[fileRow(hostile, material), material]]);
  if (as !== 'oci' || !('folder' in material)) return undefined;
  const parts: (readonly [ArtifactRow, Uint8Array])[] = [];
  const types = typesIn(Object.values(material.folder));
  for (const [path, held] of Object.entries(material.folder)) {
    if (!(held instanceof Uint8Array) || path === 'oci-layout') continue;
    const isIndex = path === 'index.json';
    const digest = isIndex ? digestOf(held) : path.replace(/^blobs\/(sha\d+)\//, '$1:');
    const mediaType = isIndex ? INDEX : (types.get(digest) ?? 'application/octet-stream');
    const kind = isIndex ? 'index' : mediaType.includes('manifest') ? 'manifest' : 'layer';
    const row = rowOf(held, { ecosystem: 'oci', name: `${name}${extension}`, version: digest, file: '' });
    parts.push([{ ...row, media: mediaType, facts: { kind, mediaType } }, held]);
  }
  return sealable(parts);
}

const INDEX = 'application/vnd.oci.image.index.v1+json';

function fileRow({ as, name, extension }: HostileCase, bytes: Uint8Array): ArtifactRow {
  if (as === 'npm') return rowOf(bytes, { ecosystem: 'npm', file: 'left-1.0.0.tgz' });
  if (as === 'wheel') return rowOf(bytes, { ecosystem: 'pypi', version: '1.0', file: 'left-1.0-py3-none-any.whl' });
  const file = `${name}.${extension}`;
  return rowOf(bytes, { ecosystem: 'files', name: file, version: '', file });
}

/** Media types by digest, as whatever names them says. */
function typesIn(all: readonly unknown[]): ReadonlyMap<string, string> {
  const types = new Map<string, string>();
  const look = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(look);
    else if (isObject(value)) {
      const { digest, mediaType } = value;
      if (typeof digest === 'string' && typeof mediaType === 'string') types.set(digest, mediaType);
      Object.values(value).forEach(look);
    }
  };
  for (const bytes of all) {
    if (!(bytes instanceof Uint8Array) || bytes[0] !== 0x7b) continue;
    try {
      look(JSON.parse(Buffer.from(bytes).toString('utf8')));
    } catch {
      // Documents that no reader takes are among the cases.
    }
  }
  return types;
}
