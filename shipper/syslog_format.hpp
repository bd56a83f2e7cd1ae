#pragma once
// Syslog messages around event lines: RFC 5424, RFC 3164, and the form that Wazuh's stock decoder
// reads.

#include "shipper/config.hpp"

#include <string>
#include <string_view>

namespace lilith::shipper {

// What a header needs of an event line; views into it. Empty where the line has another layout than
// ours.
struct LineFields {
  std::string_view event, host, time, action, pid;
};
[[nodiscard]] LineFields scan_line(std::string_view line);

// RFC 5424 table 2: denied 4 (warning), error 3, would_deny 5 (notice), tamper 2 (critical), the
// rest 6.
[[nodiscard]] int severity_of(const LineFields& fields);

// Appends header and line, without framing. The line itself is never changed.
void append_message(std::string& out, std::string_view line, const SinkConfig& config);

}  // namespace lilith::shipper
