import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The repository as the rules see it: path to text. Tests of the rules make small ones with a planted violation. */
export type Repository = ReadonlyMap<string, string>;

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Documents show them, so links lead to them; there is nothing in them to be read. */
const PICTURE = /\.png$/;
const TEXT = /\.(?:ts|md|json|ya?ml|py|sh|html|css|toml|txt|in)$|^sallyport$|^\.npmrc$|^\.ci\/run$/;

/** Every text file that is or would be committed; pictures without their content. */
export function readRepository(): Repository {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  }).split('\0');
  const files = listed
    .filter(
      (path) =>
        (TEXT.test(path) || PICTURE.test(path)) && statSync(root + path, { throwIfNoEntry: false })?.isFile() === true,
    )
    .sort();
  return new Map(files.map((path) => [path, PICTURE.test(path) ? '' : readFileSync(root + path, 'utf8')]));
}

/** Modules that a source file names, with its line. */
export function importsOf(text: string): { readonly module: string; readonly line: number; readonly late: boolean }[] {
  const found = [];
  const early = /(?:^|\n)[ \t]*(?:(?:import|export)\b[^;'"]*?\bfrom|import)\s*'([^']+)'/g;
  for (const match of text.matchAll(early)) {
    const end = match.index + match[0].length;
    found.push({ module: match[1]!, line: text.slice(0, end).split('\n').length, late: false });
  }
  for (const match of text.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g)) {
    found.push({ module: match[1]!, line: text.slice(0, match.index).split('\n').length, late: true });
  }
  return found;
}

/** `src/ledger/io/lock.ts` is of the context `ledger`; `src/main.ts` is `main`. */
export function contextOf(path: string): string | undefined {
  return /^src\/([a-z-]+)(?:\/|\.ts$)/.exec(path)?.[1];
}

/** Tests and the fakes made for them. */
export function isTest(path: string): boolean {
  return path.endsWith('.test.ts') || /\/testing\//.test(path) || path.startsWith('tests/');
}
