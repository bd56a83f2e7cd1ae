#pragma once
// The alert load of a candidate policy, before it is in force: recorded calls are decided again,
// written as the enforcer would write them, and given to the model of the SIEM's rules in order of
// time. Pure: events in, tallies out.

#include "audit/event.hpp"
#include "rules/policy.hpp"
#include "wazuh/engine.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lilith::replay {

struct AlertTally {
  std::string name;          // file name of the policy; "as recorded" for the log itself
  std::uint64_t events = 0;  // given to the rules
  std::uint64_t alerts = 0;
  std::map<int, std::uint64_t> by_level;
  std::map<int, int> level_of;  // of each rule that alerted
  std::map<int, std::uint64_t> by_rule;
  std::map<std::string, std::map<int, std::uint64_t>> by_day;  // UTC date -> rule -> alerts
};

struct AlertReport {
  std::vector<AlertTally> candidates;  // "as recorded" last, where the log holds decisions
  std::string first_day, last_day;     // UTC dates; empty when there was no event
  std::uint64_t days = 0;              // calendar days from the first to the last
  std::uint64_t days_with_events = 0;
  std::uint64_t left_out = 0;  // calls that can't be decided again, and repeats
};

// What is not forecast: events that no call causes (policy_loaded, heartbeats, egress_burst) are
// taken from the log as they are. Arrival is taken to be the event's own time: a backlog after an
// outage arrives at once and counts otherwise.
class AlertForecast {
 public:
  // `engines`: one for each candidate and one more, for the log as it was recorded.
  AlertForecast(std::vector<std::shared_ptr<const rules::Policy>> candidates,
                std::vector<wazuh::Engine> engines);
  ~AlertForecast();
  AlertForecast(const AlertForecast&) = delete;
  AlertForecast& operator=(const AlertForecast&) = delete;

  // In any order. kLimitExceeded when the rules look at whole lines and these don't fit into
  // limits::kForecastTextBytesMax.
  [[nodiscard]] Result<void> add(const audit::Event& event);
  // Once, after the last event.
  [[nodiscard]] AlertReport finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

[[nodiscard]] std::string to_text(const AlertReport& report, std::size_t top);
[[nodiscard]] std::string to_json(const AlertReport& report);  // one object, without LF

}  // namespace lilith::replay
