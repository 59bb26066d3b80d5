import { posix } from 'node:path';
import { printable } from '#kernel';
import { pypiFault } from './faults.ts';
import { type Marker, parseMarker } from './marker.ts';
import { isProjectName, normaliseName } from './names.ts';
import { parsePep440, parseSpecifiers, satisfies } from './version.ts';

/** One locked requirement. */
export interface Requirement {
  /** `requirements.txt:12`. */
  readonly where: string;
  /** Path of the file that vouches for the hashes. */
  readonly source: string;
  readonly name: string;
  readonly version: string;
  readonly marker: Marker | undefined;
  readonly hashes: readonly { readonly algorithm: 'sha256' | 'sha384' | 'sha512'; readonly value: string }[];
}

export interface Requirements {
  readonly requirements: readonly Requirement[];
  /** In place of the configured index; undefined where the file says none. */
  readonly index: string | undefined;
  readonly extraIndexes: readonly string[];
  /** Project names, or `:all:`. */
  readonly noBinary: ReadonlySet<string>;
  readonly onlyBinary: ReadonlySet<string>;
  readonly notes: readonly string[];
}

const NESTED_LIMIT = 32;
const FILE_LIMIT = 16 * 1024 * 1024;
const HASH_LENGTH = { sha256: 64, sha384: 96, sha512: 128 } as const;

interface Line {
  readonly text: string;
  readonly where: string;
}

/**
 * Reads a requirements file as pip does (pip docs, "Requirements File Format"), with the files that it names, and asks
 * that each requirement is one exact version with hashes. Throws a Fault with file and line otherwise.
 */
export async function readRequirements(
  path: string,
  bytes: Uint8Array,
  sibling: (path: string, limit: number) => Promise<Uint8Array | undefined>,
): Promise<Requirements> {
  const found: Loose[] = [];
  const constraints: Loose[] = [];
  const notes: string[] = [];
  const noBinary = new Set<string>();
  const onlyBinary = new Set<string>();
  const extraIndexes: string[] = [];
  let index: string | undefined;
  const seen = new Set<string>();

  const readFile = async (file: string, content: Uint8Array, into: Loose[]): Promise<void> => {
    const id = `${into === constraints ? 'c' : 'r'}:${file}`;
    if (seen.has(id)) return;
    seen.add(id);
    if (seen.size > NESTED_LIMIT) {
      throw pypiFault('pypi.requirements-unreadable', {
        where: file,
        detail: `More than ${NESTED_LIMIT} files name one another.`,
      });
    }
    for (const line of logicalLines(decode(content, file), file)) {
      const variable = /\$\{[A-Z0-9_]+\}/.exec(line.text)?.[0];
      if (variable !== undefined) {
        throw pypiFault('pypi.credentials', { where: line.where, detail: `It uses ${variable}.` });
      }
      if (!line.text.startsWith('-')) {
        into.push(parseLine(line, file));
        continue;
      }
      const { option, value } = optionOf(line);
      switch (option) {
        case '-r':
        case '--requirement':
        case '-c':
        case '--constraint': {
          const nested = await nestedFile(value, file, line, sibling);
          await readFile(nested.path, nested.bytes, option === '-c' || option === '--constraint' ? constraints : into);
          break;
        }
        case '-i':
        case '--index-url':
        case '--pypi-url':
          index = indexAddress(value, line);
          break;
        case '--extra-index-url':
          extraIndexes.push(indexAddress(value, line));
          break;
        case '--no-binary':
          formats(value, noBinary);
          break;
        case '--only-binary':
          formats(value, onlyBinary);
          break;
        case '--require-hashes':
        case '--prefer-binary':
        case '--pre':
        case '--no-pre':
          break;
        case '--trusted-host':
          notes.push(
            `${line.where}: pip is told to trust ${printable(value)} without TLS; capture verifies certificates and hashes all the same.`,
          );
          break;
        case '-e':
        case '--editable':
          throw pypiFault('pypi.direct-reference', { where: line.where, detail: `It is ${withoutUser(line.text)}.` });
        default:
          throw pypiFault('pypi.option', { where: line.where, detail: `It is ${printable(option)}.` });
      }
    }
  };
  await readFile(path, bytes, found);

  if (index !== undefined || extraIndexes.length > 0) {
    notes.push(
      `${path} names an index itself, which pip prefers to its configuration: inside, remove those lines or the install asks an address that is not there.`,
    );
  }
  return {
    requirements: found.map((loose) =>
      fix(
        loose,
        constraints.filter((c) => c.key === loose.key),
      ),
    ),
    index,
    extraIndexes,
    noBinary,
    onlyBinary,
    notes,
  };
}

/** A requirement before constraints have had their say. */
interface Loose {
  readonly where: string;
  readonly source: string;
  readonly key: string;
  readonly name: string;
  readonly specifiers: string;
  readonly marker: Marker | undefined;
  readonly hashes: Requirement['hashes'];
}

function fix(loose: Loose, constraints: readonly Loose[]): Requirement {
  const specifiers = [loose, ...constraints].flatMap((l) => parseSpecifiers(l.specifiers) ?? []);
  const exact = specifiers.filter((s) => (s.operator === '==' || s.operator === '===') && !s.version.endsWith('.*'));
  const version = exact[0]?.version;
  const hashes = [loose, ...constraints].flatMap((l) => l.hashes);
  if (version === undefined) {
    const said = loose.specifiers === '' ? 'no version' : `'${printable(loose.specifiers)}'`;
    throw pypiFault('pypi.not-locked', { where: loose.where, detail: `${loose.name} has ${said}.` });
  }
  if (!satisfies(version, specifiers)) {
    throw pypiFault('pypi.conflict', {
      where: loose.where,
      detail: `${loose.name}: ${specifiers.map((s) => s.operator + s.version).join(',')} cannot all hold.`,
    });
  }
  if (hashes.length === 0) {
    throw pypiFault('pypi.not-locked', { where: loose.where, detail: `${loose.name} ${version} has no --hash.` });
  }
  return { where: loose.where, source: loose.source, name: loose.name, version, marker: loose.marker, hashes };
}

/** Continuations joined and comments removed, as pip's req_file does it. */
export function logicalLines(text: string, file: string): readonly Line[] {
  const lines: Line[] = [];
  let parts: string[] = [];
  let first = 0;
  const flush = (): void => {
    const whole = parts
      .join('')
      .replace(/(^|\s+)#.*$/, '')
      .trim();
    if (whole !== '') lines.push({ text: whole, where: `${file}:${first}` });
    parts = [];
  };
  for (const [i, raw] of text.split(/\r\n|\r|\n/).entries()) {
    if (parts.length === 0) first = i + 1;
    const comment = /^\s*#/.test(raw);
    if (raw.endsWith('\\') && !comment) {
      parts.push(raw.slice(0, -1));
      continue;
    }
    // A comment line ends a continued line.
    parts.push(comment ? ` ${raw}` : raw);
    flush();
  }
  if (parts.length > 0) flush();
  return lines;
}

function parseLine({ text, where }: Line, source: string): Loose {
  const hashes: { algorithm: 'sha256' | 'sha384' | 'sha512'; value: string }[] = [];
  const unreadable = (detail: string) => pypiFault('pypi.requirements-unreadable', { where, detail });
  const options = text.search(/(?:^|\s)--?[a-z]/);
  const head = (options === -1 ? text : text.slice(0, options)).trim();
  for (const [, name = '', value = ''] of (options === -1 ? '' : text.slice(options)).matchAll(
    /(--?[a-z-]+)[=\s]+(\S+)/g,
  )) {
    if (name !== '--hash')
      throw pypiFault('pypi.option', { where, detail: `It is ${printable(name)} of one requirement.` });
    const match = /^(sha256|sha384|sha512):([0-9a-fA-F]+)$/.exec(value);
    const algorithm = match?.[1] as keyof typeof HASH_LENGTH | undefined;
    const hex = match?.[2]?.toLowerCase() ?? '';
    if (algorithm === undefined || hex.length !== HASH_LENGTH[algorithm]) {
      throw unreadable(`${printable(value)} is no sha256, sha384 or sha512 hash.`);
    }
    hashes.push({ algorithm, value: hex });
  }
  const options2 =
    options === -1
      ? ''
      : text
          .slice(options)
          .replace(/--hash[=\s]+\S+/g, '')
          .trim();
  if (options2 !== '') throw unreadable(`${printable(options2)} is not understood.`);

  if (/^(?:[a-z+]+:\/\/|git\+|\.{0,2}\/|file:)/i.test(head) || /\.(?:whl|tar\.gz|zip)(?:\s|$)/.test(head)) {
    throw pypiFault('pypi.direct-reference', { where, detail: `It is ${withoutUser(head)}.` });
  }
  const match = /^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?\s*([^;]*?)\s*(?:;\s*(.*))?$/s.exec(head);
  const name = match?.[1] ?? '';
  if (match === null || !isProjectName(name)) throw unreadable(`It is ${printable(head.slice(0, 200))}.`);
  const rest = match[3] ?? '';
  if (rest.startsWith('@')) {
    throw pypiFault('pypi.direct-reference', { where, detail: `${name} ${withoutUser(rest)}.` });
  }
  const specifiers = rest.replace(/^\((.*)\)$/, '$1').trim();
  if (parseSpecifiers(specifiers) === undefined)
    throw unreadable(`'${printable(specifiers)}' is no version specifier.`);
  const marker = match[4] === undefined ? undefined : parseMarker(match[4]);
  if (match[4] !== undefined && marker === undefined) {
    throw unreadable(`'${printable(match[4])}' is no environment marker.`);
  }
  for (const s of parseSpecifiers(specifiers) ?? []) {
    if (s.operator === '===' && parsePep440(s.version) === undefined)
      throw unreadable(`${printable(s.version)} is no version.`);
  }
  return { where, source, key: normaliseName(name), name, specifiers, marker, hashes };
}

function optionOf({ text }: Line): { option: string; value: string } {
  const match = /^(--?[A-Za-z][A-Za-z-]*)(?:\s*=\s*|\s+)?(.*)$/s.exec(text);
  const option = match?.[1] ?? text;
  // Short options may stand without a space: `-rbase.txt`.
  if (/^-[rcief]./.test(option)) return { option: option.slice(0, 2), value: text.slice(2).trim() };
  return { option, value: unquote((match?.[2] ?? '').trim()) };
}

function unquote(value: string): string {
  return /^(["']).*\1$/.test(value) ? value.slice(1, -1) : value;
}

function formats(value: string, into: Set<string>): void {
  for (const name of value.split(',').map((n) => n.trim())) {
    if (name === ':none:') into.clear();
    else if (name !== '') into.add(name === ':all:' ? name : normaliseName(name));
  }
}

function indexAddress(value: string, { where }: Line): string {
  if (!/^https?:\/\//.test(value) || !URL.canParse(value)) {
    throw pypiFault('pypi.option', { where, detail: `${withoutUser(value)} is no http or https address.` });
  }
  const url = new URL(value);
  if (url.username !== '' || url.password !== '') {
    throw pypiFault('pypi.credentials', { where, detail: `It is the address of an index at ${url.host}.` });
  }
  return url.href;
}

async function nestedFile(
  value: string,
  from: string,
  { where }: Line,
  sibling: (path: string, limit: number) => Promise<Uint8Array | undefined>,
): Promise<{ path: string; bytes: Uint8Array }> {
  if (/^[a-z+]+:\/\//i.test(value)) {
    throw pypiFault('pypi.direct-reference', { where, detail: `It is ${withoutUser(value)}.` });
  }
  const path = posix.normalize(posix.join(posix.dirname(from), value));
  const inside =
    value !== '' && !value.startsWith('/') && path !== '..' && !path.startsWith('../') && !/[\\\0]/.test(value);
  const bytes = inside ? await sibling(path, FILE_LIMIT) : undefined;
  if (bytes !== undefined) return { path, bytes };
  const detail = inside ? `It is ${printable(path)}.` : `${printable(value)} lies outside the project.`;
  throw pypiFault('pypi.missing-file', { where, detail });
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw pypiFault('pypi.requirements-unreadable', { where: file, detail: 'It is not UTF-8.' });
  }
}

function withoutUser(text: string): string {
  return printable(text.replace(/\/\/[^/@\s]*@/g, '//').slice(0, 300));
}
