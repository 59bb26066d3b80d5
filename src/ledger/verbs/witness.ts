import { resolve } from 'node:path';
import { encodeBase64 } from '#formats';
import { type Implementation, printable } from '#kernel';
import { homePath, openHome, writeDurably } from '#system';
import { ledgerFault } from '../faults.ts';
import type { WitnessInput, WitnessOutput } from '../operations.ts';
import { readHomeLedger } from '../reading.ts';

export const witnessVerb: Implementation<WitnessInput, WitnessOutput> = {
  async run(input, world) {
    const home = await openHome(world.files, homePath(world, input.home === undefined ? {} : { home: input.home }));
    const ledger = await readHomeLedger(world.files, home);
    const { from } = input;
    if (ledger.size === 0 || from > ledger.size) {
      throw ledgerFault('ledger.no-entry', { where: `size ${from}`, detail: `The size is ${ledger.size}.` });
    }
    // Nothing is proved to who saw nothing, or all of it.
    const proof = from === 0 || from === ledger.size ? [] : await ledger.proveConsistency(from);
    const lines = [`old ${from}`, ...proof.map((hash) => encodeBase64(hash)), ''];
    const request = `${lines.join('\n')}\n${Buffer.from(ledger.checkpoint).toString('utf8')}`;
    const file = input.out === undefined ? undefined : resolve(world.cwd, input.out);
    if (file !== undefined) await writeDurably(world.files, file, request);
    return { from, size: ledger.size, root: ledger.root, request, ...(file === undefined ? {} : { file }) };
  },

  exit: () => 0,

  show({ from, size, file, request }, style) {
    if (file === undefined) return request.replace(/\n$/, '');
    return `${style.good('written')} ${printable(file)}: from size ${from} to ${size}`;
  },
};
