import { z } from 'zod';
import { type Clock, type Files, type Home, type LedgerAppender, operation, type Operation } from '#kernel';

const shownRoot = z.object({ path: z.string(), version: z.number(), fingerprint: z.string() });

export const showInput = z.object({ home: z.string().optional() });
export type ShowInput = z.infer<typeof showInput>;

export const showOutput = z.object({
  /** The root that judges what arrives, if one is pinned; else the one that this side made. */
  root: shownRoot,
  pinned: z.boolean(),
  /** The root that this side made itself, by which others know it. */
  own: shownRoot.optional(),
  custody: z.enum(['shared', 'one-person', 'rehearsal']),
  site: z.string(),
  expires: z.string(),
  expired: z.boolean(),
  holders: z.array(
    z.object({
      name: z.string(),
      roles: z.array(z.string()),
      keys: z.array(z.object({ keyid: z.string(), algorithm: z.string() })),
    }),
  ),
  thresholds: z.record(z.string(), z.number()),
  ledger: z.object({ origin: z.string(), vkey: z.string() }),
});
export type ShowOutput = z.infer<typeof showOutput>;

export const pinInput = z.object({
  root: z.string(),
  fingerprint: z.string().optional(),
  home: z.string().optional(),
});
export type PinInput = z.infer<typeof pinInput>;

export const pinOutput = z.object({
  verdict: z.enum(['pinned', 'already-pinned', 'refused']),
  reasons: z.array(z.object({ code: z.string(), where: z.string(), detail: z.string() })),
  root: shownRoot,
  /** Of the root: every verdict says what the names in it are worth. */
  custody: z.enum(['shared', 'one-person', 'rehearsal']),
  /** The ledger after the entry; absent where nothing was pinned now. */
  ledger: z.object({ size: z.number(), root: z.string() }).optional(),
});
export type PinOutput = z.infer<typeof pinOutput>;

/** Opens the ledger of a home; the composition root gives `openLedger` of #ledger, which this context stands below. */
export type OpenAppender = (
  files: Files,
  home: Home,
  clock: Clock,
) => Promise<LedgerAppender & { close(): Promise<void> }>;

const home = { key: 'home', form: '--home HOME', help: 'the folder of this side (default: .sallyport)' } as const;

/** The verbs of trust: `trust show` and `trust pin`. */
export function trustOperations(
  openAppender: OpenAppender,
): readonly [Operation<ShowInput, ShowOutput>, Operation<PinInput, PinOutput>] {
  return [
    operation<ShowInput, ShowOutput>({
      name: ['trust', 'show'],
      summary: "Show a side's root, its fingerprint, its holders and its ledger's key",
      parameters: [home],
      input: showInput as never,
      output: showOutput,
      load: async () => (await import('./verbs/show.ts')).showVerb,
    }),
    operation<PinInput, PinOutput>({
      name: ['trust', 'pin'],
      summary: 'Fix, once, the root by which this side judges what arrives',
      parameters: [
        { key: 'root', form: 'ROOT', help: "the other side's root file" },
        {
          key: 'fingerprint',
          form: '--fingerprint HEX',
          help: 'its fingerprint, which you had by another way than the file (default: asks)',
        },
        home,
      ],
      input: pinInput as never,
      output: pinOutput,
      load: async () => (await import('./verbs/pin.ts')).pinVerb(openAppender),
    }),
  ];
}
