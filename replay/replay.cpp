#include "replay/replay.hpp"

#include "replay/intake.hpp"

#include <algorithm>

namespace lilith::replay {
namespace {

using audit::Event;
using audit::EventType;

constexpr std::size_t kFidelityExamplesMax = 20;
// Events between asking the memory for a place of a table and looking at it: some 100 ns.
constexpr std::size_t kPrefetchAhead = 4;
// In place of a class: there is nothing to decide, and the events are unknown.
constexpr std::uint32_t kNoCallClass = HashTable::kNone - 1;

std::vector<Candidate> names_of(const Candidates& candidates) {
  std::vector<Candidate> out;
  for (const auto& policy : candidates) out.push_back({policy->file_name(), policy->sha256()});
  return out;
}

}  // namespace

struct Replayer::Impl {
  explicit Impl(const Candidates& candidates) : summary(names_of(candidates)) {}

  Summary summary;
  HashTable classes;  // by key of the call
  Repeats repeats;
  // Of the event before: most events repeat them.
  std::string chain, host, user;
  SeqRanges* chain_seqs = nullptr;
  HostSeen* host_seen = nullptr;
  std::uint32_t host_text = 0;
  bool user_known = false;
  const ChainSeqs* earlier = nullptr;
  const SeqRanges* earlier_seqs = nullptr;  // of `chain`

  void learn(const DecidedCall& call);
  // Whether the event was counted before, in another summary.
  bool place(const Observation& one);
  void count(const Observation& one);
  void unknown(Unknown why) { ++summary.quality.unknown[static_cast<std::size_t>(why)]; }
};

void Replayer::Impl::learn(const DecidedCall& call) {
  if (classes.find(call.key) != HashTable::kNone) return;
  if (call.no_call) {
    classes.insert(call.key, kNoCallClass);
    return;
  }
  std::vector<Verdict> verdicts;
  for (const DecidedCall::One& one : call.verdicts) {
    verdicts.push_back({one.deny, one.blocks, summary.text(one.rule), summary.text(one.target)});
  }
  classes.insert(call.key, summary.class_of(call.tool, call.user, verdicts));
}

// Which log it is of and which host, for what is said of the input.
bool Replayer::Impl::place(const Observation& one) {
  if (one.chain != chain || chain_seqs == nullptr) {
    chain = one.chain;
    chain_seqs = &summary.chains[chain];
    const auto before = earlier == nullptr ? ChainSeqs::const_iterator() : earlier->find(chain);
    earlier_seqs = earlier == nullptr || before == earlier->end() ? nullptr : &before->second;
  }
  const bool again = one.seq > 0 && earlier_seqs != nullptr && earlier_seqs->contains(one.seq);
  if (one.seq > 0 && !again) chain_seqs->add(one.seq);
  if (one.host != host || host_seen == nullptr) {
    host = one.host;
    host_text = summary.text(host);
    host_seen = &summary.hosts.try_emplace(host, HostSeen{one.time, one.time, false}).first->second;
  }
  host_seen->first = std::min(host_seen->first, one.time);
  host_seen->last = std::max(host_seen->last, one.time);
  return again;
}

void Replayer::Impl::count(const Observation& one) {
  Quality& quality = summary.quality;
  ++quality.events;
  const bool again = place(one);
  if (one.kind == Observation::Kind::kOther) {
    ++quality.other_events;
    return;
  }
  if (again) {
    ++quality.duplicates;
    return;
  }
  switch (repeats.see(one.id, one.call_id, one.imported)) {
    case Repeats::Seen::kNew:
      break;
    case Repeats::Seen::kRepeat:
      ++quality.duplicates;
      return;
    case Repeats::Seen::kInBoth:
      ++quality.in_both;
      return;
  }
  if (one.kind == Observation::Kind::kRefused) {
    ++quality.refused_by_person;
    return;
  }
  const bool is_first = quality.decided + quality.unknown_in_all() == 0;
  quality.first = is_first ? one.time : std::min(quality.first, one.time);
  quality.last = is_first ? one.time : std::max(quality.last, one.time);
  host_seen->calls = true;
  if (!user_known || one.user != user) {
    user = one.user;
    user_known = true;
    summary.users.insert(user);
  }
  if (one.kind == Observation::Kind::kUnknown) return unknown(one.why);
  const std::uint32_t call_class = classes.find(one.key);
  if (call_class == kNoCallClass) return unknown(Unknown::kNoCall);
  ++quality.decided;
  if (one.imported) ++quality.imported;
  // Imported history was done, so that it counts as allowed in fact.
  summary.count(call_class, host_text, one.was_denied, 1, one.time, one.time, one.id_text);
}

Replayer::Replayer(const Candidates& candidates) : impl_(std::make_unique<Impl>(candidates)) {}
Replayer::~Replayer() = default;

void Replayer::counted_before(const ChainSeqs* earlier) { impl_->earlier = earlier; }

void Replayer::add(const Batch& batch) {
  for (const DecidedCall& call : batch.decided) impl_->learn(call);
  for (std::size_t i = 0; i < batch.events.size(); ++i) {
    if (i + kPrefetchAhead < batch.events.size()) {
      const Observation& later = batch.events[i + kPrefetchAhead];
      impl_->repeats.prefetch(later.id, later.call_id, later.imported);
    }
    impl_->count(batch.events[i]);
  }
}

const HashTable& Replayer::known() const { return impl_->classes; }
const Summary& Replayer::summary() const { return impl_->summary; }
Summary& Replayer::summary() { return impl_->summary; }

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
