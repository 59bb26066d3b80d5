import { extname, resolve } from 'node:path';
import type { World } from '#kernel';
import { writeDurably } from '#system';
import { policyFault } from '../faults.ts';

/** How an answer is to be written, and where; without a file it is printed. */
export interface Writing<F extends string> {
  readonly format: F;
  readonly file?: string;
}

/** The format that was asked for; else the one that the name of the file says; else a table. */
export function writingOf<F extends string>(
  formats: readonly F[],
  { output, out }: { readonly output?: string | undefined; readonly out?: string | undefined },
): Writing<F | 'table'> {
  const named = out === undefined ? undefined : formats.find((format) => `.${format}` === extname(out).toLowerCase());
  const format =
    output === undefined ? (named ?? 'table') : [...formats, 'table' as const].find((one) => one === output);
  if (format === undefined) {
    throw policyFault('policy.format-unknown', { where: output!, detail: `Known are table, ${formats.join(', ')}.` });
  }
  return { format, ...(out === undefined ? {} : { file: out }) };
}

/** Writes it where a file is named. */
export async function writeAnswer(world: World, { file }: Writing<string>, text: () => string): Promise<void> {
  if (file === undefined) return;
  const ending = text();
  await writeDurably(world.files, resolve(world.cwd, file), ending.endsWith('\n') ? ending : `${ending}\n`);
}
