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
  'admit.policy': {
    title: 'The rules of admission of this side cannot be understood.',
    fix: "Mend admission.yaml in the home ('docs/spec/admission.md' describes it), or remove it for the defaults; until then nothing comes in.",
  },
  'admit.floor': {
    title: 'What this side says about a reset of its clock floor is not in its ledger.',
    fix: "Remove floor.json from the home: the floor is then the latest sealed time that was admitted. If that is wrong, the holders of the root set it again with 'sallyport clock reset'.",
  },
  'admit.floor-time': {
    kind: 'usage',
    title: 'The clock floor cannot be set to this time.',
    fix: "Set this machine's clock first, then name a time like 2027-01-31T00:00:00Z that is not after it, and a reason of 1 to 256 characters.",
  },
  'admit.not-held': {
    kind: 'usage',
    title: 'No such bundle is held in quarantine.',
    fix: "'sallyport approve' without a name lists what is held; name one by the first digits of its index.",
  },
  'admit.not-admitted': {
    kind: 'usage',
    title: 'No such bundle was ever admitted here.',
    fix: "'sallyport ledger list' shows the admissions; name one by the first digits of its index. What never came in is brought in by 'admit'.",
  },
  'admit.no-key': {
    kind: 'usage',
    title: 'Nobody is named who signs.',
    fix: 'Name the private key of an approver with --key FILE.',
  },
  'admit.no-promotion': {
    kind: 'usage',
    title: 'The promotion that was named does not exist.',
    fix: "Name the file that 'sallyport promote' wrote in the ring before.",
  },
  'admit.no-result': {
    kind: 'usage',
    title: 'The result that was named does not exist, or is no plain file.',
    fix: "Name the report of a rehearsal or test, a JSON document with a 'verdict': --result rehearsal=report.json.",
  },
  'admit.result-missing': {
    kind: 'reason',
    title: 'The promotion lacks a result that this side demands, or the result does not say yes.',
    fix: "Have it promoted again with the reports that admission.yaml names under 'results': 'promote --result rehearsal=report.json'.",
  },
  'admit.not-promoted': {
    kind: 'reason',
    title: 'The bundle has not been promoted in a ring that this side requires.',
    fix: "Have it admitted and tried in that ring first; its approvers sign with 'sallyport promote', and the file comes along: 'admit --promotion FILE'.",
  },
  'admit.promotion-other': {
    kind: 'reason',
    title: 'The promotion is not about this bundle, or not by a site of the ring.',
    fix: 'Have the promotion that belongs to this bundle brought.',
  },
  'admit.not-of-ring': {
    kind: 'reason',
    title: 'The seal does not put this site into the ring.',
    fix: 'A site promotes for the ring that it is in; destinations in sallyport.yaml outside say which.',
  },
  'admit.result-negative': {
    kind: 'reason',
    title: 'A result says no.',
    fix: 'Mend what failed, or try again; what is not proved is not promoted.',
  },
  'admit.low-ledger': {
    kind: 'reason',
    title: 'What the bundle says about the ledger of the side that sealed it does not hold.',
    fix: 'Whoever made it did not record it as it says. Keep the medium as evidence, and ask the sealing side for its ledger.',
  },
  'admit.older': {
    kind: 'reason',
    title: 'The bundle is older than what is already here, and would move something back (rollback).',
    fix: "Keep what is here. If the older state is really wanted, approvers move it back with 'sallyport rollback', or the sealing side seals it again with a new sequence number.",
  },
  'admit.replayed': {
    kind: 'reason',
    title: 'The bundle was admitted before, and later ones after it (replay).',
    fix: 'Nothing has changed and nothing needs to be done. If nobody knows why the old medium came again, ask who carried it.',
  },
  'admit.sequence-jump': {
    kind: 'reason',
    title: 'The sequence number is further ahead than this side allows.',
    fix: 'One wrong number would shut the channel for all that follow. Ask the sealing side how many bundles there are; if it is right, raise sequence.jump in admission.yaml.',
  },
  'admit.clock-behind': {
    kind: 'reason',
    title: "This side's clock is behind the time at which something that is here already was sealed.",
    fix: 'Set the clock of this machine, then admit again: with a clock that was set back nothing can be judged to be in time.',
  },
  'admit.aging': {
    kind: 'reason',
    title: 'The bundle is aging: it was sealed longer ago than this side calls fresh (freeze).',
    fix: 'Nothing for now; ask when the next bundle comes.',
  },
  'admit.stale': {
    kind: 'reason',
    title: 'The bundle is stale: it was sealed longer ago than this side takes by itself (freeze).',
    fix: "Ask the sealing side for a newer one. Where this one is wanted all the same, approvers let it in with 'sallyport approve', or admission.yaml says 'accept: stale'.",
  },
  'admit.expired': {
    kind: 'reason',
    title: 'The bundle has expired: it was sealed longer ago than this side takes at all (freeze).',
    fix: 'Ask the sealing side for a newer one. The bounds are in admission.yaml of this home.',
  },
  'admit.held': {
    kind: 'reason',
    title: 'The bundle is verified and waits in quarantine; nothing of it is served.',
    fix: "An approver of the root lets it in: 'sallyport approve INDEX --key FILE'. 'sallyport approve' lists what waits.",
  },
  'admit.awaiting-approval': {
    kind: 'reason',
    title: 'Too few approvers have agreed.',
    fix: "Each further approver runs 'sallyport approve INDEX --key FILE' with a key of their own.",
  },
  'admit.no-approvers': {
    kind: 'reason',
    title: 'The root names no approvers, so nobody can agree.',
    fix: "The sealing side names them ('sallyport trust propose --add approver=NAME …') and the next root comes in with a bundle or by itself.",
  },
  'admit.approver-sealed': {
    kind: 'reason',
    title: 'An approver sealed the bundle, and does not approve their own work.',
    fix: 'Another approver has to agree.',
  },
  'admit.approval-other': {
    kind: 'reason',
    title: 'The approval is for something else.',
    fix: 'An approval is for one bundle, one decision and one site; have this one signed.',
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
  'admit.excepted': {
    kind: 'reason',
    title: 'A content came in without being examined, because the rules of this side say so.',
    fix: "Nothing, while admission.yaml still lists its digest under 'contents: except' on purpose.",
  },
  'admit.more-reasons': {
    kind: 'reason',
    title: 'There are more reasons than are listed.',
    fix: "Look at those that are listed; 'sallyport examine FILE' lists more about one file.",
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
