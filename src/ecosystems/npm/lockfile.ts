import { type Evidence, isObject, printable } from '#kernel';
import { npmFault } from './faults.ts';
import { isAmbiguous, parseIntegrity } from './integrity.ts';
import { parseWithLines } from './lines.ts';
import { isPackageName } from './names.ts';
import { type PlatformFields, platformOf } from './platform.ts';

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
  readonly missing: readonly MissingOptional[];
}

/** An optional dependency of a package of the lock that the lock itself does not name. */
export interface MissingOptional {
  /** `The project`, or where npm puts the package that wants it. */
  readonly owner: string;
  readonly name: string;
  readonly range: string;
  readonly line: number;
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
  const missing: MissingOptional[] = [];
  for (const [key, entry] of Object.entries(entries)) {
    const line = parsed.lineOf('packages', key);
    const where = `${path}:${line}`;
    const bad = (detail: string) => npmFault('npm.lock-entry', { where, detail: `${printable(key)}: ${detail}` });
    if (!isObject(entry)) throw bad('it is not an object.');
    missing.push(...missingOptionals(key, line, entry, entries));
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
      ...platformOf(entry),
    });
  }
  return { packages, files, folders, missing };
}

/** npm may write a lock that lacks the optional packages of other platforms (npm/cli#4828). */
function missingOptionals(
  key: string,
  line: number,
  entry: Readonly<Record<string, unknown>>,
  entries: Readonly<Record<string, unknown>>,
): readonly MissingOptional[] {
  const optional = entry['optionalDependencies'];
  if (!isObject(optional) || entry['link'] === true || entry['inBundle'] === true) return [];
  const owner = key === '' ? 'The project' : printable(key);
  return Object.entries(optional)
    .filter(([name]) => isPackageName(name) && !isThere(key, name, entries))
    .map(([name, range]) => ({ owner, name, range: text(range) ?? '', line }));
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
