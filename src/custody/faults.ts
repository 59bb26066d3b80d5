import { type Catalogue, faultsOf, printable, type Reason } from '#kernel';

export const custodyCatalogue = {
  'custody.serial': {
    kind: 'usage',
    title: 'This is no serial number of a medium.',
    fix: 'Write it as it stands on the medium: letters, digits, dot, underscore and hyphen, at most 64.',
  },
  'custody.not-possible': {
    kind: 'usage',
    title: 'This cannot have happened to the medium.',
    fix: "'sallyport medium list' shows where each is. A medium is registered first; one that is lost or destroyed never comes back.",
  },
  'custody.no-key': {
    kind: 'usage',
    title: 'Nobody is named who signs.',
    fix: 'Name the private key of a person who had it in hand with --key FILE.',
  },
  'custody.person': {
    kind: 'usage',
    title: 'A person who signs is not one of those whom the statement names.',
    fix: 'Say --from and --to with the names that the root has for them.',
  },
  'custody.chain-unreadable': {
    kind: 'usage',
    title: 'The file is no chain of custody.',
    fix: 'Name the file that the side before wrote beside the bundle.',
  },
  'custody.volume-unreadable': {
    title: 'The volume cannot be read from where it lies.',
    fix: 'Check the path. On a medium there must be one bundle, and nothing that a medium is refused for.',
  },
  'custody.chain': {
    kind: 'reason',
    title: 'The chain of custody is broken.',
    fix: 'A link is missing or was changed. Keep medium and chain as evidence and ask who had it in between.',
  },
  'custody.unsigned': {
    kind: 'reason',
    title: 'A link of the chain is not signed by those whom it names.',
    fix: 'Ask the person whom it names. What nobody signed says nothing about where the medium was.',
  },
  'custody.volume': {
    kind: 'reason',
    title: 'The volume is not the one that was handed over.',
    fix: 'Its bytes have changed on the way, or it is another one. Do not use it; keep it as evidence.',
  },
  'custody.medium': {
    kind: 'reason',
    title: 'The medium is not the one that the chain speaks of.',
    fix: 'The content was copied to another medium on the way. Ask who had it.',
  },
  'custody.seal': {
    kind: 'reason',
    title: 'The numbers of the seals are not those that it left with.',
    fix: 'It was opened on the way, or sealed again. Ask who had it; do not use what is on it before that is known.',
  },
  'custody.hands': {
    kind: 'reason',
    title: 'It was handed over by somebody who did not have it.',
    fix: 'A hand-over in between is missing. Ask both persons and have it recorded.',
  },
  'custody.unregistered': {
    kind: 'reason',
    title: 'The medium is not registered at this site.',
    fix: "Media that nobody registered do not come in. 'sallyport medium record registered SERIAL' is done before a medium is used, not after.",
  },
  'custody.gone': {
    kind: 'reason',
    title: 'The medium was recorded as lost or destroyed.',
    fix: 'Keep it as evidence: somebody has a medium that should not exist.',
  },
  'custody.overdue': {
    kind: 'reason',
    title: 'A medium has not come back in time.',
    fix: 'Ask who has it. If nobody knows, record it as lost.',
  },
  'custody.required': {
    kind: 'reason',
    title: 'This site takes nothing in without it.',
    fix: 'admission.yaml of the home says what has to come along: --medium SERIAL, --custody FILE, --scan FILE.',
  },
  'custody.scan': {
    kind: 'reason',
    title: 'The scanner of the site has not said that this volume is clean.',
    fix: 'Have it scanned at the station and bring what the scanner signed.',
  },
} as const satisfies Catalogue;

export const custodyFault = faultsOf(custodyCatalogue);

type ReasonCode = {
  [K in keyof typeof custodyCatalogue]: (typeof custodyCatalogue)[K] extends { kind: 'reason' } ? K : never;
}[keyof typeof custodyCatalogue];

export function reason(code: ReasonCode, where: string, detail: string): Reason {
  return { code, where: printable(where).slice(0, 300), detail: printable(detail).slice(0, 1000) };
}
