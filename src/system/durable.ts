import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { errorCode, type Files } from '#kernel';

/**
 * Writes a file so that a crash leaves either the old or the new one, whole: temporary beside it, fsync, rename, fsync
 * of the folder. `exclusive` refuses (EEXIST) what is already there.
 */
export async function writeDurably(
  files: Files,
  path: string,
  bytes: Uint8Array | string,
  options: { mode?: number; exclusive?: boolean } = {},
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.sallyport-tmp`;
  const data = typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes;
  try {
    const file = await files.open(temporary, 'wx', { mode: options.mode ?? 0o644 });
    try {
      await file.write(data);
      await file.sync();
    } finally {
      await file.close();
    }
    if (options.exclusive === true) {
      await files.link(temporary, path);
      await files.remove(temporary);
    } else {
      await files.rename(temporary, path);
    }
  } catch (error) {
    await files.remove(temporary).catch(() => undefined);
    throw error;
  }
  await files.syncFolder(dirname(path));
}

/** Makes a folder and its missing parents, each name durable in its parent. */
export async function makeFolderDurably(files: Files, path: string, mode = 0o755): Promise<void> {
  const missing: string[] = [];
  for (let at = path; (await files.look(at)) === undefined; at = dirname(at)) missing.push(at);
  if (missing.length === 0) return;
  await files.makeFolder(path, mode);
  for (const made of missing.reverse()) await files.syncFolder(dirname(made));
}

/** The bytes of a file, or undefined where there is none. */
export async function readIfThere(files: Files, path: string, limit: number): Promise<Uint8Array | undefined> {
  try {
    return await files.read(path, limit);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
