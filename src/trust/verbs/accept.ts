import { resolve } from 'node:path';
import type { Implementation, LedgerAppender } from '#kernel';
import { homePath, openHome } from '#system';
import { acceptDraft } from '../io/drafts.ts';
import type { AcceptInput, AcceptOutput, OpenAppender } from '../operations.ts';
import { showVerdict } from './verdict.ts';

export function acceptVerb(openAppender: OpenAppender): Implementation<AcceptInput, AcceptOutput> {
  return {
    async run(input, world) {
      const { files, clock } = world;
      const home = await openHome(files, homePath(world, input.home === undefined ? {} : { home: input.home }));
      let ledger: (LedgerAppender & { close(): Promise<void> }) | undefined;
      try {
        const acceptance = await acceptDraft(files, home, resolve(world.cwd, input.draft), {
          now: clock.now(),
          ledger: async () => (ledger = await openAppender(files, home, clock)),
        });
        return { ...acceptance, reasons: [...acceptance.reasons] };
      } finally {
        await ledger?.close();
      }
    },

    exit: (output) => (output.verdict === 'refused' ? 1 : 0),

    show: showVerdict,
  };
}
