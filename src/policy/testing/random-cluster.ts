import type { RawObject } from './packets.ts';

/** Objects made at random, and what the selectors of Calico among them mean. */
export interface RandomCluster {
  readonly objects: readonly RawObject[];
  /** By the scope (`pod` or `namespace`) and text of a selector; asked with the labels of such a one. */
  readonly meanings: ReadonlyMap<string, (labels: Readonly<Record<string, string>>) => boolean>;
}

/** Numbers that only look random: the same for the same seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const NAMESPACES = ['alpha', 'beta', 'gamma'];
const APPS = ['web', 'api', 'db'];
const BLOCKS = ['10.0.0.0/8', '10.1.0.0/16', '10.1.0.1/32', '10.2.0.0/15', '192.0.2.0/24', '0.0.0.0/0'];
const SIX = ['fd00::/8', 'fd00:1::/32', '2001:db8::/32', '::/0'];

/**
 * A small cluster: namespaces, pods whose labels, addresses and service accounts are known, NetworkPolicies, and policies
 * of one dialect.
 */
export function randomCluster(seed: number, dialect: 'Cilium' | 'Calico'): RandomCluster {
  return new Maker(numbers(seed)).cluster(dialect);
}

class Maker {
  readonly #next: () => number;
  readonly #meanings = new Map<string, (labels: Readonly<Record<string, string>>) => boolean>();

  /** The pods' family: what is asked of one address may not hold of the other, so each cluster has one. */
  readonly #six: boolean;

  constructor(next: () => number) {
    this.#next = next;
    this.#six = this.#chance(0.3);
  }

  #chance(share: number): boolean {
    return this.#next() < share;
  }

  #below(count: number): number {
    return Math.floor(this.#next() * count);
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]!;
  }

  #some<T>(make: () => T, most: number, least = 0): T[] {
    return Array.from({ length: least + this.#below(most - least + 1) }, make);
  }

  cluster(dialect: 'Cilium' | 'Calico'): RandomCluster {
    const objects: RawObject[] = NAMESPACES.map((name) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { 'kubernetes.io/metadata.name': name, env: this.#pick(['prod', 'test']) } },
    }));
    const pods = 4 + this.#below(4);
    for (let i = 0; i < pods; i++) objects.push(this.#pod(i));
    for (let i = this.#below(3); i > 0; i--) objects.push(this.#networkPolicy(i));
    const policies = 1 + this.#below(4);
    if (dialect === 'Cilium') for (let i = 0; i < policies; i++) objects.push(this.#cilium(i));
    else {
      objects.push(...this.#calicoSets());
      for (let i = 0; i < policies; i++) objects.push(this.#calico(i));
    }
    return { objects, meanings: this.#meanings };
  }

  #labels(): Record<string, string> {
    const labels: Record<string, string> = {};
    if (this.#chance(0.9)) labels['app'] = this.#pick(APPS);
    if (this.#chance(0.5)) labels['tier'] = this.#pick(['front', 'back']);
    return labels;
  }

  #pod(index: number): RawObject {
    const ports = this.#some(() => {
      const protocol = this.#pick(['TCP', 'UDP', 'SCTP', undefined]);
      return {
        ...(this.#chance(0.7) ? { name: this.#pick(['http', 'dns', 'metrics']) } : {}),
        containerPort: this.#pick([53, 80, 8080]),
        ...(protocol === undefined ? {} : { protocol }),
      };
    }, 3);
    const net = 1 + this.#below(3);
    const addresses = [{ ip: this.#six ? `fd00:${net}::${index + 1}` : `10.${net}.0.${index + 1}` }];
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `p${index}`, namespace: this.#pick(NAMESPACES), labels: this.#labels() },
      spec: {
        ...(this.#chance(0.4) ? { serviceAccountName: this.#pick(['robot', 'builder']) } : {}),
        containers: [{ name: 'c', ports }],
      },
      status: { podIPs: addresses },
    };
  }

  #labelSelector(prefixes: readonly string[] = ['']): object {
    const key = (): string => this.#pick(prefixes) + this.#pick(['app', 'tier']);
    const selector: Record<string, unknown> = {};
    if (this.#chance(0.5)) selector['matchLabels'] = { [key()]: this.#pick([...APPS, 'front', 'back']) };
    if (this.#chance(0.4)) {
      const operator = this.#pick(['In', 'NotIn', 'Exists', 'DoesNotExist']);
      const values = this.#some(() => this.#pick([...APPS, 'front', 'back']), 2, 1);
      selector['matchExpressions'] = [
        { key: key(), operator, ...(operator === 'In' || operator === 'NotIn' ? { values } : {}) },
      ];
    }
    return selector;
  }

  #block(): string {
    return this.#pick(this.#chance(this.#six ? 0.25 : 0.75) ? BLOCKS : SIX);
  }

  #networkPolicy(index: number): RawObject {
    const rules = (peers: 'from' | 'to') =>
      this.#some(
        () => ({
          ...(this.#chance(0.7)
            ? {
                [peers]: this.#some(
                  () =>
                    this.#chance(0.3)
                      ? { ipBlock: { cidr: this.#block() } }
                      : {
                          podSelector: this.#labelSelector(),
                          ...(this.#chance(0.4) ? { namespaceSelector: this.#environment() } : {}),
                        },
                  2,
                ),
              }
            : {}),
          ...(this.#chance(0.5)
            ? {
                ports: this.#some(() => ({ port: this.#pick([53, 80, 'http', 'dns']), protocol: this.#protocol() }), 2),
              }
            : {}),
        }),
        2,
      );
    return {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: `np${index}`, namespace: this.#pick(NAMESPACES) },
      spec: {
        podSelector: this.#labelSelector(),
        policyTypes: this.#pick([['Ingress'], ['Egress'], ['Ingress', 'Egress']]),
        ingress: rules('from'),
        egress: rules('to'),
      },
    };
  }

  #environment(): object {
    return this.#chance(0.3) ? {} : { matchLabels: { env: this.#pick(['prod', 'test']) } };
  }

  #protocol(): string {
    return this.#pick(['TCP', 'UDP', 'SCTP']);
  }

  #cilium(index: number): RawObject {
    const wide = this.#chance(0.4);
    const prefixes = ['', 'k8s:', 'any:'];
    const endpoint = (): object => {
      const selector = this.#labelSelector(prefixes) as { matchLabels?: Record<string, string> };
      if (!this.#chance(0.4)) return selector;
      const [key, value] = this.#chance(0.5)
        ? ['k8s:io.kubernetes.pod.namespace', this.#pick(NAMESPACES)]
        : ['k8s:io.cilium.k8s.namespace.labels.env', this.#pick(['prod', 'test'])];
      return { ...selector, matchLabels: { ...selector.matchLabels, [key!]: value! } };
    };
    const rule = (way: 'from' | 'to') => {
      const peers: Record<string, unknown> = {};
      const which = this.#next();
      if (which < 0.4) peers[`${way}Endpoints`] = this.#some(endpoint, 2);
      else if (which < 0.6)
        peers[`${way}Entities`] = this.#some(() => this.#pick(['world', 'cluster', 'all', 'none']), 2, 1);
      else if (which < 0.7) peers[`${way}CIDR`] = this.#some(() => this.#block(), 2, 1);
      else if (which < 0.85)
        peers[`${way}CIDRSet`] = [
          { cidr: '10.0.0.0/8', except: this.#chance(0.5) ? ['10.1.0.0/16'] : [] },
          { cidr: 'fd00::/8', except: ['fd00:1::/32'] },
        ].slice(0, 1 + this.#below(2));
      if (this.#chance(0.5)) {
        peers['toPorts'] = this.#some(
          () => ({
            ports: this.#some(
              () => ({
                port: this.#pick(['53', '80', '0', 'http', 'dns']),
                ...(this.#chance(0.7) ? { protocol: this.#pick(['TCP', 'UDP', 'SCTP', 'ANY']) } : {}),
              }),
              2,
            ),
          }),
          2,
          1,
        );
        for (const { ports } of peers['toPorts'] as { ports: Record<string, unknown>[] }[]) {
          for (const port of ports) if (port['port'] === '53' && this.#chance(0.5)) port['endPort'] = 80;
        }
      }
      return peers;
    };
    const spec: Record<string, unknown> = { endpointSelector: this.#labelSelector(prefixes) };
    for (const [key, way] of [
      ['ingress', 'from'],
      ['egress', 'to'],
    ] as const) {
      if (this.#chance(0.6)) spec[key] = this.#some(() => rule(way), 2);
      if (this.#chance(0.3)) {
        // A rule that denies and says neither peer nor port is documented nowhere.
        spec[`${key}Deny`] = this.#some(() => rule(way), 1).filter((one) => Object.keys(one).length > 0);
      }
    }
    if (this.#chance(0.2)) spec['enableDefaultDeny'] = { [this.#pick(['ingress', 'egress'])]: this.#chance(0.5) };
    return {
      apiVersion: 'cilium.io/v2',
      kind: wide ? 'CiliumClusterwideNetworkPolicy' : 'CiliumNetworkPolicy',
      metadata: { name: `c${index}`, ...(wide ? {} : { namespace: this.#pick(NAMESPACES) }) },
      spec,
    };
  }

  /** A selector as text; what it means is written down at once. */
  #expression(scope: 'pod' | 'namespace', depth = 2): string {
    const [text, means] = this.#meaning(scope, depth);
    this.#meanings.set(`${scope} ${text}`, means);
    return text;
  }

  #meaning(scope: 'pod' | 'namespace', depth: number): [string, (labels: Readonly<Record<string, string>>) => boolean] {
    if (depth > 0 && this.#chance(0.4)) {
      const which = this.#below(3);
      const [a, isA] = this.#meaning(scope, depth - 1);
      if (which === 0) return [`!(${a})`, (labels) => !isA(labels)];
      const [b, isB] = this.#meaning(scope, depth - 1);
      if (which === 1) return [`(${a}) && (${b})`, (labels) => isA(labels) && isB(labels)];
      return [`(${a}) || (${b})`, (labels) => isA(labels) || isB(labels)];
    }
    // Of namespaces it is those that are one (getEndpointSelector in updateprocessors/rules.go).
    if (this.#chance(0.1)) {
      return ['all()', (labels) => scope === 'pod' || labels['projectcalico.org/name'] !== undefined];
    }
    const [label, values] =
      scope === 'namespace'
        ? this.#pick([
            ['env', ['prod', 'test']],
            ['projectcalico.org/name', NAMESPACES],
          ] as const)
        : this.#pick([
            ['app', APPS],
            ['tier', ['front', 'back']],
            ['projectcalico.org/namespace', NAMESPACES],
          ] as const);
    const [one, two] = [this.#pick(values), this.#pick(values)];
    const part = one.slice(0, 2);
    const forms: [string, (value: string | undefined) => boolean][] = [
      [`${label} == '${one}'`, (value) => value === one],
      [`${label} != "${one}"`, (value) => value !== one],
      [`has(${label})`, (value) => value !== undefined],
      [`!has(${label})`, (value) => value === undefined],
      [`${label} in {'${one}', '${two}'}`, (value) => value === one || value === two],
      [`${label} not in {'${one}', '${two}'}`, (value) => value !== one && value !== two],
      [`${label} starts with '${part}'`, (value) => value !== undefined && value.slice(0, 2) === part],
      [`${label} ends with '${one.slice(-2)}'`, (value) => value !== undefined && value.slice(-2) === one.slice(-2)],
      [`${label} contains '${part}'`, (value) => value !== undefined && value.indexOf(part) >= 0],
    ];
    const [text, means] = this.#pick(forms);
    return [text, (labels) => means(labels[label])];
  }

  #calicoSets(): RawObject[] {
    const sets: RawObject[] = this.#some(() => this.#chance(0.5), 2).map((global, i) => ({
      apiVersion: 'projectcalico.org/v3',
      kind: global ? 'GlobalNetworkSet' : 'NetworkSet',
      metadata: {
        name: `set${i}`,
        ...(global ? {} : { namespace: this.#pick(NAMESPACES) }),
        labels: { app: this.#pick(APPS) },
      },
      spec: {
        nets: this.#some(
          () => this.#pick(['192.0.2.0/24', '198.51.100.7', '10.2.0.0/15', 'fd00:1::/32', '2001:db8::1']),
          2,
          1,
        ),
      },
    }));
    for (const name of ['early', 'late']) {
      sets.push({
        apiVersion: 'projectcalico.org/v3',
        kind: 'Tier',
        metadata: { name },
        spec: {
          order: name === 'early' ? 100 : 2_000_000,
          ...(this.#chance(0.5) ? { defaultAction: this.#pick(['Deny', 'Pass']) } : {}),
        },
      });
    }
    return sets;
  }

  #calico(index: number): RawObject {
    const wide = this.#chance(0.5);
    const tier = this.#pick(['default', 'default', 'early', 'late', undefined]);
    const entity = (): Record<string, unknown> => {
      const own: Record<string, unknown> = {};
      if (this.#chance(0.4)) own['selector'] = this.#expression('pod');
      if (this.#chance(0.2)) own['notSelector'] = this.#expression('pod', 1);
      if (this.#chance(0.25))
        own['namespaceSelector'] = this.#chance(0.2) ? 'global()' : this.#expression('namespace', 1);
      if (this.#chance(0.1)) own['serviceAccounts'] = { names: [this.#pick(['robot', 'default'])] };
      if (this.#chance(0.25)) own['nets'] = this.#some(() => this.#block(), 2, 1);
      if (this.#chance(0.15)) own['notNets'] = [this.#pick(['10.1.0.0/16', '10.2.0.0/15', 'fd00::/8'])];
      return own;
    };
    const rule = (direction: 'ingress' | 'egress') => {
      const out: Record<string, unknown> = { action: this.#pick(['Allow', 'Allow', 'Deny', 'Pass', 'Log']) };
      const peer = direction === 'ingress' ? 'source' : 'destination';
      const own = direction === 'ingress' ? 'destination' : 'source';
      if (this.#chance(0.8)) out[peer] = entity();
      if (this.#chance(0.25)) out[own] = this.#chance(0.5) ? entity() : { selector: this.#expression('pod', 1) };
      if (this.#chance(0.1)) out['ipVersion'] = this.#pick([4, 6]);
      if (this.#chance(0.5)) {
        out['protocol'] = this.#pick(['TCP', 'UDP', 'SCTP', 6, 17, 'ICMP']);
        if (out['protocol'] !== 'ICMP' && this.#chance(0.6)) {
          const key = this.#chance(0.75) ? 'ports' : 'notPorts';
          const ports = this.#some(() => this.#pick([53, 80, '52:81', 'http', 'dns', '8080']), 2, 1);
          out['destination'] = { ...(out['destination'] as object | undefined), [key]: ports };
        }
      } else if (this.#chance(0.2)) out['notProtocol'] = this.#protocol();
      return out;
    };
    const spec: Record<string, unknown> = {
      ...(tier === undefined ? {} : { tier }),
      // 1000 is the order of NetworkPolicies; what comes first among equals depends on their names.
      ...(this.#chance(0.7) ? { order: this.#pick([1, 500, 999.5, 1001, 2000]) } : {}),
      ...(this.#chance(0.8) ? { selector: this.#expression('pod') } : {}),
    };
    if (this.#chance(0.7)) spec['ingress'] = this.#some(() => rule('ingress'), 3);
    if (this.#chance(0.6)) spec['egress'] = this.#some(() => rule('egress'), 3);
    if (this.#chance(0.3)) spec['types'] = this.#pick([['Ingress'], ['Egress'], ['Ingress', 'Egress']]);
    if (wide && this.#chance(0.3)) spec['namespaceSelector'] = this.#expression('namespace', 1);
    return {
      apiVersion: 'projectcalico.org/v3',
      kind: wide ? 'GlobalNetworkPolicy' : 'NetworkPolicy',
      metadata: { name: `k${index}`, ...(wide ? {} : { namespace: this.#pick(NAMESPACES) }) },
      spec,
    };
  }
}
