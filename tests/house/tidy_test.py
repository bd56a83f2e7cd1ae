"""House style that neither the compiler nor clang-format checks."""

import pathlib
import re
import tempfile
import unittest

import house

COLUMNS_MAX = 100
PYTHON_COLUMNS_MAX = 120
FILE_BYTES_MAX = 256 * 1024
OWN_CODE = (".cpp", ".hpp", ".py")

BANNED = {
    r"(?<![\w])(strcpy|strcat|sprintf|vsprintf|gets|tmpnam|mktemp)\s*\(": "use a bounded form",
    r"(?<![\w.>])(std::)?system\s*\(": "no shell: spawn the program itself",
    r"\bstd::endl\b": r"write '\n'",
    r"\bstd::regex\b": "backtracks without bound",
}
# In pieces, so that this file is not one of them.
PLACES = ["/wo" + r"rk/(main|shared|steering)", r"\.lib" + "rary/", "de" + r"b\.debian\.org",
          "registry" + r"\.npmjs", "py" + r"pi\.org", "files" + r"\.pythonhosted",
          "static" + r"\.crates", "proxy" + r"\.golang", "repo1?" + r"\.maven"]


def without_text(line):
    """The line without string literals and // comments."""
    line = re.sub(r'"(\\.|[^"\\])*"', '""', line)
    return re.sub(r"//.*", "", line)


def code_faults(name, text):
    faults = []
    for number, line in enumerate(text.split("\n"), 1):
        at = f"{name}:{number}"
        columns = PYTHON_COLUMNS_MAX if name.endswith(".py") else COLUMNS_MAX
        # Tables of shell lines are data: a row is easier to read whole.
        table = name.endswith("_rows.cpp")
        if len(line) > columns and not table and "http" not in line and 'R"' not in line:
            faults.append(f"{at}: more than {columns} columns")
        if "\t" in line:
            faults.append(f"{at}: a tab")
        if line != line.rstrip():
            faults.append(f"{at}: blanks at the end")
        if not name.endswith(".py"):
            for pattern, why in BANNED.items():
                if name.startswith("tests/") and "regex" in pattern:
                    continue  # patterns of our own over output of our own
                found = re.search(pattern, without_text(line))
                if found:
                    faults.append(f"{at}: {found.group(0)} {why}")
    return faults


def markdown_faults(root, name, text):
    faults = []
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    text = re.sub(r"`[^`\n]*`", "", text)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            continue
        path = pathlib.Path(root) / pathlib.Path(name).parent / target.split("#")[0]
        if not path.exists():
            faults.append(f"{name}: the link to {target} leads nowhere")
    return faults


def any_faults(name, text):
    faults = []
    for number, line in enumerate(text.split("\n"), 1):
        # Tables of shell lines are data: agents search for the word.
        if not name.endswith("_rows.cpp") and re.search(r"\bTO" + r"DO\b(?!\(#\d+\))", line):
            faults.append(f"{name}:{number}: a TO" + "DO without an issue number")
        for place in PLACES:
            if re.search(place, line):
                faults.append(f"{name}:{number}: names a place that users don't have ({place})")
    return faults


def tidy_faults(root):
    faults = []
    for name in house.tree_files(root):
        path = pathlib.Path(root) / name
        if name.startswith("third_party/") or path.is_symlink():
            continue
        data = path.read_bytes()
        if len(data) > FILE_BYTES_MAX:
            faults.append(f"{name}: larger than {FILE_BYTES_MAX} bytes")
        if b"\0" in data:
            continue
        text = data.decode("utf-8", errors="replace")
        faults += any_faults(name, text)
        if name.endswith(OWN_CODE):
            faults += code_faults(name, text)
        if name.endswith(".md"):
            faults += markdown_faults(root, name, text)
        is_script = re.match(r"#!.*\b(ba)?sh\b", text) or name.endswith(".sh")
        # Debian's maintainer scripts run under dash, which has no pipefail (Debian Policy 10.4).
        strict = "set -e" if text.startswith("#!/bin/sh\n") else "set -euo pipefail"
        if is_script and not re.search(rf"^{strict}$", text, re.M):
            faults.append(f"{name}: a script without {strict}")
    return faults


class TidyTest(unittest.TestCase):
    def test_the_tree_is_tidy(self):
        faults = tidy_faults(house.SOURCE_DIR)
        self.assertEqual(faults, [], "\n" + "\n".join(faults))


class TidyTestCanFail(unittest.TestCase):
    CASES = [
        ("a.cpp", "x" * 101 + "\n", "columns"),
        ("a.cpp", "\tint x;\n", "a tab"),
        ("a.hpp", "int x; \n", "blanks"),
        ("a.cpp", "strcpy(a, b);\n", "strcpy"),
        ("a.cpp", "std::sprintf(a, b);\n", "sprintf"),
        ("a.cpp", "return std::system(command);\n", "system"),
        ("a.cpp", "out << std::endl;\n", "endl"),
        ("a.cpp", "std::regex r;\n", "regex"),
        ("a.cpp", "// TO" + "DO: later\n", "issue number"),
        ("a.txt", "see /wo" + "rk/main/x\n", "names a place"),
        ("a.md", "[there](docs/absent.md)\n", "leads nowhere"),
        ("run", "#!/usr/bin/env bash\necho\n", "set -euo"),
        ("big.bin", "x" * (FILE_BYTES_MAX + 1), "larger"),
    ]

    def faults_of(self, name, text):
        with tempfile.TemporaryDirectory() as root:
            (pathlib.Path(root) / name).write_text(text)
            return tidy_faults(root)

    def test_each_fault_is_found(self):
        for name, text, expected in self.CASES:
            with self.subTest(name=name, text=text[:40]):
                faults = self.faults_of(name, text)
                self.assertEqual(len(faults), 1, faults)
                self.assertIn(expected, faults[0])

    def test_what_only_looks_like_one_is_not(self):
        for name, text in [
            ("a.cpp", "std::snprintf(a, n, f);\n"),
            ("a.cpp", 'const char* s = "system(";\n'),
            ("a.cpp", "file_system(x);\n"),
            ("a.cpp", "// TO" + "DO(#12): later\n"),
            ("a_rows.cpp", 'Row{"grep -rn TO' + 'DO src"},\n'),
            ("a.md", "[web](https://example.org) `[x](absent)`\n"),
        ]:
            with self.subTest(text=text):
                self.assertEqual(self.faults_of(name, text), [])


if __name__ == "__main__":
    house.main("tidy_test")
