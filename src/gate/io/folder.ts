import { opendir } from 'node:fs/promises';
import { errorMessage, type Kind } from '#kernel';
import { gateFault } from '../faults.ts';

export interface FolderEntry {
  /** Relative to the folder, with `/` between parts; bytes that are not UTF-8 stand as Latin-1. */
  readonly path: string;
  readonly kind: Kind;
  /** Whether the bytes of the name are UTF-8. */
  readonly named: boolean;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Everything below a folder, folders before what they hold. No link is followed. One folder's names are never held
 * together, because a medium can hold more than memory.
 */
export async function* walkFolder(root: string, deepest: number): AsyncGenerator<FolderEntry> {
  const waiting: { bytes: Buffer; path: string; depth: number }[] = [{ bytes: Buffer.from(root), path: '', depth: 0 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { bytes, path, depth } = next;
    let folder;
    try {
      folder = await opendir(bytes as unknown as string, { encoding: 'buffer' as BufferEncoding, bufferSize: 256 });
      for await (const entry of folder) {
        const raw = entry.name as unknown as Buffer;
        let name: string;
        let named = true;
        try {
          name = utf8.decode(raw);
        } catch {
          name = raw.toString('latin1');
          named = false;
        }
        const kind: Kind = entry.isFile()
          ? 'file'
          : entry.isDirectory()
            ? 'folder'
            : entry.isSymbolicLink()
              ? 'link'
              : 'other';
        const inner = path === '' ? name : `${path}/${name}`;
        yield { path: inner, kind, named };
        if (kind === 'folder' && depth < deepest) {
          waiting.push({ bytes: Buffer.concat([bytes, Buffer.from('/'), raw]), path: inner, depth: depth + 1 });
        }
      }
    } catch (error) {
      if (!(error instanceof Error) || !('syscall' in error)) throw error;
      throw gateFault('examine.read', {
        where: path === '' ? root : path,
        detail: `(${errorMessage(error)})`,
        cause: error,
      });
    }
  }
}
