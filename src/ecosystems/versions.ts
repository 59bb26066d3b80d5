export { compareSemver } from './npm/semver.ts';
export { comparePep440 } from './pypi/version.ts';
