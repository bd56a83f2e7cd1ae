"""The bill of materials: valid by the official schema of CycloneDX, and what the programs really are made of."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import packages

SITE = packages.BUILD / "tests/packaging/cyclonedx"
REQUIREMENTS = pathlib.Path(__file__).with_name("requirements.txt")
SBOM = packages.SOURCE / "packaging/sbom.py"


def validator():
    """CycloneDX's own, from the build directory, where pip puts it once; None and the reason without it."""
    sys.path.insert(0, str(SITE))
    if not (SITE / "cyclonedx").exists():
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                               "--no-deps", "--target", str(SITE), "--requirement", str(REQUIREMENTS)],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return None, "pip could not get it: " + (done.stderr.strip().splitlines() or ["no message"])[-1]
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    return JsonStrictValidator(SchemaVersion.V1_6), None


def made(*debs):
    return packages.run(sys.executable, "-B", SBOM, packages.BUILD, *debs,
                        env={**os.environ, "SOURCE_DATE_EPOCH": packages.EPOCH})


class Sbom(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            cls.deb = pathlib.Path(folder, "lilith_1_amd64.deb")
            cls.deb.write_bytes(b"a package")
            cls.text = made(cls.deb)
            cls.again = made(cls.deb)
        cls.bill = json.loads(cls.text)
        cls.components = {one["bom-ref"]: one for one in cls.bill["components"]}
        cls.by_name = {one["name"]: one for one in cls.bill["components"]}
        cls.depends = {one["ref"]: one["dependsOn"] for one in cls.bill["dependencies"]}

    def test_it_is_valid_by_the_official_schema(self):
        check, why_not = validator()
        if check is None:
            self.skipTest(why_not)
        self.assertIsNone(check.validate_str(self.text))
        broken = {**self.bill, "components": [{**self.bill["components"][0], "type": "program"}]}
        self.assertIsNotNone(check.validate_str(json.dumps(broken)))

    def test_the_same_build_gives_the_same_bytes(self):
        self.assertEqual(self.text, self.again)
        self.assertEqual(self.bill["metadata"]["timestamp"], "2023-11-14T22:13:20Z")

    def test_each_program_names_the_packages_of_all_that_the_loader_maps(self):
        for program in ("lilith", "lilith-ship", "lilith-verify", "lilith-replay"):
            needed = subprocess.run(["readelf", "--dynamic", packages.BUILD / "bin" / program], check=True,
                                    capture_output=True, text=True).stdout
            names = " ".join(self.components[ref]["name"] for ref in self.depends[program])
            for library in re.findall(r"\(NEEDED\).*\[lib([a-z0-9+_-]+?)[-.0-9]*\.so", needed):
                package = {"crypto": "ssl"}.get(library, library)  # libssl3 holds both
                if package not in ("c", "m"):
                    self.assertIn(package.replace("_", "-"), names, program)
        for program in ("lilith-ship", "lilith-verify"):
            self.assertIn("librdkafka1", [self.components[ref]["name"] for ref in self.depends[program]])
        # Loaded when a sink speaks HTTP; no table of the program names it.
        self.assertIn("libcurl4", [self.components[ref]["name"] for ref in self.depends["lilith-ship"]])
        self.assertNotIn("librdkafka1", [self.components[ref]["name"] for ref in self.depends["lilith"]])

    def test_what_is_linked_statically_or_only_compiled_in_is_told(self):
        def uses(name):
            return {one["value"] for one in self.by_name[name]["properties"] if one["name"] == "lilith:use"}
        self.assertIn("static", uses("libsodium-dev"))
        self.assertIn("static", uses("libssl-dev"))  # libcrypto's SHA-256 in lilith and lilith-hook
        self.assertIn("static", uses("libc6-dev"))  # in lilith-hook
        self.assertEqual(uses("libcli11-dev"), {"headers"})
        for name in ("simdjson", "ada"):
            readme = (packages.SOURCE / f"third_party/{name}/README.md").read_text(encoding="utf-8")
            self.assertTrue(readme.startswith(f"# {name} {self.by_name[name]['version']}\n"))

    def test_every_library_has_a_version_and_an_address(self):
        for one in self.bill["components"]:
            if one["type"] == "library":
                self.assertRegex(one["purl"], r"^pkg:(deb/debian|github/[\w-]+)/[\w.%+-]+@[\w.%+~-]+")
                self.assertTrue(one["version"])

    def test_packages_are_named_by_their_hash(self):
        self.assertEqual(self.by_name["lilith_1_amd64.deb"]["hashes"][0]["content"],
                         "c0cd5ccfdb563a59366e33e73001b78fdb8cca5a6c48e2f90fffcde44b81f1f6")


if __name__ == "__main__":
    packages.main(["dpkg-query", "ldd", "ninja", "readelf"])
