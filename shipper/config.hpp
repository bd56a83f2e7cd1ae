#pragma once
// The shipper's configuration file (docs/shipping.md is its reference). Plain values with their
// defaults.

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::shipper {

enum class SinkType { kFile, kStdout, kSyslog };
enum class Transport { kTcp, kUdp };
enum class Framing { kOctetCounting, kNewline };  // RFC 6587 sections 3.4.1 and 3.4.2
enum class SyslogFormat {
  kRfc5424,
  kRfc3164,
  kWazuh
};  // kWazuh: the form that Wazuh's stock decoder reads

struct SinkConfig {
  std::string name;
  SinkType type = SinkType::kStdout;
  std::string path;   // file
  bool fsync = true;  // file: fdatasync before a batch counts as delivered
  std::string host;   // syslog
  int port = 514;
  Transport transport = Transport::kTcp;
  Framing framing = Framing::kOctetCounting;
  SyslogFormat format = SyslogFormat::kRfc5424;
  int facility = 13;  // log audit, RFC 5424 table 1
  std::string app_name = "lilith";
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds send_timeout{10'000};
  std::size_t datagram_bytes_max = 65'000;  // udp: RFC 5426 section 3.2, less the headers

  friend bool operator==(const SinkConfig&, const SinkConfig&) = default;
};

struct Config {
  std::vector<std::string> sources;  // log paths
  std::string state_dir;
  std::chrono::milliseconds stop_deadline{5'000};
  std::vector<SinkConfig> sinks;
};

struct ConfigProblem {
  int line = 0, column = 0;
  std::string message;
};

// Everything that is wrong with the file, at once; `config` is good when there is nothing.
struct ConfigLoad {
  Config config;
  std::vector<ConfigProblem> problems;
};
[[nodiscard]] ConfigLoad load_config(std::string_view yaml);
// The effective configuration, one setting a line.
[[nodiscard]] std::string describe(const Config& config);

}  // namespace lilith::shipper
