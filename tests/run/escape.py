"""Tries to get out of the fence: escape.py HOST_PORT UNIX_PATH ABSTRACT_NAME HOST_PID OUT_FILE fenced|bare

Writes one JSON object, name -> "out" or why not. `bare` is the control without a fence: it tries only ways that leave
nothing changed. The ways that would change the machine (mounts, its name) are tried by `fenced` alone, and only where
this process is no longer in the namespaces of the machine."""

import ctypes
import json
import os
import socket
import struct
import subprocess
import sys

HOST_PORT, UNIX_PATH, ABSTRACT, HOST_PID = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
OUTSIDE4, OUTSIDE6 = "192.0.2.1", "2001:db8::1"
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, CLONE_NEWNET, TIOCSTI = 0x10000000, 0x40000000, 0x5412
IO_URING_SETUP = 425


def connect(family, kind, address):
    with socket.socket(family, kind) as one:
        one.settimeout(2)
        try:
            one.connect(address)
        except TimeoutError:
            pass  # on its way: there is a route


def send(family, address):
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", address)


def call(number, *arguments):
    if LIBC.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def dns():
    question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01"
    for line in open("/etc/resolv.conf"):
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            with socket.socket(socket.AF_INET6 if ":" in words[1] else socket.AF_INET, socket.SOCK_DGRAM) as one:
                one.settimeout(2)
                one.sendto(question, (words[1], 53))
                one.recv(512)
                return
    raise OSError("no name server answers")


def new_namespace():
    child = os.fork()
    if child == 0:
        try:
            check(LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNET))
            connect(socket.AF_INET, socket.SOCK_STREAM, (OUTSIDE4, 443))
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        raise OSError("refused, or without a route")


def without_proxy_variables():
    # And with a library preloaded, as tools do that catch connect(2): the kernel does not care.
    environment = {"PATH": os.environ["PATH"], "LD_PRELOAD": "libc.so.6"}
    done = subprocess.run(["curl", "-sS", "-m", "3", "--noproxy", "*", f"http://127.0.0.1:{HOST_PORT}/"],
                          env=environment, capture_output=True)
    # 52: connected, and no answer.
    if done.returncode not in (0, 28, 52, 56):
        raise OSError(done.stderr.decode())


def host_process():
    if os.path.exists(f"/proc/{HOST_PID}/cmdline"):
        with open(f"/proc/{HOST_PID}/cmdline", "rb") as one:
            if b"lilith" in one.read():
                os.kill(HOST_PID, 0)
                return
    raise OSError("there is no such process")


def inherited():
    for number in range(3, 256):
        try:
            if socket.socket(fileno=os.dup(number)).getpeername():
                return
        except OSError:
            continue
    raise OSError("no socket was inherited")


WAYS = {
    "host_loopback": lambda: connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", HOST_PORT)),
    "host_loopback_mapped": lambda: connect(socket.AF_INET6, socket.SOCK_STREAM, ("::ffff:127.0.0.1", HOST_PORT)),
    "ipv4": lambda: connect(socket.AF_INET, socket.SOCK_STREAM, (OUTSIDE4, 443)),
    "ipv6": lambda: connect(socket.AF_INET6, socket.SOCK_STREAM, (OUTSIDE6, 443)),
    "udp": lambda: send(socket.AF_INET, (OUTSIDE4, 53)),
    "udp6": lambda: send(socket.AF_INET6, (OUTSIDE6, 53)),
    "dns": dns,
    "unix": lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, UNIX_PATH),
    "unix_packets": lambda: connect(socket.AF_UNIX, socket.SOCK_SEQPACKET, UNIX_PATH + ".packets"),
    "abstract": lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + ABSTRACT),
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
    "vsock": lambda: socket.socket(40, socket.SOCK_STREAM, 0),
    "packet": lambda: socket.socket(17, socket.SOCK_RAW, 0),
    "raw": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "io_uring": lambda: call(IO_URING_SETUP, 1, ctypes.create_string_buffer(256)),
    "ptrace": lambda: check(LIBC.ptrace(0, 0, 0, 0)),
    "setns": lambda: check(LIBC.setns(os.open("/proc/self/ns/net", os.O_RDONLY), 0)),
    "new_namespace": new_namespace,
    "without_proxy_variables": without_proxy_variables,
    "host_process": host_process,
    "inherited": inherited,
    "terminal": lambda: __import__("fcntl").ioctl(0, TIOCSTI, b"x"),
    "mount": lambda: check(LIBC.mount(b"none", os.getcwd().encode(), b"tmpfs", 0, None)),
    "host_name": lambda: check(LIBC.sethostname(b"x", 1)),
    "program": lambda: os.chmod(os.environ["LILITH_PROGRAM"], os.stat(os.environ["LILITH_PROGRAM"]).st_mode & 0o7777),
    "policy": lambda: open(os.environ["LILITH_POLICY_FILE"], "r+b").close(),
}

HARMLESS_BARE = {"host_loopback", "host_loopback_mapped", "unix", "unix_packets", "abstract", "without_proxy_variables",
                 "host_process", "inherited", "policy"}
BARE = sys.argv[6] == "bare"
HOST_NAMESPACES = json.loads(os.environ["HOST_NAMESPACES"])


def may_try(name):
    if BARE:
        return name in HARMLESS_BARE
    return all(os.readlink(f"/proc/self/ns/{kind}") != HOST_NAMESPACES[kind] for kind in ("mnt", "uts", "pid", "net"))


answers = {}
for name, way in WAYS.items():
    if not may_try(name):
        if not BARE:
            answers[name] = "out"  # still in a namespace of the machine: nothing is tried there
        continue
    try:
        way()
        answers[name] = "out"
    except (OSError, struct.error) as why:
        answers[name] = str(why)
with open(sys.argv[5], "w") as out:
    json.dump(answers, out)
