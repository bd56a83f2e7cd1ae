"""`lilith run` with real programs inside: who gets out, and do they still work?

run_test.py --lilith PROGRAM --case CASE. Exit codes: 0 passed, 1 failed, 77 skipped (the reason is printed)."""

import argparse
import contextlib
import ctypes
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

SKIPPED = 77
# landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION)
LANDLOCK = max(ctypes.CDLL(None).syscall(444, None, 0, 1), 0)
SECONDS = 100
# Ways that a process of this user has on any machine without a fence, so that the test can fail.
OPEN_WITHOUT_FENCE = {"host_loopback", "host_loopback_mapped", "unix", "unix_packets", "abstract",
                      "without_proxy_variables", "host_process", "inherited", "policy"}

POLICY = """version: "1"
egress:
  default_action: deny
  allowed_destinations:
{destinations}
audit:
  enabled: true
  log_path: "{folder}/log/agent-audit.log"
"""


def expect(condition, what):
    if not condition:
        print("failed:", what)
        sys.exit(1)


def skip(reason):
    print("skipped:", reason)
    sys.exit(SKIPPED)


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def web_server(folder, tls=None):
    """Serves the folder on a free port of the host's loopback."""
    def make(*arguments):
        return Handler(*arguments, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), make)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certificate(folder):
    key, chain = folder / "key.pem", folder / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(chain),
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "1"],
                   check=True, capture_output=True)
    return chain, key


class World:
    def __init__(self, lilith, folder):
        self.lilith, self.folder = str(lilith.resolve()), folder
        self.policy = folder / "policy.yaml"
        self.environment = {**os.environ, "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"),
                            "LILITH_PROGRAM": self.lilith, "LILITH_POLICY_FILE": str(self.policy),
                            "HOST_NAMESPACES": json.dumps({kind: os.readlink(f"/proc/self/ns/{kind}")
                                                           for kind in ("mnt", "uts", "pid", "net")})}
        self.allow([])

    def allow(self, rows):
        lines = "\n".join(f"    - {{host: {host}, ports: [{port}], protocols: [{protocol}]}}"
                          for host, port, protocol in rows) or "    - nowhere.example"
        self.policy.write_text(POLICY.format(destinations=lines, folder=self.folder))

    def run(self, command, options=(), **more):
        return subprocess.run([self.lilith, "run", "--policy", str(self.policy), *options, "--", *command],
                              env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=SECONDS,
                              **more)

    def events(self):
        log = self.folder / "log" / "agent-audit.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def decisions(self):
        return [one for one in self.events() if one["lilith"]["event"] == "decision"]


def case_escape(world):
    folder = world.folder
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(web_server(folder))
        name = f"lilith-run-test-{os.getpid()}"
        for address, kind in ((str(folder / "host.sock"), socket.SOCK_STREAM), ("\0" + name, socket.SOCK_STREAM),
                              (str(folder / "host.sock.packets"), socket.SOCK_SEQPACKET)):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
            listener.bind(address)
            listener.listen()
        connected = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        os.set_inheritable(connected.fileno(), True)
        # A process of this user, known by its command line.
        bystander = subprocess.Popen(["lilith-bystander", "1000"], executable=shutil.which("sleep"))
        stack.callback(bystander.wait)
        stack.callback(bystander.kill)
        script = str(pathlib.Path(__file__).parent / "escape.py")
        command = [sys.executable, "-B", script, str(port), str(folder / "host.sock"), name, str(bystander.pid)]
        bare = subprocess.run([*command, str(folder / "bare.json"), "bare"], env=world.environment, cwd=folder,
                              pass_fds=[connected.fileno()], timeout=SECONDS)
        expect(bare.returncode == 0, "the escapes could not be tried without a fence")
        ways = json.loads((folder / "bare.json").read_text())
        closed = {way for way in OPEN_WITHOUT_FENCE if ways.get(way) != "out"}
        expect(not closed, f"without a fence these ways should be open: {closed} {ways}")
        done = world.run([*command, str(folder / "fenced.json"), "fenced"], pass_fds=[connected.fileno()])
        expect(done.returncode == 0, done)
        ways = json.loads((folder / "fenced.json").read_text())
        out = {way for way, answer in ways.items() if answer == "out"}
        expect(not out, f"got out of the fence by {sorted(out)}: {ways}")
        print(len(ways), "ways tried, none leads out:", json.dumps(ways, indent=1))


def case_curl(world):
    tls = certificate(world.folder)
    (world.folder / "hello.txt").write_text("hello from the host\n")
    with web_server(world.folder, tls) as port, web_server(world.folder) as plain:
        world.allow([("localhost", port, "https"), ("127.0.0.1", port, "https"), ("localhost", plain, "http"),
                     ("127.0.0.1", plain, "http")])
        bare = ["env", "-u", "NO_PROXY", "-u", "no_proxy", "curl", "-sS", "-m", "20", "--cacert", str(tls[0])]
        done = world.run([*bare, f"https://localhost:{port}/hello.txt"])
        expect(done.stdout == "hello from the host\n", done)
        done = world.run([*bare, f"http://localhost:{plain}/hello.txt"])
        expect(done.stdout == "hello from the host\n", done)
        done = world.run([*bare, f"https://denied.example:{port}/"])
        expect(done.returncode == 56 and "403" in done.stderr, done)
        actions = [(one["action"], one["lilith"]["enforcement"]) for one in world.decisions()]
        expect(actions == [("allowed", "fenced"), ("allowed", "fenced"), ("denied", "fenced")], world.decisions())
        closed = [one for one in world.events() if one["lilith"]["event"] == "connection_closed"]
        expect(len(closed) == 2 and all(int(one["lilith"]["detail"]["bytes_down"]) > 0 for one in closed), closed)


def case_git(world):
    origin = world.folder / "origin"
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(origin)]
    origin.mkdir()
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"], ["update-server-info"]):
        subprocess.run([*git, *command], check=True)
    with web_server(origin / ".git") as port:
        world.allow([("localhost", port, "http"), ("127.0.0.1", port, "http")])
        done = world.run(["env", "-u", "NO_PROXY", "-u", "no_proxy", "git", "clone", "-q", f"http://localhost:{port}/",
                          str(world.folder / "clone")])
        expect(done.returncode == 0, done)
        log = subprocess.run(["git", "-C", str(world.folder / "clone"), "log", "--format=%s"], capture_output=True,
                             text=True)
        expect(log.stdout == "first\n", log)


def case_npm(world):
    if not shutil.which("npm"):
        skip("npm is not installed")
    (world.folder / "some-package").write_text(json.dumps({
        "name": "some-package", "dist-tags": {"latest": "1.2.3"},
        "versions": {"1.2.3": {"name": "some-package", "version": "1.2.3", "dist": {"tarball": "http://x/x.tgz"}}}}))
    with web_server(world.folder) as port:
        world.allow([("localhost", port, "http"), ("127.0.0.1", port, "http")])
        done = world.run(["env", "-u", "NO_PROXY", "-u", "no_proxy", "npm", "view", "some-package", "version",
                          "--registry", f"http://localhost:{port}/", "--no-update-notifier"])
        expect(done.stdout.strip() == "1.2.3", done)
        expect([one["action"] for one in world.decisions()] == ["allowed"], world.decisions())


def case_local(world):
    (world.folder / "hello.txt").write_text("hello from the host\n")
    with web_server(world.folder) as port:
        curl = ["curl", "-sS", "-m", "20", f"http://127.0.0.1:{port}/hello.txt"]
        done = world.run(curl)
        expect(done.returncode == 7, done)
        done = world.run(curl, ["--allow-local", str(port)])
        expect(done.stdout == "hello from the host\n", done)
        # Servers that the agent starts inside can be reached from inside.
        own = ("python3 -m http.server --bind 127.0.0.1 8765 >/dev/null 2>&1 & "
               "for i in $(seq 100); do curl -sS -m 5 http://127.0.0.1:8765/hello.txt && exit 0; sleep 0.1; done")
        done = world.run(["/bin/sh", "-c", own])
        expect(done.stdout == "hello from the host\n", done)


def case_program(world):
    expect(world.run(["/bin/sh", "-c", "exit 7"]).returncode == 7, "the exit code is lost")
    expect(world.run(["/bin/sh", "-c", "kill -KILL $$"]).returncode == 137, "the signal is lost")
    expect(world.run(["cat"], input="through\n").stdout == "through\n", "standard input is lost")
    done = world.run(["/bin/sh", "-c", "echo $LILITH_FENCED $https_proxy; pwd; id -u"])
    expect(done.stdout.splitlines() == ["1 http://127.0.0.1:3128", str(world.folder), str(os.getuid())], done)
    done = world.run(["/no/such/program"])
    expect(done.returncode == 2 and "cannot start /no/such/program" in done.stderr, done)
    expect(world.run(["/bin/sh", "-c", "grep -h CapEff /proc/self/status"]).stdout.split()[1].strip("0") == "",
           "capabilities are left")
    # Whatever it leaves behind ends with it.
    done = world.run(["/bin/sh", "-c", "(sleep 1000; touch late) & exit 0"])
    expect(done.returncode == 0, done)
    process = subprocess.Popen([world.lilith, "run", "--policy", str(world.policy), "--", "/bin/sh", "-c",
                                "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done"],
                               env=world.environment, cwd=world.folder, stdout=subprocess.PIPE)
    expect(process.stdout.readline() == b"ready\n", "the program did not start")
    process.send_signal(signal.SIGTERM)
    expect(process.wait(SECONDS) == 9, "the signal did not reach the program")


@contextlib.contextmanager
def recorder(world, socket_path, log):
    process = subprocess.Popen([world.lilith, "recorder", "--socket", str(socket_path), "--log", str(log)],
                               env=world.environment, cwd=world.folder)
    try:
        for _ in range(SECONDS * 20):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as one:
                if one.connect_ex(str(socket_path)) == 0:
                    break
            expect(process.poll() is None, "the recorder did not start")
            threading.Event().wait(0.05)
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)


# Inside the fence: what a program can do with the one unix socket that it gets.
RECORDER_ONLY = """
import errno, os, socket, sys
host, recorder = sys.argv[1:]
one = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
assert one.getpeername() == recorder, one.getpeername()
def refused(what, *wanted):
    try:
        what()
    except OSError as why:
        assert why.errno in wanted, why
    else:
        raise AssertionError(what)
refused(lambda: one.connect(host), errno.EISCONN)
refused(lambda: one.bind(host + ".mine"), errno.EINVAL)
refused(lambda: one.listen(), errno.EINVAL)
refused(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), errno.EPERM)
refused(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), errno.EPERM)
one.send(b"no event")
assert one.recv(1000).startswith(b"error "), "the recorder takes anything"
assert os.get_inheritable(one.fileno()) is False
"""
CALL = {"session_id": "s", "hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "true"}}


def case_recorder(world):
    """Hooks inside the fence report to the recorder outside, and nothing else is reached by that way."""
    folder = world.folder
    world.policy.write_text(world.policy.read_text() + """tool_invocations:
  default_action: deny
  allowed_tools: [{name: run_command, command_allowlist: ["git"]}]
""")
    at, log = folder / "recorder.sock", folder / "recorded.log"
    call = json.dumps({**CALL, "cwd": str(folder)})
    hook = [world.lilith, "hook", "--agent", "claude_code", "--policy", str(world.policy), "--recorder", str(at)]
    many = f"for i in $(seq 20); do printf '%s' \"$CALL\" | {' '.join(hook)} >out.$i & done; wait; cat out.*"
    world.environment["CALL"] = call

    def recorded():
        events = [json.loads(line) for line in log.read_text().splitlines()]
        return [one for one in events if one["lilith"]["event"] == "decision"]

    with recorder(world, at, log):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as host:
            host.bind(str(folder / "host.sock"))
            host.listen()
            done = world.run([sys.executable, "-c", RECORDER_ONLY, str(folder / "host.sock"), str(at)],
                             ["--recorder", str(at)])
            expect(done.returncode == 0, done)
        done = world.run(hook, ["--recorder", str(at)], input=call)
        expect(done.returncode == 0 and done.stdout == "", done)  # what is allowed needs no words
        expect([one["lilith"]["via"] for one in recorded()] == ["recorder"], recorded())
        done = world.run(["/bin/sh", "-c", many], ["--recorder", str(at)])
        expect(done.stdout == "" and len(recorded()) == 21, done)
        # Without the recorder's socket there is none to be had: the hook denies, as outside.
        done = world.run(hook, ["--recorder", str(folder / "none.sock")], input=call)
        expect('"deny"' in done.stdout and len(recorded()) == 21, done)
    # The recorder is started anew while the fence stands.
    once = " ".join(hook) + " <call"
    waits = f"{once}; touch first; while [ ! -e again ]; do sleep 0.05; done; {once}"
    (folder / "call").write_text(call)
    with recorder(world, at, log):
        process = subprocess.Popen([world.lilith, "run", "--policy", str(world.policy), "--recorder", str(at), "--",
                                    "/bin/sh", "-c", waits], env=world.environment, cwd=folder, stdout=subprocess.PIPE)
        while not (folder / "first").exists():
            expect(process.poll() is None, "the first hook did not come to its end")
            threading.Event().wait(0.05)
    at.unlink(missing_ok=True)
    with recorder(world, at, log):
        (folder / "again").touch()
        out = process.communicate(timeout=SECONDS)[0].decode()
    expect(out == "" and len(recorded()) == 23, out)
    expect({one["action"] for one in recorded()} == {"allowed"}, recorded())


# Prints what a program could change: one letter each.
WRITES = """
mkdir -p work/new && echo x >work/new/file && mv work/new/file work/moved && ln -s "$OUTSIDE" work/link && printf a
rm work/moved && printf b
sh -c 'echo x >work/link/kept' 2>/dev/null && printf C
echo x 2>/dev/null >"$OUTSIDE/new" && printf D
sh -c ': >"$OUTSIDE/kept"' 2>/dev/null && printf E
truncate -s 0 "$OUTSIDE/kept" 2>/dev/null && printf F
mv "$OUTSIDE/kept" work/ 2>/dev/null && printf G
ln "$OUTSIDE/kept" work/hard 2>/dev/null && printf H
rm -f "$OUTSIDE/kept" 2>/dev/null && printf I
mkdir "$OUTSIDE/directory" 2>/dev/null && printf J
grep -q kept "$OUTSIDE/kept" && printf k
echo x >/dev/null && : >"$(mktemp)" && printf l
git -C work init -q && git -C work -c user.name=t -c user.email=t@t commit -q --allow-empty -m m && printf m
"""


def case_writes(world):
    """--confine-writes: files are written where the policy allows write_file, whatever program writes them."""
    with tempfile.TemporaryDirectory(dir=os.getcwd()) as root:  # not below /tmp, which stays writable
        folder = pathlib.Path(root).resolve()
        outside = folder / "outside"
        world.environment["OUTSIDE"] = str(outside)

        def run(*options):
            shutil.rmtree(folder, ignore_errors=True)
            for name in (outside, folder / "work"):
                name.mkdir(parents=True)
            (outside / "kept").write_text("kept\n")
            return subprocess.run([world.lilith, "run", "--policy", str(world.policy), *options, "--", "/bin/sh", "-c",
                                   WRITES], env=world.environment, cwd=folder, capture_output=True, text=True,
                                  timeout=SECONDS)

        enforcing = world.policy.read_text()
        world.policy.write_text(enforcing.replace("egress:", "mode: audit\negress:", 1))
        done = run("--confine-writes")
        expect(done.returncode == 2 and "only records" in done.stderr and not done.stdout, done)
        world.policy.write_text(enforcing + f"""tool_invocations:
  default_action: deny
  allowed_tools: [{{name: write_file, path_allowlist: ["{folder}/work/**"]}}]
""")
        if LANDLOCK < 2:
            skip(f"the kernel's Landlock has version {LANDLOCK}")
        done = run()
        expect(set(done.stdout) >= set("abCDEJlm"), f"without the option everything can be written: {done}")
        done = run("--confine-writes")
        late = "F" if LANDLOCK < 3 else ""
        expect(done.stdout.replace(late, "") == "abklm", done)
        done = run("--writable", str(outside))
        expect("D" in done.stdout and "J" in done.stdout, done)
        done = run("--confine-writes", "--writable", str(folder / "none"))
        expect(done.returncode == 2 and "make it first" in done.stderr, done)
        # A hook of direct mode inside still has its log.
        (folder / "call").write_text(json.dumps({**CALL, "cwd": str(folder)}))
        before = len(world.decisions())
        done = subprocess.run([world.lilith, "run", "--policy", str(world.policy), "--confine-writes", "--", "/bin/sh",
                               "-c", f"{world.lilith} hook --agent claude_code --policy {world.policy} <call"],
                              env=world.environment, cwd=folder, capture_output=True, text=True, timeout=SECONDS)
        expect(len(world.decisions()) == before + 1, done)


def case_refusals(world):
    world.policy.write_text("version: \"7\"\n")
    done = world.run(["touch", "started"])
    expect(done.returncode == 2 and "no usable policy" in done.stderr, done)
    world.allow([])
    # A machine that gives no more namespaces: loud, and nothing runs.
    limit = "echo 0 >/proc/sys/user/max_net_namespaces; exec \"$@\""
    command = [world.lilith, "run", "--policy", str(world.policy), "--", "touch", "started"]
    done = subprocess.run(["unshare", "--user", "--map-root-user", "/bin/sh", "-c", limit, "sh", *command],
                          env=world.environment, cwd=world.folder, capture_output=True, text=True, timeout=SECONDS)
    expect(done.returncode == 2 and "no fence: cannot make namespaces" in done.stderr, done)
    expect("nothing was started" in done.stderr, done)
    expect(not (world.folder / "started").exists(), "the program ran without a fence")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lilith", type=pathlib.Path, required=True)
    parser.add_argument("--case", required=True)
    parser.add_argument("--inside", action="store_true")
    options = parser.parse_args()
    if os.geteuid() == 0 and not options.inside:
        # Should the fence be broken, root's escapes still don't reach the machine's mounts and name.
        own = ["unshare", "--mount", "--uts", "--propagation", "private"]
        sys.exit(subprocess.run([*own, sys.executable, "-B", *sys.argv, "--inside"]).returncode)
    namespaces = ["--user", "--map-root-user", "--net", "--pid", "--fork", "--mount", "--mount-proc"]
    tried = subprocess.run(["unshare", *namespaces, "true"], capture_output=True)
    if tried.returncode != 0:
        skip("the system refuses user namespaces: " + tried.stderr.decode().strip())
    for program in ("curl", "git", "openssl"):
        if not shutil.which(program):
            skip(f"{program} is not installed")
    with tempfile.TemporaryDirectory() as root:
        globals()["case_" + options.case](World(options.lilith, pathlib.Path(root).resolve()))


main()
