import { type Catalogue, faultsOf, printable, type Reason } from '#kernel';

const DAMAGED = 'Ask the sealing side for a new copy on another medium, and keep this one as evidence.';
const FORGED = 'Do not use this medium. Keep it as evidence and ask the sealing side what it sealed.';

export const bundleCatalogue = {
  'bundle.unreadable': {
    title: 'The bundle cannot be read from where it lies.',
    fix: 'Check the path and that this user may read it; if the medium reports errors, ask for a new copy.',
  },
  'seal.no-lock': {
    title: 'There is no sallyport.lock to seal.',
    fix: "Run 'sallyport capture' first; it writes sallyport.lock beside sallyport.yaml.",
  },
  'seal.missing-content': {
    title: 'Something that sallyport.lock names is not in the store.',
    fix: "Run 'sallyport capture' again; it fetches what is missing.",
  },
  'seal.rotten-content': {
    title: 'Content in the store is not what its digest says.',
    fix: "The disk, or somebody, changed it. Remove that file from the store, run 'sallyport capture' again, and check the disk.",
  },
  'seal.too-large': {
    title: 'This is more than one bundle can hold.',
    fix: 'Split the project into several, each with its own sallyport.yaml; docs/spec/bundle.md lists the limits.',
  },
  'seal.no-space': {
    title: 'The target has too little space for the bundle.',
    fix: 'Free space there or choose another medium; nothing was written.',
  },
  'seal.file-too-large': {
    title: 'The target file system cannot hold a file as large as the bundle.',
    fix: 'FAT32 ends at 4 GiB; use a medium with exFAT, ext4 or XFS. Nothing was written.',
  },
  'seal.write': {
    title: 'This side could not be read, or the bundle could not be written.',
    fix: 'Look at the disk that is named: it may be read-only or broken. Nothing was left at the target; run the command again.',
  },
  'bundle.empty': { kind: 'reason', title: 'The file is empty.', fix: DAMAGED },
  'bundle.foreign': {
    kind: 'reason',
    title: 'The file is not a Sallyport bundle.',
    fix: 'Check that you named the right file.',
  },
  'bundle.unknown-version': {
    kind: 'reason',
    title: 'The bundle needs a newer Sallyport.',
    fix: 'Bring the newer Sallyport inside first, in a bundle that this version reads, or seal again with this version.',
  },
  'bundle.unknown-critical': {
    kind: 'reason',
    title: 'The bundle needs a feature that this Sallyport does not have.',
    fix: 'Bring the newer Sallyport inside first, in a bundle that this version reads, or seal again with this version.',
  },
  'bundle.truncated': { kind: 'reason', title: 'The bundle ends too early.', fix: DAMAGED },
  'bundle.header': { kind: 'reason', title: 'A header is not what the format demands.', fix: DAMAGED },
  'bundle.padding': { kind: 'reason', title: 'Bytes that must be zero are not.', fix: DAMAGED },
  'bundle.member': {
    kind: 'reason',
    title: 'A member is missing, too many, or in the wrong place.',
    fix: FORGED,
  },
  'bundle.limit': { kind: 'reason', title: 'A limit of the format is exceeded.', fix: FORGED },
  'bundle.envelope': { kind: 'reason', title: 'An envelope is not what the seal says.', fix: FORGED },
  'bundle.statement': { kind: 'reason', title: 'The seal is not a statement about a bundle.', fix: FORGED },
  'bundle.index': { kind: 'reason', title: 'The index is not what the format demands.', fix: FORGED },
  'bundle.subject': { kind: 'reason', title: 'The seal is for another index.', fix: FORGED },
  'bundle.digest': { kind: 'reason', title: 'A content is not what its digest says.', fix: DAMAGED },
  'bundle.size': { kind: 'reason', title: 'A content has another size than the index says.', fix: FORGED },
  'bundle.frame': { kind: 'reason', title: 'A compressed member is not one frame of the due size.', fix: DAMAGED },
  'bundle.seek': { kind: 'reason', title: 'The seek table does not match the bundle.', fix: DAMAGED },
  'bundle.trailing': { kind: 'reason', title: 'Something follows the end of the bundle.', fix: FORGED },
  'bundle.channel': {
    kind: 'reason',
    title: 'The root does not speak for the channel of the bundle.',
    fix: 'Ask the sealing side for a bundle of a channel that your root names, or for a root that names this one.',
  },
  'bundle.lock': { kind: 'reason', title: 'The lock and the index do not name the same contents.', fix: FORGED },
} as const satisfies Catalogue;

export const bundleFault = faultsOf(bundleCatalogue);

type ReasonCode = {
  [K in keyof typeof bundleCatalogue]: (typeof bundleCatalogue)[K] extends { kind: 'reason' } ? K : never;
}[keyof typeof bundleCatalogue];

/** A reason of a negative verdict. What comes from the bundle's bytes is made printable here. */
export function reason(code: ReasonCode, where: string, detail: string): Reason {
  return { code, where: printable(where).slice(0, 300), detail: printable(detail).slice(0, 1000) };
}
