"""The soak's rules can fail: what they say of events that are missing, doubled in effect or altered, and of growth."""

import collections
import pathlib
import tempfile
import types
import unittest

import parts
import soak

VECTOR = (soak.SOURCE / "tests/golden/chain-vector.ndjson").read_bytes().splitlines(True)


class Accounted(unittest.TestCase):
    def faults(self, lines, calls=None):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "kafka.received").write_bytes(b"".join(lines))
            traffic = types.SimpleNamespace(calls=calls or {}, connections=collections.Counter())
            run = types.SimpleNamespace(folder=pathlib.Path(folder), options=types.SimpleNamespace(seconds=1),
                                        traffic=traffic)
            return " ".join(soak.accounted(run, "kafka"))

    def test_what_arrived_twice_or_out_of_order_is_whole(self):
        self.assertNotIn("NOT intact", self.faults([VECTOR[2], VECTOR[0], VECTOR[1], VECTOR[1]]))

    def test_a_missing_first_or_inner_line_and_an_altered_one_are_found(self):
        for lines in (VECTOR[1:], VECTOR[::2], [*VECTOR[:2], VECTOR[2].replace(b"evil.example", b"good.example")]):
            self.assertIn("NOT intact", self.faults(lines))

    def test_calls_must_be_there_once_and_as_answered(self):
        self.assertIn("too many [('toolu_1', 'denied')]", self.faults(VECTOR, {"toolu_1": "denied"}))
        self.assertIn("missing [('toolu_2', 'allowed')]", self.faults(VECTOR, {"toolu_2": "allowed"}))


class Grown(unittest.TestCase):
    def faults(self, what, values):
        samples = parts.Samples({}, 0)
        for quarter, value in enumerate(values):
            for sample in (value - 1, value, 100 * value):  # one outlier is no growth
                samples.add(what, quarter, sample)
        return soak.grown(samples)

    def test_a_leak_is_found_and_noise_is_not(self):
        self.assertEqual(self.faults("ship RSS, KiB", [5000, 20000, 20500, 23000]), [])
        self.assertEqual(self.faults("ship RSS, KiB", [5000, 20000, 30000, 40000]),
                         ["ship RSS, KiB grew from 20000 to 40000"])
        self.assertEqual(self.faults("proxy descriptors", [8, 8, 9, 12]), [])
        self.assertEqual(len(self.faults("proxy descriptors", [8, 10, 20, 40])), 1)
        self.assertEqual(self.faults("lag of kafka, bytes", [10, 10, 10, 2000000]), [], "it is awaited instead")


if __name__ == "__main__":
    unittest.main(verbosity=2)
