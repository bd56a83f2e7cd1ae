// Everything that can go wrong around a hook ends in a deny that the agent honours (enforce), or in
// a complaint (audit).

#include "audit/base/unique_fd.hpp"
#include "audit/json/reader.hpp"
#include "tests/enforcer/hook_fixture.hpp"
#include "tests/support/sanitized.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <ostream>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lilith::test {
namespace {

void expect_deny(const ProcessResult& result, const std::string& reason) {
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.err, "lilith: " + reason + "\n");
  EXPECT_EQ(result.out, deny_output(reason));
}

// ---- the policy ----

struct BadPolicy {
  const char* name;
  const char* text;  // null: there is no file
  std::string reason;
  const char* code;
};
void PrintTo(const BadPolicy& c, std::ostream* out) { *out << c.name; }
class HookPolicy : public testing::TestWithParam<BadPolicy> {};
TEST_P(HookPolicy, ThatIsUnusableDeniesAndSaysWhy) {
  const BadPolicy& c = GetParam();
  const HookFolder folder;
  if (c.text != nullptr) write_text(folder.file("policy.yaml"), c.text);
  const auto result = folder.hook(git_event());
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find(c.reason), std::string::npos) << result.err;
  EXPECT_EQ(result.out, deny_output(result.err.substr(8, result.err.size() - 9)));
  if (::access("/var/log/lilith", F_OK) == 0) return;  // then it went to the system's own log
  const auto events = folder.events(folder.fallback_log());
  ASSERT_EQ(events.size(), 3U) << "log_opened, policy_load_failed, decision";
  EXPECT_EQ(events[1].type, audit::EventType::kPolicyLoadFailed);
  EXPECT_EQ(events[2].action, audit::Action::kError);
  EXPECT_EQ(events[2].decision, audit::Verdict::kDeny);
  EXPECT_EQ(events[2].reason_code, c.code);
  EXPECT_EQ(events[2].call.command, "git status");
}
INSTANTIATE_TEST_SUITE_P(
    All, HookPolicy,
    testing::Values(BadPolicy{"missing", nullptr, "policy.yaml", "policy.invalid"},
                    BadPolicy{"empty", "", "policy.yaml", "policy.invalid"},
                    BadPolicy{"not_yaml", "version: [", "policy.yaml:1", "policy.invalid"},
                    BadPolicy{"typing_error", "version: \"1\"\negres:\n  default_action: deny\n",
                              "policy.yaml:2:1: error", "policy.invalid"}),
    [](const testing::TestParamInfo<BadPolicy>& one) { return std::string(one.param.name); });

TEST(HookOnError, AllowLetsThroughUntilAPolicyWasEnforced) {
  const HookFolder folder;
  const std::vector<std::string> roll_out{"--on-error", "allow"};
  const auto before = folder.hook(git_event(), "claude_code", roll_out);
  EXPECT_EQ(before.exit_code, 0);
  EXPECT_EQ(before.out, "");
  EXPECT_NE(before.err.find("; let through in audit mode\n"), std::string::npos) << before.err;

  folder.write_policy();
  EXPECT_EQ(folder.hook(git_event(), "claude_code", roll_out).exit_code, 0);
  std::filesystem::remove(folder.file("policy.yaml"));
  const auto after = folder.hook(git_event(), "claude_code", roll_out);
  EXPECT_EQ(after.exit_code, 2);
  EXPECT_NE(after.err.find("--on-error allow has no effect since a policy was enforced here"),
            std::string::npos)
      << after.err;
}

TEST(HookOnError, AllowHasNoEffectUnderAPolicyThatEnforces) {
  const HookFolder folder;
  folder.write_policy();
  expect_deny(folder.hook("", "claude_code", {"--on-error", "allow"}),
              "the hook got nothing on standard input (--on-error allow has no effect under a "
              "policy that enforces)");
}

TEST(HookOnError, AuditModeLetsThroughWithoutTheOption) {
  const HookFolder folder;
  folder.write_policy({.mode = "audit"});
  const auto result = folder.hook("garbage");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "");
  const auto events = folder.decisions();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events.front().action, audit::Action::kError);
  EXPECT_EQ(events.front().mode, audit::Mode::kAudit);
}

// ---- the log ----

TEST(HookLog, ThatIsHeldByAnotherProcessDenies) {
  const HookFolder folder;
  folder.write_policy();
  ASSERT_EQ(folder.hook(git_event()).exit_code, 0);
  const UniqueFd lock(::open((folder.log() + ".lock").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(lock.valid());
  ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
  const auto result = folder.hook(git_event(), "claude_code", {"--deadline", "800"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("the audit log could not be written: the lock of " + folder.log()),
            std::string::npos)
      << result.err;
  EXPECT_NE(result.out, "");
  EXPECT_EQ(folder.decisions().size(), 1U);
}

TEST(HookLog, ThatIsHeldLetsThroughInAuditMode) {
  const HookFolder folder;
  folder.write_policy({.mode = "audit"});
  ASSERT_EQ(folder.hook(git_event()).exit_code, 0);
  const UniqueFd lock(::open((folder.log() + ".lock").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
  const auto result = folder.hook(git_event(), "claude_code", {"--deadline", "800"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("the audit log could not be written"), std::string::npos);
}

struct BadStorage {
  const char* name;
  const char* prepare;  // on the mounted tmpfs "log"
};
void PrintTo(const BadStorage& c, std::ostream* out) { *out << c.name; }
class HookStorage : public testing::TestWithParam<BadStorage> {};
TEST_P(HookStorage, ThatTakesNoEventDenies) {
  const std::string prefix = own_mounts();
  if (prefix.empty()) GTEST_SKIP() << "the system refuses a mount namespace";
  const HookFolder folder;
  folder.write_policy();
  std::filesystem::create_directory(folder.file("log"));
  const auto result = folder.shell(
      prefix + "sh -c 'mount -t tmpfs -o size=64k tmpfs log && { " + GetParam().prepare +
          "; } 2>/dev/null; exec $HOOK --agent claude-code --policy policy.yaml'",
      git_event());
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("the audit log could not be written"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("so nothing is allowed"), std::string::npos) << result.err;
  EXPECT_EQ(result.out, deny_output(result.err.substr(8, result.err.size() - 9)));
}
INSTANTIATE_TEST_SUITE_P(
    All, HookStorage,
    testing::Values(BadStorage{"disk_full", "cat /dev/zero >log/filler"},
                    BadStorage{"read_only", "mount -o remount,ro log"},
                    BadStorage{"log_is_a_link", "ln -s /etc/passwd log/agent-audit.log"},
                    BadStorage{"log_is_a_folder", "mkdir log/agent-audit.log"}),
    [](const testing::TestParamInfo<BadStorage>& one) { return std::string(one.param.name); });

struct FullLog {
  const char* mode;
  int exit_code;
  const char* says;
};
void PrintTo(const FullLog& full, std::ostream* out) { *out << full.mode; }
class HookQuota : public testing::TestWithParam<FullLog> {};

TEST_P(HookQuota, ThatIsUsedUpIsSaidOnceInTheLogAndWithEachCall) {
  const HookFolder folder;
  folder.write_policy(
      {.mode = GetParam().mode,
       .audit_lines = "  rotate: {max_bytes: 20000}\n  quota: {max_bytes: 300000}\n"});
  const std::string older = folder.log() + ".00000000000000000900";
  std::filesystem::create_directory(folder.file("log"));
  write_text(older, std::string(300'000, 'x'));
  for (int i = 0; i < 2; ++i) {
    const auto result = folder.hook(git_event());
    EXPECT_EQ(result.exit_code, GetParam().exit_code);
    EXPECT_THAT(result.err, testing::HasSubstr("audit.quota.max_bytes"));
    EXPECT_THAT(result.err, testing::HasSubstr(GetParam().says));
  }
  const auto events = folder.events(folder.log());
  ASSERT_EQ(events.size(), 2U) << "log_opened, log_full";
  EXPECT_EQ(events.back().type, audit::EventType::kLogFull);
  EXPECT_TRUE(folder.events(folder.fallback_log()).empty());

  std::filesystem::remove(older);
  EXPECT_EQ(folder.hook(git_event()).exit_code, 0);
  std::vector<std::string> after;
  for (const audit::Event& event : folder.events(folder.log()))
    after.emplace_back(name(event.type));
  EXPECT_THAT(after, testing::ElementsAre("log_opened", "log_full", "log_resumed", "policy_loaded",
                                          "decision"));
}
INSTANTIATE_TEST_SUITE_P(Hook, HookQuota,
                         testing::Values(FullLog{"enforce", 2, "so nothing is allowed"},
                                         FullLog{"audit", 0, "let through in audit mode"}),
                         [](const testing::TestParamInfo<FullLog>& one) {
                           return std::string(one.param.mode);
                         });

TEST(HookLog, FallsBackToTheUsersOwnAndSaysSo) {
  if (::getuid() != 0) GTEST_SKIP() << "only root can start a program as another user";
  const HookFolder folder;
  folder.write_policy();
  constexpr unsigned kNobody = 65534;
  std::filesystem::create_directory(folder.file("log"));
  std::filesystem::create_directory(folder.file("state"));
  ASSERT_EQ(::chown(folder.file("state").c_str(), kNobody, kNobody), 0);
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  ProcessOptions options = folder.options(git_event());
  options.uid = kNobody;
  if (run({lilith_program(), "--version"}, options).exit_code != 0) {
    GTEST_SKIP() << "another user may not run the program where it was built";
  }
  const auto result = run(folder.command(), options);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(folder.events(folder.log()).size(), 0U);
  const auto events = folder.events(folder.fallback_log());
  ASSERT_EQ(events.size(), 3U) << "log_opened, policy_loaded, decision";
  const std::vector<std::pair<std::string, std::string>> label{{"log", "fallback"},
                                                               {"log_refused", folder.log()}};
  EXPECT_EQ(events.back().detail, label);
  struct stat info{};
  ASSERT_EQ(::stat(folder.fallback_log().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
}

TEST(HookRecorder, ThatIsGoneDeniesAndLetsThroughInAuditMode) {
  const HookFolder enforce, audit;
  enforce.write_policy();
  audit.write_policy({.mode = "audit"});
  const std::vector<std::string> gone{"--recorder", "no.sock"};
  const auto denied = enforce.hook(git_event(), "claude_code", gone);
  EXPECT_EQ(denied.exit_code, 2);
  EXPECT_NE(denied.err.find("the audit log could not be written"), std::string::npos) << denied.err;
  EXPECT_EQ(enforce.decisions().size(), 0U);
  EXPECT_EQ(audit.hook(git_event(), "claude_code", gone).exit_code, 0);
  ASSERT_EQ(audit.decisions().size(), 1U);
  EXPECT_EQ(audit.decisions().front().via, audit::Via::kDirect);
}

// ---- time and signals ----

// A hook whose standard input never ends. `exec` keeps the process id of the shell.
class StuckHook {
 public:
  explicit StuckHook(const HookFolder& folder, const std::string& more = "")
      : process_({"/bin/sh", "-c",
                  "mkfifo input && exec 4<>input && exec $HOOK --agent claude-code "
                  "--policy policy.yaml " +
                      more + " <&4"},
                 folder.options()) {}
  // Signals are answered from the moment the program catches them.
  bool armed() {
    return eventually([this] {
      const std::string status = "/proc/" + std::to_string(process_.pid()) + "/status";
      const std::string text = ::access(status.c_str(), R_OK) == 0 ? read_text(status) : "";
      const std::size_t at = text.find("SigCgt:\t");
      if (text.find("Name:\tlilith") == std::string::npos || at == std::string::npos) return false;
      return (std::stoull(text.substr(at + 8, 16), nullptr, 16) >> (SIGALRM - 1) & 1) != 0;
    });
  }
  // Waits for its input, with the policy read: poll(2) is system call 7.
  bool waits() {
    return armed() && eventually([this] {
             const std::string where = "/proc/" + std::to_string(process_.pid()) + "/syscall";
             return ::access(where.c_str(), R_OK) != 0 || read_text(where).starts_with("7 ");
           });
  }
  Process& process() { return process_; }

 private:
  Process process_;
};

struct SignalCase {
  const char* name;
  int number;
  const char* reason;
  const char* code;
};
void PrintTo(const SignalCase& c, std::ostream* out) { *out << c.name; }
class HookSignal : public testing::TestWithParam<SignalCase> {};
TEST_P(HookSignal, EndsInADeny) {
  const HookFolder folder;
  folder.write_policy();
  StuckHook hook(folder, "--deadline 8000");
  ASSERT_TRUE(hook.armed());
  hook.process().signal(GetParam().number);
  expect_deny(hook.process().wait(), GetParam().reason);
}
TEST_P(HookSignal, LeavesAnEventThatTheNextHookLogs) {
  const HookFolder folder;
  folder.write_policy();
  StuckHook hook(folder, "--deadline 8000");
  ASSERT_TRUE(hook.waits());
  hook.process().signal(GetParam().number);
  expect_deny(hook.process().wait(), GetParam().reason);
  EXPECT_EQ(folder.decisions().size(), 0U);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(folder.hook(git_event()).exit_code, 0);
  const auto events = folder.decisions();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].reason_code, GetParam().code);
  EXPECT_EQ(events[0].reason, GetParam().reason);
  EXPECT_EQ(events[0].action, audit::Action::kError);
  EXPECT_EQ(events[0].mode, audit::Mode::kEnforce);
  EXPECT_EQ(events[0].agent, "claude_code");
  EXPECT_LT(events[0].time, events[1].time);
  EXPECT_EQ(events[1].action, audit::Action::kAllowed);
}
INSTANTIATE_TEST_SUITE_P(
    All, HookSignal,
    testing::Values(
        SignalCase{"TERM", SIGTERM, "the hook was told to end before it had decided",
                   "hook.signal"},
        SignalCase{"INT", SIGINT, "the hook was told to end before it had decided", "hook.signal"},
        SignalCase{"HUP", SIGHUP, "the hook was told to end before it had decided", "hook.signal"},
        SignalCase{"ALRM", SIGALRM, "the decision took longer than a hook may take",
                   "hook.deadline"},
        SignalCase{"SEGV", SIGSEGV, "the hook crashed before it had decided", "hook.crash"},
        SignalCase{"ABRT", SIGABRT, "the hook crashed before it had decided", "hook.crash"},
        SignalCase{"BUS", SIGBUS, "the hook crashed before it had decided", "hook.crash"},
        SignalCase{"FPE", SIGFPE, "the hook crashed before it had decided", "hook.crash"},
        SignalCase{"ILL", SIGILL, "the hook crashed before it had decided", "hook.crash"}),
    [](const testing::TestParamInfo<SignalCase>& one) { return std::string(one.param.name); });

TEST(HookSignal, InAuditModeLetsThrough) {
  const HookFolder folder;
  folder.write_policy({.mode = "audit"});
  StuckHook hook(folder, "--deadline 8000");
  ASSERT_TRUE(hook.waits());
  hook.process().signal(SIGTERM);
  const auto result = hook.process().wait();
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err,
            "lilith: the hook was told to end before it had decided; let through in audit mode\n");
}

// The wait for input ends before the deadline does, unless the machine is so busy that the guard
// comes first; both are denies.
void expect_deny_in_time(const ProcessResult& result, const HookFolder& folder) {
  if (result.err.find("longer than a hook may take") != std::string::npos) {
    return expect_deny(result, "the decision took longer than a hook may take");
  }
  expect_deny(result, "the hook event did not come to its end in time");
  const auto events = folder.decisions();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events.front().reason_code, "hook.input_unreadable");
}

TEST(HookDeadline, EndsAnInputThatNeverEnds) {
  const HookFolder folder;
  folder.write_policy();
  StuckHook hook(folder);
  expect_deny_in_time(hook.process().wait(), folder);
}

TEST(HookDeadline, EndsAPolicyThatCanNotBeRead) {
  const HookFolder folder;
  ASSERT_EQ(::mkfifo(folder.file("policy.yaml").c_str(), 0600), 0);
  const auto result = folder.hook(git_event());
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.out, "");
  EXPECT_NE(result.err, "");
}

TEST(HookDeadline, LeavesAnEventThatTheNextHookLogs) {
  const HookFolder folder;
  const auto result = folder.shell(
      "mkfifo policy.yaml; $HOOK --agent claude-code --policy policy.yaml --deadline 200",
      git_event());
  expect_deny(result, "the decision took longer than a hook may take");
  ASSERT_EQ(::unlink(folder.file("policy.yaml").c_str()), 0);
  folder.write_policy();
  EXPECT_EQ(folder.hook(git_event()).exit_code, 0);
  const auto events = folder.decisions();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].reason_code, "hook.deadline");
}

TEST(HookDeadline, DeniesOnADiskThatTakesNoIncident) {
  const std::string prefix = own_mounts();
  if (prefix.empty()) GTEST_SKIP() << "the system refuses a mount namespace";
  const HookFolder folder;
  const auto result = folder.shell(
      prefix +
          "sh -c 'mkdir -p state && mount -t tmpfs -o size=4k tmpfs state && mkdir state/lilith; { "
          "head -c 99999 /dev/zero >state/fill; } 2>/dev/null; mkfifo policy.yaml; exec $HOOK "
          "--agent claude-code --policy policy.yaml --deadline 200'",
      git_event());
  expect_deny(result, "the decision took longer than a hook may take");
}

TEST(HookDeadline, IgnoresSignalsThatTheAgentLeftBlocked) {
  const HookFolder folder;
  folder.write_policy();
  const auto result = folder.shell(
      "trap '' TERM ALRM PIPE; mkfifo input; exec 4<>input; exec $HOOK --agent "
      "claude-code --policy policy.yaml <&4");
  expect_deny_in_time(result, folder);
}

// ---- descriptors and memory ----

TEST(HookOutput, ThatIsClosedStillDeniesAndNeverReachesTheLog) {
  const HookFolder folder;
  folder.write_policy();
  const std::string hook = "$HOOK --agent claude-code --policy policy.yaml";
  const std::string event = claude_event("Bash", R"({"command":"make"})");
  for (const char* closed : {">&-", ">&- 2>&-", "2>&-", ">/dev/full 2>/dev/full"}) {
    EXPECT_EQ(folder.shell(hook + " " + closed, event).exit_code, 2) << closed;
  }
  EXPECT_EQ(folder.shell(hook + " <&-").exit_code, 2);
  EXPECT_EQ(folder.shell("{ " + hook + "; echo $? >code; } | true", event).exit_code, 0);
  ASSERT_TRUE(eventually([&] { return ::access(folder.file("code").c_str(), R_OK) == 0; }));
  EXPECT_TRUE(eventually([&] { return read_text(folder.file("code")) == "2\n"; }));
  EXPECT_EQ(folder.decisions().size(), 6U) << "decodes every line of the log";
}

TEST(HookMemory, ThatRunsOutDenies) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need more address space than the limit leaves";
  const HookFolder folder;
  folder.write_policy();
  // Enough to start with, too little for eight MiB of input and its parsed form.
  const auto result =
      folder.shell("ulimit -v 30000; exec $HOOK --agent claude-code --policy policy.yaml",
                   claude_event("Bash", R"({"command":")" + std::string(8'000'000, 'x') + "\"}"));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("memory"), std::string::npos) << result.err;
  EXPECT_NE(result.out.find(R"("permissionDecision":"deny")"), std::string::npos);
}

// ---- the documented line ----

TEST(HookLine, DeniesWhenTheProgramIsMissingOrKilled) {
  const HookFolder folder;
  folder.write_policy();
  EXPECT_EQ(folder.shell("/nonexistent/lilith hook --agent claude-code || exit 2").exit_code, 2);
  const auto killed = folder.shell(
      "mkfifo input; exec 4<>input; { $HOOK --agent claude-code --policy policy.yaml "
      "<&4 "
      "& kill -KILL $!; wait $!; } || exit 2");
  EXPECT_EQ(killed.exit_code, 2);
  EXPECT_EQ(folder.shell("$HOOK --agent claude-code --policy policy.yaml || exit 2", git_event())
                .exit_code,
            0);
}

// The settings that docs/agents.md tells people to copy: they are JSON, and every hook line in them
// closes when the program fails, with options that the program knows.
TEST(HookLine, OfTheDocumentationIsRightForEachAgent) {
  const std::string page = read_text(std::string(LILITH_SOURCE_DIR) + "/docs/agents.md");
  const HookFolder folder;
  folder.write_policy();
  std::size_t lines = 0;
  for (std::size_t at = page.find("```json\n"); at != std::string::npos;
       at = page.find("```json\n", at + 8)) {
    const std::string block = page.substr(at + 8, page.find("```", at + 8) - at - 8);
    json::Document document;
    EXPECT_TRUE(document.parse(block)) << block;
    const std::size_t begin = block.find("/usr/bin/lilith hook ");
    if (begin == std::string::npos) continue;
    ++lines;
    std::string line = block.substr(begin, block.find('"', begin) - begin);
    EXPECT_TRUE(line.ends_with(" || exit 2")) << line;
    line.replace(0, std::string_view("/usr/bin/lilith").size(), lilith_program());
    line.insert(line.find(" || "), " --policy policy.yaml");
    const bool copilot = line.find("copilot-cli") != std::string::npos;
    const auto result = folder.shell(
        line, copilot ? R"({"toolName":"bash","toolArgs":{"command":"git status"}})" : git_event());
    EXPECT_EQ(result.exit_code, 0) << line << result.err;
  }
  EXPECT_EQ(lines, 3U) << "one for each agent";
  EXPECT_EQ(folder.decisions().size(), 3U);
}

}  // namespace
}  // namespace lilith::test
