import { Clusters } from './cluster-chain.ts';
import type { MediumBytes } from './medium-bytes.ts';
import { refuse } from './problem.ts';
import { type Extent, pathOf, type Spending, type Volume, type VolumeEntry } from './volume.ts';

// "exFAT file system specification", revision 1.00.

const BOOT = 'boot sector';
const SLOT = 32;
const TYPES = { bitmap: 0x81, upcase: 0x82, label: 0x83, file: 0x85, guid: 0xa0, stream: 0xc0, name: 0xc1 } as const;
/** Slots of one folder: 256 MiB (section 7). */
const FOLDER_BYTES = 256 * 1024 * 1024;
const UPCASE_BYTES = 2 * 65_536;

export function isExfatStart(sector: Buffer): boolean {
  return sector.length >= 512 && sector.toString('latin1', 3, 11) === 'EXFAT   ';
}

export async function readExfat(bytes: MediumBytes, spending: Spending): Promise<Volume> {
  const wrong = (detail: string): never => refuse('media.header', BOOT, detail);
  const sector = await bytes.at(0, 512, BOOT);
  if (sector.readUInt16LE(510) !== 0xaa55) wrong('It has no signature.');
  if (sector.subarray(11, 64).some((byte) => byte !== 0)) wrong('Bytes are set where FAT has its sizes.');
  const sectorShift = sector[108]!;
  const clusterShift = sectorShift + sector[109]!;
  if (sectorShift < 9 || sectorShift > 12) wrong(`A sector has 2^${sectorShift} bytes.`);
  if (clusterShift > 25) wrong(`A cluster has 2^${clusterShift} bytes.`);
  if (sector.readUInt16LE(104) !== 0x100) wrong(`It is revision ${sector.readUInt16LE(104).toString(16)}.`);
  if (sector[110] !== 1) refuse('media.feature', BOOT, `It has ${sector[110]} allocation tables.`);
  const sectorSize = 2 ** sectorShift;
  const clusterSize = 2 ** clusterShift;
  const size = Number(sector.readBigUInt64LE(72)) * sectorSize;
  const table = sector.readUInt32LE(80) * sectorSize;
  const tableSize = sector.readUInt32LE(84) * sectorSize;
  const heap = sector.readUInt32LE(88) * sectorSize;
  const count = sector.readUInt32LE(92);
  const root = sector.readUInt32LE(96);
  const volume = bytes.part(0, size, BOOT);
  if (count === 0 || count > 0xfffffff5) wrong(`It has ${count} clusters.`);
  if (table < 24 * sectorSize || (count + 2) * 4 > tableSize || table + tableSize > heap) {
    wrong('Its allocation table does not fit between the boot regions and the clusters.');
  }
  if (heap + count * clusterSize > size) refuse('media.bounds', BOOT, 'Its clusters go beyond its end.');
  await judgeBootRegions(volume, sectorSize);
  const clusters = new Clusters({ bytes: volume, width: 32, tables: [table], heap, clusterSize, count });
  const reading = new ExfatReading(volume, clusters, spending);
  await reading.whole(root);
  return {
    kind: 'exFAT',
    label: reading.label,
    serial: sector.readUInt32LE(100).toString(16).padStart(8, '0').toUpperCase(),
    start: bytes.start,
    size,
    entries: reading.entries,
  };
}

/** Section 3.4: sector 11 repeats the checksum of the eleven before it. The second region says the same. */
async function judgeBootRegions(bytes: MediumBytes, sectorSize: number): Promise<void> {
  const regions: Buffer[] = [];
  for (const [start, where] of [
    [0, BOOT],
    [12, 'second boot sector'],
  ] as const) {
    const region = await bytes.at(start * sectorSize, 12 * sectorSize, where);
    let sum = 0;
    for (let at = 0; at < 11 * sectorSize; at++) {
      if (at !== 106 && at !== 107 && at !== 112) sum = ((sum << 31) | (sum >>> 1)) + region[at]!;
      sum >>>= 0;
    }
    for (let at = 11 * sectorSize; at < 12 * sectorSize; at += 4) {
      if (region.readUInt32LE(at) !== sum) refuse('media.checksum', where, 'The checksum of its region is wrong.');
    }
    for (const at of [106, 107, 112]) region[at] = 0;
    regions.push(region);
  }
  if (!regions[0]!.equals(regions[1]!)) refuse('media.copies-differ', BOOT, 'The two boot regions differ.');
}

interface Folder {
  readonly path: string;
  readonly extents: readonly Extent[];
}

class ExfatReading {
  readonly entries: VolumeEntry[] = [];
  label = '';
  readonly #bytes: MediumBytes;
  readonly #clusters: Clusters;
  readonly #spending: Spending;
  readonly #waiting: Folder[] = [];
  #upcase: Uint16Array | undefined;

  constructor(bytes: MediumBytes, clusters: Clusters, spending: Spending) {
    this.#bytes = bytes;
    this.#clusters = clusters;
    this.#spending = spending;
  }

  async whole(root: number): Promise<void> {
    const { clusterSize } = this.#clusters.map;
    const extents = await this.#clusters.chain(root, Math.ceil(FOLDER_BYTES / clusterSize), 'root folder');
    await this.#system(extents);
    this.#waiting.push({ path: '', extents });
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) await this.#folder(next);
  }

  async *#slots({ path, extents }: Folder): AsyncGenerator<Buffer> {
    const where = path === '' ? 'root folder' : path;
    for (const { start, length } of extents) {
      for (let done = 0; done < length; done += 32 * 1024) {
        const part = await this.#bytes.at(start - this.#bytes.start + done, Math.min(32 * 1024, length - done), where);
        for (let at = 0; at < part.length; at += SLOT) {
          this.#spending.slot(where);
          yield part.subarray(at, at + SLOT);
        }
      }
    }
  }

  /** The allocation bitmap and the table of capital letters (sections 7.1 and 7.2), which names are judged by. */
  async #system(extents: readonly Extent[]): Promise<void> {
    const where = 'table of capital letters';
    let bitmaps = 0;
    for await (const slot of this.#slots({ path: '', extents })) {
      if (slot[0] === 0) break;
      const first = slot.readUInt32LE(20);
      const length = Number(slot.readBigUInt64LE(24));
      if (slot[0] === TYPES.bitmap) {
        bitmaps += 1;
        if (bitmaps > 1 || length !== Math.ceil(this.#clusters.map.count / 8)) {
          refuse('media.entry', 'allocation bitmap', `There are ${bitmaps}; it has ${length} bytes.`);
        }
        await this.#content(first, length, length, false, 'allocation bitmap');
      } else if (slot[0] === TYPES.upcase) {
        if (this.#upcase !== undefined || length > UPCASE_BYTES || length % 2 !== 0 || length === 0) {
          refuse('media.entry', where, `It stands twice or has ${length} bytes.`);
        }
        const parts: Buffer[] = [];
        for (const { start, length: some } of await this.#content(first, length, length, false, where)) {
          parts.push(await this.#bytes.at(start - this.#bytes.start, some, where));
        }
        this.#upcase = upcaseOf(Buffer.concat(parts), slot.readUInt32LE(4));
      }
    }
    if (bitmaps === 0) refuse('media.entry', 'allocation bitmap', 'There is none.');
    if (this.#upcase === undefined) refuse('media.entry', where, 'There is none.');
  }

  async #folder(folder: Folder): Promise<void> {
    const where = folder.path === '' ? 'root folder' : folder.path;
    const wrong = (detail: string): never => refuse('media.entry', where, detail);
    let set: Buffer[] = [];
    let wanted = 0;
    let kept = false;
    let ended = false;
    for await (const slot of this.#slots(folder)) {
      const type = slot[0]!;
      // After the end of a folder there is no entry, for any reader.
      if (ended) {
        if (type !== 0) wrong('An entry follows the end.');
        continue;
      }
      if (wanted > 0) {
        if ((type & 0xc0) !== 0xc0) wrong('A set of entries breaks off.');
        set.push(Buffer.from(slot));
        wanted -= 1;
        if (wanted === 0 && kept) await this.#entry(set, folder, where);
        continue;
      }
      if (type === 0) {
        ended = true;
        continue;
      }
      if ((type & 0x80) === 0) continue;
      if ((type & 0x40) !== 0) wrong('A secondary entry has no primary one.');
      if (type === TYPES.file || (type & 0x20) !== 0) {
        kept = type === TYPES.file;
        set = [Buffer.from(slot)];
        wanted = slot[1]!;
        if (kept && (wanted < 2 || wanted > 18)) wrong(`A file has ${wanted} further entries.`);
        continue;
      }
      if (folder.path !== '') wrong(`An entry of type ${type.toString(16)} stands outside of the root.`);
      if (type === TYPES.label) {
        const length = Math.min(slot[1]!, 11);
        this.label = slot.toString('utf16le', 2, 2 + 2 * length);
      } else if (type !== TYPES.bitmap && type !== TYPES.upcase) {
        refuse('media.feature', where, `An entry of type ${type.toString(16)} is not known.`);
      }
    }
    if (wanted > 0) wrong('A set of entries breaks off.');
  }

  async #entry(set: readonly Buffer[], folder: Folder, where: string): Promise<void> {
    const wrong = (detail: string): never => refuse('media.entry', where, detail);
    if (setChecksum(set) !== set[0]!.readUInt16LE(2))
      refuse('media.checksum', where, 'The checksum of an entry is wrong.');
    const [file, stream, ...rest] = set;
    if (stream![0] !== TYPES.stream) wrong('A file has no stream.');
    const length = stream![3]!;
    const names = Math.ceil(length / 15);
    if (length === 0 || rest.length < names) wrong(`A name has ${length} characters.`);
    // What follows the names may be unknown where it is benign (section 6.4).
    if (rest.some((slot, index) => (index < names ? slot[0] !== TYPES.name : (slot[0]! & 0x20) === 0))) {
      refuse('media.feature', where, 'A file has further entries that are not known.');
    }
    const units = Buffer.concat(rest.slice(0, names).map((slot) => slot.subarray(2))).subarray(0, length * 2);
    const name = units.toString('utf16le');
    // oxlint-disable-next-line no-control-regex
    if (/[\u0000-\u001f"*/:<>?\\|]/.test(name)) {
      refuse('media.name', where, `The name ${JSON.stringify(name)} holds a character that none may hold.`);
    }
    const path = pathOf(folder.path, name, where);
    if (nameHash(units, this.#upcase!) !== stream!.readUInt16LE(4)) {
      refuse('media.checksum', path, 'The checksum of its name is wrong.');
    }
    const attributes = file!.readUInt16LE(4);
    const flags = stream![1]!;
    const valid = Number(stream!.readBigUInt64LE(8));
    const first = stream!.readUInt32LE(20);
    const size = Number(stream!.readBigUInt64LE(24));
    if (valid > size) refuse('media.size', path, `${valid} of its ${size} bytes are written.`);
    const contiguous = (flags & 2) !== 0;
    if ((flags & 1) === 0 && (first !== 0 || size !== 0))
      refuse('media.size', path, 'It may have no clusters and has.');
    const isFolder = (attributes & 0x10) !== 0;
    if (isFolder && (valid !== size || size === 0 || size > FOLDER_BYTES)) {
      refuse('media.size', path, `The folder has ${valid} of ${size} bytes.`);
    }
    const extents = await this.#content(first, size, valid, contiguous, path);
    this.#spending.entry(path, extents.length);
    this.entries.push({
      path,
      named: true,
      kind: isFolder ? 'folder' : 'file',
      size: isFolder ? 0 : size,
      extents: isFolder ? [] : extents,
    });
    if (isFolder) this.#waiting.push({ path, extents });
  }

  /** The clusters of `size` bytes, cut to the `valid` ones that were ever written. */
  async #content(first: number, size: number, valid: number, contiguous: boolean, path: string): Promise<Extent[]> {
    const { clusterSize, count } = this.#clusters.map;
    if (size === 0) {
      if (first !== 0) refuse('media.size', path, 'It is empty and has clusters.');
      return [];
    }
    const wanted = Math.ceil(size / clusterSize);
    if (wanted > count) refuse('media.bounds', path, `It takes ${wanted} clusters; there are ${count}.`);
    const extents = contiguous
      ? this.#clusters.run(first, wanted, path)
      : await this.#clusters.chain(first, wanted, path);
    const length = extents.reduce((sum, extent) => sum + extent.length, 0);
    if (length !== wanted * clusterSize)
      refuse('media.size', path, `It has ${size} bytes, and clusters for ${length}.`);
    let left = valid;
    return extents.flatMap(({ start, length: some }) => {
      const used = Math.min(left, some);
      left -= used;
      return used === 0 ? [] : [{ start, length: used }];
    });
  }
}

/** Section 6.3.3. */
function setChecksum(set: readonly Buffer[]): number {
  let sum = 0;
  for (const [number, slot] of set.entries()) {
    for (const [at, byte] of slot.entries()) {
      if (number === 0 && (at === 2 || at === 3)) continue;
      sum = (((sum << 15) | (sum >>> 1)) + byte) & 0xffff;
    }
  }
  return sum;
}

/** Section 7.2.5: the table may leave out what stays as it is: FFFF and a number of characters. */
function upcaseOf(bytes: Buffer, stated: number): Uint16Array {
  const where = 'table of capital letters';
  let sum = 0;
  for (const byte of bytes) sum = (((sum << 31) | (sum >>> 1)) + byte) >>> 0;
  if (sum !== stated) refuse('media.checksum', where, 'Its checksum is wrong.');
  const table = Uint16Array.from({ length: 65_536 }, (_, unit) => unit);
  let unit = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    const value = bytes.readUInt16LE(at);
    if (value === 0xffff && unit < 0xffff && at + 2 < bytes.length) {
      at += 2;
      unit += bytes.readUInt16LE(at);
    } else {
      if (unit > 0xffff) refuse('media.bounds', where, 'It is longer than there are characters.');
      table[unit] = value;
      unit += 1;
    }
  }
  if (unit > 65_536) refuse('media.bounds', where, 'It is longer than there are characters.');
  return table;
}

/** Section 7.6.4. */
function nameHash(units: Buffer, upcase: Uint16Array): number {
  let sum = 0;
  for (let at = 0; at < units.length; at += 2) {
    const unit = upcase[units.readUInt16LE(at)]!;
    for (const byte of [unit & 0xff, unit >> 8]) sum = (((sum << 15) | (sum >>> 1)) + byte) & 0xffff;
  }
  return sum;
}
