#include "shipper/own_log.hpp"

#include <unistd.h>

namespace lilith::shipper {

Result<void> OwnLog::add(audit::EventType type, audit::Action action, const std::string& reason,
                         Detail detail) {
  const std::scoped_lock lock(mutex_);
  if (!log_) {
    audit::LogOptions options;
    options.path = path_;
    options.host = host_;
    auto opened = audit::open_log(options, clock_);
    if (!opened) return pass_error(opened);
    log_ = std::move(*opened);
  }
  audit::Event event;
  event.type = type;
  event.category = audit::Category::kHealth;
  event.action = action;
  event.host = host_;
  event.process_pid = ::getpid();
  event.process_key = host_ + "/" + std::to_string(event.process_pid) + "/0";
  event.reason = reason;
  event.detail = std::move(detail);
  auto appended = log_->append(event);
  if (!appended) return pass_error(appended);
  return {};
}

}  // namespace lilith::shipper
