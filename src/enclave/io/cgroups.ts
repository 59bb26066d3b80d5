import { randomBytes } from 'node:crypto';
import { readdir, readFile, readlink, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isAlive, processStart } from '#system';
import { cgroupName, cgroupOwner, readHierarchies } from '../cgroups.ts';

/** As deep as a user's session lies below the mount point. */
const DEPTH = 6;

/** The name for the cgroups of an enclave of this process. */
export async function ownCgroupName(): Promise<string> {
  return cgroupName(process.pid, await processStart(process.pid), await processSpace(), randomBytes(4).toString('hex'));
}

/** The number of this process's PID namespace: what numbers of processes mean outside of it nobody here can tell. */
async function processSpace(): Promise<string> {
  const link = await readlink('/proc/self/ns/pid').catch(() => '');
  return /\[(\d+)\]$/.exec(link)?.[1] ?? '0';
}

/**
 * Removes the cgroups of an enclave that has ended, and those of enclaves whose process was killed: where they would be
 * made now, and at the end, when there is time for it, wherever another session has made them. The kernel takes a moment
 * to let go of processes that have just ended; what is still not empty then is left to the next call.
 */
export async function clearCgroups(ended?: string): Promise<void> {
  const [mountinfo, membership] = await Promise.all([
    readFile('/proc/self/mountinfo', 'utf8'),
    readFile('/proc/self/cgroup', 'utf8').catch(() => ''),
  ]);
  const space = await processSpace();
  const folders: string[] = [];
  for (const { mount, place } of readHierarchies(mountinfo, membership)) {
    for (const folder of await cgroupsBelow(ended === undefined ? place : mount, ended === undefined ? 0 : DEPTH)) {
      const name = basename(folder);
      const owner = cgroupOwner(name);
      if (owner === undefined || owner.space !== space) continue;
      const gone = !isAlive(owner.pid) || (await processStart(owner.pid)) !== owner.start;
      if (name === ended || gone) folders.push(folder);
    }
  }
  for (let tries = 0; tries < 20; tries++) {
    const left = (await Promise.all(folders.map(removeTree))).filter((removed) => !removed).length;
    if (left === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Folders in a folder, and in those, to a depth; not in one of ours. */
async function cgroupsBelow(folder: string, depth: number): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
  if (depth === 0) return folders;
  const others = folders.filter((path) => cgroupOwner(basename(path)) === undefined);
  const below = await Promise.all(others.map((path) => cgroupsBelow(path, depth - 1)));
  return [...folders, ...below.flat()];
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
