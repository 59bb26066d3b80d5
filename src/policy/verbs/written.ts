import type { World } from '#kernel';
import { csv } from '../drawing/csv.ts';
import { dot } from '../drawing/dot.ts';
import type { Drawing } from '../drawing/drawing.ts';
import { html } from '../drawing/html.ts';
import { svg } from '../drawing/svg.ts';
import { policyFault } from '../faults.ts';
import { writeAnswer, type Writing, writingOf } from '../io/output-file.ts';

/** Besides the table that `show` gives. */
export const FORMATS = ['json', 'csv', 'dot', 'svg', 'html'] as const;
export type Format = (typeof FORMATS)[number] | 'table';

/** An answer in the forms in which it can be written. */
export interface Forms {
  readonly json: () => unknown;
  readonly csv: () => { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };
  readonly drawing: () => Drawing;
  readonly table: () => string;
}

/** What was asked for by --output and -o; undefined for a table on standard output. */
export function askedFor(input: {
  readonly output?: string | undefined;
  readonly out?: string | undefined;
}): Writing<Format> | undefined {
  return input.output === undefined && input.out === undefined ? undefined : writingOf(FORMATS, input);
}

export function written(format: string, forms: Forms): string {
  switch (format as Format) {
    case 'json':
      return JSON.stringify(forms.json(), null, 2);
    case 'csv': {
      const { head, rows } = forms.csv();
      return csv(head, rows);
    }
    case 'dot':
      return dot(drawable(forms.drawing()));
    case 'svg':
      return svg(forms.drawing());
    case 'html':
      return html(drawable(forms.drawing()));
    case 'table':
      return forms.table();
  }
}

/** More pairs than this no browser and no layout of a graph takes. */
const DRAWN = 250_000;

function drawable(drawing: Drawing): Drawing {
  const { length } = drawing.pairs;
  if (length > DRAWN) throw policyFault('policy.too-many-pairs', { where: `${length} pairs` });
  return drawing;
}

/** Writes the file that was named. What is unknown is never written as if it were an answer. */
export async function deliver(
  world: World,
  writing: Writing<Format> | undefined,
  known: boolean,
  forms: Forms,
): Promise<void> {
  if (writing?.file === undefined || !known) return;
  await writeAnswer(world, writing, () => written(writing.format, forms));
}
