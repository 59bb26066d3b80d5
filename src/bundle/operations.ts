import { z } from 'zod';
import { operation } from '#kernel';
import { reasonShape, sealShape } from './summary.ts';

export { reasonShape, sealShape };
const BUNDLE = {
  key: 'bundle',
  form: 'BUNDLE',
  help: 'the bundle file; or a block device, an image or a folder with it',
} as const;
const PATH = { key: 'path', form: '--path NAME', help: 'which bundle, where the medium holds several' } as const;

export const sealInput = z.object({
  out: z.string(),
  file: z.string().optional(),
  home: z.string().optional(),
  key: z.array(z.string()).optional(),
  passphraseFile: z.array(z.string()).optional(),
  sigstore: z.string().optional(),
});
export const sealOutput = z.object({
  path: z.string(),
  /** Bytes of the file. */
  size: z.number(),
  bundle: sealShape,
  trust: z.object({
    custody: z.string(),
    holders: z.array(z.string()),
    keyids: z.array(z.string()),
    /** How many holders the root demands, and whether so many signed with all their keys. */
    threshold: z.number(),
    enough: z.boolean(),
  }),
  ledger: z.object({ index: z.number(), size: z.number(), root: z.string() }),
  check: z.array(z.string()),
  /** Where the signatures stand as Sigstore bundles, one a file; absent where none were asked for. */
  sigstore: z.array(z.string()).optional(),
});
export const seal = operation({
  name: ['seal'],
  summary: 'Seal sallyport.lock and all that it names into one signed bundle',
  parameters: [
    { key: 'out', form: '-o, --out BUNDLE', help: 'where the bundle is written' },
    { key: 'file', form: '-f, --file FILE', help: 'the project: sallyport.yaml' },
    { key: 'home', form: '--home HOME', help: "the folder of this side's keys, store and ledger" },
    { key: 'key', form: '--key FILE...', help: "sign with these private keys in place of the home's own" },
    {
      key: 'passphraseFile',
      form: '--passphrase-file FILE...',
      help: 'its first line opens encrypted keys (default: SALLYPORT_PASSPHRASE_FILE)',
    },
    {
      key: 'sigstore',
      form: '--sigstore DIR',
      help: 'write each signature as a Sigstore bundle into this folder as well',
    },
  ],
  input: sealInput,
  output: sealOutput,
  load: async () => (await import('./verbs/seal.ts')).seal,
});

export const inspectInput = z.object({ bundle: z.string(), path: z.string().optional() });
export const inspectOutput = z.object({
  verdict: z.enum(['readable', 'refused']),
  reasons: z.array(reasonShape),
  /** Nothing here is verified: it is what the bundle says of itself. */
  bundle: sealShape.optional(),
  encoder: z.object({ name: z.string(), library: z.string(), level: z.number(), frame: z.number() }).optional(),
  previous: z.object({ sequence: z.number(), index: z.string() }).nullable().optional(),
  signatures: z.array(z.object({ keyid: z.string() })).optional(),
  carries: z.array(z.object({ name: z.string(), sha256: z.string(), size: z.number() })).optional(),
  contents: z.array(z.object({ digest: z.string(), size: z.number(), stored: z.string() })).optional(),
});
export const inspect = operation({
  name: ['inspect'],
  summary: 'Show what a bundle says that it holds; it verifies nothing',
  parameters: [BUNDLE, PATH],
  input: inspectInput,
  output: inspectOutput,
  load: async () => (await import('./verbs/inspect.ts')).inspect,
});

export const verifyInput = z.object({
  bundle: z.string(),
  path: z.string().optional(),
  root: z.string().optional(),
  home: z.string().optional(),
});
export const verifyOutput = z.object({
  verdict: z.enum(['verified', 'refused']),
  reasons: z.array(reasonShape),
  bundle: sealShape.optional(),
  trust: z
    .object({
      custody: z.string(),
      holders: z.array(z.string()),
      root: z.object({ version: z.number(), fingerprint: z.string(), pinned: z.boolean() }),
    })
    .optional(),
  /** Bytes of the bundle that were read. */
  read: z.number(),
});
export const verify = operation({
  name: ['verify'],
  summary: 'Check every byte of a bundle against a root, and change nothing',
  parameters: [
    BUNDLE,
    PATH,
    { key: 'root', form: '--root ROOT', help: 'the root file that you trust' },
    { key: 'home', form: '--home HOME', help: 'verify against the root that this home pinned' },
  ],
  input: verifyInput,
  output: verifyOutput,
  load: async () => (await import('./verbs/verify.ts')).verify,
});

const rowShape = z.object({
  row: z.string(),
  ecosystem: z.string(),
  authority: z.string(),
  name: z.string(),
  version: z.string(),
  file: z.string(),
  /** Digest of the content, or what a pointer points at. */
  value: z.string(),
  size: z.number(),
});
export const diffInput = z.object({ from: z.string(), to: z.string() });
export const diffOutput = z.object({
  verdict: z.enum(['same', 'differs', 'refused']),
  reasons: z.array(reasonShape),
  from: sealShape.optional(),
  to: sealShape.optional(),
  added: z.array(rowShape),
  removed: z.array(rowShape),
  changed: z.array(z.object({ from: rowShape, to: rowShape })),
});
export type DiffRow = z.infer<typeof rowShape>;
export const diff = operation({
  name: ['diff'],
  summary: 'Say what one bundle brings that another does not; it verifies nothing',
  parameters: [
    { key: 'from', form: '--from OLD', help: 'the older bundle' },
    { key: 'to', form: '--to NEW', help: 'the newer bundle' },
  ],
  input: diffInput,
  output: diffOutput,
  load: async () => (await import('./verbs/diff.ts')).diff,
});
