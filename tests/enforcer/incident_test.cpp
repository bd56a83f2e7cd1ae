// What a hook that could not come to its end leaves behind, and how it reaches the log.

#include "audit/base/limits.hpp"
#include "audit/codec.hpp"
#include "enforcer/incidents.hpp"
#include "tests/enforcer/hook_fixture.hpp"
#include "tests/support/support.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <set>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lilith::enforcer {
namespace {

using test::TempDir;
using testing::HasSubstr;

std::string spool_of(const TempDir& folder) { return folder.file("incidents"); }

audit::Event some_call() {
  audit::Event event;
  event.agent = "claude_code";
  event.call_id = "toolu_9";
  event.call.kind = audit::OperationKind::kRunCommand;
  event.call.command = "curl -H 'Authorization: Bearer abcdefghijklmnopqrstuvwxyz0123' https://x";
  event.host = "ws";
  event.process_key = "ws/1/2";
  return event;
}

// In a child, as it happens: preparing and leaving are once a process.
void leave(const std::string& directory, Cause cause, bool through, const audit::Event* call) {
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    prepare_incident(directory, "claude_code", call);
    leave_incident(cause, through);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

struct Reported {
  std::vector<audit::Event> events;
  std::size_t fail_after = 1000;
  void from(const std::string& directory) {
    report_incidents(directory, [this](audit::Event& event) -> Result<void> {
      if (events.size() >= fail_after) return fail(ErrorCode::kIo, "no");
      events.push_back(event);
      return {};
    });
  }
};

TEST(Incident, TellsItsCauseItsTimeAndTheCallWithoutItsSecrets) {
  const TempDir folder;
  const auto call = some_call();
  const auto before = system_clock().now();
  leave(folder.path() + "/a/b", Cause::kDeadline, false, &call);
  const auto after = system_clock().now();
  const std::string spool = folder.file("a/b/incidents");
  EXPECT_THAT(test::read_text(spool), testing::Not(HasSubstr("abcdefghijkl")));
  struct stat info{};
  ASSERT_EQ(::stat(spool.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);

  Reported reported;
  reported.from(folder.path() + "/a/b");
  ASSERT_EQ(reported.events.size(), 1U);
  const audit::Event& event = reported.events.front();
  EXPECT_EQ(event.reason_code, "hook.deadline");
  EXPECT_EQ(event.action, audit::Action::kError);
  EXPECT_EQ(event.decision, audit::Verdict::kDeny);
  EXPECT_EQ(event.mode, audit::Mode::kEnforce);
  EXPECT_EQ(event.call_id, "toolu_9");
  EXPECT_THAT(event.call.command, HasSubstr("https://x"));
  EXPECT_GE(event.time, before);
  EXPECT_LE(event.time, after);
  EXPECT_FALSE(std::filesystem::exists(spool));
  EXPECT_FALSE(std::filesystem::exists(folder.file("a/b/incidents.reporting")));
}

TEST(Incident, BeforeTheCallIsKnownNamesTheAgent) {
  const TempDir folder;
  leave(folder.path(), Cause::kCrash, true, nullptr);
  Reported reported;
  reported.from(folder.path());
  ASSERT_EQ(reported.events.size(), 1U);
  EXPECT_EQ(reported.events[0].reason_code, "hook.crash");
  EXPECT_EQ(reported.events[0].mode, audit::Mode::kAudit);
  EXPECT_EQ(reported.events[0].agent, "claude_code");
}

TEST(Incident, IsLeftForTheNextHookWhenTheLogTakesNoMore) {
  const TempDir folder;
  for (int i = 0; i < 3; ++i) leave(folder.path(), Cause::kSignal, false, nullptr);
  Reported first{{}, 1}, second;
  first.from(folder.path());
  EXPECT_EQ(first.events.size(), 1U);
  leave(folder.path(), Cause::kCrash, false, nullptr);  // meanwhile another
  second.from(folder.path());
  EXPECT_EQ(second.events.size(), 2U);
  second.from(folder.path());
  ASSERT_EQ(second.events.size(), 3U);
  EXPECT_EQ(second.events[2].reason_code, "hook.crash");
  second.from(folder.path());
  EXPECT_EQ(second.events.size(), 3U);
}

TEST(Incident, ManyAreReportedByManyHooksEachOnce) {
  const TempDir folder;
  constexpr std::size_t kLines = 2 * limits::kIncidentsPerHookMax + 3;
  for (std::size_t i = 0; i < kLines; ++i) leave(folder.path(), Cause::kSignal, false, nullptr);
  Reported reported;
  for (int hook = 0; hook < 3; ++hook) reported.from(folder.path());
  EXPECT_EQ(reported.events.size(), kLines);
  EXPECT_FALSE(std::filesystem::exists(folder.file("incidents.reporting")));
}

TEST(Incident, WritersAndReportersAtOnceLoseNothingAndReportNothingTwice) {
  const TempDir folder;
  constexpr int kWriters = 40;
  std::vector<pid_t> writers;
  for (int i = 0; i < kWriters; ++i) {
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      prepare_incident(folder.path(), "claude_code", nullptr);
      leave_incident(Cause::kSignal, false);
      ::_exit(0);
    }
    writers.push_back(pid);
  }
  // Four reporters, each appending the pids it reported to a file of its own.
  std::vector<pid_t> reporters;
  for (int i = 0; i < 4; ++i) {
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      const std::string out = folder.file("reported." + std::to_string(i));
      for (int round = 0; round < 200; ++round) {
        report_incidents(folder.path(), [&](audit::Event& event) -> Result<void> {
          test::append_text(out, event.detail.at(0).second + "\n");
          return {};
        });
      }
      ::_exit(0);
    }
    reporters.push_back(pid);
  }
  for (const pid_t pid : writers) ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
  for (const pid_t pid : reporters) ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
  Reported last;
  for (int i = 0; i < 4; ++i) last.from(folder.path());
  std::multiset<std::string> pids;
  for (const audit::Event& event : last.events) pids.insert(event.detail.at(0).second);
  for (int i = 0; i < 4; ++i) {
    const std::string out = folder.file("reported." + std::to_string(i));
    if (!std::filesystem::exists(out)) continue;
    for (const std::string& pid : test::lines_of(test::read_text(out))) pids.insert(pid);
  }
  EXPECT_EQ(pids.size(), static_cast<std::size_t>(kWriters));
  for (const pid_t pid : writers) EXPECT_EQ(pids.count(std::to_string(pid)), 1U) << pid;
}

TEST(Incident, NeverFollowsALinkNorWaitsForAFifo) {
  const TempDir folder;
  test::write_text(folder.file("target"), "mine\n");
  ASSERT_EQ(::symlink(folder.file("target").c_str(), spool_of(folder).c_str()), 0);
  leave(folder.path(), Cause::kSignal, false, nullptr);
  EXPECT_EQ(test::read_text(folder.file("target")), "mine\n");
  Reported reported;
  reported.from(folder.path());
  EXPECT_TRUE(reported.events.empty());
  ASSERT_EQ(::unlink(spool_of(folder).c_str()), 0);
  ASSERT_EQ(::mkfifo(spool_of(folder).c_str(), 0600), 0);
  leave(folder.path(), Cause::kSignal, false, nullptr);
  reported.from(folder.path());
  EXPECT_TRUE(reported.events.empty());
}

TEST(Incident, ThatCanNotBeReadIsReportedAsSuch) {
  const TempDir folder;
  test::write_text(spool_of(folder), "nonsense\nsignal 99999999999999999999 1 d claude_code -\n");
  Reported reported;
  reported.from(folder.path());
  ASSERT_EQ(reported.events.size(), 2U);
  for (const audit::Event& event : reported.events) {
    EXPECT_EQ(event.reason_code, "hook.incident_unreadable");
  }
  EXPECT_THAT(reported.events[0].reason, HasSubstr("nonsense"));
}

}  // namespace
}  // namespace lilith::enforcer
