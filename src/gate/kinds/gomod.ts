import type { RandomBytes } from '#formats';
import { judgeZip, PACKAGE } from '../archive.ts';
import type { Examination } from '../examination.ts';
import { readDocument, textOf } from './document.ts';

/** Bytes of all files of a module together (module zip files: MaxZipFile). */
export const MODULE_LIMIT = 500 * 1024 * 1024;

/** A zip of a Go module: every name begins with `module@version/`, and go.mod names the same module. */
export async function judgeGoModule(file: RandomBytes, examination: Examination): Promise<void> {
  let prefix: string | undefined;
  let bytes = 0;
  await judgeZip(file, examination, PACKAGE, {
    visit({ name, kind, size }) {
      const match = /^([^@]+)@(v\d+\.\d+\.\d+[^/]*)\/(.+)$/.exec(name);
      if (match === null) {
        examination.found('examine.layout', name, 'It does not begin with module@version/.');
        return undefined;
      }
      const own = `${match[1]}@${match[2]}`;
      if (prefix === undefined) {
        prefix = own;
        judgePath(match[1]!, match[2]!, examination);
      }
      if (own !== prefix) examination.found('examine.layout', name, `It does not begin with ${prefix}/.`);
      if (kind === 'folder') examination.found('examine.layout', name, 'Module zips have no entries for folders.');
      bytes += size;
      if (match[3] !== 'go.mod') {
        if (/(?:^|\/)go\.mod$/i.test(match[3]!))
          examination.found('examine.layout', name, 'A go.mod that is not at the root belongs to another module.');
        return undefined;
      }
      return async (content) => {
        const text = textOf(await readDocument(content, name, examination), name, examination);
        const stated = [...(text ?? '').matchAll(/^[ \t]*module[ \t]+(?:"([^"\n]*)"|`([^`\n]*)`|([^\s"`(]+))/gm)];
        const module = stated[0]?.[1] ?? stated[0]?.[2] ?? stated[0]?.[3];
        if (text !== undefined && (stated.length !== 1 || module !== match[1])) {
          examination.found('examine.metadata-name', name, `It says module ${JSON.stringify(module ?? '')}.`);
        }
      };
    },
  });
  if (bytes > MODULE_LIMIT) examination.found('examine.bytes', '', `Its files have more than ${MODULE_LIMIT} bytes.`);
}

/** Module paths: parts of ASCII letters, digits and `-._~`, none that begins or ends with a dot. */
function judgePath(path: string, version: string, examination: Examination): void {
  const parts = path.split('/');
  if (
    parts.some((part) => !/^[A-Za-z0-9_~-](?:[A-Za-z0-9._~-]*[A-Za-z0-9_~-])?$/.test(part)) ||
    !/^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/.test(parts[0]!)
  ) {
    examination.found('examine.metadata-name', '', `The module path is ${path}.`);
  }
  if (!/^v(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?(?:\+incompatible)?$/.test(version)) {
    examination.found('examine.metadata-name', '', `The version is ${version}.`);
  }
}
