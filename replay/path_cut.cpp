#include "replay/path_cut.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

namespace lilith::replay {
namespace {

constexpr double kRuleBits = 12;       // a rule someone has to read
constexpr double kOpennessWeight = 2;  // a wildcard over one unseen name counts a sixth of a rule

struct Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
  std::string path;
  bool used = false;  // itself, not only below
  Support own, below;
  // The best cut below and including this node.
  double bits = 0;
  bool wildcard = false;
};

std::vector<std::string_view> components(std::string_view path) {
  std::vector<std::string_view> out;
  if (path.starts_with('/')) path.remove_prefix(1);
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    if (end > 0) out.push_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return out;
}

bool is_literal(std::string_view path) {
  return path.find_first_of("*?[]{}$\\\"\n") == std::string_view::npos;
}

std::size_t depth(std::string_view path) { return components(path).size(); }

bool below_root(const std::string& path, const std::set<std::string>& roots) {
  return std::ranges::any_of(roots, [&](const std::string& root) {
    return path == root || (path.starts_with(root) && path[root.size()] == '/');
  });
}

// Names that are still to come below a directory, from those seen once and twice (Chao,
// Scandinavian Journal of Statistics 11, 1984), over host-days.
double unseen_children(const Node& node) {
  double once = 0, twice = 0;
  for (const auto& [name, child] : node.children) {
    const std::size_t days = child->below.days.size();
    once += days == 1 ? 1 : 0;
    twice += days == 2 ? 1 : 0;
  }
  return twice > 0 ? once * once / (2 * twice) : once * (once - 1) / 2;
}

// Where a wildcard may stand: at a project root or below one, or in a directory that is deep enough
// to be of one program; never at a home, its first level or the file system's.
bool may_wildcard(const Node& node, const PathCutOptions& options) {
  if (options.project_roots.contains(node.path)) return true;
  // Above a project it would open projects that nobody has seen.
  const auto inside = options.project_roots.lower_bound(node.path + "/");
  if (inside != options.project_roots.end() && inside->starts_with(node.path + "/")) return false;
  const std::size_t level = depth(node.path);
  const bool temporary =
      node.path == "/tmp" || node.path.starts_with("/tmp/") || node.path.starts_with("/var/tmp/");
  if (temporary && options.write && level < 2) return false;
  const bool deep = node.path.starts_with("~") ? level >= 3 : level >= 2;
  if (!deep && !below_root(node.path, options.project_roots) && !(temporary && !options.write))
    return false;
  return node.children.size() >= options.min_children &&
         node.below.hosts.size() >= options.min_hosts && node.below.days.size() >= options.min_days;
}

void sum_up(Node& node) {
  node.below = node.own;
  for (auto& [name, child] : node.children) {
    sum_up(*child);
    node.below.add(child->below);
  }
}

void choose(Node& node, const PathCutOptions& options) {
  double apart = node.used ? kRuleBits : 0;
  for (auto& [name, child] : node.children) {
    choose(*child, options);
    apart += child->bits;
  }
  node.bits = apart;
  if (!may_wildcard(node, options)) return;
  const double open = kRuleBits + kOpennessWeight * std::log2(1 + unseen_children(node));
  // A project's directory is one rule however little of it was seen.
  if (open <= apart || options.project_roots.contains(node.path)) {
    node.bits = open;
    node.wildcard = true;
  }
}

void used_below(const Node& node, std::vector<std::string>& out) {
  if (node.used) out.push_back(node.path);
  for (const auto& [name, child] : node.children) used_below(*child, out);
}

void collect(const Node& node, std::vector<PathRule>& out) {
  if (node.wildcard) {
    const double unseen = unseen_children(node);
    out.push_back({node.path + "/**",
                   node.below,
                   {},
                   unseen,
                   unseen > static_cast<double>(node.children.size())});
    used_below(node, out.back().paths);
    return;
  }
  if (node.used) out.push_back({node.path, node.own, {node.path}, 0, false});
  for (const auto& [name, child] : node.children) collect(*child, out);
}

bool is_hidden(std::string_view part) { return part.starts_with('.'); }

// The pattern of the working copy that `path` lies in, empty when it lies in none.
std::string moving_pattern_of(std::string_view path, const std::vector<MovingProject>& moving) {
  const auto parts = components(path);
  if (parts.size() < 3 || parts[0] != "~") return {};
  for (const MovingProject& project : moving) {
    for (const std::size_t folders : project.folders) {
      if (parts.size() < folders + 2 || parts[folders + 1] != project.name) continue;
      if (std::none_of(parts.begin() + 1, parts.begin() + static_cast<std::ptrdiff_t>(folders) + 1,
                       is_hidden))
        return moving_pattern(project.name, folders);
    }
  }
  return {};
}

}  // namespace

void Support::add(const Support& other) {
  calls += other.calls;
  sessions.insert(other.sessions.begin(), other.sessions.end());
  hosts.insert(other.hosts.begin(), other.hosts.end());
  days.insert(other.days.begin(), other.days.end());
}

std::vector<PathRule> cut_paths(const std::vector<UsedPath>& paths, const PathCutOptions& options) {
  Node top;
  std::map<std::string, PathRule> moving;
  for (const UsedPath& used : paths) {
    if (!is_literal(used.path)) continue;
    if (const std::string pattern = moving_pattern_of(used.path, options.moving);
        !pattern.empty()) {
      PathRule& rule = moving[pattern];
      rule.pattern = pattern;
      rule.support.add(used.support);
      rule.paths.push_back(used.path);
      rule.growing = true;  // that is what it is for
      continue;
    }
    Node* node = &top;
    for (const std::string_view part : components(used.path)) {
      auto& child = node->children[std::string(part)];
      if (!child) {
        child = std::make_unique<Node>();
        const bool home = node == &top && part == "~";
        child->path = home ? "~" : node->path + "/" + std::string(part);
      }
      node = child.get();
    }
    if (node == &top) continue;
    node->used = true;
    node->own.add(used.support);
  }
  sum_up(top);
  std::vector<PathRule> out;
  for (auto& [pattern, rule] : moving) out.push_back(std::move(rule));
  for (auto& [name, child] : top.children) {
    choose(*child, options);
    collect(*child, out);
  }
  std::ranges::sort(out, {}, &PathRule::pattern);
  return out;
}

std::vector<MovingProject> moving_projects(const std::map<std::string, Support>& directories) {
  std::set<std::string> all;
  for (const auto& [directory, support] : directories) all.insert(directory);
  struct Copies {
    MovingProject project;
    Support support;
    std::set<std::string> parents;
  };
  std::map<std::string, Copies> by_name;
  for (const std::string& root : project_roots(all)) {
    const auto parts = components(root);
    const std::size_t folders = parts.size() - 2;
    if (parts[0] != "~" || folders < 1 || folders > kMovingFoldersMax ||
        std::any_of(parts.begin() + 1, parts.end(), is_hidden))
      continue;
    Copies& copies = by_name[std::string(parts.back())];
    copies.project.name = parts.back();
    copies.project.folders.insert(folders);
    copies.support.add(directories.at(root));
    copies.parents.insert(root.substr(0, root.rfind('/')));
  }
  std::vector<MovingProject> out;
  for (auto& [name, copies] : by_name) {
    if (copies.parents.size() >= 2 && copies.support.hosts.size() >= 2)
      out.push_back(std::move(copies.project));
  }
  return out;
}

std::string moving_pattern(std::string_view name, std::size_t folders) {
  std::string out = "~";
  for (std::size_t i = 0; i < folders; ++i) out += "/[!.]*";
  return out + "/" + std::string(name) + "/**";
}

std::set<std::string> project_roots(const std::set<std::string>& directories) {
  static const std::set<std::string_view> kFolders{
      "projects", "project", "Projects", "work",      "Work",      "src",       "code",
      "Code",     "dev",     "repos",    "workspace", "Documents", "Desktop",   "Downloads",
      "git",      "go",      "tmp",      "source",    "Developer", "workspaces"};
  std::set<std::string> out;
  for (const std::string& directory : directories) {
    const auto parts = components(directory);
    if (parts.size() < 2 || !is_literal(directory)) continue;
    const bool system = parts[0] != "~" && (parts.size() < 3 || parts[0] == "usr" ||
                                            parts[0] == "etc" || parts[0] == "var");
    const bool hidden = parts[0] == "~" && parts[1].starts_with('.');
    if (system || hidden || kFolders.contains(parts.back())) continue;
    if (!below_root(directory, out)) out.insert(directory);  // in order, so parents come first
  }
  return out;
}

}  // namespace lilith::replay
