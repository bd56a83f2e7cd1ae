#pragma once
// Where things stand in state_dir.

#include "shipper/config.hpp"

#include <string>
#include <vector>

namespace lilith::shipper {

[[nodiscard]] inline std::string own_log_path(const std::string& state_dir) {
  return state_dir + "/lilith-ship.log";
}
// A running shipper tells of itself there, by HTTP.
[[nodiscard]] inline std::string status_socket_path(const std::string& state_dir) {
  return state_dir + "/status.sock";
}
inline constexpr const char* kStatusPath = "/status";

// The logs that are followed: those configured, and the shipper's own.
[[nodiscard]] inline std::vector<std::string> all_sources(const Config& config) {
  std::vector<std::string> sources = config.sources;
  sources.push_back(own_log_path(config.state_dir));
  return sources;
}

}  // namespace lilith::shipper
