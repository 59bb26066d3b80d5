import type { Target } from '#kernel';

/** Node's `process.platform` and `process.arch` for OCI's words (npm's `os` and `cpu` fields use Node's). */
const OS: Readonly<Record<string, string>> = { windows: 'win32' };
const CPU: Readonly<Record<string, string>> = { amd64: 'x64', '386': 'ia32', ppc64le: 'ppc64', mips64le: 'mips64el' };

export interface PlatformFields {
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
}

/** `os`, `cpu` and `libc` of a manifest or of an entry of a lock; npm takes a single string for a list of one. */
export function platformOf(entry: Readonly<Record<string, unknown>>): PlatformFields {
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

export function isRestricted(fields: PlatformFields): boolean {
  return fields.os !== undefined || fields.cpu !== undefined || fields.libc !== undefined;
}

/** Whether npm would install the package on the target. A libc that the target does not name excludes nothing. */
export function fits(fields: PlatformFields, target: Target): boolean {
  const os = OS[target.os] ?? target.os;
  if (!allows(fields.os, os) || !allows(fields.cpu, CPU[target.arch] ?? target.arch)) return false;
  if (fields.libc === undefined || target.libc === undefined) return true;
  return os === 'linux' && allows(fields.libc, target.libc.name);
}

/** npm-install-checks: `!x` forbids x; a list with only such entries allows the rest; `any` alone allows all. */
function allows(list: readonly string[] | undefined, value: string): boolean {
  if (list === undefined || list.length === 0 || (list.length === 1 && list[0] === 'any')) return true;
  if (list.includes(`!${value}`)) return false;
  return list.includes(value) || list.every((entry) => entry.startsWith('!'));
}
