// `lilith replay report`: the whole plan on one page, and the same for other programs.

#include "audit/base/file.hpp"
#include "audit/base/limits.hpp"
#include "audit/base/sha256.hpp"
#include "replay/arguments.hpp"
#include "replay/command.hpp"
#include "replay/host_suffix.hpp"
#include "replay/input.hpp"
#include "replay/plan.hpp"

#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

namespace lilith::replay {
namespace {

struct Options {
  std::vector<std::string> logs, taught_by;
  std::string policy, learned_until, teams;
  std::string html, markdown, json, sarif, junit;
  GateLimits limits;
  std::uint64_t seed = 1;
  std::int32_t utc_offset_minutes = 0;
  std::string command_line;
};

// Of the file as it lies there; "-" has none, since it is read once.
Result<std::string> hash_of(const std::string& path) {
  if (path == "-") return std::string("standard input");
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return fail_errno("cannot open " + path);
  Sha256 hash;
  std::vector<char> buffer(1 << 20);
  ssize_t got = 0;
  while ((got = ::read(file, buffer.data(), buffer.size())) > 0)
    hash.update({buffer.data(), static_cast<std::size_t>(got)});
  const int error = errno;
  ::close(file);
  if (got < 0) return fail_errno("cannot read " + path, error);
  return hash.finish_hex();
}

Result<void> put(const std::string& path, const std::string& text) {
  if (path.empty()) return {};
  return path == "-" ? write_all(STDOUT_FILENO, text) : replace_file(path, text, 0644);
}

Result<void> put_all(const Options& options, const Plan& plan) {
  const bool none = options.html.empty() && options.markdown.empty() && options.json.empty() &&
                    options.sarif.empty() && options.junit.empty();
  if (auto done = put(none ? "-" : options.markdown, to_markdown(plan)); !done) return done;
  if (auto done = put(options.html, to_html(plan)); !done) return done;
  if (auto done = put(options.json, to_json(plan)); !done) return done;
  if (auto done = put(options.sarif, to_sarif(plan)); !done) return done;
  return put(options.junit, to_junit(plan));
}

Result<PlanOptions> plan_options(const Options& options, const Recording& recording) {
  PlanOptions out;
  out.policy_path = options.policy;
  out.limits = options.limits;
  out.seed = options.seed;
  auto yaml = read_file(options.policy, limits::kPolicyBytesMax);
  if (!yaml) return pass_error(yaml);
  out.policy_yaml = std::move(*yaml);
  if (!options.teams.empty()) {
    auto text = read_file(options.teams, limits::kPolicyBytesMax);
    if (!text) return pass_error(text);
    auto teams = read_teams(*text, options.teams);
    if (!teams) return pass_error(teams);
    out.teams = std::move(*teams);
  }
  auto evidence = evidence_for(recording, options.policy, options.learned_until, options.taught_by);
  if (!evidence) return pass_error(evidence);
  out.evidence = std::move(*evidence);
  return out;
}

int run(const Options& options) {
  if (load_policies({options.policy}).empty()) return complain("the policy could not be used");
  auto files = files_of(options.logs);
  if (!files) return complain(files.error().message);
  Recording recording(options.utc_offset_minutes);
  InputReport input;
  if (auto read =
          each_event(*files, input, [&](const audit::Event& event) { recording.add(event); });
      !read) {
    return complain(read.error().message);
  }
  auto wanted = plan_options(options, recording);
  if (!wanted) return complain(wanted.error().message);
  auto plan = make_plan(recording, *wanted);
  if (!plan) return complain(plan.error().message);
  plan->input = input;
  plan->version = LILITH_VERSION;
  plan->command_line = options.command_line;
  plan->suffix_list = suffix_list_version();
  for (const std::string& file : *files) {
    auto hash = hash_of(file);
    if (!hash) return complain(hash.error().message);
    plan->inputs.emplace_back(file, std::move(*hash));
  }
  if (auto done = put_all(options, *plan); !done) return complain(done.error().message);
  if (input.incomplete()) return kInputIncomplete;
  switch (plan->gate.readiness()) {
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
  arguments.option("--html", &options.html, "file for the page; - for standard output");
  arguments.option(
      "--markdown", &options.markdown,
      "file for the same as Markdown (default, when no other is named: standard output)");
  arguments.option("--json", &options.json, "file for the same as JSON");
  arguments.option("--sarif", &options.sarif,
                   "file for gates, risks and unused rules as SARIF 2.1.0");
  arguments.option("--junit", &options.junit, "file for one JUnit case per section and team");
  arguments.option("--max-blocks", &options.limits.max_blocks, "see gate --help (default 0.5)")
      .not_negative();
  arguments
      .option("--max-share-over", &options.limits.max_share_over, "see gate --help (default 0.05)")
      .between(0.0, 1.0);
  arguments
      .option("--max-unknown-share", &options.limits.max_unknown_share,
              "see gate --help (default 0.001)")
      .between(0.0, 1.0);
  arguments.option("--teams", &options.teams, "see gate --help");
  arguments.option("--learned-until", &options.learned_until, "see forecast --help");
  arguments.taught_by(options.taught_by);
  arguments.utc_offset(options.utc_offset_minutes);
  arguments.seed(options.seed);
}

}  // namespace

int report_command(int argc, char** argv) {
  Options options;
  options.command_line = "lilith replay";
  for (int i = 0; i < argc; ++i) options.command_line += std::string(" ") + argv[i];
  Arguments arguments(
      "The plan on one page: gate, forecast, who is affected, suggestions, rules in use, and how "
      "to "
      "get the same numbers again.",
      "lilith replay report");
  add_options(arguments, options);
  arguments.footer(
      "Exit codes: 0 every section of every team is ready, 1 one is not, 2 wrong usage or policy, "
      "3 input incomplete, 5 too few data for one; the files are written whatever the code but 2.");
  if (const auto code = arguments.parse(argc, argv)) return *code;
  return run(options);
}

}  // namespace lilith::replay
