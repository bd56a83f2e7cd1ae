// `lilith replay run`: recorded events decided again under candidate policies.

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "replay/alerts.hpp"
#include "replay/arguments.hpp"
#include "replay/command.hpp"
#include "replay/group_run.hpp"
#include "replay/input.hpp"
#include "replay/progress.hpp"
#include "replay/report.hpp"
#include "wazuh/source.hpp"

#include <cstdio>

namespace lilith::replay {
namespace {

struct Options {
  std::vector<std::string> logs, policies;
  std::vector<std::string> alert_rules, alert_lists;
  std::string summary;
  GroupRun group;
  bool as_json = false;
  std::size_t top = 10;
  std::size_t threads = default_threads();
};

// Nothing without --alerts. A manager of its own for each candidate, and one for the log itself.
Result<std::unique_ptr<AlertForecast>> alert_forecast(const Options& options,
                                                      const Candidates& policies) {
  if (options.alert_rules.empty()) return nullptr;
  auto source = wazuh::read_source({options.alert_rules, {}, options.alert_lists, true});
  if (!source) return pass_error(source);
  std::vector<wazuh::Engine> engines;
  std::vector<std::string> warnings;
  for (std::size_t i = 0; i <= policies.size(); ++i) {
    auto engine = wazuh::make_engine(*source, &warnings);
    if (!engine) return pass_error(engine);
    engines.push_back(std::move(*engine));
  }
  for (const std::string& warning : warnings) {
    std::fprintf(stderr, "lilith-replay: warning: %s\n", warning.c_str());
  }
  return std::make_unique<AlertForecast>(policies, std::move(engines));
}

// Into the report that is there already, which ends in "}\n" as JSON.
void append_alerts(std::string& report, const AlertReport& alerts, const Options& options) {
  if (!options.as_json) {
    report += to_text(alerts, options.top);
    return;
  }
  report.resize(report.rfind('}'));
  report += ",\"alerts\":" + to_json(alerts) + "}\n";
}

// The rules of the SIEM want whole events: one pass in which every line is decoded.
Result<Summary> replay_with_alerts(const std::vector<std::string>& files,
                                   const Candidates& policies, AlertForecast& forecast) {
  Replayer replayer(policies);
  Examiner examiner(policies, &replayer.known());
  Batch batch;
  InputReport input;
  Result<void> forecasting;
  const auto visit = [&](const audit::Event& event) {
    batch.clear();
    examiner.event(event, batch);
    replayer.add(batch);
    if (forecasting) forecasting = forecast.add(event);
  };
  if (auto read = each_event(files, input, visit); !read) return pass_error(read);
  if (!forecasting) return pass_error(forecasting);
  replayer.summary().input = std::move(input);
  return std::move(replayer.summary());
}

Result<Summary> replay_logs(const Options& options, const std::vector<std::string>& files,
                            const Candidates& policies, AlertForecast* forecast) {
  if (forecast != nullptr) return replay_with_alerts(files, policies, *forecast);
  Progress progress(files);
  return replay_files(files, policies,
                      {.threads = options.threads, .progress = progress.callback()});
}

int run(const Options& options) {
  const Candidates policies = load_policies(options.policies);
  if (policies.empty()) return complain("no candidate policy could be used");
  if (!options.group.brokers.empty()) return run_group(options.group, policies);
  auto forecast = alert_forecast(options, policies);
  if (!forecast) return complain(forecast.error().message);
  auto files = files_of(options.logs);
  if (!files) return complain(files.error().message);
  if (!options.as_json) {
    // Something to see at once; the report itself comes after the last line.
    std::printf("%zu file%s under %zu candidate%s ...\n", files->size(),
                files->size() == 1 ? "" : "s", policies.size(), policies.size() == 1 ? "" : "s");
    std::fflush(stdout);
  }
  auto summary = replay_logs(options, *files, policies, forecast->get());
  if (!summary) return complain(summary.error().message);
  if (!options.summary.empty()) {
    if (auto put = replace_file(options.summary, summary->to_json(), 0640); !put) {
      return complain(put.error().message);
    }
  }
  std::string report =
      options.as_json ? to_json(*summary, options.top) : to_text(*summary, options.top);
  if (*forecast) append_alerts(report, (*forecast)->finish(), options);
  std::fputs(report.c_str(), stdout);
  return exit_code(*summary);
}

// What belongs together on the command line; empty when all is well.
std::string misuse(Options& options) {
  GroupRun& group = options.group;
  group.folder = options.summary;
  if (group.brokers.empty()) {
    if (!group.topics.empty() || !group.group.empty() || !group.properties.empty() || group.follow)
      return "--topic, --group, --kafka-config and --follow go with --kafka";
    return options.logs.empty() ? "no logs: name files, directories, - for standard input, or a "
                                  "topic with --kafka"
                                : "";
  }
  if (!options.logs.empty()) return "logs and --kafka are two runs: merge their summaries";
  if (!options.alert_rules.empty()) return "--alerts needs logs: it goes by the order of time";
  if (group.topics.empty() || group.group.empty() || group.folder.empty())
    return "--kafka needs --topic, --group and --summary FOLDER";
  return "";
}

void group_options(Arguments& arguments, GroupRun& group) {
  arguments.option("--kafka", &group.brokers,
                   "read a topic instead of logs, as one consumer of a group: host:port,host:port");
  arguments.option("--topic", &group.topics, "with --kafka: the topic; may be repeated")
      .one_value_each();
  arguments.option("--group", &group.group, "with --kafka: the consumer group");
  arguments.option("--kafka-config", &group.properties,
                   "file with properties of librdkafka, NAME=VALUE: security.protocol, "
                   "ssl.ca.location, sasl.password");
  arguments.option("--timeout", &group.timeout_s,
                   "with --kafka: seconds without progress after which it ends (default 60)");
  arguments.flag("--follow", group.follow, "with --kafka: go on until TERM or INT");
  arguments.option("--every", &group.every,
                   "how often --follow writes what it has counted (default 1h)");
}

}  // namespace

int run_command(int argc, char** argv) {
  Options options;
  Arguments arguments(
      "Decides recorded events again under candidate policies and says what would change.",
      "lilith replay");
  arguments.option("logs", &options.logs,
                   "audit logs: plain, .gz, .zst, a directory, - for standard input");
  arguments.option("--policy", &options.policies, "candidate policy; once for each candidate")
      .required();
  arguments.flag("--json", options.as_json, "the report as JSON");
  arguments.option("--top", &options.top, "rows a table (default 10)");
  arguments.option("--summary", &options.summary,
                   "write what was counted to a file that `lilith replay merge` adds up; with "
                   "--kafka, to files in this folder, which all consumers of the group share");
  group_options(arguments, options.group);
  arguments.threads(options.threads);
  arguments
      .option("--alerts", &options.alert_rules,
              "Wazuh rule file: also forecast its alerts under each candidate; may be repeated")
      .one_value_each();
  arguments.option("--alert-list", &options.alert_lists, "CDB list that these rules name")
      .one_value_each();
  arguments.footer(
      // A command a line, two blanks before it: what completion and the manual pages read.
      "Other commands, each with --help:\n"
      "  diff      where two candidates decide otherwise, with examples\n"
      "  explain   one event: what each candidate says of it, and why\n"
      "  merge     summaries of several machines, added up\n"
      "  fidelity  does the policy that was in force decide as it did\n"
      "  forecast  what a flip to deny costs a developer on a day\n"
      "  gate      which sections are ready for deny, for which team\n"
      "  suggest   the smallest allow list that explains the logs\n"
      "  review    the same suggestions, accepted or rejected one by one by a person\n"
      "  report    the whole plan as HTML, Markdown, JSON, SARIF or JUnit\n\n"
      "Exit codes: 0 nothing newly denied, 1 newly denied calls, 2 wrong usage or policy, 3 input "
      "incomplete.");
  if (const auto code = arguments.parse(argc, argv)) return *code;
  if (const std::string wrong = misuse(options); !wrong.empty()) return complain(wrong);
  return run(options);
}

}  // namespace lilith::replay
