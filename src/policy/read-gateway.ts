import { type Field, selectorIn } from './decode.ts';
import { type Entrance, type Namespace, NAMESPACE_NAME_LABEL } from './model.ts';
import { type Selector, selects, YES } from './selector.ts';

export const GATEWAY_GROUP = 'gateway.networking.k8s.io';

/** Routes, and the kinds of backends that they may have (gateway-api.sigs.k8s.io reference/spec). */
export const ROUTES: Readonly<Record<string, 'TCP' | 'UDP'>> = {
  HTTPRoute: 'TCP',
  GRPCRoute: 'TCP',
  TLSRoute: 'TCP',
  TCPRoute: 'TCP',
  UDPRoute: 'UDP',
};

/** A Gateway, as far as routes may attach to it. */
export interface Gateway {
  readonly namespace: string;
  readonly name: string;
  readonly listeners: readonly {
    readonly name: string;
    readonly port: unknown;
    readonly kinds: readonly string[];
    readonly from: 'Same' | 'All' | 'None' | Selector;
  }[];
}

/** What one namespace lets others refer to. */
export interface ReferenceGrant {
  readonly namespace: string;
  readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
  readonly to: readonly { readonly group: string; readonly kind: string; readonly name: string | undefined }[];
}

/** What routes may refer to. */
export interface GatewaySurroundings {
  readonly gateways: readonly Gateway[];
  readonly grants: readonly ReferenceGrant[];
  readonly namespaces: ReadonlyMap<string, Namespace>;
}

export function readGateway(object: Field, namespace: string, name: string): Gateway {
  const listeners = object
    .at('spec')
    .at('listeners')
    .items()
    .map((item) => {
      const allowed = item.at('allowedRoutes');
      const spaces = allowed.at('namespaces');
      // "Same" where nothing is said.
      const from = spaces.at('from').absent ? 'Same' : spaces.at('from').choice(['Same', 'All', 'None', 'Selector']);
      const selector = from === 'Selector' ? selectorIn(spaces.at('selector')) : undefined;
      return {
        name: textOf(item.at('name'), ''),
        port: item.at('port').value,
        kinds: allowed
          .at('kinds')
          .items()
          .map((kind) => textOf(kind.at('kind'), '')),
        from: from === 'Selector' ? (selector ?? 'None') : (from ?? 'None'),
      } as const;
    });
  return { namespace, name, listeners };
}

export function readReferenceGrant(object: Field, namespace: string): ReferenceGrant {
  const spec = object.at('spec');
  return {
    namespace,
    from: spec
      .at('from')
      .items()
      .map((item) => ({
        group: textOf(item.at('group'), ''),
        kind: textOf(item.at('kind'), ''),
        namespace: textOf(item.at('namespace'), ''),
      })),
    to: spec
      .at('to')
      .items()
      .map((item) => ({
        group: textOf(item.at('group'), ''),
        kind: textOf(item.at('kind'), ''),
        name: item.at('name').absent ? undefined : textOf(item.at('name'), ''),
      })),
  };
}

/**
 * What a route opens: nothing unless a Gateway takes it, and no Service of another namespace unless that one grants it
 * (gateway-api.sigs.k8s.io, "Cross-Namespace routing" and ReferenceGrant).
 */
export function readRoute(object: Field, kind: string, namespace: string, around: GatewaySurroundings): Entrance[] {
  const spec = object.at('spec');
  const parents = spec.at('parentRefs').items();
  if (!parents.some((parent) => attaches(parent, kind, namespace, around))) return [];
  const entrances: Entrance[] = [];
  const backend = (ref: Field): void => {
    if (textOf(ref.at('group'), '') !== '' || textOf(ref.at('kind'), 'Service') !== 'Service') return;
    const service = ref.at('name').text();
    const target = textOf(ref.at('namespace'), namespace);
    const port = ref.at('port').absent ? undefined : ref.at('port').integer(1, 65535);
    if (service === undefined) return;
    if (target !== namespace && !granted(kind, namespace, target, service, around.grants)) {
      const detail = `No ReferenceGrant of namespace '${target}' lets a ${kind} of '${namespace}' lead to Service '${service}'.`;
      ref.findings.warning('policy.route-idle', ref.place, detail);
      return;
    }
    entrances.push({ namespace: target, service, port, place: ref.place, protocol: ROUTES[kind]!, gateway: true });
  };
  for (const rule of spec.at('rules').items()) {
    const refs = rule.at('backendRefs').items();
    for (const holder of [rule, ...refs]) {
      for (const filter of holder.at('filters').items()) {
        const mirror = filter.at('requestMirror').at('backendRef');
        if (!mirror.absent) backend(mirror);
      }
    }
    refs.forEach(backend);
  }
  return entrances;
}

/** Whether a Gateway takes the route. One that is in no manifest is taken to do so, and is said to be missing. */
function attaches(parent: Field, kind: string, namespace: string, around: GatewaySurroundings): boolean {
  const group = textOf(parent.at('group'), GATEWAY_GROUP);
  const parentKind = textOf(parent.at('kind'), 'Gateway');
  // A Service as the parent is about traffic inside (GAMMA).
  if (group === '' && parentKind === 'Service') return false;
  const name = textOf(parent.at('name'), '');
  const space = textOf(parent.at('namespace'), namespace);
  const gateway =
    parentKind === 'Gateway' && group === GATEWAY_GROUP
      ? around.gateways.find((one) => one.namespace === space && one.name === name)
      : undefined;
  if (gateway === undefined) {
    parent.findings.warning(
      'policy.reference-unknown',
      parent.place,
      `${parentKind} '${space}/${name}' is in no manifest.`,
    );
    return true;
  }
  const section = parent.at('sectionName').value;
  const port = parent.at('port').value;
  const taken = gateway.listeners.some((listener) => {
    if (section !== undefined && section !== null && section !== listener.name) return false;
    if (port !== undefined && port !== null && port !== listener.port) return false;
    if (listener.kinds.length > 0 && !listener.kinds.includes(kind)) return false;
    if (listener.from === 'Same') return space === namespace;
    if (listener.from === 'All' || listener.from === 'None') return listener.from === 'All';
    const labels = around.namespaces.get(namespace)?.labels ?? { [NAMESPACE_NAME_LABEL]: namespace };
    return selects(listener.from, labels) === YES;
  });
  if (!taken) {
    const detail = `No listener of Gateway '${space}/${name}' takes a ${kind} of namespace '${namespace}'.`;
    parent.findings.warning('policy.route-idle', parent.place, detail);
  }
  return taken;
}

function granted(
  kind: string,
  namespace: string,
  target: string,
  service: string,
  grants: readonly ReferenceGrant[],
): boolean {
  return grants.some(
    (grant) =>
      grant.namespace === target &&
      grant.from.some((one) => one.group === GATEWAY_GROUP && one.kind === kind && one.namespace === namespace) &&
      grant.to.some(
        (one) => one.group === '' && one.kind === 'Service' && (one.name === undefined || one.name === service),
      ),
  );
}

function textOf(field: Field, absent: string): string {
  return typeof field.value === 'string' ? field.value : absent;
}
