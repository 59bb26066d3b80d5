import type { z } from 'zod';
import { type Fault, type Files, printable } from '#kernel';
import { readIfThere } from './durable.ts';

const LIMIT = 64 * 1024;

/**
 * A file of a home by which a site sets rules, of at most 64 KiB and of the shape. Undefined where there is none. `wrong`
 * makes the Fault for a file that cannot be understood, so that nothing is done by rules that nobody knows.
 */
export async function readSettings<Shape extends z.ZodType>(
  files: Files,
  path: string,
  shape: Shape,
  wrong: (where: string, detail: string) => Fault,
): Promise<{ readonly value: z.infer<Shape>; readonly bytes: Uint8Array } | undefined> {
  const bytes = await readIfThere(files, path, LIMIT);
  if (bytes === undefined) return undefined;
  // Loaded here: it is large, and most commands read no settings.
  const { parseStrictYaml } = await import('./strict-yaml.ts');
  const read = parseStrictYaml(Buffer.from(bytes).toString('utf8'), shape);
  if (typeof read === 'string') throw wrong(path, printable(read).slice(0, 500));
  return { ...read, bytes };
}
