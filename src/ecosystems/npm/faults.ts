import { type Catalogue, faultsOf } from '#kernel';

export const npmCatalogue = {
  'npm.lock-unreadable': {
    title: 'The npm lockfile cannot be read as strict JSON.',
    fix: "Resolve conflict markers and duplicate keys, then let npm write the file again: 'npm install --package-lock-only'.",
  },
  'npm.lock-version': {
    title: 'The npm lockfile has a version that does not name every package.',
    fix: "Write it again as version 3 with npm 7 or newer: 'npm install --package-lock-only --lockfile-version 3'.",
  },
  'npm.lock-entry': {
    title: 'An entry of the npm lockfile is not usable.',
    fix: "Let npm write the file again: 'npm install --package-lock-only'. If the entry stays, the package that it names is at fault.",
  },
  'npm.git-dependency': {
    title: 'The npm lockfile takes a package from a git repository, whose content no lock pins and no registry serves.',
    fix: "Publish that commit to a registry of your own ('npm publish') and depend on its version, or put its folder into the project as a workspace or a 'file:' dependency.",
  },
  'npm.remote-tarball': {
    title: 'The npm lockfile takes a package from an address that is not a registry, without an integrity.',
    fix: "Let npm add the integrity ('npm install --package-lock-only'), or publish the tarball to a registry of your own.",
  },
  'npm.outside-project': {
    title: 'The npm lockfile names a local package outside the project.',
    fix: 'Move the package below the folder of sallyport.yaml, or publish it to a registry and depend on its version.',
  },
  'npm.missing-file': {
    title: 'The npm lockfile names a local file or workspace that is not there.',
    fix: "Restore the file, or remove the dependency and run 'npm install --package-lock-only'.",
  },
  'npm.unknown-package': {
    title: 'The registry does not have a package that the npm lockfile names.',
    fix: "Check 'registry' and '@scope:registry' in .npmrc: the package may live in another registry, or may have been removed.",
  },
  'npm.unknown-version': {
    title: 'The registry does not have a version that the npm lockfile names.',
    fix: "The version may have been unpublished, or live in another registry (check .npmrc). Otherwise choose one that exists and run 'npm install --package-lock-only'.",
  },
  'npm.integrity-differs': {
    title: 'Two statements about the same npm package disagree about its integrity.',
    fix: 'Somebody changed the package or the lockfile. Compare with a lockfile from version control, and do not go on before you know which of them is right.',
  },
  'npm.upstream': {
    title: 'The npm registry did not give a usable answer.',
    fix: "Run 'npm view NAME' in the project: it uses the same registry, credentials and proxies. Then capture again; what is already here is not fetched twice.",
  },
} as const satisfies Catalogue;

export const npmFault = faultsOf(npmCatalogue);
