#include "audit/burst.hpp"

#include "audit/base/limits.hpp"
#include "audit/follow_up.hpp"

namespace lilith::audit {

void BurstCounter::forget_before(WallTime time) {
  std::erase_if(denials_, [&](const auto& row) { return row.second.back() < time; });
}

std::optional<Event> BurstCounter::after(const Event& event) {
  if (event.type != EventType::kDecision || event.action != Action::kDenied ||
      event.category != Category::kEgress || event.process_key.empty()) {
    return std::nullopt;
  }
  const WallTime from = event.time - limits::kBurstSpan;
  if (denials_.size() >= limits::kBurstProcessesMax) forget_before(from);
  // Still full: that many processes in a minute are an attack on this table; the SIEM counts, too.
  if (denials_.size() >= limits::kBurstProcessesMax && !denials_.contains(event.process_key)) {
    return std::nullopt;
  }
  std::deque<WallTime>& times = denials_[event.process_key];
  while (!times.empty() && times.front() < from) times.pop_front();
  times.push_back(event.time);
  if (times.size() < limits::kBurstDenials) return std::nullopt;
  denials_.erase(event.process_key);

  Event burst = follow_up(event, EventType::kEgressBurst, Category::kEgress);
  burst.action = Action::kNone;
  burst.technique = event.technique;
  burst.reason = std::to_string(limits::kBurstDenials) + " egress denials of one process in " +
                 std::to_string(limits::kBurstSpan.count()) + " s";
  burst.detail = {{"count", std::to_string(limits::kBurstDenials)},
                  {"last_host", event.operation.host}};
  return burst;
}

}  // namespace lilith::audit
