import type { z } from 'zod';
import { type Implementation, printable, type Style } from '#kernel';
import { placeText } from '../document.ts';
import { statesOf } from '../io/two-states.ts';
import type { rolloutInput, rolloutOutput } from '../operations.ts';
import { portText } from '../port-set.ts';
import type { Trouble } from '../rollout/comparison.ts';
import { planRollout, type Opened } from '../rollout/plan.ts';
import { showFindings } from './show-findings.ts';

type Output = z.infer<typeof rolloutOutput>;
type Step = Output['steps'][number];

export const rolloutVerb: Implementation<z.infer<typeof rolloutInput>, Output> = {
  async run({ from, to, profile = 'specification', cni, root, home }, world) {
    const none = { profile, steps: [], analysed: 0, complete: false, reached: false };
    const states = await statesOf(world, { from, to, root, home }, profile, cni);
    if ('errors' in states) return { verdict: 'unknown', ...none, errors: [...states.errors] };
    const { before, after } = states;
    const { verdict, steps, analysed, complete, reached } = planRollout(before, after, profile, cni);
    return {
      verdict,
      profile,
      steps: steps.map(({ action, object, place, window, opens, closes, troubles }, i): Step => {
        const folder = action === 'delete' ? from : to;
        return {
          action,
          object,
          file: place === undefined ? '' : `${folder}: ${placeText(place)}`,
          ...(window === undefined || action === 'delete' ? {} : { manifest: window.manifest }),
          temporary: window !== undefined,
          opens: opens.map(row),
          closes: closes.map(row),
          troubles: troubles.map((trouble) => ({
            is: trouble.is,
            ...row(trouble),
            until: i + 1 + steps.slice(i).findIndex((later) => !later.troubles.some((one) => isSame(one, trouble))),
          })),
        };
      }),
      analysed,
      complete,
      reached,
      errors: [],
    };
  },
  exit: ({ verdict }) => (verdict === 'safe' ? 0 : 1),
  show(result, style) {
    const { verdict, steps, errors, analysed, complete, reached } = result;
    if (errors.length > 0) return showFindings(errors, style);
    const lines = steps.flatMap((step, i) => stepLines(step, i, style));
    if (verdict === 'safe') {
      const text = `safe: ${steps.length} steps, and no state between exposes or loses a connection`;
      return [...lines, style.good(text)].join('\n');
    }
    const kinds = new Set(steps.flatMap(({ troubles }) => troubles.map(({ is }) => is)));
    const why = !reached
      ? 'the last state is not that of the later manifests'
      : !complete
        ? `no safe order was found among the ${analysed} states that were analysed, and others were not tried`
        : kinds.has('exposed') || kinds.has('lost')
          ? 'every order exposes or loses a connection on the way'
          : 'whether a connection is exposed or lost on the way depends on what no manifest says';
    return [...lines, style.bad(`${verdict}: ${why}`)].join('\n');
  },
};

function row({ from, to, ports }: Opened): { from: string; to: string; ports: string } {
  return { from, to, ports: portText(ports) };
}

function isSame(a: Trouble, b: Trouble): boolean {
  return a.is === b.is && a.from === b.from && a.to === b.to;
}

/** Rows of one step that are printed; --json has all. */
const SHOWN = 10;

function stepLines(
  { action, object, file, manifest, opens, closes, troubles }: Step,
  i: number,
  style: Style,
): string[] {
  const pair = ({ from, to, ports }: Step['opens'][number]): string =>
    `${printable(from)} => ${printable(to)} : ${ports}`;
  const some = (lines: readonly string[]): string[] =>
    lines.length <= SHOWN ? [...lines] : [...lines.slice(0, SHOWN), `    and ${lines.length - SHOWN} more`];
  const source =
    file === '' ? (manifest === undefined ? '' : ' (for the time of the rollout)') : ` (${printable(file)})`;
  return [
    style.bold(`${i + 1}. ${action} ${printable(object)}${source}`),
    ...(manifest === undefined ? [] : [`    ${style.dim(printable(JSON.stringify(manifest)))}`]),
    ...some(opens.map((one) => `    + ${pair(one)}`)),
    ...some(closes.map((one) => `    - ${pair(one)}`)),
    ...some(troubles.map((one) => style.bad(`    ! ${troubleText(one, pair(one))}`))),
  ];
}

function troubleText({ is, from, to, until }: Step['troubles'][number], pair: string): string {
  switch (is) {
    case 'exposed':
      return `exposed until step ${until}: ${pair}, which is open neither before nor after`;
    case 'lost':
      return `lost until step ${until}: ${pair}, which is open before and after`;
    case 'unsure':
      return `not certain until step ${until}: ${pair}`;
    case 'priority':
      return `equal priorities until step ${until}: ${printable(from)} and ${printable(to)}`;
  }
}
