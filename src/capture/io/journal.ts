import { createHash } from 'node:crypto';
import { type Digest, type Files, isDigest, isObject } from '#kernel';
import { makeFolderDurably, readIfThere } from '#system';

/**
 * What a capture that has not ended yet has put into the store, so that the next one need not fetch it again. Only a
 * hint: what it names is hashed before it is believed, and a torn or lost line costs one download.
 */
export interface Journal {
  find(key: string): Digest | undefined;
  add(entry: { key: string; digest: Digest; size: number }): Promise<void>;
  /** The lock names everything now. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

const LIMIT = 256 * 1024 * 1024;

export async function openJournal(files: Files, folder: string): Promise<Journal> {
  await makeFolderDurably(files, folder, 0o700);
  const path = `${folder}/journal.jsonl`;
  const known = new Map<string, Digest>();
  const bytes = await readIfThere(files, path, LIMIT);
  for (const line of Buffer.from(bytes ?? [])
    .toString('utf8')
    .split('\n')) {
    const entry = parse(line);
    if (entry !== undefined) known.set(entry.key, entry.digest);
  }
  const file = await files.open(path, 'a', { mode: 0o600 });
  return {
    find: (key) => known.get(short(key)),
    async add({ key, digest }) {
      known.set(short(key), digest);
      // It begins with a line feed, so that a line torn by a crash spoils only itself.
      await file.write(Buffer.from(`\n${JSON.stringify({ key: short(key), digest })}\n`, 'utf8'));
    },
    async clear() {
      known.clear();
      await files.remove(path);
    },
    close: () => file.close(),
  };
}

function short(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

function parse(line: string): { key: string; digest: Digest } | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (!isObject(value)) return undefined;
    const { key, digest } = value;
    return typeof key === 'string' && isDigest(digest) ? { key, digest } : undefined;
  } catch {
    return undefined;
  }
}
