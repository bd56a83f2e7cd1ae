// Which events a sink gets.

#include "shipper/route.hpp"

#include "audit/codec.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

namespace lilith::shipper {
namespace {

using audit::Action;
using audit::Category;
using audit::EventType;

std::string line_of(EventType type, Category category, Action action, const std::string& agent,
                    const std::string& id = "0198b2f4-0000-7000-8000-000000000001") {
  audit::Event event;
  event.type = type;
  event.category = category;
  event.action = action;
  event.agent = agent;
  event.host = "ws-42";
  event.process_key = "ws-42/1/2";
  event.seq = 7;
  event.id = id;
  event.reason = R"(quotes \" and "action":"denied","category":"egress" in a value)";
  event.chain_id = id;
  event.chain_prev = event.chain_hash = audit::kGenesis;
  return audit::encode(event);
}

struct RouteCase {
  const char* name;
  Route route;
  std::set<std::string> sent;  // of the events below
};
void PrintTo(const RouteCase& c, std::ostream* out) { *out << c.name; }

std::vector<std::pair<std::string, std::string>> events() {
  const auto decision = [](Category category, Action action, const std::string& agent) {
    return line_of(EventType::kDecision, category, action, agent);
  };
  return {
      {"tool_allowed", decision(Category::kToolInvocation, Action::kAllowed, "claude_code")},
      {"tool_denied", decision(Category::kToolInvocation, Action::kDenied, "cursor")},
      {"egress_denied", decision(Category::kEgress, Action::kDenied, "claude_code")},
      {"egress_would", decision(Category::kEgress, Action::kWouldDeny, "cursor")},
      {"burst", line_of(EventType::kEgressBurst, Category::kEgress, Action::kNone, "")},
      {"tamper", line_of(EventType::kTamper, Category::kIntegrity, Action::kNone, "")},
      {"heartbeat", line_of(EventType::kHeartbeat, Category::kHealth, Action::kNone, "")},
      {"imported", line_of(EventType::kImported, Category::kToolInvocation, Action::kRecorded, "")},
      {"foreign", R"({"other":"layout"})"},
  };
}

class ShipRoute : public testing::TestWithParam<RouteCase> {};
TEST_P(ShipRoute, Sends) {
  std::set<std::string> sent;
  for (const auto& [name, line] : events()) {
    if (sends(GetParam().route, line)) sent.insert(name);
  }
  EXPECT_EQ(sent, GetParam().sent);
}
INSTANTIATE_TEST_SUITE_P(
    Cases, ShipRoute,
    testing::Values(
        RouteCase{"everything",
                  {},
                  {"tool_allowed", "tool_denied", "egress_denied", "egress_would", "burst",
                   "tamper", "heartbeat", "imported", "foreign"}},
        RouteCase{"by_category",
                  {.only = {.category = {"egress"}}},
                  {"egress_denied", "egress_would", "burst", "foreign"}},
        RouteCase{"by_action_and_what_has_none",
                  {.only = {.action = {"denied"}}},
                  {"tool_denied", "egress_denied", "burst", "tamper", "heartbeat", "foreign"}},
        RouteCase{"by_agent",
                  {.only = {.agent = {"cursor", "codex"}}},
                  {"tool_denied", "egress_would", "burst", "tamper", "heartbeat", "foreign"}},
        RouteCase{"by_all_lists_together",
                  {.only = {.category = {"egress"}, .action = {"denied"}, .agent = {"cursor"}}},
                  {"burst", "foreign"}},
        RouteCase{"except_any",
                  {.except = {.category = {"health"}, .action = {"allowed"}, .agent = {"cursor"}}},
                  {"egress_denied", "burst", "tamper", "imported", "foreign"}}),
    [](const auto& case_info) { return std::string(case_info.param.name); });

// Of 20,000 ids one in ten: within six standard deviations, the same each time, and one in twenty
// is a part of one in ten.
TEST(ShipSample, IsTheSameEveryTimeAndNeverOfAnythingButTheAllowed) {
  const Route tenth{.only = {}, .except = {}, .allowed_one_in = 10};
  const Route twentieth{.only = {}, .except = {}, .allowed_one_in = 20};
  constexpr int kIds = 20'000;
  int sent = 0;
  for (int i = 0; i < kIds; ++i) {
    const std::string id = "0198b2f4-0000-7000-8000-" + std::to_string(100'000'000'000 + i);
    const std::string allowed =
        line_of(EventType::kDecision, Category::kEgress, Action::kAllowed, "cursor", id);
    const bool first = sends(tenth, allowed);
    sent += first ? 1 : 0;
    EXPECT_EQ(first, sends(tenth, allowed));
    EXPECT_TRUE(first || !sends(twentieth, allowed));
    if (i % 100 != 0) continue;
    for (const Action other : {Action::kDenied, Action::kWouldDeny, Action::kError})
      EXPECT_TRUE(
          sends(tenth, line_of(EventType::kDecision, Category::kEgress, other, "cursor", id)));
  }
  EXPECT_NEAR(sent, kIds / 10, 6 * 43);
}

}  // namespace
}  // namespace lilith::shipper
