import type { World } from './operation.ts';
import type { Reason } from './verdict.ts';

/** Before the name of a channel: the bundle that this channel of a home stands at. */
export const ADMITTED = 'admitted:';

/**
 * Reads the files of a role that were sealed, into memory: those of a bundle, every byte of which is verified on the way
 * against `root` (a file) or the root that `home` pinned, or with `admitted:CHANNEL` those that the home admitted.
 * `limit`: bytes of all together.
 */
export type SealedFiles = (
  bundle: string,
  role: 'policy',
  options: { readonly root?: string | undefined; readonly home?: string | undefined; readonly limit: number },
  world: World,
) => Promise<SealedReading>;

export type SealedReading =
  | {
      readonly verdict: 'read';
      /** By their names in the project, sorted. */
      readonly files: readonly { readonly name: string; readonly bytes: Uint8Array }[];
    }
  | { readonly verdict: 'refused'; readonly reasons: readonly Reason[] }
  | { readonly verdict: 'too-large' };
