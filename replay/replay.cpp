#include "replay/replay.hpp"

#include "audit/base/limits.hpp"

#include <algorithm>
#include <unordered_set>

namespace lilith::replay {
namespace {

using audit::Event;
using audit::EventType;

constexpr std::size_t kFidelityExamplesMax = 20;
constexpr char kSeparator = '\x1F';

void append(std::string& key, std::string_view text) {
  key += text;
  key.push_back(kSeparator);
}

// Everything that rules::decide looks at, in one string.
void make_key(const Event& event, std::string& key) {
  key.clear();
  append(key, event.agent);
  append(key, event.tool);
  append(key, event.server);
  append(key, audit::name(event.call.kind));
  append(key, event.call.command);
  append(key, event.call.arguments);
  append(key, event.call.undecidable);
  for (const std::string& path : event.call.paths) append(key, path);
  key.push_back(kSeparator);
  for (const std::string& url : event.call.urls) append(key, url);
  key.push_back(kSeparator);
  append(key, event.facts.user);
  append(key, event.facts.home);
  append(key, event.facts.cwd);
  for (const audit::PathFact& fact : event.facts.paths) {
    append(key, fact.given);
    append(key, fact.resolved);
    append(key, fact.reason);
  }
  key.push_back(kSeparator);
  for (const std::string& program : event.facts.trusted_programs) append(key, program);
}

std::string detail_of(const Event& event, std::string_view key) {
  for (const auto& [name, value] : event.detail) {
    if (name == key) return value;
  }
  return {};
}

struct NameHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};

}  // namespace

std::string_view name(Change change) {
  switch (change) {
    case Change::kUnchanged:
      return "unchanged";
    case Change::kNewlyDenied:
      return "newly_denied";
    case Change::kNewlyAllowed:
      return "newly_allowed";
    case Change::kUnknown:
      break;
  }
  return "unknown";
}

std::string_view name(By by) {
  switch (by) {
    case By::kRule:
      return "rule";
    case By::kTool:
      return "tool";
    case By::kTarget:
      return "target";
    case By::kHost:
      return "host";
    case By::kUser:
      break;
  }
  return "user";
}

std::string why_unknown(const Event& event) {
  const auto touches_call = [](const std::string& list) {
    return list.find("call.") != std::string::npos || list.find("facts.") != std::string::npos ||
           list.find("cwd=") != std::string::npos;
  };
  if (touches_call(event.truncated)) return "the call was cut to fit";
  if (touches_call(event.redacted)) return "the call was redacted";
  if (event.call == audit::Call{}) return "the event carries no call";
  return {};
}

struct Replayer::Verdict {
  bool deny = false;
  bool blocks = false;
  std::string rule, target;
  // Where a newly denied event is counted, found once: references into unordered_map stay good.
  std::array<Group*, kGroupings> groups{};
};

struct Replayer::Memo {
  std::unordered_map<std::string, std::vector<Verdict>, NameHash, std::equal_to<>> verdicts;
  std::unordered_map<std::string, std::uint32_t, NameHash, std::equal_to<>> names;
  std::unordered_set<std::string> ids;
  std::string key;
};

Replayer::Replayer(std::vector<std::shared_ptr<const rules::Policy>> candidates)
    : policies_(std::move(candidates)), memo_(std::make_unique<Memo>()) {
  for (const auto& policy : policies_) {
    CandidateTally tally;
    tally.name = policy->file_name();
    tally.sha256 = policy->sha256();
    tallies_.push_back(std::move(tally));
  }
}

Replayer::~Replayer() = default;

std::uint32_t Replayer::id_of(std::string_view name) {
  const auto found = memo_->names.find(name);
  if (found != memo_->names.end()) return found->second;
  const auto id = static_cast<std::uint32_t>(memo_->names.size());
  memo_->names.emplace(name, id);
  return id;
}

void Replayer::add(const Event& event) {
  ++quality_.events;
  const bool imported = event.type == EventType::kImported;
  if (event.type != EventType::kDecision && !imported) {
    ++quality_.other_events;
    return;
  }
  if (!event.id.empty() && !memo_->ids.insert(event.id).second) {
    ++quality_.duplicates;
    return;
  }
  if (imported && detail_of(event, "outcome") == "rejected") {
    ++quality_.refused_by_person;
    return;
  }
  quality_.first =
      quality_.decided + quality_.unknown == 0 ? event.time : std::min(quality_.first, event.time);
  quality_.last = std::max(quality_.last, event.time);
  const std::uint32_t host = id_of(event.host), user = id_of(event.facts.user);
  if (host != host_ || user != user_ || quality_.hosts.empty()) {
    quality_.hosts.insert(host);
    quality_.users.insert(user);
  }
  host_ = host;
  user_ = user;
  if (const std::string why = why_unknown(event); !why.empty()) {
    ++quality_.unknown;
    ++quality_.unknown_why[why];
    for (CandidateTally& tally : tallies_) ++tally.changes[Change::kUnknown];
    return;
  }
  ++quality_.decided;
  if (imported) ++quality_.imported;
  make_key(event, memo_->key);
  const auto known = memo_->verdicts.find(memo_->key);
  if (known != memo_->verdicts.end()) return count(event, known->second);
  if (memo_->verdicts.size() >= limits::kReplayMemoMax) memo_->verdicts.clear();
  const rules::CallAnalysis analysis = rules::analyse(event.call);
  const rules::Caller caller{event.agent, event.tool, event.server};
  std::vector<Verdict> verdicts;
  for (const auto& policy : policies_) {
    const rules::Decision decision = rules::decide(*policy, caller, analysis, event.facts);
    Verdict verdict;
    verdict.deny = decision.verdict == audit::Verdict::kDeny;
    verdict.blocks = decision.action == audit::Action::kDenied;
    verdict.rule = decision.rule;
    if (verdict.deny) verdict.target = audit::describe(decision.operation);
    verdicts.push_back(std::move(verdict));
  }
  count(event, memo_->verdicts.emplace(memo_->key, std::move(verdicts)).first->second);
}

void Replayer::count(const Event& event, std::vector<Verdict>& verdicts) {
  // Imported history was done, so that it counts as allowed in fact.
  const bool was_denied =
      event.type == EventType::kDecision && event.decision == audit::Verdict::kDeny;
  const auto tally_group = [&](Group& group, bool blocks) {
    if (group.events++ == 0) {
      group.first = event.time;
      group.example = event.id;
    }
    if (blocks) ++group.blocked;
    group.first = std::min(group.first, event.time);
    group.last = std::max(group.last, event.time);
    if (group.last_host != host_) group.hosts.insert(group.last_host = host_);
    if (group.last_user != user_) group.users.insert(group.last_user = user_);
  };
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    CandidateTally& tally = tallies_[i];
    Verdict& verdict = verdicts[i];
    ++(verdict.deny ? tally.denied : tally.allowed);
    const Change change = verdict.deny == was_denied ? Change::kUnchanged
                          : verdict.deny             ? Change::kNewlyDenied
                                                     : Change::kNewlyAllowed;
    ++tally.changes[change];
    if (change == Change::kNewlyAllowed) {
      tally_group(tally.newly_allowed_by_rule[verdict.rule], false);
    }
    if (change != Change::kNewlyDenied) continue;
    if (verdict.blocks) ++tally.blocked;
    // Rule, tool, target and user are the same for every event with this verdict; the host is not.
    if (verdict.groups[0] == nullptr) {
      const std::array<const std::string*, kGroupings> keys{
          &verdict.rule, &event.tool, &verdict.target, &event.host, &event.facts.user};
      for (std::size_t by = 0; by < kGroupings; ++by) {
        verdict.groups[by] = &tally.newly_denied[by][*keys[by]];
      }
    }
    constexpr auto kHost = static_cast<std::size_t>(By::kHost);
    for (std::size_t by = 0; by < kGroupings; ++by) {
      tally_group(by == kHost ? tally.newly_denied[by][event.host] : *verdict.groups[by],
                  verdict.blocks);
    }
  }
}

void check_fidelity(const rules::Policy& policy, const Event& event, Fidelity& out) {
  if (event.type != EventType::kDecision || !why_unknown(event).empty() ||
      event.decision == audit::Verdict::kNone) {
    ++out.left_out;
    return;
  }
  if (event.policy_sha256 != policy.sha256()) {
    ++out.other_policy;
    return;
  }
  ++out.compared;
  const rules::CallAnalysis analysis = rules::analyse(event.call);
  const rules::Decision now =
      rules::decide(policy, {event.agent, event.tool, event.server}, analysis, event.facts);
  if (now.verdict == event.decision && now.rule == event.rule) return;
  ++out.disagreements;
  if (out.examples.size() < kFidelityExamplesMax) {
    out.examples.push_back({event.id, std::string(audit::name(event.decision)),
                            std::string(audit::name(now.verdict)), event.rule, now.rule});
  }
}

}  // namespace lilith::replay
