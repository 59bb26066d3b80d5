import { posix } from 'node:path';
import {
  compareIdentity,
  compareUtf8,
  type Evidence,
  type Identity,
  identityKey,
  printable,
  type Target,
  type Targets,
} from '#kernel';
import type { ClientSettings, Closure, OutsideHalf, ProjectInput, Source, Upstream, Wanted } from '#ecosystems';
import { authorityOf, folderAddress, isHttp, withoutSecrets } from '../address.ts';
import { inParallel } from '../parallel.ts';
import { npmFault } from './faults.ts';
import { agree, isAmbiguous, parseIntegrity, parseShasum } from './integrity.ts';
import { type LockedPackage, type MissingOptional, parseNpmLock } from './lockfile.ts';
import { bareName, scopeOf } from './names.ts';
import { distOf, PACKUMENT_LIMIT, type Packument, parsePackument, publishedOf } from './packument.ts';
import { fits, isRestricted, platformOf } from './platform.ts';

/** Packuments that are in memory at once: each can be tens of megabytes. */
const LANES = 8;
const LOCAL_LIMIT = 1024 * 1024 * 1024;

type Document = Closure['documents'][number];
type Pointer = Closure['pointers'][number];

export const npmOutside: OutsideHalf = {
  recognise(path) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    return name === 'package-lock.json' || name === 'npm-shrinkwrap.json';
  },

  async resolve(input, targets, upstream) {
    const lock = parseNpmLock(input.bytes, input.path);
    const folder = posix.dirname(input.path);
    const notes: string[] = [];
    const wanted = new WantedSet(input.path);
    await checkFolders(lock.folders, folder, input);
    await localTarballs(lock.files, folder, input, wanted);

    const byName = new Map<string, { entry: LockedPackage; targets: Targets }[]>();
    for (const entry of lock.packages) {
      const on = targetsOf(entry, targets);
      if (on !== 'any' && on.length === 0) {
        if (!entry.optional) {
          notes.push(
            `${describe(entry)} fits no target (os, cpu or libc) but is not optional: npm refuses to install it there.`,
          );
        }
        continue;
      }
      const entries = byName.get(entry.name) ?? [];
      entries.push({ entry, targets: on });
      byName.set(entry.name, entries);
      if (entry.hasInstallScript) notes.push(`${describe(entry)} runs a script when it is installed.`);
    }

    const settings = await upstream.settings('npm');
    const documents: Document[] = [];
    const pointers: Pointer[] = [];
    let done = 0;
    await inParallel([...byName], LANES, async ([name, entries]) => {
      upstream.signal.throwIfAborted();
      const registry = registryFor(name, settings);
      for (const [from, group] of await bySource(name, registry, entries, input.path, upstream)) {
        if (from !== undefined) documents.push(from.row);
        const versions = new Set<string>();
        for (const { entry, targets: on } of group) {
          wanted.add(wantedOf(entry, on, from, input.path), entry.line);
          versions.add(entry.version);
        }
        for (const [tag, version] of from?.packument.tags ?? []) {
          if (from === undefined || !versions.has(version)) continue;
          const { ecosystem, authority } = from.row;
          pointers.push({ ecosystem, authority, name, version: '', file: '', pointer: tag, value: version });
        }
      }
      done += 1;
      upstream.report({ type: 'amount', step: 'resolve', done, total: byName.size, unit: 'items', current: name });
    });

    notes.push(...(await missingOptionals(lock.missing, targets, settings, input.path, upstream)));
    // Answers arrive in any order; what comes out must not depend on it.
    documents.sort(compareIdentity);
    pointers.sort((a, b) => compareIdentity(a, b) || compareUtf8(a.pointer, b.pointer));
    return { artifacts: wanted.all(), documents, pointers, notes: [...new Set(notes)] };
  },
};

function registryFor(name: string, settings: ClientSettings): string {
  const scope = scopeOf(name);
  return folderAddress((scope === undefined ? undefined : settings.scopes[scope]) ?? settings.registries[0] ?? '');
}

/**
 * Optional packages that the lock leaves out although a target needs them. Nothing locks their version, so they are not
 * carried; npm on that target installs without them, and often the program then fails when it starts.
 */
async function missingOptionals(
  missing: readonly MissingOptional[],
  targets: readonly Target[],
  settings: ClientSettings,
  path: string,
  upstream: Upstream,
): Promise<readonly string[]> {
  const notes = await inParallel(missing, LANES, async ({ owner, name, range, line }) => {
    const registry = registryFor(name, settings);
    const where = `${path}:${line}`;
    const packument = isHttp(registry) ? (await askRegistry(name, registry, where, upstream))?.packument : undefined;
    const version = range.replace(/^npm:.*@/, '');
    const exact = packument?.manifest(version);
    const manifest = exact ?? packument?.manifest(packument.tags.get('latest') ?? '');
    const what = `${where}: ${owner} has the optional dependency ${printable(name)} ${printable(range)}, which the lock does not name`;
    if (manifest === undefined) return [`${what}; what it is for could not be found out.`];
    const fields = platformOf(manifest);
    const needs = targets.filter((target) => fits(fields, target)).map((target) => target.name);
    if (needs.length === 0) return [];
    const fix =
      exact === undefined && /^\d/.test(version)
        ? 'The registry does not have that version either'
        : "A lock that npm writes without 'node_modules' and an older lock beside it names it";
    return [`${what} although it fits ${needs.sort().join(', ')}: it is not carried. ${fix}.`];
  });
  if (missing.length === 0) return [];
  // Seen with npm 11.19: it asks the registry for them and then compares with the lock, outside as well as inside.
  const names = new Set(missing.map(({ name }) => name)).size;
  return [
    `${path} does not name ${names} optional packages that its packages list. npm 11 can refuse 'npm ci' with such a lock ("Missing: … from lock file"): try it outside from a clean folder.`,
    ...notes.flat(),
  ];
}

/** One artifact per identity, although a lock may put the same package in many places. */
class WantedSet {
  readonly #input: string;
  readonly #byKey = new Map<string, Wanted>();
  constructor(input: string) {
    this.#input = input;
  }

  add(wanted: Wanted, line: number): void {
    const key = identityKey(wanted);
    const known = this.#byKey.get(key);
    if (known === undefined) {
      this.#byKey.set(key, wanted);
      return;
    }
    const expected = [...known.expected];
    for (const e of wanted.expected) {
      if (!expected.some((k) => k.algorithm === e.algorithm && k.value === e.value)) expected.push(e);
    }
    if (isAmbiguous(expected)) {
      throw npmFault('npm.integrity-differs', {
        where: `${this.#input}:${line}`,
        detail: `${printable(wanted.name)} ${printable(wanted.version)} stands in the lock with two integrities.`,
      });
    }
    const targets: Targets =
      known.targets === 'any' || wanted.targets === 'any'
        ? 'any'
        : [...new Set([...known.targets, ...wanted.targets])].sort();
    this.#byKey.set(key, { ...known, expected, targets });
  }

  all(): readonly Wanted[] {
    return [...this.#byKey.values()].sort(compareIdentity);
  }
}

interface Fetched {
  readonly packument: Packument;
  readonly address: string;
  readonly row: Document;
}

/**
 * The packument that knows each entry. That is the configured registry's, as for npm; where the lock names another
 * registry and the configured one lacks the version or has another file under it, that registry is asked, since npm
 * would fetch the tarball from there.
 */
async function bySource(
  name: string,
  registry: string,
  entries: readonly { entry: LockedPackage; targets: Targets }[],
  path: string,
  upstream: Upstream,
): Promise<Map<Fetched | undefined, { entry: LockedPackage; targets: Targets }[]>> {
  const asked = new Map<string, Fetched | undefined>();
  const ask = async (base: string): Promise<Fetched | undefined> => {
    if (!asked.has(base))
      asked.set(base, await fetchPackument(name, base, `${path}:${entries[0]?.entry.line ?? 1}`, upstream));
    return asked.get(base);
  };
  const groups = new Map<Fetched | undefined, { entry: LockedPackage; targets: Targets }[]>();
  for (const item of entries) {
    const { entry } = item;
    const bases = [registry];
    const own = entry.resolved === undefined ? undefined : registryOf(entry.resolved, name);
    if (own !== undefined && own !== registry) bases.push(own);
    let found: Fetched | undefined;
    let differs = false;
    for (const base of bases) {
      if (!isHttp(base)) continue;
      const fetched = await ask(base);
      const manifest = fetched === undefined ? undefined : fetched.packument.manifest(entry.version);
      if (manifest === undefined) continue;
      const integrity = parseIntegrity(distOf(manifest).integrity ?? '', 'index') ?? [];
      if (agree(entry.integrity, integrity) === false) {
        differs = true;
        continue;
      }
      found = fetched;
      break;
    }
    const isRemoteTarball = entry.resolved !== undefined && own === undefined && entry.integrity.length > 0;
    if (found === undefined && !isRemoteTarball) {
      const where = `${path}:${entry.line}`;
      const places = bases.filter(isHttp).map(withoutSecrets).join(' and ');
      if (differs) {
        throw npmFault('npm.integrity-differs', {
          where,
          detail: `The lock and the document at ${places} name different files for ${describe(entry)}.`,
        });
      }
      if (own === undefined && entry.resolved !== undefined) {
        throw npmFault('npm.remote-tarball', {
          where,
          detail: `${describe(entry)}: ${withoutSecrets(entry.resolved)}`,
        });
      }
      const known = bases.some((base) => asked.get(base) !== undefined);
      throw npmFault(known ? 'npm.unknown-version' : 'npm.unknown-package', {
        where,
        detail: `${describe(entry)} was asked at ${places === '' ? 'no registry: none is configured' : places}.`,
      });
    }
    const group = groups.get(found) ?? [];
    group.push(item);
    groups.set(found, group);
  }
  return groups;
}

async function askRegistry(
  name: string,
  registry: string,
  where: string,
  upstream: Upstream,
): Promise<{ packument: Packument; address: string; origin: string; bytes: Uint8Array } | undefined> {
  const address = `${registry}${name.replace('/', '%2f')}`;
  const answer = await upstream.getBytes(
    { client: 'npm', url: address, headers: { accept: 'application/json' } },
    PACKUMENT_LIMIT,
  );
  if (answer.status === 404 || answer.status === 410) return undefined;
  const origin = withoutSecrets(address);
  if (answer.status !== 200) {
    throw npmFault('npm.upstream', { where, detail: `${origin} answered with status ${answer.status}.` });
  }
  const packument = parsePackument(answer.bytes);
  if (packument === undefined || packument.name !== name) {
    const detail = `${origin} answered with something that is not the document of ${name}.`;
    throw npmFault('npm.upstream', { where, detail });
  }
  return { packument, address, origin, bytes: answer.bytes };
}

async function fetchPackument(
  name: string,
  registry: string,
  where: string,
  upstream: Upstream,
): Promise<Fetched | undefined> {
  const answer = await askRegistry(name, registry, where, upstream);
  if (answer === undefined) return undefined;
  const { packument, address, origin, bytes } = answer;
  const row: Document = {
    ecosystem: 'npm',
    authority: authorityOf(registry),
    name,
    version: '',
    file: '',
    role: 'packument',
    digest: await upstream.keep(bytes),
    size: bytes.length,
    media: 'application/json',
    origin,
  };
  return { packument, address, row };
}

/** The base of the registry that a tarball's address belongs to, `<base>/<name>/-/<file>`, or undefined. */
function registryOf(resolved: string, name: string): string | undefined {
  const url = new URL(resolved);
  const path = decodeSlashes(url.pathname);
  const at = path.indexOf(`/${name}/-/`);
  return at === -1 ? undefined : `${url.origin}${path.slice(0, at + 1)}`;
}

function decodeSlashes(path: string): string {
  return path.replace(/%2f/gi, '/').replace(/%40/g, '@');
}

function wantedOf(entry: LockedPackage, targets: Targets, from: Fetched | undefined, path: string): Wanted {
  const where = `${path}:${entry.line}`;
  const manifest = from === undefined ? undefined : from.packument.manifest(entry.version);
  const dist = manifest === undefined ? undefined : distOf(manifest);
  const tarball =
    dist?.tarball === undefined || from === undefined || !URL.canParse(dist.tarball, from.address)
      ? undefined
      : new URL(dist.tarball, from.address).href;

  // The lock vouches first. Where it is silent or weak, upstream's document is better than nobody.
  const expected: Evidence[] = [...entry.integrity];
  if (!expected.some((e) => e.grade === 'strong') && dist !== undefined) {
    const fromIndex = dist.integrity === undefined ? [] : parseIntegrity(dist.integrity, 'index');
    if (fromIndex === undefined || isAmbiguous(fromIndex)) {
      throw npmFault('npm.upstream', { where, detail: `The registry's integrity of ${describe(entry)} is malformed.` });
    }
    expected.push(...fromIndex);
    if (expected.length === 0 && dist.shasum !== undefined) expected.push(...parseShasum(dist.shasum, 'index'));
  }

  // The configured registry's own address first: a mirror knows where it keeps its tarballs, and what the lock names may
  // be out of reach from here. The integrity decides whether it is the same file.
  const addresses = [...new Set([tarball, entry.resolved].filter((a) => a !== undefined && isHttp(a)))] as string[];
  if (
    from !== undefined &&
    entry.resolved !== undefined &&
    entry.resolved.startsWith(new URL('/', from.address).href)
  ) {
    addresses.sort((a, b) => Number(b === entry.resolved) - Number(a === entry.resolved));
  }
  if (addresses.length === 0) {
    throw npmFault('npm.upstream', { where, detail: `Nothing says where the tarball of ${describe(entry)} is.` });
  }
  const sources: Source[] = addresses.map((url) => ({ kind: 'url', url }));
  const file = fileOf(tarball ?? addresses[0] ?? '') ?? `${bareName(entry.name)}-${entry.version}.tgz`;
  const identity: Identity = {
    ecosystem: 'npm',
    authority: from?.row.authority ?? new URL(addresses[0] ?? '').host,
    name: entry.name,
    version: entry.version,
    file,
  };
  // With `replace-registry-host=always` npm asks the registry for the path of `resolved`, whatever its shape.
  const asked = entry.resolved === undefined ? undefined : new URL(entry.resolved).pathname;
  const usual = asked === undefined || decodeSlashes(asked).endsWith(`/${entry.name}/-/${file}`);
  return {
    ...identity,
    targets,
    sources,
    expected,
    media: 'application/octet-stream',
    published: from === undefined ? '' : publishedOf(from.packument, entry.version),
    facts: usual || asked === undefined ? {} : { path: asked },
  };
}

function fileOf(address: string): string | undefined {
  const last = new URL(address).pathname.split('/').at(-1) ?? '';
  try {
    const name = decodeURIComponent(last);
    return name === '' || /[/\\\p{Cc}]/u.test(name) || !name.includes('.') ? undefined : name;
  } catch {
    return undefined;
  }
}

function targetsOf(entry: LockedPackage, targets: readonly Target[]): Targets {
  if (!isRestricted(entry)) return 'any';
  return targets
    .filter((target) => fits(entry, target))
    .map((target) => target.name)
    .sort();
}

function describe(entry: { readonly name: string; readonly version: string }): string {
  return `${printable(entry.name)} ${printable(entry.version)}`;
}

/** Workspaces and linked folders are part of the project itself; only that they exist is checked. */
async function checkFolders(
  folders: readonly { readonly path: string; readonly line: number }[],
  folder: string,
  input: ProjectInput,
): Promise<void> {
  for (const { path, line } of folders) {
    const manifest = posix.join(folder, path, 'package.json');
    if ((await input.sibling(manifest, 16 * 1024 * 1024)) !== undefined) continue;
    throw npmFault('npm.missing-file', { where: `${input.path}:${line}`, detail: `It is ${printable(manifest)}.` });
  }
}

async function localTarballs(
  files: ReturnType<typeof parseNpmLock>['files'],
  folder: string,
  input: ProjectInput,
  wanted: WantedSet,
): Promise<void> {
  for (const file of files) {
    const path = posix.join(folder, file.path);
    if ((await input.sibling(path, LOCAL_LIMIT)) === undefined) {
      throw npmFault('npm.missing-file', { where: `${input.path}:${file.line}`, detail: `It is ${printable(path)}.` });
    }
    wanted.add(
      {
        ecosystem: 'npm',
        authority: '',
        name: file.name,
        version: file.version,
        file: posix.basename(path),
        targets: 'any',
        sources: [{ kind: 'file', path }],
        expected: file.integrity,
        media: 'application/octet-stream',
        published: '',
        facts: { local: path },
      },
      file.line,
    );
  }
}
