import type { RandomBytes } from '#formats';
import { judgeTarFile, PACKAGE } from '../archive.ts';
import type { Examination } from '../examination.ts';
import { isPlainWord } from '../member-name.ts';
import { readDocument } from './document.ts';
import { objectOf } from './json.ts';

/** An npm package (npm pack): all members below one folder, in it one package.json with a safe name and version. */
export async function judgeNpm(file: RandomBytes, examination: Examination): Promise<void> {
  let found = 0;
  const tops = new Set<string>();
  const isTar = await judgeTarFile(file, examination, PACKAGE, ({ name, parts, kind }) => {
    if (parts.length === 0) return undefined;
    if (parts.length === 1 && kind !== 'folder')
      examination.found('examine.layout', name, 'It does not lie below the folder of the package.');
    if (tops.size < 2) tops.add(parts[0]!);
    if (parts.length !== 2 || parts[1] !== 'package.json' || kind !== 'file') return undefined;
    found += 1;
    return async (content) => judgeManifest(await readDocument(content, name, examination), name, examination);
  });
  if (!isTar) {
    examination.found('examine.wrong-kind', '', 'It is no compressed tar archive.');
    return;
  }
  if (found === 0) examination.found('examine.metadata', '', 'It has no package.json.');
  // Clients strip one folder, whatever its name; packages that other tools than npm pack have their own.
  if (tops.size > 1) {
    examination.found('examine.layout', '', `Its members do not lie in one folder, but in: ${[...tops].join(', ')}.`);
  }
}

function judgeManifest(bytes: Uint8Array | undefined, where: string, examination: Examination): void {
  const manifest = objectOf(bytes, where, examination);
  if (manifest === undefined) return;
  const { name, version } = manifest;
  // Names of npm are URL-safe, at most 214 characters, with one scope at the most.
  const named =
    typeof name === 'string' && name.length <= 214 && /^(?:@[a-zA-Z0-9~-][\w.~-]*\/)?[a-zA-Z0-9~-][\w.~-]*$/.test(name);
  if (!named || /^(?:node_modules|favicon\.ico)$/i.test(name)) {
    examination.found('examine.metadata-name', where, `Its name is ${JSON.stringify(name)}.`);
  }
  if (typeof version !== 'string' || !/^v?\d+\.\d+\.\d+/.test(version) || !isPlainWord(version)) {
    examination.found('examine.metadata-name', where, `Its version is ${JSON.stringify(version)}.`);
  }
  const bins = typeof manifest['bin'] === 'object' && manifest['bin'] !== null ? Object.entries(manifest['bin']) : [];
  for (const [command, path] of bins) {
    // npm takes the last part of a command's name and keeps paths inside; other installers write where it says (CVE-2019-16775).
    if (
      !/^[\w.@~+-]+(?:\/[\w.~+-]+)?$/.test(command) ||
      command.includes('..') ||
      typeof path !== 'string' ||
      /(?:^|[/\\])\.\.(?:[/\\]|$)|^[/\\]/.test(path)
    ) {
      examination.found(
        'examine.metadata-name',
        where,
        `Its command ${JSON.stringify(command)} is ${JSON.stringify(path)}.`,
      );
    }
  }
}
