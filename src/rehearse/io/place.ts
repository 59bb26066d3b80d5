import { access, constants, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, type Files } from '#kernel';
import { makeFolderDurably, processStart, removeTree, writeDurably } from '#system';
import { rehearseFault } from '../faults.ts';

/** Where a rehearsal keeps things: all below `DIR/.sallyport`, which git does not see. */
export interface Place {
  /** The project. */
  readonly folder: string;
  /** `DIR/.sallyport`. */
  readonly base: string;
  /** The home outside, the home inside, and the home of somebody whom nobody here trusts. */
  readonly outside: string;
  readonly inside: string;
  readonly stranger: string;
  /** What is carried. */
  readonly media: string;
  /** A small earlier delivery of the same channel. */
  readonly earlier: string;
  /**
   * Everything of one run, below a folder that is removed when it ends and when the next begins. Each process has its own:
   * what is left of one that was killed may be at work for a moment yet, and must not find the next one's files.
   */
  readonly work: string;
  readonly report: string;
  /** What services wrote in the last run. */
  readonly logs: string;
  /** Records and sockets of enclaves that are kept. */
  readonly enclaves: string;
}

/** Bytes of a path: SQLite takes 512 for its database, and adds to it (SQLITE_MAX_PATHLEN). */
const PATH = 480;

export function placeOf(folder: string): Place {
  const base = join(folder, '.sallyport');
  return {
    folder,
    base,
    outside: join(base, 'outside'),
    inside: join(base, 'inside'),
    stranger: join(base, 'stranger'),
    media: join(base, 'media'),
    earlier: join(base, 'earlier'),
    work: join(base, 'work', String(process.pid)),
    report: join(base, 'report.json'),
    logs: join(base, 'logs'),
    enclaves: join(base, 'enclaves'),
  };
}

/** Makes the folders and takes the lock of this rehearsal. Returns how to give it back. Throws rehearse.running. */
export async function openPlace(files: Files, place: Place): Promise<() => Promise<void>> {
  if ((await files.look(place.folder))?.kind !== 'folder') {
    throw rehearseFault('rehearse.no-folder', { where: place.folder });
  }
  if (Buffer.byteLength(place.base) > PATH) {
    throw rehearseFault('rehearse.long-path', { where: place.folder, detail: `It has more than ${PATH} bytes.` });
  }
  if ((await files.look(place.base)) === undefined) {
    // Making a folder with those above it says that something is not there, whatever is in the way.
    await access(place.folder, constants.W_OK);
    await makeFolderDurably(files, place.base, 0o700);
    await writeDurably(files, join(place.base, '.gitignore'), '*\n');
  }
  const lock = join(place.base, 'rehearsal.lock');
  for (;;) {
    try {
      const file = await open(lock, 'wx', 0o600);
      await file.write(`${process.pid} ${await processStart(process.pid)}\n`);
      await file.close();
      break;
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
      const [pid = '', start = ''] = (await readFile(lock, 'utf8').catch(() => '')).trim().split(' ');
      // A number alone may belong to another process by now; the moment of its start does not.
      if (/^\d+$/.test(pid) && (await processStart(Number(pid))) === start) {
        throw rehearseFault('rehearse.running', { where: place.base, detail: `Its process is ${pid}.` });
      }
      await rm(lock, { force: true });
    }
  }
  const work = join(place.base, 'work');
  for (const folder of [work, place.logs]) await removeTree(folder);
  for (const folder of [place.media, place.earlier, place.work, place.logs])
    await makeFolderDurably(files, folder, 0o700);
  return async () => {
    await removeTree(work);
    await rm(lock, { force: true });
  };
}
