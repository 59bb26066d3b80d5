import { type AddressRange, addressText, FAMILIES, type Family, isWhole, parseAddress, within } from '../addresses.ts';
import { type Cluster, NAMESPACE_NAME_LABEL, type Namespace, type Pod } from '../model.ts';

/** Where each pod of a cluster is put, so that a kernel can enforce its policies. */
export interface Placement {
  /** The cluster as it is enforced: what no manifest says has been settled (ENCLAVE_CHOICES). */
  readonly cluster: Cluster;
  /** In the order of the cluster's pods. */
  readonly pods: readonly PlacedPod[];
  /** Of the node, to which pods in its network belong. */
  readonly node: Readonly<Record<Family, bigint>>;
}

export interface PlacedPod {
  readonly pod: Pod;
  /** Of each family at most one. */
  readonly addresses: Readonly<Partial<Record<Family, bigint>>>;
  /** The manifests say them. */
  readonly stated: boolean;
}

/** From where addresses are taken: private ones (RFC 1918, RFC 4193). */
const FIRST: Readonly<Record<Family, bigint>> = {
  4: parseAddress('10.64.0.1')!.value,
  6: parseAddress('fd5a:11c0:a770::1')!.value,
};

/** Addresses that Linux does not send to, or takes for its own. */
const UNUSABLE: readonly AddressRange[] = [
  range('0.0.0.0', '0.255.255.255'),
  range('127.0.0.0', '127.255.255.255'),
  range('169.254.0.0', '169.254.255.255'),
  range('224.0.0.0', '255.255.255.255'),
  range('::', '::ffff:ffff:ffff'),
  range('fe80::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'),
];

function range(from: string, to: string): AddressRange {
  const [low, high] = [parseAddress(from)!, parseAddress(to)!];
  return { family: low.family, from: low.value, to: high.value };
}

/** Whether a packet can be sent to it in an enclave. */
export function isUsable(family: Family, value: bigint): boolean {
  return !UNUSABLE.some((one) => within(one, family, value));
}

/**
 * Gives each pod one address of each family: those that the manifests say, if no other pod has them, else one outside
 * every block of the policies that is not a whole family, where there is such a one.
 */
export function placementOf(cluster: Cluster): Placement {
  const taken = new Set<string>();
  const key = (family: Family, value: bigint): string => `${family} ${value}`;
  const stated = cluster.pods.map((pod) => {
    if (pod.hostNetwork) return undefined;
    const own: Partial<Record<Family, bigint>> = {};
    for (const text of pod.addresses) {
      const address = parseAddress(text);
      if (address === undefined || !isUsable(address.family, address.value)) continue;
      if (own[address.family] !== undefined || taken.has(key(address.family, address.value))) continue;
      own[address.family] = address.value;
    }
    for (const family of FAMILIES) if (own[family] !== undefined) taken.add(key(family, own[family]));
    return Object.keys(own).length === 0 ? undefined : own;
  });
  const blocks = blocksOf(cluster);
  const next: Record<Family, bigint> = { ...FIRST };
  const free = (family: Family): bigint => {
    for (;;) {
      const value = next[family]++;
      if (taken.has(key(family, value)) || !isUsable(family, value)) continue;
      const around = blocks.filter((one) => within(one, family, value));
      const end = around.reduce((most, { to }) => (to > most ? to : most), -1n);
      // One that has no end before the family's is lived with: the answer knows the address.
      if (end !== -1n && isUsable(family, end + 1n) && end + 1n < (family === 4 ? 1n << 32n : 1n << 128n)) {
        next[family] = end + 1n;
        continue;
      }
      taken.add(key(family, value));
      return value;
    }
  };
  const node = { 4: free(4), 6: free(6) };
  const pods = cluster.pods.map((pod, i): PlacedPod => {
    if (pod.hostNetwork) return { pod, addresses: node, stated: false };
    const own = stated[i];
    const addresses = own ?? { 4: free(4), 6: free(6) };
    return { pod: { ...pod, addresses: textsOf(addresses) }, addresses, stated: own !== undefined };
  });
  const namespaces = new Map<string, Namespace>(cluster.namespaces);
  for (const { namespace, place } of cluster.pods) {
    if (namespaces.has(namespace)) continue;
    namespaces.set(namespace, { name: namespace, labels: { [NAMESPACE_NAME_LABEL]: namespace }, place });
  }
  return { cluster: { ...cluster, namespaces, pods: pods.map(({ pod }) => pod) }, pods, node };
}

/** The placed cluster as packets of one family meet it. */
export function inFamily({ cluster, pods }: Placement, family: Family): Cluster {
  const only = pods.map(({ pod, addresses }): Pod => {
    const value = addresses[family];
    return { ...pod, addresses: value === undefined || pod.hostNetwork ? [] : [addressText(family, value)] };
  });
  return { ...cluster, pods: only };
}

function textsOf(addresses: PlacedPod['addresses']): string[] {
  return FAMILIES.flatMap((family) => {
    const value = addresses[family];
    return value === undefined ? [] : [addressText(family, value)];
  });
}

/** Every block that a policy names, but for whole families, which no address is outside of. */
function blocksOf({ policies }: Cluster): AddressRange[] {
  const rules = policies.flatMap(({ ingress = [], egress = [] }) => [...ingress, ...egress]);
  return rules
    .flatMap(({ peers }) => (peers === 'all' ? [] : peers))
    .flatMap((peer) => (peer.is === 'block' && !isWhole(peer.range) ? [peer.range] : []));
}

/** The first usable address of a range, and the last; none where there is no usable one. */
export function usableEnds({ family, from, to }: AddressRange): bigint[] {
  let [low, high] = [from, to];
  for (let moved = true; moved;) {
    moved = false;
    for (const one of UNUSABLE) {
      if (within(one, family, low)) [low, moved] = [one.to + 1n, true];
      if (within(one, family, high)) [high, moved] = [one.from - 1n, true];
    }
  }
  return low > high ? [] : low === high ? [low] : [low, high];
}
