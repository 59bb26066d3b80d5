import {
  type ArtifactRow,
  compareIdentity,
  compareUtf8,
  type Evidence,
  identityKey,
  isDigest,
  isInstant,
  isObject,
  type LockRow,
  printable,
} from '#kernel';
import { projectFault } from './faults.ts';

/** `sallyport.lock`, read (docs/spec/lock.md). */
export interface Lock {
  /** Sorted by kind, then by identity. */
  readonly rows: readonly LockRow[];
}

/** A lock after a merge: rows about which the two sides differ are taken out, for `capture` to resolve again. */
export interface MergedLock extends Lock {
  /** Paths of inputs that rows taken out belong to. */
  readonly unsettled: ReadonlySet<string>;
}

/** Format version that `formatLock` writes. */
const VERSION = '1.0';
export const LOCK_LIMITS = {
  /** Bytes of the whole file. */
  bytes: 512 * 1024 * 1024,
  /** Characters of one line. */
  line: 1024 * 1024,
  rows: 2_000_000,
} as const;

/** Keys of each kind of row, in the order in which they are written. */
const KEYS = {
  input: ['row', 'ecosystem', 'path', 'digest', 'size'],
  artifact: [
    'row',
    'ecosystem',
    'authority',
    'name',
    'version',
    'file',
    'targets',
    'digest',
    'size',
    'media',
    'origin',
    'published',
    'evidence',
    'inputs',
    'facts',
  ],
  document: [
    'row',
    'ecosystem',
    'authority',
    'name',
    'version',
    'file',
    'role',
    'digest',
    'size',
    'media',
    'origin',
    'inputs',
  ],
  pointer: ['row', 'ecosystem', 'authority', 'name', 'version', 'file', 'pointer', 'value', 'inputs'],
} as const satisfies Record<LockRow['row'], readonly string[]>;
const KINDS = ['input', 'artifact', 'document', 'pointer'] as const;
const EVIDENCE = ['algorithm', 'value', 'scope', 'source', 'grade'] as const;

/** Whether a row is a file of an input with this role (project.md). */
export function hasRole(row: LockRow, role: 'policy'): row is ArtifactRow {
  return row.row === 'artifact' && row.ecosystem === 'files' && row.facts['role'] === role;
}

/** Key of what a row is about: two rows with the same key say two things about one name. */
export function rowKey(row: LockRow): string {
  switch (row.row) {
    case 'input':
      return `input\0${row.ecosystem}\0${row.path}`;
    case 'artifact':
      return `artifact\0${identityKey(row)}`;
    case 'document':
      return `document\0${identityKey(row)}\0${row.role}`;
    case 'pointer':
      return `pointer\0${identityKey(row)}\0${row.pointer}`;
  }
}

function compareRows(a: LockRow, b: LockRow): number {
  const kind = KINDS.indexOf(a.row) - KINDS.indexOf(b.row);
  if (kind !== 0) return kind;
  if (a.row === 'input' && b.row === 'input')
    return compareUtf8(a.ecosystem, b.ecosystem) || compareUtf8(a.path, b.path);
  if (a.row === 'input' || b.row === 'input') return 0;
  const identity = compareIdentity(a, b);
  if (identity !== 0) return identity;
  if (a.row === 'document' && b.row === 'document') return compareUtf8(a.role, b.role);
  if (a.row === 'pointer' && b.row === 'pointer') return compareUtf8(a.pointer, b.pointer);
  return 0;
}

/** One row as the line that stands for it, without the line feed. Keys that this version does not know follow, sorted. */
export function formatRow(row: LockRow): string {
  const keys: readonly string[] = KEYS[row.row];
  const record = row as unknown as Record<string, unknown>;
  const parts: string[] = [];
  const add = (key: string, value: unknown): void => {
    parts.push(`${JSON.stringify(key)}:${JSON.stringify(value)}`);
  };
  for (const key of keys) {
    if (key === 'facts') add(key, sorted(record[key] as Record<string, unknown>));
    else if (key === 'evidence') add(key, (record[key] as Evidence[]).map(inEvidenceOrder));
    else add(key, record[key]);
  }
  for (const key of Object.keys(record).sort(compareUtf8)) {
    if (!keys.includes(key) && record[key] !== undefined) add(key, record[key]);
  }
  return `{${parts.join(',')}}`;
}

function inEvidenceOrder(evidence: Evidence): Record<string, unknown> {
  const record = evidence as unknown as Record<string, unknown>;
  const known = EVIDENCE.map((key): [string, unknown] => [key, record[key]]);
  const others = Object.entries(record).filter(([key]) => !(EVIDENCE as readonly string[]).includes(key));
  return Object.fromEntries([...known, ...others.sort(([a], [b]) => compareUtf8(a, b))]);
}

function sorted(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => compareUtf8(a, b)));
}

/** The canonical bytes of a lock: the same rows give the same bytes, in whatever order they come. */
export function formatLock(lock: Lock): Uint8Array {
  const lines = [`{"sallyport-lock":"${VERSION}","critical":[]}`];
  for (const row of [...lock.rows].sort(compareRows)) lines.push(formatRow(row));
  return Buffer.from(`${lines.join('\n')}\n`, 'utf8');
}

/**
 * Reads a lock. Every line must be exactly as `formatLock` writes it; lines may stand in any order and an identical
 * line may stand twice, because that is what a union merge leaves. `where` names the file in faults.
 */
export function parseLock(bytes: Uint8Array, where: string): Lock {
  return { rows: settle(readLines(bytes, where), where, false).rows };
}

/**
 * The same for `capture`: where a merge left two inputs, documents, pointers or artifacts of one name, both are taken
 * out and their inputs marked. Two digests of one artifact stay a fault, because they never come from a merge alone.
 */
export function parseMergedLock(bytes: Uint8Array, where: string): MergedLock {
  return settle(readLines(bytes, where), where, true);
}

interface Line {
  readonly row: LockRow;
  readonly number: number;
}

function settle(lines: readonly Line[], where: string, merged: boolean): MergedLock {
  const first = new Map<string, Line>();
  const dropped = new Set<string>();
  const unsettled = new Set<string>();
  for (const line of lines) {
    const key = rowKey(line.row);
    const before = first.get(key);
    if (before === undefined) {
      first.set(key, line);
      continue;
    }
    if (formatRow(before.row) === formatRow(line.row)) continue;
    const twoContents =
      before.row.row === 'artifact' && line.row.row === 'artifact' && before.row.digest !== line.row.digest;
    if (!merged || twoContents) {
      throw projectFault('lock.duplicate', {
        where: `${where}:${line.number}`,
        detail: `Lines ${before.number} and ${line.number} are both about ${nameOf(line.row)}${twoContents ? ' and give it two digests' : ''}.`,
      });
    }
    dropped.add(key);
    for (const { row } of [before, line])
      for (const path of row.row === 'input' ? [row.path] : row.inputs) unsettled.add(path);
  }
  const rows = [...first].filter(([key]) => !dropped.has(key)).map(([, { row }]) => row);
  return { rows: rows.sort(compareRows), unsettled };
}

function nameOf(row: LockRow): string {
  if (row.row === 'input') return `the input ${printable(row.path)}`;
  return printable([row.ecosystem, row.name, row.version, row.file].filter((part) => part !== '').join(' '));
}

function readLines(bytes: Uint8Array, where: string): Line[] {
  const fail = (number: number, detail: string): Error =>
    projectFault('lock.malformed', { where: `${where}:${number}`, detail });
  if (bytes.length > LOCK_LIMITS.bytes) throw fail(1, `The file is larger than ${LOCK_LIMITS.bytes} bytes.`);
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf)
    throw fail(1, 'The file begins with a byte order mark.');
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const lines: Line[] = [];
  let number = 0;
  let start = 0;
  while (start < buffer.length) {
    number += 1;
    const end = buffer.indexOf(0x0a, start);
    if (end < 0) throw fail(number, 'The last line does not end: the file was cut off.');
    if (end - start > LOCK_LIMITS.line) throw fail(number, `The line is longer than ${LOCK_LIMITS.line} bytes.`);
    if (number > LOCK_LIMITS.rows) throw fail(number, `There are more than ${LOCK_LIMITS.rows} lines.`);
    const raw = buffer.subarray(start, end);
    start = end + 1;
    let line: string;
    try {
      line = decoder.decode(raw);
    } catch {
      throw fail(number, 'The line is not UTF-8.');
    }
    if (/^(?:<{7}|={7}|>{7}|\|{7})(?: |\r?$)/.test(line))
      throw projectFault('lock.conflict', { where: `${where}:${number}` });
    if (line.endsWith('\r')) throw fail(number, 'The line ends in CR LF; lines end in LF.');
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw fail(number, 'The line is not JSON.');
    }
    if (number === 1) {
      header(value, line, where);
      continue;
    }
    const trouble = troubleOf(value);
    if (trouble !== undefined) throw fail(number, trouble);
    const row = value as LockRow;
    if (formatRow(row) !== line) {
      throw fail(number, 'Keys, spaces or escapes are not as they are written by capture, or a key stands twice.');
    }
    lines.push({ row, number });
  }
  if (number === 0) throw fail(1, 'The file is empty.');
  return lines;
}

function header(value: unknown, line: string, where: string): void {
  const at = `${where}:1`;
  if (!isObject(value) || typeof value['sallyport-lock'] !== 'string' || !Array.isArray(value['critical'])) {
    throw projectFault('lock.malformed', { where: at, detail: 'The first line does not say which format this is.' });
  }
  const version = value['sallyport-lock'];
  if (!/^1\.(?:0|[1-9]\d{0,3})$/.test(version)) {
    throw projectFault('lock.version', {
      where: at,
      detail: `It says ${printable(JSON.stringify(version))}; known is ${VERSION}.`,
    });
  }
  const [unknown] = value['critical'] as unknown[];
  if (unknown !== undefined) {
    throw projectFault('lock.version', {
      where: at,
      detail: `It needs ${printable(JSON.stringify(unknown))}, which is not known here.`,
    });
  }
  if (JSON.stringify(value) !== line || Object.hasOwn(value, '__proto__')) {
    throw projectFault('lock.malformed', { where: at, detail: 'The first line is not as capture writes it.' });
  }
}

/** What is wrong with a value that should be a row, in words. */
function troubleOf(value: unknown): string | undefined {
  if (!isObject(value)) return 'The line is not a JSON object.';
  if (!plain(value, 0)) return 'The line holds a lone surrogate, a key __proto__, or is nested too deep.';
  const kind = KINDS.find((one) => one === value['row']);
  if (kind === undefined) return `The row kind ${printable(JSON.stringify(value['row'] ?? null))} is not known.`;
  for (const key of KEYS[kind]) {
    if (!Object.hasOwn(value, key)) return `The key '${key}' is missing.`;
    if (!rules[key]!(value[key])) return `The value of '${key}' is not as it must be.`;
  }
  if (value['ecosystem'] === '') return "The value of 'ecosystem' is not as it must be.";
  return undefined;
}

const isText = (value: unknown): boolean => typeof value === 'string' && !value.includes('\0');
const isSortedSet = (value: unknown, least: number): boolean =>
  Array.isArray(value) &&
  value.length >= least &&
  value.every((one, i) => isText(one) && (i === 0 || compareUtf8(value[i - 1] as string, one as string) < 0));

const rules: Readonly<Record<string, (value: unknown) => boolean>> = {
  row: isText,
  ecosystem: isText,
  path: (value) => isText(value) && value !== '',
  digest: isDigest,
  size: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  authority: isText,
  name: (value) => isText(value) && value !== '',
  version: isText,
  file: isText,
  targets: (value) => value === 'any' || isSortedSet(value, 1),
  media: isText,
  origin: isText,
  published: (value) => value === '' || isInstant(value),
  evidence: (value) => Array.isArray(value) && value.length > 0 && value.every(isEvidence),
  inputs: (value) => isSortedSet(value, 1),
  facts: (value) => isObject(value) && Object.values(value).every(isText),
  role: (value) => isText(value) && value !== '',
  pointer: (value) => isText(value) && value !== '',
  value: isText,
};

function isEvidence(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { algorithm, value: hash, scope, source, grade } = value;
  if (!isText(source) || source === '' || typeof hash !== 'string') return false;
  if (!['file', 'tree', 'archive-of'].includes(scope as string)) return false;
  if (!['strong', 'weak', 'first-use'].includes(grade as string)) return false;
  const digits = { md5: 32, sha1: 40, sha256: 64, sha384: 96, sha512: 128 }[algorithm as string];
  if (digits !== undefined) return hash.length === digits && /^[0-9a-f]+$/.test(hash);
  return (algorithm === 'h1' || algorithm === 'yarn-zip') && hash !== '';
}

/** Well-formed text everywhere, no key that JavaScript treats apart, a bounded depth. */
function plain(value: unknown, depth: number): boolean {
  if (depth > 16) return false;
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every((one) => plain(one, depth + 1));
  return Object.entries(value).every(
    ([key, one]) => key !== '__proto__' && key.isWellFormed() && plain(one, depth + 1),
  );
}
