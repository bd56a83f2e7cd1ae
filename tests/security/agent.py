"""What an agent that runs as the developer tries on a workstation with the recorder: run as that user by
agent_test.py, it prints one JSON object, {attempt: what happened}. `done` in a value means that it worked."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys

LOG, SOCKET, POLICY = "/var/log/lilith/agent-audit.log", "/run/lilith/recorder.sock", "/etc/lilith/lilith-policy.yaml"
RECORDER = int(sys.argv[1])


def attempt(action):
    try:
        action()
        return "done"
    except OSError as error:
        return type(error).__name__


def write_over():
    with open(LOG, "r+b") as file:
        file.write(b"x")


def append():
    with open(LOG, "ab") as file:
        file.write(b"{}\n")


def lock():
    with open(LOG + ".lock", "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def own(path):
    def action():
        with open(path, "w", encoding="utf-8") as file:
            file.write("x")
    return action


def replaced(path):
    def action():
        os.rename(path, path + ".mine")
    return action


def say(line):
    """One datagram to the recorder; its answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.connect(SOCKET)
        client.send(line.encode())
        return client.recv(4096).decode()


def forged(template, **claims):
    """An event that claims to be root's, of another process and of another time."""
    event = json.loads(template)
    event["lilith"] |= {"user": "root", "uid": 0, "via": "direct", "peer": {"pid": 1, "uid": 0}, **claims}
    return json.dumps(event, separators=(",", ":"))


def hook(event, **environment):
    done = subprocess.run(["lilith-hook", "--agent", "claude-code"], input=json.dumps(event), capture_output=True,
                          text=True, check=False, env={**os.environ, **environment})
    return done.returncode


def diverted(denied):
    """The hook of a denied call under an environment that an agent made for it."""
    own("/tmp/policy.yaml")()
    with open("/tmp/policy.yaml", "w", encoding="utf-8") as file:
        file.write('version: "1"\nmode: audit\ntool_invocations: {default_action: allow}\n')
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as false_recorder:
        false_recorder.bind("/tmp/false.sock")
        false_recorder.listen()
        return hook(denied, LILITH_POLICY="/tmp/policy.yaml", LILITH_RECORDER="/tmp/false.sock", HOME="/tmp",
                    XDG_CONFIG_HOME="/tmp", XDG_STATE_HOME="/tmp")


def main():
    template, denied = sys.stdin.readline(), json.loads(sys.stdin.readline())
    out = {
        "edit the log": attempt(write_over),
        "append to the log": attempt(append),
        "read the log": attempt(lambda: open(LOG, "rb").close()),
        "truncate the log": attempt(lambda: os.truncate(LOG, 0)),
        "delete the log": attempt(lambda: os.unlink(LOG)),
        "replace the log": attempt(replaced(LOG)),
        "put a link beside the log": attempt(lambda: os.symlink("/tmp/x", LOG + ".1")),
        "change the log's mode": attempt(lambda: os.chmod(LOG, 0o666)),
        "rename the log's folder": attempt(lambda: os.rename("/var/log/lilith", "/var/log/old")),
        "lock the log": attempt(lock),
        "delete the socket": attempt(lambda: os.unlink(SOCKET)),
        "replace the socket": attempt(replaced(SOCKET)),
        "edit the policy": attempt(own(POLICY)),
        "replace the policy": attempt(replaced(POLICY)),
        "kill the recorder": attempt(lambda: os.kill(RECORDER, signal.SIGKILL)),
        "stop the recorder": attempt(lambda: os.kill(RECORDER, signal.SIGSTOP)),
        "read the recorder's memory": attempt(lambda: open(f"/proc/{RECORDER}/mem", "rb").close()),
        "use the recorder's descriptors": attempt(lambda: os.listdir(f"/proc/{RECORDER}/fd")),
        "claim another peer": say(forged(template)),
        "forge tampering": say(forged(template, event="tamper")),
        "forge a checkpoint": say(forged(template, event="checkpoint")),
        "say garbage": say("garbage"),
        "divert the hook": diverted(denied),
        "pid": os.getpid(),
    }
    print(json.dumps(out))


if __name__ == "__main__":
    main()
