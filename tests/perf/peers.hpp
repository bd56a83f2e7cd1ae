#pragma once
// Other shippers in the benchmarks: rsyslog and syslog-ng from Debian, tuned as their manuals say,
// reading the same file from its beginning.

#include <map>
#include <string>
#include <vector>

namespace lilith::test {

struct PeerProgram {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment{};
};

// Whether rsyslog is installed with these modules; whether syslog-ng is in build/syslog-ng
// (scripts/setup unpacks it there) with its module lib`module`.so.
[[nodiscard]] bool has_rsyslog(const std::vector<std::string>& modules);
[[nodiscard]] bool has_syslog_ng(const std::string& module);

// rsyslogd with its state in the directory `work`: each line of `log` goes through `actions` of
// RainerScript; `modules` and templates are defined in `definitions`.
[[nodiscard]] PeerProgram rsyslog(const std::string& work, const std::string& log,
                                  const std::string& definitions, const std::string& actions);

// syslog-ng with its state in the directory `work`: the lines of `log` are the source s, `rest` are
// the other statements but for the options.
[[nodiscard]] PeerProgram syslog_ng(const std::string& work, const std::string& log,
                                    const std::string& rest);

// CPU time of the children that have ended and were waited for, in seconds.
[[nodiscard]] double children_cpu();

}  // namespace lilith::test
