import type { MediumBytes } from './medium-bytes.ts';
import { refuse } from './problem.ts';
import { extend, judgeOverlap, pathOf, placesOf, type Spending, type Volume, type VolumeEntry } from './volume.ts';

// ISO 9660 (ECMA-119), the Joliet specification of 1995, SUSP 1.12 (IEEE P1281) and RRIP 1.12 (IEEE P1282).

const SECTOR = 2048;
const DESCRIPTORS = 64;
const FLAGS = { hidden: 0x01, folder: 0x02, associated: 0x04, record: 0x08, protection: 0x10, more: 0x80 } as const;
/** Bytes of one folder. */
const FOLDER_BYTES = 32 * 1024 * 1024;

interface Place {
  readonly extent: number;
  readonly size: number;
}

interface Tree {
  readonly kind: 'primary' | 'Joliet';
  readonly root: Place;
  readonly label: string;
}

export async function readIso(bytes: MediumBytes, spending: Spending): Promise<Volume> {
  let primary: { tree: Tree; size: number; serial: string } | undefined;
  let joliet: Tree | undefined;
  for (let number = 0, ended = false; !ended; number++) {
    if (number === DESCRIPTORS) refuse('media.limit', 'volume descriptors', `There are more than ${DESCRIPTORS}.`);
    const where = `volume descriptor ${number + 1}`;
    const sector = await bytes.at((16 + number) * SECTOR, SECTOR, where);
    const type = sector[0]!;
    if (sector.toString('latin1', 1, 6) !== 'CD001')
      refuse('media.header', where, 'The list of descriptors has no end.');
    if (sector[6] !== 1 && type !== 2) refuse('media.header', where, `It is version ${sector[6]}.`);
    if (type === 255) ended = true;
    else if (type === 1) {
      if (primary !== undefined) refuse('media.two-systems', where, 'There are two primary descriptors.');
      const size = bothEndian32(sector, 80, where) * SECTOR;
      if (size > bytes.size) refuse('media.bounds', where, `It states ${size} bytes; ${bytes.size} are there.`);
      const label = sector.toString('latin1', 40, 72).trimEnd();
      primary = { tree: { kind: 'primary', root: rootOf(sector, where), label }, size, serial: '' };
    } else if (type === 2 && /^%\/[@CE]/.test(sector.toString('latin1', 88, 91))) {
      if (joliet !== undefined) refuse('media.two-systems', where, 'There are two Joliet descriptors.');
      const label = bigEndianText(sector.subarray(40, 72)).replace(/[\0 ]+$/, '');
      joliet = { kind: 'Joliet', root: rootOf(sector, where), label };
    } else if (type === 2) refuse('media.feature', where, 'A second tree of it is in an unknown character set.');
    else if (type !== 0) refuse('media.feature', where, `A descriptor of type ${type} is not known.`);
  }
  if (primary === undefined) refuse('media.header', 'volume descriptors', 'There is no primary descriptor.');
  const { tree, size } = primary;
  const volume = bytes.part(0, size, 'volume');
  const first = new IsoReading(volume, tree, spending);
  await first.whole();
  let entries = first.entries;
  if (joliet !== undefined) {
    const second = new IsoReading(volume, joliet, spending);
    await second.whole();
    const here = placesOf(first.entries);
    const there = placesOf(second.entries);
    // Links of Rock Ridge are no files for Joliet, which may list them as empty ones.
    const differ = here.length !== there.length || here.some((place, index) => place !== there[index]);
    if (differ) refuse('media.two-systems', 'volume', 'Its primary and its Joliet tree do not name the same files.');
    if (!first.rockRidge) entries = second.entries;
  }
  judgeOverlap(entries, true);
  return {
    kind: 'ISO 9660',
    label: joliet === undefined || first.rockRidge ? tree.label : joliet.label,
    serial: '',
    start: bytes.start,
    size,
    entries,
  };
}

function rootOf(sector: Buffer, where: string): Place {
  if (bothEndian16(sector, 128, where) !== SECTOR) {
    refuse('media.feature', where, `Its blocks have ${sector.readUInt16LE(128)} bytes.`);
  }
  const record = sector.subarray(156, 190);
  if (record[0] !== 34 || (record[25]! & FLAGS.folder) === 0) refuse('media.header', where, 'Its root is no folder.');
  return { extent: bothEndian32(record, 2, where), size: bothEndian32(record, 10, where) };
}

function bothEndian32(bytes: Buffer, at: number, where: string): number {
  const value = bytes.readUInt32LE(at);
  if (bytes.readUInt32BE(at + 4) !== value) {
    refuse('media.copies-differ', where, `A number is ${value} in one order of bytes and another in the other.`);
  }
  return value;
}

function bothEndian16(bytes: Buffer, at: number, where: string): number {
  const value = bytes.readUInt16LE(at);
  if (bytes.readUInt16BE(at + 2) !== value) {
    refuse('media.copies-differ', where, `A number is ${value} in one order of bytes and another in the other.`);
  }
  return value;
}

function bigEndianText(bytes: Buffer): string {
  const even = bytes.subarray(0, bytes.length - (bytes.length % 2));
  return Buffer.from(even).swap16().toString('utf16le');
}

interface Folder {
  readonly path: string;
  readonly place: Place;
  readonly parent: number;
}

interface Extra {
  name: string | undefined;
  more: boolean;
  mode: number | undefined;
  link: boolean;
}

class IsoReading {
  readonly entries: VolumeEntry[] = [];
  rockRidge = false;
  readonly #bytes: MediumBytes;
  readonly #tree: Tree;
  readonly #spending: Spending;
  readonly #waiting: Folder[] = [];
  readonly #folders = new Set<number>();
  /** Bytes to leave out before system use entries (SUSP 5.3); undefined where there are none. */
  #skip: number | undefined;

  constructor(bytes: MediumBytes, tree: Tree, spending: Spending) {
    this.#bytes = bytes;
    this.#tree = tree;
    this.#spending = spending;
  }

  async whole(): Promise<void> {
    const { root } = this.#tree;
    this.#push({ path: '', place: root, parent: root.extent });
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) await this.#folder(next);
  }

  #push(folder: Folder): void {
    const { path, place } = folder;
    const where = path === '' ? 'root folder' : path;
    if (this.#folders.has(place.extent)) refuse('media.loop', where, 'The folder lies inside itself or stands twice.');
    this.#folders.add(place.extent);
    if (place.size === 0 || place.size % SECTOR !== 0) {
      refuse('media.size', where, `The folder has ${place.size} bytes.`);
    }
    if (place.size > FOLDER_BYTES) refuse('media.limit', where, `The folder has ${place.size} bytes.`);
    this.#waiting.push(folder);
  }

  async #folder(folder: Folder): Promise<void> {
    const where = folder.path === '' ? 'root folder' : folder.path;
    const wrong = (detail: string): never => refuse('media.entry', where, detail);
    let number = 0;
    /** A file that goes on in the next record (section 6.5.1). */
    let part: { path: string; extents: { start: number; length: number }[]; size: number } | undefined;
    for (let sector = 0; sector < folder.place.size; sector += SECTOR) {
      const bytes = await this.#bytes.at(folder.place.extent * SECTOR + sector, SECTOR, where);
      for (let at = 0; at < SECTOR;) {
        const length = bytes[at]!;
        this.#spending.slot(where);
        if (length === 0) {
          // The rest of the sector is empty.
          if (bytes.subarray(at).some((byte) => byte !== 0)) wrong('Something stands behind the last entry.');
          break;
        }
        if (length < 34 || at + length > SECTOR) wrong(`An entry has ${length} bytes.`);
        const record = bytes.subarray(at, at + length);
        at += length;
        const nameLength = record[32]!;
        if (nameLength === 0 || 33 + nameLength > length) wrong(`A name has ${nameLength} bytes.`);
        const place = { extent: bothEndian32(record, 2, where), size: bothEndian32(record, 10, where) };
        const flags = record[25]!;
        if (record[1] !== 0) refuse('media.feature', where, 'An entry has an extended attribute record.');
        if (record[26] !== 0 || record[27] !== 0) refuse('media.feature', where, 'A file is interleaved.');
        if (bothEndian16(record, 28, where) !== 1) refuse('media.feature', where, 'A file lies on another volume.');
        const raw = record.subarray(33, 33 + nameLength);
        const system = record.subarray(33 + nameLength + (nameLength % 2 === 0 ? 1 : 0));
        if (number < 2) {
          if (nameLength !== 1 || raw[0] !== number || (flags & FLAGS.folder) === 0) wrong('It does not name itself.');
          // libisofs names a folder itself where the one above is due in a Joliet tree.
          const due = number === 0 ? [folder.place.extent] : [folder.parent, folder.place.extent];
          if (!due.includes(place.extent)) {
            wrong(`Its entry ${number === 0 ? 'for itself' : 'for the one above'} leads to block ${place.extent}.`);
          }
          if (number === 0 && folder.path === '' && this.#tree.kind === 'primary') this.#begin(system);
          number += 1;
          continue;
        }
        number += 1;
        if (nameLength === 1 && raw[0]! < 2) wrong('It names itself twice.');
        if ((flags & (FLAGS.associated | FLAGS.record | 0x60)) !== 0) {
          refuse('media.feature', where, `A file has the flags ${flags.toString(16)}.`);
        }
        const extra = await this.#extra(system, where);
        const name = extra.name ?? (this.#tree.kind === 'Joliet' ? jolietName(raw, where) : plainName(raw, where));
        const path = pathOf(folder.path, name, where);
        const isFolder = (flags & FLAGS.folder) !== 0;
        if (part !== undefined && (part.path !== path || isFolder)) {
          refuse('media.size', part.path, 'It should go on in the next entry, which is that of another.');
        }
        if (isFolder) {
          if ((flags & FLAGS.more) !== 0) refuse('media.feature', path, 'A folder lies in several pieces.');
          this.#add({ path, named: isUtf8(name), kind: 'folder', size: 0, extents: [], ...modeOf(extra) });
          this.#push({ path, place, parent: folder.place.extent });
          continue;
        }
        part ??= { path, extents: [], size: 0 };
        if ((flags & FLAGS.more) !== 0 && place.size % SECTOR !== 0) {
          refuse('media.size', path, 'A piece of it that is not the last one ends inside a block.');
        }
        if (place.size > 0) {
          this.#bytes.part(place.extent * SECTOR, place.size, path);
          extend(part.extents, this.#bytes.start + place.extent * SECTOR, place.size);
        }
        part.size += place.size;
        if ((flags & FLAGS.more) !== 0) continue;
        const kind = extra.link
          ? 'link'
          : extra.mode !== undefined && (extra.mode & 0o170000) !== 0o100000
            ? 'other'
            : 'file';
        const isFile = kind === 'file';
        this.#add({
          path,
          named: isUtf8(name),
          kind,
          size: isFile ? part.size : 0,
          extents: isFile ? part.extents : [],
          ...modeOf(extra),
        });
        part = undefined;
      }
    }
    if (number < 2) wrong('It does not name itself.');
    if (part !== undefined) refuse('media.size', part.path, 'Its last piece is missing.');
  }

  #add(entry: VolumeEntry): void {
    this.#spending.entry(entry.path, entry.extents.length);
    this.entries.push(entry);
  }

  /** The root's entry for itself says whether system use entries follow (SUSP 5.3). */
  #begin(system: Buffer): void {
    if (system.length < 7 || system.toString('latin1', 0, 2) !== 'SP') return;
    if (system[2] !== 7 || system[3] !== 1 || system.readUInt16BE(4) !== 0xbeef) {
      refuse('media.entry', 'root folder', 'Its system use entries begin wrongly.');
    }
    this.#skip = system[6]!;
  }

  /** System use entries of one record: names, modes and links of Rock Ridge. Others are passed over. */
  async #extra(system: Buffer, where: string): Promise<Extra> {
    const extra: Extra = { name: undefined, more: true, mode: undefined, link: false };
    if (this.#skip === undefined) return extra;
    const wrong = (detail: string): never => refuse('media.entry', where, detail);
    const seen = new Set<string>();
    const parts: Buffer[] = [];
    let area = system.subarray(Math.min(this.#skip, system.length));
    for (;;) {
      let next: { block: number; offset: number; length: number } | undefined;
      for (let at = 0; at + 4 <= area.length;) {
        const name = area.toString('latin1', at, at + 2);
        const length = area[at + 2]!;
        if (name === '\0\0') break;
        if (length < 4 || at + length > area.length)
          wrong(`A system use entry ${JSON.stringify(name)} has ${length} bytes.`);
        const entry = area.subarray(at, at + length);
        at += length;
        this.#spending.slot(where);
        if (name === 'ST') break;
        if (name === 'CE') {
          if (next !== undefined || length !== 28) wrong('Its system use entries go on in two places.');
          next = {
            block: bothEndian32(entry, 4, where),
            offset: bothEndian32(entry, 12, where),
            length: bothEndian32(entry, 20, where),
          };
        } else if (name === 'NM') {
          this.rockRidge = true;
          // Bits 1 and 2: the name is that of the folder itself, or of the one above.
          if (length < 5 || (entry[4]! & ~1) !== 0 || !extra.more) wrong('A name of it has parts that fit nowhere.');
          parts.push(Buffer.from(entry.subarray(5)));
          extra.more = (entry[4]! & 1) !== 0;
          if (parts.reduce((sum, { length: some }) => sum + some, 0) > 255)
            refuse('media.name', where, 'A name has over 255 bytes.');
        } else if (name === 'PX') {
          this.rockRidge = true;
          if (length < 36) wrong('A mode of it is cut.');
          extra.mode = bothEndian32(entry, 4, where);
        } else if (name === 'SL') extra.link = true;
        else if (name === 'CL' || name === 'PL' || name === 'RE') {
          refuse('media.feature', where, 'Folders lie elsewhere than they are shown.');
        } else if (name === 'SF' || name === 'ZF') {
          refuse('media.feature', where, name === 'SF' ? 'A file is sparse.' : 'A file is compressed.');
        }
      }
      if (next === undefined) break;
      const key = `${next.block} ${next.offset}`;
      // CVE-2014-9420: continuations without end.
      if (seen.has(key) || seen.size >= 32) refuse('media.loop', where, 'Its system use entries come back.');
      seen.add(key);
      if (next.offset + next.length > SECTOR)
        refuse('media.bounds', where, 'Its system use entries leave their block.');
      area = await this.#bytes.at(next.block * SECTOR + next.offset, next.length, where);
    }
    if (parts.length > 0) {
      if (extra.more) wrong('A name of it breaks off.');
      extra.name = utf8(Buffer.concat(parts));
    }
    return extra;
  }
}

function modeOf({ mode }: Extra): { mode?: number } {
  return mode === undefined ? {} : { mode: mode & 0o7777 };
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes that are not UTF-8 keep a mark that no text has, so that the name is known to be none. */
function utf8(bytes: Buffer): string {
  try {
    return decoder.decode(bytes);
  } catch {
    return `${bytes.toString('latin1')}\ud800`;
  }
}

function isUtf8(name: string): boolean {
  return name.isWellFormed();
}

function jolietName(raw: Buffer, where: string): string {
  if (raw.length % 2 !== 0) refuse('media.name', where, 'A Joliet name ends inside a character.');
  const name = bigEndianText(raw).replace(/;1$/, '');
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f*/:;?\\]/.test(name)) {
    refuse('media.name', where, `The name ${JSON.stringify(name)} holds a character that none may hold.`);
  }
  return name;
}

/** A name of ISO 9660 itself, without its version; writers with relaxed rules use all of ASCII. */
function plainName(raw: Buffer, where: string): string {
  const text = raw.toString('latin1');
  // oxlint-disable-next-line no-control-regex
  if (/[^\u0020-\u007e]|[/\\]/.test(text)) {
    refuse('media.name', where, `The name ${JSON.stringify(text)} holds a character that none may hold.`);
  }
  return text.replace(/;\d{1,5}$/, '').replace(/(?<=.)\.$/, '');
}
