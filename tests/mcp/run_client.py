"""One real MCP client and server with `lilith mcp` between them: what does the client see, what does the log say?

Exit codes: 0 passed, 1 failed, 77 skipped (the reason is printed)."""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

SKIPPED = 77
SECONDS = 100
# Far below the 100 MB that go through; the rest is the program itself.
PEAK_KIB_MAX = 48 * 1024

POLICY = """version: "1"
egress:
  default_action: deny
  allowed_destinations: [{{host: 127.0.0.1, ports: [{port}], protocols: [http]}}]
tool_invocations:
  default_action: deny
  allowed_tools:
{tools}
    - name: ReadMcpResourceTool
      servers: [demo]
    - name: read_file
      path_allowlist: ["{folder}/**"]
audit:
  enabled: true
  log_path: "{folder}/log/agent-audit.log"
"""
TOOLS = {
    "everything": ["echo", "get-sum", "trigger-sampling-request", "get-roots-list", "trigger-long-running-operation"],
    "denied": ["echo"],
    "filesystem": ["read_text_file"],
    "later_version": ["echo", "zone"],
    "streaming": ["big"],
    "closing": ["pid"],
    "http": ["echo", "get-sum", "trigger-sampling-request", "get-roots-list", "trigger-long-running-operation"],
    "http_sse": ["echo", "get-sum", "trigger-sampling-request", "get-roots-list", "trigger-long-running-operation"],
    "http_later": ["echo", "zone"],
}
# Servers over HTTP: program and arguments below the clients' folder; a line that names the port says that it listens.
HTTP_SERVERS = {
    "http": ["node_modules/@modelcontextprotocol/server-everything/dist/index.js", "streamableHttp"],
    "http_sse": ["node_modules/@modelcontextprotocol/server-everything/dist/index.js", "sse"],
    "http_later": ["server.mjs", "http"],
}


def expect(condition, what):
    if not condition:
        print("failed:", what)
        sys.exit(1)


def check_everything(answer, folder, decisions):
    # How many of the notifications come before the result is up to the server and differs from run to run.
    progress = [answer[way].pop("progress") for way in ("direct", "through")]
    expect(progress[1] and all(one == list(range(1, len(one) + 1)) for one in progress),
           f"progress notifications are missing or out of order: {progress}")
    expect(answer["through"] == answer["direct"], f"through the proxy the client sees something else: {answer}")
    expect("sampled 7" in json.dumps(answer["through"]["sampling"]), "the server's own request was not answered")
    expect([one["action"] for one in decisions] == ["allowed"] * 5, decisions)
    expect(all(one["lilith"]["detail"] == {"client": "lilith-test"} for one in decisions), decisions)


def check_denied(answer, folder, decisions):
    expect(answer["env"]["isError"] is True and "mcp__demo__get-env" in answer["env"]["content"][0]["text"], answer)
    expect(answer["resource"]["code"] == -32010, answer)
    expect("isError" not in answer["still_alive"] or not answer["still_alive"]["isError"], answer)
    expect([one["action"] for one in decisions] == ["denied", "denied", "allowed"], decisions)


def check_filesystem(answer, folder, decisions):
    expect(answer["read"]["content"][0]["text"] == "a note\n", answer)
    expect(answer["write"]["isError"] is True, answer)
    expect(not (folder / "new.txt").exists(), "a denied call wrote the file")


def check_later_version(answer, folder, decisions):
    expect(answer["negotiated"] == "2026-07-28", answer)
    expect(answer["tools"] == ["echo", "big", "zone", "pid"], answer)
    expect(answer["zone"]["content"][0]["text"] == "caf\u00e9", answer)
    expect(answer["allowed"]["content"][0]["text"] == "x", answer)
    expect(answer["denied"]["isError"] is True, answer)
    expect([one["action"] for one in decisions] == ["allowed", "allowed", "denied"], decisions)


def without_egress(decisions):
    """Each start of the proxy decides on the server's host; a client may start it more than once."""
    egress = [one["action"] for one in decisions if one["category"] == "egress"]
    expect(egress and set(egress) == {"allowed"}, decisions)
    return [one for one in decisions if one["category"] != "egress"]


def check_http(answer, folder, decisions):
    check_everything(answer, folder, without_egress(decisions))


def check_http_sse(answer, folder, decisions):
    check_http(answer, folder, decisions)


def check_http_later(answer, folder, decisions):
    check_later_version(answer, folder, without_egress(decisions))


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class HttpServer:
    """A real server over HTTP, for the time of one case."""

    def __init__(self, node, clients, case):
        self.port = free_port()
        program, *arguments = HTTP_SERVERS[case]
        self.process = subprocess.Popen([node, clients / program, *arguments], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, env={**os.environ, "PORT": str(self.port)})
        # It says so when it listens.
        expect(any(str(self.port).encode() in line for line in iter(self.process.stderr.readline, b"")),
               "the server over HTTP did not start")
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.port}/{'sse' if case == 'http_sse' else 'mcp'}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def stream(command, environment):
    """A result of 100 MB, read as it comes: the SDK's client refuses lines of that length."""
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def say(message):
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        process.stdin.flush()

    say({"id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {},
                                                     "clientInfo": {"name": "lilith-test", "version": "1"}}})
    process.stdout.readline()
    say({"method": "notifications/initialized"})
    say({"id": 2, "method": "tools/call", "params": {"name": "big", "arguments": {"bytes": 100_000_000}}})
    answer = json.loads(process.stdout.readline())
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    process.stdin.close()
    process.stdout.read()
    peak = int(re.search(r"VmHWM:\s+(\d+)", status).group(1))
    return {"bytes": len(answer["result"]["content"][0]["text"]), "peak_kib": peak, "code": process.wait()}


def check_streaming(answer, folder, decisions):
    expect(answer["bytes"] == 100_000_000 and answer["code"] == 0, answer)
    print(f"peak memory of the proxy: {answer['peak_kib']} KiB for a result of 100 MB")
    if not os.environ.get("LILITH_SANITIZE"):  # whose shadow memory is none of the program's
        expect(answer["peak_kib"] < PEAK_KIB_MAX, answer)


def check_closing(answer, folder, decisions):
    expect(answer["server_gone"], "the server outlived its client")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=pathlib.Path, required=True)
    parser.add_argument("--lilith", type=pathlib.Path, required=True)
    parser.add_argument("--case", choices=TOOLS, required=True)
    options = parser.parse_args()
    unavailable = options.clients / "unavailable"
    if unavailable.exists():
        print("skipped: the MCP clients are not installed:", unavailable.read_text())
        sys.exit(SKIPPED)
    node = shutil.which("node")
    if not node:
        print("skipped: node is not installed")
        sys.exit(SKIPPED)
    here = pathlib.Path(__file__).parent
    for name in ("client.mjs", "server.mjs"):
        # Side by side with node_modules, where node looks for what they import.
        temporary = options.clients / f"{name}.{os.getpid()}"
        shutil.copy(here / name, temporary)
        temporary.rename(options.clients / name)
    clients = options.clients.resolve()
    over_http = HttpServer(node, clients, options.case) if options.case in HTTP_SERVERS else contextlib.nullcontext()
    with tempfile.TemporaryDirectory() as root, over_http as server:
        folder = pathlib.Path(root).resolve()
        (folder / "note.txt").write_text("a note\n")
        tools = "\n".join(f"    - name: mcp__demo__{tool}" for tool in TOOLS[options.case])
        policy = folder / "policy.yaml"
        policy.write_text(POLICY.format(tools=tools, folder=folder, port=server.port if server else 1))
        lilith = str(options.lilith.resolve())
        proxy = [lilith, "mcp", "--server", "demo", "--policy", str(policy), "--pin", "deny",
                 *(["--url", server.url] if server else ["--"])]
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state")}
        if options.case == "streaming":
            answer = stream([*proxy, node, str(options.clients.resolve() / "server.mjs")], environment)
        else:
            client = str(options.clients.resolve() / "client.mjs")
            done = subprocess.run([node, client, options.case, str(folder), *proxy], env=environment,
                                  capture_output=True, text=True, timeout=SECONDS)
            sys.stderr.write(done.stderr)
            expect(done.returncode == 0, f"the client ended with {done.returncode}")
            answer = json.loads(done.stdout)
        log = folder / "log" / "agent-audit.log"
        events = [json.loads(line) for line in log.read_text().splitlines()]
        decisions = [one for one in events if one["lilith"]["event"] == "decision"]
        globals()[f"check_{options.case}"](answer, folder, decisions)


if __name__ == "__main__":
    main()
