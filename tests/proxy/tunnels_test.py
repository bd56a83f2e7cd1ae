"""Many tunnels through `lilith proxy` at once: each carries its own bytes, a reload of the policy touches none of them,
and each has its two events. tunnels_test.py --lilith PROGRAM [--tunnels N]; 10,000 with LILITH_LONG, else 300."""

import argparse
import collections
import json
import os
import pathlib
import resource
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

SECONDS = 400
# What comes into being at once; the listen queues and the proxy's deciding threads take the rest in turn.
BURST = 200
SPARE_FILES = 100

POLICY = """version: "1"
egress:
  default_action: deny
  allowed_destinations:
    - {{host: 127.0.0.1, ports: [{port}], protocols: [tcp]}}
{more}audit:
  enabled: true
  log_path: "{folder}/log/agent-audit.log"
"""


def expect(condition, what):
    if not condition:
        print("failed:", what)
        sys.exit(1)


def tunnels_possible(wanted):
    """As many as open files allow: the proxy has two for each; this process has its own end and the server's."""
    needed = 2 * wanted + SPARE_FILES
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(needed, hard), max(needed, hard)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        wanted = (hard - SPARE_FILES) // 2
        print(f"only {hard} open files are allowed (ulimit -Hn): {wanted} tunnels")
    return wanted


class Echo(threading.Thread):
    """Sends back whatever comes, on any number of connections."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]

    def run(self):
        selector = selectors.DefaultSelector()
        selector.register(self.listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is self.listener:
                    connection, _ = self.listener.accept()
                    connection.setblocking(False)
                    selector.register(connection, selectors.EVENT_READ)
                    continue
                try:
                    data = key.fileobj.recv(4096)
                    if data:
                        key.fileobj.send(data)
                        continue
                except ConnectionError:
                    pass
                selector.unregister(key.fileobj)
                key.fileobj.close()


def say_and_hear(connections, texts, ends_with=None):
    """All of them at once: one text to each, and what comes back up to as many bytes, or up to an end."""
    selector = selectors.DefaultSelector()
    heard = {}
    for number, (connection, text) in enumerate(zip(connections, texts)):
        connection.sendall(text)
        connection.setblocking(False)
        heard[number] = b""
        selector.register(connection, selectors.EVENT_READ, number)
    left, until = len(heard), time.monotonic() + SECONDS
    while left:
        expect(time.monotonic() < until, f"{left} of {len(heard)} tunnels are silent")
        for key, _ in selector.select(5):
            data = key.fileobj.recv(4096)
            expect(data, f"tunnel {key.data} was closed: {heard[key.data]}")
            heard[key.data] += data
            whole = heard[key.data].endswith(ends_with) if ends_with else len(heard[key.data]) >= len(texts[key.data])
            if whole:
                selector.unregister(key.fileobj)
                left -= 1
    selector.close()
    return list(heard.values())


def open_tunnels(proxy_port, port, count):
    tunnels = []
    request = f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    while len(tunnels) < count:
        burst = [socket.create_connection(("127.0.0.1", proxy_port)) for _ in range(min(BURST, count - len(tunnels)))]
        for answer in say_and_hear(burst, [request] * len(burst), b"\r\n\r\n"):
            expect(answer.startswith(b"HTTP/1.1 200"), answer)
        tunnels += burst
    return tunnels


def status_of(pid):
    lines = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0])


def soak(lilith, folder, count):
    echo = Echo()
    echo.start()
    policy = folder / "policy.yaml"
    policy.write_text(POLICY.format(port=echo.port, folder=folder, more=""))
    process = subprocess.Popen([lilith, "proxy", "--listen", "127.0.0.1:0", "--policy", str(policy)],
                               stdout=subprocess.PIPE, text=True)
    proxy_port = int(process.stdout.readline().rsplit(":", 1)[1])
    tunnels = open_tunnels(proxy_port, echo.port, count)
    texts = [f"tunnel {number} says this".encode() for number in range(count)]
    expect(say_and_hear(tunnels, texts) == texts, "bytes of one tunnel came out of another")
    policy.write_text(POLICY.format(port=echo.port, folder=folder, more="    - nowhere.example\n"))
    process.send_signal(signal.SIGHUP)
    expect(say_and_hear(tunnels, texts) == texts, "a reload of the policy touched tunnels")
    peak = status_of(process.pid)
    process.terminate()
    expect(process.wait(SECONDS) == 0, "the proxy did not end by itself")
    events = collections.Counter()
    with open(folder / "log" / "agent-audit.log") as log:
        for line in log:
            event = json.loads(line)["lilith"]
            events[event["event"]] += 1
            if event["event"] == "connection_closed":
                size = len(texts[0]) * 2
                expect(int(event["detail"]["bytes_up"]) >= size and int(event["detail"]["bytes_down"]) >= size, event)
    expect(events["decision"] == count and events["connection_closed"] == count, events)
    print(f"{count} tunnels at once: peak memory of the proxy {peak} KiB, {peak / count:.1f} KiB a tunnel")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lilith", type=pathlib.Path, required=True)
    parser.add_argument("--tunnels", type=int, default=10_000 if os.environ.get("LILITH_LONG") else 300)
    options = parser.parse_args()
    count = tunnels_possible(options.tunnels)
    with tempfile.TemporaryDirectory() as root:
        soak(str(options.lilith.resolve()), pathlib.Path(root).resolve(), count)


if __name__ == "__main__":
    main()
