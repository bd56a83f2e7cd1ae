// What users of `lilith replay` see: golden reports, exit codes, and errors with a place.

#include "tests/replay/traffic_log.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lilith {
namespace {

using test::lines_of_events;
using test::TempDir;
using test::traffic_events;
using test::write_text;
using testing::HasSubstr;

class ReplayCommands : public testing::Test {
 protected:
  ReplayCommands() {
    write_text(dir_.file("a.yaml"), test::small_policy("go"));
    write_text(dir_.file("b.yaml"), test::small_policy("npm", "log"));
    write_text(dir_.file("one.log"), lines_of_events(traffic_events(1, 400, "chain-1")));
    write_text(dir_.file("two.log"), lines_of_events(traffic_events(7, 400, "chain-2")));
  }
  test::ProcessResult replay(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), std::string(LILITH_BIN_DIR) + "/lilith-replay");
    return test::run(arguments, {.directory = dir_.path()});
  }
  TempDir dir_;
};

TEST_F(ReplayCommands, PrintTheDocumentedReports) {
  struct Case {
    const char* golden;
    std::vector<std::string> arguments;
  };
  const std::string id = "019b0001-0000-7000-8000-000000000007";
  for (const Case& one : std::vector<Case>{
           {"replay-run.txt",
            {"run", "one.log", "--policy", "a.yaml", "--policy", "b.yaml", "--top", "3"}},
           {"replay-run.json", {"one.log", "--policy", "a.yaml", "--json", "--top", "2"}},
           {"replay-diff.txt",
            {"diff", "one.log", "--policy", "a.yaml", "--policy", "b.yaml", "--top", "3"}},
           {"replay-diff.json",
            {"diff", "one.log", "--policy", "a.yaml", "--policy", "b.yaml", "--json", "--top",
             "2"}},
           {"replay-explain.txt", {"explain", id, "one.log", "--policy", "a.yaml"}},
           {"replay-explain.json", {"explain", id, "one.log", "--policy", "a.yaml", "--json"}}}) {
    const auto result = replay(one.arguments);
    EXPECT_EQ(result.exit_code, 1) << one.golden << result.err;
    EXPECT_EQ(result.err, "") << "no progress where nobody looks";
    test::expect_golden(one.golden, result.out);
  }
}

TEST_F(ReplayCommands, MergeToTheReportOfTheWhole) {
  for (const std::string name : {"one", "two"}) {
    const auto result =
        replay({"run", name + ".log", "--policy", "a.yaml", "--summary", name + ".json"});
    EXPECT_EQ(result.exit_code, 1) << result.err;
  }
  const auto whole = replay({"run", "one.log", "two.log", "--policy", "a.yaml", "--json"});
  const auto merged = replay({"merge", "one.json", "two.json", "--json", "--output", "sum.json"});
  EXPECT_EQ(merged.exit_code, 1) << merged.err;
  EXPECT_EQ(merged.out, whole.out);
  EXPECT_EQ(replay({"merge", "sum.json", "--json"}).out, whole.out);
  const auto twice = replay({"merge", "sum.json", "two.json"});
  EXPECT_EQ(twice.exit_code, 2);
  EXPECT_THAT(twice.err, HasSubstr("two.json: both have events of the same seq in chain chain-2"));
  const auto none = replay({"merge", "one.log"});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("one.log: "));
}

TEST_F(ReplayCommands, EndWithTheDocumentedCodes) {
  write_text(dir_.file("torn.log"), test::read_text(dir_.file("one.log")) + "{\"lilith\"");
  auto events = traffic_events(1, 400, "chain-1");
  events.erase(events.begin() + 10);
  write_text(dir_.file("gap.log"), lines_of_events(events));
  struct Case {
    int code;
    std::vector<std::string> arguments;
    const char* says;
  };
  for (const Case& one : std::vector<Case>{
           {3, {"torn.log", "--policy", "a.yaml"}, "torn.log:401: the line has no end"},
           {3, {"gap.log", "--policy", "a.yaml"}, "seq 11 to 11 are missing"},
           {2, {"none.log", "--policy", "a.yaml"}, "none.log"},
           {2, {"one.log", "--policy", "none.yaml"}, "none.yaml"},
           {2, {"one.log"}, "--policy"},
           {2, {"diff", "one.log", "--policy", "a.yaml"}, "twice"},
           {0, {"diff", "one.log", "--policy", "a.yaml", "--policy", "a.yaml"}, "B denies 0 calls"},
           {2, {"explain", "no-such-id", "one.log", "--policy", "a.yaml"}, "no-such-id"},
           {3, {"explain", "no-such-id", "torn.log", "--policy", "a.yaml"}, "no-such-id"},
           {5,
            {"explain", "019b0001-0000-7000-8000-0000000000ca", "one.log", "--policy", "a.yaml"},
            "cut to fit"}}) {
    const auto result = replay(one.arguments);
    EXPECT_EQ(result.exit_code, one.code) << one.arguments[0] << "\n" << result.err;
    EXPECT_THAT(result.out + result.err, HasSubstr(one.says));
  }
}

TEST_F(ReplayCommands, ImportSaysWhatItFoundAndWhatToDoWhereItFoundNothing) {
  const std::string history = std::string(LILITH_SOURCE_DIR) + "/tests/replay/history";
  const auto all = replay({"import", "auto", history, "--host", "ws-7"});
  EXPECT_EQ(all.exit_code, 0) << all.err;
  EXPECT_THAT(all.err, HasSubstr("imported 20 calls from 48 lines of 6 files; 1 repeats"));
  EXPECT_THAT(all.out, HasSubstr("pytest tests/test_cart.py"));
  EXPECT_THAT(all.out, testing::Not(HasSubstr("make the cart test pass")));  // a prompt
  EXPECT_THAT(all.out, testing::Not(HasSubstr("Success. Updated")));         // an output
  const auto none = replay({"import", "neutral", history});
  EXPECT_EQ(none.exit_code, 0) << none.err;
  EXPECT_EQ(none.out, "");
  EXPECT_THAT(none.err, HasSubstr("no call of the form neutral was found"));
  const auto early = replay({"import", "codex", history, "--until", "2026-02-01"});
  EXPECT_THAT(early.err, HasSubstr("8 calls from --until on were left out"));
  EXPECT_EQ(replay({"import", "codex", history, "--until", "soon"}).exit_code, 2);
  EXPECT_EQ(replay({"import", "aider", history}).exit_code, 2);
}

}  // namespace
}  // namespace lilith
