import { isObject, type Json } from '#kernel';
import { decodeDocument, type ManifestDocument, placeText, splitDocuments } from '../document.ts';
import type { Cluster } from '../model.ts';
import type { ManifestFile } from '../read-cluster.ts';
import { hostsNamedIn } from './named-in-text.ts';
import {
  type Evidence,
  endOfPods,
  type ProposedEnd,
  type Sighting,
  throughService,
  type Unclear,
  workloadEnd,
} from './proposal.ts';

interface Found {
  readonly sightings: Sighting[];
  readonly unclear: Unclear[];
}

type Tree = Readonly<Record<string, unknown>>;

/** Flows that manifests speak of: names of Services in the environment of containers, and what an Ingress or a route opens. */
export function sightingsInManifests(
  files: readonly ManifestFile[],
  cluster: Cluster,
  controller: ProposedEnd | undefined,
): Found {
  const found: Found = { sightings: [], unclear: [] };
  const documents = files.flatMap(({ name, bytes }) => splitDocuments(name, new TextDecoder().decode(bytes)));
  const objects = documents.flatMap((document) => {
    const decoded = decodeDocument(document);
    return decoded.ok ? objectsIn(document, decoded.value, []) : [];
  });
  const configs = new Map<string, Tree>();
  for (const { value } of objects) {
    const metadata = tree(value['metadata']);
    if (value['kind'] !== 'ConfigMap') continue;
    configs.set(`${text(metadata['namespace']) ?? 'default'}/${text(metadata['name'])}`, tree(value['data']));
  }
  for (const one of objects) environmentOf(one, cluster, configs, found);
  entrances(cluster, controller, found);
  return found;
}

interface RawObject {
  readonly document: ManifestDocument;
  readonly path: readonly (string | number)[];
  readonly value: Tree;
}

function objectsIn(document: ManifestDocument, value: unknown, path: readonly (string | number)[]): RawObject[] {
  if (!isObject(value as Json)) return [];
  const object = value as Tree;
  if (object['kind'] !== 'List' && !String(object['kind']).endsWith('List')) return [{ document, path, value: object }];
  return list(object['items']).flatMap((item, i) => objectsIn(document, item, [...path, 'items', i]));
}

/** The specifications of pods in a workload, with the keys that lead there. */
const TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  Pod: ['spec'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template', 'spec'],
};

function environmentOf(
  { document, path, value }: RawObject,
  cluster: Cluster,
  configs: ReadonlyMap<string, Tree>,
  found: Found,
): void {
  const kind = text(value['kind']) ?? '';
  const metadata = tree(value['metadata']);
  const [name, namespace] = [text(metadata['name']), text(metadata['namespace']) ?? 'default'];
  const keys = TEMPLATES[kind] ?? ['spec', 'template', 'spec'];
  const spec = keys.reduce((at: Tree, key) => tree(at[key]), value);
  if (name === undefined || list(spec['containers']).length === 0) return;
  const own = cluster.pods.filter(
    (pod) =>
      pod.place.document.file === document.file &&
      pod.place.document.line === document.line &&
      pod.namespace === namespace,
  );
  const pods = own.filter((pod) => pod.name === name);
  const from = endOfPods(cluster, pods.length > 0 ? pods : own);
  if (from === undefined) return;
  for (const part of ['initContainers', 'containers']) {
    list(spec[part]).forEach((raw, i) => {
      const container = tree(raw);
      const at = [...path, ...keys, part, i];
      const values = new Map<string, { text: string; where: string }>();
      list(container['envFrom']).forEach((item, j) => {
        const config = configs.get(`${namespace}/${text(tree(tree(item)['configMapRef'])['name'])}`) ?? {};
        const where = placeText({ document, path: [...at, 'envFrom', j] });
        for (const [key, inner] of Object.entries(config))
          if (typeof inner === 'string') values.set(key, { text: inner, where });
      });
      list(container['env']).forEach((item, j) => {
        const { name: key, value: plain, valueFrom } = tree(item);
        const reference = tree(tree(valueFrom)['configMapKeyRef']);
        const config = configs.get(`${namespace}/${text(reference['name'])}`)?.[text(reference['key']) ?? ''];
        const inner = typeof plain === 'string' ? plain : config;
        if (typeof key !== 'string' || typeof inner !== 'string') return;
        values.set(key, { text: inner, where: placeText({ document, path: [...at, 'env', j] }) });
      });
      for (const part of ['command', 'args'] as const) {
        list(container[part]).forEach((word, j) => {
          if (typeof word !== 'string' || !word.includes(':')) return;
          const inner = word.slice(word.indexOf('=') + 1);
          values.set(`${part} ${j + 1}`, { text: inner, where: placeText({ document, path: [...at, part, j] }) });
        });
      }
      for (const [key, { text: inner, where }] of values)
        named(from, namespace, key, inner, where, values, cluster, found);
    });
  }
}

function named(
  from: ProposedEnd,
  namespace: string,
  key: string,
  value: string,
  where: string,
  values: ReadonlyMap<string, { readonly text: string }>,
  cluster: Cluster,
  found: Found,
): void {
  for (const { host, port } of hostsNamedIn(value)) {
    const [service = '', inside = namespace, svc, ...domain] = host.split('.');
    const isService =
      svc === undefined || (svc === 'svc' && (domain.length === 0 || domain.join('.') === 'cluster.local'));
    const known = cluster.services.some((one) => one.namespace === inside && one.name === service);
    // A word that is no Service's name is most often no name at all.
    if (!isService || (!known && svc === undefined)) {
      const detail = `${key} of ${from.text} names ${host}${port === undefined ? '' : `:${port}`}`;
      if (host.includes('.') && port !== undefined && /[a-z]/.test(host)) {
        found.unclear.push({
          source: 'environment',
          where,
          detail,
          why: 'Which addresses this name has is in no manifest.',
        });
      }
      continue;
    }
    const evidence: Evidence = {
      source: 'environment',
      where,
      detail: `${key} of ${from.text} names Service ${inside}/${service}`,
    };
    const beside = Number(values.get(key.replace(/_?(?:HOST|HOSTNAME|SERVER|ADDRESS|ADDR)$/, '_PORT'))?.text);
    const wanted = port ?? (Number.isInteger(beside) && beside > 0 ? beside : undefined);
    add(from, throughService(cluster, inside, service, wanted), evidence, cluster, found);
  }
}

function add(
  from: ProposedEnd,
  led: ReturnType<typeof throughService>,
  evidence: Evidence,
  cluster: Cluster,
  found: Found,
): void {
  if (typeof led === 'string') {
    found.unclear.push({ ...evidence, why: led });
    return;
  }
  for (const { to, port } of led) {
    if (to.text === from.text) continue;
    found.sightings.push({ from, to, port, evidence });
    if (evidence.source === 'environment') dns(from, evidence, cluster, found);
  }
}

/** Who calls a Service by its name asks for the name first. */
function dns(from: ProposedEnd, { where, detail }: Evidence, cluster: Cluster, found: Found): void {
  const pods = throughService(cluster, 'kube-system', 'kube-dns', 53);
  if (typeof pods === 'string') return;
  for (const { to, port } of pods) {
    found.sightings.push({
      from,
      to: { text: 'dns', pods: to.pods },
      port,
      evidence: { source: 'dns', where, detail },
    });
  }
}

function entrances(cluster: Cluster, controller: ProposedEnd | undefined, found: Found): void {
  for (const { namespace, service, port, place } of cluster.entrances) {
    const where = placeText(place);
    const evidence: Evidence = { source: 'entrance', where, detail: `it leads to Service ${namespace}/${service}` };
    if (controller === undefined) {
      found.unclear.push({
        ...evidence,
        why: 'Which pods are the controller is not said: name them with --controller NAMESPACE/WORKLOAD.',
      });
      continue;
    }
    add(controller, throughService(cluster, namespace, service, port), evidence, cluster, found);
  }
}

/** The workload that is named, or the only one that is known as a controller of Ingress or Gateway. */
export function controllerOf(cluster: Cluster, text: string | undefined): ProposedEnd | undefined {
  if (text !== undefined) {
    const [namespace, name = ''] = text.split('/');
    return workloadEnd(cluster, name, namespace);
  }
  const known = /^(?:ingress-nginx|traefik|haproxy-ingress|kubernetes-ingress|contour|envoy|kong)$/;
  const pods = cluster.pods.filter(({ labels }) => known.test(labels['app.kubernetes.io/name'] ?? ''));
  return endOfPods(cluster, pods);
}

function tree(value: unknown): Tree {
  return isObject(value as Json) ? (value as Tree) : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
