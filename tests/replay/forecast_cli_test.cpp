// `lilith replay forecast` on a simulated fleet and on the recorded baseline, with the real
// programs.

#include "audit/json/reader.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

namespace lilith::test {
namespace {

const std::string kLilith = LILITH_BIN_DIR "/lilith";
const std::string kPolicies = LILITH_SOURCE_DIR "/rules/policies";

// A fleet's calls as an imported log.
std::string fleet_log(const TempDir& dir, const std::vector<std::string>& options) {
  std::vector<std::string> argv{LILITH_BIN_DIR "/lilith-fleet"};
  argv.insert(argv.end(), options.begin(), options.end());
  const auto fleet = run(argv);
  EXPECT_EQ(fleet.exit_code, 0) << fleet.err;
  write_text(dir.file("fleet.ndjson"), fleet.out);
  const auto imported = run(
      {kLilith, "import", "neutral", dir.file("fleet.ndjson"), "--output", dir.file("fleet.log")});
  EXPECT_EQ(imported.exit_code, 0) << imported.err;
  return dir.file("fleet.log");
}

const std::vector<std::string> kSmallFleet{"--regime", "iid",    "--hosts", "8",      "--days",
                                           "10",       "--uses", "8",       "--seed", "3"};

ProcessResult forecast(std::vector<std::string> more) {
  std::vector<std::string> argv{kLilith, "replay", "forecast"};
  argv.insert(argv.end(), more.begin(), more.end());
  return run(argv);
}

TEST(ForecastCommand, GivesARateAndABoundAndTheSameBytesForTheSameSeed) {
  const TempDir dir;
  const std::string log = fleet_log(dir, kSmallFleet);
  const std::vector<std::string> argv{log, "--policy", kPolicies + "/lilith-policy.yaml", "--json"};
  const auto first = forecast(argv), second = forecast(argv);
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(first.out, second.out);
  json::Document document;
  const auto report = document.parse(first.out);
  ASSERT_TRUE(report.has_value());
  report->find("candidates")->each_element([](json::View candidate) {
    EXPECT_EQ(candidate.text("case"), "fixed");
    EXPECT_TRUE(candidate.find("after").has_value());
    return true;
  });
  const auto text = forecast({log, "--policy", kPolicies + "/lilith-policy.yaml"});
  EXPECT_NE(text.out.find("after the flip"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("seed 1"), std::string::npos);
  EXPECT_NE(text.out.find("the policy's file changed on"), std::string::npos) << text.out;
}

TEST(ForecastCommand, RefusesTheDaysThatAPolicyWasLearnedOn) {
  const TempDir dir;
  const std::string log = fleet_log(dir, kSmallFleet);
  const std::string policy = read_text(kPolicies + "/lilith-policy.yaml");
  write_text(dir.file("learned.yaml"), "# learned_from: 2026-03-02 to 2026-03-13\n" + policy);
  const auto refused = forecast({log, "--policy", dir.file("learned.yaml")});
  EXPECT_EQ(refused.exit_code, 5);
  EXPECT_NE(refused.out.find("learned on is no forecast"), std::string::npos) << refused.out;
  EXPECT_EQ(refused.out.find("after the flip"), std::string::npos) << refused.out;
  // The same by option, and with half of the days held out there is one again or too few of them.
  EXPECT_EQ(forecast({log, "--policy", kPolicies + "/lilith-policy.yaml", "--learned-until",
                      "2026-03-13"})
                .exit_code,
            5);
  const auto half = forecast(
      {log, "--policy", kPolicies + "/lilith-policy.yaml", "--learned-until", "2026-03-06"});
  EXPECT_NE(half.out.find("2026-03-07 to 2026-03-13: 34 developer-days"), std::string::npos)
      << half.out;
}

// What comes after `name` in a JSON text, up to the next comma.
std::string member(const std::string& json, const std::string& name) {
  const std::size_t at = json.find("\"" + name + "\":");
  if (at == std::string::npos) return "no " + name;
  const std::size_t from = at + name.size() + 3;
  return json.substr(from, json.find(',', from) - from);
}

// Case C: forecast, gate and report leave out who taught the policy, and say so; the numbers are
// those of a log in which these people are not.
TEST(ForecastCommand, JudgesNewPeopleByTheirOwnCallsAloneAndNamesTheCase) {
  const TempDir dir;
  const std::string log = fleet_log(
      dir, {"--regime", "iid", "--hosts", "16", "--days", "10", "--uses", "8", "--seed", "3"});
  const std::string policy = kPolicies + "/lilith-policy.yaml";
  std::string others;
  for (const std::string& line : lines_of(read_text(log))) {
    if (line.find("\"host\":\"ws-1") == std::string::npos) others += line + "\n";
  }
  write_text(dir.file("others.log"), others);
  for (const std::string command : {"forecast", "gate"}) {
    const auto of = [&](const std::string& of_log, const std::vector<std::string>& more) {
      std::vector<std::string> argv{kLilith,    "replay", command, of_log,
                                    "--policy", policy,   "--json"};
      argv.insert(argv.end(), more.begin(), more.end());
      return run(argv).out;
    };
    const std::string fixed = of(dir.file("others.log"), {});
    const std::string new_people = of(log, {"--taught-by", "ws-1*"});
    EXPECT_EQ(member(fixed, "case"), "\"fixed\"") << command;
    EXPECT_EQ(member(new_people, "case"), "\"new_people\"") << command;
    for (const char* name : {"developer_days", "hosts", "developers", "blocks", "rate", "upper95"})
      EXPECT_EQ(member(new_people, name), member(fixed, name)) << command << " " << name;
    EXPECT_NE(of(log, {}), fixed);
    EXPECT_NE(new_people.find("of 16 developers taught the policy and are not judged"),
              std::string::npos)
        << new_people;
    EXPECT_NE(new_people.find("days on which others taught the policy count as well"),
              std::string::npos);
    const std::string later = of(log, {"--taught-by", "ws-1*", "--learned-until", "2026-03-06"});
    EXPECT_EQ(member(later, "case"), "\"new_people\"");
    EXPECT_EQ(later.find("count as well"), std::string::npos) << later;
  }
  const auto text = forecast({log, "--policy", policy, "--taught-by", "ws-1*"});
  EXPECT_NE(text.out.find("learned from other people"), std::string::npos) << text.out;
  const auto page = run({kLilith, "replay", "report", log, "--policy", policy, "--taught-by",
                         "ws-1*", "--json", "-"});
  EXPECT_EQ(member(page.out, "case"), "\"new_people\"") << page.err;

  const auto nobody = forecast({log, "--policy", policy, "--taught-by", "no-such-host"});
  EXPECT_EQ(nobody.exit_code, 2);
  EXPECT_NE(nobody.err.find("--taught-by names nobody"), std::string::npos) << nobody.err;
  const auto everybody = forecast({log, "--policy", policy, "--taught-by", "*"});
  EXPECT_EQ(everybody.exit_code, 5);
  EXPECT_NE(everybody.out.find("nobody is new"), std::string::npos) << everybody.out;
}

TEST(ForecastCommand, SaysThatTheRecordedBaselineIsTooSmall) {
  LILITH_NEEDS_SHARED(baseline, "data/claude_code_baseline.ndjson");
  const TempDir dir;
  ASSERT_EQ(run({kLilith, "import", "neutral", baseline, "--output", dir.file("b.log")}).exit_code,
            0);
  const auto result = forecast({dir.file("b.log"), "--policy", kPolicies + "/lilith-policy.yaml"});
  EXPECT_EQ(result.exit_code, 5) << result.out;
  EXPECT_NE(result.out.find("an interval needs at least 59 developer-days"), std::string::npos)
      << result.out;
}

TEST(ForecastCommand, SaysWhatIsWrongWithItsArguments) {
  const TempDir dir;
  write_text(dir.file("empty.log"), "");
  const std::string policy = kPolicies + "/lilith-policy.yaml";
  EXPECT_EQ(forecast({}).exit_code, 2);
  EXPECT_EQ(forecast({dir.file("none.log"), "--policy", policy}).exit_code, 2);
  const auto empty = forecast({dir.file("empty.log"), "--policy", policy});
  EXPECT_EQ(empty.exit_code, 5) << empty.err;
  EXPECT_NE((empty.err + empty.out).find("no calls"), std::string::npos);
  const auto day = forecast({dir.file("empty.log"), "--policy", policy, "--learned-until", "soon"});
  EXPECT_EQ(day.exit_code, 2);
  EXPECT_NE(day.err.find("'soon' is no day"), std::string::npos) << day.err;
}

}  // namespace
}  // namespace lilith::test
