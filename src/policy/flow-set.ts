import { type AddressRange, parseAddress, parseBlock } from './addresses.ts';
import { Field, portNameIn } from './decode.ts';
import { decodeDocument, type ManifestDocument, placeText, splitDocuments } from './document.ts';
import { policyFault } from './faults.ts';
import { Findings } from './findings.ts';
import type { PortRule } from './model.ts';
import { FIRST_PORT, LAST_PORT, type Protocol } from './port-set.ts';
import type { Labels } from './selector.ts';

/** Declared flows, as a FlowSet file or the `flows` of a sallyport.yaml say them (docs/spec/flow-set.md). */
export interface FlowSet {
  readonly flows: readonly DeclaredFlow[];
  readonly cluster: ClusterFacts;
  /** Namespaces that get no default deny, each with the people who answer for it. */
  readonly open: readonly OpenNamespace[];
}

/** What a flow may speak of and no manifest says. */
export interface ClusterFacts {
  readonly dns?: FlowEnd;
  readonly nodes: readonly AddressRange[];
  readonly apiServer: readonly AddressRange[];
  /** The ranges of pods: no block of a flow covers them. */
  readonly pods: readonly AddressRange[];
}

export interface OpenNamespace {
  readonly namespace: string;
  readonly reason: string;
  readonly owner: string;
  readonly where: string;
}

export interface DeclaredFlow {
  /** Unique in its set. */
  readonly id: string;
  readonly from: FlowEnd;
  readonly to: FlowEnd;
  /** Never empty; without it the flow is to `dns`. */
  readonly ports: readonly FlowPort[];
  /** Which side gets a rule; the other side is not in this cluster, or someone else's. */
  readonly direction: 'both' | 'egress' | 'ingress';
  /** For a mesh. A network policy admits the whole port, and is not made wider or narrower by it. */
  readonly http: readonly HttpRequests[];
  readonly reason: string;
  readonly owner: string;
  readonly approver?: string;
  readonly ticket?: string;
  /** `YYYY-MM-DD`. */
  readonly reviewBy?: string;
  /** `YYYY-MM-DD`: the last day on which it is generated. */
  readonly expires?: string;
  /** Who took over a suggestion. */
  readonly accepted?: string;
  /** `file:line`. */
  readonly where: string;
}

export interface HttpRequests {
  readonly methods: readonly string[];
  readonly paths: readonly string[];
}

export type FlowPort = PortRule & { readonly where: string };

export type FlowEnd = { readonly where: string } & (
  | { readonly is: 'workload'; readonly namespace: string; readonly name: string; readonly kind?: string }
  /** No labels: all pods of the namespace. */
  | { readonly is: 'pods'; readonly namespace: string; readonly labels: Labels }
  | { readonly is: 'service'; readonly namespace: string; readonly name: string }
  /** A workload whose namespace is not said (sallyport.yaml). */
  | { readonly is: 'name'; readonly name: string }
  | { readonly is: 'addresses'; readonly blocks: readonly AddressRange[]; readonly except: readonly AddressRange[] }
  | { readonly is: SpecialEnd }
);

const SPECIAL = ['dns', 'api-server', 'nodes', 'kubelet'] as const;
export type SpecialEnd = (typeof SPECIAL)[number];

const PEOPLE = ['reason', 'owner', 'approver', 'ticket', 'review-by', 'expires'] as const;
const DEPTH = 32;
const VALUES = 2_000_000;
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a FlowSet file, or the `flows` of a sallyport.yaml, with values for its parameters. Throws policy.flows-invalid
 * with file and line.
 */
export function readFlowSet(file: string, bytes: Uint8Array, values: ReadonlyMap<string, string> = new Map()): FlowSet {
  const invalid = (where: string, detail: string): Error => policyFault('policy.flows-invalid', { where, detail });
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw invalid(`${file}:1`, 'The file is not UTF-8.');
  }
  const [document, second] = splitDocuments(file, text);
  if (document === undefined) throw invalid(`${file}:1`, 'The file is empty.');
  if (second !== undefined) throw invalid(`${file}:${second.line}`, 'There is a second document.');
  const decoded = decodeDocument(document);
  if (!decoded.ok) throw invalid(`${file}:${decoded.line}`, decoded.detail);
  const findings = new Findings();
  const raw = new Field(decoded.value, { document, key: [] }, findings);
  const set = raw.object() ? new FlowSetReader(document, findings, values).read(raw) : undefined;
  const error = findings.errors[0];
  if (error !== undefined || set === undefined) {
    throw invalid(error?.where ?? `${file}:1`, error?.detail ?? 'It is not a mapping.');
  }
  return set;
}

class FlowSetReader {
  readonly #document: ManifestDocument;
  readonly #findings: Findings;
  readonly #values: ReadonlyMap<string, string>;
  readonly #parameters = new Map<string, string>();

  constructor(document: ManifestDocument, findings: Findings, values: ReadonlyMap<string, string>) {
    this.#document = document;
    this.#findings = findings;
    this.#values = values;
  }

  read(raw: Field): FlowSet {
    const project = raw.at('sallyport-flows').absent && !raw.at('sallyport').absent;
    if (!project) {
      raw.only('sallyport-flows', 'parameters', 'cluster', 'open-namespaces', 'flows');
      if (raw.at('sallyport-flows').value !== '1.0') {
        raw.at('sallyport-flows').wrong('This version reads sallyport-flows: "1.0", in quotes.');
      }
      this.#parametersOf(raw.at('parameters'));
    }
    for (const name of this.#values.keys()) {
      // What stands outside is no service, so that a sallyport.yaml needs to be told its addresses.
      if (project ? name === 'outside' : this.#parameters.has(name)) continue;
      raw.at(project ? 'flows' : 'parameters').wrong(`There is no parameter '${name}' to set.`);
    }
    if (project && this.#values.has('outside')) this.#parameters.set('outside', this.#values.get('outside')!);
    const root = project ? raw : this.#filled(raw);
    const flows: DeclaredFlow[] = [];
    const ids = new Map<string, string>();
    for (const item of root.at('flows').items()) {
      const flow = this.#flow(item, project);
      if (flow === undefined) continue;
      const before = ids.get(flow.id);
      if (before !== undefined)
        item.wrong(`The flow '${flow.id}' is there twice, first at ${before}; give each an 'id'.`);
      ids.set(flow.id, flow.where);
      flows.push(flow);
    }
    if (flows.length === 0 && root.at('flows').absent) root.at('flows').wrong("There are no 'flows'.");
    return {
      flows,
      cluster: this.#facts(project ? undefined : root.at('cluster')),
      open: project ? [] : this.#open(root.at('open-namespaces')),
    };
  }

  #parametersOf(field: Field): void {
    if (field.absent || !field.object()) return;
    for (const name of Object.keys(field.value as object)) {
      const own = field.at(name);
      if (!/^[a-z][a-z0-9-]*$/.test(name)) own.wrong(`'${name}' is no name of a parameter: a-z, 0-9 and '-'.`);
      if (!own.absent && !own.only('default', 'description')) continue;
      const value = this.#values.get(name) ?? (own.at('default').absent ? undefined : own.at('default').text());
      if (value === undefined)
        own.wrong(`The parameter '${name}' has no default and no value: give it with --set ${name}=VALUE.`);
      else if (value.trim() === '') own.wrong(`The value of the parameter '${name}' is empty.`);
      this.#parameters.set(name, value ?? '');
    }
  }

  /** Values go into texts only, so that they can add no key and no item. */
  #filled(raw: Field): Field {
    let values = 0;
    const fill = (value: unknown, path: readonly (string | number)[]): unknown => {
      // Aliases may lead to themselves, or multiply.
      if (path.length > DEPTH || ++values > VALUES) {
        throw policyFault('policy.flows-invalid', {
          where: `${this.#document.file}:${this.#document.line}`,
          detail: 'It is nested too deeply, or too large once its aliases are filled in.',
        });
      }
      if (typeof value === 'string') {
        return value.replaceAll(/\$\{([^}]*)\}/g, (whole, name: string) => {
          const known = this.#parameters.get(name);
          if (known === undefined) {
            this.#findings.error(
              'policy.malformed',
              { document: this.#document, path },
              `There is no parameter '${name}'.`,
            );
          }
          return known ?? whole;
        });
      }
      if (Array.isArray(value)) return value.map((item, i) => fill(item, [...path, i]));
      if (typeof value === 'object' && value !== null) {
        return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner, [...path, key])]));
      }
      return value;
    };
    return new Field(fill(raw.value, []), { document: this.#document, key: [] }, this.#findings);
  }

  #facts(field: Field | undefined): ClusterFacts {
    if (field === undefined || field.absent || !field.only('dns', 'nodes', 'api-server', 'pods')) {
      return { nodes: [], apiServer: [], pods: [] };
    }
    const dns = field.at('dns').absent ? undefined : this.#end(field.at('dns'), false);
    if (dns !== undefined && dns.is !== 'pods' && dns.is !== 'workload' && dns.is !== 'service') {
      field.at('dns').wrong("'dns' is a workload, a selector of pods or a Service.");
    }
    return {
      ...(dns === undefined ? {} : { dns }),
      nodes: blocksIn(field.at('nodes')),
      apiServer: blocksIn(field.at('api-server')),
      pods: blocksIn(field.at('pods')),
    };
  }

  #open(field: Field): OpenNamespace[] {
    return field.items().flatMap((item) => {
      if (!item.only('namespace', 'reason', 'owner')) return [];
      const [namespace, reason, owner] = [
        nameIn(item.at('namespace')),
        wordsIn(item.at('reason')),
        wordsIn(item.at('owner')),
      ];
      if (namespace === undefined || reason === undefined || owner === undefined) return [];
      return [{ namespace, reason, owner, where: placeText(item.place) }];
    });
  }

  #flow(item: Field, project: boolean): DeclaredFlow | undefined {
    const own = project ? ['port', 'protocol'] : ['id', 'port', 'ports', 'protocol', 'direction', 'http', 'accepted'];
    if (!item.only('from', 'to', ...own, ...PEOPLE)) return undefined;
    const from = this.#end(item.at('from'), project);
    const to = this.#end(item.at('to'), project);
    const ports = this.#ports(item, to?.is === 'dns');
    const [reason, owner] = [wordsIn(item.at('reason')), wordsIn(item.at('owner'))];
    const direction = item.at('direction').absent ? 'both' : item.at('direction').choice(['both', 'egress', 'ingress']);
    if (from === undefined || to === undefined || ports === undefined || direction === undefined) return undefined;
    if (reason === undefined || owner === undefined) return undefined;
    const outside = (end: FlowEnd): boolean => isAddresses(end);
    if (outside(from) && outside(to)) return item.wrong('Neither end is in the cluster, so no policy could say it.');
    if ((direction === 'egress' && outside(from)) || (direction === 'ingress' && outside(to))) {
      return item.at('direction').wrong(`The side of '${direction}' is not in the cluster.`);
    }
    if (outside(to)) {
      const named = ports.find((port) => 'name' in port);
      if (named !== undefined)
        return item.wrong('Addresses have no names for their ports: write the number.', 'policy.port-invalid');
    }
    const http = item.at('http').items().flatMap(requestsIn);
    const id = item.at('id').absent ? idOf(from, to, ports) : nameIn(item.at('id'));
    if (id === undefined) return undefined;
    const optional = (key: 'approver' | 'ticket' | 'accepted'): object => {
      const value = item.at(key).absent ? undefined : wordsIn(item.at(key));
      return value === undefined ? {} : { [key]: value };
    };
    const day = (key: string, name: string): object => {
      const value = item.at(key).absent ? undefined : dayIn(item.at(key));
      return value === undefined ? {} : { [name]: value };
    };
    return {
      id,
      from,
      to,
      ports,
      direction,
      http,
      reason,
      owner,
      ...optional('approver'),
      ...optional('ticket'),
      ...day('review-by', 'reviewBy'),
      ...day('expires', 'expires'),
      ...optional('accepted'),
      where: placeText(item.place),
    };
  }

  /**
   * A workload `shop/web`, pods `shop/app=web,tier=front`, a namespace `shop/*`, a block of addresses, `dns`, `nodes`,
   * `kubelet`, `api-server`; or a mapping.
   */
  #end(field: Field, project: boolean): FlowEnd | undefined {
    const where = placeText(field.place);
    if (typeof field.value === 'string') {
      const end = project ? this.#service(field) : endOf(field.value);
      if (typeof end === 'string') return field.wrong(end);
      return { ...end, where };
    }
    if (field.absent) return field.wrong(`'${field.name}' is missing.`);
    if (project || !field.only('namespace', 'workload', 'kind', 'pods', 'service', 'addresses', 'except')) {
      return project ? (field.text() as undefined) : undefined;
    }
    if (!field.at('addresses').absent) {
      for (const key of ['namespace', 'workload', 'kind', 'pods', 'service']) {
        if (!field.at(key).absent) return field.at(key).wrong("It does not stand beside 'addresses'.");
      }
      const blocks = blocksIn(field.at('addresses'));
      if (blocks.length === 0)
        return field.at('addresses').wrong('No address is none, and never all.', 'policy.cidr-invalid');
      const except = field.at('except').absent ? [] : blocksIn(field.at('except'));
      for (const hole of except) {
        if (blocks.some((block) => block.family === hole.family && block.from <= hole.from && block.to >= hole.to))
          continue;
        field.at('except').wrong('An exception lies in none of the blocks.', 'policy.cidr-invalid');
      }
      return { is: 'addresses', blocks, except, where };
    }
    if (!field.at('except').absent) return field.at('except').wrong("It stands beside 'addresses' only.");
    const namespace = nameIn(field.at('namespace'));
    const given = ['workload', 'pods', 'service'].filter((key) => !field.at(key).absent);
    if (namespace === undefined) return undefined;
    if (given.length !== 1) {
      return field.wrong(
        `Exactly one of workload, pods, service is wanted beside 'namespace'; '${namespace}/*' is all of its pods.`,
      );
    }
    if (!field.at('kind').absent && given[0] !== 'workload')
      return field.at('kind').wrong("It stands beside 'workload' only.");
    if (given[0] === 'pods') {
      const labels = labelsIn(field.at('pods'));
      return labels === undefined ? undefined : { is: 'pods', namespace, labels, where };
    }
    const name = nameIn(field.at(given[0]!));
    if (name === undefined) return undefined;
    if (given[0] === 'service') return { is: 'service', namespace, name, where };
    const kind = field.at('kind').absent ? undefined : field.at('kind').text();
    return { is: 'workload', namespace, name, ...(kind === undefined ? {} : { kind }), where };
  }

  /** The name of a service in a sallyport.yaml; `outside` has the addresses that were set. */
  #service(field: Field): BareEnd | string {
    const name = field.value as string;
    if (name !== 'outside') return NAME.test(name) ? { is: 'name', name } : `'${name}' is no name of a service.`;
    const set = this.#parameters.get('outside');
    if (set === undefined)
      return "Which addresses 'outside' has is not said: give them with --set outside=BLOCK,BLOCK.";
    const blocks = set.split(',').map((text) => blockOf(text.trim()));
    const wrong = blocks.find((block) => typeof block === 'string');
    if (typeof wrong === 'string') return wrong;
    return { is: 'addresses', blocks: blocks as AddressRange[], except: [] };
  }

  #ports(item: Field, dns: boolean): FlowPort[] | undefined {
    const protocolField = item.at('protocol');
    const text = typeof protocolField.value === 'string' ? protocolField.value.toUpperCase() : 'TCP';
    const protocol = (['TCP', 'UDP', 'SCTP'] as const).find((one) => one === text);
    if (protocol === undefined || (!protocolField.absent && typeof protocolField.value !== 'string')) {
      return protocolField.wrong(`It is no protocol; known are tcp, udp, sctp.`);
    }
    const [one, several] = [item.at('port'), item.at('ports')];
    if (one.absent && several.absent && dns) {
      const where = placeText(item.place);
      return (['TCP', 'UDP'] as const).map((of) => ({ protocol: of, from: 53, to: 53, where }));
    }
    if (one.absent === several.absent)
      return item.wrong("Exactly one of 'port' and 'ports' is wanted.", 'policy.port-invalid');
    const fields = one.absent ? several.items() : [one];
    if (fields.length === 0) return several.wrong('No port is none, and never all.', 'policy.port-invalid');
    const ports = fields.map((field) => portIn(field, protocol));
    return ports.includes(undefined) ? undefined : (ports as FlowPort[]);
  }
}

type Bare<E> = E extends unknown ? Omit<E, 'where'> : never;
type BareEnd = Bare<FlowEnd>;

/** What a text says of an end, or why it says nothing. */
export function endOf(text: string): BareEnd | string {
  const special = SPECIAL.find((one) => one === text);
  if (special !== undefined) return { is: special };
  if (/^[0-9a-fA-F.:]+(?:\/\d+)?$/.test(text) && (text.includes('.') || text.includes(':'))) {
    const block = blockOf(text);
    return typeof block === 'string' ? block : { is: 'addresses', blocks: [block], except: [] };
  }
  const slash = text.indexOf('/');
  const [namespace, rest] = [text.slice(0, slash), text.slice(slash + 1)];
  if (slash === -1 || !NAME.test(namespace)) {
    return `'${text}' is no end: write NAMESPACE/WORKLOAD, NAMESPACE/LABEL=VALUE, NAMESPACE/*, a block of addresses, or one of ${SPECIAL.join(', ')}.`;
  }
  if (rest === '*') return { is: 'pods', namespace, labels: {} };
  if (!rest.includes('=')) {
    const match = /^([^[\]]+)(?:\[([A-Za-z]+)\])?$/.exec(rest);
    if (match === null || !NAME.test(match[1]!)) return `'${rest}' is no name of a workload.`;
    return { is: 'workload', namespace, name: match[1]!, ...(match[2] === undefined ? {} : { kind: match[2] }) };
  }
  const labels: Record<string, string> = {};
  for (const part of rest.split(',')) {
    const match = /^([A-Za-z0-9][A-Za-z0-9_./-]*)=([A-Za-z0-9_.-]*)$/.exec(part);
    if (match === null) return `'${part}' is no label with a value.`;
    labels[match[1]!] = match[2]!;
  }
  return { is: 'pods', namespace, labels };
}

/** Whether it stands for addresses, and not for pods. */
export function isAddresses({ is }: FlowEnd): boolean {
  return is === 'addresses' || is === 'nodes' || is === 'kubelet' || is === 'api-server';
}

/** `shop/web`, `10.0.0.0/8`: as one would write it. */
export function endText(end: FlowEnd): string {
  switch (end.is) {
    case 'workload':
      return `${end.namespace}/${end.name}${end.kind === undefined ? '' : `[${end.kind}]`}`;
    case 'pods': {
      const labels = Object.entries(end.labels).map(([key, value]) => `${key}=${value}`);
      return `${end.namespace}/${labels.length === 0 ? '*' : labels.join(',')}`;
    }
    case 'service':
      return `${end.namespace}/${end.name}[Service]`;
    case 'name':
      return end.name;
    case 'addresses':
      return `${end.blocks.length} ${end.blocks.length === 1 ? 'block' : 'blocks'} of addresses`;
    default:
      return end.is;
  }
}

function idOf(from: FlowEnd, to: FlowEnd, ports: readonly FlowPort[]): string {
  const text = `${endText(from)}-to-${endText(to)}-${ports.map(portRuleText).join('-')}`;
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
    .slice(0, 200);
}

/** `8080/tcp`, `9000-9010/udp`, `http/tcp`. */
export function portRuleText(port: PortRule): string {
  const protocol = (port.protocol ?? 'TCP').toLowerCase();
  if ('name' in port) return `${port.name}/${protocol}`;
  return `${port.from === port.to ? port.from : `${port.from}-${port.to}`}/${protocol}`;
}

/** `8080`, `8080-8090`, `53/udp`, `http`, `http/tcp`. */
function portIn(field: Field, otherwise: Protocol): FlowPort | undefined {
  const where = placeText(field.place);
  const text = typeof field.value === 'number' ? String(field.value) : field.text();
  if (text === undefined) return undefined;
  const match = /^([^/]+?)(?:\/(tcp|udp|sctp))?$/i.exec(text);
  if (match === null) return field.wrong(`'${text}' is no port.`, 'policy.port-invalid');
  const protocol = (match[2]?.toUpperCase() as Protocol | undefined) ?? otherwise;
  const numbers = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(match[1]!);
  if (numbers !== null) {
    const [from, to] = [Number(numbers[1]), Number(numbers[2] ?? numbers[1])];
    if (from < FIRST_PORT || to > LAST_PORT || from > to) {
      return field.wrong(`'${text}' is no port from 1 to 65535 and no ascending range of them.`, 'policy.port-invalid');
    }
    return { protocol, from, to, where };
  }
  const named = new Field(match[1], { document: field.place.document, key: field.place.path }, field.findings);
  const name = portNameIn(named);
  return name === undefined ? undefined : { name, protocol, where };
}

function requestsIn(field: Field): HttpRequests[] {
  if (!field.only('methods', 'paths')) return [];
  const words = (key: string, form: RegExp, what: string): string[] =>
    field
      .at(key)
      .items()
      .flatMap((item) => {
        const text = item.text();
        if (text !== undefined && !form.test(text)) item.wrong(`'${text}' is no ${what}.`);
        return text === undefined ? [] : [text];
      });
  return [
    {
      methods: words('methods', /^[A-Z]+$/, 'method of HTTP'),
      paths: words('paths', /^\/\S*$/, 'path; it begins with /'),
    },
  ];
}

function blocksIn(field: Field): AddressRange[] {
  const items = typeof field.value === 'string' ? [field] : field.items();
  return items.flatMap((item) => {
    const text = item.text();
    if (text === undefined) return [];
    // A parameter may bring several.
    return text.split(',').flatMap((part) => {
      const block = blockOf(part.trim());
      if (typeof block !== 'string') return [block];
      item.wrong(block, 'policy.cidr-invalid');
      return [];
    });
  });
}

/** A block, or one address. What is not canonical is refused, for enforcers read it in different ways. */
function blockOf(text: string): AddressRange | string {
  const address = parseAddress(text);
  if (address !== undefined) return { family: address.family, from: address.value, to: address.value };
  const block = parseBlock(text);
  if (block === undefined) return `'${text}' is no address and no block in CIDR notation.`;
  if (!block.canonical) return `'${text}' has bits set behind its prefix.`;
  return { family: block.family, from: block.from, to: block.to };
}

function nameIn(field: Field): string | undefined {
  if (field.absent) return field.wrong(`'${field.name}' is missing.`);
  const text = field.text();
  if (text === undefined || NAME.test(text)) return text;
  return field.wrong(`'${text}' is no name: a-z, 0-9, '-' and '.'.`);
}

function wordsIn(field: Field): string | undefined {
  if (field.absent) return field.wrong(`'${field.name}' is missing.`);
  const text = field.text();
  if (text !== undefined && text.trim() === '') return field.wrong(`'${field.name}' is empty.`);
  return text;
}

function dayIn(field: Field): string | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  const day = /^\d{4}-\d{2}-\d{2}$/.test(text) ? new Date(`${text}T00:00:00Z`) : undefined;
  if (day !== undefined && !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text)) return text;
  return field.wrong(`'${text}' is no day; write YYYY-MM-DD.`);
}

function labelsIn(field: Field): Labels | undefined {
  if (!field.object()) return undefined;
  const entries = Object.entries(field.value as object);
  if (entries.length === 0)
    return field.wrong('No labels are none here; NAMESPACE/* is all pods of a namespace.', 'policy.selector-invalid');
  const labels: Record<string, string> = {};
  for (const [key, value] of entries) {
    if (typeof value !== 'string') return field.at(key).text() as undefined;
    const read = endOf(`n/${key}=${value}`);
    if (typeof read === 'string') return field.at(key).wrong(read, 'policy.selector-invalid');
    labels[key] = value;
  }
  return labels;
}
