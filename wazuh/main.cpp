// lilith-wazuh: the model of Wazuh's rule engine on the command line. Users call it as
// `lilith wazuh`.

#include "audit/base/file.hpp"
#include "audit/base/text.hpp"
#include "audit/json/writer.hpp"
#include "wazuh/source.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>
#include <unistd.h>

namespace {

using namespace lilith;

// docs/exit-codes.md
constexpr int kGood = 0, kUsage = 2, kIncomplete = 3;
constexpr std::size_t kEventsBytesMax = std::size_t{1} << 30U;
// The clock of the first line; only differences count.
constexpr std::int64_t kClockStart = 1'000'000;
constexpr std::int64_t kClockStepMax = 100LL * 365 * 24 * 3600;

struct Options {
  std::vector<std::string> files;  // rule files, and the events last
  std::vector<std::string> decoders, lists;
  bool as_json = false, no_stock = false;
};

int complain(const std::string& message, int code) {
  std::fprintf(stderr, "lilith wazuh: %s\n", message.c_str());
  return code;
}

// One row of output, and the totals.
class Report {
 public:
  explicit Report(bool as_json) : as_json_(as_json) {}

  void add(const wazuh::Outcome& outcome) {
    ++lines_;
    if (outcome.alert) {
      ++alerts_;
      auto& [count, level] = by_rule_[outcome.rule];
      ++count;
      level = outcome.level;
    }
    if (as_json_) {
      add_json(outcome);
    } else {
      add_text(outcome);
    }
    if (out_.size() > (std::size_t{1} << 20U)) flush();
  }
  void finish() {
    if (!as_json_) {
      out_ += "\n" + std::to_string(lines_) + " lines, " + std::to_string(alerts_) + " alerts";
      for (const auto& [rule, count] : by_rule_) {
        out_ += "\n  " + std::to_string(rule) + " (level " + std::to_string(count.second) +
                "): " + std::to_string(count.first);
      }
      out_ += "\n";
    }
    flush();
  }

 private:
  void add_json(const wazuh::Outcome& outcome) {
    std::string row;
    json::Writer writer(row);
    writer.begin_object().member("n", lines_).key("rule");
    outcome.rule == 0 ? writer.raw("null") : writer.value(outcome.rule);
    writer.member("level", outcome.level).member("alert", outcome.alert);
    if (outcome.rule != 0) writer.member("description", outcome.description);
    writer.end_object();
    out_ += row + "\n";
  }
  void add_text(const wazuh::Outcome& outcome) {
    out_ += std::to_string(lines_) + "\t";
    if (outcome.rule == 0) {
      out_ += "-\t-\t\n";
      return;
    }
    out_ += std::to_string(outcome.rule) + "\t" + std::to_string(outcome.level) + "\t" +
            (outcome.alert ? "ALERT" : "") + "\t" + printable(outcome.description) + "\n";
  }
  void flush() {
    // A reader that went away (head, less) is no error of ours.
    if (auto ignored = write_all(STDOUT_FILENO, out_); !ignored) out_.clear();
    out_.clear();
  }

  bool as_json_;
  std::uint64_t lines_ = 0, alerts_ = 0;
  std::map<int, std::pair<std::uint64_t, int>> by_rule_;
  std::string out_;
};

// "@+N": the clock goes forward by N seconds.
std::optional<std::int64_t> clock_step(std::string_view line) {
  std::int64_t seconds = 0;
  if (!line.starts_with("@+")) return std::nullopt;
  line.remove_prefix(2);
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), seconds);
  if (error != std::errc() || end != line.data() + line.size() || seconds < 0 ||
      seconds > kClockStepMax) {
    return std::nullopt;
  }
  return seconds;
}

Result<wazuh::Engine> engine_of(const Options& options) {
  auto source = wazuh::read_source({{options.files.begin(), options.files.end() - 1},
                                    options.decoders,
                                    options.lists,
                                    !options.no_stock});
  if (!source) return pass_error(source);
  std::vector<std::string> warnings;
  auto engine = wazuh::make_engine(*source, &warnings);
  for (const std::string& warning : warnings) {
    std::fprintf(stderr, "lilith wazuh: warning: %s\n", printable(warning).c_str());
  }
  return engine;
}

int run_test(const Options& options) {
  if (options.files.size() < 2) {
    return complain("test needs rule files and, last, a file of events (- is standard input)",
                    kUsage);
  }
  auto engine = engine_of(options);
  if (!engine) {
    const auto code = engine.error().code == ErrorCode::kInvalidInput ? kUsage : kIncomplete;
    return complain(engine.error().message, code);
  }
  const std::string& path = options.files.back();
  const auto events =
      path == "-" ? read_all(STDIN_FILENO, kEventsBytesMax) : read_file(path, kEventsBytesMax);
  if (!events) return complain(events.error().message, kIncomplete);
  Report report(options.as_json);
  std::int64_t clock = kClockStart;
  std::size_t number = 0;
  for (std::string_view rest = *events; !rest.empty();) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (!line.starts_with('@')) {
      report.add(engine->feed(line, clock));
      continue;
    }
    const auto step = clock_step(line);
    if (!step) {
      report.finish();
      return complain(path + ":" + std::to_string(number) + ": '" + printable(line) +
                          "' is no clock line; write @+SECONDS",
                      kUsage);
    }
    clock += *step;
  }
  report.finish();
  return kGood;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Wazuh's rules without a manager.", "lilith wazuh");
  app.require_subcommand(1);
  CLI::App* test = app.add_subcommand(
      "test",
      "which rule fires on which event, as wazuh-analysisd 4.9 would: one row a log line "
      "(number, rule, level, ALERT, description). A line @+N in the events moves the manager's "
      "clock forward by N seconds; blank lines are skipped");
  test->add_option("FILES", options.files, "rule files, and last the events (- is standard input)")
      ->required();
  test->add_option("--decoders", options.decoders, "decoder file; may be repeated")
      ->allow_extra_args(false);
  test->add_option("--list", options.lists, "CDB list that rules name; may be repeated")
      ->allow_extra_args(false);
  test->add_flag("--json", options.as_json, "one object a log line");
  test->add_flag("--no-stock", options.no_stock,
                 "without Wazuh's own rules that take lines which no other rule takes (1002, ...)");
  app.footer(
      "Exit codes: 0 done, 2 wrong usage or rules that a manager would refuse, 3 a file "
      "could not be read.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kGood : kUsage;
  }
  return run_test(options);
}
