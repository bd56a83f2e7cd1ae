"""The picture of docs/architecture.md, from the build's own dependency graph (cmake/DependencyGraph.cmake).

picture.py BUILD_DIRECTORY           prints it
picture.py BUILD_DIRECTORY --write   puts it into docs/architecture.md
"""

import pathlib
import re
import sys

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs/architecture.md"
BEGIN, END = "```mermaid\n", "```\n"
FLOORS = [(1, "audit"), (2, "rules"), (2, "wazuh"), (3, "enforcer"), (3, "shipper"), (3, "replay")]
TITLES = {4: "floor 4: programs", 3: "floor 3: what runs", 2: "floor 2: what decides and what alerts",
          1: "floor 1: the event and its log"}


def graph(build):
    """{name: (folder, is a program, names of ours that it links, third-party names)}."""
    file = pathlib.Path(build, "dependencies.txt")
    if not file.exists():
        raise SystemExit(f"picture: there is no {file}; configure the build first")
    rows = [line.split("|") for line in file.read_text(encoding="utf-8").splitlines()]
    ours = {name for name, _, _, _ in rows}
    return {name: (folder, kind == "program", ours & set(links.split()), third_party(set(links.split()) - ours))
            for name, kind, folder, links in rows}


def third_party(names):
    """As people call them: fmt::fmt and fmt::fmt-header-only are fmt, PkgConfig::PSL is psl."""
    return sorted(one.split("::")[-1].removesuffix("-header-only").lower()
                  for one in names - {"lilith_flags", "Threads::Threads"})


def floor(folder, is_program):
    return 4 if is_program else next(number for number, room in FLOORS if folder.split("/")[0] == room)


def reached(links, name):
    out, todo = set(), [name]
    while todo:
        for one in links[todo.pop()]:
            if one not in out:
                out.add(one)
                todo.append(one)
    return out


def without_shortcuts(links):
    """Only the arrows that do not follow from others."""
    return {name: {one for one in to if not any(one in reached(links, other) for other in to - {one})}
            for name, to in links.items()}


def draw(targets):
    """Mermaid; ValueError when an arrow does not point to the same floor or a lower one."""
    floors = {name: floor(folder, is_program) for name, (folder, is_program, _, _) in targets.items()}
    links = {name: to for name, (_, _, to, _) in targets.items()}
    for name, to in links.items():
        for one in to:
            if floors[one] > floors[name]:
                raise ValueError(f"{name} (floor {floors[name]}) links {one} (floor {floors[one]})")
    lines = ["flowchart TD"]
    for number, title in TITLES.items():
        lines.append(f'  subgraph floor{number}["{title}"]')
        for name in sorted(one for one, at in floors.items() if at == number):
            label = name if targets[name][1] else f"{name.removeprefix('lilith_')}<br>{targets[name][0]}/"
            others = "".join(f"<br>{one}" for one in [", ".join(targets[name][3])] if one)
            lines.append(f'    {node(name)}["{label}{others}"]')
        lines.append("  end")
    for name, to in sorted(without_shortcuts(links).items()):
        for one in sorted(to):
            lines.append(f"  {node(name)} --> {node(one)}")
    return "\n".join(lines) + "\n"


def node(name):
    return name.replace("-", "_") if name.startswith("lilith_") else "program_" + name.replace("-", "_")


def drawn_in(page):
    """(text before the picture, the picture, text behind it) of the page."""
    before, found, rest = page.partition(BEGIN)
    picture, end, behind = rest.partition(END)
    if not found or not end or re.search("^" + re.escape(BEGIN), behind, re.M):
        raise ValueError(f"{PAGE} must hold one picture between ```mermaid and ```")
    return before + BEGIN, picture, END + behind


def main():
    arguments = [word for word in sys.argv[1:] if word != "--write"]
    if len(arguments) != 1:
        raise SystemExit(__doc__)
    picture = draw(graph(arguments[0]))
    if "--write" not in sys.argv:
        print(picture, end="")
        return
    before, _, behind = drawn_in(PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(before + picture + behind, encoding="utf-8")


if __name__ == "__main__":
    main()
