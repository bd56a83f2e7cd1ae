"""SECURITY.md names a test for each promise; a test that is named is there."""

import re
import unittest

import house


def promises(text):
    """{promise: names of tests} of the table."""
    table = text.split("## Promises", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", table, re.M)
    return {promise: re.findall(r"`([^`]+)`", tests) for promise, tests in rows if promise not in ("promise", "---")}


def test_names(root):
    """Of GoogleTest and ctest, and of ctest tests whose last part CMake fills in the part before it."""
    names = set()
    for name in house.tree_files(root):
        if not name.startswith("tests/"):
            continue
        if name.endswith(".cpp"):
            text = (root / name).read_text(encoding="utf-8")
            names |= {f"{suite}.{test}" for suite, test in re.findall(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", text, re.M)}
        elif name.endswith("CMakeLists.txt"):
            names |= named_by_cmake((root / name).read_text(encoding="utf-8"))
    return names


def named_by_cmake(text):
    names = set(re.findall(r"lilith_(?:fuzz|test)\(\s*(\w+)", text))
    loops = {variable: words.split() for variable, words in re.findall(r"foreach\((\w+) ([^)]*)\)", text)}
    for name in re.findall(r"add_test\(NAME ([^\s)]+)", text):
        names.add(re.sub(r"\.\$\{.*", "", name))
        variable = re.search(r"\$\{(\w+)\}$", name)
        for word in loops.get(variable[1], []) if variable else []:
            names.add(name.replace("${" + variable[1] + "}", word))
    return names


class Promises(unittest.TestCase):
    def test_each_has_tests_and_they_are_there(self):
        found = promises((house.SOURCE_DIR / "SECURITY.md").read_text(encoding="utf-8"))
        self.assertGreater(len(found), 15)
        there = test_names(house.SOURCE_DIR)
        for promise, tests in found.items():
            with self.subTest(promise):
                self.assertTrue(tests, "no test")
                self.assertEqual([test for test in tests if test not in there], [])

    def test_a_test_that_is_not_there_is_seen(self):
        there = test_names(house.SOURCE_DIR)
        self.assertNotIn("Log.KeepsNothing", there)
        self.assertNotIn("house.nothing", there)
        self.assertIn("house.promises", there)
        table = "## Promises\n| promise | tests |\n|---|---|\n| a | `X.Y` `z` |\n| b | none |\n## More\n"
        self.assertEqual(promises(table),
                         {"a": ["X.Y", "z"], "b": []})


if __name__ == "__main__":
    house.main("promises_test")
