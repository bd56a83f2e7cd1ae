"""Bytes through a tunnel of `lilith proxy` against those of a peer that only copies, in turn: proxy_bench.py --lilith
PROGRAM [--rounds N] [--mib N]. Peers: nginx's stream module (forwards TCP to one address) and squid (CONNECT), as
installed, or unpacked from Debian's packages into --work without being installed. Prints ratios; asserts nothing."""

import argparse
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time

CHUNK = 1 << 20
WAIT = 20
PACKAGES = {"nginx": ["nginx", "nginx-common", "libnginx-mod-stream"],
            "squid": ["squid", "squid-common", "squid-langpack", "libecap3", "libltdl7", "libnetfilter-conntrack3",
                      "libnfnetlink0"]}
POLICY = """version: "1"
egress:
  default_action: deny
  allowed_destinations: [{{host: 127.0.0.1, ports: [{port}], protocols: [tcp]}}]
audit: {{enabled: true, log_path: "{folder}/log/agent-audit.log"}}
"""
NGINX = """{module}daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
stream {{ server {{ listen 127.0.0.1:{own}; proxy_pass 127.0.0.1:{port}; }} }}
"""
SQUID = """http_port 127.0.0.1:{own}
acl target dst 127.0.0.1
http_access allow target
pid_filename none
cache_log {folder}/cache.log
access_log none
cache deny all
coredump_dir {folder}
logfile_daemon /bin/cat
pinger_enable off
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def unpack(name, work):
    """The packages of a peer, beside the build; why not, or None."""
    target = work / name
    if not (target / "done").exists():
        target.mkdir(parents=True, exist_ok=True)
        for package in PACKAGES[name]:
            done = subprocess.run(["apt-get", "-qq", "download", package], cwd=target, capture_output=True, text=True)
            if done.returncode != 0:
                return f"{package} can't be downloaded: {done.stderr.strip().splitlines()[-1:]}"
        for package in target.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, target], check=True)
        (target / "done").touch()
    return None


class Source(threading.Thread):
    """Sends as much as it is asked for to whoever connects."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def run(self):
        block = memoryview(bytes(CHUNK))
        while True:
            connection, _ = self.listener.accept()
            with connection:
                left = int(connection.recv(64).decode() or 0)
                while left > 0:
                    left -= connection.send(block[:min(left, CHUNK)])


class Peer:
    def __init__(self, name, command, port, connects, environment=None):
        self.name, self.port, self.connects = name, port, connects
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        until = time.monotonic() + WAIT
        while time.monotonic() < until and self.process.poll() is None:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        self.process.kill()
        raise OSError(f"{name} did not listen on port {port}")

    def carry(self, target, size):
        """Wall and CPU seconds for so many bytes down."""
        with socket.create_connection(("127.0.0.1", self.port)) as one:
            if self.connects:
                one.sendall(f"CONNECT 127.0.0.1:{target} HTTP/1.1\r\nHost: 127.0.0.1:{target}\r\n\r\n".encode())
                answer = b""
                while not answer.endswith(b"\r\n\r\n"):
                    answer += one.recv(4096)
                if b" 200 " not in answer.split(b"\r\n")[0]:
                    raise OSError(f"{self.name} says {answer!r}")
            begin, cpu = time.monotonic(), cpu_seconds(self.process.pid)
            one.sendall(str(size).encode())
            buffer, got = bytearray(CHUNK), 0
            while got < size:
                count = one.recv_into(buffer)
                if count == 0:
                    raise OSError(f"{self.name} closed after {got} of {size} bytes")
                got += count
            return time.monotonic() - begin, cpu_seconds(self.process.pid) - cpu


def make_lilith(options, folder, target):
    port = free_port()
    (folder / "policy.yaml").write_text(POLICY.format(port=target, folder=folder))
    return Peer("lilith", [options.lilith, "proxy", "--listen", f"127.0.0.1:{port}", "--policy",
                           str(folder / "policy.yaml")], port, True)


def make_nginx(options, folder, target):
    root = options.work / "nginx"
    modules = [pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so")]
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not modules[0].exists():
        why = unpack("nginx", options.work)
        if why:
            raise OSError(why)
        program = next(iter(root.glob("usr/sbin/nginx")), program)
        modules = list(root.glob("usr/lib/nginx/modules/ngx_stream_module.so"))
    port, config = free_port(), folder / "nginx.conf"
    config.write_text(NGINX.format(module=f"load_module {modules[0]};\n" if modules else "", folder=folder, own=port,
                                   port=target))
    return Peer("nginx", [program, "-c", str(config), "-p", str(folder)], port, False)


def make_squid(options, folder, target):
    program, environment = shutil.which("squid"), None
    root = options.work / "squid"
    if not program:
        why = unpack("squid", options.work)
        if why:
            raise OSError(why)
        program = root / "usr/sbin/squid"
        environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, root.glob("usr/lib/*-linux-gnu")))}
    port, config = free_port(), folder / "squid.conf"
    text = SQUID.format(folder=folder, own=port)
    if root.exists():
        text += (f"mime_table {root}/usr/share/squid/mime.conf\nicon_directory {root}/usr/share/squid/icons\n"
                 f"error_directory {root}/usr/share/squid-langpack/en\nunlinkd_program {root}/usr/lib/squid/unlinkd\n")
    config.write_text(text)
    folder.chmod(0o777)
    return Peer("squid", [str(program), "-N", "-f", str(config)], port, True, environment)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lilith", required=True)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--work", type=lambda text: pathlib.Path(text).resolve(), default="build/peers")
    options = parser.parse_args()
    options.lilith = str(pathlib.Path(options.lilith).resolve())
    options.work.mkdir(parents=True, exist_ok=True)
    size = options.mib << 20
    source = Source()
    source.start()
    with tempfile.TemporaryDirectory() as root:
        folder = pathlib.Path(root).resolve()
        folder.chmod(0o755)
        peers = [make_lilith(options, folder, source.port)]
        for make in (make_nginx, make_squid):
            own = folder / make.__name__
            own.mkdir()
            try:
                peers.append(make(options, own, source.port))
            except OSError as why:
                print(f"skipped: {make.__name__[5:]}: {why}")
        try:
            measure(peers, source.port, size, options.rounds)
        finally:
            for peer in peers:
                peer.process.kill()
                peer.process.wait()


def measure(peers, target, size, rounds):
    wall, cpu = {}, {}
    for turn in range(rounds + 1):
        for peer in peers:
            seconds, used = peer.carry(target, size)
            if turn > 0:  # the first only warms up
                wall.setdefault(peer.name, []).append(seconds)
                cpu.setdefault(peer.name, []).append(used)
    print(f"{size >> 20} MiB through one tunnel, medians of {rounds} rounds in turn, load average "
          f"{os.getloadavg()[0]:.0f}")
    for peer in peers:
        gib = size / (1 << 30)
        print(f"{peer.name:8} {gib / statistics.median(wall[peer.name]):6.2f} GiB/s wall, "
              f"{statistics.median(cpu[peer.name]) / gib:6.3f} s CPU a GiB")
    for peer in peers[1:]:
        rate = statistics.median(there / here for here, there in zip(wall["lilith"], wall[peer.name]))
        ours, theirs = statistics.median(cpu["lilith"]), statistics.median(cpu[peer.name])
        print(f"lilith / {peer.name}: {rate:.2f} by throughput (aim 0.8), "
              + (f"{ours / theirs:.2f} by CPU time" if theirs else "no CPU time counted"))


if __name__ == "__main__":
    main()
