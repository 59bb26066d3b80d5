/**
 * Known ways out of a container, as data. Each program is Python without modules of others; it prints `held: WHY` where
 * it was stopped and `ESCAPED WHAT` where it got somewhere. What it is given stands in `Given`.
 */
export interface Trick {
  readonly name: string;
  /** CVE, or where the technique is described. */
  readonly stands: string;
  readonly program: string;
  /** Without any confinement it gets out on every machine, without doing harm: the control of the harness. */
  readonly control?: true;
  /** Only on this processor. */
  readonly only?: 'x64';
  /** A signal may end it instead of an answer. */
  readonly mayDie?: true;
}

/** Environment of each program. */
export interface Given {
  /** A file and its folder on the host, with SECRET in it, that no program is shown. */
  readonly OUTSIDE: string;
  readonly OUTSIDE_FOLDER: string;
  readonly SECRET: string;
  /** A process of the host. */
  readonly VICTIM: string;
  /** An abstract socket, a socket with a path, and a TCP port of 127.0.0.1 of the host. */
  readonly ABSTRACT: string;
  readonly SOCKET: string;
  readonly PORT: string;
  /** Files, folders and sockets of the host, each with its device and number: `DEVICE NUMBER PATH`, a line each. */
  readonly PLACES: string;
  /** A folder that the program may write to. */
  readonly OWN: string;
}

/** What stands before every program. */
export const PRELUDE = String.raw`
import ctypes, errno, os, platform, signal, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
X64 = platform.machine() == 'x86_64'
NR = {
  'unshare': (272, 97), 'clone': (56, 220), 'clone3': (435, 435), 'setns': (308, 268), 'chroot': (161, 51),
  'mount': (165, 40), 'umount2': (166, 39), 'pivot_root': (155, 41), 'fsopen': (430, 430), 'open_tree': (428, 428),
  'mount_setattr': (442, 442), 'open_by_handle_at': (304, 265), 'ptrace': (101, 117), 'process_vm_readv': (310, 270),
  'process_vm_writev': (311, 271), 'userfaultfd': (323, 282), 'io_uring_setup': (425, 425), 'bpf': (321, 280),
  'add_key': (248, 217), 'request_key': (249, 218), 'keyctl': (250, 219), 'perf_event_open': (298, 241),
  'personality': (135, 92), 'init_module': (175, 105), 'finit_module': (313, 273), 'delete_module': (176, 106),
  'kexec_load': (246, 104), 'kexec_file_load': (320, 294), 'reboot': (169, 142), 'swapon': (167, 224),
  'acct': (163, 89), 'quotactl': (179, 60), 'settimeofday': (164, 170), 'clock_settime': (227, 112),
  'sethostname': (170, 161), 'syslog': (103, 116), 'fanotify_init': (300, 262), 'kcmp': (312, 272),
  'pidfd_open': (434, 434), 'pidfd_getfd': (438, 438), 'name_to_handle_at': (303, 264), 'capset': (126, 91),
  'lookup_dcookie': (212, 18), 'vhangup': (153, 58), 'nfsservctl': (180, 42),
}
def call(name, *args):
    ctypes.set_errno(0)
    result = libc.syscall(NR[name][0 if X64 else 1], *args)
    code = ctypes.get_errno()
    return result, (errno.errorcode.get(code, str(code)) if result < 0 else '')
def held(why): print('held:', why); sys.stdout.flush(); os._exit(0)
def escaped(what): print('ESCAPED', what); sys.stdout.flush(); os._exit(0)
def denied(name, *args):
    result, why = call(name, *args)
    if result >= 0: escaped(name)
    return name + ' ' + why
def attempt(work):
    try: return work(), ''
    except OSError as error: return None, errno.errorcode.get(error.errno, str(error))
env = os.environ
OUTSIDE, FOLDER, SECRET, VICTIM, OWN = env['OUTSIDE'], env['OUTSIDE_FOLDER'], env['SECRET'], int(env['VICTIM']), env['OWN']
def secret_in(path):
    try: file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError: return False
    try: return SECRET.encode() in os.read(file, 4096)
    except OSError: return False
    finally: os.close(file)
def search(folders):
    for folder in folders:
        for path in (folder + OUTSIDE, folder + '/..' * 8 + OUTSIDE):
            if secret_in(path): escaped(path)
`;

const CLONE_NEW = {
  NS: 0x20000,
  UTS: 0x04000000,
  IPC: 0x08000000,
  USER: 0x10000000,
  PID: 0x20000000,
  NET: 0x40000000,
} as const;

export const TRICKS: readonly Trick[] = [
  {
    name: 'a file of the host by its name',
    stands: 'the control of everything below',
    control: true,
    program: `search(['', '/proc/self/root', '/proc/self/cwd/../..', '/proc/1/root'])\nheld('not there')`,
  },
  {
    name: 'a new user namespace',
    stands: 'user_namespaces(7); CVE-2022-0185, CVE-2023-32233 begin with it',
    program: `held(denied('unshare', ${CLONE_NEW.USER}) + ', ' + denied('unshare', ${CLONE_NEW.USER | CLONE_NEW.NS}))`,
  },
  {
    name: 'each other namespace',
    stands: 'namespaces(7)',
    program: `held(', '.join(denied('unshare', flag) for flag in [${Object.values(CLONE_NEW).join(', ')}, 0x80, 0x02000000]))`,
  },
  {
    name: 'a child in a new user namespace',
    stands: 'clone(2)',
    program: `
result, why = call('clone', ${CLONE_NEW.USER} | 17, 0, 0, 0, 0)
if result == 0: os._exit(0)
if result > 0: escaped('clone')
held(why)`,
  },
  {
    name: 'clone3, whose flags no filter can read',
    stands: 'clone(2); moby issue 42680',
    program: `
args = ctypes.create_string_buffer(struct.pack('<QQQQQQQQ', ${CLONE_NEW.USER}, 0, 0, 0, 17, 0, 0, 0))
result, why = call('clone3', args, 64)
if result == 0: os._exit(0)
if result > 0: escaped('clone3')
held(why)`,
  },
  {
    name: 'the namespaces of the first process, and of every other',
    stands: 'setns(2), nsenter(1)',
    program: `
said = []
for pid in [1, VICTIM, os.getpid()]:
    for kind in ['user', 'mnt', 'net', 'pid', 'ipc', 'uts', 'cgroup']:
        file, why = attempt(lambda: os.open('/proc/%d/ns/%s' % (pid, kind), os.O_RDONLY))
        if file is None: said.append(why); continue
        result, why = call('setns', file, 0)
        if result == 0: escaped('setns %d %s' % (pid, kind))
        said.append(why)
held(','.join(sorted(set(said))))`,
  },
  {
    name: 'out of a changed root by an open folder',
    stands: 'chroot(2), "escape from a chroot"',
    program: `
os.chdir(OWN)
attempt(lambda: os.mkdir('cage'))
top = os.open('/', os.O_RDONLY)
result, why = call('chroot', b'cage')
os.fchdir(top)
for _ in range(64): os.chdir('..')
call('chroot', b'.')
search(['', '/proc/self/root'])
held('chroot ' + why)`,
  },
  {
    name: 'mounts',
    stands: 'mount(2)',
    program: `
attempt(lambda: os.mkdir(OWN + '/m'))
place = (OWN + '/m').encode()
held(', '.join([denied('mount', b'tmpfs', place, b'tmpfs', 0, 0), denied('mount', b'/', place, 0, 4096 | 16384, 0),
  denied('mount', b'proc', place, b'proc', 0, 0), denied('mount', b'cgroup', place, b'cgroup', 0, b'rdma'),
  denied('mount', b'overlay', place, b'overlay', 0, b'lowerdir=/:/usr'), denied('mount', b'', b'/', 0, 1 << 20, 0)]))`,
  },
  {
    name: 'the newer family of mounts',
    stands: 'CVE-2022-0185 (fsconfig)',
    program: `
held(', '.join([denied('fsopen', b'ext4', 0), denied('open_tree', -100, b'/', 1),
  denied('mount_setattr', -100, b'/', 0, ctypes.create_string_buffer(32), 32)]))`,
  },
  {
    name: 'another root for all',
    stands: 'pivot_root(2)',
    program: `held(denied('pivot_root', b'.', b'.'))`,
  },
  {
    name: 'what is masked, laid open',
    stands: 'CVE-2023-25809, CVE-2025-31133 (masked paths of runc)',
    program: `
said = [denied('umount2', path, 2) for path in (b'/proc/kcore', b'/proc/sys', b'/proc', b'/etc/hosts', b'/')]
for path in ['/proc/kcore', '/proc/kallsyms', '/proc/keys', '/proc/timer_list', '/proc/iomem', '/proc/modules', '/proc/kmsg']:
    def read():
        with open(path, 'rb') as file: return file.read(64)
    data, why = attempt(read)
    if data: escaped(path)
for path in ['/proc/acpi', '/proc/scsi', '/proc/irq', '/proc/bus', '/proc/fs']:
    names, why = attempt(lambda: os.listdir(path))
    if names: escaped(path)
held(', '.join(said))`,
  },
  {
    name: 'a read-only folder made writable',
    stands: 'mount(2), MS_REMOUNT',
    program: `
said = [denied('mount', b'none', path, 0, 32 | 4096, 0) for path in (b'/usr', b'/', b'/proc/sys')]
held(', '.join(said))`,
  },
  {
    name: 'a tool of everybody changed',
    stands: 'the file system of the host as such',
    program: `
said = []
for path in ['/usr/bin/sally', '/bin/sally', '/lib/sally', '/etc/sally', '/sally', '/etc/ld.so.preload', '/etc/passwd', sys.executable, os.path.realpath('/bin/sh')]:
    file, why = attempt(lambda: os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    if file is not None: escaped(path)
    said.append(why)
held(','.join(sorted(set(said))))`,
  },
  {
    name: 'settings of the kernel',
    stands: 'proc(5), /proc/sys',
    program: `
said = []
for path, value in [('kernel/hostname', 'x'), ('kernel/randomize_va_space', '0'), ('vm/drop_caches', '3'), ('kernel/modprobe', OWN + '/x'), ('net/ipv4/ip_forward', '1'), ('net/ipv4/conf/all/rp_filter', '0'), ('fs/suid_dumpable', '2'), ('kernel/ns_last_pid', '1')]:
    def write():
        with open('/proc/sys/' + path, 'w') as file: file.write(value)
        return True
    done, why = attempt(write)
    if done: escaped(path)
    said.append(why)
held(','.join(sorted(set(said))))`,
  },
  {
    name: 'a program of ours for the crashes of all',
    stands: 'core(5), /proc/sys/kernel/core_pattern',
    program: `
def write():
    with open('/proc/sys/kernel/core_pattern', 'w') as file: file.write('|' + OWN + '/run %P')
    return True
done, why = attempt(write)
if done: escaped('core_pattern')
held(why)`,
  },
  {
    name: 'the magic key',
    stands: 'sysrq.rst, /proc/sysrq-trigger',
    program: `
def write():
    with open('/proc/sysrq-trigger', 'w') as file: return file.write('h')
done, why = attempt(write)
# A mask takes what is written and does nothing.
if done and os.stat('/proc/sysrq-trigger').st_rdev != os.makedev(1, 3): escaped('sysrq')
held(why or 'a mask')`,
  },
  {
    name: 'a release agent',
    stands: 'CVE-2022-0492',
    program: `
said = [denied('mount', b'cgroup', OWN.encode(), b'cgroup', 0, name) for name in (b'rdma', b'memory', b'pids')]
for folder, folders, files in os.walk('/sys/fs/cgroup'):
    for name in ('release_agent', 'notify_on_release', 'cgroup.procs'):
        if name in files and os.access(os.path.join(folder, name), os.W_OK): escaped(os.path.join(folder, name))
held(', '.join(said))`,
  },
  {
    name: 'our own cgroup',
    stands: 'cgroups(7), cgroup_namespaces(7)',
    program: `
with open('/proc/self/cgroup') as file: text = file.read()
if 'sallyport' in text or '..' in text: escaped(text)
for folder in ('/sys', '/sys/fs/cgroup'):
    names, why = attempt(lambda: os.listdir(folder))
    if names: escaped(folder)
held(why or 'empty')`,
  },
  {
    name: 'a device of our own',
    stands: 'mknod(2)',
    program: `
said = []
for kind, major, minor in [(0o060000, 254, 0), (0o060000, 8, 0), (0o060000, 259, 0), (0o020000, 1, 1), (0o020000, 10, 229)]:
    path = OWN + '/device'
    made, why = attempt(lambda: os.mknod(path, kind | 0o666, os.makedev(major, minor)) or True)
    if made:
        file, why = attempt(lambda: os.open(path, os.O_RDWR))
        os.unlink(path)
        if file is not None: escaped('device %d:%d' % (major, minor))
    said.append(why)
held(','.join(sorted(set(said))))`,
  },
  {
    name: 'devices of the host',
    stands: '/dev/mem, disks, /dev/kmsg, /dev/net/tun, /dev/kvm, /dev/fuse',
    program: `
allowed = {'null', 'zero', 'full', 'random', 'urandom', 'tty', 'ptmx', 'pts', 'shm', 'fd', 'stdin', 'stdout', 'stderr', 'console'}
others = set(os.listdir('/dev')) - allowed
if others: escaped(' '.join(sorted(others)))
for name in ['mem', 'kmem', 'port', 'kmsg', 'vda', 'sda', 'nvme0n1', 'loop-control', 'net/tun', 'kvm', 'fuse', 'vsock', 'mapper/control', 'input/event0', 'uinput']:
    file, why = attempt(lambda: os.open('/dev/' + name, os.O_RDWR))
    if file is not None: escaped(name)
held(why)`,
  },
  {
    name: 'a file by its number',
    stands: '"shocker", open_by_handle_at(2), 2014',
    program: `
handle = ctypes.create_string_buffer(struct.pack('<Ii', 8, 1) + struct.pack('<II', 2, 0))
said = []
for path in ['/', '/usr', OWN, '/etc/hosts']:
    file = os.open(path, os.O_RDONLY)
    result, why = call('open_by_handle_at', file, handle, os.O_RDONLY)
    if result >= 0: escaped(path)
    said.append(why)
held(','.join(sorted(set(said))))`,
  },
  {
    name: 'another process, traced',
    stands: 'ptrace(2), CVE-2019-13272',
    program: `held(', '.join(denied('ptrace', 0x4206 if pid != os.getppid() else 16, pid, 0, 0) for pid in (1, VICTIM, os.getppid())))`,
  },
  {
    name: 'the memory of another process',
    stands: 'process_vm_writev(2), /proc/PID/mem',
    program: `
data = ctypes.create_string_buffer(8)
vector = ctypes.create_string_buffer(struct.pack('<QQ', ctypes.addressof(data), 8))
said = [denied(name, pid, vector, 1, vector, 1, 0) for name in ('process_vm_readv', 'process_vm_writev') for pid in (1, VICTIM)]
said.append(denied('kcmp', 1, VICTIM, 0, 0, 0))
held(', '.join(said))`,
  },
  {
    name: 'signals to the host',
    stands: 'kill(2)',
    control: true,
    program: `
def is_victim():
    try:
        with open('/proc/%d/cmdline' % VICTIM, 'rb') as file: return SECRET.encode() in file.read()
    except OSError: return False
done, why = attempt(lambda: os.kill(VICTIM, 0) or True)
if done and is_victim(): escaped('kill')
held(why or 'another process')`,
  },
  {
    name: 'processes of the host, seen',
    stands: 'pid_namespaces(7)',
    control: true,
    program: `
for pid in os.listdir('/proc'):
    if not pid.isdigit() or int(pid) == os.getpid(): continue
    for name in ('cmdline', 'environ'):
        try:
            with open('/proc/%s/%s' % (pid, name), 'rb') as file: text = file.read()
        except OSError: continue
        if ('victim-' + SECRET).encode() in text: escaped('/proc/%s/%s' % (pid, name))
held('only its own')`,
  },
  {
    name: 'what others have open',
    stands: '/proc/PID/root, cwd, fd',
    control: true,
    program: `
for pid in os.listdir('/proc'):
    if not pid.isdigit(): continue
    for part in ('root', 'cwd'): search(['/proc/%s/%s' % (pid, part)])
    names, why = attempt(lambda: os.listdir('/proc/%s/fd' % pid))
    for name in names or []:
        if secret_in('/proc/%s/fd/%s' % (pid, name)): escaped('fd')
held('nothing of others')`,
  },
  {
    name: 'an abstract socket of the host',
    stands: 'unix(7); CVE-2020-15257 (containerd-shim)',
    control: true,
    program: `
def speak():
    s = socket.socket(socket.AF_UNIX)
    s.connect('\\0' + env['ABSTRACT'])
    return s.recv(100)
data, why = attempt(speak)
if data and SECRET.encode() in data: escaped('abstract socket')
held(why)`,
  },
  {
    name: 'a Unix socket of the host',
    stands: 'a mounted docker.sock',
    control: true,
    program: `
def speak():
    s = socket.socket(socket.AF_UNIX)
    s.connect(env['SOCKET'])
    return s.recv(100)
data, why = attempt(speak)
if data and SECRET.encode() in data: escaped('socket')
held(why)`,
  },
  {
    name: 'a port of the host',
    stands: 'network_namespaces(7)',
    control: true,
    program: `
def speak():
    s = socket.create_connection(('127.0.0.1', int(env['PORT'])), 2)
    return s.recv(100)
data, why = attempt(speak)
if data and SECRET.encode() in data: escaped('port')
held(why)`,
  },
  {
    name: 'the hypervisor',
    stands: 'vsock(7): no network namespace holds it',
    program: `
said = []
for kind in (1, 2, 5):
    s, why = attempt(lambda: socket.socket(40, kind))
    if s is not None: escaped('vsock')
    said.append(why)
held(','.join(said))`,
  },
  {
    name: 'packets as such',
    stands: 'packet(7); CVE-2016-8655, CVE-2020-14386',
    program: `
said = []
for kind in (2, 3, 10):
    s, why = attempt(lambda: socket.socket(17, kind, 0x300))
    if s is not None: escaped('packet')
    said.append(why)
held(','.join(said))`,
  },
  {
    name: 'raw sockets',
    stands: 'raw(7), icmp(7)',
    program: `
said = []
for family, kind, protocol in [(2, 3, 1), (2, 3, 255), (10, 3, 58), (2, 2, 1), (10, 2, 58)]:
    s, why = attempt(lambda: socket.socket(family, kind, protocol))
    if s is not None: escaped('raw %d %d' % (family, protocol))
    said.append(why)
held(','.join(said))`,
  },
  {
    name: 'other families of sockets',
    stands: 'AF_ALG, AF_BLUETOOTH, AF_TIPC (CVE-2021-43267), AF_CAN, AF_KEY, AF_XDP, AF_RDS (CVE-2010-3904), AF_NFC',
    program: `
for family in list(range(3, 10)) + list(range(11, 16)) + list(range(17, 64)):
    for kind in (1, 2, 3, 5):
        s, why = attempt(lambda: socket.socket(family, kind))
        if s is not None: escaped('family %d' % family)
held(why)`,
  },
  {
    name: 'the firewall of our own machine',
    stands: 'netlink(7), NETLINK_NETFILTER; CVE-2023-32233, CVE-2024-1086',
    program: `
said = []
for protocol in (12, 9, 6, 15, 4, 16):
    s, why = attempt(lambda: socket.socket(16, 3, protocol))
    if s is not None: escaped('netlink %d' % protocol)
    said.append(why)
held(','.join(sorted(set(said))))`,
  },
  {
    name: 'routes and links of our own machine',
    stands: 'rtnetlink(7)',
    program: `
def ask(kind, flags, body):
    s = socket.socket(16, 3, 0)
    s.bind((0, 0))
    s.send(struct.pack('<IHHII', 16 + len(body), kind, flags | 5, 1, 0) + body)
    reply = s.recv(4096)
    return struct.unpack('<i', reply[16:20])[0] if struct.unpack('<H', reply[4:6])[0] == 2 else 0
link = struct.pack('<BxHiII', 0, 0, 2, 0, 1)
route = struct.pack('<BBBBBBBBI', 2, 0, 0, 0, 254, 3, 0, 1, 0) + struct.pack('<HHI', 8, 4, 1)
said = []
for kind, flags, body in [(16, 0, link), (17, 0, link), (24, 0x400, route), (25, 0, route)]:
    code = ask(kind, flags, body)
    if code == 0: escaped('rtnetlink %d' % kind)
    said.append(errno.errorcode.get(-code, str(code)))
held(','.join(said))`,
  },
  {
    name: 'userfaultfd',
    stands: 'CVE-2021-22555 and others use it to win races',
    program: `held(denied('userfaultfd', 0) + ', ' + denied('userfaultfd', 1))`,
  },
  {
    name: 'io_uring',
    stands: 'CVE-2022-29582, CVE-2023-2598; goes round filters of system calls',
    program: `held(denied('io_uring_setup', 8, ctypes.create_string_buffer(120)))`,
  },
  {
    name: 'bpf',
    stands: 'CVE-2017-16995, CVE-2021-3490',
    program: `held(denied('bpf', 0, ctypes.create_string_buffer(struct.pack('<IIII', 2, 4, 4, 1) + bytes(100)), 120))`,
  },
  {
    name: 'performance counters',
    stands: 'CVE-2013-2094, CVE-2023-5717',
    program: `held(denied('perf_event_open', ctypes.create_string_buffer(struct.pack('<II', 1, 112) + bytes(104)), 0, -1, -1, 0))`,
  },
  {
    name: 'keyrings',
    stands: 'keyrings(7): they know no namespaces; CVE-2016-0728',
    program: `
held(', '.join([denied('add_key', b'user', b'x', b'y', 1, -3), denied('keyctl', 0, -3, 1), denied('keyctl', 1, 0), denied('request_key', b'user', b'x', 0, 0)]))`,
  },
  {
    name: 'words typed into a terminal',
    stands: 'TIOCSTI: CVE-2017-5226, CVE-2023-1523; with the upper half set: CVE-2019-7303',
    program: `
import pty
main, side = pty.openpty()
said = []
for number in (0x5412, 0x5412 | 1 << 32, 0x541c):
    ctypes.set_errno(0)
    result = libc.ioctl(ctypes.c_int(side), ctypes.c_ulong(number), ctypes.byref(ctypes.c_char(b'x')))
    if result == 0: escaped('ioctl %x' % number)
    said.append(errno.errorcode.get(ctypes.get_errno()))
held(','.join(said))`,
  },
  {
    name: 'a hard link to what is outside',
    stands: 'link(2)',
    control: true,
    program: `
import tempfile
folder = tempfile.mkdtemp(dir=OWN if os.path.isdir(OWN) else '/tmp')
for source in (OUTSIDE, '/etc/hosts', '/usr/bin/env', sys.executable):
    done, why = attempt(lambda: os.link(source, folder + '/link') or True)
    if done: escaped('link to ' + source)
held(why)`,
  },
  {
    name: 'a program that makes us root',
    stands: 'execve(2), set-user-ID; CVE-2021-4034 (pkexec), CVE-2021-3156 (sudo)',
    program: `
import shutil, subprocess
status = open('/proc/self/status').read()
if 'NoNewPrivs:\\t1' not in status: escaped('new privileges')
copy = OWN + '/shell'
shutil.copy(os.path.realpath('/bin/sh') if os.path.exists('/bin/sh') else sys.executable, copy)
before = os.geteuid()
attempt(lambda: os.chmod(copy, 0o6755))
for program in [copy] + [path for path in ('/usr/bin/su', '/usr/bin/mount', '/usr/bin/passwd', '/usr/bin/sudo', '/usr/bin/newgrp') if os.path.exists(path)]:
    child = subprocess.Popen([program, '-c', 'grep -E "^(Uid|CapEff)" /proc/self/status'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, text=True)
    out = child.communicate()[0]
    for line in out.splitlines():
        if line.startswith('Uid') and str(before) not in line.split()[1:3]: escaped(program + ' ' + line)
held('the same user')`,
  },
  {
    name: 'more capabilities',
    stands: 'capabilities(7)',
    program: `
status = dict(line.split(':\\t') for line in open('/proc/self/status').read().splitlines() if ':\\t' in line)
effective, bounding = int(status['CapEff'], 16), int(status['CapBnd'], 16)
# CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID: what an image gets that starts as root of its own ids.
own = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7
if (effective | bounding) & ~own: escaped('%x' % (effective | bounding))
header = ctypes.create_string_buffer(struct.pack('<Ii', 0x20080522, 0))
data = ctypes.create_string_buffer(struct.pack('<IIIIII', 0xffffffff, 0xffffffff, 0xffffffff, 0x1ff, 0x1ff, 0))
held(denied('capset', header, data))`,
  },
  {
    name: 'another mapping of ids',
    stands: 'user_namespaces(7), /proc/PID/uid_map; CVE-2018-18955',
    program: `
said = []
for name in ('uid_map', 'gid_map'):
    def write():
        with open('/proc/self/' + name, 'w') as file: file.write('0 0 1')
        return True
    done, why = attempt(write)
    if done: escaped(name)
    said.append(why)
with open('/proc/self/uid_map') as file: rows = [line.split() for line in file]
if any(int(row[2]) > 65536 for row in rows): escaped('all ids')
held(','.join(said))`,
  },
  {
    name: 'the runtime itself, overwritten',
    stands: 'CVE-2019-5736',
    program: `
said = []
for path in ('/proc/self/exe', '/proc/1/exe', '/proc/%d/exe' % os.getppid()):
    file, why = attempt(lambda: os.open(path, os.O_WRONLY))
    if file is not None: escaped(path)
    said.append(why)
    place, why = attempt(lambda: os.open(path, os.O_PATH if hasattr(os, 'O_PATH') else 0o10000000))
    if place is not None:
        file, why = attempt(lambda: os.open('/proc/self/fd/%d' % place, os.O_WRONLY | os.O_APPEND))
        if file is not None: escaped(path)
    said.append(why)
held(','.join(sorted(set(said))))`,
  },
  {
    name: 'descriptors that were left open',
    stands: 'CVE-2024-21626, CVE-2016-9962',
    program: `
for name in os.listdir('/proc/self/fd'):
    if int(name) <= 2: continue
    target, why = attempt(lambda: os.readlink('/proc/self/fd/' + name))
    if target is None or target.startswith('/proc/%d/fd' % os.getpid()) or target == '/proc/self/fd': continue
    escaped('%s %s' % (name, target))
for name in range(3, 32): search(['/proc/self/fd/%d' % name])
cwd = os.getcwd()
if not cwd.startswith('/'): escaped(cwd)
held('none')`,
  },
  {
    name: 'the other convention of the processor',
    stands: 'int 0x80 from a 64-bit program: filters that look at one of them only',
    only: 'x64',
    mayDie: true,
    program: `
import mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
# mov eax, 310 (unshare of i386); mov ebx, CLONE_NEWUSER; int 0x80; ret
code.write(b'\\x53\\xb8\\x36\\x01\\x00\\x00\\xbb\\x00\\x00\\x00\\x10\\xcd\\x80\\x5b\\xc3')
function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
result = function()
if result == 0: escaped('int 0x80')
held(str(result))`,
  },
  {
    name: 'the third convention of the processor',
    stands: 'x32: the same calls under other numbers',
    only: 'x64',
    mayDie: true,
    program: `
result = libc.syscall(0x40000000 + NR['unshare'][0], ${CLONE_NEW.USER})
if result == 0: escaped('x32')
held(errno.errorcode.get(ctypes.get_errno()))`,
  },
  {
    name: 'memory without its protections',
    stands: 'personality(2), READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE',
    program: `held(denied('personality', 0x0400000) + ', ' + denied('personality', 0x0040000))`,
  },
  {
    name: 'another kernel, or more of it',
    stands: 'init_module(2), kexec_load(2), reboot(2)',
    program: `
held(', '.join([denied('init_module', b'', 0, b''), denied('finit_module', 0, b'', 0), denied('delete_module', b'x', 0),
  denied('kexec_load', 0, 0, 0, 0), denied('kexec_file_load', 0, 0, 0, 0, 0), denied('reboot', 0xfee1dead, 672274793, 0, 0)]))`,
  },
  {
    name: 'clock, swap, accounting, quotas, log',
    stands: 'settimeofday(2), swapon(2), acct(2), quotactl(2), syslog(2)',
    program: `
import time
now = ctypes.create_string_buffer(struct.pack('<qq', int(time.time()), 0))
held(', '.join([denied('settimeofday', now, 0), denied('clock_settime', 0, now), denied('swapon', b'/x', 0),
  denied('acct', 0), denied('quotactl', 0x80000100, b'/', 0, 0), denied('syslog', 2, ctypes.create_string_buffer(64), 64),
  denied('sethostname', b'x', 1), denied('vhangup'), denied('lookup_dcookie', 0, 0, 0), denied('nfsservctl', 0, 0, 0)]))`,
  },
  {
    name: 'files of others, watched',
    stands: 'fanotify(7)',
    program: `held(denied('fanotify_init', 0, 0) + ', ' + denied('fanotify_init', 0x200, 0))`,
  },
  {
    name: 'a descriptor of another process',
    stands: 'pidfd_getfd(2)',
    program: `
said = []
for pid in (1, VICTIM):
    file, why = call('pidfd_open', pid, 0)
    if file < 0: said.append(why); continue
    for number in range(0, 8):
        result, why = call('pidfd_getfd', file, number, 0)
        if result >= 0: escaped('pidfd_getfd')
    said.append(why)
held(','.join(sorted(set(said))))`,
  },
  {
    name: 'more than a fair share',
    stands: 'setpriority(2), sched(7), oom_score_adj',
    program: `
said = []
def write():
    with open('/proc/self/oom_score_adj', 'w') as file: file.write('-1000')
    return True
for what, work in [('oom', write), ('nice', lambda: os.setpriority(os.PRIO_PROCESS, 0, -20) or True), ('fifo', lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)) or True)]:
    done, why = attempt(work)
    if done: escaped(what)
    said.append(why)
import resource
for kind in (resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
    try:
        resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        escaped('rlimit %d' % kind)
    except (ValueError, PermissionError): said.append('rlimit')
held(','.join(said))`,
  },
  {
    name: 'memory that others share',
    stands: 'shm_overview(7), sysvipc(7), ipc_namespaces(7)',
    control: true,
    program: `
for name in os.listdir('/dev/shm'):
    if SECRET in name: escaped('/dev/shm/' + name)
held('only its own')`,
  },
  {
    name: 'files given to root',
    stands: 'chown(2)',
    program: `
path = OWN + '/gift'
open(path, 'w').close()
held(','.join(attempt(lambda: os.chown(path, uid, uid))[1] or 'its own id' for uid in (0, 65534, 100000)))`,
  },
  {
    name: 'the secrets of whoever started us',
    stands: 'environ(7)',
    control: true,
    program: `
if 'ESCAPES_HOST_SECRET' in env: escaped('environment')
for pid in os.listdir('/proc'):
    if pid.isdigit() and secret_in('/proc/%s/environ' % pid) and b'ESCAPES_HOST_SECRET' in open('/proc/%s/environ' % pid, 'rb').read(): escaped(pid)
held('only what was set')`,
  },
  {
    name: 'homes, keys and sockets',
    stands: 'the usual places',
    control: true,
    program: `
for entry in env['PLACES'].split('\\n'):
    device, number, path = entry.split(' ', 2)
    # Something else may stand there, that leads nowhere.
    stat, why = attempt(lambda: os.stat(path))
    if stat is not None and (str(stat.st_dev), str(stat.st_ino)) == (device, number): escaped(path)
held('none of them')`,
  },
  {
    name: 'a daemon that stays',
    stands: 'daemon(7), double fork',
    program: `
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.closerange(0, 3)
        os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(600)', 'daemon-' + SECRET])
    os._exit(0)
os.wait()
import time
time.sleep(0.3)
held('left behind, to be found')`,
  },
];
