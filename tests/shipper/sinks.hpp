#pragma once
// Sinks as a configuration would name them, for tests that call the shipper as a library.

#include "shipper/config.hpp"

#include <string>

namespace lilith::shipper {

inline SinkConfig file_sink(const std::string& name, const std::string& path) {
  SinkConfig sink;
  sink.name = name;
  sink.type = SinkType::kFile;
  sink.path = path;
  return sink;
}

inline SinkConfig syslog_sink(const std::string& name, int port,
                              Transport transport = Transport::kTcp) {
  SinkConfig sink;
  sink.name = name;
  sink.type = SinkType::kSyslog;
  sink.host = "127.0.0.1";
  sink.port = port;
  sink.transport = transport;
  return sink;
}

}  // namespace lilith::shipper
