import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { type Clock, errorCode, errorMessage, type Files, isFault, printable } from '#kernel';
import { openCarried } from '#gate';
import type { Volume } from '../custody-statement.ts';
import { custodyFault } from '../faults.ts';

const CHUNK = 1024 * 1024;

/**
 * A volume's digest, read once from its first byte to its last. On a block device, an image or a folder the volume is the
 * one bundle on it, which is what `admit` compares; of any other file it is the file itself. Throws
 * custody.volume-unreadable.
 */
export async function volumeAt(
  world: { readonly files: Files; readonly clock: Clock; readonly signal: AbortSignal },
  path: string,
): Promise<Volume> {
  const fault = (detail: string, cause?: unknown): Error =>
    custodyFault('custody.volume-unreadable', { where: path, detail, cause });
  try {
    const { signal, files } = world;
    const carried = await openCarried(world, path);
    try {
      const [reason] = carried.refusal;
      if (reason === undefined) return { name: nameOf(carried.name || path), sha256: await digestOf(carried, signal) };
      const look = await files.look(path);
      if (look?.kind !== 'file') throw fault(`${reason.code} ${reason.where}: ${reason.detail}`);
    } finally {
      await carried.close();
    }
    const file = await files.open(path, 'r', { follow: false });
    try {
      return { name: nameOf(path), sha256: await digestOf({ read: (into) => file.read(into) }, signal) };
    } finally {
      await file.close();
    }
  } catch (error) {
    throw isFault(error) || errorCode(error) === '' ? error : fault(`(${errorMessage(error)})`, error);
  }
}

function nameOf(path: string): string {
  return printable(basename(path)).slice(0, 200);
}

async function digestOf(source: { read(into: Uint8Array): Promise<number> }, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(CHUNK);
  for (;;) {
    signal.throwIfAborted();
    const count = await source.read(buffer);
    if (count === 0) return hash.digest('hex');
    hash.update(buffer.subarray(0, count));
  }
}
