import { type Implementation, printable } from '#kernel';
import { readHomeLedger } from '#ledger';
import { homePath, openHome } from '#system';
import { mediaOf } from '../io/media.ts';
import type { MediumListInput, MediumListOutput } from '../operations.ts';

export const mediumListVerb: Implementation<MediumListInput, MediumListOutput> = {
  async run(input, world) {
    const home = await openHome(world.files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const register = await mediaOf(await readHomeLedger(world.files, home));
    const reasons = register.overdue(world.clock.now());
    return { verdict: reasons.length === 0 ? 'well' : 'overdue', reasons, media: [...register.all()] };
  },
  exit: ({ verdict }) => (verdict === 'well' ? 0 : 1),
  show({ reasons, media }, style) {
    const lines = media.map(
      ({ serial, state, to, due }) =>
        `${serial}  ${state}${to === '' ? '' : ` to ${printable(to)}`}${due === '' ? '' : `, due ${due}`}`,
    );
    if (lines.length === 0) lines.push('No medium is registered.');
    for (const { code, where, detail } of reasons) lines.push(`${style.bad(code)} ${where}: ${detail}`);
    return lines.join('\n');
  },
};
