import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { compareUtf8, errorCode, printable } from '#kernel';
import { filesFault } from '../faults.ts';

export interface Found {
  /** Relative to the project, with `/`. */
  readonly path: string;
  readonly size: number;
}

/** Files of one input; more is a sign that a whole disk was named by mistake. */
export const FILES_LIMIT = 100_000;

/**
 * The regular files at or below a path of the project, sorted by UTF-8 bytes. Links are refused on the whole way, also
 * in the folders above, so that an input never reaches out of the project.
 */
export async function walk(project: string, path: string): Promise<readonly Found[]> {
  const parts = path.split('/');
  for (let i = 1; i <= parts.length; i++) {
    const at = parts.slice(0, i).join('/');
    const look = await lstat(join(project, at)).catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
      throw error;
    });
    if (look === undefined) throw filesFault('files.missing', { where: printable(path) });
    if (i < parts.length ? !look.isDirectory() : !look.isDirectory() && !look.isFile()) {
      throw filesFault('files.not-a-file', { where: printable(at) });
    }
    if (i === parts.length && look.isFile()) return [{ path, size: look.size }];
  }
  const found: Found[] = [];
  await below(project, path, found);
  return found.sort((a, b) => compareUtf8(a.path, b.path));
}

async function below(project: string, folder: string, found: Found[]): Promise<void> {
  // Names as bytes: one that is no UTF-8 would come back changed, and another file would be read or none.
  for (const entry of await readdir(join(project, folder), { withFileTypes: true, encoding: 'buffer' })) {
    const name = entry.name.toString('utf8');
    const path = `${folder}/${name}`;
    if (!Buffer.from(name, 'utf8').equals(entry.name)) {
      throw filesFault('files.name-refused', { where: printable(path), detail: 'It is not valid UTF-8.' });
    }
    if (entry.isDirectory()) await below(project, path, found);
    else if (entry.isFile()) found.push({ path, size: (await lstat(join(project, path))).size });
    else throw filesFault('files.not-a-file', { where: printable(path) });
    if (found.length > FILES_LIMIT) {
      throw filesFault('files.too-many', { where: printable(folder), detail: `The limit is ${FILES_LIMIT}.` });
    }
  }
}
