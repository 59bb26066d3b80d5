import { type Clock, errorCode, errorMessage, type Files, isFault, type Reason } from '#kernel';
import { openCarried } from '#gate';
import { bundleFault } from './faults.ts';

/** A bundle that is read once, from its first byte to its last. */
export interface Medium {
  /** Why nothing of it is read: what the medium itself is refused for. */
  readonly refusal?: readonly Reason[];
  /** Fills `into` with the next bytes and says how many; less only at the end. */
  read(into: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

/**
 * A bundle in a file, or the one on a medium: a folder, a block device or an image of one. `name` is its path there.
 * Throws bundle.unreadable.
 */
export async function openMedium(
  world: { readonly files: Files; readonly clock: Clock; readonly signal: AbortSignal },
  path: string,
  name?: string,
): Promise<Medium> {
  const fail = (error: unknown): unknown =>
    isFault(error) || errorCode(error) === ''
      ? error
      : bundleFault('bundle.unreadable', { where: path, detail: detailOf(error), cause: error });
  try {
    const { refusal, read, close } = await openCarried(world, path, name);
    return {
      refusal,
      async read(into) {
        try {
          return await read(into);
        } catch (error) {
          throw fail(error);
        }
      },
      close,
    };
  } catch (error) {
    throw fail(error);
  }
}

function detailOf(error: unknown): string {
  switch (errorCode(error)) {
    case 'ENOENT':
      return 'Nothing is there.';
    case 'ELOOP':
      return 'It is a link, and links are not followed: name what it leads to.';
    default:
      return `(${errorMessage(error)})`;
  }
}
