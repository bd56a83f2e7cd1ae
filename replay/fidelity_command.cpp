// `lilith replay fidelity`: does the policy in force still give what was recorded?

#include "replay/arguments.hpp"
#include "replay/command.hpp"
#include "replay/input.hpp"
#include "replay/report.hpp"

#include <cstdio>

namespace lilith::replay {
namespace {

struct Options {
  std::vector<std::string> logs, policies;
  bool as_json = false;
};

int run(const Options& options) {
  const auto policies = load_policies(options.policies);
  if (policies.size() != 1) return complain("fidelity needs the one policy that was in force");
  auto files = files_of(options.logs);
  if (!files) return complain(files.error().message);
  Fidelity result;
  InputReport input;
  if (auto read = each_event(
          *files, input,
          [&](const audit::Event& event) { check_fidelity(*policies[0], event, result); });
      !read) {
    return complain(read.error().message);
  }
  std::fputs((options.as_json ? to_json(result) : to_text(result)).c_str(), stdout);
  if (result.disagreements > 0) return kFidelity;
  return input.incomplete() ? kInputIncomplete : kGood;
}

}  // namespace

int fidelity_command(int argc, char** argv) {
  Options options;
  Arguments arguments(
      "Decides recorded events again under the policy that was in force; any difference is a "
      "fault.",
      "lilith replay fidelity");
  arguments.logs(options.logs);
  arguments.option("--policy", &options.policies, "the policy that was in force").required();
  arguments.flag("--json", options.as_json, "the report as JSON");
  arguments.footer(
      "Exit codes: 0 all the same, 2 wrong usage or policy, 3 input incomplete, 4 decisions that "
      "differ.");
  if (const auto code = arguments.parse(argc, argv)) return *code;
  return run(options);
}

}  // namespace lilith::replay
