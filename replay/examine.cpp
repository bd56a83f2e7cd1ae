#include "replay/examine.hpp"

#include "audit/base/limits.hpp"
#include "audit/codec.hpp"
#include "audit/codec_view.hpp"
#include "replay/intake.hpp"

namespace lilith::replay {
namespace {

using audit::Event;
using audit::EventType;
using audit::LineView;

// No text of a line has a bare quote in it, so that a quote ends each.
constexpr char kQuote = '"';

void append(std::string& key, std::string_view text, char end) {
  key += text;
  key.push_back(end);
}

// Everything that rules::decide looks at, as it stands in the line. Two spellings of one call are
// two keys, which get the same verdicts.
void make_key(const LineView& view, std::string& key) {
  key.clear();
  for (const std::string_view text : {view.agent, view.tool, view.server, view.user, view.cwd}) {
    append(key, text, kQuote);
  }
  key += view.call;
  key += view.facts;
}

}  // namespace

void Batch::clear() {
  events.clear();
  decided.clear();
  faults.clear();
  texts.clear();
  lines = 0;
}

struct Examiner::Impl {
  std::vector<std::shared_ptr<const rules::Policy>> policies;
  const HashTable* known = nullptr;
  HashSet met;  // decided here, and perhaps not known yet
  audit::Decoder decoder;
  LineView view;
  Event event;
  std::string key, scratch;

  bool is_new(Hash128 hash) {
    if (known != nullptr && known->find(hash) != HashTable::kNone) return false;
    if (met.size() >= limits::kReplayExaminerCallsMax) met.clear();
    return met.insert(hash);
  }
  // A text that outlives the line's decoding.
  std::string_view kept(std::string_view raw, Batch& out) {
    if (!view.escaped || raw.find('\\') == std::string_view::npos) {
      return audit::text_of(view, raw, scratch);  // a part of `raw`
    }
    return out.texts.emplace_back(audit::text_of(view, raw, scratch));
  }
  void decide(const Event& of, Hash128 hash, Batch& out) const;
  void view_of_line(Batch& out);
};

void Examiner::Impl::decide(const Event& of, Hash128 hash, Batch& out) const {
  DecidedCall& call = out.decided.emplace_back();
  call.key = hash;
  call.tool = of.tool;
  call.user = of.facts.user;
  call.no_call = of.call == audit::Call{};
  if (call.no_call) return;
  const rules::CallAnalysis analysis = rules::analyse(of.call);
  for (const auto& policy : policies) {
    const rules::Decision decision =
        rules::decide(*policy, {of.agent, of.tool, of.server}, analysis, of.facts);
    auto& verdict = call.verdicts.emplace_back();
    verdict.deny = decision.verdict == audit::Verdict::kDeny;
    verdict.blocks = decision.action == audit::Action::kDenied;
    verdict.rule = decision.rule;
    if (verdict.deny) verdict.target = audit::describe(decision.operation);
  }
}

void Examiner::Impl::view_of_line(Batch& out) {
  Observation& one = out.events.emplace_back();
  one.time = view.time;
  one.seq = view.seq;
  one.chain = kept(view.chain_id, out);
  one.host = kept(view.host, out);
  one.imported = view.type == EventType::kImported;
  if (view.type != EventType::kDecision && !one.imported) return;
  one.id_text = kept(view.id, out);
  if (!one.id_text.empty()) one.id = keyed_hash(one.id_text);
  if (!view.call_id.empty()) {
    const std::string_view agent = kept(view.agent, out);
    one.call_id = call_id_hash(agent, kept(view.call_id, out), key);
  }
  one.was_denied = !one.imported && view.decision == audit::Verdict::kDeny;
  if (one.imported && audit::detail_of(view, "outcome", scratch) == kOutcomeRefused) {
    one.kind = Observation::Kind::kRefused;
    return;
  }
  one.user = kept(view.user, out);
  one.kind = Observation::Kind::kUnknown;
  if (!view.truncated.empty() || !view.redacted.empty()) {
    std::string other;
    if (const auto why = changed_call(audit::text_of(view, view.truncated, scratch),
                                      audit::text_of(view, view.redacted, other))) {
      one.why = *why;
      return;
    }
  }
  if (view.call.empty()) return;
  one.kind = Observation::Kind::kCall;
  make_key(view, key);
  one.key = keyed_hash(key);
  if (!is_new(one.key)) return;
  audit::to_event(view, event);
  decide(event, one.key, out);
}

Examiner::Examiner(std::vector<std::shared_ptr<const rules::Policy>> candidates,
                   const HashTable* known)
    : impl_(std::make_unique<Impl>()) {
  impl_->policies = std::move(candidates);
  impl_->known = known;
}
Examiner::~Examiner() = default;
Examiner::Examiner(Examiner&&) noexcept = default;

void Examiner::line(std::string_view line, Batch& out) {
  if (audit::view_line(line, impl_->view)) {
    impl_->view_of_line(out);
  } else if (auto read = impl_->decoder.decode(line, impl_->event); read) {
    event(impl_->event, out);
  } else {
    out.faults.push_back({out.lines, read.error().message});
  }
  ++out.lines;
}

void Examiner::event(const Event& event, Batch& out) {
  Observation& one = out.events.emplace_back();
  const auto keep = [&out](const std::string& text) -> std::string_view {
    return out.texts.emplace_back(text);
  };
  one.time = event.time;
  one.seq = event.seq;
  one.chain = keep(event.chain_id);
  one.host = keep(event.host);
  one.imported = event.type == EventType::kImported;
  if (event.type != EventType::kDecision && !one.imported) return;
  one.id_text = keep(event.id);
  if (!event.id.empty()) one.id = keyed_hash(event.id);
  one.call_id = call_id_hash(event.agent, event.call_id, impl_->key);
  one.was_denied = !one.imported && event.decision == audit::Verdict::kDeny;
  if (refused_by_person(event)) {
    one.kind = Observation::Kind::kRefused;
    return;
  }
  one.user = keep(event.facts.user);
  one.kind = Observation::Kind::kUnknown;
  if (const auto why = changed_call(event.truncated, event.redacted)) {
    one.why = *why;
    return;
  }
  if (event.call == audit::Call{}) return;
  one.kind = Observation::Kind::kCall;
  make_call_key(event, impl_->key);
  one.key = keyed_hash(impl_->key);
  if (impl_->is_new(one.key)) impl_->decide(event, one.key, out);
}

}  // namespace lilith::replay
