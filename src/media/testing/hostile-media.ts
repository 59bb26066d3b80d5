import type { MediaReasonCode } from '../faults.ts';
import { Image, type Tree } from './image.ts';
import { type ExfatMade, makeExfat } from './make-exfat.ts';
import { type FatMade, makeFat } from './make-fat.ts';
import { type IsoMade, isoNumber, makeIso } from './make-iso.ts';
import { makeGpt, makeMbr, mbrEntry, resealGpt } from './make-table.ts';
import { makeUdf, type UdfMade } from './make-udf.ts';

/** One medium that must be refused: what is wrong with it, and the weakness of some driver that it stands for. */
export interface HostileMedium {
  readonly name: string;
  /** Rule of docs/spec/media.md that it breaks. */
  readonly rule: string;
  readonly code: MediaReasonCode;
  /** '' where it has no number. */
  readonly cve: string;
  readonly make: () => Image;
}

/** What clean media hold. */
export const TREE: Tree = {
  'one.bundle': Buffer.from('sallyport-bundle/1'.padEnd(3000, '.')),
  'docs/read me first.txt': Buffer.from('read me'),
  'docs/deep/grüße 日本.txt': Buffer.from('x'.repeat(5000)),
  'empty.txt': Buffer.alloc(0),
};

function of<M extends { readonly image: Image }>(
  kind: string,
  made: () => M,
): (rule: string, name: string, code: MediaReasonCode, hurt: (made: M) => void, cve?: string) => HostileMedium {
  return (rule, name, code, hurt, cve = '') => ({
    name: `${kind} ${name}`,
    rule,
    code,
    cve,
    make() {
      const one = made();
      hurt(one);
      return one.image;
    },
  });
}

const fat12 = of<FatMade>('FAT12', () => makeFat('FAT12', TREE));
const fat16 = of<FatMade>('FAT16', () => makeFat('FAT16', TREE));
const fat32 = of<FatMade>('FAT32', () => makeFat('FAT32', TREE));
const exfat = of<ExfatMade>('exFAT', () => makeExfat(TREE));
const iso = of<IsoMade>('ISO 9660', () => makeIso(TREE));
const udf = of<UdfMade>('UDF', () => makeUdf(TREE));
const plain = of<{ image: Image }>('table', () => ({
  image: makeMbr([{ start: 64, image: makeFat('FAT12', TREE).image }]),
}));
const guid = of<{ image: Image }>('GPT', () => ({
  image: makeGpt([{ start: 64, image: makeFat('FAT12', TREE).image }]),
}));

/** Adds a slot at the end of the root folder. */
function addSlot({ image, root }: FatMade, slot: Uint8Array): void {
  let at = root;
  while (image.bytes(at, 1)[0] !== 0) at += 32;
  image.write(at, slot);
}

function shortSlot(name: string, attributes = 0x20): Buffer {
  const slot = Buffer.alloc(32);
  slot.write(name.padEnd(11), 0, 'latin1');
  slot[11] = attributes;
  return slot;
}

const fatMedia: readonly HostileMedium[] = [
  fat12('MED-10', 'sectors of 513 bytes', 'media.file-system', ({ image }) => image.number(11, 513, 2)),
  fat12('MED-10', 'sectors of 1536 bytes', 'media.header', ({ image }) => image.number(11, 1536, 2)),
  fat12('MED-10', 'clusters of 3 sectors', 'media.header', ({ image }) => image.byte(13, 3)),
  fat12('MED-10', 'clusters of 0 sectors', 'media.header', ({ image }) => image.byte(13, 0)),
  fat32('MED-10', 'clusters of 128 KiB', 'media.header', ({ image }) => {
    image.number(11, 4096, 2);
    image.byte(13, 128);
  }),
  fat12('MED-10', 'no reserved sector', 'media.header', ({ image }) => image.number(14, 0, 2)),
  fat12('MED-10', 'three tables', 'media.header', ({ image }) => image.byte(16, 3), 'CVE-2014-4115'),
  fat12('MED-10', 'no root slots', 'media.header', ({ image }) => image.number(17, 0, 2)),
  fat12('MED-10', 'root slots within a sector', 'media.header', ({ image }) => image.number(17, 17, 2)),
  fat12('MED-10', 'two sizes', 'media.header', ({ image }) => image.number(32, 70_000)),
  fat12('MED-10', 'no size', 'media.header', ({ image }) => image.number(19, 0, 2)),
  fat12('MED-10', 'tables larger than the volume', 'media.header', ({ image }) => image.number(22, 60_000, 2)),
  fat12('MED-11', 'clusters of FAT16', 'media.header', ({ image }) => {
    image.number(19, 9000, 2);
    image.size = 9000 * 512;
  }),
  fat32('MED-11', 'clusters of FAT16 in the layout of FAT32', 'media.header', ({ image }) => image.number(32, 40_000)),
  fat32('MED-10', 'a later version', 'media.header', ({ image }) => image.number(42, 1, 2)),
  fat32('MED-13', 'one table in use', 'media.feature', ({ image }) => image.number(40, 0x81, 2)),
  fat32(
    'MED-10',
    'more clusters than its table has room for',
    'media.header',
    ({ image }) => {
      image.size = 80_000 * 512;
      image.number(32, 80_000);
    },
    'CVE-2025-24985',
  ),
  fat12('MED-02', 'larger than the medium', 'media.bounds', ({ image }) => (image.size -= 512)),
  fat12('MED-13', 'tables that differ', 'media.copies-differ', ({ follow }) => follow(1999, 0xfff, [1])),
  fat12('MED-14', 'a chain into itself', 'media.loop', ({ follow, cluster }) =>
    follow(cluster('one.bundle') + 3, cluster('one.bundle')),
  ),
  fat16('MED-14', 'a chain into itself', 'media.loop', ({ follow, cluster }) =>
    follow(cluster('one.bundle') + 3, cluster('one.bundle')),
  ),
  fat32('MED-14', 'a chain into itself', 'media.loop', ({ follow, cluster }) =>
    follow(cluster('one.bundle') + 3, cluster('one.bundle')),
  ),
  fat12('MED-14', 'two files in one cluster', 'media.overlap', ({ image, slot, cluster }) =>
    image.number(slot('docs/read me first.txt') + 26, cluster('one.bundle') + 5, 2),
  ),
  fat12('MED-14', 'a file in a folder', 'media.overlap', ({ image, slot, cluster }) =>
    image.number(slot('docs/read me first.txt') + 26, cluster('docs'), 2),
  ),
  fat12('MED-14', 'a chain beyond the end', 'media.bounds', ({ follow, cluster }) =>
    follow(cluster('one.bundle'), 2002),
  ),
  fat12('MED-14', 'a chain over a bad cluster', 'media.bounds', ({ follow, cluster }) =>
    follow(cluster('one.bundle'), 0xff7),
  ),
  fat12('MED-14', 'a chain that breaks off', 'media.size', ({ follow, cluster }) =>
    follow(cluster('one.bundle') + 1, 0),
  ),
  fat12('MED-14', 'a first cluster beyond the end', 'media.bounds', ({ image, slot }) =>
    image.number(slot('one.bundle') + 26, 0xfff0, 2),
  ),
  fat12('MED-15', 'a size above the chain', 'media.size', ({ image, slot }) =>
    image.number(slot('one.bundle') + 28, 3073),
  ),
  fat12('MED-15', 'a size below the chain', 'media.size', ({ image, slot }) =>
    image.number(slot('one.bundle') + 28, 2560),
  ),
  fat32('MED-15', 'a size of 4 GiB', 'media.size', ({ image, slot }) =>
    image.number(slot('one.bundle') + 28, 0xffffffff),
  ),
  fat12('MED-15', 'an empty file with a cluster', 'media.size', ({ image, slot, free }) =>
    image.number(slot('empty.txt') + 26, free, 2),
  ),
  fat12('MED-15', 'a file without clusters', 'media.bounds', ({ image, slot }) =>
    image.number(slot('empty.txt') + 28, 5),
  ),
  fat12('MED-16', 'a folder in itself', 'media.loop', ({ image, slot, cluster }) =>
    image.number(slot('docs/deep') + 26, cluster('docs'), 2),
  ),
  fat32('MED-16', 'the root in a folder', 'media.loop', ({ image, slot }) =>
    image.number(slot('docs/deep') + 26, 2, 2),
  ),
  fat12('MED-16', 'a folder whose chain comes back', 'media.loop', ({ follow, cluster }) =>
    follow(cluster('docs'), cluster('docs')),
  ),
  fat12('MED-16', 'a folder that states a size', 'media.entry', ({ image, slot }) =>
    image.number(slot('docs') + 28, 512),
  ),
  fat12('MED-16', 'a folder without itself', 'media.entry', ({ image, cluster, place }) =>
    image.byte(place(cluster('docs')), 0x41),
  ),
  fat12('MED-16', 'an upward entry elsewhere', 'media.entry', ({ image, cluster, place }) =>
    image.number(place(cluster('docs/deep')) + 32 + 26, 0, 2),
  ),
  fat12('MED-16', 'an empty folder without its entries', 'media.entry', ({ image, cluster, place }) =>
    image.byte(place(cluster('docs')), 0),
  ),
  fat12('MED-16', 'a second label', 'media.entry', (made) => addSlot(made, shortSlot('TWO', 0x08))),
  fat12('MED-16', 'a label that is a folder', 'media.entry', (made) => addSlot(made, shortSlot('TWO', 0x18))),
  fat12('MED-16', 'unknown attributes', 'media.entry', (made) => addSlot(made, shortSlot('TWO', 0x60))),
  fat12('MED-17', 'a long name of another entry', 'media.name', ({ image, slot }) =>
    image.byte(slot('one.bundle') - 32 + 13, 1),
  ),
  fat12('MED-17', 'a long name without its first part', 'media.name', ({ image, slot }) =>
    image.byte(slot('docs/read me first.txt') - 64, 0x02),
  ),
  fat12('MED-17', 'a long name out of order', 'media.name', ({ image, slot }) =>
    image.byte(slot('docs/read me first.txt') - 32, 0x03),
  ),
  fat12(
    'MED-17',
    'a long name of 32 parts',
    'media.name',
    ({ image, slot }) => image.byte(slot('one.bundle') - 32, 0x60),
    'CVE-2013-1773',
  ),
  fat12('MED-17', 'a long name before nothing', 'media.name', ({ image, slot }) => image.byte(slot('empty.txt'), 0)),
  fat12('MED-17', 'a long name before a deleted entry', 'media.name', ({ image, slot }) =>
    image.byte(slot('empty.txt'), 0xe5),
  ),
  fat12('MED-17', 'something behind a long name', 'media.name', ({ image, slot }) =>
    image.number(slot('empty.txt') - 32 + 28, 0x41, 2),
  ),
  fat12('MED-17', 'a long name with a separator', 'media.name', ({ image, slot }) =>
    image.number(slot('one.bundle') - 32 + 3, 0x2f, 2),
  ),
  fat12('MED-17', 'a long name with an escape', 'media.name', ({ image, slot }) =>
    image.number(slot('one.bundle') - 32 + 3, 0x1b, 2),
  ),
  fat12('MED-17', 'a long name that is two dots', 'media.name', ({ image, slot }) => {
    const at = slot('one.bundle') - 32;
    image.write(at + 1, Buffer.from('..\0', 'utf16le'));
    image.write(at + 7, Buffer.alloc(4, 0xff));
    image.write(at + 14, Buffer.alloc(12, 0xff));
    image.write(at + 28, Buffer.alloc(4, 0xff));
  }),
  fat12('MED-17', 'a short name in small letters', 'media.name', (made) => addSlot(made, shortSlot('abc'))),
  fat12('MED-17', 'a short name with an escape', 'media.name', (made) => addSlot(made, shortSlot('A\u001b[2J'))),
  fat12('MED-17', 'a short name that begins with a space', 'media.name', (made) => addSlot(made, shortSlot(' A'))),
  fat12('MED-17', 'a second entry for itself', 'media.name', (made) => addSlot(made, shortSlot('.', 0x10))),
];

/** Replaces bytes of a set of entries and seals it again. */
function change(made: ExfatMade, path: string, at: number, value: number, bytes: 2 | 4 | 8 = 4): void {
  made.image.number(made.set(path) + at, value, bytes);
  made.reseal(path);
}

const exfatMedia: readonly HostileMedium[] = [
  exfat('MED-20', 'no signature', 'media.header', ({ image }) => image.number(510, 0, 2)),
  exfat('MED-20', 'sizes of FAT', 'media.header', ({ image }) => image.byte(11, 2)),
  exfat('MED-20', 'sectors of 2^31 bytes', 'media.header', ({ image }) => image.byte(108, 31)),
  exfat('MED-20', 'clusters of 2^40 bytes', 'media.header', ({ image }) => image.byte(109, 31)),
  exfat('MED-20', 'revision 2', 'media.header', ({ image }) => image.number(104, 0x200, 2)),
  exfat('MED-20', 'two tables', 'media.feature', ({ image }) => image.byte(110, 2)),
  exfat('MED-20', 'no clusters', 'media.header', ({ image }) => image.number(92, 0)),
  exfat('MED-20', 'a table among the boot regions', 'media.header', ({ image }) => image.number(80, 3)),
  exfat('MED-20', 'a table too small', 'media.header', ({ image }) => image.number(84, 1)),
  exfat('MED-02', 'clusters beyond the end', 'media.bounds', ({ image }) => image.number(92, 1001)),
  exfat('MED-02', 'larger than the medium', 'media.bounds', ({ image }) => (image.size -= 512)),
  exfat('MED-21', 'a boot region that was changed', 'media.checksum', ({ image }) => image.byte(600, 1)),
  exfat('MED-21', 'boot regions that differ', 'media.copies-differ', ({ image, reboot }) => {
    const old = image.bytes(12 * 512, 12 * 512);
    image.byte(600, 1);
    reboot();
    image.write(12 * 512, old);
  }),
  exfat('MED-14', 'a chain into itself', 'media.loop', ({ follow, cluster }) =>
    follow(cluster('docs/deep/grüße 日本.txt') + 1, cluster('docs/deep/grüße 日本.txt')),
  ),
  exfat('MED-14', 'two files in one cluster', 'media.overlap', ({ follow, cluster }) =>
    follow(cluster('docs/deep/grüße 日本.txt'), cluster('one.bundle')),
  ),
  exfat('MED-14', 'a chain beyond the end', 'media.bounds', ({ follow, cluster }) =>
    follow(cluster('docs/deep/grüße 日本.txt'), 1002),
  ),
  exfat('MED-14', 'a chain over a bad cluster', 'media.bounds', ({ follow, cluster }) =>
    follow(cluster('docs/deep/grüße 日本.txt'), 0xfffffff7),
  ),
  exfat('MED-14', 'a run beyond the end', 'media.bounds', (made) => {
    made.image.byte(made.set('one.bundle') + 33, 3);
    change(made, 'one.bundle', 52, 1002);
  }),
  exfat('MED-22', 'an entry with a wrong checksum', 'media.checksum', ({ image, set }) =>
    image.byte(set('one.bundle') + 8, 1),
  ),
  exfat('MED-22', 'a name with a wrong hash', 'media.checksum', (made) => change(made, 'one.bundle', 36, 1, 2)),
  exfat(
    'MED-22',
    'a name longer than its entries',
    'media.entry',
    (made) => {
      made.image.byte(made.set('one.bundle') + 35, 200);
      made.reseal('one.bundle');
    },
    'CVE-2023-4273',
  ),
  exfat('MED-22', 'a name of no characters', 'media.entry', (made) => {
    made.image.byte(made.set('one.bundle') + 35, 0);
    made.reseal('one.bundle');
  }),
  exfat(
    'MED-22',
    'a set of 255 entries',
    'media.entry',
    ({ image, set }) => image.byte(set('one.bundle') + 1, 255),
    'CVE-2023-4273',
  ),
  exfat('MED-22', 'a set of one entry', 'media.entry', ({ image, set }) => image.byte(set('one.bundle') + 1, 1)),
  exfat('MED-22', 'a stream of another kind', 'media.entry', (made) => {
    made.image.byte(made.set('one.bundle') + 32, 0xc1);
    made.reseal('one.bundle');
  }),
  exfat('MED-22', 'a stream alone', 'media.entry', ({ image, set }) => image.byte(set('one.bundle'), 0x05)),
  exfat('MED-22', 'a set that breaks off', 'media.entry', ({ image, set }) => image.byte(set('one.bundle') + 64, 0)),
  exfat('MED-22', 'an entry behind the end', 'media.entry', ({ image, root }) => image.byte(root + 2048, 0x85)),
  exfat('MED-22', 'a name with a separator', 'media.name', (made) => change(made, 'one.bundle', 66, 0x2f, 2)),
  exfat('MED-23', 'more written than there is', 'media.size', (made) => change(made, 'one.bundle', 40, 3001, 8)),
  exfat('MED-23', 'a size above the chain', 'media.size', (made) => {
    made.image.number(made.set('one.bundle') + 40, 9000, 8);
    change(made, 'one.bundle', 56, 9000, 8);
  }),
  exfat('MED-23', 'a size of 2^60 bytes', 'media.bounds', (made) => change(made, 'one.bundle', 56, 2 ** 52, 8)),
  exfat(
    'MED-23',
    'a size below zero',
    'media.bounds',
    (made) => {
      made.image.write(made.set('one.bundle') + 32 + 24, Buffer.alloc(8, 0xff));
      made.image.write(made.set('one.bundle') + 32 + 8, Buffer.alloc(8, 0xff));
      made.reseal('one.bundle');
    },
    'CVE-2025-40287',
  ),
  exfat('MED-23', 'clusters that it may not have', 'media.size', (made) => {
    made.image.byte(made.set('one.bundle') + 33, 0);
    made.reseal('one.bundle');
  }),
  exfat('MED-23', 'an empty file with clusters', 'media.size', (made) => {
    made.image.byte(made.set('empty.txt') + 33, 1);
    change(made, 'empty.txt', 52, 900);
  }),
  exfat('MED-23', 'a folder that is partly written', 'media.size', (made) => change(made, 'docs', 40, 32, 8)),
  exfat('MED-24', 'no bitmap', 'media.entry', ({ image, root }) => image.byte(root + 32, 0x01)),
  exfat('MED-24', 'two bitmaps', 'media.entry', ({ image, root }) => image.byte(root, 0x81)),
  exfat('MED-24', 'no table of capital letters', 'media.entry', ({ image, root }) => image.byte(root + 64, 0x02)),
  exfat('MED-24', 'a table of capital letters that was changed', 'media.checksum', ({ image, root }) =>
    image.number(root + 64 + 4, 1),
  ),
  exfat('MED-24', 'a table of capital letters of 4 GiB', 'media.entry', ({ image, root }) =>
    image.number(root + 64 + 24, 2 ** 32, 8),
  ),
  exfat('MED-24', 'an unknown critical entry', 'media.feature', ({ image, root }) => image.byte(root, 0x84)),
  exfat('MED-16', 'a folder in itself', 'media.overlap', (made) => change(made, 'docs/deep', 52, made.cluster('docs'))),
];

const isoMedia: readonly HostileMedium[] = [
  iso('MED-30', 'no end of descriptors', 'media.header', ({ image }) => image.byte(18 * 2048 + 3, 0)),
  iso('MED-30', 'no primary descriptor', 'media.header', ({ image }) => image.byte(16 * 2048, 0)),
  iso('MED-30', 'two primary descriptors', 'media.two-systems', ({ image }) => image.byte(17 * 2048, 1)),
  iso('MED-30', 'an unknown descriptor', 'media.feature', ({ image }) => image.byte(17 * 2048, 7)),
  iso('MED-30', 'another version', 'media.header', ({ image }) => image.byte(16 * 2048 + 6, 2)),
  iso('MED-30', 'blocks of 512 bytes', 'media.feature', ({ image }) =>
    image.write(16 * 2048 + 128, Buffer.from([0, 2, 2, 0])),
  ),
  iso('MED-30', 'a root that is no folder', 'media.header', ({ image }) => image.byte(16 * 2048 + 156 + 25, 0)),
  iso('MED-31', 'a number in two versions', 'media.copies-differ', ({ image, record }) =>
    image.byte(record('one.bundle') + 9, 77),
  ),
  iso('MED-31', 'a size in two versions', 'media.copies-differ', ({ image }) => image.byte(16 * 2048 + 80, 1)),
  iso('MED-02', 'larger than the medium', 'media.bounds', ({ image }) =>
    image.write(16 * 2048 + 80, isoNumber(100_000)),
  ),
  iso('MED-02', 'a file beyond the end', 'media.bounds', ({ image, record }) =>
    image.write(record('one.bundle') + 2, isoNumber(90_000)),
  ),
  iso('MED-02', 'a file larger than the disc', 'media.bounds', ({ image, record }) =>
    image.write(record('one.bundle') + 10, isoNumber(0xffffffff)),
  ),
  iso('MED-32', 'a folder in itself', 'media.loop', ({ image, record, folder }) =>
    image.write(record('docs/deep') + 2, isoNumber(folder('docs') / 2048)),
  ),
  iso('MED-32', 'the root in a folder', 'media.loop', ({ image, record, folder }) =>
    image.write(record('docs/deep') + 2, isoNumber(folder('') / 2048)),
  ),
  iso('MED-32', 'a folder of no bytes', 'media.size', ({ image, record }) =>
    image.write(record('docs') + 10, isoNumber(0)),
  ),
  iso('MED-32', 'a folder of half a sector', 'media.size', ({ image, record }) =>
    image.write(record('docs') + 10, isoNumber(1000)),
  ),
  iso('MED-32', 'a folder of 1 GiB', 'media.limit', ({ image, record }) =>
    image.write(record('docs') + 10, isoNumber(2 ** 30)),
  ),
  iso('MED-32', 'a folder without itself', 'media.entry', ({ image, folder }) => image.byte(folder('docs') + 33, 0x41)),
  iso('MED-32', 'an upward entry elsewhere', 'media.entry', ({ image, folder, spare }) =>
    image.write(folder('docs/deep') + 34 + 2, isoNumber(spare)),
  ),
  iso('MED-32', 'an entry of 10 bytes', 'media.entry', ({ image, record }) => image.byte(record('one.bundle'), 10)),
  iso('MED-32', 'an entry across sectors', 'media.entry', ({ image, folder }) => image.byte(folder('docs'), 255)),
  iso('MED-32', 'a name longer than its entry', 'media.entry', ({ image, record }) =>
    image.byte(record('one.bundle') + 32, 250),
  ),
  iso('MED-32', 'bytes behind the last entry', 'media.entry', ({ image, folder }) =>
    image.byte(folder('docs') + 2000, 1),
  ),
  iso('MED-33', 'interleaved', 'media.feature', ({ image, record }) => image.byte(record('one.bundle') + 26, 1)),
  iso('MED-33', 'an extended attribute record', 'media.feature', ({ image, record }) =>
    image.byte(record('one.bundle') + 1, 1),
  ),
  iso('MED-33', 'another volume', 'media.feature', ({ image, record }) =>
    image.write(record('one.bundle') + 28, Buffer.from([2, 0, 0, 2])),
  ),
  iso('MED-33', 'an associated file', 'media.feature', ({ image, record }) => image.byte(record('one.bundle') + 25, 4)),
  iso('MED-34', 'a last piece that is missing', 'media.size', ({ image, record }) =>
    image.byte(record('one.bundle') + 25, 0x80),
  ),
  iso('MED-35', 'trees that differ', 'media.two-systems', ({ image, record, spare }) =>
    image.write(record('docs/read me first.txt', 'Joliet') + 2, isoNumber(spare)),
  ),
  iso('MED-35', 'files that share half', 'media.overlap', ({ image, record }) => {
    for (const tree of ['primary', 'Joliet'] as const) {
      const at = record('docs/read me first.txt', tree) + 2;
      image.write(at, isoNumber(image.bytes(record('one.bundle', tree) + 2, 4).readUInt32LE(0) + 1));
    }
  }),
  iso(
    'MED-36',
    'system use entries without end',
    'media.loop',
    ({ image, system, spare }) => {
      const entry = Buffer.concat([Buffer.from([0x43, 0x45, 28, 1]), isoNumber(spare), isoNumber(0), isoNumber(28)]);
      image.write(spare * 2048, entry);
      image.write(system('docs/read me first.txt'), entry);
      image.write(system('docs/read me first.txt') + 28, Buffer.alloc(2));
    },
    'CVE-2014-9420',
  ),
  iso('MED-36', 'system use entries beyond the disc', 'media.bounds', ({ image, system }) =>
    image.write(
      system('docs/read me first.txt'),
      Buffer.concat([Buffer.from([0x43, 0x45, 28, 1]), isoNumber(1e6), isoNumber(0), isoNumber(28), Buffer.alloc(2)]),
    ),
  ),
  iso('MED-36', 'system use entries across blocks', 'media.bounds', ({ image, system, spare }) =>
    image.write(
      system('docs/read me first.txt'),
      Buffer.concat([
        Buffer.from([0x43, 0x45, 28, 1]),
        isoNumber(spare),
        isoNumber(2040),
        isoNumber(28),
        Buffer.alloc(2),
      ]),
    ),
  ),
  iso(
    'MED-36',
    'a system use entry longer than its record',
    'media.entry',
    ({ image, system }) => image.byte(system('one.bundle') + 2, 255),
    'CVE-2014-9584',
  ),
  iso('MED-36', 'a system use entry of no length', 'media.entry', ({ image, system }) =>
    image.byte(system('one.bundle') + 2, 0),
  ),
  iso(
    'MED-36',
    'a folder that lies elsewhere',
    'media.feature',
    ({ image, system }) => image.write(system('one.bundle'), Buffer.from('CL', 'latin1')),
    'CVE-2014-5471, CVE-2014-5472',
  ),
  iso('MED-36', 'a compressed file', 'media.feature', ({ image, system }) =>
    image.write(system('one.bundle'), Buffer.from('ZF', 'latin1')),
  ),
  iso('MED-36', 'a name that goes on nowhere', 'media.entry', ({ image, system }) =>
    image.byte(system('one.bundle') + 4, 1),
  ),
  iso('MED-37', 'a name with a separator', 'media.name', ({ image, system }) =>
    image.byte(system('one.bundle') + 6, 0x2f),
  ),
  iso('MED-37', 'a name that is two dots', 'media.name', ({ image, system }) => {
    image.byte(system('one.bundle') + 2, 7);
    image.write(system('one.bundle') + 5, Buffer.from('..ZZ\x08\x01', 'latin1'));
  }),
  iso('MED-37', 'a Joliet name with an escape', 'media.name', ({ image, record }) =>
    image.write(record('one.bundle', 'Joliet') + 33, Buffer.from([0, 0x1b])),
  ),
];

/** Changes a descriptor and writes its CRC again. */
function udfNumber(made: UdfMade, at: number, offset: number, value: number, bytes: 2 | 4 | 8 = 4): void {
  made.image.number(at + offset, value, bytes);
  made.reseal(at);
}

/** The same change in both sequences of volume descriptors. */
function bothSequences(made: UdfMade, sector: number, offset: number, value: number, bytes: 2 | 4 = 4): void {
  for (const start of [made.descriptors.main, made.descriptors.reserve]) {
    udfNumber(made, start + sector * 2048, offset, value, bytes);
  }
}

const udfMedia: readonly HostileMedium[] = [
  udf('MED-40', 'no anchor', 'media.header', ({ image }) => image.number(256 * 2048, 0, 2)),
  udf('MED-40', 'an anchor with a wrong checksum', 'media.checksum', ({ image }) => image.byte(256 * 2048 + 4, 1)),
  udf('MED-40', 'an anchor that was changed', 'media.checksum', ({ image }) => image.number(256 * 2048 + 20, 33)),
  udf('MED-40', 'an anchor of another sector', 'media.header', (made) => udfNumber(made, 256 * 2048, 12, 300)),
  udf('MED-40', 'a descriptor whose CRC covers more than it', 'media.bounds', ({ image }) => {
    image.number(256 * 2048 + 10, 65_535, 2);
    const tag = image.bytes(256 * 2048, 16);
    image.byte(
      256 * 2048 + 4,
      tag.reduce((sum, byte, index) => (index === 4 ? sum : (sum + byte) & 0xff), 0),
    );
  }),
  udf('MED-40', 'a million volume descriptors', 'media.limit', (made) => udfNumber(made, 256 * 2048, 16, 0x7fffffff)),
  udf('MED-40', 'no partition descriptor', 'media.header', ({ image, descriptors, reseal }) => {
    for (const start of [descriptors.main, descriptors.reserve]) {
      image.number(start + 2048, 7, 2);
      reseal(start + 2048);
    }
  }),
  udf('MED-41', 'sequences that differ', 'media.copies-differ', (made) =>
    udfNumber(made, made.descriptors.reserve + 2048, 192, 20),
  ),
  udf('MED-02', 'a partition larger than the medium', 'media.bounds', (made) => bothSequences(made, 1, 192, 1e6)),
  udf('MED-40', 'blocks of another size', 'media.header', (made) => bothSequences(made, 2, 212, 512)),
  udf('MED-40', 'a logical volume that is no UDF', 'media.header', (made) => bothSequences(made, 2, 217, 0)),
  udf(
    'MED-42',
    'maps longer than the descriptor',
    'media.bounds',
    (made) => bothSequences(made, 2, 264, 0xffffffff),
    'CVE-2012-3400',
  ),
  udf('MED-42', 'two maps', 'media.feature', (made) => bothSequences(made, 2, 268, 2)),
  udf(
    'MED-42',
    'a sparable partition',
    'media.feature',
    (made) => bothSequences(made, 2, 440, 0x4002, 2),
    'CVE-2012-3400',
  ),
  udf('MED-42', 'a partition that is not there', 'media.header', (made) => bothSequences(made, 2, 444, 9, 2)),
  udf('MED-42', 'a later revision', 'media.feature', (made) => bothSequences(made, 2, 240, 0x300, 2)),
  udf('MED-43', 'a file set elsewhere', 'media.bounds', (made) => bothSequences(made, 2, 252, 1e6)),
  udf('MED-43', 'a file set that is a file', 'media.header', (made) =>
    bothSequences(made, 2, 252, made.block(made.icb('one.bundle'))),
  ),
  udf('MED-43', 'an entry with a wrong CRC', 'media.checksum', ({ image, icb }) =>
    image.byte(icb('one.bundle') + 60, 1),
  ),
  udf('MED-43', 'an entry beyond the end', 'media.bounds', (made) =>
    udfNumber(made, made.identifier('one.bundle'), 24, 1e6),
  ),
  udf('MED-43', 'an entry in another partition', 'media.bounds', (made) =>
    udfNumber(made, made.identifier('one.bundle'), 28, 5, 2),
  ),
  udf(
    'MED-43',
    'an entry that leads to another by strategy 4096',
    'media.feature',
    (made) => udfNumber(made, made.icb('one.bundle'), 20, 4096, 2),
    'CVE-2014-6410',
  ),
  udf(
    'MED-43',
    'attributes longer than the block',
    'media.bounds',
    (made) => udfNumber(made, made.icb('one.bundle'), 168, 0xffffff00),
    'CVE-2015-4167',
  ),
  udf(
    'MED-43',
    'pieces longer than the block',
    'media.bounds',
    (made) => udfNumber(made, made.icb('one.bundle'), 172, 0xffffff00),
    'CVE-2015-4167',
  ),
  udf('MED-43', 'a file that is a folder', 'media.entry', (made) => {
    made.image.byte(made.identifier('one.bundle') + 18, 2);
    made.reseal(made.identifier('one.bundle'));
  }),
  udf('MED-44', 'a size above its pieces', 'media.size', (made) =>
    udfNumber(made, made.icb('one.bundle'), 56, 4000, 8),
  ),
  udf('MED-44', 'a size of 2^62 bytes', 'media.bounds', (made) => udfNumber(made, made.icb('one.bundle'), 60, 2 ** 30)),
  udf('MED-44', 'a piece beyond the end', 'media.bounds', (made) => udfNumber(made, made.icb('one.bundle'), 180, 1e6)),
  udf('MED-44', 'a piece that was never written', 'media.feature', (made) =>
    udfNumber(made, made.icb('one.bundle'), 176, 0x40000000 + 3000),
  ),
  udf(
    'MED-44',
    'content in the entry, of another size',
    'media.size',
    (made) => udfNumber(made, made.icb('one.bundle'), 34, 3, 2),
    'CVE-2014-9729',
  ),
  udf('MED-44', 'pieces listed in an unknown way', 'media.feature', (made) =>
    udfNumber(made, made.icb('one.bundle'), 34, 2, 2),
  ),
  udf('MED-44', 'a list of pieces without end', 'media.loop', (made) => {
    const at = (288 + made.spare) * 2048;
    const list = Buffer.alloc(32);
    list.writeUInt16LE(258, 0);
    list.writeUInt16LE(2, 2);
    list.writeUInt32LE(made.spare, 12);
    list.writeUInt32LE(8, 20);
    list.writeUInt32LE(0xc0000800, 24);
    list.writeUInt32LE(made.spare, 28);
    made.image.write(at, list);
    made.reseal(at, 16);
    made.image.number(made.icb('one.bundle') + 176, 0xc0000800);
    made.image.number(made.icb('one.bundle') + 180, made.spare);
    made.reseal(made.icb('one.bundle'));
  }),
  udf('MED-44', 'files that share half', 'media.overlap', (made) => {
    const start = made.image.bytes(made.icb('one.bundle') + 180, 4).readUInt32LE(0);
    udfNumber(made, made.icb('docs/read me first.txt'), 180, start + 1);
  }),
  udf('MED-45', 'a folder in itself', 'media.loop', (made) =>
    udfNumber(made, made.identifier('docs/deep'), 24, made.block(made.icb('docs'))),
  ),
  udf('MED-45', 'a folder of 1 GiB', 'media.bounds', (made) => {
    made.image.number(made.icb('docs') + 56, 2 ** 30, 8);
    made.image.number(made.icb('docs') + 176, 0x3ffff800);
    made.reseal(made.icb('docs'));
  }),
  udf('MED-45', 'an identifier beyond its folder', 'media.bounds', (made) => {
    made.image.number(made.identifier('one.bundle') + 36, 60_000, 2);
  }),
  udf('MED-45', 'an identifier that was changed', 'media.checksum', ({ image, identifier }) =>
    image.byte(identifier('one.bundle') + 40, 0x41),
  ),
  udf('MED-45', 'no folder above', 'media.entry', (made) => {
    made.image.byte(made.folder('docs') + 18, 0x04);
    made.reseal(made.folder('docs'));
  }),
  udf('MED-46', 'a name in an unknown form', 'media.name', (made) => {
    made.image.byte(made.identifier('one.bundle') + 38, 254);
    made.reseal(made.identifier('one.bundle'));
  }),
  udf('MED-46', 'a name with a separator', 'media.name', (made) => {
    made.image.byte(made.identifier('one.bundle') + 42, 0x2f);
    made.reseal(made.identifier('one.bundle'));
  }),
];

const tableMedia: readonly HostileMedium[] = [
  plain('MED-03', 'a partition beyond the end', 'media.bounds', ({ image }) =>
    mbrEntry(image, 0, 1, 0x0c, 100, 2 ** 31),
  ),
  plain('MED-03', 'two partitions in one place', 'media.overlap', ({ image }) => mbrEntry(image, 0, 1, 0x0c, 65, 10)),
  plain('MED-03', 'a partition of no sectors', 'media.partition', ({ image }) => mbrEntry(image, 0, 1, 0x0c, 9, 0)),
  plain('MED-03', 'a GPT that is not there', 'media.partition', ({ image }) => mbrEntry(image, 0, 1, 0xee, 1, 10)),
  plain('MED-03', 'two extended partitions', 'media.partition', ({ image }) => {
    mbrEntry(image, 0, 1, 0x05, 2, 5);
    mbrEntry(image, 0, 2, 0x0f, 10, 5);
  }),
  plain('MED-03', 'logical partitions without end', 'media.loop', ({ image }) => {
    mbrEntry(image, 0, 1, 0x05, 2, 20);
    mbrEntry(image, 2, 0, 0x0c, 1, 1);
    mbrEntry(image, 2, 1, 0x05, 0, 10);
  }),
  plain('MED-03', 'a logical partition outside', 'media.bounds', ({ image }) => {
    mbrEntry(image, 0, 1, 0x05, 2, 20);
    mbrEntry(image, 2, 1, 0x05, 400, 10);
  }),
  plain('MED-03', 'a link that is no table', 'media.partition', ({ image }) => mbrEntry(image, 0, 1, 0x05, 2, 20)),
  plain('MED-05', 'an unknown file system', 'media.file-system', ({ image }) => image.byte(64 * 512 + 510, 0)),
  plain('MED-05', 'NTFS', 'media.file-system', ({ image }) => image.write(64 * 512 + 3, Buffer.from('NTFS    '))),
  guid('MED-04', 'a header that was changed', 'media.checksum', ({ image }) => image.byte(512 + 60, 1)),
  guid('MED-04', 'entries that were changed', 'media.checksum', ({ image }) => image.byte(1024 + 60, 1)),
  guid(
    'MED-04',
    'a header of 2 GiB',
    'media.partition',
    ({ image }) => image.number(512 + 12, 2 ** 31),
    'CVE-2011-1577',
  ),
  guid(
    'MED-04',
    'entries of 4 GiB',
    'media.limit',
    ({ image }) => {
      image.number(512 + 84, 2 ** 31);
      resealGpt(image, 1);
    },
    'CVE-2011-1776',
  ),
  guid('MED-04', 'no copy', 'media.copies-differ', ({ image }) => image.byte(image.size - 512, 0)),
  guid('MED-04', 'copies that differ', 'media.copies-differ', ({ image }) => {
    image.byte(1024 + 56, 1);
    resealGpt(image, 1);
  }),
  guid('MED-04', 'a copy in itself', 'media.copies-differ', ({ image }) => {
    image.number(512 + 32, 1, 8);
    image.number(512 + 24, 1, 8);
    image.number(512 + 40, 35, 8);
    resealGpt(image, 1);
    image.number(512 + 32, image.size / 512 - 1, 8);
    resealGpt(image, 1);
  }),
  guid('MED-04', 'a partition outside of the usable sectors', 'media.bounds', ({ image }) => {
    for (const [header, table] of [
      [1, 2],
      [image.size / 512 - 1, image.size / 512 - 33],
    ] as const) {
      image.number(table * 512 + 32, 3, 8);
      resealGpt(image, header);
    }
  }),
  guid('MED-06', 'other partitions before it', 'media.two-systems', ({ image }) =>
    mbrEntry(image, 0, 1, 0x0c, 64, 100),
  ),
  fat12('MED-06', 'partitions in its boot sector', 'media.two-systems', ({ image }) =>
    mbrEntry(image, 0, 0, 0x0c, 100, 100),
  ),
  fat32('MED-06', 'a GPT behind its boot sector', 'media.two-systems', ({ image }) =>
    image.write(512, Buffer.from('EFI PART')),
  ),
  {
    name: 'FAT32 and ISO 9660 in one place',
    rule: 'MED-06',
    code: 'media.two-systems',
    cve: '',
    make() {
      const { image } = makeIso(TREE);
      const disc = makeFat('FAT12', TREE).image;
      image.write(0, disc.bytes(0, 512));
      image.size = Math.max(image.size, disc.size);
      for (let at = 512; at < 32_768; at += 512) image.write(at, disc.bytes(at, 512));
      return image;
    },
  },
  {
    name: 'ISO 9660 and UDF over other files',
    rule: 'MED-06',
    code: 'media.two-systems',
    cve: '',
    make() {
      const made = makeUdf(TREE);
      const disc = makeIso({ 'one.bundle': Buffer.from('other') }).image;
      // The disc's descriptors stand first, then those of UDF; its own folders lie below the volume descriptors of UDF.
      for (const [index, name] of ['BEA01', 'NSR02', 'TEA01'].entries()) {
        made.image.write((19 + 20 + index) * 2048, Buffer.from(`\0${name}\x01`, 'latin1'));
      }
      const { image } = made;
      image.write(16 * 2048, disc.bytes(16 * 2048, 3 * 2048));
      for (const [index, name] of ['BEA01', 'NSR02', 'TEA01'].entries()) {
        image.write((19 + index) * 2048, Buffer.from(`\0${name}\x01`, 'latin1'));
      }
      // The two folders and the file of the disc move behind them.
      const folder = disc.bytes(19 * 2048, 4 * 2048);
      image.write(60 * 2048, folder);
      for (const [index, at] of [16, 17].entries()) {
        image.write(at * 2048 + 156 + 2, isoNumber(60 + index));
        image.write((60 + index) * 2048 + 2, isoNumber(60 + index));
        image.write((60 + index) * 2048 + image.bytes((60 + index) * 2048, 1)[0]! + 2, isoNumber(60 + index));
        image.write(at * 2048 + 80, isoNumber(image.size / 2048));
      }
      return image;
    },
  },
];

export const hostileMedia: readonly HostileMedium[] = [
  ...tableMedia,
  ...fatMedia,
  ...exfatMedia,
  ...isoMedia,
  ...udfMedia,
];
