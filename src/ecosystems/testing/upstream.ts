import { digestOf, type ContentReader, type ContentWriter, type LockRow, type Progress } from '#kernel';
import type { ClientSettings, Closure, ProjectInput, Upstream, UpstreamAnswer, Wanted } from '#ecosystems';
import { hashOf } from './memory.ts';

/** What upstream answers to one address. */
export interface Route {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

export interface StubUpstream extends Upstream {
  /** Addresses that were asked, in order. */
  readonly asked: string[];
  readonly events: Progress[];
  /** Answers by whole address; a test may change them between two uses. */
  readonly routes: Map<string, Route>;
}

/** An upstream that answers from a table; every other address is 404. It opens no socket. */
export function stubUpstream(
  routes: Readonly<Record<string, Route | string | Uint8Array>>,
  content: ContentReader & ContentWriter,
  settings: Partial<Record<'npm' | 'pip', ClientSettings>> = {},
): StubUpstream {
  const table = new Map(
    Object.entries(routes).map(([url, route]): [string, Route] => [
      url,
      typeof route === 'string' || route instanceof Uint8Array ? { body: route } : route,
    ]),
  );
  const asked: string[] = [];
  const events: Progress[] = [];
  return {
    asked,
    events,
    routes: table,
    settings: async (client) => settings[client] ?? { registries: [], scopes: {} },
    async getBytes(request, limit): Promise<UpstreamAnswer> {
      asked.push(request.url);
      const route = table.get(request.url);
      if (route === undefined) return { status: 404, headers: {}, bytes: Buffer.from('not found') };
      const bytes = typeof route.body === 'string' ? Buffer.from(route.body, 'utf8') : route.body;
      if (bytes.length > limit) throw new Error(`${request.url} is larger than ${limit} bytes`);
      return { status: route.status ?? 200, headers: route.headers ?? {}, bytes };
    },
    keep: (bytes) => content.put(bytes),
    content,
    report: (event) => void events.push(event),
    signal: new AbortController().signal,
  };
}

/** An input of a project whose other files are given by path. */
export function projectInput(
  path: string,
  bytes: Uint8Array | string,
  files: Readonly<Record<string, Uint8Array | string>> = {},
  options: Readonly<Record<string, unknown>> = {},
): ProjectInput {
  const toBytes = (b: Uint8Array | string): Uint8Array => (typeof b === 'string' ? Buffer.from(b, 'utf8') : b);
  return {
    path,
    bytes: toBytes(bytes),
    options,
    async sibling(name, limit) {
      const found = Object.hasOwn(files, name) ? files[name] : undefined;
      if (found === undefined) return undefined;
      if (toBytes(found).length > limit) throw new Error(`${name} is larger than ${limit} bytes`);
      return toBytes(found);
    },
    folder: '/nonexistent',
  };
}

export class Mismatch extends Error {
  readonly wanted: Wanted;
  constructor(wanted: Wanted, expected: string, found: string) {
    super(`${wanted.file}: expected ${expected}, found ${found}`);
    this.wanted = wanted;
  }
}

/**
 * What capture does with a closure, in small: fetches every artifact from its first source that answers, checks it
 * against all evidence, stores it, and gives the rows of a lock. Throws Mismatch where the bytes are not the ones.
 */
export async function captured(
  closure: Closure,
  input: ProjectInput,
  upstream: StubUpstream,
  content: ContentReader & ContentWriter,
): Promise<readonly LockRow[]> {
  const inputs = [input.path];
  const rows: LockRow[] = [
    {
      row: 'input',
      ecosystem: closure.artifacts[0]?.ecosystem ?? '',
      path: input.path,
      digest: digestOf(input.bytes),
      size: input.bytes.length,
    },
  ];
  for (const wanted of closure.artifacts) {
    const fetched = await fetchFirst(wanted, input, upstream, content);
    if (fetched === undefined) throw new Error(`no source of ${wanted.file} answers`);
    const { bytes, origin } = fetched;
    if (wanted.size !== undefined && wanted.size !== bytes.length) {
      throw new Mismatch(wanted, `${wanted.size} bytes`, `${bytes.length} bytes`);
    }
    for (const e of wanted.expected) {
      if (e.scope !== 'file') continue;
      const found = hashOf(e.algorithm, bytes);
      if (found !== e.value) throw new Mismatch(wanted, `${e.algorithm} ${e.value}`, found);
    }
    const { sources: _, expected, size: __, ...identity } = wanted;
    const digest = await content.put(bytes);
    const { ecosystem, authority, name, version, file, targets, media, published, facts } = identity;
    const first = {
      algorithm: 'sha256',
      value: digest.slice(7),
      scope: 'file',
      source: 'first-use',
      grade: 'first-use',
    };
    rows.push({
      row: 'artifact',
      ecosystem,
      authority,
      name,
      version,
      file,
      targets,
      digest,
      size: bytes.length,
      media,
      origin,
      published,
      evidence: expected.length > 0 ? expected : [first as (typeof expected)[number]],
      inputs,
      facts,
    });
  }
  for (const document of closure.documents) rows.push({ row: 'document', ...document, inputs });
  for (const pointer of closure.pointers) rows.push({ row: 'pointer', ...pointer, inputs });
  return rows;
}

async function fetchFirst(
  wanted: Wanted,
  input: ProjectInput,
  upstream: StubUpstream,
  content: ContentReader,
): Promise<{ bytes: Uint8Array; origin: string } | undefined> {
  const limit = 1024 * 1024 * 1024;
  for (const source of wanted.sources) {
    if (source.kind === 'url') {
      const answer = await upstream.getBytes({ client: 'files', url: source.url, ...headersOf(source) }, limit);
      if (answer.status === 200) return { bytes: answer.bytes, origin: source.url };
    } else if (source.kind === 'file') {
      const bytes = await input.sibling(source.path, limit);
      if (bytes !== undefined) return { bytes, origin: source.path };
    } else {
      const bytes = await content.read(source.digest, limit);
      if (bytes !== undefined) return { bytes, origin: '' };
    }
  }
  return undefined;
}

function headersOf(source: { readonly headers?: Readonly<Record<string, string>> }): {
  headers?: Readonly<Record<string, string>>;
} {
  return source.headers === undefined ? {} : { headers: source.headers };
}
