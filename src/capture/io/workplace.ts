import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, chown, copyFile, lstat, mkdir, readdir, readlink, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  compareUtf8,
  type Digest,
  digestFromHex,
  digestOf,
  errorCode,
  type FileHandle,
  type Files,
  isFault,
  printable,
} from '#kernel';
import { captureFault } from '../faults.ts';

/** Of a project that is copied for a preparation, and of what one makes. */
const LIMITS = { files: 200_000, bytes: 64 * 1024 ** 3 } as const;
const CHUNK = 1024 * 1024;

/**
 * Names that foreign code does not get to see, wherever they stand: history and settings of tools hold credentials, and
 * homes of ours hold keys.
 */
const LEFT_OUT: ReadonlySet<string> = new Set([
  ...['.git', '.hg', '.svn', '.sallyport'],
  ...[
    '.env',
    '.netrc',
    '_netrc',
    '.npmrc',
    '.pypirc',
    '.git-credentials',
    '.yarnrc',
    '.ssh',
    '.gnupg',
    '.aws',
    '.docker',
  ],
]);

/** Copies a project, or the named paths of it. Links stay links, and lead nowhere where they led out. */
export async function copyProject(
  from: string,
  to: string,
  options: { readonly reads?: readonly string[]; readonly without: readonly string[]; readonly signal: AbortSignal },
): Promise<void> {
  let files = 0;
  let bytes = 0;
  const copy = async (source: string, target: string): Promise<void> => {
    options.signal.throwIfAborted();
    if (options.without.includes(source)) return;
    try {
      await copyOne(source, target);
    } catch (error) {
      throw explained(error, source);
    }
  };
  const copyOne = async (source: string, target: string): Promise<void> => {
    const stat = await lstat(source);
    files += 1;
    bytes += stat.isFile() ? stat.size : 0;
    if (files > LIMITS.files || bytes > LIMITS.bytes) {
      throw captureFault('capture.prepare-failed', {
        where: printable(from),
        detail: `The project holds more than ${LIMITS.files} files or ${LIMITS.bytes} bytes.`,
        fix: "Name with 'reads' in sallyport.yaml the paths that the command needs.",
      });
    }
    if (stat.isDirectory()) {
      const names = await readdir(source);
      if (await isHome(source, names)) return;
      await mkdir(target, { recursive: true });
      for (const name of names) if (!LEFT_OUT.has(name)) await copy(join(source, name), join(target, name));
    } else if (stat.isSymbolicLink()) await symlink(await readlink(source), target);
    else if (stat.isFile()) {
      await copyFile(source, target, constants.COPYFILE_FICLONE);
      // A copy by root keeps the owner, whom the enclave's user namespace may not know.
      if (process.getuid?.() === 0) await chown(target, 0, process.getgid?.() ?? 0);
      // Ours to change, whatever it was: only the copy is written to.
      await chmod(target, (stat.mode & 0o777) | 0o600);
    }
  };
  await mkdir(to);
  if (options.reads === undefined) return copy(from, to);
  for (const path of options.reads) {
    // Nothing on the way may be a link: its other end is not what was named.
    await realFolder(from, dirname(path));
    await mkdir(join(to, dirname(path)), { recursive: true });
    await copy(join(from, path), join(to, path));
  }
}

/** A side's home, under whatever name: it has keys that nobody else may read, and roots. */
async function isHome(folder: string, names: readonly string[]): Promise<boolean> {
  if (!names.includes('keys') || !names.includes('trust')) return false;
  return ((await lstat(join(folder, 'keys'))).mode & 0o077) === 0;
}

/** What the system says of a file of the project, as a fault; everything else as it is. */
function explained(error: unknown, path: string): unknown {
  const code = errorCode(error);
  if (isFault(error) || code === '') return error;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return captureFault('capture.no-space', { where: printable(path), detail: 'The project does not fit beside it.' });
  }
  if (!['EACCES', 'EPERM', 'ENOENT', 'ENOTDIR', 'ELOOP', 'EIO'].includes(code)) return error;
  return captureFault('capture.prepare-failed', {
    where: printable(path),
    detail: `It cannot be read (${code}).`,
    fix: "Make it a file or folder that you may read, or name with 'reads' in sallyport.yaml what the command needs.",
    cause: error,
  });
}

/** Throws where a part of the path is no folder of its own. */
async function realFolder(base: string, path: string): Promise<void> {
  let at = base;
  for (const part of path.split('/').filter((one) => one !== '' && one !== '.')) {
    at = join(at, part);
    const stat = await lstat(at).catch(() => undefined);
    if (stat?.isDirectory() !== true) {
      throw captureFault('capture.prepare-failed', {
        where: printable(path),
        detail: `${printable(part)} on the way is no folder.`,
      });
    }
  }
}

/** What a preparation made, copied beside the place where it belongs. */
export interface Made {
  /** Of the file, or of the listing of the folder (`listing`). */
  readonly digest: Digest;
  readonly files: number;
  readonly bytes: number;
  /** Gives it its name, durably. */
  place(): Promise<void>;
  /** Removes the copy; harmless when it has been placed. */
  discard(): Promise<void>;
}

/**
 * Takes what a program made out of its working folder. Nothing of it runs any more, and nothing that it left is
 * followed: links and devices are refused, of a file only its bytes and whether it is executable are kept.
 */
export async function takeOut(
  files: Files,
  work: string,
  makes: string,
  project: string,
  signal: AbortSignal,
): Promise<Made> {
  await realFolder(work, dirname(makes));
  const source = join(work, makes);
  const target = join(project, makes);
  await files.makeFolder(dirname(target));
  await realFolder(project, dirname(makes));
  const beside = join(dirname(target), `.${randomBytes(6).toString('hex')}.sallyport-tmp`);
  const lines: [path: string, line: string][] = [];
  let bytes = 0;
  const refuse = (path: string, what: string): Error =>
    captureFault('capture.prepare-failed', {
      where: printable(join(makes, path)),
      detail: `It is ${what}; only regular files and folders are taken over.`,
    });
  const take = async (path: string): Promise<void> => {
    signal.throwIfAborted();
    const from = join(source, path);
    const to = join(beside, path);
    const stat = await lstat(from);
    if (stat.isDirectory()) {
      await files.makeFolder(to);
      for (const name of await readdir(from)) await take(join(path, name));
      await files.syncFolder(to);
      return;
    }
    if (!stat.isFile()) throw refuse(path, stat.isSymbolicLink() ? 'a link' : 'a device, a pipe or a socket');
    if (lines.length >= LIMITS.files) throw refuse(path, `one of more than ${LIMITS.files} files`);
    const { hex, size } = await copyBytes(files, from, to, (stat.mode & 0o100) === 0 ? 0o644 : 0o755, signal);
    bytes += size;
    lines.push([path, `${hex}  ${size}  ${path}\n`]);
  };
  const discard = (): Promise<void> => files.removeTree(beside);
  try {
    await take('');
    const isFile = lines.length === 1 && lines[0]?.[0] === '';
    const digest = isFile ? digestFromHex((lines[0]?.[1] ?? '').slice(0, 64)) : listing(lines);
    return {
      digest,
      files: lines.length,
      bytes,
      async place() {
        await files.rename(beside, target);
        await files.syncFolder(dirname(target));
      },
      discard,
    };
  } catch (error) {
    await discard();
    throw explained(error, target);
  }
}

/** Digest over `<sha256 hex>  <size>  <path>` for each file, sorted by path. */
function listing(lines: readonly [path: string, line: string][]): Digest {
  return digestOf(
    [...lines]
      .sort(([a], [b]) => compareUtf8(a, b))
      .map(([, line]) => line)
      .join(''),
  );
}

async function copyBytes(
  files: Files,
  from: string,
  to: string,
  mode: number,
  signal: AbortSignal,
): Promise<{ hex: string; size: number }> {
  const source = await files.open(from, 'r', { follow: false });
  let target: FileHandle | undefined;
  try {
    target = await files.open(to, 'wx', { mode });
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(CHUNK);
    let size = 0;
    for (;;) {
      signal.throwIfAborted();
      const length = await source.read(buffer, size);
      if (length === 0) break;
      const piece = buffer.subarray(0, length);
      hash.update(piece);
      await target.write(piece, size);
      size += length;
    }
    await target.sync();
    return { hex: hash.digest('hex'), size };
  } finally {
    await target?.close();
    await source.close();
  }
}
