import type { Implementation } from '#kernel';
import { keptEnclave } from '../io/kept-enclaves.ts';
import { followLog, readLog } from '../io/kept-files.ts';
import type { LogsInput, LogsOutput } from '../operations.ts';

export const logsVerb: Implementation<LogsInput, LogsOutput> = {
  async run(input, world) {
    const { service } = input;
    const { files, text, cut } = await readLog(await keptEnclave(input.project ?? world.cwd, input.name), service);
    return { service, files: [...files], text, cut };
  },

  async follow(input, world, emit) {
    const { service } = input;
    const kept = await keptEnclave(input.project ?? world.cwd, input.name);
    const { files, text, cut, at } = await readLog(kept, service);
    emit({ service, files: [...files], text, cut });
    if (input.follow !== true) return;
    await followLog(kept, service, at, world.signal, (more) =>
      emit({ service, files: [...files], text: more, cut: false }),
    );
  },

  exit: () => 0,
  show: ({ text }) => text.replace(/\n$/, ''),
};
