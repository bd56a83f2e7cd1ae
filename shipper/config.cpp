#include "shipper/config.hpp"

#include "audit/base/text.hpp"
#include "audit/yaml/tree.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <functional>
#include <set>
#include <span>

namespace lilith::shipper {
namespace {

using yaml::Node;
using Kind = yaml::Node::Kind;

constexpr std::array<std::string_view, 5> kTopKeys{"version", "sources", "state_dir",
                                                   "stop_deadline_ms", "sinks"};
constexpr std::array<std::string_view, 12> kSinkKeys{"name",
                                                     "type",
                                                     "path",
                                                     "fsync",
                                                     "address",
                                                     "transport",
                                                     "framing",
                                                     "format",
                                                     "facility",
                                                     "connect_timeout_ms",
                                                     "send_timeout_ms",
                                                     "app_name"};
constexpr std::array<std::pair<std::string_view, SinkType>, 3> kTypes{
    {{"file", SinkType::kFile}, {"stdout", SinkType::kStdout}, {"syslog", SinkType::kSyslog}}};
constexpr std::array<std::pair<std::string_view, Transport>, 2> kTransports{
    {{"tcp", Transport::kTcp}, {"udp", Transport::kUdp}}};
constexpr std::array<std::pair<std::string_view, Framing>, 2> kFramings{
    {{"octet-counting", Framing::kOctetCounting}, {"newline", Framing::kNewline}}};
constexpr std::array<std::pair<std::string_view, SyslogFormat>, 3> kFormats{
    {{"rfc5424", SyslogFormat::kRfc5424},
     {"rfc3164", SyslogFormat::kRfc3164},
     {"wazuh", SyslogFormat::kWazuh}}};
constexpr std::uint64_t kFacilityMax = 23;  // RFC 5424 table 1
constexpr std::uint64_t kTimeoutMsMax = 600'000;

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
  void sink(const Node& node);
  void address(const Node& node, SinkConfig& sink);
  void check_sink(const Node& at, const SinkConfig& sink, const std::set<std::string>& given);
  void check_whole(const Node& root);

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
void Loader::address(const Node& node, SinkConfig& sink) {
  std::string whole;
  if (!text(node, "address", whole)) return;
  std::string port;
  const std::size_t colon = whole.rfind(':');
  if (whole.starts_with('[')) {
    const std::size_t close = whole.find(']');
    if (close == std::string::npos)
      return error(node, "address: the [ of an IPv6 address is not closed");
    sink.host = whole.substr(1, close - 1);
    if (close + 1 < whole.size() && whole[close + 1] == ':') port = whole.substr(close + 2);
  } else {
    sink.host = whole.substr(0, colon);
    if (colon != std::string::npos) port = whole.substr(colon + 1);
  }
  if (sink.host.empty()) return error(node, "address must be HOST:PORT");
  if (port.empty() && colon == std::string::npos) return;
  const auto [end, status] = std::from_chars(port.data(), port.data() + port.size(), sink.port);
  if (status != std::errc{} || end != port.data() + port.size() || sink.port < 1 ||
      sink.port > 65535) {
    error(node, "address: the port must be 1-65535");
  }
}

void Loader::check_sink(const Node& at, const SinkConfig& sink,
                        const std::set<std::string>& given) {
  const auto only_for = [&](SinkType type, std::initializer_list<const char*> keys) {
    if (sink.type == type) return;
    for (const char* key : keys) {
      if (given.contains(key)) {
        error(at,
              "a " + std::string(word_of(kTypes, sink.type)) + " sink has no key '" + key + "'");
      }
    }
  };
  only_for(SinkType::kFile, {"path", "fsync"});
  only_for(SinkType::kSyslog, {"address", "transport", "framing", "format", "facility",
                               "connect_timeout_ms", "send_timeout_ms", "app_name"});
  if (sink.name.empty()) error(at, "a sink needs a name");
  if (sink.name.find_first_not_of(
          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") !=
      std::string::npos) {
    error(at, "a sink's name has only letters, digits, - and _, since files are named after it");
  }
  if (!given.contains("type")) error(at, "a sink needs a type: file, stdout or syslog");
  if (sink.type == SinkType::kFile && !sink.path.starts_with('/'))
    error(at, "a file sink needs an absolute path");
  for (const SinkConfig& other : out_.config.sinks) {
    if (other.name == sink.name) error(at, "there are two sinks with the name '" + sink.name + "'");
    if (!sink.path.empty() && other.path == sink.path) error(at, "two sinks write to " + sink.path);
  }
  if (sink.type != SinkType::kSyslog) return;
  if (sink.host.empty()) error(at, "a syslog sink needs an address");
  if (sink.transport == Transport::kUdp && given.contains("framing")) {
    error(at, "udp has no framing: one datagram is one message (RFC 5426)");
  }
  if (sink.format == SyslogFormat::kWazuh && sink.transport == Transport::kTcp &&
      sink.framing == Framing::kOctetCounting) {
    error(at, "Wazuh's receiver knows newline framing only; set framing: newline");
  }
}

void Loader::sink(const Node& node) {
  SinkConfig sink;
  std::set<std::string> given;
  members(node, "a sink", kSinkKeys, [&](const std::string& key, const Node& value) {
    given.insert(key);
    std::uint64_t n = 0;
    if (key == "name") {
      text(value, key, sink.name);
    } else if (key == "type") {
      choice(value, key, kTypes, sink.type);
    } else if (key == "path") {
      text(value, key, sink.path);
    } else if (key == "app_name") {
      text(value, key, sink.app_name);
    } else if (key == "fsync") {
      if (value.scalar == "true" || value.scalar == "false") {
        sink.fsync = value.scalar == "true";
      } else {
        error(value, "fsync must be true or false");
      }
    } else if (key == "address") {
      address(value, sink);
    } else if (key == "transport") {
      choice(value, key, kTransports, sink.transport);
    } else if (key == "framing") {
      choice(value, key, kFramings, sink.framing);
    } else if (key == "format") {
      choice(value, key, kFormats, sink.format);
    } else if (key == "facility") {
      if (number(value, key, kFacilityMax, n)) sink.facility = static_cast<int>(n);
    } else if (number(value, key, kTimeoutMsMax, n)) {
      (key == "connect_timeout_ms" ? sink.connect_timeout : sink.send_timeout) =
          std::chrono::milliseconds(n);
    }
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

void Loader::top(const Node& root) {
  bool has_version = false;
  members(root, "the configuration", kTopKeys, [&](const std::string& key, const Node& value) {
    std::uint64_t n = 0;
    if (key == "version") {
      has_version = true;
      if (value.scalar != "1") error(value, "version must be \"1\"");
    } else if (key == "state_dir") {
      text(value, key, out_.config.state_dir);
    } else if (key == "stop_deadline_ms") {
      if (number(value, key, kTimeoutMsMax, n))
        out_.config.stop_deadline = std::chrono::milliseconds(n);
    } else if (value.kind != Kind::kSequence) {
      error(value, key + " must be a list");
    } else if (key == "sinks") {
      for (const Node& item : value.items) sink(item);
    } else {
      for (const Node& item : value.items) {
        std::string path;
        if (!text(item, "a source", path)) continue;
        if (!path.starts_with('/')) error(item, "a source must be an absolute path");
        out_.config.sources.push_back(std::move(path));
      }
    }
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

std::string describe(const Config& config) {
  std::string out;
  for (const std::string& source : config.sources) out += "source     " + source + "\n";
  out += "state_dir  " + config.state_dir + "\n";
  for (const SinkConfig& sink : config.sinks) {
    out += "sink       " + sink.name + ": " + std::string(word_of(kTypes, sink.type));
    if (sink.type == SinkType::kFile)
      out += " " + sink.path + (sink.fsync ? ", fsync" : ", no fsync");
    if (sink.type == SinkType::kSyslog) {
      out += " " + std::string(word_of(kTransports, sink.transport)) + " " + sink.host + ":" +
             std::to_string(sink.port) + " " + std::string(word_of(kFormats, sink.format));
      if (sink.transport == Transport::kTcp)
        out += ", " + std::string(word_of(kFramings, sink.framing)) + " framing";
      out += ", facility " + std::to_string(sink.facility);
    }
    out += "\n";
  }
  return out;
}

}  // namespace lilith::shipper
