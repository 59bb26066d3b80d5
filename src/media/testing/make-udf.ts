import { foldersOf, Image, type Tree } from './image.ts';

const BLOCK = 2048;
const PARTITION = 288;

export interface UdfMade {
  readonly image: Image;
  /** First byte of the entry (ICB) of a file or folder. */
  icb(path: string): number;
  /** First byte of a folder's content. */
  folder(path: string): number;
  /** First byte of the identifier of a file or folder in the folder above. */
  identifier(path: string): number;
  /** Writes CRC and checksum of the descriptor at this byte again; `length` is what its CRC covers. */
  reseal(at: number, length?: number): void;
  /** The block of a byte, as the partition counts. */
  block(at: number): number;
  readonly spare: number;
  readonly descriptors: { readonly main: number; readonly reserve: number };
}

function crc16(bytes: Uint8Array): number {
  let value = 0;
  for (const byte of bytes) {
    value ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) value = ((value << 1) ^ ((value & 0x8000) === 0 ? 0 : 0x1021)) & 0xffff;
  }
  return value;
}

/** A clean UDF 1.02 volume with blocks of 2,048 bytes and one plain partition. */
export function makeUdf(tree: Tree): UdfMade {
  const folders = foldersOf(tree);
  const icbs = new Map<string, number>();
  const places = new Map<string, number>();
  const identifiers = new Map<string, number>();
  let next = 1;
  for (const [path, held] of folders) {
    icbs.set(path, icbs.get(path) ?? next++);
    places.set(path, next++);
    for (const { path: inner, content } of held) {
      if (!icbs.has(inner)) icbs.set(inner, next++);
      if (content === undefined) continue;
      places.set(inner, next);
      next += Math.ceil(content.length / BLOCK);
    }
  }
  const spare = next++;
  const blocks = next;
  const image = new Image((PARTITION + blocks + 16) * BLOCK);
  const absolute = (block: number): number => (PARTITION + block) * BLOCK;

  const reseal = (at: number, length = image.bytes(at + 10, 2).readUInt16LE(0)): void => {
    image.number(at + 10, length, 2);
    image.number(at + 8, crc16(image.bytes(at + 16, length)), 2);
    const tag = image.bytes(at, 16);
    image.byte(
      at + 4,
      tag.reduce((sum, byte, index) => (index === 4 ? sum : (sum + byte) & 0xff), 0),
    );
  };
  const describe = (at: number, type: number, location: number, bytes: Buffer, length = bytes.length - 16): void => {
    bytes.writeUInt16LE(type, 0);
    bytes.writeUInt16LE(2, 2);
    bytes.writeUInt32LE(location, 12);
    image.write(at, bytes);
    reseal(at, length);
  };
  for (const [index, name] of ['BEA01', 'NSR02', 'TEA01'].entries()) {
    image.write((16 + index) * BLOCK, Buffer.from(`\0${name}\x01`, 'latin1'));
  }
  const [main, reserve] = [32, 48];
  const anchor = Buffer.alloc(512);
  anchor.writeUInt32LE(16 * BLOCK, 16);
  anchor.writeUInt32LE(main, 20);
  anchor.writeUInt32LE(16 * BLOCK, 24);
  anchor.writeUInt32LE(reserve, 28);
  describe(256 * BLOCK, 2, 256, anchor, 496);
  for (const start of [main, reserve]) {
    const primary = Buffer.alloc(512);
    primary.write('STICK', 25, 'latin1');
    primary[24] = 8;
    primary[55] = 6;
    primary[72] = 8;
    primary.write('12ab34cd12ab34cd', 73, 'latin1');
    primary[199] = 17;
    describe(start * BLOCK, 1, start, primary);
    const partition = Buffer.alloc(512);
    partition.writeUInt32LE(1, 16);
    partition.writeUInt16LE(1, 20);
    partition.write('+NSR02', 25, 'latin1');
    partition.writeUInt32LE(1, 184);
    partition.writeUInt32LE(PARTITION, 188);
    partition.writeUInt32LE(blocks, 192);
    describe((start + 1) * BLOCK, 5, start + 1, partition);
    const logical = Buffer.alloc(512);
    logical.writeUInt32LE(2, 16);
    logical[84] = 8;
    logical.write('STICK', 85, 'latin1');
    logical[211] = 6;
    logical.writeUInt32LE(BLOCK, 212);
    logical.write('*OSTA UDF Compliant', 217, 'latin1');
    logical.writeUInt16LE(0x102, 240);
    logical.writeUInt32LE(BLOCK, 248);
    logical.writeUInt32LE(6, 264);
    logical.writeUInt32LE(1, 268);
    logical.set([1, 6, 1, 0, 0, 0], 440);
    describe((start + 2) * BLOCK, 6, start + 2, logical);
    describe((start + 3) * BLOCK, 8, start + 3, Buffer.alloc(512));
  }
  const set = Buffer.alloc(512);
  set.writeUInt32LE(BLOCK, 400);
  set.writeUInt32LE(icbs.get('')!, 404);
  describe(absolute(0), 256, 0, set);

  const entry = (path: string, type: number, size: number): void => {
    const bytes = Buffer.alloc(176 + 8);
    bytes.writeUInt16LE(4, 20);
    bytes.writeUInt16LE(1, 24);
    bytes[27] = type;
    bytes.writeUInt32LE(type === 4 ? 0x14a5 : 0x10a4, 44);
    bytes.writeUInt16LE(1, 48);
    bytes.writeBigUInt64LE(BigInt(size), 56);
    bytes.writeBigUInt64LE(BigInt(Math.ceil(size / BLOCK)), 64);
    bytes.writeUInt32LE(8, 172);
    bytes.writeUInt32LE(size, 176);
    bytes.writeUInt32LE(places.get(path) ?? 0, 180);
    describe(absolute(icbs.get(path)!), 261, icbs.get(path)!, bytes);
  };
  for (const [path, held] of folders) {
    const start = absolute(places.get(path)!);
    let at = start;
    const identify = (name: string, characteristics: number, block: number): number => {
      const wide = /[^\u0000-\u00ff]/.test(name);
      const text = wide ? Buffer.from(name, 'utf16le').swap16() : Buffer.from(name, 'latin1');
      const length = name === '' ? 0 : 1 + text.length;
      const bytes = Buffer.alloc(Math.ceil((38 + length) / 4) * 4);
      bytes.writeUInt16LE(1, 16);
      bytes[18] = characteristics;
      bytes[19] = length;
      bytes.writeUInt32LE(BLOCK, 20);
      bytes.writeUInt32LE(block, 24);
      if (length > 0) bytes[38] = wide ? 16 : 8;
      text.copy(bytes, 39);
      const here = at;
      describe(at, 257, places.get(path)!, bytes);
      at += bytes.length;
      return here;
    };
    const above = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
    identify('', 0x0a, icbs.get(above)!);
    for (const { name, path: inner, content } of held) {
      identifiers.set(inner, identify(name, content === undefined ? 2 : 0, icbs.get(inner)!));
      if (content === undefined) continue;
      entry(inner, 5, content.length);
      image.write(absolute(places.get(inner)!), content);
    }
    entry(path, 4, at - start);
  }
  return {
    image,
    icb: (path) => absolute(icbs.get(path)!),
    folder: (path) => absolute(places.get(path)!),
    identifier: (path) => identifiers.get(path)!,
    reseal,
    block: (at) => at / BLOCK - PARTITION,
    spare,
    descriptors: { main: main * BLOCK, reserve: reserve * BLOCK },
  };
}
