import { type Files, printable } from '#kernel';
import type { Examination } from '../examination.ts';
import { walkFolder } from '../io/folder.ts';
import { LIMITS } from '../limits.ts';
import { judgeName } from '../member-name.ts';
import { MemberTree } from '../member-tree.ts';
import { openFile } from '../opened.ts';

/** Files that Windows runs, or fetches icons for, when a folder is shown or a medium inserted. */
const SHORTCUTS = /\.(?:lnk|pif|scf|url|library-ms|search-ms|searchconnector-ms|theme|website)$|^desktop\.ini$/i;
/** Header of a shell link ([MS-SHLLINK] section 2.1), under whatever name (CVE-2010-2568). */
const LINK_MAGIC = '4c0000000114020000000000c000000000000046';

/**
 * A mounted medium: names, kinds and what starts by itself. Contents are judged file by file, each by its own
 * examination.
 */
export async function judgeMedium(path: string, files: Files, examination: Examination): Promise<void> {
  const tree = new MemberTree('portable');
  let any = false;
  for await (const entry of walkFolder(path, LIMITS.depth)) {
    any = true;
    const where = entry.path;
    examination.entry(where);
    if (!entry.named) examination.found('examine.name-encoding', where, 'Its name is not UTF-8.');
    const { parts, faults } = judgeName(where, 'portable');
    for (const { code, detail } of faults) examination.found(code, where, detail);
    const kind = entry.kind === 'link' || entry.kind === 'folder' ? entry.kind : 'file';
    for (const { code, detail } of tree.add(parts, kind)) examination.found(code, where, detail);
    if (tree.full) {
      examination.found('examine.entries', '', 'The names are too many or too long together.');
      return;
    }
    if (entry.kind === 'link') examination.found('examine.link', where, 'It is a link; it is not followed.');
    if (entry.kind === 'other') examination.found('examine.special', where, 'It is a device, a FIFO or a socket.');
    const name = parts.at(-1) ?? '';
    if (parts.length === 1 && /^autorun\.(?:inf|ini|sh)$|^autoopen$|^\.autorun$/i.test(name)) {
      examination.found('examine.autorun', where, 'It asks to be run.');
    }
    if (entry.kind === 'file' && SHORTCUTS.test(name))
      examination.found('examine.shortcut', where, 'By its name it is a shortcut.');
    if (!entry.named || (entry.kind !== 'file' && entry.kind !== 'folder') || printable(where) !== where) continue;
    const look = await files.look(`${path}/${where}`);
    if (look !== undefined && (look.mode & (entry.kind === 'file' ? 0o7000 : 0o6000)) !== 0) {
      examination.found('examine.mode', where, `Its mode is ${look.mode.toString(8)}.`);
    }
    if (entry.kind !== 'file' || look?.kind !== 'file' || look.size < 76) continue;
    const file = await openFile(files, `${path}/${where}`);
    try {
      const start = Buffer.alloc(20);
      await file.read(start, 0);
      if (start.toString('hex') === LINK_MAGIC)
        examination.found('examine.shortcut', where, 'By its content it is a shortcut.');
    } finally {
      await file.close();
    }
  }
  if (!any) examination.found('examine.empty', '', 'The folder is empty.');
}
