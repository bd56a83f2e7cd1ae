"""A file includes the standard headers whose names it uses, itself or by headers of ours. Builds with precompiled
headers (LILITH_PCH, cmake/LilithTargets.cmake) would not notice; one without them, or another library, would."""

import functools
import pathlib
import re
import tempfile
import unittest

import house

# Header -> names of std that only it promises to declare, of those that builds precompile.
NAMES = {
    "algorithm": r"(?:stable_)?sort|find_if|(?:any|all|none)_of|count_if|min|max|clamp|equal|(?:lower|upper)_bound"
                 r"|reverse|ranges::\w+",
    "array": r"array|to_array",
    "chrono": r"chrono::\w+",
    "cstdint": r"u?int(?:8|16|32|64)_t",
    "filesystem": r"filesystem::\w+",
    "functional": r"function|reference_wrapper",
    "map": r"(?:multi)?map",
    "memory": r"(?:unique|shared|weak)_ptr|make_(?:unique|shared)",
    "mutex": r"mutex|lock_guard|unique_lock|scoped_lock|call_once|once_flag",
    "optional": r"optional|nullopt",
    "set": r"(?:multi)?set",
    "span": r"span",
    "string": r"string|to_string",
    "string_view": r"string_view",
    "unordered_map": r"unordered_map",
    "utility": r"pair|make_pair|move|exchange|swap|forward",
    "variant": r"variant|get_if|visit|holds_alternative|monostate",
    "vector": r"vector",
}
USES = {header: re.compile(rf"\bstd::(?:{names})\b") for header, names in NAMES.items()}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.M)


@functools.cache
def standard_headers(root, name):
    """Those that the file and what it includes of ours include."""
    found = set()
    for bracket, header in INCLUDE.findall((root / name).read_text()):
        if bracket == "<":
            found.add(header)
        elif (root / header).is_file():
            found |= standard_headers(root, header)
    return frozenset(found)


def header_faults(root):
    root = pathlib.Path(root)
    faults = []
    for name in house.tree_files(root):
        if not name.endswith((".cpp", ".hpp")) or name.startswith(("third_party/", "tests/")):
            continue
        code = re.sub(r"//[^\n]*", "", (root / name).read_text())
        for header, use in USES.items():
            used = use.search(code)
            if used and header not in standard_headers(root, name):
                faults.append(f"{name} uses {used.group(0)}: include <{header}>")
    return faults


class HeadersTest(unittest.TestCase):
    def test_every_file_includes_what_it_uses(self):
        self.assertEqual(header_faults(house.SOURCE_DIR), [])

    def test_a_header_of_ours_may_include_it_and_a_comment_uses_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "audit").mkdir()
            (root / "audit/a.hpp").write_text("#include <string>\nstd::string a();\n")
            (root / "audit/a.cpp").write_text('#include "audit/a.hpp"\n// std::map\nstd::string a() { return {}; }\n')
            (root / "audit/b.cpp").write_text('#include "audit/a.hpp"\nstd::optional<std::string> b();\n')
            self.assertEqual(header_faults(root), ["audit/b.cpp uses std::optional: include <optional>"])


if __name__ == "__main__":
    house.main(__name__)
