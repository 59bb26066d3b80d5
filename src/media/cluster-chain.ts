import { LIMITS } from './limits.ts';
import type { MediumBytes } from './medium-bytes.ts';
import { refuse } from './problem.ts';
import { type Extent, extend } from './volume.ts';

const BLOCK = 32 * 1024;
/** Clusters of which one page of bits speaks. */
const PAGE = 64 * 1024;
const FULL = new Uint8Array(PAGE / 8).fill(0xff);

/** Where clusters lie, and the table that says which follows which. */
export interface ClusterMap {
  readonly bytes: MediumBytes;
  /** Width of a table entry in bits; of 32 bits FAT32 uses 28. */
  readonly width: 12 | 16 | 28 | 32;
  /** First byte of each copy of the table, in bytes of the volume. */
  readonly tables: readonly number[];
  /** First byte of cluster 2. */
  readonly heap: number;
  readonly clusterSize: number;
  /** Clusters are numbered from 2 to `count + 1`. */
  readonly count: number;
}

/** A part of the table. */
interface Block {
  readonly start: number;
  readonly bytes: Buffer;
}

/** Follows chains of clusters. Each cluster belongs to one file: whatever comes to it a second time is refused. */
export class Clusters {
  readonly map: ClusterMap;
  /** A bit a cluster, in pages: what a device claims to hold takes no memory. */
  readonly #taken = new Map<number, Uint8Array>();
  #block: Block | undefined;

  constructor(map: ClusterMap) {
    this.map = map;
  }

  /** All clusters from `first` to the end of the chain, at most `most` of them. */
  async chain(first: number, most: number, where: string): Promise<Extent[]> {
    const extents: { start: number; length: number }[] = [];
    const { clusterSize } = this.map;
    let number = first;
    for (let count = 0; ; count++) {
      this.#take(number, extents, where);
      if (count >= most) refuse('media.size', where, `Its chain has more than ${most} clusters.`);
      extend(extents, this.#placeOf(number), clusterSize);
      if (extents.length > LIMITS.extents) {
        refuse('media.limit', where, `It lies in more than ${LIMITS.extents} pieces.`);
      }
      const { at, length } = this.#entryOf(number);
      let block = this.#block;
      // A large file has millions of links: only a new part of the table is waited for.
      if (block === undefined || at < block.start || at + length > block.start + block.bytes.length) {
        block = this.#block = await this.#load(at, where);
      }
      const next = this.#next(number, block.bytes.subarray(at - block.start), where);
      if (next === 'end') return extents;
      number = next;
    }
  }

  /** `count` clusters that follow one another, without a look at the table. */
  run(first: number, count: number, where: string): Extent[] {
    const { clusterSize } = this.map;
    if (!this.#exists(first) || !this.#exists(first + count - 1)) {
      refuse('media.bounds', where, `${count} clusters from ${first} are not there.`);
    }
    for (let number = first; number < first + count;) {
      const page = Math.floor(number / PAGE);
      if (number % PAGE !== 0 || number + PAGE > first + count) {
        this.#take(number, [], where);
        number += 1;
        continue;
      }
      // A run may be billions of clusters long, on a device that says that it is so large.
      if (this.#taken.has(page))
        refuse('media.overlap', where, 'Some of its clusters belong to another file or folder.');
      this.#taken.set(page, FULL);
      number += PAGE;
    }
    return [{ start: this.#placeOf(first), length: count * clusterSize }];
  }

  #exists(number: number): boolean {
    return number >= 2 && number < this.map.count + 2;
  }

  #placeOf(number: number): number {
    return this.map.bytes.start + this.map.heap + (number - 2) * this.map.clusterSize;
  }

  #take(number: number, mine: readonly Extent[], where: string): void {
    if (!this.#exists(number)) refuse('media.bounds', where, `Cluster ${number} is not there.`);
    const page = Math.floor(number / PAGE);
    let taken = this.#taken.get(page);
    if (taken === undefined) this.#taken.set(page, (taken = new Uint8Array(PAGE / 8)));
    const bit = 1 << (number & 7);
    const byte = (number % PAGE) >> 3;
    if ((taken[byte]! & bit) !== 0) {
      const place = this.#placeOf(number);
      const own = mine.some(({ start, length }) => place >= start && place < start + length);
      if (own) refuse('media.loop', where, `Its chain comes back to cluster ${number}.`);
      refuse('media.overlap', where, `Cluster ${number} belongs to another file or folder.`);
    }
    taken[byte]! |= bit;
  }

  /** Where a cluster's entry lies in the table, and how many bytes of it are looked at. */
  #entryOf(number: number): { at: number; length: number } {
    const { width } = this.map;
    const at = width === 12 ? number + (number >> 1) : width === 16 ? number * 2 : number * 4;
    return { at, length: width <= 16 ? 2 : 4 };
  }

  #next(number: number, entry: Buffer, where: string): number | 'end' {
    const { width } = this.map;
    const value =
      width === 12
        ? (entry.readUInt16LE(0) >> ((number & 1) * 4)) & 0xfff
        : width === 16
          ? entry.readUInt16LE(0)
          : width === 28
            ? entry.readUInt32LE(0) & 0x0fffffff
            : entry.readUInt32LE(0);
    const last = width === 12 ? 0xfff : width === 16 ? 0xffff : width === 28 ? 0x0fffffff : 0xffffffff;
    if (value === last || (width !== 32 && value >= last - 7)) return 'end';
    if (value === last - 8) refuse('media.bounds', where, 'Its chain leads into a cluster that is marked as bad.');
    if (value < 2) refuse('media.size', where, `Its chain breaks off after cluster ${number}.`);
    return value;
  }

  /** A part of the first table, after the same part of the other was compared with it. */
  async #load(at: number, where: string): Promise<Block> {
    const { bytes, tables, count, width } = this.map;
    const tableSize = Math.ceil(((count + 2) * (width === 28 ? 32 : width)) / 8);
    const start = Math.floor(at / BLOCK) * BLOCK;
    // One byte of the next block: an entry of 12 bits lies across.
    const size = Math.min(BLOCK + 1, tableSize - start);
    const [first, ...others] = tables;
    const read = await bytes.at(first! + start, size, 'file allocation table');
    for (const other of others) {
      if (!read.equals(await bytes.at(other + start, size, 'file allocation table'))) {
        refuse('media.copies-differ', where, 'The file allocation tables differ.');
      }
    }
    return { start, bytes: read };
  }
}
