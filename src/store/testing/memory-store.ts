import { createHash } from 'node:crypto';
import { type Digest, digestFromHex, digestOf } from '#kernel';
import type { Store } from '../store.ts';

/** A store in memory, for tests of what stands on the port. `adopt` reads the file through `readFile`. */
export function memoryStore(readFile?: (path: string) => Promise<Uint8Array>): Store & {
  /** Puts other bytes under a digest, as a rotten disk would. */
  rot(digest: Digest, bytes: Uint8Array): void;
} {
  const contents = new Map<Digest, Uint8Array>();
  return {
    size: async (digest) => contents.get(digest)?.length,
    async read(digest, limit) {
      const bytes = contents.get(digest);
      if (bytes !== undefined && bytes.length > limit) {
        throw Object.assign(new Error(`EFBIG: ${digest} holds more than ${limit} bytes`), { code: 'EFBIG' });
      }
      return bytes;
    },
    async open(digest) {
      const bytes = contents.get(digest);
      if (bytes === undefined) return undefined;
      return {
        size: bytes.length,
        async read(into, position) {
          const part = bytes.subarray(position, position + into.length);
          into.set(part);
          return part.length;
        },
        close: async () => undefined,
      };
    },
    async put(bytes) {
      const digest = digestOf(bytes);
      contents.set(digest, Uint8Array.from(bytes));
      return digest;
    },
    async begin() {
      const hash = createHash('sha256');
      const parts: Uint8Array[] = [];
      let size = 0;
      let open = true;
      return {
        get size() {
          return size;
        },
        async write(bytes) {
          if (!open) throw new Error('the content was aborted or committed before');
          hash.update(bytes);
          parts.push(Uint8Array.from(bytes));
          size += bytes.length;
        },
        async commit() {
          if (!open) throw new Error('the content was aborted or committed before');
          open = false;
          const digest = digestFromHex(hash.digest('hex'));
          contents.set(digest, Buffer.concat(parts));
          return digest;
        },
        async abort() {
          open = false;
        },
      };
    },
    has: async (digest) => contents.has(digest),
    async adopt(path, digest, size) {
      if (readFile === undefined) throw new Error('this store adopts nothing: give memoryStore a way to read files');
      const bytes = await readFile(path);
      if (bytes.length !== size) throw Object.assign(new Error('size differs'), { code: 'store.digest' });
      contents.set(digest, bytes);
    },
    syncAdopted: async () => undefined,
    async *digests() {
      yield* [...contents.keys()].sort();
    },
    async remove(digest) {
      contents.delete(digest);
    },
    pathOf: (digest) => `memory/${digest}`,
    async verify(digest) {
      const bytes = contents.get(digest);
      if (bytes === undefined) return 'absent';
      return digestOf(bytes) === digest ? 'whole' : 'rotten';
    },
    rot(digest, bytes) {
      contents.set(digest, bytes);
    },
  };
}
