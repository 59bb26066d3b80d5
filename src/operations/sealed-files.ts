import { resolve } from 'node:path';
import {
  ADMITTED,
  type ArtifactRow,
  type Digest,
  digestOf,
  type LockRow,
  type SealedFiles,
  type SealedReading,
  type World,
} from '#kernel';
import { recoverSide } from '#admit';
import { readVerified } from '#bundle';
import { hasRole, parseLock } from '#project';
import { openDatabase, openStore } from '#store';
import { homePath, openHome } from '#system';
import { operationsFault } from './faults.ts';

type Role = Parameters<SealedFiles>[1];
type Options = Parameters<SealedFiles>[2];

const LOCK_LIMIT = 64 * 1024 ** 2;

/** What the inputs of a role brought (docs/spec/project.md). */
export const readSealed: SealedFiles = async (bundle, role, options, world) => {
  if (bundle.startsWith(ADMITTED)) return readAdmitted(bundle.slice(ADMITTED.length), role, options, world);
  let rows: readonly ArtifactRow[] | undefined = [];
  const { verdict, reasons, content } = await readVerified(resolve(world.cwd, bundle), options, world, (all) => {
    rows = chosen(all, role, options);
    return new Set(rows?.map(({ digest }) => digest));
  });
  if (verdict === 'refused') return { verdict, reasons };
  if (rows === undefined) return { verdict: 'too-large' };
  return { verdict: 'read', files: rows.map(({ name, digest }) => ({ name, bytes: content.get(digest)! })) };
};

async function readAdmitted(channel: string, role: Role, options: Options, world: World): Promise<SealedReading> {
  const { files, clock } = world;
  const home = await openHome(files, homePath(world, options.home === undefined ? {} : { home: options.home }));
  await recoverSide(files, home, clock);
  const database = (await files.look(home.database)) === undefined ? undefined : openDatabase(home.database);
  try {
    const head = database?.head(channel);
    if (head === undefined) throw operationsFault('sealed.not-admitted', { where: `${ADMITTED}${channel}` });
    const store = await openStore(files, home);
    const read = async (digest: Digest, limit: number): Promise<Uint8Array> => {
      const bytes = await store.read(digest, limit);
      // It may have rotten since it came.
      if (bytes === undefined || digestOf(bytes) !== digest) {
        throw operationsFault('sealed.content-lost', { where: home.store, detail: `It was ${digest}.` });
      }
      return bytes;
    };
    const rows = chosen(parseLock(await read(head.lock, LOCK_LIMIT), 'sallyport.lock').rows, role, options);
    if (rows === undefined) return { verdict: 'too-large' };
    const found: { name: string; bytes: Uint8Array }[] = [];
    for (const { name, digest, size } of rows) found.push({ name, bytes: await read(digest, size) });
    return { verdict: 'read', files: found };
  } finally {
    database?.close();
  }
}

/** Undefined: they are more than is asked for. */
function chosen(rows: readonly LockRow[], role: Role, { limit }: Options): readonly ArtifactRow[] | undefined {
  const found = rows.filter((row) => hasRole(row, role));
  return found.reduce((sum, { size }) => sum + size, 0) > limit ? undefined : found;
}
