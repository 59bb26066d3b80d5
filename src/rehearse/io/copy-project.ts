import { cp, lchown, mkdir, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { World } from '#kernel';

/** Folders of a project that are no input of it. */
const LEFT_OUT = new Set(['node_modules', '.git', '.sallyport', '.venv', '__pycache__']);

/** Copies a project as a rehearsal uses it. The copy may lie below the project itself. */
export async function copyProject(world: World, folder: string, copy: string): Promise<void> {
  await mkdir(copy);
  // Entry by entry: a copy of the whole into itself would be refused.
  for (const { name } of await world.files.list(folder)) {
    if (LEFT_OUT.has(name)) continue;
    await cp(join(folder, name), join(copy, name), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (source) => !LEFT_OUT.has(basename(source)),
    });
  }
  const [uid, gid] = [process.getuid?.(), process.getgid?.()];
  if (uid === 0 && gid !== undefined) await own(copy, uid, gid);
}

/**
 * Makes root the owner of all in a folder that nobody else has seen yet. A copy by root keeps the owners, and somebody
 * whom the enclave's user namespace does not know could not be given another one there.
 */
async function own(folder: string, uid: number, gid: number): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    await lchown(path, uid, gid);
    if (entry.isDirectory()) await own(path, uid, gid);
  }
}
