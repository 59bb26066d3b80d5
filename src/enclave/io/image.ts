import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { digestOf, type Digest, errorMessage, hexOf, isDigest, isObject } from '#kernel';
import { lastWords, removeTree } from '#system';
import { enclaveFault } from '../faults.ts';
import { IMAGE_FOLDERS, IMAGE_TEMPORARY, type Root } from '../surroundings.ts';
import { openFileBeneath, readBeneath } from './beneath.ts';
import type { Enclave } from './enclave.ts';
import { userOf } from '../image-user.ts';

/** What an image says about how it is run (OCI image specification, config). */
export interface ImageRoot extends Root {
  readonly manifest: Digest;
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
}

const DOCUMENT = 8 * 1024 * 1024;
const LAYERS = 128;

/**
 * Unpacks the one image of an OCI layout below `folder`, every blob checked against its digest first. The layers are
 * hostile input: they are unpacked inside the enclave, by a process that can write nowhere else. Throws enclave.image.
 */
export async function unpackImage(
  enclave: Enclave,
  options: {
    readonly machine: string;
    /** OCI layout, which a foreign program may have written. */
    readonly layout: string;
    /** Where it goes; below a writable folder of the enclave. What is there is kept if it is the same image. */
    readonly folder: string;
    readonly env: Readonly<Record<string, string>>;
  },
): Promise<ImageRoot> {
  const { layout, folder } = options;
  const wrong = (detail: string): Error => enclaveFault('enclave.image', { where: layout, detail });
  const blob = (digest: Digest): string => join(layout, 'blobs', 'sha256', hexOf(digest));
  const document = async (digest: Digest): Promise<Record<string, unknown>> => {
    const bytes = await readDocument(blob(digest));
    if (digestOf(bytes) !== digest) throw wrong(`The bytes of ${digest} have another digest.`);
    return parse(bytes, wrong);
  };
  const readDocument = async (path: string): Promise<Uint8Array> => {
    try {
      const bytes = await readBeneath(layout, path, DOCUMENT);
      if (bytes !== undefined) return bytes;
    } catch (error) {
      throw wrong(errorMessage(error));
    }
    throw wrong(`${path} is missing.`);
  };
  const digestIn = (descriptor: unknown): Digest => {
    const digest = isObject(descriptor) ? descriptor['digest'] : undefined;
    if (!isDigest(digest)) throw wrong('A descriptor has no sha256 digest.');
    return digest;
  };

  const index = parse(await readDocument(join(layout, 'index.json')), wrong);
  const manifests = Array.isArray(index['manifests']) ? index['manifests'] : [];
  if (manifests.length !== 1) throw wrong(`It holds ${manifests.length} images; one is expected.`);
  const manifestDigest = digestIn(manifests[0]);
  const manifest = await document(manifestDigest);
  const settings = await document(digestIn(manifest['config']));
  const config = isObject(settings['config']) ? settings['config'] : {};
  const layers = Array.isArray(manifest['layers']) ? manifest['layers'].map(digestIn) : [];
  if (layers.length > LAYERS) throw wrong(`It has ${layers.length} layers; the limit is ${LAYERS}.`);

  const rootfs = join(folder, 'rootfs');
  const done = join(folder, 'unpacked');
  const volumes = Object.keys(isObject(config['Volumes']) ? config['Volumes'] : {}).map(inside);
  const cwd = inside(typeof config['WorkingDir'] === 'string' ? config['WorkingDir'] : '/');
  if ((await readFile(done, 'utf8').catch(() => '')) !== manifestDigest) {
    await removeTree(folder);
    await mkdir(rootfs, { recursive: true });
    // As root of its own user namespace, so that files keep their owners where there are several ids.
    const unpacking = { cwd: rootfs, env: options.env, writable: [rootfs], as: { uid: 0, gid: 0 } };
    for (const digest of layers) {
      if ((await hash(openFileBeneath(layout, blob(digest)))) !== digest)
        throw wrong(`The bytes of layer ${digest} have another digest.`);
      const ended = await enclave.run(
        options.machine,
        '/bin/sh',
        ['-c', LAYER, blob(digest), rootfs, enclave.keepsOwners ? '--same-owner' : '--no-same-owner'],
        {
          ...unpacking,
          readable: [layout],
          timeout: 5 * 60_000,
        },
      );
      if (ended.code !== 0) throw wrong(`Layer ${digest} cannot be unpacked: ${lastWords(ended)}`);
    }
    // Links of the image must not lead these names astray, so they are made inside as well.
    const open = [...IMAGE_TEMPORARY, ...volumes].map((path) => path.slice(1));
    const wanted = [...IMAGE_FOLDERS, cwd.slice(1), '', ...open];
    const ended = await enclave.run(options.machine, '/bin/sh', ['-c', FOLDERS, rootfs, ...wanted], {
      ...unpacking,
      timeout: 30_000,
    });
    if (ended.code !== 0) throw wrong(`Its folders cannot be made: ${lastWords(ended)}`);
    await writeFile(done, manifestDigest);
  }
  const people = async (name: string): Promise<string> => {
    const bytes = await readBeneath(folder, join(rootfs, 'etc', name), DOCUMENT).catch(() => undefined);
    return bytes === undefined ? '' : Buffer.from(bytes).toString('utf8');
  };
  const user = userOf(
    typeof config['User'] === 'string' ? config['User'] : '',
    await people('passwd'),
    await people('group'),
  );
  if (user === undefined) throw wrong(`It is to run as '${String(config['User'])}', and knows nobody of that name.`);
  const variables = strings(config['Env']).map((entry): [string, string] => {
    const at = entry.indexOf('=');
    return at === -1 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
  });
  return {
    path: rootfs,
    volumes,
    cwd,
    user,
    manifest: manifestDigest,
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...Object.fromEntries(variables) },
    entrypoint: strings(config['Entrypoint']),
    command: strings(config['Cmd']),
  };
}

/** $0 the layer, $1 the root, $2 whether files keep their owners. Whiteouts (OCI image specification, layer) remove what lower layers brought. */
const LAYER = String.raw`set -e
cd "$1"
tar -tf "$0" | while IFS= read -r name; do
  base=$(basename -- "$name"); dir=$(dirname -- "$name")
  case $base in
    .wh..wh..opq) [ -h "./$dir" ] || find "./$dir" -mindepth 1 -maxdepth 1 -exec rm -rf -- {} + 2>/dev/null || : ;;
    .wh.*) rm -rf -- "./$dir/$(printf %s "$base" | cut -c5-)" ;;
  esac
done
tar -xpf "$0" "$2" --numeric-owner --overwrite --delay-directory-restore --exclude='.wh.*' --exclude='./dev/*' --exclude='dev/*'
# Whose the root itself is, is not for a layer to say.
if [ "$2" = --same-owner ]; then chown 0:0 .; fi
`;

/**
 * $0 the root, then folders below it; those after '' are open to everybody: empty ones are put there later, which take
 * over their modes. A link in the place of one of them is replaced.
 */
const FOLDERS = String.raw`set -e
cd "$0"
open=
for path; do
  if [ -z "$path" ]; then open=yes; continue; fi
  at=.
  IFS=/; set -f; for part in $path; do at=$at/$part; if [ -h "$at" ]; then rm -- "$at"; fi; [ -d "$at" ] || mkdir -- "$at"; done; unset IFS
  if [ -n "$open" ]; then chmod 1777 -- "$at"; fi
done
for name in hosts resolv.conf; do rm -rf -- "./etc/$name"; : > "./etc/$name"; done
`;

function inside(path: string): string {
  // Normalised from the root, `..` cannot climb out of it.
  return posix.normalize(`/${path}`);
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === 'string') : [];
}

function parse(bytes: Uint8Array, wrong: (detail: string) => Error): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (isObject(value)) return value as Record<string, unknown>;
  } catch {
    // Said below, in words for the reader.
  }
  throw wrong('A document of it is not a JSON object.');
}

async function hash(file: number): Promise<string> {
  const hasher = createHash('sha256');
  for await (const piece of createReadStream('', { fd: file, highWaterMark: 1024 * 1024 }))
    hasher.update(piece as Buffer);
  return `sha256:${hasher.digest('hex')}`;
}
