import { isObject, type Json } from '#kernel';
import { decodeDocument, placeText, splitDocuments } from '../document.ts';
import { policyFault } from '../faults.ts';
import type { Cluster, PortRule } from '../model.ts';
import { hostsNamedIn } from './named-in-text.ts';
import { type Evidence, type Sighting, type Unclear, workloadEnd } from './proposal.ts';

type Tree = Readonly<Record<string, unknown>>;

/**
 * Flows that a Compose file speaks of (compose-spec): a service names another in its environment, or depends on it and
 * that one has one port. Its services are workloads of the same names.
 */
export function sightingsInCompose(
  file: string,
  bytes: Uint8Array,
  cluster: Cluster,
  namespace: string | undefined,
): { sightings: Sighting[]; unclear: Unclear[] } {
  const [document] = splitDocuments(file, new TextDecoder().decode(bytes));
  const decoded = document === undefined ? undefined : decodeDocument(document);
  if (document === undefined || decoded?.ok !== true) {
    const where = `${file}:${decoded?.ok === false ? decoded.line : 1}`;
    throw policyFault('policy.evidence-unreadable', {
      where,
      detail: decoded?.ok === false ? decoded.detail : 'It is empty.',
    });
  }
  const services = tree(tree(decoded.value)['services']);
  const sightings: Sighting[] = [];
  const unclear: Unclear[] = [];
  const names = new Set(Object.keys(services));
  if (names.size === 0) {
    throw policyFault('policy.evidence-unreadable', { where: `${file}:1`, detail: "It has no 'services'." });
  }
  for (const [name, raw] of Object.entries(services)) {
    const service = tree(raw);
    const add = (to: string, port: PortRule | undefined, evidence: Evidence): void => {
      const [source, target] = [workloadEnd(cluster, name, namespace), workloadEnd(cluster, to, namespace)];
      if (source === undefined || target === undefined) {
        const missing = source === undefined ? name : to;
        unclear.push({
          ...evidence,
          why: `Which workload '${missing}' is cannot be told from the manifests; name its namespace with --namespace.`,
        });
      } else if (port === undefined) unclear.push({ ...evidence, why: `Which port of '${to}' is used is not said.` });
      else sightings.push({ from: source, to: target, port, evidence });
    };
    const placed = (...path: (string | number)[]): string => placeText({ document, path: ['services', name, ...path] });
    const spoken = new Set<string>();
    for (const [key, value, index] of environment(service['environment'])) {
      for (const { host, port } of hostsNamedIn(value)) {
        if (!names.has(host) || host === name) continue;
        spoken.add(host);
        const evidence = {
          source: 'compose',
          where: placed('environment', index),
          detail: `${key} of ${name} names ${host}`,
        } as const;
        add(host, port === undefined ? onlyPort(services[host]) : { protocol: 'TCP', from: port, to: port }, evidence);
      }
    }
    const depends = service['depends_on'];
    for (const to of Array.isArray(depends) ? depends.map(String) : Object.keys(tree(depends))) {
      if (!names.has(to) || spoken.has(to)) continue;
      add(to, onlyPort(services[to]), {
        source: 'compose',
        where: placed('depends_on'),
        detail: `${name} depends on ${to}`,
      });
    }
  }
  return { sightings, unclear };
}

function environment(value: unknown): [string, string, string | number][] {
  if (Array.isArray(value)) {
    return value.map((item, i) => {
      const word = String(item);
      return [word.split('=')[0]!, word.slice(word.indexOf('=') + 1), i];
    });
  }
  return Object.entries(tree(value)).map(([key, inner]) => [key, String(inner ?? ''), key]);
}

/** The port inside, where `expose` and `ports` together say one: `8000`, `80:8000`, `127.0.0.1:80:8000/udp`. */
function onlyPort(raw: unknown): PortRule | undefined {
  const service = tree(raw);
  const found = new Map<string, PortRule>();
  for (const item of [...list(service['expose']), ...list(service['ports'])]) {
    const long = tree(item);
    const text = 'target' in long ? `${String(long['target'])}/${String(long['protocol'] ?? 'tcp')}` : String(item);
    const match = /(?:^|:)(\d{1,5})(?:\/(tcp|udp))?$/.exec(text);
    if (match === null) return undefined;
    const number = Number(match[1]);
    const protocol = match[2] === 'udp' ? 'UDP' : 'TCP';
    found.set(`${number}/${protocol}`, { protocol, from: number, to: number });
  }
  return found.size === 1 ? [...found.values()][0] : undefined;
}

function tree(value: unknown): Tree {
  return isObject(value as Json) ? (value as Tree) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}
