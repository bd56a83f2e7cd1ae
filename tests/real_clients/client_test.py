"""One real client, its tool calls, its hook: did the tool run, and what does the audit log say?

The client runs in a network namespace of its own with nothing but loopback, an empty environment and a HOME of its own;
its hook is put into its settings by lilith install.
Exit codes: 0 passed, 1 failed, 77 skipped (the reason is printed)."""

import argparse
import dataclasses
import fcntl
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

from model_server import Model

SKIPPED = 77
CLIENT_SECONDS = 90


@dataclasses.dataclass
class Case:
    runs: bool                  # the tool shall run
    action: str | None          # of the decision event; None: there can't be one
    said: str = ""              # the model is told this
    command: str = "touch pwned"
    policy: str = "enforce"     # enforce, audit, broken, missing
    storage: str = "folder"     # folder, full, read-only, locked: the log's lock is held by somebody else all the time
    program: str = "lilith"     # lilith, missing, killed
    denied_too: int = 0         # so many pairs of calls in one turn: `command` and a denied one, each with its number


CASES = {
    "allowed": Case(runs=True, action="allowed"),
    "denied": Case(runs=False, action="denied", command="mkdir pwned", said="mkdir"),
    "denied_compound": Case(runs=False, action="denied", command="touch pwned; cat ~/.ssh/id_rsa", said="cat"),
    "would_deny": Case(runs=True, action="would_deny", command="mkdir pwned", policy="audit"),
    "policy_broken": Case(runs=False, action="error", policy="broken", said="policy is not usable"),
    "policy_missing": Case(runs=False, action="error", policy="missing", said="policy is not usable"),
    "program_missing": Case(runs=False, action=None, program="missing"),
    "disk_full": Case(runs=False, action=None, storage="full", said="audit log could not be written"),
    "log_read_only": Case(runs=False, action=None, storage="read-only", said="audit log could not be written"),
    "hook_killed": Case(runs=False, action=None, program="killed"),
    "hook_slow": Case(runs=False, action=None, storage="locked", said="audit log could not be written"),
    "twenty_calls": Case(runs=True, action="allowed", denied_too=10, said="mkdir"),
}

# The tool with which each client's model runs a command, and the key of the command in its arguments.
CLIENTS = {
    "claude_code": ("Bash", "command"),
    "gh_copilot_cli": ("bash", "command"),
    "gemini_cli": ("run_shell_command", "command"),
    "codex": ("exec_command", "cmd"),
}

POLICY = """version: "1"
mode: {mode}
tool_invocations:
  default_action: deny
  allowed_tools:
    - name: run_command
      command_allowlist: [touch]
audit:
  enabled: true
  log_path: "{log}"
"""

CODEX_CONFIG = """model = "scripted"
model_provider = "scripted"
[model_providers.scripted]
name = "scripted"
base_url = "http://127.0.0.1:{port}/v1"
wire_api = "responses"
env_key = "SCRIPTED_KEY"
"""

# Starts the hook, kills it while it waits for its input, and ends as it did.
KILLER = """#!/bin/sh
mkfifo "$0.fifo" && exec 4<>"$0.fifo"
"$@" <&4 &
kill -KILL $!
wait $!
code=$?
echo $code >"$0.code"
exit $code
"""


def skip(reason):
    print("skipped:", reason)
    sys.exit(SKIPPED)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=pathlib.Path, required=True)
    parser.add_argument("--lilith", type=pathlib.Path, required=True)
    parser.add_argument("--client", choices=CLIENTS, required=True)
    parser.add_argument("--case", choices=CASES, required=True)
    parser.add_argument("--inside", action="store_true")
    return parser.parse_args()


def enter_namespaces():
    """Runs this very script again in namespaces of its own: no network but loopback, mounts that no one else sees."""
    if not shutil.which("unshare"):
        skip("unshare is not installed")
    command = ["unshare", "--net", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    if subprocess.run(command + ["true"], capture_output=True).returncode != 0:
        skip("the system refuses a network namespace")
    done = subprocess.run(command + [sys.executable, "-B"] + sys.argv + ["--inside"])
    sys.exit(done.returncode)


def loopback_up():
    siocsifflags, iff_up_running = 0x8914, 0x41  # netdevice(7)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, siocsifflags, struct.pack("16sh14x", b"lo", iff_up_running))


def make_storage(case, folder):
    """Returns what must stay open."""
    folder.mkdir()
    if case.storage == "folder":
        return None
    if case.storage == "locked":
        lock = open(folder / "agent-audit.log.lock", "ab")
        fcntl.flock(lock, fcntl.LOCK_EX)
        return lock
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if done.returncode != 0:
        skip("the system refuses a mount")
    if case.storage == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        return None
    with open(folder / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError:
            return None


def write_policy(case, work):
    policy = work / "policy.yaml"
    log = work / "log" / "agent-audit.log"
    text = POLICY.format(mode="audit" if case.policy == "audit" else "enforce", log=log)
    if case.policy == "broken":
        text = text.replace("command_allowlist", "command_allowlst")
    if case.policy != "missing":
        policy.write_text(text)
    return policy


def broken_line(options, case, work):
    """Makes of the line that lilith install wrote one whose program can't answer."""
    killer = work / "killer"
    killer.write_text(KILLER)
    killer.chmod(0o755)
    program = re.compile(rf"{re.escape(str(options.lilith))}(-hook)?")
    by = str(work / "no-such-lilith") if case.program == "missing" else rf"{killer} \g<0>"
    return lambda line: program.sub(lambda found: found.expand(by), line, count=1)


def install(options, home, policy):
    """With everything in the file that lilith install puts there: the client must take it."""
    subprocess.run([options.lilith, "install", options.client, "--home", home, "--policy", policy], check=True,
                   capture_output=True)


def configure(options, home, policy, change):
    """What lilith install writes, with another line in it."""
    install(options, home, policy)
    key = "bash" if options.client == "gh_copilot_cli" else "command"
    lines = re.compile(rf'(?<="{key}": )"/(?:[^"\\]|\\.)*"')
    for path in home.glob(".*/**/*.json"):
        path.write_text(lines.sub(lambda found: json.dumps(change(json.loads(found[0]))), path.read_text()))


def prepare_home(client, home, port):
    """What a client needs besides a hook."""
    home.mkdir(exist_ok=True)
    if client == "gemini_cli":
        (home / ".gemini").mkdir()
        (home / ".gemini/settings.json").write_text('{"security": {"auth": {"selectedType": "gemini-api-key"}}}\n')
    if client == "codex":
        (home / ".codex").mkdir()
        (home / ".codex/config.toml").write_text(CODEX_CONFIG.format(port=port))


def client_command(options, port):
    url = f"http://127.0.0.1:{port}"
    programs = options.clients / "node_modules" / ".bin"
    if options.client == "claude_code":
        environment = {"ANTHROPIC_API_KEY": "dummy", "ANTHROPIC_BASE_URL": url, "DISABLE_TELEMETRY": "1",
                       "DISABLE_AUTOUPDATER": "1", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "IS_SANDBOX": "1"}
        return [programs / "claude", "-p", "hello", "--permission-mode", "bypassPermissions", "--output-format",
                "stream-json", "--verbose"], environment
    if options.client == "gemini_cli":
        environment = {"GEMINI_API_KEY": "dummy", "GOOGLE_GEMINI_BASE_URL": url,
                       "GEMINI_CLI_TRUST_WORKSPACE": "true"}
        return [programs / "gemini", "-p", "hello", "--yolo", "-m", "gemini-2.5-flash"], environment
    if options.client == "codex":
        return [programs / "codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox",
                "--dangerously-bypass-hook-trust", "hello"], {"SCRIPTED_KEY": "dummy"}
    environment = {"COPILOT_OFFLINE": "true", "COPILOT_PROVIDER_TYPE": "anthropic", "COPILOT_PROVIDER_BASE_URL": url,
                   "COPILOT_PROVIDER_API_KEY": "dummy", "COPILOT_MODEL": "claude-sonnet-4.5"}
    native = next((options.clients / "node_modules" / "@github").glob("copilot-linux*/copilot"), programs / "copilot")
    return [native, "-p", "hello", "--allow-all-tools"], environment


def decision_events(work):
    """From the policy's log, or from the fallback log where the policy named none."""
    events = []
    for log in (work / "log" / "agent-audit.log", work / "home/.local/state/lilith/agent-audit.log",
                work / "state/lilith/agent-audit.log"):
        if log.exists():
            events += [json.loads(line) for line in log.read_text().splitlines()]
    return [event for event in events if event["lilith"]["event"] == "decision"]


def wanted(case):
    """Each command with the action of its event."""
    if not case.denied_too:
        return [(case.command, case.action)]
    return [one for i in range(case.denied_too)
            for one in ((f"{case.command}{i}", case.action), (f"mkdir denied{i}", "denied"))]


def made(project):
    """What the tool's commands left behind."""
    return sorted(path.name for path in project.iterdir() if path.name.startswith(("pwned", "denied")))


def run_case(options, case, work):
    home, project = work / "home", work / "project"
    project.mkdir()
    kept = make_storage(case, work / "log")
    policy = write_policy(case, work)
    tool, key = CLIENTS[options.client]
    model = Model([(tool, {key: command, "description": "Does one thing"}) for command, _ in wanted(case)])
    prepare_home(options.client, home, model.port)
    if case.program in ("missing", "killed"):
        configure(options, home, policy, broken_line(options, case, work))
    else:
        install(options, home, policy)
    command, environment = client_command(options, model.port)
    node = pathlib.Path(shutil.which("node") or "/usr/bin/node").resolve().parent
    environment |= {"HOME": str(home), "PATH": f"{node}:/usr/local/bin:/usr/bin:/bin",
                    "XDG_STATE_HOME": str(work / "state"), "TMPDIR": str(work)}
    try:
        done = subprocess.run(list(map(str, command)), cwd=project, env=environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=CLIENT_SECONDS)
    finally:
        model.close()
        if kept:
            kept.close()
    return done, model, made(project)


def judge(options, case, work, done, model, ran):
    failures = []

    def expect(held, what):
        if not held:
            failures.append(what)

    # Without these two, "the tool did not run" could mean that the client never got so far.
    expect(model.asked, "the model was never asked with the tool on offer")
    calls = wanted(case)
    expect(len(model.results) >= len(calls), f"the client gave {len(model.results)} results of {len(calls)} calls back")
    effects = sorted(command.split()[1].rstrip(";") for command, action in calls if case.runs and action != "denied")
    expect(ran == effects, f"the tool made {ran}, not {effects}")
    expect(case.said in "\n".join(model.results), f"the model was not told: {case.said}")
    events = decision_events(work)
    if case.action is None:
        expect(not events, "there is a decision event")
    else:
        # What failed before the call was understood has none.
        seen = sorted((event["lilith"].get("call", {}).get("command", ""), event["action"]) for event in events)
        expect(seen == sorted(calls), f"the log says {seen}")
        for event in events:
            if case.policy in ("broken", "missing"):
                expect(event["lilith"]["reason_code"].startswith("policy."), "the event does not blame the policy")
            expect(event["lilith"]["agent"]["name"] == options.client, "the event names another agent")
    if case.program == "killed":
        code = work / "killer.code"
        expect(code.exists() and code.read_text().strip() == "137", "the hook was not killed")
    for failure in failures:
        print("FAILED:", failure)
    if failures:
        print("results:", model.results, "\nstdout:", done.stdout[-3000:], "\nstderr:", done.stderr[-3000:])
        for event in events:
            print(json.dumps(event))
    return 1 if failures else 0


def main():
    options = arguments()
    unavailable = options.clients / "unavailable"
    if unavailable.exists():
        skip(unavailable.read_text())
    if not options.inside:
        enter_namespaces()
    loopback_up()
    case = CASES[options.case]
    with tempfile.TemporaryDirectory(prefix="lilith-client-") as folder:
        work = pathlib.Path(folder)
        (work / "home").mkdir()
        done, model, ran = run_case(options, case, work)
        code = judge(options, case, work, done, model, ran)
        subprocess.run(["umount", str(work / "log")], capture_output=True)
        return code


sys.exit(main())
