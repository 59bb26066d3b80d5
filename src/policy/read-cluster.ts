import { isObject, type Json } from '#kernel';
import { Field, labelsOf, protocolIn } from './decode.ts';
import { type Decoded, decodeDocument, type ManifestDocument, type Place, splitDocuments } from './document.ts';
import type { Profile } from './engine.ts';
import { type Cni, foreignTo } from './enforcers.ts';
import { type FindingCode, Findings } from './findings.ts';
import {
  type Cluster,
  type ContainerPort,
  dialectOf,
  type Entrance,
  type Namespace,
  NAMESPACE_NAME_LABEL,
  peerName,
  type Pod,
  type Policy,
  type Service,
  type ServicePort,
} from './model.ts';
import { type NetworkSet, readCalicoPolicy, readNetworkSet, readTier } from './read-calico.ts';
import { type CidrGroup, readCidrGroup, readCiliumPolicy } from './read-cilium.ts';
import {
  type Gateway,
  GATEWAY_GROUP,
  readGateway,
  readReferenceGrant,
  readRoute,
  type ReferenceGrant,
  ROUTES,
} from './read-gateway.ts';
import { readAdminPolicy, readNetworkPolicy } from './read-policy.ts';
import { parseAddress } from './addresses.ts';
import { type Labels, selectorOf } from './selector.ts';

/** A file of manifests as it was read. */
export interface ManifestFile {
  /** How findings name it. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Why nothing is taken from it, although policies may be in it. */
  readonly refused?: readonly { readonly code: FindingCode; readonly detail: string }[];
}

export interface ClusterReading {
  readonly cluster: Cluster;
  readonly findings: Findings;
  /** Kinds that bear on nothing here, and how many there are of each. */
  readonly ignored: ReadonlyMap<string, number>;
}

/**
 * What was read of files, so that the same bytes need not be read again: their documents, and what was made of each
 * document by its place in it.
 */
export class ReadingMemory {
  readonly #files = new Map<string, { readonly bytes: Uint8Array; readonly documents: readonly ManifestDocument[] }>();
  readonly #decoded = new WeakMap<ManifestDocument, Decoded>();
  readonly #made = new WeakMap<ManifestDocument, Map<string, unknown>>();

  /** Those of the file before, where they have the same text at the same line. */
  documents(name: string, bytes: Uint8Array, split: () => readonly ManifestDocument[]): readonly ManifestDocument[] {
    const known = this.#files.get(name);
    if (known !== undefined && isSame(known.bytes, bytes)) return known.documents;
    const before = new Map(known?.documents.map((one) => [`${one.line}\n${one.text}`, one]));
    const documents = split().map((one) => before.get(`${one.line}\n${one.text}`) ?? one);
    this.#files.set(name, { bytes, documents });
    return documents;
  }

  decoded(document: ManifestDocument): Decoded {
    let known = this.#decoded.get(document);
    if (known === undefined) this.#decoded.set(document, (known = decodeDocument(document)));
    return known;
  }

  made(document: ManifestDocument): Map<string, unknown> {
    let known = this.#made.get(document);
    if (known === undefined) this.#made.set(document, (known = new Map()));
    return known;
  }

  /** Forgets files that are no longer there. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#files.keys()) if (!names.has(name)) this.#files.delete(name);
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && a.every((byte, i) => byte === b[i]));
}

/** For which profile and network plugin manifests are read. */
interface View {
  readonly profile: Profile;
  readonly cni?: Cni | undefined;
}

/**
 * Reads manifests. With an error among the findings the cluster is incomplete, and no map may be made of it. With a view,
 * the findings say too which policies it does not speak of.
 */
export function readCluster(files: readonly ManifestFile[], view?: View, memory?: ReadingMemory): ClusterReading {
  const reader = new ClusterReader(memory);
  for (const file of files) reader.file(file);
  memory?.keep(new Set(files.map(({ name }) => name)));
  const reading = reader.finish();
  if (view !== undefined) dialects(reading, view);
  return reading;
}

/** Policies that not every plugin enforces are never applied or left out in silence. */
function dialects({ cluster, findings }: ClusterReading, { profile, cni }: View): void {
  for (const [dialect, policies] of Map.groupBy(cluster.policies, ({ kind }) => dialectOf(kind))) {
    const { place } = policies[0]!;
    const count = `${policies.length} ${policies.length === 1 ? 'policy' : 'policies'} of ${dialect}`;
    const special = dialect === 'Cilium' || dialect === 'Calico';
    if (profile === 'np-guard') {
      if (special)
        findings.error('policy.dialect', place, `There are ${count}, of which netpol-analyzer knows nothing.`);
    } else if (cni === undefined) {
      if (special) findings.warning('policy.dialect', place, `There are ${count}, which only ${dialect} enforces.`);
    } else if (foreignTo(new Set([dialect]), cni).length > 0) {
      findings.warning('policy.dialect', place, `There are ${count}, which '${cni}' does not enforce.`);
    }
  }
}

const TEMPLATED: Readonly<Record<string, readonly string[]>> = {
  Deployment: ['apps'],
  ReplicaSet: ['apps'],
  StatefulSet: ['apps'],
  DaemonSet: ['apps'],
  ReplicationController: [''],
  Job: ['batch'],
  CronJob: ['batch'],
  VirtualMachine: ['kubevirt.io'],
};

/** Groups whose every kind decides who may talk to whom. */
const POLICY_GROUPS = new Set(['policy.networking.k8s.io', 'cilium.io', 'crd.projectcalico.org', 'projectcalico.org']);
/** Kinds of such a group that decide nothing. */
const HARMLESS =
  /^(?:Cilium(?:Endpoint|EndpointSlice|Identity|Node|PodIPPool|LoadBalancerIPPool|L2AnnouncementPolicy|BGP\w+|EgressGatewayPolicy|ExternalWorkload)|IPPool|IPReservation|IPAMBlock|IPAMHandle|IPAMConfig|BlockAffinity|BGP\w+|CalicoNodeStatus|ClusterInformation|KubeControllersConfiguration|FelixConfiguration|Installation|APIServer)$/;
/** Groups of Calico, of its API server and of the resources in which it stores them. */
const CALICO_GROUPS: Readonly<Record<string, string>> = { 'projectcalico.org': 'v3', 'crd.projectcalico.org': 'v1' };
const STAGED = /^Staged(?:Kubernetes|Global)?NetworkPolicy$/;
const POLICY_KINDS =
  /networkpolic(?:y|ies)$|^(?:EgressFirewall|NetworkPolicy.*|HostEndpoint|GlobalNetworkSet|NetworkSet|Tier)$/i;
/** They are about other networks of a pod than the one of the cluster. */
const OTHER_NETWORKS = new Set(['MultiNetworkPolicy']);

/** They make further networks, or another first one, for pods. */
const NETWORKS = /^(?:Cluster)?UserDefinedNetwork$|^NetworkAttachmentDefinition$/;

/** What a template of a chart has in it before it is rendered. */
const TEMPLATE = /\{\{-?\s*(?:[.$"(]|[a-z][A-Za-z]* )[^\n]*/;
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

class ClusterReader {
  readonly #memory: ReadingMemory | undefined;
  readonly #findings = new Findings();
  readonly #ignored = new Map<string, number>();
  readonly #namespaces = new Map<string, Namespace>();
  readonly #pods: Pod[] = [];
  readonly #services: Service[] = [];
  readonly #entrances: Entrance[] = [];
  readonly #policies: Policy[] = [];
  readonly #accounts = new Map<string, Labels>();
  readonly #sets: NetworkSet[] = [];
  readonly #tiers = new Map<string, { order: number; otherwise: 'deny' | 'pass' }>();
  readonly #groups = new Map<string, CidrGroup>();
  /** The place of an endpoint of a host, and of a policy that such ones apply to forwarded traffic. */
  #host: { endpoint: Field | undefined; forwarding: Field | undefined } = {
    endpoint: undefined,
    forwarding: undefined,
  };
  readonly #gateways: Gateway[] = [];
  readonly #grants: ReferenceGrant[] = [];
  /** What refers to other objects, read when all are known. */
  readonly #later: (() => void)[] = [];
  /** Where an object of this kind and name stands. */
  readonly #seen = new Map<string, Place>();

  constructor(memory?: ReadingMemory) {
    this.#memory = memory;
  }

  file({ name, bytes, refused }: ManifestFile): void {
    if (refused !== undefined) {
      for (const { code, detail } of refused) this.#findings.error(code, name, detail);
      return;
    }
    const split = (): readonly ManifestDocument[] => {
      const text = utf8.decode(bytes);
      return name.endsWith('.json') ? [{ file: name, line: 1, text }] : splitDocuments(name, text);
    };
    let documents: readonly ManifestDocument[];
    try {
      documents = this.#memory?.documents(name, bytes, split) ?? split();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      this.#findings.error('policy.unreadable', `${name}:1`, 'The file is not UTF-8.');
      return;
    }
    for (const document of documents) this.#document(document);
  }

  /** The same object as before, where the same document made it without a finding. */
  #same<T>(object: Field, make: () => T): T {
    if (this.#memory === undefined) return make();
    const { document, path } = object.place;
    const made = this.#memory.made(document);
    const key = path.join('/');
    if (made.has(key)) return made.get(key) as T;
    const before = this.#findings.list.length;
    const value = make();
    if (this.#findings.list.length === before) made.set(key, value);
    return value;
  }

  #document(document: ManifestDocument): void {
    const decoded = this.#memory?.decoded(document) ?? decodeDocument(document);
    if (!decoded.ok) {
      const template = TEMPLATE.exec(document.text);
      if (template === null) {
        this.#findings.error('policy.unreadable', `${document.file}:${decoded.line}`, decoded.detail);
      } else {
        const line = document.line + document.text.slice(0, template.index).split('\n').length - 1;
        this.#findings.error('policy.template', `${document.file}:${line}`, `'${template[0]}' stands in it.`);
      }
      return;
    }
    if (decoded.value === null || decoded.value === undefined) return;
    this.#object(new Field(decoded.value, { document, key: [] }, this.#findings));
  }

  #object(object: Field): void {
    if (
      Array.isArray(object.value) &&
      !object.value.some((item) => isObject(item) && ('kind' in item || 'apiVersion' in item))
    ) {
      this.#ignore('(no object of Kubernetes)');
      return;
    }
    if (!isObject(object.value as Json)) {
      object.wrong('The document is no object of Kubernetes.', 'policy.unreadable');
      return;
    }
    const { apiVersion, kind } = object.value as Record<string, unknown>;
    const { file } = object.place.document;
    if (kind === undefined && /(?:^|\/)Chart\.ya?ml$/.test(file)) {
      this.#ignore('(chart)');
      return;
    }
    if (kind === 'Kustomization' || kind === 'Component') {
      this.#findings.warning(
        'policy.template',
        object.place,
        `It is a ${kind}, which may change what stands beside it.`,
      );
      this.#ignore(kind);
      return;
    }
    if (typeof apiVersion !== 'string' || typeof kind !== 'string') {
      const value = object.value as Record<string, unknown>;
      if (apiVersion === undefined && kind === undefined && !('spec' in value && 'metadata' in value)) {
        this.#ignore('(no object of Kubernetes)');
        return;
      }
      object.wrong("The object does not say its 'apiVersion' and 'kind'.", 'policy.unreadable');
      return;
    }
    if (/List$/.test(kind) && 'items' in (object.value as object)) {
      const inner = kind === 'List' ? undefined : kind.slice(0, -4);
      for (const item of object.at('items').items()) this.#item(item, inner, apiVersion);
      return;
    }
    const slash = apiVersion.indexOf('/');
    const [group, version] =
      slash === -1 ? ['', apiVersion] : [apiVersion.slice(0, slash), apiVersion.slice(slash + 1)];
    if (OTHER_NETWORKS.has(kind)) this.#ignore(kind);
    else if (NETWORKS.test(kind)) {
      this.#findings.warning('policy.network-outside', object.place, `It is a ${kind}.`);
      this.#ignore(kind);
    } else if (isPolicy(group, kind)) this.#policy(object, group, version, kind);
    else this.#plain(object, group, kind);
  }

  /** Items of a list of one kind may leave their own kind out. */
  #item(item: Field, kind: string | undefined, apiVersion: string): void {
    const value = item.value;
    if (kind !== undefined && isObject(value as Json)) {
      const own = value as Record<string, unknown>;
      if (own['kind'] === undefined && own['apiVersion'] === undefined) {
        const { document, path } = item.place;
        this.#object(new Field({ apiVersion, kind, ...own }, { document, key: path }, this.#findings));
        return;
      }
    }
    this.#object(item);
  }

  #ignore(kind: string): void {
    this.#ignored.set(kind, (this.#ignored.get(kind) ?? 0) + 1);
  }

  /** Its name, and its namespace if it is of a kind that has one; undefined where they cannot be decoded. */
  #meta(object: Field, kind: string, namespaced: boolean): { namespace: string; name: string } | undefined {
    const metadata = object.at('metadata');
    const nameField = metadata.at('name');
    if (metadata.absent || nameField.absent) return metadata.wrong(`A ${kind} needs a name.`);
    const name = nameField.text();
    if (name === undefined) return undefined;
    if (TEMPLATE.test(name)) return nameField.wrong(`'${name}' is no name yet.`, 'policy.template');
    if (!NAME.test(name)) {
      this.#findings.warning('policy.malformed', nameField.place, `'${name}' is no name that an API server takes.`);
    }
    const field = metadata.at('namespace');
    const namespace = !namespaced ? '' : field.absent || field.value === '' ? 'default' : field.text();
    if (namespace === undefined) return undefined;
    const key = `${kind}\n${namespace}\n${name}`;
    const other = this.#seen.get(key);
    if (other !== undefined) {
      const { document, path } = other;
      const same = contentOf(valueAt(other)) === contentOf(object.value);
      const detail = `${kind} '${namespace === '' ? '' : `${namespace}/`}${name}' stands in ${document.file} too${path.length > 0 ? ` (item ${path.at(-1)})` : ''}.`;
      if (same) {
        this.#findings.warning('policy.duplicate', object.place, detail);
        return undefined;
      }
      return object.wrong(detail, 'policy.duplicate');
    }
    this.#seen.set(key, object.place);
    return { namespace, name };
  }

  #policy(object: Field, group: string, version: string, kind: string): void {
    if (group === 'networking.k8s.io' && version === 'v1' && kind === 'NetworkPolicy') {
      const meta = this.#meta(object, kind, true);
      const policy = meta && this.#same(object, () => readNetworkPolicy(object, meta.namespace, meta.name));
      if (policy !== undefined) this.#policies.push(policy);
      return;
    }
    const known =
      version === 'v1alpha1'
        ? (['AdminNetworkPolicy', 'BaselineAdminNetworkPolicy'] as const)
        : version === 'v1alpha2'
          ? (['ClusterNetworkPolicy'] as const)
          : [];
    const admin = known.find((one) => one === kind);
    if (group === 'policy.networking.k8s.io' && admin !== undefined) {
      const meta = this.#meta(object, kind, false);
      const policy = meta && this.#same(object, () => readAdminPolicy(object, admin, meta.name));
      if (policy !== undefined) this.#policies.push(policy);
      return;
    }
    if (group === 'cilium.io' && this.#cilium(object, version, kind)) return;
    if (CALICO_GROUPS[group] === version && this.#calico(object, kind)) return;
    object.at('kind').wrong(`It is ${kind} of ${group}/${version}.`, 'policy.kind-unknown');
  }

  /** False: it is not known. */
  #cilium(object: Field, version: string, kind: string): boolean {
    if (kind === 'CiliumCIDRGroup' && (version === 'v2' || version === 'v2alpha1')) {
      const meta = this.#meta(object, kind, false);
      if (meta !== undefined) this.#groups.set(meta.name, readCidrGroup(object));
      return true;
    }
    if (version !== 'v2' || (kind !== 'CiliumNetworkPolicy' && kind !== 'CiliumClusterwideNetworkPolicy')) return false;
    const meta = this.#meta(object, kind, kind === 'CiliumNetworkPolicy');
    if (meta === undefined) return true;
    this.#later.push(() => {
      const around = { services: this.#services, groups: this.#groups };
      this.#policies.push(...readCiliumPolicy(object, kind, meta.namespace, meta.name, around));
    });
    return true;
  }

  /** False: it is not known. */
  #calico(object: Field, kind: string): boolean {
    if (STAGED.test(kind)) {
      this.#findings.note('policy.staged', object.place, `It is a ${kind}.`);
      this.#ignore(kind);
      return true;
    }
    switch (kind) {
      case 'NetworkPolicy':
      case 'GlobalNetworkPolicy': {
        const own = kind === 'NetworkPolicy' ? 'CalicoNetworkPolicy' : kind;
        const meta = this.#meta(object, own, kind === 'NetworkPolicy');
        if (meta === undefined) return true;
        if (object.at('spec').at('applyOnForward').value === true) this.#host.forwarding ??= object;
        this.#later.push(() => {
          const around = {
            services: this.#services,
            namespaces: this.#namespaces,
            sets: this.#sets,
            tiers: this.#tiers,
          };
          const policy = readCalicoPolicy(object, own, meta.namespace, meta.name, around);
          if (policy !== undefined) this.#policies.push(policy);
        });
        return true;
      }
      case 'Tier': {
        const meta = this.#meta(object, kind, false);
        if (meta !== undefined) this.#tiers.set(meta.name, readTier(object));
        return true;
      }
      case 'NetworkSet':
      case 'GlobalNetworkSet': {
        const meta = this.#meta(object, kind, kind === 'NetworkSet');
        if (meta !== undefined) this.#sets.push(readNetworkSet(object, meta.namespace));
        return true;
      }
      case 'HostEndpoint':
        this.#host.endpoint ??= object;
        this.#ignore(kind);
        return true;
      case 'Profile':
        // Calico makes those of namespaces and service accounts itself, with rules that allow everything.
        if (/^(?:kns|ksa)\./.test(String(object.at('metadata').at('name').value))) return false;
        this.#ignore(kind);
        return true;
      default:
        return false;
    }
  }

  #plain(object: Field, group: string, kind: string): void {
    if (kind in TEMPLATED && (TEMPLATED[kind]!.includes(group) || group === 'extensions')) this.#workload(object, kind);
    else if (group === '' && kind === 'Pod') this.#pod(object);
    else if (group === '' && kind === 'Namespace') this.#namespace(object);
    else if (group === '' && kind === 'Service') this.#service(object);
    else if (group === '' && kind === 'ServiceAccount') this.#account(object);
    else if (kind === 'Ingress' && (group === 'networking.k8s.io' || group === 'extensions')) this.#ingress(object);
    else if (kind === 'Route' && group === 'route.openshift.io') this.#route(object);
    else if (group === GATEWAY_GROUP && this.#gateway(object, kind)) return;
    else this.#ignore(kind);
  }

  #namespace(object: Field): void {
    const meta = this.#meta(object, 'Namespace', false);
    if (meta === undefined) return;
    const own = object.at('metadata').at('labels');
    const said = own.at(NAMESPACE_NAME_LABEL);
    if (!said.absent && said.value !== meta.name) {
      said.findings.warning('policy.malformed', said.place, 'The API server writes the name of the namespace here.');
    }
    const made = this.#same(object, () => {
      const labels = { ...labelsOf(own), [NAMESPACE_NAME_LABEL]: meta.name };
      return { name: meta.name, labels, place: object.place };
    });
    this.#namespaces.set(meta.name, made);
  }

  #account(object: Field): void {
    const meta = this.#meta(object, 'ServiceAccount', true);
    if (meta === undefined) return;
    this.#accounts.set(`${meta.namespace}/${meta.name}`, labelsOf(object.at('metadata').at('labels')));
  }

  #workload(object: Field, kind: string): void {
    const meta = this.#meta(object, kind, true);
    if (meta === undefined) return;
    const spec = object.at('spec');
    const template = (kind === 'CronJob' ? spec.at('jobTemplate').at('spec') : spec).at('template');
    if (template.absent) {
      template.wrong(`A ${kind} needs a template of its pods.`);
      return;
    }
    const metadata = template.at('metadata');
    const made = this.#same(object, (): Pod => ({
      ...meta,
      kind,
      labels: labelsOf(metadata.at('labels')),
      ports: containerPorts(template.at('spec'), kind),
      hostNetwork: template.at('spec').at('hostNetwork').value === true,
      ...accountIn(template.at('spec')),
      addresses: [],
      place: object.place,
    }));
    this.#pods.push(made);
  }

  #pod(object: Field): void {
    const meta = this.#meta(object, 'Pod', true);
    if (meta === undefined || meta.name.startsWith('virt-launcher-')) return;
    const metadata = object.at('metadata');
    const owner = metadata
      .at('ownerReferences')
      .items()
      .find((item) => item.at('controller').value === true);
    let { name } = meta;
    let kind = 'Pod';
    if (owner !== undefined && owner.at('kind').value !== 'Node') {
      name = owner.at('name').text() ?? name;
      kind = owner.at('kind').absent ? kind : (owner.at('kind').text() ?? kind);
    }
    const made = this.#same(object, (): Pod => ({
      namespace: meta.namespace,
      name,
      kind,
      labels: labelsOf(metadata.at('labels')),
      ports: containerPorts(object.at('spec'), 'Pod'),
      hostNetwork: object.at('spec').at('hostNetwork').value === true,
      ...accountIn(object.at('spec')),
      addresses: podAddresses(object.at('status')),
      place: object.place,
    }));
    this.#pods.push(made);
  }

  #service(object: Field): void {
    const meta = this.#meta(object, 'Service', true);
    if (meta === undefined) return;
    const spec = object.at('spec');
    const labels = labelsOf(spec.at('selector'));
    const requirements = Object.entries(labels).map(([label, value]) => ({
      label,
      operator: 'In' as const,
      values: [value],
    }));
    const ports: ServicePort[] = [];
    for (const item of spec.at('ports').items()) {
      const number = item.at('port').integer(1, 65535);
      const protocol = protocolIn(item.at('protocol'));
      if (number === undefined || protocol === undefined) continue;
      const target = item.at('targetPort').value;
      ports.push({
        name: typeof item.at('name').value === 'string' ? (item.at('name').value as string) : '',
        number,
        protocol,
        // 0 and '' mean the port itself, as the API server fills it in.
        target:
          (typeof target === 'number' || typeof target === 'string') && target !== 0 && target !== '' ? target : number,
      });
    }
    const selector = requirements.length === 0 ? undefined : selectorOf(requirements);
    const own = object.at('metadata').at('labels');
    const addresses = [
      spec.at('clusterIP').value,
      ...spec
        .at('clusterIPs')
        .items()
        .map(({ value }) => value),
    ].filter((one) => typeof one === 'string' && parseAddress(one) !== undefined) as string[];
    const made = this.#same(object, (): Service => ({
      ...meta,
      selector,
      ports,
      ...(own.absent ? {} : { labels: labelsOf(own) }),
      addresses: [...new Set(addresses)],
      place: object.place,
    }));
    this.#services.push(made);
  }

  #ingress(object: Field): void {
    const meta = this.#meta(object, 'Ingress', true);
    if (meta === undefined) return;
    const spec = object.at('spec');
    const backends = [spec.at('defaultBackend'), spec.at('backend')];
    for (const rule of spec.at('rules').items()) {
      for (const path of rule.at('http').at('paths').items()) backends.push(path.at('backend'));
    }
    for (const backend of backends) {
      if (backend.absent) continue;
      // networking.k8s.io/v1, and serviceName with servicePort of the versions before.
      const service = backend.at('service');
      const name = service.at('name').value ?? backend.at('serviceName').value;
      const port =
        service.at('port').at('number').value ?? service.at('port').at('name').value ?? backend.at('servicePort').value;
      if (typeof name !== 'string') continue;
      const known = typeof port === 'number' || typeof port === 'string' ? port : undefined;
      this.#entrances.push({ namespace: meta.namespace, service: name, port: known, place: backend.place });
    }
  }

  /** False: it decides nothing. */
  #gateway(object: Field, kind: string): boolean {
    if (!(kind in ROUTES) && kind !== 'Gateway' && kind !== 'ReferenceGrant') return false;
    const meta = this.#meta(object, kind, true);
    if (meta === undefined) return true;
    if (kind === 'Gateway') this.#gateways.push(readGateway(object, meta.namespace, meta.name));
    else if (kind === 'ReferenceGrant') this.#grants.push(readReferenceGrant(object, meta.namespace));
    else {
      this.#later.push(() => {
        const around = { gateways: this.#gateways, grants: this.#grants, namespaces: this.#namespaces };
        this.#entrances.push(...readRoute(object, kind, meta.namespace, around));
      });
    }
    return true;
  }

  #route(object: Field): void {
    const meta = this.#meta(object, 'Route', true);
    if (meta === undefined) return;
    const spec = object.at('spec');
    const target = spec.at('port').at('targetPort').value;
    const port = typeof target === 'number' || typeof target === 'string' ? target : undefined;
    for (const to of [spec.at('to'), ...spec.at('alternateBackends').items()]) {
      const kind = to.at('kind').value;
      const name = to.at('name').value;
      if (typeof name !== 'string' || (kind !== undefined && kind !== null && kind !== '' && kind !== 'Service'))
        continue;
      this.#entrances.push({ namespace: meta.namespace, service: name, port, place: to.place });
    }
  }

  finish(): ClusterReading {
    for (const read of this.#later) read();
    this.#priorities();
    const { endpoint, forwarding } = this.#host;
    if (endpoint !== undefined && forwarding !== undefined) {
      // applyOnForward: "apply the rules in this policy on forward traffic" (globalnetworkpolicy.go).
      forwarding.wrong('It applies to forwarded traffic at the endpoints of hosts.', 'policy.host-endpoint');
    }
    return {
      cluster: {
        namespaces: this.#namespaces,
        pods: this.#owners(),
        services: this.#services,
        entrances: this.#entrances,
        policies: this.#policies,
        accounts: this.#accounts,
      },
      findings: this.#findings,
      ignored: this.#ignored,
    };
  }

  /** Pods that are the same in all that counts become one. */
  #owners(): Pod[] {
    const byName = Map.groupBy(this.#pods, peerName);
    return [...byName.values()].flatMap((own) => {
      if (own.length === 1) return own;
      const known = new Set<string>();
      return own.filter((pod) => {
        const key = JSON.stringify([
          Object.entries(pod.labels).sort(),
          pod.ports,
          pod.hostNetwork,
          pod.account,
          pod.addresses,
        ]);
        if (known.has(key)) return false;
        known.add(key);
        return true;
      });
    });
  }

  /** NP-21: which of two policies of equal priority comes first is not defined. */
  #priorities(): void {
    const first = new Map<string, Policy>();
    for (const policy of this.#policies) {
      if (policy.tier !== 'admin' && policy.tier !== 'baseline') continue;
      const key = `${policy.kind}\n${policy.tier}\n${policy.priority}`;
      const other = first.get(key);
      if (other === undefined) first.set(key, policy);
      else {
        this.#findings.error(
          'policy.priority-equal',
          policy.place,
          `${policy.kind} '${policy.name}' and '${other.name}' both have ${policy.priority}.`,
        );
      }
    }
  }
}

/** Without its kind, which an item of a list may leave out. */
function contentOf(value: unknown): string {
  return JSON.stringify({ ...(value as object), apiVersion: undefined, kind: undefined });
}

/** The value at a place, read again. */
function valueAt({ document, path }: Place): unknown {
  const decoded = decodeDocument(document);
  let value = decoded.ok ? decoded.value : undefined;
  for (const key of path) value = (value as Record<string | number, unknown> | undefined)?.[key];
  return value;
}

function isPolicy(group: string, kind: string): boolean {
  return (POLICY_GROUPS.has(group) && !HARMLESS.test(kind)) || POLICY_KINDS.test(kind);
}

function accountIn(spec: Field): { account: string } | Record<string, never> {
  const name = spec.at('serviceAccountName').value ?? spec.at('serviceAccount').value;
  return typeof name === 'string' && name !== '' && name !== 'default' ? { account: name } : {};
}

function containerPorts(spec: Field, kind: string): ContainerPort[] {
  if (kind === 'VirtualMachine') return [];
  const ports: ContainerPort[] = [];
  const containers = spec.at('containers').items();
  // A container that starts before the others and stays (KEP-753) has ports like them.
  for (const init of spec.at('initContainers').items()) {
    if (init.at('restartPolicy').value === 'Always') containers.push(init);
  }
  for (const container of containers) {
    for (const item of container.at('ports').items()) {
      const number = item.at('containerPort').integer(1, 65535);
      const protocol = protocolIn(item.at('protocol'));
      if (number === undefined || protocol === undefined) continue;
      const name = item.at('name').absent ? '' : (item.at('name').text() ?? '');
      ports.push({ name, number, protocol });
    }
  }
  return ports;
}

function podAddresses(status: Field): string[] {
  const found = new Set<string>();
  const one = status.at('podIP').value;
  if (typeof one === 'string' && parseAddress(one) !== undefined) found.add(one);
  for (const item of status.at('podIPs').items()) {
    const address = item.at('ip').value;
    if (typeof address === 'string' && parseAddress(address) !== undefined) found.add(address);
  }
  return [...found];
}
