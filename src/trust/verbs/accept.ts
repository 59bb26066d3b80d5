import { resolve } from 'node:path';
import type { Implementation, LedgerAppender } from '#kernel';
import { homePath, openHome } from '#system';
import { trustFault } from '../faults.ts';
import { type Acceptance, acceptDraft } from '../io/drafts.ts';
import { rootFilesAt } from '../io/stop-medium.ts';
import type { AcceptInput, AcceptOutput, OpenAppender } from '../operations.ts';
import { showVerdict } from './verdict.ts';

export function acceptVerb(openAppender: OpenAppender): Implementation<AcceptInput, AcceptOutput> {
  return {
    async run(input, world) {
      const { files, clock } = world;
      const home = await openHome(files, homePath(world, input.home === undefined ? {} : { home: input.home }));
      let ledger: (LedgerAppender & { close(): Promise<void> }) | undefined;
      try {
        const options = {
          now: clock.now(),
          ledger: async () => (ledger ??= await openAppender(files, home, clock)),
        };
        let acceptance: Acceptance | undefined;
        for (const path of await rootFilesAt(files, resolve(world.cwd, input.draft))) {
          const next = await acceptDraft(files, home, path, options);
          // Roots from before the one that was pinned are nobody's here; after one that fits, all have to.
          const follows = acceptance !== undefined && acceptance.verdict !== 'refused';
          acceptance = next;
          if (follows && next.verdict === 'refused') break;
        }
        if (acceptance === undefined)
          throw trustFault('trust.not-a-draft', { where: input.draft, detail: 'No root lies in it.' });
        return { ...acceptance, reasons: [...acceptance.reasons] };
      } finally {
        await ledger?.close();
      }
    },

    exit: (output) => (output.verdict === 'refused' ? 1 : 0),

    show: showVerdict,
  };
}
