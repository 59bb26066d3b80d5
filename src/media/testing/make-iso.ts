import { foldersOf, Image, type Tree } from './image.ts';

const SECTOR = 2048;

export interface IsoMade {
  readonly image: Image;
  /** First byte of the record of a file or folder, in the primary or the Joliet tree. */
  record(path: string, tree?: 'primary' | 'Joliet'): number;
  /** First byte of a folder. */
  folder(path: string, tree?: 'primary' | 'Joliet'): number;
  /** First byte of the system use entries of a record of the primary tree. */
  system(path: string): number;
  /** A sector that nothing uses. */
  readonly spare: number;
}

function both(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeUInt32LE(value, 0);
  buffer.writeUInt32BE(value, 4);
  return buffer;
}

/** A clean disc of ISO 9660 with a Joliet tree; where `rockRidge` is true, the primary tree has Rock Ridge's names. */
export function makeIso(tree: Tree, rockRidge = true): IsoMade {
  const folders = foldersOf(tree);
  const kinds = ['primary', 'Joliet'] as const;
  const places = new Map<string, number>();
  let next = 19;
  for (const kind of kinds) for (const path of folders.keys()) places.set(`${kind} ${path}`, next++);
  const contents = new Map<string, { sector: number; content: Uint8Array }>();
  for (const held of folders.values()) {
    for (const { path, content } of held) {
      if (content === undefined) continue;
      contents.set(path, { sector: next, content });
      next += Math.ceil(content.length / SECTOR);
    }
  }
  const spare = next++;
  const image = new Image(next * SECTOR);
  for (const { sector, content } of contents.values()) image.write(sector * SECTOR, content);
  const records = new Map<string, number>();
  const systems = new Map<string, number>();

  const record = (name: Buffer, sector: number, size: number, isFolder: boolean, system: Buffer): Buffer => {
    const named = 33 + name.length + (name.length % 2 === 0 ? 1 : 0);
    const bytes = Buffer.alloc(named + system.length + ((named + system.length) % 2));
    bytes[0] = bytes.length;
    both(sector).copy(bytes, 2);
    both(size).copy(bytes, 10);
    bytes[25] = isFolder ? 2 : 0;
    bytes.set([1, 0, 0, 1], 28);
    bytes[32] = name.length;
    name.copy(bytes, 33);
    system.copy(bytes, named);
    return bytes;
  };
  for (const kind of kinds) {
    for (const [path, held] of folders) {
      const own = places.get(`${kind} ${path}`)!;
      const above =
        path === '' ? own : places.get(`${kind} ${path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : ''}`)!;
      let at = own * SECTOR;
      const isRidge = rockRidge && kind === 'primary';
      const begin = isRidge && path === '' ? Buffer.from([0x53, 0x50, 7, 1, 0xbe, 0xef, 0]) : Buffer.alloc(0);
      for (const [index, sector] of [own, above].entries()) {
        const bytes = record(Buffer.from([index]), sector, SECTOR, true, index === 0 ? begin : Buffer.alloc(0));
        image.write(at, bytes);
        at += bytes.length;
      }
      for (const [number, { name, path: inner, content }] of held.entries()) {
        const short = content === undefined ? `D${number}` : `F${number}.BIN;1`;
        const raw = kind === 'Joliet' ? Buffer.from(name, 'utf16le').swap16() : Buffer.from(short, 'latin1');
        const text = Buffer.from(name, 'utf8');
        const mode = Buffer.concat([
          Buffer.from([0x50, 0x58, 36, 1]),
          both(content === undefined ? 0o040755 : 0o100644),
          both(1),
          both(0),
          both(0),
        ]);
        const system = isRidge
          ? Buffer.concat([Buffer.from([0x4e, 0x4d, 5 + text.length, 1, 0]), text, mode])
          : Buffer.alloc(0);
        const sector = content === undefined ? places.get(`${kind} ${inner}`)! : contents.get(inner)!.sector;
        const bytes = record(raw, sector, content?.length ?? SECTOR, content === undefined, system);
        image.write(at, bytes);
        records.set(`${kind} ${inner}`, at);
        if (kind === 'primary') systems.set(inner, at + 33 + raw.length + (raw.length % 2 === 0 ? 1 : 0));
        at += bytes.length;
      }
    }
  }
  for (const [index, kind] of kinds.entries()) {
    const descriptor = Buffer.alloc(SECTOR);
    descriptor[0] = index + 1;
    descriptor.write('CD001', 1, 'latin1');
    descriptor[6] = 1;
    if (kind === 'Joliet') {
      Buffer.from('STICK'.padEnd(16), 'utf16le').swap16().copy(descriptor, 40);
      descriptor.write('%/E', 88, 'latin1');
    } else descriptor.write('STICK'.padEnd(32), 40, 'latin1');
    both(next).copy(descriptor, 80);
    descriptor.set([1, 0, 0, 1], 120);
    descriptor.set([1, 0, 0, 1], 124);
    descriptor.set([0, 8, 8, 0], 128);
    record(Buffer.from([0]), places.get(`${kind} `)!, SECTOR, true, Buffer.alloc(0)).copy(descriptor, 156);
    descriptor[881] = 1;
    image.write((16 + index) * SECTOR, descriptor);
  }
  const end = Buffer.alloc(SECTOR);
  end[0] = 255;
  end.write('CD001', 1, 'latin1');
  end[6] = 1;
  image.write(18 * SECTOR, end);
  return {
    image,
    record: (path, kind = 'primary') => records.get(`${kind} ${path}`)!,
    folder: (path, kind = 'primary') => places.get(`${kind} ${path}`)! * SECTOR,
    system: (path) => systems.get(path)!,
    spare,
  };
}

export { both as isoNumber };
