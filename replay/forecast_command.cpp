// `lilith replay forecast`: what a flip to deny would cost a developer on a day.

#include "replay/arguments.hpp"
#include "replay/command.hpp"
#include "replay/forecast_report.hpp"
#include "replay/input.hpp"

#include <cstdio>

namespace lilith::replay {
namespace {

struct Options {
  std::vector<std::string> logs, policies;
  std::vector<std::string> taught_by;
  std::string learned_until;
  bool as_json = false;
  std::uint64_t seed = 1;
  std::int32_t utc_offset_minutes = 0;
};

Result<CandidateForecast> forecast_of(const Recording& recording, const rules::Policy& policy,
                                      const Options& options) {
  CandidateForecast out;
  out.policy = policy.file_name();
  out.sha256 = policy.sha256();
  auto evidence = evidence_for(recording, out.policy, options.learned_until, options.taught_by);
  if (!evidence) return pass_error(evidence);
  out.notes = evidence->notes;
  const Judgement judgement = judge(recording, policy);
  Random random(options.seed);
  out.forecast = forecast(recording, judgement, *evidence, random);
  if (evidence->kind == Case::kLearned) return out;
  // One policy that nobody who is judged has taught: every window of their days is evidence.
  Selection judged;
  judged.taught = evidence->taught;
  const Judge grid = [&](DayRange, DayRange tested) {
    return grid_of(recording, judgement, tested, judged);
  };
  std::vector<std::int32_t> days = recording.active_days();
  std::erase_if(days, [&](std::int32_t day) { return !evidence->tested.contains(day); });
  out.forecast.past = past_bounds(days, Case::kFixed, grid, random);
  return out;
}

int run(const Options& options) {
  auto policies = load_policies(options.policies);
  if (policies.empty()) return complain("no candidate policy could be used");
  Recording recording(options.utc_offset_minutes);
  ForecastReport report;
  if (auto read = read_recording(options.logs, recording, report.input); !read)
    return complain(read.error().message);
  report.quality = recording.quality();
  report.seed = options.seed;
  report.utc_offset_minutes = options.utc_offset_minutes;
  bool enough = true;
  for (const auto& policy : policies) {
    auto one = forecast_of(recording, *policy, options);
    if (!one) return complain(one.error().message);
    enough = enough && one->forecast.refused.empty();
    report.candidates.push_back(std::move(*one));
  }
  std::fputs((options.as_json ? to_json(report) : to_text(report)).c_str(), stdout);
  if (report.input.incomplete()) return kInputIncomplete;
  return enough ? kGood : kNotEnoughData;
}

}  // namespace

int forecast_command(int argc, char** argv) {
  Options options;
  Arguments arguments(
      "Says what a flip of a policy to deny would cost: blocks per developer and active day, with "
      "an upper bound. A block is one distinct (tool, target) denied to one developer on one day.",
      "lilith replay forecast");
  arguments.logs(options.logs);
  arguments.option("--policy", &options.policies, "candidate policy; once for each candidate")
      .required();
  arguments.option("--learned-until", &options.learned_until,
                   "last day (2026-01-31) that the policy was learned or tuned on; only later days "
                   "count. Default: what the policy's own `# learned_from:` line says");
  arguments.taught_by(options.taught_by);
  arguments.utc_offset(options.utc_offset_minutes);
  arguments.seed(options.seed);
  arguments.flag("--json", options.as_json, "the forecast as JSON");
  arguments.footer(
      "Exit codes: 0 forecast, 2 wrong usage or policy, 3 input incomplete, 5 not enough data for "
      "an interval, or none that the policy was not learned on.");
  if (const auto code = arguments.parse(argc, argv)) return *code;
  return run(options);
}

}  // namespace lilith::replay
