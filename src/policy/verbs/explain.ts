import { resolve } from 'node:path';
import type { z } from 'zod';
import { type Implementation, printable } from '#kernel';
import { parseAddress } from '../addresses.ts';
import { reasonsOf } from '../connections.ts';
import { placeText } from '../document.ts';
import { type Direction, Engine, type PodClass } from '../engine.ts';
import { policyFault } from '../faults.ts';
import { manifestsBelow } from '../io/manifests.ts';
import { type Cluster, peerName, type Policy } from '../model.ts';
import type { explainInput, explainOutput } from '../operations.ts';
import { includes, type Protocol } from '../port-set.ts';
import { readCluster } from '../read-cluster.ts';
import { showFindings } from './show-findings.ts';

type Output = z.infer<typeof explainOutput>;
type Decision = Output['decisions'][number];
type End = { readonly classes: readonly PodClass[] } | NonNullable<ReturnType<typeof parseAddress>>;

export const explainVerb: Implementation<z.infer<typeof explainInput>, Output> = {
  async run({ source, destination, port, in: folder = '.', profile = 'specification', cni }, world) {
    const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(port);
    const number = Number(match?.[1]);
    if (match === null || number < 1 || number > 65535) throw policyFault('policy.port-unreadable', { where: port });
    const protocol = (match[2] ?? 'tcp').toUpperCase() as Protocol;
    const { cluster, findings } = readCluster(await manifestsBelow(world.files, resolve(world.cwd, folder)), {
      profile,
      cni,
    });
    if (findings.errors.length > 0) {
      return { verdict: 'unknown', profile, decisions: [], errors: [...findings.errors] };
    }
    const engine = new Engine(cluster, profile, cni);
    const [from, to] = [endOf(source, cluster, engine), endOf(destination, cluster, engine)];
    if (!('classes' in from) && !('classes' in to)) throw policyFault('policy.peer-unknown', { where: source });
    const decisions: Decision[] = [];
    const decide = (subject: End, name: string, direction: Direction, peer: End): void => {
      if (!('classes' in subject)) return;
      for (const own of subject.classes) {
        for (const other of 'classes' in peer ? peer.classes : [peer]) {
          const { answer, steps, isolating } = engine.trace(own, direction, other, protocol, number);
          const host = 'labels' in other && other.hostNetwork && direction === 'ingress';
          const possible = host || includes(answer.possible, protocol, number);
          const certain = includes(answer.certain, protocol, number);
          decisions.push({
            verdict: certain ? 'allowed' : possible ? 'depends' : 'denied',
            direction,
            of: name,
            rules: steps.map(({ policy, rule, certain: sure }) => ({
              policy: policyName(policy),
              action: rule.action,
              rule: rule.name,
              where: placeText(rule.place),
              certain: sure,
            })),
            isolatedBy: isolating.map((policy) => ({ policy: policyName(policy), where: placeText(policy.place) })),
            depends: possible && !certain ? reasonsOf(answer.why) : [],
          });
        }
      }
    };
    decide(from, source, 'egress', to);
    decide(to, destination, 'ingress', from);
    const verdicts = decisions.map(({ verdict }) => verdict);
    // Where pods of one owner differ, some being kept out is not all being kept out.
    const sides = (['egress', 'ingress'] as const).map((side) =>
      decisions.filter(({ direction }) => direction === side),
    );
    const closed = sides.some((side) => side.length > 0 && side.every(({ verdict }) => verdict === 'denied'));
    const verdict = closed ? 'denied' : verdicts.every((one) => one === 'allowed') ? 'allowed' : 'depends';
    return { verdict, profile, decisions, errors: [] };
  },
  exit: ({ verdict }) => (verdict === 'allowed' ? 0 : 1),
  show({ verdict, decisions, errors }, style) {
    if (verdict === 'unknown') return showFindings(errors, style);
    const word = (text: string): string =>
      text === 'allowed' ? style.good(text) : text === 'denied' ? style.bad(text) : style.warn(text);
    const lines = decisions.flatMap((one) => [
      `${one.direction} of ${printable(one.of)}: ${word(one.verdict)}`,
      ...one.rules.map(
        ({ policy, action, where, certain }) =>
          `  ${printable(where)}: ${action}${certain ? '' : ' (perhaps)'} by ${printable(policy)}`,
      ),
      ...(one.rules.length > 0
        ? []
        : one.isolatedBy.map(
            ({ policy, where }) => `  ${printable(where)}: no rule of ${printable(policy)} allows it`,
          )),
      ...(one.rules.length + one.isolatedBy.length > 0 ? [] : ['  no policy covers it: open by default']),
      ...one.depends.map((why) => `  ${style.dim(why)}`),
    ]);
    return [...lines, word(verdict)].join('\n');
  },
};

function endOf(text: string, cluster: Cluster, engine: Engine): End {
  const address = parseAddress(text);
  if (address !== undefined) return address;
  const pods = cluster.pods.filter((pod) => peerName(pod) === text || `${pod.namespace}/${pod.name}` === text);
  if (pods.length === 0) throw policyFault('policy.peer-unknown', { where: text });
  return { classes: [...new Set(pods.map((pod) => engine.classOf(pod)))] };
}

function policyName({ kind, namespace, name }: Policy): string {
  return `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`;
}
