import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { type ArtifactRow, type Digest, type Files, type LockRow, type World } from '#kernel';
import { testWorld } from '#kernel/testing';
import { nodeFiles } from '#system';
import { createSide } from '#trust';
import { formatLock } from '#project';
import { openStore, type Store } from '#store';
import { seal } from '../verbs/seal.ts';

/** File name and content of what is to be sealed. */
export type Some = Readonly<Record<string, Uint8Array>>;

/** A side outside in a folder: home `out`, a project of plain files, a lock, and everything in the store. */
export interface Outside {
  readonly folder: string;
  readonly home: string;
  readonly root: string;
  readonly store: Store;
  readonly world: World;
  /** Puts these files into store and lock, in place of those before. */
  hold(some: Some, pointers?: Readonly<Record<string, string>>): Promise<readonly LockRow[]>;
  /** Seals what it holds into `folder/name` and returns that path. */
  seal(name: string, options?: { files?: Files; destinations?: readonly string[] }): Promise<string>;
}

export async function outsideWith(
  folder: string,
  some: Some,
  options: { site?: string; purpose?: 'one-person' | 'rehearsal'; channel?: string } = {},
): Promise<Outside> {
  const world = testWorld(nodeFiles, folder);
  const home = `${folder}/out`;
  const side = await createSide(nodeFiles, home, {
    site: options.site ?? 'low',
    purpose: options.purpose ?? 'one-person',
    clock: world.clock,
  });
  const store = await openStore(nodeFiles, side.home);
  const project = (destinations: readonly string[]): Promise<void> =>
    writeFile(
      `${folder}/sallyport.yaml`,
      [
        'sallyport: "1.0"',
        'name: sample',
        `channel: ${options.channel ?? 'main'}`,
        ...(destinations.length === 0 ? [] : [`destinations: [${destinations.join(', ')}]`]),
        'targets:',
        '  linux-amd64: { os: linux, arch: amd64, libc: { name: glibc, version: "2.36" } }',
        'inputs:',
        '  - files: files',
        '',
      ].join('\n'),
    );
  await project([]);
  const outside: Outside = {
    folder,
    home,
    root: side.rootPath,
    store,
    world,
    async hold(files, pointers = {}) {
      const rows: LockRow[] = [];
      for (const [name, bytes] of Object.entries(files)) {
        const digest = await store.put(bytes);
        rows.push(fileRow(name, digest, bytes.length));
      }
      for (const [pointer, value] of Object.entries(pointers)) {
        rows.push({
          row: 'pointer',
          ecosystem: 'files',
          authority: '',
          name: 'sample',
          version: '',
          file: '',
          pointer,
          value,
          inputs: ['files'],
        });
      }
      await writeFile(`${folder}/sallyport.lock`, formatLock({ rows }));
      return rows;
    },
    async seal(name, { files = nodeFiles, destinations = [] } = {}) {
      await project(destinations);
      await seal.run({ out: `${folder}/${name}`, home }, { ...world, files });
      return `${folder}/${name}`;
    },
  };
  await outside.hold(some);
  return outside;
}

function fileRow(name: string, digest: Digest, size: number): ArtifactRow {
  return {
    row: 'artifact',
    ecosystem: 'files',
    authority: '',
    name,
    version: '',
    file: name,
    targets: 'any',
    digest,
    size,
    media: 'application/octet-stream',
    origin: `files/${name}`,
    published: '',
    evidence: [
      {
        algorithm: 'sha256',
        value: digest.slice('sha256:'.length),
        scope: 'file',
        source: 'first-use',
        grade: 'first-use',
      },
    ],
    inputs: ['files'],
    facts: {},
  };
}

/**
 * What the end of a process does for its ledger's lock: an injected crash leaves this process alive, and a lock whose
 * holder lives is held. An empty lock is a released one.
 */
export async function endOfProcess(home: string): Promise<void> {
  const folder = `${home}/ledger/state`;
  for (const name of await readdir(folder).catch(() => [])) {
    if (/^lock\.\d+$/.test(name)) await truncate(`${folder}/${name}`, 0);
  }
}

/** A folder in memory where the machine has such a place: a thousand real flushes to a disk take minutes. */
export async function memoryFolder(test: { after(fn: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(`${existsSync('/dev/shm') ? '/dev/shm' : tmpdir()}/sallyport-test-`);
  test.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
