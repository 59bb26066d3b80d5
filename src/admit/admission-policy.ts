import { z } from 'zod';
import { type Digest, digestOf, type Files } from '#kernel';
import { readSettings } from '#system';
import { type ContentRules, contentRules } from './content-rules.ts';
import { admitFault } from './faults.ts';
import { grades } from './freshness.ts';

const days = z.number().positive().max(36_500);

/** `admission.yaml` in a home (docs/spec/admission.md). Everything that is not said has the default of its rule. */
const shape = z.strictObject({
  'sallyport-admission': z.literal('1.0', 'this version reads sallyport-admission: "1.0"'),
  /** Days between the sealed time and now from which a bundle is aging, stale, expired. */
  freshness: z
    .strictObject({ aging: days.default(30), stale: days.default(90), expired: days.default(365) })
    .prefault({})
    .refine(({ aging, stale, expired }) => aging <= stale && stale <= expired, 'aging ≤ stale ≤ expired is needed'),
  /** The worst grade that comes in by itself. */
  accept: z.enum(grades).default('aging'),
  /** The worst grade that is held for approvers; what is worse is refused. */
  hold: z.enum(grades).default('stale'),
  /** Hours that the sealing side's clock may be ahead of this one, and that this one may be behind the floor. */
  tolerance: z
    .strictObject({
      hours: z
        .number()
        .positive()
        .max(24 * 366),
    })
    .default({ hours: 24 }),
  /** The most by which a sequence number may exceed the highest of its channel. */
  sequence: z.strictObject({ jump: z.number().int().positive() }).default({ jump: 1000 }),
  /** Whether every bundle is held until approvers agree. */
  approval: z.enum(['always', 'asked']).default('asked'),
  /** Whether the medium has to be registered in the ledger of this side. */
  medium: z.enum(['any', 'registered']).default('any'),
  /** Whether a chain of custody has to come along. */
  custody: z.enum(['any', 'required']).default('any'),
  /** Scanners of the site that have to have said that the bundle is clean. */
  scans: z
    .array(z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/))
    .max(16)
    .default([]),
  /** Rings in which a bundle must have been promoted before it comes in here. */
  promoted: z.array(z.string().min(1).max(64)).max(16).default([]),
  contents: contentRules,
  /** Results that each of these promotions has to have, and that have to say yes. */
  results: z
    .array(z.string().regex(/^[a-z][a-z0-9-]{0,31}$/))
    .max(16)
    .default([]),
});

export interface AdmissionPolicy {
  readonly freshness: { readonly aging: number; readonly stale: number; readonly expired: number };
  readonly accept: (typeof grades)[number];
  readonly hold: (typeof grades)[number];
  /** Milliseconds. */
  readonly tolerance: number;
  readonly jump: number;
  readonly approval: 'always' | 'asked';
  readonly promoted: readonly string[];
  readonly results: readonly string[];
  readonly medium: 'any' | 'registered';
  readonly custody: 'any' | 'required';
  readonly scans: readonly string[];
  readonly contents: ContentRules;
  /** Of the file's bytes; undefined where there is none and the defaults hold. */
  readonly digest: Digest | undefined;
}

const HOUR = 60 * 60 * 1000;

function policyOf(value: z.infer<typeof shape>, digest: Digest | undefined): AdmissionPolicy {
  const { 'sallyport-admission': _, tolerance, sequence, ...rules } = value;
  return { ...rules, tolerance: tolerance.hours * HOUR, jump: sequence.jump, digest };
}

export const defaultPolicy: AdmissionPolicy = policyOf(shape.parse({ 'sallyport-admission': '1.0' }), undefined);

/** The policy of a home. A file that cannot be understood is a Fault: nothing comes in by rules that nobody knows. */
export async function readAdmissionPolicy(files: Files, home: string): Promise<AdmissionPolicy> {
  const read = await readSettings(files, `${home}/admission.yaml`, shape, (where, detail) =>
    admitFault('admit.policy', { where, detail }),
  );
  return read === undefined ? defaultPolicy : policyOf(read.value, digestOf(read.bytes));
}
