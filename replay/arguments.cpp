#include "replay/arguments.hpp"

#include "audit/base/limits.hpp"
#include "replay/command.hpp"

#include <CLI/CLI.hpp>

namespace lilith::replay {
namespace {

constexpr std::int64_t kUtcOffsetMinutesMax = std::int64_t{14} * 60;

CLI::Option& raw(void* option) { return *static_cast<CLI::Option*>(option); }

}  // namespace

struct Arguments::Parser {
  Parser(const std::string& about, const std::string& name) : app(about, name) {}
  CLI::App app;
};

Arguments::Option& Arguments::Option::required() {
  raw(option_).required();
  return *this;
}
Arguments::Option& Arguments::Option::between(std::int64_t low, std::int64_t high) {
  raw(option_).check(CLI::Range(low, high));
  return *this;
}
Arguments::Option& Arguments::Option::between(double low, double high) {
  raw(option_).check(CLI::Range(low, high));
  return *this;
}
Arguments::Option& Arguments::Option::not_negative() {
  raw(option_).check(CLI::NonNegativeNumber);
  return *this;
}
Arguments::Option& Arguments::Option::positive() {
  raw(option_).check(CLI::PositiveNumber);
  return *this;
}
Arguments::Option& Arguments::Option::one_of(const std::vector<std::string>& words) {
  raw(option_).check(CLI::IsMember(words));
  return *this;
}
Arguments::Option& Arguments::Option::at_most(int values) {
  raw(option_).expected(1, values);
  return *this;
}
Arguments::Option& Arguments::Option::one_value_each() {
  raw(option_).allow_extra_args(false);
  return *this;
}

Arguments::Arguments(const std::string& about, const std::string& name)
    : parser_(std::make_unique<Parser>(about, name)) {}
Arguments::~Arguments() = default;

Arguments::Option Arguments::option(const std::string& name, Target target,
                                    const std::string& help) {
  return Option(
      std::visit([&](auto* value) { return parser_->app.add_option(name, *value, help); }, target));
}

void Arguments::flag(const std::string& name, bool& target, const std::string& help) {
  parser_->app.add_flag(name, target, help);
}

void Arguments::footer(const std::string& text) { parser_->app.footer(text); }

void Arguments::logs(std::vector<std::string>& logs) {
  option("logs", &logs, "audit logs: plain, .gz, .zst, a directory, - for standard input")
      .required();
}

void Arguments::threads(std::size_t& threads) {
  option("--threads", &threads, "threads that examine lines (default: the cores)")
      .between(std::int64_t{1}, static_cast<std::int64_t>(limits::kReplayThreadsMax));
}

void Arguments::utc_offset(std::int32_t& minutes) {
  option("--utc-offset", &minutes,
         "minutes east of UTC at which the developers' day begins (default 0)")
      .between(-kUtcOffsetMinutesMax, kUtcOffsetMinutesMax);
}

void Arguments::taught_by(std::vector<std::string>& globs) {
  option("--taught-by", &globs,
         "hosts, or user@host, as globs: whose calls the policy was made from. Only the others "
         "are judged, as new people; may be repeated")
      .one_value_each();
}

void Arguments::seed(std::uint64_t& seed) {
  option("--seed", &seed, "of the resampling (default 1)");
}

void Arguments::support(std::size_t& min_hosts, std::size_t& min_days,
                        std::vector<std::string>& accepted_risks) {
  option("--min-hosts", &min_hosts, "workstations that must have used a thing (default 2) ...")
      .positive();
  option("--min-days", &min_days, "... or days on which it was used (default 3)").positive();
  option("--accept-risk", &accepted_risks,
         "suggest what is held back for this: R1 multi-tenant host, R5 interpreter, R7 after a "
         "blocked attempt, R10 address or unusual port; may be repeated")
      .one_of({"R1", "R5", "R7", "R10"})
      .one_value_each();
}

std::optional<int> Arguments::parse(int argc, char** argv) {
  try {
    parser_->app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return parser_->app.exit(error) == 0 ? kGood : kUsage;
  }
  return std::nullopt;
}

}  // namespace lilith::replay
