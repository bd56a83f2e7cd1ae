#include "replay/forecast.hpp"

#include "replay/provenance.hpp"
#include "tests/replay/call_maker.hpp"

namespace lilith::replay {
namespace {

using test::CallMaker;

constexpr std::string_view kGitOnly = R"(version: "1"
egress: {default_action: deny}
tool_invocations:
  default_action: deny
  allowed_tools:
    - {name: run_command, command_allowlist: [git]}
)";

double sum(const std::vector<double>& values) {
  double out = 0;
  for (const double value : values) out += value;
  return out;
}

DayRange days_of(const Recording& recording) {
  const auto days = recording.active_days();
  return {days.front(), days.back()};
}

Grid grid(const Recording& recording, const Selection& selection = {}) {
  return grid_of(recording, judge(recording, *test::policy_of(kGitOnly)), days_of(recording),
                 selection);
}

TEST(Block, ARetryLoopIsOneBlockAndOneMoreOnTheNextDay) {
  CallMaker make;
  Recording recording;
  for (int i = 0; i < 50; ++i)
    recording.add(make.command("a", "ann", "2026-03-02T10:00:00Z", "make test"));
  EXPECT_EQ(sum(grid(recording).blocks), 1);
  recording.add(make.command("a", "ann", "2026-03-03T10:00:00Z", "make test"));
  recording.add(make.command("a", "ann", "2026-03-03T10:01:00Z", "ls"));
  recording.add(make.command("a", "ann", "2026-03-03T10:02:00Z", "git log"));
  const Grid all = grid(recording);
  EXPECT_EQ(sum(all.blocks), 3);
  EXPECT_EQ(sum(all.active), 2);
}

TEST(Block, IsAThingAndNotASpelling) {
  CallMaker make;
  Recording recording;
  for (const char* path :
       {"/tmp/123456/a", "/tmp/654321/a", "/tmp/0bb9a2d9-a51e-4d5a-8275-566c766a0ff2/a",
        "/tmp/0123456789abcdef0/a"})
    recording.add(make.read("a", "ann", "2026-03-02T10:00:00Z", path));
  EXPECT_EQ(sum(grid(recording).blocks), 1);
}

TEST(DeveloperDay, TwoUsersOfOneHostAreTwoDevelopersAndOneRow) {
  CallMaker make;
  Recording recording;
  recording.add(make.command("a", "ann", "2026-03-02T10:00:00Z", "ls"));
  recording.add(make.command("a", "bob", "2026-03-02T10:00:00Z", "ls"));
  const Grid all = grid(recording);
  EXPECT_EQ(all.hosts, 1);
  EXPECT_EQ(sum(all.active), 2);
  EXPECT_EQ(sum(all.blocks), 2);
}

// At UTC an evening in San Francisco is cut in two, and every rate is halved.
TEST(DeveloperDay, IsCutAtTheDevelopersMidnight) {
  for (const auto& [offset, expected] : {std::pair(0, 2.0), std::pair(-480, 1.0)}) {
    CallMaker make;
    Recording recording(offset);
    recording.add(make.command("a", "ann", "2026-03-02T23:00:00Z", "ls"));
    recording.add(make.command("a", "ann", "2026-03-03T01:00:00Z", "ls"));
    EXPECT_EQ(sum(grid(recording).active), expected) << offset;
  }
}

TEST(Recording, LeavesOutRepeatsAndRefusedCallsAndKeepsActivityOfUnknownOnes) {
  CallMaker make;
  Recording recording;
  const audit::Event once = make.command("a", "ann", "2026-03-02T10:00:00Z", "ls");
  recording.add(once);
  recording.add(once);
  audit::Event refused = make.command("a", "ann", "2026-03-02T10:00:00Z", "rm x");
  refused.type = audit::EventType::kImported;
  refused.detail = {{"outcome", "rejected"}};
  recording.add(refused);
  audit::Event cut = make.command("b", "bob", "2026-03-02T10:00:00Z", "ls");
  cut.truncated = "call.command=9000:00";
  recording.add(cut);
  EXPECT_EQ(recording.quality().duplicates, 1);
  EXPECT_EQ(recording.quality().refused, 1);
  EXPECT_EQ(recording.quality().unknown, 1);
  const Grid all = grid(recording);
  EXPECT_EQ(sum(all.active), 2);
  EXPECT_EQ(sum(all.blocks), 1);
}

TEST(Selection, ByOperationKeepsTheActivityOfEveryone) {
  CallMaker make;
  Recording recording;
  recording.add(make.command("a", "ann", "2026-03-02T10:00:00Z", "ls"));
  recording.add(make.read("b", "bob", "2026-03-02T10:00:00Z", "/etc/hosts"));
  Selection reads;
  reads.group = "read_file";
  EXPECT_EQ(sum(grid(recording, reads).blocks), 1);
  EXPECT_EQ(sum(grid(recording, reads).active), 2);
  Selection bob;
  bob.developers = {false, true};
  EXPECT_EQ(sum(grid(recording, bob).active), 1);
  EXPECT_EQ(sum(grid(recording, bob).blocks), 1);
}

// Six hosts on twelve days; one call of each that is denied, on `blocked_days` of them.
void fill(Recording& recording, int hosts, int days, int blocked_days) {
  CallMaker make;
  for (int day = 0; day < days; ++day) {
    const std::string time = "2026-03-" + std::to_string(10 + day) + "T10:00:00Z";
    for (int host = 0; host < hosts; ++host) {
      const std::string name = "h" + std::to_string(host);
      recording.add(make.command(name, "ann", time, "git log"));
      if (day < blocked_days) recording.add(make.command(name, "ann", time, "ls"));
    }
  }
}

Forecast fixed(const Recording& recording) {
  Random random(1);
  return forecast(recording, judge(recording, *test::policy_of(kGitOnly)), Case::kFixed, {},
                  days_of(recording), random);
}

TEST(Forecast, RefusesAnIntervalOfTooFewHostsDaysOrDeveloperDays) {
  struct Row {
    int hosts, days;
    bool enough;
  };
  for (const Row& row : {Row{6, 10, true}, Row{6, 9, false}, Row{4, 20, false}, Row{20, 4, false},
                         Row{5, 12, true}}) {
    Recording recording;
    fill(recording, row.hosts, row.days, 1);
    const Forecast result = fixed(recording);
    EXPECT_EQ(result.refused.empty(), row.enough) << row.hosts << " " << row.days;
    if (!row.enough) {
      EXPECT_EQ(result.bound.upper, 0);
      EXPECT_EQ(sentence(result, "p", "0").substr(0, 12), "No forecast:");
    }
  }
}

TEST(Forecast, OfAFixedPolicyUsesAllDays) {
  Recording recording;
  fill(recording, 6, 12, 6);
  const Forecast result = fixed(recording);
  EXPECT_EQ(result.bound.rate, 0.5);
  EXPECT_GT(result.bound.upper, 0.5);
  EXPECT_EQ(result.developer_days, 72);
  EXPECT_EQ(result.sessions, 72);
  EXPECT_EQ(result.sessions_blocked, 36);
  EXPECT_TRUE(result.now_known);
  EXPECT_EQ(result.now, 0);
  EXPECT_NE(sentence(result, "p", "0123456789abcdef").find("expect 0.50 blocks"),
            std::string::npos);
}

TEST(Forecast, NamesToolsThatTheBaselineDidNotHold) {
  Recording recording;
  fill(recording, 6, 20, 20);
  CallMaker make;
  audit::Event fresh = make.tool("h0", "ann", "2026-03-25T11:00:00Z", "TaskCreate");
  fresh.id = "new";
  recording.add(fresh);
  Random random(1);
  const auto halves = halves_of(recording.active_days());
  const Forecast result = forecast(recording, judge(recording, *test::policy_of(kGitOnly)),
                                   Case::kLearned, halves.learned, halves.tested, random);
  ASSERT_EQ(result.new_tools.size(), 1);
  EXPECT_EQ(result.new_tools[0].tool, "TaskCreate");
  EXPECT_EQ(result.new_tools[0].blocks, 1);
  EXPECT_EQ(result.bound.blocks, 61);
  EXPECT_EQ(result.rate_without_new_tools, 1);
  EXPECT_EQ(format_day(halves.learned.last), "2026-03-19");
  EXPECT_EQ(format_day(halves.tested.first), "2026-03-20");
}

// A fleet that is quiet for six days and then is not: the bound made before must be said to have
// been exceeded.
TEST(PastBounds, SayWhereABoundDidNotHold) {
  Grid quiet(6, 3), busy(6, 3);
  for (std::size_t cell = 0; cell < 18; ++cell) {
    quiet.active[cell] = busy.active[cell] = 1;
    busy.blocks[cell] = 9;
  }
  const Judge judge = [&](DayRange, DayRange tested) { return tested.first < 6 ? quiet : busy; };
  Random random(1);
  std::vector<std::int32_t> days;
  for (std::int32_t day = 0; day < 12; ++day) days.push_back(day);
  const auto fixed_bounds = past_bounds(days, Case::kFixed, judge, random);
  ASSERT_EQ(fixed_bounds.size(), 3);
  EXPECT_TRUE(fixed_bounds[0].held());
  EXPECT_FALSE(fixed_bounds[1].held());
  EXPECT_TRUE(fixed_bounds[2].held());
  EXPECT_EQ(past_bounds(days, Case::kLearned, judge, random).size(), 2);
}

TEST(Provenance, IsTheLastDayOfTheComment) {
  EXPECT_EQ(learned_until_of("version: \"1\"\n").value(), std::nullopt);
  EXPECT_EQ(learned_until_of("# learned_from: 2026-01-05 to 2026-01-16\n").value(),
            parse_day("2026-01-16").value());
  EXPECT_EQ(learned_until_of("a\n# learned_from: 2026-01-05\n").value(),
            parse_day("2026-01-05").value());
  EXPECT_FALSE(learned_until_of("# learned_from: last week\n").has_value());
}

}  // namespace
}  // namespace lilith::replay
