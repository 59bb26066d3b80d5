import { z } from 'zod';
import { gateCatalogue } from '#gate';
import { type Catalogue, type Digest, isDigest } from '#kernel';

/** Reasons with which an examination ends: behind them nothing is known, so that they cannot be a note. */
const ENDING: ReadonlySet<string> = new Set([
  'examine.entries',
  'examine.bytes',
  'examine.ratio',
  'examine.time',
  'examine.stopped',
]);

function mayBeNoted(code: string): boolean {
  const known: Catalogue = gateCatalogue;
  return code.startsWith('examine.') && known[code]?.kind === 'reason' && !ENDING.has(code);
}

/** `contents` of admission.yaml (docs/spec/admission.md): what is not held against a content. */
export const contentRules = z
  .strictObject({
    /** Codes that are written down and refuse nothing. */
    note: z.array(z.string().refine(mayBeNoted, 'no reason of examine that can be a note')).max(100).default([]),
    /** Contents that people have looked at. */
    except: z.array(z.custom<Digest>(isDigest, 'no sha256: with 64 hex digits')).max(10_000).default([]),
  })
  .prefault({});
export type ContentRules = z.infer<typeof contentRules>;
