import { crc32 } from 'node:zlib';
import { LIMITS } from './limits.ts';
import type { MediumBytes } from './medium-bytes.ts';
import { refuse } from './problem.ts';

export interface Partition {
  /** `partition 1`, for people. */
  readonly name: string;
  readonly start: number;
  readonly size: number;
}

const SIGNATURE = 0xaa55;
const EXTENDED: ReadonlySet<number> = new Set([0x05, 0x0f, 0x85]);
const PROTECTIVE = 0xee;
const TABLE = 'partition table';

interface Entry {
  readonly type: number;
  readonly start: number;
  readonly sectors: number;
}

function entriesOf(sector: Buffer): Entry[] {
  return [0, 1, 2, 3].map((number) => {
    const at = 446 + 16 * number;
    return { type: sector[at + 4]!, start: sector.readUInt32LE(at + 8), sectors: sector.readUInt32LE(at + 12) };
  });
}

/**
 * Whether a sector is a master boot record that names partitions. One entry that covers the medium from sector 0 is what
 * `mkfs.fat` writes beside a file system that needs no table.
 */
export function namesPartitions(sector: Buffer): boolean {
  if (sector.length < 512 || sector.readUInt16LE(510) !== SIGNATURE) return false;
  const active = [446, 462, 478, 494].map((at) => sector[at]!);
  if (active.some((byte) => byte !== 0 && byte !== 0x80)) return false;
  return entriesOf(sector).some(({ type, start, sectors }) => type !== 0 && start !== 0 && sectors !== 0);
}

/** Size of a sector by which a GPT counts, where one is announced in the second sector. */
export async function gptSectorSize(bytes: MediumBytes): Promise<number | undefined> {
  for (const size of [512, 4096]) {
    if ((await bytes.upTo(size, 8, TABLE)).toString('latin1') === 'EFI PART') return size;
  }
  return undefined;
}

/** The partitions of a master boot record, primary and logical. Sectors have 512 bytes. */
export async function readMbr(bytes: MediumBytes): Promise<Partition[]> {
  const found: Partition[] = [];
  const add = (start: number, sectors: number): void => {
    const name = `partition ${found.length + 1}`;
    if (start === 0 || sectors === 0) refuse('media.partition', name, 'It begins at sector 0 or has none.');
    bytes.part(start * 512, sectors * 512, name);
    if (found.length >= LIMITS.partitions)
      refuse('media.limit', TABLE, `It names over ${LIMITS.partitions} partitions.`);
    found.push({ name, start: start * 512, size: sectors * 512 });
  };
  const extended: Entry[] = [];
  for (const entry of entriesOf(await bytes.at(0, 512, TABLE))) {
    if (entry.type === 0) continue;
    if (entry.type === PROTECTIVE) refuse('media.partition', TABLE, 'It protects a GPT that is not there.');
    if (EXTENDED.has(entry.type)) extended.push(entry);
    else add(entry.start, entry.sectors);
  }
  if (extended.length > 1) refuse('media.partition', TABLE, 'It has two extended partitions.');
  for (const outer of extended) {
    bytes.part(outer.start * 512, outer.sectors * 512, 'extended partition');
    const seen = new Set<number>();
    for (let at = outer.start; ;) {
      if (seen.has(at)) refuse('media.loop', TABLE, 'The chain of logical partitions comes back.');
      seen.add(at);
      const sector = await bytes.at(at * 512, 512, TABLE);
      if (sector.readUInt16LE(510) !== SIGNATURE) refuse('media.partition', TABLE, 'A link of its chain is no table.');
      const [logical, next, ...rest] = entriesOf(sector);
      if (rest.some(({ type }) => type !== 0))
        refuse('media.partition', TABLE, 'A link of its chain has more entries.');
      if (logical!.type !== 0) add(at + logical!.start, logical!.sectors);
      if (next!.type === 0) break;
      if (!EXTENDED.has(next!.type)) refuse('media.partition', TABLE, 'A link of its chain leads to no table.');
      if (next!.start + 1 > outer.sectors) refuse('media.bounds', TABLE, 'A link of its chain lies outside.');
      at = outer.start + next!.start;
    }
  }
  return apart(found);
}

/** The partitions of a GPT (UEFI specification 2.10, chapter 5), after both copies were compared. */
export async function readGpt(bytes: MediumBytes, sectorSize: number): Promise<Partition[]> {
  const guard = entriesOf(await bytes.at(0, 512, TABLE)).filter(({ type }) => type !== 0);
  if (guard.length !== 1 || guard[0]!.type !== PROTECTIVE) {
    refuse('media.two-systems', TABLE, 'There is a GPT, and the record before it names other partitions or none.');
  }
  const primary = await gptHeader(bytes, sectorSize, 1);
  const backup = await gptHeader(bytes, sectorSize, primary.other);
  if (backup.other !== 1) refuse('media.copies-differ', TABLE, 'The two headers do not name each other.');
  if (!primary.described.equals(backup.described)) refuse('media.copies-differ', TABLE, 'The two GPTs differ.');
  const found: Partition[] = [];
  for (let number = 0; number < primary.count; number++) {
    const entry = primary.entries.subarray(number * primary.width, (number + 1) * primary.width);
    if (entry.subarray(0, 16).every((byte) => byte === 0)) continue;
    const name = `partition ${found.length + 1}`;
    const first = Number(entry.readBigUInt64LE(32));
    const last = Number(entry.readBigUInt64LE(40));
    if (first < primary.first || last > primary.last || last < first) {
      refuse('media.bounds', name, `It lies in sectors ${first} to ${last}.`);
    }
    bytes.part(first * sectorSize, (last - first + 1) * sectorSize, name);
    found.push({ name, start: first * sectorSize, size: (last - first + 1) * sectorSize });
  }
  return apart(found);
}

interface GptHeader {
  readonly other: number;
  readonly first: number;
  readonly last: number;
  readonly count: number;
  readonly width: number;
  readonly entries: Buffer;
  /** What both copies must say alike. */
  readonly described: Buffer;
}

async function gptHeader(bytes: MediumBytes, sectorSize: number, sector: number): Promise<GptHeader> {
  const where = sector === 1 ? 'GPT' : 'second GPT';
  const header = await bytes.at(sector * sectorSize, 512, where);
  const number = (at: number): number => Number(header.readBigUInt64LE(at));
  if (header.toString('latin1', 0, 8) !== 'EFI PART') refuse('media.copies-differ', where, 'There is none.');
  const length = header.readUInt32LE(12);
  if (length < 92 || length > 512) refuse('media.partition', where, `Its header has ${length} bytes.`);
  const stated = header.readUInt32LE(16);
  const zeroed = Buffer.from(header.subarray(0, length));
  zeroed.writeUInt32LE(0, 16);
  if (crc32(zeroed) !== stated) refuse('media.checksum', where, 'The checksum of its header is wrong.');
  if (number(24) !== sector) refuse('media.partition', where, `It says that it lies in sector ${number(24)}.`);
  const count = header.readUInt32LE(80);
  const width = header.readUInt32LE(84);
  if (count === 0 || count > LIMITS.partitions || width < 128 || width > 1024 || width % 8 !== 0) {
    refuse('media.limit', where, `It has ${count} entries of ${width} bytes.`);
  }
  const entries = await bytes.at(number(72) * sectorSize, count * width, where);
  if (crc32(entries) !== header.readUInt32LE(88))
    refuse('media.checksum', where, 'The checksum of its entries is wrong.');
  const described = Buffer.concat([header.subarray(40, 72), header.subarray(80, 92)]);
  return { other: number(32), first: number(40), last: number(48), count, width, entries, described };
}

function apart(found: readonly Partition[]): Partition[] {
  const sorted = [...found].sort((a, b) => a.start - b.start);
  for (const [index, { name, start }] of sorted.entries()) {
    const before = sorted[index - 1];
    if (before !== undefined && start < before.start + before.size) {
      refuse('media.overlap', name, `It shares sectors with ${before.name}.`);
    }
  }
  return sorted;
}
