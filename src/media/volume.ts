import { LIMITS } from './limits.ts';
import { refuse } from './problem.ts';

/** A piece of a file, in bytes of the medium. */
export interface Extent {
  readonly start: number;
  readonly length: number;
}

export interface VolumeEntry {
  /** Relative to the volume, with `/` between parts. */
  readonly path: string;
  /** Whether it is known what the name's bytes mean. */
  readonly named: boolean;
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  /** Bytes of a file; of everything else 0. */
  readonly size: number;
  /** Where the bytes of a file lie, in order; together they may be shorter than `size`, never longer. */
  readonly extents: readonly Extent[];
  /** Permission bits, where the file system has them. */
  readonly mode?: number;
}

export type VolumeKind = 'FAT12' | 'FAT16' | 'FAT32' | 'exFAT' | 'ISO 9660' | 'UDF';

export interface Volume {
  readonly kind: VolumeKind;
  /** As the medium gives them: not verified, not unique, shown with `printable`. */
  readonly label: string;
  readonly serial: string;
  /** First byte on the medium. */
  readonly start: number;
  readonly size: number;
  readonly entries: readonly VolumeEntry[];
}

/** What one medium may still cost; every parser of it counts here. */
export class Spending {
  #entries = 0;
  #slots = 0;
  #extents = 0;
  #pathBytes = 0;

  entry(path: string, extents: number): void {
    this.#entries += 1;
    this.#extents += extents;
    this.#pathBytes += path.length;
    if (this.#entries > LIMITS.entries) refuse('media.limit', path, `There are more than ${LIMITS.entries} files.`);
    if (this.#extents > LIMITS.extents) refuse('media.limit', path, `Files lie in more than ${LIMITS.extents} pieces.`);
    if (this.#pathBytes > LIMITS.pathBytes) refuse('media.limit', path, 'The names are too long together.');
  }

  slot(where: string): void {
    this.#slots += 1;
    if (this.#slots > LIMITS.slots) refuse('media.limit', where, `Folders have more than ${LIMITS.slots} slots.`);
  }
}

/** The path of an entry. A part never holds a separator or NUL and is never a dot segment, whatever the medium says. */
export function pathOf(folder: string, name: string, where: string): string {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
    refuse('media.name', where, `The name ${JSON.stringify(name)} is none.`);
  }
  const path = folder === '' ? name : `${folder}/${name}`;
  let depth = 1;
  for (const character of folder) if (character === '/') depth += 1;
  if (folder !== '' && depth >= LIMITS.depth) {
    refuse('media.limit', where, `Folders lie more than ${LIMITS.depth} deep.`);
  }
  return path;
}

/** Adds a piece; one that follows the last is part of it. */
export function extend(extents: { start: number; length: number }[], start: number, length: number): void {
  const last = extents.at(-1);
  if (last !== undefined && last.start + last.length === start) last.length += length;
  else extents.push({ start, length });
}

/**
 * Two files may not share bytes. Where `links` is true, they may lie in exactly the same place (hard links, and what
 * writers of discs store once). `reserved` is what belongs to the file system itself.
 */
export function judgeOverlap(
  used: readonly { readonly path: string; readonly extents: readonly Extent[] }[],
  links: boolean,
): void {
  const pieces = used.flatMap(({ path, extents }) => extents.map(({ start, length }) => ({ path, start, length })));
  pieces.sort((a, b) => a.start - b.start || a.length - b.length);
  let before: (typeof pieces)[number] | undefined;
  for (const piece of pieces) {
    if (piece.length === 0) continue;
    if (before !== undefined && piece.start < before.start + before.length) {
      const same = piece.start === before.start && piece.length === before.length;
      if (!same || !links) refuse('media.overlap', piece.path, `It shares bytes with ${before.path}.`);
    }
    before = piece;
  }
}

/** Files by where they lie, whatever they are called. */
export function placesOf(entries: readonly VolumeEntry[]): string[] {
  return entries
    .filter(({ kind }) => kind === 'file')
    .map(({ size, extents }) =>
      size === 0 ? 'empty' : `${size} ${extents.map(({ start, length }) => `${start}+${length}`)}`,
    )
    .sort();
}
