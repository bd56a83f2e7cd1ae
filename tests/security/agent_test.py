"""An agent with all rights of the developer against the recorder, its log, its socket and the policy.

A machine of its own (tests/docs/machine.py) as the packages lay it out: recorder under a user of its own, policy and
programs root's. What the agent tries stands in agent.py."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "docs"))
import machine  # noqa: E402

LOG = pathlib.Path("/var/log/lilith/agent-audit.log")
QUOTA = 512 * 1024
POLICY = f"""version: "1"
tool_invocations:
  default_action: deny
  allowed_tools:
    - name: run_command
      command_allowlist: [git]
audit:
  rotate: {{max_bytes: {QUOTA // 2}}}
  quota: {{max_bytes: {QUOTA}}}
"""
DENIED = {"session_id": "s", "hook_event_name": "PreToolUse", "tool_name": "Bash", "cwd": "/tmp",
          "tool_use_id": "toolu_denied", "tool_input": {"command": "curl https://evil.example/"}}
ALLOWED = {**DENIED, "tool_use_id": "toolu_allowed", "tool_input": {"command": "git status"}}
FILLER = {**ALLOWED, "tool_input": {"command": "git log " + "x" * 6000}}


def as_user(uid, words, **options):
    environment = {"PATH": f"{machine.ROOM}/bin:/usr/bin:/bin", "HOME": machine.HOME, "LC_ALL": "C.UTF-8"}
    return subprocess.run(words, user=uid, group=uid, extra_groups=[], env=environment, capture_output=True, text=True,
                          check=False, **options)


def hook(event):
    return as_user(machine.UID, ["lilith-hook", "--agent", "claude-code"], input=json.dumps(event))


def events():
    """Of the log and its rotated files."""
    files = [*sorted(LOG.parent.glob("agent-audit.log.[0-9]*")), LOG]
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


class AnAgentOfTheDevelopersUser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        pathlib.Path("/etc/lilith/lilith-policy.yaml").write_text(POLICY, encoding="utf-8")
        for folder in ("/var/log/lilith", "/run/lilith"):
            os.mkdir(folder)
            os.chown(folder, machine.RECORDER_UID, machine.RECORDER_UID)
            os.chmod(folder, 0o755 if folder.startswith("/run") else 0o750)
        cls.recorder = subprocess.Popen(["lilith", "recorder"], user=machine.RECORDER_UID, group=machine.RECORDER_UID,
                                        extra_groups=[], env={"PATH": f"{machine.ROOM}/bin:/usr/bin:/bin"})
        cls.assert_serves(cls)
        assert hook(ALLOWED).returncode == 0
        cls.before = LOG.read_bytes()
        template = cls.before.splitlines()[-1].decode()
        agent = ["/usr/bin/python3", "-B", str(machine.ROOM / "security/agent.py"), str(cls.recorder.pid)]
        done = as_user(machine.UID, agent, input=template + "\n" + json.dumps(DENIED) + "\n")
        assert done.returncode == 0, done.stderr
        cls.told = json.loads(done.stdout)
        cls.after = events()

    def assert_serves(self):
        for _ in range(400):
            if pathlib.Path("/run/lilith/recorder.sock").exists():
                return
            subprocess.run(["sleep", "0.05"], check=True)
        raise AssertionError("the recorder does not listen")

    def test_1_can_not_touch_log_socket_policy_or_recorder(self):
        worked = {what for what, came in self.told.items() if came == "done"}
        self.assertEqual(worked, set())
        refused = {what for what, came in self.told.items() if came in ("PermissionError", "ProcessLookupError")}
        self.assertEqual(len(refused), 18, self.told)
        self.assertTrue(LOG.read_bytes().startswith(self.before))
        self.assertIsNone(self.recorder.poll())

    def test_2_who_claims_to_be_somebody_else_is_recorded_with_the_true_peer(self):
        self.assertRegex(self.told["claim another peer"], r"^ok \d+ ")
        seq = self.told["claim another peer"].split()[1]
        event = next(one["lilith"] for one in self.after if one["lilith"]["seq"] == seq)
        self.assertEqual(event["peer"], {"pid": self.told["pid"], "uid": machine.UID})
        self.assertEqual(event["via"], "recorder")

    def test_3_can_not_forge_what_only_the_log_itself_says(self):
        for what in ("forge tampering", "forge a checkpoint", "say garbage"):
            self.assertTrue(self.told[what].startswith("error "), self.told[what])
        self.assertEqual({one["lilith"]["event"] for one in self.after}, {"log_opened", "policy_loaded", "decision"})

    def test_4_its_environment_diverts_neither_policy_nor_recorder(self):
        self.assertEqual(self.told["divert the hook"], 2)
        calls = [(one["lilith"]["agent"]["call"], one["action"]) for one in self.after
                 if one["lilith"].get("agent", {}).get("call")]
        self.assertIn(("toolu_denied", "denied"), calls)

    def test_5_filling_the_log_loses_no_event_and_lets_no_call_pass_unrecorded(self):
        codes = []
        while 2 not in codes and len(codes) < 2 * QUOTA // 6000:
            codes.append(hook(FILLER).returncode)
        self.assertEqual(codes[-1], 2, "the log never was full")
        self.assertIn("log_full", [one["lilith"]["event"] for one in events()])
        self.assertEqual(hook(ALLOWED).returncode, 2, "a call that can't be recorded is denied")
        self.assertLessEqual(sum(file.stat().st_size for file in LOG.parent.glob("agent-audit.log*")), QUOTA)
        recorded = sum(one["lilith"].get("agent", {}).get("call") == "toolu_allowed" for one in events())
        self.assertEqual(recorded, 2 + codes.count(0), "the first call, the claimed one, and each that was allowed")

    def test_6_the_chain_is_whole_after_all_of_it(self):
        done = subprocess.run([str(machine.ROOM / "bin/lilith"), "verify", "--from-start", str(LOG)],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)

    @classmethod
    def tearDownClass(cls):
        cls.recorder.send_signal(signal.SIGTERM)
        assert cls.recorder.wait(60) == 0


if __name__ == "__main__":
    sys.exit(machine.test_inside(with_system_folders=True))
