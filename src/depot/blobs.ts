import type { ServerResponse } from 'node:http';
import type { Content, ContentReader, Digest } from '#kernel';
import type { Part } from './range.ts';

/** Contents up to this size are sent from memory. */
const SMALL = 64 * 1024;
/** Memory for small contents, in bytes. */
const SMALL_TOTAL = 64 * 1024 * 1024;
/** Size of each of the two buffers of a download, and how many downloads may have such large ones at once. */
const LARGE_BUFFER = 1024 * 1024;
const LARGE_DOWNLOADS = 24;
/** Further downloads at the same time get smaller buffers: memory stays bounded whatever is asked. */
const LITTLE_BUFFER = 64 * 1024;

export interface Blobs {
  /** Sends part of a content as the body, which must be all that is left to send. Says how many bytes went out. */
  send(digest: Digest, size: number, part: Part, response: ServerResponse): Promise<number>;
  /** Whether the content is in the store with this size. */
  has(digest: Digest, size: number): Promise<boolean>;
}

export function blobsOf(reader: ContentReader): Blobs {
  const small = new Map<Digest, Uint8Array>();
  let smallTotal = 0;
  const pool: (readonly [Buffer, Buffer])[] = [];
  let large = 0;

  function remember(digest: Digest, bytes: Uint8Array): void {
    if (small.has(digest)) return;
    small.set(digest, bytes);
    smallTotal += bytes.length;
    for (const [oldest, { length }] of small) {
      if (smallTotal <= SMALL_TOTAL) break;
      small.delete(oldest);
      smallTotal -= length;
    }
  }

  async function inMemory(digest: Digest, size: number): Promise<Uint8Array | undefined> {
    const known = small.get(digest);
    if (known !== undefined) {
      // A map keeps the order of insertion: what is used moves to its end.
      small.delete(digest);
      small.set(digest, known);
      return known;
    }
    const bytes = await reader.read(digest, SMALL);
    if (bytes === undefined || bytes.length !== size) return undefined;
    remember(digest, bytes);
    return bytes;
  }

  return {
    async has(digest, size) {
      if (small.has(digest)) return true;
      return size <= SMALL ? (await inMemory(digest, size)) !== undefined : (await reader.size(digest)) === size;
    },

    async send(digest, size, part, response) {
      if (size <= SMALL) {
        const bytes = await inMemory(digest, size);
        if (bytes === undefined) return abandon(response);
        response.end(bytes.subarray(part.start, part.end));
        return part.end - part.start;
      }
      const content = await reader.open(digest);
      if (content === undefined) return abandon(response);
      const isLarge = large < LARGE_DOWNLOADS;
      const buffers = isLarge
        ? (pool.pop() ?? ([Buffer.allocUnsafeSlow(LARGE_BUFFER), Buffer.allocUnsafeSlow(LARGE_BUFFER)] as const))
        : ([Buffer.allocUnsafeSlow(LITTLE_BUFFER), Buffer.allocUnsafeSlow(LITTLE_BUFFER)] as const);
      if (isLarge) large += 1;
      let finished = false;
      try {
        const sent = await pump(content, part, response, buffers);
        finished = sent === part.end - part.start;
        return sent;
      } finally {
        if (isLarge) large -= 1;
        // Buffers of a broken download may still be read by the socket.
        if (isLarge && finished) pool.push(buffers);
        await content.close();
      }
    },
  };
}

/** Reads into one buffer while the other one is being sent. */
async function pump(
  content: Content,
  part: Part,
  response: ServerResponse,
  buffers: readonly [Buffer, Buffer],
): Promise<number> {
  let position = part.start;
  let which: 0 | 1 = 0;
  const fill = (into: Buffer, from: number): Promise<number> =>
    content.read(into.subarray(0, Math.min(into.length, part.end - from)), from);
  let filling: Promise<number> | undefined = fill(buffers[which], position);
  while (filling !== undefined) {
    const length: number = await filling;
    // The file became shorter than the catalog says: a short body with a broken connection shows it to the client.
    if (length === 0) return abandon(response) + (position - part.start);
    const buffer: Buffer = buffers[which];
    position += length;
    which = which === 0 ? 1 : 0;
    filling = position < part.end ? fill(buffers[which], position) : undefined;
    // If the client goes away first, nobody waits for this any more.
    filling?.catch(() => undefined);
    if (!(await written(response, buffer.subarray(0, length)))) {
      await filling?.catch(() => undefined);
      return position - part.start - length;
    }
  }
  response.end();
  return position - part.start;
}

/** Whether the bytes went to the operating system; false where the client went away. */
function written(response: ServerResponse, bytes: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    if (response.destroyed) return resolve(false);
    const gone = (): void => resolve(false);
    response.once('close', gone);
    response.write(bytes, (error) => {
      response.off('close', gone);
      resolve(error === null || error === undefined);
    });
  });
}

function abandon(response: ServerResponse): 0 {
  response.destroy();
  return 0;
}
