import { type Catalogue, faultsOf } from '#kernel';

export const captureCatalogue = {
  'capture.mismatch': {
    title: 'What came is not what the project expects.',
    fix: 'Do not use it. Compare the artifact with what upstream and your lockfile say; if upstream published it anew, update the lockfile on purpose, otherwise tell upstream and the mirror that gave it.',
  },
  'capture.input-missing': {
    title: 'An input that sallyport.yaml names is not there.',
    fix: 'Correct the path in sallyport.yaml, or make the file.',
    kind: 'usage',
  },
  'capture.prepare-failed': {
    title: "A command of 'prepare' in sallyport.yaml did not make its input.",
    fix: "Run the command by hand in a copy of the project, put right what it complains about, and capture again. It works in an empty home; what it may reach and read is named by 'needs', 'reaches', 'posts' and 'reads' in sallyport.yaml.",
  },
  'capture.not-confined': {
    title: "This machine does not allow the namespaces in which a command of 'prepare' runs.",
    fix: "Run 'sallyport doctor' and allow user namespaces; or make the input on another machine; or, where you trust the command as you trust your shell, add --unconfined, which the ledger will say.",
  },
  'capture.input-unreadable': {
    title: 'An input of the project cannot be read.',
    fix: 'See that it is a regular file or folder that you may read.',
  },
  'capture.ecosystem-unknown': {
    title: 'sallyport.yaml names an ecosystem that is not known here.',
    fix: 'Correct the first key of the input.',
    kind: 'usage',
  },
  'capture.policy-unknown': {
    title: "An input with 'role: policy' holds something of which it is not known what it says.",
    fix: "Correct it at the line that is named ('sallyport policy map FOLDER' lists all), or keep it out of that input: inside, nobody could tell who may talk to whom.",
  },
  'capture.conflict': {
    title: 'Two inputs name the same artifact and expect different bytes.',
    fix: 'Make both inputs use the same file of it, for example by locking both anew.',
  },
  'capture.source-missing': {
    title: 'An artifact could not be had from any of its sources.',
    fix: 'See that the address is right and that it is still published; a mirror of your own may have it.',
  },
  'capture.no-space': {
    title: 'There is not enough space for what is to be fetched.',
    fix: 'Free space on the file system of the home, or use a home on a larger one (--home).',
  },
  'capture.frozen': {
    title: 'sallyport.lock and the project differ, and --frozen forbids to change it.',
    fix: "Run 'sallyport capture' without --frozen, read what changed, and commit sallyport.lock.",
    kind: 'reason',
  },
} as const satisfies Catalogue;

export const captureFault = faultsOf(captureCatalogue);
