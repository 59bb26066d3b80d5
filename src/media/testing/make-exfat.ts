import { foldersOf, Image, type Tree } from './image.ts';

const SECTOR = 512;
const CLUSTER = 4096;
const COUNT = 1000;

export interface ExfatMade {
  readonly image: Image;
  /** First byte of a file's set of entries. */
  set(path: string): number;
  cluster(path: string): number;
  place(cluster: number): number;
  follow(cluster: number, value: number): void;
  /** Writes the checksum of a set again, after it was changed. */
  reseal(path: string): void;
  /** Writes the checksums of both boot regions again, and the second region after the first. */
  reboot(): void;
  readonly root: number;
}

/** A clean exFAT volume; files lie in chains of the allocation table. */
export function makeExfat(tree: Tree): ExfatMade {
  const table = 128 * SECTOR;
  const heap = 256 * SECTOR;
  const size = heap + COUNT * CLUSTER;
  const image = new Image(size);
  const boot = Buffer.alloc(SECTOR);
  boot.set([0xeb, 0x76, 0x90]);
  boot.write('EXFAT   ', 3, 'latin1');
  boot.writeBigUInt64LE(BigInt(size / SECTOR), 72);
  boot.writeUInt32LE(table / SECTOR, 80);
  boot.writeUInt32LE(Math.ceil(((COUNT + 2) * 4) / SECTOR), 84);
  boot.writeUInt32LE(heap / SECTOR, 88);
  boot.writeUInt32LE(COUNT, 92);
  boot.writeUInt32LE(0x12ab34cd, 100);
  boot.writeUInt16LE(0x100, 104);
  boot[108] = 9;
  boot[109] = 3;
  boot[110] = 1;
  boot[111] = 0x80;
  boot.writeUInt16LE(0xaa55, 510);
  image.write(0, boot);
  for (let sector = 1; sector <= 8; sector++) image.number(sector * SECTOR + SECTOR - 4, 0xaa550000);

  const place = (cluster: number): number => heap + (cluster - 2) * CLUSTER;
  const follow = (cluster: number, value: number): void => image.number(table + cluster * 4, value);
  follow(0, 0xfffffff8);
  follow(1, 0xffffffff);
  let next = 2;
  const take = (bytes: number): number => {
    const first = next;
    const wanted = Math.max(1, Math.ceil(bytes / CLUSTER));
    for (let number = 0; number < wanted; number++)
      follow(next + number, number === wanted - 1 ? 0xffffffff : next + number + 1);
    next += wanted;
    return first;
  };

  const bitmap = take(COUNT / 8);
  // All of Unicode as it is, but for small Latin letters.
  const upcase = Buffer.alloc(60 + 4);
  upcase.writeUInt16LE(0xffff, 0);
  upcase.writeUInt16LE(0x61, 2);
  for (let letter = 0; letter < 26; letter++) upcase.writeUInt16LE(0x41 + letter, 4 + 2 * letter);
  upcase.writeUInt16LE(0xffff, 56);
  upcase.writeUInt16LE(0xffff - 0x7b, 58);
  upcase.writeUInt16LE(0xffff, 60);
  const capitals = upcase.subarray(0, 62);
  const upper = take(capitals.length);
  image.write(place(upper), capitals);
  let sum = 0;
  for (const byte of capitals) sum = (((sum << 31) | (sum >>> 1)) + byte) >>> 0;

  const folders = foldersOf(tree);
  const clusters = new Map<string, number>();
  const sets = new Map<string, number>();
  const lengthOf = (path: string): number =>
    (path === '' ? 3 : 0) * 32 +
    folders.get(path)!.reduce((all, { name }) => all + 32 * (2 + Math.ceil(name.length / 15)), 0);
  clusters.set('', take(lengthOf('')));
  image.number(96, clusters.get('')!);

  const reseal = (path: string): void => {
    const at = sets.get(path)!;
    const slots = image.bytes(at, 32 * (1 + image.bytes(at + 1, 1)[0]!));
    let check = 0;
    for (const [index, byte] of slots.entries()) {
      if (index !== 2 && index !== 3) check = (((check << 15) | (check >>> 1)) + byte) & 0xffff;
    }
    image.number(at + 2, check, 2);
  };
  for (const [path, held] of folders) {
    let at = place(clusters.get(path)!);
    if (path === '') {
      const slots = Buffer.alloc(96);
      slots.set([0x83, 5]);
      slots.write('STICK', 2, 'utf16le');
      slots[32] = 0x81;
      slots.writeUInt32LE(bitmap, 32 + 20);
      slots.writeUInt32LE(COUNT / 8, 32 + 24);
      slots[64] = 0x82;
      slots.writeUInt32LE(sum, 64 + 4);
      slots.writeUInt32LE(upper, 64 + 20);
      slots.writeUInt32LE(capitals.length, 64 + 24);
      image.write(at, slots);
      at += 96;
    }
    for (const { name, path: inner, content } of held) {
      const bytes = content?.length ?? Math.ceil(lengthOf(inner) / CLUSTER) * CLUSTER;
      const length = content === undefined ? Math.max(CLUSTER, bytes) : bytes;
      const first = length === 0 ? 0 : take(length);
      clusters.set(inner, first);
      if (content !== undefined && length > 0) image.write(place(first), content);
      sets.set(inner, at);
      const slots = setOf(name, content === undefined, first, length);
      image.write(at, slots);
      reseal(inner);
      at += slots.length;
    }
  }
  for (let number = 2; number < next; number++) {
    const at = place(bitmap) + ((number - 2) >> 3);
    image.byte(at, image.bytes(at, 1)[0]! | (1 << ((number - 2) & 7)));
  }
  const reboot = (): void => {
    const region = image.bytes(0, 11 * SECTOR);
    let check = 0;
    for (const [at, byte] of region.entries()) {
      if (at !== 106 && at !== 107 && at !== 112) check = (((check << 31) | (check >>> 1)) + byte) >>> 0;
    }
    for (let at = 11 * SECTOR; at < 12 * SECTOR; at += 4) image.number(at, check);
    image.write(12 * SECTOR, image.bytes(0, 12 * SECTOR));
  };
  reboot();
  return {
    image,
    set: (path) => sets.get(path)!,
    cluster: (path) => clusters.get(path)!,
    place,
    follow,
    reseal,
    reboot,
    root: place(clusters.get('')!),
  };
}

function setOf(name: string, isFolder: boolean, first: number, length: number): Buffer {
  const names = Math.ceil(name.length / 15);
  const slots = Buffer.alloc(32 * (2 + names));
  slots.set([0x85, 1 + names]);
  slots.writeUInt16LE(isFolder ? 0x10 : 0x20, 4);
  slots.writeUInt32LE(0x5a210000, 8);
  slots.writeUInt32LE(0x5a210000, 12);
  slots.writeUInt32LE(0x5a210000, 16);
  slots.set([0xc0, length === 0 ? 0 : 1, 0, name.length], 32);
  let hash = 0;
  for (const byte of Buffer.from(
    name.replace(/[a-z]/g, (letter) => letter.toUpperCase()),
    'utf16le',
  )) {
    hash = (((hash << 15) | (hash >>> 1)) + byte) & 0xffff;
  }
  slots.writeUInt16LE(hash, 36);
  slots.writeBigUInt64LE(BigInt(length), 40);
  slots.writeUInt32LE(first, 52);
  slots.writeBigUInt64LE(BigInt(length), 56);
  for (let number = 0; number < names; number++) {
    const at = 64 + 32 * number;
    slots[at] = 0xc1;
    slots.write(name.slice(number * 15, number * 15 + 15), at + 2, 'utf16le');
  }
  return slots;
}
