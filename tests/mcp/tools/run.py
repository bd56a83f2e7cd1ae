"""Tools that others made to look at MCP servers and clients, through `lilith mcp`: the inspector's command line and the
conformance suite. Exit codes: 0 passed, 1 failed, 77 skipped (the reason is printed)."""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from run_client import HttpServer, expect, without_egress  # noqa: E402

SKIPPED = 77
SECONDS = 60
# What a client must do that speaks Streamable HTTP; the auth ones ask for OAuth, which is not done.
SCENARIOS = ["initialize", "tools_call", "elicitation-sep1034-client-defaults", "sse-retry"]
POLICY = """version: "1"
egress:
  default_action: deny
  allowed_destinations: [{{host: 127.0.0.1, ports: [{port}], protocols: [http]}}]
tool_invocations:
  default_action: deny
  allowed_tools: [{{name: mcp__demo__echo}}]
audit: {{enabled: true, log_path: "{folder}/log/agent-audit.log"}}
"""


def inspect(options, folder, server):
    """tools/list, an allowed and a denied tools/call, each a run of the inspector of its own."""
    policy = folder / "policy.yaml"
    policy.write_text(POLICY.format(folder=folder, port=server.port if server else 1))
    everything = options.tools / "node_modules/@modelcontextprotocol/server-everything/dist/index.js"
    target = [options.lilith, "mcp", "--server", "demo", "--policy", policy,
              # Without "--", which the inspector takes for its own.
              *(["--url", server.url] if server else [options.node, everything, "stdio"])]
    config = folder / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"demo": {
        "type": "stdio", "command": str(target[0]), "args": [str(word) for word in target[1:]]}}}))

    def run(*words):
        command = [options.tools / "node_modules/.bin/mcp-inspector", "--cli", "--config", config, "--server", "demo"]
        done = subprocess.run([*command, *words], env=options.environment(folder), capture_output=True, text=True,
                              timeout=SECONDS)
        expect(done.returncode == 0, f"{words}: {done.returncode}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    tools = [tool["name"] for tool in run("--method", "tools/list")["tools"]]
    expect("echo" in tools and "get-env" in tools, tools)
    said = run("--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=hello")
    expect(not said.get("isError") and "hello" in said["content"][0]["text"], said)
    denied = run("--method", "tools/call", "--tool-name", "get-env")
    expect(denied["isError"] is True and "mcp__demo__get-env" in denied["content"][0]["text"], denied)
    events = [json.loads(line) for line in (folder / "log" / "agent-audit.log").read_text().splitlines()]
    decisions = [one for one in events if one["lilith"]["event"] == "decision"]
    if server:
        decisions = without_egress(decisions)
    expect([one["action"] for one in decisions] == ["allowed", "denied"], decisions)


def failures(check):
    """When the stream was taken up again is the machine's affair, unless it was before its time."""
    if check["id"] == "client-sse-retry-timing":
        return check["details"].get("tooEarly", False)
    return check["status"] == "FAILURE"


def conform(options, folder):
    shutil.copy(pathlib.Path(__file__).parent / "client.mjs", options.tools / "client.mjs")
    for scenario in SCENARIOS:
        results = folder / scenario
        done = subprocess.run(
            [options.tools / "node_modules/.bin/conformance", "client", "--command",
             f"{options.node} {options.tools}/client.mjs", "--scenario", scenario, "-o", results],
            env={**options.environment(folder), "LILITH": str(options.lilith), "MCP_CONFORMANCE_SCENARIO": scenario},
            cwd=folder, capture_output=True, text=True, timeout=SECONDS)
        checks = [check for path in results.rglob("checks.json") for check in json.loads(path.read_text())]
        told = [check["id"] for check in checks if check["status"] == "SUCCESS"]
        print(f"{scenario}: {len(told)} checks passed: {', '.join(told)}")
        failed = [check for check in checks if failures(check)]
        expect(told and not failed, f"{scenario}: {failed}\n{done.stdout}{done.stderr}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools", type=lambda text: pathlib.Path(text).resolve(), required=True)
    parser.add_argument("--lilith", type=lambda text: pathlib.Path(text).resolve(), required=True)
    parser.add_argument("--case", choices=["inspector", "inspector_http", "conformance"], required=True)
    options = parser.parse_args()
    unavailable = options.tools / "unavailable"
    if unavailable.exists():
        print("skipped: the MCP inspector and conformance suite are not installed:", unavailable.read_text())
        sys.exit(SKIPPED)
    options.node = shutil.which("node")
    if not options.node:
        print("skipped: node is not installed")
        sys.exit(SKIPPED)
    options.environment = lambda folder: {"PATH": os.environ["PATH"], "HOME": str(folder),
                                          "XDG_STATE_HOME": str(folder / "state")}
    over_http = options.case == "inspector_http"
    server = HttpServer(options.node, options.tools, "http") if over_http else contextlib.nullcontext()
    with tempfile.TemporaryDirectory() as root, server as running:
        folder = pathlib.Path(root).resolve()
        if options.case == "conformance":
            conform(options, folder)
        else:
            inspect(options, folder, running)


main()
