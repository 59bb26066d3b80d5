import type { RandomBytes } from '#formats';
import { type Clock, type FileHandle, type Files, printable, type Reason } from '#kernel';
import {
  BUNDLE_START,
  bareStream,
  type Extent,
  mediaReason,
  readExactly,
  readMedium,
  type Stream,
  streamOf,
} from '#media';
import { Examination } from './examination.ts';
import { judgeListing, listFolder, listVolume } from './kinds/medium.ts';
import { foldName } from './member-name.ts';

/** A bundle on a medium, opened and not read. */
export interface Carried {
  /** Its path on the medium; '' where the path that was given leads to the bundle itself. */
  readonly name: string;
  /** Why nothing of it may be read; empty where it may. */
  readonly refusal: readonly Reason[];
  /** Fills `into` with the next bytes and says how many; less only at the end. */
  read(into: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

interface Surroundings {
  readonly files: Files;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A bundle with where it stands. */
interface Found {
  readonly name: string;
  open(): Promise<{ readonly read: Stream; close(): Promise<void> } | Reason>;
}

/**
 * The bundle that a path leads to: the path's own bytes; or, where it is a block device, an image of a medium or a folder,
 * the one bundle on it, or the one called `name`. What else lies there is judged as a medium; what is wrong refuses all
 * of it. Nothing is mounted, followed or written, and of the bundle no byte is asked for twice beyond its first ones.
 * Throws system errors, and examine.read.
 */
export async function openCarried(world: Surroundings, path: string, name?: string): Promise<Carried> {
  const { files } = world;
  const look = await files.look(path);
  if (look?.kind === 'folder') return carriedIn(world, path, name);
  if (look?.kind === 'other' && !look.block) {
    throw Object.assign(new Error('ENODEV: it is no file, folder or block device'), { code: 'ENODEV' });
  }
  const file = await files.open(path, 'r', { follow: false });
  try {
    const size = await file.size();
    const source: RandomBytes = { size, read: (into, position) => file.read(into, position) };
    const start = Buffer.alloc(Math.min(BUNDLE_START.length, size));
    await readExactly(source, start, 0);
    const isBundle = start.toString('latin1') === BUNDLE_START;
    const close = (): Promise<void> => file.close();
    if (isBundle && look?.block !== true) return { ...itself(file, name), close };
    const map = await readMedium(source);
    if ('reason' in map) {
      // A plain file in which no medium is seen is judged as a bundle.
      const plain = look?.block !== true && map.reason.code === 'media.file-system' && map.reason.where === 'medium';
      return plain ? { ...itself(file, name), close } : { ...nothing([map.reason]), close };
    }
    const examination = new Examination(world.clock, world.signal);
    const found: Found[] = [];
    const bundles: Found[] = [];
    for (const volume of map.volumes) {
      const chosen = new Set<string>();
      await examination.whole(async () => {
        for (const one of (await judgeListing(listVolume(volume, source), examination)) ?? []) chosen.add(one);
      });
      for (const { path: where, kind, size: length, extents } of volume.entries) {
        const open: Found['open'] = async () => {
          if (kind !== 'file') return mediaReason('media.no-bundle', where, 'It is no plain file.');
          const written = extents.reduce((sum, extent) => sum + extent.length, 0);
          if (written !== length) {
            return mediaReason('media.size', where, `It has ${length} bytes, of which ${written} were written.`);
          }
          return { read: streamOf(source, extents), close: async () => undefined };
        };
        const one = { name: where, open };
        found.push(one);
        if (chosen.has(where)) bundles.push(one);
      }
    }
    for (const extent of map.bare) bundles.push(bareOn(source, extent));
    return { ...(await choose(found, bundles, name, examination)), close };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function bareOn(source: RandomBytes, extent: Extent): Found {
  const open: Found['open'] = async () => ({ read: bareStream(source, extent), close: async () => undefined });
  return { name: `byte ${extent.start}`, open };
}

function itself(file: FileHandle, name: string | undefined): Omit<Carried, 'close'> {
  if (name !== undefined) {
    return nothing([mediaReason('media.no-bundle', name, 'What was named is a file and no medium.')]);
  }
  return { name: '', refusal: [], read: (into) => file.read(into) };
}

function nothing(refusal: readonly Reason[]): Omit<Carried, 'close'> {
  return { name: '', refusal, read: async () => 0 };
}

/** A mounted medium, or any folder. */
async function carriedIn(world: Surroundings, path: string, name: string | undefined): Promise<Carried> {
  const examination = new Examination(world.clock, world.signal);
  const chosen = new Set<string>();
  const found: Found[] = [];
  const listing = async function* () {
    for await (const entry of listFolder(path, world.files)) {
      if (entry.named && printable(entry.path) === entry.path)
        found.push({ name: entry.path, open: () => open(entry.path) });
      yield entry;
    }
  };
  const open = async (where: string): Promise<{ readonly read: Stream; close(): Promise<void> }> => {
    const file = await world.files.open(`${path}/${where}`, 'r', { follow: false });
    return { read: (into) => file.read(into), close: () => file.close() };
  };
  await examination.whole(async () => {
    for (const one of (await judgeListing(listing(), examination)) ?? []) chosen.add(one);
  });
  const bundles = found.filter((one) => chosen.has(one.name));
  return choose(found, bundles, name, examination);
}

async function choose(
  found: readonly Found[],
  bundles: readonly Found[],
  name: string | undefined,
  examination: Examination,
): Promise<Carried> {
  const none = (reasons: readonly Reason[]): Carried => ({ ...nothing(reasons), close: async () => undefined });
  if (examination.answer === 'refuse') return none(examination.reasons);
  let among = bundles;
  if (name !== undefined) {
    const wanted = name.replace(/^\/+/, '');
    const exact = found.filter((one) => one.name === wanted);
    among = exact.length > 0 ? exact : found.filter((one) => foldName(one.name) === foldName(wanted));
    if (among.length === 0) return none([mediaReason('media.no-bundle', wanted, 'Nothing on it has this name.')]);
  }
  const [one, ...others] = among;
  if (one === undefined)
    return none([mediaReason('media.no-bundle', '', `Of ${found.length} entries none is a bundle.`)]);
  if (others.length > 0) {
    const names = among.slice(0, 10).map(({ name: each }) => each);
    return none([mediaReason('media.several-bundles', '', names.join(', '))]);
  }
  const opened = await one.open();
  if ('code' in opened) return none([opened]);
  return { name: one.name, refusal: [], ...opened };
}
