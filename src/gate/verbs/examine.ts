import { resolve } from 'node:path';
import type { z } from 'zod';
import { parseStrictJson, readSchemas, type Schemas } from '#formats';
import { errorCode, type Files, type Implementation } from '#kernel';
import { readIfThere } from '#system';
import { examinePath } from '../examine.ts';
import { gateFault } from '../faults.ts';
import type { examineInput, examineOutput } from '../operations.ts';

export const examine: Implementation<z.infer<typeof examineInput>, z.infer<typeof examineOutput>> = {
  async run(input, world) {
    const schemas = input.schema === undefined ? undefined : await readSchemaFiles(input.schema, world);
    if (schemas !== undefined && (input.as ?? 'json') !== 'json')
      throw gateFault('examine.schema-unusable', { where: '--as' });
    const kind = schemas === undefined ? input.as : 'json';
    const { verdict, as, reasons } = await examinePath(resolve(world.cwd, input.path), kind, world, schemas);
    return { verdict, as, reasons: [...reasons] };
  },
  exit: ({ verdict }) => (verdict === 'refuse' ? 1 : 0),
  show({ verdict, as, reasons }, style) {
    const paint = verdict === 'accept' ? style.good : verdict === 'refuse' ? style.bad : style.warn;
    return [
      `${paint(verdict)} as ${as}`,
      ...reasons.map(
        ({ code, where, detail }) => `  ${style.bold(code)}${where === '' ? '' : ` at ${where}`}: ${detail}`,
      ),
      ...(reasons[0] === undefined ? [] : [style.dim(`'sallyport explain ${reasons[0].code}' says what to do.`)]),
    ].join('\n');
  },
};

const SCHEMA_LIMIT = 8 * 1024 * 1024;

/** The first judges; the others are what it refers to. Throws examine.schema-unusable. */
async function readSchemaFiles(names: readonly string[], world: { files: Files; cwd: string }): Promise<Schemas> {
  const documents: unknown[] = [];
  for (const name of names) {
    const path = resolve(world.cwd, name);
    const unusable = (detail: string) => gateFault('examine.schema-unusable', { where: path, detail });
    const bytes = await readIfThere(world.files, path, SCHEMA_LIMIT).catch((error: unknown) => {
      if (errorCode(error) === 'EFBIG') throw unusable(`It has more than ${SCHEMA_LIMIT} bytes.`);
      throw error;
    });
    if (bytes === undefined) throw unusable('There is no such file.');
    const parsed = parseStrictJson(bytes, { size: SCHEMA_LIMIT });
    if (!parsed.ok) throw unusable(`${parsed.where} ${parsed.detail}`);
    documents.push(parsed.value);
  }
  const schemas = readSchemas(documents);
  if ('judge' in schemas) return schemas;
  throw gateFault('examine.schema-unusable', { where: schemas.where, detail: schemas.detail });
}
