import { parse, YAMLError } from 'yaml';
import { z } from 'zod';
import { type Files, printable } from '#kernel';
import { readIfThere } from '#system';
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
  const bytes = await readIfThere(files, path, 64 * 1024);
  if (bytes === undefined) throw gateFault('gate.outward-off', { where: path });
  const wrong = (detail: string) =>
    gateFault('gate.outward-policy', { where: path, detail: printable(detail).slice(0, 500) });
  let value: unknown;
  try {
    value = parse(Buffer.from(bytes).toString('utf8'), { maxAliasCount: 0, strict: true, uniqueKeys: true });
  } catch (error) {
    if (!(error instanceof YAMLError)) throw error;
    throw wrong(error.message);
  }
  const read = shape.safeParse(value);
  if (!read.success) {
    throw wrong(read.error.issues.map(({ path: at, message }) => `${at.join('.')}: ${message}`).join('; '));
  }
  const { allow, level, approvers, limit } = read.data;
  return { allow, level, approvers, limit };
}
