import { compareUtf8 } from '#kernel';
import { comparePep440, compareSemver } from '#ecosystems/versions';
import type { Order } from './number.ts';
import { compareAlpm } from './schemes/alpm.ts';
import { compareConan } from './schemes/conan.ts';
import { compareDatetime } from './schemes/datetime.ts';
import { compareApk, compareGentoo } from './schemes/gentoo.ts';
import { compareMaven } from './schemes/maven.ts';
import { compareNuget } from './schemes/nuget.ts';
import { compareOpenssl } from './schemes/openssl.ts';

/** Order of two versions of one scheme; undefined where one of them is not a version of it. */
export type Compare = (a: string, b: string) => Order | undefined;

const COMPARE: Readonly<Record<string, Compare>> = {
  alpm: compareAlpm,
  apk: compareApk,
  conan: compareConan,
  datetime: compareDatetime,
  gentoo: compareGentoo,
  lexicographic: (a, b) => Math.sign(compareUtf8(a, b)) as Order,
  maven: compareMaven,
  nginx: compareSemver,
  npm: compareSemver,
  nuget: compareNuget,
  openssl: compareOpenssl,
  pypi: comparePep440,
};

/** The order of a version scheme, by its name in vers and purl; undefined where none is known here. */
export function orderOf(scheme: string): Compare | undefined {
  return Object.hasOwn(COMPARE, scheme) ? COMPARE[scheme] : undefined;
}
