/** For which package a process says that it works. Everything here is the process's own word. Pure. */

export interface ProcessClaims {
  readonly environment: ReadonlyMap<string, string>;
  readonly cwd: string;
  readonly args: readonly string[];
  /** A file as the process sees it, '' where there is none. */
  readonly read: (path: string) => string;
}

/** `NAME@VERSION`, or only the name where no version is said; undefined where nothing says so. */
export function claimedPackage(claims: ProcessClaims): string | undefined {
  return fromFolder(claims, claims.cwd) ?? fromArguments(claims) ?? fromEnvironment(claims) ?? fromSource(claims);
}

const SCOPED = /^(?:@[a-z0-9~._-]+\/)?[A-Za-z0-9~._-]+$/;
const VERSION = /^[0-9A-Za-z.+!_-]{1,128}$/;

/** The innermost package of npm that this path lies in. */
function fromFolder(claims: ProcessClaims, path: string): string | undefined {
  const parts = path.split('/');
  const last = parts.lastIndexOf('node_modules');
  if (last === -1) return undefined;
  const first = parts[last + 1] ?? '';
  const length = first.startsWith('@') ? 2 : 1;
  const name = parts.slice(last + 1, last + 1 + length).join('/');
  if (name === '' || name.startsWith('.') || !SCOPED.test(name)) return undefined;
  const folder = parts.slice(0, last + 1 + length).join('/');
  return named(name, fieldOf(claims.read(`${folder}/package.json`), 'version'));
}

/** A script that is run from a package: `node …/node_modules/NAME/install.js`. */
function fromArguments(claims: ProcessClaims): string | undefined {
  for (const [index, word] of claims.args.slice(0, 4).entries()) {
    // The interpreter says nothing of what it runs, wherever it comes from.
    if (index === 0 && /\/(?:node|python[0-9.]*)$/.test(word)) continue;
    const found = word.startsWith('/') ? fromFolder(claims, word) : undefined;
    // npm itself runs everything; it is nobody's dependency here.
    if (found !== undefined && !/^npm(@|$)/.test(found)) return found;
  }
  return undefined;
}

/** npm says it to every script that it runs. */
function fromEnvironment({ environment }: ProcessClaims): string | undefined {
  const name = environment.get('npm_package_name');
  return name !== undefined && SCOPED.test(name) ? named(name, environment.get('npm_package_version')) : undefined;
}

/** A source distribution that is being built: PKG-INFO lies in its folder (PyPA, Core metadata). */
function fromSource(claims: ProcessClaims): string | undefined {
  const parts = claims.cwd.split('/');
  for (let length = parts.length; length > Math.max(1, parts.length - 3); length--) {
    const text = claims.read(`${parts.slice(0, length).join('/')}/PKG-INFO`);
    const name = /^Name:[ \t]*([A-Za-z0-9._-]{1,128})\r?$/m.exec(text)?.[1];
    if (name !== undefined) return named(name, /^Version:[ \t]*(\S{1,128})\r?$/m.exec(text)?.[1]);
  }
  return undefined;
}

function named(name: string, version: string | undefined): string | undefined {
  if (name.length > 256) return undefined;
  return version !== undefined && VERSION.test(version) ? `${name}@${version}` : name;
}

function fieldOf(json: string, field: string): string | undefined {
  if (json === '') return undefined;
  try {
    const value = (JSON.parse(json) as Record<string, unknown> | null)?.[field];
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
