#include "shipper/heartbeat.hpp"

#include <cmath>

namespace lilith::shipper {
namespace {

std::string whole_seconds(double seconds) { return std::to_string(std::llround(seconds)); }

}  // namespace

Result<void> write_heartbeat(OwnLog& own_log, SinkReport& report,
                             std::chrono::milliseconds interval, WallTime started, WallTime now,
                             const std::string& confined) {
  using std::chrono::duration;
  const auto measured = measure_lag(report, now);
  std::string reason = "sink " + report.sink + " is " + std::string(name(report.state));
  if (!report.error.empty()) reason += ": " + report.error;
  Detail detail{{"sink", report.sink},
                {"state", std::string(name(report.state))},
                {"interval_s", whole_seconds(duration<double>(interval).count())},
                {"uptime_s", whole_seconds(duration<double>(now - started).count())},
                {"delivered_events", std::to_string(report.delivered_events)},
                {"delivered_bytes", std::to_string(report.delivered_bytes)},
                {"retried_events", std::to_string(report.retried_events)},
                {"withheld_events", std::to_string(report.withheld_events)},
                {"dead_letters", std::to_string(report.dead_letters)},
                {"errors", std::to_string(report.errors)},
                {"gaps", std::to_string(report.gaps)},
                {"confined", confined}};
  if (measured) {
    detail.emplace_back("lag_bytes", std::to_string(report.lag.bytes));
    if (report.lag.events) detail.emplace_back("lag_events", std::to_string(*report.lag.events));
    detail.emplace_back("lag_s", whole_seconds(report.lag.seconds));
  } else {
    detail.emplace_back("lag_unknown", measured.error().message);
  }
  return own_log.add(audit::EventType::kHeartbeat, audit::Action::kNone, reason, std::move(detail));
}

}  // namespace lilith::shipper
