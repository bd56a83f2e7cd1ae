// Policy YAML -> PolicyModel. Every problem of a file is reported at once, each with its line and
// column.

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "audit/base/text.hpp"
#include "audit/yaml/tree.hpp"
#include "rules/policy_edit.hpp"
#include "rules/policy_keys.hpp"
#include "rules/policy_model.hpp"
#include "rules/policy_tree.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <set>

namespace lilith::rules {
namespace {

using yaml::Node;
using Kind = yaml::Node::Kind;

class Loader {
 public:
  Loader(std::string_view file_name, PolicyLoad& out) : file_name_(file_name), out_(out) {}

  // `problems` are those of reading `root`; `sha256` is that of the file's bytes.
  std::unique_ptr<PolicyModel> load(const Node& root, std::string_view sha256,
                                    std::vector<yaml::Problem> problems);
  [[nodiscard]] bool failed() const { return failed_; }
  void error(const Node& at, std::string message) { add(Severity::kError, at, std::move(message)); }
  void warning(const Node& at, std::string message) {
    add(Severity::kWarning, at, std::move(message));
  }

 private:
  using Handler = std::function<void(const Node& key, const Node& value)>;

  void add(Severity severity, const Node& at, std::string message) {
    failed_ = failed_ || severity == Severity::kError;
    out_.diagnostics.push_back(
        {severity, std::string(file_name_), at.line, at.column, std::move(message)});
  }
  void members(const Node& map, std::string_view what, KeyList keys, const Handler& handle);
  void items(const Node& list, std::string_view what, const std::function<void(const Node&)>& each);
  bool text(const Node& node, std::string_view what, std::string& into);
  bool boolean(const Node& node, std::string_view what, bool& into);
  bool integer(const Node& node, std::string_view what, std::uint64_t max, std::uint64_t& into);
  template <class Enum, std::size_t N>
  bool choice(const Node& node, std::string_view what,
              const std::array<std::pair<std::string_view, Enum>, N>& values, Enum& into);

  void top(const Node& root, PolicyModel& model);
  void egress(const Node& map, EgressSection& section);
  void host_entry(const Node& node, HostList::Kind kind, HostList& list);
  void check_allowed_host(const Node& node, const HostEntry& entry);
  void tools(const Node& map, PolicyModel& model);
  void tool(const Node& node, bool is_block, StringMap<ToolRule>& into);
  void check_tool_key(const Node& key, const std::string& tool);
  void check_tool_name(const Node& node, const std::string& tool);
  void path_list(const Node& node, std::string_view what, bool is_block, PathList& list);
  void command_allow(const Node& node, ToolRule& rule);
  void command_block(const Node& node, ToolRule& rule);
  void arguments(const Node& node, ToolRule& rule);
  bool block_entry(const Node& node, std::string_view what, Entry& entry);
  void aliases(const Node& map, PolicyModel& model);
  void audit(const Node& map, AuditSettings& settings);
  void rotate(const Node& map, AuditSettings& settings);
  void seal(const Node& map, AuditSettings& settings);
  void check_quota(const AuditSettings& audit);
  void check_as_a_whole(const Node& root, const PolicyModel& model);
  void check_tools(const PolicyModel& model);

  std::string_view file_name_;
  PolicyLoad& out_;
  bool failed_ = false;
  Node log_path_node_, enabled_node_, log_denied_node_, quota_node_, seal_node_;
};

constexpr std::array<std::pair<std::string_view, DefaultAction>, 3> kDefaultActions{
    {{"deny", DefaultAction::kDeny},
     {"log", DefaultAction::kLog},
     {"allow", DefaultAction::kAllow}}};
constexpr std::array<std::pair<std::string_view, bool>, 2> kModes{
    {{"audit", true}, {"enforce", false}}};
constexpr std::array<std::pair<std::string_view, audit::Sync>, 3> kSyncs{
    {{"off", audit::Sync::kOff}, {"batch", audit::Sync::kBatch}, {"always", audit::Sync::kAlways}}};

// What CommandUse::hazards can hold; hazards of the line as a whole belong to no entry.
// Of log files; a tebibyte is no limit but a slip of the pen.
constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40;
constexpr std::array<std::string_view, 4> kAllowableHazards{
    "command.exec_option", "command.dynamic_option", "command.wrapper", "command.arithmetic"};
// Names of the agents that people write where the operation is meant.
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kOwnNames{
    {{"Read", "read_file"},
     {"Write", "write_file"},
     {"Edit", "write_file"},
     {"MultiEdit", "write_file"},
     {"NotebookEdit", "write_file"},
     {"Bash", "run_command"},
     {"run_in_terminal", "run_command"},
     {"WebFetch", "the egress section"},
     {"fetch_webpage", "the egress section"}}};

std::string suggestion(std::string_view word, const std::vector<std::string_view>& known) {
  const std::string_view near = did_you_mean(word, known);
  return near.empty() ? "" : "; did you mean " + quote(near) + "?";
}

std::string_view kind_name(const Node& node) {
  switch (node.kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kScalar:
      return "a single value";
    case Kind::kSequence:
      return "a list";
    case Kind::kMap:
      break;
  }
  return "a map";
}

void Loader::members(const Node& map, std::string_view what, KeyList keys, const Handler& handle) {
  if (map.kind != Kind::kMap) {
    error(map, std::string(what) + " must be a map of keys and values, and is " +
                   std::string(kind_name(map)));
    return;
  }
  for (const auto& [key, value] : map.members) {
    if (std::find(keys.begin(), keys.end(), key.scalar) != keys.end()) {
      handle(key, value);
    } else if (key.scalar != "<<") {  // reported where it was read
      error(key, std::string(what) + " has no key " + quote(key.scalar) +
                     suggestion(key.scalar, {keys.begin(), keys.end()}));
    }
  }
}

void Loader::items(const Node& list, std::string_view what,
                   const std::function<void(const Node&)>& each) {
  if (list.kind != Kind::kSequence) {
    error(list, std::string(what) + " must be a list, and is " + std::string(kind_name(list)));
    return;
  }
  for (const Node& item : list.items) each(item);
}

bool Loader::text(const Node& node, std::string_view what, std::string& into) {
  if (node.kind != Kind::kScalar) {
    error(node, std::string(what) + " must be text, and is " + std::string(kind_name(node)));
    return false;
  }
  if (node.scalar.empty()) {
    error(node, std::string(what) + " is empty");
    return false;
  }
  into = node.scalar;
  return true;
}

bool Loader::boolean(const Node& node, std::string_view what, bool& into) {
  if (node.kind == Kind::kScalar && !node.quoted &&
      (node.scalar == "true" || node.scalar == "false")) {
    into = node.scalar == "true";
    return true;
  }
  error(node, std::string(what) + " must be true or false");
  return false;
}

bool Loader::integer(const Node& node, std::string_view what, std::uint64_t max,
                     std::uint64_t& into) {
  const std::string& raw = node.scalar;
  std::uint64_t number = 0;
  const auto [end, status] = std::from_chars(raw.data(), raw.data() + raw.size(), number);
  const bool plain = node.kind == Kind::kScalar && !node.quoted && !raw.empty() &&
                     status == std::errc{} && end == raw.data() + raw.size() &&
                     (raw == "0" || raw[0] != '0');
  if (!plain || number > max) {
    error(node, std::string(what) + " must be a whole number of at most " + std::to_string(max) +
                    ", written in decimal without leading zeros");
    return false;
  }
  into = number;
  return true;
}

template <class Enum, std::size_t N>
bool Loader::choice(const Node& node, std::string_view what,
                    const std::array<std::pair<std::string_view, Enum>, N>& values, Enum& into) {
  std::string known;
  std::vector<std::string_view> words;
  for (const auto& [word, value] : values) {
    if (node.kind == Kind::kScalar && node.scalar == word) {
      into = value;
      return true;
    }
    known += (known.empty() ? "" : ", ") + std::string(word);
    words.push_back(word);
  }
  error(node, std::string(what) + " must be one of " + known + suggestion(node.scalar, words));
  return false;
}

// ---- egress

void Loader::host_entry(const Node& node, HostList::Kind kind, HostList& list) {
  const bool is_block = kind == HostList::Kind::kBlock;
  HostEntry entry{{}, HostPattern(), {}, {}};
  entry.entry.line = node.line;
  entry.entry.column = node.column;
  const Node* host_node = nullptr;
  if (node.kind == Kind::kScalar) {
    host_node = &node;
  } else {
    members(node, "a destination", is_block ? kBlockedHostKeys : kAllowedHostKeys,
            [&](const Node& key, const Node& value) {
              if (key.scalar == "host" || key.scalar == "pattern") {
                if (host_node != nullptr) error(key, "a destination has one host");
                host_node = &value;
              } else if (key.scalar == "ports") {
                items(value, "ports", [&](const Node& item) {
                  std::uint64_t port = 0;
                  if (!integer(item, "a port", 65535, port)) return;
                  if (port == 0) return error(item, "a port must be 1-65535");
                  entry.ports.push_back(static_cast<int>(port));
                });
                if (value.kind == Kind::kSequence && value.items.empty()) {
                  error(value, "ports is an empty list; leave it out for the default");
                }
              } else if (key.scalar == "protocols") {
                items(value, "protocols", [&](const Node& item) {
                  if (item.kind == Kind::kScalar && is_protocol(item.scalar)) {
                    entry.protocols.push_back(item.scalar);
                  } else {
                    error(item, "unknown protocol " + quote(item.scalar) +
                                    "; known are https, http, wss, ws, ssh, tcp");
                  }
                });
                if (value.kind == Kind::kSequence && value.items.empty()) {
                  error(value, "protocols is an empty list; leave it out for the default");
                }
              } else {
                boolean(value, "always_block", entry.entry.always_block);
              }
            });
  }
  if (host_node == nullptr) {
    if (node.kind == Kind::kMap) error(node, "a destination needs a host");
    return;
  }
  if (!text(*host_node, "a host", entry.entry.text)) return;
  auto pattern = HostPattern::parse(entry.entry.text);
  if (!pattern) return error(*host_node, pattern.error().message);
  entry.pattern = std::move(*pattern);
  if (!is_block) check_allowed_host(*host_node, entry);
  list.add(std::move(entry));
}

void Loader::check_allowed_host(const Node& node, const HostEntry& entry) {
  if (entry.ports.empty()) {
    for (const std::string& protocol : entry.protocols) {
      if (default_port(protocol) == 0) {
        error(node, "a destination with protocol " + protocol + " needs ports: it has no default");
      }
    }
  }
}

void Loader::egress(const Node& map, EgressSection& section) {
  bool has_default = false;
  section.line = map.line;
  members(map, "egress", kEgressKeys, [&](const Node& key, const Node& value) {
    if (key.scalar == "default_action") {
      has_default = true;
      section.default_line = key.line;
      choice(value, "default_action", kDefaultActions, section.default_action);
    } else if (key.scalar == "allowed_destinations") {
      section.allowed.line = key.line;
      items(value, "allowed_destinations",
            [&](const Node& item) { host_entry(item, HostList::Kind::kAllow, section.allowed); });
    } else if (key.scalar == "blocked_destinations") {
      section.blocked.line = key.line;
      items(value, "blocked_destinations",
            [&](const Node& item) { host_entry(item, HostList::Kind::kBlock, section.blocked); });
    } else {
      section.private_line = key.line;
      boolean(value, "private", section.private_addresses);
    }
  });
  if (!has_default && map.kind == Kind::kMap) {
    error(map, "egress needs default_action: deny, log or allow");
  }
}

// ---- tools

// A plain string, or {pattern, always_block}.
bool Loader::block_entry(const Node& node, std::string_view what, Entry& entry) {
  entry.line = node.line;
  entry.column = node.column;
  if (node.kind != Kind::kMap) return text(node, what, entry.text);
  bool good = false;
  members(node, what, kBlockEntryKeys, [&](const Node& key, const Node& value) {
    if (key.scalar == "pattern") {
      good = text(value, "pattern", entry.text);
    } else {
      boolean(value, "always_block", entry.always_block);
    }
  });
  if (!good) error(node, std::string(what) + " needs a pattern");
  return good;
}

void Loader::path_list(const Node& node, std::string_view what, bool is_block, PathList& list) {
  list.present = true;
  list.line = node.line;
  items(node, what, [&](const Node& item) {
    Entry entry;
    entry.line = item.line;
    entry.column = item.column;
    if (is_block ? !block_entry(item, what, entry) : !text(item, what, entry.text)) return;
    auto pattern = PathPattern::parse(entry.text);
    if (!pattern) return error(item, pattern.error().message);
    if (!is_block && entry.text == "**") {
      warning(item, "'**' allows every path on the machine");
    }
    if (!is_block) list.patterns.add(*pattern);
    list.parsed.push_back(std::move(*pattern));
    list.entries.push_back(std::move(entry));
  });
}

void Loader::command_allow(const Node& node, ToolRule& rule) {
  rule.has_command_allow = true;
  rule.command_allow_line = node.line;
  items(node, "command_allowlist", [&](const Node& item) {
    CommandAllowEntry entry;
    entry.entry.line = item.line;
    entry.entry.column = item.column;
    if (item.kind == Kind::kMap) {
      members(item, "an entry of command_allowlist", kCommandAllowKeys,
              [&](const Node& key, const Node& value) {
                if (key.scalar == "name") {
                  text(value, "name", entry.entry.text);
                } else {
                  items(value, "allow_hazards", [&](const Node& hazard) {
                    std::string code;
                    if (!text(hazard, "a hazard", code)) return;
                    if (std::find(kAllowableHazards.begin(), kAllowableHazards.end(), code) ==
                        kAllowableHazards.end()) {
                      error(hazard, quote(code) + " is no hazard that an entry can allow" +
                                        suggestion(code, {kAllowableHazards.begin(),
                                                          kAllowableHazards.end()}));
                    }
                    entry.allow_hazards.push_back(code);
                  });
                }
              });
      if (entry.entry.text.empty())
        return error(item, "an entry of command_allowlist needs a name");
    } else if (!text(item, "a command", entry.entry.text)) {
      return;
    }
    const std::string& name = entry.entry.text;
    if (name.find_first_of(" \t\n/\\'\"$`*?[]{}|&;<>()") != std::string::npos) {
      return error(item, "a command in command_allowlist is one program name, and " + quote(name) +
                             " is not; options cannot be allowed one by one here");
    }
    if (!rule.command_allow.emplace(name, std::move(entry)).second) {
      error(item, quote(name) + " stands twice in command_allowlist");
    }
  });
}

void Loader::command_block(const Node& node, ToolRule& rule) {
  items(node, "command_blocklist", [&](const Node& item) {
    Entry entry;
    if (!block_entry(item, "an entry of command_blocklist", entry)) return;
    CommandPattern pattern(entry.text);
    if (pattern.program().empty()) return error(item, "the entry names no program");
    rule.command_block_by_program[pattern.program()].push_back(rule.command_block.size());
    rule.command_block.push_back({std::move(entry), std::move(pattern)});
  });
}

void Loader::arguments(const Node& node, ToolRule& rule) {
  if (node.kind != Kind::kMap) return error(node, "arguments must be a map of name and values");
  for (const auto& [key, value] : node.members) {
    ArgumentRule argument;
    argument.name = key.scalar;
    argument.line = key.line;
    const auto one = [&](const Node& item) {
      Entry entry;
      entry.line = item.line;
      entry.column = item.column;
      if (text(item, "the value of an argument", entry.text)) argument.values.push_back(entry);
    };
    if (value.kind == Kind::kSequence) {
      items(value, "the values of an argument", one);
    } else {
      one(value);
    }
    rule.arguments.push_back(std::move(argument));
  }
}

// A list that its tool never asks would look like a rule and be none.
void Loader::check_tool_key(const Node& key, const std::string& tool) {
  const std::string& k = key.scalar;
  const bool is_path_tool = tool == "read_file" || tool == "write_file";
  if (k == "path_allowlist" && !is_path_tool) {
    error(key,
          "path_allowlist belongs to read_file and write_file; " + quote(tool) + " never asks it");
  } else if (k == "path_blocklist" && !is_path_tool && tool != "run_command") {
    error(key, "path_blocklist belongs to read_file, write_file and run_command; " + quote(tool) +
                   " never asks it");
  } else if ((k == "command_allowlist" || k == "command_blocklist") && tool != "run_command") {
    error(key, k + " belongs to run_command; " + quote(tool) + " never asks it");
  } else if ((k == "servers" || k == "arguments") && (is_path_tool || tool == "run_command")) {
    error(key, k + " belongs to MCP tools and other tools; " + quote(tool) + " never asks it");
  }
}

void Loader::check_tool_name(const Node& node, const std::string& tool) {
  if (tool == "egress" || tool == "other") {
    return error(node, quote(tool) + " is no tool to allow; hosts belong to the egress section");
  }
  for (const auto& [own, operation] : kOwnNames) {
    if (own == tool) {
      warning(node, quote(tool) +
                        " is an agent's own name; this entry allows nothing, what it "
                        "does is judged by " +
                        std::string(operation));
    }
  }
}

void Loader::tool(const Node& node, bool is_block, StringMap<ToolRule>& into) {
  ToolRule rule;
  rule.line = node.line;
  const Node* name_node = nullptr;
  std::vector<const Node*> keys;
  if (is_block && node.kind == Kind::kScalar) {
    if (!text(node, "a tool", rule.name)) return;
    name_node = &node;
  } else {
    members(node, "a tool", is_block ? kBlockedToolKeys : kAllowedToolKeys,
            [&](const Node& key, const Node& value) {
              const std::string& k = key.scalar;
              if (!is_block) keys.push_back(&key);
              if (k == "name" || k == "pattern") {
                if (name_node != nullptr) error(key, "a tool has one name");
                name_node = &value;
                text(value, "name", rule.name);
              } else if (k == "always_block") {
                boolean(value, k, rule.always_block);
              } else if (k == "path_allowlist") {
                path_list(value, k, false, rule.path_allow);
                rule.path_allow.line = key.line;
              } else if (k == "path_blocklist") {
                path_list(value, k, true, rule.path_block);
                rule.path_block.line = key.line;
              } else if (k == "command_allowlist") {
                command_allow(value, rule);
                rule.command_allow_line = key.line;
              } else if (k == "command_blocklist") {
                command_block(value, rule);
              } else if (k == "arguments") {
                arguments(value, rule);
              } else {
                rule.has_servers = true;
                items(value, k, [&](const Node& item) {
                  Entry entry;
                  entry.line = item.line;
                  entry.column = item.column;
                  if (!text(item, "a server", entry.text)) return;
                  if (entry.text.find_first_of("*?[") != std::string::npos) {
                    error(item, "a server is an exact name; wildcards are not read here");
                  }
                  rule.servers.push_back(entry);
                });
              }
            });
  }
  if (name_node == nullptr) {
    if (node.kind == Kind::kMap) error(node, "a tool needs a name");
    return;
  }
  if (rule.name.empty()) return;
  rule.line = name_node->line;
  rule.column = name_node->column;
  for (const Node* key : keys) check_tool_key(*key, rule.name);
  if (!is_block) check_tool_name(*name_node, rule.name);
  const std::string name = rule.name;
  if (!into.emplace(name, std::move(rule)).second) {
    error(*name_node, "the tool " + quote(name) + " stands twice; put its lists into one entry");
  }
}

void Loader::tools(const Node& map, PolicyModel& model) {
  bool has_default = false;
  ToolSection& section = model.tools;
  section.line = map.line;
  members(map, "tool_invocations", kToolSectionKeys, [&](const Node& key, const Node& value) {
    if (key.scalar == "default_action") {
      has_default = true;
      section.default_line = key.line;
      choice(value, "default_action", kDefaultActions, section.default_action);
    } else if (key.scalar == "allowed_tools") {
      items(value, "allowed_tools", [&](const Node& item) { tool(item, false, section.allowed); });
    } else {
      items(value, "blocked_tools", [&](const Node& item) { tool(item, true, section.blocked); });
    }
  });
  if (!has_default && map.kind == Kind::kMap) {
    error(map, "tool_invocations needs default_action: deny, log or allow");
  }
}

void Loader::aliases(const Node& map, PolicyModel& model) {
  if (map.kind != Kind::kMap) return error(map, "tool_aliases must be a map of name: operation");
  for (const auto& [key, value] : map.members) {
    const auto kind = audit::operation_kind(value.scalar);
    if (value.kind != Kind::kScalar || !kind || *kind == audit::OperationKind::kOther) {
      error(value, quote(value.scalar) +
                       " is no canonical operation; they are read_file, write_file, run_command, "
                       "egress, mcp_tool");
    } else {
      model.aliases.emplace(key.scalar, *kind);
    }
  }
}

// ---- audit

void Loader::audit(const Node& map, AuditSettings& settings) {
  members(map, "audit", kAuditKeys, [&](const Node& key, const Node& value) {
    const std::string& k = key.scalar;
    if (k == "enabled") {
      enabled_node_ = value;
      boolean(value, k, settings.enabled);
    } else if (k == "log_path") {
      log_path_node_ = value;
      if (text(value, k, settings.log_path) && !settings.log_path.starts_with('/')) {
        error(value, "log_path must be an absolute path");
      }
    } else if (k == "log_format") {
      if (value.scalar != "json") error(value, "log_format must be json");
    } else if (k == "log_denied") {
      log_denied_node_ = value;
      boolean(value, k, settings.log_denied);
    } else if (k == "log_allowed") {
      boolean(value, k, settings.log_allowed);
    } else if (k == "redact") {
      // The design spells it as a switch: `off` is a word of its own here, not a YAML 1.1 boolean.
      constexpr std::array<std::pair<std::string_view, bool>, 4> kRedact{
          {{"on", true}, {"off", false}, {"true", true}, {"false", false}}};
      choice(value, k, kRedact, settings.redact);
    } else if (k == "sync") {
      choice(value, k, kSyncs, settings.sync);
    } else if (k == "group") {
      text(value, k, settings.group);
    } else if (k == "rotate") {
      rotate(value, settings);
    } else if (k == "seal") {
      seal_node_ = value;
      seal(value, settings);
    } else {
      quota_node_ = value;
      members(value, "audit.quota", kQuotaKeys, [&](const Node& inner, const Node& number) {
        integer(
            number, inner.scalar, kBytesMax,
            inner.scalar == "max_bytes" ? settings.quota_max_bytes : settings.quota_min_free_bytes);
      });
    }
  });
}

void Loader::rotate(const Node& map, AuditSettings& settings) {
  members(map, "audit.rotate", kRotateKeys, [&](const Node& key, const Node& value) {
    if (key.scalar == "max_bytes") {
      integer(value, key.scalar, kBytesMax, settings.rotate_max_bytes);
    } else if (key.scalar == "keep") {
      std::uint64_t n = 0;
      if (integer(value, key.scalar, 1'000'000, n)) {
        settings.rotate_keep = static_cast<std::uint32_t>(n);
      }
    } else if (text(value, key.scalar, settings.shipper_state) &&
               !settings.shipper_state.starts_with('/')) {
      error(value, "shipper_state must be an absolute path: the state_dir of lilith ship");
    }
  });
}

void Loader::seal(const Node& map, AuditSettings& settings) {
  members(map, "audit.seal", kSealKeys, [&](const Node& key, const Node& value) {
    if (key.scalar == "key") {
      if (text(value, key.scalar, settings.seal_key) && !settings.seal_key.starts_with('/')) {
        error(value,
              "audit.seal.key must be an absolute path: the file that lilith seal init made");
      }
    } else if (key.scalar == "events") {
      integer(value, key.scalar, limits::kSealEventsMax, settings.seal_events);
    } else {
      std::uint64_t seconds = 0;
      if (integer(value, key.scalar, static_cast<std::uint64_t>(limits::kSealAgeMax.count()),
                  seconds)) {
        settings.seal_age = std::chrono::seconds(static_cast<std::int64_t>(seconds));
      }
    }
  });
  if (map.kind != Kind::kMap) return;
  if (settings.seal_key.empty()) {
    error(map, "audit.seal needs a key: the file that lilith seal init made");
  }
  if (settings.seal_events == 0 && settings.seal_age.count() == 0) {
    error(map, "audit.seal needs a bound: events or seconds must not be 0");
  }
}

// Only rotated files can be deleted, so a quota that one file can use up frees nothing.
void Loader::check_quota(const AuditSettings& audit) {
  if (audit.quota_max_bytes == 0) return;
  if (audit.rotate_max_bytes == 0) {
    error(quota_node_, "audit.quota.max_bytes needs rotation, and audit.rotate.max_bytes is 0");
  } else if (audit.quota_max_bytes < 2 * audit.rotate_max_bytes) {
    error(quota_node_, "audit.quota.max_bytes must be at least twice audit.rotate.max_bytes (" +
                           std::to_string(audit.rotate_max_bytes) +
                           "): the file that is being written can't be deleted");
  }
}

// ---- the whole

void Loader::check_tools(const PolicyModel& model) {
  const auto at = [](int line) {
    Node node;
    node.line = line;
    node.column = 1;
    return node;
  };
  const auto rule = [&model](std::string_view name) -> const ToolRule* {
    const auto found = model.tools.allowed.find(name);
    return found == model.tools.allowed.end() ? nullptr : &found->second;
  };
  for (const char* name : {"read_file", "write_file"}) {
    if (const ToolRule* tool = rule(name); tool != nullptr && !tool->path_allow.present) {
      warning(at(tool->line), std::string(name) + " has no path_allowlist, so it allows nothing");
    }
  }
  if (const ToolRule* tool = rule("run_command"); tool != nullptr && !tool->has_command_allow) {
    warning(at(tool->line), "run_command has no command_allowlist, so it allows nothing");
  }
  const ToolRule* reads = rule("read_file");
  const ToolRule* writes = rule("write_file");
  if (reads != nullptr && writes != nullptr && reads->path_block.present &&
      !writes->path_block.present) {
    warning(at(writes->line),
            "write_file has no path_blocklist while read_file has one; block lists count for their "
            "own tool only");
  }
  // Below a home the pattern's user is that home's; anywhere else any user will do.
  const auto allows = [](const ToolRule* tool, std::string_view path) {
    std::string home = "/home/user";
    if (path.starts_with("/home/")) home = path.substr(0, std::min(path.find('/', 6), path.size()));
    const PatternUser owner{std::string_view(home).substr(6), home};
    return tool != nullptr && tool->path_allow.patterns.find(path, owner) != PathPatternSet::npos;
  };
  const auto writable = [&](std::string_view path) { return allows(writes, path); };
  const std::string& seal_key = model.audit.seal_key;
  if (!seal_key.empty() && (allows(reads, seal_key) || writable(seal_key))) {
    error(seal_node_, "read_file or write_file may reach the key of the seals (" + seal_key +
                          "); take it out of path_allowlist");
  }
  if (writes == nullptr) return;
  for (const std::string& path : {model.audit.log_path, model.audit.log_path + ".lock"}) {
    if (writable(path)) {
      return error(log_path_node_.line > 0 ? log_path_node_ : at(writes->line),
                   "write_file may write the audit log itself (" + path +
                       "); take it out of path_allowlist");
    }
  }
  if (file_name_.starts_with('/') && writable(file_name_)) {
    warning(at(writes->line), "write_file may write this policy itself (" +
                                  std::string(file_name_) + "); take it out of path_allowlist");
  }
}

void Loader::check_as_a_whole(const Node& root, const PolicyModel& model) {
  const bool enforces = !model.audit_mode;
  check_quota(model.audit);
  if (!model.audit.enabled && enforces) {
    error(enabled_node_,
          "audit.enabled: false is refused in enforce mode: a denial without a "
          "record helps nobody");
  }
  if (!model.audit.log_denied) {
    if (enforces) {
      error(log_denied_node_,
            "log_denied: false is refused in enforce mode: it hides what the SOC "
            "must see");
    } else {
      warning(log_denied_node_,
              "log_denied: false changes nothing: would_deny and error events "
              "are always logged");
    }
  }
  if (model.egress.line == 0) {
    warning(root, "there is no egress section, so every egress operation is denied");
  }
  if (model.tools.line == 0) {
    warning(root, "there is no tool_invocations section, so every tool is denied");
  }
  check_tools(model);
}

void Loader::top(const Node& root, PolicyModel& model) {
  bool has_version = false;
  members(root, "the policy", kTopKeys, [&](const Node& key, const Node& value) {
    const std::string& k = key.scalar;
    if (k == "version") {
      has_version = true;
      if (value.kind != Kind::kScalar || value.scalar != "1") {
        error(value, "version must be \"1\"; this program reads no other");
      }
    } else if (k == "mode") {
      choice(value, k, kModes, model.audit_mode);
    } else if (k == "agent_hooks") {
      items(value, k, [&](const Node& item) {
        std::string name;
        if (!text(item, "an agent", name)) return;
        std::replace(name.begin(), name.end(), '-', '_');
        if (std::find(kAgentNames.begin(), kAgentNames.end(), name) == kAgentNames.end()) {
          error(item, "unknown agent " + quote(item.scalar) +
                          suggestion(name, {kAgentNames.begin(), kAgentNames.end()}));
        }
        model.agent_hooks.push_back(name);
      });
    } else if (k == "egress") {
      egress(value, model.egress);
      model.egress.line = key.line;
    } else if (k == "tool_invocations") {
      tools(value, model);
      model.tools.line = key.line;
    } else if (k == "tool_aliases") {
      aliases(value, model);
    } else if (k == "protect_agent_config") {
      model.protect_line = key.line;
      boolean(value, k, model.protect_agent_config);
    } else if (k == "allow_user_policy") {
      boolean(value, k, model.allow_user_policy);
    } else {
      audit(value, model.audit);
    }
  });
  if (root.kind == Kind::kMap && !has_version) error(root, "the policy needs version: \"1\"");
}

std::unique_ptr<PolicyModel> Loader::load(const Node& root, std::string_view sha256,
                                          std::vector<yaml::Problem> problems) {
  auto model = std::make_unique<PolicyModel>();
  model->file_name = file_name_;
  model->sha256 = sha256;
  for (yaml::Problem& problem : problems) {
    Node at;
    at.line = problem.line;
    at.column = problem.column;
    error(at, std::move(problem.message));
  }
  // A key that stands twice or a foreign tag leaves a tree behind: what else is wrong is said, too.
  if (!problems.empty() && root.kind != Kind::kMap) return model;
  top(root, *model);
  check_as_a_whole(root, *model);
  model->tools.compile();
  return model;
}

PolicyLoad one_problem(std::string_view file_name, std::string message) {
  PolicyLoad out;
  out.diagnostics.push_back({Severity::kError, std::string(file_name), 0, 0, std::move(message)});
  return out;
}

PolicyLoad load_tree(const Node& root, std::string_view sha256, std::string_view file_name,
                     std::vector<yaml::Problem> problems) {
  PolicyLoad out;
  Loader loader(file_name, out);
  auto model = loader.load(root, sha256, std::move(problems));
  std::stable_sort(out.diagnostics.begin(), out.diagnostics.end(),
                   [](const Diagnostic& a, const Diagnostic& b) {
                     return std::pair(a.line, a.column) < std::pair(b.line, b.column);
                   });
  if (!loader.failed()) out.policy = std::make_shared<const Policy>(std::move(model));
  return out;
}

}  // namespace

PolicyLoad load_policy_tree(const Node& root, std::string_view text, std::string_view file_name) {
  return load_tree(root, sha256_hex(text), file_name, {});
}

PolicyLoad load_policy_nodes(const Node& root, std::string_view sha256,
                             std::string_view file_name) {
  return load_tree(root, sha256, file_name, {});
}

PolicyLoad load_policy(std::string_view yaml, std::string_view file_name) {
  if (yaml.size() > limits::kPolicyBytesMax) {
    return one_problem(
        file_name, "the file is larger than " + std::to_string(limits::kPolicyBytesMax) + " bytes");
  }
  std::vector<yaml::Problem> problems;
  const Node root = yaml::read(yaml, problems);
  return load_tree(root, sha256_hex(yaml), file_name, std::move(problems));
}

PolicyLoad load_policy_file(const std::string& path) {
  auto content = read_file(path, limits::kPolicyBytesMax);
  if (!content) return one_problem(path, content.error().message);
  return load_policy(*content, path);
}

}  // namespace lilith::rules
