import type { MachineOutcome } from '#enclave';
import type { Step } from './report.ts';

/** What ran in which machine. */
export interface Workings {
  readonly installations: readonly { readonly id: string; readonly machine: string }[];
  readonly services: readonly { readonly name: string; readonly run?: readonly string[] | undefined }[];
  /** In the order of their steps. */
  readonly requests: readonly { readonly to: string }[];
}

/**
 * How the work of each machine ended, by the steps that tell: an install by its own, a service by its start and by every
 * request that it was asked. Undefined where a step is missing or could not be tried.
 */
export function machineOutcomes(
  steps: readonly Step[],
  { installations, services, requests }: Workings,
): MachineOutcome[] {
  const byId = new Map(steps.map((step) => [step.id, step]));
  const outcome = (ids: readonly string[]): boolean | undefined => {
    const found = ids.map((id) => byId.get(id)?.outcome);
    if (found.includes('failed')) return false;
    return found.every((one) => one === 'ok') ? true : undefined;
  };
  const commands = (id: string, more: readonly string[] = []): string[] => {
    const command = byId.get(id)?.command;
    return [...(command === undefined ? [] : [command]), ...more];
  };
  return [
    ...installations.map(({ id, machine }) => ({ machine, ok: outcome([id]), commands: commands(id) })),
    ...services.map(({ name, run = [] }) => ({
      machine: name,
      ok: outcome([
        `service-${name}`,
        ...requests.flatMap(({ to }, index) => (to === name ? [`request-${index + 1}`] : [])),
      ]),
      commands: commands(`service-${name}`, run.length === 0 ? [] : [run.join(' ')]),
    })),
  ];
}
