"""The blocks of a page of the documentation, and what the comments before them say about running them.

A fenced block without a language, or of `sh`, holds commands; one of `console` holds commands behind `$ ` with what
they print. Other languages are data. Comments on the lines before a block, invisible where Markdown is shown:

  <!-- not run: REASON -->   the block is not run here; the test lists it with the reason
  <!-- needs: PROGRAM -->    not run where PROGRAM is not installed
  <!-- exits: 1 5 -->        codes other than 0 that its commands end with, each of which must occur
  <!-- until: CONDITION -->  the last command goes on for ever: ended by TERM as soon as the shell finds CONDITION true
  <!-- before: COMMAND -->   what the test does first, and the reader has done already
  <!-- synopsis -->          what could be typed, with words to be filled in: its options must be in `--help`
"""

import re
import subprocess

COMMANDS = {"", "sh", "console"}
DATA = {"text", "json", "yaml", "kusto", "spl", "kql", "eql", "esql", "mermaid"}
DIRECTIVE = re.compile(r"<!-- (not run|needs|exits|until|before|synopsis)(?:: (.*))? -->$")


class Block:
    """One fenced block: `line` is that of its first line within the page, counted from 1."""

    def __init__(self, language, line, lines, directives):
        self.language, self.line, self.lines, self.directives = language, line, lines, directives

    @property
    def text(self):
        return "\n".join(self.lines) + "\n"

    @property
    def is_commands(self):
        return self.language in COMMANDS

    def exits(self):
        return {int(code) for code in (self.directives.get("exits") or "").split()}


def blocks(text):
    """All blocks of a page in order; ValueError where the page can't be read with certainty."""
    out, open_block, directives = [], None, {}
    for number, line in enumerate(text.split("\n"), 1):
        fence = re.match(r"```(.*)$", line)
        if open_block is not None:
            if line == "```":
                out.append(open_block)
                open_block = None
            else:
                open_block.lines.append(line)
            continue
        if fence:
            language = fence[1]
            if language not in COMMANDS | DATA:
                raise ValueError(f"line {number}: no such language of blocks: {language}")
            open_block = Block(language, number + 1, [], directives)
            directives = {}
            continue
        found = DIRECTIVE.match(line)
        if line.startswith("<!--") and not found:
            raise ValueError(f"line {number}: a comment that says nothing of a block: {line}")
        if found and found[1] != "synopsis" and not (found[2] or "").strip():
            raise ValueError(f"line {number}: '{found[1]}' without what it needs")
        if found:
            directives = {**directives, found[1]: found[2]}
        elif directives:
            raise ValueError(f"line {number}: the comment before it belongs to no block")
    if open_block is not None:
        raise ValueError(f"line {open_block.line}: the block has no end")
    return out


def is_whole(text):
    """Whether bash would run TEXT without asking for more of it."""
    if text.rstrip("\n").endswith("\\"):
        return False
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stderr == ""


def commands(block):
    """The block's commands, each with the lines that it stands on; of a console block with the output (else None)."""
    if block.language == "console":
        return console(block)
    out, pending = [], ""
    for line in block.lines:
        pending += line + "\n"
        if is_whole(pending):
            if not re.fullmatch(r"(\s*(#.*)?\n)*", pending):
                out.append((pending, None))
            pending = ""
    if pending:
        raise ValueError(f"line {block.line}: bash does not take this for a whole command: {pending}")
    return out


def console(block):
    out = []
    for number, line in enumerate(block.lines, block.line):
        if line.startswith("$ "):
            out.append((line[2:] + "\n", []))
        elif line.startswith("> ") and out and not out[-1][1]:
            out[-1] = (out[-1][0] + line[2:] + "\n", [])
        elif out:
            out[-1][1].append(line)
        else:
            raise ValueError(f"line {number}: output without a command")
    return out


# What differs from run to run, and nothing else.
VARIABLE = [
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA256"),
    (re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
]


def normal(line):
    for pattern, name in VARIABLE:
        line = pattern.sub(name, line)
    return line.rstrip()


def agrees(expected, printed):
    """Whether the lines PRINTED are those EXPECTED, in which a line `...` stands for any number of lines."""
    expected = [normal(line) for line in expected]
    printed = [normal(line) for line in printed]
    pattern = "".join("(?:.*\n)*?" if line == "..." else re.escape(line) + "\n" for line in expected)
    return re.fullmatch(pattern, "".join(line + "\n" for line in printed)) is not None
