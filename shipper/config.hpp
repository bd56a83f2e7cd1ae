#pragma once
// The shipper's configuration file (docs/shipping.md is its reference). Plain values with their
// defaults.

#include "shipper/route.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::shipper {

enum class SinkType { kFile, kStdout, kSyslog, kKafka, kHttp, kWazuh };
enum class Transport { kTcp, kUdp, kRelp };
enum class Framing { kOctetCounting, kNewline };  // RFC 6587 sections 3.4.1 and 3.4.2
enum class SyslogFormat {
  kRfc5424,
  kRfc3164,
  kWazuh
};  // kWazuh: the form that Wazuh's stock decoder reads
enum class HttpApi { kElasticsearch, kSplunkHec, kNdjson };
enum class Form { kNative, kEcs, kOcsf };  // of an event at the receiver; docs/mappings.md

// Files are PEM. Empty ca: the system's authorities. Empty server_name: the peer's host.
struct TlsConfig {
  bool on = false;
  std::string ca, certificate, key, server_name;
  bool verify = true;

  friend bool operator==(const TlsConfig&, const TlsConfig&) = default;
};

// Read from a file or the environment when the configuration is; never printed.
struct Secret {
  std::string value;
  std::string origin;  // for people: "file /x" or "environment X"

  friend bool operator==(const Secret&, const Secret&) = default;
};

struct SinkConfig {
  std::string name;
  SinkType type = SinkType::kStdout;
  Form form = Form::kNative;
  Route route;
  std::string path;   // file, wazuh (its queue socket)
  bool fsync = true;  // file: fdatasync before a batch counts as delivered
  std::string host;   // syslog
  int port = 514;
  Transport transport = Transport::kTcp;
  Framing framing = Framing::kOctetCounting;
  SyslogFormat format = SyslogFormat::kRfc5424;
  int facility = 13;  // log audit, RFC 5424 table 1
  std::string app_name = "lilith";
  TlsConfig tls;  // syslog tcp and relp, kafka, http, wazuh with a url
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds send_timeout{10'000};
  // tcp: what a receiver's kernel may hold unread (its tcp_rmem); given again after a reset.
  std::size_t resend_bytes = std::size_t{6} * 1024 * 1024;
  std::size_t datagram_bytes_max = 65'000;  // udp: RFC 5426 section 3.2, less the headers

  std::string brokers, topic;  // kafka
  std::string compression = "lz4";
  std::chrono::milliseconds linger{5};
  std::size_t message_bytes_max = 1'000'000;
  std::string sasl_mechanism;  // empty: none

  std::string url;  // http, wazuh (its server API, instead of path)
  HttpApi api = HttpApi::kNdjson;
  std::string index;
  std::size_t request_bytes_max = std::size_t{4} * 1024 * 1024;

  std::string username;  // kafka (SASL), http (basic), wazuh with a url
  Secret password, token;
  std::string location = "lilith";       // wazuh with a path
  std::size_t requests_per_minute = 30;  // wazuh with a url: what the API allows all its users

  friend bool operator==(const SinkConfig&, const SinkConfig&) = default;
};

// Whether the shipper gives up what it does not need (shipper/confinement.hpp).
enum class Confine {
  kAuto,     // as far as the kernel can and every sink's directory is there
  kRequire,  // or it does not start
  kOff,
};

// Where metrics and health are served; no host: nowhere.
struct ListenConfig {
  std::string host;
  int port = 0;

  friend bool operator==(const ListenConfig&, const ListenConfig&) = default;
};

struct Config {
  std::vector<std::string> sources;  // log paths
  std::string state_dir;
  std::chrono::milliseconds stop_deadline{5'000};
  std::chrono::milliseconds heartbeat{300'000};  // between heartbeats; 0: none
  ListenConfig listen;
  Confine confine = Confine::kAuto;
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
