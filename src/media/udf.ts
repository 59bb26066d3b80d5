import type { MediumBytes } from './medium-bytes.ts';
import { MediaProblem, refuse } from './problem.ts';
import { extend, judgeOverlap, pathOf, type Spending, type Volume, type VolumeEntry } from './volume.ts';

// ECMA-167 (parts 3 and 4), and the OSTA Universal Disk Format specifications 1.02 to 2.60.

const ANCHOR = 256;
const TAG = {
  primary: 1,
  anchor: 2,
  pointer: 3,
  implementation: 4,
  partition: 5,
  logical: 6,
  unallocated: 7,
  terminating: 8,
  fileSet: 256,
  identifier: 257,
  allocation: 258,
  file: 261,
  extendedFile: 266,
} as const;
const FILE_TYPES = { folder: 4, file: 5, link: 12 } as const;
/** Sectors of one sequence of volume descriptors; links of one chain of allocation descriptors. */
const DESCRIPTORS = 256;
const FOLDER_BYTES = 32 * 1024 * 1024;

export async function readUdf(bytes: MediumBytes, spending: Spending): Promise<Volume> {
  const { anchor, block } = await anchorOf(bytes);
  const main = await sequenceOf(bytes, block, anchor, 16, 'volume descriptors');
  const reserve = await sequenceOf(bytes, block, anchor, 24, 'second volume descriptors');
  // Of the primary one, genisoimage writes two that differ in the name of the set.
  for (const tag of [TAG.partition, TAG.logical]) {
    const one = main.get(tag);
    const other = reserve.get(tag);
    if (one === undefined) refuse('media.header', 'volume descriptors', `There is none of type ${tag}.`);
    // Only the tag says where each lies.
    if (other === undefined || !one.subarray(16).equals(other.subarray(16))) {
      refuse('media.copies-differ', 'volume descriptors', `The two of type ${tag} differ.`);
    }
  }
  const partition = main.get(TAG.partition)!;
  const logical = main.get(TAG.logical)!;
  const number = partition.readUInt16LE(22);
  const start = partition.readUInt32LE(188) * block;
  const size = partition.readUInt32LE(192) * block;
  const space = bytes.part(start, size, 'partition');
  if (logical.readUInt32LE(212) !== block) {
    refuse(
      'media.header',
      'logical volume',
      `Its blocks have ${logical.readUInt32LE(212)} bytes, its sectors ${block}.`,
    );
  }
  if (logical.toString('latin1', 217, 236) !== '*OSTA UDF Compliant') {
    refuse('media.header', 'logical volume', 'It does not say that it is UDF.');
  }
  const revision = logical.readUInt16LE(240);
  judgeMaps(logical, number);
  const reading = new UdfReading(space, block, spending);
  await reading.whole(logical.subarray(248, 264));
  judgeOverlap(reading.entries, true);
  const primary = main.get(TAG.primary);
  return {
    kind: 'UDF',
    label: dstring(logical.subarray(84, 212)),
    serial: primary === undefined ? '' : dstring(primary.subarray(72, 200)).slice(0, 16),
    start: bytes.start,
    size: Math.min(bytes.size, start + size),
    entries:
      revision > 0x260
        ? refuse('media.feature', 'logical volume', `It is revision ${revision.toString(16)}.`)
        : reading.entries,
  };
}

/** The anchor at sector 256 says what a sector is; the ones at the end are copies of it. */
async function anchorOf(bytes: MediumBytes): Promise<{ anchor: Buffer; block: number }> {
  let wrong: MediaProblem | undefined;
  for (const block of [2048, 512, 4096, 1024]) {
    const sector = await bytes.upTo(ANCHOR * block, 512, 'anchor');
    if (sector.length < 512 || sector.readUInt16LE(0) !== TAG.anchor) continue;
    try {
      judgeTag(sector, ANCHOR, TAG.anchor, 'anchor');
      return { anchor: sector, block };
    } catch (error) {
      if (!(error instanceof MediaProblem)) throw error;
      wrong ??= error;
    }
  }
  throw wrong ?? new MediaProblem('media.header', 'anchor', 'There is no anchor at sector 256.');
}

/** ECMA-167 3/7.2: kind, place, checksum of the tag, CRC of what it is before. */
function judgeTag(bytes: Buffer, location: number, type: number, where: string): void {
  const found = bytes.readUInt16LE(0);
  if (found !== type) refuse('media.header', where, `A descriptor has type ${found} where ${type} is due.`);
  const version = bytes.readUInt16LE(2);
  if (version !== 2 && version !== 3) refuse('media.header', where, `A descriptor has version ${version}.`);
  let sum = 0;
  for (let at = 0; at < 16; at++) if (at !== 4) sum = (sum + bytes[at]!) & 0xff;
  if (sum !== bytes[4]) refuse('media.checksum', where, 'The checksum of a descriptor is wrong.');
  const length = bytes.readUInt16LE(10);
  if (16 + length > bytes.length) refuse('media.bounds', where, `A descriptor says that it has ${length} bytes.`);
  if (crc16(bytes.subarray(16, 16 + length)) !== bytes.readUInt16LE(8)) {
    refuse('media.checksum', where, 'The CRC of a descriptor is wrong.');
  }
  if (bytes.readUInt32LE(12) !== location) {
    refuse('media.header', where, `A descriptor says that it lies in sector ${bytes.readUInt32LE(12)}.`);
  }
}

const CRC = Uint16Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 8;
  for (let bit = 0; bit < 8; bit++) value = ((value << 1) ^ ((value & 0x8000) === 0 ? 0 : 0x1021)) & 0xffff;
  return value;
});

function crc16(bytes: Buffer): number {
  let value = 0;
  for (const byte of bytes) value = ((value << 8) ^ CRC[(value >> 8) ^ byte]!) & 0xffff;
  return value;
}

/** Descriptors by type; of several, the one with the highest number holds (ECMA-167 3/8.4.3). */
async function sequenceOf(
  bytes: MediumBytes,
  block: number,
  anchor: Buffer,
  at: number,
  where: string,
): Promise<ReadonlyMap<number, Buffer>> {
  const length = Math.floor(anchor.readUInt32LE(at) / block);
  const first = anchor.readUInt32LE(at + 4);
  if (length > DESCRIPTORS) refuse('media.limit', where, `There are more than ${DESCRIPTORS} sectors of them.`);
  const found = new Map<number, Buffer>();
  for (let number = 0; number < length; number++) {
    const sector = await bytes.at((first + number) * block, block, where);
    const type = sector.readUInt16LE(0);
    if (type === 0 && sector.every((byte) => byte === 0)) break;
    if (type === TAG.pointer) refuse('media.feature', where, 'They go on elsewhere.');
    judgeTag(sector, first + number, type, where);
    if (type === TAG.terminating) break;
    const known = found.get(type);
    if (known !== undefined && [TAG.partition, TAG.logical].some((one) => one === type)) {
      refuse('media.feature', where, `There are two descriptors of type ${type}.`);
    }
    if (known === undefined || sector.readUInt32LE(16) > known.readUInt32LE(16)) found.set(type, sector);
  }
  return found;
}

/** Plain partitions only: no virtual, sparable or metadata ones (UDF 2.60 section 2.2.8 and following). */
function judgeMaps(logical: Buffer, number: number): void {
  const where = 'partition maps';
  const length = logical.readUInt32LE(264);
  const count = logical.readUInt32LE(268);
  if (440 + length > logical.length) refuse('media.bounds', where, `They have ${length} bytes.`);
  if (count !== 1) refuse('media.feature', where, `There are ${count}.`);
  if (logical[440] !== 1 || logical[441] !== 6) {
    const name = logical.toString('latin1', 445, 468).replace(/\0+$/, '');
    refuse('media.feature', where, `It is no plain partition but ${JSON.stringify(name)}.`);
  }
  if (logical.readUInt16LE(444) !== number) refuse('media.header', where, 'It is for a partition that is not there.');
}

interface Folder {
  readonly path: string;
  readonly block: number;
}

interface Icb {
  readonly type: number;
  readonly size: number;
  readonly mode: number;
  readonly extents: readonly { readonly start: number; readonly length: number }[];
}

class UdfReading {
  readonly entries: VolumeEntry[] = [];
  readonly #space: MediumBytes;
  readonly #block: number;
  readonly #spending: Spending;
  readonly #waiting: Folder[] = [];
  readonly #folders = new Set<number>();

  constructor(space: MediumBytes, block: number, spending: Spending) {
    this.#space = space;
    this.#block = block;
    this.#spending = spending;
  }

  async whole(place: Buffer): Promise<void> {
    const block = this.#pointer(place, 'file set');
    const set = await this.#space.at(block * this.#block, 512, 'file set');
    judgeTag(set, block, TAG.fileSet, 'file set');
    this.#push('', this.#pointer(set.subarray(400, 416), 'root folder'));
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) await this.#folder(next);
  }

  #push(path: string, block: number): void {
    if (this.#folders.has(block)) refuse('media.loop', path, 'The folder lies inside itself or stands twice.');
    this.#folders.add(block);
    this.#waiting.push({ path, block });
  }

  /** The block of a long allocation descriptor (ECMA-167 4/14.14.2) that names a descriptor. */
  #pointer(bytes: Buffer, where: string): number {
    if (bytes.readUInt32LE(0) >>> 30 !== 0)
      refuse('media.entry', where, 'A pointer leads to nothing that is recorded.');
    if (bytes.readUInt16LE(8) !== 0) refuse('media.bounds', where, 'A pointer leads to a partition that is not there.');
    return bytes.readUInt32LE(4);
  }

  async #icb(block: number, where: string): Promise<Icb> {
    const bytes = await this.#space.at(block * this.#block, this.#block, where);
    const tag = bytes.readUInt16LE(0);
    const extended = tag === TAG.extendedFile;
    judgeTag(bytes, block, extended ? TAG.extendedFile : TAG.file, where);
    const strategy = bytes.readUInt16LE(20);
    if (strategy !== 4) refuse('media.feature', where, `Its entry is recorded by strategy ${strategy}.`);
    const type = bytes[27]!;
    const flags = bytes.readUInt16LE(34);
    const size = Number(bytes.readBigUInt64LE(56));
    const attributes = bytes.readUInt32LE(extended ? 208 : 168);
    const length = bytes.readUInt32LE(extended ? 212 : 172);
    const start = (extended ? 216 : 176) + attributes;
    if (attributes > bytes.length || length > bytes.length || start + length > bytes.length) {
      refuse('media.bounds', where, 'Its entry is longer than its block.');
    }
    if (!Number.isSafeInteger(size)) refuse('media.bounds', where, 'It has more bytes than any medium.');
    const permissions = bytes.readUInt32LE(44);
    const mode =
      (flags & 0x40 ? 0o4000 : 0) |
      (flags & 0x80 ? 0o2000 : 0) |
      (flags & 0x100 ? 0o1000 : 0) |
      (permissions & 0b111) |
      (((permissions >> 5) & 0b111) << 3) |
      (((permissions >> 10) & 0b111) << 6);
    const absolute = this.#space.start + block * this.#block + start;
    // Content inside the entry itself.
    if ((flags & 7) === 3) {
      if (size !== length) refuse('media.size', where, `It has ${size} bytes, and ${length} in its entry.`);
      return { type, size, mode, extents: size === 0 ? [] : [{ start: absolute, length }] };
    }
    if ((flags & 7) > 1) refuse('media.feature', where, 'Its pieces are listed in an unknown way.');
    const extents = await this.#extents(bytes.subarray(start, start + length), (flags & 7) === 1 ? 16 : 8, size, where);
    return { type, size, mode, extents };
  }

  /** Pieces of a file (ECMA-167 4/12). All must be recorded, and together be what the file says. */
  async #extents(
    bytes: Buffer,
    width: 8 | 16,
    size: number,
    where: string,
  ): Promise<{ start: number; length: number }[]> {
    const extents: { start: number; length: number }[] = [];
    let total = 0;
    let list = bytes;
    const seen = new Set<number>();
    for (;;) {
      let next: number | undefined;
      for (let at = 0; at + width <= list.length; at += width) {
        const length = list.readUInt32LE(at) & 0x3fffffff;
        const type = list.readUInt32LE(at) >>> 30;
        const block = list.readUInt32LE(at + 4);
        if (length === 0) break;
        if (width === 16 && list.readUInt16LE(at + 8) !== 0) {
          refuse('media.bounds', where, 'A piece lies in a partition that is not there.');
        }
        if (type === 3) {
          next = block;
          break;
        }
        // Room that was put aside beyond the end of the file is no part of it.
        if (type !== 0 && total >= size) continue;
        if (type !== 0) refuse('media.feature', where, 'A piece of it was never written.');
        this.#spending.slot(where);
        const part = this.#space.part(block * this.#block, length, where);
        extend(extents, part.start, length);
        total += length;
        if (total < size && length % this.#block !== 0) {
          refuse('media.size', where, 'A piece of it that is not the last one ends inside a block.');
        }
      }
      if (next === undefined) break;
      // Such a list names where it goes on, which may be itself.
      if (seen.has(next) || seen.size >= DESCRIPTORS) refuse('media.loop', where, 'The list of its pieces comes back.');
      seen.add(next);
      const continued = await this.#space.at(next * this.#block, this.#block, where);
      judgeTag(continued, next, TAG.allocation, where);
      const length = continued.readUInt32LE(20);
      if (24 + length > continued.length)
        refuse('media.bounds', where, 'The list of its pieces is longer than a block.');
      list = continued.subarray(24, 24 + length);
    }
    if (total !== size) refuse('media.size', where, `It has ${size} bytes, and pieces of ${total}.`);
    return extents;
  }

  async #folder(folder: Folder): Promise<void> {
    const where = folder.path === '' ? 'root folder' : folder.path;
    const icb = await this.#icb(folder.block, where);
    if (icb.type !== FILE_TYPES.folder) refuse('media.entry', where, `As a folder it has type ${icb.type}.`);
    if (icb.size > FOLDER_BYTES) refuse('media.limit', where, `The folder has ${icb.size} bytes.`);
    const parts: Buffer[] = [];
    /** The block in which a byte of the folder lies: what the tags of its entries say. */
    const starts: { at: number; block: number }[] = [];
    let length = 0;
    for (const extent of icb.extents) {
      const start = extent.start - this.#space.start;
      starts.push({ at: length, block: start / this.#block });
      parts.push(await this.#space.at(start, extent.length, where));
      length += extent.length;
    }
    const bytes = Buffer.concat(parts);
    let parents = 0;
    let piece = 0;
    for (let at = 0; at < bytes.length;) {
      this.#spending.slot(where);
      if (at + 38 > bytes.length) refuse('media.entry', where, 'An entry of it is cut.');
      const nameLength = bytes[at + 19]!;
      const implementation = bytes.readUInt16LE(at + 36);
      const whole = Math.ceil((38 + implementation + nameLength) / 4) * 4;
      if (at + whole > bytes.length) refuse('media.bounds', where, 'An entry of it goes beyond its end.');
      const entry = bytes.subarray(at, at + whole);
      while (piece + 1 < starts.length && starts[piece + 1]!.at <= at) piece += 1;
      const begun = starts[piece]!;
      judgeTag(entry, Math.floor(begun.block + (at - begun.at) / this.#block), TAG.identifier, where);
      at += whole;
      const characteristics = entry[18]!;
      if ((characteristics & 0x04) !== 0) continue;
      if ((characteristics & 0x08) !== 0) {
        parents += 1;
        continue;
      }
      const name = identifier(entry.subarray(38 + implementation, 38 + implementation + nameLength), where);
      await this.#entry(folder, name, entry, where);
    }
    if (parents !== 1) refuse('media.entry', where, `It names the folder above ${parents} times.`);
  }

  async #entry(folder: Folder, name: string, entry: Buffer, where: string): Promise<void> {
    const path = pathOf(folder.path, name, where);
    const block = this.#pointer(entry.subarray(20, 36), path);
    const { type, size, mode, extents } = await this.#icb(block, path);
    const isFolder = type === FILE_TYPES.folder;
    if (isFolder !== ((entry[18]! & 0x02) !== 0))
      refuse('media.entry', path, 'It is a folder for one, a file for another.');
    const kind = isFolder ? 'folder' : type === FILE_TYPES.file ? 'file' : type === FILE_TYPES.link ? 'link' : 'other';
    const isFile = kind === 'file';
    this.#spending.entry(path, extents.length);
    this.entries.push({
      path,
      named: name.isWellFormed(),
      kind,
      size: isFile ? size : 0,
      extents: isFile ? extents : [],
      mode,
    });
    if (isFolder) this.#push(path, block);
  }
}

/** OSTA compressed Unicode (UDF 2.1.1): a byte or two a character. */
function identifier(bytes: Buffer, where: string): string {
  const form = bytes[0];
  const rest = bytes.subarray(1);
  if (form === 8) return rest.toString('latin1');
  if (form !== 16 || rest.length % 2 !== 0) refuse('media.name', where, `A name is recorded in form ${form}.`);
  return Buffer.from(rest).swap16().toString('utf16le');
}

/** A field with its length in the last byte. */
function dstring(bytes: Buffer): string {
  const length = Math.min(bytes.at(-1)!, bytes.length - 1);
  if (length < 2) return '';
  if (bytes[0] === 8) return bytes.toString('latin1', 1, length);
  if (bytes[0] !== 16) return '';
  return Buffer.from(bytes.subarray(1, length - ((length - 1) % 2)))
    .swap16()
    .toString('utf16le');
}
