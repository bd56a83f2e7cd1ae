#pragma once
// Changes of a policy file, for what `lilith policy explain` proposes: made on the YAML's tree, so
// that what is printed is what was tried.

#include "audit/yaml/tree.hpp"
#include "rules/policy.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace lilith::rules {

// An entry to take out of a list.
struct EntryRemoval {
  std::string tool;  // whose list; empty: the section's own
  std::string list;  // path_blocklist, command_blocklist, blocked_tools, blocked_destinations
  std::string text;  // as Entry::text
  int line = 0;
};

struct PolicyEdit {
  yaml::Node add;  // a piece of a policy; kNull: nothing is added
  std::vector<EntryRemoval> remove;
  [[nodiscard]] bool empty() const { return add.kind == yaml::Node::Kind::kNull && remove.empty(); }
};

// Lays `piece` over `base`: maps by key, lists of tools and of allowed programs by name, other
// lists by appending what is not in them yet; any other value of `piece` replaces that of `base`.
void merge(yaml::Node& base, const yaml::Node& piece);

// Block style, `indent` spaces before each line; reads back as the same tree.
[[nodiscard]] std::string to_yaml(const yaml::Node& node, int indent = 0);

// The policy with the edit made. The lines of what was added are those of the piece.
[[nodiscard]] PolicyLoad load_edited(std::string_view policy_yaml, std::string_view file_name,
                                     const PolicyEdit& edit);

// Nodes of a piece.
[[nodiscard]] yaml::Node scalar_node(std::string_view text, bool quoted);
[[nodiscard]] yaml::Node list_node(std::vector<yaml::Node> items);
[[nodiscard]] yaml::Node map_node(std::vector<std::pair<std::string, yaml::Node>> members);

// As load_policy(), from a tree that was read already; `text` is what the hash is taken of.
[[nodiscard]] PolicyLoad load_policy_tree(const yaml::Node& root, std::string_view text,
                                          std::string_view file_name);

}  // namespace lilith::rules
