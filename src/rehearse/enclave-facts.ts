import type { Enclave } from '#enclave';
import type { EnclaveFacts } from './report.ts';

/** What a program in the enclave read of itself: /proc/self/status and /proc/self/mountinfo (proc_pid_status(5)). */
export interface Witness {
  readonly status: string;
  readonly mountinfo: string;
  /** `Linux 6.1.0 x86_64`, as uname(2) tells it. */
  readonly kernel: string;
}

type Limit = EnclaveFacts['limits'][number];

/**
 * What held an enclave together, for the report: what can be seen from inside as a program there saw it, and unknown
 * where none could look.
 */
export function factsOf(
  enclave: Pick<Enclave, 'ipv6' | 'cgroups' | 'unwatched'>,
  machines: number,
  witness: Witness | undefined,
): EnclaveFacts {
  const { ipv6, cgroups, unwatched } = enclave;
  const mounts = witness === undefined ? undefined : hostMounts(witness.mountinfo);
  const held = (controller: Enclave['cgroups'][number]): string =>
    cgroups.includes(controller) ? 'held by a cgroup' : 'watched and ended, as no cgroup can be made here';
  return {
    enforcer: 'runc (user, mount, PID, IPC, UTS, cgroup and network namespaces, seccomp) and nftables',
    kernel: witness?.kernel ?? '',
    machines,
    limits: [
      inForce('Network', `every default route ends in the sink, over IPv4${ipv6 ? ' and IPv6' : ''}`),
      ipv6 ? inForce('IPv6', 'as IPv4') : absent('IPv6', 'this kernel has none, so nothing can leave by it'),
      filesLimit(mounts),
      ...processLimits(witness?.status),
      inForce('Memory', held('memory')),
      inForce('Processes', held('pids')),
      unwatched === ''
        ? inForce('Who tried', 'sockets, reads of keys and the program behind each attempt are watched')
        : { what: 'Who tried', state: 'unknown', detail: unwatched },
    ],
    visible: (mounts ?? []).map(({ point, writable }) => `${point}${writable ? ' (writable)' : ''}`),
  };
}

const inForce = (what: string, detail: string): Limit => ({ what, state: 'in-force', detail });
const absent = (what: string, detail: string): Limit => ({ what, state: 'absent', detail });

function processLimits(status: string | undefined): Limit[] {
  const fields = new Map(
    (status ?? '').split('\n').map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at), line.slice(at + 1).trim()] as const;
    }),
  );
  const judge = (what: string, well: boolean | undefined, yes: string, no: string): Limit => {
    if (well === undefined) return { what, state: 'unknown', detail: 'no program in there could tell' };
    return well ? inForce(what, yes) : absent(what, no);
  };
  const all = (names: readonly string[], fits: (value: string) => boolean): boolean | undefined => {
    const values = names.map((name) => fields.get(name));
    return values.includes(undefined) ? undefined : values.every((value) => fits(value ?? ''));
  };
  return [
    judge(
      'Capabilities',
      all(['CapPrm', 'CapEff', 'CapBnd', 'CapAmb'], (value) => /^0+$/.test(value)),
      'none, and none can be got',
      'programs have some',
    ),
    judge(
      'New privileges',
      all(['NoNewPrivs'], (value) => value === '1'),
      'no program can get more than it began with',
      'a set-user-ID program could get more',
    ),
    judge(
      'System calls',
      all(['Seccomp'], (value) => value === '2'),
      'an allow-list (seccomp)',
      'no filter',
    ),
    judge(
      'User',
      all(['Uid', 'Gid'], (value) => value.split(/\s+/).every((id) => id !== '0')),
      'not root, in a user namespace of its own',
      'root of its own user namespace',
    ),
  ];
}

function filesLimit(mounts: readonly HostMount[] | undefined): Limit {
  const what = 'Files of the host';
  if (mounts === undefined) return { what, state: 'unknown', detail: 'no program in there could tell' };
  const writable = mounts.filter((mount) => mount.writable);
  const seen = `${mounts.length} paths can be seen by a program that declares none`;
  return writable.length === 0
    ? inForce(what, `${seen}, all read-only`)
    : absent(what, `${seen}; it could write to ${writable.map(({ point }) => point).join(', ')}`);
}

interface HostMount {
  readonly point: string;
  readonly writable: boolean;
}

/** File systems that the kernel makes up, or that are memory of the machine's own. */
const NOT_OF_HOST = new Set(['proc', 'sysfs', 'tmpfs', 'devpts', 'mqueue', 'cgroup', 'cgroup2', 'devtmpfs']);
/** Devices are files of the host that hold nothing. */
const DEVICE = /^\/dev(?:\/|$)/;

function hostMounts(mountinfo: string): HostMount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const fields = line.split(' ');
    const type = fields[fields.indexOf('-') + 1] ?? '';
    const [, , , , point = '', options = ''] = fields;
    if (point === '' || NOT_OF_HOST.has(type) || DEVICE.test(point)) return [];
    const path = point.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
    return [{ point: Buffer.from(path, 'latin1').toString('utf8'), writable: options.split(',').includes('rw') }];
  });
}
