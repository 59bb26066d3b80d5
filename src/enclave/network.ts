/** Who is in the enclave and who may talk to whom, and how that is written for `ip` and `nft`. Pure. */

/** A flow that is open: everything that no flow names is refused and recorded. */
export interface EnclaveFlow {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
}

export interface Machine {
  /** Service name, under which the others find it. */
  readonly name: string;
  /** Name of its network namespace and of its link in the router: the name itself may be too long for Linux. */
  readonly id: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

/** Ports of the sink in the router's namespace. Clients never see them: their own port is translated. */
export const SINK = { tcp: 15001, udp: 15002, dns: 15053 } as const;

/** Calls that the kernel remembers, of each family: which port was meant, and where a datagram went. */
export const SEEN = 32_768;

/** What the sink answers to names that nobody has, and to calls that lead outside. */
export interface SinkAnswers {
  /** `address`: one of the sink's, so that the call that follows is seen. `unknown`: NXDOMAIN. `drop`: nothing. */
  readonly names: 'address' | 'unknown' | 'drop';
  /** `reset`: accepted, and reset once it is known what was wanted. `refuse`: a reset at once. `drop`: nothing. */
  readonly calls: 'reset' | 'refuse' | 'drop';
}

/** What shows most, and holds programs up least while it does. */
export const SINK_ANSWERS: SinkAnswers = { names: 'address', calls: 'reset' };

/**
 * The router's own addresses: where every machine asks for names, and `probe`, from where the agent asks whether
 * services are ready; it lies among the machines, which can answer it although they have no other routes.
 */
export const ROUTER = { ipv4: '10.231.255.1', ipv6: 'fd53:616c:6c79::1', probe: '10.231.0.1' } as const;

/** Where the recorder listens for each of the ports that it takes. */
export function recorderPorts(recorded: readonly number[]): ReadonlyMap<number, number> {
  return new Map(recorded.map((port, index) => [port, 15100 + index]));
}

/** Largest number of machines in one enclave. */
export const MACHINES = 250;

export function machinesOf(names: readonly string[]): Machine[] {
  if (names.length > MACHINES) throw new RangeError(`more than ${MACHINES} machines`);
  return names.map((name, index) => ({
    name,
    id: `m${index}`,
    ipv4: `10.231.0.${index + 2}`,
    ipv6: `fd53:616c:6c79::1:${(index + 2).toString(16)}`,
  }));
}

/**
 * Where routes lead that lead to no machine. `sink`: to the sink, which answers and writes down. `none`: there are no
 * such routes, so that nothing can lean on an answer of the sink; what is tried fails in the machine itself, unseen.
 */
export type Routes = 'sink' | 'none';

/** All machines and nobody else. */
const MACHINES_NET = { ipv4: '10.231.0.0/24', ipv6: 'fd53:616c:6c79::1:0/112' } as const;

/** For `ip -batch` in the router: a link to each machine, and every other address is local, that is, the sink's. */
export function routerBatch(machines: readonly Machine[], routes: Routes): string {
  const lines = [
    'link set lo up',
    `addr add ${ROUTER.ipv4}/32 dev lo`,
    `addr add ${ROUTER.ipv6}/128 dev lo nodad`,
    `addr add ${ROUTER.probe}/32 dev lo`,
  ];
  if (routes === 'sink') {
    // Table main, not local: the machines' own routes must win over it.
    lines.push('route add local 0.0.0.0/0 dev lo table main', 'route add local ::/0 dev lo table main');
  }
  for (const machine of machines) {
    lines.push(
      `netns add ${machine.id}`,
      `link add ${machine.id} type veth peer name eth0 netns ${machine.id}`,
      `addr add fe80::1/64 dev ${machine.id} nodad`,
      `link set ${machine.id} up`,
      `route add ${machine.ipv4}/32 dev ${machine.id}`,
      `route add ${machine.ipv6}/128 dev ${machine.id}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** For `ip -n MACHINE -batch`: one address of each family, and routes to the router: both default ones, or to machines only. */
export function machineBatch(machine: Machine, routes: Routes): string {
  return [
    'link set lo up',
    'link set eth0 up',
    `addr add ${machine.ipv4}/32 dev eth0`,
    `addr add ${machine.ipv6}/128 dev eth0 nodad`,
    ...(routes === 'sink'
      ? [
          `route add ${ROUTER.ipv4} dev eth0 src ${machine.ipv4}`,
          `route add default via ${ROUTER.ipv4} dev eth0 src ${machine.ipv4}`,
          `route add default via fe80::1 dev eth0 src ${machine.ipv6}`,
        ]
      : [
          `route add ${MACHINES_NET.ipv4} via ${ROUTER.ipv4} dev eth0 onlink src ${machine.ipv4}`,
          `route add ${MACHINES_NET.ipv6} via fe80::1 dev eth0 src ${machine.ipv6}`,
        ]),
    '',
  ].join('\n');
}

/**
 * The router's rules. Between machines only declared flows pass. Whatever goes anywhere else is written into a set
 * (a nat chain sees the first packet of each flow) and led to the sink; nothing is ever forwarded out, there being no
 * link that leads out.
 */
export function ruleset(
  machines: readonly Machine[],
  flows: readonly EnclaveFlow[],
  routes: Routes,
  recorded: readonly number[] = [],
  calls: SinkAnswers['calls'] = SINK_ANSWERS.calls,
): string {
  const recorder = recorderPorts(recorded);
  const byName = new Map(machines.map((machine) => [machine.name, machine]));
  const families = [
    { name: '4', type: 'ipv4_addr', ip: 'ip', key: 'ipv4' },
    { name: '6', type: 'ipv6_addr', ip: 'ip6', key: 'ipv6' },
  ] as const;
  const out: string[] = ['table inet sallyport {'];
  for (const { name, type, key } of families) {
    const allowed = flows.map((flow) => {
      const from = byName.get(flow.from);
      const to = byName.get(flow.to);
      if (from === undefined || to === undefined)
        throw new Error(`flow of an unknown machine: ${flow.from}, ${flow.to}`);
      return `${from[key]} . ${to[key]} . ${flow.protocol} . ${flow.port}`;
    });
    out.push(
      `  set machines${name} { type ${type}; ${elements(machines.map((machine) => machine[key]))} }`,
      `  set allowed${name} { type ${type} . ${type} . inet_proto . inet_service; ${elements(allowed)} }`,
      `  set used${name} { type ${type} . ${type} . inet_proto . inet_service; flags dynamic; size 65535; }`,
      `  set refused${name} { type ${type} . ${type} . inet_proto . inet_service; flags dynamic; size 65535; }`,
      `  set seen${name} { type ${type} . inet_service . ${type} . inet_proto . inet_service; flags dynamic,timeout; size ${SEEN}; timeout 10m; }`,
      `  set other${name} { type ${type} . ${type} . inet_proto; flags dynamic; size 65535; }`,
    );
  }
  out.push('  chain arriving {', '    type nat hook prerouting priority dstnat; policy accept;');
  for (const { name, ip } of routes === 'none' ? [] : families) {
    const dns = name === '4' ? ROUTER.ipv4 : `[${ROUTER.ipv6}]`;
    out.push(
      `    ${ip} daddr @machines${name} return`,
      `    meta l4proto { tcp, udp } add @seen${name} { ${ip} saddr . th sport . ${ip} daddr . meta l4proto . th dport }`,
      `    meta nfproto ipv${name} udp dport 53 dnat ${ip} to ${dns}:${SINK.dns}`,
      `    meta nfproto ipv${name} tcp dport 53 dnat ${ip} to ${dns}:${SINK.dns}`,
      ...[...recorder].map(([port, to]) => `    meta nfproto ipv${name} tcp dport ${port} dnat to :${to}`),
      ...(calls === 'reset' ? [`    meta nfproto ipv${name} meta l4proto tcp dnat to :${SINK.tcp}`] : []),
      // Whoever tries QUIC first must learn at once that it is not there, and come by TCP.
      ...(recorder.size === 0 ? [] : [`    meta nfproto ipv${name} udp dport 443 return`]),
      ...(calls === 'refuse' ? [] : [`    meta nfproto ipv${name} meta l4proto udp dnat to :${SINK.udp}`]),
    );
  }
  out.push(
    '  }',
    '  chain local {',
    '    type filter hook input priority filter; policy drop;',
    '    ct state established,related accept',
    '    iifname "lo" accept',
    // Neighbour discovery, without which IPv6 finds nobody. Echo requests are not answered.
    '    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept',
    ...(routes === 'none'
      ? []
      : [
          `    ct status dnat tcp dport { ${SINK.tcp}, ${SINK.dns} } accept`,
          `    ct status dnat udp dport { ${SINK.udp}, ${SINK.dns} } accept`,
        ]),
    ...(recorder.size === 0
      ? []
      : [
          `    ct status dnat tcp dport { ${[...recorder.values()].join(', ')} } accept`,
          '    udp dport 443 reject with icmpx type port-unreachable',
        ]),
    '    ip6 daddr ff00::/8 drop',
    ...(routes === 'none' || calls !== 'refuse'
      ? []
      : ['    meta l4proto tcp reject with tcp reset', '    meta l4proto udp reject with icmpx type port-unreachable']),
    // In the set of what was seen already.
    ...(routes === 'none' ? [] : ['    meta l4proto { tcp, udp } drop']),
  );
  for (const { name, ip } of families) {
    out.push(`    add @other${name} { ${ip} saddr . ${ip} daddr . meta l4proto }`);
  }
  out.push('  }', '  chain between {', '    type filter hook forward priority filter; policy drop;');
  for (const machine of machines) {
    for (const { ip, key } of families) {
      out.push(`    iifname "${machine.id}" ${ip} saddr != ${machine[key]} drop`);
    }
  }
  out.push('    ct state established,related accept');
  for (const { name, ip } of families) {
    const tuple = `${ip} saddr . ${ip} daddr . meta l4proto . th dport`;
    out.push(
      // What follows the first packet is established: it counts connections.
      `    ${tuple} @allowed${name} update @used${name} { ${tuple} counter } accept`,
      `    meta l4proto { tcp, udp, sctp } update @refused${name} { ${tuple} counter }`,
      `    meta l4proto != { tcp, udp, sctp } add @other${name} { ${ip} saddr . ${ip} daddr . meta l4proto }`,
    );
  }
  // An answer, not silence: a client that waits for a time limit would hide how many there are. A reset is not
  // subject to the kernel's rate limit on ICMP errors.
  out.push('    meta l4proto tcp reject with tcp reset', '    reject with icmpx type admin-prohibited', '  }', '}', '');
  return out.join('\n');
}

/** /etc/resolv.conf of every machine. Without a server named, resolvers ask 127.0.0.1, where nobody listens. */
export function resolverFile(routes: Routes): string {
  const server = routes === 'sink' ? `nameserver ${ROUTER.ipv4}\n` : '';
  return `${server}search .\noptions timeout:2 attempts:1\n`;
}

/** /etc/hosts of every machine. */
export function hostsFile(machines: readonly Machine[]): string {
  return [
    '127.0.0.1 localhost',
    '::1 localhost ip6-localhost',
    ...machines.flatMap(({ name, ipv4, ipv6 }) => [`${ipv4} ${name}`, `${ipv6} ${name}`]),
    '',
  ].join('\n');
}

/** One attempt in the words of a set of the ruleset: the parts of an element, in order. */
export type Tuple = readonly (string | number)[];

/** Of the protocols that a set can hold: nft writes the number where the machine has no /etc/protocols. */
const PROTOCOLS: Readonly<Record<string, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'ipv6-icmp', 132: 'sctp' };

export function protocolName(value: string | number): string {
  return PROTOCOLS[String(value)] ?? String(value);
}

/** A declared flow that was used. */
export interface FlowUse extends EnclaveFlow {
  /** First packets: of TCP connections that were opened, or of datagrams until they are answered. */
  readonly count: number;
}

/** What a set with counters says, in the names of machines; both families of a flow together. */
export function usesOf(lists: readonly string[], machines: readonly Machine[]): FlowUse[] {
  const nameOf = new Map(machines.flatMap(({ name, ipv4, ipv6 }) => [[ipv4, name] as const, [ipv6, name] as const]));
  const uses = new Map<string, FlowUse>();
  for (const json of lists) {
    for (const { tuple, packets } of countedTuples(json)) {
      const [source, target, number, port] = tuple;
      const [from, to] = [nameOf.get(String(source)), nameOf.get(String(target))];
      const protocol = protocolName(number ?? '');
      if (from === undefined || to === undefined || (protocol !== 'tcp' && protocol !== 'udp')) continue;
      const key = `${from} ${to} ${protocol} ${port}`;
      const count = (uses.get(key)?.count ?? 0) + packets;
      uses.set(key, { from, to, port: Number(port), protocol, count });
    }
  }
  return [...uses.values()];
}

/** The elements of a set, from `nft -j list set`. */
export function tuplesOf(json: string): Tuple[] {
  return countedTuples(json).map(({ tuple }) => tuple);
}

/** The same with their counters; 0 where they have none. */
function countedTuples(json: string): { readonly tuple: Tuple; readonly packets: number }[] {
  const document = JSON.parse(json) as { nftables?: { set?: { elem?: unknown[] } }[] };
  const tuples: { tuple: Tuple; packets: number }[] = [];
  for (const { set } of document.nftables ?? []) {
    for (const element of set?.elem ?? []) {
      const own = isRecord(element) && isRecord(element['elem']) ? element['elem'] : { val: element };
      const { val: value, counter } = own as Record<string, unknown>;
      const packets = isRecord(counter) ? Number(counter['packets']) : 0;
      if (isRecord(value) && Array.isArray(value['concat'])) tuples.push({ tuple: value['concat'] as Tuple, packets });
    }
  }
  return tuples;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function elements(list: readonly string[]): string {
  return list.length === 0 ? '' : `elements = { ${list.join(', ')} }`;
}
