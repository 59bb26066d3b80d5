import { foldersOf, Image, type Tree } from './image.ts';

export interface FatMade {
  readonly image: Image;
  /** Where the entry of a file or folder lies; of its long name, the slots are just before. */
  slot(path: string): number;
  cluster(path: string): number;
  /** First byte of a cluster. */
  place(cluster: number): number;
  /** Sets what follows a cluster, in both tables or one. */
  follow(cluster: number, value: number, copies?: readonly number[]): void;
  /** First byte of the root folder. */
  readonly root: number;
  readonly free: number;
}

/** A clean FAT volume with one sector a cluster, as `mkfs.fat -s 1` lays it out, with long names for all. */
export function makeFat(kind: 'FAT12' | 'FAT16' | 'FAT32', tree: Tree): FatMade {
  const wide = kind === 'FAT32';
  const count = kind === 'FAT12' ? 2000 : kind === 'FAT16' ? 5000 : 66_000;
  const bits = kind === 'FAT12' ? 12 : kind === 'FAT16' ? 16 : 32;
  const reserved = wide ? 32 : 1;
  const tableSectors = Math.ceil(((count + 2) * bits) / 8 / 512);
  const rootSlots = wide ? 0 : 512;
  const root = (reserved + 2 * tableSectors) * 512;
  const heap = root + rootSlots * 32;
  const sectors = heap / 512 + count;
  const image = new Image(sectors * 512);

  const boot = Buffer.alloc(512);
  boot.set([0xeb, wide ? 0x58 : 0x3c, 0x90]);
  boot.write('MADE    ', 3, 'latin1');
  boot.writeUInt16LE(512, 11);
  boot[13] = 1;
  boot.writeUInt16LE(reserved, 14);
  boot[16] = 2;
  boot.writeUInt16LE(rootSlots, 17);
  if (sectors < 65_536) boot.writeUInt16LE(sectors, 19);
  else boot.writeUInt32LE(sectors, 32);
  boot[21] = 0xf8;
  boot.writeUInt16LE(wide ? 0 : tableSectors, 22);
  boot.writeUInt16LE(32, 24);
  boot.writeUInt16LE(2, 26);
  if (wide) {
    boot.writeUInt32LE(tableSectors, 36);
    boot.writeUInt32LE(2, 44);
    boot.writeUInt16LE(1, 48);
    boot.writeUInt16LE(6, 50);
  }
  const extended = wide ? 64 : 36;
  boot[extended] = 0x80;
  boot[extended + 2] = 0x29;
  boot.writeUInt32LE(0x12ab34cd, extended + 3);
  boot.write('STICK      ', extended + 7, 'latin1');
  boot.write(`${kind}   `, extended + 18, 'latin1');
  boot.writeUInt16LE(0xaa55, 510);
  image.write(0, boot);
  if (wide) {
    const info = Buffer.alloc(512);
    info.write('RRaA', 0, 'latin1');
    info.write('rrAa', 484, 'latin1');
    info.writeUInt32LE(0xffffffff, 488);
    info.writeUInt32LE(0xffffffff, 492);
    info.writeUInt16LE(0xaa55, 510);
    image.write(512, info);
    image.write(6 * 512, boot);
    image.write(7 * 512, info);
  }

  const last = bits === 12 ? 0xfff : bits === 16 ? 0xffff : 0x0fffffff;
  const follow: FatMade['follow'] = (cluster, value, copies = [0, 1]) => {
    for (const copy of copies) {
      const table = (reserved + copy * tableSectors) * 512;
      if (bits === 12) {
        const at = table + cluster + (cluster >> 1);
        const old = image.bytes(at, 2).readUInt16LE(0);
        image.number(at, (cluster & 1) === 0 ? (old & 0xf000) | value : (old & 0xf) | (value << 4), 2);
      } else if (bits === 16) image.number(table + cluster * 2, value, 2);
      else image.number(table + cluster * 4, value);
    }
  };
  follow(0, last - 7);
  follow(1, last);

  let next = 2;
  const place = (cluster: number): number => heap + (cluster - 2) * 512;
  const take = (bytes: number): number => {
    const first = next;
    const wanted = Math.max(1, Math.ceil(bytes / 512));
    for (let number = 0; number < wanted; number++)
      follow(next + number, number === wanted - 1 ? last : next + number + 1);
    next += wanted;
    return first;
  };

  const folders = foldersOf(tree);
  const clusters = new Map<string, number>();
  const slots = new Map<string, number>();
  const slotsOf = (name: string): number => 1 + Math.ceil(name.length / 13);
  const sizeOf = (path: string): number =>
    (path === '' ? 1 : 2) * 32 + folders.get(path)!.reduce((sum, { name }) => sum + 32 * slotsOf(name), 0);
  if (wide) clusters.set('', take(sizeOf('')));
  for (const [path, held] of folders) {
    for (const { path: inner, content } of held) {
      if (content === undefined) clusters.set(inner, take(sizeOf(inner)));
      else if (content.length > 0) {
        clusters.set(inner, take(content.length));
        image.write(place(clusters.get(inner)!), content);
      } else clusters.set(inner, 0);
    }
    const own = path === '' && !wide ? root : place(clusters.get(path)!);
    let at = own;
    const entry = (name: string, attributes: number, cluster: number, size: number): void => {
      const slot = Buffer.alloc(32);
      slot.write(name, 0, 'latin1');
      slot[11] = attributes;
      slot.writeUInt16LE(Math.floor(cluster / 65_536), 20);
      slot.writeUInt16LE(0x5a21, 24);
      slot.writeUInt16LE(cluster % 65_536, 26);
      slot.writeUInt32LE(size, 28);
      image.write(at, slot);
      at += 32;
    };
    if (path === '') entry('STICK      ', 0x08, 0, 0);
    else {
      const above = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
      entry('.          ', 0x10, clusters.get(path)!, 0);
      entry('..         ', 0x10, above === '' ? 0 : clusters.get(above)!, 0);
    }
    for (const [number, { name, path: inner, content }] of held.entries()) {
      const short = `F${String(number).padStart(6, '0')} BIN`;
      for (const slot of longSlots(name, short)) {
        image.write(at, slot);
        at += 32;
      }
      slots.set(inner, at);
      entry(short, content === undefined ? 0x10 : 0x20, clusters.get(inner)!, content?.length ?? 0);
    }
  }
  return {
    image,
    slot: (path) => slots.get(path)!,
    cluster: (path) => clusters.get(path)!,
    place,
    follow,
    root: wide ? place(2) : root,
    free: next,
  };
}

/** The slots of a long name before its entry. */
export function longSlots(name: string, short: string): Buffer[] {
  let sum = 0;
  for (const byte of Buffer.from(short, 'latin1')) sum = (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff;
  const units = Buffer.alloc(Math.ceil(name.length / 13) * 26, 0xff);
  units.write(name, 0, 'utf16le');
  if (name.length % 13 !== 0) units.writeUInt16LE(0, name.length * 2);
  const slots: Buffer[] = [];
  for (let number = units.length / 26; number >= 1; number--) {
    const part = units.subarray((number - 1) * 26, number * 26);
    const slot = Buffer.alloc(32);
    slot[0] = number | (number === units.length / 26 ? 0x40 : 0);
    part.copy(slot, 1, 0, 10);
    slot[11] = 0x0f;
    slot[13] = sum;
    part.copy(slot, 14, 10, 22);
    part.copy(slot, 28, 22, 26);
    slots.push(slot);
  }
  return slots;
}
