import { dirname, resolve } from 'node:path';
import { type Files, type Home, homeAt, type World } from '#kernel';
import { systemFault } from './faults.ts';

/**
 * Which folder is the side's home: `--home`, else SALLYPORT_HOME, else `.sallyport` beside sallyport.yaml, which is
 * the one named with -f or the one in the working folder.
 */
export function homePath(world: Pick<World, 'cwd' | 'env'>, options: { home?: string; file?: string } = {}): string {
  const named = options.home ?? (world.env['SALLYPORT_HOME'] === '' ? undefined : world.env['SALLYPORT_HOME']);
  if (named !== undefined) return resolve(world.cwd, named);
  const folder = options.file === undefined ? world.cwd : dirname(resolve(world.cwd, options.file));
  return resolve(folder, '.sallyport');
}

/** The home at a path, which must exist and be closed to others. Throws home.missing and home.open-mode. */
export async function openHome(files: Files, path: string): Promise<Home> {
  const home = homeAt(path);
  const look = await files.look(path);
  if (look === undefined || look.kind !== 'folder' || (await files.look(home.keys)) === undefined) {
    throw systemFault('home.missing', { where: path });
  }
  if ((look.mode & 0o077) !== 0)
    throw systemFault('home.open-mode', { where: path, detail: `Its mode is ${mode(look.mode)}.` });
  const keys = await files.look(home.keys);
  if (keys !== undefined && (keys.mode & 0o077) !== 0) {
    throw systemFault('home.open-mode', { where: home.keys, detail: `Its mode is ${mode(keys.mode)}.` });
  }
  for (const entry of await files.list(home.keys)) {
    const key = await files.look(`${home.keys}/${entry.name}`);
    if (key === undefined || (key.kind === 'file' && (key.mode & 0o077) === 0)) continue;
    throw systemFault('home.open-mode', {
      where: `${home.keys}/${entry.name}`,
      detail: `Its mode is ${mode(key.mode)}.`,
    });
  }
  return home;
}

function mode(bits: number): string {
  return `0${bits.toString(8)}`;
}
