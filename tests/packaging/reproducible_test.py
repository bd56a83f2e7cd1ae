"""The same source built again, in another folder and without a compiler's cache: the same programs byte for byte."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import packages

# All that the packages carry.
PROGRAMS = ["lilith", "lilith-hook", "lilith-policy", "lilith-mcp-http", "lilith-ship", "lilith-verify",
            "lilith-replay", "lilith-wazuh"]


def stripped(program, folder):
    """SHA-256 of PROGRAM as the packages have it."""
    out = pathlib.Path(folder, "stripped")
    packages.run("strip", "-o", out, program)
    return hashlib.sha256(out.read_bytes()).hexdigest()


def cached(name):
    cache = (packages.BUILD / "CMakeCache.txt").read_text(encoding="utf-8")
    return re.search(rf"^{name}:\w+=(.*)$", cache, re.M)[1]


class ReproducibleBuild(unittest.TestCase):
    def test_another_folder_gives_the_same_programs(self):
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder, "elsewhere/source")
            for name in subprocess.run(["git", "-c", "safe.directory=*", "-C", packages.SOURCE, "ls-files", "-z"],
                                       check=True, capture_output=True, text=True).stdout.split("\0"):
                if name and (packages.SOURCE / name).is_file():
                    (source / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(packages.SOURCE / name, source / name)
            build = source / "build/again"
            without_cache = {**os.environ, "CCACHE_DISABLE": "1"}
            packages.run("cmake", "-G", "Ninja", "-S", source, "-B", build, "-DLILITH_TESTS=OFF",
                         "-DLILITH_BENCHMARKS=OFF",
                         *[f"-D{name}={cached(name)}" for name in ("CMAKE_BUILD_TYPE", "CMAKE_CXX_COMPILER", "LILITH_PCH",
                                                                   "CMAKE_INSTALL_PREFIX")], env=without_cache)
            packages.run("cmake", "--build", build, "--target", *PROGRAMS, env=without_cache)
            for program in PROGRAMS:
                with self.subTest(program):
                    self.assertEqual(stripped(build / "bin" / program, folder),
                                     stripped(packages.BUILD / "bin" / program, folder))


if __name__ == "__main__":
    if not os.environ.get("LILITH_LONG"):
        print("skipped: building again is part of the long form (scripts/test --long)")
        sys.exit(packages.SKIPPED)
    packages.main(["git", "cmake", "ninja", "strip"])
