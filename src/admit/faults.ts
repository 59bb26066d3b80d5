import { type Catalogue, faultsOf, printable, type Reason } from '#kernel';

export const admitCatalogue = {
  'admit.no-space': {
    title: 'This side has too little space for the bundle.',
    fix: 'Free space where the home lies, or move the home to a larger disk; nothing was admitted.',
  },
  'admit.file-too-large': {
    title: 'The file system of the home cannot hold a file as large as the bundle has.',
    fix: 'Move the home to a file system such as ext4 or XFS; nothing was admitted.',
  },
  'admit.write': {
    title: 'The home could not be read or written.',
    fix: 'Look at the disk of the home: it may be read-only or broken. Then run the command again; what is inside is unharmed.',
  },
  'admit.lock-lost': {
    title: 'The ledger says that a bundle was admitted, and its lock is not in the store any more.',
    fix: "The store was damaged after the admission. Admit that bundle's medium again, or restore store/ from a backup; 'sallyport ledger verify' shows that the ledger itself is whole.",
  },
  'admit.older': {
    kind: 'reason',
    title: 'The bundle is older than what is already here, and would move something back.',
    fix: 'Keep what is here. If the older state is really wanted, the sealing side seals it again with a new sequence number.',
  },
  'admit.sequence-reused': {
    kind: 'reason',
    title: 'Another bundle with this sequence number is already here.',
    fix: 'A sealing side never uses a number twice. Keep this medium as evidence and ask who sealed it, and with which ledger.',
  },
  'admit.wrong-destination': {
    kind: 'reason',
    title: 'The bundle is for other sites.',
    fix: 'Carry it where it belongs, or ask the sealing side for a bundle whose destinations name this site.',
  },
  'admit.sealed-in-future': {
    kind: 'reason',
    title: "The bundle was sealed later than this side's clock says that it is.",
    fix: "Check this side's clock, then the sealing side's; admit again when they agree.",
  },
  'admit.lock': {
    kind: 'reason',
    title: 'The lock in the bundle cannot be read.',
    fix: 'Bring the newer Sallyport inside first if the lock has a newer form; otherwise ask the sealing side for a new bundle.',
  },
  'admit.unknown-ecosystem': {
    kind: 'reason',
    title: 'The lock holds packages of an ecosystem that this Sallyport does not serve.',
    fix: 'Bring the newer Sallyport inside first, in a bundle that this version reads.',
  },
} as const satisfies Catalogue;

export const admitFault = faultsOf(admitCatalogue);

type ReasonCode = {
  [K in keyof typeof admitCatalogue]: (typeof admitCatalogue)[K] extends { kind: 'reason' } ? K : never;
}[keyof typeof admitCatalogue];

export function reason(code: ReasonCode, where: string, detail: string): Reason {
  return { code, where: printable(where).slice(0, 300), detail: printable(detail).slice(0, 1000) };
}
