#pragma once
// Syslog messages around event lines: RFC 5424, RFC 3164, and the form that Wazuh's stock decoder
// reads; framing on streams by RFC 6587.

#include "shipper/config.hpp"
#include "shipper/line.hpp"
#include "shipper/sink.hpp"

#include <string>

namespace lilith::shipper {

// RFC 5424 table 2: denied 4 (warning), error 3, would_deny 5 (notice), tamper 2 (critical), the
// rest 6.
[[nodiscard]] int severity_of(const LineFields& fields);

class MessageWriter {
 public:
  explicit MessageWriter(const SinkConfig& config) : config_(config) {}
  // Appends header and body. The body itself is never changed.
  void append(std::string& out, const Line& line);
  // The same as one frame of config.framing.
  void append_frame(std::string& out, const Line& line);

 private:
  void make_header(const Line& line);
  void make_rest(const LineFields& fields);

  SinkConfig config_;
  std::string header_;
  std::string rest_;                // what stands behind the time
  std::string event_, host_, pid_;  // which it was made of: consecutive lines mostly share them
};

}  // namespace lilith::shipper
