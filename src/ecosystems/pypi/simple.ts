import { type Instant, instantOf, isObject } from '#kernel';
import { normaliseName } from './names.ts';

/** A file of a project, as an index tells it (Simple repository API; PEP 503, 592, 658, 691, 700, 714). */
export interface IndexFile {
  readonly filename: string;
  /** Absolute. */
  readonly url: string;
  /** Lower-case hex by algorithm name. */
  readonly hashes: ReadonlyMap<string, string>;
  readonly size: number | undefined;
  /** As upstream writes it. */
  readonly uploadTime: string | undefined;
  readonly requiresPython: string | undefined;
  /** The reason, '' where none is given; undefined where it is not yanked. */
  readonly yanked: string | undefined;
  /** Whether `<file>.metadata` exists, with its sha256 where the index says it ('' where not). */
  readonly metadata: string | undefined;
}

export interface SimplePage {
  readonly files: readonly IndexFile[];
  /** PEP 792, JSON only: kept as it is. */
  readonly status: unknown;
}

/** Largest page that is read: the largest public ones are near 20 MB. */
export const PAGE_LIMIT = 64 * 1024 * 1024;
export const JSON_TYPE = 'application/vnd.pypi.simple.v1+json';
export const HTML_TYPE = 'application/vnd.pypi.simple.v1+html';

/** Undefined where the bytes are no page of this project. `address` is what relative addresses lean on. */
export function parsePage(
  bytes: Uint8Array,
  role: 'simple-json' | 'simple-html',
  address: string,
  project: string,
): SimplePage | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  return role === 'simple-json' ? parseJson(text, address, project) : parseHtml(text, address);
}

function parseJson(text: string, address: string, project: string): SimplePage | undefined {
  let page: unknown;
  try {
    page = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(page) || !Array.isArray(page['files'])) return undefined;
  if (typeof page['name'] === 'string' && normaliseName(page['name']) !== project) return undefined;
  const version = isObject(page['meta']) ? page['meta']['api-version'] : undefined;
  if (typeof version === 'string' && !version.startsWith('1.')) return undefined;
  const files: IndexFile[] = [];
  for (const file of page['files']) {
    if (!isObject(file)) continue;
    const filename = textOf(file['filename']);
    const url = textOf(file['url']);
    if (filename === undefined || url === undefined || !isFileName(filename) || !URL.canParse(url, address)) continue;
    const yanked = file['yanked'];
    files.push({
      filename,
      url: new URL(url, address).href,
      hashes: hashesOf(file['hashes']),
      size:
        typeof file['size'] === 'number' && Number.isSafeInteger(file['size']) && file['size'] >= 0
          ? file['size']
          : undefined,
      uploadTime: textOf(file['upload-time']),
      requiresPython: textOf(file['requires-python']),
      yanked: typeof yanked === 'string' ? yanked : yanked === true ? '' : undefined,
      metadata: metadataOf(file['core-metadata'] ?? file['dist-info-metadata'] ?? file['data-dist-info-metadata']),
    });
  }
  return { files, status: page['project-status'] };
}

function hashesOf(value: unknown): ReadonlyMap<string, string> {
  const hashes = new Map<string, string>();
  if (!isObject(value)) return hashes;
  for (const [name, hex] of Object.entries(value)) {
    if (typeof hex === 'string' && /^[0-9a-fA-F]+$/.test(hex)) hashes.set(name, hex.toLowerCase());
  }
  return hashes;
}

function metadataOf(value: unknown): string | undefined {
  if (value === true) return '';
  const sha256 = hashesOf(value).get('sha256');
  return sha256 ?? (isObject(value) ? '' : undefined);
}

/** The frozen HTML form: an anchor a file. Only what the specification gives a meaning is read. */
function parseHtml(text: string, address: string): SimplePage | undefined {
  if (!/<a\s|<html|<!doctype/i.test(text)) return undefined;
  const plain = text.replace(/<!--[\s\S]*?-->/g, '');
  const base = attributesOf(/<base\s([^>]*)>/i.exec(plain)?.[1] ?? '').get('href');
  const from = base !== undefined && URL.canParse(base, address) ? new URL(base, address).href : address;
  const files: IndexFile[] = [];
  for (const match of plain.matchAll(/<a\s((?:[^>"']|"[^"]*"|'[^']*')*)>/gi)) {
    const attributes = attributesOf(match[1] ?? '');
    const href = attributes.get('href');
    if (href === undefined || !URL.canParse(href, from)) continue;
    const url = new URL(href, from);
    const hashes = new Map<string, string>();
    const fragment = /^#([a-z0-9]+)=([0-9a-fA-F]+)$/.exec(url.hash);
    if (fragment !== null) hashes.set(fragment[1] ?? '', (fragment[2] ?? '').toLowerCase());
    url.hash = '';
    const filename = decoded(url.pathname.split('/').at(-1) ?? '');
    if (filename === undefined || !isFileName(filename)) continue;
    const metadata = attributes.get('data-core-metadata') ?? attributes.get('data-dist-info-metadata');
    files.push({
      filename,
      url: url.href,
      hashes,
      size: undefined,
      uploadTime: undefined,
      requiresPython: attributes.get('data-requires-python'),
      yanked: attributes.get('data-yanked'),
      metadata: metadata === undefined ? undefined : (/^sha256=([0-9a-f]{64})$/.exec(metadata)?.[1] ?? ''),
    });
  }
  return { files, status: undefined };
}

function attributesOf(text: string): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>();
  for (const match of text.matchAll(/([a-zA-Z][\w-]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g)) {
    const name = (match[1] ?? '').toLowerCase();
    if (!attributes.has(name)) attributes.set(name, unescapeHtml(match[2] ?? match[3] ?? match[4] ?? ''));
  }
  return attributes;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescapeHtml(text: string): string {
  return text.replace(
    /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-z]+));/g,
    (whole, dec?: string, hex?: string, name?: string) => {
      if (name !== undefined) return ENTITIES[name] ?? whole;
      const point = dec === undefined ? Number.parseInt(hex ?? '', 16) : Number(dec);
      return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
    },
  );
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** PEP 700 times have up to six digits of a second; rows have none. */
export function instantOfUpload(time: string | undefined): Instant | '' {
  if (time === undefined || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(time)) return '';
  const milliseconds = Date.parse(time.replace(/\.\d+Z$/, 'Z'));
  return Number.isNaN(milliseconds) ? '' : instantOf(milliseconds);
}

function isFileName(name: string): boolean {
  return name !== '' && name.length <= 512 && name !== '.' && name !== '..' && !/[/\\\p{Cc}\p{Cs}]/u.test(name);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
