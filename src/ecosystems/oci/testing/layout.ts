import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { gzipSync } from 'node:zlib';

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
export const EMPTY = 'application/vnd.oci.empty.v1+json';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly [more: string]: unknown;
}

/** Content of a layout that is being made. */
export class Layout {
  readonly blobs = new Map<string, Uint8Array>();
  readonly manifests: Descriptor[] = [];

  blob(bytes: Uint8Array | string, mediaType: string, more: object = {}): Descriptor {
    const content = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
    this.blobs.set(digest, content);
    return { mediaType, digest, size: content.length, ...more };
  }

  json(document: object, mediaType: string, more: object = {}): Descriptor {
    return this.blob(JSON.stringify(document), mediaType, more);
  }

  /** A container image with one layer of one file. */
  image(architecture: string, text: string, more: object = {}): Descriptor {
    const tar = tarOf('hello.txt', Buffer.from(text));
    const config = this.json(
      {
        architecture,
        os: 'linux',
        config: {},
        rootfs: { type: 'layers', diff_ids: [`sha256:${createHash('sha256').update(tar).digest('hex')}`] },
      },
      OCI_CONFIG,
    );
    const layers = [this.blob(gzipSync(tar), OCI_LAYER)];
    return this.json({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers }, OCI_MANIFEST, more);
  }

  /** An image index over two platforms. */
  index(text: string, more: object = {}): { index: Descriptor; amd64: Descriptor; arm64: Descriptor } {
    const amd64 = this.image('amd64', `${text} amd64`, { platform: { os: 'linux', architecture: 'amd64' } });
    const arm64 = this.image('arm64', `${text} arm64`, {
      platform: { os: 'linux', architecture: 'arm64', variant: 'v8' },
    });
    const index = this.json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [amd64, arm64] }, OCI_INDEX, more);
    return { index, amd64, arm64 };
  }

  /** An artifact that refers to another manifest: a signature, an SBOM. */
  referrer(subject: Descriptor, artifactType: string, text: string, annotations: object = {}): Descriptor {
    const { mediaType, digest, size } = subject;
    return this.json(
      {
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        artifactType,
        config: this.blob('{}', EMPTY),
        layers: [this.blob(text, 'text/plain')],
        subject: { mediaType, digest, size },
        annotations,
      },
      OCI_MANIFEST,
    );
  }

  /** Puts a manifest into index.json, under a name. */
  add(descriptor: Descriptor, name?: string): void {
    const { annotations, ...rest } = descriptor;
    this.manifests.push({
      ...(rest as Descriptor),
      ...(name === undefined
        ? {}
        : { annotations: { ...(annotations as object), 'org.opencontainers.image.ref.name': name } }),
    });
  }

  /** The files of the layout by path below `folder`. */
  files(folder: string): Readonly<Record<string, Uint8Array>> {
    const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: this.manifests };
    return {
      [`${folder}/oci-layout`]: Buffer.from('{"imageLayoutVersion":"1.0.0"}'),
      [`${folder}/index.json`]: Buffer.from(JSON.stringify(index)),
      ...Object.fromEntries(
        [...this.blobs].map(([digest, bytes]) => [`${folder}/blobs/${digest.replace(':', '/')}`, bytes]),
      ),
    };
  }

  async write(folder: string): Promise<void> {
    for (const [path, bytes] of Object.entries(this.files(folder))) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, bytes);
    }
  }
}

/** One regular file as a ustar archive (POSIX.1-1988). */
function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)]);
}
