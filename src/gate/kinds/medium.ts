import type { RandomBytes } from '#formats';
import { errorCode, errorMessage, type Files, type Kind, printable, type Reason } from '#kernel';
import { BUNDLE_START, readMedium, streamOf, type Volume } from '#media';
import type { Examination } from '../examination.ts';
import { gateFault } from '../faults.ts';
import { walkFolder } from '../io/folder.ts';
import { LIMITS } from '../limits.ts';
import { judgeName } from '../member-name.ts';
import { MemberTree } from '../member-tree.ts';
import { openFile } from '../opened.ts';

/** Files that Windows runs, or fetches icons for, when a folder is shown or a medium inserted. */
const SHORTCUTS = /\.(?:lnk|pif|scf|url|library-ms|search-ms|searchconnector-ms|theme|website)$|^desktop\.ini$/i;
/** Header of a shell link ([MS-SHLLINK] section 2.1), under whatever name (CVE-2010-2568). */
const LINK_MAGIC = '4c0000000114020000000000c000000000000046';

/** Bytes at the start of a file that tell what it is. */
const START = 76;

/** One thing on a medium, whoever listed it: the kernel, or our own reader of file systems. */
export interface Listed {
  /** Relative to the medium, with `/` between parts. */
  readonly path: string;
  readonly kind: Kind;
  /** Whether the bytes of the name are text. */
  readonly named: boolean;
  /** Permission bits, where there are any. */
  readonly mode?: number;
  /** The first bytes of a file, at most `length`; fewer only where it ends. */
  start?(length: number): Promise<Buffer>;
}

/**
 * What lies on a medium: names, kinds and what starts by itself. Contents are judged file by file, each by its own
 * examination. Gives the files that are bundles by their first bytes or, where none is, by their name;
 * undefined where nothing lies there at all.
 */
export async function judgeListing(
  listing: AsyncIterable<Listed>,
  examination: Examination,
): Promise<readonly string[] | undefined> {
  const tree = new MemberTree('portable');
  const begun: string[] = [];
  const called: string[] = [];
  let any = false;
  for await (const entry of listing) {
    any = true;
    const where = entry.path;
    examination.entry(where);
    if (!entry.named)
      examination.found('examine.name-encoding', where, 'It is not known what the bytes of its name mean.');
    const { parts, faults } = judgeName(where, 'portable');
    for (const { code, detail } of faults) examination.found(code, where, detail);
    const kind = entry.kind === 'link' || entry.kind === 'folder' ? entry.kind : 'file';
    for (const { code, detail } of tree.add(parts, kind)) examination.found(code, where, detail);
    if (tree.full) {
      examination.found('examine.entries', '', 'The names are too many or too long together.');
      break;
    }
    if (entry.kind === 'link') examination.found('examine.link', where, 'It is a link; it is not followed.');
    if (entry.kind === 'other') examination.found('examine.special', where, 'It is a device, a FIFO or a socket.');
    const name = parts.at(-1) ?? '';
    if (parts.length === 1 && /^autorun\.(?:inf|ini|sh)$|^autoopen$|^\.autorun$/i.test(name)) {
      examination.found('examine.autorun', where, 'It asks to be run.');
    }
    if (entry.kind === 'file' && SHORTCUTS.test(name))
      examination.found('examine.shortcut', where, 'By its name it is a shortcut.');
    if (entry.mode !== undefined && (entry.mode & (entry.kind === 'file' ? 0o7000 : 0o6000)) !== 0) {
      examination.found('examine.mode', where, `Its mode is ${entry.mode.toString(8)}.`);
    }
    if (entry.kind !== 'file' || entry.start === undefined) continue;
    const start = await entry.start(START);
    if (start.length === START && start.toString('hex', 0, 20) === LINK_MAGIC) {
      examination.found('examine.shortcut', where, 'By its content it is a shortcut.');
    }
    if (start.toString('latin1', 0, BUNDLE_START.length) === BUNDLE_START) begun.push(where);
    else if (/\.bundle$/i.test(name)) called.push(where);
  }
  if (!any) return undefined;
  return begun.length > 0 ? begun : called;
}

/** A mounted medium. */
export async function judgeMedium(path: string, files: Files, examination: Examination): Promise<void> {
  const bundles = await judgeListing(listFolder(path, files), examination);
  if (bundles === undefined) examination.found('examine.empty', '', 'The folder is empty.');
}

/** A block device or the image of one. Undefined where nothing on it is known: then it is no medium that is read here. */
export async function judgeRawMedium(source: RandomBytes, examination: Examination): Promise<Reason | undefined> {
  const map = await readMedium(source).catch((error: unknown) => {
    if (errorCode(error) !== 'EIO') throw error;
    throw gateFault('examine.read', { detail: `(${errorMessage(error)})`, cause: error });
  });
  if ('reason' in map) {
    if (map.reason.code === 'media.file-system' && map.reason.where === 'medium') return map.reason;
    examination.refused(map.reason);
    return undefined;
  }
  let any = map.bare.length > 0;
  for (const volume of map.volumes) {
    any = (await judgeListing(listVolume(volume, source), examination)) !== undefined || any;
  }
  if (!any) examination.found('examine.empty', '', 'Nothing lies on it.');
  return undefined;
}

/** A mounted medium, as the kernel lists it. */
export async function* listFolder(path: string, files: Files): AsyncGenerator<Listed> {
  for await (const entry of walkFolder(path, LIMITS.depth)) {
    const { path: where, kind, named } = entry;
    if (!named || (kind !== 'file' && kind !== 'folder') || printable(where) !== where) {
      yield { path: where, kind, named };
      continue;
    }
    const look = await files.look(`${path}/${where}`);
    const start = async (length: number): Promise<Buffer> => {
      const file = await openFile(files, `${path}/${where}`);
      try {
        const bytes = Buffer.alloc(Math.min(length, file.size));
        return bytes.subarray(0, await file.read(bytes, 0));
      } finally {
        await file.close();
      }
    };
    yield {
      path: where,
      kind,
      named,
      ...(look === undefined ? {} : { mode: look.mode }),
      ...(look?.kind === 'file' ? { start } : {}),
    };
  }
}

/** A raw medium, as our own readers list it. */
export async function* listVolume(volume: Volume, source: RandomBytes): AsyncGenerator<Listed> {
  for (const { path, kind, named, mode, extents } of volume.entries) {
    const start = async (length: number): Promise<Buffer> => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, await streamOf(source, extents)(bytes));
    };
    yield { path, kind, named, ...(mode === undefined ? {} : { mode }), ...(kind === 'file' ? { start } : {}) };
  }
}
