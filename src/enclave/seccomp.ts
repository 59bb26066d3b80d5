/**
 * Which system calls a confined program may make, as data for an OCI runtime (runtime-spec, config-linux, "seccomp").
 *
 * An allow-list: what is not named answers ENOSYS, so that a program falls back as on an older kernel, and what a newer
 * kernel brings is closed until somebody has looked at it. What container runtimes close by default is closed here too,
 * with EPERM, because each has been a way out of a container or works on the whole machine:
 * - namespaces and mounts (unshare, setns, clone with flags, mount and its newer family, pivot_root, chroot): a new user
 *   namespace gives all capabilities over itself, and with them the reach of most local kernel bugs (CVE-2022-0185 in
 *   fsconfig, CVE-2023-32233 in nftables, CVE-2021-22555 in netfilter). clone3 hides its flags in memory that a filter
 *   cannot read, so it answers ENOSYS and libc takes clone.
 * - open_by_handle_at: files by inode, past every mount ("shocker", 2014).
 * - keyctl, add_key, request_key: keyrings know no namespaces (CVE-2014-9529, CVE-2016-0728).
 * - bpf, perf_event_open, userfaultfd, io_uring: large, young and privileged parts of the kernel (CVE-2017-16995,
 *   CVE-2013-2094, CVE-2022-29582); userfaultfd is what makes races in the kernel wide.
 * - ptrace, process_vm_readv and _writev, kcmp, pidfd_getfd, process_madvise: nothing that is installed or served
 *   traces others, and a tracer gets round the filters of what it traces on kernels before 4.8.
 * - modules, kexec, reboot, swap, accounting, quotas, the clock, syslog, host name, I/O ports, fanotify, personality
 *   (it switches off address randomisation), lookup_dcookie, nfsservctl: the machine's, not a program's.
 * - sockets: TCP and UDP over both families, Unix sockets, and NETLINK_ROUTE, which getifaddrs(3) of glibc and Go's net
 *   need to list addresses (changing something takes a capability that nobody has). Everything else answers
 *   EAFNOSUPPORT: AF_VSOCK leads to the hypervisor past every network namespace, AF_PACKET (CVE-2016-8655,
 *   CVE-2020-14386), AF_ALG, raw sockets, SCTP, MPTCP, Bluetooth and the rest are attack surface that no service needs.
 * - ioctl TIOCSTI and TIOCLINUX type into a terminal on behalf of whoever sits there (CVE-2017-5226, CVE-2023-1523).
 *   Only the lower 32 bits of the number count for the kernel, so only they are compared (CVE-2019-7303).
 * Other calling conventions of the processor (i386 by `int 0x80`, x32) are not in the filter, and end the process.
 */

/** As in the runtime specification. Operators and names are those of libseccomp. */
interface Argument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_NE' | 'SCMP_CMP_MASKED_EQ';
}

interface Rule {
  readonly names: readonly string[];
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO' | 'SCMP_ACT_NOTIFY';
  readonly errnoRet?: number;
  readonly args?: readonly Argument[];
}

export interface SeccompProfile {
  readonly defaultAction: 'SCMP_ACT_ERRNO';
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls: readonly Rule[];
}

/**
 * Who is told of calls before they are carried out (seccomp_unotify(2)): `connect`, datagrams that name an address, and
 * sockets of kinds that are closed, which are asked about instead of being refused at once.
 */
export interface SeccompListener {
  /** Unix socket on which the runtime passes the listening descriptor, with the state of the container. */
  readonly path: string;
  /** Passed on as it is: which program this is. */
  readonly metadata: string;
  /** Also of files that are opened for writing, and of folders that are made. */
  readonly writes: boolean;
}

const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

const FILES =
  'access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 eventfd eventfd2 faccessat faccessat2 ' +
  'fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock ' +
  'fremovexattr fsetxattr fstat fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr ' +
  'inotify_add_watch inotify_init inotify_init1 inotify_rm_watch lchown lgetxattr link linkat listxattr llistxattr ' +
  'lremovexattr lseek lsetxattr lstat memfd_create mkdir mkdirat mknod mknodat newfstatat open openat openat2 pipe pipe2 ' +
  'pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr rename renameat ' +
  'renameat2 rmdir sendfile setxattr splice stat statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate ' +
  'umask unlink unlinkat utime utimensat utimes vmsplice write writev cachestat';
const MEMORY =
  'brk get_mempolicy madvise map_shadow_stack membarrier mincore mlock mlock2 mlockall mmap mprotect mremap mseal msync ' +
  'munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages';
const PROCESSES =
  'alarm arch_prctl capget capset clock_getres clock_gettime clock_nanosleep execve execveat exit exit_group fork futex ' +
  'futex_requeue futex_wait futex_waitv futex_wake get_robust_list get_thread_area getcpu getegid geteuid getgid ' +
  'getgroups getitimer getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage ' +
  'getsid gettid gettimeofday getuid ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset ' +
  'landlock_restrict_self nanosleep pause pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall rseq ' +
  'rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait ' +
  'rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam ' +
  'sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler ' +
  'sched_yield seccomp set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid setgroups setitimer ' +
  'setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid sigaltstack signalfd signalfd4 ' +
  'sysinfo tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create ' +
  'timerfd_gettime timerfd_settime times tkill uname vfork wait4 waitid';
const COMMUNICATION =
  'accept accept4 bind connect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait ' +
  'epoll_wait_old getpeername getsockname getsockopt io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit ' +
  'listen mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd poll ppoll ' +
  'pselect6 recvfrom recvmmsg recvmsg select semctl semget semop semtimedop sendmmsg sendmsg sendto setsockopt shmat ' +
  'shmctl shmdt shmget shutdown';

/** Closed by name, so that the answer is "not permitted" and not "this kernel is too old". */
export const CLOSED: readonly string[] = (
  'unshare setns mount umount2 move_mount open_tree open_tree_attr fsopen fsconfig fsmount fspick mount_setattr ' +
  'pivot_root chroot statmount listmount open_by_handle_at name_to_handle_at keyctl add_key request_key bpf ' +
  'perf_event_open userfaultfd io_uring_setup io_uring_enter io_uring_register ptrace process_vm_readv ' +
  'process_vm_writev process_madvise process_mrelease kcmp pidfd_getfd init_module finit_module delete_module ' +
  'kexec_load kexec_file_load reboot swapon swapoff acct quotactl quotactl_fd nfsservctl settimeofday clock_settime ' +
  'clock_settime64 clock_adjtime adjtimex stime syslog sethostname setdomainname iopl ioperm modify_ldt vm86 vm86old ' +
  'vhangup lookup_dcookie fanotify_init fanotify_mark mbind migrate_pages move_pages set_mempolicy ' +
  'set_mempolicy_home_node sysfs ustat uselib _sysctl create_module query_module get_kernel_syms memfd_secret'
).split(' ');

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET (sched.h). */
const NEW_NAMESPACES = 0x7e020000;

const O_WRONLY = 1;
const O_RDWR = 2;

const AF = { unix: 1, inet: 2, inet6: 10, netlink: 16 } as const;
/** One beyond the largest family that Linux knows (AF_MCTP, 45), with room for what comes. */
const FAMILIES = 64;
/** The lower four bits; above them are SOCK_CLOEXEC and SOCK_NONBLOCK. */
const SOCKET_TYPE = 0xf;
/** Each with the protocols that are plain TCP or UDP (0 lets the kernel choose), and others that the kernel may know. */
const SOCKETS = [
  // DCCP, SCTP, MPTCP.
  { type: 1, protocols: [0, 6], others: [33, 132, 262] },
  // ICMP echo, DCCP, ICMPv6 echo, L2TP, UDP-Lite.
  { type: 2, protocols: [0, 17], others: [1, 33, 58, 115, 136] },
] as const;
/** MAX_LINKS of linux/netlink.h. */
const NETLINKS = 32;

const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;

/** personality(2) that asks, or sets what there is already (PER_LINUX). */
const PERSONALITIES = [0, 0xffffffff];

/** The profile for this processor; `listener` where somebody wants to be told. */
export function seccompProfile(architecture: 'x64' | 'arm64', listener?: SeccompListener): SeccompProfile {
  const told = listener === undefined ? [] : toldRules(listener.writes);
  const special = new Set(told.flatMap(({ names }) => names));
  const plain = [FILES, MEMORY, PROCESSES, COMMUNICATION].flatMap((names) => names.split(' '));
  const rules: Rule[] = [
    { names: plain.filter((name) => !special.has(name)), action: 'SCMP_ACT_ALLOW' },
    { names: CLOSED, action: 'SCMP_ACT_ERRNO', errnoRet: EPERM },
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
    allow(['clone'], { index: 0, value: NEW_NAMESPACES, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }),
    ...socketRules(listener !== undefined),
    ...otherThan(1, 32, [TIOCSTI, TIOCLINUX]).map((one) => allow(['ioctl'], one)),
    ...PERSONALITIES.map((value) => allow(['personality'], equal(0, value))),
    ...told,
  ];
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: ENOSYS,
    architectures: [architecture === 'x64' ? 'SCMP_ARCH_X86_64' : 'SCMP_ARCH_AARCH64'],
    ...(listener === undefined ? {} : { listenerPath: listener.path, listenerMetadata: listener.metadata }),
    syscalls: rules,
  };
}

/** Of each call that is told only for some arguments, the others are allowed: two rules for one call never overlap. */
function toldRules(writes: boolean): Rule[] {
  const tell = (names: readonly string[], ...args: readonly Argument[]): Rule => {
    return { names, action: 'SCMP_ACT_NOTIFY', ...(args.length === 0 ? {} : { args }) };
  };
  const opening = (name: string, index: number): Rule[] =>
    [0, 1, 2, 3].map((mode) =>
      (mode === O_WRONLY || mode === O_RDWR ? tell : allow)([name], {
        index,
        value: 3,
        valueTwo: mode,
        op: 'SCMP_CMP_MASKED_EQ',
      }),
    );
  return [
    tell(['connect', 'sendmsg', 'sendmmsg']),
    // On a connected socket there is no address.
    tell(['sendto'], { index: 4, value: 0, op: 'SCMP_CMP_NE' }),
    allow(['sendto'], equal(4, 0)),
    ...(writes
      ? [tell(['creat', 'mkdir', 'mkdirat', 'truncate']), ...opening('open', 1), ...opening('openat', 2)]
      : []),
  ];
}

function equal(index: number, value: number): Argument {
  return { index, value, op: 'SCMP_CMP_EQ' };
}

function allow(names: readonly string[], ...args: readonly Argument[]): Rule {
  return { names, action: 'SCMP_ACT_ALLOW', args };
}

function socketRules(ask: boolean): Rule[] {
  const family = (value: number): Argument => equal(0, value);
  const rules: Rule[] = [
    allow(['socket', 'socketpair'], family(AF.unix)),
    // NETLINK_ROUTE is protocol 0.
    allow(['socket'], family(AF.netlink), equal(2, 0)),
  ];
  for (const internet of [AF.inet, AF.inet6]) {
    for (const { type, protocols } of SOCKETS) {
      for (const protocol of protocols) {
        rules.push(
          allow(
            ['socket'],
            family(internet),
            { index: 1, value: SOCKET_TYPE, valueTwo: type, op: 'SCMP_CMP_MASKED_EQ' },
            equal(2, protocol),
          ),
        );
      }
    }
  }
  const refuse = (args: readonly Argument[]): void => {
    if (ask) rules.push({ names: ['socket'], action: 'SCMP_ACT_NOTIFY', args });
    else rules.push({ names: ['socket'], action: 'SCMP_ACT_ERRNO', errnoRet: EAFNOSUPPORT, args });
  };
  const open: readonly number[] = Object.values(AF);
  for (let value = 0; value < FAMILIES; value++) if (!open.includes(value)) refuse([family(value)]);
  // Raw and other types of the open families.
  for (const internet of [AF.inet, AF.inet6]) {
    for (const type of [0, 3, 4, 5, 6, 10]) {
      refuse([family(internet), { index: 1, value: SOCKET_TYPE, valueTwo: type, op: 'SCMP_CMP_MASKED_EQ' }]);
    }
    for (const { type, others } of SOCKETS) {
      for (const protocol of others) {
        refuse([
          family(internet),
          { index: 1, value: SOCKET_TYPE, valueTwo: type, op: 'SCMP_CMP_MASKED_EQ' },
          equal(2, protocol),
        ]);
      }
    }
  }
  for (let protocol = 1; protocol < NETLINKS; protocol++) {
    refuse([family(AF.netlink), equal(2, protocol)]);
  }
  return rules;
}

/**
 * Conditions of which at least one holds for every number of `bits` bits but the given ones. A filter cannot say "is not
 * this number in its lower 32 bits", but a number differs from another exactly if it differs in one bit of it: a prefix
 * that agrees with a forbidden number, and then a bit with which it no longer does.
 */
export function otherThan(index: number, bits: number, forbidden: readonly number[]): Argument[] {
  const conditions: Argument[] = [];
  const split = (mask: number, value: number, bit: number, left: readonly number[]): void => {
    if (left.length === 0) {
      conditions.push({ index, value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' });
      return;
    }
    if (bit < 0) return;
    const weight = 2 ** bit;
    const has = (number: number): boolean => Math.floor(number / weight) % 2 === 1;
    split(mask + weight, value + weight, bit - 1, left.filter(has));
    split(
      mask + weight,
      value,
      bit - 1,
      left.filter((number) => !has(number)),
    );
  };
  split(0, 0, bits - 1, forbidden);
  return conditions;
}
