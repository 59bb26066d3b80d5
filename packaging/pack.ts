// Makes the packed tree: what is installed or carried, ready to run from anywhere, below a node_modules folder too.
//
//   ./sallyport :node packaging/pack.ts [--out DIR]
//
// DIR (dist) then holds sallyport-<version>-<platform>/ and the same as .tar. Two runs over one checkout give the same
// bytes. The tree is the source with its types stripped (Node strips none below node_modules), the production
// dependencies at their locked versions, the pinned Node, and the documents for operators.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join, posix, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const words = process.argv.slice(2);
const out = resolve(words[0] === '--out' && words[1] !== undefined ? words[1] : join(root, 'dist'));
process.chdir(root);
process.umask(0o022);
// Stripping types is marked experimental in Node; its version is pinned, and a test runs what it makes.
process.removeAllListeners('warning');

const DOCUMENTS = [
  'LICENSE',
  'README.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'docs/promises.md',
  'docs/{operate,spec}/**/*.{md,png}',
];
const NODE_FILES = ['bin/node', 'LICENSE', 'package.json'];
/** Types and maps of dependencies: nothing reads them at run time. */
const NOT_CARRIED = /\.(?:d\.[cm]?ts|[cm]?ts|map)$/;

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly imports: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly [key: string]: unknown;
}
interface Locked {
  readonly version: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Locked> };
const platform = `linux-${process.arch}`;
const name = `${manifest.name}-${manifest.version}-${platform}`;
// The tree is made under another name, so that a stopped run leaves nothing that looks finished.
const tree = join(out, `.${name}`);
rmSync(tree, { recursive: true, force: true });
mkdirSync(tree, { recursive: true });

packSources();
packManifest();
packDependencies();
for (const file of [...DOCUMENTS.flatMap((pattern) => globSync(pattern)), 'sallyport']) {
  if (statSync(file).isFile()) put(file, readFileSync(file), file === 'sallyport');
}

const done = join(out, name);
rmSync(done, { recursive: true, force: true });
renameSync(tree, done);
execFileSync('tar', [
  '--create',
  `--file=${done}.tar`,
  `--directory=${out}`,
  '--format=ustar',
  '--sort=name',
  '--mtime=@0',
  '--owner=0',
  '--group=0',
  '--numeric-owner',
  name,
]);
console.log(`${done}.tar`);

function put(path: string, content: string | Uint8Array, executable = false): void {
  const to = join(tree, path);
  mkdirSync(dirname(to), { recursive: true, mode: 0o755 });
  writeFileSync(to, content);
  chmodSync(to, executable ? 0o755 : 0o644);
}

function packSources(): void {
  const carried = new Set(
    globSync('src/**/*.*').filter((file) => statSync(file).isFile() && !/\.test\.ts$|\/testing\/|\.md$/.test(file)),
  );
  const troubles: string[] = [];
  for (const file of [...carried].sort()) {
    if (!file.endsWith('.ts')) {
      put(file, readFileSync(file), (statSync(file).mode & 0o100) !== 0);
      continue;
    }
    // Types become blanks, so that lines and columns in a stack are those of the source.
    const stripped = stripTypeScriptTypes(readFileSync(file, 'utf8'), { mode: 'strip' });
    const code = stripped.replace(/(['"`])(\.{1,2}\/[^'"`\s]*)\.ts\1/g, (_, quote: string, path: string) => {
      const target = posix.join(posix.dirname(file), `${path}.ts`);
      if (!carried.has(target)) troubles.push(`${file} names ${target}, which is not carried`);
      return `${quote}${path}.js${quote}`;
    });
    for (const left of code.matchAll(/['"`][^'"`\s]*\.ts['"`]/g)) {
      troubles.push(`${file} names ${left[0]} in a way that the packed tree cannot follow: write it as './name.ts'`);
    }
    for (const [, door] of code.matchAll(/from '(#[^']+)'|import\('(#[^']+)'\)/g)) {
      if (door?.endsWith('/testing')) troubles.push(`${file} imports ${door}, which is for tests`);
    }
    put(file.replace(/\.ts$/, '.js'), code);
  }
  if (troubles.length > 0) throw new Error(`the packed tree would not run:\n${troubles.join('\n')}`);
}

function packManifest(): void {
  const imports = Object.fromEntries(
    Object.entries(manifest.imports)
      .filter(([door]) => !door.endsWith('/testing'))
      .map(([door, file]) => [door, file.replace(/\.ts$/, '.js')]),
  );
  const { version, description, license, bin, type, dependencies, engines } = manifest;
  const packed = { name: manifest.name, version, description, license, bin, type, imports, dependencies, engines };
  put('package.json', `${JSON.stringify(packed, null, 2)}\n`);
}

function packDependencies(): void {
  const runtime = `node_modules/node-${platform}`;
  for (const [path, locked] of Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (path === '' || locked.dev === true || (locked.optional === true && path !== runtime)) continue;
    const installed = existsSync(path)
      ? (JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Locked).version
      : 'nothing';
    if (installed !== locked.version) {
      throw new Error(`${path} holds ${installed}, the lock says ${locked.version}: run npm ci first`);
    }
    const files =
      path === runtime
        ? NODE_FILES
        : globSync('**/*', { cwd: path }).filter(
            (file) => !NOT_CARRIED.test(file) && !file.startsWith('node_modules/'),
          );
    for (const file of files.sort()) {
      const from = join(path, file);
      if (!statSync(from).isFile()) continue;
      const to = join(tree, from);
      mkdirSync(dirname(to), { recursive: true });
      cpSync(from, to);
      chmodSync(to, (statSync(from).mode & 0o100) === 0 ? 0o644 : 0o755);
    }
  }
}
