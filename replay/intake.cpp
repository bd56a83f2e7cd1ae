#include "replay/intake.hpp"

namespace lilith::replay {
namespace {

// No line begins with this byte: keys of events never meet keys of lines.
constexpr char kOfEvent = '\x01';
constexpr char kSeparator = '\x1F';
// Tells ids of calls in imported history from those of the log.
constexpr std::uint64_t kOfHistory = 0x9E3779B97F4A7C15ULL;

void append_text(std::string& key, std::string_view text) {
  key += std::to_string(text.size());
  key += text;
  key.push_back(kSeparator);
}

// Members by which a call was changed.
bool touches_call(std::string_view list) {
  return list.find("call.") != std::string_view::npos ||
         list.find("facts.") != std::string_view::npos ||
         list.find("cwd=") != std::string_view::npos;
}

Hash128 of_history(Hash128 call_id) {
  call_id.high ^= kOfHistory;
  return call_id;
}

}  // namespace

std::optional<Unknown> changed_call(std::string_view truncated, std::string_view redacted) {
  if (touches_call(truncated)) return Unknown::kCut;
  if (touches_call(redacted)) return Unknown::kRedacted;
  return std::nullopt;
}

std::string why_unknown(const audit::Event& event) {
  if (const auto why = changed_call(event.truncated, event.redacted))
    return std::string(name(*why));
  if (event.call == audit::Call{}) return std::string(name(Unknown::kNoCall));
  return {};
}

void make_call_key(const audit::Event& event, std::string& key) {
  key.assign(1, kOfEvent);
  for (const std::string_view text :
       {std::string_view(event.agent), std::string_view(event.tool), std::string_view(event.server),
        std::string_view(event.facts.user), std::string_view(event.facts.cwd),
        std::string_view(event.facts.home), audit::name(event.call.kind),
        std::string_view(event.call.command), std::string_view(event.call.arguments),
        std::string_view(event.call.undecidable)}) {
    append_text(key, text);
  }
  for (const auto* list : {&event.call.paths, &event.call.urls, &event.facts.trusted_programs}) {
    for (const std::string& text : *list) append_text(key, text);
    key.push_back(kSeparator);
  }
  for (const audit::PathFact& fact : event.facts.paths) {
    append_text(key, fact.given);
    append_text(key, fact.resolved);
    append_text(key, fact.reason);
  }
}

bool refused_by_person(const audit::Event& event) {
  if (event.type != audit::EventType::kImported) return false;
  for (const auto& [name, value] : event.detail) {
    if (name == "outcome") return value == kOutcomeRefused;
  }
  return false;
}

Hash128 call_id_hash(std::string_view agent, std::string_view call_id, std::string& text) {
  if (call_id.empty()) return {};
  text.clear();
  append_text(text, agent);
  append_text(text, call_id);
  return keyed_hash(text);
}

void Repeats::prefetch(Hash128 id, Hash128 call_id, bool imported) const {
  const bool has_call_id = call_id != Hash128{};
  if (has_call_id) {
    ids_.prefetch(call_id);
    ids_.prefetch(of_history(call_id));
  }
  if (!imported || !has_call_id) ids_.prefetch(id);
}

Repeats::Seen Repeats::see(Hash128 id, Hash128 call_id, bool imported) {
  const bool has_call_id = call_id != Hash128{};
  if (imported && has_call_id) {
    // Its own id says no more: a copy of the event has the same call id.
    if (!ids_.insert(of_history(call_id))) return Seen::kRepeat;
    return ids_.contains(call_id) ? Seen::kInBoth : Seen::kNew;
  }
  if (id != Hash128{} && !ids_.insert(id)) return Seen::kRepeat;
  if (!has_call_id) return Seen::kNew;
  ids_.insert(call_id);
  return ids_.contains(of_history(call_id)) ? Seen::kInBoth : Seen::kNew;
}

}  // namespace lilith::replay
