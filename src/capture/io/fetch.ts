import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  type ArtifactRow,
  describeIdentity,
  type Digest,
  digestFromHex,
  errorCode,
  errorMessage,
  type Evidence,
  type FileHandle,
  type Files,
  type Home,
  identityKey,
  isFault,
  printable,
  type Report,
} from '#kernel';
import type { Source } from '#ecosystems';
import type { Store } from '#store';
import { type DownloadSink, isAlive, makeFolderDurably, type Network, type Route, withoutSecrets } from '#system';
import { captureFault } from '../faults.ts';
import { Hashes, type Mismatch } from '../hashes.ts';
import { isInside } from '../inputs.ts';
import { artifactRow, type Job } from '../plan.ts';
import type { Journal } from './journal.ts';

/** Artifacts that are on their way at once. */
const LANES = 12;
/** Bytes of an artifact whose size nobody says. */
const LIMIT = 64 * 1024 ** 3;
const CHUNK = 1024 * 1024;
/** Bytes between two events of progress. */
const TELL = 1024 * 1024;
/** Space that is left for lock, ledger and database. */
const RESERVE = 16 * 1024 * 1024;

export interface FetchPorts {
  readonly files: Files;
  readonly home: Home;
  /** Folder of the project, for sources in it. */
  readonly folder: string;
  readonly store: Store;
  readonly network: Network;
  readonly journal: Journal;
  readonly report: Report;
  readonly signal: AbortSignal;
  /** The way out for an artifact. */
  readonly routeOf: (job: Job) => Promise<Route>;
  /** Row of an earlier lock about the same identity. */
  readonly earlier: (key: string) => ArtifactRow | undefined;
}

export interface Fetched {
  readonly rows: readonly ArtifactRow[];
  readonly fetched: { readonly count: number; readonly bytes: number };
  /** Artifacts that were in the store. */
  readonly kept: number;
}

/**
 * Brings every artifact into the store, checked against everything that is expected of it. What is finished stays when
 * it is stopped; a download that broke off goes on where it was.
 */
export async function fetchAll(jobs: readonly Job[], ports: FetchPorts): Promise<Fetched> {
  const { files, home, store, report, signal } = ports;
  const rows: ArtifactRow[] = [];
  const missing: Job[] = [];
  await inLanes(jobs, 4, signal, async (job) => {
    const digest = await inStore(job, ports);
    if (digest === undefined) missing.push(job);
    else rows.push(artifactRow(job, digest.digest, digest.size, originOf(job, digest.digest, ports)));
  });

  const kept = rows.length;
  let known = 0;
  let unknown = 0;
  for (const { size } of missing) {
    if (size === undefined) unknown += 1;
    else known += size;
  }
  if (missing.length > 0) {
    report({
      type: 'note',
      level: 'info',
      text: `${missing.length} artifacts are to be fetched: ${known} bytes${unknown === 0 ? '' : `, and ${unknown} of unknown size`}; ${kept} are in the store.`,
    });
    const { free } = await files.space(home.path);
    if (known + RESERVE > free) {
      throw captureFault('capture.no-space', {
        where: home.path,
        detail: `${known} bytes are to be fetched, ${free} are free, and ${RESERVE} are kept free.`,
      });
    }
  }
  // Large ones first, so that the last lane does not end with a large one alone.
  missing.sort((a, b) => (b.size ?? 0) - (a.size ?? 0));
  report({ type: 'step', step: 'fetch', title: `Fetch ${missing.length} artifacts` });
  const total = unknown === 0 ? { total: known } : {};
  let come = 0;
  let told = 0;
  const partials = await openPartials(files, `${home.path}/capture`, (job, length) => {
    come += length;
    if (come - told < TELL) return;
    told = come;
    report({ type: 'amount', step: 'fetch', done: come, ...total, unit: 'bytes', current: describeIdentity(job) });
  });
  let count = 0;
  let bytes = 0;
  try {
    await inLanes(missing, LANES, signal, async (job) => {
      const { digest, size, origin } = await fetchOne(job, ports, partials);
      checkEarlier(job, digest, origin, ports);
      await ports.journal.add({ key: identityKey(job), digest, size });
      rows.push(artifactRow(job, digest, size, origin));
      count += 1;
      bytes += size;
    });
  } catch (error) {
    report({ type: 'end', step: 'fetch', title: `Fetched ${count} of ${missing.length} artifacts`, ok: false });
    throw error;
  } finally {
    // Also after a failure: what is finished is named by the journal, and its name must not vanish with the power.
    await store.syncAdopted();
  }
  await partials.clear();
  report({ type: 'end', step: 'fetch', title: `Fetched ${count} artifacts, ${bytes} bytes`, ok: true });
  return { rows, fetched: { count, bytes }, kept };
}

/** The artifact's content if it is in the store already, whole and as expected. */
async function inStore(job: Job, ports: FetchPorts): Promise<{ digest: Digest; size: number } | undefined> {
  const { store } = ports;
  const candidates = new Set<Digest>();
  for (const { algorithm, scope, value } of job.expected) {
    if (algorithm === 'sha256' && scope === 'file') candidates.add(digestFromHex(value));
  }
  for (const source of job.sources) if (source.kind === 'content') candidates.add(source.digest);
  // A file of the project is cheap to read and may have changed; only content that somebody vouches for is taken as it is.
  if (job.expected.length > 0) {
    const row = ports.earlier(identityKey(job));
    if (row !== undefined) candidates.add(row.digest);
    const before = ports.journal.find(identityKey(job));
    if (before !== undefined) candidates.add(before);
  }
  for (const digest of candidates) {
    const found = await checkStored(store, digest, job.expected);
    if (found !== undefined && (job.size === undefined || job.size === found)) return { digest, size: found };
  }
  return undefined;
}

/** Size of a stored content that is whole and has every expected hash, or undefined. */
export async function checkStored(
  store: Store,
  digest: Digest,
  expected: readonly Evidence[],
): Promise<number | undefined> {
  const content = await store.open(digest);
  if (content === undefined) return undefined;
  try {
    const hashes = new Hashes(expected);
    const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(CHUNK, content.size)));
    for (let at = 0; at < content.size;) {
      const length = await content.read(buffer, at);
      if (length === 0) break;
      hashes.update(buffer.subarray(0, length));
      at += length;
    }
    const found = hashes.finish();
    return found.digest === digest && found.mismatch === undefined ? hashes.size : undefined;
  } finally {
    await content.close();
  }
}

interface One {
  readonly digest: Digest;
  readonly size: number;
  readonly origin: string;
}

async function fetchOne(job: Job, ports: FetchPorts, partials: Partials): Promise<One> {
  let last: unknown;
  for (const source of job.sources) {
    ports.signal.throwIfAborted();
    try {
      if (source.kind === 'url') return await fromUrl(job, source, ports, partials);
      if (source.kind === 'file') return await fromFile(job, source, ports);
    } catch (error) {
      // Wrong bytes stop it: to look on for a source that gives the right ones would hide that somebody gives wrong ones.
      if (
        ports.signal.aborted ||
        !isFault(error) ||
        !(error.code.startsWith('network.') || error.code === 'capture.source-missing')
      )
        throw error;
      last = error;
    }
  }
  if (isFault(last)) {
    throw captureFault('capture.source-missing', {
      where: describeFor(job),
      detail: `${last.where}: ${last.message}`,
      fix: last.fix,
    });
  }
  throw captureFault('capture.source-missing', { where: describeFor(job), detail: 'Nobody says where it is.' });
}

async function fromFile(job: Job, source: Source & { kind: 'file' }, ports: FetchPorts): Promise<One> {
  const { files, store } = ports;
  if (!isInside(source.path)) {
    throw captureFault('capture.source-missing', { where: describeFor(job), detail: 'It lies outside the project.' });
  }
  let file: FileHandle;
  try {
    file = await files.open(join(ports.folder, source.path), 'r', { follow: false });
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EISDIR'].includes(errorCode(error))) throw error;
    throw captureFault('capture.source-missing', {
      where: describeFor(job),
      detail: `${printable(source.path)} cannot be read (${errorCode(error)}).`,
    });
  }
  const incoming = await store.begin();
  try {
    const hashes = new Hashes(job.expected);
    const buffer = Buffer.allocUnsafe(CHUNK);
    for (;;) {
      ports.signal.throwIfAborted();
      const length = await file.read(buffer, hashes.size);
      if (length === 0) break;
      hashes.update(buffer.subarray(0, length));
      await incoming.write(buffer.subarray(0, length));
    }
    const found = hashes.finish();
    check(job, found.mismatch, hashes.size, source.path);
    return { digest: await incoming.commit(), size: hashes.size, origin: printable(source.path) };
  } finally {
    await incoming.abort();
    await file.close();
  }
}

async function fromUrl(
  job: Job,
  source: Source & { kind: 'url' },
  ports: FetchPorts,
  partials: Partials,
): Promise<One> {
  const { network, store } = ports;
  const route = await ports.routeOf(job);
  const origin = withoutSecrets(source.url);
  let headers = lowerCase(source.headers);
  // Without a hash nobody could tell whether two halves belong together.
  const partial = await partials.open(job, origin, job.expected.length > 0);
  const resumed = partial.size > 0;
  const download = async (): Promise<void> => {
    const limit = job.size ?? LIMIT;
    try {
      await network.download({ url: source.url, headers, route }, partial, limit);
    } catch (error) {
      const isStale = isFault(error) && error.code === 'network.refused' && error.cause === 401;
      if (!isStale || source.renew === undefined) throw error;
      headers = lowerCase(await source.renew());
      await network.download({ url: source.url, headers, route }, partial, limit);
    }
  };
  try {
    await download().catch((error: unknown) => {
      if (isFault(error) && error.code === 'network.too-large' && job.size !== undefined) {
        throw mismatched(job, 'size', `${job.size} bytes`, 'more', origin);
      }
      throw error;
    });
    let found = partial.finish();
    if (resumed && (found.mismatch !== undefined || (job.size !== undefined && partial.size !== job.size))) {
      // The earlier half may be of other bytes: once more from the start before anybody is blamed.
      await partial.restart();
      await download();
      found = partial.finish();
    }
    check(job, found.mismatch, partial.size, origin);
    const path = await partial.complete();
    await store.adopt(path, found.digest, partial.size);
    return { digest: found.digest, size: partial.size, origin };
  } catch (error) {
    await partial.leave(isFault(error) && error.code.startsWith('capture.'));
    if (errorCode(error) === 'ENOSPC' || errorCode(error) === 'EDQUOT') throw await full(ports, error);
    throw error;
  }
}

function lowerCase(headers: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
}

async function full(ports: FetchPorts, cause: unknown): Promise<Error> {
  const space = await ports.files.space(ports.home.path).catch(() => undefined);
  const detail = space === undefined ? errorMessage(cause) : `${space.free} bytes are free.`;
  return captureFault('capture.no-space', { where: ports.home.path, detail, cause });
}

function check(job: Job, mismatch: Mismatch | undefined, size: number, origin: string): void {
  if (job.size !== undefined && job.size !== size) {
    throw mismatched(job, 'size', `${job.size} bytes`, `${size} bytes`, origin);
  }
  if (mismatch !== undefined) {
    const said = mismatch.source === 'index' ? "upstream's document" : mismatch.source;
    throw mismatched(job, mismatch.algorithm, `${mismatch.expected} (${printable(said)})`, mismatch.found, origin);
  }
}

/** Content that nobody vouched for must at least be what it was the first time. */
function checkEarlier(job: Job, digest: Digest, origin: string, ports: FetchPorts): void {
  if (job.expected.length > 0 || job.sources.every(({ kind }) => kind === 'file')) return;
  const row = ports.earlier(identityKey(job));
  if (row === undefined || row.digest === digest) return;
  throw mismatched(job, 'digest', `${row.digest} (sallyport.lock, at first use)`, digest, origin);
}

function mismatched(job: Job, what: string, expected: string, found: string, origin: string): Error {
  return captureFault('capture.mismatch', {
    where: describeFor(job),
    detail: `Expected ${what} ${expected}; found ${found}; it came from ${printable(origin)}.`,
  });
}

function describeFor(job: Job): string {
  return `${printable(describeIdentity(job))} in ${printable(job.inputs.join(', '))}`;
}

/** Where content that is in the store already came from: what the lock said, else where it would be fetched. */
function originOf(job: Job, digest: Digest, ports: FetchPorts): string {
  const row = ports.earlier(identityKey(job));
  if (row !== undefined && row.digest === digest) return row.origin;
  for (const source of job.sources) {
    if (source.kind === 'url') return withoutSecrets(source.url);
    if (source.kind === 'file') return printable(source.path);
  }
  return '';
}

// ---------------------------------------------------------------------------------------------------- partial files

interface Partial extends DownloadSink {
  finish(): { readonly digest: Digest; readonly mismatch: Mismatch | undefined };
  /** Closes it, durable, and gives its path to the store. */
  complete(): Promise<string>;
  /** Closes it and leaves it for the next run, or not. */
  leave(discard: boolean): Promise<void>;
}

interface Partials {
  open(job: Job, origin: string, resumable: boolean): Promise<Partial>;
  /** Removes what earlier runs left and nobody wanted. */
  clear(): Promise<void>;
}

/** Downloads that are not finished: `<key>.<pid>.part`, and the validator of their bytes in `<key>.<pid>.from`. */
async function openPartials(files: Files, folder: string, came: (job: Job, length: number) => void): Promise<Partials> {
  await makeFolderDurably(files, folder, 0o700);
  const left = new Map<string, string>();
  for (const { name, kind } of await files.list(folder)) {
    const [, key, pid] = /^([0-9a-f]{32})\.(\d+)\.[0-9a-f]+\.part$/.exec(name) ?? [];
    if (key === undefined || kind !== 'file') continue;
    if (Number(pid) === process.pid || !isAlive(Number(pid))) left.set(key, `${folder}/${name}`);
  }

  async function open(job: Job, origin: string, resumable: boolean): Promise<Partial> {
    const key = createHash('sha256')
      .update(`${identityKey(job)}\0${origin}`)
      .digest('hex')
      .slice(0, 32);
    const path = `${folder}/${key}.${process.pid}.${randomBytes(4).toString('hex')}.part`;
    const old = left.get(key);
    left.delete(key);
    let file: FileHandle | undefined = await files.open(path, 'wx', { mode: 0o444 });
    let hashes = new Hashes(job.expected);
    let validator = '';
    if (old !== undefined) {
      if (resumable) {
        const from = await files.open(old, 'r', { follow: false });
        try {
          const buffer = Buffer.allocUnsafe(CHUNK);
          for (;;) {
            const length = await from.read(buffer, hashes.size);
            if (length === 0) break;
            await file.write(buffer.subarray(0, length), hashes.size);
            hashes.update(buffer.subarray(0, length));
          }
        } finally {
          await from.close();
        }
        const said = await files.read(fromName(old), 1024).catch(() => new Uint8Array());
        validator = Buffer.from(said).toString('latin1');
      }
      await drop(old);
    }

    return {
      get size() {
        return hashes.size;
      },
      get validator() {
        return validator;
      },
      async begin(answer) {
        validator = answer.validator;
      },
      async write(bytes) {
        await file!.write(bytes, hashes.size);
        hashes.update(bytes);
        came(job, bytes.length);
      },
      async restart() {
        await file!.truncate(0);
        hashes = new Hashes(job.expected);
        validator = '';
      },
      finish: () => hashes.finish(),
      async complete() {
        await file!.sync();
        await file!.close();
        file = undefined;
        return path;
      },
      async leave(discard) {
        if (file === undefined) return;
        await file.close();
        file = undefined;
        if (discard || !resumable || hashes.size === 0) return drop(path);
        // A hint that may be lost: without it a resumed download is only judged by its hash.
        const hint = await files.open(fromName(path), 'w', { mode: 0o600 }).catch(() => undefined);
        await hint?.write(Buffer.from(validator, 'latin1')).catch(() => undefined);
        await hint?.close();
      },
    };
  }

  async function drop(path: string): Promise<void> {
    await files.remove(path);
    await files.remove(fromName(path));
  }

  return {
    open,
    async clear() {
      for (const path of left.values()) await drop(path);
      left.clear();
    },
  };
}

function fromName(path: string): string {
  return path.replace(/\.part$/, '.from');
}

/** Runs `work` over all items, at most `lanes` at a time. After the first error no further item begins, and all end. */
export async function inLanes<T>(
  items: readonly T[],
  lanes: number,
  signal: AbortSignal,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const errors: unknown[] = [];
  const lane = async (): Promise<void> => {
    while (next < items.length && errors.length === 0 && !signal.aborted) {
      const item = items[next++] as T;
      await work(item).catch((error: unknown) => void errors.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane));
  signal.throwIfAborted();
  if (errors.length > 0) throw errors[0];
}
