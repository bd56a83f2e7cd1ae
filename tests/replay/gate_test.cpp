#include "replay/gate.hpp"

#include "replay/staged.hpp"
#include "tests/replay/call_maker.hpp"

#include <gmock/gmock.h>

namespace lilith::replay {
namespace {

using test::CallMaker;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kPolicy = R"(version: "1"   # ours
egress:
  default_action: log   # until the list is whole
  allowed_destinations: [{host: docs.example.com}]
tool_invocations: {default_action: "log",
  allowed_tools: [{name: run_command, command_allowlist: [git]}]}
)";

TEST(StagedPolicy, ChangesTheWordsAndKeepsTheRest) {
  const std::string staged = staged_policy(kPolicy, {"tool_invocations"}).value();
  std::string expected(kPolicy);
  expected.replace(expected.find("\"log\""), 5, "\"deny\"");
  EXPECT_EQ(staged, expected);
  EXPECT_EQ(staged_policy(staged, {}).value(), kPolicy);
  EXPECT_THAT(sections_of(kPolicy).value(), ElementsAre("egress", "tool_invocations"));
}

TEST(StagedPolicy, LeavesAllowAloneAndTurnsAuditIntoEnforce) {
  constexpr std::string_view kAudit =
      "version: \"1\"\nmode: audit\negress: {default_action: allow}\n"
      "tool_invocations: {default_action: deny}\n";
  EXPECT_THAT(sections_of(kAudit).value(), ElementsAre("tool_invocations"));
  const std::string staged = staged_policy(kAudit, {"tool_invocations"}).value();
  EXPECT_THAT(staged, HasSubstr("mode: enforce"));
  EXPECT_THAT(staged, HasSubstr("egress: {default_action: allow}"));
  EXPECT_TRUE(test::policy_of(staged)->enforces());
  EXPECT_FALSE(test::policy_of(staged_policy(kAudit, {}).value())->enforces());
}

TEST(Teams, AreReadWithTheirMistakes) {
  const auto teams = read_teams("be: [\"be-*\"]\nweb: [\"ann@shared\"]\n", "t.yaml");
  ASSERT_TRUE(teams.has_value());
  EXPECT_EQ(teams->size(), 2);
  for (const char* bad : {"- a", "be: x", "be: []", "\"../x\": [a]", "all: [a]", "be: [{a: b}]"})
    EXPECT_FALSE(read_teams(bad, "t.yaml").has_value()) << bad;
  EXPECT_THAT(read_teams("x: 1\n\"a/b\": [c]\n", "t.yaml").error().message, HasSubstr("t.yaml:1"));
}

// Twelve days of six hosts each in two teams; only web fetches pages that are not listed, and only
// on `noisy` days.
void fill(Recording& recording, int noisy) {
  CallMaker make;
  for (int day = 0; day < 12; ++day) {
    const std::string time = "2026-03-" + std::to_string(10 + day) + "T10:00:00Z";
    for (const char* team : {"be", "web"}) {
      for (int host = 0; host < 6; ++host) {
        const std::string name = team + std::string("-") + std::to_string(host);
        recording.add(make.command(name, "ann", time, "git log"));
        recording.add(make.fetch(name, "ann", time, "https://docs.example.com/x"));
        if (std::string_view(team) == "web" && day < noisy)
          recording.add(make.fetch(name, "ann", time, "https://other.example.com/x"));
      }
    }
  }
}

Result<GateReport> gate_of(const Recording& recording, double max_blocks) {
  const auto days = recording.active_days();
  Evidence evidence;
  evidence.tested = {days.front(), days.back()};
  GateLimits limits;
  limits.max_blocks = max_blocks;
  const std::vector<Team> teams{{"be", {"be-*"}}, {"web", {"web-*"}}};
  return gate(recording, "policy.yaml", std::string(kPolicy), evidence, limits, teams, 1);
}

TEST(Gate, PassesByTeamAndSectionAndWritesOnlyWhatIsReady) {
  Recording recording;
  fill(recording, 12);
  const auto report = gate_of(recording, 0.2);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  ASSERT_EQ(report->teams.size(), 3);
  EXPECT_EQ(report->readiness(), Readiness::kNotReady);
  EXPECT_THAT(report->teams[0].ready, ElementsAre("tool_invocations"));
  EXPECT_THAT(report->teams[1].ready, ElementsAre("egress", "tool_invocations"));
  EXPECT_THAT(report->teams[2].ready, ElementsAre("tool_invocations"));
  // What was written decides as promised: web's pages are let pass, an unlisted program is not.
  const auto staged = test::policy_of(report->teams[2].staged_yaml);
  CallMaker make;
  const auto action = [&](const audit::Event& event) {
    return rules::decide(*staged, {event.agent, event.tool, event.server},
                         rules::analyse(event.call), event.facts)
        .action;
  };
  EXPECT_EQ(action(make.fetch("web-1", "ann", "2026-03-30T10:00:00Z", "https://x.example.com/")),
            audit::Action::kWouldDeny);
  EXPECT_EQ(action(make.command("web-1", "ann", "2026-03-30T10:00:00Z", "ls")),
            audit::Action::kDenied);
  EXPECT_THAT(report->teams[2].staged_yaml, HasSubstr(report->sha256));
  EXPECT_THAT(to_text(*report), HasSubstr("ready now: egress+tool_invocations"));
}

TEST(Gate, PassesWhenEverySectionOfEveryTeamDoes) {
  Recording recording;
  fill(recording, 0);
  const auto report = gate_of(recording, 0.2);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->readiness(), Readiness::kReady);
  // Without any block the bound is the rule of three over 72 developer-days, not nothing.
  EXPECT_EQ(gate_of(recording, 0.01)->readiness(), Readiness::kNotReady);
}

// Each section alone stays below the limit, both together do not.
TEST(Gate, ChecksReadySectionsTogether) {
  Recording recording;
  CallMaker make;
  for (int day = 0; day < 12; ++day) {
    const std::string time = "2026-03-" + std::to_string(10 + day) + "T10:00:00Z";
    for (int host = 0; host < 6; ++host) {
      const std::string name = "be-" + std::to_string(host);
      recording.add(make.command(name, "ann", time, "ls"));
      recording.add(make.fetch(name, "ann", time, "https://other.example.com/x"));
    }
  }
  const auto report = gate_of(recording, 1.6);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->teams[0].rows[0].readiness, Readiness::kReady);
  EXPECT_EQ(report->teams[0].ready.size(), 1);
  EXPECT_EQ(report->readiness(), Readiness::kNotReady);
}

TEST(Gate, SaysTooFewWhereATeamIsSmall) {
  Recording recording;
  CallMaker make;
  for (int day = 0; day < 12; ++day)
    recording.add(make.command("be-1", "ann", "2026-03-" + std::to_string(10 + day) + "T10:00:00Z",
                               "git log"));
  const auto report = gate_of(recording, 0.5);
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->readiness(), Readiness::kTooFew);
  EXPECT_TRUE(report->teams[0].ready.empty());
  EXPECT_TRUE(report->teams[0].staged_yaml.empty());
}

}  // namespace
}  // namespace lilith::replay
