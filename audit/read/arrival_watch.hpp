#pragma once
// What is new in the findings of a check that goes on: each is raised once, as an event of a log
// that is also the memory of what was raised.

#include "audit/event.hpp"
#include "audit/read/arrival_check.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lilith::audit {

// The `integrity` event that says it: tamper where evidence was changed, ship_loss where it is not
// there. `host` is where the check runs.
[[nodiscard]] Event event_of(const ArrivalFinding& finding, const std::string& host);
// And back, as far as it takes to know it again; nullopt for any other event.
[[nodiscard]] std::optional<ArrivalFinding> finding_of(const Event& event);

// The time by which gaps and silence are judged. While nothing can arrive (`blind`: the brokers are
// away) it stands still, and when they are back until `catch_up` has passed: shippers deliver what
// they kept, and none of it is missing or silent only because nobody could send it.
class WatchClock {
 public:
  explicit WatchClock(std::chrono::seconds catch_up) : catch_up_(catch_up) {}
  [[nodiscard]] WallTime judged(WallTime now, bool blind);

 private:
  std::chrono::seconds catch_up_;
  std::optional<WallTime> seen_;     // when it was last asked and not blind
  std::optional<WallTime> stopped_;  // where it stands
  std::optional<WallTime> back_;     // when the blindness ended
};

class ArrivalWatch {
 public:
  // A gap is raised when it stayed open longer than `gap_limit`: late events are no loss.
  explicit ArrivalWatch(std::chrono::seconds gap_limit) : gap_limit_(gap_limit) {}

  // Was raised before.
  void know(const ArrivalFinding& finding);
  // All that the log at `path` and its rotated files hold. Nothing where there is no log.
  [[nodiscard]] Result<void> know_log(const std::string& path);

  // Findings of `report` that were not raised before, by its time `judged`. A range that grew comes
  // again, whole; a host that spoke and fell silent again, too. What the report counts and does not
  // name is one finding without a place, again when it has doubled.
  [[nodiscard]] std::vector<ArrivalFinding> news(const ArrivalReport& report);

 private:
  using Ranges = std::map<std::uint64_t, std::uint64_t>;                  // first -> last
  using Raised = std::map<std::pair<std::string, ArrivalFault>, Ranges>;  // by chain, or host
  [[nodiscard]] bool is_raised(const ArrivalFinding& finding) const;
  [[nodiscard]] bool is_new_place(const std::string& place);

  std::chrono::seconds gap_limit_;
  Raised raised_;
  std::map<std::string, WallTime> silent_;           // host -> its newest event
  std::map<std::string, std::uint64_t> unreadable_;  // source -> its last line that was raised
  std::uint64_t unnamed_ = 0;
};

}  // namespace lilith::audit
