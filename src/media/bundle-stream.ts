import { decodePaxSize, decodeTarHeader, type RandomBytes, TAR_BLOCK, tarPadding } from '#formats';
import { errorCode, errorMessage } from '#kernel';
import { readExactly } from './medium-bytes.ts';
import type { Extent } from './volume.ts';

/** The least that is asked for where a larger read failed: a sector. */
const SECTOR = 512;
const PIECE = 64 * 1024;

/** Bytes in order, each asked for once. Fills `into` and says how many; less only at the end. */
export type Stream = (into: Uint8Array) => Promise<number>;

/** What a medium does not give, with the place on it. */
function unreadable(error: unknown, position: number): Error {
  const message = `${errorMessage(error)}, at byte ${position} of the medium`;
  return Object.assign(new Error(message, { cause: error }), { code: errorCode(error) });
}

/** The bytes of a file, piece after piece. */
export function streamOf(source: RandomBytes, extents: readonly Extent[]): Stream {
  let number = 0;
  let done = 0;
  return async (into) => {
    let filled = 0;
    for (let extent = extents[number]; filled < into.length && extent !== undefined; extent = extents[number]) {
      const count = Math.min(into.length - filled, extent.length - done);
      const position = extent.start + done;
      try {
        await readExactly(source, into.subarray(filled, filled + count), position);
      } catch (error) {
        throw unreadable(error, position);
      }
      filled += count;
      done += count;
      if (done === extent.length) {
        number += 1;
        done = 0;
      }
    }
    return filled;
  };
}

/**
 * A bundle that lies on a device without a file system. It is a tar, so its headers say where it ends; what lies behind
 * is nobody's and is not given out. Where a header is not one of ours everything is given out, and the reader of the
 * bundle says what is wrong.
 */
export function bareStream(source: RandomBytes, { start, length }: Extent): Stream {
  const end = start + length;
  /** A piece that was read and not given out. */
  let piece: Uint8Array = new Uint8Array(0);
  let at = start;
  /** Bytes until the next header; undefined where no more are looked for. */
  let until: number | undefined = 0;
  let block = Buffer.alloc(0);
  let pax: number | undefined;
  let zeros = 0;
  let over = false;

  // A bad sector behind the end must not hide the last bytes before it.
  const fetch = async (): Promise<void> => {
    for (let wanted = Math.min(PIECE, end - at); ;) {
      const into = Buffer.allocUnsafe(wanted);
      try {
        await readExactly(source, into, at);
        at += wanted;
        piece = into;
        return;
      } catch (error) {
        if (wanted <= SECTOR) throw unreadable(error, at);
        wanted = Math.max(SECTOR, Math.floor(wanted / 2 / SECTOR) * SECTOR);
      }
    }
  };

  const header = (): void => {
    const decoded = decodeTarHeader(block);
    if (zeros > 0 || decoded.kind === 'end') {
      zeros += 1;
      over = zeros === 2;
    } else if (pax === -1) {
      // The record of the size that stands before a member too large for its header.
      pax = decodePaxSize(block, paxLength);
      if (pax === undefined) until = undefined;
    } else if (decoded.kind === 'pax') {
      paxLength = decoded.size;
      pax = -1;
    } else if (decoded.kind === 'file') {
      const size: number = pax ?? decoded.size;
      pax = undefined;
      until = size + tarPadding(size);
    } else until = undefined;
    block = Buffer.alloc(0);
  };
  let paxLength = 0;

  return async (into) => {
    let filled = 0;
    while (filled < into.length && !over) {
      if (piece.length === 0) {
        if (at >= end) break;
        await fetch();
      }
      let count = Math.min(piece.length, into.length - filled);
      if (until === 0) {
        count = Math.min(count, TAR_BLOCK - block.length);
        block = Buffer.concat([block, piece.subarray(0, count)]);
      } else if (until !== undefined) {
        count = Math.min(count, until);
        until -= count;
      }
      into.set(piece.subarray(0, count), filled);
      piece = piece.subarray(count);
      filled += count;
      if (block.length === TAR_BLOCK) header();
    }
    return filled;
  };
}
