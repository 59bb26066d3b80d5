import { resolve } from 'node:path';
import type { z } from 'zod';
import type { Implementation } from '#kernel';
import { examinePath } from '../examine.ts';
import type { examineInput, examineOutput } from '../operations.ts';

export const examine: Implementation<z.infer<typeof examineInput>, z.infer<typeof examineOutput>> = {
  async run(input, world) {
    const { verdict, as, reasons } = await examinePath(resolve(world.cwd, input.path), input.as, world);
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
