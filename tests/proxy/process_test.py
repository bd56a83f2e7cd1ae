"""`lilith proxy` as a process, with curl as its client: process_test.py --lilith PROGRAM.

Exit codes: 0 passed, 1 failed, 77 skipped (the reason is printed)."""

import argparse
import functools
import http.server
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

SKIPPED = 77
SECONDS = 60

POLICY = """version: "1"
egress:
  default_action: deny
  allowed_destinations:
    - {{host: localhost, ports: [{port}], protocols: [http]}}
    - {{host: 127.0.0.1, ports: [{port}], protocols: [http]}}
audit:
  enabled: true
  log_path: "{folder}/log/agent-audit.log"
"""


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def expect(condition, what):
    if not condition:
        print("failed:", what)
        sys.exit(1)


def tour(lilith, folder, port):
    policy = folder / "policy.yaml"
    policy.write_text(POLICY.format(port=port, folder=folder))
    process = subprocess.Popen([lilith, "proxy", "--listen", "127.0.0.1:0", "--policy", str(policy)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = process.stdout.readline()
    expect(said.startswith("lilith proxy: listening on 127.0.0.1:"), said)

    def curl(url):
        return subprocess.run(["curl", "-sS", "-m", "20", "--noproxy", "", "-x", "http://" + said.split()[-1], url],
                              capture_output=True, text=True, timeout=SECONDS)

    allowed = f"http://localhost:{port}/hello.txt"
    expect(curl(allowed).stdout == "hello\n", "an allowed request did not come through")
    expect("[rule egress.default_action]" in curl("http://denied.example/").stdout, "the denial does not name its rule")
    tunnel = curl("https://denied.example/")
    expect(tunnel.returncode == 56 and "403" in tunnel.stderr, tunnel)

    policy.write_text(policy.read_text().replace(f"ports: [{port}]", "ports: [1]"))
    process.send_signal(signal.SIGHUP)
    log = folder / "log" / "agent-audit.log"
    while sum('"event":"policy_loaded"' in line for line in log.read_text().splitlines()) < 2:  # the first at the start
        expect(process.poll() is None, "the proxy ended at HUP")
    expect("lilith denies" in curl(allowed).stdout, "the new policy is not in force")

    process.send_signal(signal.SIGTERM)
    expect(process.wait(SECONDS) == 0, "TERM is no good end")
    events = [json.loads(line) for line in log.read_text().splitlines()]
    actions = [one["action"] for one in events if one["lilith"]["event"] == "decision"]
    expect(actions == ["allowed", "denied", "denied", "denied"], actions)
    expect(sum(one["lilith"]["event"] == "connection_closed" for one in events) == 1, events)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lilith", type=pathlib.Path, required=True)
    lilith = str(parser.parse_args().lilith.resolve())
    if not shutil.which("curl"):
        print("skipped: curl is not installed")
        sys.exit(SKIPPED)
    for where in ("nonsense", "localhost:1", "127.0.0.1:99999"):
        done = subprocess.run([lilith, "proxy", "--listen", where], capture_output=True, text=True, timeout=SECONDS)
        expect(done.returncode == 2 and "--listen wants ADDRESS:PORT" in done.stderr, done)
    with tempfile.TemporaryDirectory() as root:
        folder = pathlib.Path(root).resolve()
        (folder / "hello.txt").write_text("hello\n")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        tour(lilith, folder, server.server_address[1])
        server.shutdown()


main()
