// `lilith replay run`: recorded events decided again under candidate policies.

#include "replay/alerts.hpp"
#include "replay/command.hpp"
#include "replay/input.hpp"
#include "replay/report.hpp"
#include "wazuh/source.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>

namespace lilith::replay {
namespace {

struct Options {
  std::vector<std::string> logs, policies;
  std::vector<std::string> alert_rules, alert_lists;
  bool as_json = false;
  std::size_t top = 10;
};

using Policies = std::vector<std::shared_ptr<const rules::Policy>>;

// Nothing without --alerts. A manager of its own for each candidate, and one for the log itself.
Result<std::unique_ptr<AlertForecast>> alert_forecast(const Options& options,
                                                      const Policies& policies) {
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

int run(const Options& options) {
  auto policies = load_policies(options.policies);
  if (policies.empty()) return complain("no candidate policy could be used");
  auto forecast = alert_forecast(options, policies);
  if (!forecast) return complain(forecast.error().message);
  auto files = files_of(options.logs);
  if (!files) return complain(files.error().message);
  Replayer replayer(std::move(policies));
  InputReport input;
  Result<void> forecasting;
  const auto visit = [&](const audit::Event& event) {
    replayer.add(event);
    if (*forecast && forecasting) forecasting = (*forecast)->add(event);
  };
  if (auto read = each_event(*files, input, visit); !read) return complain(read.error().message);
  if (!forecasting) return complain(forecasting.error().message);
  std::string report = options.as_json ? to_json(replayer, input, options.top)
                                       : to_text(replayer, input, options.top);
  if (*forecast) append_alerts(report, (*forecast)->finish(), options);
  std::fputs(report.c_str(), stdout);
  if (input.incomplete()) return kInputIncomplete;
  for (const CandidateTally& tally : replayer.candidates()) {
    if (tally.changes.contains(Change::kNewlyDenied)) return kFound;
  }
  return kGood;
}

}  // namespace

int run_command(int argc, char** argv) {
  Options options;
  CLI::App app("Decides recorded events again under candidate policies and says what would change.",
               "lilith replay");
  app.add_option("logs", options.logs,
                 "audit logs: plain, .gz, .zst, a directory, - for standard input")
      ->required();
  app.add_option("--policy", options.policies, "candidate policy; once for each candidate")
      ->required();
  app.add_flag("--json", options.as_json, "the report as JSON");
  app.add_option("--top", options.top, "rows a table (default 10)");
  app.add_option("--alerts", options.alert_rules,
                 "Wazuh rule file: also forecast its alerts under each candidate; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--alert-list", options.alert_lists, "CDB list that these rules name")
      ->allow_extra_args(false);
  app.footer(
      "Other commands: fidelity, forecast, gate, suggest, report (see their --help).\n"
      "Exit codes: 0 nothing newly denied, 1 newly denied calls, 2 wrong usage or policy, 3 input "
      "incomplete.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kGood : kUsage;
  }
  return run(options);
}

}  // namespace lilith::replay
