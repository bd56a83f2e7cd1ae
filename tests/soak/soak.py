"""The soak: a fleet's traffic through everything at once, for as long as it is told.

soak.py [--seconds N] [--rate CALLS_PER_SECOND]

Hooks write the log themselves or by the recorder, a proxy decides connections, logs rotate and are deleted when they
are delivered, the shipper sends all of it to Kafka and by syslog, and both receivers go away and come back. Two rules:

1. Every call that was answered, and every connection, is in what arrived at Kafka and in what arrived by syslog, and
   `lilith verify` finds both whole, from the first event on.
2. Memory and descriptors of recorder, proxy and shipper are flat, and each sink catches up: the median of the last
   quarter of the run is at most 1.25 x that of the second one, and a constant (GROWTH) for what is small. The first
   quarter warms up. Outages of the syslog receiver come at the same place of every quarter, so that quarters compare.
   How long a sink then waits before it tries again is chance; that it has caught up ends each quarter.

It prints what it sampled. Exit codes: 0 good, 1 not, 77 skipped (no broker can be had)."""

import argparse
import collections
import http.client
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

import parts

SKIPPED = 77
SOURCE = pathlib.Path(os.environ.get("LILITH_SOURCE_DIR", "."))
BIN = pathlib.Path(os.environ.get("LILITH_BIN_DIR", "build/release/bin"))
TOPIC = "lilith-audit"
CLIENTS = 4
ROTATE_BYTES, QUOTA_BYTES = 128 * 1024, 16 * 1024 * 1024
CAUGHT_UP_BYTES = 64 * 1024
CONSUME_TRIES = 10
LONG_S = 600  # so long that logs rotate (at most once in two minutes), and the broker goes away twice
# An outage fills the shipper's window for that sink (8 MiB, kWindowBytesMax), and the allocator keeps the memory.
GROWTH = {"ship RSS, KiB": 12 * 1024, "RSS, KiB": 4096, "descriptors": 8}
POLICY = """version: "1"
egress:
  default_action: deny
  allowed_destinations:
    - {{host: 127.0.0.1, ports: [{port}], protocols: [http]}}
tool_invocations:
  default_action: deny
  allowed_tools:
    - name: read_file
      path_allowlist: ["/srv/project/**"]
    - name: run_command
      command_allowlist: [git]
audit:
  log_path: "{folder}/direct/agent-audit.log"
  rotate: {{max_bytes: {rotate}, shipper_state: "{folder}/state"}}
  quota: {{max_bytes: {quota}}}
"""
SHIP = """version: "1"
sources: ["{folder}/direct/agent-audit.log", "{folder}/recorder/agent-audit.log"]
state_dir: "{folder}/state"
listen: "127.0.0.1:{listen}"
heartbeat_s: 2
sinks:
  - {{name: kafka, type: kafka, brokers: "127.0.0.1:{kafka}", topic: {topic}}}
  - {{name: syslog, type: syslog, address: "127.0.0.1:{syslog}"}}
"""
CALLS = [("Read", {"file_path": "/srv/project/a.cpp"}, 0), ("Read", {"file_path": "/etc/shadow"}, 2),
         ("Bash", {"command": "git status"}, 0), ("Bash", {"command": "curl https://evil.example/"}, 2),
         ("WebFetch", {"url": "https://evil.example/", "prompt": "x"}, 2)]


class Traffic:
    """Clients that ask by hook and by proxy, at a steady rate, and remember what was answered."""

    def __init__(self, folder, rate, proxy_port, web_port):
        self.folder, self.pause, self.proxy_port, self.web_port = folder, CLIENTS / rate, proxy_port, web_port
        self.lock, self.calls, self.connections, self.faults = threading.Lock(), {}, collections.Counter(), []
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.client, args=(number,)) for number in range(CLIENTS)]

    def client(self, number):
        choose, count = random.Random(number), 0
        while not self.ending.wait(self.pause):
            count += 1
            try:
                if count % 10 == 0:
                    self.connect(choose)
                else:
                    self.ask(f"toolu_{number}_{count}", choose)
            except Exception as error:  # noqa: BLE001: the run's result says so
                self.faults.append(repr(error))

    def ask(self, call, choose):
        tool, arguments, expected = choose.choice(CALLS)
        event = {"session_id": f"s{call}", "hook_event_name": "PreToolUse", "tool_name": tool, "tool_use_id": call,
                 "cwd": "/srv/project", "tool_input": arguments}
        words = [BIN / "lilith-hook", "--agent", "claude-code", "--policy", self.folder / "policy.yaml"]
        if choose.random() < 0.5:
            words += ["--recorder", self.folder / "recorder.sock"]
        done = subprocess.run(words, input=json.dumps(event), capture_output=True, text=True, check=False,
                              env={"PATH": "/usr/bin:/bin", "XDG_STATE_HOME": str(self.folder / "home")})
        with self.lock:
            self.calls[call] = "denied" if expected else "allowed"
            if done.returncode != expected:
                self.faults.append(f"{call} {tool}: exit {done.returncode}, {done.stderr}")

    def connect(self, choose):
        allowed = choose.random() < 0.5
        host = f"127.0.0.1:{self.web_port}" if allowed else "evil.example"
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy_port, timeout=30)
        connection.request("GET", f"http://{host}/x")
        status = connection.getresponse().status
        connection.close()
        with self.lock:
            self.connections["allowed" if allowed else "denied"] += 1
            if status != (200 if allowed else 403):
                self.faults.append(f"proxy: {host} answered {status}")

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join()


class Soak:
    def __init__(self, folder, options, classpath):
        self.folder, self.options = folder, options
        self.web, self.syslog = parts.WebServer(), parts.SyslogReceiver(folder / "syslog.received")
        self.broker = parts.Broker(folder / "kafka", classpath)
        self.listen, self.processes = parts.free_port(), {}
        (folder / "policy.yaml").write_text(POLICY.format(port=self.web.port, folder=folder, rotate=ROTATE_BYTES,
                                                          quota=QUOTA_BYTES), encoding="utf-8")
        (folder / "ship.yaml").write_text(SHIP.format(folder=folder, listen=self.listen, kafka=self.broker.port,
                                                      topic=TOPIC, syslog=self.syslog.port), encoding="utf-8")

    def begin(self, name, *words):
        errors = open(self.folder / f"{name}.err", "wb")
        self.processes[name] = subprocess.Popen([BIN / "lilith", name, *words], stdout=subprocess.PIPE, stderr=errors,
                                                text=True)
        return self.processes[name]

    def end(self, name):
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        code = process.wait(parts.WAIT_S)
        assert code == 0, f"{name} ended with {code}: {(self.folder / f'{name}.err').read_text()[-2000:]}"

    def start(self):
        self.broker.start()
        self.syslog.start()
        parts.eventually(self.broker.listens, "the broker listens")
        socket = self.folder / "recorder.sock"
        self.begin("recorder", "--socket", socket, "--log", self.folder / "recorder/agent-audit.log", "--policy",
                   self.folder / "policy.yaml", "--rotate-bytes", str(ROTATE_BYTES))
        parts.eventually(socket.exists, "the recorder's socket")
        said = self.begin("proxy", "--listen", "127.0.0.1:0", "--policy", self.folder / "policy.yaml").stdout.readline()
        self.begin("ship", "--config", self.folder / "ship.yaml")
        self.samples = parts.Samples(self.processes, self.listen)
        self.traffic = Traffic(self.folder, self.options.rate, int(said.split(":")[-1]), self.web.port)
        parts.eventually(self.metrics_are_served, "the shipper's metrics")

    def metrics_are_served(self):
        try:
            return len(self.samples.lags()) == 2
        except OSError:
            return False

    def run(self):
        """Quarters of the same course: the syslog receiver is away from 0.3 to 0.45 of each. In the first and third the
        broker is killed at half of it and started again. It ends when both receivers have all but the newest."""
        self.traffic.start()
        for quarter in range(4):
            restarts = quarter % 2 == 0 and (quarter == 0 or self.options.seconds >= LONG_S)
            self.sampled(quarter, [(0.3, self.syslog.stop), (0.45, self.syslog.start),
                                   (0.5, self.restart_broker if restarts else None), (1, None)])
            parts.eventually(lambda quarter=quarter: self.caught_up(quarter), "both sinks catch up")
        self.traffic.stop()

    def sampled(self, quarter, course):
        begun, length = time.monotonic(), self.options.seconds / 4
        for until, what in course:
            while (left := begun + until * length - time.monotonic()) > 0:
                self.samples.take(quarter)
                time.sleep(min(length / 20, left))
            if what:
                what()

    def caught_up(self, quarter):
        self.samples.take(quarter)
        return max(self.samples.lags().values()) < CAUGHT_UP_BYTES

    def restart_broker(self):
        self.broker.kill()
        self.broker.start()

    def finish(self):
        parts.eventually(lambda: sum(self.samples.lags().values()) == 0, "all of it is delivered")
        self.end("proxy")
        self.end("recorder")
        parts.eventually(lambda: sum(self.samples.lags().values()) == 0, "the rest is delivered")
        self.end("ship")
        received = {name: self.folder / f"{name}.received" for name in ("kafka", "syslog")}
        for _ in range(CONSUME_TRIES):
            self.broker.consume(TOPIC, received["kafka"])
            if lines_of(received["kafka"]) >= lines_of(received["syslog"]):
                break

    def close(self):
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.broker.kill()


def lines_of(received):
    return {line for line in received.read_bytes().split(b"\n") if line}


def chains(received):
    """{chain: its events and lines}, each line once and in order: at least once is what was promised."""
    out = {}
    for line in lines_of(received):
        event = json.loads(line)
        out.setdefault(event["chain"]["id"], []).append((int(event["lilith"]["seq"]), event, line))
    return {chain: sorted(some, key=lambda one: one[0]) for chain, some in out.items()}


def accounted(soak, name):
    """Faults in what arrived at the receiver NAME."""
    faults, events = [], []
    for chain, some in sorted(chains(soak.folder / f"{name}.received").items()):
        arrived = soak.folder / f"{name}.{chain}.log"
        arrived.write_bytes(b"".join(line + b"\n" for _, _, line in some))
        events += [event for _, event, _ in some]
        verified = subprocess.run([BIN / "lilith", "verify", "--from-start", arrived], capture_output=True, text=True,
                                  check=False)
        print(f"{name}: {verified.stdout.strip().splitlines()[-1].split('.')[0]}")
        if verified.returncode != 0:
            faults.append(f"{name}: {verified.stdout[:3000]}")
    hooks = collections.Counter()
    for event in events:
        inner = event["lilith"]
        if inner["event"] == "decision" and "call" in inner.get("agent", {}):
            hooks[inner["agent"]["call"], event["action"]] += 1
    wanted = collections.Counter(soak.traffic.calls.items())
    if hooks != wanted:
        faults.append(f"{name}: calls that are missing {list(wanted - hooks)[:5]}, too many {list(hooks - wanted)[:5]}")
    closed = sum(event["lilith"]["event"] == "connection_closed" for event in events)
    if closed != soak.traffic.connections["allowed"]:
        faults.append(f"{name}: {closed} closed connections of {soak.traffic.connections['allowed']}")
    kinds = collections.Counter(event["lilith"]["event"] for event in events)
    print(f"  {dict(kinds)}")
    for kind in ("tamper", "log_full", "ship_loss", "policy_load_failed"):
        if kinds[kind]:
            faults.append(f"{name}: {kinds[kind]} events {kind}")
    if soak.options.seconds >= LONG_S and kinds["log_opened"] < 6:
        faults.append(f"{name}: no log was rotated")
    return faults


def grown(samples):
    """What is not flat, by rule 2."""
    faults = []
    for what, medians in samples.medians().items():
        print(f"  {what:<24}" + "".join(f"{value:>12.0f}" for value in medians.values()))
        allowed = next((value for unit, value in GROWTH.items() if what.endswith(unit)), None)
        first, last = medians[1], medians[3]
        if allowed is not None and last > 1.25 * first + allowed:
            faults.append(f"{what} grew from {first:.0f} to {last:.0f}")
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rate", type=float, default=40, help="calls a second")
    options = parser.parse_args()
    classpath, why_not = parts.Broker.classpath(SOURCE, BIN.parent)
    if classpath is None:
        print(f"skipped: no Kafka broker here: {why_not}")
        return SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(pathlib.Path(folder).resolve(), options, classpath)
        try:
            soak.start()
            soak.run()
            soak.finish()
        finally:
            soak.close()
        print(f"{len(soak.traffic.calls)} calls by hook, {soak.traffic.connections.total()} connections")
        faults = soak.traffic.faults[:10] + accounted(soak, "kafka") + accounted(soak, "syslog")
        print("medians by quarter of the run:")
        faults += grown(soak.samples)
    for fault in faults:
        print("FAULT", fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
