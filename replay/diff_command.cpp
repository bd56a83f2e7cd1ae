// `lilith replay diff`: two candidates against each other on recorded traffic.

#include "replay/arguments.hpp"
#include "replay/command.hpp"
#include "replay/input.hpp"
#include "replay/progress.hpp"
#include "replay/report.hpp"

#include <cstdio>

namespace lilith::replay {
namespace {

struct Options {
  std::vector<std::string> logs, policies;
  bool as_json = false;
  std::size_t top = 10;
  std::size_t threads = default_threads();
};

int run(const Options& options) {
  const Candidates policies = load_policies(options.policies);
  if (policies.empty()) return complain("the policies could not be used");
  auto files = files_of(options.logs);
  if (!files) return complain(files.error().message);
  Result<Summary> summary;
  {
    Progress progress(*files);
    summary = replay_files(*files, policies,
                           {.threads = options.threads, .progress = progress.callback()});
  }
  if (!summary) return complain(summary.error().message);
  std::fputs(
      (options.as_json ? diff_to_json(*summary, options.top) : diff_to_text(*summary, options.top))
          .c_str(),
      stdout);
  if (incomplete(*summary)) return kInputIncomplete;
  const auto flips = summary->flips(0, 1);
  return flips[1] + flips[2] > 0 ? kFound : kGood;
}

}  // namespace

int diff_command(int argc, char** argv) {
  Options options;
  Arguments arguments("Decides recorded events under two policies and says where they part.",
                      "lilith replay diff");
  arguments.logs(options.logs);
  arguments.option("--policy", &options.policies, "twice: first A, then B").required().at_most(2);
  arguments.flag("--json", options.as_json, "the report as JSON");
  arguments.option("--top", &options.top, "rows a table (default 10)");
  arguments.threads(options.threads);
  arguments.footer(
      "Exit codes: 0 no call is decided differently, 1 some are, 2 wrong usage or policy, 3 input "
      "incomplete.");
  if (const auto code = arguments.parse(argc, argv)) return *code;
  if (options.policies.size() != 2) return complain("diff needs --policy twice: A, then B");
  return run(options);
}

}  // namespace lilith::replay
