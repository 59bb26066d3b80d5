import { compareUtf8, type Entry, type FileHandle, type Files, type Look } from '#kernel';
import { nodeFiles } from '#system';

interface File {
  readonly kind: 'file';
  bytes: Buffer;
  /** Content at the last flush; undefined where it was never flushed. */
  flushed: Buffer | undefined;
}
interface Folder {
  readonly kind: 'folder';
  readonly names: Map<string, Node>;
  /** Names at the last flush. */
  flushed: Map<string, Node>;
}
type Node = File | Folder;

/** Says of each thing that was not flushed whether it survives. */
export type Fate = () => boolean;

/**
 * A file system in memory that forgets, as a disk does when the power goes: content that was not flushed, and names in
 * folders that were not flushed. Every call beyond `failAt` fails. `/proc` is the machine's own.
 */
export interface PowerCutFiles extends Files {
  calls(): number;
  /** The same machine after the process was killed: nothing is lost, and nothing more is flushed. */
  restarted(): PowerCutFiles;
  /** What is on the disk afterwards, as a file system that works again and fails at the given call. */
  survivors(fate: Fate, failAt: number): PowerCutFiles;
}

const folderNode = (): Folder => ({ kind: 'folder', names: new Map(), flushed: new Map() });

function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

export function powerCutFiles(failAt: number, root: Folder = folderNode()): PowerCutFiles {
  let calls = 0;
  const step = (path: string): void => {
    calls += 1;
    if (failAt > 0 && calls >= failAt) throw systemError('ECRASH', path);
  };
  const parts = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.');
  const find = (path: string): Node | undefined => {
    let at: Node | undefined = root;
    for (const part of parts(path)) at = at?.kind === 'folder' ? at.names.get(part) : undefined;
    return at;
  };
  const folderAt = (path: string): Folder => {
    const node = find(path);
    if (node?.kind !== 'folder') throw systemError('ENOENT', path);
    return node;
  };
  const split = (path: string): { parent: Folder; name: string } => {
    const all = parts(path);
    const name = all.pop() ?? '';
    return { parent: folderAt(all.join('/')), name };
  };
  const fileAt = (path: string): File => {
    const node = find(path);
    if (node?.kind !== 'file') throw systemError('ENOENT', path);
    return node;
  };

  function handle(file: File, path: string): FileHandle {
    let at = 0;
    return {
      async read(into, position) {
        step(path);
        const from = position ?? at;
        const count = file.bytes.copy(into, 0, from);
        at = from + count;
        return count;
      },
      async write(bytes, position) {
        step(path);
        const from = position ?? at;
        const larger = Buffer.alloc(Math.max(file.bytes.length, from + bytes.length));
        file.bytes.copy(larger);
        larger.set(bytes, from);
        file.bytes = larger;
        at = from + bytes.length;
      },
      async size() {
        return file.bytes.length;
      },
      async truncate(size) {
        step(path);
        file.bytes = Buffer.concat([file.bytes], size);
      },
      async sync() {
        step(path);
        file.flushed = Buffer.from(file.bytes);
      },
      async close() {},
    };
  }

  function survive(node: Node, fate: Fate): Node {
    if (node.kind === 'file') {
      const same = node.flushed !== undefined && node.flushed.equals(node.bytes);
      const half = node.bytes.subarray(0, node.bytes.length >> 1);
      const bytes = Buffer.from(same || fate() ? node.bytes : (node.flushed ?? (fate() ? half : Buffer.alloc(0))));
      return { kind: 'file', bytes, flushed: Buffer.from(bytes) };
    }
    const made = folderNode();
    for (const name of new Set([...node.names.keys(), ...node.flushed.keys()])) {
      const [now, then] = [node.names.get(name), node.flushed.get(name)];
      const kept = now === then || fate() ? now : then;
      if (kept !== undefined) made.names.set(name, survive(kept, fate));
    }
    made.flushed = new Map(made.names);
    return made;
  }

  return {
    calls: () => calls,
    restarted: () => powerCutFiles(0, root),
    survivors(fate, next) {
      const kept = survive(root, fate);
      return powerCutFiles(next, kept.kind === 'folder' ? kept : folderNode());
    },
    async open(path, flags) {
      step(path);
      if (flags === 'r' || flags === 'r+') return handle(fileAt(path), path);
      const { parent, name } = split(path);
      const there = parent.names.get(name);
      if (there !== undefined && (flags === 'wx' || there.kind !== 'file')) throw systemError('EEXIST', path);
      const file: File = there?.kind === 'file' ? there : { kind: 'file', bytes: Buffer.alloc(0), flushed: undefined };
      if (flags === 'w') file.bytes = Buffer.alloc(0);
      parent.names.set(name, file);
      return handle(file, path);
    },
    async read(path, limit) {
      if (path.startsWith('/proc/')) return nodeFiles.read(path, limit);
      step(path);
      return Buffer.from(fileAt(path).bytes);
    },
    async list(path) {
      step(path);
      const entries: Entry[] = [...folderAt(path).names].map(([name, { kind }]) => ({ name, kind }));
      return entries.sort((a, b) => compareUtf8(a.name, b.name));
    },
    async look(path): Promise<Look | undefined> {
      step(path);
      const node = find(path);
      if (node === undefined) return undefined;
      const size = node.kind === 'file' ? node.bytes.length : 0;
      return { kind: node.kind, size, mode: 0o755, modified: 0, device: 0, block: false };
    },
    async makeFolder(path) {
      step(path);
      let at = root;
      for (const part of parts(path)) {
        let next = at.names.get(part);
        if (next === undefined) at.names.set(part, (next = folderNode()));
        if (next.kind !== 'folder') throw systemError('EEXIST', path);
        at = next;
      }
    },
    async rename(from, to) {
      step(to);
      const [a, b] = [split(from), split(to)];
      const node = a.parent.names.get(a.name);
      if (node === undefined) throw systemError('ENOENT', from);
      a.parent.names.delete(a.name);
      b.parent.names.set(b.name, node);
    },
    async link(from, to) {
      step(to);
      const { parent, name } = split(to);
      if (parent.names.has(name)) throw systemError('EEXIST', to);
      parent.names.set(name, fileAt(from));
    },
    async remove(path) {
      step(path);
      const { parent, name } = split(path);
      parent.names.delete(name);
    },
    async removeTree(path) {
      step(path);
      const { parent, name } = split(path);
      parent.names.delete(name);
    },
    async syncFolder(path) {
      step(path);
      const folder = folderAt(path);
      folder.flushed = new Map(folder.names);
    },
    async space() {
      return { free: Number.MAX_SAFE_INTEGER, largestFile: Number.MAX_SAFE_INTEGER };
    },
  };
}
