import { randomBytes } from 'node:crypto';
import { readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, processStart } from '#system';
import { cgroupName, cgroupOwner, readHierarchies } from '../cgroups.ts';

/** The name for the cgroups of an enclave of this process. */
export async function ownCgroupName(): Promise<string> {
  return cgroupName(process.pid, await processStart(process.pid), randomBytes(4).toString('hex'));
}

/**
 * Removes the cgroups of an enclave that has ended, and those of enclaves whose process was killed. The kernel takes a
 * moment to let go of processes that have just ended; what is still not empty then is left to the next call.
 */
export async function clearCgroups(ended?: string): Promise<void> {
  const [mountinfo, membership] = await Promise.all([
    readFile('/proc/self/mountinfo', 'utf8'),
    readFile('/proc/self/cgroup', 'utf8').catch(() => ''),
  ]);
  const folders: string[] = [];
  for (const { place } of readHierarchies(mountinfo, membership)) {
    for (const name of await readdir(place).catch(() => [])) {
      const owner = cgroupOwner(name);
      if (owner === undefined) continue;
      const gone = !isAlive(owner.pid) || (await processStart(owner.pid)) !== owner.start;
      if (name === ended || gone) folders.push(join(place, name));
    }
  }
  for (let tries = 0; tries < 20; tries++) {
    const left = (await Promise.all(folders.map(removeTree))).filter((removed) => !removed).length;
    if (left === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function removeTree(folder: string): Promise<boolean> {
  try {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) await removeTree(join(folder, entry.name));
    }
    await rmdir(folder);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
