// `lilith replay suggest` and `gate` with the real programs, on a simulated fleet and on the
// recorded baseline.

#include "audit/json/reader.hpp"
#include "tests/support/support.hpp"

#include <gtest/gtest.h>

namespace lilith::test {
namespace {

const std::string kLilith = LILITH_BIN_DIR "/lilith";
const std::string kPolicies = LILITH_SOURCE_DIR "/rules/policies";

ProcessResult lilith(std::vector<std::string> more) {
  more.insert(more.begin(), kLilith);
  return run(more, {.timeout = std::chrono::milliseconds(240'000)});
}

// Files are a few per developer, commands and pages are shared: what suggest can generalise.
std::string fleet_log(const TempDir& dir) {
  const auto fleet = run({LILITH_BIN_DIR "/lilith-fleet", "--regime", "iid", "--hosts", "12",
                          "--days", "10", "--uses", "6", "--seed", "3"});
  EXPECT_EQ(fleet.exit_code, 0) << fleet.err;
  write_text(dir.file("fleet.ndjson"), fleet.out);
  EXPECT_EQ(
      lilith({"import", "neutral", dir.file("fleet.ndjson"), "--output", dir.file("fleet.log")})
          .exit_code,
      0);
  return dir.file("fleet.log");
}

TEST(SuggestCommand, TheWrittenPolicyDecidesAsPromisedAndIsRefusedOnItsOwnDays) {
  const TempDir dir;
  const std::string log = fleet_log(dir), policy = kPolicies + "/lilith-policy.yaml";
  const auto result = lilith({"replay", "suggest", log, "--policy", policy, "--json", "--output",
                              dir.file("suggested.yaml")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  json::Document document;
  const auto report = document.parse(result.out);
  ASSERT_TRUE(report.has_value()) << result.out;
  const auto held = report->find("hold_out");
  ASSERT_TRUE(held.has_value());
  const auto number = [](json::View object, std::string_view key) {
    return object.find(key)->integer().value_or(-1);
  };
  EXPECT_LT(number(*held, "denied"), number(*held, "denied_by_base"));
  EXPECT_GT(number(*held, "denied"), 0) << "an in-sample figure would be 0";
  // Re-run as a candidate: fewer calls are denied, none newly.
  EXPECT_EQ(lilith({"policy", "check", dir.file("suggested.yaml")}).exit_code, 0);
  const auto again =
      lilith({"replay", log, "--policy", policy, "--policy", dir.file("suggested.yaml"), "--json"});
  json::Document second;
  std::vector<std::int64_t> denied;
  second.parse(again.out)->find("candidates")->each_element([&](json::View candidate) {
    denied.push_back(number(candidate, "newly_denied"));
    return true;
  });
  ASSERT_EQ(denied.size(), 2);
  EXPECT_LT(denied[1], denied[0]);
  const auto refused = lilith({"replay", "forecast", log, "--policy", dir.file("suggested.yaml")});
  EXPECT_EQ(refused.exit_code, 5) << refused.out;
}

TEST(SuggestCommand, OnTheRecordedBaseline) {
  LILITH_NEEDS_SHARED(baseline, "data/claude_code_baseline.ndjson");
  const TempDir dir;
  ASSERT_EQ(lilith({"import", "neutral", baseline, "--output", dir.file("b.log")}).exit_code, 0);
  const auto result =
      lilith({"replay", "suggest", dir.file("b.log"), "--policy", kPolicies + "/lilith-policy.yaml",
              "--train-until", "2026-01-18", "--output", dir.file("s.yaml"), "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  json::Document document;
  const auto held = document.parse(result.out)->find("hold_out");
  const auto number = [&](std::string_view key) { return held->find(key)->integer().value_or(-1); };
  // docs/replay.md states these and what they are made of. A reader of shell lines that learns a
  // form moves a few calls, and no more.
  EXPECT_EQ(number("calls"), 2750);
  EXPECT_NEAR(static_cast<double>(number("denied_by_base")), 2555, 15);
  EXPECT_NEAR(static_cast<double>(number("denied")), 100, 15);
  const auto others = held->find("new_people");
  ASSERT_TRUE(others.has_value());
  EXPECT_EQ(others->find("calls")->integer(), 2750);
  EXPECT_NEAR(static_cast<double>(others->find("denied")->integer().value_or(-1)), 1346, 40);
  EXPECT_FALSE(held->find("enough_data")->boolean().value());
}

TEST(ReportCommand, WritesEveryFormAndTheSameBytesAgain) {
  const TempDir dir;
  const std::string log = fleet_log(dir), policy = kPolicies + "/starter-audit.yaml";
  const std::vector<std::string> argv{"replay",
                                      "report",
                                      log,
                                      "--policy",
                                      policy,
                                      "--max-blocks",
                                      "0.01",
                                      "--html",
                                      dir.file("p.html"),
                                      "--markdown",
                                      dir.file("p.md"),
                                      "--json",
                                      dir.file("p.json"),
                                      "--sarif",
                                      dir.file("p.sarif"),
                                      "--junit",
                                      dir.file("p.xml")};
  const auto first = lilith(argv);
  EXPECT_EQ(first.exit_code, 1) << first.err;
  const std::vector<std::string> names{"p.html", "p.md", "p.json", "p.sarif", "p.xml"};
  std::vector<std::string> texts;
  for (const std::string& name : names) texts.push_back(read_text(dir.file(name)));
  EXPECT_EQ(lilith(argv).exit_code, 1);
  for (std::size_t i = 0; i < names.size(); ++i)
    EXPECT_EQ(read_text(dir.file(names[i])), texts[i]) << names[i];
  json::Document document;
  const auto report = document.parse(texts[2]);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->text("readiness"), "not_ready");
  report->find("inputs")->each_element([](json::View input) {
    EXPECT_EQ(input.text("sha256").size(), 64U);
    return true;
  });
  EXPECT_NE(texts[1].find("**Not ready as a whole"), std::string::npos);
}

TEST(GateCommand, ExitCodesTellReadyFromNotReadyAndStagedFilesLoad) {
  const TempDir dir;
  const std::string log = fleet_log(dir), policy = kPolicies + "/starter-audit.yaml";
  write_text(dir.file("teams.yaml"), "low: [\"ws-?\"]\nhigh: [\"ws-1?\"]\n");
  const auto strict = lilith({"replay", "gate", log, "--policy", policy, "--max-blocks", "0.01",
                              "--staged", dir.file("none")});
  EXPECT_EQ(strict.exit_code, 1) << strict.err;
  EXPECT_NE(strict.out.find("ready now: nothing"), std::string::npos) << strict.out;
  const auto lenient = lilith({"replay", "gate", log, "--policy", policy, "--max-blocks", "1000",
                               "--max-share-over", "1", "--staged", dir.file("staged")});
  EXPECT_EQ(lenient.exit_code, 0) << lenient.out;
  EXPECT_EQ(lilith({"policy", "check", dir.file("staged") + "/all.yaml"}).exit_code, 0);
  EXPECT_NE(read_text(dir.file("staged") + "/all.yaml").find("default_action: deny"),
            std::string::npos);
  // A staged file is never overwritten, and a team of two hosts is too small.
  EXPECT_EQ(lilith({"replay", "gate", log, "--policy", policy, "--max-blocks", "1000",
                    "--max-share-over", "1", "--staged", dir.file("staged")})
                .exit_code,
            2);
  const auto teams = lilith({"replay", "gate", log, "--policy", policy, "--max-blocks", "1000",
                             "--max-share-over", "1", "--teams", dir.file("teams.yaml"), "--json"});
  EXPECT_EQ(teams.exit_code, 5) << teams.out;
}

}  // namespace
}  // namespace lilith::test
