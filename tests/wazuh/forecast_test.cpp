// `lilith replay --alerts`: recorded calls, decided by a candidate, written as the enforcer would
// and given to the model of the rules.

#include "audit/log.hpp"
#include "replay/alerts.hpp"
#include "tests/support/support.hpp"
#include "wazuh/source.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>

namespace lilith::test {
namespace {

using audit::Event;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

const std::string kRules = std::string(LILITH_SOURCE_DIR) + "/wazuh/lilith_rules.xml";

std::shared_ptr<const rules::Policy> policy(const std::string& egress,
                                            const std::string& more = "") {
  const TempDir folder;
  write_text(folder.file("p.yaml"),
             "version: \"1\"\n" + more + "egress:\n  default_action: deny\n" + egress +
                 "tool_invocations:\n  default_action: deny\n  allowed_tools:\n"
                 "    - {name: run_command, command_allowlist: [git]}\n");
  auto load = rules::load_policy_file(folder.file("p.yaml"));
  for (const auto& problem : load.diagnostics) ADD_FAILURE() << rules::to_string(problem);
  return load.policy;
}
const std::string kNoHost = "  allowed_destinations: [{host: other.example}]\n";
const std::string kDocsHost = "  allowed_destinations: [{host: docs.example}]\n";

WallTime start() { return WallTime(seconds(1'795'478'400)); }  // 2026-11-24T00:00:00Z

Event fetch(seconds at, const std::string& host = "ws-1") {
  Event e;
  e.type = audit::EventType::kImported;
  e.action = audit::Action::kRecorded;
  e.time = start() + at;
  e.id = host + "/" + std::to_string(at.count());
  e.host = host;
  e.session = "s";
  e.process_key = "import/" + host + "/s";
  e.agent = "claude_code";
  e.tool = "WebFetch";
  e.call.kind = audit::OperationKind::kEgress;
  e.call.urls = {"https://docs.example/page"};
  e.facts.user = "dev";
  e.facts.home = "/home/dev";
  return e;
}

// The benign session of the recorded corpora: six fetches of documentation in 60 s.
std::vector<Event> documentation(const std::string& host = "ws-1") {
  std::vector<Event> out;
  for (const int at : {0, 10, 20, 30, 40, 50}) out.push_back(fetch(seconds(at), host));
  return out;
}

replay::AlertReport forecast(std::vector<std::shared_ptr<const rules::Policy>> policies,
                             const std::vector<Event>& events,
                             const std::vector<wazuh::RuleFile>& more_rules = {}) {
  auto source = wazuh::read_source({{kRules}, {}, {}, true});
  EXPECT_TRUE(source.has_value());
  for (const auto& file : more_rules) source->rules.push_back(file);
  std::vector<wazuh::Engine> engines;
  for (std::size_t i = 0; i <= policies.size(); ++i) {
    auto engine = wazuh::make_engine(*source);
    EXPECT_TRUE(engine.has_value()) << engine.error().message;
    engines.push_back(std::move(*engine));
  }
  replay::AlertForecast out(std::move(policies), std::move(engines));
  for (const Event& event : events) EXPECT_TRUE(out.add(event).has_value());
  return out.finish();
}

TEST(Forecast, ReadingDocumentationRaises100802AndAPolicyThatListsTheHostDoesNot) {
  const auto report = forecast({policy(kNoHost), policy(kDocsHost)}, documentation());
  ASSERT_EQ(report.candidates.size(), 2U) << "imported history has no decisions of its own";
  EXPECT_THAT(report.candidates[0].by_rule, ElementsAre(Pair(100801, 5U), Pair(100802, 1U)));
  EXPECT_THAT(report.candidates[0].by_level, ElementsAre(Pair(13, 5U), Pair(15, 1U)));
  EXPECT_EQ(report.candidates[0].events, 6U);
  EXPECT_EQ(report.candidates[1].alerts, 0U);
  EXPECT_EQ(report.candidates[1].events, 6U);
}

TEST(Forecast, OrderOfTheInputDoesNotMatter) {
  auto events = documentation();
  std::reverse(events.begin(), events.end());
  const auto report = forecast({policy(kNoHost)}, events);
  EXPECT_THAT(report.candidates[0].by_rule, ElementsAre(Pair(100801, 5U), Pair(100802, 1U)));
}

TEST(Forecast, WorkstationsAndSlowReadingAreCountedApart) {
  auto events = documentation("ws-1");
  events.resize(4);
  for (const Event& event : documentation("ws-2")) {
    if (events.size() < 8) events.push_back(event);
  }
  EXPECT_THAT(forecast({policy(kNoHost)}, events).candidates[0].by_rule,
              ElementsAre(Pair(100801, 8U)));
  std::vector<Event> slow;
  for (int i = 0; i < 6; ++i) slow.push_back(fetch(seconds(16 * i)));
  EXPECT_THAT(forecast({policy(kNoHost)}, slow).candidates[0].by_rule,
              ElementsAre(Pair(100801, 6U)));
}

TEST(Forecast, AuditModeRaisesAtMostOneAlertInFiveMinutes) {
  std::vector<Event> events;
  for (int i = 0; i < 600; ++i) events.push_back(fetch(seconds(i)));
  const auto report = forecast({policy(kNoHost, "mode: audit\n")}, events);
  EXPECT_THAT(report.candidates[0].by_rule, ElementsAre(Pair(100806, 2U)));
}

TEST(Forecast, TellsDaysApartAndCountsTheQuietOnes) {
  std::vector<Event> events{fetch(seconds(0)), fetch(std::chrono::hours(1)),
                            fetch(std::chrono::hours(24 * 3))};
  const auto report = forecast({policy(kNoHost)}, events);
  EXPECT_EQ(report.days, 4U);
  EXPECT_EQ(report.days_with_events, 2U);
  EXPECT_EQ(report.first_day, "2026-11-24");
  EXPECT_EQ(report.last_day, "2026-11-27");
  EXPECT_EQ(report.candidates[0].by_day.at("2026-11-24").at(100801), 2U);
  EXPECT_EQ(report.candidates[0].by_day.at("2026-11-27").at(100801), 1U);
}

TEST(Forecast, LeavesOutWhatCannotBeDecidedAgainAndRepeats) {
  Event cut = fetch(seconds(1));
  cut.truncated = "call.command=9000:00";
  Event refused = fetch(seconds(2));
  refused.detail = {{"outcome", "rejected"}};
  const auto report =
      forecast({policy(kNoHost)}, {fetch(seconds(0)), fetch(seconds(0)), cut, refused});
  EXPECT_EQ(report.left_out, 3U);
  EXPECT_EQ(report.candidates[0].alerts, 1U);
}

TEST(Forecast, SetsTheLogItselfBesideTheCandidates) {
  Event recorded = fetch(seconds(0));
  recorded.type = audit::EventType::kDecision;
  recorded.action = audit::Action::kDenied;
  recorded.decision = audit::Verdict::kDeny;
  recorded.category = audit::Category::kEgress;
  Event tamper;
  tamper.type = audit::EventType::kTamper;
  tamper.category = audit::Category::kIntegrity;
  tamper.id = "t";
  tamper.host = "ws-1";
  tamper.time = start();
  const auto report = forecast({policy(kDocsHost)}, {recorded, tamper});
  ASSERT_EQ(report.candidates.size(), 2U);
  EXPECT_THAT(report.candidates[0].by_rule, ElementsAre(Pair(100831, 1U)))
      << "what no call causes is taken as it is";
  EXPECT_EQ(report.candidates[1].name, "as recorded");
  EXPECT_THAT(report.candidates[1].by_rule, ElementsAre(Pair(100801, 1U), Pair(100831, 1U)));
}

// Lines that look the same to the rules are kept once; a rule that looks at text sees all of it.
TEST(Forecast, RulesThatLookAtTheLineSeeTheWholeLine) {
  auto events = documentation();
  events[3].call.urls = {"https://docs.example/secret"};
  const auto report =
      forecast({policy(kNoHost)}, events,
               {{"local.xml",
                 "<group name=\"local,\"><rule id=\"100900\" level=\"14\"><if_sid>100801</if_sid>"
                 "<match>/secret</match><description>d</description></rule></group>"}});
  EXPECT_EQ(report.candidates[0].by_rule.at(100900), 1U);
  EXPECT_EQ(report.candidates[0].by_rule.at(100801), 4U)
      << "its event is lost to 100802, which counts the five others";
}

// ---- the command

std::string log_of(const TempDir& folder, const std::vector<Event>& events) {
  audit::LogOptions options;
  options.path = folder.file("h.log");
  options.host = "ws-1";
  const ManualClock clock("2026-11-25T00:00:00Z");  // opened a day after the calls
  auto log = audit::open_log(options, clock);
  EXPECT_TRUE(log.has_value());
  for (Event event : events) EXPECT_TRUE((*log)->append(event).has_value());
  return options.path;
}

ProcessResult replay_alerts(const std::vector<std::string>& more) {
  std::vector<std::string> argv{std::string(LILITH_BIN_DIR) + "/lilith", "replay"};
  argv.insert(argv.end(), more.begin(), more.end());
  return run(argv);
}

const std::string kSample = std::string(LILITH_SOURCE_DIR) + "/rules/policies/lilith-policy.yaml";

TEST(ForecastCommand, PrintsRulesLevelsAndDays) {
  const TempDir folder;
  const auto log = log_of(folder, documentation());
  const auto result = replay_alerts({log, "--policy", kSample, "--alerts", kRules});
  EXPECT_EQ(result.exit_code, 1) << "newly denied calls" << result.err;
  EXPECT_THAT(result.out, HasSubstr("lilith-policy.yaml: 6 alerts of 7 events, 6.0 on a day"));
  EXPECT_THAT(result.out, HasSubstr("100802     15        1       1.0  2026-11-24 (1)"));
  EXPECT_THAT(result.out, HasSubstr("level 13             5       5.0"));
  EXPECT_THAT(result.out, HasSubstr("Arrival at the manager is taken to be the event's own time."));
}

TEST(ForecastCommand, JsonHasOneMemberMore) {
  const TempDir folder;
  const auto log = log_of(folder, documentation());
  const auto plain = replay_alerts({log, "--policy", kSample, "--json"});
  const auto with = replay_alerts({log, "--policy", kSample, "--json", "--alerts", kRules});
  EXPECT_TRUE(with.out.starts_with(plain.out.substr(0, plain.out.size() - 2)));
  EXPECT_THAT(with.out, HasSubstr(R"(,"alerts":{"first_day":"2026-11-24")"));
  EXPECT_THAT(with.out, HasSubstr(R"({"rule":100802,"level":15,"alerts":1,"per_day":1})"));
}

// The first row of the table in docs/replay.md.
TEST(ForecastCommand, RecordedBaselineUnderTheSamplePolicyGivesTheDocumentedLoad) {
  LILITH_NEEDS_SHARED(history, "data/claude_code_baseline.ndjson");
  const TempDir folder;
  const std::string log = folder.file("baseline.log");
  ASSERT_EQ(
      run({std::string(LILITH_BIN_DIR) + "/lilith", "import", "neutral", history, "--output", log})
          .exit_code,
      0);
  const auto result = replay_alerts({log, "--policy", kSample, "--alerts", kRules, "--json"});
  EXPECT_THAT(result.out, HasSubstr(R"("days":18,"days_with_events":16,"left_out":52)"));
  EXPECT_THAT(result.out,
              HasSubstr(R"("by_rule":[{"rule":100800,"level":10,"alerts":6205,"per_day":387.8125},)"
                        R"({"rule":100801,"level":13,"alerts":9,"per_day":0.5625},)"
                        R"({"rule":100812,"level":12,"alerts":37,"per_day":2.3125}])"));
}

TEST(ForecastCommand, RefusesRulesThatAManagerWouldRefuse) {
  const TempDir folder;
  const auto log = log_of(folder, documentation());
  write_text(folder.file("bad.xml"),
             "<group name=\"g,\"><rule id=\"1\" level=\"3\"><field name=\"action\">x</field>"
             "<description>d</description></rule></group>");
  const auto result = replay_alerts({log, "--policy", kSample, "--alerts", folder.file("bad.xml")});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("bad.xml:1: rule 1: Field 'action' is static."));
}

}  // namespace
}  // namespace lilith::test
