import { type Answer, answerOf, both, type Engine, type Profile } from './engine.ts';
import type { Cluster, Entrance, Pod, Service, ServicePort } from './model.ts';
import { NO_PORTS, portRange, type PortSet, unite } from './port-set.ts';
import { selects, YES } from './selector.ts';

/** How a map names the controller that Ingress and Route objects configure. */
export const CONTROLLER = '{ingress-controller}';

/** Which ports of which pods an Ingress or a Route opens, as far as the policies let the controller through. */
export function entrancesOf(cluster: Cluster, engine: Engine): Map<Pod, Answer> {
  const { controller } = engine;
  const answers = new Map<Pod, Answer>();
  if (controller === undefined) return answers;
  for (const [pod, wanted] of wantedPorts(cluster, engine.profile)) {
    const target = engine.classOf(pod);
    const policy = both(engine.admits(controller, 'egress', target), engine.admits(target, 'ingress', controller));
    answers.set(pod, both(policy, answerOf(wanted, wanted, 0)));
  }
  return answers;
}

function wantedPorts(cluster: Cluster, profile: Profile): Map<Pod, PortSet> {
  const wanted = new Map<Pod, PortSet>();
  for (const { pod, ports } of openings(cluster, profile)) wanted.set(pod, unite(wanted.get(pod) ?? NO_PORTS, ports));
  return wanted;
}

/** Which entrance opens which ports of which pods, before any policy is asked. */
export function* openings(
  cluster: Cluster,
  profile: Profile = 'specification',
): Iterable<{ pod: Pod; entrance: Entrance; ports: PortSet }> {
  const services = new Map<string, Service>();
  for (const service of cluster.services) services.set(`${service.namespace}/${service.name}`, service);
  for (const entrance of cluster.entrances) {
    if (entrance.gateway === true && profile === 'np-guard') continue;
    const { namespace, service: name, port } = entrance;
    const service = services.get(`${namespace}/${name}`);
    if (service?.selector === undefined) continue;
    const ports = service.ports.filter((one) => port === undefined || names(one, port));
    for (const pod of cluster.pods) {
      if (pod.namespace !== namespace || selects(service.selector, pod.labels) !== YES) continue;
      yield { pod, entrance, ports: ports.reduce((set, one) => unite(set, targetOn(pod, one, entrance)), NO_PORTS) };
    }
  }
}

function names(port: ServicePort, wanted: number | string): boolean {
  if (typeof wanted === 'number') return wanted === port.number || wanted === port.target;
  if (wanted === port.name || wanted === port.target) return true;
  return /^\d+$/.test(wanted) && (Number(wanted) === port.number || Number(wanted) === port.target);
}

/**
 * Of an Ingress a port that no container declares does not count, except in a virtual machine, which declares none
 * (CONTRACTS, "Peers"); of a Gateway's route it does, for a container may listen on any.
 */
function targetOn(pod: Pod, { target, protocol }: ServicePort, entrance: Entrance): PortSet {
  const wanted = entrance.protocol ?? 'TCP';
  if (protocol !== wanted) return NO_PORTS;
  if (pod.kind === 'VirtualMachine' || (entrance.gateway === true && typeof target === 'number')) {
    return typeof target === 'number' ? portRange(wanted, target, target) : NO_PORTS;
  }
  let set = NO_PORTS;
  for (const port of pod.ports) {
    if (port.protocol !== wanted || (typeof target === 'number' ? port.number !== target : port.name !== target))
      continue;
    set = unite(set, portRange(wanted, port.number, port.number));
  }
  return set;
}
