#include "shipper/config.hpp"

#include "audit/base/file.hpp"
#include "audit/base/text.hpp"
#include "audit/event.hpp"
#include "audit/yaml/tree.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <set>
#include <span>

namespace lilith::shipper {
namespace {

using yaml::Node;
using Kind = yaml::Node::Kind;

constexpr std::array<std::string_view, 8> kTopKeys{"version",          "sources",     "state_dir",
                                                   "stop_deadline_ms", "heartbeat_s", "listen",
                                                   "confine",          "sinks"};
constexpr std::array<std::pair<std::string_view, Confine>, 3> kConfines{
    {{"auto", Confine::kAuto}, {"require", Confine::kRequire}, {"off", Confine::kOff}}};
constexpr std::string_view kLoopback = "127.0.0.1";
constexpr std::array<std::pair<std::string_view, SinkType>, 6> kTypes{
    {{"file", SinkType::kFile},
     {"stdout", SinkType::kStdout},
     {"syslog", SinkType::kSyslog},
     {"kafka", SinkType::kKafka},
     {"http", SinkType::kHttp},
     {"wazuh", SinkType::kWazuh}}};
constexpr std::array<std::pair<std::string_view, Form>, 3> kForms{
    {{"native", Form::kNative}, {"ecs", Form::kEcs}, {"ocsf", Form::kOcsf}}};
constexpr std::array<std::pair<std::string_view, HttpApi>, 3> kApis{
    {{"elasticsearch", HttpApi::kElasticsearch},
     {"splunk-hec", HttpApi::kSplunkHec},
     {"ndjson", HttpApi::kNdjson}}};
constexpr std::array<std::string_view, 5> kTlsKeys{"ca", "certificate", "key", "server_name",
                                                   "verify"};
constexpr std::array<std::string_view, 2> kSecretKeys{"file", "env"};
constexpr std::array<std::string_view, 3> kSaslKeys{"mechanism", "username", "password"};
constexpr std::array<std::string_view, 5> kCompressions{"none", "lz4", "zstd", "gzip", "snappy"};
constexpr std::array<std::string_view, 3> kMechanisms{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};

constexpr std::array<std::string_view, 3> kMatchKeys{"category", "action", "agent"};
constexpr std::uint64_t kSampleMax = 1'000'000;
constexpr std::uint64_t kRequestsPerMinuteMax = 100'000;
// Keys that one of the two ways to a Wazuh has and the other has not.
constexpr std::array<std::string_view, 2> kQueueKeys{"path", "location"};
constexpr std::array<std::string_view, 5> kApiKeys{"username", "password", "tls",
                                                   "connect_timeout_ms", "requests_per_minute"};

// Which keys a sink of which type has, besides those that all have.
struct SinkKey {
  std::string_view key;
  std::string_view types;  // their words, with a blank around each
};
constexpr std::array kSinkKeys{
    SinkKey{"path", " file wazuh "},
    SinkKey{"fsync", " file "},
    SinkKey{"address", " syslog "},
    SinkKey{"transport", " syslog "},
    SinkKey{"framing", " syslog "},
    SinkKey{"format", " syslog "},
    SinkKey{"facility", " syslog "},
    SinkKey{"app_name", " syslog http "},
    SinkKey{"resend_bytes", " syslog "},
    SinkKey{"tls", " syslog kafka http wazuh "},
    SinkKey{"connect_timeout_ms", " syslog kafka http wazuh "},
    SinkKey{"send_timeout_ms", " syslog http wazuh "},
    SinkKey{"brokers", " kafka "},
    SinkKey{"topic", " kafka "},
    SinkKey{"compression", " kafka "},
    SinkKey{"linger_ms", " kafka "},
    SinkKey{"message_bytes_max", " kafka "},
    SinkKey{"sasl", " kafka "},
    SinkKey{"url", " http wazuh "},
    SinkKey{"api", " http "},
    SinkKey{"index", " http "},
    SinkKey{"request_bytes_max", " http "},
    SinkKey{"username", " http wazuh "},
    SinkKey{"password", " http wazuh "},
    SinkKey{"token", " http "},
    SinkKey{"location", " wazuh "},
    SinkKey{"requests_per_minute", " wazuh "},
};
constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 30;
constexpr std::size_t kSecretBytesMax = std::size_t{64} * 1024;
constexpr std::array<std::pair<std::string_view, Transport>, 3> kTransports{
    {{"tcp", Transport::kTcp}, {"udp", Transport::kUdp}, {"relp", Transport::kRelp}}};
constexpr std::array<std::pair<std::string_view, Framing>, 2> kFramings{
    {{"octet-counting", Framing::kOctetCounting}, {"newline", Framing::kNewline}}};
constexpr std::array<std::pair<std::string_view, SyslogFormat>, 3> kFormats{
    {{"rfc5424", SyslogFormat::kRfc5424},
     {"rfc3164", SyslogFormat::kRfc3164},
     {"wazuh", SyslogFormat::kWazuh}}};
constexpr std::uint64_t kFacilityMax = 23;  // RFC 5424 table 1
constexpr std::uint64_t kTimeoutMsMax = 600'000;
constexpr std::uint64_t kHeartbeatSecondsMax = 86'400;

template <class Enum, std::size_t N>
std::string_view word_of(const std::array<std::pair<std::string_view, Enum>, N>& table,
                         Enum value) {
  for (const auto& [word, one] : table) {
    if (one == value) return word;
  }
  return {};
}

class Loader {
 public:
  explicit Loader(ConfigLoad& out) : out_(out) {}
  void top(const Node& root);

 private:
  using Handler = std::function<void(const std::string&, const Node&)>;
  void error(const Node& at, std::string message) {
    out_.problems.push_back({at.line, at.column, std::move(message)});
  }
  void members(const Node& map, std::string_view what, std::span<const std::string_view> keys,
               const Handler& handle);
  bool text(const Node& node, std::string_view what, std::string& into);
  bool number(const Node& node, std::string_view what, std::uint64_t max, std::uint64_t& into);
  template <class Enum, std::size_t N>
  void choice(const Node& node, std::string_view what,
              const std::array<std::pair<std::string_view, Enum>, N>& table, Enum& into);
  bool flag(const Node& node, std::string_view what, bool& into);
  void word(const Node& node, std::string_view what, std::span<const std::string_view> known,
            std::string& into);
  void milliseconds(const Node& node, std::string_view what, std::chrono::milliseconds& into);
  void bytes(const Node& node, std::string_view what, std::size_t& into);
  void secret(const Node& node, std::string_view what, Secret& into);
  void tls(const Node& node, TlsConfig& into);
  void sasl(const Node& node, SinkConfig& sink);
  void match(const Node& node, const std::string& what, Match& into);
  void sample(const Node& node, std::uint64_t& allowed_one_in);
  void sink(const Node& node);
  void sink_key(const std::string& key, const Node& value, SinkConfig& sink);
  bool network_key(const std::string& key, const Node& value, SinkConfig& sink);
  void address(const Node& node, std::string_view what, std::string& host, int& into);
  void listen(const Node& node);
  void check_sink(const Node& at, const SinkConfig& sink, const std::set<std::string>& given);
  void check_syslog(const Node& at, const SinkConfig& sink, const std::set<std::string>& given);
  void check_http(const Node& at, const SinkConfig& sink);
  void check_url(const Node& at, const SinkConfig& sink, const std::string& type);
  void check_wazuh(const Node& at, const SinkConfig& sink, const std::set<std::string>& given);
  void check_whole(const Node& root);
  void top_key(const std::string& key, const Node& value);
  void sources(const Node& node);

  ConfigLoad& out_;
};

void Loader::members(const Node& map, std::string_view what, std::span<const std::string_view> keys,
                     const Handler& handle) {
  if (map.kind != Kind::kMap)
    return error(map, std::string(what) + " must be a map of keys and values");
  for (const auto& [key, value] : map.members) {
    if (std::find(keys.begin(), keys.end(), key.scalar) != keys.end()) {
      handle(key.scalar, value);
      continue;
    }
    const std::string_view near = did_you_mean(key.scalar, {keys.begin(), keys.end()});
    error(key, std::string(what) + " has no key '" + printable(key.scalar) + "'" +
                   (near.empty() ? "" : "; did you mean '" + std::string(near) + "'?"));
  }
}

bool Loader::text(const Node& node, std::string_view what, std::string& into) {
  if (node.kind != Kind::kScalar || node.scalar.empty()) {
    error(node, std::string(what) + " must be text");
    return false;
  }
  into = node.scalar;
  return true;
}

bool Loader::number(const Node& node, std::string_view what, std::uint64_t max,
                    std::uint64_t& into) {
  const std::string& raw = node.scalar;
  std::uint64_t value = 0;
  const auto [end, status] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (node.kind != Kind::kScalar || node.quoted || raw.empty() || status != std::errc{} ||
      end != raw.data() + raw.size() || value > max) {
    error(node, std::string(what) + " must be a whole number of at most " + std::to_string(max));
    return false;
  }
  into = value;
  return true;
}

template <class Enum, std::size_t N>
void Loader::choice(const Node& node, std::string_view what,
                    const std::array<std::pair<std::string_view, Enum>, N>& table, Enum& into) {
  std::string known;
  for (const auto& [word, value] : table) {
    if (node.kind == Kind::kScalar && node.scalar == word) {
      into = value;
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(word);
  }
  error(node, std::string(what) + " must be one of " + known);
}

// HOST:PORT, [IPV6]:PORT, or a host alone.
void Loader::address(const Node& node, std::string_view what, std::string& host, int& into) {
  std::string whole;
  if (!text(node, what, whole)) return;
  std::string port;
  const std::size_t colon = whole.rfind(':');
  if (whole.starts_with('[')) {
    const std::size_t close = whole.find(']');
    if (close == std::string::npos)
      return error(node, std::string(what) + ": the [ of an IPv6 address is not closed");
    host = whole.substr(1, close - 1);
    if (close + 1 < whole.size() && whole[close + 1] == ':') port = whole.substr(close + 2);
  } else {
    host = whole.substr(0, colon);
    if (colon != std::string::npos) port = whole.substr(colon + 1);
  }
  if (host.empty()) return error(node, std::string(what) + " must be HOST:PORT");
  if (port.empty() && colon == std::string::npos) return;
  const auto [end, status] = std::from_chars(port.data(), port.data() + port.size(), into);
  if (status != std::errc{} || end != port.data() + port.size() || into < 1 || into > 65535) {
    error(node, std::string(what) + ": the port must be 1-65535");
  }
}

// A port alone is one of this machine, for nobody outside.
void Loader::listen(const Node& node) {
  ListenConfig& into = out_.config.listen;
  const bool port_only = node.kind == Kind::kScalar && !node.scalar.empty() &&
                         node.scalar.find_first_not_of("0123456789") == std::string::npos;
  Node whole = node;
  if (port_only) whole.scalar = std::string(kLoopback) + ":" + node.scalar;
  address(whole, "listen", into.host, into.port);
  if (into.port == 0 && !into.host.empty()) error(node, "listen needs a port");
}

bool Loader::flag(const Node& node, std::string_view what, bool& into) {
  if (node.kind != Kind::kScalar || (node.scalar != "true" && node.scalar != "false")) {
    error(node, std::string(what) + " must be true or false");
    return false;
  }
  into = node.scalar == "true";
  return true;
}

void Loader::word(const Node& node, std::string_view what, std::span<const std::string_view> known,
                  std::string& into) {
  if (node.kind == Kind::kScalar &&
      std::find(known.begin(), known.end(), node.scalar) != known.end()) {
    into = node.scalar;
    return;
  }
  std::string all;
  for (const std::string_view one : known) all += (all.empty() ? "" : ", ") + std::string(one);
  error(node, std::string(what) + " must be one of " + all);
}

void Loader::milliseconds(const Node& node, std::string_view what,
                          std::chrono::milliseconds& into) {
  std::uint64_t n = 0;
  if (number(node, what, kTimeoutMsMax, n)) into = std::chrono::milliseconds(n);
}

void Loader::bytes(const Node& node, std::string_view what, std::size_t& into) {
  std::uint64_t n = 0;
  if (number(node, what, kBytesMax, n)) into = n;
}

// {file: PATH} or {env: NAME}: a configuration file is read by more people than a secret may be.
void Loader::secret(const Node& node, std::string_view what, Secret& into) {
  if (node.kind != Kind::kMap || node.members.size() != 1)
    return error(node, std::string(what) + " must be {file: PATH} or {env: NAME}");
  members(node, what, kSecretKeys, [&](const std::string& key, const Node& value) {
    std::string name;
    if (!text(value, key, name)) return;
    if (key == "env") {
      const char* found = std::getenv(name.c_str());
      if (found == nullptr || *found == '\0')
        return error(value, "the environment has no " + printable(name));
      into = {found, "environment " + name};
      return;
    }
    auto content = read_file(name, kSecretBytesMax);
    if (!content) return error(value, content.error().message);
    while (content->ends_with('\n') || content->ends_with('\r')) content->pop_back();
    if (content->empty()) return error(value, name + " is empty");
    if (content->find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
      return error(value, name + " has more than one line");
    into = {std::move(*content), "file " + name};
  });
}

// `true`, or a map of settings.
void Loader::tls(const Node& node, TlsConfig& into) {
  if (node.kind == Kind::kScalar) {
    flag(node, "tls", into.on);
    return;
  }
  into.on = true;
  members(node, "tls", kTlsKeys, [&](const std::string& key, const Node& value) {
    if (key == "verify") {
      flag(value, key, into.verify);
      return;
    }
    std::string& setting = key == "ca"            ? into.ca
                           : key == "certificate" ? into.certificate
                           : key == "key"         ? into.key
                                                  : into.server_name;
    if (!text(value, key, setting) || key == "server_name") return;
    if (!setting.starts_with('/')) return error(value, key + " must be an absolute path");
    if (auto content = read_file(setting, kBytesMax); !content)
      error(value, content.error().message);
  });
  if (into.certificate.empty() != into.key.empty())
    error(node, "certificate and key belong together");
}

void Loader::sasl(const Node& node, SinkConfig& sink) {
  members(node, "sasl", kSaslKeys, [&](const std::string& key, const Node& value) {
    if (key == "mechanism") return word(value, key, kMechanisms, sink.sasl_mechanism);
    if (key == "password") return secret(value, key, sink.password);
    text(value, key, sink.username);
  });
  if (sink.sasl_mechanism.empty() || sink.username.empty() || sink.password.value.empty())
    error(node, "sasl needs mechanism, username and password");
}

void Loader::check_syslog(const Node& at, const SinkConfig& sink,
                          const std::set<std::string>& given) {
  if (sink.host.empty()) error(at, "a syslog sink needs an address");
  if (sink.transport == Transport::kUdp && given.contains("framing"))
    error(at, "udp has no framing: one datagram is one message (RFC 5426)");
  if (sink.transport == Transport::kUdp && sink.tls.on) error(at, "udp has no TLS here; use tcp");
  if (sink.transport == Transport::kRelp && given.contains("framing"))
    error(at, "relp has a framing of its own");
  if (sink.format == SyslogFormat::kWazuh && sink.transport == Transport::kTcp &&
      sink.framing == Framing::kOctetCounting) {
    error(at, "Wazuh's receiver knows newline framing only; set framing: newline");
  }
}

void Loader::check_url(const Node& at, const SinkConfig& sink, const std::string& type) {
  if (!sink.url.starts_with("http://") && !sink.url.starts_with("https://"))
    error(at, type + " sink needs a url that begins with http:// or https://");
  if (sink.url.find('@') != std::string::npos)
    error(at, "no user and password in the url: use username and password");
}

// By the queue socket of this machine, or by the server API of a manager.
void Loader::check_wazuh(const Node& at, const SinkConfig& sink,
                         const std::set<std::string>& given) {
  const bool api = given.contains("url");
  const auto refuse = [&](std::span<const std::string_view> keys, const std::string& other) {
    for (const std::string_view key : keys) {
      if (given.contains(std::string(key)))
        error(at, "a wazuh sink with a " + other + " has no " + std::string(key));
    }
  };
  if (!api) {
    refuse(kApiKeys, "path");
    if (!sink.path.starts_with('/'))
      error(at, "a wazuh sink needs an absolute path, or the url of a manager's server API");
    if (sink.location.starts_with('['))
      error(at, "location must not begin with [: Wazuh would take it for another agent's");
    return;
  }
  refuse(kQueueKeys, "url");
  check_url(at, sink, "a wazuh");
  if (sink.username.empty() || sink.password.value.empty())
    error(at, "the server API needs username and password");
}

void Loader::check_http(const Node& at, const SinkConfig& sink) {
  check_url(at, sink, "an http");
  if (sink.api == HttpApi::kElasticsearch && sink.index.empty())
    error(at, "api elasticsearch needs an index");
  if (!sink.username.empty() && !sink.token.value.empty())
    error(at, "username and token exclude each other");
  if (sink.username.empty() != sink.password.value.empty())
    error(at, "username and password belong together");
}

void Loader::check_sink(const Node& at, const SinkConfig& sink,
                        const std::set<std::string>& given) {
  const std::string type(word_of(kTypes, sink.type));
  for (const SinkKey& one : kSinkKeys) {
    if (given.contains(std::string(one.key)) &&
        one.types.find(" " + type + " ") == std::string_view::npos)
      error(at, "a " + type + " sink has no key '" + std::string(one.key) + "'");
  }
  if (sink.name.empty()) error(at, "a sink needs a name");
  if (sink.name.find_first_not_of(
          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") !=
      std::string::npos) {
    error(at, "a sink's name has only letters, digits, - and _, since files are named after it");
  }
  if (!given.contains("type"))
    error(at, "a sink needs a type: file, stdout, syslog, kafka, http or wazuh");
  if (sink.type == SinkType::kFile && !sink.path.starts_with('/'))
    error(at, "a file sink needs an absolute path");
  for (const SinkConfig& other : out_.config.sinks) {
    if (other.name == sink.name) error(at, "there are two sinks with the name '" + sink.name + "'");
    if (!sink.path.empty() && other.path == sink.path) error(at, "two sinks write to " + sink.path);
  }
  if (sink.type == SinkType::kSyslog) check_syslog(at, sink, given);
  if (sink.type == SinkType::kHttp) check_http(at, sink);
  if (sink.type == SinkType::kKafka && (sink.brokers.empty() || sink.topic.empty()))
    error(at, "a kafka sink needs brokers and a topic");
  if (sink.type == SinkType::kWazuh) check_wazuh(at, sink, given);
}

// Keys of sinks that speak over the network; false when it is none of them.
bool Loader::network_key(const std::string& key, const Node& value, SinkConfig& sink) {
  std::uint64_t n = 0;
  if (key == "brokers") {
    text(value, key, sink.brokers);
  } else if (key == "topic") {
    text(value, key, sink.topic);
  } else if (key == "compression") {
    word(value, key, kCompressions, sink.compression);
  } else if (key == "linger_ms") {
    milliseconds(value, key, sink.linger);
  } else if (key == "message_bytes_max") {
    bytes(value, key, sink.message_bytes_max);
  } else if (key == "sasl") {
    sasl(value, sink);
  } else if (key == "url") {
    text(value, key, sink.url);
  } else if (key == "api") {
    choice(value, key, kApis, sink.api);
  } else if (key == "index") {
    text(value, key, sink.index);
  } else if (key == "request_bytes_max") {
    bytes(value, key, sink.request_bytes_max);
  } else if (key == "username") {
    text(value, key, sink.username);
  } else if (key == "password") {
    secret(value, key, sink.password);
  } else if (key == "token") {
    secret(value, key, sink.token);
  } else if (key == "tls") {
    tls(value, sink.tls);
  } else if (key == "address") {
    address(value, key, sink.host, sink.port);
  } else if (key == "transport") {
    choice(value, key, kTransports, sink.transport);
  } else if (key == "framing") {
    choice(value, key, kFramings, sink.framing);
  } else if (key == "format") {
    choice(value, key, kFormats, sink.format);
  } else if (key == "facility") {
    if (number(value, key, kFacilityMax, n)) sink.facility = static_cast<int>(n);
  } else {
    return false;
  }
  return true;
}

// {category: [...], action: [...], agent: [...]}, at least one of them.
void Loader::match(const Node& node, const std::string& what, Match& into) {
  if (node.kind == Kind::kMap && node.members.empty())
    error(node, what + " needs at least one of category, action and agent");
  members(node, what, kMatchKeys, [&](const std::string& key, const Node& value) {
    if (value.kind != Kind::kSequence || value.items.empty())
      return error(value, what + "." + key + " must be a list of words");
    std::vector<std::string>& words = key == "category" ? into.category
                                      : key == "action" ? into.action
                                                        : into.agent;
    for (const Node& item : value.items) {
      std::string word;
      if (!text(item, key, word)) continue;
      if ((key == "category" && !audit::category(word)) ||
          (key == "action" && !audit::action(word)))
        error(item, "no event has the " + key + " '" + printable(word) + "' (docs/event.md)");
      words.push_back(std::move(word));
    }
  });
}

void Loader::sample(const Node& node, std::uint64_t& allowed_one_in) {
  if (node.kind != Kind::kMap) return error(node, "sample_one_in must be {allowed: N}");
  for (const auto& [key, value] : node.members) {
    if (key.scalar != audit::name(audit::Action::kAllowed)) {
      error(key, "only allowed decisions can be sampled, '" + printable(key.scalar) +
                     "' cannot: each denial is evidence");
      continue;
    }
    if (number(value, "sample_one_in.allowed", kSampleMax, allowed_one_in) && allowed_one_in == 0)
      error(value, "sample_one_in.allowed must be at least 1; to send none, use except");
  }
}

void Loader::sink_key(const std::string& key, const Node& value, SinkConfig& sink) {
  if (network_key(key, value, sink)) return;
  if (key == "name") {
    text(value, key, sink.name);
  } else if (key == "type") {
    choice(value, key, kTypes, sink.type);
  } else if (key == "form") {
    choice(value, key, kForms, sink.form);
  } else if (key == "only") {
    match(value, key, sink.route.only);
  } else if (key == "except") {
    match(value, key, sink.route.except);
  } else if (key == "sample_one_in") {
    sample(value, sink.route.allowed_one_in);
  } else if (key == "path") {
    text(value, key, sink.path);
  } else if (key == "app_name") {
    text(value, key, sink.app_name);
  } else if (key == "location") {
    text(value, key, sink.location);
  } else if (key == "requests_per_minute") {
    std::uint64_t n = 0;
    if (number(value, key, kRequestsPerMinuteMax, n)) sink.requests_per_minute = n;
    if (sink.requests_per_minute == 0) error(value, key + " must be at least 1");
  } else if (key == "fsync") {
    flag(value, key, sink.fsync);
  } else if (key == "resend_bytes") {
    bytes(value, key, sink.resend_bytes);
  } else if (key == "connect_timeout_ms") {
    milliseconds(value, key, sink.connect_timeout);
  } else {
    milliseconds(value, key, sink.send_timeout);
  }
}

void Loader::sink(const Node& node) {
  SinkConfig sink;
  std::set<std::string> given;
  std::vector<std::string_view> keys{"name", "type", "form", "only", "except", "sample_one_in"};
  for (const SinkKey& one : kSinkKeys) keys.push_back(one.key);
  members(node, "a sink", keys, [&](const std::string& key, const Node& value) {
    given.insert(key);
    sink_key(key, value, sink);
  });
  if (node.kind != Kind::kMap) return;
  check_sink(node, sink, given);
  out_.config.sinks.push_back(std::move(sink));
}

void Loader::check_whole(const Node& root) {
  const Config& config = out_.config;
  if (config.sources.empty()) error(root, "there is no source; name the audit log under sources");
  if (config.sinks.empty()) error(root, "there is no sink");
  if (!config.state_dir.starts_with('/')) error(root, "state_dir must be an absolute path");
  std::set<std::string> seen;
  for (const std::string& source : config.sources) {
    std::error_code ignored;
    // Two spellings of one file would ship every event twice.
    if (!seen.insert(std::filesystem::weakly_canonical(source, ignored).string()).second) {
      error(root, "the source " + source + " is named twice");
    }
    for (const SinkConfig& sink : config.sinks) {
      if (sink.path == source)
        error(root, "the sink '" + sink.name + "' would write into its own source");
    }
  }
}

void Loader::sources(const Node& node) {
  for (const Node& item : node.items) {
    std::string path;
    if (!text(item, "a source", path)) continue;
    if (!path.starts_with('/')) error(item, "a source must be an absolute path");
    out_.config.sources.push_back(std::move(path));
  }
}

void Loader::top_key(const std::string& key, const Node& value) {
  std::uint64_t n = 0;
  if (key == "version") {
    if (value.scalar != "1") error(value, "version must be \"1\"");
  } else if (key == "state_dir") {
    text(value, key, out_.config.state_dir);
  } else if (key == "stop_deadline_ms") {
    milliseconds(value, key, out_.config.stop_deadline);
  } else if (key == "heartbeat_s") {
    if (number(value, key, kHeartbeatSecondsMax, n))
      out_.config.heartbeat = std::chrono::seconds(n);
  } else if (key == "listen") {
    listen(value);
  } else if (key == "confine") {
    choice(value, key, kConfines, out_.config.confine);
  } else if (value.kind != Kind::kSequence) {
    error(value, key + " must be a list");
  } else if (key == "sinks") {
    for (const Node& item : value.items) sink(item);
  } else {
    sources(value);
  }
}

void Loader::top(const Node& root) {
  bool has_version = false;
  members(root, "the configuration", kTopKeys, [&](const std::string& key, const Node& value) {
    has_version = has_version || key == "version";
    top_key(key, value);
  });
  if (root.kind != Kind::kMap) return;
  if (!has_version) error(root, "the configuration needs version: \"1\"");
  check_whole(root);
}

}  // namespace

ConfigLoad load_config(std::string_view text) {
  ConfigLoad out;
  std::vector<yaml::Problem> problems;
  const Node root = yaml::read(text, problems);
  for (yaml::Problem& problem : problems) {
    out.problems.push_back({problem.line, problem.column, std::move(problem.message)});
  }
  if (out.problems.empty()) Loader(out).top(root);
  std::stable_sort(out.problems.begin(), out.problems.end(),
                   [](const ConfigProblem& a, const ConfigProblem& b) { return a.line < b.line; });
  return out;
}

namespace {

std::string describe_syslog(const SinkConfig& sink) {
  std::string out = " " + std::string(word_of(kTransports, sink.transport)) + " " + sink.host +
                    ":" + std::to_string(sink.port) + " " +
                    std::string(word_of(kFormats, sink.format));
  if (sink.transport == Transport::kTcp)
    out += ", " + std::string(word_of(kFramings, sink.framing)) + " framing";
  return out + ", facility " + std::to_string(sink.facility);
}

std::string describe_wazuh(const SinkConfig& sink) {
  if (sink.url.empty()) return " " + sink.path + ", location " + sink.location;
  return " API " + sink.url + (sink.tls.verify ? "" : " WITHOUT verification") + ", at most " +
         std::to_string(sink.requests_per_minute) + " requests a minute";
}

std::string describe_match(std::string_view what, const Match& match) {
  std::string out;
  const auto list = [&](std::string_view key, const std::vector<std::string>& words) {
    for (std::size_t i = 0; i < words.size(); ++i)
      out += (i > 0 ? "|" : " " + std::string(key) + " ") + words[i];
  };
  list("category", match.category);
  list("action", match.action);
  list("agent", match.agent);
  return out.empty() ? out : ", " + std::string(what) + out;
}

std::string describe_rest(const SinkConfig& sink) {
  std::string out;
  if (sink.tls.on) {
    out += ", TLS" + std::string(sink.tls.verify ? "" : " WITHOUT verification");
    if (!sink.tls.certificate.empty()) out += " with certificate " + sink.tls.certificate;
  }
  if (!sink.sasl_mechanism.empty()) out += ", " + sink.sasl_mechanism;
  if (!sink.username.empty())
    out += ", user " + sink.username + " (password from " + sink.password.origin + ")";
  if (!sink.token.value.empty()) out += ", token from " + sink.token.origin;
  if (sink.form != Form::kNative) out += ", as " + std::string(word_of(kForms, sink.form));
  out += describe_match("only", sink.route.only) + describe_match("except", sink.route.except);
  if (sink.route.allowed_one_in > 1)
    out += ", one in " + std::to_string(sink.route.allowed_one_in) + " of the allowed";
  return out;
}

}  // namespace

std::string describe(const Config& config) {
  std::string out;
  for (const std::string& source : config.sources) out += "source     " + source + "\n";
  out += "state_dir  " + config.state_dir + "\n";
  const auto beat = std::chrono::duration_cast<std::chrono::seconds>(config.heartbeat).count();
  out += "heartbeat  " + (beat == 0 ? "none" : "every " + std::to_string(beat) + " s") + "\n";
  if (!config.listen.host.empty())
    out += "listen     " + config.listen.host + ":" + std::to_string(config.listen.port) + "\n";
  out += "confine    " + std::string(word_of(kConfines, config.confine)) + "\n";
  for (const SinkConfig& sink : config.sinks) {
    out += "sink       " + sink.name + ": " + std::string(word_of(kTypes, sink.type));
    if (sink.type == SinkType::kFile)
      out += " " + sink.path + (sink.fsync ? ", fsync" : ", no fsync");
    if (sink.type == SinkType::kSyslog) out += describe_syslog(sink);
    if (sink.type == SinkType::kKafka)
      out += " " + sink.brokers + " topic " + sink.topic + ", " + sink.compression;
    if (sink.type == SinkType::kHttp)
      out += " " + std::string(word_of(kApis, sink.api)) + " " + sink.url;
    if (sink.type == SinkType::kWazuh) out += describe_wazuh(sink);
    out += describe_rest(sink) + "\n";
  }
  return out;
}

}  // namespace lilith::shipper
