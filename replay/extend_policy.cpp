// A policy's text with more entries: the tree of the base is written anew in block style.

#include "audit/base/text.hpp"
#include "audit/yaml/tree.hpp"
#include "replay/suggest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

namespace lilith::replay {
namespace {

using yaml::Node;

// Closed whenever a directory is opened: block beats allow, so that a wildcard stays harmless.
constexpr std::string_view kSensitive[] = {"**/.ssh/**",
                                           "**/.aws/**",
                                           "**/.gnupg/**",
                                           "**/.kube/**",
                                           "**/secrets/**",
                                           "**/.env",
                                           "**/*.pem",
                                           "**/*.key",
                                           "**/.npmrc",
                                           "**/.netrc",
                                           "**/.git-credentials",
                                           "**/.docker/config.json",
                                           "**/.bash_history",
                                           "**/.zsh_history"};

Node scalar(std::string_view text) {
  Node out;
  out.kind = Node::Kind::kScalar;
  out.scalar = text;
  out.quoted = true;
  return out;
}

Node sequence() {
  Node out;
  out.kind = Node::Kind::kSequence;
  return out;
}

// A comment rides in the column-less scalar before its entry; `line` < 0 marks it.
Node comment(const std::string& text) {
  Node out = scalar(text);
  out.line = -1;
  return out;
}

// The member of a map, made when it is absent.
Node& member(Node& map, std::string_view key, Node::Kind kind) {
  map.kind = Node::Kind::kMap;
  for (auto& [name, value] : map.members) {
    if (name.scalar != key) continue;
    if (value.kind == Node::Kind::kNull) value.kind = kind;
    return value;
  }
  Node value;
  value.kind = kind;
  Node name = scalar(key);
  name.quoted = false;
  map.members.emplace_back(std::move(name), std::move(value));
  return map.members.back().second;
}

Node map_node() {
  Node out;
  out.kind = Node::Kind::kMap;
  return out;
}

// A section that is absent is made with `deny`, which is what its absence meant.
Node& section_of(Node& root, std::string_view key) {
  Node& out = member(root, key, Node::Kind::kMap);
  if (out.members.empty()) {
    Node action = scalar("deny");
    action.quoted = false;
    member(out, "default_action", Node::Kind::kScalar) = action;
  }
  return out;
}

Node& tool_of(Node& root, std::string_view name) {
  Node& tools =
      member(section_of(root, "tool_invocations"), "allowed_tools", Node::Kind::kSequence);
  for (Node& tool : tools.items) {
    for (const auto& [key, value] : tool.members) {
      if (key.scalar == "name" && value.scalar == name) return tool;
    }
  }
  Node tool = map_node();
  member(tool, "name", Node::Kind::kScalar) = scalar(name);
  tools.items.push_back(std::move(tool));
  return tools.items.back();
}

// The text of a list's entry: itself, or what its `pattern` or `name` says.
std::string_view text_of(const Node& entry) {
  if (entry.kind == Node::Kind::kScalar) return entry.line < 0 ? std::string_view() : entry.scalar;
  for (const auto& [key, value] : entry.members) {
    if (key.scalar == "pattern" || key.scalar == "name" || key.scalar == "host")
      return value.scalar;
  }
  return {};
}

bool holds(const Node& list, std::string_view text) {
  return std::ranges::any_of(list.items, [&](const Node& one) { return text_of(one) == text; });
}

void add_entry(Node& list, const std::string& why, Node entry) {
  list.items.push_back(comment(why));
  list.items.push_back(std::move(entry));
}

void add_path(Node& root, const Suggestion& one) {
  Node& tool = tool_of(root, one.kind == SuggestionKind::kReadPath ? "read_file" : "write_file");
  Node& list = member(tool, "path_allowlist", Node::Kind::kSequence);
  if (holds(list, one.value)) return;
  add_entry(list, evidence_of(one), scalar(one.value));
  if (!one.value.ends_with("/**")) return;
  Node& blocked = member(tool, "path_blocklist", Node::Kind::kSequence);
  bool first = true;
  for (const std::string_view pattern : kSensitive) {
    if (holds(blocked, pattern)) continue;
    if (std::exchange(first, false))
      blocked.items.push_back(comment("closed below every directory that is opened above"));
    blocked.items.push_back(scalar(pattern));
  }
}

void add_host(Node& root, const Suggestion& one) {
  Node& list = member(section_of(root, "egress"), "allowed_destinations", Node::Kind::kSequence);
  Node entry = map_node();
  member(entry, "host", Node::Kind::kScalar) = scalar(one.value);
  Node port = scalar(std::to_string(one.port));
  port.quoted = false;
  Node ports = sequence(), protocols = sequence();
  ports.items.push_back(port);
  Node protocol = scalar(one.protocol);
  protocol.quoted = false;
  protocols.items.push_back(protocol);
  member(entry, "ports", Node::Kind::kSequence) = ports;
  member(entry, "protocols", Node::Kind::kSequence) = protocols;
  add_entry(list, evidence_of(one), std::move(entry));
}

// The form of a program that is never suggested, however often it was used.
void block_dangerous_form(Node& root, std::string_view program) {
  const std::string_view form = program == "git"  ? "git push --force"
                                : program == "rm" ? "rm -rf"
                                                  : std::string_view();
  if (form.empty()) return;
  Node& list = member(tool_of(root, "run_command"), "command_blocklist", Node::Kind::kSequence);
  if (!holds(list, form)) add_entry(list, "never suggested, whatever was seen", scalar(form));
}

void add(Node& root, const Suggestion& one) {
  switch (one.kind) {
    case SuggestionKind::kReadPath:
    case SuggestionKind::kWritePath:
      return add_path(root, one);
    case SuggestionKind::kHost:
      return add_host(root, one);
    case SuggestionKind::kCommand: {
      Node& list = member(tool_of(root, "run_command"), "command_allowlist", Node::Kind::kSequence);
      if (!holds(list, one.value)) add_entry(list, evidence_of(one), scalar(one.value));
      return block_dangerous_form(root, one.value);
    }
    case SuggestionKind::kTool: {
      Node& tools =
          member(section_of(root, "tool_invocations"), "allowed_tools", Node::Kind::kSequence);
      if (holds(tools, one.value)) return;
      Node entry = map_node();
      member(entry, "name", Node::Kind::kScalar) = scalar(one.value);
      add_entry(tools, evidence_of(one), std::move(entry));
    }
  }
}

std::string yaml_quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

std::string scalar_text(const Node& node) {
  const bool word = !node.scalar.empty() && std::ranges::all_of(node.scalar, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-';
  }) && node.scalar.front() != '-';
  return node.quoted || !word ? yaml_quote(node.scalar) : node.scalar;
}

void write(const Node& node, std::size_t indent, std::string& out);

void write_value(const Node& value, std::size_t indent, std::string& out) {
  switch (value.kind) {
    case Node::Kind::kNull:
      out += "\n";
      return;
    case Node::Kind::kScalar:
      out += " " + scalar_text(value) + "\n";
      return;
    case Node::Kind::kSequence:
    case Node::Kind::kMap:
      break;
  }
  const bool empty = value.items.empty() && value.members.empty();
  out += empty ? (value.kind == Node::Kind::kMap ? " {}\n" : " []\n") : "\n";
  if (!empty) write(value, indent, out);
}

void write(const Node& node, std::size_t indent, std::string& out) {
  const std::string margin(indent, ' ');
  for (const auto& [key, value] : node.members) {
    out += margin + scalar_text(key) + ":";
    write_value(value, indent + 2, out);
  }
  for (const Node& item : node.items) {
    if (item.kind == Node::Kind::kScalar && item.line < 0) {
      out += margin + "# " + item.scalar + "\n";
      continue;
    }
    if (item.kind == Node::Kind::kMap && !item.members.empty()) {
      std::string text;
      write(item, indent + 2, text);
      text.replace(indent, 2, "- ");  // the first member stands behind the dash
      out += text;
      continue;
    }
    out += margin + "-";
    write_value(item, indent + 2, out);
  }
}

}  // namespace

Result<std::string> extend_policy(std::string_view base_yaml,
                                  const std::vector<const Suggestion*>& entries,
                                  std::string_view header) {
  std::vector<yaml::Problem> problems;
  Node root = yaml::read(base_yaml, problems);
  if (!problems.empty()) {
    return fail(ErrorCode::kInvalidInput,
                "line " + std::to_string(problems[0].line) + ": " + problems[0].message);
  }
  for (const Suggestion* one : entries) add(root, *one);
  std::string out(header);
  write(root, 0, out);
  return out;
}

}  // namespace lilith::replay
