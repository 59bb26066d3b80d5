import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { Files } from '#kernel';
import { printable } from '#kernel';
import type { Volume } from '../custody-statement.ts';

/** A volume's digest, read once from its first byte to its last. */
export async function volumeAt(files: Files, path: string, signal: AbortSignal): Promise<Volume> {
  const file = await files.open(path, 'r');
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.alloc(1024 * 1024);
    for (;;) {
      signal.throwIfAborted();
      const count = await file.read(buffer);
      if (count === 0) break;
      hash.update(buffer.subarray(0, count));
    }
    return { name: printable(basename(path)).slice(0, 200), sha256: hash.digest('hex') };
  } finally {
    await file.close();
  }
}
