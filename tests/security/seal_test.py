"""A sealed log's checkpoint is made behind the hook that answered, before it is due; no call waits for it."""

import json
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "docs"))
import machine  # noqa: E402

FOLDER = f"{machine.HOME}/audit"
LOG = pathlib.Path(FOLDER, "agent-audit.log")
EVENTS = 16  # between two checkpoints; the one behind comes after one less
SETUP = f"""
mkdir -p ~/.config/lilith {FOLDER}
sed 's#^  log_path:.*#  log_path: "{LOG}"\\n  seal: {{key: {FOLDER}/seal.key, events: {EVENTS}}}#' \\
  rules/policies/lilith-policy.yaml >~/.config/lilith/lilith-policy.yaml
lilith seal init --log {LOG} --key {FOLDER}/seal.key >verify.keys
"""
# The agent reads to the end of both: whoever still had them open would keep it waiting.
HOOK = """printf '{"session_id":"s","cwd":"/tmp","hook_event_name":"PreToolUse","tool_name":"Read",'\
'"tool_input":{"file_path":"/etc/shadow"},"tool_use_id":"t"}' | lilith hook --agent claude-code 2>&1 | cat >answer
"""
WAIT_S = 60


def events():
    return [json.loads(line)["lilith"] for line in LOG.read_text().splitlines()] if LOG.exists() else []


class Seal(unittest.TestCase):
    def test_is_made_behind_the_hook_before_it_is_due(self):
        self.assertEqual(machine.run(SETUP)[0], 0)
        for _ in range(EVENTS):
            self.assertEqual(machine.run(HOOK)[0], 0)
            seen = events()
            sealed = max(int(one["seq"]) for one in seen if one["event"] == "checkpoint")
            if sealed > 3 or int(seen[-1]["seq"]) - sealed >= EVENTS - 1:
                break
        until = time.monotonic() + WAIT_S
        while events()[-1]["event"] != "checkpoint" and time.monotonic() < until:
            time.sleep(0.02)
        last = events()[-1]
        self.assertEqual((last["event"], last["reason_code"]), ("checkpoint", "seal.interval"))
        self.assertEqual(sum(int(word.split("=")[1]) for word in last["detail"]["counts"].split()), EVENTS - 1)
        code, printed = machine.run(f"lilith verify --verify-key verify.keys {LOG}")
        self.assertEqual(code, 0, printed)
        self.assertIn("no unsealed tail", printed)


if __name__ == "__main__":
    sys.exit(machine.test_inside())
