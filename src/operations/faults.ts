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
  'sealed.not-admitted': {
    kind: 'usage',
    title: 'The home has admitted nothing in this channel.',
    fix: "Name the channel as its bundles have it ('sallyport inspect BUNDLE'), and the home with --home.",
  },
  'sealed.content-lost': {
    title: 'What was admitted is no longer in the store as it was.',
    fix: "The disk, or somebody, changed it. Run 'sallyport admit' with the same bundle again, and check the disk.",
  },
  'review.sign-where': {
    kind: 'usage',
    title: 'It is not said with which key an owner signs, and into which file.',
    fix: 'Write --sign OWNER --key FILE --signature FILE, for example --signature reviews/OWNER.dsse.json beside sallyport.yaml.',
  },
  'review.no-owner': {
    kind: 'usage',
    title: 'No flow names this owner.',
    fix: "Write the owner exactly as sallyport.yaml has it; 'sallyport policy review' lists them.",
  },
  'review.day': {
    kind: 'usage',
    title: 'The day cannot be read.',
    fix: 'Write --at YYYY-MM-DD.',
  },
  'review.set': {
    kind: 'usage',
    title: 'A value for a parameter cannot be read.',
    fix: 'Write --set NAME=VALUE.',
  },
  'review.observed-unreadable': {
    kind: 'usage',
    title: 'What was observed cannot be read.',
    fix: "Name the report.json of a rehearsal, or a log with one JSON object a line: flows of Hubble or Calico, or time, from, to, port, protocol, and perhaps verdict ('allowed' or 'denied').",
  },
  'register.use-unknown': {
    kind: 'reason',
    title: 'Whether a flow is used cannot be told from what was observed.',
    fix: 'A log names pods, addresses and numbers. Declare the workload in place of its Service, and the number in place of the name of a port, or look at the log.',
  },
  'register.expired': {
    kind: 'reason',
    title: 'A declared flow has expired.',
    fix: 'Remove the flow, or let its owner and approver agree on a new day and write it in sallyport.yaml.',
  },
  'register.review-overdue': {
    kind: 'reason',
    title: 'A declared flow should have been reviewed.',
    fix: "Ask its owner whether it is still needed; then move 'review-by' and let the owner sign, or remove the flow.",
  },
  'register.due-soon': {
    kind: 'reason',
    title: 'A declared flow expires or is due for review within 30 days.',
    fix: 'Ask its owner before the day comes.',
  },
  'register.no-date': {
    kind: 'reason',
    title: 'A declared flow would stay for ever: nobody has to look at it again.',
    fix: "Write 'review-by' (or 'expires') with a day.",
  },
  'register.no-approver': {
    kind: 'reason',
    title: 'A declared flow does not say who approved it.',
    fix: "Write 'approver', somebody else than the owner.",
  },
  'register.no-ticket': {
    kind: 'reason',
    title: 'A declared flow does not say where it was asked for.',
    fix: "Write 'ticket', so that an auditor finds the request.",
  },
  'register.self-approved': {
    kind: 'reason',
    title: 'The owner of a flow approved it.',
    fix: 'Let somebody else approve it.',
  },
  'register.changed': {
    kind: 'reason',
    title: 'A flow is not as its owner signed it.',
    fix: "Show the owner what changed, and let them sign again: 'sallyport policy review --sign OWNER --key FILE --signature FILE'.",
  },
  'register.unsigned': {
    kind: 'reason',
    title: 'The owner of a flow has not signed for it.',
    fix: "Let the owner sign: 'sallyport policy review --sign OWNER --key FILE --signature FILE'.",
  },
  'register.signature-refused': {
    kind: 'reason',
    title: "An owner's signature is not accepted.",
    fix: 'Look at the reason that is named. A file that was changed by hand, or signed by a key that the root does not know, has to be signed again.',
  },
  'register.signature-unjudged': {
    kind: 'reason',
    title: 'Signatures are there, and no root to judge them by.',
    fix: 'Name a root with --root, or a home with --home.',
  },
  'register.unused': {
    kind: 'reason',
    title: 'A declared flow is not used in what was observed.',
    fix: 'Ask its owner whether it is still needed. What was observed may be too short: jobs of the end of a month, failovers.',
  },
  'register.undeclared': {
    kind: 'reason',
    title: 'The network was used, or tried, in a way that no flow declares.',
    fix: 'Declare the flow with a reason and an owner, or find out what it is and stop it.',
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
