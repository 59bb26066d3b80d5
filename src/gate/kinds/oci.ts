import { createHash } from 'node:crypto';
import { ByteSource, gunzipped, type RandomBytes, sourceOf, zstdExpanded } from '#formats';
import { type Files, isObject } from '#kernel';
import { judgeContainer, judgeTar, LAYER, PLAIN } from '../archive.ts';
import type { Examination } from '../examination.ts';
import { walkFolder } from '../io/folder.ts';
import { LIMITS } from '../limits.ts';
import { containerOf, MAGIC_BYTES } from '../magic.ts';
import { openFile } from '../opened.ts';
import { objectOf } from './json.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const DOCKER_INDEX = 'application/vnd.docker.distribution.manifest.list.v2+json';
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const INDEXES: readonly string[] = [INDEX, DOCKER_INDEX];
const MANIFESTS: readonly string[] = [MANIFEST, DOCKER_MANIFEST];
const CONFIGS: readonly string[] = [
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
];
type Form = 'tar' | 'gzip' | 'zstd';
const LAYERS: ReadonlyMap<string, Form> = new Map([
  ['application/vnd.oci.image.layer.v1.tar', 'tar'],
  ['application/vnd.oci.image.layer.v1.tar+gzip', 'gzip'],
  ['application/vnd.oci.image.layer.v1.tar+zstd', 'zstd'],
  ['application/vnd.docker.image.rootfs.diff.tar', 'tar'],
  ['application/vnd.docker.image.rootfs.diff.tar.gzip', 'gzip'],
  ['application/vnd.docker.image.rootfs.diff.tar.zstd', 'zstd'],
]);
const FOREIGN = /nondistributable|\.foreign\./;
/** Digest forms that are strong and written in one way (image specification, descriptor.md, "Digests"). */
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;
/** Indexes inside indexes. */
const INDEX_DEPTH = 4;

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform: { readonly os: unknown; readonly architecture: unknown } | undefined;
}

/** An OCI image layout folder (image specification 1.1, image-layout.md): every document, digest and layer in it. */
export async function judgeLayout(path: string, files: Files, examination: Examination): Promise<void> {
  const layout = new Layout((name) => `${path}/${name}`, files, examination);
  if (await layout.list(path)) await layout.judge();
}

/** A document or blob of images that do not lie in a layout, by the digest that images know it by. */
export interface ImagePart {
  readonly digest: string;
  readonly mediaType: string;
  /** Whether it is a manifest or an index. */
  readonly document: boolean;
  readonly path: string;
  readonly size: number;
}

/** Layers that were judged before, under the same rules. */
export interface JudgedLayers {
  has(digest: string, use: string): boolean;
  add(digest: string, use: string): void;
}

/**
 * Images whose parts lie anywhere, as in a layout. What is not among the parts is not here: whoever gives them knows
 * what had to come.
 */
export async function judgeImages(
  parts: readonly ImagePart[],
  files: Files,
  examination: Examination,
  before: JudgedLayers,
): Promise<void> {
  const paths = new Map(parts.map(({ digest, path }) => [`blobs/${digest.replace(':', '/')}`, path]));
  const layout = new Layout((name) => paths.get(name) ?? name, files, examination, before);
  await layout.judgeParts(parts);
}

class Layout {
  readonly #pathOf: (name: string) => string;
  readonly #files: Files;
  readonly #examination: Examination;
  /** Undefined where everything that is named has to be here. */
  readonly #before: JudgedLayers | undefined;
  /** Files of the folder; true once a descriptor named it. */
  readonly #named = new Map<string, boolean>();
  /** Digests that were judged, with the size for which they were. */
  readonly #judged = new Map<string, string>();
  #descriptors = 0;

  constructor(pathOf: (name: string) => string, files: Files, examination: Examination, before?: JudgedLayers) {
    this.#pathOf = pathOf;
    this.#files = files;
    this.#examination = examination;
    this.#before = before;
  }

  #say(...words: Parameters<Examination['found']>): void {
    this.#examination.found(...words);
  }

  /** Looks at what lies in the folder. False where it is no layout at all. */
  async list(folder: string): Promise<boolean> {
    let bytes = 0;
    for await (const { path, kind, named } of walkFolder(folder, 8)) {
      this.#examination.entry(path);
      if (!named) this.#say('examine.name-encoding', path, 'Its name is not UTF-8.');
      if (kind === 'link') this.#say('examine.link', path, 'It is a link; it is not followed.');
      else if (kind === 'other') this.#say('examine.special', path, 'It is a device, a FIFO or a socket.');
      else if (kind === 'folder') {
        if (!/^(?:blobs(?:\/(?:sha256|sha512))?|ingest)$/.test(path))
          this.#say('examine.layout', path, 'A layout has no such folder.');
      } else {
        this.#named.set(path, path === 'oci-layout' || path === 'index.json');
        if (!/^(?:oci-layout|index\.json|blobs\/sha256\/[0-9a-f]{64}|blobs\/sha512\/[0-9a-f]{128})$/.test(path)) {
          this.#say('examine.layout', path, 'A layout has no such file.');
        } else bytes += (await this.#files.look(this.#pathOf(path)))?.size ?? 0;
      }
    }
    this.#examination.size = bytes;
    for (const name of ['oci-layout', 'index.json']) {
      if (!this.#named.has(name)) this.#say('examine.layout', name, 'It is missing.');
    }
    return this.#named.has('oci-layout') && this.#named.has('index.json');
  }

  async judge(): Promise<void> {
    const marker = objectOf(await this.#whole('oci-layout', 4096), 'oci-layout', this.#examination);
    if (marker !== undefined && marker['imageLayoutVersion'] !== '1.0.0') {
      this.#say('examine.layout', 'oci-layout', 'Its version is not 1.0.0.');
    }
    const bytes = await this.#whole('index.json', LIMITS.manifest);
    if (bytes !== undefined) await this.#document(bytes, INDEX, 'index.json', 1, undefined);
    for (const [path, named] of this.#named) {
      if (!named) this.#say('examine.unreferenced', path, 'No descriptor names it, so it was judged by nothing.');
    }
  }

  async judgeParts(parts: readonly ImagePart[]): Promise<void> {
    const proper: ImagePart[] = [];
    for (const part of parts) {
      this.#examination.size += part.size;
      if (DIGEST.test(part.digest)) proper.push(part);
      else this.#say('examine.digest-form', part.digest, 'What it is known by is no digest.');
      this.#named.set(`blobs/${part.digest.replace(':', '/')}`, false);
    }
    // Indexes come first: they say for which platform a manifest is. What was judged is not judged again.
    const documents = proper.filter(({ document }) => document);
    documents.sort((a, b) => Number(INDEXES.includes(b.mediaType)) - Number(INDEXES.includes(a.mediaType)));
    for (const { digest, mediaType, size } of documents) {
      const isDone = this.#judged.has(digest);
      if (!isDone) await this.#manifest({ digest, mediaType, size, platform: undefined }, digest, 0);
    }
    for (const { digest, mediaType, size, document } of proper) {
      if (document || this.#judged.has(digest)) continue;
      // No manifest of this bundle names it: it is judged as what it says that it is.
      await this.#blob({ digest, mediaType, size, platform: undefined }, digest, LAYERS.get(mediaType), undefined);
    }
  }

  async #open<T>(path: string, use: (file: RandomBytes) => Promise<T>): Promise<T> {
    const file = await openFile(this.#files, this.#pathOf(path));
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  }

  async #whole(path: string, limit: number): Promise<Uint8Array | undefined> {
    return this.#open(path, async (file) => {
      if (file.size > limit) {
        this.#say('examine.document-size', path, `It has ${file.size} bytes; at most ${limit} are read.`);
        return undefined;
      }
      const bytes = Buffer.alloc(file.size);
      return bytes.subarray(0, await file.read(bytes, 0));
    });
  }

  /** A manifest or index, already known to be what its digest says. `media` is what named it. */
  async #document(
    bytes: Uint8Array,
    media: string,
    where: string,
    depth: number,
    platform: Descriptor['platform'],
  ): Promise<void> {
    const document = objectOf(bytes, where, this.#examination);
    if (document === undefined) return;
    const isIndex = 'manifests' in document;
    const isManifest = 'layers' in document || 'config' in document || 'fsLayers' in document;
    if (isIndex && isManifest) {
      this.#say(
        'examine.two-documents',
        where,
        'It has manifests and layers; clients choose by its media type (CVE-2021-41190).',
      );
      return;
    }
    const stated = document['mediaType'];
    if (stated !== undefined && stated !== media) {
      this.#say('examine.media-type', where, `It says ${JSON.stringify(stated)}, and what names it says ${media}.`);
    }
    if ((isIndex && !INDEXES.includes(media)) || (isManifest && !MANIFESTS.includes(media))) {
      this.#say(
        'examine.media-type',
        where,
        `It is ${isIndex ? 'an index' : 'a manifest'}, and what names it says ${media}.`,
      );
    }
    if (document['schemaVersion'] !== 2) this.#say('examine.media-type', where, 'Its schemaVersion is not 2.');
    if (isIndex) {
      if (depth > INDEX_DEPTH) {
        this.#say('examine.nesting', where, `Indexes are nested more than ${INDEX_DEPTH} deep.`);
        return;
      }
      for (const [at, descriptor] of this.#list(document['manifests'], `${where}$.manifests`)) {
        await this.#manifest(descriptor, at, depth);
      }
    } else if (isManifest) await this.#image(document, where, platform);
    else this.#say('examine.media-type', where, 'It is neither a manifest nor an index.');
    if (document['subject'] !== undefined) this.#descriptor(document['subject'], `${where}$.subject`);
  }

  #list(value: unknown, where: string): (readonly [string, Descriptor])[] {
    if (!Array.isArray(value)) {
      this.#say('examine.descriptor', where, 'It is no list.');
      return [];
    }
    return value.flatMap((entry: unknown, index) => {
      const at = `${where}[${index}]`;
      const descriptor = this.#descriptor(entry, at);
      return descriptor === undefined ? [] : [[at, descriptor] as const];
    });
  }

  #descriptor(value: unknown, where: string): Descriptor | undefined {
    this.#descriptors += 1;
    const most = this.#before === undefined ? LIMITS.descriptors : this.#examination.bounds.entries;
    if (this.#descriptors > most) {
      this.#say('examine.entries', '', `There are more than ${most} descriptors.`);
      return undefined;
    }
    if (!isObject(value)) {
      this.#say('examine.descriptor', where, 'It is no object.');
      return undefined;
    }
    const { mediaType, digest, size, urls, data, platform } = value;
    if (typeof mediaType !== 'string' || !/^[\w.+-]+\/[\w.+-]+$/.test(mediaType)) {
      this.#say('examine.descriptor', where, 'It has no proper mediaType.');
      return undefined;
    }
    if (
      (Array.isArray(urls) && urls.length > 0) ||
      (urls !== undefined && !Array.isArray(urls)) ||
      FOREIGN.test(mediaType)
    ) {
      this.#say('examine.foreign-layer', where, 'Its content is to be fetched from an address (CVE-2020-15157).');
      return undefined;
    }
    if (typeof digest !== 'string' || !DIGEST.test(digest)) {
      this.#say('examine.digest-form', where, `Its digest is ${JSON.stringify(digest)?.slice(0, 160)}.`);
      return undefined;
    }
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      this.#say('examine.descriptor', where, 'It has no proper size.');
      return undefined;
    }
    if (data !== undefined) {
      const bytes = typeof data === 'string' ? Buffer.from(data, 'base64') : undefined;
      const same =
        bytes !== undefined &&
        bytes.toString('base64') === data &&
        bytes.length === size &&
        this.#digest(bytes, digest) === digest;
      if (!same) this.#say('examine.descriptor', where, 'Its embedded data are not what its digest and size say.');
    }
    if (platform !== undefined && !isObject(platform))
      this.#say('examine.descriptor', where, 'Its platform is no object.');
    return {
      mediaType,
      digest,
      size,
      platform: isObject(platform) ? { os: platform['os'], architecture: platform['architecture'] } : undefined,
    };
  }

  #digest(bytes: Uint8Array, like: string): string {
    const algorithm = like.slice(0, like.indexOf(':'));
    return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
  }

  /** The path of a content whose size is right; undefined, with a reason, where it is not there or was judged before. */
  async #content({ digest, size }: Descriptor, where: string, use: string): Promise<string | undefined> {
    const path = `blobs/${digest.replace(':', '/')}`;
    if (!this.#named.has(path)) {
      if (this.#before !== undefined) return undefined;
      this.#say('examine.missing', where, `${digest} is not here.`);
      return undefined;
    }
    this.#named.set(path, true);
    const look = await this.#files.look(this.#pathOf(path));
    if (look?.size !== size) {
      this.#say('examine.descriptor', where, `It says ${size} bytes, and ${digest} has ${look?.size ?? 0}.`);
      return undefined;
    }
    const before = this.#judged.get(digest);
    if (before === use) return undefined;
    // In one layout a blob is one thing; images that only share a bundle may call a layer by two names.
    if (before !== undefined && this.#before === undefined)
      this.#say('examine.media-type', where, `${digest} is named as ${before} and as ${use}.`);
    this.#judged.set(digest, use);
    return path;
  }

  async #bytes(descriptor: Descriptor, where: string): Promise<Uint8Array | undefined> {
    const path = await this.#content(descriptor, where, descriptor.mediaType);
    const bytes = path === undefined ? undefined : await this.#whole(path, LIMITS.manifest);
    if (bytes === undefined) return undefined;
    if (this.#digest(bytes, descriptor.digest) === descriptor.digest) return bytes;
    this.#say('examine.digest', where, `The content of ${descriptor.digest} is another.`);
    return undefined;
  }

  async #manifest(descriptor: Descriptor, where: string, depth: number): Promise<void> {
    const { mediaType, platform, digest } = descriptor;
    if (!INDEXES.includes(mediaType) && !MANIFESTS.includes(mediaType)) {
      this.#say('examine.media-type', where, `${mediaType} is neither a manifest nor an index.`);
      return;
    }
    const bytes = await this.#bytes(descriptor, where);
    if (bytes !== undefined) await this.#document(bytes, mediaType, digest, depth + 1, platform);
  }

  async #image(
    document: { readonly [key: string]: unknown },
    where: string,
    platform: Descriptor['platform'],
  ): Promise<void> {
    const config = this.#descriptor(document['config'], `${where}$.config`);
    const layers = this.#list(document['layers'], `${where}$.layers`);
    if (config === undefined) return;
    const isImage = CONFIGS.includes(config.mediaType);
    const bytes = await this.#bytes(config, `${where}$.config`);
    let diffs: readonly unknown[] | undefined;
    if (isImage && bytes !== undefined) {
      const settings = objectOf(bytes, config.digest, this.#examination) ?? {};
      if (
        platform !== undefined &&
        (platform.os !== settings['os'] || platform.architecture !== settings['architecture'])
      ) {
        const says = `${String(platform.os)}/${String(platform.architecture)}`;
        this.#say(
          'examine.platform',
          where,
          `The index says ${says}, the image ${String(settings['os'])}/${String(settings['architecture'])}.`,
        );
      }
      const root = settings['rootfs'];
      diffs = isObject(root) && Array.isArray(root['diff_ids']) ? root['diff_ids'] : [];
      if (diffs.length !== layers.length) {
        this.#say(
          'examine.descriptor',
          where,
          `It has ${layers.length} layers, and its configuration ${diffs.length} diff_ids.`,
        );
      }
    }
    for (const [index, [at, layer]] of layers.entries()) {
      const form = LAYERS.get(layer.mediaType);
      if (isImage && form === undefined)
        this.#say('examine.media-type', at, `${layer.mediaType} is no layer of an image.`);
      await this.#blob(layer, at, form, diffs?.[index]);
    }
  }

  async #blob(layer: Descriptor, at: string, form: Form | undefined, diff: unknown): Promise<void> {
    const path = await this.#content(layer, at, layer.mediaType);
    // What it was judged as, with everything that the answer depends on.
    const use = `${layer.mediaType} ${typeof diff === 'string' ? diff : ''}`;
    if (path === undefined || this.#before?.has(layer.digest, use) === true) return;
    const clean = this.#examination.findings;
    await this.#examination.part(at, () => this.#open(path, (file) => this.#layer(file, layer, form, diff, at)));
    if (this.#examination.findings === clean) this.#before?.add(layer.digest, use);
  }

  /** Reads a layer once: its bytes are hashed while they are judged. */
  async #layer(
    file: RandomBytes,
    { digest }: Descriptor,
    form: Form | undefined,
    diff: unknown,
    where: string,
  ): Promise<void> {
    const hash = createHash(digest.slice(0, digest.indexOf(':')));
    const source = hashed(sourceOf(file), hash, () => this.#examination.time());
    const content = createHash('sha256');
    try {
      const found = containerOf(await source.peek(MAGIC_BYTES))?.kind;
      const options = { spend: (bytes: number) => this.#examination.spend(bytes), many: true };
      if (form === undefined) {
        if (found !== undefined) await judgeContainer(source, this.#examination, PLAIN, { where, nesting: 1 });
      } else {
        if (found !== form && found !== undefined) {
          this.#say('examine.media-type', where, `Its content is ${found}, and its media type says ${form}.`);
          return;
        }
        const open =
          form === 'gzip' ? gunzipped(source, options) : form === 'zstd' ? zstdExpanded(source, options) : source;
        const tar = hashed(open, content, () => {});
        const empty = (await tar.peek(1024)).every((byte) => byte === 0);
        if (empty) await tar.skip(1024);
        else await judgeTar(tar, this.#examination, LAYER, { where });
        await tar.skip(Number.MAX_SAFE_INTEGER);
        if (typeof diff === 'string' && `sha256:${content.digest('hex')}` !== diff) {
          this.#say('examine.digest', where, 'What it expands to is not the diff_id of the configuration.');
        }
      }
    } finally {
      await source.skip(Number.MAX_SAFE_INTEGER);
      if (`${digest.slice(0, digest.indexOf(':'))}:${hash.digest('hex')}` !== digest) {
        this.#say('examine.digest', where, `The content of ${digest} is another.`);
      }
    }
  }
}

/** Everything that is read or passed over goes into the hash. */
function hashed(source: ByteSource, hash: { update(bytes: Uint8Array): unknown }, each: () => void): ByteSource {
  return new ByteSource(async () => {
    each();
    const chunk = await source.some(128 * 1024);
    if (chunk !== undefined) hash.update(chunk);
    return chunk;
  });
}
