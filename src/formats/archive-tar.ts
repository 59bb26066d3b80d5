import { ArchiveProblem, type ArchiveTrouble, type ByteSource, sectionOf } from './byte-source.ts';

/**
 * Tar archives that others wrote: ustar (POSIX.1-1988), pax (POSIX.1-2001), GNU and V7. It reads one meaning or none:
 * where extractors are known to disagree about the same bytes it stops with an ArchiveProblem, instead of choosing
 * (CVE-2025-62518, CVE-2025-58183, CVE-2026-32288).
 */
const BLOCK = 512;
/** Bytes of one extended header (pax record set or GNU long name). Real ones are below 10 KiB. */
export const TAR_EXTENDED_LIMIT = 1024 * 1024;

export type TarType = 'file' | 'hardlink' | 'symlink' | 'character' | 'block' | 'folder' | 'fifo' | 'other';

export interface TarOddity {
  readonly trouble: ArchiveTrouble;
  readonly detail: string;
}

export interface TarMember {
  readonly name: string;
  readonly type: TarType;
  /** The type flag as it stands in the header. */
  readonly flag: string;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly size: number;
  readonly linkName: string;
  /** Keys of pax records that carry extended attributes or access lists. */
  readonly attributes: readonly string[];
  /** What is wrong with this member alone; the archive can be read on. */
  readonly oddities: readonly TarOddity[];
  /** Its content; what is not read is passed over. */
  readonly content: ByteSource;
}

const TYPES: Readonly<Record<string, TarType>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'folder',
  '6': 'fifo',
};

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function isZero(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0) return false;
  return true;
}

/** Octal digits ended by NUL or space, or base-256 (GNU). Undefined where it is neither, negative or not exact. */
function numberOf(field: Uint8Array): number | undefined {
  const first = field[0] ?? 0;
  if (first === 0xff) return undefined;
  if (first >= 0x80) {
    let value = first & 0x7f;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const match = /^ *([0-7]*)[ \0]*$/.exec(Buffer.from(field).toString('latin1'));
  return match === null ? undefined : Number.parseInt(match[1] === '' ? '0' : match[1]!, 8);
}

interface Header {
  readonly flag: string;
  readonly size: number;
  readonly mode: number;
  readonly name: Uint8Array;
  readonly linkName: Uint8Array;
  readonly oddities: TarOddity[];
}

/** The text before the first NUL. What stands behind it is seen by some readers only. */
function textOf(field: Uint8Array, what: string, oddities: TarOddity[]): Uint8Array {
  const end = field.indexOf(0);
  if (end === -1) return field;
  if (!isZero(field.subarray(end)))
    oddities.push({ trouble: 'name-nul', detail: `Bytes follow a NUL in its ${what}.` });
  return field.subarray(0, end);
}

/** Whether a block is a tar header whose checksum is right. */
export function isTarHeader(block: Uint8Array): boolean {
  return (
    block.length >= BLOCK &&
    !isZero(block.subarray(0, BLOCK)) &&
    checksumOf(block) === numberOf(block.subarray(148, 156))
  );
}

function checksumOf(block: Uint8Array): number {
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK; at++) if (at < 148 || at >= 156) sum += block[at]!;
  return sum;
}

function decodeHeader(block: Uint8Array, at: number): Header {
  const fail = (detail: string): never => {
    throw new ArchiveProblem('header', `The header at byte ${at}: ${detail}.`);
  };
  if (numberOf(block.subarray(148, 156)) !== checksumOf(block)) fail('its checksum is wrong');
  const oddities: TarOddity[] = [];
  const magic = Buffer.from(block.subarray(257, 265)).toString('latin1');
  const posix = magic === 'ustar\x0000';
  const gnu = magic === 'ustar  \0';
  if (!posix && !gnu && !isZero(block.subarray(257, 265))) fail('its magic is unknown');
  const flag = String.fromCharCode(block[156]!);
  // Readers disagree whether these bytes are a prefix of the name outside POSIX headers.
  if (!posix && flag !== 'S' && !isZero(block.subarray(345, BLOCK))) {
    fail('it has bytes where only some readers see a part of the name');
  }
  if (posix && !isZero(block.subarray(500, BLOCK))) fail('bytes follow its last field');
  const size = numberOf(block.subarray(124, 136)) ?? fail('its size is no number');
  const mode = numberOf(block.subarray(100, 108)) ?? fail('its mode is no number');
  for (const [from, to, what] of [
    [108, 116, 'owner'],
    [116, 124, 'group'],
  ] as const) {
    if (numberOf(block.subarray(from, to)) === undefined) fail(`its ${what} is no number`);
  }
  if ((block[136]! & 0x80) === 0 && numberOf(block.subarray(136, 148)) === undefined) fail('its time is no number');
  let name = textOf(block.subarray(0, 100), 'name', oddities);
  const linkName = textOf(block.subarray(157, 257), 'link name', oddities);
  if (posix) {
    const prefix = textOf(block.subarray(345, hasTimes(block) ? 475 : 500), 'prefix', oddities);
    if (prefix.length > 0) name = Buffer.concat([prefix, Buffer.from('/'), name]);
  }
  return { flag, size, mode: mode & 0o7777, name, linkName, oddities };
}

/**
 * Whether the end of the prefix holds two times, as star and npm's tar write them: behind a NUL, where every reader's
 * prefix has ended.
 */
function hasTimes(block: Uint8Array): boolean {
  return block[475] === 0 && /^(?:[0-7]{11}[ \0]){2}$/.test(Buffer.from(block.subarray(476, 500)).toString('latin1'));
}

/** Records of a pax header (POSIX.1-2001, "pax Header Block"): `length key=value\n`, each key once. */
export function decodePaxRecords(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const digits = space === -1 ? '' : Buffer.from(bytes.subarray(at, Math.min(space, at + 10))).toString('latin1');
    if (!/^[1-9][0-9]{0,8}$/.test(digits) || space - at !== digits.length) {
      throw new ArchiveProblem('extended', 'A pax record has no proper length.');
    }
    const end = at + Number(digits);
    if (end > bytes.length || end <= space + 1 || bytes[end - 1] !== 0x0a) {
      throw new ArchiveProblem('extended', 'A pax record does not end where its length says.');
    }
    const equals = bytes.indexOf(0x3d, space + 1);
    if (equals === -1 || equals >= end || equals === space + 1) {
      throw new ArchiveProblem('extended', 'A pax record has no key.');
    }
    const key = Buffer.from(bytes.subarray(space + 1, equals)).toString('utf8');
    if (records.has(key)) throw new ArchiveProblem('extended', `The pax key ${key.slice(0, 64)} stands twice.`);
    records.set(key, bytes.subarray(equals + 1, end - 1));
    at = end;
  }
  return records;
}

/** Keys that a global pax header may hold: nothing that changes which bytes belong to which name. */
const HARMLESS_GLOBAL = /^(?:comment|mtime|atime|ctime|uid|gid|uname|gname)$/;

/**
 * The members of an archive in order. Ends after the end-of-archive marker and whatever zeros follow it; anything else
 * after it is an ArchiveProblem (`trailing`, or `concatenated` where another archive begins).
 */
export async function* tarMembers(source: ByteSource): AsyncGenerator<TarMember> {
  const whole = (bytes: Uint8Array, count: number): Uint8Array => {
    if (bytes.length < count) throw new ArchiveProblem('truncated', `The archive ends at byte ${source.position}.`);
    return bytes;
  };
  const padding = async (size: number): Promise<void> => {
    const count = (BLOCK - (size % BLOCK)) % BLOCK;
    if (count > 0 && !isZero(whole(await source.take(count), count))) {
      throw new ArchiveProblem('padding', `Bytes that pad a member before byte ${source.position} are not zero.`);
    }
  };
  const extended = async (size: number): Promise<Uint8Array> => {
    if (size > TAR_EXTENDED_LIMIT) {
      throw new ArchiveProblem(
        'extended',
        `An extended header has ${size} bytes; at most ${TAR_EXTENDED_LIMIT} are read.`,
      );
    }
    const bytes = whole(await source.take(size), size);
    await padding(size);
    return bytes;
  };

  let pax: ReadonlyMap<string, Uint8Array> | undefined;
  let longName: Uint8Array | undefined;
  let longLink: Uint8Array | undefined;
  for (;;) {
    const at = source.position;
    const block = await source.take(BLOCK);
    if (block.length < BLOCK) {
      throw new ArchiveProblem('truncated', `The archive ends at byte ${at + block.length} without its end marker.`);
    }
    if (isZero(block)) {
      if (pax !== undefined || longName !== undefined || longLink !== undefined) {
        throw new ArchiveProblem('extended', 'An extended header is followed by no member.');
      }
      if (!isZero(whole(await source.take(BLOCK), BLOCK))) {
        throw new ArchiveProblem(
          'trailing',
          `One zero block at byte ${at} is followed by more; readers disagree whether it ends there.`,
        );
      }
      await end(source);
      return;
    }
    const header = decodeHeader(block, at);
    const { flag, oddities } = header;
    if (flag === 'g') {
      for (const key of decodePaxRecords(await extended(header.size)).keys()) {
        if (!HARMLESS_GLOBAL.test(key)) {
          throw new ArchiveProblem('extended', `A global pax header sets ${key.slice(0, 64)} for every member.`);
        }
      }
      continue;
    }
    if (flag === 'x') {
      if (pax !== undefined || longName !== undefined || longLink !== undefined) {
        throw new ArchiveProblem('extended', `Two extended headers stand before one member at byte ${at}.`);
      }
      pax = decodePaxRecords(await extended(header.size));
      continue;
    }
    if (flag === 'L' || flag === 'K') {
      const before = flag === 'L' ? longName : longLink;
      if (before !== undefined || pax !== undefined) {
        throw new ArchiveProblem('extended', `Two extended headers stand before one member at byte ${at}.`);
      }
      const bytes = await extended(header.size);
      const text = textOf(bytes, 'long name', oddities);
      if (text.length === bytes.length) throw new ArchiveProblem('extended', 'A GNU long name has no end.');
      if (oddities.some(({ trouble }) => trouble === 'name-nul')) {
        throw new ArchiveProblem('name-nul', 'Bytes follow a NUL in a GNU long name.');
      }
      if (flag === 'L') longName = text;
      else longLink = text;
      continue;
    }
    if (flag === 'S' || [...(pax?.keys() ?? [])].some((key) => key.startsWith('GNU.sparse.'))) {
      throw new ArchiveProblem('sparse', `A sparse member at byte ${at}: readers disagree about its content.`);
    }

    let { size } = header;
    const stated = pax?.get('size');
    if (stated !== undefined) {
      const text = Buffer.from(stated).toString('latin1');
      if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text)) throw new ArchiveProblem('extended', 'A pax size is no number.');
      if (Number(text) !== size) {
        const beyond = Number(text) >= 8 * 1024 ** 3 && size === 0;
        if (!beyond) {
          throw new ArchiveProblem(
            'size-differs',
            `A member has ${size} bytes by its header and ${text} by its pax record.`,
          );
        }
        size = Number(text);
      }
    }
    const charset = pax?.get('hdrcharset');
    if (charset !== undefined && Buffer.from(charset).toString('latin1') !== 'ISO-IR 10646 2000 UTF-8') {
      throw new ArchiveProblem('extended', 'A pax header is in another character set than UTF-8.');
    }
    const named = (bytes: Uint8Array): string => {
      if (bytes.includes(0)) oddities.push({ trouble: 'name-nul', detail: 'A name in a pax record holds a NUL.' });
      try {
        return utf8.decode(bytes);
      } catch {
        oddities.push({ trouble: 'name-encoding', detail: 'A name is not UTF-8.' });
        return Buffer.from(bytes).toString('latin1');
      }
    };
    const type = TYPES[flag] ?? 'other';
    if (type !== 'file' && type !== 'other' && size !== 0) {
      throw new ArchiveProblem(
        'header',
        `A ${type} at byte ${at} has ${size} bytes of content; readers disagree where it ends.`,
      );
    }
    const { content, left } = sectionOf(source, size);
    yield {
      name: named(pax?.get('path') ?? longName ?? header.name),
      linkName: named(pax?.get('linkpath') ?? longLink ?? header.linkName),
      type,
      flag,
      mode: header.mode,
      size,
      attributes: [...(pax?.keys() ?? [])].filter((key) =>
        /^(?:SCHILY\.(?:xattr|acl)\.|LIBARCHIVE\.xattr\.|RHT\.)/.test(key),
      ),
      oddities,
      content,
    };
    const rest = left();
    if ((await source.skip(rest)) < rest) {
      throw new ArchiveProblem('truncated', `The archive ends inside the content of a member.`);
    }
    await padding(size);
    pax = undefined;
    longName = undefined;
    longLink = undefined;
  }
}

/** Only zeros may follow the end marker (writers fill whole records of 20 blocks). */
async function end(source: ByteSource): Promise<void> {
  for (;;) {
    const from = source.position;
    const block = await source.take(BLOCK);
    if (block.length === 0) return;
    if (isZero(block)) continue;
    throw isTarHeader(block)
      ? new ArchiveProblem('concatenated', `Another archive begins at byte ${from}, after the end of this one.`)
      : new ArchiveProblem('trailing', `Data follow the end of the archive at byte ${from}.`);
  }
}
