"""Files that lilith makes are its user's alone; a link that somebody put in the way of one is not written through."""

import pathlib
import stat
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "docs"))
import machine  # noqa: E402

STATE = f"{machine.HOME}/.local/state/lilith"
VICTIM = pathlib.Path("/tmp/victim")
SETUP = f"""
rm -rf {STATE} state shipped.log; mkdir -p ~/.config/lilith
cp rules/policies/lilith-policy.yaml ~/.config/lilith/
cat >ship.yaml <<YAML
version: "1"
sources: ["{STATE}/agent-audit.log"]
state_dir: "$PWD/state"
sinks:
  - {{name: copy, type: file, path: "$PWD/shipped.log"}}
YAML
"""
HOOK = """printf '{"session_id":"s","cwd":"/tmp","hook_event_name":"PreToolUse","tool_name":"Read",'\
'"tool_input":{"file_path":"/etc/shadow"},"tool_use_id":"t"}' | lilith hook --agent claude-code
"""
SHIP = "lilith ship --config ship.yaml --once\n"
# A line that is no event goes to the dead letters.
FOREIGN = f"echo foreign >>{STATE}/agent-audit.log\n"
# Until it has tried the file, or ended.
SHIP_FOR_EVER = """lilith ship --config ship.yaml 2>said & ship=$!
while [ ! -s shipped.log ] && ! grep -q shipped.log said && kill -0 $ship; do sleep 0.02; done
kill $ship; wait $ship
"""
RECORDER = f"""lilith recorder --socket /tmp/r.sock --log /tmp/r/audit.log & recorder=$!
while [ ! -S /tmp/r.sock ] && kill -0 $recorder; do sleep 0.02; done
{HOOK.strip()} --recorder /tmp/r.sock
kill $recorder; wait $recorder
"""
# What makes the file -> where it would be.
WAYS = {
    "log": (HOOK, f"{STATE}/agent-audit.log"),
    "lock of the log": (HOOK, f"{STATE}/agent-audit.log.lock"),
    "incidents": (HOOK, f"{STATE}/incidents"),
    "checkpoint": (HOOK + SHIP, "state/copy.checkpoint.json"),
    "older checkpoint": (HOOK + SHIP + HOOK + SHIP, "state/copy.checkpoint.1.json"),
    "the shipper's log": (HOOK + FOREIGN + SHIP, "state/lilith-ship.log"),
    "dead letters": (HOOK + FOREIGN + SHIP, "state/copy.dead-letter.ndjson"),
    "file sink": (HOOK + SHIP_FOR_EVER, "shipped.log"),
    "log of a recorder": (RECORDER, "/tmp/r/audit.log"),
    "its socket": (RECORDER, "/tmp/r.sock"),
}


class Files(unittest.TestCase):
    def setUp(self):
        self.assertEqual(machine.run(f"rm -rf /tmp/r /tmp/r.sock; echo victim >{VICTIM}" + SETUP)[0], 0)

    def test_are_their_users_alone(self):
        machine.run("umask 0000\n" + HOOK + FOREIGN + SHIP + HOOK + SHIP)
        files = [*pathlib.Path(STATE).rglob("*"), *(machine.WORK / "state").rglob("*"), machine.WORK / "shipped.log",
                 pathlib.Path(STATE), machine.WORK / "state"]
        self.assertGreater(len(files), 8)
        loose = {str(file): stat.filemode(file.lstat().st_mode) for file in files
                 if not file.is_symlink() and file.lstat().st_mode & 0o027}
        # The mark that a policy was enforced here says nothing and may be read by every hook.
        loose = {file: mode for file, mode in loose.items() if pathlib.Path(file).name != "enforced"}
        self.assertEqual(loose, {})

    def test_links_in_their_way_are_not_written_through(self):
        for what, (script, path) in WAYS.items():
            with self.subTest(what):
                self.setUp()
                machine.run(f"mkdir -p $(dirname {path}); ln -sf {VICTIM} {path}\n" + script)
                self.assertEqual(VICTIM.read_text(), "victim\n")

    def test_the_ways_are_those_by_which_the_files_are_made(self):
        for what, (script, path) in WAYS.items():
            if what not in ("incidents", "its socket"):
                with self.subTest(what):
                    self.setUp()
                    _, printed = machine.run(script)
                    self.assertTrue((machine.WORK / path).exists(), printed)


if __name__ == "__main__":
    sys.exit(machine.test_inside())
