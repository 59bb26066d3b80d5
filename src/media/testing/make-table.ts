import { crc32 } from 'node:zlib';
import { Image } from './image.ts';

export interface Part {
  readonly start: number;
  readonly image: Image;
}

/** A master boot record with primary partitions; sectors of 512 bytes. */
export function makeMbr(parts: readonly Part[], size = 0): Image {
  const image = new Image(Math.max(size, ...parts.map(({ start, image: { size: bytes } }) => start * 512 + bytes)));
  for (const [number, { start, image: part }] of parts.entries()) {
    mbrEntry(image, 0, number, 0x0c, start, part.size / 512);
    image.put(start * 512, part);
  }
  image.number(510, 0xaa55, 2);
  return image;
}

export function mbrEntry(
  image: Image,
  sector: number,
  number: number,
  type: number,
  start: number,
  sectors: number,
): void {
  const at = sector * 512 + 446 + 16 * number;
  image.byte(at + 4, type);
  image.number(at + 8, start);
  image.number(at + 12, sectors);
  image.number(sector * 512 + 510, 0xaa55, 2);
}

/** A GPT with its protective record and its copy at the end. */
export function makeGpt(parts: readonly Part[]): Image {
  const last = Math.max(...parts.map(({ start, image: { size } }) => start + size / 512)) + 33;
  const image = new Image((last + 1) * 512);
  mbrEntry(image, 0, 0, 0xee, 1, last);
  for (const [number, { start, image: part }] of parts.entries()) {
    for (const table of [2, last - 32]) {
      const at = table * 512 + 128 * number;
      image.write(at, Buffer.from('a2a0d0ebe5b9334487c068b6b72699c7', 'hex'));
      image.write(at + 16, Buffer.from(`0${number}`.repeat(16), 'hex'));
      image.number(at + 32, start, 8);
      image.number(at + 40, start + part.size / 512 - 1, 8);
    }
    image.put(start * 512, part);
  }
  for (const [sector, other, table] of [
    [1, last, 2],
    [last, 1, last - 32],
  ] as const) {
    const at = sector * 512;
    image.write(at, Buffer.from('EFI PART\0\0\x01\0', 'latin1'));
    image.number(at + 12, 92);
    image.number(at + 24, sector, 8);
    image.number(at + 32, other, 8);
    image.number(at + 40, 34, 8);
    image.number(at + 48, last - 33, 8);
    image.number(at + 72, table, 8);
    image.number(at + 80, 128);
    image.number(at + 84, 128);
    resealGpt(image, sector);
  }
  return image;
}

/** Writes the checksums of a header and its entries again. */
export function resealGpt(image: Image, sector: number): void {
  const at = sector * 512;
  const header = image.bytes(at, 92);
  const table = Number(header.readBigUInt64LE(72)) * 512;
  image.number(
    at + 88,
    crc32(image.bytes(table, Math.min(1_048_576, header.readUInt32LE(80) * header.readUInt32LE(84)))),
  );
  image.number(at + 16, 0);
  image.number(at + 16, crc32(image.bytes(at, 92)));
}
