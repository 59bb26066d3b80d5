import { type Catalogue, printable, type Reason } from '#kernel';

const MADE = 'Do not mount this medium anywhere. Keep it as evidence, and ask who made it for a new one.';
const AGAIN = 'Ask for the bundle again on a freshly formatted medium (FAT, exFAT, ISO 9660 or UDF), cleanly ejected.';

export const mediaCatalogue = {
  'media.file-system': {
    kind: 'reason',
    title: 'It holds a file system that is not read here, or none.',
    fix: 'FAT, exFAT, ISO 9660, UDF and a bundle without a file system are read. Ask for the bundle on such a medium.',
  },
  'media.two-systems': {
    kind: 'reason',
    title: 'Two readers of this medium would see different files.',
    fix: 'Ask for the bundle on a medium with one file system: no bootable or hybrid image, nothing left from before.',
  },
  'media.partition': { kind: 'reason', title: 'The partition table contradicts itself.', fix: MADE },
  'media.header': { kind: 'reason', title: 'The header of a file system is not what its format demands.', fix: MADE },
  'media.bounds': { kind: 'reason', title: 'Something lies outside of the medium or volume.', fix: AGAIN },
  'media.checksum': { kind: 'reason', title: 'A checksum of the file system is wrong.', fix: AGAIN },
  'media.copies-differ': {
    kind: 'reason',
    title: 'Two copies that must say the same differ.',
    fix: AGAIN,
  },
  'media.loop': { kind: 'reason', title: 'A chain or folder leads back into itself.', fix: MADE },
  'media.overlap': { kind: 'reason', title: 'Two files lie in the same place.', fix: MADE },
  'media.size': { kind: 'reason', title: 'A file has another size than the space that it takes.', fix: AGAIN },
  'media.entry': { kind: 'reason', title: 'An entry of a folder is not what its format demands.', fix: MADE },
  'media.name': { kind: 'reason', title: 'A name is not what its format demands.', fix: MADE },
  'media.limit': { kind: 'reason', title: 'It is more than is read of one medium.', fix: AGAIN },
  'media.feature': {
    kind: 'reason',
    title: 'It uses something of its file system that is not read here.',
    fix: AGAIN,
  },
  'media.no-bundle': {
    kind: 'reason',
    title: 'There is no bundle on the medium.',
    fix: "Check that it is the right medium; 'sallyport examine PATH --as medium' judges what is on it.",
  },
  'media.several-bundles': {
    kind: 'reason',
    title: 'There are several bundles on the medium.',
    fix: 'Name the one that you mean with --path NAME.',
  },
} as const satisfies Catalogue;

export type MediaReasonCode = keyof typeof mediaCatalogue;

/** A reason with what came from the medium made printable and bounded. */
export function mediaReason(code: MediaReasonCode, where: string, detail: string): Reason {
  return { code, where: printable(where).slice(0, 300), detail: printable(detail).slice(0, 500) };
}
