// Hundreds of hooks at once: every line whole, one linear chain, no event missing.

#include "audit/read/verify.hpp"
#include "tests/enforcer/hook_fixture.hpp"
#include "tests/support/sanitized.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <set>
#include <unistd.h>

namespace lilith::test {
namespace {

// As many as end within the longest deadline on two processors.
constexpr int kHooks = kSanitized ? 60 : 300, kHooksOfARound = kHooks / 3;

// Starts them all before waiting for any. The deadline leaves room for a machine with few cores:
// not what is tested here.
void run_hooks(const HookFolder& folder, const std::string& more, int hooks = kHooks) {
  for (int i = 0; i < hooks; ++i) {
    const std::string number = std::to_string(i);
    write_text(folder.file("in." + number),
               i % 3 == 0 ? claude_event("Bash", R"({"command":"make"})", "call" + number)
                          : git_event("call" + number));
  }
  const auto result = folder.shell(
      "i=0; while [ $i -lt " + std::to_string(hooks) +
      " ]; do { $HOOK --agent claude-code --policy policy.yaml --deadline 8000 " + more +
      " <in.$i >out.$i 2>err.$i; echo $? >code.$i; } & i=$((i + 1)); done; wait");
  ASSERT_EQ(result.exit_code, 0) << result.err;
}

void expect_whole(const HookFolder& folder, audit::Via via) {
  std::set<std::string> calls;
  for (const audit::Event& event : folder.decisions()) {
    calls.insert(event.call_id);
    EXPECT_EQ(event.via, via);
  }
  EXPECT_EQ(calls.size(), static_cast<std::size_t>(kHooks));
  for (int i = 0; i < kHooks; ++i) {
    const std::string number = std::to_string(i);
    EXPECT_EQ(read_text(folder.file("code." + number)), i % 3 == 0 ? "2\n" : "0\n")
        << read_text(folder.file("err." + number));
  }
  const auto report = audit::verify({folder.log()}, {.start_may_be_missing = false});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->intact()) << audit::to_text(*report);
  ASSERT_EQ(report->chains.size(), 1U);
  EXPECT_EQ(report->chains.front().events, static_cast<std::uint64_t>(kHooks) + 2)
      << "the hooks' events, log_opened and policy_loaded";
}

TEST(HooksInParallel, AppendDirectlyToOneLinearChain) {
  const HookFolder folder;
  folder.write_policy();
  run_hooks(folder, "");
  expect_whole(folder, audit::Via::kDirect);
}

// Both policies decide the same; the second one is there before any hook of the second round is.
void expect_one_announcement_a_policy(const HookFolder& folder) {
  std::vector<audit::Event> loaded;
  std::set<std::string> told;
  for (const audit::Event& event : folder.events(folder.log())) {
    if (event.type == audit::EventType::kPolicyLoaded) {
      loaded.push_back(event);
      told.insert(event.policy_sha256);
    } else if (event.type == audit::EventType::kDecision) {
      EXPECT_TRUE(told.contains(event.policy_sha256)) << "a decision before its policy was told";
    }
  }
  EXPECT_EQ(loaded.size(), 2U);
  EXPECT_EQ(told.size(), 2U);
}

TEST(HooksInParallel, TellAChangedPolicyOnce) {
  for (const bool through_recorder : {false, true}) {
    const HookFolder folder;
    folder.write_policy();
    std::string more;
    std::unique_ptr<Process> recorder;
    if (through_recorder) {
      more = "--recorder " + folder.file("r.sock");
      recorder = std::make_unique<Process>(
          std::vector<std::string>{lilith_program(), "recorder", "--socket", folder.file("r.sock"),
                                   "--log", folder.log(), "--policy", "policy.yaml"},
          folder.options());
      ASSERT_TRUE(eventually([&] { return ::access(folder.file("r.sock").c_str(), W_OK) == 0; }));
    }
    run_hooks(folder, more, kHooksOfARound);
    folder.write_policy({.audit_lines = "  log_denied: true\n"});
    run_hooks(folder, more, kHooksOfARound);
    if (recorder) {
      recorder->signal(SIGTERM);
      EXPECT_EQ(recorder->wait().exit_code, 0);
    }
    expect_one_announcement_a_policy(folder);
  }
}

TEST(HooksInParallel, AppendThroughTheRecorderToOneLinearChain) {
  const HookFolder folder;
  folder.write_policy();
  Process recorder({lilith_program(), "recorder", "--socket", folder.file("r.sock"), "--log",
                    folder.log(), "--policy", "policy.yaml"},
                   folder.options());
  ASSERT_TRUE(eventually([&] { return ::access(folder.file("r.sock").c_str(), W_OK) == 0; }));
  run_hooks(folder, "--recorder " + folder.file("r.sock"));
  recorder.signal(SIGTERM);
  EXPECT_EQ(recorder.wait().exit_code, 0);
  expect_whole(folder, audit::Via::kRecorder);
}

}  // namespace
}  // namespace lilith::test
