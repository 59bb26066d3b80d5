/**
 * Headers of tar members in one canonical form: ustar (POSIX.1-1988), regular files, mode 0644, owner 0, time 0, and one
 * pax `size` record (POSIX.1-2001) where the size field cannot hold the size. Reading accepts that form only, because
 * two parsers that differ over a header see two different archives (CVE-2025-62518).
 */
export const TAR_BLOCK = 512;
/** The largest size that eleven octal digits hold. */
export const TAR_USTAR_LARGEST = 8 * 1024 ** 3 - 1;
const PAX_NAME = 'PaxHeaders/size';

/** Zero bytes that follow a member of `size` bytes up to the next block. */
export function tarPadding(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
}

/** Bytes before a member's content: 512, or 1,536 with a pax header. */
export function tarHeaderLength(size: number): number {
  return size > TAR_USTAR_LARGEST ? 3 * TAR_BLOCK : TAR_BLOCK;
}

/** All bytes before a member's content. `name` is ASCII, at most 100 bytes; `size` a safe integer. */
export function encodeTarHeader(name: string, size: number): Uint8Array {
  if (!/^[a-zA-Z0-9._/-]{1,100}$/.test(name) || !Number.isSafeInteger(size) || size < 0) {
    throw new TypeError(`no canonical tar header for ${JSON.stringify(name)} of ${size} bytes`);
  }
  if (size <= TAR_USTAR_LARGEST) return ustar(name, size, '0');
  const record = paxRecord(size);
  const bytes = Buffer.alloc(3 * TAR_BLOCK);
  bytes.set(ustar(PAX_NAME, record.length, 'x'), 0);
  bytes.write(record, TAR_BLOCK, 'latin1');
  bytes.set(ustar(name, 0, '0'), 2 * TAR_BLOCK);
  return bytes;
}

export type TarHeader =
  | { readonly kind: 'file'; readonly name: string; readonly size: number }
  /** A pax header of this many bytes; the next block holds its record (`decodePaxSize`), the one after the member. */
  | { readonly kind: 'pax'; readonly size: number }
  | { readonly kind: 'end' }
  | { readonly kind: 'problem'; readonly detail: string };

/** Judges one block of 512 bytes. */
export function decodeTarHeader(block: Uint8Array): TarHeader {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
  if (bytes.length !== TAR_BLOCK) return { kind: 'problem', detail: 'a header is not 512 bytes long' };
  if (bytes[0] === 0 && bytes.every((byte) => byte === 0)) return { kind: 'end' };
  const nameEnd = bytes.indexOf(0);
  const name = bytes.toString('latin1', 0, nameEnd === -1 || nameEnd > 100 ? 100 : nameEnd);
  const octal = bytes.toString('latin1', 124, 135);
  const type = bytes[156];
  if (!/^[a-zA-Z0-9._/-]{1,100}$/.test(name)) return { kind: 'problem', detail: 'the name is not one that we write' };
  if (!/^[0-7]{11}$/.test(octal)) return { kind: 'problem', detail: 'the size is not eleven octal digits' };
  const size = Number.parseInt(octal, 8);
  const pax = type === 0x78;
  if (!bytes.equals(ustar(name, size, pax ? 'x' : '0')) || (pax && name !== PAX_NAME)) {
    return { kind: 'problem', detail: 'the header is not in the one form that we write' };
  }
  return pax ? { kind: 'pax', size } : { kind: 'file', name, size };
}

/** The size in a pax header's block, whose record has `length` bytes; undefined if it is not in canonical form. */
export function decodePaxSize(block: Uint8Array, length: number): number | undefined {
  if (length < 8 || length > 40) return undefined;
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
  const size = Number(/^\d+ size=(\d{1,16})\n$/.exec(bytes.toString('latin1', 0, length))?.[1]);
  if (!Number.isSafeInteger(size) || size <= TAR_USTAR_LARGEST) return undefined;
  const expected = Buffer.alloc(TAR_BLOCK);
  expected.write(paxRecord(size), 'latin1');
  return bytes.equals(expected) && paxRecord(size).length === length ? size : undefined;
}

/** A pax record begins with its own length, that number included. */
function paxRecord(size: number): string {
  const rest = ` size=${size}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length += 1;
  return `${length}${rest}`;
}

function ustar(name: string, size: number, type: '0' | 'x'): Buffer {
  const block = Buffer.alloc(TAR_BLOCK);
  block.write(name, 0, 'latin1');
  block.write('0000644\0', 100, 'latin1');
  block.write('0000000\0', 108, 'latin1');
  block.write('0000000\0', 116, 'latin1');
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  block.write('00000000000\0', 136, 'latin1');
  block.write('        ', 148, 'latin1');
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write('0000000\0', 329, 'latin1');
  block.write('0000000\0', 337, 'latin1');
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
