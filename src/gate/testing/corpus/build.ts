import { crc32, deflateRawSync, gzipSync } from 'node:zlib';

export const text = (value: string): Buffer => Buffer.from(value, 'utf8');

export interface TarEntry {
  readonly name: string | Uint8Array;
  readonly type?: string;
  readonly mode?: number;
  readonly body?: string | Uint8Array;
  readonly link?: string | Uint8Array;
  readonly prefix?: string;
  /** In place of the true size. */
  readonly size?: number;
  /** The size field as it stands. */
  readonly sizeField?: Uint8Array;
  readonly magic?: string;
  readonly checksum?: number;
  /** Puts bytes anywhere into the header before the checksum is made. */
  readonly at?: readonly (readonly [number, string])[];
  /** In place of zeros behind the content. */
  readonly pad?: number;
}

/** One member of a tar archive, right unless the entry asks for something wrong. */
export function member(entry: TarEntry): Buffer {
  const body = Buffer.from(entry.body ?? '');
  const block = Buffer.alloc(512);
  Buffer.from(entry.name).copy(block, 0, 0, 100);
  block.write(`${(entry.mode ?? 0o644).toString(8).padStart(7, '0')}\0`, 100, 'latin1');
  block.write('0000000\0', 108, 'latin1');
  block.write('0000000\0', 116, 'latin1');
  block.write(`${(entry.size ?? body.length).toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  if (entry.sizeField !== undefined) Buffer.from(entry.sizeField).copy(block, 124, 0, 12);
  block.write('00000000000\0', 136, 'latin1');
  block.write(entry.type ?? '0', 156, 'latin1');
  Buffer.from(entry.link ?? '').copy(block, 157, 0, 100);
  block.write(entry.magic ?? 'ustar\x0000', 257, 'latin1');
  if (entry.prefix !== undefined) block.write(entry.prefix, 345, 155, 'utf8');
  for (const [at, bytes] of entry.at ?? []) block.write(bytes, at, 'latin1');
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${(entry.checksum ?? sum).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([block, body, Buffer.alloc((512 - (body.length % 512)) % 512, entry.pad ?? 0)]);
}

/** A pax header for the member that follows. */
export function pax(records: readonly (readonly [string, string | Uint8Array])[], type = 'x'): Buffer {
  const lines = records.map(([key, value]) => {
    const tail = Buffer.concat([text(` ${key}=`), Buffer.from(value), text('\n')]);
    let length = tail.length + 1;
    while (String(length).length + tail.length !== length) length += 1;
    return Buffer.concat([text(String(length)), tail]);
  });
  return member({ name: 'PaxHeaders/x', type, body: Buffer.concat(lines) });
}

export const END = Buffer.alloc(1024);

/** An archive of raw parts and entries, with its end marker. */
export function tar(...parts: readonly (Uint8Array | TarEntry)[]): Buffer {
  return Buffer.concat([...parts.map((part) => (part instanceof Uint8Array ? part : member(part))), END]);
}

export const gzip = (bytes: Uint8Array): Buffer => gzipSync(bytes, { level: 9 });

export interface ZipEntry {
  readonly name: string | Uint8Array;
  readonly body?: string | Uint8Array;
  readonly method?: 0 | 8;
  readonly mode?: number;
  readonly flags?: number;
  /** In the local header only. */
  readonly localName?: string;
  readonly localFlags?: number;
  readonly localMethod?: number;
  readonly localCrc?: number;
  readonly localSize?: number;
  readonly localExtra?: Uint8Array;
  /** In the directory only. */
  readonly crc?: number;
  readonly size?: number;
  readonly compressedSize?: number;
  readonly centralMethod?: number;
  readonly centralExtra?: Uint8Array;
  readonly offset?: number;
  readonly attributes?: number;
  readonly disk?: number;
  /** Bytes between this member and the next. */
  readonly after?: Uint8Array;
  /** Compressed bytes as they stand. */
  readonly raw?: Uint8Array;
  /** Gives sizes in a data descriptor behind the data. */
  readonly descriptor?: 'right' | 'wrong';
}

export interface ZipOptions {
  readonly prefix?: Uint8Array;
  /** Whether offsets count the prefix, as self-extracting archives do. */
  readonly shifted?: boolean;
  readonly beforeDirectory?: Uint8Array;
  readonly afterDirectory?: Uint8Array;
  readonly comment?: Uint8Array;
  readonly suffix?: Uint8Array;
  readonly entries?: number;
  readonly here?: number;
  readonly disk?: number;
  readonly directoryOffset?: number;
}

export function zip(entries: readonly ZipEntry[], options: ZipOptions = {}): Buffer {
  const locals: Uint8Array[] = [];
  const centrals: Uint8Array[] = [];
  let offset = options.shifted === true ? (options.prefix?.length ?? 0) : 0;
  for (const entry of entries) {
    const name = Buffer.from(entry.name);
    const body = Buffer.from(entry.body ?? '');
    const method = entry.method ?? 0;
    const data = entry.raw ?? (method === 8 ? deflateRawSync(body, { level: 9 }) : body);
    const described = entry.descriptor !== undefined;
    const flags = (entry.flags ?? (name.some((byte) => byte >= 0x80) ? 0x800 : 0)) | (described ? 8 : 0);
    const crc = entry.crc ?? crc32(body);
    const size = entry.size ?? body.length;
    const compressed = entry.compressedSize ?? data.length;
    const localName = entry.localName === undefined ? name : text(entry.localName);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(entry.localFlags ?? flags, 6);
    local.writeUInt16LE(entry.localMethod ?? method, 8);
    local.writeUInt16LE(0x21, 12);
    local.writeUInt32LE(described ? 0 : (entry.localCrc ?? crc), 14);
    local.writeUInt32LE(described ? 0 : compressed, 18);
    local.writeUInt32LE(described ? 0 : (entry.localSize ?? size), 22);
    local.writeUInt16LE(localName.length, 26);
    local.writeUInt16LE(entry.localExtra?.length ?? 0, 28);
    const tail = Buffer.alloc(described ? 16 : 0);
    if (described) {
      tail.writeUInt32LE(0x08074b50, 0);
      tail.writeUInt32LE(entry.descriptor === 'right' ? crc : (crc ^ 1) >>> 0, 4);
      tail.writeUInt32LE(compressed, 8);
      tail.writeUInt32LE(size, 12);
    }
    const parts = [local, localName, entry.localExtra ?? Buffer.alloc(0), data, tail, entry.after ?? Buffer.alloc(0)];
    locals.push(...parts);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(0x0314, 4);
    central.writeUInt16LE(20, 6);
    central.writeUInt16LE(flags, 8);
    central.writeUInt16LE(entry.centralMethod ?? method, 10);
    central.writeUInt16LE(0x21, 14);
    central.writeUInt32LE(crc, 16);
    central.writeUInt32LE(compressed, 20);
    central.writeUInt32LE(size, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt16LE(entry.centralExtra?.length ?? 0, 30);
    central.writeUInt16LE(entry.disk ?? 0, 34);
    const isFolder = name.at(-1) === 0x2f;
    const mode = entry.mode ?? (isFolder ? 0o040755 : 0o100644);
    central.writeUInt32LE(entry.attributes ?? ((mode << 16) | (isFolder ? 0x10 : 0)) >>> 0, 38);
    central.writeUInt32LE(entry.offset ?? offset, 42);
    centrals.push(central, name, entry.centralExtra ?? Buffer.alloc(0));
    offset += parts.reduce((sum, part) => sum + part.length, 0);
  }
  const directory = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(options.disk ?? 0, 4);
  end.writeUInt16LE(options.here ?? options.entries ?? entries.length, 8);
  end.writeUInt16LE(options.entries ?? entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(options.directoryOffset ?? offset + (options.beforeDirectory?.length ?? 0), 16);
  end.writeUInt16LE(options.comment?.length ?? 0, 20);
  const none = Buffer.alloc(0);
  return Buffer.concat([
    options.prefix ?? none,
    ...locals,
    options.beforeDirectory ?? none,
    directory,
    options.afterDirectory ?? none,
    end,
    options.comment ?? none,
    options.suffix ?? none,
  ]);
}

/** An `ar` archive. */
export function ar(...members: readonly (readonly [string, Uint8Array])[]): Buffer {
  const parts: Uint8Array[] = [text('!<arch>\n')];
  for (const [name, body] of members) {
    parts.push(
      text(
        `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(body.length).padEnd(10)}\`\n`,
      ),
      body,
    );
    if (body.length % 2 === 1) parts.push(text('\n'));
  }
  return Buffer.concat(parts);
}
