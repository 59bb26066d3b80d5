import { BlockList, isIP, isIPv6 } from 'node:net';

/**
 * Addresses that mean this machine, its link or its own network (RFC 6890 and the registries that it made; 169.254/16 and
 * fd00::/8 hold the metadata services of clouds, which give credentials to whoever asks). What is unknown is public.
 */
const PRIVATE: readonly (readonly [network: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
];

const list = new BlockList();
for (const [network, prefix] of PRIVATE) list.addSubnet(network, prefix, isIPv6(network) ? 'ipv6' : 'ipv4');

/** Prefixes of IPv6 addresses whose last 32 bits are an IPv4 address: compatible, mapped and translated (RFC 6052). */
const EMBEDDING = [/^::(?:ffff:)?(?=[0-9a-f]+:[0-9a-f]+$)/, /^64:ff9b::(?=[0-9a-f]+:[0-9a-f]+$)/];

/** Whether an address is one that everybody could reach. False for what is no address. */
export function isPublicAddress(address: string): boolean {
  const bare = address.replace(/%.*$/, '');
  const family = isIP(bare);
  if (family === 0) return false;
  if (family === 4) return !list.check(bare, 'ipv4');
  const spelt = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  for (const prefix of EMBEDDING) {
    if (!prefix.test(spelt)) continue;
    const [high = 0, low = 0] = spelt
      .replace(prefix, '')
      .split(':')
      .map((group) => Number.parseInt(group, 16));
    return !list.check(`${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`, 'ipv4');
  }
  return !list.check(spelt, 'ipv6');
}
