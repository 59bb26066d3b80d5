import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import { errorMessage } from '#kernel';
import { parseStrictJson } from '#formats';
import { quickLine, quickYaml } from './quick-yaml.ts';

/**
 * The whole reader of YAML, which is needed where the quick one gives up and where a finding is placed. To load it takes
 * as long as to read a hundred manifests quickly, so it is loaded when it is needed.
 */
let whole: typeof Yaml | undefined;
function yaml(): typeof Yaml {
  return (whole ??= createRequire(import.meta.url)('yaml') as typeof Yaml);
}

/** One document of a file. */
export interface ManifestDocument {
  /** As it was named or found, with `/`. */
  readonly file: string;
  /** Of its first character in the file; the first is 1. */
  readonly line: number;
  readonly text: string;
}

/** A value in a document, by the keys that lead to it. */
export interface Place {
  readonly document: ManifestDocument;
  readonly path: readonly (string | number)[];
}

export type Decoded =
  | { readonly ok: true; readonly value: unknown }
  /** `line` of the file. */
  | { readonly ok: false; readonly line: number; readonly detail: string };

export function below(place: Place, ...path: readonly (string | number)[]): Place {
  return { document: place.document, path: [...place.path, ...path] };
}

/** The documents of a YAML file; what stands in them is not looked at yet. */
export function splitDocuments(file: string, text: string): ManifestDocument[] {
  const documents: ManifestDocument[] = [];
  let line = 1;
  let start = 0;
  const from = text.startsWith('\ufeff') ? 1 : 0;
  // At the beginning of a line `---` and `...` separate documents, in a literal block too (YAML 1.2.2, c-forbidden).
  for (const match of [...text.matchAll(/^(?:---|\.\.\.)(?=\s|$)/gm), undefined]) {
    const piece = text.slice(start === 0 ? from : start, match?.index ?? text.length);
    // Directives stand before a document, and say nothing that is not assumed here.
    const own = piece.includes('%') ? piece.replaceAll(/^%.*$/gm, '') : piece;
    if (/\S/.test(own)) documents.push({ file, line, text: own });
    if (match !== undefined) {
      for (let at = text.indexOf('\n', start); at !== -1 && at < match.index; at = text.indexOf('\n', at + 1)) line++;
    }
    start = (match?.index ?? 0) + 3;
  }
  return documents;
}

/** The value of a document as Kubernetes tools read it: YAML 1.1 without its dates and base-60 numbers. */
export function decodeDocument(document: ManifestDocument): Decoded {
  if (document.file.endsWith('.json')) {
    const read = parseStrictJson(new TextEncoder().encode(document.text));
    if (read.ok) return { ok: true, value: read.value };
    const at = Number(/character (\d+)/.exec(read.where)?.[1] ?? 0);
    const line = document.line + document.text.slice(0, at).split('\n').length - 1;
    return { ok: false, line, detail: read.detail };
  }
  const quick = quickYaml(document.text);
  if (quick !== undefined) return { ok: true, value: quick.value };
  return wholeYaml(document);
}

/** The same by the whole reader alone; tests compare the two. */
export function wholeYaml(document: ManifestDocument): Decoded {
  const lines = new (yaml().LineCounter)();
  const lineAt = (offset: number): number => document.line + lines.linePos(offset).line - 1;
  try {
    const parsed = yaml().parseDocument(document.text, { ...OPTIONS, lineCounter: lines });
    const error = parsed.errors[0];
    if (error !== undefined) return { ok: false, line: lineAt(error.pos[0]), detail: sentence(error.message) };
    return { ok: true, value: parsed.toJS({ maxAliasCount: 1000 }) as unknown };
  } catch (error) {
    // Aliases that multiply without end, or nesting deeper than the stack.
    if (!(error instanceof ReferenceError) && !(error instanceof RangeError)) throw error;
    const detail = error instanceof RangeError ? 'It is nested too deeply.' : sentence(errorMessage(error));
    return { ok: false, line: document.line, detail };
  }
}

function sentence(text: string): string {
  const first = text.split('\n')[0]!.replace(/ at line \d+, column \d+:?$/, '');
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

const EXPONENT = /^[-+]?(?:\d[\d_]*(?:\.[\d_]*)?|\.[\d_]*\d[\d_]*)[eE][-+]?\d+$/;
const OPTIONS = {
  version: '1.1',
  prettyErrors: false,
  uniqueKeys: true,
  strict: true,
  logLevel: 'silent',
  customTags: (tags: readonly unknown[]) =>
    tags
      .filter((tag) => {
        const { tag: name, format } = tag as { tag: string; format?: string };
        return name !== 'tag:yaml.org,2002:timestamp' && format !== 'TIME';
      })
      // `e0` is text: a number has a digit before its exponent.
      .map((tag) =>
        (tag as { format?: string }).format === 'EXP' ? { ...(tag as object), test: EXPONENT } : tag,
      ) as never,
} as const;

/** `file:line` of a value; where it is not there, of the nearest one around it. */
export function placeText({ document, path }: Place): string {
  const { line } = document;
  if (path.length === 0) {
    const before = /^(?:[ \t\r]*(?:#.*)?\n)*/.exec(document.text)?.[0] ?? '';
    return `${document.file}:${line + before.split('\n').length - 1}`;
  }
  const quick = document.file.endsWith('.json') ? undefined : quickLine(document.text, path);
  if (quick !== undefined) return `${document.file}:${line + quick}`;
  return wholePlaceText({ document, path });
}

/** The same by the whole reader alone; tests compare the two. */
export function wholePlaceText({ document, path }: Place): string {
  let line = document.line;
  try {
    const { parsed, lines } = positionsOf(document);
    for (let length = path.length; length > 0; length--) {
      const range = rangeOf(parsed, path.slice(0, length));
      if (range !== undefined) {
        line = document.line + lines.linePos(range).line - 1;
        break;
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return `${document.file}:${line}`;
}

/** The lines of a value as it is written, without their common indentation; at most `limit`, then `…`. */
export function sourceLines({ document, path }: Place, limit = 12): string[] {
  if (path.length === 0) return [];
  let range: readonly number[] | null | undefined;
  try {
    const node = positionsOf(document).parsed.getIn(path, true);
    range = (node as { range?: readonly number[] | null } | undefined)?.range;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  if (range === undefined || range === null) return [];
  const start = document.text.lastIndexOf('\n', range[0]! - 1) + 1;
  const lines = document.text.slice(start, range[1]).trimEnd().split('\n');
  const indent = Math.min(...lines.filter((line) => line.trim() !== '').map((line) => line.search(/\S/)));
  const shown = lines.slice(0, limit).map((line) => line.slice(Math.max(0, indent)).trimEnd());
  return lines.length > limit ? [...shown, '…'] : shown;
}

/** The one that was asked for last: findings come one after the other from the same document. */
let last:
  | { readonly document: ManifestDocument; readonly parsed: Parsed; readonly lines: Yaml.LineCounter }
  | undefined;
type Parsed = ReturnType<typeof Yaml.parseDocument>;

function positionsOf(document: ManifestDocument): { parsed: Parsed; lines: Yaml.LineCounter } {
  if (last?.document !== document) {
    const lines = new (yaml().LineCounter)();
    last = { document, parsed: yaml().parseDocument(document.text, { ...OPTIONS, lineCounter: lines }), lines };
  }
  return last;
}

/** The offset of a key, or of an item. */
function rangeOf(parsed: Parsed, path: readonly (string | number)[]): number | undefined {
  const parent = path.length === 1 ? parsed.contents : parsed.getIn(path.slice(0, -1), true);
  const last = path.at(-1);
  const items = (parent as { items?: readonly unknown[] } | null | undefined)?.items;
  if (items === undefined) return undefined;
  if (typeof last === 'number') return (items[last] as { range?: readonly number[] } | undefined)?.range?.[0];
  for (const item of items) {
    const key = (item as { key?: unknown }).key;
    if (yaml().isScalar(key) && String(key.value) === last) return key.range?.[0];
  }
  return undefined;
}
