import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { ProjectInput } from '#ecosystems';
import {
  compareUtf8,
  digestOf,
  errorCode,
  type Files,
  type InputRow,
  type LockRow,
  printable,
  type Target,
} from '#kernel';
import { type InputEntry, nearest, type Project } from '#project';
import { withoutSecrets } from '#system';
import { captureFault } from './faults.ts';

/** An input of the project as it is now. */
export interface Gathered {
  readonly entry: InputEntry;
  readonly input: ProjectInput;
  readonly targets: readonly Target[];
}

export interface GatheredInputs {
  readonly inputs: readonly Gathered[];
  /** Rows of all inputs, and of what sallyport.yaml says about them. */
  readonly rows: readonly InputRow[];
}

/** Largest lockfile, in bytes. */
const LIMIT = 256 * 1024 * 1024;
/** Files in an input folder. */
const FILES = 100_000;
/** Ecosystems whose inputs name something that is not in the project. */
const NAMED = new Set(['oci']);
/** The ecosystem of rows about sallyport.yaml itself: a changed target resolves everything again. */
export const PROJECT = 'project';
/** The ecosystem of rows about files that stand beside an input. */
export const SIBLING = 'beside';
export const TARGETS_ROW = 'sallyport.yaml#targets';

/**
 * A file that a resolver read beside its input (`-r base.txt`, a workspace's package.json) is an input too. Only the
 * resolver knows which it reads, so its row names whose it is: `ecosystem:input#file`.
 */
export function siblingRow(ecosystem: string, input: string, file: string, bytes: Uint8Array | undefined): InputRow {
  // That a file was not there is a fact as well: it may be there the next time.
  const known = bytes ?? Buffer.from('absent');
  const path = `${ecosystem}:${input}#${file}`;
  return { row: 'input', ecosystem: SIBLING, path, digest: digestOf(known), size: bytes?.length ?? 0 };
}

/** Ecosystem and path of the input that a sibling's row belongs to. */
export function parentOf(row: InputRow): { ecosystem: string; path: string; file: string } | undefined {
  if (row.ecosystem !== SIBLING) return undefined;
  const [, ecosystem, path, file] = /^([a-z0-9]+):(.*)#([^#]*)$/s.exec(row.path) ?? [];
  return ecosystem === undefined || path === undefined || file === undefined ? undefined : { ecosystem, path, file };
}

/** What the siblings that the lock knows hold now, for the inputs that are still there. */
async function siblingRows(inputs: readonly Gathered[], lock: readonly LockRow[]): Promise<InputRow[]> {
  const rows: InputRow[] = [];
  for (const row of lock) {
    const parent = row.row === 'input' ? parentOf(row) : undefined;
    if (parent === undefined) continue;
    const owner = inputs.find(({ entry, input }) => entry.ecosystem === parent.ecosystem && input.path === parent.path);
    if (owner === undefined) continue;
    const bytes = await owner.input.sibling(parent.file, LIMIT).catch(() => undefined);
    rows.push(siblingRow(parent.ecosystem, parent.path, parent.file, bytes));
  }
  return rows;
}

/** Reads all inputs of a project. Throws capture.input-missing and capture.ecosystem-unknown. */
export async function gatherInputs(
  files: Files,
  project: Project,
  known: readonly string[],
  lock: readonly LockRow[] = [],
): Promise<GatheredInputs> {
  const inputs: Gathered[] = [];
  for (const entry of project.inputs) {
    if (!known.includes(entry.ecosystem)) {
      const near = nearest(entry.ecosystem, known);
      throw captureFault('capture.ecosystem-unknown', {
        where: entry.where,
        detail: `'${printable(entry.ecosystem)}' is none of ${known.join(', ')}.`,
        ...(near === undefined ? {} : { fix: `Did you mean '${near}'?` }),
      });
    }
    inputs.push(await gather(files, project, entry));
  }

  const rows = new Map<string, InputRow>();
  const add = (row: InputRow): void => void rows.set(`${row.ecosystem}\0${row.path}`, row);
  const settings = new Map<string, { ecosystem: string; path: string; entries: unknown[] }>();
  for (const { entry, input } of inputs) {
    const { ecosystem } = entry;
    add({ row: 'input', ecosystem, path: input.path, digest: digestOf(input.bytes), size: input.bytes.length });
    // What is not in the project has its options as its bytes already.
    const told =
      Object.keys(input.options).length === 1 && typeof entry.value === 'string'
        ? true
        : Buffer.from(input.bytes).equals(Buffer.from(canonical(input.options), 'utf8'));
    if (told && entry.targets === undefined) continue;
    const key = `${ecosystem}:${input.path}`;
    const at = settings.get(key) ?? { ecosystem, path: input.path, entries: [] };
    at.entries.push({ ...input.options, ...(entry.targets === undefined ? {} : { targets: entry.targets }) });
    settings.set(key, at);
  }
  const about = (path: string, value: unknown): void => {
    const bytes = Buffer.from(canonical(value), 'utf8');
    add({ row: 'input', ecosystem: PROJECT, path, digest: digestOf(bytes), size: bytes.length });
  };
  for (const [key, { entries }] of settings) about(`sallyport.yaml#${key}`, entries);
  about(TARGETS_ROW, project.targets);
  for (const row of await siblingRows(inputs, lock)) add(row);
  return { inputs, rows: [...rows.values()] };
}

async function gather(files: Files, project: Project, entry: InputEntry): Promise<Gathered> {
  const { ecosystem, value, from } = entry;
  const options: Record<string, unknown> = {
    [ecosystem]: value,
    ...(from === undefined ? {} : { from }),
    ...(entry.name === undefined ? {} : { name: entry.name }),
    ...(entry.insecure === undefined ? {} : { insecure: entry.insecure }),
    ...(entry.role === undefined ? {} : { role: entry.role }),
  };
  const { path, bytes } = await bytesOf(files, project, entry, options);
  const targets = project.targets.filter(({ name }) => entry.targets === undefined || entry.targets.includes(name));
  const sibling: ProjectInput['sibling'] = async (at, limit) => {
    if (!isInside(at)) return undefined;
    try {
      return await files.read(join(project.folder, at), limit);
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(errorCode(error))) return undefined;
      throw error;
    }
  };
  return { entry, input: { path, bytes, options, sibling, folder: project.folder }, targets };
}

async function bytesOf(
  files: Files,
  project: Project,
  entry: InputEntry,
  options: Readonly<Record<string, unknown>>,
): Promise<{ path: string; bytes: Uint8Array }> {
  const { ecosystem, value, from, where } = entry;
  const named = typeof value === 'string' ? value : undefined;
  if (from === undefined && (NAMED.has(ecosystem) || named === undefined)) {
    const record = typeof value === 'string' ? {} : value;
    const address = [named, record['url'], record['image'], record['path']].find((one) => typeof one === 'string');
    if (address === undefined) {
      throw captureFault('capture.input-missing', {
        where,
        detail: `The ${ecosystem} input names neither a path nor an address.`,
      });
    }
    if (named === undefined && typeof record['path'] === 'string')
      return readInput(files, project, record['path'], where);
    const path = typeof record['url'] === 'string' ? withoutSecrets(record['url']) : String(address);
    return { path, bytes: Buffer.from(canonical(options), 'utf8') };
  }
  return readInput(files, project, from === undefined ? (named ?? '') : `${from}/index.json`, where);
}

async function readInput(
  files: Files,
  project: Project,
  path: string,
  where: string,
): Promise<{ path: string; bytes: Uint8Array }> {
  const clean = path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
  if (!isInside(path) || clean === '') {
    throw captureFault('capture.input-missing', {
      where,
      detail: `${printable(path)} does not lie below the folder of sallyport.yaml.`,
    });
  }
  const absolute = join(project.folder, clean);
  const look = await files.look(absolute);
  if (look === undefined)
    throw captureFault('capture.input-missing', { where, detail: `${printable(clean)} does not exist.` });
  if (look.kind === 'folder') return { path: clean, bytes: await listing(files, absolute, clean) };
  try {
    return { path: clean, bytes: await files.read(absolute, LIMIT) };
  } catch (error) {
    const code = errorCode(error);
    throw captureFault('capture.input-unreadable', {
      where: printable(clean),
      detail: code === 'EFBIG' ? `It is larger than ${LIMIT} bytes.` : `The system answered ${code}.`,
      cause: error,
    });
  }
}

/** `<sha256 hex>  <size>  <path>` for each file of a folder, sorted by path. */
async function listing(files: Files, folder: string, name: string): Promise<Uint8Array> {
  const found: [string, string][] = [];
  const walk = async (at: string, below: string): Promise<void> => {
    for (const entry of await files.list(at)) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.kind === 'folder') await walk(`${at}/${entry.name}`, path);
      else if (entry.kind === 'file') {
        if (found.length === FILES) {
          throw captureFault('capture.input-unreadable', {
            where: printable(name),
            detail: `It holds more than ${FILES} files.`,
          });
        }
        const { hex, size } = await hashFile(files, `${at}/${entry.name}`);
        found.push([path, `${hex}  ${size}  ${path}\n`]);
      } else {
        throw captureFault('capture.input-unreadable', {
          where: printable(`${name}/${path}`),
          detail: 'It is a link or a device; only regular files are carried.',
        });
      }
    }
  };
  await walk(folder, '');
  return Buffer.from(
    found
      .sort(([a], [b]) => compareUtf8(a, b))
      .map(([, line]) => line)
      .join(''),
    'utf8',
  );
}

async function hashFile(files: Files, path: string): Promise<{ hex: string; size: number }> {
  const file = await files.open(path, 'r', { follow: false });
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(256 * 1024);
    let size = 0;
    for (;;) {
      const length = await file.read(buffer, size);
      if (length === 0) break;
      hash.update(buffer.subarray(0, length));
      size += length;
    }
    return { hex: hash.digest('hex'), size };
  } finally {
    await file.close();
  }
}

/** Whether a path stays below the folder that it is relative to. */
export function isInside(path: string): boolean {
  if (path.startsWith('/') || path.includes('\\') || path.includes('\0')) return false;
  return !path.split('/').includes('..');
}

/** JSON with sorted keys: the same settings give the same digest, in whatever order they are written. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => compareUtf8(a, b)))
      : one,
  );
}
