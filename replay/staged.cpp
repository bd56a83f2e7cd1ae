#include "replay/staged.hpp"

#include "audit/yaml/tree.hpp"

#include <algorithm>
#include <map>

namespace lilith::replay {
namespace {

using yaml::Node;

const Node* member(const Node& map, std::string_view key) {
  for (const auto& [name, value] : map.members) {
    if (name.scalar == key) return &value;
  }
  return nullptr;
}

Result<Node> tree_of(std::string_view text) {
  std::vector<yaml::Problem> problems;
  Node root = yaml::read(text, problems);
  if (problems.empty()) return root;
  return fail(ErrorCode::kInvalidInput,
              "line " + std::to_string(problems[0].line) + ": " + problems[0].message);
}

// default_action of a section that a flip changes.
const Node* action_of(const Node& root, std::string_view section) {
  const Node* found = member(root, section);
  if (found == nullptr) return nullptr;
  const Node* action = member(*found, "default_action");
  if (action == nullptr || (action->scalar != "deny" && action->scalar != "log")) return nullptr;
  return action;
}

struct Edit {
  std::size_t offset, length;
  std::string text;
};

// Where a scalar stands in the text, without its quotes.
Result<Edit> edit_of(std::string_view text, const Node& node, std::string word) {
  std::size_t offset = 0;
  for (int line = 1; line < node.line; ++line) {
    const std::size_t end = text.find('\n', offset);
    if (end == std::string_view::npos) break;
    offset = end + 1;
  }
  offset += static_cast<std::size_t>(std::max(0, node.column - 1));
  if (node.quoted) ++offset;
  if (offset > text.size() || !text.substr(offset).starts_with(node.scalar)) {
    return fail(ErrorCode::kInvalidInput,
                "line " + std::to_string(node.line) + ": '" + node.scalar +
                    "' can't be replaced where it stands; write it on a line of its own");
  }
  return Edit{offset, node.scalar.size(), std::move(word)};
}

}  // namespace

Result<std::vector<std::string>> sections_of(std::string_view policy_yaml) {
  auto root = tree_of(policy_yaml);
  if (!root) return pass_error(root);
  std::vector<std::string> out;
  for (const std::string_view section : {kEgress, kTools}) {
    if (action_of(*root, section) != nullptr) out.emplace_back(section);
  }
  return out;
}

Result<std::string> staged_policy(std::string_view policy_yaml,
                                  const std::set<std::string>& in_deny) {
  auto root = tree_of(policy_yaml);
  if (!root) return pass_error(root);
  std::vector<Edit> edits;
  for (const std::string_view section : {kEgress, kTools}) {
    const Node* action = action_of(*root, section);
    if (action == nullptr) continue;
    auto edit =
        edit_of(policy_yaml, *action, in_deny.contains(std::string(section)) ? "deny" : "log");
    if (!edit) return pass_error(edit);
    edits.push_back(std::move(*edit));
  }
  const Node* mode = member(*root, "mode");
  if (mode != nullptr && mode->scalar == "audit" && !in_deny.empty()) {
    auto edit = edit_of(policy_yaml, *mode, "enforce");
    if (!edit) return pass_error(edit);
    edits.push_back(std::move(*edit));
  }
  std::ranges::sort(edits, std::greater<>(), &Edit::offset);
  std::string out(policy_yaml);
  for (const Edit& edit : edits) out.replace(edit.offset, edit.length, edit.text);
  return out;
}

}  // namespace lilith::replay
