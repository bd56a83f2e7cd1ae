#!/usr/bin/env python3
"""The bill of materials of a build, as CycloneDX 1.6 JSON: programs, what each is linked with, and what is compiled in.

    sbom.py BUILD_DIRECTORY [DEB...]

What a program needs at run time is asked of the loader (ldd), what was linked into it of its link command, what was
included of ninja's dependency log; dpkg says which package a file is of. SOURCE_DATE_EPOCH is its time, and its serial
number follows from its content, so that two builds give the same bytes."""

import collections
import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import uuid

PROGRAMS = ["lilith", "lilith-hook", "lilith-policy", "lilith-mcp-http", "lilith-ship", "lilith-verify", "lilith-replay",
            "lilith-wazuh"]
SOURCE = pathlib.Path(__file__).resolve().parent.parent
# Copies in third_party/: name, header, what names the version there, licence, where it is from.
VENDORED = [("simdjson", "third_party/simdjson/simdjson.h", r"define SIMDJSON_VERSION \"?([0-9.]+)", "Apache-2.0",
             "https://github.com/simdjson/simdjson"),
            ("ada", "third_party/ada/ada.h", r'define ADA_VERSION "([0-9.]+)"', "Apache-2.0 OR MIT",
             "https://github.com/ada-url/ada")]
# What a program loads while it runs, when its configuration asks for it.
LOADED = {"lilith-ship": ["libcurl.so.4"]}
# What the compiler links by itself for these options.
RUNTIMES = {"-static-pie": ["libc.a", "libm.a", "libstdc++.a", "libgcc.a", "libgcc_eh.a"],
            "-static-libstdc++": ["libstdc++.a"], "-static-libgcc": ["libgcc.a", "libgcc_eh.a"]}


def run(*words):
    return subprocess.run([str(word) for word in words], check=True, capture_output=True, text=True).stdout


def packages_of(paths):
    """{path: Debian package} of those that dpkg knows, by one reading of its lists."""
    out = {}
    done = subprocess.run(["dpkg-query", "-S", *sorted(paths)], capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        owner, _, path = line.partition(": ")
        if not owner.startswith("diversion by") and path in paths:
            out[path] = owner.split(",")[0].split(":")[0]
    return out


def other_spellings(file):
    """The paths under which dpkg may know FILE besides: links followed, with and without /usr (merged /usr)."""
    resolved = os.path.realpath(file)
    return [resolved, re.sub("^/usr/lib", "/lib", resolved), re.sub("^/lib", "/usr/lib", resolved)]


def owners(files):
    """{file: Debian package}; SystemExit with a file that no package owns."""
    out = packages_of(files)
    missing = {file: other_spellings(file) for file in files - out.keys()}
    known = packages_of({path for paths in missing.values() for path in paths}) if missing else {}
    for file, paths in missing.items():
        found = [known[path] for path in paths if path in known]
        if not found:
            raise SystemExit(f"sbom: no Debian package owns {file}")
        out[file] = found[0]
    return out


def shared_libraries(program):
    """Files that the loader maps, at the start or when they are asked for; none of a static program."""
    out = set()
    for name in LOADED.get(program.name, []):
        path = re.search(rf"^\s*{re.escape(name)} \(.*x86-64.*\) => (\S+)$", run("/sbin/ldconfig", "-p"), re.M)
        if path is None:
            raise SystemExit(f"sbom: {name}, which {program.name} loads, is not installed")
        out |= {path[1]} | shared_libraries(pathlib.Path(path[1]))
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
    return out | set(re.findall(r"(?:=> |^\s*)(/\S+) \(0x", done.stdout, re.M))


def linked_archives(build):
    """{program: static archives of the system}, by the commands that link them."""
    out = {}
    for program in PROGRAMS:
        link = run("ninja", "-C", build, "-t", "commands", "-s", f"bin/{program}").splitlines()[-1]
        words = link.split()
        out[program] = {word for word in words if re.fullmatch(r"/\S+\.a", word) and not word.startswith(str(build))}
        compiler = next(word for word in words if re.search(r"(g|clang)\+\+[-0-9]*$", word))
        for flag, names in RUNTIMES.items():
            if flag in words:
                out[program] |= {run(compiler, f"-print-file-name={name}").strip() for name in names}
    return out


def headers(build):
    """Headers of the system that our own objects were compiled with (tests and benchmarks left out)."""
    out, ours = set(), False
    for line in run("ninja", "-C", build, "-t", "deps").splitlines():
        if not line.startswith(" "):
            ours = re.match(r"(audit|rules|enforcer|shipper|replay|wazuh|third_party)/", line) is not None
        elif ours and line.strip().startswith("/usr/"):
            out.add(line.strip())
    return out


def debian_component(package):
    name, version, architecture, source = run(
        "dpkg-query", "-W", "-f", "${Package}\t${Version}\t${Architecture}\t${source:Package}", package).split("\t")
    purl = f"pkg:deb/debian/{name.replace('+', '%2B')}@{version.replace('+', '%2B').replace(':', '%3A')}" \
           f"?arch={architecture}&distro=debian-12"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
            "properties": [{"name": "lilith:debian-source", "value": source}]}


def vendored_components():
    out = []
    for name, header, pattern, licence, place in VENDORED:
        text = (SOURCE / header).read_text(encoding="utf-8", errors="replace")
        folder = (SOURCE / header).parent
        digest = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(folder.glob("*.[ch]*")))).hexdigest()
        version = re.search(pattern, text)[1]
        out.append({"type": "library", "bom-ref": f"third_party/{name}", "name": name, "version": version,
                    "purl": f"pkg:github/{place.split('github.com/')[1]}@v{version}",
                    "licenses": [{"expression": licence}], "hashes": [{"alg": "SHA-256", "content": digest}],
                    "externalReferences": [{"type": "vcs", "url": place}]})
    return out


def bill(build, version, debs):
    archives, included = linked_archives(build), headers(build)
    shared = {program: shared_libraries(build / "bin" / program) for program in PROGRAMS}
    owner = owners(included.union(*archives.values(), *shared.values()))
    kinds = collections.defaultdict(set)
    for kind, files in (("headers", included), ("static", set().union(*archives.values())),
                        ("shared", set().union(*shared.values()))):
        for file in files:
            kinds[owner[file]].add(kind)
    depends = {program: {owner[file] for file in archives[program] | shared[program]} for program in PROGRAMS}
    programs = [{"type": "application", "bom-ref": program, "name": program, "version": version}
                for program in PROGRAMS]
    libraries = {package: debian_component(package) for package in sorted(kinds)}
    for package, component in libraries.items():
        component["properties"] += [{"name": "lilith:use", "value": kind} for kind in sorted(kinds[package])]
    vendored = vendored_components()
    files = [{"type": "file", "bom-ref": deb.name, "name": deb.name,
              "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(deb.read_bytes()).hexdigest()}]}
             for deb in sorted(debs)]
    dependencies = [{"ref": "lilith-source", "dependsOn": [*PROGRAMS, *[one["bom-ref"] for one in vendored],
                                                           *[one["bom-ref"] for one in libraries.values()]]}]
    dependencies += [{"ref": program, "dependsOn": sorted(libraries[one]["bom-ref"] for one in depends[program])}
                     for program in PROGRAMS]
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
            "metadata": {"component": {"type": "application", "bom-ref": "lilith-source", "name": "lilith",
                                       "version": version, "licenses": [{"license": {"id": "Apache-2.0"}}]}},
            "components": [*programs, *libraries.values(), *vendored, *files], "dependencies": dependencies}


def with_time_and_serial(made):
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch:
        made["metadata"]["timestamp"] = datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc).strftime(
            "%Y-%m-%dT%H:%M:%SZ")
    content = json.dumps(made, sort_keys=True)
    return {**made, "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"}


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    cache = (build / "CMakeCache.txt").read_text(encoding="utf-8")
    version = re.search(r"^CMAKE_PROJECT_VERSION:\w+=(\S+)", cache, re.M)[1]
    made = with_time_and_serial(bill(build, version, [pathlib.Path(deb) for deb in sys.argv[2:]]))
    print(json.dumps(made, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
