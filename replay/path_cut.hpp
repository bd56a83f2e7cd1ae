#pragma once
// From files that were used to as few patterns as explain them: a cut through the tree of paths by
// description length. A rule costs the same whatever it says; a wildcard costs more the more
// unseen names are to be expected below it (Chao 1984), and is only asked of where enough was seen.

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace lilith::replay {

// How well something is supported: in events, sessions, hosts and days.
struct Support {
  std::uint64_t calls = 0;
  std::set<std::uint32_t> sessions, hosts;
  std::set<std::int32_t> days;
  void add(const Support& other);
};

struct UsedPath {
  std::string path;  // "~/..." below the home, else absolute; canonical
  Support support;
};

struct PathCutOptions {
  std::set<std::string> project_roots;  // spelled like UsedPath::path
  bool write = false;                   // no wildcard over directories that anyone can write
  std::size_t min_children = 5, min_hosts = 2, min_days = 3;
};

struct PathRule {
  std::string pattern;  // a path, or DIRECTORY/**
  Support support;
  std::size_t paths = 0;       // distinct ones that it explains
  double unseen_children = 0;  // of the directory, estimated; 0 for a path
  bool growing = false;        // more names are to be expected below it than were seen
};

// Every path is explained by exactly one rule; sorted by pattern. Paths with characters that a
// pattern can't say literally are left out.
[[nodiscard]] std::vector<PathRule> cut_paths(const std::vector<UsedPath>& paths,
                                              const PathCutOptions& options);

// Directories that calls were made in and that look like one project: below a home and neither the
// home itself, nor hidden, nor a folder of folders ("~/projects"). Roots below roots are left out.
[[nodiscard]] std::set<std::string> project_roots(const std::set<std::string>& directories);

}  // namespace lilith::replay
