import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type HostileCase, hostileCorpus, layOut } from '#gate/testing';

/** What a reader did with an archive: unpacked it without a word, with a warning, or not. */
export type Treatment = 'taken' | 'warned' | 'refused';

export interface Reader {
  readonly name: string;
  readonly version: string;
  readonly kind: 'tar' | 'zip';
  unpack(archives: readonly { readonly archive: string; readonly target: string }[]): readonly Treatment[];
}

const here = import.meta.dirname;

function versionOf(command: string, words: readonly string[], pattern: RegExp): string | undefined {
  const ran = spawnSync(command, words, { encoding: 'utf8' });
  return ran.status === 0 ? pattern.exec(`${ran.stdout}${ran.stderr}`)?.[1] : undefined;
}

function program(command: string, words: (archive: string, target: string) => readonly string[]): Reader['unpack'] {
  return (archives) =>
    archives.map(({ archive, target }) => {
      const ran = spawnSync(command, words(archive, target), {
        cwd: target,
        encoding: 'utf8',
        timeout: 20_000,
        input: '',
      });
      return ran.status !== 0 ? 'refused' : ran.stderr.trim() === '' ? 'taken' : 'warned';
    });
}

function python(kind: 'tar' | 'zip'): Reader['unpack'] {
  return (archives) => {
    const input = archives.map(({ archive, target }) => `${JSON.stringify([kind, archive, target])}\n`).join('');
    const ran = spawnSync('python3', ['-I', join(here, 'readers.py')], { encoding: 'utf8', input, timeout: 120_000 });
    const answers = ran.stdout.split('\n').filter((line) => line !== '');
    if (answers.length !== archives.length) throw new Error(`python3 answered ${answers.length} times: ${ran.stderr}`);
    return answers.map((line) => JSON.parse(line) as Treatment);
  };
}

function node(reader: string, folder: string): Reader['unpack'] {
  return (archives) => {
    const input = archives.map(({ archive, target }) => `${JSON.stringify([reader, archive, target])}\n`).join('');
    const words = [join(here, 'node-readers.ts'), folder];
    const ran = spawnSync(process.execPath, words, { encoding: 'utf8', input, timeout: 120_000 });
    const answers = ran.stdout.split('\n').filter((line) => line !== '');
    if (answers.length !== archives.length)
      throw new Error(`${reader} answered ${answers.length} times: ${ran.stderr}`);
    return answers as Treatment[];
  };
}

/**
 * The readers of npm, installed into a folder by the machine's own npm, in the versions that the lockfile here pins.
 * None where they cannot be had.
 */
export async function nodeReaders(folder: string): Promise<readonly Reader[]> {
  for (const name of ['package.json', 'package-lock.json'])
    await copyFile(join(here, 'peers', name), join(folder, name));
  const words = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  const ran = spawnSync('npm', words, { cwd: folder, encoding: 'utf8', timeout: 300_000 });
  if (ran.status !== 0) return [];
  const pinned = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const label = (name: string): string =>
    name === 'tar' ? "npm's tar" : name === 'tar-stream' ? 'tar-stream (lists)' : name;
  return Object.entries(pinned.dependencies).map(([name, version]) => ({
    name: label(name),
    version,
    kind: 'tar',
    unpack: node(name, folder),
  }));
}

/** The readers of this machine. */
export function readers(): readonly Reader[] {
  const found: Reader[] = [];
  const tar = versionOf('tar', ['--version'], /GNU tar\) ([\d.]+)/);
  if (tar !== undefined) {
    const unpack = program('tar', (archive, target) => ['-x', '-f', archive, '-C', target]);
    found.push({ name: 'GNU tar', version: tar, kind: 'tar', unpack });
  }
  // The filter is in 3.12, and in later releases of older lines.
  const has = ['-I', '-c', 'import sys, tarfile; tarfile.data_filter; print(sys.version.split()[0])'];
  const version = versionOf('python3', has, /^([\d.]+)/);
  if (version !== undefined) {
    found.push({ name: "Python tarfile, filter 'data'", version, kind: 'tar', unpack: python('tar') });
    found.push({ name: 'Python zipfile', version, kind: 'zip', unpack: python('zip') });
  }
  const unzip = versionOf('unzip', ['-v'], /UnZip ([\d.]+)/);
  if (unzip !== undefined) {
    const unpack = program('unzip', (archive, target) => ['-q', '-n', archive, '-d', target]);
    found.push({ name: 'Info-ZIP unzip', version: unzip, kind: 'zip', unpack });
  }
  return found;
}

/** Archives that may be unpacked here: those that would fill a disk are left out, and zstd, which needs a program more. */
export function casesFor(kind: 'tar' | 'zip'): readonly HostileCase[] {
  return hostileCorpus.filter(
    ({ as, name }) => as === kind && !/bomb|many|file-2-|claimed|huge|zstd|xz|entries/.test(name),
  );
}

/** Names outside that cases would like to write. */
const OUTSIDE = ['/etc/evil', '/tmp/evil', '/evil', '/etc/d'];

/** Gives every case to a reader in an empty folder; `outside` lists what was written anywhere else. */
export async function treat(
  folder: string,
  reader: Reader,
): Promise<{
  readonly treatments: readonly (readonly [HostileCase, Treatment])[];
  readonly outside: readonly string[];
}> {
  const before = OUTSIDE.filter((path) => existsSync(path));
  const places = [];
  const cases = casesFor(reader.kind);
  for (const hostile of cases) {
    // Three folders deep, so that what goes up lands in one that is looked at.
    const target = join(folder, hostile.name, 'a', 'b', 'out');
    await mkdir(target, { recursive: true });
    await mkdir(join(folder, 'archives'), { recursive: true });
    places.push({ archive: await layOut(join(folder, 'archives'), hostile), target });
  }
  const answers = reader.unpack(places);
  const outside = OUTSIDE.filter((path) => existsSync(path) && !before.includes(path));
  for (const { target } of places) {
    for (const [place, only] of [
      [dirname(target), 'out'],
      [dirname(dirname(target)), 'b'],
      [dirname(dirname(dirname(target))), 'a'],
    ] as const) {
      for (const name of await readdir(place)) if (name !== only) outside.push(join(place, name));
    }
  }
  // Readers give folders the modes of the archive, which may keep their own owner out.
  execFileSync('chmod', ['-R', 'u+rwX', folder]);
  await rm(folder, { recursive: true, force: true });
  return { treatments: cases.map((hostile, index) => [hostile, answers[index]!] as const), outside };
}
