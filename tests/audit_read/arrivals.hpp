#pragma once
// What `lilith verify --arrived` makes of some lines, and its findings in a word each.

#include "audit/base/clock.hpp"
#include "audit/read/arrival_check.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace lilith::test {

inline const WallTime kArrivalNow = *parse_time("2026-11-24T02:20:42Z");

inline audit::ArrivalReport check_lines(const std::vector<std::string>& lines,
                                        const audit::ArrivalOptions& options = {}) {
  audit::ArrivalCheck check(options);
  check.begin("in");
  std::uint64_t number = 0;
  for (const std::string& line : lines) check.line(++number, line, kArrivalNow);
  return check.report(kArrivalNow);
}

// "fault chain first-last" for each finding, "; " between.
inline std::string brief(const audit::ArrivalReport& report) {
  std::string out;
  for (const audit::ArrivalFinding& finding : report.findings) {
    if (!out.empty()) out += "; ";
    out += std::string(name(finding.fault));
    if (finding.first_seq > 0)
      out += " " + finding.chain_id + " " + std::to_string(finding.first_seq) + "-" +
             std::to_string(finding.last_seq);
    if (finding.fault == audit::ArrivalFault::kSilent) out += " " + finding.host;
  }
  return out;
}

}  // namespace lilith::test
