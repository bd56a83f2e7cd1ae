"""The Sigma rules: valid by pySigma (the reference implementation) and its own validators, and each
fires on exactly the samples on which its Wazuh rule fires."""

import fnmatch
import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

SKIPPED = 77  # SKIP_RETURN_CODE in CMakeLists.txt
SOURCE = pathlib.Path(os.environ["LILITH_SOURCE_DIR"])
RULES = SOURCE / "wazuh/sigma"
SITE = pathlib.Path(os.environ["LILITH_SIGMA_SITE"])


def have_pysigma():
    """From the build directory, put there once by pip."""
    sys.path.insert(0, str(SITE))
    try:
        import sigma.collection  # noqa: F401
        return True
    except ImportError:
        pass
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "--target", str(SITE), "--requirement", str(SOURCE / "tests/wazuh/requirements.txt")],
        capture_output=True, text=True)
    if done.returncode != 0:
        print("skipped: pySigma is not installed and pip could not get it:",
              (done.stderr.strip().splitlines() or ["no message"])[-1])
        return False
    import importlib
    importlib.invalidate_caches()
    import sigma.collection  # noqa: F401
    return True


if not have_pysigma():
    sys.exit(SKIPPED)

from sigma.collection import SigmaCollection  # noqa: E402
from sigma.correlations import SigmaCorrelationRule  # noqa: E402
from sigma.plugins import InstalledSigmaPlugins  # noqa: E402
from sigma.rule import SigmaDetection, SigmaRule  # noqa: E402
from sigma.validation import SigmaValidator  # noqa: E402


def files():
    return sorted(RULES.glob("*.yml"))


def collection():
    return SigmaCollection.load_ruleset([str(RULES)])


def wazuh_id(path):
    return re.match(r"# Wazuh: (\d{6})\n", path.read_text()).group(1)


def flat(value, prefix=""):
    out = {}
    for key, inner in value.items():
        name = prefix + key
        out.update(flat(inner, name + ".") if isinstance(inner, dict) else {name: str(inner)})
    return out


def item_matches(item, event):
    """A detection item: one of its values, wildcards allowed; a field that is absent never."""
    if isinstance(item, SigmaDetection):
        return all(item_matches(inner, event) for inner in item.detection_items)
    found = event.get(item.field)
    return found is not None and any(
        fnmatch.fnmatchcase(found.lower(), str(value).lower()) for value in item.value)


def rule_matches(rule, event):
    detections = rule.detection.detections
    hit = item_matches(detections["selection"], event)
    filters = [d for name, d in detections.items() if name.startswith("filter_main_")]
    return hit and not any(item_matches(d, event) for d in filters)


class SigmaRulesTest(unittest.TestCase):
    def test_each_rule_parses_without_error_and_has_its_own_id(self):
        rules = collection().rules
        self.assertEqual(len(rules), len(files()))
        self.assertGreaterEqual(len(rules), 17)
        self.assertEqual([error for rule in rules for error in rule.errors], [])
        self.assertEqual(len({rule.id for rule in rules}), len(rules))

    def test_pysigmas_validators_find_nothing(self):
        validators = InstalledSigmaPlugins.autodiscover().validators
        # Our log source is not one of SigmaHQ's; their list of names is theirs.
        names = [n for n in validators if not n.startswith("sigmahq")]
        self.assertGreater(len(names), 20)
        validator = SigmaValidator({validators[name] for name in names})
        issues = validator.validate_rules(collection())
        self.assertEqual([f"{issue.rules[0].title}: {issue}" for issue in issues], [])

    def test_conditions_are_the_two_forms_that_this_test_reads(self):
        for rule in collection().rules:
            if isinstance(rule, SigmaCorrelationRule):
                continue
            filtered = any(n.startswith("filter_main_") for n in rule.detection.detections)
            wanted = "selection and not 1 of filter_main_*" if filtered else "selection"
            self.assertEqual(rule.detection.condition, [wanted], rule.title)

    def test_each_fires_on_the_samples_of_its_wazuh_rule_and_on_no_other(self):
        by_title = {re.search(r"^title: (.*)$", p.read_text(), re.M).group(1): wazuh_id(p)
                    for p in files()}
        rules = [r for r in collection().rules if isinstance(r, SigmaRule)]
        covered = set()
        for sample in sorted((SOURCE / "wazuh/samples").glob("*.jsonl")):
            wanted = sample.name[:6]
            event = flat(json.loads(sample.read_text().splitlines()[0]))
            got = [by_title[rule.title] for rule in rules if rule_matches(rule, event)]
            if wanted == "100802":
                wanted = "100801"  # its first line; the correlation counts five of them
            quiet = wanted in ("100804", "100805", "100832")  # no alert, no detection
            self.assertEqual(got, [] if quiet else [wanted], sample.name)
            covered.update(got)
        self.assertEqual(covered | {"100802"}, set(by_title.values()))

    def test_the_burst_counts_both_kinds_of_egress_denial_by_process(self):
        bursts = [r for r in collection().rules if isinstance(r, SigmaCorrelationRule)]
        self.assertEqual(len(bursts), 1)
        names = sorted(reference.reference for reference in bursts[0].rules)
        self.assertEqual(names, ["lilith_egress_denied", "lilith_web_upload_denied"])
        self.assertEqual(bursts[0].group_by, ["lilith.process.key"])
        self.assertEqual((bursts[0].timespan.seconds, bursts[0].condition.count), (60, 5))


class SigmaTestCanFail(unittest.TestCase):
    def test_a_broken_rule_is_found(self):
        text = files()[0].read_text().replace("level: ", "level: very ")
        broken = SigmaCollection.from_yaml(text, collect_errors=True)
        self.assertTrue(broken.errors)


if __name__ == "__main__":
    unittest.main(verbosity=2)
