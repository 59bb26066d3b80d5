import { resolve } from 'node:path';
import type { z } from 'zod';
import type { Implementation } from '#kernel';
import { openMedium } from '../medium.ts';
import type { inspectInput, inspectOutput } from '../operations.ts';
import { readBundle } from '../reader.ts';
import { amount, summaryOf } from '../summary.ts';
import { showReasons } from './show-reasons.ts';

export const inspect: Implementation<z.infer<typeof inspectInput>, z.infer<typeof inspectOutput>> = {
  async run(input, world) {
    const medium = await openMedium(world, resolve(world.cwd, input.bundle), input.path);
    try {
      const { verdict, reasons, head } = await readBundle(medium, {}, { until: 'head', signal: world.signal });
      if (verdict === 'refused' || head === undefined) return { verdict: 'refused', reasons: [...reasons] };
      const { seal, keyids, index, carried } = head;
      return {
        verdict: 'readable',
        reasons: [],
        bundle: summaryOf(seal),
        encoder: index.encoder,
        previous: seal.previous,
        signatures: keyids.map((keyid) => ({ keyid })),
        carries: seal.carries.map(({ name, sha256 }) => ({ name, sha256, size: carried.get(name)?.length ?? 0 })),
        contents: index.blobs.map(({ digest, size, stored }) => ({ digest, size, stored })),
      };
    } finally {
      await medium.close();
    }
  },
  exit: ({ verdict }) => (verdict === 'readable' ? 0 : 1),
  show(output, style) {
    const { bundle } = output;
    if (bundle === undefined) return showReasons('refused', output.reasons, style);
    return [
      `${style.bold(`${bundle.project} ${bundle.channel} ${bundle.sequence}`)}, sealed ${bundle.sealed} at ${bundle.site}`,
      `  for ${bundle.destinations.length === 0 ? 'any site' : bundle.destinations.join(', ')}`,
      `  ${bundle.blobs} blobs, ${amount(bundle.bytes)} of content`,
      `  index ${bundle.index}`,
      `  lock  ${bundle.lock}`,
      ...(output.carries ?? []).map(({ name, size }) => `  carries ${name} (${amount(size)})`),
      style.warn("Nothing of this is verified: 'sallyport verify BUNDLE --root ROOT' does that."),
    ].join('\n');
  },
};
