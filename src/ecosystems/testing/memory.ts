import { createHash } from 'node:crypto';
import {
  type ArtifactRow,
  compareUtf8,
  type Content,
  type ContentReader,
  type ContentWriter,
  type Digest,
  digestOf,
  type DocumentRow,
  type LockRow,
  type PointerRow,
} from '#kernel';
import type { Admission, Catalog, Ecosystem } from '#ecosystems';

/** Content in memory. */
export function memoryContent(): ContentReader & ContentWriter & { readonly blobs: Map<Digest, Uint8Array> } {
  const blobs = new Map<Digest, Uint8Array>();
  const put = async (bytes: Uint8Array): Promise<Digest> => {
    const digest = digestOf(bytes);
    blobs.set(digest, bytes);
    return digest;
  };
  return {
    blobs,
    size: async (digest) => blobs.get(digest)?.length,
    async read(digest, limit) {
      const bytes = blobs.get(digest);
      if (bytes !== undefined && bytes.length > limit) throw new Error(`EFBIG: more than ${limit} bytes`);
      return bytes;
    },
    async open(digest): Promise<Content | undefined> {
      const bytes = blobs.get(digest);
      if (bytes === undefined) return undefined;
      return {
        size: bytes.length,
        async read(into, position) {
          const part = bytes.subarray(position, position + into.length);
          into.set(part);
          return part.length;
        },
        close: async () => undefined,
      };
    },
    put,
    async begin() {
      const pieces: Uint8Array[] = [];
      let size = 0;
      return {
        async write(bytes) {
          pieces.push(bytes.slice());
          size += bytes.length;
        },
        get size() {
          return size;
        },
        commit: () => put(Buffer.concat(pieces)),
        abort: async () => undefined,
      };
    },
  };
}

/** A bundle's rows as the inside sees them after its admission. */
export interface AdmittedRows {
  readonly sequence: number;
  readonly rows: readonly LockRow[];
}

/** A catalogue in memory over rows of one or more bundles; `admit` adds one and moves the generation on. */
export function memoryCatalog(
  content: ContentReader,
  ecosystems: readonly Ecosystem[],
  bundles: readonly AdmittedRows[] = [],
): Catalog & { admit(bundle: AdmittedRows): void } {
  const admitted: AdmittedRows[] = [];
  let generation = 0;
  const keyOf = (ecosystem: string, name: string): string =>
    ecosystems.find((e) => e.id === ecosystem)?.lookupKey(name) ?? name;
  const all = <R extends LockRow>(kind: R['row'], ecosystem: string): (R & Admission)[] =>
    [...admitted]
      .sort((a, b) => b.sequence - a.sequence)
      .flatMap(({ sequence, rows }) =>
        rows
          .filter((row): row is R => row.row === kind && row.ecosystem === ecosystem)
          .map((row) => ({ ...row, sequence, bundle: digestOf(`bundle ${sequence}`) })),
      );
  const catalog: Catalog & { admit(bundle: AdmittedRows): void } = {
    content,
    get generation() {
      return generation;
    },
    admit(bundle) {
      admitted.push(bundle);
      generation += 1;
    },
    artifacts: (ecosystem, key) =>
      all<ArtifactRow>('artifact', ecosystem).filter((row) => keyOf(ecosystem, row.name) === key),
    documents: (ecosystem, key, role) =>
      all<DocumentRow>('document', ecosystem).filter((r) => keyOf(ecosystem, r.name) === key && r.role === role),
    pointers: (ecosystem, key) =>
      all<PointerRow>('pointer', ecosystem).filter((row) => keyOf(ecosystem, row.name) === key),
    byDigest: (ecosystem, digest) =>
      [...all<ArtifactRow>('artifact', ecosystem), ...all<DocumentRow>('document', ecosystem)].filter(
        (row) => row.digest === digest,
      ),
    keys: (ecosystem) =>
      [...new Set(all<ArtifactRow>('artifact', ecosystem).map((row) => keyOf(ecosystem, row.name)))].sort(compareUtf8),
  };
  for (const bundle of bundles) catalog.admit(bundle);
  return catalog;
}

/** Hash by the name that evidence uses, lower-case hex. */
export function hashOf(algorithm: string, bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest('hex');
}
