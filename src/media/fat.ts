import { Clusters } from './cluster-chain.ts';
import type { MediumBytes } from './medium-bytes.ts';
import { refuse } from './problem.ts';
import { type Extent, pathOf, type Spending, type Volume, type VolumeEntry } from './volume.ts';

// FAT12, FAT16, FAT32: "Microsoft Extensible Firmware Initiative FAT32 File System Specification" 1.03, ECMA-107 for the
// older ones. Section numbers of docs/spec/media.md stand beside what they demand.

const BOOT = 'boot sector';
const SLOT = 32;
const ATTRIBUTES = { label: 0x08, folder: 0x10, longName: 0x0f, undefined: 0xc0 } as const;

interface Layout {
  readonly kind: 'FAT12' | 'FAT16' | 'FAT32';
  readonly label: string;
  readonly serial: string;
  readonly sectorSize: number;
  readonly clusterSize: number;
  readonly reserved: number;
  readonly tables: number;
  readonly tableSize: number;
  readonly rootStart: number;
  readonly rootSize: number;
  readonly rootCluster: number;
  readonly heap: number;
  readonly count: number;
  readonly size: number;
}

/** Whether a sector claims to be the boot sector of a FAT volume: what `layoutOf` then judges. */
export function isFatStart(sector: Buffer): boolean {
  if (sector.length < 512 || sector.readUInt16LE(510) !== 0xaa55) return false;
  const jumps = (sector[0] === 0xeb && sector[2] === 0x90) || sector[0] === 0xe9;
  const sectorSize = sector.readUInt16LE(11);
  const media = sector[21]!;
  return (
    jumps &&
    sectorSize !== 0 &&
    sectorSize % 512 === 0 &&
    sector[16]! >= 1 &&
    sector[16]! <= 4 &&
    (media === 0xf0 || media >= 0xf8)
  );
}

function layoutOf(sector: Buffer, available: number): Layout {
  const wrong = (detail: string): never => refuse('media.header', BOOT, detail);
  const sectorSize = sector.readUInt16LE(11);
  if (![512, 1024, 2048, 4096].includes(sectorSize)) wrong(`A sector has ${sectorSize} bytes.`);
  const perCluster = sector[13]!;
  if (perCluster === 0 || (perCluster & (perCluster - 1)) !== 0) wrong(`A cluster has ${perCluster} sectors.`);
  const clusterSize = perCluster * sectorSize;
  if (clusterSize > 64 * 1024) wrong(`A cluster has ${clusterSize} bytes.`);
  const reserved = sector.readUInt16LE(14);
  if (reserved === 0) wrong('It has no reserved sector, although it lies in one.');
  const tables = sector[16]!;
  if (tables > 2) wrong(`It has ${tables} allocation tables.`);
  const rootSlots = sector.readUInt16LE(17);
  const small = sector.readUInt16LE(19);
  const large = sector.readUInt32LE(32);
  if (small !== 0 && large !== 0 && small !== large) wrong('It states two numbers of sectors.');
  const sectors = small === 0 ? large : small;
  const tableSmall = sector.readUInt16LE(22);
  const wide = tableSmall === 0;
  const tableSectors = wide ? sector.readUInt32LE(36) : tableSmall;
  if (sectors === 0 || tableSectors === 0) wrong('It states no size.');
  if (wide ? rootSlots !== 0 : rootSlots === 0) wrong(`Its root folder has ${rootSlots} fixed slots.`);
  if ((rootSlots * SLOT) % sectorSize !== 0) wrong('Its root folder ends inside a sector.');
  if (wide) {
    if (sector.readUInt16LE(42) !== 0) wrong('It is a later version of FAT32.');
    if ((sector.readUInt16LE(40) & 0x80) !== 0) {
      refuse('media.feature', BOOT, 'Only one of its allocation tables is kept up to date.');
    }
  }
  const rootStart = (reserved + tables * tableSectors) * sectorSize;
  const rootSize = rootSlots * SLOT;
  const heap = rootStart + rootSize;
  const size = sectors * sectorSize;
  if (size > available) refuse('media.bounds', BOOT, `It states ${size} bytes; ${available} are there.`);
  if (heap >= size) wrong('Its tables leave no room for a file.');
  const count = Math.floor((size - heap) / clusterSize);
  const kind = count < 4085 ? 'FAT12' : count < 65525 ? 'FAT16' : 'FAT32';
  // Some readers go by the count, as the specification says, and some by the layout.
  if (wide !== (kind === 'FAT32')) {
    wrong(`Its ${count} clusters make it ${kind}; its layout is that of ${wide ? 'FAT32' : 'FAT12 or FAT16'}.`);
  }
  if (count > 0x0ffffff5) wrong(`It has ${count} clusters.`);
  const bits = kind === 'FAT12' ? 12 : kind === 'FAT16' ? 16 : 32;
  const tableSize = tableSectors * sectorSize;
  if (Math.ceil(((count + 2) * bits) / 8) > tableSize) wrong('Its allocation table is too small for its clusters.');
  const extended = wide ? 64 : 36;
  const signed = sector[extended + 2] === 0x29;
  return {
    kind,
    label: signed ? latin(sector.subarray(extended + 7, extended + 18)) : '',
    serial: signed
      ? sector
          .readUInt32LE(extended + 3)
          .toString(16)
          .padStart(8, '0')
          .toUpperCase()
      : '',
    sectorSize,
    clusterSize,
    reserved,
    tables,
    tableSize,
    rootStart,
    rootSize,
    rootCluster: wide ? sector.readUInt32LE(44) : 0,
    heap,
    count,
    size,
  };
}

function latin(bytes: Buffer): string {
  return bytes.toString('latin1').replace(/[ \0]+$/, '');
}

/** Reads a FAT volume that begins at the first of these bytes. */
export async function readFat(bytes: MediumBytes, spending: Spending): Promise<Volume> {
  const layout = layoutOf(await bytes.at(0, 512, BOOT), bytes.size);
  const { kind, reserved, sectorSize, tables, tableSize, heap, clusterSize, count, size } = layout;
  const starts = Array.from({ length: tables }, (_, copy) => reserved * sectorSize + copy * tableSize);
  const clusters = new Clusters({
    bytes: bytes.part(0, size, BOOT),
    width: kind === 'FAT12' ? 12 : kind === 'FAT16' ? 16 : 28,
    tables: starts,
    heap,
    clusterSize,
    count,
  });
  const reading = new FatReading(bytes, layout, clusters, spending);
  await reading.whole();
  return {
    kind,
    label: reading.label ?? layout.label,
    serial: layout.serial,
    start: bytes.start,
    size,
    entries: reading.entries,
  };
}

interface Folder {
  readonly path: string;
  readonly extents: readonly Extent[];
  /** 0 for the root, as its children say it. */
  readonly cluster: number;
  /** Of the folder above; undefined for the root. */
  readonly parent: number | undefined;
}

interface LongName {
  readonly parts: string[];
  readonly checksum: number;
  /** The ordinal that is due next; 0 when the name is whole. */
  due: number;
}

class FatReading {
  readonly entries: VolumeEntry[] = [];
  label: string | undefined;
  readonly #bytes: MediumBytes;
  readonly #layout: Layout;
  readonly #clusters: Clusters;
  readonly #spending: Spending;
  readonly #waiting: Folder[] = [];
  readonly #folders = new Set<number>();

  constructor(bytes: MediumBytes, layout: Layout, clusters: Clusters, spending: Spending) {
    this.#bytes = bytes;
    this.#layout = layout;
    this.#clusters = clusters;
    this.#spending = spending;
  }

  async whole(): Promise<void> {
    const { rootStart, rootSize, rootCluster, kind } = this.#layout;
    const root =
      kind === 'FAT32'
        ? await this.#folderChain(rootCluster, 'root folder')
        : [{ start: this.#bytes.start + rootStart, length: rootSize }];
    this.#waiting.push({ path: '', extents: root, cluster: 0, parent: undefined });
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) await this.#folder(next);
  }

  /** A folder has at most 65,536 slots. */
  async #folderChain(cluster: number, where: string): Promise<Extent[]> {
    if (this.#folders.has(cluster)) refuse('media.loop', where, 'The folder lies inside itself or stands twice.');
    this.#folders.add(cluster);
    return this.#clusters.chain(cluster, Math.ceil((65_536 * SLOT) / this.#layout.clusterSize), where);
  }

  async #folder(folder: Folder): Promise<void> {
    const where = folder.path === '' ? 'root folder' : folder.path;
    let long: LongName | undefined;
    let number = 0;
    for (const { start, length } of folder.extents) {
      const slots = await this.#bytes.at(start - this.#bytes.start, length, where);
      for (let at = 0; at < length; at += SLOT, number++) {
        const slot = slots.subarray(at, at + SLOT);
        this.#spending.slot(where);
        if (slot[0] === 0) {
          if (long !== undefined) refuse('media.name', where, 'A long name has no entry.');
          if (folder.parent !== undefined && number < 2) refuse('media.entry', where, 'It does not name itself.');
          return;
        }
        if (folder.parent !== undefined && number < 2) {
          this.#dots(slot, folder, number, where);
          continue;
        }
        if (slot[0] === 0xe5) {
          if (long !== undefined) refuse('media.name', where, 'A long name belongs to a deleted entry.');
          continue;
        }
        if ((slot[11]! & 0x3f) === ATTRIBUTES.longName) {
          long = longNameSlot(slot, long, where);
          continue;
        }
        await this.#entry(slot, long, folder, where);
        long = undefined;
      }
    }
    if (long !== undefined) refuse('media.name', where, 'A long name has no entry.');
  }

  /** The first two slots of a folder name it and the one above; a pointer of theirs that leads elsewhere is hostile. */
  #dots(slot: Buffer, folder: Folder, number: number, where: string): void {
    const name = slot.toString('latin1', 0, 11);
    const due = number === 0 ? '.          ' : '..         ';
    if (name !== due || (slot[11]! & ATTRIBUTES.folder) === 0) refuse('media.entry', where, 'It does not name itself.');
    const cluster = this.#clusterOf(slot);
    // The root is 0 there, also of FAT32; some cameras write its cluster.
    const isRoot = number === 1 && folder.parent === 0 && cluster === this.#layout.rootCluster;
    if (!isRoot && cluster !== (number === 0 ? folder.cluster : folder.parent)) {
      refuse('media.entry', where, `Its entry ${due.trim()} leads to cluster ${cluster}.`);
    }
  }

  #clusterOf(slot: Buffer): number {
    const high = slot.readUInt16LE(20);
    return this.#layout.kind === 'FAT32' ? high * 65536 + slot.readUInt16LE(26) : slot.readUInt16LE(26);
  }

  async #entry(slot: Buffer, long: LongName | undefined, folder: Folder, where: string): Promise<void> {
    const attributes = slot[11]!;
    if ((attributes & ATTRIBUTES.undefined) !== 0) {
      refuse('media.entry', where, `An entry has the attributes ${attributes.toString(16)}.`);
    }
    if ((attributes & ATTRIBUTES.label) !== 0) {
      if (folder.path !== '' || (attributes & ATTRIBUTES.folder) !== 0 || this.label !== undefined) {
        refuse('media.entry', where, 'A volume label stands where none is due.');
      }
      if (long !== undefined) refuse('media.name', where, 'A volume label has a long name.');
      this.label = latin(slot.subarray(0, 11));
      return;
    }
    const short = shortName(slot, where);
    if (long !== undefined && (long.due !== 0 || long.checksum !== checksumOf(slot))) {
      refuse('media.name', where, `The long name before ${short.name} belongs to another entry.`);
    }
    const name = long === undefined ? short.name : longName(long, where);
    const path = pathOf(folder.path, name, where);
    const named = long !== undefined || short.named;
    const cluster = this.#clusterOf(slot);
    const size = slot.readUInt32LE(28);
    if ((attributes & ATTRIBUTES.folder) !== 0) {
      if (size !== 0) refuse('media.entry', path, `A folder states ${size} bytes.`);
      const extents = await this.#folderChain(cluster, path);
      this.#add({ path, named, kind: 'folder', size: 0, extents: [] }, extents.length);
      this.#waiting.push({ path, extents, cluster, parent: folder.cluster });
      return;
    }
    this.#add({ path, named, kind: 'file', size, extents: await this.#content(cluster, size, path) }, 0);
  }

  async #content(cluster: number, size: number, path: string): Promise<Extent[]> {
    const { clusterSize } = this.#layout;
    if (size === 0) {
      if (cluster !== 0) refuse('media.size', path, 'It is empty and has clusters.');
      return [];
    }
    const wanted = Math.ceil(size / clusterSize);
    const extents = await this.#clusters.chain(cluster, wanted, path);
    const length = extents.reduce((sum, extent) => sum + extent.length, 0);
    if (length !== wanted * clusterSize) {
      refuse('media.size', path, `It has ${size} bytes, and clusters for ${length}.`);
    }
    const last = extents.pop()!;
    extents.push({ start: last.start, length: last.length - (length - size) });
    return extents;
  }

  #add(entry: VolumeEntry, more: number): void {
    this.#spending.entry(entry.path, entry.extents.length + more);
    this.entries.push(entry);
  }
}

/** One slot of a long name: they stand before their entry, last part first. */
function longNameSlot(slot: Buffer, before: LongName | undefined, where: string): LongName {
  const wrong = (): never => refuse('media.name', where, 'The parts of a long name are not in order.');
  const ordinal = slot[0]! & 0x3f;
  const first = (slot[0]! & 0x40) !== 0;
  if ((slot[0]! & 0x80) !== 0 || slot[12] !== 0 || slot.readUInt16LE(26) !== 0) wrong();
  const units = Buffer.concat([slot.subarray(1, 11), slot.subarray(14, 26), slot.subarray(28, 32)]).toString('utf16le');
  if (first) {
    if ((before !== undefined && before.due !== 0) || ordinal < 1 || ordinal > 20) wrong();
    if (before !== undefined) wrong();
    return { parts: [units], checksum: slot[13]!, due: ordinal - 1 };
  }
  if (before === undefined || ordinal !== before.due || ordinal === 0 || slot[13] !== before.checksum) return wrong();
  before.parts.unshift(units);
  before.due -= 1;
  return before;
}

function longName({ parts }: LongName, where: string): string {
  const whole = parts.join('');
  const end = whole.indexOf('\0');
  const name = end === -1 ? whole : whole.slice(0, end);
  const rest = end === -1 ? '' : whole.slice(end + 1);
  if (/[^\uffff]/.test(rest) || rest.length >= 13)
    refuse('media.name', where, 'Something follows the end of a long name.');
  if (name === '' || name.length > 255) refuse('media.name', where, `A long name has ${name.length} characters.`);
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f"*/:<>?\\|]/.test(name)) {
    refuse('media.name', where, `The long name ${JSON.stringify(name)} holds a character that none may hold.`);
  }
  return name;
}

function checksumOf(slot: Buffer): number {
  let sum = 0;
  for (const byte of slot.subarray(0, 11)) sum = (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff;
  return sum;
}

/** A short name as Linux and Windows show it: the two bits of byte 12 say where it was typed in small letters. */
function shortName(slot: Buffer, where: string): { name: string; named: boolean } {
  const bytes = Buffer.from(slot.subarray(0, 11));
  if (bytes[0] === 0x05) bytes[0] = 0xe5;
  const text = bytes.toString('latin1');
  const stem = text.slice(0, 8).replace(/ +$/, '');
  const ending = text.slice(8).replace(/ +$/, '');
  // oxlint-disable-next-line no-control-regex
  if (stem === '' || /[\u0000-\u001f"*+,./:;<=>?[\\\]|\u007fa-z]/.test(stem + ending) || text[0] === ' ') {
    refuse('media.name', where, `The short name ${JSON.stringify(text)} holds a character that none may hold.`);
  }
  const small = slot[12]!;
  const shown = (part: string, bit: number): string => ((small & bit) === 0 ? part : part.toLowerCase());
  const name = shown(stem, 0x08) + (ending === '' ? '' : `.${shown(ending, 0x10)}`);
  // oxlint-disable-next-line no-control-regex
  return { name, named: /^[\u0000-\u007f]*$/.test(name) };
}
