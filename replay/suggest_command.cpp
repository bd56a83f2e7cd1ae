// `lilith replay suggest`: the smallest allow list that explains a baseline, and what it is worth.

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "replay/arguments.hpp"
#include "replay/command.hpp"
#include "replay/input.hpp"
#include "replay/suggest_report.hpp"

#include <cstdio>
#include <unistd.h>

namespace lilith::replay {
namespace {

struct Options {
  std::vector<std::string> logs, accepted_risks;
  std::string policy, output, train_until;
  SuggestOptions suggest;
  bool as_json = false;
  std::size_t top = 20;
  std::uint64_t seed = 1;
  std::int32_t utc_offset_minutes = 0;
};

Result<Halves> halves_for(const std::vector<std::int32_t>& days, const std::string& train_until) {
  Halves out = halves_of(days);
  if (train_until.empty()) return out;
  auto until = parse_day(train_until);
  if (!until) return pass_error(until);
  if (*until < days.front() || *until >= days.back()) {
    return fail(ErrorCode::kInvalidInput,
                "--train-until must leave days on both sides: the logs have " +
                    format_day(days.front()) + " to " + format_day(days.back()));
  }
  out.learned = {days.front(), *until};
  out.tested = {*until + 1, days.back()};
  return out;
}

int put(const Options& options, const SuggestReport& report) {
  const std::string text = options.as_json ? to_json(report) : to_text(report, options.top);
  const bool yaml_to_stdout = options.output == "-";
  if (auto put = write_all(yaml_to_stdout ? STDERR_FILENO : STDOUT_FILENO, text); !put)
    return complain(put.error().message);
  if (options.output.empty()) return kGood;
  auto written = yaml_to_stdout ? write_all(STDOUT_FILENO, report.suggested.yaml)
                                : replace_file(options.output, report.suggested.yaml, 0644);
  if (!written) return complain(written.error().message);
  return kGood;
}

int run(Options& options) {
  const auto policies = load_policies({options.policy});
  if (policies.empty()) return complain("the policy could not be used");
  auto yaml = read_file(options.policy, limits::kPolicyBytesMax);
  if (!yaml) return complain(yaml.error().message);
  Recording recording(options.utc_offset_minutes);
  InputReport input;
  if (auto read = read_recording(options.logs, recording, input); !read)
    return complain(read.error().message);
  const std::vector<std::int32_t> days = recording.active_days();
  if (days.size() < 2) {
    complain("calls of fewer than two days: nothing could be held out to judge suggestions by");
    return kNotEnoughData;
  }
  auto halves = halves_for(days, options.train_until);
  if (!halves) return complain(halves.error().message);
  options.suggest.accepted_risks.insert(options.accepted_risks.begin(),
                                        options.accepted_risks.end());
  options.suggest.days = {days.front(), days.back()};
  SuggestReport report;
  report.policy = options.policy;
  report.sha256 = policies[0]->sha256();
  Random random(options.seed);
  auto held = hold_out(recording, *policies[0], *yaml, options.suggest, *halves, random);
  if (!held) return complain(held.error().message);
  report.hold_out = std::move(*held);
  auto suggested = suggest(recording, *policies[0], *yaml, options.suggest);
  if (!suggested) return complain(suggested.error().message);
  report.suggested = std::move(*suggested);
  const int result = put(options, report);
  return result == kGood && input.incomplete() ? kInputIncomplete : result;
}

void add_options(Arguments& arguments, Options& options) {
  arguments.logs(options.logs);
  arguments.option("--policy", &options.policy, "the policy to extend").required();
  arguments.option(
      "--output", &options.output,
      "file for the whole suggested policy; - for standard output, the report then goes "
      "to standard error");
  arguments.option(
      "--train-until", &options.train_until,
      "last day (2026-01-31) of the days that the judged suggestions are learned on; the "
      "others are held out (default: half of the active days)");
  arguments.support(options.suggest.min_hosts, options.suggest.min_days, options.accepted_risks);
  arguments.utc_offset(options.utc_offset_minutes);
  arguments.seed(options.seed);
  arguments.option("--top", &options.top, "entries shown (default 20)");
  arguments.flag("--json", options.as_json, "the report as JSON");
}

}  // namespace

int suggest_command(int argc, char** argv) {
  Options options;
  Arguments arguments(
      "Suggests the smallest allow list that explains recorded calls, with the evidence and the "
      "risks of every entry, and judges it on days that it was not learned on.",
      "lilith replay suggest");
  add_options(arguments, options);
  arguments.footer(
      "Exit codes: 0 report printed, 2 wrong usage or policy, 3 input incomplete, 5 calls of fewer "
      "than two days.");
  if (const auto code = arguments.parse(argc, argv)) return *code;
  return run(options);
}

}  // namespace lilith::replay
