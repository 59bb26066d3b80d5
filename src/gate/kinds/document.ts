import type { ByteSource } from '#formats';
import type { Examination } from '../examination.ts';
import { LIMITS } from '../limits.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads a member into memory; undefined, with a reason, where it is too large. */
export async function readDocument(
  content: ByteSource,
  where: string,
  examination: Examination,
): Promise<Uint8Array | undefined> {
  const bytes = await content.rest(LIMITS.document);
  if (bytes === undefined) {
    examination.found('examine.document-size', where, `It has more than ${LIMITS.document} bytes.`);
  }
  return bytes;
}

/** Its text; undefined, with a reason, where it is not UTF-8. */
export function textOf(bytes: Uint8Array | undefined, where: string, examination: Examination): string | undefined {
  if (bytes === undefined) return undefined;
  try {
    return utf8.decode(bytes);
  } catch {
    examination.found('examine.metadata', where, 'It is not UTF-8.');
    return undefined;
  }
}
