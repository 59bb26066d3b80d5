import { NODE, OUTSIDE, type PlaceAddresses } from './protocol.ts';

/** Of the outside on its link, which no probe is about: the node sends there whatever is for no pod. */
const GATE = '169.254.7.2';

/** Names of a place's namespace and of the node's end of its link. */
export function namesOf(place: number): { readonly namespace: string; readonly link: string } {
  return { namespace: `p${place}`, link: `v${place}` };
}

/** For `ip -batch` in the node: a link to every other place, and whatever is no pod is outside. */
export function nodeBatch(places: readonly PlaceAddresses[]): string {
  const node = places[NODE]!;
  const lines = ['link set lo up', `addr add ${node.ipv4}/32 dev lo`, `addr add ${node.ipv6}/128 dev lo nodad`];
  for (const [place, { ipv4, ipv6 }] of places.entries()) {
    if (place === NODE) continue;
    const { namespace, link } = namesOf(place);
    lines.push(
      `netns add ${namespace}`,
      `link add ${link} type veth peer name eth0 netns ${namespace}`,
      `addr add fe80::1/64 dev ${link} nodad`,
      `link set ${link} up`,
      ...(ipv4 === undefined ? [] : [`route add ${ipv4}/32 dev ${link} src ${node.ipv4}`]),
      ...(ipv6 === undefined ? [] : [`route add ${ipv6}/128 dev ${link} src ${node.ipv6}`]),
    );
  }
  const { link } = namesOf(OUTSIDE);
  lines.push(
    `route add ${GATE}/32 dev ${link} src ${node.ipv4}`,
    `route add default via ${GATE} dev ${link} src ${node.ipv4}`,
    `route add default via fe80::2 dev ${link} src ${node.ipv6}`,
  );
  return `${lines.join('\n')}\n`;
}

/** For `ip -n NAMESPACE -batch`. */
export function placeBatch(places: readonly PlaceAddresses[], place: number): string {
  return place === OUTSIDE ? outsideBatch(places) : podBatch(places, place);
}

function podBatch(places: readonly PlaceAddresses[], place: number): string {
  const [node, { ipv4, ipv6 }] = [places[NODE]!, places[place]!];
  const lines = ['link set lo up', 'link set eth0 up'];
  if (ipv4 !== undefined) {
    lines.push(
      `addr add ${ipv4}/32 dev eth0`,
      `route add ${node.ipv4} dev eth0 src ${ipv4}`,
      `route add default via ${node.ipv4} dev eth0 src ${ipv4}`,
    );
  }
  if (ipv6 !== undefined) {
    lines.push(`addr add ${ipv6}/128 dev eth0 nodad`, `route add default via fe80::1 dev eth0 src ${ipv6}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Every address is its own but those of the node and the pods. */
function outsideBatch(places: readonly PlaceAddresses[]): string {
  const node = places[NODE]!;
  const lines = [
    'link set lo up',
    `addr add ${GATE}/32 dev eth0`,
    'addr add fe80::2/64 dev eth0 nodad',
    'link set eth0 up',
    `route add ${node.ipv4}/32 dev eth0`,
    `route add ${node.ipv6}/128 via fe80::1 dev eth0`,
    // Table main, not local: the routes to node and pods must win over it.
    'route add local 0.0.0.0/0 dev lo table main',
    'route add local ::/0 dev lo table main',
  ];
  for (const [place, { ipv4, ipv6 }] of places.entries()) {
    if (place === NODE || place === OUTSIDE) continue;
    if (ipv4 !== undefined) lines.push(`route add ${ipv4}/32 via ${node.ipv4} dev eth0`);
    if (ipv6 !== undefined) lines.push(`route add ${ipv6}/128 via fe80::1 dev eth0`);
  }
  return `${lines.join('\n')}\n`;
}
