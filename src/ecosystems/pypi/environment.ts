import type { Target } from '#kernel';
import { pypiFault } from './faults.ts';

/** One Python on one target, in Python's own words. */
export interface PythonEnvironment {
  readonly target: Target;
  /** `cpython` or `pypy`. */
  readonly implementation: string;
  readonly major: number;
  readonly minor: number;
  /** The whole version where the target names it, or undefined for `3.11`. */
  readonly full: string | undefined;
  /** `platform.machine()`: `x86_64`. */
  readonly machine: string;
}

const LINUX: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  '386': 'i686',
  arm: 'armv7l',
  ppc64le: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
  loong64: 'loongarch64',
};
const WINDOWS: Readonly<Record<string, string>> = { amd64: 'AMD64', arm64: 'ARM64', '386': 'x86' };

/** The Pythons of a target. Throws pypi.target where it names none, or not enough to choose a wheel. */
export function environmentsOf(target: Target): readonly PythonEnvironment[] {
  const where = `targets.${target.name}`;
  const machine = (target.os === 'windows' ? WINDOWS : LINUX)[target.arch];
  if ((target.os !== 'linux' && target.os !== 'windows') || machine === undefined) {
    throw pypiFault('pypi.target', {
      where,
      detail: `Wheels are chosen for Linux and Windows; this is ${target.os} on ${target.arch}.`,
      fix: 'Give this input to the targets that it can run on only.',
    });
  }
  if (target.python === undefined || target.python.length === 0) {
    throw pypiFault('pypi.target', { where, detail: 'It names no python.' });
  }
  if (target.os === 'linux' && !/^\d+\.\d+/.test(target.libc?.version ?? '')) {
    throw pypiFault('pypi.target', { where, detail: 'It names no libc with a version.' });
  }
  return target.python.map(({ implementation, version }) => {
    const match = /^(\d{1,3})\.(\d{1,3})(?:\.\d+\S*)?$/.exec(version);
    if (match === null || !['cpython', 'pypy'].includes(implementation)) {
      throw pypiFault('pypi.target', {
        where: `${where}.python`,
        detail: `${implementation} ${version} is not known; 'cpython' and 'pypy' with a version like 3.11 are.`,
      });
    }
    const full = version.split('.').length > 2 ? version : undefined;
    return { target, implementation, major: Number(match[1]), minor: Number(match[2]), full, machine };
  });
}

/** Every whole version that the environment may have, as first and last: they are equal where the target names it. */
export function versionRange(environment: PythonEnvironment): readonly [string, string] {
  const { major, minor, full } = environment;
  return full === undefined ? [`${major}.${minor}.0`, `${major}.${minor}.999`] : [full, full];
}
