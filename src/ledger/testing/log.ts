import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { formatNote } from '#formats';
import { digestOf, type Happening } from '#kernel';
import { signCheckpoint } from '../checkpoint.ts';
import { encodeEntry, statementPath } from '../entry.ts';
import type { LogSigner } from '../ports.ts';
import { emptyEdge, grow, rootOf } from '../right-edge.ts';
import { signStatement } from '../statement.ts';
import { tilePath } from '../tile.ts';

/** Writes a log's folder as a log without our rules would: any entries, published at the sizes that are given. */
export async function writeLog(
  folder: string,
  entries: readonly Uint8Array[],
  signer: LogSigner,
  sizes: readonly number[] = [entries.length],
): Promise<void> {
  let edge = emptyEdge;
  for (const size of sizes) {
    const grown = grow(edge, entries.slice(edge.size, size));
    for (const { tile, bytes } of grown.tiles) await put(`${folder}/${tilePath(tile)}`, bytes);
    edge = grown.edge;
  }
  await put(`${folder}/checkpoint`, signCheckpoint({ size: edge.size, root: rootOf(edge) }, signer));
}

/** An entry of ours with its statement put into the folder. */
export async function putStatement(folder: string, happening: Happening, signer: LogSigner): Promise<Uint8Array> {
  const bytes = signStatement(happening, signer);
  const statement = digestOf(bytes);
  await put(`${folder}/${statementPath(statement)}`, bytes);
  return encodeEntry({ statement, size: bytes.length, type: happening.predicateType });
}

/** Any text as a note of this signer: what a log with the right key and no rules would publish. */
export function signText(text: string, signer: LogSigner): Uint8Array {
  const bytes = Buffer.from(text, 'utf8');
  return formatNote(bytes, [{ name: signer.name, keyHash: signer.keyHash, signature: signer.sign(bytes) }]);
}

async function put(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
}
