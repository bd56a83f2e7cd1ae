"""What the pages say of commands, options, configuration keys and event members, held against programs and sources.
(Keys, codes and patterns of docs/policy.md: policy_test. Metrics: shipper_report_test. Tables of shell commands:
shell_reader_test. Codes at run time: cli_test, hook_process_test.)"""

import functools
import json
import pathlib
import re
import subprocess
import unittest

import machine
import pages

SOURCE = machine.SOURCE
PAGES = ["README.md", "wazuh/README.md", *sorted(f"docs/{page.name}" for page in (SOURCE / "docs").glob("*.md"))]
WITH_SUBCOMMANDS = {"policy", "replay", "audit", "seal", "ship", "wazuh", "import"}


def page(name):
    return (SOURCE / name).read_text(encoding="utf-8")


@functools.cache
def help_of(*words):
    done = subprocess.run([machine.BIN / "lilith", *words, "--help"], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def listed(text):
    return re.findall(r"^  ([a-z][a-z-]*) +[^ ]", re.split("Subcommands:|Other commands", text)[-1], re.M)


COMMANDS = listed(help_of())


def options_of(command):
    """The help that counts for a command line: of its sub-command where it has one."""
    words = [word for word in command.split()[1:3] if re.fullmatch(r"[a-z][a-z-]*", word)]
    if not words or words[0] not in COMMANDS:
        return help_of()
    if len(words) == 2 and words[0] in WITH_SUBCOMMANDS and help_of(*words):
        return help_of(words[0]) + help_of(*words)
    if words[0] == "replay":
        return help_of("replay", "run")
    return help_of(words[0])


def command_lines(text):
    """Command lines of lilith in spans of code and in blocks."""
    for block in pages.blocks(text):
        if block.is_commands or block.language == "text":
            for line in "\n".join(block.lines).replace("\\\n", " ").split("\n"):
                yield from re.findall(r"(?:^|[|&;(] *|/usr/bin/)(lilith [^|&;#]*)", line)
    without_blocks = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    yield from re.findall(r"`(lilith [^`]*)`", without_blocks)


class Options(unittest.TestCase):
    def test_every_option_of_a_command_line_is_in_its_help(self):
        count = 0
        for name in PAGES:
            for line in command_lines(page(name)):
                own = line.split(" -- ")[0]
                for option in re.findall(r"(?<=[ \[(])--[a-z][a-z-]*", own):
                    count += 1
                    with self.subTest(page=name, line=line):
                        self.assertIn(option, options_of(line))
        self.assertGreater(count, 40)

    def test_every_command_is_a_command(self):
        for name in PAGES:
            for line in command_lines(page(name)):
                word = line.split()[1]
                if re.fullmatch(r"[a-z]+", word):
                    with self.subTest(page=name, line=line):
                        self.assertIn(word, COMMANDS)


class ExitCodes(unittest.TestCase):
    def test_every_command_has_its_row(self):
        rows = "".join(line for line in page("docs/exit-codes.md").splitlines(True) if line.startswith("| `"))
        for command in COMMANDS:
            self.assertRegex(rows, rf"`(lilith )?{command}\b", command)
        for command in ("policy", "replay", "audit", "seal"):
            names = listed(help_of(command))
            self.assertTrue(names, command)
            for sub in names:
                with self.subTest(f"{command} {sub}"):
                    self.assertRegex(rows, rf"`((lilith )?{command} )?{sub}\b")

    def test_each_code_means_the_same_in_the_help(self):
        meanings = dict(re.findall(r"^\| (\d) \| (?:the )?([a-z]+)", page("docs/exit-codes.md"), re.M))
        for code, word in re.findall(r"(\d) ([a-z]+)", help_of().split("Exit codes:")[1]):
            self.assertEqual(meanings[code], word, code)


class ShippingKeys(unittest.TestCase):
    def test_every_key_of_the_configuration_is_in_the_tables(self):
        code = (SOURCE / "shipper/config.cpp").read_text(encoding="utf-8")
        keys = set(re.findall(r'SinkKey\{"([a-z_]+)"', code))
        for array in re.findall(r"string_view, \d+> k\w*Keys\{([^}]*)\}", code) + \
                re.findall(r"kTopKeys\{([^}]*)\}", code):
            keys |= set(re.findall(r'"([a-z_]+)"', array))
        self.assertGreater(len(keys), 35)
        text = page("docs/shipping.md")
        for key in sorted(keys):
            self.assertRegex(text, rf"(\| |, |\. ?|\*\* |/ |\{{|\[\]\.|`){key}\b", key)


def rows_of_members(text):
    """Member paths of the table in docs/event.md, with the text of their row."""
    out = {}
    for first, rest in re.findall(r"^\| ((?:lilith|chain|action|category)[^|]*)\|(.*)$", text, re.M):
        whole = ""
        for name in re.split(r", ", first.strip()):
            whole = name if not name.startswith(".") else whole.rsplit(".", 1)[0] + name
            out[whole] = rest
    return out


def members(value, path=""):
    for key, inner in value.items():
        here = f"{path}.{key}" if path else key
        if isinstance(inner, dict):
            yield from members(inner, here)
        yield here


class EventMembers(unittest.TestCase):
    TABLE = rows_of_members(page("docs/event.md"))

    def test_every_member_that_is_written_is_in_the_table(self):
        seen = set()
        for line in (SOURCE / "tests/golden/event-lines.ndjson").read_text(encoding="utf-8").splitlines():
            seen |= set(members(json.loads(line)))
        self.assertGreater(len(seen), 50)
        for member in sorted(seen):
            with self.subTest(member):
                self.assertTrue(self.told(member))

    def told(self, member):
        if member in self.TABLE or any(row.startswith(member + ".") for row in self.TABLE):
            return True
        above, _, name = member.rpartition(".")
        # Members of lilith.detail differ by event and are the writers' own.
        return above == "lilith.detail" or (above in self.TABLE and re.search(rf"`?\b{name}\b`?", self.TABLE[above]))

    def test_every_spelling_of_the_wire_is_in_the_page(self):
        code = (SOURCE / "audit/event_spellings.hpp").read_text(encoding="utf-8")
        spellings = re.findall(r'Spelling\{(\w+)::\w+,\s*"([a-z_]+)"', code)
        self.assertGreater(len(spellings), 30)
        for kind, spelling in spellings:
            self.assertIn(f"`{spelling}`", page("docs/event.md"), kind)


class Checks(unittest.TestCase):
    """The checks above can fail."""

    def test_command_lines_are_found(self):
        text = "a `lilith ship --check` b\n```\nx && lilith replay LOG --top 3 | cat\nlilith-there --no\n```\n"
        self.assertEqual([line.strip() for line in command_lines(text)],
                         ["lilith replay LOG --top 3", "lilith ship --check"])
        self.assertNotIn("--nonsense", options_of("lilith ship --nonsense"))

    def test_rows_are_spelled_out(self):
        self.assertEqual(set(rows_of_members("| lilith.process.pid, .exe | x | |\n| lilith.rule, .reason | x | |\n")),
                         {"lilith.process.pid", "lilith.process.exe", "lilith.rule", "lilith.reason"})


if __name__ == "__main__":
    assert pathlib.Path(machine.BIN, "lilith").exists(), "lilith is not built"
    unittest.main(verbosity=1)
