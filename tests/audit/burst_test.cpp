#include "audit/burst.hpp"

#include "audit/base/limits.hpp"

#include <gtest/gtest.h>

namespace lilith::audit {
namespace {

using std::chrono::seconds;

Event denial(seconds at, const std::string& key = "ws/1/1") {
  Event e;
  e.action = Action::kDenied;
  e.category = Category::kEgress;
  e.process_key = key;
  e.host = "ws";
  e.time = WallTime(seconds(1'795'478'400)) + at;
  e.operation.host = "evil.example";
  return e;
}

TEST(EgressBurst, IsTheFifthDenialOfOneProcessWithinTheSpanAndThenCountsAnew) {
  BurstCounter counter;
  for (int i = 0; i < 12; ++i) {
    const auto burst = counter.after(denial(seconds(i)));
    EXPECT_EQ(burst.has_value(), i == 4 || i == 9) << i;
    if (!burst) continue;
    EXPECT_EQ(burst->type, EventType::kEgressBurst);
    EXPECT_EQ(burst->process_key, "ws/1/1");
    EXPECT_EQ(burst->action, Action::kNone) << "it is no denial of its own";
    EXPECT_EQ(burst->reason, "5 egress denials of one process in 60 s");
    EXPECT_FALSE(counter.after(*burst)) << "and does not count itself";
  }
}

TEST(EgressBurst, CountsByTheEventsOwnTimeAsRule100802DoesByArrival) {
  for (const auto& [last, fires] : {std::pair{60, true}, std::pair{61, false}}) {
    BurstCounter counter;
    for (int i = 0; i < 4; ++i) EXPECT_FALSE(counter.after(denial(seconds(0))));
    EXPECT_EQ(counter.after(denial(seconds(last))).has_value(), fires) << last;
  }
}

TEST(EgressBurst, CountsProcessesApartAndNothingButEgressDenials) {
  BurstCounter counter;
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(counter.after(denial(seconds(i), "ws/1/1")));
    EXPECT_FALSE(counter.after(denial(seconds(i), "ws/2/1")));
  }
  Event other = denial(seconds(4));
  other.category = Category::kToolInvocation;
  EXPECT_FALSE(counter.after(other));
  other = denial(seconds(4));
  other.action = Action::kWouldDeny;
  EXPECT_FALSE(counter.after(other));
  EXPECT_FALSE(counter.after(denial(seconds(4), "")));
  EXPECT_TRUE(counter.after(denial(seconds(4))));
}

TEST(EgressBurst, TableIsBoundedAndOldProcessesMakeRoom) {
  BurstCounter counter;
  for (std::size_t i = 0; i < limits::kBurstProcessesMax + 10; ++i) {
    EXPECT_FALSE(counter.after(denial(seconds(0), "ws/" + std::to_string(i) + "/1")));
  }
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(counter.after(denial(seconds(100), "ws/new/1")));
  EXPECT_TRUE(counter.after(denial(seconds(100), "ws/new/1")));
}

}  // namespace
}  // namespace lilith::audit
