import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Closure, ProjectInput, Upstream, UpstreamAnswer, Wanted } from '#ecosystems';
import { ecosystemOf } from '#ecosystems/list';
import { type Digest, digestOf, homeAt, type LockRow, type Target } from '#kernel';
import { type DepotSettings, openDepot, parseListen } from '#depot';
import { openDatabase, openStore, type Store } from '#store';
import { nodeFiles } from '#system';

export const TARGETS: readonly Target[] = [{ name: 'linux-amd64', os: 'linux', arch: 'amd64' }];

/** The way out for tests: plain requests to servers on loopback, without anybody's settings. */
export function loopbackUpstream(store: Store, over: Partial<Upstream> = {}): Upstream & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    settings: async () => ({ registries: [], scopes: {} }),
    async getBytes({ url, headers = {} }, limit): Promise<UpstreamAnswer> {
      asked.push(url);
      const response = await fetch(url, { headers: { ...headers } });
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (bytes.length > limit) throw new Error(`${url} gave more than ${limit} bytes`);
      return { status: response.status, headers: Object.fromEntries(response.headers), bytes };
    },
    keep: (bytes) => store.put(bytes),
    content: store,
    report: () => undefined,
    signal: new AbortController().signal,
    ...over,
    asked,
  };
}

export function projectInput(folder: string, path: string, options: Readonly<Record<string, unknown>>): ProjectInput {
  return {
    path,
    bytes: new Uint8Array(),
    options,
    folder,
    async sibling(at, limit) {
      const bytes = await readFile(join(folder, at)).catch(() => undefined);
      if (bytes !== undefined && bytes.length > limit) throw new Error(`${at} is larger than ${limit}`);
      return bytes;
    },
  };
}

/** Fetches what a closure wants into the store, checks it, and makes the rows of a lock. */
export async function fetched(closure: Closure, store: Store, folder: string, input: string): Promise<LockRow[]> {
  const rows: LockRow[] = [];
  for (const wanted of closure.artifacts) {
    const { digest, size } = await fetchOne(wanted, store, folder);
    const { ecosystem, authority, name, version, file, targets, media, published, facts } = wanted;
    rows.push({
      row: 'artifact',
      ecosystem,
      authority,
      name,
      version,
      file,
      targets,
      digest,
      size,
      media,
      origin: wanted.sources[0]?.kind === 'file' ? wanted.sources[0].path : '',
      published,
      evidence: wanted.expected,
      inputs: [input],
      facts,
    });
  }
  for (const pointer of closure.pointers) rows.push({ row: 'pointer', ...pointer, inputs: [input] });
  return rows;
}

async function fetchOne(wanted: Wanted, store: Store, folder: string): Promise<{ digest: Digest; size: number }> {
  const [source] = wanted.sources;
  if (source === undefined) throw new Error(`${wanted.name} has no source`);
  if (source.kind === 'content') {
    return { digest: source.digest, size: (await store.size(source.digest)) ?? -1 };
  }
  const bytes =
    source.kind === 'file'
      ? await readFile(join(folder, source.path))
      : new Uint8Array(await (await fetch(source.url, { headers: { ...source.headers } })).arrayBuffer());
  const digest = await store.put(bytes);
  for (const { algorithm, value } of wanted.expected) {
    if (algorithm === 'sha256' && `sha256:${value}` !== digest) throw new Error(`${source.kind} gave ${digest}`);
  }
  if (wanted.size !== undefined && wanted.size !== bytes.length)
    throw new Error(`${wanted.name}: ${bytes.length} bytes`);
  return { digest, size: bytes.length };
}

/** A home as `admit` leaves it, for what only needs one to serve from. */
export async function emptyHome(path: string): Promise<{
  readonly path: string;
  readonly store: Store;
  publish(rows: readonly LockRow[], sequence?: number): void;
}> {
  await mkdir(join(path, 'keys'), { recursive: true, mode: 0o700 });
  const home = homeAt(path);
  const store = await openStore(nodeFiles, home);
  return {
    path,
    store,
    publish(rows, sequence = 1) {
      const database = openDatabase(home.database);
      database.publish({
        bundle: digestOf(`bundle ${sequence}`),
        lock: digestOf(`lock ${sequence}`),
        sequence,
        channel: 'main',
        sealed: '2026-11-22T06:00:00Z',
        ledgerIndex: sequence,
        rows,
        lookupKey: (ecosystem, name) => ecosystemOf(ecosystem)?.lookupKey(name) ?? name,
      });
      database.close();
    },
  };
}

/** The depot over a home, in this process. */
export async function serveHome(
  path: string,
  patience?: DepotSettings['patience'],
): Promise<{ readonly base: string; readonly notes: string[]; close(): Promise<void> }> {
  const listen = parseListen('127.0.0.1:0');
  if (listen === undefined) throw new Error('that is no address');
  const notes: string[] = [];
  const depot = await openDepot({
    files: nodeFiles,
    home: homeAt(path),
    journal: path,
    clock: { now: () => Date.now() },
    report: (event) => void (event.type === 'note' && notes.push(event.text)),
    listen,
    ...(patience === undefined ? {} : { patience }),
  });
  return { base: depot.addresses[0] ?? '', notes, close: () => depot.close() };
}

/** The depot as a process of its own, by the product's own command. */
export async function serveProcess(
  home: string,
  ...flags: string[]
): Promise<{ base: string; pid: number; stop(): Promise<number> }> {
  const command = fileURLToPath(new URL('../../../sallyport', import.meta.url));
  const child = spawn(command, ['serve', '--json', '--home', home, '--listen', '127.0.0.1:0', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  let problem = '';
  child.stderr.on('data', (chunk: Buffer) => (problem += chunk.toString()));
  const first = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended]);
  const line = String(first[0]);
  if (!line.startsWith('{')) throw new Error(`serve ended: ${problem}`);
  const { listening, pid } = JSON.parse(line) as { listening: string[]; pid: number };
  return {
    base: listening[0] ?? '',
    pid,
    async stop() {
      child.kill('SIGTERM');
      const [code] = (await ended) as [number | null];
      return code ?? -1;
    },
  };
}

/** Rows of a folder of the project, with its content in the store of a home. */
export async function filesOf(home: { readonly store: Store }, folder: string, path: string): Promise<LockRow[]> {
  const outside = await ecosystemOf('files')?.outside();
  if (outside === undefined) throw new Error('files is no ecosystem');
  const input = projectInput(folder, path, { files: path });
  return fetched(await outside.resolve(input, TARGETS, loopbackUpstream(home.store)), home.store, folder, path);
}
