"""The tests of the pages can fail: what they say of pages that are wrong."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import machine
import pages

HERE = pathlib.Path(__file__).resolve().parent


class Parser(unittest.TestCase):
    def test_blocks_have_their_line_language_and_comments(self):
        found = pages.blocks("a\n<!-- exits: 1 5 -->\n```\nx\ny\n```\n```json\n{}\n```\n")
        self.assertEqual([(b.line, b.language, b.lines) for b in found], [(4, "", ["x", "y"]), (8, "json", ["{}"])])
        self.assertEqual(found[0].exits(), {1, 5})
        self.assertEqual(found[1].directives, {})

    def test_pages_that_can_not_be_read_with_certainty_are_refused(self):
        for text in ("```\nx\n", "```bassh\nx\n```\n", "<!-- not run: -->\n```\nx\n```\n",
                     "<!-- exits: 1 -->\n\n```\nx\n```\n", "<!-- not run: because -->\ntext\n",
                     "<!-- norun: x -->\n```\nx\n```\n"):
            with self.subTest(text=text), self.assertRaises(ValueError):
                pages.blocks(text)

    def test_commands_are_whole_as_bash_reads_them(self):
        block = pages.Block("", 1, ["a \\", "  b", "# note", "cat <<E", "x", "E", "x |", "  y  # z", "w &"], {})
        self.assertEqual([command for command, _ in pages.commands(block)],
                         ["a \\\n  b\n", "cat <<E\nx\nE\n", "x |\n  y  # z\n", "w &\n"])
        with self.assertRaises(ValueError):
            pages.commands(pages.Block("", 1, ["echo 'x"], {}))

    def test_output_is_compared_but_for_what_no_run_repeats(self):
        self.assertTrue(pages.agrees(["at 2026-01-01T00:00:00Z", "...", "end"],
                                     ["at 2027-11-26T06:00:00.123456Z", "a", "b", "end"]))
        self.assertTrue(pages.agrees(["...", "end"], ["end"]))
        for expected, printed in ((["4 events"], ["5 events"]), (["a", "b"], ["a"]), (["a"], ["a", "b"]), ([], ["a"])):
            with self.subTest(expected=expected, printed=printed):
                self.assertFalse(pages.agrees(expected, printed))


WRONG = {
    "a command that fails": "```\ntrue\nfalse\n```\n",
    "the first command of a list": "```\nfalse && true\ntrue\n```\n",
    "a program in a pipe": "```\nfalse | cat\n```\n",
    "a program that is not there": "```\nlilith-there-is-no-such-program\n```\n",
    "another exit code": "<!-- exits: 1 -->\n```\n(exit 3)\n```\n",
    "an exit code that did not come": "<!-- exits: 1 -->\n```\ntrue\n```\n",
    "other output": "```console\n$ echo 4 events\n5 events\n```\n",
    "an option that a command does not have": "<!-- synopsis -->\n```\nlilith verify LOG [--no-such-option]\n```\n",
    "something that never comes true": "<!-- until: test -e y -->\n```\ntrue\n```\n",
}
RIGHT = {
    "what the reader has done already": "<!-- before: echo done >y -->\n```\ngrep -q done y\n```\n",
    "commands": "```\necho a >x\ntest -s x\n```\n",
    "the exit code that is announced": "<!-- exits: 3 -->\n```\ntrue\n(exit 3)\n```\n",
    "output": "```console\n$ printf 'a\\nb\\n'\na\nb\n```\n",
    "options": "<!-- synopsis -->\n```\nlilith verify LOG [--help]\n```\n",
    "what goes on for ever": "<!-- until: test -e x -->\n```\n"
                             "touch x && sh -c 'trap \"exit 0\" TERM; while :; do sleep 0.05; done'\n```\n",
}


class Runner(unittest.TestCase):
    def run_page(self, text):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "page.md").write_text(text, encoding="utf-8")
            done = subprocess.run([sys.executable, "-B", HERE / "pages_test.py", f"{folder}/page.md"],
                                  capture_output=True, text=True, check=False)
            return done.returncode, done.stdout + done.stderr

    def test_what_is_wrong_is_seen(self):
        code, printed = self.run_page("".join(WRONG.values()))
        self.assertEqual(code, 1, printed)
        failed = set(re.findall(r"^FAIL: test_(\d+)", printed, re.M))
        for what, block in zip(WRONG, pages.blocks("".join(WRONG.values())), strict=True):
            self.assertIn(f"{block.line:04}", failed, what)

    def test_what_is_right_passes(self):
        code, printed = self.run_page("".join(RIGHT.values()))
        self.assertEqual(code, 0, printed)
        self.assertIn(f"{len(RIGHT)} blocks run, 0 not", printed)

    def test_what_is_not_run_is_named_with_its_reason(self):
        code, printed = self.run_page("<!-- not run: needs a moon -->\n```\nfly\n```\n")
        self.assertEqual(code, 0, printed)
        self.assertIn("page.md: line 3: fly: needs a moon", printed)

    def test_the_page_can_not_touch_the_machine(self):
        with tempfile.NamedTemporaryFile() as marker:
            commands = ["touch /etc/x", f"! test -e {marker.name}", "id -un | grep -qx dev", "test $HOME = /home/dev",
                        "hostname | grep -qx ws-42", "echo gone >/tmp/lilith-harness", f"! touch {HERE}/x"]
            code, printed = self.run_page("<!-- exits: 1 -->\n```\n" + "\n".join(commands) + "\n```\n")
        self.assertEqual(code, 0, printed)
        self.assertFalse(os.path.exists("/tmp/lilith-harness"))


if __name__ == "__main__":
    WHY_NOT = machine.why_not()
    if WHY_NOT:
        print(f"skipped: {WHY_NOT}")
        sys.exit(77)
    unittest.main(verbosity=2)
