import { cp, mkdir } from 'node:fs/promises';
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
}
