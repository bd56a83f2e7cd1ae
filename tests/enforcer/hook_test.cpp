// The hook's parts with a machine of the test's own.

#include "enforcer/hook.hpp"

#include "audit/base/unique_fd.hpp"
#include "enforcer/agent_process.hpp"
#include "enforcer/policy_place.hpp"
#include "enforcer/recording.hpp"
#include "tests/enforcer/hook_fixture.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace lilith::enforcer {
namespace {

using test::HookFolder;
using test::TempDir;
using test::write_text;

// Whether root owns the policy under /etc is up to the test.
class Owned final : public rules::FileSystem {
 public:
  explicit Owned(bool by_root) : by_root_(by_root) {}
  [[nodiscard]] Entry look(const std::string& path) const override {
    return rules::real_file_system().look(path);
  }
  [[nodiscard]] bool root_owned(const std::string&) const override { return by_root_; }

 private:
  bool by_root_;
};

constexpr const char* kPolicy = "version: \"1\"\n";
constexpr const char* kYieldingPolicy = "version: \"1\"\nallow_user_policy: true\n";

struct PlaceCase {
  const char* name;
  const char* system;  // text, or null: not there
  bool system_root_owned;
  bool option, environment, user;
  const char* expected;  // file name, "" for none
};
void PrintTo(const PlaceCase& c, std::ostream* out) { *out << c.name; }
class FindPolicy : public testing::TestWithParam<PlaceCase> {};
TEST_P(FindPolicy, TakesTheOneInForce) {
  const PlaceCase& c = GetParam();
  const TempDir folder;
  Places places;
  places.system_policy = folder.file("system");
  places.user_policy = folder.file("user");
  if (c.system != nullptr) write_text(places.system_policy, c.system);
  if (c.user) write_text(places.user_policy, kPolicy);
  for (const char* name : {"option", "environment"}) write_text(folder.file(name), kPolicy);
  if (c.environment) places.environment_policy = folder.file("environment");
  const auto found = find_policy(places, c.option ? folder.file("option") : std::string(),
                                 Owned(c.system_root_owned));
  EXPECT_EQ(std::filesystem::path(found.path).filename().string(), c.expected);
}
INSTANTIATE_TEST_SUITE_P(
    All, FindPolicy,
    testing::Values(
        PlaceCase{"option_first", nullptr, false, true, true, true, "option"},
        PlaceCase{"then_environment", nullptr, false, false, true, true, "environment"},
        PlaceCase{"then_user", nullptr, false, false, false, true, "user"},
        PlaceCase{"none", nullptr, false, false, false, false, ""},
        PlaceCase{"system_before_user", kPolicy, false, false, false, true, "system"},
        PlaceCase{"root_owned_system_beats_all", kPolicy, true, true, true, true, "system"},
        PlaceCase{"root_owned_system_may_yield", kYieldingPolicy, true, true, true, true, "option"},
        PlaceCase{"yields_only_to_a_named_one", kYieldingPolicy, true, false, false, true,
                  "system"},
        PlaceCase{"broken_system_does_not_yield", "allow_user_policy: true\n", true, true, true,
                  true, "system"},
        PlaceCase{"system_of_another_owner_has_no_say", kPolicy, false, true, false, false,
                  "option"}),
    [](const testing::TestParamInfo<PlaceCase>& one) { return std::string(one.param.name); });

TEST(FindPolicy, NamesEveryPlaceWhenThereIsNone) {
  Places places;
  places.system_policy = "/nonexistent/a";
  places.user_policy = "/nonexistent/b";
  const auto found = find_policy(places, "", Owned(false));
  EXPECT_EQ(why_unusable(found, places),
            "there is no policy: neither --policy, LILITH_POLICY, /nonexistent/a nor "
            "/nonexistent/b");
}

// A /proc of a few processes: pid, name, parent, start, exe.
struct FakeProcess {
  int pid;
  const char* name;
  int parent;
  const char* start;
  const char* exe;  // null: not readable
};
struct AncestryCase {
  const char* name;
  std::vector<FakeProcess> processes;
  int expected_pid;
  const char* expected_key;
};
void PrintTo(const AncestryCase& c, std::ostream* out) { *out << c.name; }
class AgentProcessOf : public testing::TestWithParam<AncestryCase> {};
TEST_P(AgentProcessOf, IsTheNearestThatIsNeitherShellNorWrapper) {
  const TempDir proc;
  for (const FakeProcess& p : GetParam().processes) {
    const std::string directory = proc.file(std::to_string(p.pid));
    write_text(directory + "/stat",
               std::to_string(p.pid) + " (" + p.name + ") S " + std::to_string(p.parent) +
                   " 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 " + p.start + " 1000 2000\n");
    if (p.exe != nullptr) std::filesystem::create_symlink(p.exe, directory + "/exe");
  }
  const AgentProcess found = agent_process_of(100, proc.path());
  EXPECT_EQ(found.pid, GetParam().expected_pid);
  EXPECT_EQ(process_key("ws", found), GetParam().expected_key);
}
INSTANTIATE_TEST_SUITE_P(
    All, AgentProcessOf,
    testing::Values(
        AncestryCase{"parent",
                     {{100, "lilith", 50, "9", "/l"}, {50, "node", 1, "77", "/usr/bin/node"}},
                     50,
                     "ws/50/77"},
        AncestryCase{"behind_a_shell",
                     {{100, "lilith", 60, "9", "/l"},
                      {60, "sh", 50, "8", "/usr/bin/dash"},
                      {50, "claude", 1, "77", "/opt/claude"}},
                     50,
                     "ws/50/77"},
        AncestryCase{"behind_shells_and_wrappers",
                     {{100, "lilith", 62, "9", "/l"},
                      {62, "timeout", 61, "8", "/usr/bin/timeout"},
                      {61, "bash", 60, "8", "/usr/bin/bash (deleted)"},
                      {60, "env", 50, "8", "/usr/bin/env"},
                      {50, "code", 1, "5", "/usr/share/code/code"}},
                     50,
                     "ws/50/5"},
        AncestryCase{"name_with_blanks_and_parentheses",
                     {{100, "lilith", 50, "9", "/l"}, {50, "a) S 7 (b", 1, "6", nullptr}},
                     50,
                     "ws/50/6"},
        AncestryCase{"shell_without_readable_exe",
                     {{100, "lilith", 60, "9", "/l"},
                      {60, "bash", 50, "8", nullptr},
                      {50, "agent", 1, "4", nullptr}},
                     50,
                     "ws/50/4"},
        AncestryCase{"only_shells",
                     {{100, "lilith", 60, "9", "/l"},
                      {60, "bash", 1, "8", "/usr/bin/bash"},
                      {1, "systemd", 0, "1", "/usr/lib/systemd/systemd"}},
                     60,
                     "ws/60/8"},
        AncestryCase{"first_process_of_a_container",
                     {{100, "lilith", 1, "9", "/l"}, {1, "node", 0, "3", "/usr/bin/node"}},
                     1,
                     "ws/1/3"},
        AncestryCase{"nothing_readable", {}, 0, "ws/0/0"}),
    [](const testing::TestParamInfo<AncestryCase>& one) { return std::string(one.param.name); });

TEST(ReadInput, TakesEverythingUpToTheEnd) {
  const TempDir folder;
  const std::string text(200'000, 'x');
  write_text(folder.file("input"), text);
  const UniqueFd fd(::open(folder.file("input").c_str(), O_RDONLY | O_CLOEXEC));
  const test::ManualClock clock;
  const auto input =
      read_input(fd.get(), text.size(), clock.monotonic() + std::chrono::seconds(1), clock);
  ASSERT_TRUE(input) << input.error().message;
  EXPECT_EQ(*input, text);
}

TEST(ReadInput, RefusesOneByteMoreThanItsLimit) {
  const TempDir folder;
  write_text(folder.file("input"), std::string(11, 'x'));
  const UniqueFd fd(::open(folder.file("input").c_str(), O_RDONLY | O_CLOEXEC));
  const test::ManualClock clock;
  const auto input = read_input(fd.get(), 10, clock.monotonic() + std::chrono::seconds(1), clock);
  ASSERT_FALSE(input);
  EXPECT_EQ(input.error().code, ErrorCode::kLimitExceeded);
}

TEST(ReadInput, GivesUpAtTheDeadline) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd read_end(ends[0]), write_end(ends[1]);
  ASSERT_EQ(::write(write_end.get(), "{", 1), 1);
  test::ManualClock clock;
  const auto until = clock.monotonic();
  clock.advance(std::chrono::seconds(5));
  const auto input = read_input(read_end.get(), 10, until, clock);
  ASSERT_FALSE(input);
  EXPECT_EQ(input.error().code, ErrorCode::kUnavailable);
}

TEST(Enforcement, IsRememberedInTheFirstPlaceThatCanBeWritten) {
  const TempDir folder;
  Places places;
  places.system_state = folder.file("system");
  places.user_state = folder.file("user/state");
  EXPECT_EQ(enforcement_seen(places), "");
  remember_enforcement(places);
  EXPECT_EQ(enforcement_seen(places), folder.file("user/state/enforced"));
  std::filesystem::remove_all(folder.file("user"));
  std::filesystem::create_directory(folder.file("system"));
  remember_enforcement(places);
  EXPECT_EQ(enforcement_seen(places), folder.file("system/enforced"));
}

// The whole hook on descriptors and places of the test's own.
agents::Answer run_with(const HookFolder& folder, const Places& places, const std::string& input,
                        const std::string& policy) {
  write_text(folder.file("input"), input);
  const UniqueFd fd(::open(folder.file("input").c_str(), O_RDONLY | O_CLOEXEC));
  HookOptions options;
  options.policy = policy;
  options.input = fd.get();
  const rules::UserRecord user{"dev", 1000, "/home/dev"};
  return run_hook(options, {system_clock(), Owned(true), user, places});
}

Places places_in(const HookFolder& folder) {
  Places places;
  places.system_policy = folder.file("policy.yaml");
  places.system_recorder = folder.file("no.sock");
  places.system_state = folder.file("no-state");
  places.user_state = folder.file("state/lilith");
  return places;
}

TEST(RunHook, NamesTheUserOfTheUserDatabase) {
  const HookFolder folder;
  folder.write_policy();
  const auto answer = run_with(folder, places_in(folder), test::git_event(), "");
  EXPECT_EQ(answer.exit_code, 0) << answer.standard_error;
  ASSERT_EQ(folder.decisions().size(), 1U);
  EXPECT_EQ(folder.decisions().front().facts.user, "dev");
  EXPECT_EQ(folder.decisions().front().facts.uid, 1000);
}

TEST(RunHook, DoesNotTakeAnotherPolicyThanTheSystems) {
  const HookFolder folder;
  folder.write_policy();
  write_text(folder.file("mine.yaml"), "version: \"1\"\nmode: audit\naudit:\n  enabled: false\n");
  const auto answer =
      run_with(folder, places_in(folder), test::claude_event("Bash", R"({"command":"make"})"),
               folder.file("mine.yaml"));
  EXPECT_EQ(answer.exit_code, 2);
  EXPECT_EQ(folder.decisions().size(), 1U);
}

TEST(RunHook, PrintsNothingForEventsThatDecideNothing) {
  const HookFolder folder;
  for (const char* policy : {"version: \"1\"\n", "broken"}) {
    write_text(folder.file("policy.yaml"), policy);
    const auto answer =
        run_with(folder, places_in(folder), R"({"hook_event_name":"SessionStart"})", "");
    EXPECT_EQ(answer.exit_code, 0);
    EXPECT_EQ(answer.standard_output + answer.standard_error, "");
  }
}

}  // namespace
}  // namespace lilith::enforcer
