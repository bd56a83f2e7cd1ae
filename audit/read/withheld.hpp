#pragma once
// `withheld` events (docs/event.md): which seqs of a log a route kept from one of the shipper's
// sinks. The shipper writes them, the check of what arrived reads them.

#include "audit/event.hpp"
#include "audit/read/seq_set.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lilith::audit {

struct Withheld {
  std::string sink, host, chain_id;  // host: of the events that were withheld
  SeqSet seqs;
};

// "3-7,9,12-13", ascending. nullopt from any other text, also from one whose ranges touch.
[[nodiscard]] std::string seqs_to_text(const SeqSet& seqs);
[[nodiscard]] std::optional<SeqSet> seqs_from_text(std::string_view text);

// Events that name all of them, none longer than what a receiver of 8 KiB takes.
[[nodiscard]] std::vector<Event> withheld_events(const Withheld& withheld);
// And back; nullopt when the event is of another type, or its members do not agree: a list that was
// cut names nothing.
[[nodiscard]] std::optional<Withheld> withheld_of(const Event& event);

}  // namespace lilith::audit
