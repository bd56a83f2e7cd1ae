// `lilith replay run`: recorded events decided again under candidate policies.

#include "replay/command.hpp"
#include "replay/input.hpp"
#include "replay/report.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>

namespace lilith::replay {
namespace {

struct Options {
  std::vector<std::string> logs, policies;
  bool as_json = false;
  std::size_t top = 10;
};

int run(const Options& options) {
  auto policies = load_policies(options.policies);
  if (policies.empty()) return complain("no candidate policy could be used");
  auto files = files_of(options.logs);
  if (!files) return complain(files.error().message);
  Replayer replayer(std::move(policies));
  InputReport input;
  if (auto read =
          each_event(*files, input, [&](const audit::Event& event) { replayer.add(event); });
      !read) {
    return complain(read.error().message);
  }
  const std::string report = options.as_json ? to_json(replayer, input, options.top)
                                             : to_text(replayer, input, options.top);
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
  app.footer(
      "Other commands: fidelity, forecast (see their --help).\n"
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
