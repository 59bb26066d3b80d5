import { resolve } from 'node:path';
import type { Implementation } from '#kernel';
import { debianTools } from '#system';
import { enclaveFault } from '../faults.ts';
import { askKeeper, keptEnclave } from '../io/kept-enclaves.ts';
import { takeCapture } from '../io/kept-files.ts';
import type { CaptureInput, CaptureOutput } from '../operations.ts';

export const captureVerb: Implementation<CaptureInput, CaptureOutput> = {
  async run(input, world) {
    const kept = await keptEnclave(input.project ?? world.cwd, input.name);
    const { machine } = input;
    if (machine !== undefined && !kept.record.machines.includes(machine)) {
      throw enclaveFault('enclave.machine', { where: machine, detail: `It has ${kept.record.machines.join(', ')}.` });
    }
    const path = resolve(world.cwd, input.out);
    // Now, and not only when the packets are there.
    if ((await world.files.look(path)) !== undefined) throw enclaveFault('enclave.exists', { where: path });
    const { env, report, signal } = world;
    const { tcpdump } = await debianTools(['tcpdump'], { env, report, signal });
    const title = machine === undefined ? 'Writing the packets of all links' : `Writing the packets of ${machine}`;
    const conversation = await askKeeper(
      kept,
      {
        do: 'capture',
        tcpdump: tcpdump.path,
        ...(machine === undefined ? {} : { machine }),
        ...(input.seconds === undefined ? {} : { time: input.seconds * 1000 }),
      },
      ({ say }) => {
        if (say === 'capturing') report({ type: 'step', step: 'capture', title });
      },
    );
    const stop = (): void => conversation.end();
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    try {
      const { file = '', detail = '' } = await conversation.done;
      const bytes = await takeCapture(file, path);
      report({ type: 'end', step: 'capture', title: `Packets in ${path}`, ok: true });
      const packets = Number(/(\d+) packets? captured/.exec(detail)?.[1] ?? Number.NaN);
      if (Number.isNaN(packets)) throw enclaveFault('enclave.refused', { where: path, detail });
      return { path, bytes, packets, detail };
    } finally {
      signal.removeEventListener('abort', stop);
      conversation.end();
    }
  },

  exit: () => 0,
  show: ({ path, packets, bytes }) => `${packets} packets, ${bytes} bytes: ${path}`,
};
