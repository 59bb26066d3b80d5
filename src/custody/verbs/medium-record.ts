import { type Implementation, instantOf, isInstant, printable } from '#kernel';
import { openLedger } from '#ledger';
import { homePath, openHome } from '#system';
import { custodyFault } from '../faults.ts';
import { mediaOf } from '../io/media.ts';
import { isSerial, mayFollow, MEDIUM_PREDICATE } from '../medium.ts';
import type { MediumRecordInput, MediumRecordOutput } from '../operations.ts';

export const mediumRecordVerb: Implementation<MediumRecordInput, MediumRecordOutput> = {
  async run({ event, serial, to, due, home: named }, world) {
    const { files, clock } = world;
    if (!isSerial(serial)) throw custodyFault('custody.serial', { where: printable(serial) });
    if (due !== undefined && !isInstant(due)) {
      throw custodyFault('custody.not-possible', { where: '--due', detail: `${printable(due)} is no time.` });
    }
    if ((event === 'issued') !== (to !== undefined)) {
      throw custodyFault('custody.not-possible', {
        where: '--to',
        detail: 'Who has it is said when it is issued, and only then.',
      });
    }
    const home = await openHome(files, homePath(world, named === undefined ? {} : { home: named }));
    const ledger = await openLedger(files, home, clock);
    try {
      const before = (await mediaOf(ledger)).get(serial);
      if (!mayFollow(before, event)) {
        const detail = before === undefined ? 'It was never registered.' : `It is ${before.state} since ${before.at}.`;
        throw custodyFault('custody.not-possible', { where: serial, detail });
      }
      const at = instantOf(clock.now());
      const { index } = await ledger.append({
        predicateType: MEDIUM_PREDICATE,
        subject: [],
        predicate: { serial, event, to: to ?? '', due: due ?? '', at },
      });
      const medium = { serial, state: event, to: to ?? '', due: due ?? '', entry: index, at };
      return { medium, ledger: { size: ledger.size, root: ledger.root, index } };
    } finally {
      await ledger.close();
    }
  },
  exit: () => 0,
  show: ({ medium, ledger }, style) =>
    `${style.good(medium.state)} ${medium.serial}${medium.to === '' ? '' : ` to ${printable(medium.to)}`}, entry ${ledger.index ?? 0}`,
};
