import { type Happening, isObject, type Json, type JsonObject } from '#kernel';
import { type Problem, problem } from './problem.ts';
import { parseStrictJson } from './strict-json.ts';

/** Payload type of an in-toto statement in an envelope (in-toto attestation framework, envelope.md). */
export const STATEMENT_PAYLOAD_TYPE = 'application/vnd.in-toto+json';
const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
const STATEMENT_SIZE_LIMIT = 32 * 1024 * 1024;
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * An in-toto statement (v1, statement.md) as JSON with fixed key order; the predicate keeps the order that it came
 * in. Throws where the happening has no faithful JSON form, which is a bug of the caller.
 */
export function encodeStatement(happening: Happening): Uint8Array {
  const bytes = Buffer.from(
    JSON.stringify({
      _type: STATEMENT_TYPE,
      subject: happening.subject.map(({ name, digest }) => ({ name, digest: { sha256: digest.sha256 } })),
      predicateType: happening.predicateType,
      predicate: happening.predicate,
    }),
    'utf8',
  );
  const back = decodeStatement(bytes);
  if ('ok' in back) throw new TypeError(`not a statement: ${back.where} ${back.detail}`);
  return bytes;
}

/** Reads what {@link encodeStatement} writes, and statements of others whose subjects carry a sha256. */
export function decodeStatement(bytes: Uint8Array): Happening | Problem {
  const parsed = parseStrictJson(bytes, { size: STATEMENT_SIZE_LIMIT });
  if (!parsed.ok) return parsed;
  const value: Json = parsed.value;
  if (!isObject(value)) return problem('$', 'A statement is a JSON object.');
  if (value['_type'] !== STATEMENT_TYPE) return problem('$._type', `The type is not ${STATEMENT_TYPE}.`);
  const { subject, predicateType, predicate } = value;
  if (typeof predicateType !== 'string' || predicateType === '') {
    return problem('$.predicateType', 'The predicate type is missing.');
  }
  if (!isObject(predicate)) return problem('$.predicate', 'The predicate is not an object.');
  if (!Array.isArray(subject)) return problem('$.subject', 'The subject is not a list.');
  const subjects: { name: string; digest: { sha256: string } }[] = [];
  for (const [index, entry] of subject.entries()) {
    const where = `$.subject[${index}]`;
    if (!isObject(entry)) return problem(where, 'A subject is an object.');
    const { name, digest } = entry;
    if (typeof name !== 'string') return problem(`${where}.name`, 'The name is missing.');
    const sha256 = isObject(digest) ? digest['sha256'] : undefined;
    if (typeof sha256 !== 'string' || !SHA256.test(sha256)) {
      return problem(`${where}.digest.sha256`, 'The digest is not 64 lower-case hex digits.');
    }
    subjects.push({ name, digest: { sha256 } });
  }
  return { predicateType, subject: subjects, predicate: predicate as JsonObject };
}
