import type { DepotAnswer } from '#ecosystems';
import { type Clock, type Digest, type Files, instantOf } from '#kernel';

/** One artifact that went out: a line of `served.jsonl` in the home. */
export interface Served {
  readonly at: string;
  /** Address of the client, and the name of its token where tokens are asked. */
  readonly client: string;
  readonly token?: string;
  readonly agent: string;
  readonly ecosystem: string;
  readonly path: string;
  readonly digest: Digest;
  /** Bytes of this answer, and whether they were the whole content. */
  readonly sent: number;
  readonly whole: boolean;
}

/** Something asked for that is not here: a line of `misses.jsonl`, the next capture request. */
export interface Missed {
  readonly at: string;
  readonly ecosystem: string;
  readonly name: string;
  readonly version: string;
  readonly file: string;
  readonly path: string;
  readonly agent: string;
}

export interface Journal {
  served(entry: Omit<Served, 'at'>): void;
  missed(what: NonNullable<DepotAnswer['missed']>, path: string, agent: string): void;
  /** Records cannot be written for so long that no more artifacts may go out. */
  readonly isBehind: boolean;
  readonly counts: { served: number; missed: number; bytes: number };
  /** Everything that was told so far is in the files. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Misses that are kept; more are the same few mistakes a million times. */
const MISSES_LIMIT = 10_000;
const MISSES_BYTES = 16 * 1024 * 1024;
/** A full `served.jsonl` is put aside under a number, oldest first; so many are kept. */
const SERVED_BYTES = 256 * 1024 * 1024;
const SERVED_FILES = 16;
const FLUSH_AFTER = 100;
const RETRY_AFTER = 1000;
/** Lines that wait for a disk that takes none. Beyond it nothing more is served, because nobody would know of it. */
const BACKLOG_LIMIT = 50_000;
const TEXT_LIMIT = 1024;

/** The journal in a home. Lines are written together, at most 100 ms late: one write a request would halve the speed. */
export async function openJournal(
  files: Files,
  home: string,
  clock: Clock,
  onTrouble: (error: unknown) => void,
): Promise<Journal> {
  const servedPath = `${home}/served.jsonl`;
  const missedPath = `${home}/misses.jsonl`;
  const known = await knownMisses(files, missedPath);
  let served = await files.open(servedPath, 'a', { mode: 0o600, follow: false });
  let servedSize = await served.size();
  const missed = await files.open(missedPath, 'a', { mode: 0o600, follow: false });
  const counts = { served: 0, missed: 0, bytes: 0 };
  const servedLines: string[] = [];
  const missedLines: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  const drain = async (): Promise<void> => {
    if (servedLines.length > 0) {
      const bytes = Buffer.from(servedLines.join(''));
      const count = servedLines.length;
      if (servedSize > 0 && servedSize + bytes.length > SERVED_BYTES) {
        await served.close();
        await rotate(files, servedPath);
        served = await files.open(servedPath, 'a', { mode: 0o600, follow: false });
        servedSize = 0;
      }
      await served.write(bytes);
      servedLines.splice(0, count);
      servedSize += bytes.length;
    }
    if (missedLines.length > 0) {
      const count = missedLines.length;
      await missed.write(Buffer.from(missedLines.join('')));
      missedLines.splice(0, count);
    }
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    writing = writing.catch(() => undefined).then(drain);
    return writing;
  };
  const soon = (after = FLUSH_AFTER): void => {
    timer ??= setTimeout(() => {
      flush().catch((error: unknown) => {
        onTrouble(error);
        // What was written before the disk was full may end within a line: the next attempt begins on a new one.
        if (servedLines[0]?.startsWith('\n') === false) servedLines[0] = `\n${servedLines[0]}`;
        soon(RETRY_AFTER);
      });
    }, after);
  };

  return {
    counts,
    get isBehind() {
      return servedLines.length >= BACKLOG_LIMIT;
    },
    served(entry) {
      counts.served += 1;
      counts.bytes += entry.sent;
      const line = { at: instantOf(clock.now()), ...entry, agent: cut(entry.agent), path: cut(entry.path) };
      servedLines.push(`${JSON.stringify(line satisfies Served)}\n`);
      soon();
    },
    missed(what, path, agent) {
      counts.missed += 1;
      const key = missKey(what);
      if (known.has(key) || known.size >= MISSES_LIMIT) return;
      known.add(key);
      const { ecosystem, name, version, file } = what;
      const line = {
        at: instantOf(clock.now()),
        ecosystem,
        name: cut(name),
        version: cut(version),
        file: cut(file),
        path: cut(path),
        agent: cut(agent),
      };
      missedLines.push(`${JSON.stringify(line satisfies Missed)}\n`);
      soon();
    },
    flush,
    async close() {
      await flush();
      await served.sync();
      await served.close();
      await missed.close();
    },
  };
}

async function rotate(files: Files, path: string): Promise<void> {
  await files.remove(`${path}.${SERVED_FILES}`);
  for (let i = SERVED_FILES - 1; i >= 1; i--) {
    if ((await files.look(`${path}.${i}`)) !== undefined) await files.rename(`${path}.${i}`, `${path}.${i + 1}`);
  }
  await files.rename(path, `${path}.1`);
}

async function knownMisses(files: Files, path: string): Promise<Set<string>> {
  const known = new Set<string>();
  const look = await files.look(path);
  if (look === undefined) return known;
  // A file beyond its bound (edited, or of another version) is put aside, never read whole.
  if (look.size > MISSES_BYTES) {
    await files.rename(path, `${path}.old`);
    return known;
  }
  for (const line of Buffer.from(await files.read(path, MISSES_BYTES))
    .toString('utf8')
    .split('\n')) {
    try {
      known.add(missKey(JSON.parse(line) as NonNullable<DepotAnswer['missed']>));
    } catch {
      // The last line of a process that was killed; a miss that it held will be asked again.
    }
  }
  return known;
}

function missKey(what: NonNullable<DepotAnswer['missed']>): string {
  return [what.ecosystem, what.name, what.version, what.file].map((text) => cut(String(text))).join('\0');
}

function cut(text: string): string {
  return text.length <= TEXT_LIMIT ? text : text.slice(0, TEXT_LIMIT);
}
