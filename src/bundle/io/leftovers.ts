import { randomBytes } from 'node:crypto';
import { basename, dirname } from 'node:path';
import type { Files } from '#kernel';
import { isAlive } from '#system';

const NAME = /^\.(.+)\.(\d{1,10})\.[0-9a-f]{8}\.sallyport-tmp$/;

/** Where a bundle is written before it gets its name: beside it, so that the rename stays in one file system. */
export function temporaryFor(target: string): string {
  const hex = randomBytes(4).toString('hex');
  return `${dirname(target)}/.${shortName(target)}.${process.pid}.${hex}.sallyport-tmp`;
}

/** Removes what a killed `seal` of the same target left; a file whose process still runs is left alone. */
export async function removeLeftovers(files: Files, target: string): Promise<void> {
  const folder = dirname(target);
  if ((await files.look(folder))?.kind !== 'folder') return;
  for (const { name, kind } of await files.list(folder)) {
    const [, of, pid] = NAME.exec(name) ?? [];
    if (kind === 'file' && of === shortName(target) && !isAlive(Number(pid))) await files.remove(`${folder}/${name}`);
  }
}

/** File names end at 255 bytes. */
function shortName(target: string): string {
  return Buffer.from(basename(target), 'utf8').subarray(0, 180).toString('utf8').replaceAll('�', '');
}
