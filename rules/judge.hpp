#pragma once
// The judge behind decide(): one pass over what a call does, each operation judged by the lists of
// its kind; the worst of them decides. For the files judge*.cpp and decide.cpp.

#include "audit/event.hpp"
#include "rules/decide.hpp"
#include "rules/decide_trace.hpp"
#include "rules/host.hpp"
#include "rules/host_key.hpp"
#include "rules/path.hpp"
#include "rules/path_parts.hpp"
#include "rules/policy_model.hpp"
#include "rules/text_arena.hpp"

#include <array>
#include <cstddef>
#include <forward_list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lilith::rules {

using audit::Action;
using audit::Call;
using audit::Category;
using audit::Facts;
using audit::Mode;
using audit::Operation;
using audit::OperationKind;
using audit::Verdict;

inline constexpr std::string_view kTools = "tool_invocations";
inline constexpr std::string_view kToolsDefault = "tool_invocations.default_action";
// Words that one {a,b} may become; more are judged as `*`.
inline constexpr std::size_t kBraceWordsMax = 64;

// Where a word of the shell line points, or nullopt when that is not known. What has to be made for
// it is in `texts`.
[[nodiscard]] std::optional<std::string_view> absolute_of(const PathUse& use, std::string_view user,
                                                          std::string_view home,
                                                          std::string_view cwd, TextArena& texts);
// Whether the shell makes several words of this one, each to be judged like a word of its own.
[[nodiscard]] bool becomes_words(const PathUse& use);
[[nodiscard]] std::vector<PathUse> words_of(const PathUse& use);

// Reasons of paths are "code: sentence".
[[nodiscard]] inline std::string_view code_of(std::string_view reason) {
  return reason.substr(0, reason.find(": "));
}
[[nodiscard]] inline std::string_view sentence_of(std::string_view reason) {
  const std::size_t colon = reason.find(": ");
  return colon == std::string_view::npos ? reason : reason.substr(colon + 2);
}

// Above this, a list is searched by hash instead of from its beginning.
inline constexpr std::size_t kFewFacts = 16;

// What the facts say of paths, by the path before links were followed.
class PathFacts {
 public:
  explicit PathFacts(const Facts& facts) : facts_(facts) {
    if (facts.paths.size() <= kFewFacts) return;
    by_given_.emplace();
    for (const audit::PathFact& fact : facts.paths) by_given_->emplace(fact.given, &fact);
  }
  [[nodiscard]] bool empty() const { return facts_.paths.empty(); }
  [[nodiscard]] const audit::PathFact* find(std::string_view given) const {
    if (by_given_) {
      const auto found = by_given_->find(given);
      return found == by_given_->end() ? nullptr : found->second;
    }
    for (const audit::PathFact& fact : facts_.paths) {
      if (fact.given == given) return &fact;
    }
    return nullptr;
  }

 private:
  const Facts& facts_;
  std::optional<std::unordered_map<std::string_view, const audit::PathFact*>> by_given_;
};

// One way to write a path, made ready for the lists.
class Spelling {
 public:
  Spelling(std::string_view text, TextArena& texts)
      : Spelling(text, Components(text, texts), texts) {}
  // `components` are those of the text.
  Spelling(std::string_view text, const Components& components, TextArena& texts)
      : text_(text),
        components_(components),
        lower_(components_.has_upper() ? folded(text, texts) : text) {}
  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] PathView view() const { return {text_, components_}; }
  [[nodiscard]] PathView lower() const { return {lower_, components_}; }

 private:
  static std::string_view folded(std::string_view text, TextArena& texts);

  std::string_view text_;
  Components components_;
  std::string_view lower_;
};

// A path as a decision looks at it. Views of what it was made from and of the arena.
class KnownPath {
 public:
  KnownPath(std::string_view given, std::string_view cwd, const PathFacts& facts, TextArena& texts)
      : KnownPath(Components(given, texts), given, cwd, facts, texts) {}
  KnownPath(const KnownPath&) = delete;
  KnownPath& operator=(const KnownPath&) = delete;

  Spelling spelling;                        // the first one
  std::array<std::string_view, 3> further;  // empty ones are no spellings
  std::string_view resolved;                // empty: undecidable, and `reason` says why
  std::string_view by_text;                 // empty: the same as resolved
  std::string_view reason;

  [[nodiscard]] std::string_view shown() const {
    return resolved.empty() ? spelling.text() : resolved;
  }
  // Every spelling once, the first one first.
  template <class Visit>
  void each_spelling(TextArena& texts, Visit visit) const {
    if (!spelling.text().empty()) visit(spelling);
    for (const std::string_view one : further) {
      if (!one.empty() && one != spelling.text()) visit(Spelling(one, texts));
    }
  }
  [[nodiscard]] std::size_t find_resolved(const PathPatternSet& patterns, const PatternUser& user,
                                          TextArena& texts) const {
    if (resolved.data() == spelling.text().data() && resolved.size() == spelling.text().size()) {
      return patterns.find(spelling.view(), user);
    }
    return patterns.find(PathView{resolved, Components(resolved, texts)}, user);
  }

 private:
  KnownPath(const Components& components, std::string_view given, std::string_view cwd,
            const PathFacts& facts, TextArena& texts);
  KnownPath(const FoldedView& folded, const Components& components, std::string_view given,
            std::string_view cwd, const PathFacts& facts, TextArena& texts);
  void apply(const audit::PathFact* fact, std::string_view& path, std::string_view& known_as);
};

// audit::Operation without copies.
struct OperationView {
  OperationKind kind = OperationKind::kOther;
  std::string_view path, program, command, host;
  int port = 0;
  std::string_view protocol, url, server, name;

  friend bool operator==(const OperationView&, const OperationView&) = default;
};
// Into an operation that holds nothing yet.
void copy_operation(const OperationView& view, Operation& out);

// One judged operation. All of it are views, of policy, call, analysis, facts and the judge's own
// texts; sentences for people are made for the deciding one only.
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
  std::string_view path;                     // read_file, write_file
  const OperationView* operation = nullptr;  // where kind, use and path don't say it
  std::string_view said;                     // for `tell`
  // Appends what is wrong to a sentence.
  void (*tell)(const Judged&, std::string_view rule, Sentence& sentence) = nullptr;
};

// The rule's path: SECTION.TOOL.LIST["ENTRY"], of which section stands alone where there is no
// more.
[[nodiscard]] std::string_view rule_of(const Judged& one, TextArena& texts);
// Appends "PREFIX'WHAT'SUFFIX", with the rule behind it. A long WHAT is told by its beginning.
void tell_of(Sentence& sentence, std::string_view prefix, std::string_view what,
             std::string_view suffix, std::string_view rule = {});

// Room that most calls don't outgrow.
inline constexpr std::size_t kJudgedAtFirst = 4;

class Judge {
 public:
  Judge(const PolicyModel& policy, const Caller& caller, const CallAnalysis& analysis,
        const Facts& facts, DecisionTrace* trace = nullptr)
      : p_(policy),
        caller_(caller),
        analysis_(analysis),
        facts_(facts),
        path_facts_(facts),
        judged_(ArenaAllocator<Judged>(texts_)),
        trace_(trace) {
    judged_.reserve(kJudgedAtFirst);
  }

  Decision run();
  Decision run_connection(std::string_view host, int port, std::string_view protocol);

 private:
  void judge_call(OperationKind kind, const Call& call);
  void judge_path(OperationKind kind, std::string_view given, std::string_view cwd, bool of_shell);
  void judge_path_allow(const KnownPath& path, const ToolRule* rule, Judged& one);
  void judge_command(const Call& call);
  void judge_line(const ToolRule& lists, bool listed);
  void judge_use(const CommandUse& use, const ToolRule& rule);
  bool judge_blocked_use(const CommandUse& use, std::string_view name, const ToolRule& rule);
  void judge_hazard(const Hazard& hazard, const CommandUse* use, const ToolRule& rule);
  void judge_path_use(const PathUse& use);
  bool judge_argument_path(const PathUse& use, OperationKind kind);
  void judge_operand(const PathUse& use);
  void judge_written(const PathUse& use);
  bool judge_protected(const KnownPath& path, Judged& one);
  void judge_url(std::string_view url);
  void judge_host_use(const HostUse& use);
  void judge_host(const HostKey& host, OperationView* op);
  [[nodiscard]] const HostEntry* closing(const HostKey& host, const HostKey* carried,
                                         const OperationView& op) const;
  void judge_host_allow(const HostKey& host, const OperationView* op);
  void judge_mcp(const Call& call);
  void judge_other(const Call& call);
  void judge_blocked_tool(OperationKind kind, const Call& call);
  [[nodiscard]] const ToolRule* blocked_tool(std::string_view name, const Call& call) const;
  [[nodiscard]] const PathBlockList::Hit* blocked(const PathBlockList& list, const KnownPath& path,
                                                  std::string_view& spelling);
  void judge_blocked(const PathBlockList::Hit& hit, std::string_view spelling, Judged& one);
  [[nodiscard]] bool is_protected(const KnownPath& path);

  Judged& add(const Judged& one) {
    if (trace_ != nullptr) {
      trace_->operations.emplace_back().consulted = std::move(consulted_);
      consulted_.clear();
    }
    judged_.push_back(one);
    return judged_.back();
  }
  // For explain: a rule was asked, and `entry` of it (or it as a whole) applied.
  void note(std::string_view section, std::string_view tool, std::string_view list, int line,
            bool met, std::optional<std::string_view> entry = {}) {
    if (trace_ != nullptr && line != 0) write_note(section, tool, list, line, met, entry);
  }
  void write_note(std::string_view section, std::string_view tool, std::string_view list, int line,
                  bool met, std::optional<std::string_view> entry);
  void note_hit(std::string_view fallback_tool, const PathBlockList::Hit* hit);
  void tell_trace(const Judged& chosen);
  void tool_default(Judged one, std::string_view code);
  Judged& egress_denied(const OperationView* op, std::string_view code);
  [[nodiscard]] Mode mode_of(const Judged& one) const;
  [[nodiscard]] std::string_view technique_of_call(const Judged& chosen) const;
  [[nodiscard]] OperationView operation_of(const Judged& one) const;
  [[nodiscard]] std::string_view reason_of(const Judged& one, std::string_view rule);
  [[nodiscard]] const Judged& deciding() const;
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
  // What the judged ones view besides the arguments: texts, and the words of {a,b}.
  TextArena texts_;
  std::forward_list<std::vector<PathUse>> words_;
  ArenaVector<Judged> judged_;
  DecisionTrace* trace_;
  std::vector<DecisionTrace::Rule> consulted_;  // since the last operation was judged
};

}  // namespace lilith::rules
