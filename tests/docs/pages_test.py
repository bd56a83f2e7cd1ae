"""Runs every command block of one page: pages_test.py PAGE. With LILITH_UPDATE_GOLDEN=1 what console blocks print is
written into the page."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

import machine
import pages

UPDATE = os.environ.get("LILITH_UPDATE_GOLDEN") == "1"


def helped(command):
    """What `--help` of a lilith command line prints, going by its first words."""
    words = [word for word in command.split()[1:3] if word.isalpha() and word.islower()]
    for count in range(len(words), -1, -1):
        code, printed = machine.run(" ".join(["lilith", *words[:count], "--help"]))
        if code == 0:
            return printed
    raise AssertionError(f"no help for {command}")


def script_of(commands):
    """Runs each command in one shell and notes in the file `failed` which ended with another code than 0."""
    # Words like EVENT_ID, which a reader would replace, and what the page's `before` says for them.
    values = pathlib.Path(machine.WORK, "values")
    words = dict(line.split() for line in values.read_text().splitlines()) if values.exists() else {}
    lines = ["set -o pipefail", "trap : TERM", ": >/tmp/failed"]
    for number, (command, _) in enumerate(commands):
        for word, value in words.items():
            command = re.sub(rf"\b{word}\b", value, command)
        lines += [command.rstrip("\n"), f'code=$?; [ $code -eq 0 ] || echo "{number} $code" >>/tmp/failed']
    return "\n".join(lines) + "\n"


class Page(unittest.TestCase):
    """One test for each block, made by add_tests()."""

    def check(self, block):
        if "not run" in block.directives:
            self.skipTest(block.directives["not run"])
        needs = block.directives.get("needs")
        if needs and machine.run(f"command -v {needs}")[0] != 0:
            self.skipTest(f"{needs} is not installed here (scripts/setup test)")
        if "before" in block.directives:
            code, printed = machine.run(block.directives["before"])
            self.assertEqual(code, 0, printed)
        if "synopsis" in block.directives:
            return self.check_synopsis(block)
        if block.language == "console":
            return self.check_console(block)
        return self.check_commands(block)

    def check_commands(self, block):
        commands = pages.commands(block)
        self.assertTrue(commands, "the block has no command")
        condition = block.directives.get("until")
        printed = self.stopped(script_of(commands), condition) if condition else machine.run(script_of(commands))[1]
        failed = [line.split() for line in pathlib.Path("/tmp/failed").read_text().splitlines()]
        wrong = [f"{commands[int(number)][0].strip()}  ended with {code}" for number, code in failed
                 if int(code) not in block.exits()]
        self.assertEqual(wrong, [], f"it printed:\n{printed}")
        self.assertEqual(block.exits() - {int(code) for _, code in failed}, set(), "no command ended with these")

    def stopped(self, script, condition):
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            process = machine.start(script, output)
            for _ in range(600):
                if process.poll() is not None:
                    break
                if machine.run(f"{condition} && sleep 0.05")[0] == 0:
                    os.killpg(process.pid, signal.SIGTERM)
                    break
                subprocess.run(["sleep", "0.05"], check=True)
            else:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=machine.TIMEOUT_S)
            output.seek(0)
            printed = output.read()
        self.assertEqual(machine.run(condition)[0], 0, f"'{condition}' never came true; it printed:\n{printed}")
        return printed

    def check_console(self, block):
        out, seen = [], set()
        for command, expected in pages.commands(block):
            code, printed = machine.run("set -o pipefail\n" + command)
            lines = printed.splitlines()
            same = pages.agrees(expected, lines)
            out += ["$ " + command.strip().replace("\n", "\n> ")] + (expected if same else lines)
            seen |= {code} - {0}
            if not UPDATE:
                self.assertTrue(same, f"{command}prints\n{printed}and not\n" + "\n".join(expected))
        self.assertEqual(seen, block.exits(), "exit codes")
        block.lines = "\n".join(out).split("\n")

    def check_synopsis(self, block):
        for line in "\n".join(block.lines).replace("\n ", " ").split("\n"):
            said = helped(line)
            for option in re.findall(r"--[a-z][a-z-]*", line):
                self.assertIn(option, said, f"{line}: not in the help of the command")


def add_tests(found):
    for block in found:
        if block.is_commands:
            def test(self, block=block):
                self.check(block)
            test.__doc__ = f"line {block.line}: {block.lines[0].strip()[:90]}"
            setattr(Page, f"test_{block.line:04}", test)


def rewrite(path, text, found):
    lines = text.split("\n")
    for index, block in reversed(list(enumerate(pages.blocks(text)))):
        if block.language == "console":
            lines[block.line - 1:block.line - 1 + len(block.lines)] = found[index].lines
    path.write_text("\n".join(lines), encoding="utf-8")


def main():
    page = pathlib.Path(sys.argv[1])
    text = (machine.SOURCE / page).read_text(encoding="utf-8")
    found = pages.blocks(text)
    if not any(block.is_commands for block in found):
        print(f"{page} has no commands")
        return 0
    reason = machine.enter()
    if reason:
        print(f"skipped: {reason}")
        return machine.SKIPPED
    return run(page, text, found)


def run(page, text, found):
    machine.furnish(writable_source=UPDATE)
    before = machine.ROOM / "before" / (page.as_posix().replace("/", "_").removesuffix(".md") + ".sh")
    if before.exists():
        code, printed = machine.run(before.read_text(encoding="utf-8"))
        if code != 0:
            print(f"{before.name} ended with {code}:\n{printed}")
            return 1
    add_tests(found)
    result = unittest.main(module="__main__", argv=sys.argv[:1], verbosity=2, exit=False).result
    for test, reason in result.skipped:
        print(f"not run: {page}: {test.shortDescription()}: {reason}")
    print(f"{page}: {result.testsRun - len(result.skipped)} blocks run, {len(result.skipped)} not")
    if UPDATE:
        rewrite(machine.ROOM / "source" / page, text, found)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
