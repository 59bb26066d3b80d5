import { isObject, type Json } from '#kernel';
import { type AddressRange, WHOLE } from '../addresses.ts';
import { below, decodeDocument, type ManifestDocument, type Place } from '../document.ts';
import type { Direction } from '../engine.ts';
import {
  type Cluster,
  isNamed,
  NAMESPACE_NAME_LABEL,
  peerName,
  type Pod,
  type PodPeer,
  type Policy,
  type Rule,
} from '../model.ts';
import { type Selector, selects, YES } from '../selector.ts';
import { selectorText } from '../selector-text.ts';
import { type Remarks, some } from './remark.ts';

/** What can be seen in a policy as it is written, and in the pods that its selectors select. */
export function lintSource(pods: PodIndex, remarks: Remarks): void {
  const read = rawReader();
  for (const policy of pods.cluster.policies) {
    const raw = read(policy.place);
    if (policy.kind === 'NetworkPolicy') lintShape(policy, raw, remarks);
    if (policy.tier === 'cilium') lintCilium(policy, raw, remarks);
    if (policy.kind === 'GlobalNetworkPolicy') lintOrchestrator(policy, raw, remarks);
    for (const direction of ['ingress', 'egress'] as const) {
      (policy[direction] ?? []).forEach((rule) => {
        lintRule(policy, direction, rule, pods, remarks);
        if (policy.kind === 'NetworkPolicy') lintWriting(policy, direction, rule, read(rule.place), pods, remarks);
      });
    }
  }
}

/** Objects as they were written, each document decoded once. */
function rawReader(): (place: Place) => unknown {
  const values = new Map<ManifestDocument, unknown>();
  return ({ document, path }) => {
    if (!values.has(document)) {
      const decoded = decodeDocument(document);
      values.set(document, decoded.ok ? decoded.value : undefined);
    }
    let value = values.get(document);
    for (const key of path) value = at(value, key);
    return value;
  };
}

function at(value: unknown, key: string | number): unknown {
  if (Array.isArray(value)) return value[Number(key)];
  return isObject(value as Json) && Object.hasOwn(value as object, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function keysOf(value: unknown): string[] {
  return isObject(value as Json) ? Object.keys(value as object).filter((key) => at(value, key) !== null) : [];
}

/** NP-03, of a NetworkPolicy. */
function lintShape(policy: Policy, raw: unknown, remarks: Remarks): void {
  const spec = at(raw, 'spec');
  const types = list(at(spec, 'policyTypes'));
  const place = below(policy.place, 'spec');
  if (types.length === 0) {
    const covers = [...(policy.ingress ? ['Ingress'] : []), ...(policy.egress ? ['Egress'] : [])].join(' and ');
    const empty = Array.isArray(at(spec, 'egress')) && list(at(spec, 'egress')).length === 0;
    const more = empty ? " Its empty 'egress' closes nothing." : '';
    remarks.add(
      'lint.missing-types',
      place,
      `'${policy.namespace}/${policy.name}' covers ${covers} by default.${more}`,
    );
    return;
  }
  for (const [type, key] of [
    ['Ingress', 'ingress'],
    ['Egress', 'egress'],
  ] as const) {
    const rules = list(at(spec, key));
    if (rules.length === 0 || types.includes(type)) continue;
    remarks.add(
      'lint.rules-without-type',
      below(place, key),
      `'${policy.namespace}/${policy.name}' has ${rules.length} ${key} rules, and policyTypes: [${types.join(', ')}].`,
    );
  }
}

/** CIL-1. The place of such a policy is that of its `spec`, or of one of its `specs`. */
function lintCilium(policy: Policy, spec: unknown, remarks: Remarks): void {
  for (const key of ['ingress', 'egress', 'ingressDeny', 'egressDeny']) {
    const value = at(spec, key);
    if (!Array.isArray(value) || value.length > 0) continue;
    remarks.add('lint.empty-in-cilium', below(policy.place, key), `'${key}: []' of '${policy.name}' does nothing.`);
  }
}

/** CAL-3. */
function lintOrchestrator(policy: Policy, raw: unknown, remarks: Remarks): void {
  const spec = at(raw, 'spec');
  const selectors = [at(spec, 'selector'), at(spec, 'namespaceSelector')].filter((one) => typeof one === 'string');
  if (selectors.some((text) => text.includes('projectcalico.org/orchestrator'))) return;
  const namespaces = at(spec, 'namespaceSelector');
  // A selector of namespaces selects pods alone.
  if (typeof namespaces === 'string' && namespaces !== '') return;
  remarks.add('lint.host-endpoints', policy.place, `'${policy.name}' has the selector '${selectors.join()}'.`);
}

/** Which pods selectors select, each asked once. */
export class PodIndex {
  readonly cluster: Cluster;
  readonly #byNamespace: Map<string, Pod[]>;
  readonly #found = new Map<string, readonly Pod[]>();

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.#byNamespace = Map.groupBy(cluster.pods, ({ namespace }) => namespace);
  }

  namespaces(selector: string | Selector): string[] {
    if (typeof selector === 'string') return [selector];
    return [...this.#byNamespace.keys()].filter((name) => {
      const labels = this.cluster.namespaces.get(name)?.labels ?? { [NAMESPACE_NAME_LABEL]: name };
      return selects(selector, labels) === YES;
    });
  }

  selected({ namespaces, pods }: PodPeer): readonly Pod[] {
    const key = `${typeof namespaces === 'string' ? `=${namespaces}` : namespaces.key}\n${pods.key}`;
    let found = this.#found.get(key);
    if (found === undefined) {
      found = this.namespaces(namespaces).flatMap((name) =>
        (this.#byNamespace.get(name) ?? []).filter(({ labels }) => selects(pods, labels) === YES),
      );
      this.#found.set(key, found);
    }
    return found;
  }
}

export function namesOf(pods: readonly Pod[]): string[] {
  return [...new Set(pods.map(peerName))];
}

export function policyText({ kind, namespace, name }: Policy): string {
  return `${kind} '${namespace === '' ? '' : `${namespace}/`}${name}'`;
}

/** What the rules of every dialect can have. */
function lintRule(policy: Policy, direction: Direction, rule: Rule, pods: PodIndex, remarks: Remarks): void {
  const key = direction === 'ingress' ? 'from' : 'to';
  const peerPlace = (index: number): Place =>
    policy.kind === 'NetworkPolicy' ? below(rule.place, key, index) : rule.place;
  const whose = policyText(policy);
  if (rule.peers === 'all') {
    if (rule.action === 'allow') {
      remarks.add('lint.open-peers', rule.place, `An ${direction} rule of ${whose} names no peers.`);
    }
    return;
  }
  if (rule.ports === 'all' && rule.action === 'allow') {
    remarks.add('lint.open-ports', rule.place, `An ${direction} rule of ${whose} has no ports.`);
  }
  const blocks = rule.peers.filter((peer) => peer.is === 'block');
  const whole = ([4, 6] as const).filter((family) =>
    blocks.some(({ range }) => isWhole(range) && range.family === family),
  );
  if (whole.length === 1) {
    const [given, other] = whole[0] === 4 ? ['0.0.0.0/0', '::/0'] : ['::/0', '0.0.0.0/0'];
    const index = rule.peers.findIndex((peer) => peer.is === 'block' && isWhole(peer.range));
    const what = rule.action === 'deny' ? 'is closed, and this rule leaves' : 'is allowed, and not';
    remarks.add(
      'lint.one-family',
      peerPlace(index),
      `${given} ${what} ${other}${rule.action === 'deny' ? ' open' : ''}.`,
    );
  }
  rule.peers.forEach((peer, index) => {
    if (peer.is !== 'pods') return;
    const everywhere = typeof peer.namespaces !== 'string' && peer.namespaces.requirements.length === 0;
    if (everywhere && peer.pods.requirements.length === 0 && rule.action === 'allow') {
      remarks.add('lint.whole-cluster', peerPlace(index), `An ${direction} rule of ${whose} has such a peer.`);
    }
    const absent = [
      ...peer.pods.requirements.map((one) => ({ ...one, of: 'pods' })),
      ...(typeof peer.namespaces === 'string'
        ? []
        : peer.namespaces.requirements.map((one) => ({ ...one, of: 'namespaces' }))),
    ].filter(({ operator }) => operator.startsWith('Not') || operator === 'DoesNotExist');
    if (rule.action === 'allow') {
      for (const { label, of } of absent) {
        const without =
          of === 'pods'
            ? namesOf(pods.selected(peer).filter(({ labels }) => !Object.hasOwn(labels, label)))
            : pods
                .namespaces(peer.namespaces)
                .filter((name) => !Object.hasOwn(pods.cluster.namespaces.get(name)?.labels ?? {}, label));
        const now = without.length === 0 ? 'none is there now' : `now ${some(without)}`;
        remarks.add(
          'lint.absent-label',
          peerPlace(index),
          `${whose} lets in ${of} without '${label}': ${now}.`.replace(
            'lets in',
            direction === 'ingress' ? 'lets in' : 'lets out to',
          ),
        );
      }
    }
    if (pods.selected(peer).length === 0) {
      remarks.add('lint.peer-nothing', peerPlace(index), `${whose}: no pod ${peerText(peer)}.`);
    }
  });
}

function peerText({ namespaces, pods }: PodPeer): string {
  const place =
    typeof namespaces === 'string'
      ? `in the namespace '${namespaces}'`
      : namespaces.requirements.length === 0
        ? 'anywhere'
        : `in a namespace with ${selectorText(namespaces)}`;
  return `${place}${pods.requirements.length === 0 ? '' : ` has ${selectorText(pods)}`}`;
}

export function isWhole({ family, from, to }: AddressRange): boolean {
  return from === WHOLE[family].from && to === WHOLE[family].to;
}

/** What only the text of a NetworkPolicy shows. */
function lintWriting(
  policy: Policy,
  direction: Direction,
  rule: Rule,
  raw: unknown,
  pods: PodIndex,
  remarks: Remarks,
): void {
  const key = direction === 'ingress' ? 'from' : 'to';
  const peers = list(at(raw, key));
  if (rule.peers !== 'all' && rule.peers.length === peers.length) {
    for (let i = 0; i + 1 < peers.length; i++) {
      const kinds = [keysOf(peers[i]).join(), keysOf(peers[i + 1]).join()];
      if (kinds.sort().join('+') !== 'namespaceSelector+podSelector') continue;
      const [one, two] = [rule.peers[i]!, rule.peers[i + 1]!] as [PodPeer, PodPeer];
      const [spaces, own] = typeof one.namespaces === 'string' ? [two, one] : [one, two];
      if (typeof spaces.namespaces === 'string') continue;
      if (spaces.namespaces.requirements.length === 0 && own.pods.requirements.length === 0) continue;
      const either = new Set([...pods.selected(one), ...pods.selected(two)]).size;
      const both = pods.selected({ is: 'pods', namespaces: spaces.namespaces, pods: own.pods }).length;
      remarks.add(
        'lint.and-as-or',
        below(rule.place, key, i + 1),
        `${policyText(policy)}: all pods in namespaces with ${selectorText(spaces.namespaces) || 'any labels'}, or pods with ${selectorText(own.pods) || 'any labels'} in '${policy.namespace}': ${either} pods now; with both in one entry it is ${both}.`,
      );
    }
  }
  const ports = list(at(raw, 'ports'));
  ports.forEach((port, i) => {
    if (at(port, 'protocol') === undefined || at(port, 'protocol') === null) {
      const text = at(port, 'port') === undefined ? 'A port' : `Port ${String(at(port, 'port'))}`;
      remarks.add('lint.protocol-missing', below(rule.place, 'ports', i), `${text} of ${policyText(policy)} is TCP.`);
    }
  });
  lintDns(policy, direction, rule, remarks);
}

/** Port 53 to some peers by one protocol, and by the other in no rule of this policy with the same peers. */
function lintDns(policy: Policy, direction: Direction, rule: Rule, remarks: Remarks): void {
  if (direction !== 'egress') return;
  const has = ({ ports }: Rule, protocol: 'TCP' | 'UDP', alone: boolean): boolean =>
    ports === 'all'
      ? !alone
      : ports.some(
          (port) =>
            !isNamed(port) &&
            port.protocol === protocol &&
            (alone ? port.from === 53 && port.to === 53 : port.from <= 53 && port.to >= 53),
        );
  const [tcp, udp] = [has(rule, 'TCP', true), has(rule, 'UDP', true)];
  if (tcp === udp) return;
  const missing = tcp ? 'UDP' : 'TCP';
  const peers = JSON.stringify(rule.peers, text);
  const other = (policy.egress ?? []).some(
    (one) => has(one, missing, false) && (one.peers === 'all' || JSON.stringify(one.peers, text) === peers),
  );
  if (other) return;
  remarks.add(
    'lint.dns-one-protocol',
    rule.place,
    `${policyText(policy)} allows port 53 by ${tcp ? 'TCP' : 'UDP'} and not by ${missing}.`,
  );
}

function text(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
