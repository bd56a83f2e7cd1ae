#pragma once
// The compiled policy, for rules/ itself. Made by policy_load.cpp, asked by decide.cpp.

#include "rules/command.hpp"
#include "rules/glob.hpp"
#include "rules/host.hpp"
#include "rules/host_key.hpp"
#include "rules/policy.hpp"
#include "rules/text_index.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lilith::rules {

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
template <class T>
using StringMap = std::unordered_map<std::string, T, StringHash, std::equal_to<>>;

enum class DefaultAction { kDeny, kLog, kAllow };

// What every entry of a list has.
struct Entry {
  std::string text;
  int line = 0;
  bool always_block = false;
  int column = 0;  // for lint; what a decision tells is the line
};

struct HostEntry {
  Entry entry;
  HostPattern pattern;
  std::vector<int> ports;  // empty: see HostList
  std::vector<std::string> protocols;
};

// Hosts by exact name, by suffix and by address, so that a look-up costs the labels of the host and
// not the entries.
class HostList {
 public:
  // Block entries without ports or protocols mean any of them; allow entries the scheme's port and
  // https.
  enum class Kind { kAllow, kBlock };
  explicit HostList(Kind kind) : kind_(kind) {}
  void add(HostEntry entry);
  // Of block entries that match, one with always_block where there is one.
  [[nodiscard]] const HostEntry* find(const HostKey& host, int port,
                                      std::string_view protocol) const;
  // An entry for the host with other ports or protocols; for the reason only.
  [[nodiscard]] const HostEntry* find_host(const HostKey& host) const;
  [[nodiscard]] const HostEntry* find_host(const CanonicalHost& host) const;
  [[nodiscard]] const std::vector<HostEntry>& entries() const { return entries_; }
  int line = 0;

 private:
  template <class Accept>
  [[nodiscard]] const HostEntry* search(const HostKey& host, Accept accept) const;
  template <class Accept>
  [[nodiscard]] const HostEntry* search_addresses(const CanonicalHost& host, Accept accept) const;
  [[nodiscard]] bool accepts(const HostEntry& entry, int port, std::string_view protocol) const;

  Kind kind_;
  std::vector<HostEntry> entries_;
  TextIndex exact_, suffix_;  // by host_hash()
  // By prefix length, then by the prefix.
  std::map<int, StringMap<std::vector<std::size_t>>> addresses_;
  bool has_always_block_ = false;
};

struct PathList {
  bool present = false;
  int line = 0;
  std::vector<Entry> entries;
  std::vector<PathPattern> parsed;  // one for each entry
  PathPatternSet patterns;          // allow lists: ids are indexes of entries
};

struct CommandAllowEntry {
  Entry entry;
  std::vector<std::string> allow_hazards;  // codes of docs/commands.md that this entry accepts
};

struct CommandBlockEntry {
  Entry entry;
  CommandPattern pattern;
};

struct ArgumentRule {
  std::string name;  // member of the arguments
  int line = 0;
  std::vector<Entry> values;  // globs, one of which the member's text must match
};

struct ToolRule {
  std::string name;
  int line = 0, column = 0;
  bool always_block = false;  // blocked_tools
  PathList path_allow, path_block;
  bool has_command_allow = false;
  int command_allow_line = 0;
  StringMap<CommandAllowEntry> command_allow;
  std::vector<CommandBlockEntry> command_block;
  StringMap<std::vector<std::size_t>> command_block_by_program;
  std::vector<Entry> servers;
  bool has_servers = false;
  std::vector<ArgumentRule> arguments;
};

// The block lists of one or more tools as one, so that a look-up costs the path and not the tools.
class PathBlockList {
 public:
  struct Hit {
    const ToolRule* rule = nullptr;
    const Entry* entry = nullptr;
  };
  // Entries with always_block come first, whatever the order of the calls: they must not be hidden
  // behind one that only records.
  void compile(const std::vector<const ToolRule*>& rules);
  // A path and its case-folded form against every entry.
  [[nodiscard]] const Hit* find(const PathView& path, const PathView& lower,
                                const PatternUser& user) const;
  // A word that the shell still expands (PathPattern::may_match).
  [[nodiscard]] const Hit* find_possible(std::string_view word, bool anchored,
                                         const PatternUser& user) const;
  [[nodiscard]] bool empty() const { return hits_.empty(); }

 private:
  std::vector<Hit> hits_;
  PathPatternSet folded_;   // all of them
  PathPatternSet classes_;  // those that folding could turn around
};

struct EgressSection {
  int line = 0;  // 0: the section is absent
  DefaultAction default_action = DefaultAction::kDeny;
  int default_line = 0;
  HostList allowed{HostList::Kind::kAllow};
  HostList blocked{HostList::Kind::kBlock};
  bool private_addresses = true;  // false: RFC 1918, ULA and CGNAT are refused
  int private_line = 0;
};

struct ToolSection {
  int line = 0;
  DefaultAction default_action = DefaultAction::kDeny;
  int default_line = 0;
  StringMap<ToolRule> allowed;
  StringMap<ToolRule> blocked;

  // Made by compile() from the lists above.
  void compile();
  const ToolRule* read_file = nullptr;
  const ToolRule* write_file = nullptr;
  const ToolRule* run_command = nullptr;
  PathBlockList read_block, write_block;
  PathBlockList shell_block;  // of all tools: what a shell line names may be read or written
};

struct PolicyModel {
  std::string file_name;
  std::string sha256;
  bool audit_mode = false;  // mode: audit
  std::vector<std::string> agent_hooks;
  EgressSection egress;
  ToolSection tools;
  StringMap<audit::OperationKind> aliases;
  bool protect_agent_config = false;
  int protect_line = 0;
  bool allow_user_policy = false;
  AuditSettings audit;
};

// The built-in block set behind `protect_agent_config`; docs/policy.md lists it with sources.
[[nodiscard]] const PathPatternSet& agent_config_patterns();

}  // namespace lilith::rules
