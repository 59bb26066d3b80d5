import { copyFile, constants, open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode, isSafeName, printable } from '#kernel';
import { processStart } from '#system';
import { enclaveFault } from '../faults.ts';
import type { Kept } from './kept-enclaves.ts';

/** Bytes of a log that are shown, and read at once. */
const SHOWN = 1024 * 1024;
const PIECE = 64 * 1024;

export interface ShownLog {
  /** Files that hold it, oldest first. */
  readonly files: readonly string[];
  /** Controls are escaped. */
  readonly text: string;
  readonly cut: boolean;
  /** The newest file and how far it has been read, to go on from there. */
  readonly at: { readonly inode: number; readonly position: number };
}

/** The end of what a service wrote. Throws enclave.machine where there is no such log. */
export async function readLog({ record }: Kept, service: string): Promise<ShownLog> {
  const path = join(record.logs, `${service}.log`);
  const there =
    isSafeName(service) &&
    (await stat(path).then(
      () => true,
      () => false,
    ));
  if (!there) throw enclaveFault('enclave.machine', { where: service });
  const parts: Buffer[] = [];
  const files: string[] = [];
  const { ino: inode } = await stat(path);
  for (const file of [`${path}.1`, path]) {
    const bytes = await readFile(file).catch(() => undefined);
    if (bytes === undefined) continue;
    parts.push(bytes);
    files.push(file);
  }
  const all = Buffer.concat(parts);
  const shown = all.subarray(Math.max(0, all.length - SHOWN));
  return {
    files,
    text: escaped(shown.toString('utf8')),
    cut: shown.length < all.length,
    at: { inode, position: parts.at(-1)?.length ?? 0 },
  };
}

/** Gives whole lines as they come, until the enclave has ended or the signal comes. */
export async function followLog(
  { record }: Kept,
  service: string,
  from: ShownLog['at'],
  signal: AbortSignal,
  heard: (text: string) => void,
): Promise<void> {
  const path = join(record.logs, `${service}.log`);
  let { inode, position } = from;
  let rest = '';
  while (!signal.aborted) {
    const alive = (await processStart(record.pid)) === record.start;
    const now = await stat(path).catch(() => undefined);
    // When it was full another took its place: the end of the old one has been read, or is in NAME.log.1.
    if (now !== undefined && now.ino !== inode) [inode, position] = [now.ino, 0];
    const piece = now === undefined ? Buffer.alloc(0) : await readFrom(path, position);
    position += piece.length;
    const lines = (rest + piece.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    if (lines.length > 0) heard(`${escaped(lines.join('\n'))}\n`);
    if (piece.length === PIECE) continue;
    if (!alive) return;
    await sleep(100, undefined, { signal }).catch(() => undefined);
  }
}

/** Takes a finished capture to a new file: what is there is somebody's. Returns its size. Throws enclave.exists. */
export async function takeCapture(from: string, to: string): Promise<number> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw enclaveFault('enclave.exists', { where: to, cause: error });
    throw error;
  } finally {
    await rm(from, { force: true });
  }
  return (await stat(to)).size;
}

async function readFrom(path: string, position: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(PIECE), 0, PIECE, position);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function escaped(text: string): string {
  return text
    .split('\n')
    .map((line) => printable(line.replaceAll('\t', '  ')))
    .join('\n');
}
