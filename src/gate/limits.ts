/** Bounds that are others for a file in somebody's hand than for what a sealed bundle brings. */
export interface Bounds {
  /** Members of one examination. */
  readonly entries: number;
  /** Names of one archive, with the folders between. */
  readonly names: number;
  /** Bytes of a zip inside another archive, which is held in memory. */
  readonly nestedZip: number;
  /** Bytes that decompression may give in all. */
  readonly expanded: number;
  /** Milliseconds after which an examination gives up, which is a refusal. */
  readonly time: number;
  /** Whether archives inside root file systems are only noted. */
  readonly systems: 'judge' | 'note';
  /** Codes that are written down and refuse nothing. */
  readonly noted: ReadonlySet<string>;
}

/** Bounds of an examination; docs/spec/examine.md names them. Each is far above what real packages need. */
export const LIMITS = {
  /** Members of one archive, files of one folder. */
  entries: 50_000,
  /** Names of one archive, with the folders between. */
  names: 100_000,
  /** Bytes of all names of one archive together. */
  nameBytes: 16 * 1024 * 1024,
  /** Bytes of one name in UTF-8. */
  name: 4096,
  /** Bytes of one part of a name. */
  component: 255,
  /** Parts of one name. */
  depth: 64,
  /** Archives inside archives, the outermost counted. */
  nesting: 5,
  /** Bytes that decompression may give in all. */
  expanded: 4 * 1024 ** 3,
  /** Expanded bytes over bytes read, above `ratioFloor` expanded bytes. */
  ratio: 250,
  ratioFloor: 32 * 1024 * 1024,
  /** A zip inside another archive is held in memory. */
  nestedZip: 24 * 1024 * 1024,
  /** A document inside an archive that is read: package.json, METADATA, RECORD, Chart.yaml and the like. */
  document: 4 * 1024 * 1024,
  /** A JSON document that is examined by itself. */
  json: 4 * 1024 * 1024,
  jsonDepth: 64,
  /** An OCI manifest, index or configuration (distribution specification 1.1, "Pushing manifests"). */
  manifest: 4 * 1024 * 1024,
  /** Descriptors in all documents of an OCI layout. */
  descriptors: 10_000,
  /** Milliseconds after which an examination gives up, which is a refusal. */
  time: 7_000,
  /** Reasons after which it stops. */
  reasons: 100,
  /** Archives inside root file systems are judged like all others. */
  systems: 'judge',
  noted: new Set<string>(),
} as const;

/**
 * Bounds at the inner door, for content of this many bytes that a trusted seal covers. Time grows with the size, so that
 * it ends what does not end and never an honest image on a slow disk (docs/spec/admission.md).
 */
export function doorBounds(size: number, noted: ReadonlySet<string>): Bounds {
  return {
    entries: 5_000_000,
    names: 300_000,
    nestedZip: 48 * 1024 * 1024,
    expanded: Math.max(LIMITS.expanded, size * LIMITS.ratio),
    time: 60_000 + Math.ceil(size / 1024 ** 2) * 1000,
    systems: 'note',
    noted,
  };
}
