export { decodeBase32, encodeBase32 } from './base32.ts';
export { decodeBase64, encodeBase64 } from './base64.ts';
export { isSoundEd25519 } from './ed25519-point.ts';
export {
  decodeEnvelope,
  encodeEnvelope,
  type Envelope,
  ENVELOPE_SIGNATURES_LIMIT,
  ENVELOPE_SIZE_LIMIT,
  type EnvelopeSignature,
  pae,
  SIGNATURE_SIZE_LIMIT,
} from './envelope.ts';
export {
  cosignedMessage,
  formatNote,
  formatVkey,
  isNoteName,
  type Note,
  NOTE_COSIGNATURE,
  NOTE_COSIGNATURE_MLDSA44,
  NOTE_ED25519,
  NOTE_SIGNATURES_LIMIT,
  NOTE_SIZE_LIMIT,
  noteKeyHash,
  type NoteSignature,
  noteSignatureFits,
  type OpenedNote,
  openNote,
  parseNote,
  parseVkey,
  timestamped,
  type Vkey,
} from './note.ts';
export { htmlPage, markup } from './html-page.ts';
export { readSchemas, type Schemas } from './json-schema.ts';
export { isProblem, type Problem, problem } from './problem.ts';
export { buildPurl, formatPurl, parsePurl, type Purl, purlOf, type PurlParts } from './purl.ts';
export { encodeSigstoreBundle } from './sigstore-bundle.ts';
export { decodeStatement, encodeStatement, STATEMENT_PAYLOAD_TYPE } from './statement.ts';
export { JSON_DEPTH_LIMIT, JSON_SIZE_LIMIT, type JsonLimits, parseStrictJson } from './strict-json.ts';
export {
  decodePaxSize,
  decodeTarHeader,
  encodeTarHeader,
  TAR_BLOCK,
  type TarHeader,
  tarHeaderLength,
  tarPadding,
} from './tar.ts';
export { type ArMember, arMembers } from './archive-ar.ts';
export {
  decodePaxRecords,
  isTarHeader,
  TAR_EXTENDED_LIMIT,
  type TarMember,
  tarMembers,
  type TarOddity,
  type TarType,
} from './archive-tar.ts';
export { readZip, ZIP_DIRECTORY_LIMIT, type ZipMember } from './archive-zip.ts';
export {
  ArchiveProblem,
  type ArchiveTrouble,
  ByteSource,
  type RandomBytes,
  randomBytesOf,
  sectionOf,
  sourceOf,
} from './byte-source.ts';
export { type ExpandOptions, gunzipped, inflated, ZSTD_WINDOW_LIMIT, zstdExpanded } from './compressed.ts';
export { XZ_WINDOW_LIMIT, xzExpanded } from './xz.ts';
export { needsNewer, statementNeedsNewer } from './version.ts';
export { type CertificateFields, certificatePem, certificateToSign, signedCertificate } from './x509.ts';
