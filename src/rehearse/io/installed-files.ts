import { closeSync, constants, fstatSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { randomBytesOf, sourceOf, tarMembers } from '#formats';
import { type ArtifactRow, compareUtf8, errorCode, errorMessage, isObject, printable } from '#kernel';
import { openStore, type Store } from '#store';
import { StepFailure } from '../story.ts';
import type { Stage } from './stage.ts';

/** Expanded bytes of one package. */
const EXPANDED = 1024 * 1024 * 1024;
/** Of open(2); Node has no name for it. */
const O_PATH = 0o10000000;
/** Findings that are told; of the rest, how many. */
const TOLD = 10;
/** npm takes the return out of the first line of programs (bin-links), and calls some ignore lists otherwise (pacote). */
const SHEBANG = /^#![^\n]*\r\n/;
const RENAMED = /(?:^|\/)\.gitignore$/;

interface Compared {
  packages: number;
  files: number;
  /** Packages with install scripts: what they make of their own files is theirs. */
  readonly scripted: Set<string>;
  /** Those of them that were installed where something else was changed. */
  readonly suspects: Set<string>;
  readonly changed: string[];
}

/**
 * Whether every file that npm installed is still the one of its package: an install script runs among all the others,
 * and may write to them. Compared with the admitted content, byte by byte, once
 * everything is installed.
 */
export async function tellInstalled(stage: Stage): Promise<void> {
  if (stage.npmInstalled.size === 0) return;
  await stage.story.step('installed', 'What npm installed is what its packages hold', 'enclave', async () => {
    const store = await openStore(stage.world.files, stage.place.inside);
    const compared: Compared = { packages: 0, files: 0, scripted: new Set(), suspects: new Set(), changed: [] };
    // They were done in any order.
    for (const input of [...stage.npmInstalled].sort(compareUtf8)) await compareInput(stage, store, input, compared);
    const { packages, files, scripted, suspects, changed } = compared;
    if (changed.length > 0) {
      const rest = changed.length > TOLD ? ` and ${changed.length - TOLD} more` : '';
      const who =
        suspects.size === 0 ? '' : ` Install scripts ran there of ${[...suspects].slice(0, TOLD).join(', ')}.`;
      throw new StepFailure(printable(`${changed.slice(0, TOLD).join('; ')}${rest}.${who}`));
    }
    const own = scripted.size === 0 ? '' : `; ${scripted.size} with install scripts may have changed their own`;
    return { value: true, detail: `${files} files of ${packages} packages${own}` };
  });
}

async function compareInput(stage: Stage, store: Store, input: string, compared: Compared): Promise<void> {
  const { world, place, crossed } = stage;
  // As the kernel names what is opened there.
  const copy = await realpath(stage.copy);
  const text = Buffer.from(await world.files.read(join(place.folder, input), 1024 ** 3)).toString('utf8');
  const lock: unknown = JSON.parse(text);
  const packages = isObject(lock) && isObject(lock['packages']) ? lock['packages'] : {};
  const scripted: string[] = [];
  const before = compared.changed.length;
  for (const [path, entry] of Object.entries(packages)) {
    world.signal.throwIfAborted();
    if (!path.includes('node_modules/') || !isObject(entry) || entry['link'] === true || entry['inBundle'] === true)
      continue;
    const row = rowOf(crossed.lock.rows, path, entry);
    const folder = join(copy, dirname(input), path);
    if (row === undefined) continue;
    const name = `${row.name}@${row.version}`;
    if ((await world.files.look(folder)) === undefined) {
      // Packages for other platforms are locked, and not installed.
      if (entry['optional'] === true || entry['devOptional'] === true) continue;
      compared.changed.push(`${join(dirname(input), path)} is not there`);
      continue;
    }
    if (entry['hasInstallScript'] === true) {
      scripted.push(name);
      continue;
    }
    compared.packages += 1;
    for await (const file of filesOf(store, row)) {
      compared.files += 1;
      if (!isSame(join(folder, file.path), file.content)) {
        compared.changed.push(`${join(dirname(input), path, file.path)} is not what ${name} holds`);
      }
    }
  }
  for (const name of scripted) compared.scripted.add(name);
  if (compared.changed.length > before) for (const name of scripted) compared.suspects.add(name);
}

function rowOf(
  rows: Stage['crossed']['lock']['rows'],
  path: string,
  entry: Readonly<Record<string, unknown>>,
): ArtifactRow | undefined {
  const name = typeof entry['name'] === 'string' ? entry['name'] : path.slice(path.lastIndexOf('node_modules/') + 13);
  return rows.find(
    (row): row is ArtifactRow =>
      row.row === 'artifact' && row.ecosystem === 'npm' && row.name === name && row.version === entry['version'],
  );
}

/** Files of a package, without its first folder; of two with one name the later counts, and what is bundled is left out. */
async function* filesOf(store: Store, row: ArtifactRow): AsyncGenerator<{ path: string; content: Buffer }> {
  const content = await store.open(row.digest);
  if (content === undefined) throw new StepFailure(`${row.name} ${row.version} is not in the store.`);
  try {
    const bytes = Buffer.alloc(content.size);
    for (let at = 0; at < bytes.length;) {
      const length = await content.read(bytes.subarray(at), at);
      if (length === 0) break;
      at += length;
    }
    const tar = gunzipSync(bytes, { maxOutputLength: EXPANDED });
    const files = new Map<string, Buffer>();
    for await (const member of tarMembers(sourceOf(randomBytesOf(tar)))) {
      const path = member.name
        .split('/')
        .filter((part) => part !== '.')
        .slice(1)
        .join('/');
      if (member.type !== 'file' || path === '' || path.split('/').includes('node_modules')) continue;
      files.set(path, Buffer.from((await member.content.rest(EXPANDED)) ?? []));
    }
    for (const [path, own] of files) yield { path, content: own };
  } catch (error) {
    if (error instanceof StepFailure) throw error;
    throw new StepFailure(`${row.name} ${row.version} cannot be read: ${errorMessage(error)}`);
  } finally {
    await content.close();
  }
}

/**
 * Whether the plain file at this path holds that. Foreign programs may have put a link, a pipe or a device anywhere on
 * the way: it is opened as a place (O_PATH), which does nothing, and must lie exactly there.
 */
function isSame(path: string, expected: Buffer): boolean {
  let place: number;
  try {
    place = openSync(path, O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    return errorCode(error) === 'ENOENT' && RENAMED.test(path);
  }
  try {
    const { size } = fstatSync(place);
    if (readlinkSync(`/proc/self/fd/${place}`) !== path || !fstatSync(place).isFile()) return false;
    if (size !== expected.length && size !== expected.length - 1) return false;
    const found = readFileSync(`/proc/self/fd/${place}`);
    return found.equals(expected) || found.equals(withoutReturn(expected));
  } finally {
    closeSync(place);
  }
}

function withoutReturn(content: Buffer): Buffer {
  const head = content.subarray(0, 256).toString('latin1');
  return SHEBANG.test(head) ? Buffer.from(content.toString('latin1').replace('\r\n', '\n'), 'latin1') : content;
}
