import { release } from 'node:os';
import type { Enclave } from '#enclave';
import type { EnclaveFacts } from './report.ts';

/** What held an enclave together, as far as it is known, for the report. */
export function factsOf(enclave: Pick<Enclave, 'writableMounts' | 'ipv6'>, machines: number): EnclaveFacts {
  const { writableMounts, ipv6 } = enclave;
  const inForce = (what: string, detail: string) => ({ what, state: 'in-force' as const, detail });
  const absent = (what: string, detail: string) => ({ what, state: 'absent' as const, detail });
  return {
    enforcer: 'Linux namespaces (user, mount, PID, IPC, UTS, network) and nftables',
    kernel: `Linux ${release()} ${process.arch}`,
    machines,
    limits: [
      inForce('Network', `every default route ends in the sink, over IPv4${ipv6 ? ' and IPv6' : ''}`),
      ipv6 ? inForce('IPv6', 'as IPv4') : absent('IPv6', 'this kernel has none, so nothing can leave by it'),
      writableMounts.length === 0
        ? inForce('Files of the host', 'read-only, but for the folders of this rehearsal')
        : absent('Files of the host', `still writable: ${writableMounts.join(', ')}`),
    ],
    visible: [],
  };
}
