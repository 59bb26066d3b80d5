import { crc32, inflateRawSync } from 'node:zlib';
import { ArchiveProblem, ByteSource, type RandomBytes, sourceOf } from './byte-source.ts';
import { inflated } from './compressed.ts';

/**
 * Zip archives that others wrote (APPNOTE 6.3.10). A zip says everything twice, in front of each member and in the
 * central directory, and readers believe one or the other (CVE-2025-54368, CVE-2024-24789); here both must agree, and
 * members, directory and end record must fill the file without gap or overlap.
 */
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const DESCRIPTOR = 0x08074b50;
/** Bytes of a central directory that are held in memory. */
export const ZIP_DIRECTORY_LIMIT = 12 * 1024 * 1024;
/** Members up to this size are expanded at once, which is much faster than a stream for each. */
const AT_ONCE = 256 * 1024;

export interface ZipMember {
  readonly name: string;
  /** Whether the name could not be read as what it says that it is. */
  readonly unreadableName: boolean;
  /** Unix type and permission bits, or 0 where the writer gave none. */
  readonly mode: number;
  /** By name or attributes. */
  readonly folder: boolean;
  readonly size: number;
  readonly compressed: number;
  /** The content, its length and CRC-32 compared at its end. `spend` sees every expanded chunk. */
  open(spend: (bytes: number) => void): ByteSource;
}

interface Central {
  readonly name: Uint8Array;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly compressed: number;
  readonly size: number;
  readonly offset: number;
  readonly host: number;
  readonly attributes: number;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function fail(trouble: ConstructorParameters<typeof ArchiveProblem>[0], detail: string): never {
  throw new ArchiveProblem(trouble, detail);
}

async function exactly(bytes: RandomBytes, position: number, count: number): Promise<Buffer> {
  const into = Buffer.alloc(count);
  if (position < 0 || (await bytes.read(into, position)) < count)
    fail('truncated', `The archive has no ${count} bytes at ${position}.`);
  return into;
}

function exact(value: bigint): number {
  return value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : fail('header', 'A number in the archive is beyond 2^53.');
}

interface End {
  readonly entries: number;
  readonly size: number;
  readonly offset: number;
  /** Where the first end record begins. */
  readonly at: number;
}

async function findEnd(bytes: RandomBytes): Promise<End> {
  const length = Math.min(bytes.size, 22 + 0xffff + 76);
  const tail = await exactly(bytes, bytes.size - length, length);
  const found: number[] = [];
  for (let at = tail.lastIndexOf('PK\u0005\u0006', length, 'latin1'); at !== -1;) {
    if (at + 22 <= length) found.push(at);
    at = at === 0 ? -1 : tail.lastIndexOf('PK\u0005\u0006', at - 1, 'latin1');
  }
  if (found.length === 0) fail('truncated', 'The archive has no end record.');
  const fitting = found.filter((at) => at + 22 + tail.readUInt16LE(at + 20) === length);
  if (fitting.length === 0) fail('trailing', 'Data follow the end record of the archive, or its end is cut.');
  if (found.length > 1) fail('concatenated', 'There is more than one end record; readers choose different ones.');
  const at = fitting[0]!;
  const disk = tail.readUInt16LE(at + 4);
  const start = tail.readUInt16LE(at + 6);
  const here = tail.readUInt16LE(at + 8);
  const position = bytes.size - length + at;
  let entries = tail.readUInt16LE(at + 10);
  let size = tail.readUInt32LE(at + 12);
  let offset = tail.readUInt32LE(at + 16);
  const locatorAt = position - 20;
  const locator = locatorAt < 0 ? undefined : await exactly(bytes, locatorAt, 20);
  if (locator?.readUInt32LE(0) === LOCATOR64) {
    if (locator.readUInt32LE(4) !== 0 || locator.readUInt32LE(16) > 1)
      fail('unreadable', 'The archive is one of several parts.');
    const record = exact(locator.readBigUInt64LE(8));
    if (record + 56 > locatorAt) fail('header', 'The zip64 end record is not where it should be.');
    const big = await exactly(bytes, record, 56);
    if (big.readUInt32LE(0) !== END64) fail('header', 'The zip64 end record is not where it should be.');
    if (record + 12 + exact(big.readBigUInt64LE(4)) !== locatorAt)
      fail('gap', 'The zip64 end record does not reach its locator.');
    const values = [
      exact(big.readBigUInt64LE(32)),
      exact(big.readBigUInt64LE(40)),
      exact(big.readBigUInt64LE(48)),
    ] as const;
    const agrees = (short: number, limit: number, long: number): boolean => short === limit || short === long;
    if (
      !agrees(entries, 0xffff, values[0]) ||
      !agrees(size, 0xffffffff, values[1]) ||
      !agrees(offset, 0xffffffff, values[2]) ||
      big.readBigUInt64LE(24) !== BigInt(values[0])
    ) {
      fail('headers-differ', 'The two end records of the archive say different things.');
    }
    [entries, size, offset] = values;
    return { entries, size, offset, at: record };
  }
  if (disk !== 0 || start !== 0) fail('unreadable', 'The archive is one of several parts.');
  if (here !== entries) fail('headers-differ', 'The end record gives two numbers of members.');
  return { entries, size, offset, at: position };
}

/** Extra fields by id (APPNOTE 4.5). A field that stands twice or is cut is refused. */
function extraFields(extra: Buffer): ReadonlyMap<number, Buffer> {
  const fields = new Map<number, Buffer>();
  let at = 0;
  while (at < extra.length) {
    // zipalign and some Java writers pad with fewer than four zeros.
    if (extra.length - at < 4) {
      if (extra.subarray(at).every((byte) => byte === 0)) break;
      fail('header', 'An extra field is cut.');
    }
    const id = extra.readUInt16LE(at);
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (end > extra.length) fail('header', 'An extra field is cut.');
    if (fields.has(id)) fail('headers-differ', `The extra field ${id.toString(16)} stands twice.`);
    fields.set(id, extra.subarray(at + 4, end));
    at = end;
  }
  return fields;
}

/** Values of the zip64 extra field for those fields that say 0xffffffff, in order. */
function zip64(fields: ReadonlyMap<number, Buffer>, shorts: readonly number[]): number[] {
  const field = fields.get(1);
  let at = 0;
  return shorts.map((short) => {
    if (short !== 0xffffffff) return short;
    if (field === undefined || field.length < at + 8) fail('header', 'A zip64 field is missing.');
    at += 8;
    return exact(field.readBigUInt64LE(at - 8));
  });
}

/**
 * The members of an archive, sorted by where they lie. Throws ArchiveProblem; `limit` bounds their number, and `tick` is
 * called now and then, so that a caller may stop it by throwing.
 */
export async function readZip(
  bytes: RandomBytes,
  limit: number,
  tick: () => void = () => {},
): Promise<readonly ZipMember[]> {
  const end = await findEnd(bytes);
  if (end.entries > limit)
    fail('entries', `The archive says that it has ${end.entries} members; at most ${limit} are read.`);
  if (end.size > ZIP_DIRECTORY_LIMIT)
    fail('entries', `The directory has ${end.size} bytes; at most ${ZIP_DIRECTORY_LIMIT} are read.`);
  if (end.offset + end.size > end.at) fail('overlap', 'The directory overlaps the end record.');
  if (end.offset + end.size < end.at)
    fail('prefix', 'Data stand before the archive, or between its directory and its end record.');
  const directory = await exactly(bytes, end.offset, end.size);
  const centrals: Central[] = [];
  let at = 0;
  while (at < directory.length) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== CENTRAL)
      fail('header', 'An entry of the directory is malformed.');
    const nameLength = directory.readUInt16LE(at + 28);
    const extraLength = directory.readUInt16LE(at + 30);
    const next = at + 46 + nameLength + extraLength + directory.readUInt16LE(at + 32);
    if (next > directory.length) fail('header', 'An entry of the directory is cut.');
    const fields = extraFields(directory.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength));
    if (fields.has(0x7075)) fail('headers-differ', 'A member has a second name in an extra field.');
    if (directory.readUInt16LE(at + 34) !== 0) fail('unreadable', 'The archive is one of several parts.');
    const [size, compressed, offset] = zip64(fields, [
      directory.readUInt32LE(at + 24),
      directory.readUInt32LE(at + 20),
      directory.readUInt32LE(at + 42),
    ]) as [number, number, number];
    centrals.push({
      name: directory.subarray(at + 46, at + 46 + nameLength),
      host: directory[at + 5]!,
      flags: directory.readUInt16LE(at + 8),
      method: directory.readUInt16LE(at + 10),
      crc: directory.readUInt32LE(at + 16),
      compressed,
      size,
      attributes: directory.readUInt32LE(at + 38),
      offset,
    });
    if (centrals.length > limit) fail('entries', `The archive has more than ${limit} members.`);
    at = next;
  }
  if (centrals.length !== end.entries) {
    fail('headers-differ', `The archive has ${centrals.length} members and says that it has ${end.entries}.`);
  }
  centrals.sort((a, b) => a.offset - b.offset);
  const members: ZipMember[] = [];
  let position = 0;
  for (const [index, central] of centrals.entries()) {
    if (index % 64 === 0) tick();
    if (central.offset < position) fail('overlap', 'Two members overlap.');
    if (central.offset > position) {
      fail(position === 0 ? 'prefix' : 'gap', `${central.offset - position} bytes before a member belong to none.`);
    }
    const next = centrals[index + 1]?.offset ?? end.offset;
    const start = await checkLocal(bytes, central, next);
    members.push(memberOf(bytes, central, start));
    position = next;
  }
  if (position !== end.offset) fail('gap', `${end.offset - position} bytes before the directory belong to no member.`);
  return members;
}

/** Compares a local header and its data descriptor with the directory; gives where the data begin. */
async function checkLocal(bytes: RandomBytes, central: Central, next: number): Promise<number> {
  const differs = (what: string): never =>
    fail('headers-differ', `The header of a member and the directory differ in ${what}.`);
  const header = await exactly(bytes, central.offset, 30);
  if (header.readUInt32LE(0) !== LOCAL) fail('headers-differ', 'The directory names a member where none begins.');
  const rest = await exactly(bytes, central.offset + 30, header.readUInt16LE(26) + header.readUInt16LE(28));
  const name = rest.subarray(0, header.readUInt16LE(26));
  if (!name.equals(central.name)) differs('its name');
  const flags = header.readUInt16LE(6);
  if (flags !== central.flags) differs('its flags');
  if (header.readUInt16LE(8) !== central.method) differs('its method');
  const described = (flags & 8) !== 0;
  const fields = extraFields(rest.subarray(name.length));
  if (fields.has(0x7075)) fail('headers-differ', 'A member has a second name in an extra field.');
  const shorts = [header.readUInt32LE(22), header.readUInt32LE(18)];
  const [size, compressed] = zip64(fields, shorts) as [number, number];
  const crc = header.readUInt32LE(14);
  if (described && crc === 0 && size === 0 && compressed === 0) {
    // The descriptor holds them.
  } else {
    if (crc !== central.crc) differs('its checksum');
    if (size !== central.size || compressed !== central.compressed) differs('its size');
  }
  const start = central.offset + 30 + rest.length;
  const after = start + central.compressed;
  if (after > next) fail('overlap', 'A member reaches into what follows it.');
  if (!described) {
    if (after < next) fail('gap', `${next - after} bytes after a member belong to none.`);
    return start;
  }
  if (central.method === 0 && central.size > 0) {
    fail('headers-differ', 'A stored member has its size behind it only, so that its end can be guessed in two ways.');
  }
  const length = next - after;
  if (![12, 16, 20, 24].includes(length)) fail('gap', 'Between two members lies more than a data descriptor.');
  const descriptor = await exactly(bytes, after, length);
  const signed = length === 16 || length === 24 ? 4 : 0;
  if (signed === 4 && descriptor.readUInt32LE(0) !== DESCRIPTOR) fail('header', 'A data descriptor has no signature.');
  const long = length >= 20;
  const values = long
    ? [exact(descriptor.readBigUInt64LE(signed + 4)), exact(descriptor.readBigUInt64LE(signed + 12))]
    : [descriptor.readUInt32LE(signed + 4), descriptor.readUInt32LE(signed + 8)];
  if (descriptor.readUInt32LE(signed) !== central.crc) differs('its checksum');
  if (values[0] !== central.compressed || values[1] !== central.size) differs('its size');
  return start;
}

function memberOf(bytes: RandomBytes, central: Central, start: number): ZipMember {
  const { method, flags, size, compressed } = central;
  if ((flags & 0x2041) !== 0) fail('unreadable', 'A member is encrypted.');
  if ((flags & 0x20) !== 0) fail('unreadable', 'A member is a patch.');
  if (method !== 0 && method !== 8) fail('unreadable', `A member is compressed by method ${method}.`);
  if (method === 0 && size !== compressed) fail('size-differs', 'A stored member has two sizes.');
  const ascii = central.name.every((byte) => byte < 0x80);
  let name: string;
  let unreadableName = false;
  try {
    name = utf8.decode(central.name);
    // Without the flag the name is in CP437, or in whatever the writer used; readers guess differently.
    unreadableName = !ascii && (flags & 0x800) === 0;
  } catch {
    name = Buffer.from(central.name).toString('latin1');
    unreadableName = true;
  }
  const unix = central.attributes >>> 16;
  return {
    name,
    unreadableName,
    mode: unix,
    folder: name.endsWith('/') || (unix & 0o170000) === 0o040000 || (central.attributes & 0x10) !== 0,
    size,
    compressed,
    open(spend) {
      const raw = sourceOf(bytes, start, start + compressed);
      const stored = method === 0;
      const from = stored
        ? raw
        : size <= AT_ONCE && compressed <= AT_ONCE
          ? atOnce(raw, size, spend)
          : inflated(raw, spend);
      let sum = 0;
      let length = 0;
      let ended = false;
      return new ByteSource(async () => {
        const chunk = await from.some(128 * 1024);
        if (chunk === undefined) {
          if (!ended && length !== size) fail('size-differs', `A member says ${size} bytes and holds ${length}.`);
          if (!ended && sum !== central.crc) fail('checksum', 'The checksum of a member is wrong.');
          ended = true;
          return undefined;
        }
        if (stored) spend(chunk.length);
        length += chunk.length;
        if (length > size) fail('size-differs', `A member says ${size} bytes and holds more.`);
        sum = crc32(chunk, sum);
        return chunk;
      });
    },
  };
}

/** A small member, expanded in one call that gives at most the size that the directory states. */
function atOnce(raw: ByteSource, size: number, spend: (bytes: number) => void): ByteSource {
  let done = false;
  return new ByteSource(async () => {
    if (done) return undefined;
    done = true;
    const bytes = await raw.take(AT_ONCE);
    let result: { buffer: Uint8Array; engine: { bytesWritten: number } };
    try {
      const options = { maxOutputLength: Math.max(size, 1), info: true };
      result = inflateRawSync(bytes, options) as unknown as typeof result;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : '';
      if (code === 'ERR_BUFFER_TOO_LARGE') fail('size-differs', `A member says ${size} bytes and holds more.`);
      return fail('compressed', `Compressed data are damaged (${error instanceof Error ? error.message : ''}).`);
    }
    spend(result.buffer.length);
    if (result.engine.bytesWritten < bytes.length) fail('trailing', 'Bytes follow the end of deflated data.');
    return result.buffer;
  });
}
