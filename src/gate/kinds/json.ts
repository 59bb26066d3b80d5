import { parseStrictJson, type RandomBytes, type Schemas } from '#formats';
import { isObject } from '#kernel';
import type { Examination } from '../examination.ts';
import { LIMITS } from '../limits.ts';

/** A JSON document, read as strictly as signed ones, and by a schema where the caller has one. */
export async function judgeJson(bytes: RandomBytes, examination: Examination, schemas?: Schemas): Promise<void> {
  if (bytes.size > LIMITS.json) {
    examination.found('examine.document-size', '', `It has ${bytes.size} bytes; at most ${LIMITS.json} are read.`);
    return;
  }
  const document = Buffer.alloc(bytes.size);
  const count = await bytes.read(document, 0);
  const read = parseStrictJson(document.subarray(0, count), { size: LIMITS.json, depth: LIMITS.jsonDepth });
  if (!read.ok) examination.found('examine.json', read.where, read.detail);
  else {
    const wrong = schemas?.judge(read.value);
    if (wrong !== undefined) examination.found('examine.schema', wrong.where, wrong.detail);
  }
}

/** An object in a document inside a package; undefined, with a reason, where it is none. */
export function objectOf(
  bytes: Uint8Array | undefined,
  where: string,
  examination: Examination,
): { readonly [key: string]: unknown } | undefined {
  if (bytes === undefined) return undefined;
  const read = parseStrictJson(bytes, { size: LIMITS.manifest, depth: LIMITS.jsonDepth });
  if (!read.ok) {
    examination.found('examine.json', where, `${read.where}: ${read.detail}`);
    return undefined;
  }
  if (isObject(read.value)) return read.value;
  examination.found('examine.json', where, 'It is not an object.');
  return undefined;
}
