import type { RandomBytes } from '#formats';
import { judgeTarFile, PACKAGE } from '../archive.ts';
import type { Examination } from '../examination.ts';
import { isPlainWord } from '../member-name.ts';
import { readDocument, textOf } from './document.ts';

/** A Rust crate (cargo package): everything in `NAME-VERSION/`, as its Cargo.toml says. */
export async function judgeCrate(file: RandomBytes, examination: Examination): Promise<void> {
  let top: string | undefined;
  let stated: string | undefined;
  let found = false;
  const isTar = await judgeTarFile(file, examination, PACKAGE, ({ name, parts, kind }) => {
    if (parts.length === 0) return undefined;
    top ??= parts[0];
    if (parts[0] !== top || (parts.length === 1 && kind !== 'folder')) {
      examination.found('examine.layout', name, `It does not lie in ${top}/.`);
    }
    // cargo writes this mark itself; one in the archive made it write through a link (CVE-2022-36113).
    if (parts.at(-1) === '.cargo-ok') examination.found('examine.layout', name, 'Only cargo itself writes this file.');
    if (parts.length !== 2 || parts[1] !== 'Cargo.toml' || kind !== 'file') return undefined;
    found = true;
    return async (content) => {
      const text = textOf(await readDocument(content, name, examination), name, examination);
      if (text !== undefined) stated = identityOf(text, name, examination);
    };
  });
  if (!isTar) examination.found('examine.wrong-kind', '', 'It is no compressed tar archive.');
  else if (!found) examination.found('examine.metadata', '', 'It has no Cargo.toml.');
  else if (stated !== undefined && stated !== top) {
    examination.found('examine.metadata-name', '', `The folder is ${top}, and Cargo.toml says ${stated}.`);
  }
}

/** Name and version of `[package]`. cargo writes this file itself in one normal form, one key a line. */
function identityOf(text: string, where: string, examination: Examination): string | undefined {
  const section = /^\[package\][ \t]*\r?\n((?:(?!\[)[^\n]*(?:\n|$))*)/m.exec(text)?.[1] ?? '';
  const value = (key: string): string | undefined => {
    const all = [...section.matchAll(new RegExp(`^[ \\t]*${key}[ \\t]*=[ \\t]*"([^"\\\\]*)"[ \\t]*$`, 'gm'))];
    return all.length === 1 ? all[0]![1] : undefined;
  };
  const name = value('name');
  const version = value('version');
  if (name === undefined || version === undefined) {
    examination.found('examine.metadata', where, 'It does not say name and version in [package] once each.');
    return undefined;
  }
  if (!/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(name) || !/^\d+\.\d+\.\d+/.test(version) || !isPlainWord(version)) {
    examination.found('examine.metadata-name', where, `It is ${name} ${version}.`);
  }
  return `${name}-${version}`;
}
