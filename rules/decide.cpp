#include "rules/decide.hpp"

#include "audit/base/text.hpp"
#include "audit/base/users.hpp"
#include "audit/json/reader.hpp"
#include "rules/advice.hpp"
#include "rules/decide_trace.hpp"
#include "rules/policy_model.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <forward_list>
#include <memory>
#include <optional>
#include <unistd.h>
#include <unordered_map>
#include <unordered_set>
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

// decisions.md 17: these need no rule.
constexpr std::array<std::string_view, 5> kHarmlessDevices{"/dev/null", "/dev/stdin", "/dev/stdout",
                                                           "/dev/stderr", "/dev/tty"};
constexpr std::array<std::string_view, 8> kArchivers{"tar", "zip",   "7z",   "gzip",
                                                     "xz",  "bzip2", "zstd", "cpio"};
// Above these, a list is searched by hash instead of from its beginning.
constexpr std::size_t kFewFacts = 16;
constexpr std::size_t kFewOperations = 32;
// Words that one {a,b} may become; more are judged as `*`.
constexpr std::size_t kBraceWordsMax = 64;

constexpr std::string_view kTools = "tool_invocations";
constexpr std::string_view kToolsDefault = "tool_invocations.default_action";

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
// `~NAME/x` is known where NAME is the user.
std::optional<std::string> below_home(std::string_view text, std::string_view user,
                                      std::string_view home) {
  if (!text.starts_with('~') || user.empty() || home.empty()) return std::nullopt;
  text.remove_prefix(1);
  if (!text.starts_with(user)) return std::nullopt;
  text.remove_prefix(user.size());
  if (text.empty()) return std::string(home);
  return text[0] == '/' ? std::optional(join_path(text.substr(1), home)) : std::nullopt;
}

std::optional<std::string> absolute_of(const PathUse& use, std::string_view user,
                                       std::string_view home, std::string_view cwd) {
  std::string base;
  switch (use.base) {
    case PathUse::Base::kAbsolute:
      return use.text;
    case PathUse::Base::kUnknown:
      return use.tilde ? below_home(use.text, user, home) : std::nullopt;
    case PathUse::Base::kHome:
      if (home.empty()) return std::nullopt;
      return use.text.empty() ? std::string(home) : join_path(use.text, home);
    case PathUse::Base::kCwd:
      break;
  }
  if (use.directory_is_home) {
    if (home.empty()) return std::nullopt;
    base = use.directory.empty() ? std::string(home) : join_path(use.directory, home);
  } else if (use.directory_tilde) {
    auto below = below_home(use.directory, user, home);
    if (!below) return std::nullopt;
    base = std::move(*below);
  } else if (use.directory.starts_with('/')) {
    base = use.directory;
  } else if (cwd.starts_with('/')) {
    base = use.directory.empty() ? std::string(cwd) : join_path(use.directory, cwd);
  } else {
    return std::nullopt;
  }
  return join_path(use.text, base);
}

// The words that the shell makes of one with {a,b}, where each is judged like a word of its own.
std::vector<PathUse> words_of(const PathUse& use) {
  const bool operand =
      use.access == PathAccess::kWriteArgument || use.access == PathAccess::kTouchArgument;
  if (!operand || !use.glob || use.text.find('{') == std::string::npos) return {use};
  std::vector<PathUse> out;
  for (std::string& word : expand_braces(use.text, kBraceWordsMax)) {
    PathUse one = use;
    if (one.base == PathUse::Base::kCwd && word.starts_with('/')) {
      one.base = PathUse::Base::kAbsolute;
    } else if (one.base == PathUse::Base::kCwd && word.starts_with("~/")) {
      one.base = PathUse::Base::kHome;
      word.erase(0, 2);
    }
    one.text = std::move(word);
    out.push_back(std::move(one));
  }
  return out;
}

std::string_view code_of(std::string_view reason) { return reason.substr(0, reason.find(": ")); }
std::string_view sentence_of(std::string_view reason) {
  const std::size_t colon = reason.find(": ");
  return colon == std::string_view::npos ? reason : reason.substr(colon + 2);
}

// What the facts say of paths, by the path before links were followed.
class PathFacts {
 public:
  explicit PathFacts(const Facts& facts) : facts_(facts) {
    if (facts.paths.size() <= kFewFacts) return;
    for (const audit::PathFact& fact : facts.paths) by_given_.emplace(fact.given, &fact);
  }
  [[nodiscard]] bool empty() const { return facts_.paths.empty(); }
  [[nodiscard]] const audit::PathFact* find(std::string_view given) const {
    if (!by_given_.empty()) {
      const auto found = by_given_.find(given);
      return found == by_given_.end() ? nullptr : found->second;
    }
    for (const audit::PathFact& fact : facts_.paths) {
      if (fact.given == given) return &fact;
    }
    return nullptr;
  }

 private:
  const Facts& facts_;
  std::unordered_map<std::string_view, const audit::PathFact*> by_given_;
};

// A path as a decision looks at it. Views into itself and the facts: stays where it is.
class KnownPath {
 public:
  KnownPath(std::string_view given, std::string_view cwd, const PathFacts& facts)
      : folded_(fold_path(given, cwd)) {
    reason = folded_.reason;
    if (folded_.lexical.empty()) {
      spellings[0] = given;
      return;
    }
    spellings[0] = folded_.lexical;
    resolved = folded_.lexical;
    if (folded_.has_parent || !facts.empty()) joined_ = join_path(given, cwd);
    if (folded_.has_parent) spellings[1] = joined_;
    if (!facts.empty()) {
      apply(facts.find(joined_), resolved, spellings[2]);
      if (folded_.has_parent) {
        // A tool that folds `..` as text before it opens the path reaches this file, the kernel the
        // other; an allowed path must be allowed in both readings.
        std::string_view folds = folded_.lexical;
        apply(facts.find(folded_.lexical), folds, spellings[3]);
        if (folds != resolved) by_text = folds;
      }
    }
    if (!reason.empty()) resolved = {};
  }
  KnownPath(const KnownPath&) = delete;
  KnownPath& operator=(const KnownPath&) = delete;

  std::array<std::string_view, 4> spellings;  // empty ones are no spellings
  std::string_view resolved;                  // empty: undecidable, and `reason` says why
  std::string_view by_text;                   // empty: the same as resolved
  std::string_view reason;

  [[nodiscard]] std::string_view shown() const {
    return resolved.empty() ? spellings[0] : resolved;
  }

 private:
  void apply(const audit::PathFact* fact, std::string_view& path, std::string_view& spelling) {
    if (fact == nullptr) return;
    path = spelling = fact->resolved;
    if (reason.empty() && fact->resolved.empty()) {
      reason = fact->reason.empty() ? "path.undecidable: it could not be resolved"
                                    : std::string_view(fact->reason);
    }
  }

  FoldedPath folded_;
  std::string joined_;
};

// One judged operation. Views point into policy, call, analysis and facts; texts for people are
// made for the deciding one only.
struct Judged {
  bool deny = false;
  bool always_block = false;
  bool is_egress = false;
  bool needs_no_rule = false;  // allowed without an entry
  OperationKind kind = OperationKind::kOther;
  int line = 0;
  std::string_view section, tool, list;  // the rule's path
  std::optional<std::string_view> entry;
  std::string_view code, technique;
  const CommandUse* use = nullptr;
  std::string path;                      // read_file, write_file
  std::unique_ptr<Operation> operation;  // where kind, use and path don't say it
  std::string_view said;                 // for `tell`
  std::string (*tell)(const Judged&, std::string_view rule) = nullptr;
};

// One allocation for one sentence.
std::string joined(std::initializer_list<std::string_view> parts, std::size_t more = 0) {
  std::size_t size = more;
  for (const std::string_view part : parts) size += part.size();
  std::string out;
  out.reserve(size);
  for (const std::string_view part : parts) out += part;
  return out;
}

// printable(), without a copy of what is plain already.
class Shown {
 public:
  explicit Shown(std::string_view text) : view_(text) {
    if (std::any_of(text.begin(), text.end(), [](char c) { return c < 0x20 || c >= 0x7F; })) {
      made_ = printable(text);
      view_ = made_;
    }
  }
  Shown(const Shown&) = delete;
  Shown& operator=(const Shown&) = delete;
  [[nodiscard]] std::string_view view() const { return view_; }

 private:
  std::string made_;
  std::string_view view_;
};
// A path or name in a sentence; of longer ones the beginning is told.
constexpr std::size_t kShownBytesMax = 300;
// Room for " (FILE:LINE); ADVICE" behind a sentence.
constexpr std::size_t kPlaceBytes = 192;

std::string rule_of(const Judged& one) {
  const bool entry = one.entry.has_value();
  return joined({one.section, one.tool.empty() ? "" : ".", one.tool, one.list.empty() ? "" : ".",
                 one.list, entry ? "[\"" : "", entry ? *one.entry : "", entry ? "\"]" : ""});
}

// "PREFIX'WHAT'SUFFIX", and the rule behind it.
std::string tell_of(std::string_view prefix, std::string_view what, std::string_view suffix,
                    std::string_view rule = {}, std::string_view end = {}) {
  const bool is_long = what.size() > kShownBytesMax;
  const Shown shown(is_long ? utf8_prefix(what, kShownBytesMax) : what);
  return joined({prefix, "'", shown.view(), is_long ? "...'" : "'", suffix, rule, end},
                kPlaceBytes);
}

// Names of `member` in the arguments that a rule asks for.
enum class Match { kNo, kYes, kUnreadable };

Match arguments_match(const ToolRule& rule, const Call& call) {
  if (rule.arguments.empty()) return Match::kYes;
  json::Document document;
  const auto root = document.parse(call.arguments);
  if (!root || !root->is_object()) return Match::kUnreadable;
  const bool all =
      std::all_of(rule.arguments.begin(), rule.arguments.end(), [&](const ArgumentRule& wanted) {
        const auto member = root->find(wanted.name);
        if (!member) return false;
        const auto text = member->string();
        const std::string value = text ? std::string(*text) : member->to_json();
        return std::any_of(wanted.values.begin(), wanted.values.end(),
                           [&](const Entry& entry) { return wildcard_match(entry.text, value); });
      });
  return all ? Match::kYes : Match::kNo;
}

bool lists_server(const ToolRule& rule, std::string_view server) {
  return std::any_of(rule.servers.begin(), rule.servers.end(),
                     [&](const Entry& entry) { return entry.text == server; });
}

// ATT&CK: T1552.004 private keys, T1552.001 credentials in files.
std::string_view technique_of(std::string_view pattern) {
  for (const std::string_view key : {".ssh", ".key", ".pem", "id_rsa", ".gnupg"}) {
    if (pattern.find(key) != std::string_view::npos) return "T1552.004";
  }
  return "T1552.001";
}

// Does this command send data along with its request? curl(1), wget(1).
bool sends_body(const CommandUse& use) {
  const bool is_curl = use.name == "curl";
  if (!is_curl && use.name != "wget") return false;
  constexpr std::array<std::string_view, 4> kCurl{"--data", "--form", "--json", "--upload-file"};
  constexpr std::array<std::string_view, 2> kWget{"--post-", "--body-"};
  const auto among = [](std::string_view word, const auto& options) {
    return std::any_of(options.begin(), options.end(),
                       [word](std::string_view option) { return word.starts_with(option); });
  };
  return std::any_of(use.argv.begin() + 1, use.argv.end(), [&](const Argument& argument) {
    const std::string_view word = argument.text;
    if (!is_curl || word.starts_with("--"))
      return is_curl ? among(word, kCurl) : among(word, kWget);
    if (!word.starts_with('-')) return false;
    // A bundle ends at the first option that takes a value: -sd@x, but not -odata.
    const std::size_t end = word.find_first_of("AbcCDdeEFhHKmoPQrtTuUwxXyYz");
    return end != std::string_view::npos &&
           std::string_view("dFT").find(word[end]) != std::string_view::npos;
  });
}

// The most telling first: of several denials in one call an alert is raised for the worst.
constexpr std::array<std::string_view, 8> kTelling{"T1071.001", "T1560", "T1552.004", "T1552.001",
                                                   "T1562.001", "T1190", "T1048",     "T1059"};

class Judge {
 public:
  Judge(const PolicyModel& policy, const Caller& caller, const CallAnalysis& analysis,
        const Facts& facts, DecisionTrace* trace = nullptr)
      : p_(policy),
        caller_(caller),
        analysis_(analysis),
        facts_(facts),
        path_facts_(facts),
        trace_(trace) {}

  Decision run();
  Decision run_connection(std::string_view host, int port, std::string_view protocol);

 private:
  void judge_call(OperationKind kind, const Call& call);
  void judge_path(OperationKind kind, std::string_view given, std::string_view cwd, bool of_shell);
  void judge_path_allow(const KnownPath& path, const ToolRule* rule, Judged one);
  void judge_command(const Call& call);
  void judge_line(const ToolRule& lists, bool listed);
  void judge_use(const CommandUse& use, const ToolRule& rule);
  bool judge_blocked_use(const CommandUse& use, std::string_view name, const ToolRule& rule);
  void judge_hazard(const Hazard& hazard, const CommandUse* use, const ToolRule& rule);
  void judge_path_use(const PathUse& use);
  bool judge_argument_path(const PathUse& use, OperationKind kind);
  void judge_operand(const PathUse& use);
  bool judge_protected(const KnownPath& path, Judged& one);
  void judge_url(const std::string& url);
  void judge_host_use(const HostUse& use);
  void judge_host(const CanonicalHost& host, Operation op);
  void judge_host_allow(const CanonicalHost& host, std::unique_ptr<Operation> op);
  void judge_mcp(const Call& call);
  void judge_other(const Call& call);
  void judge_blocked_tool(OperationKind kind, const Call& call);
  [[nodiscard]] const ToolRule* blocked_tool(std::string_view name, const Call& call) const;
  [[nodiscard]] const PathBlockList::Hit* blocked(const PathBlockList& list, const KnownPath& path,
                                                  std::string_view& spelling) const;
  bool judge_blocked(const PathBlockList::Hit* hit, std::string_view spelling, Judged one);
  [[nodiscard]] bool is_protected(const KnownPath& path) const;

  Judged& add(Judged one) {
    if (trace_ != nullptr) trace_->operations.emplace_back().consulted = std::move(consulted_);
    consulted_.clear();
    judged_.push_back(std::move(one));
    return judged_.back();
  }
  // For explain: a rule was asked, and `entry` of it (or it as a whole) applied.
  void note(std::string_view section, std::string_view tool, std::string_view list, int line,
            bool met, std::optional<std::string_view> entry = {}) {
    if (trace_ == nullptr || line == 0) return;
    Judged one;
    one.section = section;
    one.tool = tool;
    one.list = list;
    one.entry = entry;
    consulted_.push_back({rule_of(one), line, met});
  }
  void note_hit(std::string_view fallback_tool, const PathBlockList::Hit* hit);
  void tell_trace(const Judged& chosen);
  void tool_default(Judged one, std::string_view code);
  void egress_denied(std::unique_ptr<Operation> op, std::string_view code, std::string message);
  [[nodiscard]] Mode mode_of(const Judged& one) const;
  [[nodiscard]] std::string_view technique_of_call(const Judged& chosen) const;
  [[nodiscard]] Operation operation_of(const Judged& one, std::string path) const;
  [[nodiscard]] Operation take_operation(Judged& one) const {
    if (one.operation != nullptr) return std::move(*one.operation);
    return operation_of(one, std::move(one.path));
  }
  [[nodiscard]] std::string reason_of(const Judged& one, std::string_view rule) const;
  [[nodiscard]] Decision conclude();
  [[nodiscard]] const ToolRule* tool(std::string_view name) const {
    const auto found = p_.tools.allowed.find(name);
    return found == p_.tools.allowed.end() ? nullptr : &found->second;
  }
  [[nodiscard]] PatternUser user() const { return {facts_.user, facts_.home}; }
  [[nodiscard]] PatternUser blocked_user() const { return {facts_.user, facts_.home, true}; }
  // What default_action: allow lets pass is what no list names.
  [[nodiscard]] bool tools_default_allow() const {
    return p_.tools.line != 0 && p_.tools.default_action == DefaultAction::kAllow;
  }

  const PolicyModel& p_;
  const Caller& caller_;
  const CallAnalysis& analysis_;
  const Facts& facts_;
  const PathFacts path_facts_;
  std::vector<Judged> judged_;
  std::forward_list<std::string> messages_;  // the few that are made at once; `said` views them
  DecisionTrace* trace_;
  std::vector<DecisionTrace::Rule> consulted_;  // since the last operation was judged
};

// What no list names: the section's default decides.
void Judge::tool_default(Judged one, std::string_view code) {
  one.section = p_.tools.line == 0 ? kTools : kToolsDefault;
  one.tool = one.list = {};
  one.entry.reset();
  one.line = p_.tools.default_line;
  one.deny = !tools_default_allow();
  note(kToolsDefault, {}, {}, one.line, true);
  if (one.deny) {
    one.code = p_.tools.line == 0 ? "tool.no_section" : code;
    one.tell = p_.tools.line == 0 ? +[](const Judged& j, std::string_view) {
      return joined({"the policy has no tool_invocations section, so ", j.said, " is denied"});
    } : +[](const Judged& j, std::string_view) {
      return joined({j.said, " is not listed in tool_invocations.allowed_tools"}, kPlaceBytes);
    };
  }
  add(std::move(one));
}

// ---- paths

// The entry that closes the path in any of its spellings; of several the first in the list's order,
// where entries with always_block stand before all others.
const PathBlockList::Hit* Judge::blocked(const PathBlockList& list, const KnownPath& path,
                                         std::string_view& spelling) const {
  const PathBlockList::Hit* best = nullptr;
  if (list.empty()) return best;
  for (std::size_t i = 0; i < path.spellings.size(); ++i) {
    const std::string_view one = path.spellings[i];
    if (one.empty() || (i > 0 && one == path.spellings[0])) continue;
    const PathBlockList::Hit* hit = list.find(one, blocked_user());
    if (hit == nullptr || (best != nullptr && best <= hit)) continue;
    best = hit;
    spelling = one;
  }
  return best;
}

void Judge::note_hit(std::string_view fallback_tool, const PathBlockList::Hit* hit) {
  if (trace_ == nullptr) return;
  if (hit != nullptr) {
    return note(kTools, hit->rule->name, "path_blocklist", hit->entry->line, true,
                hit->entry->text);
  }
  // A shell line asks the lists of every tool.
  for (const char* name : {"read_file", "write_file", "run_command"}) {
    const ToolRule* rule = tool(name);
    const bool asked = fallback_tool.empty() || fallback_tool == name;
    if (rule != nullptr && asked)
      note(kTools, name, "path_blocklist", rule->path_block.line, false);
  }
}

bool Judge::judge_blocked(const PathBlockList::Hit* hit, std::string_view spelling, Judged one) {
  if (hit == nullptr) return false;
  one.deny = true;
  one.always_block = hit->entry->always_block;
  one.line = hit->entry->line;
  one.section = kTools;
  one.tool = hit->rule->name;
  one.list = "path_blocklist";
  one.entry = hit->entry->text;
  one.code = "path.blocked";
  if (one.technique.empty()) one.technique = technique_of(hit->entry->text);
  one.said = messages_.emplace_front(spelling);
  one.tell = [](const Judged& j, std::string_view by) {
    return tell_of("path ", j.said, " is blocked by ", by);
  };
  add(std::move(one));
  return true;
}

bool Judge::is_protected(const KnownPath& path) const {
  if (!p_.protect_agent_config) return false;
  return std::any_of(path.spellings.begin(), path.spellings.end(), [&](std::string_view spelling) {
    return !spelling.empty() && agent_config_patterns().find(
                                    ascii_lower(spelling), blocked_user()) != PathPatternSet::npos;
  });
}

// Writing what configures an agent or runs later. Takes `one` when that closes the path.
bool Judge::judge_protected(const KnownPath& path, Judged& one) {
  const bool is_guarded = is_protected(path);
  note("protect_agent_config", {}, {}, p_.protect_line, is_guarded);
  if (!is_guarded) return false;
  one.deny = true;
  one.section = "protect_agent_config";
  one.tool = {};
  one.line = p_.protect_line;
  one.code = "path.agent_config";
  one.technique = "T1562.001";
  one.tell = [](const Judged& j, std::string_view by) {
    return tell_of("path ", j.path, " configures an agent or runs later; writing it is blocked by ",
                   by);
  };
  add(std::move(one));
  return true;
}

void Judge::judge_path(OperationKind kind, std::string_view given, std::string_view cwd,
                       bool of_shell) {
  const bool is_write = kind == OperationKind::kWriteFile;
  const KnownPath path(given, cwd, path_facts_);
  Judged one;
  one.kind = kind;
  one.path = path.shown();
  one.section = kTools;
  one.tool = is_write ? "write_file" : "read_file";
  const ToolRule* rule = is_write ? p_.tools.write_file : p_.tools.read_file;
  one.line = rule == nullptr ? 0 : rule->line;
  const PathBlockList& closed = of_shell   ? p_.tools.shell_block
                                : is_write ? p_.tools.write_block
                                           : p_.tools.read_block;
  std::string_view spelling;
  const auto* closing = blocked(closed, path, spelling);
  note_hit(of_shell ? std::string_view() : one.tool, closing);
  if (closing != nullptr) {
    judge_blocked(closing, spelling, std::move(one));
    return;
  }
  if (is_write && judge_protected(path, one)) return;
  one.deny = true;
  if (path.resolved.empty()) {
    one.code = code_of(path.reason);
    one.said = sentence_of(path.reason);
    one.tell = [](const Judged& j, std::string_view) {
      return tell_of("path ", j.path, " cannot be judged: ", j.said);
    };
    add(std::move(one));
    return;
  }
  judge_path_allow(path, rule, std::move(one));
}

// What no block list closes: the tool's allow list, and then the section's default.
void Judge::judge_path_allow(const KnownPath& path, const ToolRule* rule, Judged one) {
  if (rule == nullptr) {
    one.said = one.kind == OperationKind::kWriteFile ? "the operation write_file"
                                                     : "the operation read_file";
    return tool_default(std::move(one), "tool.not_listed");
  }
  one.list = "path_allowlist";
  std::size_t hit = rule->path_allow.patterns.find(path.resolved, user());
  if (hit != PathPatternSet::npos && !path.by_text.empty() &&
      rule->path_allow.patterns.find(path.by_text, user()) == PathPatternSet::npos) {
    hit = PathPatternSet::npos;
    one.path = path.by_text;
  }
  if (hit == PathPatternSet::npos) note(kTools, one.tool, one.list, rule->path_allow.line, false);
  if (hit != PathPatternSet::npos) {
    const Entry& entry = rule->path_allow.entries[hit];
    note(kTools, one.tool, one.list, entry.line, true, entry.text);
    one.deny = false;
    one.entry = entry.text;
    one.line = entry.line;
  } else if (tools_default_allow()) {
    return tool_default(std::move(one), {});
  } else {
    one.code = "path.not_listed";
    if (rule->path_allow.present) one.line = rule->path_allow.line;
    one.tell = [](const Judged& j, std::string_view by) {
      return tell_of("path ", j.path, " is not in ", by);
    };
  }
  add(std::move(one));
}

// ---- commands

void Judge::judge_hazard(const Hazard& hazard, const CommandUse* use, const ToolRule& rule) {
  if (use != nullptr) {
    const auto entry = rule.command_allow.find(use->name);
    if (entry != rule.command_allow.end()) {
      const auto& accepted = entry->second.allow_hazards;
      if (std::find(accepted.begin(), accepted.end(), hazard.code) != accepted.end()) return;
      note(kTools, "run_command", "command_allowlist", entry->second.entry.line, false, use->name);
    }
  }
  Judged one;
  one.deny = true;
  one.kind = OperationKind::kRunCommand;
  one.use = use;
  one.section = kTools;
  one.tool = "run_command";
  one.line = rule.line;
  one.code = hazard.code;
  one.technique = "T1059";
  one.said = hazard.message;
  one.tell = [](const Judged& j, std::string_view) { return joined({j.said}, kPlaceBytes); };
  add(std::move(one));
}

bool Judge::judge_blocked_use(const CommandUse& use, std::string_view name, const ToolRule& rule) {
  const auto entries = rule.command_block_by_program.find(name);
  if (entries == rule.command_block_by_program.end()) return false;
  CommandUse by_base;
  if (name.size() != use.name.size()) {
    by_base = use;
    by_base.name = name;
  }
  for (const std::size_t index : entries->second) {
    const CommandBlockEntry& blocking = rule.command_block[index];
    if (!blocking.pattern.matches(name.size() != use.name.size() ? by_base : use)) continue;
    Judged one;
    one.deny = true;
    one.always_block = blocking.entry.always_block;
    one.kind = OperationKind::kRunCommand;
    one.use = &use;
    one.section = kTools;
    one.tool = "run_command";
    one.list = "command_blocklist";
    one.entry = blocking.entry.text;
    one.line = blocking.entry.line;
    note(kTools, one.tool, one.list, one.line, true, one.entry);
    one.code = "command.blocked";
    one.technique = "T1059";
    one.tell = [](const Judged& j, std::string_view by) {
      return tell_of("command ", j.use->name, " is blocked by ", by);
    };
    add(std::move(one));
    return true;
  }
  return false;
}

void Judge::judge_use(const CommandUse& use, const ToolRule& rule) {
  // /usr/bin/git is git only when root owns it and nobody else may replace it; ./git never is.
  const std::size_t slash = use.name.rfind('/');
  const std::string_view name =
      slash == std::string::npos ? use.name : std::string_view(use.name).substr(slash + 1);
  if (judge_blocked_use(use, name, rule)) return;
  if (!rule.command_block.empty()) {
    note(kTools, "run_command", "command_blocklist", rule.command_block.front().entry.line, false);
  }
  Judged one;
  one.kind = OperationKind::kRunCommand;
  one.use = &use;
  one.section = kTools;
  one.tool = "run_command";
  one.list = "command_allowlist";
  one.technique = "T1059";
  one.line = rule.has_command_allow ? rule.command_allow_line : rule.line;
  const bool trusted = slash == std::string::npos ||
                       std::find(facts_.trusted_programs.begin(), facts_.trusted_programs.end(),
                                 use.name) != facts_.trusted_programs.end();
  const auto entry = trusted ? rule.command_allow.find(name) : rule.command_allow.end();
  if (entry == rule.command_allow.end()) {
    note(kTools, one.tool, one.list, rule.command_allow_line, false);
  }
  if (entry != rule.command_allow.end()) {
    one.entry = entry->first;
    one.line = entry->second.entry.line;
    note(kTools, one.tool, one.list, one.line, true, one.entry);
  } else if (!use.needs_entry) {
    one.section = "command.builtin";
    one.tool = one.list = {};
    one.line = 0;
    one.needs_no_rule = true;
  } else if (tools_default_allow()) {
    return tool_default(std::move(one), {});
  } else {
    one.deny = true;
    one.code = trusted ? "command.not_listed" : "command.path";
    one.tell = [](const Judged& j, std::string_view by) {
      return tell_of("command ", j.use->name, " is not in ", by);
    };
    if (!trusted) {
      one.tell = [](const Judged& j, std::string_view) {
        return tell_of("command ", j.use->name,
                       " is named by a path that others than root may change");
      };
    }
  }
  add(std::move(one));
}

// Block lists only: a word of argv may be a path.
bool Judge::judge_argument_path(const PathUse& use, OperationKind kind) {
  const PathBlockList& closed = p_.tools.shell_block;
  if (closed.empty()) return false;
  Judged one;
  one.kind = kind;
  const auto archives = [](const CommandUse& command) {
    return std::find(kArchivers.begin(), kArchivers.end(), command.name) != kArchivers.end();
  };
  const auto& commands = analysis_.command.commands;
  const auto absolute = absolute_of(use, facts_.user, facts_.home, facts_.cwd);
  // Of a word whose directory is not known, what stands in the text itself is judged.
  const KnownPath path(absolute ? std::string_view(*absolute) : std::string_view(use.text),
                       absolute ? "" : "/", path_facts_);
  one.path = absolute ? path.shown() : std::string_view(use.text);
  std::string_view spelling;
  const PathBlockList::Hit* hit = blocked(closed, path, spelling);
  if (hit != nullptr) {
    note_hit({}, hit);
    if (std::any_of(commands.begin(), commands.end(), archives)) one.technique = "T1560";
    return judge_blocked(hit, absolute ? spelling : std::string_view(use.text), std::move(one));
  }
  // /proc/self/root/x is any path.
  if (path.resolved.empty() && path.reason.starts_with("path.magic_link")) {
    one.deny = true;
    one.section = kTools;
    one.tool = "run_command";
    one.line = p_.tools.run_command == nullptr ? 0 : p_.tools.run_command->line;
    one.code = code_of(path.reason);
    one.said = messages_.emplace_front(sentence_of(path.reason));
    one.tell = [](const Judged& j, std::string_view) {
      return tell_of("path ", j.path, " cannot be judged: ", j.said);
    };
    add(std::move(one));
    return true;
  }
  if (!use.glob) return false;
  // A word that the shell expands may become a blocked path: `~/.s*/id_rsa` does.
  for (std::string& word : expand_braces(use.text, kBraceWordsMax)) {
    PathUse expanded = use;
    if (word.starts_with("~/")) {
      expanded.base = PathUse::Base::kHome;
      word.erase(0, 2);
    } else if (word.starts_with('/')) {
      expanded.base = PathUse::Base::kAbsolute;
    }
    expanded.text = std::move(word);
    const auto whole = absolute_of(expanded, facts_.user, facts_.home, facts_.cwd);
    const std::string& given = whole ? *whole : expanded.text;
    hit = closed.find(given, blocked_user());
    if (hit == nullptr) hit = closed.find_possible(given, whole.has_value(), blocked_user());
    if (hit == nullptr) continue;
    note_hit({}, hit);
    if (std::any_of(commands.begin(), commands.end(), archives)) one.technique = "T1560";
    judge_blocked(hit, use.text, std::move(one));
    judged_.back().tell = [](const Judged& j, std::string_view by) {
      return tell_of("", j.said, " may expand to what ", by, " blocks");
    };
    return true;
  }
  return false;
}

// A word that names what its program writes: `tee f` is `> f`. Where the place is not known, it is
// not held against the line, as a word of argv; what its text says is.
void Judge::judge_operand(const PathUse& use) {
  for (const PathUse& one : words_of(use)) {
    if (std::find(kHarmlessDevices.begin(), kHarmlessDevices.end(), one.text) !=
        kHarmlessDevices.end()) {
      continue;
    }
    const auto absolute = absolute_of(one, facts_.user, facts_.home, facts_.cwd);
    if (absolute && use.access == PathAccess::kWriteArgument) {
      judge_path(OperationKind::kWriteFile, *absolute, {}, true);
      continue;
    }
    if (judge_argument_path(one, OperationKind::kWriteFile)) continue;
    const KnownPath path(absolute ? std::string_view(*absolute) : std::string_view(one.text),
                         absolute ? "" : "/", path_facts_);
    Judged judged;
    judged.kind = OperationKind::kWriteFile;
    judged.path = absolute ? path.shown() : std::string_view(one.text);
    judge_protected(path, judged);
  }
}

void Judge::judge_path_use(const PathUse& use) {
  if (use.access == PathAccess::kWriteArgument || use.access == PathAccess::kTouchArgument) {
    return judge_operand(use);
  }
  if (use.access == PathAccess::kArgument) {
    judge_argument_path(use, OperationKind::kReadFile);
    return;
  }
  const OperationKind kind =
      use.access == PathAccess::kWrite ? OperationKind::kWriteFile : OperationKind::kReadFile;
  if (use.base == PathUse::Base::kAbsolute &&
      std::find(kHarmlessDevices.begin(), kHarmlessDevices.end(), use.text) !=
          kHarmlessDevices.end()) {
    return;
  }
  const auto absolute = absolute_of(use, facts_.user, facts_.home, facts_.cwd);
  if (absolute) return judge_path(kind, *absolute, {}, true);
  if (judge_argument_path(use, kind)) return;
  Judged one;
  one.deny = true;
  one.kind = kind;
  one.path = use.text;
  one.section = kTools;
  one.tool = "run_command";
  one.line = p_.tools.run_command == nullptr ? 0 : p_.tools.run_command->line;
  one.code = "path.undecidable";
  one.technique = "T1059";
  one.tell = [](const Judged& j, std::string_view) {
    return tell_of("where ", j.path, " leads is not known before the line runs");
  };
  add(std::move(one));
}

void Judge::judge_command(const Call& call) {
  static const ToolRule kNoLists;
  const ToolRule& lists = p_.tools.run_command == nullptr ? kNoLists : *p_.tools.run_command;
  const CommandAnalysis& analysis = analysis_.command;
  Judged one;
  one.kind = OperationKind::kRunCommand;
  one.section = kTools;
  one.tool = "run_command";
  one.line = lists.line;
  one.technique = "T1059";
  if (call.command.find_first_not_of(" \t\n") == std::string::npos) {
    one.deny = true;
    one.code = "call.undecidable";
    one.said = caller_.tool;
    one.tell = [](const Judged& j, std::string_view) {
      return tell_of("the call of ", j.said, " names no command");
    };
    add(std::move(one));
    return;
  }
  const bool listed = p_.tools.run_command != nullptr || tools_default_allow();
  if (!listed) {
    one.said = "the operation run_command";
    tool_default(std::move(one), "tool.not_listed");
    // Where that is only recorded, an enforced rule may still close the line.
    if (mode_of(judged_.back()) == Mode::kEnforce || analysis.undecidable) return;
  } else if (analysis.undecidable) {
    one.deny = true;
    one.code = analysis.undecidable->code;
    one.said = analysis.undecidable->message;
    one.tell = [](const Judged& j, std::string_view) { return joined({j.said}, kPlaceBytes); };
    add(std::move(one));
    return;
  }
  judge_line(lists, listed);
  if (judged_.empty()) {
    Judged nothing;
    nothing.kind = OperationKind::kRunCommand;
    nothing.section = "command.builtin";
    nothing.needs_no_rule = true;
    add(std::move(nothing));
  }
}

void Judge::judge_line(const ToolRule& lists, bool listed) {
  const CommandAnalysis& analysis = analysis_.command;
  judged_.reserve(judged_.size() + analysis.commands.size() + analysis.hazards.size() +
                  analysis.hosts.size() + 2);
  if (listed) {
    for (const Hazard& hazard : analysis.hazards) judge_hazard(hazard, nullptr, lists);
    for (const CommandUse& use : analysis.commands) {
      judge_use(use, lists);
      for (const Hazard& hazard : use.hazards) judge_hazard(hazard, &use, lists);
    }
  }
  for (const PathUse& use : analysis.paths) judge_path_use(use);
  for (const HostUse& use : analysis.hosts) judge_host_use(use);
}

// ---- egress

// RFC 1918, RFC 4193 and RFC 6598, for `private: false`.
bool is_private(const CanonicalHost& host) {
  static const std::vector<HostPattern> kPrivate = [] {
    std::vector<HostPattern> out;
    for (const char* block :
         {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"}) {
      if (auto pattern = HostPattern::parse(block)) out.push_back(*pattern);
    }
    return out;
  }();
  return std::any_of(kPrivate.begin(), kPrivate.end(),
                     [&](const HostPattern& pattern) { return pattern.matches(host); });
}

void Judge::egress_denied(std::unique_ptr<Operation> op, std::string_view code,
                          std::string message) {
  Judged one;
  one.deny = true;
  one.is_egress = true;
  one.kind = OperationKind::kEgress;
  one.section = "egress";
  one.line = p_.egress.line;
  one.code = code;
  const auto& commands = analysis_.command.commands;
  const bool web = op->protocol == "http" || op->protocol == "https";
  one.technique =
      web && std::any_of(commands.begin(), commands.end(), sends_body) ? "T1071.001" : "T1048";
  one.operation = std::move(op);
  one.said = messages_.emplace_front(std::move(message));
  one.tell = [](const Judged& j, std::string_view) { return joined({j.said}, kPlaceBytes); };
  add(std::move(one));
}

void Judge::judge_host(const CanonicalHost& host, Operation named) {
  const EgressSection& egress = p_.egress;
  named.kind = OperationKind::kEgress;
  named.host = host.text;
  auto op = std::make_unique<Operation>(std::move(named));
  const int port = op->port;
  const std::string protocol = op->protocol;
  const auto who = [&host] { return "host '" + printable(host.text) + "'"; };
  if (egress.line == 0) {
    return egress_denied(std::move(op), "egress.no_section",
                         "the policy has no egress section, so " + who() + " is denied");
  }
  const auto carried = carried_ipv4(host);
  const HostEntry* closed = egress.blocked.find(host, port, protocol);
  if (carried && (closed == nullptr || !closed->entry.always_block)) {
    const HostEntry* inner = egress.blocked.find(*carried, port, protocol);
    if (closed == nullptr || (inner != nullptr && inner->entry.always_block)) closed = inner;
  }
  if (closed == nullptr) note("egress", {}, "blocked_destinations", egress.blocked.line, false);
  if (closed != nullptr) {
    note("egress", {}, "blocked_destinations", closed->entry.line, true, closed->entry.text);
    egress_denied(std::move(op), "egress.blocked", {});
    Judged& one = judged_.back();
    one.list = "blocked_destinations";
    one.entry = closed->entry.text;
    one.line = closed->entry.line;
    one.always_block = closed->entry.always_block;
    one.tell = [](const Judged& j, std::string_view by) {
      return tell_of("host ", j.operation->host, " is blocked by ", by);
    };
    return;
  }
  const bool is_refused =
      !egress.private_addresses && (is_private(host) || (carried && is_private(*carried)));
  note("egress", {}, "private", egress.private_line, is_refused);
  if (is_refused) {
    egress_denied(std::move(op), "egress.private",
                  who() + " is a private address, refused by egress.private: false");
    judged_.back().list = "private";
    judged_.back().line = egress.private_line;
    return;
  }
  judge_host_allow(host, std::move(op));
}

// What no block entry closes: the allow list, and then the section's default.
void Judge::judge_host_allow(const CanonicalHost& host, std::unique_ptr<Operation> op) {
  const EgressSection& egress = p_.egress;
  const int port = op->port;
  const std::string protocol = op->protocol;
  const auto who = [&host] { return "host '" + printable(host.text) + "'"; };
  Judged one;
  one.is_egress = true;
  one.kind = OperationKind::kEgress;
  one.section = "egress";
  if (const HostEntry* entry = egress.allowed.find(host, port, protocol)) {
    one.operation = std::move(op);
    one.list = "allowed_destinations";
    one.entry = entry->entry.text;
    one.line = entry->entry.line;
    note("egress", {}, one.list, one.line, true, one.entry);
    add(std::move(one));
    return;
  }
  note("egress", {}, "allowed_destinations", egress.allowed.line, false);
  note("egress", {}, "default_action", egress.default_line, true);
  if (egress.default_action == DefaultAction::kAllow) {
    one.operation = std::move(op);
    one.list = "default_action";
    one.line = egress.default_line;
    add(std::move(one));
    return;
  }
  const HostEntry* near = egress.allowed.find_host(host);
  if (near == nullptr) {
    egress_denied(std::move(op), "egress.not_listed",
                  who() + " is not in egress.allowed_destinations");
  } else {
    egress_denied(
        std::move(op), "egress.port_or_protocol",
        who() + " is listed, but not with " + protocol + " on port " + std::to_string(port));
  }
  judged_.back().list = "default_action";
  judged_.back().line = near == nullptr ? egress.default_line : near->entry.line;
}

// "ssh://HOST:PORT" and "tcp://HOST:PORT", as the proxy names what a tunnel carries: the URL
// Standard has no such schemes, so nothing but an authority with its port is taken for one.
std::optional<HostUse> tunnel_of(std::string_view url) {
  for (const std::string_view protocol : {"ssh", "tcp"}) {
    if (!url.starts_with(protocol) || !url.substr(protocol.size()).starts_with("://")) continue;
    const std::string_view authority = url.substr(protocol.size() + 3);
    const std::size_t colon = authority.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    HostUse use;
    const std::string_view port = authority.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), use.port);
    if (error != std::errc{} || end != port.data() + port.size() || use.port < 1 ||
        use.port > 65535 || authority.find_first_of("@/?#") != std::string_view::npos) {
      return std::nullopt;
    }
    use.host = authority.substr(0, colon);
    use.protocol = protocol;
    use.url = url;
    return use;
  }
  return std::nullopt;
}

void Judge::judge_url(const std::string& url) {
  if (const auto tunnel = tunnel_of(url)) return judge_host_use(*tunnel);
  auto destination = parse_url(url);
  if (!destination) {
    auto op = std::make_unique<Operation>();
    op->kind = OperationKind::kEgress;
    op->url = url;
    return egress_denied(std::move(op), "egress.bad_url", destination.error().message);
  }
  Operation op;
  op.port = destination->port;
  op.protocol = std::move(destination->protocol);
  op.url = std::move(destination->url);
  judge_host(destination->host, std::move(op));
}

void Judge::judge_host_use(const HostUse& use) {
  Operation op;
  op.kind = OperationKind::kEgress;
  op.port = use.port;
  op.protocol = use.protocol;
  op.url = use.url;
  const auto host = canonical_host(use.host);
  if (host) return judge_host(*host, std::move(op));
  op.host = use.host;
  egress_denied(std::make_unique<Operation>(std::move(op)), "egress.bad_host",
                host.error().message);
}

// ---- MCP and other tools

// The entry of blocked_tools that closes the call. What can't be read is closed: arguments that are
// no JSON object (or belong to a tool whose arguments are judged by its own lists), and a server
// that the agent did not name but that stands in the tool's name.
const ToolRule* Judge::blocked_tool(std::string_view name, const Call& call) const {
  const auto found = p_.tools.blocked.find(name);
  if (found == p_.tools.blocked.end()) return nullptr;
  const ToolRule& rule = found->second;
  if (rule.has_servers && !lists_server(rule, caller_.server)) {
    const bool in_name =
        caller_.server.empty() &&
        std::any_of(rule.servers.begin(), rule.servers.end(), [&](const Entry& entry) {
          return caller_.tool.find(entry.text) != std::string_view::npos;
        });
    if (!in_name) return nullptr;
  }
  return arguments_match(rule, call) == Match::kNo ? nullptr : &rule;
}

// blocked_tools beats every allow list. An entry may name the operation or the agent's own tool.
void Judge::judge_blocked_tool(OperationKind kind, const Call& call) {
  const ToolRule* rule = blocked_tool(audit::name(kind), call);
  if (rule == nullptr || !rule->always_block) {
    const ToolRule* own = blocked_tool(caller_.tool, call);
    if (own != nullptr && (rule == nullptr || own->always_block)) rule = own;
  }
  if (rule == nullptr) return;
  note(kTools, {}, "blocked_tools", rule->line, true, rule->name);
  Judged one;
  one.deny = true;
  one.always_block = rule->always_block;
  one.kind = kind;
  one.section = kTools;
  one.list = "blocked_tools";
  one.entry = rule->name;
  one.line = rule->line;
  one.code = "tool.blocked";
  one.technique = kind == OperationKind::kMcpTool      ? "T1190"
                  : kind == OperationKind::kRunCommand ? "T1059"
                  : kind == OperationKind::kEgress     ? "T1048"
                                                       : "";
  one.operation = std::make_unique<Operation>();
  one.operation->kind = kind;
  one.operation->name = caller_.tool;
  one.operation->server = caller_.server;
  if (!call.paths.empty()) one.operation->path = call.paths.front();
  if (!call.urls.empty()) one.operation->url = call.urls.front();
  one.operation->command = call.command;
  one.tell = [](const Judged& j, std::string_view by) {
    return tell_of("the tool ", *j.entry, " is blocked by ", by);
  };
  add(std::move(one));
}

void Judge::judge_mcp(const Call& call) {
  Judged one;
  one.kind = OperationKind::kMcpTool;
  one.section = kTools;
  // An entry for another operation or for an agent's own tool never allows an MCP tool that took
  // its name: without a list of servers, the name must itself say the server.
  const bool is_operation =
      caller_.tool == "mcp_tool" || audit::operation_kind(caller_.tool).has_value();
  const bool says_server =
      caller_.server.empty() || caller_.tool.find(caller_.server) != std::string_view::npos;
  for (const bool own : {true, false}) {
    const ToolRule* rule = own ? is_operation ? nullptr : tool(caller_.tool) : tool("mcp_tool");
    if (rule == nullptr) continue;
    const bool server_listed =
        rule->has_servers ? lists_server(*rule, caller_.server) : own && says_server;
    const bool met = server_listed && arguments_match(*rule, call) == Match::kYes;
    note(kTools, rule->name, {}, rule->line, met);
    if (!met) continue;
    one.tool = rule->name;
    one.line = rule->line;
    add(std::move(one));
    return;
  }
  one.technique = "T1190";
  one.said = messages_.emplace_front("the MCP tool '" + printable(caller_.tool) + "' of server '" +
                                     printable(caller_.server) + "'");
  tool_default(std::move(one), "mcp.not_listed");
}

void Judge::judge_other(const Call& call) {
  Judged one;
  one.kind = OperationKind::kOther;
  one.section = kTools;
  // An entry for a canonical operation allows what that operation's lists allow, never a tool of
  // its name.
  const bool is_operation = audit::operation_kind(caller_.tool).has_value();
  const ToolRule* rule = is_operation ? nullptr : tool(caller_.tool);
  const bool met =
      rule != nullptr && !rule->has_servers && arguments_match(*rule, call) == Match::kYes;
  if (rule != nullptr) note(kTools, rule->name, {}, rule->line, met);
  if (met) {
    one.tool = rule->name;
    one.line = rule->line;
    add(std::move(one));
    return;
  }
  one.said = messages_.emplace_front("the tool '" + printable(caller_.tool) + "'");
  tool_default(std::move(one), "tool.not_listed");
}

// ---- the whole call

void Judge::judge_call(OperationKind kind, const Call& call) {
  const auto undecidable = [&](std::string_view why) {
    Judged one;
    one.deny = true;
    one.is_egress = kind == OperationKind::kEgress;
    one.kind = kind;
    one.section = one.is_egress ? "egress" : kTools;
    one.line = one.is_egress ? p_.egress.line : p_.tools.line;
    one.code = "call.undecidable";
    one.operation = std::make_unique<Operation>();
    one.operation->kind = kind;
    one.operation->name = caller_.tool;
    one.said = messages_.emplace_front("the call of '" + printable(caller_.tool) + "' " +
                                       std::string(why));
    one.tell = [](const Judged& j, std::string_view) { return joined({j.said}, kPlaceBytes); };
    add(std::move(one));
  };
  judge_blocked_tool(kind, call);
  const bool of_server = caller_.tool == kMcpResourceTool && kind != OperationKind::kMcpTool;
  if (of_server) judge_blocked_tool(OperationKind::kMcpTool, call);
  // Where that is only recorded, an enforced rule may still close the call.
  if (!judged_.empty() && mode_of(judged_.back()) == Mode::kEnforce) return;
  if (!call.undecidable.empty()) {
    return undecidable("cannot be judged: " + printable(call.undecidable));
  }
  if (of_server) judge_mcp(call);
  const std::size_t before = judged_.size();
  switch (kind) {
    case OperationKind::kReadFile:
    case OperationKind::kWriteFile:
      for (const std::string& path : call.paths) judge_path(kind, path, facts_.cwd, false);
      break;
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
  if (judged_.size() == before) undecidable("names nothing that could be judged");
}

Mode Judge::mode_of(const Judged& one) const {
  const DefaultAction action = one.is_egress ? p_.egress.default_action : p_.tools.default_action;
  const int line = one.is_egress ? p_.egress.line : p_.tools.line;
  const bool logs = line != 0 && action == DefaultAction::kLog;
  return p_.audit_mode || (logs && !one.always_block) ? Mode::kAudit : Mode::kEnforce;
}

// Of all denials with the effect of the deciding one.
std::string_view Judge::technique_of_call(const Judged& chosen) const {
  const auto rank = [](std::string_view technique) {
    return std::find(kTelling.begin(), kTelling.end(), technique);
  };
  std::string_view best = chosen.technique;
  for (const Judged& one : judged_) {
    if (one.deny && mode_of(one) == mode_of(chosen) && rank(one.technique) < rank(best)) {
      best = one.technique;
    }
  }
  return best;
}

// What was judged, where no operation of its own says it.
Operation Judge::operation_of(const Judged& one, std::string path) const {
  Operation op;
  op.kind = one.kind;
  switch (one.kind) {
    case OperationKind::kReadFile:
    case OperationKind::kWriteFile:
      op.path = std::move(path);
      break;
    case OperationKind::kRunCommand:
      op.command = one.use == nullptr ? analysis_.call->command : one.use->text;
      if (one.use != nullptr) op.program = one.use->name;
      break;
    case OperationKind::kMcpTool:
      op.server = caller_.server;
      op.name = caller_.tool;
      break;
    case OperationKind::kOther:
    case OperationKind::kEgress:
      op.name = caller_.tool;
      break;
  }
  return op;
}

// What the agent reads: what is wrong, where that is written, and what to do instead.
std::string Judge::reason_of(const Judged& one, std::string_view rule) const {
  std::string reason = one.tell(one, rule);
  if (one.line != 0) {
    const std::string line = std::to_string(one.line);
    reason += joined({" (", p_.file_name, ":", line, ")"});
  }
  const std::string_view advice = advice_of(one.code);
  if (!advice.empty()) reason += joined({"; ", advice});
  return reason;
}

void Judge::tell_trace(const Judged& chosen) {
  if (trace_ == nullptr) return;
  for (std::size_t i = 0; i < judged_.size(); ++i) {
    const Judged& one = judged_[i];
    DecisionTrace::Operation& told = trace_->operations[i];
    told.operation = one.operation != nullptr ? *one.operation : operation_of(one, one.path);
    told.allowed = !one.deny;
    told.deciding = &one == &chosen;
    told.mode = mode_of(one);
    told.rule = rule_of(one);
    told.line = one.line;
    if (!one.deny) continue;
    told.reason_code = one.code;
    told.reason = reason_of(one, told.rule);
  }
}

// Adds operations to a decision, each once and in their order.
class Distinct {
 public:
  // `count`: how many will be offered.
  Distinct(Decision& decision, std::size_t count)
      : decision_(decision), few_(count <= kFewOperations) {}

  void first(Operation op) {
    if (!few_) seen_.insert(key(op));
    decision_.operation = std::move(op);
  }
  void add(Operation op) {
    std::vector<Operation>& others = decision_.others;
    const bool is_new = few_ ? op != decision_.operation &&
                                   std::find(others.begin(), others.end(), op) == others.end()
                             : seen_.insert(key(op)).second;
    if (is_new) others.push_back(std::move(op));
  }

 private:
  static std::string key(const Operation& op) {
    std::string text(1, static_cast<char>('0' + static_cast<int>(op.kind)));
    for (const std::string* part : {&op.path, &op.program, &op.command, &op.host, &op.protocol,
                                    &op.url, &op.server, &op.name}) {
      text += *part;
      text += '\0';
    }
    return text + std::to_string(op.port);
  }

  Decision& decision_;
  bool few_;
  std::unordered_set<std::string> seen_;
};

Decision Judge::conclude() {
  // An enforced denial before one that is only recorded, a denial before what is allowed, a rule
  // before what needs none; of equal ones the first.
  const auto weight = [this](const Judged& one) {
    if (one.deny) return mode_of(one) == Mode::kEnforce ? 3 : 2;
    return one.needs_no_rule ? 0 : 1;
  };
  Judged* chosen = &judged_.front();
  int best = weight(*chosen);
  for (Judged& one : judged_) {
    if (best == 3) break;
    if (const int mine = weight(one); mine > best) {
      chosen = &one;
      best = mine;
    }
  }
  Decision decision;
  decision.verdict = chosen->deny ? Verdict::kDeny : Verdict::kAllow;
  decision.mode = mode_of(*chosen);
  decision.action = !chosen->deny                     ? Action::kAllowed
                    : decision.mode == Mode::kEnforce ? Action::kDenied
                                                      : Action::kWouldDeny;
  decision.category = chosen->is_egress ? Category::kEgress : Category::kToolInvocation;
  decision.rule = rule_of(*chosen);
  decision.line = chosen->line;
  if (chosen->deny) {
    decision.reason_code = chosen->code;
    decision.technique = technique_of_call(*chosen);
    decision.reason = reason_of(*chosen, decision.rule);
  }
  tell_trace(*chosen);
  decision.operations = judged_.size();
  Distinct operations(decision, judged_.size());
  operations.first(take_operation(*chosen));
  for (Judged& one : judged_) {
    if (&one != chosen) operations.add(take_operation(one));
  }
  return decision;
}

Decision Judge::run() {
  const Call& call = *analysis_.call;
  OperationKind kind = call.kind;
  if (kind == OperationKind::kOther && !p_.aliases.empty()) {
    const auto alias = p_.aliases.find(caller_.tool);
    if (alias != p_.aliases.end()) kind = alias->second;
  }
  judge_call(kind, call);
  return conclude();
}

Decision Judge::run_connection(std::string_view host, int port, std::string_view protocol) {
  HostUse use;
  use.host = host;
  use.port = port;
  use.protocol = protocol;
  judge_host_use(use);
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
  const uid_t uid = ::getuid();
  auto entry = user_by_id(uid);
  if (!entry) return pass_error(entry);
  return UserRecord{std::move(entry->name), static_cast<std::int64_t>(uid), std::move(entry->home)};
}

Facts observe(const CallAnalysis& analysis, const UserRecord& user, std::string_view cwd,
              const FileSystem& file_system) {
  Facts facts;
  facts.user = user.name;
  facts.uid = user.uid;
  facts.home = user.home;
  facts.cwd = cwd;
  std::unordered_set<std::string> seen;
  const auto look = [&](std::string_view given, std::string_view base) {
    const FoldedPath folded = fold_path(given, base);
    if (folded.lexical.empty()) return folded;  // decide() refuses it by the text alone
    std::string joined = join_path(given, base);
    if (!seen.insert(joined).second) return folded;
    ResolvedPath path = resolve_path(given, base, file_system);
    const bool is_default =
        path.reason == folded.reason && (path.resolved == path.lexical || path.resolved.empty());
    if (!is_default) {
      facts.paths.push_back({std::move(joined), std::move(path.resolved), std::move(path.reason)});
    }
    return folded;
  };
  // With `..` in it, also what a tool reaches that folds the text first.
  const auto look_both_ways = [&](std::string_view given, std::string_view base) {
    const FoldedPath folded = look(given, base);
    if (folded.has_parent) look(folded.lexical, {});
  };
  if (analysis.call->kind != audit::OperationKind::kMcpTool) {
    for (const std::string& path : analysis.call->paths) look_both_ways(path, cwd);
  }
  for (const PathUse& use : analysis.command.paths) {
    for (const PathUse& one : words_of(use)) {
      if (const auto absolute = absolute_of(one, user.name, user.home, cwd))
        look_both_ways(*absolute, {});
    }
  }
  for (const CommandUse& use : analysis.command.commands) {
    if (use.name.starts_with('/') && (user.uid != 0 || in_system_directory(use.name)) &&
        std::find(facts.trusted_programs.begin(), facts.trusted_programs.end(), use.name) ==
            facts.trusted_programs.end() &&
        file_system.root_owned(use.name)) {
      facts.trusted_programs.push_back(use.name);
    }
  }
  return facts;
}

Decision decide(const Policy& policy, const Caller& caller, const CallAnalysis& analysis,
                const Facts& facts) {
  return Judge(policy.model(), caller, analysis, facts).run();
}

Decision decide_traced(const Policy& policy, const Caller& caller, const CallAnalysis& analysis,
                       const Facts& facts, DecisionTrace& trace) {
  trace.operations.clear();
  return Judge(policy.model(), caller, analysis, facts, &trace).run();
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
