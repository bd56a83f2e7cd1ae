"""Installs the pinned clients into the build folder: install.py SOURCE TARGET.

Ends with 0 in any case: where npm or its registry is not to be had, TARGET/unavailable says why, and the tests that
need the clients are skipped with that reason."""

import pathlib
import shutil
import subprocess
import sys

INPUTS = ("package.json", "package-lock.json", ".npmrc")
SECONDS = 240


def main():
    source, target = map(pathlib.Path, sys.argv[1:3])
    target.mkdir(parents=True, exist_ok=True)
    unavailable = target / "unavailable"
    stamp = target / "installed-lock.json"
    wanted = (source / "package-lock.json").read_bytes()
    if stamp.exists() and stamp.read_bytes() == wanted:
        unavailable.unlink(missing_ok=True)
        return
    stamp.unlink(missing_ok=True)
    for name in INPUTS:
        shutil.copy(source / name, target / name)
    reason = install(target)
    if reason:
        unavailable.write_text(reason)
        print(reason)
        return
    unavailable.unlink(missing_ok=True)
    stamp.write_bytes(wanted)


def install(target):
    npm = shutil.which("npm")
    if not npm:
        return "npm is not installed"
    command = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=1"]
    try:
        done = subprocess.run(command, cwd=target, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"npm ci did not end within {SECONDS} s"
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        return "npm ci failed: " + lines[0]
    return ""


main()
