import { type Digest, digestOf, type Files, hexOf, type Home, type Instant, type Reason } from '#kernel';
import type { BundleHead } from '#bundle';
import { makeFolderDurably, writeDurably } from '#system';

/** What is kept about a refusal, bounded by the limits of envelopes: never content of the bundle. */
export interface Evidence {
  readonly digest: Digest;
  readonly folder: string;
}

/** Keeps reasons and seal of a refused bundle under `refused/`; the same refusal at the same second is kept once. */
export async function keepEvidence(
  files: Files,
  home: Home,
  refusal: {
    readonly at: Instant;
    readonly medium: string;
    readonly reasons: readonly Reason[];
    readonly read: number;
    readonly head: BundleHead | undefined;
  },
): Promise<Evidence> {
  const { at, medium, reasons, read, head } = refusal;
  const document = {
    format: 'sallyport-refusal',
    version: '1.0',
    critical: [],
    at,
    medium,
    read,
    index: head?.seal.index ?? '',
    seal: head === undefined ? '' : digestOf(head.sealEnvelope),
    reasons,
  };
  const bytes = Buffer.from(`${JSON.stringify(document, null, 2)}\n`, 'utf8');
  const digest = digestOf(bytes);
  const folder = `${home.refused}/${hexOf(digest).slice(0, 32)}`;
  await makeFolderDurably(files, folder, 0o700);
  if (head !== undefined) await writeDurably(files, `${folder}/seal.dsse.json`, head.sealEnvelope, { mode: 0o600 });
  await writeDurably(files, `${folder}/refusal.json`, bytes, { mode: 0o600 });
  return { digest, folder };
}
