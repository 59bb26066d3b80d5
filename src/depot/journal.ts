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
  const served = await openLines(files, servedPath, SERVED_BYTES);
  const missed = await openLines(files, missedPath, Number.MAX_SAFE_INTEGER);
  const counts = { served: 0, missed: 0, bytes: 0 };
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> = Promise.resolve();

  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    writing = writing
      .catch(() => undefined)
      .then(async () => {
        await served.write();
        await missed.write();
      });
    return writing;
  };
  const soon = (after = FLUSH_AFTER): void => {
    timer ??= setTimeout(() => {
      flush().catch((error: unknown) => {
        onTrouble(error);
        soon(RETRY_AFTER);
      });
    }, after);
  };

  return {
    counts,
    get isBehind() {
      return served.waiting.length >= BACKLOG_LIMIT;
    },
    served(entry) {
      counts.served += 1;
      counts.bytes += entry.sent;
      const line = { at: instantOf(clock.now()), ...entry, agent: cut(entry.agent), path: cut(entry.path) };
      served.waiting.push(`${JSON.stringify(line satisfies Served)}\n`);
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
      missed.waiting.push(`${JSON.stringify(line satisfies Missed)}\n`);
      soon();
    },
    flush,
    async close() {
      await flush().finally(async () => {
        await served.close();
        await missed.close();
      });
    },
  };
}

interface Lines {
  readonly waiting: string[];
  /** Appends what waits. What could not be written waits on. */
  write(): Promise<void>;
  close(): Promise<void>;
}

/** A file of lines. A line that a crash or a full disk cut off is ended, so that the next one can be read. */
async function openLines(files: Files, path: string, limit: number): Promise<Lines> {
  const waiting: string[] = [];
  let size = (await files.look(path))?.size ?? 0;
  let isCut = size > 0 && !(await endsWithLine(files, path, size));
  let file = await files.open(path, 'a', { mode: 0o600, follow: false });
  return {
    waiting,
    async write() {
      if (waiting.length === 0) return;
      const count = waiting.length;
      const bytes = Buffer.from((isCut ? '\n' : '') + waiting.join(''));
      if (size > 0 && size + bytes.length > limit) {
        await file.close();
        await rotate(files, path);
        file = await files.open(path, 'a', { mode: 0o600, follow: false });
        size = 0;
      }
      isCut = true;
      await file.write(bytes);
      isCut = false;
      waiting.splice(0, count);
      size += bytes.length;
    },
    async close() {
      await file.sync().finally(() => file.close());
    },
  };
}

async function endsWithLine(files: Files, path: string, size: number): Promise<boolean> {
  const file = await files.open(path, 'r', { follow: false });
  try {
    const last = Buffer.alloc(1);
    await file.read(last, size - 1);
    return last[0] === 0x0a;
  } finally {
    await file.close();
  }
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
