import type { z } from 'zod';
import { type Fault, type Files, printable } from '#kernel';
import { readIfThere } from './durable.ts';

const LIMIT = 64 * 1024;

/**
 * A file of a home by which a site sets rules: YAML of at most 64 KiB, read strictly (no key twice, no aliases), and of
 * the shape. Undefined where there is none. `wrong` makes the Fault for a file that cannot be understood, so that
 * nothing is done by rules that nobody knows.
 */
export async function readSettings<Shape extends z.ZodType>(
  files: Files,
  path: string,
  shape: Shape,
  wrong: (where: string, detail: string) => Fault,
): Promise<{ readonly value: z.infer<Shape>; readonly bytes: Uint8Array } | undefined> {
  const bytes = await readIfThere(files, path, LIMIT);
  if (bytes === undefined) return undefined;
  const fault = (detail: string): Fault => wrong(path, printable(detail).slice(0, 500));
  // Loaded here: it is large, and most commands read no settings.
  const { parse, YAMLError } = await import('yaml');
  let value: unknown;
  try {
    value = parse(Buffer.from(bytes).toString('utf8'), { maxAliasCount: 0, strict: true, uniqueKeys: true });
  } catch (error) {
    // An alias is a ReferenceError of the reader.
    if (!(error instanceof YAMLError || error instanceof ReferenceError)) throw error;
    throw fault(error.message);
  }
  const read = shape.safeParse(value);
  if (read.success) return { value: read.data, bytes };
  throw fault(read.error.issues.map(({ path: at, message }) => `${at.join('.')}: ${message}`).join('; '));
}
