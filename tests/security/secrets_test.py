"""Secrets that are planted in calls, settings and configuration are in nothing that lilith prints or writes.

tour.sh runs every command with them; then all that was printed and every file that came to be is searched. Secrets
of a shape that redaction knows must be gone; IN_TEXT is a word without any shape and must be found, so that the search
is known to look in the right places."""

import base64
import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "docs"))
import machine  # noqa: E402

SECRETS = {name: f"{name.lower().replace('_', '')}Q7w{number}x9Zk4vT2" for number, name in enumerate(
    ["IN_USERINFO", "IN_HEADER", "IN_VARIABLE", "IN_OPTION", "IN_PARAMETER", "IN_BODY", "IN_ARGUMENT", "IN_ENVIRONMENT",
     "IN_FILE", "IN_KAFKA", "IN_SHIP_ENVIRONMENT"])}
CANARY = "canaryOfTheSearch"
# What the tour itself wrote, which holds the secrets: inputs.
INPUTS = {"last.event", "secrets/token", "secrets/kafka", ".claude.json"}


def spellings(secret):
    plain = secret.encode()
    return {plain, *(base64.b64encode(prefix + plain)[4:-4] for prefix in (b"", b"u:", b"ab:")), plain.hex().encode()}


class Secrets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.copytree(machine.ROOM / "security", machine.WORK / "security")
        values = "".join(f"export {name}={value}\n" for name, value in {**SECRETS, "IN_TEXT": CANARY}.items())
        code, printed = machine.run(values + (machine.ROOM / "security/tour.sh").read_text(encoding="utf-8"))
        assert code == 0, printed
        cls.texts = {"what was printed": printed.encode()}
        for top in (machine.WORK, pathlib.Path(machine.HOME), pathlib.Path("/tmp")):
            for file in top.rglob("*"):
                if file.is_file() and str(file.relative_to(top)) not in INPUTS:
                    cls.texts[str(file)] = file.read_bytes()

    maxDiff = None

    def test_no_secret_is_printed_or_written(self):
        found = [f"{name} in {place}: ...{text[max(0, text.find(one) - 80):][:140]}" for name, secret in SECRETS.items()
                 for one in spellings(secret) for place, text in self.texts.items() if one in text]
        self.assertEqual(found, [])

    def test_the_search_looks_where_secrets_would_be(self):
        places = [place for place, text in self.texts.items() if CANARY.encode() in text]
        for expected in ("what was printed", "agent-audit.log", "shipped.log", "shipped.ecs", "shipped.ocsf"):
            self.assertTrue([place for place in places if place.endswith(expected)], f"{expected}: {places}")

    def test_every_command_was_run(self):
        printed = self.texts["what was printed"].decode()
        for said in ("lilith_ship_lag_bytes", "answered 401", "intact:", "[redacted:", "fails closed",
                     "tool_invocations"):
            self.assertIn(said, printed)
        for file in ("plan.html", "plan.json", "plan.sarif", "summary.json"):
            self.assertIn(str(machine.WORK / file), self.texts)


if __name__ == "__main__":
    sys.exit(machine.test_inside(programs=["jq"]))
