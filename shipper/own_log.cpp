#include "shipper/own_log.hpp"

#include <unistd.h>

namespace lilith::shipper {

OwnLog::OwnLog(std::string path, std::string host, const Clock& clock)
    : OwnLog({.path = std::move(path), .host = std::move(host)}, clock) {}

Result<void> OwnLog::add(audit::EventType type, audit::Action action, const std::string& reason,
                         Detail detail) {
  audit::Event event;
  event.type = type;
  event.category = audit::Category::kHealth;
  event.action = action;
  event.reason = reason;
  event.detail = std::move(detail);
  return add(std::move(event));
}

Result<void> OwnLog::add(audit::Event event) {
  const std::scoped_lock lock(mutex_);
  if (!log_) {
    auto opened = audit::open_log(options_, clock_);
    if (!opened) return pass_error(opened);
    log_ = std::move(*opened);
  }
  event.host = options_.host;
  event.process_pid = ::getpid();
  event.process_key = options_.host + "/" + std::to_string(event.process_pid) + "/0";
  auto appended = log_->append(event);
  if (!appended) return pass_error(appended);
  return {};
}

}  // namespace lilith::shipper
