#include "rules/policy_edit.hpp"

#include "audit/base/text.hpp"

#include <algorithm>

namespace lilith::rules {
namespace {

using yaml::Node;
using Kind = Node::Kind;

Node* member(Node& map, std::string_view key) {
  for (auto& [name, value] : map.members) {
    if (name.scalar == key) return &value;
  }
  return nullptr;
}

// What an entry of a list is known by: itself, or its name, host or pattern.
std::string_view text_of(const Node& item) {
  if (item.kind == Kind::kScalar) return item.scalar;
  for (const auto& [name, value] : item.members) {
    if (name.scalar == "name" || name.scalar == "host" || name.scalar == "pattern") {
      return value.scalar;
    }
  }
  return {};
}

void merge_lists(Node& base, const Node& piece, bool by_name) {
  for (const Node& item : piece.items) {
    const auto found = std::find_if(base.items.begin(), base.items.end(), [&](const Node& known) {
      return text_of(known) == text_of(item) && (by_name || known.kind == Kind::kScalar);
    });
    if (found == base.items.end() || (!by_name && item.kind != Kind::kScalar)) {
      base.items.push_back(item);
    } else if (found->kind == Kind::kMap && item.kind == Kind::kMap) {
      merge(*found, item);
    } else if (item.kind == Kind::kMap) {
      *found = item;
    }
  }
}

void remove_entry(Node& root, const EntryRemoval& removal) {
  Node* section =
      member(root, removal.list == "blocked_destinations" ? "egress" : "tool_invocations");
  if (section == nullptr) return;
  Node* owner = section;
  if (!removal.tool.empty()) {
    Node* tools = member(*section, "allowed_tools");
    if (tools == nullptr) return;
    const auto tool = std::find_if(tools->items.begin(), tools->items.end(),
                                   [&](const Node& one) { return text_of(one) == removal.tool; });
    if (tool == tools->items.end()) return;
    owner = &*tool;
  }
  Node* list = member(*owner, removal.list);
  if (list == nullptr) return;
  // A name stands once among the tools; a host may stand twice with other ports.
  const bool by_line = removal.list != "blocked_tools";
  std::erase_if(list->items, [&](const Node& item) {
    return text_of(item) == removal.text && (!by_line || item.line == removal.line);
  });
}

// Whether a plain scalar could be read as something else, or not at all.
bool needs_quotes(const Node& node) {
  if (node.quoted || node.scalar.empty()) return true;
  return !std::all_of(node.scalar.begin(), node.scalar.end(),
                      [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                               (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
                      }) ||
         node.scalar.front() == '-' || node.scalar.front() == '.';
}

// YAML 1.2 section 7.3.1: the escapes of a double-quoted scalar.
std::string scalar_text(const Node& node) {
  if (node.kind == Kind::kNull) return "~";
  if (!needs_quotes(node)) return node.scalar;
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out = "\"";
  for (const char c : node.scalar) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\';
    if (byte < 0x20) {
      out += "\\x";
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

bool is_flat(const Node& node) {
  return std::all_of(node.items.begin(), node.items.end(),
                     [](const Node& item) { return item.kind == Kind::kScalar; });
}

void append_yaml(std::string& out, const Node& node, const std::string& indent);

// Behind "key:" or "-".
void append_value(std::string& out, const Node& value, const std::string& indent) {
  const bool has_lines = (value.kind == Kind::kMap && !value.members.empty()) ||
                         (value.kind == Kind::kSequence && !value.items.empty());
  if (has_lines) {
    out += "\n";
    append_yaml(out, value, indent + "  ");
  } else {
    out += value.kind == Kind::kMap        ? " {}\n"
           : value.kind == Kind::kSequence ? " []\n"
                                           : " " + scalar_text(value) + "\n";
  }
}

// The members of a map in one list item: the first stands behind the dash.
void append_item(std::string& out, const Node& item, const std::string& indent) {
  out += indent + "-";
  if (item.kind != Kind::kMap || item.members.empty()) return append_value(out, item, indent);
  std::string inner;
  append_yaml(inner, item, indent + "  ");
  out += " " + inner.substr(indent.size() + 2);
}

void append_yaml(std::string& out, const Node& node, const std::string& indent) {
  for (const auto& [key, value] : node.members) {
    out += indent + scalar_text(key) + ":";
    const bool short_list = (key.scalar == "ports" || key.scalar == "protocols" ||
                             key.scalar == "allow_hazards" || key.scalar == "servers") &&
                            value.kind == Kind::kSequence && is_flat(value);
    if (!short_list) {
      append_value(out, value, indent);
      continue;
    }
    out += " [";
    for (std::size_t i = 0; i < value.items.size(); ++i) {
      out += (i == 0 ? "" : ", ") + scalar_text(value.items[i]);
    }
    out += "]\n";
  }
  for (const Node& item : node.items) append_item(out, item, indent);
}

}  // namespace

void merge(Node& base, const Node& piece) {
  if (piece.kind == Kind::kNull) return;
  if (base.kind != Kind::kMap || piece.kind != Kind::kMap) {
    base = piece;
    return;
  }
  for (const auto& [key, value] : piece.members) {
    Node* known = member(base, key.scalar);
    if (known == nullptr) {
      base.members.emplace_back(key, value);
    } else if (known->kind == Kind::kSequence && value.kind == Kind::kSequence) {
      merge_lists(*known, value,
                  key.scalar == "allowed_tools" || key.scalar == "command_allowlist");
    } else {
      merge(*known, value);
    }
  }
}

std::string to_yaml(const Node& node, int indent) {
  std::string out;
  append_yaml(out, node, std::string(static_cast<std::size_t>(indent), ' '));
  return out;
}

PolicyLoad load_edited(std::string_view policy_yaml, std::string_view file_name,
                       const PolicyEdit& edit) {
  std::vector<yaml::Problem> problems;
  Node root = yaml::read(policy_yaml, problems);
  if (!problems.empty()) return load_policy(policy_yaml, file_name);
  for (const EntryRemoval& removal : edit.remove) remove_entry(root, removal);
  // What was printed is what is tried, not the tree that it was printed from.
  const Node piece =
      edit.add.kind == Kind::kNull ? Node() : yaml::read(to_yaml(edit.add), problems);
  if (!problems.empty()) {
    PolicyLoad out;
    out.diagnostics.push_back({Severity::kError, std::string(file_name), problems.front().line,
                               problems.front().column, problems.front().message});
    return out;
  }
  merge(root, piece);
  return load_policy_tree(root, policy_yaml, file_name);
}

Node scalar_node(std::string_view text, bool quoted) {
  Node node;
  node.kind = Kind::kScalar;
  node.scalar = text;
  node.quoted = quoted;
  return node;
}

Node list_node(std::vector<Node> items) {
  Node node;
  node.kind = Kind::kSequence;
  node.items = std::move(items);
  return node;
}

Node map_node(std::vector<std::pair<std::string, Node>> members) {
  Node node;
  node.kind = Kind::kMap;
  for (auto& [key, value] : members) {
    node.members.emplace_back(scalar_node(key, false), std::move(value));
  }
  return node;
}

}  // namespace lilith::rules
