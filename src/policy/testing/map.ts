import assert from 'node:assert/strict';
import { analyse } from '../analysis.ts';
import { type Connection, connectionsOf } from '../connections.ts';
import type { Profile } from '../engine.ts';
import type { Cni } from '../enforcers.ts';
import type { Finding } from '../findings.ts';

export const IPV4 = '0.0.0.0-255.255.255.255';
export const IPV6 = '::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff';

const utf8 = new TextEncoder();

/** A map of manifests, to be asked for single rows: `a` is the pod of that name in the namespace `n`, `m/x` another. */
export class TestMap {
  readonly rows: readonly Connection[];
  readonly findings: readonly Finding[];

  constructor(text: string, cni?: Cni, profile: Profile = 'specification') {
    const { connectivity, findings } = analyse([{ name: 'm.yaml', bytes: utf8.encode(text) }], profile, cni);
    assert.ok(connectivity, findings.map(({ where, detail }) => `${where}: ${detail}`).join('\n'));
    this.rows = connectionsOf(connectivity);
    this.findings = findings;
  }

  row(from: string, to: string): Connection | undefined {
    const name = (peer: string): string =>
      /^[a-z]\d?$/.test(peer) ? `n/${peer}[Pod]` : /^\w+\/\w+$/.test(peer) ? `${peer}[Pod]` : peer;
    return this.rows.find((one) => one.from === name(from) && one.to === name(to));
  }

  /** What may be open; `No Connections` without a row. */
  possible(from: string, to: string): string {
    return this.row(from, to)?.ports ?? 'No Connections';
  }

  /** What is open for certain. */
  certain(from: string, to: string): string {
    const row = this.row(from, to);
    return row?.certain ?? row?.ports ?? 'No Connections';
  }

  why(from: string, to: string): string {
    return this.row(from, to)?.depends?.join() ?? '';
  }
}

/** What is wrong with manifests: `file:line: code`. */
export function errorsIn(text: string, cni?: Cni): string[] {
  const { connectivity, findings } = analyse([{ name: 'm.yaml', bytes: utf8.encode(text) }], 'specification', cni);
  const errors = findings.filter(({ severity }) => severity === 'error');
  assert.equal(connectivity === undefined, errors.length > 0);
  return errors.map(({ where, code }) => `${where}: ${code}`);
}

export function namespace(name: string, labels = ''): string {
  return `apiVersion: v1\nkind: Namespace\nmetadata: { name: "${name}", labels: {${labels}} }\n---\n`;
}

export interface PodText {
  readonly labels?: string;
  readonly ports?: string;
  /** Several are separated by blanks. */
  readonly ip?: string;
  readonly space?: string;
  readonly host?: boolean;
  readonly account?: string;
}

export function pod(
  name: string,
  { labels = '', ports = '', ip = '', space = 'n', host, account }: PodText = {},
): string {
  const addresses = ip.split(' ').map((one) => `{ ip: "${one}" }`);
  return `apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: "${space}", labels: {${labels}} }
spec: { hostNetwork: ${host === true}, ${account === undefined ? '' : `serviceAccountName: ${account}, `}containers: [{ name: c, ports: [${ports}] }] }
${ip === '' ? '' : `status: { podIPs: [${addresses.join(', ')}] }\n`}---
`;
}

export function object(apiVersion: string, kind: string, name: string, spec: string, space = ''): string {
  const where = space === '' ? '' : `, namespace: "${space}"`;
  return `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: ${name}${where} }\nspec: ${spec}\n---\n`;
}

export function networkPolicy(spec: string, name = 'p', space = 'n'): string {
  return object('networking.k8s.io/v1', 'NetworkPolicy', name, spec, space);
}
