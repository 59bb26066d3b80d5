import type { ProjectInput } from '#ecosystems';
import { isObject, printable } from '#kernel';
import { ociFault } from './faults.ts';
import { checkContent, type Descriptor, MANIFEST_LIMIT, OCI_INDEX, parseManifest } from './manifest.ts';
import { formatReference, isContentDigest, type Reference } from './reference.ts';
import type { ImageSource } from './registry.ts';

const REF_NAME = 'org.opencontainers.image.ref.name';
const CONTAINERD_NAME = 'io.containerd.image.name';

/** An OCI image layout of the project (image specification 1.1, image-layout.md). `folder` is relative to the project. */
export async function layoutSource(input: ProjectInput, folder: string, reference: Reference): Promise<ImageSource> {
  const malformed = (where: string, detail: string): Error => ociFault('oci.layout-malformed', { where, detail });
  const marker = await input.sibling(`${folder}/oci-layout`, 4096);
  if (marker === undefined) throw malformed(folder, 'It has no file oci-layout.');
  if (versionOf(marker) !== '1.0.0') throw malformed(`${folder}/oci-layout`, 'Its version is not 1.0.0.');
  const bytes = await input.sibling(`${folder}/index.json`, MANIFEST_LIMIT);
  if (bytes === undefined) throw malformed(folder, 'It has no index.json.');
  const index = parseManifest(bytes, OCI_INDEX, `${folder}/index.json`);
  if (index.kind !== 'index') throw malformed(`${folder}/index.json`, 'It is not an index.');

  const blobPath = (digest: string): string => `${folder}/blobs/${digest.replace(':', '/')}`;
  const read = async (digest: string, limit: number, size?: number): Promise<Uint8Array | undefined> => {
    const content = await input.sibling(blobPath(digest), limit);
    if (content !== undefined) checkContent(content, digest, size, blobPath(digest));
    return content;
  };

  const tagged = (tag: string): Descriptor | undefined => {
    const names = [tag, formatReference({ ...reference, tag, digest: undefined })];
    const named = index.manifests.filter(
      ({ annotations }) =>
        names.includes(annotations[REF_NAME] ?? '') || names.includes(annotations[CONTAINERD_NAME] ?? ''),
    );
    if (new Set(named.map((one) => one.digest)).size > 1) {
      throw ociFault('oci.layout-reference', {
        where: `${folder}/index.json`,
        detail: `Two manifests are named ${tag}.`,
      });
    }
    return named[0];
  };

  return {
    label: folder,

    async manifest(which) {
      if (isContentDigest(which)) {
        const content = await read(which, MANIFEST_LIMIT);
        const media = index.manifests.find((one) => one.digest === which)?.mediaType ?? '';
        return content === undefined ? undefined : { bytes: content, media };
      }
      const [only] = index.manifests;
      const nameless = index.manifests.length === 1 && only?.annotations[REF_NAME] === undefined;
      // A nameless only manifest is meant by the tag that was asked for, not by every tag that might exist.
      const descriptor = tagged(which) ?? (nameless && which === reference.tag ? only : undefined);
      if (descriptor === undefined) {
        if (which !== reference.tag) return undefined;
        const names = index.manifests.map((one) => one.annotations[REF_NAME]).filter((name) => name !== undefined);
        throw ociFault('oci.layout-reference', {
          where: `${folder}/index.json`,
          detail: `It has no '${which}', but ${names.length === 0 ? 'no names' : names.map(printable).join(', ')}.`,
        });
      }
      const content = await read(descriptor.digest, MANIFEST_LIMIT, descriptor.size);
      if (content === undefined) throw malformed(blobPath(descriptor.digest), 'The file is missing.');
      return { bytes: content, media: descriptor.mediaType };
    },

    async blob(descriptor, limit) {
      const content = await read(descriptor.digest, limit, descriptor.size);
      if (content === undefined) throw malformed(blobPath(descriptor.digest), 'The file is missing.');
      return content;
    },

    sources: async (digest) => [{ kind: 'file', path: blobPath(digest) }],

    async referrers(digest) {
      const found: Descriptor[] = [];
      for (const descriptor of index.manifests) {
        const content = await read(descriptor.digest, MANIFEST_LIMIT, descriptor.size);
        if (content === undefined) continue;
        const manifest = parseManifest(content, descriptor.mediaType, blobPath(descriptor.digest));
        if (manifest.subject?.digest === digest) found.push(descriptor);
      }
      return found;
    },
  };
}

function versionOf(marker: Uint8Array): unknown {
  try {
    const document: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(marker));
    return isObject(document) ? document['imageLayoutVersion'] : undefined;
  } catch {
    return undefined;
  }
}
