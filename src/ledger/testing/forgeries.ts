import { execFileSync } from 'node:child_process';
import { cp, readdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { encodeBase64 } from '#formats';
import type { LogSigner } from '../ports.ts';
import { decodeEntries, encodeEntries } from '../tile.ts';
import { leafHash } from '../tree.ts';
import { putStatement, signText, writeLog } from './log.ts';
import { testSigner } from './signer.ts';

/** A log's folder made wrong in one way, with the reason that a verifier of ours gives. */
export interface Forgery {
  readonly name: string;
  readonly code: string;
  /** Verifiers of others accept it where C2SP leaves it to the reader, or where they do not look at it. */
  readonly others: 'refuse' | 'may accept';
  forge(folder: string): Promise<void>;
}

export const forgerySigner: LogSigner = testSigner(7);
/** Entries of the log that the forgeries begin with: a full tile and a partial one. */
export const FORGERY_SIZE = 300;
export const STATEMENTS = [3, 270];

/** The good log. */
export async function writeForgeryBase(folder: string): Promise<void> {
  const entries: Uint8Array[] = [];
  for (let i = 0; i < FORGERY_SIZE; i++) {
    entries.push(
      STATEMENTS.includes(i)
        ? await putStatement(
            folder,
            {
              predicateType: 'sallyport/sealed/v1',
              subject: [{ name: `b${i}`, digest: { sha256: 'ee'.repeat(32) } }],
              predicate: { i },
            },
            forgerySigner,
          )
        : Buffer.from(`entry ${i}`),
    );
  }
  await writeLog(folder, entries, forgerySigner, [5, 200, 260, FORGERY_SIZE]);
}

const flip =
  (path: string, at: number) =>
  async (folder: string): Promise<void> => {
    const bytes = await readFile(`${folder}/${path}`);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(`${folder}/${path}`, bytes);
  };
const remove = (path: string) => (folder: string) => rm(`${folder}/${path}`, { recursive: true });
const cut = (path: string, size: number) => (folder: string) => truncate(`${folder}/${path}`, size);
const extend = (path: string, bytes: Uint8Array) => async (folder: string) =>
  writeFile(`${folder}/${path}`, Buffer.concat([await readFile(`${folder}/${path}`), bytes]));
const rewrite = (path: string, change: (entries: Uint8Array[]) => Uint8Array[]) => async (folder: string) => {
  const entries = decodeEntries(await readFile(`${folder}/${path}`)) ?? [];
  await writeFile(`${folder}/${path}`, encodeEntries(change(entries)));
};
/** Moves what is there out of the folder and leaves a link to it. */
const linked = (path: string) => async (folder: string) => {
  await rename(`${folder}/${path}`, `${folder}.outside`);
  await symlink(`${folder}.outside`, `${folder}/${path}`);
};
/** Signs other text in place of the checkpoint's, with the right key. */
const resigned = (change: (origin: string, size: string, root: string) => string) => async (folder: string) => {
  const [origin = '', size = '', root = ''] = (await readFile(`${folder}/checkpoint`, 'utf8')).split('\n');
  await writeFile(`${folder}/checkpoint`, signText(change(origin, size, root), forgerySigner));
};
const signatureLine = (change: (text: string) => string) => async (folder: string) =>
  writeFile(`${folder}/checkpoint`, change(await readFile(`${folder}/checkpoint`, 'utf8')));

async function statementOf(folder: string): Promise<string> {
  const root = `${folder}/statements/sha256`;
  const [first = ''] = (await readdir(root)).sort();
  const [name = ''] = await readdir(`${root}/${first}`);
  return `statements/sha256/${first}/${name}`;
}

const EDGE = 'tile/0/001.p/44';
const EDGE_BUNDLE = 'tile/entries/001.p/44';
const otherKey = testSigner(8);

export const forgeries: readonly Forgery[] = [
  { name: 'a full tile is missing', code: 'ledger.tile-missing', others: 'refuse', forge: remove('tile/0/000') },
  { name: 'a full tile is truncated', code: 'ledger.tile-size', others: 'refuse', forge: cut('tile/0/000', 8160) },
  {
    name: 'a full tile is cut inside a hash',
    code: 'ledger.tile-size',
    others: 'refuse',
    forge: cut('tile/0/000', 8191),
  },
  { name: 'a full tile is empty', code: 'ledger.tile-size', others: 'refuse', forge: cut('tile/0/000', 0) },
  {
    name: 'a full tile has a hash too many',
    code: 'ledger.tile-size',
    others: 'may accept',
    forge: extend('tile/0/000', Buffer.alloc(32)),
  },
  {
    name: 'a full tile has a byte too many',
    code: 'ledger.tile-size',
    others: 'may accept',
    forge: extend('tile/0/000', Buffer.alloc(1)),
  },
  {
    name: 'a hash of a full tile is changed',
    code: 'ledger.tile-forged',
    others: 'refuse',
    forge: flip('tile/0/000', 40),
  },
  {
    name: 'the partial tile at the edge is missing',
    code: 'ledger.tile-missing',
    others: 'refuse',
    forge: remove(EDGE),
  },
  {
    name: 'the partial tile at the edge is changed',
    code: 'ledger.root-differs',
    others: 'refuse',
    forge: flip(EDGE, 40),
  },
  {
    name: 'the partial tile at the edge is truncated',
    code: 'ledger.tile-size',
    others: 'refuse',
    forge: cut(EDGE, 32),
  },
  {
    name: 'the partial tile at the edge is too wide',
    code: 'ledger.tile-size',
    others: 'may accept',
    forge: extend(EDGE, Buffer.alloc(32)),
  },
  {
    name: 'the partial tile at the edge has another width in its name',
    code: 'ledger.tile-missing',
    others: 'refuse',
    forge: (folder) => rename(`${folder}/${EDGE}`, `${folder}/tile/0/001.p/43`),
  },
  {
    name: 'the tile of the upper level is changed',
    code: 'ledger.root-differs',
    others: 'refuse',
    forge: flip('tile/1/000.p/1', 0),
  },
  {
    name: 'the tile of the upper level is missing',
    code: 'ledger.tile-missing',
    others: 'refuse',
    forge: remove('tile/1'),
  },
  {
    name: 'an entry and its leaf are changed together',
    code: 'ledger.tile-forged',
    others: 'refuse',
    forge: async (folder) => {
      const forged = Buffer.from('entry X');
      await rewrite('tile/entries/000', (entries) => entries.with(10, forged))(folder);
      const tile = await readFile(`${folder}/tile/0/000`);
      tile.set(leafHash(forged), 320);
      await writeFile(`${folder}/tile/0/000`, tile);
    },
  },
  {
    name: 'an entry at the edge and its leaf are changed together',
    code: 'ledger.root-differs',
    others: 'refuse',
    forge: async (folder) => {
      const forged = Buffer.from('entry X');
      await rewrite(EDGE_BUNDLE, (entries) => entries.with(1, forged))(folder);
      const tile = await readFile(`${folder}/${EDGE}`);
      tile.set(leafHash(forged), 32);
      await writeFile(`${folder}/${EDGE}`, tile);
    },
  },
  {
    name: 'an older partial tile is changed',
    code: 'ledger.partial-forged',
    others: 'may accept',
    forge: flip('tile/0/000.p/5', 9),
  },
  {
    name: 'an older partial tile at the edge is changed',
    code: 'ledger.partial-forged',
    others: 'may accept',
    forge: flip('tile/0/001.p/4', 9),
  },
  {
    name: 'an older partial tile is truncated',
    code: 'ledger.tile-size',
    others: 'may accept',
    forge: cut('tile/0/000.p/5', 128),
  },
  {
    name: 'an older entry bundle is changed',
    code: 'ledger.partial-forged',
    others: 'may accept',
    forge: flip('tile/entries/000.p/5', 4),
  },
  {
    name: 'an older entry bundle has fewer entries',
    code: 'ledger.bundle-count',
    others: 'may accept',
    forge: rewrite('tile/entries/000.p/5', (entries) => entries.slice(1)),
  },
  {
    name: 'an entry bundle is missing',
    code: 'ledger.bundle-missing',
    others: 'refuse',
    forge: remove('tile/entries/000'),
  },
  {
    name: 'the entry bundle at the edge is missing',
    code: 'ledger.bundle-missing',
    others: 'refuse',
    forge: remove(EDGE_BUNDLE),
  },
  { name: 'an entry is changed', code: 'ledger.entry-forged', others: 'refuse', forge: flip('tile/entries/000', 4) },
  {
    name: 'an entry at the edge is changed',
    code: 'ledger.entry-forged',
    others: 'refuse',
    forge: flip(EDGE_BUNDLE, 4),
  },
  {
    name: 'an entry bundle is cut inside an entry',
    code: 'ledger.bundle-malformed',
    others: 'refuse',
    forge: cut('tile/entries/000', 1001),
  },
  {
    name: 'an entry bundle has one byte more',
    code: 'ledger.bundle-malformed',
    others: 'refuse',
    forge: extend('tile/entries/000', Buffer.alloc(1)),
  },
  {
    name: 'an entry bundle has 255 entries',
    code: 'ledger.bundle-count',
    others: 'refuse',
    forge: rewrite('tile/entries/000', (entries) => entries.slice(0, 255)),
  },
  {
    name: 'an entry bundle has 257 entries',
    code: 'ledger.bundle-count',
    others: 'may accept',
    forge: rewrite('tile/entries/000', (entries) => [...entries, Buffer.from('more')]),
  },
  {
    name: 'two entries are exchanged',
    code: 'ledger.entry-forged',
    others: 'refuse',
    forge: rewrite('tile/entries/000', ([a, b, ...rest]) => [b ?? Buffer.of(), a ?? Buffer.of(), ...rest]),
  },
  { name: 'the checkpoint is missing', code: 'ledger.no-checkpoint', others: 'refuse', forge: remove('checkpoint') },
  {
    name: 'the checkpoint is empty',
    code: 'ledger.checkpoint-unsigned',
    others: 'refuse',
    forge: cut('checkpoint', 0),
  },
  {
    name: 'the checkpoint is a megabyte',
    code: 'ledger.checkpoint-malformed',
    others: 'may accept',
    forge: extend('checkpoint', Buffer.alloc(1024 * 1024, 'a')),
  },
  {
    name: 'the size in the checkpoint is changed',
    code: 'ledger.checkpoint-unsigned',
    others: 'refuse',
    forge: signatureLine((text) => text.replace('\n300\n', '\n299\n')),
  },
  {
    name: 'the signature is cut off',
    code: 'ledger.checkpoint-unsigned',
    others: 'refuse',
    forge: signatureLine((text) => text.slice(0, text.indexOf('\n\n') + 2)),
  },
  {
    name: 'the signature is changed',
    code: 'ledger.checkpoint-unsigned',
    others: 'refuse',
    forge: signatureLine((text) => text.replace(/(.)(.)=?=?\n$/, 'AA==\n')),
  },
  {
    name: 'junk follows the signature',
    code: 'ledger.checkpoint-unsigned',
    others: 'refuse',
    forge: signatureLine((text) => `${text}junk`),
  },
  {
    name: 'a line follows the signature',
    code: 'ledger.checkpoint-unsigned',
    others: 'refuse',
    forge: signatureLine((text) => `${text}junk\n`),
  },
  {
    name: 'lines end with carriage returns',
    code: 'ledger.checkpoint-unsigned',
    others: 'refuse',
    forge: signatureLine((text) => text.replaceAll('\n', '\r\n')),
  },
  {
    name: 'another key of the same name signed',
    code: 'ledger.checkpoint-unsigned',
    others: 'refuse',
    forge: async (folder) => {
      const text = (await readFile(`${folder}/checkpoint`, 'utf8')).split('\n').slice(0, 3).join('\n');
      await writeFile(`${folder}/checkpoint`, signText(`${text}\n`, otherKey));
    },
  },
  {
    name: 'another key claims the key hash of ours',
    code: 'ledger.checkpoint-unsigned',
    others: 'refuse',
    forge: async (folder) => {
      const text = (await readFile(`${folder}/checkpoint`, 'utf8')).split('\n').slice(0, 3).join('\n');
      await writeFile(`${folder}/checkpoint`, signText(`${text}\n`, { ...otherKey, keyHash: forgerySigner.keyHash }));
    },
  },
  {
    name: 'the origin is another',
    code: 'ledger.origin-differs',
    others: 'refuse',
    forge: resigned((_, size, root) => `other/log\n${size}\n${root}\n`),
  },
  {
    name: 'the size has a leading zero',
    code: 'ledger.checkpoint-malformed',
    others: 'may accept',
    forge: resigned((origin, size, root) => `${origin}\n0${size}\n${root}\n`),
  },
  {
    name: 'the size has a sign',
    code: 'ledger.checkpoint-malformed',
    others: 'may accept',
    forge: resigned((origin, size, root) => `${origin}\n+${size}\n${root}\n`),
  },
  {
    name: 'the size is negative',
    code: 'ledger.checkpoint-malformed',
    others: 'refuse',
    forge: resigned((origin, _, root) => `${origin}\n-1\n${root}\n`),
  },
  {
    name: 'the size is larger than a safe integer',
    code: 'ledger.checkpoint-malformed',
    others: 'refuse',
    forge: resigned((origin, _, root) => `${origin}\n9007199254740993\n${root}\n`),
  },
  {
    name: 'the size is the largest safe integer',
    code: 'ledger.tile-missing',
    others: 'refuse',
    forge: resigned((origin, _, root) => `${origin}\n9007199254740991\n${root}\n`),
  },
  {
    name: 'the size is one less',
    code: 'ledger.tile-missing',
    others: 'refuse',
    forge: resigned((origin, _, root) => `${origin}\n299\n${root}\n`),
  },
  {
    name: 'the size is an older one, with the newer root',
    code: 'ledger.root-differs',
    others: 'refuse',
    forge: resigned((origin, _, root) => `${origin}\n260\n${root}\n`),
  },
  {
    name: 'the size is 0, with the root of another',
    code: 'ledger.root-differs',
    others: 'may accept',
    forge: resigned((origin, _, root) => `${origin}\n0\n${root}\n`),
  },
  {
    name: 'the root is another',
    code: 'ledger.root-differs',
    others: 'refuse',
    forge: resigned((origin, size) => `${origin}\n${size}\n${encodeBase64(Buffer.alloc(32, 1))}\n`),
  },
  {
    name: 'the root has 31 bytes',
    code: 'ledger.checkpoint-malformed',
    others: 'refuse',
    forge: resigned((origin, size) => `${origin}\n${size}\n${encodeBase64(Buffer.alloc(31, 1))}\n`),
  },
  {
    name: 'the root is base64 without padding',
    code: 'ledger.checkpoint-malformed',
    others: 'refuse',
    forge: resigned((origin, size, root) => `${origin}\n${size}\n${root.replace('=', '')}\n`),
  },
  {
    name: 'there is an extension line',
    code: 'ledger.checkpoint-malformed',
    others: 'may accept',
    forge: resigned((origin, size, root) => `${origin}\n${size}\n${root}\nmore\n`),
  },
  {
    name: 'there is a blank line in the text',
    code: 'ledger.checkpoint-malformed',
    others: 'may accept',
    forge: resigned((origin, size, root) => `${origin}\n${size}\n${root}\n\nmore\n`),
  },
  {
    name: 'a statement is missing',
    code: 'ledger.statement-missing',
    others: 'may accept',
    forge: async (folder) => remove(await statementOf(folder))(folder),
  },
  {
    name: 'all statements are missing',
    code: 'ledger.statement-missing',
    others: 'may accept',
    forge: remove('statements'),
  },
  {
    name: 'a statement is truncated',
    code: 'ledger.statement-differs',
    others: 'may accept',
    forge: async (folder) => cut(await statementOf(folder), 100)(folder),
  },
  {
    name: 'a statement is changed',
    code: 'ledger.statement-differs',
    others: 'may accept',
    forge: async (folder) => flip(await statementOf(folder), 60)(folder),
  },
  {
    name: 'a statement is a link out of the folder',
    code: 'ledger.not-a-file',
    others: 'may accept',
    forge: async (folder) => linked(await statementOf(folder))(folder),
  },
  {
    name: 'the folder of statements is a link',
    code: 'ledger.not-a-file',
    others: 'may accept',
    forge: linked('statements'),
  },
  { name: 'a tile is a link', code: 'ledger.not-a-file', others: 'may accept', forge: linked('tile/0/000') },
  { name: 'a folder of tiles is a link', code: 'ledger.not-a-file', others: 'may accept', forge: linked('tile/0') },
  {
    name: 'an older partial tile is a link',
    code: 'ledger.not-a-file',
    others: 'may accept',
    forge: linked('tile/0/000.p/5'),
  },
  { name: 'a bundle is a link', code: 'ledger.not-a-file', others: 'may accept', forge: linked('tile/entries/000') },
  { name: 'the checkpoint is a link', code: 'ledger.not-a-file', others: 'may accept', forge: linked('checkpoint') },
  {
    name: 'a tile is a named pipe',
    code: 'ledger.not-a-file',
    others: 'may accept',
    forge: async (folder) => {
      await rm(`${folder}/tile/0/000`);
      execFileSync('mkfifo', [`${folder}/tile/0/000`]);
    },
  },
  {
    name: 'a bundle is a folder',
    code: 'ledger.not-a-file',
    others: 'refuse',
    forge: async (folder) => {
      await rm(`${folder}/tile/entries/000`);
      await cp(`${folder}/tile/0/000.p`, `${folder}/tile/entries/000`, { recursive: true });
    },
  },
  ...Object.entries({
    'a space in it': '{"sallyport-entry": "1.0","statement":DIGEST,"size":1,"type":"t"}',
    'a line end': '{"sallyport-entry":"1.0","statement":DIGEST,"size":1,"type":"t"}\n',
    'another major version': '{"sallyport-entry":"2.0","statement":DIGEST,"size":1,"type":"t"}',
    'a critical field': '{"sallyport-entry":"1.1","statement":DIGEST,"size":1,"type":"t","critical":["x"]}',
    'a key twice': '{"sallyport-entry":"1.0","statement":DIGEST,"size":1,"size":2,"type":"t"}',
    'no statement': '{"sallyport-entry":"1.0","size":1,"type":"t"}',
    'a size below 0': '{"sallyport-entry":"1.0","statement":DIGEST,"size":-1,"type":"t"}',
  }).map(([what, text]): Forgery => ({
    name: `an entry is a record of ours with ${what}`,
    code: 'ledger.entry-malformed',
    others: 'may accept',
    forge: async (folder) => {
      await rm(folder, { recursive: true });
      await writeLog(folder, [Buffer.from(text.replace('DIGEST', `"sha256:${'00'.repeat(32)}"`))], forgerySigner);
    },
  })),
];
