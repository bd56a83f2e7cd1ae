"""Arrows point down: rooms include only what stands below them, third-party headers appear only in
the places that own them, and no library hands a third party on."""

import pathlib
import re
import tempfile
import unittest

import house

# The longest prefix names the room. Within a floor the number decides, too: a room may include
# rooms with a smaller number and itself.
ROOMS = {
    "audit/base/": 10,
    "audit/confine/": 11,
    "audit/json/": 11,
    "audit/yaml/": 11,
    "audit/": 12,
    "audit/read/": 13,
    "audit/kafka/": 13,
    "rules/shell/": 20,
    "rules/": 21,
    "rules/agents/": 22,
    "wazuh/": 23,
    "enforcer/": 30,
    "shipper/": 30,
    "replay/": 30,
}
MAIN = 40

# Header -> places that may include it. Headers of ours (.hpp) may include none of these.
THIRD_PARTY = [
    (r"simdjson(\.h|/)", r"audit/"),
    (r"yaml\.h$", r"audit/yaml/"),
    (r"libpsl\.h", r"rules/public_suffix\.cpp"),
    (r"CLI/", r"(enforcer/(cli|policy_main)|shipper/(verify_)?main|replay/arguments|wazuh/main)\.cpp"),
    (r"ada(/ada)?\.h", r"rules/host\.cpp"),
    (r"toml\+\+/", r"enforcer/setup/codex_config\.cpp"),
    (r"pugixml\.hpp", r"wazuh/"),
    (r"pcre2\.h", r"wazuh/"),
    (r"sodium(\.h|/)", r"audit/base/signature\.cpp"),
    (r"openssl/sha\.h", r"audit/base/sha256\.cpp"),
    (r"zlib\.h|zstd(_errors)?\.h", r"audit/"),
    (r"boost/math/", r"replay/statistics\.cpp"),
    (r"xxhash\.h", r"replay/hash\.cpp"),
    (r"curses\.h", r"replay/review_screen\.cpp"),
    (r"fmt/", r".*"),
    (r"curl/", r"shipper/http_client\.cpp|enforcer/mcp/http_client\.cpp"),
    (r"librdkafka/", r"shipper/|audit/kafka/"),
    (r"openssl/(?!sha\.h)", r"shipper/"),
    (r"systemd/", r"shipper/main\.cpp"),
    (r"microhttpd\.h", r"shipper/http_listener\.cpp"),
]
SYSTEM = re.compile(
    r"[a-z_0-9]+"  # the standard library
    r"|(sys|netinet|arpa|linux|net|asm)/[a-z_0-9]+\.h"
    r"|(unistd|fcntl|poll|pwd|grp|dirent|signal|time|errno|netdb|fnmatch|glob|spawn|syslog|sched"
    r"|dlfcn|ifaddrs|limits|stdlib|string|termios|pthread|getopt|elf|link|malloc|locale|langinfo|iconv"
    r"|emmintrin)\.h")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.M)


# The shell room's interface stands one folder higher, where its users look for it.
INTERFACES = {"rules/command.hpp": "rules/shell/"}


def room_of(path):
    path = INTERFACES.get(path, path)
    best = max((room for room in ROOMS if path.startswith(room)), key=len, default=None)
    return (best, ROOMS[best]) if best else (None, None)


def include_faults(path, text):
    room, floor = room_of(path)
    if room is None:
        return []
    if re.fullmatch(r"(enforcer|shipper|replay|wazuh)/(.*_)?main\.cpp", path):
        floor = MAIN
    faults = []
    for bracket, header in INCLUDE.findall(text):
        if bracket == '"' and room_of(header)[0]:
            target, below = room_of(header)
            if target != room and below >= floor:
                faults.append(f"{path} includes {header}, which does not stand below it")
            continue
        if header.startswith("tests/"):
            faults.append(f"{path} includes {header} of the tests")
            continue
        owner = next((place for name, place in THIRD_PARTY if re.match(name, header)), None)
        if owner is not None:
            if path.endswith(".hpp"):
                faults.append(f"{path} shows {header} to everyone who includes it")
            elif not re.match(owner, path):
                faults.append(f"{path} includes {header}, which belongs to {owner}")
        elif bracket == '"' or not SYSTEM.fullmatch(header):
            faults.append(f"{path} includes {header}, which is in no table of this test")
    return faults


def cmake_faults(path, text):
    faults = []
    text = re.sub(r"#[^\n]*", "", text)
    calls = re.findall(r"(lilith_library|target_link_libraries)\s*\(([^)]*)\)", text)
    for call, body in calls:
        if path.startswith(("third_party/", "cmake/", "tests/")):
            continue
        section = None
        for word in body.split():
            if word in ("PUBLIC", "PRIVATE", "INTERFACE", "SOURCES"):
                section = word
            elif section in ("PUBLIC", "INTERFACE") and not word.startswith("lilith::"):
                faults.append(f"{path}: {call} hands {word} on to everyone who links it")
    return faults


def floor_faults(root):
    faults = []
    for name in house.tree_files(root):
        path = pathlib.Path(root) / name
        if name.endswith((".cpp", ".hpp")):
            faults += include_faults(name, path.read_text())
        elif path.name == "CMakeLists.txt" or name.endswith(".cmake"):
            faults += cmake_faults(name, path.read_text())
    return faults


class FloorsTest(unittest.TestCase):
    def test_every_include_and_link_points_down(self):
        self.assertEqual(floor_faults(house.SOURCE_DIR), [])

    def test_the_tree_is_really_read(self):
        names = house.tree_files(house.SOURCE_DIR)
        for expected in ("audit/event.hpp", "rules/decide.cpp", "shipper/main.cpp"):
            self.assertIn(expected, names)


class FloorsTestCanFail(unittest.TestCase):
    CASES = [
        ("audit/log.cpp", '#include "rules/policy.hpp"\n', "does not stand below it"),
        ("audit/base/text.cpp", '#include "audit/event.hpp"\n', "does not stand below it"),
        ("rules/shell/reader.cpp", '#include "rules/decide.hpp"\n', "does not stand below it"),
        ("shipper/ship.cpp", '#include "replay/replay.hpp"\n', "does not stand below it"),
        ("shipper/ship.cpp", '#include "tests/support/support.hpp"\n', "of the tests"),
        ("shipper/sink.cpp", "#include <yaml.h>\n", "belongs to"),
        ("enforcer/hook.cpp", "#include <CLI/CLI.hpp>\n", "belongs to"),
        ("rules/decide.cpp", "  #  include <simdjson.h>\n", "belongs to"),
        ("audit/json/reader.hpp", "#include <simdjson.h>\n", "shows"),
        ("rules/host.cpp", "#include <boost/regex.hpp>\n", "in no table"),
        ("rules/CMakeLists.txt", "lilith_library(rules SOURCES a.cpp PUBLIC thirdparty::libyaml)\n",
         "hands thirdparty::libyaml on"),
        ("audit/CMakeLists.txt",
         "target_link_libraries(x PUBLIC lilith::base simdjson::simdjson)\n",
         "hands simdjson::simdjson on"),
    ]

    def test_each_violation_in_a_tree_is_found(self):
        for name, text, expected in self.CASES:
            with self.subTest(name=name, text=text), tempfile.TemporaryDirectory() as root:
                path = pathlib.Path(root) / name
                path.parent.mkdir(parents=True)
                path.write_text(text)
                faults = floor_faults(root)
                self.assertEqual(len(faults), 1, faults)
                self.assertIn(expected, faults[0])

    def test_a_proper_tree_has_none(self):
        good = {
            "audit/yaml/tree.cpp": '#include "audit/base/text.hpp"\n#include <yaml.h>\n',
            "shipper/main.cpp": '#include "shipper/ship.hpp"\n#include <CLI/CLI.hpp>\n',
            "audit/read/reader.cpp":
                "#include <sys/stat.h>\n#include <vector>\n#include <zstd.h>\n",
            "rules/CMakeLists.txt":
                "lilith_library(rules PUBLIC lilith::base PRIVATE thirdparty::libyaml)\n",
        }
        with tempfile.TemporaryDirectory() as root:
            for name, text in good.items():
                path = pathlib.Path(root) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            self.assertEqual(floor_faults(root), [])


if __name__ == "__main__":
    house.main("floors_test")
