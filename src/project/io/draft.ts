import { basename, posix, resolve } from 'node:path';
import { parse } from 'yaml';
import type { Ecosystem } from '#ecosystems';
import { compareUtf8, errorCode, type Files, isObject, printable } from '#kernel';

/** A first sallyport.yaml. */
export interface Draft {
  readonly text: string;
  /** How many inputs it names. */
  readonly inputs: number;
}

/** How far and how wide the search goes: a project, not a disk. */
const DEPTH = 6;
const ENTRIES = 20_000;
const HEAD = 4096;
const FILE = 256 * 1024;
const SKIP = new Set(['node_modules', 'dist', 'build', 'target', 'venv', 'vendor', '__pycache__', 'site-packages']);

/** What is known to be there and cannot be read yet, by file name. */
const OTHERS: readonly (readonly [RegExp, string])[] = [
  [/^yarn\.lock$/, 'a lockfile of yarn; capture reads package-lock.json (npm install --package-lock-only makes one)'],
  [
    /^pnpm-lock\.yaml$/,
    'a lockfile of pnpm; capture reads package-lock.json (npm install --package-lock-only makes one)',
  ],
  [/^bun\.lockb?$/, 'a lockfile of bun; capture reads package-lock.json (npm install --package-lock-only makes one)'],
  [/^poetry\.lock$/, 'a lockfile of Poetry; capture reads requirements.txt with hashes (poetry export makes one)'],
  [/^uv\.lock$/, 'a lockfile of uv; capture reads requirements.txt with hashes (uv export makes one)'],
  [
    /^Pipfile\.lock$/,
    'a lockfile of Pipenv; capture reads requirements.txt with hashes (pipenv requirements --hash makes one)',
  ],
  [
    /^requirements[\w.-]*\.txt$/,
    'requirements without hashes; pip-compile --generate-hashes or uv pip compile --generate-hashes locks them',
  ],
  [/^go\.sum$/, 'Go modules, which this version does not capture'],
  [/^Cargo\.lock$/, 'Rust crates, which this version does not capture'],
  [/^pom\.xml$/, 'a Maven project, which this version does not capture'],
  [/^Chart\.yaml$/, 'a Helm chart, which this version does not capture; name its images below'],
];

/**
 * Writes a commented sallyport.yaml from what a folder holds: inputs that an ecosystem can read become inputs, images
 * that files name become inputs to uncomment, and the rest becomes comments that say what is there.
 */
export async function draftProject(files: Files, folder: string, ecosystems: readonly Ecosystem[]): Promise<Draft> {
  const halves = await Promise.all(ecosystems.map(async ({ id, outside }) => ({ id, half: await outside() })));
  const inputs: string[] = [];
  const others: string[] = [];
  const images = new Map<string, string>();

  for (const path of await walk(files, folder)) {
    const name = posix.basename(path);
    const head = await headOf(files, `${folder}/${path}`);
    const reader = halves.find(({ half }) => half.recognise(path, head));
    if (reader?.id === 'oci' && name === 'oci-layout') {
      const layout = posix.dirname(path);
      const image = await imageOfLayout(files, `${folder}/${layout}`);
      if (image === undefined)
        others.push(
          `${printable(layout)}: an OCI layout; its index.json names no image, so write '- oci: IMAGE' with 'from: ${printable(layout)}'`,
        );
      else inputs.push(`  - oci: ${quoted(image)}\n    from: ${quoted(layout)}`);
      continue;
    }
    const known = OTHERS.find(([pattern]) => pattern.test(name));
    // An ecosystem also recognises lockfiles that it only knows how to refuse.
    if (reader !== undefined && (known === undefined || /\.txt$/.test(name))) {
      inputs.push(`  - ${reader.id}: ${quoted(path)}`);
      continue;
    }
    if (known !== undefined) others.push(`${printable(path)}: ${known[1]}`);
    if (name === 'sallyport.yaml') continue;
    for (const image of await imagesIn(files, `${folder}/${path}`, name, head)) {
      if (!images.has(image)) images.set(image, path);
    }
  }

  const lines = [
    '# What Sallyport carries over the gap, and how it runs on the other side. docs/spec/project.md lists every key.',
    'sallyport: "1.0"',
    `name: ${quoted(nameOf(folder))}`,
    '# Bundles are numbered per channel.',
    'channel: main',
    '',
    '# The machines inside, exactly: a platform alone selects no Python wheel. Correct what does not fit.',
    'targets:',
    `  linux-${process.arch === 'arm64' ? 'arm64' : 'amd64'}:`,
    '    os: linux',
    `    arch: ${process.arch === 'arm64' ? 'arm64' : 'amd64'}`,
    '    libc: { name: glibc, version: "2.36" }',
    '    python: [{ implementation: cpython, version: "3.11" }]',
    `    node: "${process.versions.node}"`,
    '',
    '# What is captured: lockfiles, images and files of this folder.',
    ...(inputs.length === 0 ? ['inputs: []', '  # - npm: web/package-lock.json'] : ['inputs:', ...inputs]),
  ];
  if (images.size > 0) lines.push('  # Images that files here name. Uncomment those that are to be carried.');
  for (const [image, path] of images) lines.push(`  # - oci: ${quoted(image)}   # ${printable(path)}`);
  if (others.length > 0) lines.push('', '# Found here and not captured:', ...others.map((other) => `#   ${other}`));
  lines.push(
    '',
    "# What 'sallyport rehearse' starts, with host names as the services know each other.",
    '# services:',
    '#   web:',
    '#     folder: web',
    '#     install: npm',
    '#     run: ["node", "server.js"]',
    '#     port: 8080',
    '',
    '# Who may talk to whom, why, and who answers for it. Everything else is closed.',
    '# flows:',
    '#   - { from: web, to: api, port: 8000, protocol: tcp, reason: "orders", owner: "shop team" }',
    '',
    '# What a rehearsal asks, as a user of the system would.',
    '# requests:',
    '#   - { to: web, path: /, expect: { status: 200 } }',
    '',
  );
  return { text: lines.join('\n'), inputs: inputs.length };
}

async function walk(files: Files, folder: string): Promise<string[]> {
  const found: string[] = [];
  let entries = 0;
  const below = async (path: string, depth: number): Promise<void> => {
    let list;
    try {
      list = await files.list(path === '' ? folder : `${folder}/${path}`);
    } catch (error) {
      if (['EACCES', 'EPERM', 'ENOENT', 'ENOTDIR'].includes(errorCode(error))) return;
      throw error;
    }
    for (const { name, kind } of list) {
      entries += 1;
      if (entries > ENTRIES) return;
      // A name with a line feed or a control could write lines of its own into the file.
      if (name.startsWith('.') || SKIP.has(name) || printable(name) !== name || name.includes('\ufffd')) continue;
      const at = path === '' ? name : `${path}/${name}`;
      if (kind === 'file') found.push(at);
      else if (kind === 'folder' && depth < DEPTH) await below(at, depth + 1);
    }
  };
  await below('', 0);
  return found.sort(compareUtf8);
}

async function headOf(files: Files, path: string): Promise<Uint8Array> {
  try {
    const file = await files.open(path, 'r', { follow: false });
    try {
      const head = Buffer.alloc(HEAD);
      return head.subarray(0, await file.read(head, 0));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (['EACCES', 'EPERM', 'ENOENT', 'ELOOP'].includes(errorCode(error))) return new Uint8Array();
    throw error;
  }
}

async function textOf(files: Files, path: string): Promise<string> {
  try {
    return Buffer.from(await files.read(path, FILE)).toString('utf8');
  } catch (error) {
    if (['EACCES', 'EPERM', 'ENOENT', 'EFBIG'].includes(errorCode(error))) return '';
    throw error;
  }
}

/** The name that a layout's index.json gives its image (OCI image specification, annotations). */
async function imageOfLayout(files: Files, folder: string): Promise<string | undefined> {
  try {
    const index: unknown = JSON.parse(await textOf(files, `${folder}/index.json`));
    const manifests = isObject(index) && Array.isArray(index['manifests']) ? (index['manifests'] as unknown[]) : [];
    for (const manifest of manifests) {
      const annotations = isObject(manifest) ? manifest['annotations'] : undefined;
      if (!isObject(annotations)) continue;
      for (const key of ['io.containerd.image.name', 'org.opencontainers.image.ref.name']) {
        const name = annotations[key];
        // Many tools write the tag alone, which names no image.
        if (typeof name === 'string' && isImage(name) && name.includes('/')) return name;
      }
    }
  } catch {
    // Not JSON: the layout is damaged, and capture will say so once it is named.
  }
  return undefined;
}

/** Images that a Dockerfile, a Kubernetes or Compose manifest, or a Hauler or Zarf configuration names. */
async function imagesIn(files: Files, path: string, name: string, head: Uint8Array): Promise<string[]> {
  const found = new Set<string>();
  if (/^(?:Dockerfile|Containerfile)(?:\.|$)|\.(?:Dockerfile|Containerfile)$/i.test(name)) {
    const stages = new Set(['scratch']);
    for (const line of (await textOf(files, path)).split(/\r?\n/)) {
      const [, image = '', stage] = /^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/i.exec(line) ?? [];
      if (isImage(image) && !stages.has(image.toLowerCase())) found.add(image);
      if (stage !== undefined) stages.add(stage.toLowerCase());
    }
  } else if (/\.ya?ml$/.test(name) && !head.includes(0)) {
    for (const line of (await textOf(files, path)).split(/\r?\n/)) {
      const [, image = ''] = /^\s*(?:-\s+)?(?:image|name):\s*["']?([^\s"'#]+)["']?\s*(?:#.*)?$/.exec(line) ?? [];
      const isName = /^\s*(?:-\s+)?name:/.test(line);
      if (isImage(image) && (!isName || /^[\w.-]+(?::\d+)?\/.+[:@]/.test(image))) found.add(image);
      const [, listed = ''] = /^\s*-\s+["']?([^\s"'#]+)["']?\s*$/.exec(line) ?? [];
      if (/^[\w-]+(?:\.[\w-]+)+(?::\d+)?\/[a-z0-9._/-]+[:@][\w.:-]+$/.test(listed)) found.add(listed);
    }
  }
  return [...found].sort(compareUtf8);
}

function isImage(text: string): boolean {
  return text.length <= 300 && /^[a-z0-9][\w.:/-]*(?:@sha256:[0-9a-f]{64})?$/i.test(text) && !text.includes('//');
}

function nameOf(folder: string): string {
  const name = basename(resolve(folder))
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[._-]+|[._-]+$/g, '')
    .slice(0, 64);
  return name === '' ? 'project' : name;
}

/** A value as YAML: plain where YAML reads it back as the same text, quoted otherwise. */
function quoted(text: string): string {
  try {
    if (/^[\w./@-][\w./@:+-]*$/.test(text) && parse(`- ${text}`)[0] === text) return text;
  } catch {
    // Not plain.
  }
  return JSON.stringify(text);
}
