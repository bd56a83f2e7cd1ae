#!/usr/bin/env python3
"""Manual pages of every command, made by help2man(1) of what its --help says: one source for both.

    manuals.py LILITH DIRECTORY

Writes DIRECTORY/PACKAGE/lilith-COMMAND.1.gz for each Debian package of packaging/CMakeLists.txt. The date of a page is
SOURCE_DATE_EPOCH, if set, so that two builds give the same bytes."""

import gzip
import pathlib
import re
import subprocess
import sys

# Where a command's program is; all others are in the package `lilith`.
PACKAGES = {"ship": "lilith-shipper", "replay": "lilith-replay", "import": "lilith-replay", "wazuh": "lilith-replay"}
SEE_ALSO = """
[SEE ALSO]
.BR {others}

The folder /usr/share/doc/{package} has the guides.
"""


def help_of(program, command):
    return subprocess.run([program, *command, "--help"], check=True, capture_output=True, text=True).stdout


def commands_of(text):
    """The names in a list of commands: two blanks, a name, two blanks or more, what it does."""
    return re.findall(r"^  ([a-z][a-z-]*)  +(\S.*)$", text, re.MULTILINE)


def tree(program, command=(), does="one policy between AI coding agents and the machine"):
    """Every command with what it does, the front door first."""
    yield command, does
    listed = commands_of(help_of(program, command))
    # `wazuh`, `import` and others do not list themselves, and no command lists one with the same list.
    for name, text in listed:
        yield from tree(program, (*command, name), text)


def page(program, command, does, others, version):
    name = "-".join(("lilith", *command))
    # help2man runs its argument by way of the shell's words.
    made = subprocess.run(
        ["help2man", "--no-info", "--no-discard-stderr", f"--version-string={version}", f"--name={does}",
         "--include=/dev/stdin", " ".join([program, *command])],
        input=SEE_ALSO.format(others=", ".join(f"{other} (1)" for other in others),
                              package=PACKAGES.get(command[0] if command else "", "lilith")),
        check=True, capture_output=True, text=True).stdout
    title = name.upper().replace("-", "\\-")
    # .ad l: paths and options do not break, and lines with them can't be justified.
    made = re.sub(r'^\.TH \S.*? "1"(.*)$', rf'.TH {title} "1"\1\n.ad l', made, count=1, flags=re.MULTILINE)
    made = re.sub(r"^(\.SH NAME\n).*? \\- ", lambda m: m[1] + name.replace("-", "\\-") + " \\- ", made, count=1,
                  flags=re.MULTILINE)
    return name, made


def main():
    program, directory = sys.argv[1], pathlib.Path(sys.argv[2])
    version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.split()[-1]
    commands = list(tree(program))
    names = ["-".join(("lilith", *command)) for command, _ in commands]
    for command, does in commands:
        mine = "-".join(("lilith", *command))
        others = [name for name in names if name != mine and (name.startswith(mine + "-") or mine.startswith(name))]
        name, text = page(program, command, does, others or ["lilith"], version)
        folder = directory / PACKAGES.get(command[0] if command else "", "lilith")
        folder.mkdir(parents=True, exist_ok=True)
        with gzip.GzipFile(folder / f"{name}.1.gz", "wb", compresslevel=9, mtime=0) as out:
            out.write(text.encode())


main()
