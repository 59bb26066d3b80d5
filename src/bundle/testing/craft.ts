import { type Digest, digestOf, hexOf } from '#kernel';
import { decodeEnvelope, encodeTarHeader, isProblem, pae, STATEMENT_PAYLOAD_TYPE, tarPadding } from '#formats';
import { type Signer, signEnvelope } from '#trust';
import { type Encoder, encodeIndex, type IndexedBlob } from '../bundle-index.ts';
import {
  END,
  END_TEXT,
  ENVELOPES,
  FOLDER,
  frameName,
  INDEX,
  MARKER,
  MARKER_TEXT,
  MAX_FRAME_BYTES,
  PAE,
  rawName,
  SEAL,
  SEEK,
} from '../layout.ts';
import { seekTable } from '../reader.ts';
import { encodeSeal, type SealStatement } from '../seal-statement.ts';
import { storedForm } from '../stored-form.ts';
import { encodeFrame, ENCODER } from '../zstd-frame.ts';

export interface Member {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Places where a dishonest or broken sealer may differ from an honest one. Each gets what the honest one has. */
export interface Lies {
  readonly encoder?: (encoder: Encoder) => Encoder;
  readonly blobs?: (blobs: IndexedBlob[]) => IndexedBlob[];
  readonly index?: (bytes: Buffer) => Uint8Array;
  readonly seal?: (seal: SealStatement) => SealStatement;
  /** The in-toto statement's bytes before they are signed. */
  readonly payload?: (bytes: Buffer) => Uint8Array;
  readonly payloadType?: string;
  readonly carried?: (members: Member[]) => Member[];
  readonly envelope?: (bytes: Uint8Array) => Uint8Array;
  readonly frame?: (frame: Uint8Array, content: Uint8Array) => Uint8Array;
  /** All members between the first and the seek table. */
  readonly members?: (members: Member[]) => Member[];
  readonly seek?: (bytes: Uint8Array) => Uint8Array;
  /** The whole file. */
  readonly file?: (bytes: Buffer) => Uint8Array;
}

/** A whole bundle in memory, made by other code than the writer's, with lies where a test wants them. */
export async function craftBundle(
  lock: Uint8Array,
  contents: readonly Uint8Array[],
  signers: readonly Signer[],
  lies: Lies = {},
): Promise<Buffer> {
  const held = new Map<Digest, Uint8Array>([[digestOf(lock), lock]]);
  const others = contents.map((bytes) => ({ digest: digestOf(bytes), bytes }));
  others.sort((a, b) => (a.digest < b.digest ? -1 : 1));
  for (const { digest, bytes } of others) held.set(digest, bytes);
  const honest = [...held].map(([digest, bytes]) => ({
    digest,
    size: bytes.length,
    stored: storedForm(bytes, bytes.length),
  }));
  const encoder = { ...ENCODER, frame: MAX_FRAME_BYTES };
  const blobs = lies.blobs?.(honest) ?? honest;
  const encoded = encodeIndex(digestOf(lock), lies.encoder?.(encoder) ?? encoder, blobs);
  const indexBytes = lies.index?.(Buffer.from(encoded.bytes)) ?? encoded.bytes;
  const carried: Member[] = [{ name: 'note.txt', bytes: Buffer.from('carried\n') }];
  const seal: SealStatement = {
    index: digestOf(indexBytes),
    indexBytes: indexBytes.length,
    sealed: '2026-11-22T06:00:00Z',
    channel: 'main',
    sequence: 1,
    project: 'sample',
    site: 'low',
    destinations: [],
    rings: [],
    lock: encoded.index.lock,
    blobs: encoded.index.blobs.length,
    bytes: encoded.index.bytes,
    previous: null,
    signers: signers.map(({ keyid }) => keyid).sort(),
    carries: carried.map(({ name, bytes }) => ({ name, sha256: hexOf(digestOf(bytes)) })),
    tool: { name: 'craft', version: '0' },
  };
  const honestPayload = encodeSeal(lies.seal?.(seal) ?? seal);
  const payload = lies.payload?.(Buffer.from(honestPayload)) ?? honestPayload;
  const signed = signEnvelope(lies.payloadType ?? STATEMENT_PAYLOAD_TYPE, payload, signers);
  const envelopeBytes = lies.envelope?.(signed) ?? signed;
  const envelope = decodeEnvelope(signed);
  if (isProblem(envelope)) throw new Error(envelope.detail);
  let members: Member[] = [
    { name: SEAL, bytes: envelopeBytes },
    { name: PAE, bytes: pae(STATEMENT_PAYLOAD_TYPE, payload) },
    ...envelope.signatures.map(({ sig }, i) => ({ name: `${ENVELOPES}seal.${i}.sig`, bytes: sig })),
    ...(lies.carried?.(carried) ?? carried).map(({ name, bytes }) => ({ name: ENVELOPES + name, bytes })),
    { name: INDEX, bytes: indexBytes },
  ];
  for (const { digest, stored } of honest) {
    const bytes = held.get(digest)!;
    const hex = hexOf(digest);
    if (stored === 'raw') {
      members.push({ name: rawName(hex), bytes });
      continue;
    }
    for (let at = 0, number = 0; at < bytes.length; at += MAX_FRAME_BYTES, number++) {
      const content = bytes.subarray(at, at + MAX_FRAME_BYTES);
      const frame = await encodeFrame(content);
      members.push({ name: frameName(hex, number), bytes: lies.frame?.(frame, content) ?? frame });
    }
  }
  members = lies.members?.(members) ?? members;
  const parts: Uint8Array[] = [];
  let offset = 0;
  const offsets: number[] = [];
  const put = ({ name, bytes }: Member): void => {
    const isFirstOfBlob =
      name.startsWith(`${FOLDER}/blobs/`) && (!name.endsWith('.zst') || name.endsWith('.000000.zst'));
    if (isFirstOfBlob) offsets.push(offset);
    for (const part of [encodeTarHeader(name, bytes.length), bytes, new Uint8Array(tarPadding(bytes.length))]) {
      parts.push(part);
      offset += part.length;
    }
  };
  put({ name: MARKER, bytes: Buffer.from(MARKER_TEXT, 'utf8') });
  for (const member of members) put(member);
  const seek = seekTable(offsets);
  put({ name: SEEK, bytes: lies.seek?.(seek) ?? seek });
  put({ name: END, bytes: Buffer.from(END_TEXT, 'utf8') });
  parts.push(new Uint8Array(1024));
  const file = Buffer.concat(parts);
  return Buffer.from(lies.file?.(file) ?? file);
}
