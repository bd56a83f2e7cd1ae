"""Completion in the three shells, typed as a user types: each candidate comes from a command's own --help."""

import os
import pty
import re
import select
import shutil
import tempfile
import time
import unittest

import packages

COMPLETIONS = packages.SOURCE / "packaging/completions"
PATH = f"{packages.BUILD}/bin:{os.environ['PATH']}"
# What was typed, and the candidates; of zsh what the line becomes where there is one.
ROWS = [
    ("lilith ver", ["verify"]),
    ("lilith policy ch", ["check"]),
    ("lilith policy check --sa", ["--sarif"]),
    ("lilith policy check --s", ["--sarif", "--strict"]),
    ("lilith replay fo", ["forecast"]),
    ("lilith replay forecast --jso", ["--json"]),
    ("lilith mcp --pin ", ["deny", "off", "record"]),
    ("lilith mcp --pin d", ["deny"]),
    ("lilith recorder --sync al", ["always"]),
    ("lilith verify --gap", ["--gap-after"]),
]
BASH = r"""
source /usr/share/bash-completion/bash_completion
source "$1/lilith.bash"
COMP_LINE=$2 COMP_POINT=${#2}
read -ra COMP_WORDS <<<"$2"
[[ $2 != *" " ]] || COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_lilith
printf '%s\n' "${COMPREPLY[@]}"
"""
ZSH = r"""
unsetopt zle_bracketed_paste 2>/dev/null
PROMPT='ready> '
fpath=("$LILITH_COMPLETIONS" $fpath)
autoload -Uz compinit && compinit -u -D
show-line() { print -rn -- "<<$BUFFER>>" }
zle -N show-line
bindkey '^X' show-line
"""
LIMIT_SECONDS = 60


def zsh_line(folder, typed):
    """What zsh makes of a line when the tabulator key follows it."""
    environment = {"PATH": PATH, "HOME": folder, "ZDOTDIR": folder, "TERM": "dumb",
                   "LILITH_COMPLETIONS": str(COMPLETIONS)}
    child, terminal = pty.fork()
    if child == 0:
        os.execve(shutil.which("zsh"), ["zsh", "-d", "-i"], environment)
    seen = ""
    deadline = time.monotonic() + LIMIT_SECONDS

    def read_until(pattern):
        nonlocal seen
        while not re.search(pattern, seen, re.DOTALL):
            if not select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"no {pattern} from zsh: {seen!r}")
            seen += os.read(terminal, 4096).decode(errors="replace")
        return re.search(pattern, seen, re.DOTALL)

    try:
        read_until("ready> ")
        os.write(terminal, (typed + "\t\x18").encode())
        return read_until("<<(.*?)>>")[1]
    finally:
        os.close(terminal)
        os.waitpid(child, 0)


class CompletionsTest(unittest.TestCase):
    def test_bash(self):
        for typed, wanted in ROWS:
            with self.subTest(typed):
                said = packages.run("bash", "-c", BASH, "bash", COMPLETIONS, typed, env={**os.environ, "PATH": PATH})
                self.assertEqual(sorted(said.split()), wanted)

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed here")
    def test_fish(self):
        for typed, wanted in ROWS:
            with self.subTest(typed):
                said = packages.run("fish", "--no-config", "-c",
                                    f"source {COMPLETIONS}/lilith.fish; complete -C '{typed}'",
                                    env={**os.environ, "PATH": PATH})
                self.assertEqual(sorted(line.split("\t")[0] for line in said.splitlines()), wanted)

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed here")
    def test_zsh(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        with open(f"{folder}/.zshrc", "w", encoding="utf-8") as out:
            out.write(ZSH)
        for typed, wanted in ROWS:
            if len(wanted) != 1:
                continue
            with self.subTest(typed):
                line = typed.rsplit(" ", 1)[0] + " " + wanted[0]
                self.assertEqual(zsh_line(folder, typed).rstrip(), line)

    def test_a_program_behind_dashes_is_completed_as_itself(self):
        said = packages.run("bash", "-c", BASH, "bash", COMPLETIONS, "lilith run -- lilith ver",
                            env={**os.environ, "PATH": PATH})
        self.assertEqual(said.split(), ["verify"])


if __name__ == "__main__":
    if not os.path.exists("/usr/share/bash-completion/bash_completion"):
        print("skipped: the package bash-completion is not installed here (scripts/setup test)")
        raise SystemExit(packages.SKIPPED)
    unittest.main(verbosity=2)
