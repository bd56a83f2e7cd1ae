"""The packages on a machine of their own, a fresh Debian made for the test: installed, upgraded, removed for good."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import packages

EVENT = {"session_id": "s", "hook_event_name": "PreToolUse", "tool_name": "Read", "cwd": "/tmp",
         "tool_input": {"file_path": "/tmp/notes.txt"}, "tool_use_id": "toolu_1"}
POLICY = "etc/lilith/lilith-policy.yaml"
SEAL_KEY = "var/lib/lilith/seal.key"


def debian(directory):
    """A fresh Debian 12 in DIRECTORY, or why there is none."""
    if os.geteuid() != 0:
        return "only root can make and enter a root directory"
    done = subprocess.run(["mmdebstrap", "--variant=minbase", "--include=adduser,init-system-helpers", "bookworm",
                           directory], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else "mmdebstrap failed: " + done.stderr.strip().splitlines()[-1]


class InstallationTest(unittest.TestCase):
    def inside(self, *words, **options):
        # A helper of the package manager that waits for a question waits for ever.
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C",
                       "LILITH_SEAL": "1"}
        environment |= {key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")}
        # A mount namespace of its own, so that nothing stays mounted.
        return subprocess.run(["unshare", "--mount", "sh", "-ec", 'mount -t proc proc "$0/proc"; exec chroot "$0" "$@"',
                               self.root, *words], env=environment, capture_output=True, text=True, check=False,
                              **options)

    def good(self, *words, **options):
        done = self.inside(*words, **options)
        self.assertEqual(done.returncode, 0, f"{words}:\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def install(self, debs):
        for deb in debs.values():
            (self.root / "srv" / deb.name).write_bytes(deb.read_bytes())
        return self.good("apt-get", "-qq", "-y", "--no-install-recommends", "install", "-o",
                         "Dpkg::Options::=--force-confold", *[f"/srv/{deb.name}" for deb in debs.values()])

    def next_version(self, deb, folder):
        """The package as a later release would have it: another version, and another policy file in it."""
        tree = pathlib.Path(folder, "tree")
        packages.run("dpkg-deb", "-R", deb, tree)
        control = tree / "DEBIAN/control"
        control.write_text(control.read_text().replace("Version: ", "Version: 1:"))
        with open(tree / POLICY, "a", encoding="utf-8") as policy:
            policy.write("# of the later release\n")
        return pathlib.Path(packages.run("dpkg-deb", "-b", tree, folder).split("'")[-2])

    def test_installed_upgraded_and_purged(self):
        with tempfile.TemporaryDirectory() as folder:
            self.root = pathlib.Path(folder, "root")
            why_not = debian(self.root)
            if why_not:
                self.skipTest(why_not)
            made = packages.make(folder)
            self.good("apt-get", "-qq", "update")
            self.install(made)
            self.check_installed()
            (self.root / POLICY).write_text((self.root / POLICY).read_text() + "# of this site\n")
            self.install({"lilith": self.next_version(made["lilith"], folder)})
            self.check_upgraded()
            told = self.good("apt-get", "-qq", "-y", "purge", "lilith", "lilith-shipper", "lilith-replay")
            self.check_purged(told)

    def check_installed(self):
        self.assertRegex(self.good("lilith", "--version"), r"\d+\.\d+")
        self.assertEqual(self.good("stat", "-c", "%U:%G %a", "/var/log/lilith").strip(), "lilith:lilith 750")
        self.assertEqual(self.good("stat", "-c", "%U:%G %a", "/etc/lilith/lilith-policy.yaml").strip(), "root:root 644")
        self.good("lilith", "policy", "check", "/etc/lilith/lilith-policy.yaml")
        self.good("lilith", "ship", "--help")
        self.good("lilith", "replay", "suggest", "--help")
        self.good("test", "-L", "/etc/systemd/system/sockets.target.wants/lilith-recorder.socket")
        self.good("lilith", "hook", "--agent", "claude-code", input=json.dumps(EVENT))
        self.good("lilith", "verify", "/var/log/lilith/agent-audit.log")
        self.assertEqual(self.good("stat", "-c", "%U:%G %a", f"/{SEAL_KEY}").strip(), "lilith:lilith 600")
        self.seal_key = (self.root / SEAL_KEY).read_bytes()
        self.good("lilith", "seal", "export-verify-key", "--key", f"/{SEAL_KEY}")

    def check_upgraded(self):
        self.assertEqual((self.root / SEAL_KEY).read_bytes(), self.seal_key)
        policy = (self.root / POLICY).read_text()
        self.assertIn("# of this site", policy)
        self.assertNotIn("# of the later release", policy)
        self.good("lilith", "verify", "/var/log/lilith/agent-audit.log")

    def check_purged(self, told):
        self.assertFalse((self.root / "etc/lilith").exists())
        self.assertFalse((self.root / "var/lib/lilith").exists())
        self.assertFalse((self.root / "usr/bin/lilith").exists())
        # Evidence outlives the program.
        self.assertTrue((self.root / "var/log/lilith/agent-audit.log").exists())
        self.assertIn("the audit log in /var/log/lilith is kept", told)


if __name__ == "__main__":
    result = unittest.main(exit=False, verbosity=2).result
    if result.wasSuccessful() and result.skipped:
        sys.exit(packages.SKIPPED)
    sys.exit(0 if result.wasSuccessful() else 1)
