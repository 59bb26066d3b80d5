import { spawnSync } from 'node:child_process';
import { mkdir, open, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { HostileCase } from './corpus/case.ts';

/** Writes a case below a folder and gives its path. */
export async function layOut(folder: string, hostile: HostileCase): Promise<string> {
  const material = hostile.make();
  const path = join(folder, hostile.extension === '' ? hostile.name : `${hostile.name}.${hostile.extension}`);
  if (material instanceof Uint8Array) {
    await writeFile(path, material);
  } else if ('holes' in material) {
    const file = await open(path, 'wx');
    await file.truncate(material.size);
    for (const { at, bytes } of material.holes) await file.write(bytes, 0, bytes.length, at);
    await file.close();
  } else {
    await mkdir(path);
    for (const [name, held] of Object.entries(material.folder)) {
      const to = join(path, name);
      await mkdir(dirname(to), { recursive: true });
      if (held instanceof Uint8Array) await writeFile(to, held);
      else if ('link' in held) await symlink(held.link, to);
      else if (spawnSync('mkfifo', [to]).status !== 0) throw new Error('mkfifo failed');
    }
  }
  return path;
}
