import { createHash } from 'node:crypto';
import { deflateSync, inflateSync } from 'node:zlib';
import { decodeBase32, encodeBase32 } from '#formats';
import type { Reason } from '#kernel';
import { gateFault } from '../faults.ts';

/** Releases as lines that QR codes hold (docs/spec/paper.md). Pure. */
const MARK = 'SPR1';
const PART_BYTES = 560;
const PARTS_LIMIT = 240;
const RELEASE_LIMIT = 1_048_576;
const LINE_LIMIT = 1024;
const PARTS_PER_SHEET = 6;
const LISTED = 20;

const LINE = /^SPR1([0-9]{3})([0-9]{3})([0-9A-F]{16})([A-Z2-7]{2,896})([0-9A-F]{8})$/;

/** One code: what it holds, and what is printed beside it. */
export interface PaperPart {
  readonly index: number;
  readonly sheet: number;
  readonly line: string;
  /** The last field of the line, for eyes. */
  readonly check: string;
}

function hexOf(text: string | Uint8Array, bytes: number): string {
  return createHash('sha256')
    .update(text)
    .digest('hex')
    .slice(0, 2 * bytes)
    .toUpperCase();
}

function sheetOf(index: number): number {
  return Math.ceil(index / PARTS_PER_SHEET);
}

/** The parts of a release in order; the same bytes give the same parts. Throws gate.paper-too-large. */
export function paperParts(release: Uint8Array): PaperPart[] {
  const stream = deflateSync(release, { level: 9 });
  const total = Math.ceil(stream.length / PART_BYTES);
  if (release.length > RELEASE_LIMIT || total > PARTS_LIMIT) {
    throw gateFault('gate.paper-too-large', { detail: `It has ${release.length} bytes, which make ${total} codes.` });
  }
  const digits = (value: number): string => String(value).padStart(3, '0');
  return Array.from({ length: total }, (_, i) => {
    const index = i + 1;
    const payload = encodeBase32(stream.subarray(i * PART_BYTES, index * PART_BYTES));
    const body = `${MARK}${digits(total)}${digits(index)}${hexOf(release, 8)}${payload}`;
    const check = hexOf(body, 4);
    return { index, sheet: sheetOf(index), line: `${body}${check}`, check };
  });
}

/** The release that scanned lines hold, or why they do not: what is missing or damaged is named. */
export function readPaper(scanned: string): { readonly release: Uint8Array } | { readonly reasons: readonly Reason[] } {
  const parts = new Map<number, Uint8Array>();
  const damaged: Reason[] = [];
  let first: { total: number; set: string } | undefined;
  for (const [number, raw] of scanned.split(/\r\n|\r|\n/).entries()) {
    const text = raw.trim().replace(/^\][Qq][0-9]/, '');
    if (text === '') continue;
    const where = `line ${number + 1}`;
    const line = text.length > LINE_LIMIT ? '' : text.toUpperCase();
    const [, total = '', index = '', set = '', payload = '', check = ''] = LINE.exec(line) ?? [];
    const bytes = decodeBase32(payload);
    if (total === '' || bytes === undefined || check !== hexOf(line.slice(0, -8), 4)) {
      const claim = /^SPR1[0-9]{3}([0-9]{3})/.exec(line)?.[1];
      const detail =
        claim === undefined
          ? 'It is no part of a release on paper.'
          : `It seems to be part ${Number(claim)}, on sheet ${sheetOf(Number(claim))}, and was not read well.`;
      damaged.push({ code: 'gate.paper-damaged', where, detail });
      continue;
    }
    const at = Number(index);
    const of = Number(total);
    first ??= { total: of, set };
    const known = parts.get(at);
    const isOther = known !== undefined && Buffer.compare(known, bytes) !== 0;
    if (first.set !== set || first.total !== of || isOther) {
      const detail = `Part ${at} of ${of} of ${set} is not of the same release as ${first.set} in ${first.total} parts.`;
      return { reasons: [{ code: 'gate.paper-mixed', where, detail }] };
    }
    const size = at === of ? bytes.length <= PART_BYTES : bytes.length === PART_BYTES;
    if (of < 1 || of > PARTS_LIMIT || at < 1 || at > of || !size) {
      return { reasons: [wrong(where, `It says that it is part ${at} of ${of} and holds ${bytes.length} bytes.`)] };
    }
    parts.set(at, bytes);
  }
  if (first === undefined) {
    return { reasons: [wrong('', 'No line of it is a part of a release on paper.'), ...damaged.slice(0, LISTED)] };
  }
  const missing: Reason[] = [];
  const stream: Uint8Array[] = [];
  for (let index = 1; index <= first.total; index++) {
    const bytes = parts.get(index);
    if (bytes !== undefined) stream.push(bytes);
    else {
      const where = `sheet ${sheetOf(index)}, part ${index} of ${first.total}`;
      missing.push({ code: 'gate.paper-missing', where, detail: 'No line of it was read.' });
    }
  }
  if (missing.length > 0) return { reasons: [...missing, ...damaged.slice(0, LISTED)] };
  return unpacked(Buffer.concat(stream), first.set);
}

function wrong(where: string, detail: string): Reason {
  return { code: 'gate.paper-wrong', where, detail };
}

function unpacked(stream: Buffer, set: string): { release: Uint8Array } | { reasons: Reason[] } {
  let release: Buffer;
  try {
    const options = { maxOutputLength: RELEASE_LIMIT, info: true };
    // With `info`, Node gives the engine beside the bytes: it says how much of the stream it took.
    const { buffer, engine } = inflateSync(stream, options) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    if (engine.bytesWritten !== stream.length)
      return { reasons: [wrong('', 'Something follows the end of the data.')] };
    release = buffer;
  } catch {
    return { reasons: [wrong('', `The parts do not unpack to at most ${RELEASE_LIMIT} bytes.`)] };
  }
  if (hexOf(release, 8) !== set)
    return { reasons: [wrong('', `The release is not the one with the SHA-256 ${set}….`)] };
  return { release };
}
