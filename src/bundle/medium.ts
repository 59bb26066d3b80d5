import { errorCode, errorMessage, type FileHandle, type Files } from '#kernel';
import { bundleFault } from './faults.ts';

/** A bundle that is read once, from its first byte to its last. */
export interface Medium {
  /** Fills `into` with the next bytes and says how many; less only at the end. */
  read(into: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

/** A bundle in a file. Throws bundle.unreadable. */
export async function openMedium(files: Files, path: string): Promise<Medium> {
  const fail = (error: unknown): Error =>
    bundleFault('bundle.unreadable', {
      where: path,
      detail:
        errorCode(error) === 'ENOENT'
          ? 'Nothing is there.'
          : errorCode(error) === 'EISDIR'
            ? 'It is a folder.'
            : `(${errorMessage(error)})`,
      cause: error,
    });
  let file: FileHandle;
  try {
    file = await files.open(path, 'r');
  } catch (error) {
    throw fail(error);
  }
  return {
    async read(into) {
      try {
        return await file.read(into);
      } catch (error) {
        throw fail(error);
      }
    },
    close: () => file.close(),
  };
}
