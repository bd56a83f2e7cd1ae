#include "rules/judge.hpp"

#include "audit/base/eight_bytes.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/text.hpp"
#include "rules/advice.hpp"

#include <algorithm>
#include <charconv>
#include <unordered_set>

namespace lilith::rules {

namespace {

// printable(), without a copy of what is plain already.
class Shown {
 public:
  explicit Shown(std::string_view text) : view_(text) {
    if (!all_between(text, ' ', '~')) {
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

// The most telling first: of several denials in one call an alert is raised for the worst.
constexpr std::array<std::string_view, 8> kTelling{"T1071.001", "T1560", "T1552.004", "T1552.001",
                                                   "T1562.001", "T1190", "T1048",     "T1059"};

// Above this, repeated operations are found by hash.
constexpr std::size_t kFewOperations = 32;

// Tells operations that were not met before.
class Distinct {
 public:
  // `count`: how many will be offered.
  explicit Distinct(std::size_t count) : few_(count <= kFewOperations) {
    if (few_) met_.reserve(count);
  }
  bool is_new(const OperationView& op) {
    if (!few_) return hashed_.insert(key(op)).second;
    if (std::find(met_.begin(), met_.end(), op) != met_.end()) return false;
    met_.push_back(op);
    return true;
  }

 private:
  static std::string key(const OperationView& op) {
    std::string text(1, static_cast<char>('0' + static_cast<int>(op.kind)));
    for (const std::string_view part :
         {op.path, op.program, op.command, op.host, op.protocol, op.url, op.server, op.name}) {
      text += part;
      text += '\0';
    }
    return text + std::to_string(op.port);
  }

  bool few_;
  std::vector<OperationView> met_;
  std::unordered_set<std::string> hashed_;
};

}  // namespace

std::string_view rule_of(const Judged& one, TextArena& texts) {
  if (one.entry) {
    return texts.joined({one.section, one.tool.empty() ? "" : ".", one.tool,
                         one.list.empty() ? "" : ".", one.list, "[\"", *one.entry, "\"]"});
  }
  if (one.tool.empty() && one.list.empty()) return one.section;
  return texts.joined(
      {one.section, one.tool.empty() ? "" : ".", one.tool, one.list.empty() ? "" : ".", one.list});
}

void tell_of(Sentence& sentence, std::string_view prefix, std::string_view what,
             std::string_view suffix, std::string_view rule) {
  const bool is_long = what.size() > kShownBytesMax;
  const Shown shown(is_long ? utf8_prefix(what, kShownBytesMax) : what);
  sentence += prefix;
  sentence += '\'';
  sentence += shown.view();
  sentence += is_long ? "...'" : "'";
  sentence += suffix;
  sentence += rule;
}

void copy_operation(const OperationView& view, Operation& op) {
  op.kind = view.kind;
  op.port = view.port;
  // Most are empty.
  const auto set = [](std::string& member, std::string_view text) {
    if (!text.empty()) member.assign(text);
  };
  set(op.path, view.path);
  set(op.program, view.program);
  set(op.command, view.command);
  set(op.host, view.host);
  set(op.protocol, view.protocol);
  set(op.url, view.url);
  set(op.server, view.server);
  set(op.name, view.name);
}

std::string_view Spelling::folded(std::string_view text, TextArena& texts) {
  char* const lower = texts.room(text.size());
  std::transform(text.begin(), text.end(), lower, [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  return {lower, text.size()};
}

namespace {

// Surely what fold_path() makes of it, without a reason to refuse it: nothing to fold, and no place
// for a magic link.
bool is_folded(std::string_view path, const Components& components) {
  return path.starts_with('/') && components.is_folded() && path.size() <= limits::kPathBytesMax &&
         !path.starts_with("/proc/") && !path.starts_with("/dev/");
}

}  // namespace

KnownPath::KnownPath(const Components& components, std::string_view given, std::string_view cwd,
                     const PathFacts& facts, TextArena& texts)
    : KnownPath(is_folded(given, components) ? FoldedView{given, {}} : fold_path(given, cwd, texts),
                components, given, cwd, facts, texts) {}

KnownPath::KnownPath(const FoldedView& folded, const Components& components, std::string_view given,
                     std::string_view cwd, const PathFacts& facts, TextArena& texts)
    : spelling(folded.lexical.empty() || folded.lexical == given
                   ? Spelling(given, components, texts)
                   : Spelling(folded.lexical, texts)),
      reason(folded.reason) {
  if (folded.lexical.empty()) return;
  resolved = folded.lexical;
  if (folded.has_parent || !facts.empty()) {
    const std::string_view joined = join_path(given, cwd, texts);
    if (folded.has_parent) further[0] = joined;
    if (!facts.empty()) apply(facts.find(joined), resolved, further[1]);
  }
  if (folded.has_parent && !facts.empty()) {
    // A tool that folds `..` as text before it opens the path reaches this file, the kernel the
    // other; an allowed path must be allowed in both readings.
    std::string_view folds = folded.lexical;
    apply(facts.find(folded.lexical), folds, further[2]);
    if (folds != resolved) by_text = folds;
  }
  if (!reason.empty()) resolved = {};
}

void KnownPath::apply(const audit::PathFact* fact, std::string_view& path,
                      std::string_view& known_as) {
  if (fact == nullptr) return;
  path = known_as = fact->resolved;
  if (reason.empty() && fact->resolved.empty()) {
    reason = fact->reason.empty() ? "path.undecidable: it could not be resolved"
                                  : std::string_view(fact->reason);
  }
}

void Judge::write_note(std::string_view section, std::string_view tool, std::string_view list,
                       int line, bool met, std::optional<std::string_view> entry) {
  Judged one;
  one.section = section;
  one.tool = tool;
  one.list = list;
  one.entry = entry;
  consulted_.push_back({std::string(rule_of(one, texts_)), line, met});
}

void Judge::judge_call(OperationKind kind, const Call& call) {
  const auto undecidable = [&](std::string_view why) {
    Judged one;
    one.deny = true;
    one.is_egress = kind == OperationKind::kEgress;
    one.kind = kind;
    one.section = one.is_egress ? "egress" : kTools;
    one.line = one.is_egress ? p_.egress.line : p_.tools.line;
    one.code = "call.undecidable";
    auto* operation = texts_.make<OperationView>();
    operation->kind = kind;
    operation->name = caller_.tool;
    one.operation = operation;
    one.said = texts_.joined({"the call of '", printable(caller_.tool), "' ", why});
    one.tell = [](const Judged& j, std::string_view, Sentence& out) { out += j.said; };
    add(one);
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
  if (judged_.size() == 1) return best;
  for (const Judged& one : judged_) {
    if (one.deny && mode_of(one) == mode_of(chosen) && rank(one.technique) < rank(best)) {
      best = one.technique;
    }
  }
  return best;
}

OperationView Judge::operation_of(const Judged& one) const {
  if (one.operation != nullptr) return *one.operation;
  OperationView op;
  op.kind = one.kind;
  switch (one.kind) {
    case OperationKind::kReadFile:
    case OperationKind::kWriteFile:
      op.path = one.path;
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
std::string_view Judge::reason_of(const Judged& one, std::string_view rule) {
  Sentence reason(texts_);
  one.tell(one, rule, reason);
  if (one.line != 0) {
    reason += " (";
    reason += p_.file_name;
    reason += ':';
    std::array<char, 12> digits;  // of an int
    const char* const end =
        std::to_chars(digits.data(), digits.data() + digits.size(), one.line).ptr;
    reason += std::string_view(digits.data(), end);
    reason += ')';
  }
  const std::string_view advice = advice_of(one.code);
  if (!advice.empty()) {
    reason += "; ";
    reason += advice;
  }
  return reason.view();
}

void Judge::tell_trace(const Judged& chosen) {
  if (trace_ == nullptr) return;
  for (std::size_t i = 0; i < judged_.size(); ++i) {
    const Judged& one = judged_[i];
    DecisionTrace::Operation& told = trace_->operations[i];
    copy_operation(operation_of(one), told.operation);
    told.allowed = !one.deny;
    told.deciding = &one == &chosen;
    told.mode = mode_of(one);
    told.rule = rule_of(one, texts_);
    told.line = one.line;
    if (!one.deny) continue;
    told.reason_code = one.code;
    told.reason = reason_of(one, told.rule);
  }
}

// An enforced denial before one that is only recorded, a denial before what is allowed, a rule
// before what needs none; of equal ones the first.
const Judged& Judge::deciding() const {
  const Judged* chosen = &judged_.front();
  if (judged_.size() == 1) return *chosen;
  const auto weight = [this](const Judged& one) {
    if (one.deny) return mode_of(one) == Mode::kEnforce ? 3 : 2;
    return one.needs_no_rule ? 0 : 1;
  };
  int best = weight(*chosen);
  for (const Judged& one : judged_) {
    if (best == 3) break;
    if (const int mine = weight(one); mine > best) {
      chosen = &one;
      best = mine;
    }
  }
  return *chosen;
}

Decision Judge::conclude() {
  const Judged& chosen = deciding();
  const Mode mode = mode_of(chosen);
  const std::string_view rule = rule_of(chosen, texts_);
  Decision decision{
      .verdict = chosen.deny ? Verdict::kDeny : Verdict::kAllow,
      .mode = mode,
      .action = !chosen.deny             ? Action::kAllowed
                : mode == Mode::kEnforce ? Action::kDenied
                                         : Action::kWouldDeny,
      .category = chosen.is_egress ? Category::kEgress : Category::kToolInvocation,
      .rule = std::string(rule),
      .line = chosen.line,
      .operations = judged_.size(),
  };
  if (chosen.deny) {
    decision.reason_code = chosen.code;
    decision.technique = technique_of_call(chosen);
    decision.reason = reason_of(chosen, rule);
  }
  tell_trace(chosen);
  const OperationView deciding_view = operation_of(chosen);
  copy_operation(deciding_view, decision.operation);
  if (judged_.size() == 1) return decision;
  Distinct distinct(judged_.size());
  distinct.is_new(deciding_view);
  for (const Judged& one : judged_) {
    if (&one == &chosen) continue;
    const OperationView other = operation_of(one);
    if (distinct.is_new(other)) copy_operation(other, decision.others.emplace_back());
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

}  // namespace lilith::rules
