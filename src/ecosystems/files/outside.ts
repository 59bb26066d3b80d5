import type { Closure, OutsideHalf, ProjectInput, Wanted } from '#ecosystems';
import { isObject, printable } from '#kernel';
import { filesFault } from './faults.ts';
import { walk } from './io/walk.ts';
import { isServable, mediaOf } from './name.ts';

type Entry =
  | { readonly kind: 'path'; readonly path: string; readonly name: string }
  | { readonly kind: 'url'; readonly url: string; readonly sha256: string; readonly name: string };

export const filesOutside: OutsideHalf = {
  // Any file could be one; which ones are meant only a person knows.
  recognise: () => false,

  async resolve(input): Promise<Closure> {
    const entry = entryOf(input);
    const artifacts = entry.kind === 'url' ? [fromUrl(entry, input)] : await fromProject(entry, input);
    return { artifacts, documents: [], pointers: [], notes: [] };
  },
};

/** The entry of sallyport.yaml: `files: PATH`, or `files: { url, sha256, name }`, with an optional name for both. */
export function entryOf(input: ProjectInput): Entry {
  const refuse = (detail: string): Error =>
    filesFault('files.input-malformed', { where: printable(input.path), detail });
  const given = input.options['files'] ?? input.options;
  const record = isObject(given) ? given : {};
  const name = record['name'] ?? input.options['name'];
  if (name !== undefined && typeof name !== 'string') throw refuse('name is not a text.');

  const url = record['url'];
  if (url !== undefined) {
    const sha256 = record['sha256'];
    if (typeof url !== 'string' || !/^https?:\/\//.test(url) || !URL.canParse(url)) throw refuse('url is no address.');
    if (new URL(url).username !== '' || new URL(url).password !== '') throw refuse('url holds credentials.');
    if (typeof sha256 !== 'string' || !/^(sha256:)?[0-9a-f]{64}$/.test(sha256)) {
      throw refuse('sha256 is missing or is not 64 lower-case hex digits.');
    }
    const last = new URL(url).pathname.split('/').at(-1) ?? '';
    const served = name ?? decode(last);
    if (served === undefined || !isServable(served)) {
      throw refuse('The address gives no usable name; write one with name.');
    }
    return { kind: 'url', url, sha256: sha256.replace('sha256:', ''), name: served };
  }

  const path = typeof given === 'string' ? given : (record['path'] ?? input.path);
  if (typeof path !== 'string') throw refuse('The path is not a text.');
  const clean = path.replace(/^(\.\/)+/, '').replace(/\/+$/, '');
  if (clean === '' || clean === '.' || !isServable(clean) || clean.startsWith('/')) {
    throw refuse('The path must lie below the folder of sallyport.yaml, without "..".');
  }
  if (name !== undefined && !isServable(name)) throw filesFault('files.name-refused', { where: printable(name) });
  return { kind: 'path', path: clean, name: name ?? clean };
}

async function fromProject(entry: Entry & { kind: 'path' }, input: ProjectInput): Promise<Wanted[]> {
  return (await walk(input.folder, entry.path)).map(({ path, size }) => {
    const name = entry.name + path.slice(entry.path.length);
    if (!isServable(name)) throw filesFault('files.name-refused', { where: printable(path) });
    return {
      ecosystem: 'files',
      authority: '',
      name,
      version: '',
      file: name.split('/').at(-1) ?? name,
      targets: 'any',
      sources: [{ kind: 'file', path }],
      expected: [],
      size,
      media: mediaOf(name),
      published: '',
      facts: factsOf(input),
    };
  });
}

function fromUrl(entry: Entry & { kind: 'url' }, input: ProjectInput): Wanted {
  return {
    ecosystem: 'files',
    authority: new URL(entry.url).host,
    name: entry.name,
    version: '',
    file: entry.name.split('/').at(-1) ?? entry.name,
    targets: 'any',
    sources: [{ kind: 'url', url: entry.url }],
    expected: [{ algorithm: 'sha256', value: entry.sha256, scope: 'file', source: input.path, grade: 'strong' }],
    media: mediaOf(entry.name),
    published: '',
    facts: factsOf(input),
  };
}

/** What the files are for stands with each of them, so that whoever has the bundle can tell. */
function factsOf({ options }: ProjectInput): Readonly<Record<string, string>> {
  return typeof options['role'] === 'string' ? { role: options['role'] } : {};
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
