import { z } from 'zod';
import type { Files } from '#kernel';
import { readSettings } from '#system';
import { gateFault } from '../faults.ts';
import { kinds, levels, type ReceiptLevel, type ReleaseKind } from './release-text.ts';

/** `release.yaml` in a home. Where there is none, nothing leaves. */
const shape = z.strictObject({
  'sallyport-release': z.literal('1.0', 'this version reads sallyport-release: "1.0"'),
  allow: z.array(z.enum(kinds)).min(1),
  /** The most that a receipt says. */
  level: z.enum(levels).default('checkpoint'),
  /** People with the role approver who have to have read it. */
  approvers: z.number().int().min(1).max(16).default(2),
  /** Bytes. */
  limit: z
    .number()
    .int()
    .min(256)
    .max(16 * 1024 * 1024)
    .default(64 * 1024),
});

export interface ReleasePolicy {
  readonly allow: readonly ReleaseKind[];
  readonly level: ReceiptLevel;
  readonly approvers: number;
  readonly limit: number;
}

/** Throws gate.outward-off where the site has not configured it: nothing leaves by default. */
export async function readReleasePolicy(files: Files, home: string): Promise<ReleasePolicy> {
  const path = `${home}/release.yaml`;
  const read = await readSettings(files, path, shape, (where, detail) =>
    gateFault('gate.outward-policy', { where, detail }),
  );
  if (read === undefined) throw gateFault('gate.outward-off', { where: path });
  const { allow, level, approvers, limit } = read.value;
  return { allow, level, approvers, limit };
}
