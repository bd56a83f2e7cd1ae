"""Makes the Debian packages from the build that is tested, for the tests beside this file."""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

BUILD = pathlib.Path(os.environ["LILITH_BIN_DIR"]).parent
SOURCE = pathlib.Path(os.environ["LILITH_SOURCE_DIR"])
NAMES = ["lilith", "lilith-shipper", "lilith-replay"]
SKIPPED = 77  # SKIP_RETURN_CODE in CMakeLists.txt
EPOCH = "1700000000"


def run(*words, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, words))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def make(directory):
    """The three packages in DIRECTORY, by name."""
    run("cpack", "-G", "DEB", "--config", BUILD / "CPackConfig.cmake", "-B", directory,
        cwd=BUILD, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})
    made = {name: next(pathlib.Path(directory).glob(f"{name}_*.deb")) for name in NAMES}
    shutil.rmtree(pathlib.Path(directory) / "_CPack_Packages", ignore_errors=True)
    return made


def main(needs):
    """Runs the caller's tests, or skips them all where a program that they need is missing."""
    missing = [program for program in needs if shutil.which(program) is None]
    if missing:
        print(f"skipped: not installed here: {', '.join(missing)} (scripts/setup test)")
        sys.exit(SKIPPED)
    unittest.main(module="__main__", verbosity=2)
