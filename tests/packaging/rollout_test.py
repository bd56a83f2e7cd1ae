"""The Ansible role and the Puppet module against a root of their own: an overlay over this machine whose writes vanish.

Both must place the team's policy, leave it alone when run again, wait in audit mode for the day, enforce after it, flip
back in one run, and refuse a policy with an error without touching the one in force."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import packages

INSIDE = "LILITH_ROLLOUT_NAMESPACE"
POLICY = "/etc/lilith/lilith-policy.yaml"
TEAM = """version: "1"
mode: enforce
tool_invocations:
  default_action: deny
  allowed_tools:
    - name: read_file
      path_allowlist: ["/tmp/**"]
"""
SEALED = TEAM + """audit:
  enabled: true
  log_path: /var/log/lilith/agent-audit.log
  seal: {key: /var/lib/lilith/seal.key}
"""
SEAL_KEY = "/var/lib/lilith/seal.key"
KEY = {"session_id": "s", "hook_event_name": "PreToolUse", "tool_name": "Read", "cwd": "/tmp",
       "tool_input": {"file_path": "/root/.ssh/id_rsa"}, "tool_use_id": "toolu_1"}
PLAYBOOK = """- hosts: localhost
  connection: local
  gather_facts: true
  roles:
    - role: lilith
      vars: {settings}
"""


class Machine:
    """An overlay over /, entered by chroot, with the packages in /srv."""

    def __init__(self, folder, made):
        self.root = pathlib.Path(folder, "root")
        top = pathlib.Path(folder, "top")
        for part in (self.root, top):
            part.mkdir()
        packages.run("mount", "-t", "tmpfs", "tmpfs", top)
        for part in ("upper", "work"):
            (top / part).mkdir()
        packages.run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={top}/upper,workdir={top}/work",
                     self.root)
        packages.run("mount", "-t", "proc", "proc", self.root / "proc")
        packages.run("mount", "--rbind", "/dev", self.root / "dev")
        for state in ("etc/lilith", "var/log/lilith", "var/lib/lilith", "etc/claude-code", "etc/github-copilot", "srv"):
            shutil.rmtree(self.root / state, ignore_errors=True)
        (self.root / "srv").mkdir()
        self.debs = []
        for name, deb in made.items():
            shutil.copy(deb, self.root / "srv")
            if name != "lilith-shipper":
                self.debs.append(f"/srv/{deb.name}")
        shutil.copytree(packages.SOURCE / "packaging", self.root / "srv/packaging")

    def write(self, path, text):
        self.root.joinpath(path.lstrip("/")).write_text(text, encoding="utf-8")

    def run(self, *words, **options):
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8",
                       "DEBIAN_FRONTEND": "noninteractive", "ANSIBLE_ROLES_PATH": "/srv/packaging/ansible/roles",
                       "ANSIBLE_NOCOLOR": "1"}
        return subprocess.run(["chroot", self.root, *words], env=environment, capture_output=True, text=True,
                              check=False, **options)


class Rollout:
    """What both tools must do; `apply` gives (it worked, something was changed, what it printed)."""

    @classmethod
    def setUpClass(cls):
        cls.packed = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.packed.cleanup)
        cls.made = packages.make(cls.packed.name)

    def setUp(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.addCleanup(packages.run, "umount", "--recursive", "--lazy", f"{folder}/top")
        try:
            self.machine = Machine(folder, self.made)
        except AssertionError as error:
            if "overlay" in str(error):
                self.skipTest(f"no overlay file system here: {error}")
            raise
        self.addCleanup(packages.run, "umount", "--recursive", "--lazy", self.machine.root)
        self.machine.write("/srv/team.yaml", TEAM)

    def applied(self, **settings):
        worked, changed, printed = self.apply(settings)
        self.assertTrue(worked, printed)
        return changed

    def reading_a_key(self):
        return self.machine.run("lilith", "hook", "--agent", "claude-code", input=json.dumps(KEY)).returncode

    def test_audit_until_the_day_enforced_after_it_and_back_in_one_run(self):
        self.assertTrue(self.applied(enforce_from="2999-01-01"))
        self.assertEqual(self.reading_a_key(), 0)
        hooks = self.machine.root / "etc/claude-code/managed-settings.json"
        self.assertIn("exit 2", hooks.read_text())
        self.assertFalse(self.applied(enforce_from="2999-01-01"), "a second run changes nothing")
        self.assertTrue(self.applied(enforce_from="2000-01-01"))
        self.assertEqual(self.reading_a_key(), 2)
        self.assertFalse(self.applied(enforce_from="2000-01-01"))
        self.refuses_a_policy_with_an_error()
        self.assertTrue(self.applied(enforce_from="2000-01-01", mode="audit"))
        self.assertEqual(self.reading_a_key(), 0)
        self.assertFalse(self.applied(), "without a day and a gate it is audit mode")

    def test_a_key_to_seal_with_is_there_before_the_policy_that_asks_for_it_and_is_never_overwritten(self):
        self.machine.write("/srv/team.yaml", SEALED)
        self.assertTrue(self.applied(mode="enforce", seal=True))
        key = self.machine.root / SEAL_KEY.lstrip("/")
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        made = self.machine.run("lilith", "seal", "export-verify-key", "--key", SEAL_KEY).stdout
        self.assertRegex(made, "^lilith-verify-key 1 host=")
        self.assertEqual(self.reading_a_key(), 2)
        self.assertFalse(self.applied(mode="enforce", seal=True), "a second run changes nothing")
        self.machine.write("/srv/keys", made)
        seen = self.machine.run("lilith", "verify", "--verify-key", "/srv/keys", "/var/log/lilith/agent-audit.log")
        self.assertEqual(seen.returncode, 0, seen.stdout + seen.stderr)
        self.assertIn("sealed up to seq", seen.stdout)

    def refuses_a_policy_with_an_error(self):
        before = (self.machine.root / POLICY.lstrip("/")).read_text()
        self.machine.write("/srv/team.yaml", TEAM + "egres: {}\n")
        worked, _, printed = self.apply({"mode": "enforce"})
        self.machine.write("/srv/team.yaml", TEAM)
        self.assertFalse(worked)
        self.assertIn("egres", printed)
        self.assertEqual((self.machine.root / POLICY.lstrip("/")).read_text(), before)
        self.assertEqual(self.reading_a_key(), 2)


@unittest.skipUnless(shutil.which("ansible-playbook"), "ansible-core is not installed here")
class AnsibleRole(Rollout, unittest.TestCase):
    def apply(self, settings):
        settings = {f"lilith_{key}": value for key, value in settings.items()}
        settings |= {"lilith_packages": self.machine.debs, "lilith_policies": {"default": "/srv/team.yaml"}}
        self.machine.write("/srv/site.yml", PLAYBOOK.format(settings=json.dumps(settings)))
        done = self.machine.run("ansible-playbook", "-i", "localhost,", "/srv/site.yml")
        counted = re.search(r"changed=(\d+)", done.stdout)
        return done.returncode == 0, counted is not None and counted[1] != "0", done.stdout + done.stderr

    def test_the_first_verify_key_of_a_host_is_kept_on_the_controller(self):
        self.machine.write("/srv/team.yaml", SEALED)
        (self.machine.root / "srv/keys").mkdir()
        self.applied(seal=True, verify_keys="/srv/keys")
        kept = self.machine.root / "srv/keys/localhost.key"
        first = kept.read_text()
        self.assertEqual(first, self.machine.run("lilith", "seal", "export-verify-key", "--key", SEAL_KEY).stdout)
        (self.machine.root / SEAL_KEY.lstrip("/")).unlink()
        self.applied(seal=True, verify_keys="/srv/keys")
        self.assertEqual(kept.read_text(), first)

    def test_a_gate_without_enough_data_keeps_audit_mode(self):
        self.machine.write("/srv/baseline.log", "")
        self.applied(enforce_from="2000-01-01", gate_logs=["/srv/baseline.log"])
        self.assertEqual(self.reading_a_key(), 0)


@unittest.skipUnless(shutil.which("puppet"), "puppet is not installed here")
class PuppetModule(Rollout, unittest.TestCase):
    def apply(self, settings):
        if not (self.machine.root / "usr/bin/lilith").exists():
            done = self.machine.run("apt-get", "-qq", "-y", "install", *self.machine.debs)
            self.assertEqual(done.returncode, 0, done.stderr)
        modules = self.machine.root / "srv/modules"
        if not modules.exists():
            modules.mkdir()
            (modules / "lilith").symlink_to("/srv/packaging/puppet")
        values = "".join(f", {key} => {str(value).lower() if isinstance(value, bool) else repr(value)}"
                         for key, value in settings.items())
        self.machine.write("/srv/site.pp", f"class {{ 'lilith': policy_source => '/srv/team.yaml'{values} }}\n")
        done = self.machine.run("puppet", "apply", "--detailed-exitcodes", "--modulepath", "/srv/modules",
                                "/srv/site.pp")
        # 0: nothing to do, 2: changed, 4 and 6: failures.
        return done.returncode in (0, 2), done.returncode in (2, 6), done.stdout + done.stderr


if __name__ == "__main__":
    if not os.environ.get("LILITH_LONG"):
        print("skipped: a dozen runs of Ansible and Puppet are part of the long form (scripts/test --long)")
        sys.exit(packages.SKIPPED)
    if os.geteuid() != 0:
        print("skipped: only root can make and enter a root directory")
        sys.exit(packages.SKIPPED)
    if os.environ.get(INSIDE) is None:
        # Mounts of the test end with this namespace, however it ends.
        os.environ[INSIDE] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                              sys.executable, "-B", *sys.argv])
    packages.main(["cpack", "dpkg-deb", "unshare", "ansible-playbook"])
