import { type Evidence, isObject, printable } from '#kernel';
import { npmFault } from './faults.ts';
import { isAmbiguous, parseIntegrity } from './integrity.ts';
import { parseWithLines } from './lines.ts';
import { isPackageName } from './names.ts';
import type { PlatformFields } from './platform.ts';

/** A package that the lock takes from a registry or from a tarball. */
export interface LockedPackage extends PlatformFields {
  /** Key in `packages`: where npm puts it. */
  readonly key: string;
  readonly line: number;
  /** The name in the registry, which for an alias is not the folder's. */
  readonly name: string;
  readonly version: string;
  readonly resolved: string | undefined;
  readonly integrity: readonly Evidence[];
  readonly optional: boolean;
  readonly hasInstallScript: boolean;
}

/** A `file:` tarball of the project. */
export interface LockedFile {
  readonly line: number;
  readonly name: string;
  readonly version: string;
  /** Relative to the folder of the lockfile. */
  readonly path: string;
  readonly integrity: readonly Evidence[];
}

export interface NpmLock {
  readonly packages: readonly LockedPackage[];
  readonly files: readonly LockedFile[];
  /** Folders of workspaces and linked packages, relative to the folder of the lockfile, with the line that names them. */
  readonly folders: readonly { readonly path: string; readonly line: number }[];
  readonly notes: readonly string[];
}

/**
 * Reads package-lock.json or npm-shrinkwrap.json, versions 2 and 3 (docs of npm: "package-lock.json", `packages`).
 * Throws a Fault with the line for everything that it cannot carry exactly.
 */
export function parseNpmLock(bytes: Uint8Array, path: string): NpmLock {
  const parsed = parseWithLines(bytes);
  if (!parsed.ok) throw npmFault('npm.lock-unreadable', { where: `${path}:${parsed.line}`, detail: parsed.detail });
  const lock = parsed.value;
  if (!isObject(lock)) throw npmFault('npm.lock-unreadable', { where: `${path}:1`, detail: 'It is not an object.' });
  const version = lock['lockfileVersion'];
  if (version !== 2 && version !== 3) {
    const found = typeof version === 'number' ? `It says ${version}; 2 and 3 can be read.` : 'It says no version.';
    throw npmFault('npm.lock-version', { where: `${path}:${parsed.lineOf('lockfileVersion')}`, detail: found });
  }
  const entries = lock['packages'];
  if (!isObject(entries)) {
    throw npmFault('npm.lock-version', { where: `${path}:1`, detail: "It has no 'packages'." });
  }

  const packages: LockedPackage[] = [];
  const files: LockedFile[] = [];
  const folders: { path: string; line: number }[] = [];
  const notes: string[] = [];
  for (const [key, entry] of Object.entries(entries)) {
    const line = parsed.lineOf('packages', key);
    const where = `${path}:${line}`;
    const bad = (detail: string) => npmFault('npm.lock-entry', { where, detail: `${printable(key)}: ${detail}` });
    if (!isObject(entry)) throw bad('it is not an object.');
    missingOptionals(key, entry, entries, notes);
    if (key === '') continue;

    if (entry['link'] === true) {
      const target = text(entry['resolved']);
      if (target === undefined) throw bad("it is a link without 'resolved'.");
      folders.push({ path: inProject(target, where), line });
      continue;
    }
    const at = key.lastIndexOf('node_modules/');
    if (at === -1) {
      folders.push({ path: inProject(key, where), line });
      continue;
    }
    // What a package carries inside its own tarball comes with that tarball.
    if (entry['inBundle'] === true) continue;
    inProject(key, where);

    const name = text(entry['name']) ?? key.slice(at + 'node_modules/'.length);
    if (!isPackageName(name)) throw bad(`${printable(name)} is no package name.`);
    const resolved = text(entry['resolved']);
    if (resolved !== undefined && isGit(resolved)) {
      throw npmFault('npm.git-dependency', {
        where,
        detail: `${printable(name)} comes from ${safeAddress(resolved)}.`,
      });
    }
    const exact = text(entry['version']);
    if (exact === undefined || exact === '' || exact.length > 256 || /[\s/\\\p{Cc}]/u.test(exact)) {
      throw bad("it has no usable 'version'.");
    }
    const integrityText = text(entry['integrity']);
    const integrity = integrityText === undefined ? [] : parseIntegrity(integrityText, path);
    if (integrity === undefined) throw bad(`'integrity' is malformed: ${printable(String(integrityText))}`);
    if (isAmbiguous(integrity)) throw bad("'integrity' allows several different files.");
    if (resolved !== undefined && resolved.startsWith('file:')) {
      files.push({ line, name, version: exact, path: inProject(resolved.slice('file:'.length), where), integrity });
      continue;
    }
    if (resolved !== undefined && !/^https?:\/\//.test(resolved)) {
      throw bad(`'resolved' is not an address that can be fetched: ${safeAddress(resolved)}`);
    }
    packages.push({
      key,
      line,
      name,
      version: exact,
      resolved,
      integrity,
      optional: entry['optional'] === true || entry['devOptional'] === true,
      hasInstallScript: entry['hasInstallScript'] === true,
      ...platform(entry),
    });
  }
  return { packages, files, folders, notes };
}

function platform(entry: Readonly<Record<string, unknown>>): PlatformFields {
  const list = (key: string): readonly string[] | undefined => {
    const value = entry[key];
    if (typeof value === 'string') return [value];
    return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : undefined;
  };
  const os = list('os');
  const cpu = list('cpu');
  const libc = list('libc');
  return { ...(os && { os }), ...(cpu && { cpu }), ...(libc && { libc }) };
}

/**
 * npm may write a lock that lacks the optional packages of other platforms (npm/cli#4828). Nothing says which version
 * they would have, so they cannot be carried, but whoever installs on such a platform must know.
 */
function missingOptionals(
  key: string,
  entry: Readonly<Record<string, unknown>>,
  entries: Readonly<Record<string, unknown>>,
  notes: string[],
): void {
  const optional = entry['optionalDependencies'];
  if (!isObject(optional) || entry['link'] === true) return;
  for (const name of Object.keys(optional)) {
    if (isThere(key, name, entries)) continue;
    const owner = key === '' ? 'The project' : printable(key);
    notes.push(
      `${owner} has the optional dependency ${printable(name)}, which the lock does not name: it is not carried, and a platform that needs it goes without.`,
    );
  }
}

/** Node's look-up: from the package's own node_modules up to the root's. */
function isThere(key: string, name: string, entries: Readonly<Record<string, unknown>>): boolean {
  for (let at = key; ;) {
    if (Object.hasOwn(entries, at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`)) return true;
    if (at === '') return false;
    const above = at.lastIndexOf('/node_modules/');
    at = above === -1 ? '' : at.slice(0, above);
  }
}

function inProject(path: string, where: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') {
      if (parts.length === 0) throw npmFault('npm.outside-project', { where, detail: `It is ${printable(path)}.` });
      parts.pop();
    } else if (part !== '' && part !== '.') parts.push(part);
  }
  if (path.startsWith('/') || /^[A-Za-z]:|\\|\0/.test(path)) {
    throw npmFault('npm.outside-project', { where, detail: `It is ${printable(path)}.` });
  }
  return parts.join('/');
}

function isGit(resolved: string): boolean {
  return (
    /^(?:git(?:\+[a-z]+)?:|git@|github:|gitlab:|bitbucket:|gist:|ssh:)/.test(resolved) || /\.git(?:#|$)/.test(resolved)
  );
}

function safeAddress(address: string): string {
  return printable(address.replace(/\/\/[^/@]*@/, '//').slice(0, 300));
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
