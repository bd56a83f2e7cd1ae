#include "tests/traffic/traffic.hpp"

#include "audit/base/sha256.hpp"
#include "audit/json/reader.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

namespace lilith::test {
namespace {

std::string all_of(const TrafficOptions& options) {
  std::string out;
  generate_traffic(options, [&out](const std::string& line) { out += line + "\n"; });
  return out;
}

TEST(Traffic, IsTheSameForASeedAndAnotherForAnother) {
  EXPECT_EQ(all_of({.seed = 7, .calls = 500}), all_of({.seed = 7, .calls = 500}));
  EXPECT_NE(all_of({.seed = 7, .calls = 500}), all_of({.seed = 8, .calls = 500}));
}

// The shape that was measured on recorded sessions: Bash 27 %, Read 25 %, Edit 22 %, Grep 14 % of
// the calls, half of the shell lines with two commands or more.
TEST(Traffic, HasTheMeasuredShape) {
  std::map<std::string, std::size_t> tools;
  std::set<std::string> hosts;
  std::string last;
  std::size_t several = 0;
  json::Document document;
  generate_traffic({.calls = 20'000}, [&](const std::string& line) {
    const auto call = document.parse(line);
    ASSERT_TRUE(call.has_value()) << line;
    const std::string time(call->text("ts"));
    EXPECT_GE(time, last) << "calls are in order of time";
    last = time;
    hosts.insert(std::string(call->text("host")));
    ++tools[std::string(call->text("tool"))];
    const std::string_view command = call->find("input")->text("command");
    if (command.find_first_of("|;&\n") != std::string_view::npos) ++several;
  });
  EXPECT_EQ(hosts.size(), 8U);
  const auto share = [&](const char* tool) { return static_cast<double>(tools[tool]) / 20'000; };
  EXPECT_NEAR(share("Bash"), 0.273, 0.02);
  EXPECT_NEAR(share("Read"), 0.254, 0.02);
  EXPECT_NEAR(share("Edit"), 0.219, 0.02);
  EXPECT_NEAR(share("Grep"), 0.1415, 0.02);
  EXPECT_NEAR(static_cast<double>(several) / static_cast<double>(tools["Bash"]), 0.5, 0.1);
}

}  // namespace
}  // namespace lilith::test
