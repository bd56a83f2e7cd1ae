#pragma once
// From files that were used to as few patterns as explain them: a cut through the tree of paths by
// description length. A rule costs the same whatever it says; a wildcard costs more the more
// unseen names are to be expected below it (Chao 1984), and is only asked of where enough was seen.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
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

// A project that people keep in folders of their own choice: its name, and how many folders stand
// between a home and a working copy of it.
struct MovingProject {
  std::string name;
  std::set<std::size_t> folders;
};

struct PathCutOptions {
  std::set<std::string> project_roots;  // spelled like UsedPath::path
  std::vector<MovingProject> moving;
  bool write = false;  // no wildcard over directories that anyone can write
  std::size_t min_children = 5, min_hosts = 2, min_days = 3;
};

struct PathRule {
  std::string pattern;  // a path, DIRECTORY/**, or the working copies of a moving project
  Support support;
  std::vector<std::string> paths;  // distinct ones that it explains
  double unseen_children = 0;      // of the directory, estimated; 0 for a path
  bool growing = false;            // more names are to be expected below it than were seen
};

// Every path is explained by exactly one rule; sorted by pattern. Paths with characters that a
// pattern can't say literally are left out.
[[nodiscard]] std::vector<PathRule> cut_paths(const std::vector<UsedPath>& paths,
                                              const PathCutOptions& options);

// Directories that calls were made in and that look like one project: below a home and neither the
// home itself, nor hidden, nor a folder of folders ("~/projects"). Roots below roots are left out.
[[nodiscard]] std::set<std::string> project_roots(const std::set<std::string>& directories);

// Projects with working copies below two folders or more, of two workstations or more: the next
// copy will lie in yet another one. Hidden folders and folders of folders are none; at most
// kMovingFoldersMax folders deep.
inline constexpr std::size_t kMovingFoldersMax = 4;
[[nodiscard]] std::vector<MovingProject> moving_projects(
    const std::map<std::string, Support>& directories);
// "~/[!.]*/NAME/**" with as many folders, none of them hidden: ~/.aws/cli is no working copy of
// cli.
[[nodiscard]] std::string moving_pattern(std::string_view name, std::size_t folders);

}  // namespace lilith::replay
