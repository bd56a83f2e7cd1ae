// `lilith mcp` as a process: what it does with its server, its signals and its descriptors.

#include "tests/mcp/mcp_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <unistd.h>

namespace lilith {
namespace {

using test::call_of;
using test::McpFolder;
using test::Process;
using test::ProcessOptions;
using test::ProcessResult;
using testing::HasSubstr;

class McpProcessTest : public testing::Test {
 protected:
  void SetUp() override { folder.write_policy(); }
  [[nodiscard]] ProcessOptions options(std::string input = {}) const {
    ProcessOptions out;
    out.input = std::move(input);
    out.directory = folder.file("work");
    out.environment = {{"XDG_STATE_HOME", folder.file("state")}, {"LILITH_RECORDER", ""}};
    return out;
  }
  [[nodiscard]] std::vector<std::string> command(const std::vector<std::string>& server) const {
    std::vector<std::string> out{std::string(LILITH_BIN_DIR) + "/lilith",
                                 "mcp",
                                 "--server",
                                 "demo",
                                 "--policy",
                                 folder.policy_path(),
                                 "--"};
    out.insert(out.end(), server.begin(), server.end());
    return out;
  }
  [[nodiscard]] ProcessResult run_shell(const std::string& line, std::string input = {}) const {
    return test::run(command({"/bin/sh", "-c", line}), options(std::move(input)));
  }
  McpFolder folder;
};

TEST_F(McpProcessTest, ServerGetsWhatIsAllowedAndEndsWithItsInput) {
  const std::string allowed = call_of("add") + "\n";
  const ProcessResult done = run_shell("cat; echo bye >&2; exit 7",
                                       allowed + call_of("remove") + "\n" + "broken\n" + allowed);
  EXPECT_EQ(done.exit_code, 7);
  EXPECT_THAT(done.err, HasSubstr("bye\n"));
  const auto lines = test::lines_of(done.out);
  EXPECT_EQ(lines.size(), 4U) << done.out;
  EXPECT_EQ(std::count(lines.begin(), lines.end(), call_of("add")), 2);
  EXPECT_THAT(done.out, HasSubstr("isError"));
  EXPECT_THAT(done.out, HasSubstr("-32700"));
  EXPECT_EQ(folder.events(audit::EventType::kDecision).size(), 4U);
}

TEST_F(McpProcessTest, TheServersLastWordsReachTheClient) {
  const ProcessResult done = run_shell("head -c 3000000 /dev/zero | tr '\\0' x; echo; exit 3");
  EXPECT_EQ(done.exit_code, 3);
  EXPECT_EQ(done.out.size(), 3'000'001U);
}

TEST_F(McpProcessTest, ExitCodeTellsOfASignal) {
  EXPECT_EQ(run_shell("kill -KILL $$").exit_code, 128 + SIGKILL);
}

TEST_F(McpProcessTest, AServerThatCannotBeStartedIsSaidSo) {
  const ProcessResult done = test::run(command({"/no/such/program"}), options());
  EXPECT_EQ(done.exit_code, 2);
  EXPECT_THAT(done.err, HasSubstr("cannot start /no/such/program: No such file or directory"));
}

TEST_F(McpProcessTest, WrongOptionsAreNamed) {
  const std::string program = std::string(LILITH_BIN_DIR) + "/lilith";
  EXPECT_EQ(test::run({program, "mcp", "--", "cat"}, options()).exit_code, 2);
  EXPECT_EQ(test::run({program, "mcp", "--server", "demo"}, options()).exit_code, 2);
  for (const std::string name : {"a__b", "../x", ".x", "a/b", ""}) {
    EXPECT_EQ(test::run({program, "mcp", "--server", name, "--", "cat"}, options()).exit_code, 2);
  }
  const ProcessResult help = test::run({program, "mcp", "--help"}, options());
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, HasSubstr("--pin"));
}

TEST_F(McpProcessTest, BrokenPinsStopItBeforeTheServerStarts) {
  test::write_text(folder.file("state/lilith/mcp-pins/demo.json"), "{");
  const ProcessResult done = run_shell("touch " + folder.file("started"));
  EXPECT_EQ(done.exit_code, 2);
  EXPECT_THAT(done.err, HasSubstr("mcp-pins/demo.json"));
  EXPECT_NE(::access(folder.file("started").c_str(), F_OK), 0);
}

// Says that the server runs, by a rename: whoever sees the file sees all of it.
const std::string kTellPid = "echo $$ >pid.new; mv pid.new pid; ";

// The server's pid is in FOLDER/pid once it runs; its input stays open as long as the test's end of
// the FIFO does.
class McpLifetimeTest : public McpProcessTest {
 protected:
  void start(const std::string& line) {
    const std::string fifo = folder.file("fifo");
    std::vector<std::string> argv{
        "/bin/sh", "-c", "mkfifo " + fifo + " && exec 4<>" + fifo + " && exec \"$@\" <&4 4<&-",
        "sh"};
    const auto proxy = command({"/bin/sh", "-c", line});
    argv.insert(argv.end(), proxy.begin(), proxy.end());
    process_.emplace(argv, options());
    ASSERT_TRUE(
        test::eventually([&] { return ::access(folder.file("work/pid").c_str(), F_OK) == 0; }));
    server_ = std::stoi(test::read_text(folder.file("work/pid")));
  }
  [[nodiscard]] bool server_is_gone() const {
    return test::eventually([&] { return ::kill(server_, 0) != 0; });
  }
  std::optional<Process> process_;
  pid_t server_ = 0;
};

TEST_F(McpLifetimeTest, AServerDiesWithAProxyThatIsKilled) {
  start(kTellPid + "exec sleep 1000");
  process_->signal(SIGKILL);
  EXPECT_TRUE(server_is_gone());
}

TEST_F(McpLifetimeTest, SignalsReachTheServerAndItsExitCodeComesBack) {
  start("trap 'exit 9' TERM; " + kTellPid + "while :; do sleep 0.05; done");
  process_->signal(SIGTERM);
  EXPECT_EQ(process_->wait().exit_code, 9);
  EXPECT_TRUE(server_is_gone());
}

TEST_F(McpLifetimeTest, AServerThatIgnoresSigtermIsKilledAfterTheGrace) {
  start("trap '' TERM; " + kTellPid + "while :; do sleep 0.05; done");
  process_->signal(SIGTERM);
  EXPECT_EQ(process_->wait().exit_code, 128 + SIGKILL);
  EXPECT_TRUE(server_is_gone());
}

TEST_F(McpLifetimeTest, HelpersOfTheServerDoNotOutliveIt) {
  start("sleep 1000 & echo $! >helper; " + kTellPid + "exit 0");
  EXPECT_EQ(process_->wait().exit_code, 0);
  const pid_t helper = std::stoi(test::read_text(folder.file("work/helper")));
  EXPECT_TRUE(test::eventually([&] { return ::kill(helper, 0) != 0; }));
}

TEST_F(McpProcessTest, AServerThatIgnoresTheEndOfItsInputIsEnded) {
  const ProcessResult done = run_shell("exec sleep 1000");
  EXPECT_EQ(done.exit_code, 128 + SIGTERM);
  EXPECT_FALSE(done.timed_out);
}

TEST_F(McpProcessTest, AClientThatReadsNothingMoreEndsTheServer) {
  const ProcessResult done =
      test::run({"/bin/sh", "-c", "\"$@\" </dev/zero | head -c 10 >/dev/null; wait; true", "sh",
                 std::string(LILITH_BIN_DIR) + "/lilith", "mcp", "--server", "demo", "--policy",
                 folder.policy_path(), "--", "/bin/sh", "-c", "yes; :"},
                options());
  EXPECT_EQ(done.exit_code, 0);
  EXPECT_FALSE(done.timed_out);
}

}  // namespace
}  // namespace lilith
