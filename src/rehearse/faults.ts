import { type Catalogue, faultsOf } from '#kernel';

export const rehearseCatalogue = {
  'rehearse.no-folder': {
    title: 'There is no such folder to rehearse.',
    fix: 'Name the folder of a project: one that holds sallyport.yaml or a lockfile.',
    kind: 'usage',
  },
  'rehearse.running': {
    title: 'Another rehearsal of this folder is running.',
    fix: "Wait for it, or stop it (its process is named here; one that is kept ends with 'sallyport enclave stop'), and run this again.",
  },
  'rehearse.step-failed': {
    title: 'A step of the rehearsal did not do what it should.',
    fix: 'Read what the step says in the report; put it right and run the same command again: what is finished is kept.',
    kind: 'reason',
  },
  'rehearse.leans-on-outside': {
    title: 'A step ends otherwise where nobody outside answers.',
    fix: 'It is named with the hosts that it wanted. Capture what it wants from there, or switch the call off by its own setting.',
    kind: 'reason',
  },
  'rehearse.not-tested': {
    title: 'A step could not be tried, so nothing is known about it.',
    fix: "The report says why. 'sallyport doctor' lists what this machine lacks.",
    kind: 'reason',
  },
  'rehearse.unsigned': {
    title: 'There is no signature over the report.',
    fix: 'Bring the file .dsse.json that lies beside the report. A rehearsal that was cut short signs nothing: run it again.',
    kind: 'reason',
  },
  'rehearse.report-changed': {
    title: 'The report is not the one that was signed.',
    fix: 'Get the report again from where it was made, with the signature that lies beside it.',
    kind: 'reason',
  },
  'rehearse.not-in-ledger': {
    title: 'What should show that the ledger holds an entry does not show it.',
    fix: "Do not rely on this report. Where it was made, 'sallyport ledger verify' says whether the ledger is whole; run the rehearsal again there.",
    kind: 'reason',
  },
  'rehearse.report-malformed': {
    title: 'The report cannot be read by this version.',
    fix: 'A newer version of Sallyport may have written it: check it with that one.',
    kind: 'reason',
  },
  'rehearse.long-path': {
    title: 'The path of the project is too long for the database of a side.',
    fix: 'Move the project to a shorter path, or mount its folder at one.',
    kind: 'usage',
  },
  'rehearse.age': {
    title: 'This is no time for which an enclave can be kept.',
    fix: "Write a number and a unit, for example '--keep-for 30m': s, m, h or d, at most 24 days.",
    kind: 'usage',
  },
  'rehearse.keeper': {
    title: 'The process that should keep the enclave ended.',
    fix: "Run the same command without '--keep': it shows what goes wrong.",
  },
} as const satisfies Catalogue;

export const rehearseFault = faultsOf(rehearseCatalogue);
