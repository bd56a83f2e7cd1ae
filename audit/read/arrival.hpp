#pragma once
// `lilith verify --arrived`: did everything that workstations wrote reach the other end.

#include "audit/read/arrival_check.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace lilith::audit {

// Reads `files` (plain, .gz, .zst; "-" is standard input; a directory stands for every file below
// it, hard links of one file once) into `check` and says in `report_errors` what could not be read.
// An error only for a path that does not exist.
[[nodiscard]] Result<void> read_arrived(const std::vector<std::string>& files, const Clock& clock,
                                        ArrivalCheck& check,
                                        std::vector<std::string>& report_errors);

// Whether the first lines of a file hold events in another form than a log's own: then what is
// asked for can only be the check of what arrived. False for what can't be read.
[[nodiscard]] bool looks_arrived(const std::string& file);

// For people: findings, one line a chain, what may explain gaps, one line that says it all.
// `problems_only` leaves out chains without a finding.
[[nodiscard]] std::string to_text(const ArrivalReport& report, bool problems_only = false);
[[nodiscard]] std::string to_json(const ArrivalReport& report);
// Prometheus' text format, for the textfile collector of node_exporter.
[[nodiscard]] std::string to_prometheus(const ArrivalReport& report);
// 0 complete, 1 findings, 3 no finding but not everything could be read or held, 5 no event at all.
[[nodiscard]] int exit_code(const ArrivalReport& report);

// The options of `lilith verify --kafka`. The front door lists them, and lilith-verify has them.
struct TopicOption {
  std::string_view name, does;
};
inline constexpr std::array<TopicOption, 8> kTopicOptions = {{
    {"--kafka", "check what arrived in a topic: brokers, host:port,host:port"},
    {"--topic", "the topic; all its partitions are read"},
    {"--kafka-config",
     "file with properties of librdkafka, NAME=VALUE: security.protocol, ssl.ca.location"},
    {"--timeout", "seconds without a message after which a topic counts as not read (60)"},
    {"--follow", "go on until TERM or INT, and raise each new finding as an event of --log"},
    {"--log", "the log that --follow writes to; what it holds is not raised again"},
    {"--gap-after", "--follow raises a gap that stays open so long (15m)"},
    {"--every", "how often --follow looks (10s)"},
}};
[[nodiscard]] constexpr std::string_view topic_option(std::string_view name) {
  for (const TopicOption& option : kTopicOptions)
    if (option.name == name) return option.does;
  return {};
}

// What the command line says, before it was looked at.
struct ArrivedArguments {
  std::string form;                      // empty: by content
  std::string silent_after;              // 90s, 30m, 72h, 7d; empty: no host is silent for its age
  std::string hosts_file;                // one host a line that has to be there; # begins a comment
  std::string at;                        // RFC 3339: the time that ages are counted to; empty: now
  std::string prometheus;                // file that to_prometheus() replaces
  std::vector<std::string> verify_keys;  // files and directories of verify keys
  bool from_start = false, json = false, problems_only = false;
  bool remember = false;  // in the one file of verify_keys
};
[[nodiscard]] Result<ArrivalOptions> options_of(const ArrivedArguments& arguments);
// Where that was asked for: keeps in the file of verify keys how far each host's seals reach. Only
// of hosts without a finding, and only when all findings have a name and all input was read.
[[nodiscard]] Result<void> remember_arrived(const ArrivedArguments& arguments,
                                            const std::vector<VerifyKey>& keys,
                                            const ArrivalReport& report);
[[nodiscard]] Result<std::chrono::seconds> parse_span(const std::string& text);

struct ArrivedOutput {
  std::string text;  // for standard output
  int exit_code = 0;
};
// The whole command over files. Writes the Prometheus file when one is asked for.
[[nodiscard]] Result<ArrivedOutput> verify_arrived(const std::vector<std::string>& files,
                                                   const ArrivedArguments& arguments,
                                                   const Clock& clock);
// The part behind the reading. `keys` are those of the options.
[[nodiscard]] Result<ArrivedOutput> put_report(const ArrivalReport& report,
                                               const std::vector<VerifyKey>& keys,
                                               const ArrivedArguments& arguments);

}  // namespace lilith::audit
