import { type Catalogue, faultsOf } from '#kernel';

export const operationsCatalogue = {
  usage: {
    kind: 'usage',
    title: 'The command cannot be understood.',
    fix: "'sallyport help COMMAND' lists its arguments and flags.",
  },
  'init.bad-site': {
    kind: 'usage',
    title:
      'The name of a site holds lower-case letters, digits, dots and hyphens, at most 64, and begins with a letter or digit.',
    fix: 'Choose such a name with --site. It stands in every checkpoint of the ledger and cannot be changed later.',
  },
  'init.no-folder': {
    kind: 'usage',
    title: 'The folder to initialise does not exist.',
    fix: 'Make it first, or name another one.',
  },
  'explain.unknown': {
    kind: 'usage',
    title: 'No fault and no reason has this code.',
    fix: "'sallyport explain' without a code lists all of them.",
  },
  'system.no-space': {
    title: 'The disk is full.',
    fix: 'Free some space, or put the home on a larger disk, and run the same command again: what is finished is kept.',
  },
  'system.read-only': {
    title: 'The file system is mounted read-only.',
    fix: 'Name a place that can be written, or mount it for writing. Nothing was changed.',
  },
  'system.no-permission': {
    title: 'The operating system refuses access.',
    fix: 'Look at the owner and mode of the file or folder named here, or run as the user that owns it.',
  },
  'system.not-found': {
    title: 'A file or folder that was named is not there.',
    fix: 'Check the path. Relative paths count from the working folder.',
  },
  'system.io': {
    title: 'The disk or medium gives an input/output error.',
    fix: 'Read the kernel log (dmesg) for the device; copy what can be read to another disk, and run the command again from there.',
  },
} as const satisfies Catalogue;

export const operationsFault = faultsOf(operationsCatalogue);
