import { resolve } from 'node:path';
import type { z } from 'zod';
import { type Implementation, isFault } from '#kernel';
import { homePath, openHome } from '#system';
import { effectiveRoot } from '#trust';
import { parseLock } from '#project';
import { lockDifference } from '../bundle-index.ts';
import { reason } from '../faults.ts';
import { judgeSeal, type SealJudgement } from '../judge-seal.ts';
import { openMedium } from '../medium.ts';
import type { verifyInput, verifyOutput } from '../operations.ts';
import { readBundle } from '../reader.ts';
import { amount, summaryOf } from '../summary.ts';
import { showReasons } from './show-reasons.ts';

export const verify: Implementation<z.infer<typeof verifyInput>, z.infer<typeof verifyOutput>> = {
  async run(input, world) {
    const { files, cwd } = world;
    const now = world.clock.now();
    const rootFile = input.root === undefined ? undefined : resolve(cwd, input.root);
    // A home is asked only where no root is named, so that this works on a machine that has none.
    const home =
      input.root === undefined || input.home !== undefined
        ? homePath(world, input.home === undefined ? {} : { home: input.home })
        : undefined;
    if (home !== undefined) await openHome(files, home);
    const effective = await effectiveRoot(files, home, rootFile);
    const medium = await openMedium(world, resolve(cwd, input.bundle), input.path);
    let judgement: SealJudgement | undefined;
    try {
      world.report({ type: 'step', step: 'verify', title: 'Verifying the bundle' });
      const { verdict, reasons, head, read } = await readBundle(
        medium,
        {
          async head(found) {
            judgement = judgeSeal(effective, found, now);
            return judgement.reasons;
          },
          async lock(bytes, { index }) {
            try {
              const difference = lockDifference(index, parseLock(bytes, 'sallyport.lock').rows);
              return difference === undefined ? [] : [difference];
            } catch (error) {
              if (!isFault(error)) throw error;
              return [reason('bundle.lock', error.where, error.message)];
            }
          },
        },
        {
          until: 'end',
          signal: world.signal,
          progress: (done) => world.report({ type: 'amount', step: 'verify', done, unit: 'bytes' }),
        },
      );
      world.report({ type: 'end', step: 'verify', title: `Read ${amount(read)}`, ok: verdict === 'whole' });
      return {
        verdict: verdict === 'whole' ? 'verified' : 'refused',
        reasons: [...reasons],
        ...(head === undefined ? {} : { bundle: summaryOf(head.seal) }),
        ...(judgement === undefined || judgement.reasons.length > 0
          ? {}
          : {
              trust: {
                custody: judgement.custody,
                holders: [...judgement.holders],
                root: {
                  version: judgement.root.version,
                  fingerprint: judgement.root.fingerprint,
                  pinned: effective.pinned,
                },
              },
            }),
        read,
      };
    } finally {
      await medium.close();
    }
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
