"""The Debian packages: what Debian's own checker says of them, what they need, and that the same source gives the same
bytes."""

import gzip
import hashlib
import pathlib
import re
import subprocess
import tempfile
import unittest

import packages


def option_names(text):
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


class PackagesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.made = packages.make(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_lintian_finds_nothing(self):
        done = subprocess.run(["lintian", "--tag-display-limit", "0", "--fail-on", "error,warning",
                               *self.made.values()], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_workstations_need_no_kafka_tls_or_http_library(self):
        needed = packages.run("dpkg-deb", "-f", self.made["lilith"], "Depends")
        self.assertIn("libc6", needed)
        self.assertNotRegex(needed, "rdkafka|ssl|curl|pcre|fmt")
        self.assertRegex(packages.run("dpkg-deb", "-f", self.made["lilith-shipper"], "Depends"), "rdkafka")
        # `lilith ship` loads it, lilith-mcp-http in the same package is linked with it.
        self.assertRegex(packages.run("dpkg-deb", "-f", self.made["lilith-shipper"], "Depends"), r"libcurl4\b")

    def test_an_upgrade_keeps_what_the_owner_wrote_into_the_policy(self):
        files = packages.run("dpkg-deb", "-I", self.made["lilith"], "conffiles").split()
        self.assertEqual(files, ["/etc/lilith/lilith-policy.yaml"])

    def test_the_same_source_gives_the_same_bytes(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, again in packages.make(folder).items():
                self.assertEqual(hashlib.sha256(again.read_bytes()).digest(),
                                 hashlib.sha256(self.made[name].read_bytes()).digest(), name)

    def test_each_command_has_a_manual_page_with_all_its_options(self):
        pages = {}
        with tempfile.TemporaryDirectory() as folder:
            for deb in self.made.values():
                packages.run("dpkg-deb", "-x", deb, folder)
            for page in pathlib.Path(folder, "usr/share/man/man1").glob("*.gz"):
                text = gzip.decompress(page.read_bytes()).decode()
                pages[page.name.removesuffix(".1.gz")] = re.sub(r"\\f[BIRP]", " ", text).replace("\\-", "-")
        lilith = packages.BUILD / "bin/lilith"
        for name, page in sorted(pages.items()):
            with self.subTest(name):
                said = packages.run(lilith, *name.split("-")[1:], "--help")
                self.assertEqual(option_names(said) - option_names(page), set())
        commands = re.findall(r"^  ([a-z]+)  ", packages.run(lilith, "--help"), re.MULTILINE)
        self.assertGreater(len(commands), 10)
        self.assertEqual({f"lilith-{command}" for command in commands} - set(pages), set())


if __name__ == "__main__":
    packages.main(["cpack", "dpkg-deb", "dpkg-shlibdeps", "lintian", "help2man"])
