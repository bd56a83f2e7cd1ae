#pragma once
// The event that says a sink is alive and how far it is behind.

#include "audit/base/clock.hpp"
#include "audit/base/result.hpp"
#include "shipper/counters.hpp"
#include "shipper/own_log.hpp"

#include <chrono>

namespace lilith::shipper {

// One `heartbeat` event in the shipper's own log, from where it is shipped like any other. Its
// `detail` (docs/shipping.md) has the sink's name, state, counts since the start, lag, and
// `confined`.
[[nodiscard]] Result<void> write_heartbeat(OwnLog& own_log, SinkReport& report,
                                           std::chrono::milliseconds interval, WallTime started,
                                           WallTime now, const std::string& confined);

}  // namespace lilith::shipper
