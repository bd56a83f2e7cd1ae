#pragma once
// Five egress denials of one agent process within 60 s, counted by the events' own times: what the
// SIEM's rule 100802 counts by arrival, which a late backlog misleads.

#include "audit/event.hpp"

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

namespace lilith::audit {

class BurstCounter {
 public:
  // The egress_burst event that `event` completes, without chain members; counting then begins
  // anew, as 100802 does. Call it for events that are in the log.
  [[nodiscard]] std::optional<Event> after(const Event& event);

 private:
  void forget_before(WallTime time);

  std::unordered_map<std::string, std::deque<WallTime>> denials_;  // by process_key
};

}  // namespace lilith::audit
