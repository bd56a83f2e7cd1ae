"""What the tests of the house share: the tree's files, and skips that ctest shows by name."""

import os
import pathlib
import subprocess
import sys
import unittest

SKIPPED = 77  # SKIP_RETURN_CODE in CMakeLists.txt


def tree_files(root):
    """Files of the checkout that are not ignored, relative to root."""
    root = pathlib.Path(root)
    if (root / ".git").exists():
        listed = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z", "--cached",
             "--others", "--exclude-standard"],
            check=True, capture_output=True).stdout.decode().split("\0")
        names = [name for name in listed if name and (root / name).is_file()]
    else:
        names = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
    skip = ("build/", "node_modules/")
    return sorted(n for n in set(names) if not n.startswith(skip) and "/node_modules/" not in n)


def main(module_name):
    """Runs the tests of a module; when every one of them was skipped, so is the ctest test."""
    suite = unittest.defaultTestLoader.loadTestsFromName(module_name)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    if not result.wasSuccessful() or result.testsRun == 0:
        sys.exit(1)
    sys.exit(SKIPPED if len(result.skipped) == result.testsRun else 0)


SOURCE_DIR = pathlib.Path(os.environ.get("LILITH_SOURCE_DIR", "."))
BIN_DIR = pathlib.Path(os.environ.get("LILITH_BIN_DIR", "build/release/bin"))
