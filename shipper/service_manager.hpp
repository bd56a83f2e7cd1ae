#pragma once
// What systemd and its like hear of a service and ask of it: the datagrams of sd_notify(3) and the
// environment of sd_watchdog_enabled(3), whose protocol is stable and made to be spoken without
// libsystemd (which brings six libraries, a tenth of an idle shipper's memory).

#include <chrono>
#include <string>

namespace lilith::shipper {

// One or more lines such as READY=1, to $NOTIFY_SOCKET; nothing happens where there is none.
void notify_service_manager(const std::string& lines);

// How often the manager must hear WATCHDOG=1 of this process; 0: not at all.
[[nodiscard]] std::chrono::microseconds watchdog_interval();

}  // namespace lilith::shipper
