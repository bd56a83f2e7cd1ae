#pragma once
// The shipper's own events: a log and a chain of their own, shipped as a further source.

#include "audit/base/clock.hpp"
#include "audit/base/result.hpp"
#include "audit/event.hpp"
#include "audit/log.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace lilith::shipper {

using Detail = std::vector<std::pair<std::string, std::string>>;

class OwnLog {
 public:
  OwnLog(std::string path, std::string host, const Clock& clock);
  OwnLog(audit::LogOptions options, const Clock& clock)
      : options_(std::move(options)), clock_(clock) {}
  [[nodiscard]] const std::string& path() const { return options_.path; }

  // Any thread. Of `event` host and process are set here, as is what the appender sets.
  [[nodiscard]] Result<void> add(audit::Event event);
  // Of category health.
  [[nodiscard]] Result<void> add(audit::EventType type, audit::Action action,
                                 const std::string& reason, Detail detail);
  [[nodiscard]] Result<void> loss(const std::string& reason, Detail detail) {
    return add(audit::EventType::kShipLoss, audit::Action::kError, reason, std::move(detail));
  }

 private:
  const audit::LogOptions options_;
  const Clock& clock_;
  std::mutex mutex_;
  std::unique_ptr<audit::Appender> log_;  // guarded by mutex_
};

}  // namespace lilith::shipper
