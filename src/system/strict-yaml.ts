import { parse, YAMLError } from 'yaml';
import type { z } from 'zod';

/**
 * A document in which people set rules: YAML read strictly (one document, no key twice, no aliases), and of the shape;
 * or a sentence on what is wrong with it.
 */
export function parseStrictYaml<Shape extends z.ZodType>(
  text: string,
  shape: Shape,
): { readonly value: z.infer<Shape> } | string {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 0, strict: true, uniqueKeys: true });
  } catch (error) {
    // An alias, where none may be, is a ReferenceError.
    if (!(error instanceof YAMLError || error instanceof ReferenceError)) throw error;
    return error.message;
  }
  const read = shape.safeParse(value);
  if (read.success) return { value: read.data };
  return read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
}
