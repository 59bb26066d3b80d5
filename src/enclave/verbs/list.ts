import { type Implementation, printable } from '#kernel';
import { askKeeper, keptEnclaves } from '../io/kept-enclaves.ts';
import type { ListInput, ListOutput } from '../operations.ts';

export const listVerb: Implementation<ListInput, ListOutput> = {
  async run(input, world) {
    const enclaves: ListOutput['enclaves'] = [];
    for (const kept of await keptEnclaves(input.project ?? world.cwd)) {
      const { name, project, machines, since, until, pid } = kept.record;
      const state = await (await askKeeper(kept, { do: 'state' })).done;
      const services = [...(state.services ?? [])];
      enclaves.push({ name, project, machines, since, until, services, attempts: state.count ?? 0, pid });
    }
    return { enclaves };
  },

  exit: () => 0,

  show({ enclaves }, style) {
    if (enclaves.length === 0) return "No enclave is kept here. 'sallyport rehearse --keep' keeps one.";
    return enclaves
      .flatMap(({ name, project, machines, since, until, services, attempts, pid }) => [
        `${style.bold(name)}  ${printable(project)}`,
        `  since ${since}, until ${until}, kept by process ${pid}`,
        `  attempts to call out: ${attempts}`,
        ...services.map(({ name: service, state, restarts, trouble }) => {
          const again = restarts === 0 ? '' : `, started again ${restarts} times`;
          return `  ${state === 'ready' ? style.good('ready') : style.bad('ended')}  ${service}${again}${trouble === '' ? '' : `: ${trouble}`}`;
        }),
        `  machines: ${machines.join(', ')}`,
      ])
      .join('\n');
  },
};
