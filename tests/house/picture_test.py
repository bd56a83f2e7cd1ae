"""The picture of docs/architecture.md is that of the build: what CMake says it links, and nothing else."""

import os
import pathlib
import sys
import unittest

import house

sys.path.insert(0, str(house.SOURCE_DIR / "scripts"))
import picture  # noqa: E402

BUILD = pathlib.Path(os.environ.get("LILITH_BIN_DIR", "build/release/bin")).parent


class PictureTest(unittest.TestCase):
    def test_the_page_shows_what_the_build_links(self):
        page = (house.SOURCE_DIR / "docs/architecture.md").read_text(encoding="utf-8")
        self.assertEqual(picture.drawn_in(page)[1], picture.draw(picture.graph(BUILD)),
                         f"run: python3 scripts/picture.py {BUILD} --write")

    def test_the_build_is_really_read(self):
        targets = picture.graph(BUILD)
        self.assertIn("lilith_base", targets["lilith_audit"][2])
        self.assertTrue(targets["lilith-hook"][1])
        self.assertFalse([name for name in targets if "test" in name])


class PictureTestCanFail(unittest.TestCase):
    TARGETS = {"lilith_base": ("audit/base", False, set(), ["sodium"]),
               "lilith_rules": ("rules", False, {"lilith_base"}, []),
               "lilith-x": ("replay", True, {"lilith_rules", "lilith_base"}, [])}

    def test_each_link_is_an_arrow_unless_it_follows_from_others(self):
        drawn = picture.draw(self.TARGETS)
        self.assertIn("program_lilith_x --> lilith_rules\n", drawn)
        self.assertIn("lilith_rules --> lilith_base\n", drawn)
        self.assertNotIn("program_lilith_x --> lilith_base", drawn)
        self.assertIn('["base<br>audit/base/<br>sodium"]', drawn)

    def test_an_arrow_that_points_up_is_no_picture(self):
        up = {**self.TARGETS, "lilith_base": ("audit/base", False, {"lilith_rules"}, [])}
        with self.assertRaisesRegex(ValueError, "floor 1"):
            picture.draw(up)

    def test_a_page_has_one_picture(self):
        self.assertEqual(picture.drawn_in("a\n```mermaid\nx\n```\nb\n")[1], "x\n")
        for page in ("none\n", "```mermaid\nx\n```\n```mermaid\ny\n```\n"):
            with self.assertRaises(ValueError):
                picture.drawn_in(page)


if __name__ == "__main__":
    house.main("picture_test")
