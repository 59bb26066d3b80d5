import { resolve } from 'node:path';
import type { Implementation, LedgerAppender } from '#kernel';
import { homePath, openHome } from '#system';
import { reenrol } from '../io/re-enrolment.ts';
import type { OpenAppender, PinOutput, ReenrolInput } from '../operations.ts';
import { parseFingerprint } from './pin.ts';
import { showVerdict } from './verdict.ts';

export function reenrolVerb(openAppender: OpenAppender): Implementation<ReenrolInput, PinOutput> {
  return {
    async run(input, world) {
      const { files, clock } = world;
      const home = await openHome(files, homePath(world, input.home === undefined ? {} : { home: input.home }));
      let ledger: (LedgerAppender & { close(): Promise<void> }) | undefined;
      try {
        const done = await reenrol(files, home, resolve(world.cwd, input.root), {
          now: clock.now(),
          expected: parseFingerprint(input.fingerprint),
          reason: input.reason,
          ledger: async () => (ledger = await openAppender(files, home, clock)),
        });
        return { ...done, reasons: [...done.reasons] };
      } finally {
        await ledger?.close();
      }
    },
    exit: (output) => (output.verdict === 'refused' ? 1 : 0),
    show: showVerdict,
  };
}
