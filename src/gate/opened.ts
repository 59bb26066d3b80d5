import type { RandomBytes } from '#formats';
import { errorMessage, type FileHandle, type Files } from '#kernel';
import { gateFault } from './faults.ts';

const WINDOW = 256 * 1024;

export interface OpenedFile extends RandomBytes {
  close(): Promise<void>;
}

/** A regular file, opened without following a link. What the disk or medium does not give is a Fault, not a verdict. */
export async function openFile(files: Files, path: string): Promise<OpenedFile> {
  const tell = (error: unknown): Error =>
    gateFault('examine.read', { where: path, detail: `(${errorMessage(error)})`, cause: error });
  let file: FileHandle;
  try {
    file = await files.open(path, 'r', { follow: false });
  } catch (error) {
    throw tell(error);
  }
  // Headers of members are small and lie in order: they are read from a window, not one by one from the disk.
  const window = Buffer.allocUnsafe(WINDOW);
  let from = 0;
  let filled = 0;
  try {
    return {
      size: await file.size(),
      async read(into, position) {
        try {
          if (into.length > WINDOW / 4) return await file.read(into, position);
          if (position < from || position + into.length > from + filled) {
            filled = 0;
            filled = await file.read(window, position);
            from = position;
          }
          const part = window.subarray(position - from, Math.min(filled, position - from + into.length));
          into.set(part);
          return part.length;
        } catch (error) {
          throw tell(error);
        }
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw tell(error);
  }
}
