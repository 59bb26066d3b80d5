import type { PythonEnvironment } from './environment.ts';

/** A wheel's name (Binary distribution format, "File name convention"). */
export interface WheelName {
  readonly distribution: string;
  readonly version: string;
  /** Sorts after the version; '' where there is none. */
  readonly build: string;
  /** Compressed sets of PEP 425, split at `.`. */
  readonly pythons: readonly string[];
  readonly abis: readonly string[];
  readonly platforms: readonly string[];
}

/** Undefined where it is not the name of a wheel. */
export function parseWheelName(file: string): WheelName | undefined {
  if (!file.endsWith('.whl') || file.length > 512) return undefined;
  const parts = file.slice(0, -'.whl'.length).split('-');
  if ((parts.length !== 5 && parts.length !== 6) || parts.includes('')) return undefined;
  const build = parts.length === 6 ? (parts[2] ?? '') : '';
  if (build !== '' && !/^\d/.test(build)) return undefined;
  const [distribution = '', version = ''] = parts;
  const [pythons = '', abis = '', platforms = ''] = parts.slice(-3);
  if (!/^[\w.]+$/u.test(distribution)) return undefined;
  const sets = [pythons, abis, platforms].map((set) => set.toLowerCase().split('.'));
  if (sets.some((set) => set.includes('') || set.length > 64)) return undefined;
  return {
    distribution,
    // In file names `_` stands for `-`, which only local versions and old implicit posts have.
    version: version.replace(/_/g, '-'),
    build,
    pythons: sets[0] ?? [],
    abis: sets[1] ?? [],
    platforms: sets[2] ?? [],
  };
}

/** The name and version of a source distribution, or undefined. `project` is the normalised name it must be of. */
export function parseSdistName(file: string, normalise: (name: string) => string, project: string): string | undefined {
  const stem = /^(.+)\.(?:tar\.gz|zip|tar\.bz2|tgz|tar\.xz)$/.exec(file)?.[1];
  if (stem === undefined) return undefined;
  for (let at = stem.indexOf('-'); at !== -1; at = stem.indexOf('-', at + 1)) {
    if (normalise(stem.slice(0, at)) === project && /^v?\d/i.test(stem.slice(at + 1))) return stem.slice(at + 1);
  }
  return undefined;
}

/** All tags that the environment accepts, best first, as pip orders them (packaging.tags `sys_tags`). */
export function supportedTags(environment: PythonEnvironment): readonly string[] {
  const { implementation, major, minor } = environment;
  const platforms = platformsOf(environment);
  const nodot = `${major}${minor}`;
  const tags: string[] = [];
  if (implementation === 'cpython') {
    const abi = `cp${nodot}${major === 3 && minor < 8 ? 'm' : ''}`;
    for (const platform of platforms) tags.push(`cp${nodot}-${abi}-${platform}`);
    const abi3 = major === 3 && minor >= 2;
    if (abi3) for (const platform of platforms) tags.push(`cp${nodot}-abi3-${platform}`);
    for (const platform of platforms) tags.push(`cp${nodot}-none-${platform}`);
    if (abi3) {
      for (let older = minor - 1; older >= 2; older -= 1) {
        for (const platform of platforms) tags.push(`cp${major}${older}-abi3-${platform}`);
      }
    }
  } else {
    const interpreter = `pp${nodot}`;
    for (const platform of platforms) tags.push(`${interpreter}-pypy${nodot}_pp73-${platform}`);
    for (const platform of platforms) tags.push(`${interpreter}-none-${platform}`);
  }
  const generic = [`py${nodot}`, `py${major}`];
  for (let older = minor - 1; older >= 0; older -= 1) generic.push(`py${major}${older}`);
  for (const python of generic) for (const platform of platforms) tags.push(`${python}-none-${platform}`);
  tags.push(implementation === 'cpython' ? `cp${nodot}-none-any` : `pp${major}-none-any`);
  for (const python of generic) tags.push(`${python}-none-any`);
  return tags;
}

/** The place of the wheel's best tag in the environment's list (0 is best), or undefined where none fits. */
export function rankOf(wheel: WheelName, ranks: ReadonlyMap<string, number>): number | undefined {
  let best: number | undefined;
  for (const python of wheel.pythons) {
    for (const abi of wheel.abis) {
      for (const platform of wheel.platforms) {
        const rank = ranks.get(`${python}-${abi}-${platform}`);
        if (rank !== undefined && (best === undefined || rank < best)) best = rank;
      }
    }
  }
  return best;
}

export function ranksOf(tags: readonly string[]): ReadonlyMap<string, number> {
  const ranks = new Map<string, number>();
  for (const [rank, tag] of tags.entries()) if (!ranks.has(tag)) ranks.set(tag, rank);
  return ranks;
}

/** Build tags: a number, then text; none comes first. */
export function compareBuild(a: string, b: string): number {
  const split = (build: string): [number, string] => {
    const match = /^(\d+)(.*)$/.exec(build);
    return match === null ? [-1, ''] : [Number(match[1]), match[2] ?? ''];
  };
  const [x, xs] = split(a);
  const [y, ys] = split(b);
  return x - y || (xs < ys ? -1 : xs > ys ? 1 : 0);
}

/** PEP 600 and its older names; PEP 656; Windows. */
function platformsOf({ target, machine }: PythonEnvironment): readonly string[] {
  if (target.os === 'windows') return [{ AMD64: 'win_amd64', ARM64: 'win_arm64', x86: 'win32' }[machine] ?? 'win32'];
  const [major = 0, minor = 0] = (target.libc?.version ?? '').split('.').map(Number);
  const platforms: string[] = [];
  if (target.libc?.name === 'musl') {
    for (let m = minor; m >= 0; m -= 1) platforms.push(`musllinux_${major}_${m}_${machine}`);
  } else if (major === 2) {
    const x86 = machine === 'x86_64' || machine === 'i686';
    for (let m = minor; m >= (x86 ? 5 : 17); m -= 1) {
      platforms.push(`manylinux_2_${m}_${machine}`);
      const old = { 17: 'manylinux2014', 12: 'manylinux2010', 5: 'manylinux1' }[m];
      if (old !== undefined) platforms.push(`${old}_${machine}`);
    }
  }
  platforms.push(`linux_${machine}`);
  return platforms;
}
