import type { Implementation } from '#kernel';
import { enclaveFault } from '../faults.ts';
import { askKeeper, keptEnclave, keptEnclaves, waitUntilGone } from '../io/kept-enclaves.ts';
import type { StopInput, StopOutput } from '../operations.ts';

/** Milliseconds: services have their grace one after the other. */
const TIME = 60_000;

export const stopVerb: Implementation<StopInput, StopOutput> = {
  async run(input, world) {
    const folder = input.project ?? world.cwd;
    const wanted = input.name === undefined ? await keptEnclaves(folder) : [await keptEnclave(folder, input.name)];
    for (const kept of wanted) {
      await (
        await askKeeper(kept, { do: 'stop' })
      ).done;
      if (!(await waitUntilGone(kept, TIME))) {
        throw enclaveFault('enclave.hangs', { where: kept.record.name, detail: `It is process ${kept.record.pid}.` });
      }
    }
    return { stopped: wanted.map(({ record }) => record.name) };
  },

  exit: () => 0,
  show: ({ stopped }) => (stopped.length === 0 ? 'No enclave is kept here.' : `Stopped: ${stopped.join(', ')}`),
};
