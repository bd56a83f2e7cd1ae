// What a check that goes on raises: each finding once, also after it was started again.

#include "audit/read/arrival_watch.hpp"

#include "audit/log.hpp"
#include "tests/audit_read/log_fixture.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lilith::audit {
namespace {

using std::chrono::minutes;
using test::TempDir;
using testing::ElementsAre;
using testing::IsEmpty;

const WallTime kNow = *parse_time("2026-11-24T02:20:42Z");

ArrivalFinding range(ArrivalFault fault, std::uint64_t first, std::uint64_t last,
                     WallTime since = kNow) {
  return {fault, "ws-1", "chain-1", first, last, "", "something of this range", since};
}
ArrivalFinding silent(const char* host, WallTime since) {
  return {ArrivalFault::kSilent, host, "", 0, 0, "", "silent", since};
}
ArrivalFinding unreadable(const char* place) {
  return {ArrivalFault::kUnreadable, "", "", 0, 0, place, "cut", {}};
}
ArrivalReport report(std::vector<ArrivalFinding> findings, WallTime now = kNow,
                     std::uint64_t unnamed = 0) {
  ArrivalReport out;
  out.findings_total = findings.size() + unnamed;
  out.findings = std::move(findings);
  out.now = out.judged = now;
  return out;
}
std::vector<std::string> brief(const std::vector<ArrivalFinding>& findings) {
  std::vector<std::string> out;
  for (const ArrivalFinding& one : findings) {
    out.push_back(std::string(name(one.fault)) + " " +
                  (one.chain_id.empty()
                       ? one.host + one.place
                       : std::to_string(one.first_seq) + "-" + std::to_string(one.last_seq)));
  }
  return out;
}

TEST(ArrivalWatch, RaisesAGapThatStaysOpenAndNotOneThatIsFilledInTime) {
  ArrivalWatch watch(minutes(15));
  const auto young = range(ArrivalFault::kMissing, 5, 9, kNow - minutes(14));
  EXPECT_THAT(watch.news(report({young})), IsEmpty());
  EXPECT_THAT(watch.news(report({})), IsEmpty());
  const auto old = range(ArrivalFault::kMissing, 20, 29, kNow - minutes(15));
  EXPECT_THAT(brief(watch.news(report({young, old}))), ElementsAre("missing 20-29"));
  EXPECT_THAT(watch.news(report({young, old})), IsEmpty());
  // A part of it came late: what is left was raised.
  EXPECT_THAT(watch.news(report({range(ArrivalFault::kMissing, 20, 21, kNow - minutes(20)),
                                 range(ArrivalFault::kMissing, 23, 29, kNow - minutes(20))})),
              IsEmpty());
}

TEST(ArrivalWatch, RaisesEvidenceOfAChangeAtOnceAndAgainWhenItGrows) {
  ArrivalWatch watch(minutes(15));
  EXPECT_THAT(brief(watch.news(report({range(ArrivalFault::kAltered, 5, 5)}))),
              ElementsAre("altered 5-5"));
  EXPECT_THAT(brief(watch.news(report(
                  {range(ArrivalFault::kAltered, 5, 6), range(ArrivalFault::kForked, 5, 5)}))),
              ElementsAre("altered 5-6", "forked 5-5"));
  EXPECT_THAT(
      watch.news(report({range(ArrivalFault::kAltered, 5, 6), range(ArrivalFault::kForked, 5, 5)})),
      IsEmpty());
}

// Brokers that are away for two hours: nothing can arrive, and nothing is missing or silent for it.
TEST(ArrivalWatch, JudgesByATimeThatStandsStillWhileNothingCanArriveAndUntilItCouldBeCaughtUp) {
  struct Step {
    const char* what;
    int minute;
    bool blind;
    int judged;
  };
  WatchClock clock(minutes(15));
  for (const Step& step : std::vector<Step>{{"sees", 0, false, 0},
                                            {"sees", 10, false, 10},
                                            {"the brokers went away", 11, true, 10},
                                            {"still", 130, true, 10},
                                            {"they are back", 131, false, 10},
                                            {"they go again", 140, true, 10},
                                            {"they are back", 141, false, 10},
                                            {"what was kept comes", 155, false, 10},
                                            {"all could come", 156, false, 156},
                                            {"sees", 157, false, 157}}) {
    EXPECT_EQ(clock.judged(kNow + minutes(step.minute), step.blind), kNow + minutes(step.judged))
        << step.what << " at minute " << step.minute;
  }
  WatchClock never_saw(minutes(15));
  EXPECT_EQ(never_saw.judged(kNow, true), kNow);
  EXPECT_EQ(never_saw.judged(kNow + minutes(1), true), kNow);
}

TEST(ArrivalWatch, RaisesAHostThatFellSilentOnceForEachTime) {
  ArrivalWatch watch(minutes(15));
  const auto first = silent("ws-1", kNow - minutes(60));
  EXPECT_THAT(brief(watch.news(report({first, silent("ws-2", {})}))),
              ElementsAre("silent ws-1", "silent ws-2"));
  EXPECT_THAT(watch.news(report({first, silent("ws-2", {})})), IsEmpty());
  EXPECT_THAT(watch.news(report({silent("ws-2", {})})), IsEmpty());
  EXPECT_THAT(brief(watch.news(report({silent("ws-1", kNow), silent("ws-2", {})}))),
              ElementsAre("silent ws-1"));
}

TEST(ArrivalWatch, RaisesEachUnreadableLineOnceWithAPlaceForEachSource) {
  ArrivalWatch watch(minutes(15));
  EXPECT_THAT(brief(watch.news(report({unreadable("t[0]:9"), unreadable("t[1]:3")}))),
              ElementsAre("unreadable t[0]:9", "unreadable t[1]:3"));
  EXPECT_THAT(
      brief(watch.news(report({unreadable("t[0]:9"), unreadable("t[1]:3"), unreadable("t[1]:4")}))),
      ElementsAre("unreadable t[1]:4"));
}

TEST(ArrivalWatch, SaysThatThereAreMoreThanItNamesEachTimeTheyDouble) {
  ArrivalWatch watch(minutes(15));
  const auto one = range(ArrivalFault::kAltered, 5, 5);
  EXPECT_THAT(watch.news(report({one}, kNow, 10)), testing::SizeIs(2));
  EXPECT_THAT(watch.news(report({one}, kNow, 20)), IsEmpty());
  const auto more = watch.news(report({one}, kNow, 21));
  ASSERT_THAT(more, testing::SizeIs(1));
  EXPECT_EQ(more[0].message, "21 findings more than are named one by one");
}

// The log that findings are raised in is all that a watch has to know of the one before it.
TEST(ArrivalWatch, KnowsFromItsLogAndTheRotatedFilesWhatWasRaised) {
  const TempDir dir;
  LogOptions options;
  options.path = dir.file("raised.log");
  options.host = "soc-1";
  options.rotate_bytes = 2000;
  options.rotate_interval_min = {};
  const std::vector<ArrivalFinding> all = {
      range(ArrivalFault::kMissing, 20, 29, kNow - minutes(60)),
      range(ArrivalFault::kAltered, 5, 6),
      range(ArrivalFault::kForked, 7, 7),
      silent("ws-1", kNow - minutes(60)),
      silent("ws-2", {}),
      unreadable("t[0]:9")};
  ArrivalWatch first(minutes(15));
  {
    auto log = open_log(options);
    ASSERT_TRUE(log.has_value());
    for (const ArrivalFinding& finding : first.news(report(all))) {
      Event event = event_of(finding, "soc-1");
      event.process_key = "soc-1/1/0";
      ASSERT_TRUE((*log)->append(event).has_value());
    }
  }
  ASSERT_FALSE(rotated_files(options.path)->empty());
  ArrivalWatch second(minutes(15));
  ASSERT_TRUE(second.know_log(options.path).has_value());
  EXPECT_THAT(second.news(report(all)), IsEmpty());
  ArrivalWatch none(minutes(15));
  ASSERT_TRUE(none.know_log(dir.file("no.log")).has_value());
  EXPECT_EQ(none.news(report(all)).size(), all.size());
}

TEST(ArrivalWatch, AFindingIsAnIntegrityEventThatSaysWhatWasChangedOrLost) {
  const Event altered = event_of(range(ArrivalFault::kAltered, 5, 6), "soc-1");
  EXPECT_EQ(altered.type, EventType::kTamper);
  EXPECT_EQ(altered.category, Category::kIntegrity);
  EXPECT_EQ(altered.reason_code, "arrival.altered");
  EXPECT_EQ(altered.reason, "ws-1: something of this range");
  EXPECT_EQ(altered.host, "soc-1");
  EXPECT_THAT(altered.detail,
              ElementsAre(testing::Pair("host", "ws-1"), testing::Pair("chain", "chain-1"),
                          testing::Pair("first_seq", "5"), testing::Pair("last_seq", "6")));
  EXPECT_EQ(event_of(range(ArrivalFault::kMissing, 5, 6), "x").type, EventType::kShipLoss);
  Event other = altered;
  other.reason_code = "egress.not_listed";
  EXPECT_FALSE(finding_of(other).has_value());
}

}  // namespace
}  // namespace lilith::audit
