import { type Catalogue, faultsOf } from '#kernel';

export const ledgerCatalogue = {
  'ledger.busy': {
    title: 'Another process is writing this ledger.',
    fix: 'Wait until it has ended, or stop it, and run the command again. Nothing was changed.',
  },
  'ledger.full': {
    title: 'There is no space left for the ledger.',
    fix: 'Free space on the file system of the home and run the command again: what the ledger acknowledged is whole.',
  },
  'ledger.read-only': {
    title: 'The ledger cannot be written.',
    fix: 'Make the folder ledger/ of the home writable for this user, on a file system that is mounted writable.',
  },
  'ledger.write-failed': {
    title: 'A write to the ledger failed.',
    fix: 'Look at the health of the disk, then run the command again: what the ledger acknowledged is whole.',
  },
  'ledger.state-missing': {
    title: 'The ledger has a tree but no signing state, so it cannot know what it signed.',
    fix: "Put ledger/state/signing-state back from where it was lost. If it is lost for good, this log must end here: keep the folder as evidence and make a new home with 'sallyport init'.",
  },
  'ledger.state-damaged': {
    title: 'The signing state of the ledger is damaged or of another key.',
    fix: "Put ledger/state/signing-state and keys/ back as they were together. If they are lost, keep the folder as evidence and make a new home with 'sallyport init'.",
  },
  'ledger.state-behind': {
    title: 'The signing state is older than what this ledger published: part of the home was restored from a copy.',
    fix: "Do not go on with this home: it would sign a second history. Put back the newest copy of ledger/ as a whole, or keep it as evidence and make a new home with 'sallyport init'.",
  },
  'ledger.fork': {
    title: 'The checkpoint and the signing state of this ledger contradict each other.',
    fix: "Do not go on with this home. Keep ledger/ as evidence, find out who wrote to it, and make a new home with 'sallyport init'.",
  },
  'ledger.tree-behind': {
    title: 'The tree of this ledger is older than what it signed, or damaged: the ledger is read-only.',
    fix: "Put back the newest copy of ledger/ as a whole. 'sallyport ledger verify' names what is missing. Without such a copy, keep it as evidence and make a new home with 'sallyport init'.",
  },
  'ledger.needs-newer': {
    title: 'The ledger has an entry that this version of Sallyport cannot understand.',
    fix: 'Use the version of Sallyport that wrote it, or a newer one: what an entry says is never left out. Nothing was changed.',
  },
  'ledger.entry-too-large': {
    title: 'The entry is larger than a log entry may be.',
    fix: 'An entry holds at most 65,535 bytes; put the content into a statement and log its digest.',
  },
  'ledger.missing': {
    title: 'There is no such ledger.',
    fix: "Name the folder that holds 'checkpoint' and 'tile', or a home that 'sallyport init' made.",
  },
  'ledger.no-key': {
    title: 'The key of this ledger is not known.',
    fix: 'Name the verifier key of the log with --vkey FILE; it is trust/ledger.vkey in the home that wrote the ledger.',
  },
  'ledger.key-malformed': {
    title: 'The file holds no verifier key of a log.',
    fix: "A verifier key is one line 'name+hash+key', type Ed25519; it is trust/ledger.vkey in the home that wrote the ledger.",
  },
  'ledger.kit-there': {
    kind: 'usage',
    title: 'There is something at the place of the folder for the auditor already.',
    fix: 'Name a folder that is not there yet.',
  },
  'ledger.no-entry': {
    title: 'The ledger has no entry with this index.',
    fix: "Indexes count from 0 and end before the size; 'sallyport ledger list' shows them.",
    kind: 'usage',
  },
  'ledger.damaged': {
    title: 'The ledger contradicts its own checkpoint.',
    fix: "Run 'sallyport ledger verify': it names every file that is missing or wrong.",
  },

  'ledger.no-checkpoint': {
    title: 'The folder has no checkpoint, so nothing in it is signed.',
    fix: 'Name the folder of a ledger that has recorded something; a checkpoint that was there and is gone is evidence of tampering.',
    kind: 'reason',
  },
  'ledger.checkpoint-malformed': {
    title: 'The checkpoint is not origin, size and root, each on one line.',
    fix: 'Get the ledger again from the side that wrote it.',
    kind: 'reason',
  },
  'ledger.checkpoint-unsigned': {
    title: 'The key did not sign the checkpoint.',
    fix: 'Check that the verifier key is that of the side that wrote the ledger; if it is, the ledger was changed.',
    kind: 'reason',
  },
  'ledger.origin-differs': {
    title: 'The checkpoint is that of another log.',
    fix: 'Use the verifier key whose name is the origin of this log.',
    kind: 'reason',
  },
  'ledger.root-differs': {
    title: 'The tiles at the right edge do not hash to the signed root.',
    fix: 'The ledger was changed or mixed from two copies. Get it again from the side that wrote it.',
    kind: 'reason',
  },
  'ledger.tile-missing': {
    title: 'A tile of the tree is missing.',
    fix: 'The copy is not whole. Copy the ledger again from the side that wrote it.',
    kind: 'reason',
  },
  'ledger.tile-size': {
    title: 'A tile has not as many hashes as its name says.',
    fix: 'The file is truncated or extended. Copy the ledger again from the side that wrote it.',
    kind: 'reason',
  },
  'ledger.tile-forged': {
    title: 'A tile does not hash to what its parent says.',
    fix: 'The ledger was changed. Get it again from the side that wrote it, and find out who had it in between.',
    kind: 'reason',
  },
  'ledger.partial-forged': {
    title: 'A partial tile is not the beginning of the tile that it became.',
    fix: 'The ledger was changed. Get it again from the side that wrote it, and find out who had it in between.',
    kind: 'reason',
  },
  'ledger.bundle-missing': {
    title: 'An entry bundle is missing.',
    fix: 'The copy is not whole. Copy the ledger again from the side that wrote it.',
    kind: 'reason',
  },
  'ledger.bundle-malformed': {
    title: 'An entry bundle ends inside an entry.',
    fix: 'The file is truncated or extended. Copy the ledger again from the side that wrote it.',
    kind: 'reason',
  },
  'ledger.bundle-count': {
    title: 'An entry bundle has not as many entries as its name says.',
    fix: 'The file is truncated or extended. Copy the ledger again from the side that wrote it.',
    kind: 'reason',
  },
  'ledger.entry-forged': {
    title: 'An entry does not hash to what the tree says.',
    fix: 'The ledger was changed. Get it again from the side that wrote it, and find out who had it in between.',
    kind: 'reason',
  },
  'ledger.entry-malformed': {
    title: 'An entry begins like a record of Sallyport and is none.',
    fix: 'Something else than Sallyport wrote to this log with its key. Find out what.',
    kind: 'reason',
  },
  'ledger.statement-missing': {
    title: 'A statement that an entry names is missing.',
    fix: 'The copy is not whole: copy ledger/statements with the rest from the side that wrote it.',
    kind: 'reason',
  },
  'ledger.statement-differs': {
    title: 'A statement is not the one that its entry names.',
    fix: 'The statement was changed or truncated. Get it again from the side that wrote it.',
    kind: 'reason',
  },
  'ledger.not-a-file': {
    title: 'A symbolic link, folder or device stands where the ledger has a file or folder.',
    fix: 'A ledger holds plain files and folders only, and links are never followed. Copy it again from the side that wrote it.',
    kind: 'reason',
  },
  'ledger.unreadable': {
    title: 'A file of the ledger cannot be read.',
    fix: 'Look at its permissions and at the health of the medium.',
    kind: 'reason',
  },
  'ledger.more-reasons': {
    title: 'There are more reasons than are listed.',
    fix: 'Put right what is listed and verify again.',
    kind: 'reason',
  },
  'ledger.never-received': {
    kind: 'reason',
    title: 'It was sealed, and the other side has no entry about it: sent, unconfirmed.',
    fix: 'Ask who carried it. Where nothing may come back this stays so until an auditor puts both ledgers beside each other.',
  },
  'ledger.never-sent': {
    kind: 'reason',
    title: 'It was admitted, and the side that is said to have sealed it has no entry about it.',
    fix: 'Somebody sealed with a key of that side and not with its ledger: treat the key as stolen (trust revoke), and find out what came in.',
  },
  'ledger.refused': {
    kind: 'reason',
    title: 'It was sealed, and the other side refused it.',
    fix: "'sallyport explain CODE' says what each of the codes means; the other side keeps the evidence.",
  },
  'ledger.held': {
    kind: 'reason',
    title: 'It was received and waits for approvers.',
    fix: "Inside, 'sallyport approve' lists what waits.",
  },
  'ledger.number-twice': {
    kind: 'reason',
    title: 'Two bundles have the same number in one channel.',
    fix: 'A ledger was put back from an older copy, or somebody sealed beside it. Find out which of the two is the real one.',
  },
  'ledger.number-missing': {
    kind: 'reason',
    title: 'The sealing side left out a number.',
    fix: 'Its ledger is not the whole history of the channel. Ask for the ledger that has the missing seals.',
  },
  'ledger.witness-lost': {
    title: 'This side has cosigned logs of others and no longer knows what it saw.',
    fix: 'Restore witness/state.json of the home from a backup that is not older than the ledger. Where there is none, this witness is retired: move keys/witness*.key and trust/witness.vkey away, tell the other sides, and a new witness with another name is made at the next admission.',
  },
  'ledger.forked': {
    kind: 'reason',
    title: 'The log has two histories.',
    fix: 'Somebody who can sign with its key wrote another past than the one that was seen here. Admit nothing more of it; keep both checkpoints as evidence (witness/state.json, refused/) and ask who has the key.',
  },
  'ledger.rewound': {
    kind: 'reason',
    title: 'The log is shorter than it was.',
    fix: 'It was put back from an older copy, or somebody cut it. The side that writes it must go on from the state that was seen here, or begin another log.',
  },
  'ledger.no-consistency': {
    kind: 'reason',
    title: 'The log has grown, and nothing shows that its past is the one that was seen here.',
    fix: 'More was sealed in between than a bundle carries proofs for. Bring a bundle that was sealed in between, or a receipt back, so that the sealing side knows what was seen here.',
  },
} as const satisfies Catalogue;

export const ledgerFault = faultsOf(ledgerCatalogue);
