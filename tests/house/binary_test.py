"""What the built programs are made of: the hook's program loads no heavy library, and a release is
hardened."""

import os
import re
import subprocess
import unittest

import house

PROGRAMS = ["lilith", "lilith-mcp-http", "lilith-policy", "lilith-ship", "lilith-replay", "lilith-wazuh"]
RELEASE = os.environ.get("LILITH_BUILD_TYPE") == "Release" and not os.environ.get("LILITH_SANITIZE")


def readelf(path, *options):
    return subprocess.run(["readelf", "--wide", *options, str(path)], check=True,
                          capture_output=True, text=True).stdout


def needed(path):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", readelf(path, "--dynamic"))


class LibrariesTest(unittest.TestCase):
    @unittest.skipIf(os.environ.get("LILITH_SANITIZE"), "sanitizers bring their own runtimes")
    def test_the_hooks_own_program_has_no_dynamic_loader(self):
        path = house.BIN_DIR / "lilith-hook"
        if not path.exists():
            self.skipTest("lilith-hook is not built")
        self.assertEqual(needed(path), [])
        self.assertNotIn("INTERP", readelf(path, "--segments"))
        # What would ask the name service loads libraries; audit/base/users.hpp keeps it out.
        self.assertEqual(re.findall(r"\b(?:getpw\w+|getgr(?:nam|gid|ent)\w*|getaddrinfo)\b",
                                    readelf(path, "--symbols")), [])

    # Streams and std::filesystem bring std::locale, which is initialised at every start: a sixth of a
    # hook's page faults.
    @unittest.skipUnless(RELEASE, "a Debug build keeps what a Release build finds unused")
    def test_the_hooks_own_program_starts_without_streams_and_locale(self):
        self.assertEqual(re.findall(r"\S*(?:ios_base4Init|6locale7classic)\S*",
                                    readelf(house.BIN_DIR / "lilith-hook", "--symbols")), [])

    @unittest.skipIf(os.environ.get("LILITH_SANITIZE"), "sanitizers bring their own runtimes")
    def test_the_front_door_brings_the_cxx_runtime_with_it(self):
        path = house.BIN_DIR / "lilith"
        if not path.exists():
            self.skipTest("lilith is not built")
        self.assertFalse([name for name in needed(path)
                          if re.match(r"libstdc\+\+|libgcc_s|libsimdjson", name)])

    # A hook is a process per tool call; loading these costs more than the decision.
    HEAVY = re.compile(r"librdkafka|libssl|libcrypto|libyaml|libpugixml|libpcre|libcurl")

    def test_the_front_door_loads_no_heavy_library(self):
        path = house.BIN_DIR / "lilith"
        if not path.exists():
            self.skipTest("lilith is not built")
        self.assertEqual([name for name in needed(path) if self.HEAVY.search(name)], [])

    # Loaded when a sink speaks HTTP: what it brings would be 1.4 MB of every idle shipper.
    def test_the_shipper_does_not_start_with_libcurl(self):
        path = house.BIN_DIR / "lilith-ship"
        if not path.exists():
            self.skipTest("lilith-ship is not built")
        self.assertEqual([name for name in needed(path) if "libcurl" in name], [])

    def test_needed_is_really_read(self):
        self.assertTrue(any("libc.so" in name for name in needed("/bin/sh")))


@unittest.skipUnless(RELEASE, "hardening is asserted of Release builds without sanitizers only")
class HardeningTest(unittest.TestCase):
    def test_every_program_is_hardened(self):
        for program in PROGRAMS:
            path = house.BIN_DIR / program
            with self.subTest(program=program):
                self.assertTrue(path.exists(), f"{program} is not built")
                dynamic = readelf(path, "--dynamic")
                segments = readelf(path, "--segments")
                symbols = readelf(path, "--dyn-syms")
                self.assert_hardened(path, dynamic, segments)
                self.assertIn("__stack_chk_fail", symbols, "no stack protector")
                self.assertRegex(symbols, r"__\w+_chk@", "no fortified call")

    # Its code is that of the libraries which `lilith` is checked for; what it takes from the C library
    # is in no table of dynamic symbols.
    def test_the_hooks_own_program_is_hardened(self):
        path = house.BIN_DIR / "lilith-hook"
        self.assertTrue(path.exists(), "lilith-hook is not built")
        self.assert_hardened(path, readelf(path, "--dynamic"), readelf(path, "--segments"))

    def assert_hardened(self, path, dynamic, segments):
        self.assertRegex(readelf(path, "--file-header"), r"Type:\s+DYN", "not a PIE")
        self.assertRegex(dynamic, r"FLAGS_1.*\bPIE\b", "not a PIE")
        self.assertIn("GNU_RELRO", segments, "no read-only relocations")
        self.assertRegex(dynamic, r"BIND_NOW|FLAGS_1.*\bNOW\b", "lazy binding")
        self.assertRegex(segments, r"GNU_STACK\s+(\S+\s+){5}RW\s", "executable stack")


if __name__ == "__main__":
    house.main("binary_test")
