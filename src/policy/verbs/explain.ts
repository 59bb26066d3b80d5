import type { z } from 'zod';
import { type Implementation, printable, type Style } from '#kernel';
import { Engine } from '../engine.ts';
import { type Decision, type End, endOf, explainConnection } from '../explanation.ts';
import { policyFault } from '../faults.ts';
import { manifestsOf } from '../io/manifests.ts';
import type { explainInput, explainOutput } from '../operations.ts';
import type { Protocol } from '../port-set.ts';
import { readCluster } from '../read-cluster.ts';
import { showFindings } from './show-findings.ts';

type Output = z.infer<typeof explainOutput>;

export const explainVerb: Implementation<z.infer<typeof explainInput>, Output> = {
  async run({ source, destination, port, in: folder = '.', profile = 'specification', cni, root, home }, world) {
    const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(port);
    const number = Number(match?.[1]);
    if (match === null || number < 1 || number > 65535) throw policyFault('policy.port-unreadable', { where: port });
    const protocol = (match[2] ?? 'tcp').toUpperCase() as Protocol;
    const { cluster, findings } = readCluster(await manifestsOf(folder, { root, home }, world), {
      profile,
      cni,
    });
    if (findings.errors.length > 0) {
      return { verdict: 'unknown', profile, translation: [], decisions: [], remarks: [], errors: [...findings.errors] };
    }
    const engine = new Engine(cluster, profile, cni);
    const end = (text: string): End => {
      const found = endOf(text, cluster, engine);
      if (found === undefined) throw policyFault('policy.peer-unknown', { where: text });
      return found;
    };
    const [from, to] = [end(source), end(destination)];
    // A Service opens no connections, an address is asked only about a pod, and the controller of entrances has no port.
    if (from.is === 'service') throw policyFault('policy.peer-unknown', { where: source });
    if (to.is === 'controller' || (from.is === 'address' && to.is === 'address')) {
      throw policyFault('policy.peer-unknown', { where: destination });
    }
    const { verdict, translation, decisions, remarks } = explainConnection(cluster, engine, from, to, protocol, number);
    return {
      verdict,
      profile,
      translation: translation.map((one) => ({ ...one, to: [...one.to] })),
      decisions: decisions.map((one) => ({
        ...one,
        rules: one.rules.map((rule) => ({ ...rule, source: [...rule.source] })),
        isolatedBy: [...one.isolatedBy],
        near: [...one.near],
        depends: [...one.depends],
      })),
      remarks: [...remarks],
      errors: [],
    };
  },
  exit: ({ verdict }) => (verdict === 'allowed' ? 0 : 1),
  show({ verdict, translation, decisions, remarks, errors }, style) {
    if (verdict === 'unknown') return showFindings(errors, style);
    return [
      ...translation.map(
        ({ by, where, to }) =>
          `${printable(where)}: ${printable(by)} leads to ${to.map(printable).join(', ') || 'nothing'}`,
      ),
      ...decisions.flatMap((one) => decisionLines(one, style)),
      ...remarks.map((remark) => style.warn(printable(remark))),
      word(verdict, style),
    ].join('\n');
  },
};

function word(verdict: string, style: Style): string {
  return verdict === 'allowed' ? style.good(verdict) : verdict === 'denied' ? style.bad(verdict) : style.warn(verdict);
}

/** Who decides, line by line; also of what an invariant found. */
export function decisionLines(decision: Decision, style: Style): string[] {
  const { direction, of, peer, port, verdict, rules, isolatedBy, near, depends } = decision;
  const arrow = direction === 'egress' ? 'to' : 'from';
  return [
    `${direction} of ${printable(of)} ${arrow} ${printable(peer)}, port ${port}: ${word(verdict, style)}`,
    ...rules.flatMap(({ policy, action, rule, where, certain, source }) => [
      `  ${printable(where)}: ${action}${certain ? '' : ' (perhaps)'} by ${printable(policy)}${rule === '' ? '' : `, ${printable(rule)}`}`,
      ...source.map((line) => style.dim(`    | ${printable(line)}`)),
    ]),
    ...(rules.length > 0 && verdict !== 'denied'
      ? []
      : rules.some(({ action }) => action === 'deny')
        ? []
        : isolatedBy.map(({ policy, where }) => `  ${printable(where)}: no rule of ${printable(policy)} allows it`)),
    ...near.map(
      ({ policy, rule, where, ports }) =>
        `  ${printable(where)}: ${printable(policy)}, ${printable(rule)}, is about this peer, on ${ports}`,
    ),
    ...(rules.length + isolatedBy.length > 0 ? [] : ['  no policy covers it: open by default']),
    ...depends.map((why) => `  ${style.dim(why)}`),
  ];
}
