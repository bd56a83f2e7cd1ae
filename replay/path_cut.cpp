#include "replay/path_cut.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string_view>

namespace lilith::replay {
namespace {

constexpr double kRuleBits = 12;       // a rule someone has to read
constexpr double kOpennessWeight = 2;  // a wildcard over one unseen name counts a sixth of a rule

struct Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> children;
  std::string path;
  bool used = false;  // itself, not only below
  std::size_t paths = 0;
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
  node.paths = node.used ? 1 : 0;
  for (auto& [name, child] : node.children) {
    sum_up(*child);
    node.below.add(child->below);
    node.paths += child->paths;
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

void collect(const Node& node, std::vector<PathRule>& out) {
  if (node.wildcard) {
    const double unseen = unseen_children(node);
    out.push_back({node.path + "/**", node.below, node.paths, unseen,
                   unseen > static_cast<double>(node.children.size())});
    return;
  }
  if (node.used) out.push_back({node.path, node.own, 1, 0, false});
  for (const auto& [name, child] : node.children) collect(*child, out);
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
  for (const UsedPath& used : paths) {
    if (!is_literal(used.path)) continue;
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
  for (auto& [name, child] : top.children) {
    choose(*child, options);
    collect(*child, out);
  }
  std::ranges::sort(out, {}, &PathRule::pattern);
  return out;
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
