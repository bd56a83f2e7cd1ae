#pragma once
// What both ways of counting (Replayer over lines, Recording over events) ask of an event before
// they count it, so that they leave out the same ones.

#include "audit/event.hpp"
#include "replay/hash.hpp"
#include "replay/summary.hpp"
#include "replay/tables.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace lilith::replay {

// Whether a call was changed on its way into the log, by the event's `truncated` and `redacted`: a
// call that was cut or redacted is not the call any more.
[[nodiscard]] std::optional<Unknown> changed_call(std::string_view truncated,
                                                  std::string_view redacted);
// Why an event can't be decided again; empty when it can.
[[nodiscard]] std::string why_unknown(const audit::Event& event);

// Everything that rules::decide looks at, in one string.
void make_call_key(const audit::Event& event, std::string& key);

// Imported history of a call that a person, or the agent's own rules, refused.
[[nodiscard]] bool refused_by_person(const audit::Event& event);
inline constexpr std::string_view kOutcomeRefused = "rejected";

// An agent's own id of a call, as a hash; {} when there is none. What is hashed is put together in
// `scratch`.
[[nodiscard]] Hash128 call_id_hash(std::string_view agent, std::string_view call_id,
                                   std::string& scratch);

// Events that were counted, so that each counts once.
class Repeats {
 public:
  enum class Seen {
    kNew,
    kRepeat,  // the same event again, or history that was imported twice
    kInBoth,  // a call of the log that imported history holds as well, or the other way round
  };
  // `id` of the event and `call_id` of its call, {} when it has none. Two decisions on one call id
  // are two events: a server may number its calls anew.
  Seen see(Hash128 id, Hash128 call_id, bool imported);
  // Before a see() of the same some events later (HashTable::prefetch).
  void prefetch(Hash128 id, Hash128 call_id, bool imported) const;

 private:
  HashSet ids_;
};

}  // namespace lilith::replay
