"""A machine of its own for the commands of a page: user `dev` with an empty home on host `ws-42`, no network, the
programs of this build in PATH. Namespaces keep the page away from the machine that the test runs on."""

import fcntl
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

INSIDE = "LILITH_DOCS_NAMESPACE"
SOURCE = pathlib.Path(os.environ.get("LILITH_SOURCE_DIR", "."))
BIN = pathlib.Path(os.environ.get("LILITH_BIN_DIR", "build/release/bin"))
ROOM = pathlib.Path("/mnt")
WORK = ROOM / "work"
USER, UID, HOME = "dev", 1000, "/home/dev"
RECORDER_UID = 990  # user `lilith`, as the package makes it
# What pages name of a checkout.
TREE = ["rules/policies", "packaging", "scripts", "wazuh", "tests/replay/history", "CHANGELOG.md"]
STATE = ["/etc/lilith", "/etc/claude-code", "/var/log/lilith", "/var/lib/lilith", "/run/lilith"]
TIMEOUT_S = 120
SKIPPED = 77  # SKIP_RETURN_CODE of ctest


NAMESPACES = ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child"]


def why_not():
    """None where namespaces can be had, else the reason."""
    if os.geteuid() != 0:
        return "only root can make a machine in which files are root's and a user's own"
    trial = subprocess.run([*NAMESPACES, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, text=True,
                           check=False)
    if trial.returncode == 0:
        return None
    return f"no namespaces to keep the machine from the commands: {trial.stderr.strip()}"


def enter():
    """Starts this program again in namespaces, if it is not in them yet. Returns why not where there are none."""
    if os.environ.get(INSIDE):
        return None
    reason = why_not()
    if reason is None:
        os.environ[INSIDE] = "1"
        os.execvp("unshare", [*NAMESPACES, sys.executable, "-B", *sys.argv])
    return reason


def mount(*words):
    subprocess.run(["mount", *map(str, words)], check=True)


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        # SIOCSIFFLAGS with IFF_UP and IFF_RUNNING, netdevice(7).
        fcntl.ioctl(sock, 0x8914, struct.pack("16sH14x", b"lo", 0x1 | 0x40))


def etc():
    texts = {"passwd": f"root:x:0:0:root:/root:/bin/bash\n{USER}:x:{UID}:{UID}::{HOME}:/bin/bash\n"
                       f"lilith:x:{RECORDER_UID}:{RECORDER_UID}::/nonexistent:/usr/sbin/nologin\n",
             "group": f"root:x:0:\n{USER}:x:{UID}:\nlilith:x:{RECORDER_UID}:\n", "hosts": "127.0.0.1 localhost\n",
             "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n"}
    for name, text in texts.items():
        file = ROOM / name
        file.write_text(text)
        if pathlib.Path("/etc", name).exists():
            mount("--bind", file, f"/etc/{name}")


def system_folders(made):
    """/run, /var/log, /var/lib and /etc as on a fresh machine: what the package owns there can be made."""
    for folder in ("/run", "/var/log", "/var/lib"):
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    subprocess.run(["cp", "-a", "/etc", str(made / "etc")], check=True)
    shutil.rmtree(made / "etc/lilith", ignore_errors=True)
    (made / "etc/lilith").mkdir()
    mount("--bind", ROOM / "etc", "/etc")


def furnish(writable_source=False, with_system_folders=False):
    """Mounts and files, once, inside of the namespaces. The checkout itself is in /mnt/source if asked for."""
    made = pathlib.Path(tempfile.mkdtemp())
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", made)
    for folder in ("bin", "work", "home/dev"):
        (made / folder).mkdir(parents=True)
    mount("--bind", BIN, made / "bin")
    for name in TREE:
        if (SOURCE / name).is_dir():
            shutil.copytree(SOURCE / name, made / "work" / name)
        else:
            shutil.copy(SOURCE / name, made / "work" / name)
    shutil.copytree(SOURCE / "tests/docs/before", made / "before")
    shutil.copytree(SOURCE / "tests/security", made / "security")
    if writable_source:
        (made / "source").mkdir()
        mount("--bind", SOURCE, made / "source")
    mount("--rbind", made, ROOM)
    for folder in ("/tmp", "/dev/shm", *(place for place in STATE if os.path.isdir(place))):
        mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", folder)
    mount("--bind", ROOM / "home", "/home")
    mount("-t", "proc", "proc", "/proc")
    if with_system_folders:
        system_folders(ROOM)
    etc()
    for path in (ROOM / "work", "/home/dev"):
        subprocess.run(["chown", "-R", f"{UID}:{UID}", str(path)], check=True)
    loopback_up()
    socket.sethostname("ws-42")


def start(script, output):
    """bash with SCRIPT as the page's user in its working folder, printing into the file OUTPUT."""
    environment = {"HOME": HOME, "USER": USER, "LOGNAME": USER, "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "dumb",
                   # scripts/demo takes these instead of building its own.
                   "LILITH_BIN_DIR": str(ROOM / "bin"),
                   "PATH": f"{HOME}/bin:{ROOM}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
    return subprocess.Popen(["bash", "-c", script], cwd=WORK, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                            stderr=subprocess.STDOUT, start_new_session=True, user=UID, group=UID, extra_groups=[])


def run(script):
    """Runs SCRIPT to its end: (exit code, what it printed). What it left in the background goes on."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        process = start(script, output)
        code = process.wait(timeout=TIMEOUT_S)
        output.seek(0)
        return code, output.read()


def test_inside(programs=(), **furniture):
    """The unittest cases of the script that calls, in a machine furnished so; returns its exit code."""
    missing = next((name for name in programs if shutil.which(name) is None), None)
    reason = enter() or (missing and f"{missing} is not installed here (scripts/setup test)")
    if reason:
        print(f"skipped: {reason}")
        return SKIPPED
    furnish(**furniture)
    return 0 if unittest.main(verbosity=2, exit=False).result.wasSuccessful() else 1
