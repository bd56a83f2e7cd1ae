#include "rules/decide.hpp"

#include "audit/base/text.hpp"
#include "audit/json/reader.hpp"
#include "rules/policy_model.hpp"

#include <algorithm>
#include <array>
#include <pwd.h>
#include <unistd.h>
#include <vector>

namespace lilith::rules {
namespace {

using audit::Action;
using audit::Call;
using audit::Category;
using audit::Facts;
using audit::Mode;
using audit::Operation;
using audit::OperationKind;
using audit::Verdict;

constexpr std::array<std::string_view, 7> kHarmlessDevices{
    "/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr",
    "/dev/tty",  "/dev/zero",  "/dev/random"};
constexpr std::array<std::string_view, 8> kArchivers{"tar", "zip",   "7z",   "gzip",
                                                     "xz",  "bzip2", "zstd", "cpio"};

// To root every file is root's own: then only the system's program directories say anything.
bool in_system_directory(std::string_view path) {
  constexpr std::array<std::string_view, 4> kDirectories{"/usr/bin/", "/bin/", "/usr/sbin/",
                                                         "/sbin/"};
  return std::any_of(kDirectories.begin(), kDirectories.end(), [&](std::string_view directory) {
    return path.starts_with(directory) &&
           path.find('/', directory.size()) == std::string_view::npos;
  });
}

// Where a word of the shell line points, or nullopt when that is not known.
std::optional<std::string> absolute_of(const PathUse& use, std::string_view home,
                                       std::string_view cwd) {
  std::string base;
  switch (use.base) {
    case PathUse::Base::kAbsolute:
      return use.text;
    case PathUse::Base::kUnknown:
      return std::nullopt;
    case PathUse::Base::kHome:
      if (home.empty()) return std::nullopt;
      return use.text.empty() ? std::string(home) : join_path(use.text, home);
    case PathUse::Base::kCwd:
      break;
  }
  if (use.directory_is_home) {
    if (home.empty()) return std::nullopt;
    base = use.directory.empty() ? std::string(home) : join_path(use.directory, home);
  } else if (use.directory.starts_with('/')) {
    base = use.directory;
  } else if (cwd.starts_with('/')) {
    base = use.directory.empty() ? std::string(cwd) : join_path(use.directory, cwd);
  } else {
    return std::nullopt;
  }
  return join_path(use.text, base);
}

// A path as a decision looks at it.
struct KnownPath {
  std::string given;
  std::string lexical;   // empty: undecidable before any look at the machine
  std::string resolved;  // empty: undecidable
  std::string reason;    // "code: sentence"
};

KnownPath know(std::string_view given, std::string_view cwd, const Facts& facts) {
  KnownPath known;
  known.given = given;
  ResolvedPath path = resolve_path(given, cwd, lexical_file_system());
  known.lexical = std::move(path.lexical);
  known.resolved = std::move(path.resolved);
  known.reason = std::move(path.reason);
  if (facts.paths.empty()) return known;
  const std::string joined = join_path(given, cwd);
  for (const audit::PathFact& fact : facts.paths) {
    if (fact.given != joined) continue;
    known.resolved = fact.resolved;
    if (known.reason.empty()) known.reason = fact.reason;
    if (!known.reason.empty()) known.resolved.clear();
    break;
  }
  return known;
}

// One judged operation.
struct Judged {
  bool deny = false;
  bool always_block = false;
  bool is_egress = false;
  bool rule_is_default = false;
  std::string rule;
  int line = 0;
  std::string code;
  std::string reason;
  std::string technique;
  Operation operation;
};

class Judge {
 public:
  Judge(const PolicyModel& policy, const Caller& caller, const CallAnalysis& analysis,
        const Facts& facts)
      : p_(policy), caller_(caller), analysis_(analysis), facts_(facts) {}

  Decision run();
  Decision run_connection(std::string_view host, int port, std::string_view protocol);

 private:
  void judge_call(OperationKind kind, const Call& call);
  void judge_path(OperationKind kind, std::string_view given, std::string_view cwd, bool of_shell);
  void judge_command(const Call& call);
  void judge_use(const CommandUse& use, const ToolRule& rule);
  void judge_hazard(const Hazard& hazard, const CommandUse* use, const ToolRule* rule);
  void judge_path_use(const PathUse& use);
  void judge_argument_path(const PathUse& use);
  void judge_url(const std::string& url);
  void judge_host(const CanonicalHost& host, int port, const std::string& protocol,
                  const std::string& url);
  void judge_mcp(const Call& call);
  void judge_other(const Call& call);
  [[nodiscard]] bool arguments_match(const ToolRule& rule, const Call& call) const;
  [[nodiscard]] bool blocked_tool(std::string_view name, const Call& call, const Operation& op);
  [[nodiscard]] bool blocked_path(const ToolRule& rule, const KnownPath& path, const Operation& op);
  [[nodiscard]] bool blocked_glob(const ToolRule& rule, std::string_view text, const Operation& op);
  [[nodiscard]] bool protected_path(const KnownPath& path, const Operation& op);

  void allow(Operation op, std::string rule, int line, bool is_egress = false);
  Judged& deny(Operation op, std::string code, std::string rule, int line, std::string reason,
               std::string technique = {});
  void deny_default(Operation op, std::string code, std::string what);
  [[nodiscard]] Decision conclude();
  [[nodiscard]] const ToolRule* tool(std::string_view name) const {
    const auto found = p_.tools.allowed.find(name);
    return found == p_.tools.allowed.end() ? nullptr : &found->second;
  }
  [[nodiscard]] PatternUser user() const { return {facts_.user, facts_.home}; }
  [[nodiscard]] PatternUser blocked_user() const { return {facts_.user, facts_.home, true}; }
  [[nodiscard]] std::string where(int line) const {
    return line == 0 ? std::string() : " (" + p_.file_name + ":" + std::to_string(line) + ")";
  }
  // What default_action: allow lets pass is what no list names.
  [[nodiscard]] bool tools_default_allow() const {
    return p_.tools.line != 0 && p_.tools.default_action == DefaultAction::kAllow;
  }

  const PolicyModel& p_;
  const Caller& caller_;
  const CallAnalysis& analysis_;
  const Facts& facts_;
  std::vector<Judged> judged_;
};

std::string in_list(std::string_view list, std::string_view entry) {
  return std::string(list) + "[\"" + std::string(entry) + "\"]";
}

void Judge::allow(Operation op, std::string rule, int line, bool is_egress) {
  Judged one;
  one.is_egress = is_egress;
  one.rule = std::move(rule);
  one.line = line;
  one.operation = std::move(op);
  judged_.push_back(std::move(one));
}

Judged& Judge::deny(Operation op, std::string code, std::string rule, int line, std::string reason,
                    std::string technique) {
  Judged one;
  one.deny = true;
  one.is_egress = op.kind == OperationKind::kEgress;
  one.rule = std::move(rule);
  one.line = line;
  one.code = std::move(code);
  one.reason = std::move(reason) + where(line);
  one.technique = std::move(technique);
  one.operation = std::move(op);
  judged_.push_back(std::move(one));
  return judged_.back();
}

// What no list names: the section's default decides.
void Judge::deny_default(Operation op, std::string code, std::string what) {
  if (p_.tools.line == 0) {
    deny(std::move(op), "tool.no_section", "tool_invocations", 0,
         "the policy has no tool_invocations section, so " + what + " is denied");
    return;
  }
  if (tools_default_allow()) {
    return allow(std::move(op), "tool_invocations.default_action", p_.tools.default_line);
  }
  deny(std::move(op), std::move(code), "tool_invocations.default_action", p_.tools.default_line,
       what + " is not listed in tool_invocations.allowed_tools");
}

// ---- paths

// ATT&CK: T1552.004 private keys, T1552.001 credentials in files.
std::string technique_of(const std::string& pattern) {
  for (const char* key : {".ssh", ".key", ".pem", "id_rsa", ".gnupg"}) {
    if (pattern.find(key) != std::string::npos) return "T1552.004";
  }
  return "T1552.001";
}

bool Judge::blocked_path(const ToolRule& rule, const KnownPath& path, const Operation& op) {
  const PathList& list = rule.path_block;
  if (!list.present) return false;
  for (const std::string* spelling : {&path.given, &path.lexical, &path.resolved}) {
    if (spelling->empty()) continue;
    std::size_t hit = list.patterns.find(*spelling, blocked_user());
    if (hit == PathPatternSet::npos) hit = list.folded.find(ascii_lower(*spelling), blocked_user());
    if (hit == PathPatternSet::npos) continue;
    const Entry& entry = list.entries[hit];
    const std::string where_listed = "tool_invocations." + rule.name + ".path_blocklist";
    deny(op, "path.blocked", in_list(where_listed, entry.text), entry.line,
         "path '" + printable(*spelling) + "' is blocked by " + in_list(where_listed, entry.text),
         technique_of(entry.text))
        .always_block = entry.always_block;
    return true;
  }
  return false;
}

// A word that the shell expands may become a blocked path: `~/.s*/id_rsa` does. A component counts
// when it matches a literal component of a block pattern and is more than a lone star, which never
// gives a leading dot and stands in half of all benign lines.
bool Judge::blocked_glob(const ToolRule& rule, std::string_view text, const Operation& op) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('/', at), text.size());
    const std::string_view component = text.substr(at, end - at);
    at = end + 1;
    const bool globs = component.find_first_of("*?[{") != std::string_view::npos;
    const bool says_something = component.find_first_not_of("*?") != std::string_view::npos;
    if (!globs || !says_something) continue;
    const std::size_t hit = rule.path_block.patterns.find_by_component(component);
    if (hit == PathPatternSet::npos) continue;
    const Entry& entry = rule.path_block.entries[hit];
    const std::string where_listed = "tool_invocations." + rule.name + ".path_blocklist";
    deny(op, "path.blocked", in_list(where_listed, entry.text), entry.line,
         "'" + printable(text) + "' may expand to what " + in_list(where_listed, entry.text) +
             " blocks",
         technique_of(entry.text))
        .always_block = entry.always_block;
    return true;
  }
  return false;
}

bool Judge::protected_path(const KnownPath& path, const Operation& op) {
  if (!p_.protect_agent_config) return false;
  for (const std::string* spelling : {&path.given, &path.lexical, &path.resolved}) {
    if (spelling->empty()) continue;
    if (agent_config_patterns().find(ascii_lower(*spelling), blocked_user()) ==
        PathPatternSet::npos) {
      continue;
    }
    deny(op, "path.agent_config", "protect_agent_config", p_.protect_line,
         "path '" + printable(*spelling) +
             "' configures an agent or runs later; writing it is "
             "blocked by protect_agent_config",
         "T1562.001");
    return true;
  }
  return false;
}

void Judge::judge_path(OperationKind kind, std::string_view given, std::string_view cwd,
                       bool of_shell) {
  const bool is_write = kind == OperationKind::kWriteFile;
  const char* tool_name = is_write ? "write_file" : "read_file";
  const KnownPath path = know(given, cwd, facts_);
  Operation op;
  op.kind = kind;
  op.path = !path.resolved.empty()  ? path.resolved
            : !path.lexical.empty() ? path.lexical
                                    : path.given;
  const ToolRule* rule = tool(tool_name);
  // The reading tools' block lists hold for what a shell line reads or writes as well.
  bool blocked = false;
  for (const auto& [name, other] : p_.tools.allowed) {
    if (!blocked && (name == tool_name || of_shell)) blocked = blocked_path(other, path, op);
  }
  if (blocked || (is_write && protected_path(path, op))) return;
  if (path.resolved.empty()) {
    const std::size_t colon = path.reason.find(": ");
    deny(op, path.reason.substr(0, colon), std::string("tool_invocations.") + tool_name,
         rule == nullptr ? 0 : rule->line,
         "path '" + printable(path.given) + "' cannot be judged: " +
             (colon == std::string::npos ? path.reason : path.reason.substr(colon + 2)));
    return;
  }
  if (rule == nullptr) {
    return deny_default(op, "tool.not_listed", std::string("the operation ") + tool_name);
  }
  const std::string list = std::string("tool_invocations.") + tool_name + ".path_allowlist";
  const std::size_t hit = rule->path_allow.patterns.find(path.resolved, user());
  if (hit != PathPatternSet::npos) {
    const Entry& entry = rule->path_allow.entries[hit];
    return allow(op, in_list(list, entry.text), entry.line);
  }
  if (tools_default_allow()) {
    return allow(op, "tool_invocations.default_action", p_.tools.default_line);
  }
  deny(op, "path.not_listed", list, rule->path_allow.present ? rule->path_allow.line : rule->line,
       "path '" + printable(path.resolved) + "' is not in " + list);
}

// ---- commands

Operation command_operation(const CommandUse& use) {
  Operation op;
  op.kind = OperationKind::kRunCommand;
  op.program = use.name;
  op.command = use.text;
  return op;
}

void Judge::judge_hazard(const Hazard& hazard, const CommandUse* use, const ToolRule* rule) {
  Operation op;
  op.kind = OperationKind::kRunCommand;
  if (use != nullptr) op = command_operation(*use);
  if (use != nullptr && rule != nullptr) {
    const auto entry = rule->command_allow.find(use->name);
    if (entry != rule->command_allow.end()) {
      const auto& accepted = entry->second.allow_hazards;
      if (std::find(accepted.begin(), accepted.end(), hazard.code) != accepted.end()) return;
    }
  }
  deny(op, hazard.code, "tool_invocations.run_command", rule == nullptr ? 0 : rule->line,
       hazard.message, "T1059");
}

void Judge::judge_use(const CommandUse& use, const ToolRule& rule) {
  const Operation op = command_operation(use);
  // /usr/bin/git is git only when root owns it and nobody else may replace it; ./git never is.
  std::string name = use.name;
  if (name.find('/') != std::string::npos) {
    const bool trusted = std::find(facts_.trusted_programs.begin(), facts_.trusted_programs.end(),
                                   name) != facts_.trusted_programs.end();
    const std::string base = name.substr(name.rfind('/') + 1);
    CommandUse by_base = use;
    by_base.name = base;
    for (const CommandBlockEntry& entry : rule.command_block) {
      if (!entry.pattern.matches(by_base)) continue;
      deny(op, "command.blocked",
           in_list("tool_invocations.run_command.command_blocklist", entry.entry.text),
           entry.entry.line,
           "command '" + printable(name) + "' is blocked as '" + entry.entry.text + "'", "T1059")
          .always_block = entry.entry.always_block;
      return;
    }
    if (!trusted) {
      deny(op, "command.path", "tool_invocations.run_command.command_allowlist",
           rule.command_allow_line,
           "command '" + printable(name) +
               "' is named by a path that others than root may change; "
               "call it by its name",
           "T1059");
      return;
    }
    name = base;
  }
  if (const auto blocked = rule.command_block_by_program.find(name);
      blocked != rule.command_block_by_program.end()) {
    for (const std::size_t index : blocked->second) {
      const CommandBlockEntry& entry = rule.command_block[index];
      if (!entry.pattern.matches(use)) continue;
      const std::string rule_path =
          in_list("tool_invocations.run_command.command_blocklist", entry.entry.text);
      deny(op, "command.blocked", rule_path, entry.entry.line,
           "command '" + printable(use.name) + "' is blocked by " + rule_path, "T1059")
          .always_block = entry.entry.always_block;
      return;
    }
  }
  const auto entry = rule.command_allow.find(name);
  if (entry != rule.command_allow.end()) {
    allow(op, in_list("tool_invocations.run_command.command_allowlist", name),
          entry->second.entry.line);
  } else if (!use.needs_entry || tools_default_allow()) {
    allow(op, use.needs_entry ? "tool_invocations.default_action" : "command.builtin", 0);
  } else {
    deny(op, "command.not_listed", "tool_invocations.run_command.command_allowlist",
         rule.has_command_allow ? rule.command_allow_line : rule.line,
         "command '" + printable(use.name) +
             "' is not in tool_invocations.run_command.command_allowlist",
         "T1059");
  }
}

void Judge::judge_argument_path(const PathUse& use) {
  KnownPath path;
  if (const auto absolute = absolute_of(use, facts_.home, facts_.cwd)) {
    path = know(*absolute, {}, facts_);
  }
  // Suffix patterns (**/.ssh/**) find what stands in the text even when its directory is not known.
  path.given = use.text.starts_with('/') ? use.text : "/" + use.text;
  Operation op;
  op.kind = OperationKind::kReadFile;
  op.path = !path.resolved.empty() ? path.resolved : use.text;
  for (const auto& [name, rule] : p_.tools.allowed) {
    if (!blocked_path(rule, path, op) && !(use.glob && blocked_glob(rule, use.text, op))) continue;
    const bool archives = std::any_of(analysis_.command.commands.begin(),
                                      analysis_.command.commands.end(), [](const CommandUse& one) {
                                        return std::find(kArchivers.begin(), kArchivers.end(),
                                                         one.name) != kArchivers.end();
                                      });
    if (archives) judged_.back().technique = "T1560";
    return;
  }
}

void Judge::judge_path_use(const PathUse& use) {
  if (use.access == PathAccess::kArgument) return judge_argument_path(use);
  const OperationKind kind =
      use.access == PathAccess::kWrite ? OperationKind::kWriteFile : OperationKind::kReadFile;
  if (use.base == PathUse::Base::kAbsolute &&
      std::find(kHarmlessDevices.begin(), kHarmlessDevices.end(), use.text) !=
          kHarmlessDevices.end()) {
    return;
  }
  const auto absolute = absolute_of(use, facts_.home, facts_.cwd);
  if (absolute) return judge_path(kind, *absolute, {}, true);
  const std::size_t before = judged_.size();
  judge_argument_path(use);
  if (judged_.size() > before) {
    judged_.back().operation.kind = kind;
    return;
  }
  Operation op;
  op.kind = kind;
  op.path = use.text;
  deny(
      op, "path.undecidable", "tool_invocations.run_command", 0,
      "the target '" + printable(use.text) + "' of a redirection is not known before the line runs",
      "T1059");
}

void Judge::judge_command(const Call& call) {
  Operation whole;
  whole.kind = OperationKind::kRunCommand;
  whole.command = call.command;
  const ToolRule* rule = tool("run_command");
  if (rule == nullptr && !tools_default_allow()) {
    return deny_default(whole, "tool.not_listed", "the operation run_command");
  }
  static const ToolRule kNoLists;
  const ToolRule& lists = rule == nullptr ? kNoLists : *rule;
  const CommandAnalysis& analysis = analysis_.command;
  if (call.command.find_first_not_of(" \t\n") == std::string::npos) {
    deny(whole, "call.undecidable", "tool_invocations.run_command", lists.line,
         "the call of '" + printable(caller_.tool) + "' names no command", "T1059");
    return;
  }
  if (analysis.undecidable) {
    deny(whole, analysis.undecidable->code, "tool_invocations.run_command", lists.line,
         analysis.undecidable->message, "T1059");
    return;
  }
  for (const Hazard& hazard : analysis.hazards) judge_hazard(hazard, nullptr, rule);
  for (const CommandUse& use : analysis.commands) {
    judge_use(use, lists);
    for (const Hazard& hazard : use.hazards) judge_hazard(hazard, &use, rule);
  }
  for (const PathUse& use : analysis.paths) judge_path_use(use);
  for (const HostUse& use : analysis.hosts) {
    const auto host = canonical_host(use.host);
    if (!host) {
      Operation op{.kind = OperationKind::kEgress,
                   .host = use.host,
                   .port = use.port,
                   .protocol = use.protocol,
                   .url = use.url};
      deny(op, "egress.bad_host", "egress", p_.egress.line, host.error().message, "T1048");
      continue;
    }
    judge_host(*host, use.port, use.protocol, use.url);
  }
  if (judged_.empty()) allow(whole, "command.builtin", 0);
}

// ---- egress

// RFC 1918, RFC 4193 and RFC 6598, for `private: false`.
bool is_private(const CanonicalHost& host) {
  static const std::array<HostPattern, 5> kPrivate = [] {
    std::array<HostPattern, 5> out;
    std::size_t i = 0;
    for (const char* block :
         {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"}) {
      if (auto pattern = HostPattern::parse(block)) out[i++] = *pattern;
    }
    return out;
  }();
  return std::any_of(kPrivate.begin(), kPrivate.end(),
                     [&](const HostPattern& pattern) { return pattern.matches(host); });
}

void Judge::judge_host(const CanonicalHost& host, int port, const std::string& protocol,
                       const std::string& url) {
  const EgressSection& egress = p_.egress;
  Operation op{.kind = OperationKind::kEgress,
               .host = host.text,
               .port = port,
               .protocol = protocol,
               .url = url};
  const std::string named = "host '" + printable(host.text) + "'";
  if (egress.line == 0) {
    deny(op, "egress.no_section", "egress", 0,
         "the policy has no egress section, so " + named + " is denied", "T1048");
    return;
  }
  if (const HostEntry* entry = egress.blocked.find(host, port, protocol)) {
    const std::string rule = in_list("egress.blocked_destinations", entry->entry.text);
    deny(op, "egress.blocked", rule, entry->entry.line, named + " is blocked by " + rule, "T1048")
        .always_block = entry->entry.always_block;
    return;
  }
  if (!egress.private_addresses && host.is_address && is_private(host)) {
    deny(op, "egress.private", "egress.private", egress.line,
         named + " is a private address, refused by egress.private: false", "T1048");
    return;
  }
  if (const HostEntry* entry = egress.allowed.find(host, port, protocol)) {
    return allow(op, in_list("egress.allowed_destinations", entry->entry.text), entry->entry.line,
                 true);
  }
  if (egress.default_action == DefaultAction::kAllow) {
    return allow(op, "egress.default_action", egress.default_line, true);
  }
  const HostEntry* near = egress.allowed.find_host(host);
  std::string reason = named + " is not in egress.allowed_destinations";
  if (near != nullptr) {
    reason = named + " is listed, but not with " + protocol + " on port " + std::to_string(port);
  }
  deny(op, near == nullptr ? "egress.not_listed" : "egress.port_or_protocol",
       "egress.default_action", near == nullptr ? egress.default_line : near->entry.line, reason,
       "T1048");
}

void Judge::judge_url(const std::string& url) {
  auto destination = parse_url(url);
  if (!destination) {
    Operation op{.kind = OperationKind::kEgress, .url = url};
    deny(op, "egress.bad_url", "egress", p_.egress.line, destination.error().message, "T1048");
    return;
  }
  judge_host(destination->host, destination->port, destination->protocol, destination->url);
}

// ---- MCP and other tools

bool Judge::arguments_match(const ToolRule& rule, const Call& call) const {
  if (rule.arguments.empty()) return true;
  json::Document document;
  const auto root = document.parse(call.arguments);
  if (!root) return false;
  return std::all_of(rule.arguments.begin(), rule.arguments.end(), [&](const ArgumentRule& wanted) {
    const auto member = root->find(wanted.name);
    if (!member) return false;
    const auto text = member->string();
    const std::string value = text ? std::string(*text) : member->to_json();
    return std::any_of(wanted.values.begin(), wanted.values.end(), [&](const Entry& entry) {
      // One component of the path matcher is the glob of the whole file; values have no
      // directories.
      return wildcard_match(entry.text, value);
    });
  });
}

// blocked_tools beats every allow list.
bool Judge::blocked_tool(std::string_view name, const Call& call, const Operation& op) {
  const auto found = p_.tools.blocked.find(name);
  if (found == p_.tools.blocked.end()) return false;
  const ToolRule& rule = found->second;
  if (rule.has_servers &&
      std::none_of(rule.servers.begin(), rule.servers.end(),
                   [&](const Entry& entry) { return entry.text == caller_.server; })) {
    return false;
  }
  if (!rule.arguments.empty() && !arguments_match(rule, call)) return false;
  deny(op, "tool.blocked", in_list("tool_invocations.blocked_tools", name), rule.line,
       "the tool '" + printable(name) + "' is blocked by tool_invocations.blocked_tools",
       op.kind == OperationKind::kMcpTool ? "T1190" : "")
      .always_block = rule.always_block;
  return true;
}

void Judge::judge_mcp(const Call& call) {
  Operation op;
  op.kind = OperationKind::kMcpTool;
  op.server = caller_.server;
  op.name = caller_.tool;
  for (const std::string_view name : {caller_.tool, std::string_view("mcp_tool")}) {
    const bool is_other_operation = name != "mcp_tool" && audit::operation_kind(name).has_value();
    const ToolRule* rule = is_other_operation ? nullptr : tool(name);
    if (rule == nullptr) continue;
    const bool server_listed =
        rule->has_servers
            ? std::any_of(rule->servers.begin(), rule->servers.end(),
                          [&](const Entry& entry) { return entry.text == caller_.server; })
            : name != "mcp_tool";  // the operation alone allows no server
    if (server_listed && arguments_match(*rule, call)) {
      return allow(op, "tool_invocations." + std::string(name), rule->line);
    }
  }
  const std::size_t before = judged_.size();
  deny_default(op, "mcp.not_listed",
               "the MCP tool '" + printable(caller_.tool) + "' of server '" +
                   printable(caller_.server) + "'");
  if (judged_.size() > before && judged_.back().deny) judged_.back().technique = "T1190";
}

void Judge::judge_other(const Call& call) {
  Operation op;
  op.kind = OperationKind::kOther;
  op.name = caller_.tool;
  // An entry for a canonical operation allows what that operation's lists allow, never a tool of
  // its name.
  const bool is_operation = audit::operation_kind(caller_.tool).has_value();
  const ToolRule* rule = is_operation ? nullptr : tool(caller_.tool);
  if (rule != nullptr && !rule->has_servers && arguments_match(*rule, call)) {
    return allow(op, "tool_invocations." + rule->name, rule->line);
  }
  deny_default(op, "tool.not_listed", "the tool '" + printable(caller_.tool) + "'");
}

// ---- the whole call

void Judge::judge_call(OperationKind kind, const Call& call) {
  if (!call.undecidable.empty()) {
    Operation op;
    op.kind = kind;
    op.name = caller_.tool;
    deny(op, "call.undecidable", "tool_invocations", p_.tools.line,
         "the call of '" + printable(caller_.tool) +
             "' cannot be judged: " + printable(call.undecidable));
    judged_.back().is_egress = kind == OperationKind::kEgress;
    return;
  }
  // A block entry may name the operation or the agent's own tool.
  Operation named;
  named.kind = kind;
  named.name = caller_.tool;
  named.server = caller_.server;
  if (!call.paths.empty()) named.path = call.paths.front();
  named.command = call.command;
  if (blocked_tool(audit::name(kind), call, named) || blocked_tool(caller_.tool, call, named))
    return;
  switch (kind) {
    case OperationKind::kReadFile:
    case OperationKind::kWriteFile: {
      for (const std::string& path : call.paths) judge_path(kind, path, facts_.cwd, false);
      break;
    }
    case OperationKind::kRunCommand:
      judge_command(call);
      for (const std::string& url : call.urls) judge_url(url);
      break;
    case OperationKind::kEgress:
      for (const std::string& url : call.urls) judge_url(url);
      break;
    case OperationKind::kMcpTool:
      judge_mcp(call);
      break;
    case OperationKind::kOther:
      judge_other(call);
      break;
  }
  if (judged_.empty()) {
    Operation op;
    op.kind = kind;
    op.name = caller_.tool;
    deny(op, "call.undecidable", "tool_invocations", p_.tools.line,
         "the call of '" + printable(caller_.tool) + "' names nothing that could be judged");
  }
}

Decision Judge::conclude() {
  const auto section_mode = [&](const Judged& one) {
    const DefaultAction action = one.is_egress ? p_.egress.default_action : p_.tools.default_action;
    const int line = one.is_egress ? p_.egress.line : p_.tools.line;
    const bool logs = line != 0 && action == DefaultAction::kLog;
    return p_.audit_mode || (logs && !one.always_block) ? Mode::kAudit : Mode::kEnforce;
  };
  const Judged* chosen = nullptr;
  for (const Judged& one : judged_) {
    const bool better =
        chosen == nullptr || (one.deny && !chosen->deny) ||
        (one.deny && section_mode(one) == Mode::kEnforce && section_mode(*chosen) == Mode::kAudit);
    if (better) chosen = &one;
  }
  Decision decision;
  decision.verdict = chosen->deny ? Verdict::kDeny : Verdict::kAllow;
  decision.mode = section_mode(*chosen);
  decision.action = !chosen->deny                     ? Action::kAllowed
                    : decision.mode == Mode::kEnforce ? Action::kDenied
                                                      : Action::kWouldDeny;
  decision.category = chosen->is_egress ? Category::kEgress : Category::kToolInvocation;
  decision.rule = chosen->rule;
  decision.line = chosen->line;
  decision.reason_code = chosen->code;
  decision.reason = chosen->reason;
  decision.technique = chosen->technique;
  decision.operation = chosen->operation;
  decision.operations = judged_.size();
  for (const Judged& one : judged_) {
    const auto same = [&](const Operation& op) { return op == one.operation; };
    if (&one != chosen && !same(chosen->operation) &&
        std::none_of(decision.others.begin(), decision.others.end(), same)) {
      decision.others.push_back(one.operation);
    }
  }
  return decision;
}

Decision Judge::run() {
  const Call& call = *analysis_.call;
  OperationKind kind = call.kind;
  if (kind == OperationKind::kOther) {
    const auto alias = p_.aliases.find(caller_.tool);
    if (alias != p_.aliases.end()) kind = alias->second;
  }
  judge_call(kind, call);
  return conclude();
}

Decision Judge::run_connection(std::string_view host, int port, std::string_view protocol) {
  const auto canonical = canonical_host(host);
  if (canonical) {
    judge_host(*canonical, port, std::string(protocol), {});
  } else {
    Operation op{.kind = OperationKind::kEgress,
                 .host = std::string(host),
                 .port = port,
                 .protocol = std::string(protocol)};
    deny(op, "egress.bad_host", "egress", p_.egress.line, canonical.error().message, "T1048");
  }
  return conclude();
}

}  // namespace

CallAnalysis analyse(const Call& call) {
  CallAnalysis analysis;
  analysis.call = &call;
  if (!call.command.empty()) analysis.command = analyse_command(call.command);
  return analysis;
}

Result<UserRecord> current_user() {
  std::string buffer(16'384, '\0');
  passwd entry{};
  passwd* found = nullptr;
  const uid_t uid = ::getuid();
  const int error = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  if (error != 0) return fail_errno("cannot read the user database", error);
  if (found == nullptr) {
    return fail(ErrorCode::kNotFound,
                "uid " + std::to_string(uid) + " is not in the user database");
  }
  return UserRecord{entry.pw_name, static_cast<std::int64_t>(uid), entry.pw_dir};
}

Facts observe(const CallAnalysis& analysis, const UserRecord& user, std::string_view cwd,
              const FileSystem& file_system) {
  Facts facts;
  facts.user = user.name;
  facts.uid = user.uid;
  facts.home = user.home;
  facts.cwd = cwd;
  const auto look = [&](std::string_view given, std::string_view base) {
    ResolvedPath path = resolve_path(given, base, file_system);
    if (path.reason.empty() && path.resolved == path.lexical) return;
    std::string joined = join_path(given, base);
    const bool known =
        std::any_of(facts.paths.begin(), facts.paths.end(),
                    [&](const audit::PathFact& fact) { return fact.given == joined; });
    if (!known) {
      facts.paths.push_back({std::move(joined), std::move(path.resolved), std::move(path.reason)});
    }
  };
  for (const std::string& path : analysis.call->paths) look(path, cwd);
  for (const PathUse& use : analysis.command.paths) {
    if (const auto absolute = absolute_of(use, user.home, cwd)) look(*absolute, {});
  }
  for (const CommandUse& use : analysis.command.commands) {
    if (use.name.starts_with('/') && (user.uid != 0 || in_system_directory(use.name)) &&
        file_system.root_owned(use.name) &&
        std::find(facts.trusted_programs.begin(), facts.trusted_programs.end(), use.name) ==
            facts.trusted_programs.end()) {
      facts.trusted_programs.push_back(use.name);
    }
  }
  return facts;
}

Decision decide(const Policy& policy, const Caller& caller, const CallAnalysis& analysis,
                const Facts& facts) {
  return Judge(policy.model(), caller, analysis, facts).run();
}

Decision decide_connection(const Policy& policy, std::string_view host, int port,
                           std::string_view protocol) {
  static const Call kNoCall;
  const CallAnalysis analysis{&kNoCall, {}};
  const Facts facts;
  const Caller caller;
  return Judge(policy.model(), caller, analysis, facts).run_connection(host, port, protocol);
}

Decision deny_without_policy(std::string_view why) {
  Decision decision;
  decision.reason_code = "policy.unusable";
  decision.rule = "policy";
  decision.reason = why;
  return decision;
}

}  // namespace lilith::rules
