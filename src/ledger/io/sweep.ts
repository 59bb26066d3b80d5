import type { Files } from '#kernel';
import { countAt, edgeOf, indexParts, type TileLevel } from '../tile.ts';

/**
 * Removes tiles and entry bundles beyond a size: what an append wrote that was never signed. A later append makes files
 * of the same names with other bytes, and a partial tile of a width that it leaps over would stay and contradict it.
 */
export async function sweepBeyond(files: Files, folder: string, size: number): Promise<void> {
  const root = `${folder}/tile`;
  if ((await files.look(root)) === undefined) return;
  for (const { name } of await files.list(root)) {
    if (name !== 'entries' && !/^(0|[1-9][0-9]?)$/.test(name)) continue;
    const level: TileLevel = name === 'entries' ? 'entries' : Number(name);
    if (countAt(level, size) === 0) {
      await files.removeTree(`${root}/${name}`);
      continue;
    }
    const { full, width } = edgeOf(level, size);
    await sweepFolder(files, `${root}/${name}`, indexParts(full), width);
  }
}

/** `edge` are the parts of the first index that is not full, as far as this folder is on the way to it. */
async function sweepFolder(files: Files, folder: string, edge: readonly string[], width: number): Promise<void> {
  const [first, ...rest] = edge;
  if (first === undefined) return;
  if ((await files.look(folder)) === undefined) return;
  for (const { name } of await files.list(folder)) {
    const path = `${folder}/${name}`;
    const [, x, digits, partial] = /^(x?)([0-9]{3})(\.p)?$/.exec(name) ?? [];
    if (digits === undefined) continue;
    if (x === 'x') {
      // Longer paths are higher indexes: where the edge ends here, every folder of longer ones is beyond it.
      if (rest.length === 0 || name > first) await files.removeTree(path);
      else if (name === first) await sweepFolder(files, path, rest, width);
    } else if (rest.length === 0) {
      if (digits > first || (digits === first && (partial === undefined || width === 0))) {
        await files.removeTree(path);
      } else if (digits === first) {
        for (const { name: wide } of await files.list(path)) {
          if (/^[1-9][0-9]{0,2}$/.test(wide) && Number(wide) > width) await files.removeTree(`${path}/${wide}`);
        }
      }
    }
  }
}
