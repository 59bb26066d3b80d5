import type { RandomBytes } from '#formats';
import type { Reason } from '#kernel';
import { isExfatStart, readExfat } from './exfat.ts';
import { mediaReason } from './faults.ts';
import { isFatStart, readFat } from './fat.ts';
import { readDisc } from './disc.ts';
import { LIMITS } from './limits.ts';
import { MediumBytes } from './medium-bytes.ts';
import { gptSectorSize, namesPartitions, readGpt, readMbr } from './partition-table.ts';
import { MediaProblem, refuse } from './problem.ts';
import { type Extent, Spending, type Volume } from './volume.ts';

/** The first bytes of every bundle, whatever its version. */
export const BUNDLE_START = 'sallyport-bundle/';

/** What lies on a medium. */
export interface MediumMap {
  readonly table: 'none' | 'MBR' | 'GPT';
  readonly volumes: readonly Volume[];
  /** Where a bundle begins without a file system, and what room it has. */
  readonly bare: readonly Extent[];
}

/**
 * Finds out what lies on a medium, from its bytes alone: partition table, file systems, bundles without one. Nothing is
 * mounted and nothing is written. Bytes that are wrong give a reason; what the medium throws is passed on.
 */
export async function readMedium(source: RandomBytes): Promise<MediumMap | { readonly reason: Reason }> {
  try {
    return await mapOf(MediumBytes.of(source));
  } catch (error) {
    if (!(error instanceof MediaProblem)) throw error;
    return { reason: mediaReason(error.code, error.where, error.message) };
  }
}

async function mapOf(bytes: MediumBytes): Promise<MediumMap> {
  const spending = new Spending();
  const volumes: Volume[] = [];
  const bare: Extent[] = [];
  const start = await bytes.upTo(0, 512, 'medium');
  const whole = await volumeIn(bytes, 'medium', spending);
  const gpt = await gptSectorSize(bytes);
  const mbr = namesPartitions(start);
  if (whole !== undefined) {
    if (gpt !== undefined || mbr) {
      refuse('media.two-systems', 'medium', 'A file system and a partition table begin in the same place.');
    }
    if ('kind' in whole) volumes.push(whole);
    else bare.push(whole);
    return { table: 'none', volumes, bare };
  }
  if (gpt === undefined && !mbr) refuse('media.file-system', 'medium', 'Nothing on it is known here.');
  const partitions = gpt === undefined ? await readMbr(bytes) : await readGpt(bytes, gpt);
  for (const { name, start: at, size } of partitions) {
    const part = bytes.part(at, size, name);
    const found = await volumeIn(part, name, spending);
    if (found === undefined) {
      const first = await part.upTo(0, LIMITS.empty, name);
      if (first.some((byte) => byte !== 0)) refuse('media.file-system', name, 'What it holds is not known here.');
    } else if ('kind' in found) volumes.push(found);
    else bare.push(found);
  }
  if (volumes.length + bare.length === 0) refuse('media.file-system', 'medium', 'Its partitions are empty.');
  return { table: gpt === undefined ? 'MBR' : 'GPT', volumes, bare };
}

/** What begins here. Two answers at once are none: readers would differ. */
async function volumeIn(bytes: MediumBytes, where: string, spending: Spending): Promise<Volume | Extent | undefined> {
  const sector = await bytes.upTo(0, 512, where);
  if (sector.toString('latin1', 0, BUNDLE_START.length) === BUNDLE_START) {
    return { start: bytes.start, length: bytes.size };
  }
  const found: (() => Promise<Volume>)[] = [];
  if (isExfatStart(sector)) found.push(() => readExfat(bytes, spending));
  else if (sector.toString('latin1', 3, 11) === 'NTFS    ') refuse('media.file-system', where, 'It holds NTFS.');
  else if (isFatStart(sector)) found.push(() => readFat(bytes, spending));
  const disc = await readDisc(bytes, spending, where);
  if (disc !== undefined) found.push(async () => disc);
  if (found.length > 1) refuse('media.two-systems', where, 'It is a disc and a volume of FAT at once.');
  return found[0]?.();
}
