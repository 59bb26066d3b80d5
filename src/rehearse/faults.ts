import { type Catalogue, faultsOf } from '#kernel';

export const rehearseCatalogue = {
  'rehearse.no-folder': {
    title: 'There is no such folder to rehearse.',
    fix: 'Name the folder of a project: one that holds sallyport.yaml or a lockfile.',
    kind: 'usage',
  },
  'rehearse.running': {
    title: 'Another rehearsal of this folder is running.',
    fix: 'Wait for it, or stop it (its process is named here), and run this again.',
  },
  'rehearse.step-failed': {
    title: 'A step of the rehearsal did not do what it should.',
    fix: 'Read what the step says in the report; put it right and run the same command again: what is finished is kept.',
    kind: 'reason',
  },
  'rehearse.not-tested': {
    title: 'A step could not be tried, so nothing is known about it.',
    fix: "The report says why. 'sallyport doctor' lists what this machine lacks.",
    kind: 'reason',
  },
} as const satisfies Catalogue;

export const rehearseFault = faultsOf(rehearseCatalogue);
