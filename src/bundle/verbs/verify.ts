import type { z } from 'zod';
import type { Implementation } from '#kernel';
import type { verifyInput, verifyOutput } from '../operations.ts';
import { trustOf } from '../judge-seal.ts';
import { amount, summaryOf } from '../summary.ts';
import { readVerified } from '../verified.ts';
import { showReasons } from './show-reasons.ts';

export const verify: Implementation<z.infer<typeof verifyInput>, z.infer<typeof verifyOutput>> = {
  async run(input, world) {
    const { verdict, reasons, head, judgement, effective, read } = await readVerified(input.bundle, input, world);
    return {
      verdict,
      reasons: [...reasons],
      ...(head === undefined ? {} : { bundle: summaryOf(head.seal) }),
      ...(judgement === undefined || judgement.reasons.length > 0
        ? {}
        : {
            trust: trustOf(judgement, effective),
          }),
      read,
    };
  },
  exit: ({ verdict }) => (verdict === 'verified' ? 0 : 1),
  show(output, style) {
    const { bundle, trust } = output;
    if (output.verdict === 'refused' || bundle === undefined || trust === undefined) {
      return showReasons('refused', output.reasons, style);
    }
    return [
      `${style.good('verified')} ${bundle.project} ${bundle.channel} ${bundle.sequence}, sealed ${bundle.sealed} at ${bundle.site}`,
      `  by ${trust.holders.join(', ')}${trust.custody === 'one-person' ? style.warn(' (keys of one person)') : ` (${trust.custody})`}`,
      `  against root ${trust.root.version}, fingerprint ${trust.root.fingerprint}${trust.root.pinned ? ', pinned' : ''}`,
      `  every one of ${bundle.blobs} blobs, ${amount(bundle.bytes)}, is what the index says`,
    ].join('\n');
  },
};
