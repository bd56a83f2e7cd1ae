#pragma once
// The shipper: one thread per sink, each with its own cursors in the logs, so that a sink that is
// down never stops another. The log is the buffer: nothing is queued, nothing is dropped.
// Checkpoints follow delivery.

#include "audit/base/clock.hpp"
#include "audit/base/result.hpp"
#include "shipper/config.hpp"
#include "shipper/confinement.hpp"
#include "shipper/counters.hpp"

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

namespace lilith::shipper {

struct ShipOptions {
  bool once = false;  // deliver what is there now, then return
  std::chrono::milliseconds once_timeout{60'000};
  std::string host;                             // for the shipper's own events
  std::function<void(const std::string&)> say;  // one line for the operator; called from any thread
  // An eventfd(2) that asks for the configuration to be read again by `load`; -1 for none. When
  // that fails, or the new one cannot be used, it says why and goes on as before.
  int reload_fd = -1;
  std::function<Result<Config>()> load;
  // State changes as lines of sd_notify(3), for the service manager.
  std::function<void(const std::string&)> notify;
  std::chrono::microseconds watchdog{0};  // how often the manager must hear of us; 0: not
  Confinement confinement;                // what holds already
};

enum class ShipResult {
  kDone,        // stopped as asked, or everything delivered (once)
  kIncomplete,  // once: a sink could not take everything in time
  kFailed,      // a sink failed for good
};

// Runs until `stop` is requested (then delivers what is there, at most for config.stop_deadline),
// or until everything is delivered. Holds a lock on config.state_dir; kUnavailable when another
// shipper has it.
[[nodiscard]] Result<ShipResult> ship(const Config& config, const ShipOptions& options,
                                      const std::stop_token& stop,
                                      const Clock& clock = system_clock());

// Of the shipper that runs with this state_dir, asked through its socket there; where there is
// none, from the checkpoints, without counts.
[[nodiscard]] Result<ShipReport> status(const Config& config, const Clock& clock = system_clock());

}  // namespace lilith::shipper
