import { type Catalogue, faultsOf, printable, type Reason } from '#kernel';

const MADE =
  'Do not unpack it. Whoever made it did not follow the format, which accidents rarely do: keep it as evidence and ask its source.';
const DAMAGED = 'It was damaged or cut. Fetch it again from its source and compare the digests.';
const AGAIN = 'Ask the source for one without it, or pack it again with ordinary tools.';
const LARGE = 'docs/spec/examine.md names the limits. Split it, or have it judged by hand before it crosses.';

export const gateCatalogue = {
  'gate.outward-off': {
    title: 'Nothing leaves this side: the outward gate is not configured.',
    fix: "Write release.yaml into the home ('docs/spec/release.md' describes it) when the site has decided what may leave and who has to agree.",
  },
  'gate.outward-policy': {
    title: 'The rules of the outward gate cannot be understood.',
    fix: "Mend release.yaml in the home ('docs/spec/release.md'); until then nothing leaves.",
  },
  'gate.nothing-to-release': {
    title: 'There is nothing that could be released.',
    fix: 'The ledger of this side has no entry yet.',
  },
  'gate.not-a-release': {
    kind: 'usage',
    title: 'The file is no draft of a release.',
    fix: "'sallyport release draft' writes one; it must not be changed by hand, because approvers sign its exact bytes.",
  },
  'gate.no-key': {
    kind: 'usage',
    title: 'Nobody is named who has read it.',
    fix: 'Name the private key of an approver with --key FILE.',
  },
  'gate.wanted': {
    kind: 'usage',
    title: 'A wish is not of the form that may leave.',
    fix: 'Write --want ECOSYSTEM/NAME@VERSION, for example npm/left-pad@1.3.0; names hold letters, digits and @ . _ / + ~ -.',
  },
  'gate.not-allowed': {
    kind: 'reason',
    title: 'The site does not let this leave.',
    fix: "release.yaml in the home says what may leave ('allow', 'level', 'limit').",
  },
  'gate.awaiting-approval': {
    kind: 'reason',
    title: 'Too few people have read it and agreed.',
    fix: "Each approver reads the draft and runs 'sallyport release approve DRAFT --key FILE' with a key of their own.",
  },
  'gate.release-changed': {
    kind: 'reason',
    title: 'The draft is not what was signed.',
    fix: 'Make a new draft and have it read again: what leaves is exactly what people saw.',
  },
  'gate.receipt-unsigned': {
    kind: 'reason',
    title: 'The receipt is not signed by approvers of the root.',
    fix: 'Ask the other side to release it properly; what nobody signed proves nothing.',
  },
  'gate.receipt-wrong': {
    kind: 'reason',
    title: 'The receipt does not hold.',
    fix: 'Keep it as evidence. Either it was made by somebody else, or one of the two logs has another history than it says.',
  },
  'gate.no-receipt': {
    kind: 'usage',
    title: 'No receipt is named, or two are.',
    fix: 'Name the receipt, or with --qr the text that was scanned from its sheets.',
  },
  'gate.not-released': {
    kind: 'reason',
    title: 'It was not released here.',
    fix: "Only what 'sallyport release send' let out and recorded is printed: print the file that it wrote.",
  },
  'gate.paper-too-large': {
    title: 'It is too large for paper.',
    fix: 'Draft a receipt of a lower level, or carry the file on a medium.',
  },
  'gate.paper-missing': {
    kind: 'reason',
    title: 'A part of the release on paper is missing.',
    fix: "Scan the sheet that is named again, into the same file. Where it is damaged, 'sallyport release print' inside prints the same sheets once more.",
  },
  'gate.paper-damaged': {
    kind: 'reason',
    title: 'A scanned line is not a part of a release on paper, or was not read well.',
    fix: 'Scan this code again. Lines are taken as the scanner types them: nothing in them may be mended by hand.',
  },
  'gate.paper-mixed': {
    kind: 'reason',
    title: 'Sheets of different releases were scanned together.',
    fix: 'Sort the sheets by the SHA-256 that is printed on each, and scan those of one release into one file.',
  },
  'gate.paper-wrong': {
    kind: 'reason',
    title: 'The scanned text holds no whole release.',
    fix: "Scan the sheets that 'sallyport release print' printed, into a new file. Where that does not help, keep the sheets as evidence: somebody else made them.",
  },
  'examine.not-there': {
    title: 'There is nothing at this path.',
    fix: 'Check the path and that the medium is mounted.',
  },
  'examine.read': {
    title: 'It cannot be read from where it lies.',
    fix: 'Check its permissions, and the medium; if the medium reports errors, ask for another copy.',
  },
  'examine.empty': { kind: 'reason', title: 'It is empty.', fix: DAMAGED },
  'examine.unknown-kind': {
    kind: 'reason',
    title: 'It is of no kind that can be examined here.',
    fix: 'Say with --as what it is meant to be. What cannot be read is not passed.',
  },
  'examine.wrong-kind': {
    kind: 'reason',
    title: 'It is not what it is said to be.',
    fix: 'Check that you named the right file and the right --as.',
  },
  'examine.truncated': { kind: 'reason', title: 'It ends too early.', fix: DAMAGED },
  'examine.header': { kind: 'reason', title: 'A header is not what its format demands.', fix: DAMAGED },
  'examine.extended': {
    kind: 'reason',
    title: 'Extended headers of a tar archive can be read in two ways.',
    fix: MADE,
  },
  'examine.sparse': { kind: 'reason', title: 'A member is sparse, which readers do not agree about.', fix: AGAIN },
  'examine.size-differs': { kind: 'reason', title: 'Two places give different sizes for the same thing.', fix: MADE },
  'examine.trailing': { kind: 'reason', title: 'Something follows the end.', fix: MADE },
  'examine.concatenated': {
    kind: 'reason',
    title: 'A second archive follows the first, which only some readers see.',
    fix: MADE,
  },
  'examine.prefix': { kind: 'reason', title: 'Something stands before the archive.', fix: MADE },
  'examine.overlap': { kind: 'reason', title: 'Members of a zip archive overlap.', fix: MADE },
  'examine.gap': { kind: 'reason', title: 'Bytes of the archive belong to no member.', fix: MADE },
  'examine.headers-differ': { kind: 'reason', title: 'Two headers of the same member differ.', fix: MADE },
  'examine.padding': { kind: 'reason', title: 'Bytes that only pad are not zero.', fix: MADE },
  'examine.checksum': { kind: 'reason', title: 'A checksum is wrong.', fix: DAMAGED },
  'examine.compressed': { kind: 'reason', title: 'Compressed data cannot be expanded.', fix: DAMAGED },
  'examine.unreadable': {
    kind: 'reason',
    title: 'A part is in a form that cannot be read here, so nothing is known about it.',
    fix: 'bzip2, lzma, 7z, RAR, lz4 and encrypted archives are not read. Unpack that part where that is safe, and pack it with gzip or zstd.',
  },
  'examine.name-absolute': { kind: 'reason', title: 'A name is absolute.', fix: AGAIN },
  'examine.name-parent': { kind: 'reason', title: "A name leads out by '..'.", fix: MADE },
  'examine.name-drive': { kind: 'reason', title: 'A name begins with a drive or a share of Windows.', fix: MADE },
  'examine.name-nul': { kind: 'reason', title: 'A name holds a NUL, behind which only some readers look.', fix: MADE },
  'examine.name-backslash': {
    kind: 'reason',
    title: 'A name holds a backslash, which separates folders on Windows.',
    fix: AGAIN,
  },
  'examine.name-empty': { kind: 'reason', title: 'A member has no name.', fix: MADE },
  'examine.name-dots': { kind: 'reason', title: "A name has empty parts or parts that are '.'.", fix: AGAIN },
  'examine.name-encoding': { kind: 'reason', title: 'A name is not readable as UTF-8.', fix: AGAIN },
  'examine.name-control': { kind: 'reason', title: 'A name holds control or bidirectional characters.', fix: MADE },
  'examine.name-windows': { kind: 'reason', title: 'A name means something else on Windows.', fix: AGAIN },
  'examine.name-long': { kind: 'reason', title: 'A name is too long.', fix: LARGE },
  'examine.name-deep': { kind: 'reason', title: 'A name leads through too many folders.', fix: LARGE },
  'examine.duplicate': { kind: 'reason', title: 'Two members have the same name.', fix: MADE },
  'examine.collision': {
    kind: 'reason',
    title: 'Two names are one on a file system that folds case or Unicode forms.',
    fix: AGAIN,
  },
  'examine.type-change': { kind: 'reason', title: 'A name is two things: a file, a folder or a link.', fix: MADE },
  'examine.link-outside': {
    kind: 'reason',
    title: 'A link leads outside, or its target can be read in two ways.',
    fix: MADE,
  },
  'examine.link-through': { kind: 'reason', title: 'A member would be written through a link.', fix: MADE },
  'examine.link-target': { kind: 'reason', title: 'A hard link is to no earlier file of the archive.', fix: MADE },
  'examine.link': { kind: 'reason', title: 'There is a link where packages and media have none.', fix: AGAIN },
  'examine.root-link': {
    kind: 'reason',
    title: 'The root, or a folder that the system mounts over, is a link.',
    fix: MADE,
  },
  'examine.device': { kind: 'reason', title: 'A member is a device.', fix: MADE },
  'examine.special': { kind: 'reason', title: 'A member is a FIFO, a socket or of an unknown type.', fix: MADE },
  'examine.whiteout': { kind: 'reason', title: 'A whiteout of a layer removes what it must not.', fix: MADE },
  'examine.mode': {
    kind: 'reason',
    title: 'setuid, setgid or sticky bits are dropped.',
    fix: 'Nothing, where the program works without them; they are never set inside.',
  },
  'examine.attributes': {
    kind: 'reason',
    title: 'Extended attributes or access lists are dropped.',
    fix: 'Nothing, where the program works without them; they are never set inside.',
  },
  'examine.entries': { kind: 'reason', title: 'There are too many members or names.', fix: LARGE },
  'examine.bytes': { kind: 'reason', title: 'It expands to too many bytes.', fix: LARGE },
  'examine.ratio': { kind: 'reason', title: 'It expands too far for what it is.', fix: MADE },
  'examine.nesting': { kind: 'reason', title: 'Archives are nested too deeply.', fix: LARGE },
  'examine.document-size': {
    kind: 'reason',
    title: 'A document or nested archive is too large to be judged.',
    fix: LARGE,
  },
  'examine.time': { kind: 'reason', title: 'Examining it takes too long.', fix: LARGE },
  'examine.stopped': {
    kind: 'reason',
    title: 'There are more reasons than are listed.',
    fix: 'Look at those that are listed.',
  },
  'examine.json': { kind: 'reason', title: 'A JSON document can be read in two ways, or is none.', fix: MADE },
  'examine.schema': {
    kind: 'reason',
    title: 'A JSON document does not fit its schema.',
    fix: 'Ask who made it for one that does; the place in the document is named as a JSON pointer.',
  },
  'examine.schema-unusable': {
    kind: 'usage',
    title: 'The schema cannot be used.',
    fix: 'Name with --schema the schema itself first, then every schema that it refers to, as JSON Schema draft 7; only JSON documents have one.',
  },
  'examine.layout': { kind: 'reason', title: 'The package is not laid out as its kind demands.', fix: MADE },
  'examine.metadata': { kind: 'reason', title: 'The metadata of the package are missing or malformed.', fix: MADE },
  'examine.metadata-name': {
    kind: 'reason',
    title: 'A name or version in metadata is unsafe or does not match.',
    fix: MADE,
  },
  'examine.record': {
    kind: 'reason',
    title: 'The list of contents in the package and its contents differ.',
    fix: MADE,
  },
  'examine.digest-form': {
    kind: 'reason',
    title: 'A digest is malformed or of an unknown or weak algorithm.',
    fix: MADE,
  },
  'examine.digest': { kind: 'reason', title: 'Content is not what its digest says.', fix: DAMAGED },
  'examine.descriptor': {
    kind: 'reason',
    title: 'A descriptor is malformed, or does not match its content.',
    fix: MADE,
  },
  'examine.missing': { kind: 'reason', title: 'Content that is named is not there.', fix: DAMAGED },
  'examine.unreferenced': { kind: 'reason', title: 'Content is there that nothing names.', fix: AGAIN },
  'examine.media-type': { kind: 'reason', title: 'Media types contradict each other or the content.', fix: MADE },
  'examine.two-documents': { kind: 'reason', title: 'A document is a manifest and an index at once.', fix: MADE },
  'examine.foreign-layer': {
    kind: 'reason',
    title: 'A layer lies at an address instead of here.',
    fix: 'Ask for an image that holds all of its layers.',
  },
  'examine.platform': { kind: 'reason', title: 'An image is for another platform than its index says.', fix: MADE },
  'examine.autorun': {
    kind: 'reason',
    title: 'The medium asks to run something when it is inserted.',
    fix: 'Do not insert it elsewhere; keep it as evidence.',
  },
  'examine.shortcut': {
    kind: 'reason',
    title: 'A shortcut runs code or calls out when it is shown.',
    fix: 'Do not open the folder on Windows; keep it as evidence.',
  },
} as const satisfies Catalogue;

export const gateFault = faultsOf(gateCatalogue);

export type ReasonCode = {
  [K in keyof typeof gateCatalogue]: (typeof gateCatalogue)[K] extends { kind: 'reason' } ? K : never;
}[keyof typeof gateCatalogue];

/** A reason with what came from outside made printable and bounded. */
export function reason(code: ReasonCode, where: string, detail: string): Reason {
  return { code, where: printable(where).slice(0, 300), detail: printable(detail).slice(0, 500) };
}
