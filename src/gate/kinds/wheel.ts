import { createHash } from 'node:crypto';
import type { ByteSource, RandomBytes, ZipMember } from '#formats';
import { judgeZip, PACKAGE } from '../archive.ts';
import type { Examination } from '../examination.ts';
import { isPlainWord } from '../member-name.ts';
import { readDocument, textOf } from './document.ts';

interface Recorded {
  readonly algorithm: string;
  readonly hash: string;
  readonly size: string;
}

/** Hash algorithms that RECORD may use ("Recording installed projects": sha256 or better). */
const ALGORITHMS: ReadonlySet<string> = new Set(['sha256', 'sha384', 'sha512']);
const SIGNATURES = /\/RECORD(?:\.jws|\.p7s)?$/;

/**
 * A wheel (Python's binary distribution format 1.x): one dist-info folder whose name, METADATA and file name agree, and
 * a RECORD that lists every member with its hash.
 */
export async function judgeWheel(file: RandomBytes, fileName: string, examination: Examination): Promise<void> {
  let record: Map<string, Recorded> | undefined;
  let info: string | undefined;

  const first = async (members: readonly ZipMember[]): Promise<void> => {
    const folders = new Set(
      members.map(({ name }) => /^([^/]+\.dist-info)\//.exec(name)?.[1]).filter((name) => name !== undefined),
    );
    if (folders.size !== 1) {
      examination.found('examine.layout', '', `It has ${folders.size} dist-info folders.`);
      return;
    }
    info = [...folders][0]!;
    const parts = /^([A-Za-z0-9](?:[A-Za-z0-9._]*[A-Za-z0-9])?)-([A-Za-z0-9_.!+]+)\.dist-info$/.exec(info);
    if (parts === null) examination.found('examine.metadata-name', info, 'The name of the folder is not NAME-VERSION.');
    if (/\.whl$/i.test(fileName) && parts !== null) {
      const stated = /^([^-]+)-([^-]+)(?:-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl$/i.exec(fileName);
      if (stated === null || normal(stated[1]!) !== normal(parts[1]!) || stated[2] !== parts[2]) {
        examination.found('examine.metadata-name', info, 'The name of the file says another project or version.');
      }
    }
    const find = (name: string): ZipMember | undefined => members.find((member) => member.name === `${info}/${name}`);
    for (const [name, use] of [
      ['RECORD', (text: string) => (record = recordOf(text, examination, `${info}/RECORD`))],
      ['WHEEL', (text: string) => judgeVersion(text, examination, `${info}/WHEEL`)],
      ['METADATA', (text: string) => judgeMetadata(text, parts, examination, `${info}/METADATA`)],
    ] as const) {
      const member = find(name);
      if (member === undefined) {
        examination.found('examine.metadata', `${info}/${name}`, 'It is missing.');
        continue;
      }
      await examination.part(member.name, async () => {
        const content = member.open((bytes) => examination.spend(bytes));
        const text = textOf(await readDocument(content, member.name, examination), member.name, examination);
        if (text !== undefined) use(text);
      });
    }
  };

  const seen = new Set<string>();
  await judgeZip(file, examination, PACKAGE, {
    first,
    visit({ name, kind }) {
      if (kind !== 'file') return undefined;
      seen.add(name);
      if (record === undefined || (info !== undefined && name.startsWith(`${info}/`) && SIGNATURES.test(name)))
        return undefined;
      const due = record.get(name);
      if (due === undefined) {
        examination.found('examine.record', name, 'RECORD does not list it.');
        return undefined;
      }
      return (content) => compare(content, name, due, examination);
    },
  });
  for (const [name, { algorithm }] of record ?? []) {
    if (seen.has(name)) continue;
    examination.found(
      'examine.record',
      name,
      `RECORD lists it${algorithm === '' ? '' : ` with ${algorithm}`}, and it is not there.`,
    );
  }
}

async function compare(content: ByteSource, name: string, due: Recorded, examination: Examination): Promise<void> {
  const hash = createHash(due.algorithm);
  let size = 0;
  for (let chunk = await content.some(65536); chunk !== undefined; chunk = await content.some(65536)) {
    hash.update(chunk);
    size += chunk.length;
  }
  if (hash.digest('base64url') !== due.hash)
    examination.found('examine.record', name, 'Its hash is not the one in RECORD.');
  else if (due.size !== '' && due.size !== String(size)) {
    examination.found('examine.record', name, `It has ${size} bytes, and RECORD says ${due.size}.`);
  }
}

/** Lines of RECORD: CSV with path, `algorithm=hash` and size. */
function recordOf(text: string, examination: Examination, where: string): Map<string, Recorded> {
  const rows = new Map<string, Recorded>();
  for (const line of text.split(/\r?\n/)) {
    if (line === '') continue;
    const match = /^(?:"((?:[^"]|"")*)"|([^",]*)),(?:([a-z0-9]+)=([A-Za-z0-9_-]+))?,(\d*)$/.exec(line);
    if (match === null) {
      examination.found('examine.record', where, `This line is malformed: ${line.slice(0, 100)}`);
      continue;
    }
    const name = match[1]?.replaceAll('""', '"') ?? match[2]!;
    if (rows.has(name)) examination.found('examine.record', where, `It lists ${name.slice(0, 100)} twice.`);
    const algorithm = match[3] ?? '';
    if (algorithm === '') {
      if (SIGNATURES.test(name)) continue;
      examination.found('examine.record', where, `It gives no hash for ${name.slice(0, 100)}.`);
      continue;
    }
    if (!ALGORITHMS.has(algorithm)) {
      examination.found('examine.record', where, `It gives ${name.slice(0, 100)} a hash of the kind ${algorithm}.`);
      continue;
    }
    rows.set(name, { algorithm, hash: match[4]!, size: match[5]! });
  }
  return rows;
}

/** Fields above the first empty line, lower-cased names; a field that stands twice is undefined. */
function headersOf(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  const twice = new Set<string>();
  for (const line of (text.split(/\r?\n\r?\n/)[0] ?? '').split(/\r?\n/)) {
    const match = /^([A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (match === null) continue;
    const key = match[1]!.toLowerCase();
    if (fields.has(key)) twice.add(key);
    fields.set(key, match[2]!);
  }
  for (const key of twice) fields.delete(key);
  return fields;
}

function normal(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase();
}

function judgeVersion(text: string, examination: Examination, where: string): void {
  const version = headersOf(text).get('wheel-version') ?? '';
  if (!/^1\.\d+$/.test(version))
    examination.found('examine.metadata', where, `Its Wheel-Version is ${JSON.stringify(version)}.`);
}

function judgeMetadata(text: string, folder: RegExpExecArray | null, examination: Examination, where: string): void {
  const fields = headersOf(text);
  const name = fields.get('name') ?? '';
  const version = fields.get('version') ?? '';
  if (
    !/^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(name) ||
    (folder !== null && normal(name) !== normal(folder[1]!))
  ) {
    examination.found('examine.metadata-name', where, `Its name is ${JSON.stringify(name)}.`);
  }
  const same = folder === null || version.replaceAll('-', '_') === folder[2] || version === folder[2];
  if (
    !/^(?:\d+!)?\d[A-Za-z0-9.+_-]*$/.test(version) ||
    version.includes('..') ||
    !isPlainWord(version.replace('!', '.')) ||
    !same
  ) {
    examination.found('examine.metadata-name', where, `Its version is ${JSON.stringify(version)}.`);
  }
}
