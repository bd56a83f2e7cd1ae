// `lilith replay gate`: is it time to flip, for which section and team; and the policies that do.

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "replay/arguments.hpp"
#include "replay/command.hpp"
#include "replay/gate.hpp"
#include "replay/input.hpp"

#include <cstdio>
#include <filesystem>

namespace lilith::replay {
namespace {

struct Options {
  std::vector<std::string> logs, taught_by;
  std::string policy, learned_until, teams, staged;
  GateLimits limits;
  bool as_json = false;
  std::uint64_t seed = 1;
  std::int32_t utc_offset_minutes = 0;
};

// One file a team that has something ready; a file that is there already is not overwritten.
Result<void> write_staged(const GateReport& report, const std::string& directory) {
  if (auto made = make_directories(directory, 0755); !made) return pass_error(made);
  for (const TeamGate& team : report.teams) {
    if (team.staged_yaml.empty()) continue;
    const std::string path = directory + "/" + team.team + ".yaml";
    if (std::filesystem::exists(path)) {
      return fail(ErrorCode::kInvalidInput,
                  path + " is there already; move it away or name another directory");
    }
    if (auto written = replace_file(path, team.staged_yaml, 0644); !written)
      return pass_error(written);
    std::fprintf(stderr, "wrote %s\n", path.c_str());
  }
  return {};
}

int run(const Options& options) {
  if (load_policies({options.policy}).empty()) return complain("the policy could not be used");
  auto yaml = read_file(options.policy, limits::kPolicyBytesMax);
  if (!yaml) return complain(yaml.error().message);
  std::vector<Team> teams;
  if (!options.teams.empty()) {
    auto text = read_file(options.teams, limits::kPolicyBytesMax);
    if (!text) return complain(text.error().message);
    auto read = read_teams(*text, options.teams);
    if (!read) return complain(read.error().message);
    teams = std::move(*read);
  }
  Recording recording(options.utc_offset_minutes);
  InputReport input;
  if (auto read = read_recording(options.logs, recording, input); !read)
    return complain(read.error().message);
  auto evidence = evidence_for(recording, options.policy, options.learned_until, options.taught_by);
  if (!evidence) return complain(evidence.error().message);
  auto report =
      gate(recording, options.policy, *yaml, *evidence, options.limits, teams, options.seed);
  if (!report) return complain(report.error().message);
  if (input.incomplete())
    report->notes.push_back("the input is incomplete: " + input.problems.front());
  const std::string text = options.as_json ? to_json(*report, options.seed) : to_text(*report);
  std::fputs(text.c_str(), stdout);
  // Nothing is flipped on a log with holes.
  if (input.incomplete()) return kInputIncomplete;
  if (!options.staged.empty()) {
    if (auto written = write_staged(*report, options.staged); !written)
      return complain(written.error().message);
  }
  switch (report->readiness()) {
    case Readiness::kReady:
      return kGood;
    case Readiness::kNotReady:
      return kFound;
    case Readiness::kTooFew:
      break;
  }
  return kNotEnoughData;
}

void add_options(Arguments& arguments, Options& options) {
  arguments.logs(options.logs);
  arguments.option("--policy", &options.policy, "the candidate").required();
  arguments
      .option("--max-blocks", &options.limits.max_blocks,
              "blocks per developer-day that the upper bound must not exceed (default 0.5)")
      .not_negative();
  arguments
      .option("--max-share-over", &options.limits.max_share_over,
              "share of developers that may have more than 2 blocks a day (default 0.05)")
      .between(0.0, 1.0);
  arguments
      .option("--max-unknown-share", &options.limits.max_unknown_share,
              "share of calls that may be undecidable (default 0.001)")
      .between(0.0, 1.0);
  arguments.option("--teams", &options.teams,
                   "YAML: team: [globs over hosts, or over user@host]; the first match counts");
  arguments.option("--staged", &options.staged,
                   "directory for the policies that flip what is ready: all.yaml and TEAM.yaml");
  arguments.option("--learned-until", &options.learned_until,
                   "last day that the policy was learned or tuned on (see forecast --help)");
  arguments.taught_by(options.taught_by);
  arguments.utc_offset(options.utc_offset_minutes);
  arguments.seed(options.seed);
  arguments.flag("--json", options.as_json, "the result as JSON");
}

}  // namespace

int gate_command(int argc, char** argv) {
  Options options;
  Arguments arguments(
      "Passes or fails each section of a policy, for everyone and for each team, by what its flip "
      "to deny would cost; writes the policies that flip only what is ready.",
      "lilith replay gate");
  add_options(arguments, options);
  arguments.footer(
      "Exit codes: 0 every section of every team is ready, 1 one is not, 2 wrong usage or policy, "
      "3 input incomplete, 5 too few data for one.");
  if (const auto code = arguments.parse(argc, argv)) return *code;
  return run(options);
}

}  // namespace lilith::replay
