import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { craftBundle } from '#bundle/testing';
import { classes, type HostileCase, hostileCorpus, layOut } from '#gate/testing';
import { forgeries, forgerySigner, writeForgeryBase, writeLog } from '#ledger/testing';
import { signedRoot, testDraft, testKey } from '#trust/testing';
import { contentsOf } from './contents.ts';
import { type Crossing, crossings } from './crossings.ts';
import { put } from './side.ts';

/** What the inner door has to say of a case of `examine`, once a hostile upstream has it packed into a bundle. */
export interface AtDoor {
  readonly expect: 'accept' | 'neutralised' | 'refuse';
  /** Why that is another answer than the one about the file alone. */
  readonly because?: string;
}

/** Cases that no bundle can carry as they are, and why. */
const FOLDER_ONLY = 'it is in the folder of a layout; a bundle carries documents and blobs';
const ALONE: ReadonlyMap<string, string> = new Map([
  ['oci-other-file', FOLDER_ONLY],
  ['oci-blob-link', FOLDER_ONLY],
  ['oci-blob-fifo', FOLDER_ONLY],
  ['oci-no-marker', FOLDER_ONLY],
  ['oci-no-index', FOLDER_ONLY],
  ['oci-version', FOLDER_ONLY],
  ['tar-file-2-31', 'it has 2 GiB, most of them holes'],
  ['tar-file-2-33', 'it has 8 GiB, most of them holes'],
]);
const OTHERWISE: ReadonlyMap<string, string> = new Map([
  ['tar-many-members', 'the door takes more members, because the seal bounds the size'],
  ['helm-no-chart', 'nothing shows that it is a chart, so it is an archive'],
  ['gomod-no-prefix', 'nothing shows that it is a module, so it is an archive'],
  ['oci-layer-nested-cut', 'an archive inside a root file system is noted: nobody unpacks it with the image'],
  ['oci-layer-nested-parent', 'an archive inside a root file system is noted: nobody unpacks it with the image'],
  ['oci-missing', 'what has to come is said by the lock, and is there'],
  ['oci-unreferenced', 'it is judged as the layer that its row says it is'],
]);

/** Undefined where it does not come in a bundle: media, documents alone, and what only a folder holds. */
export function atDoor({ name, as, expect }: HostileCase): AtDoor | undefined {
  if (as === 'medium' || as === 'json' || ALONE.has(name)) return undefined;
  const because = OTHERWISE.get(name);
  return because === undefined ? { expect } : { expect: 'accept', because };
}

/** A log's folder, good or forged. */
export interface LogCase {
  readonly id: string;
  readonly name: string;
  readonly cve: string;
  readonly expect: 'accept' | 'refuse';
  readonly codes: readonly string[];
  make(folder: string): Promise<void>;
}

const FORGED = /tile-forged|root-differs|partial-forged/;
const goodLog = (name: string, make: (folder: string) => Promise<void>): LogCase => ({
  id: 'control',
  name: `log-${name}`,
  cve: '',
  expect: 'accept',
  codes: [],
  make,
});
const entriesOf = (count: number): Uint8Array[] => Array.from({ length: count }, (_, at) => Buffer.from(`entry ${at}`));

export const logCases: readonly LogCase[] = [
  ...forgeries.map(({ name, code, forge }): LogCase => ({
    id: 'HC-23',
    name: `log-${name.replaceAll(/[^a-z0-9]+/gi, '-')}`,
    cve: FORGED.test(code) ? 'CVE-2026-56865' : code === 'ledger.entry-forged' ? 'CVE-2026-56864' : '',
    expect: 'refuse',
    codes: [code],
    make: async (folder) => {
      await writeForgeryBase(folder);
      await forge(folder);
    },
  })),
  goodLog('of-300', writeForgeryBase),
  goodLog('without-older-tiles', async (folder) => {
    await writeForgeryBase(folder);
    await rm(join(folder, 'tile/0/000.p'), { recursive: true });
    await rm(join(folder, 'tile/entries/000.p'), { recursive: true });
  }),
  ...[1, 255, 256, 257].map((size) =>
    goodLog(`of-${size}`, (folder) => writeLog(folder, entriesOf(size), forgerySigner)),
  ),
];

type Any = HostileCase | Crossing | LogCase;
export const wholeCorpus: readonly Any[] = [...hostileCorpus, ...crossings, ...logCases];

/** What a case stands for: the numbers of weaknesses, or why there is none. */
export function standsFor({ id, cve }: Pick<Any, 'id' | 'cve'>): string {
  return cve === '' ? (classes[id]?.why ?? '') : cve;
}

const sealer = testKey();
const root = testKey();
const signedBySealer = [sealer.signer('sealer')];

/** The root of every bundle that `bundleOf` makes. */
export const contentRoot: Uint8Array = signedRoot(
  testDraft({ sealer: { key: sealer, roles: ['sealer'] }, root: { key: root, roles: ['root'] } }, { site: 'low' }),
  [root.signer('root')],
);

/** A genuine bundle with a hostile content. */
export async function bundleWith(hostile: HostileCase): Promise<Uint8Array | undefined> {
  const what = atDoor(hostile) === undefined ? undefined : contentsOf(hostile);
  return what === undefined ? undefined : craftBundle(what.lock, what.contents, signedBySealer);
}

/** One row of the manifest; paths are relative to the corpus. */
interface Listed {
  readonly id: string;
  readonly name: string;
  readonly stands: string;
  readonly judge: 'examine' | 'admit' | 'ledger verify';
  readonly path: string;
  readonly expect: string;
  readonly codes: readonly string[];
  readonly [more: string]: unknown;
}

/** Writes every case below a folder, and `manifest.json`: what each is, what it stands for, and the answer that is due. */
export async function writeCorpus(folder: string): Promise<number> {
  const listed: Listed[] = [];
  const about = ({ id, name, cve, expect, codes }: Any) => ({
    id,
    name,
    stands: standsFor({ id, cve }),
    expect,
    codes,
  });
  const relative = (path: string): string => path.slice(folder.length + 1);
  await mkdir(join(folder, 'examine'), { recursive: true });
  await mkdir(join(folder, 'admit'));
  await mkdir(join(folder, 'logs'));
  await put(join(folder, 'admit', 'contents.root.dsse.json'), contentRoot);
  await put(join(folder, 'logs', 'log.vkey'), `${forgerySigner.vkey}\n`);
  for (const hostile of hostileCorpus) {
    const path = await layOut(join(folder, 'examine'), hostile);
    listed.push({ ...about(hostile), judge: 'examine', as: hostile.as, path: relative(path) });
    const bundle = await bundleWith(hostile);
    if (bundle === undefined) continue;
    const door = atDoor(hostile);
    const at = await put(join(folder, 'admit', `${hostile.name}.bundle`), bundle);
    listed.push({
      ...about(hostile),
      ...door,
      codes: door?.expect === hostile.expect ? hostile.codes : [],
      judge: 'admit',
      path: relative(at),
      root: 'admit/contents.root.dsse.json',
    });
  }
  for (const crossing of crossings) {
    const at = join(folder, 'admit', crossing.name);
    await mkdir(at);
    const { bundle, root: rootFile, before = [], rules, input, world } = await crossing.make(at);
    listed.push({
      ...about(crossing),
      judge: 'admit',
      path: relative(bundle),
      root: relative(rootFile),
      before: before.map(relative),
      ...(crossing.verdict === undefined ? {} : { verdict: crossing.verdict }),
      ...(rules === undefined ? {} : { rules }),
      ...(input === undefined
        ? {}
        : {
            files: Object.values(input)
              .flat()
              .map((one) => relative(String(one))),
          }),
      ...(world?.clock === undefined ? {} : { clock: new Date(world.clock.now()).toISOString() }),
      ...(world?.files === undefined ? {} : { medium: 'changes while it is read; only the test does that' }),
    });
  }
  for (const log of logCases) {
    const at = join(folder, 'logs', log.name);
    await log.make(at);
    listed.push({ ...about(log), judge: 'ledger verify', path: relative(at), vkey: 'logs/log.vkey' });
  }
  await writeFile(join(folder, 'manifest.json'), `${JSON.stringify({ cases: listed }, null, 2)}\n`);
  return listed.length;
}
