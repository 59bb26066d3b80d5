import { release } from 'node:os';
import type { Enclave } from '#enclave';
import type { EnclaveFacts } from './report.ts';

/** What held an enclave together, as far as it is known, for the report. */
export function factsOf(enclave: Pick<Enclave, 'ipv6' | 'cgroups'>, machines: number): EnclaveFacts {
  const { ipv6, cgroups } = enclave;
  const inForce = (what: string, detail: string) => ({ what, state: 'in-force' as const, detail });
  const absent = (what: string, detail: string) => ({ what, state: 'absent' as const, detail });
  return {
    enforcer: 'runc (user, mount, PID, IPC, UTS, cgroup and network namespaces, seccomp) and nftables',
    kernel: `Linux ${release()} ${process.arch}`,
    machines,
    limits: [
      inForce('Network', `every default route ends in the sink, over IPv4${ipv6 ? ' and IPv6' : ''}`),
      ipv6 ? inForce('IPv6', 'as IPv4') : absent('IPv6', 'this kernel has none, so nothing can leave by it'),
      inForce('Files of the host', 'only the tools and folders that a program declares; to write, only its own'),
      inForce('System calls', 'an allow-list; no capabilities, no new privileges'),
      inForce('Memory', cgroups.includes('memory') ? 'held by a cgroup' : 'watched, as no cgroup can be made'),
      inForce('Processes', cgroups.includes('pids') ? 'held by a cgroup' : 'watched, as no cgroup can be made'),
    ],
    visible: [],
  };
}
