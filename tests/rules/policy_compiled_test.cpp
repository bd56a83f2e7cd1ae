// A compiled policy decides as its file does, and nothing that is not one is taken for one.

#include "rules/policy_compiled.hpp"

#include "audit/base/sha256.hpp"
#include "replay/import.hpp"
#include "rules/decide.hpp"
#include "tests/support/support.hpp"
#include "tests/traffic/traffic.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <tuple>

namespace lilith::rules {
namespace {

using test::TempDir;
using testing::HasSubstr;

constexpr std::string_view kEngine = "1.2.3";

std::string shipped(const char* name) {
  return test::read_text(std::string(LILITH_SOURCE_DIR) + "/rules/policies/" + name);
}

// Every kind of entry, with quotes, anchors and texts that need them.
constexpr char kEverything[] = R"(version: "1"
mode: enforce
allow_user_policy: true
protect_agent_config: true
agent_hooks: [claude_code, gh_copilot_cli]
tool_aliases: {Peek: read_file}
egress:
  default_action: log
  private: false
  allowed_destinations:
    - "*.example.com"
    - {host: api.example.org, ports: [8443], protocols: [https, wss]}
  blocked_destinations:
    - 203.0.113.0/24
    - {pattern: "*.evil.example", always_block: true}
tool_invocations:
  default_action: deny
  allowed_tools:
    - name: read_file
      path_allowlist: &roots ["/home/$USER/**", "~/x/*.txt"]
      path_blocklist: ["**/*.pem", {pattern: "**/.ssh/**", always_block: true}]
    - name: write_file
      path_allowlist: *roots
    - name: run_command
      command_allowlist: [git, {name: find, allow_hazards: [command.exec_option]}]
      command_blocklist: ["bash -c", {pattern: curl, always_block: true}]
    - name: mcp__github__search
      servers: [github]
      arguments: {org: ["a*", b], repo: "öäü \"x\""}
  blocked_tools:
    - {name: "WebSearch*", always_block: true}
audit:
  log_path: /var/log/lilith/x.log
  sync: batch
  rotate: {max_bytes: 1000000, keep: 3}
)";

std::string of_ten_thousand_entries() {
  std::string yaml = "version: \"1\"\negress:\n  default_action: deny\n  allowed_destinations:\n";
  for (int i = 0; i < 5000; ++i) yaml += "    - host" + std::to_string(i) + ".example.com\n";
  yaml +=
      "tool_invocations:\n  default_action: deny\n  allowed_tools:\n    - name: run_command\n"
      "      command_allowlist: [git, ls, cat, npm, python3, grep, sed, make]\n"
      "    - name: read_file\n      path_allowlist:\n        - \"/home/$USER/**\"\n";
  for (int i = 0; i < 2500; ++i) yaml += "        - /srv/data" + std::to_string(i) + "/**\n";
  yaml += "      path_blocklist:\n        - \"**/*.pem\"\n";
  for (int i = 0; i < 2500; ++i) yaml += "        - \"**/secret" + std::to_string(i) + "/*\"\n";
  return yaml;
}

const std::vector<audit::Event>& traffic() {
  static const std::vector<audit::Event> events = [] {
    const TempDir folder;
    std::string history;
    test::generate_traffic({.seed = 7, .calls = 1500},
                           [&](const std::string& line) { history += line + "\n"; });
    test::write_text(folder.file("history.ndjson"), history);
    replay::ImportReport report;
    auto read = replay::read_history({folder.file("history.ndjson")}, {"ws", "dev"}, report);
    EXPECT_TRUE(read) << read.error().message;
    return read ? std::move(*read) : std::vector<audit::Event>();
  }();
  return events;
}

PolicyLoad compiled_and_loaded(const std::string& yaml) {
  auto compiled = compile_policy(yaml, kEngine);
  EXPECT_TRUE(compiled) << compiled.error().message;
  if (!compiled) return {};
  auto load = load_compiled_policy(*compiled, sha256_hex(yaml), kEngine, "p.yaml");
  EXPECT_TRUE(load) << load.error().message;
  return load ? std::move(*load) : PolicyLoad{};
}

void expect_same_decisions(const std::string& yaml, const std::vector<audit::Event>& events) {
  const PolicyLoad from_yaml = load_policy(yaml, "p.yaml"),
                   from_compiled = compiled_and_loaded(yaml);
  ASSERT_TRUE(from_yaml.policy);
  ASSERT_TRUE(from_compiled.policy);
  EXPECT_EQ(from_yaml.policy->sha256(), from_compiled.policy->sha256());
  EXPECT_EQ(from_yaml.policy->enforces(), from_compiled.policy->enforces());
  EXPECT_EQ(from_yaml.policy->allow_user_policy(), from_compiled.policy->allow_user_policy());
  EXPECT_EQ(from_yaml.policy->audit().log_path, from_compiled.policy->audit().log_path);
  EXPECT_EQ(from_yaml.policy->audit().sync, from_compiled.policy->audit().sync);
  std::vector<std::string> diagnostics[2];
  for (const auto& one : from_yaml.diagnostics) diagnostics[0].push_back(to_string(one));
  for (const auto& one : from_compiled.diagnostics) diagnostics[1].push_back(to_string(one));
  EXPECT_EQ(diagnostics[0], diagnostics[1]);
  ASSERT_FALSE(events.empty());
  for (const audit::Event& event : events) {
    const CallAnalysis analysis = analyse(event.call);
    const Caller caller{event.agent, event.tool, event.server};
    const Decision a = decide(*from_yaml.policy, caller, analysis, event.facts);
    const Decision b = decide(*from_compiled.policy, caller, analysis, event.facts);
    ASSERT_EQ(std::tie(a.verdict, a.action, a.mode, a.rule, a.line, a.reason_code, a.reason,
                       a.technique, a.operation, a.operations),
              std::tie(b.verdict, b.action, b.mode, b.rule, b.line, b.reason_code, b.reason,
                       b.technique, b.operation, b.operations))
        << event.tool << " " << event.call.command;
  }
}

TEST(CompiledPolicy, KeepsTheSealsOfTheLog) {
  const PolicyLoad load = compiled_and_loaded(
      "version: \"1\"\naudit: {seal: {key: /var/lib/lilith/seal.key, events: 9, seconds: 60}}\n");
  ASSERT_TRUE(load.policy);
  EXPECT_EQ(load.policy->audit().seal_key, "/var/lib/lilith/seal.key");
  EXPECT_EQ(load.policy->audit().seal_events, 9U);
  EXPECT_EQ(load.policy->audit().seal_age, std::chrono::seconds(60));
}

TEST(CompiledPolicy, DecidesAsTheShippedPoliciesDo) {
  for (const char* name : {"lilith-policy.yaml", "starter-audit.yaml"}) {
    SCOPED_TRACE(name);
    expect_same_decisions(shipped(name), traffic());
  }
}

TEST(CompiledPolicy, DecidesAsAPolicyWithEveryKindOfEntryDoes) {
  expect_same_decisions(kEverything, traffic());
}

TEST(CompiledPolicy, DecidesAsAPolicyOfTenThousandEntriesDoes) {
  expect_same_decisions(of_ten_thousand_entries(), traffic());
}

TEST(CompiledPolicy, DecidesTheRecordedTrafficAsItsFileDoes) {
  LILITH_NEEDS_SHARED(recorded, "data/claude_code_baseline.ndjson");
  replay::ImportReport report;
  const auto events = replay::read_history({recorded}, {"ws", "dev"}, report);
  ASSERT_TRUE(events) << events.error().message;
  expect_same_decisions(shipped("lilith-policy.yaml"), *events);
}

TEST(CompiledPolicy, OfOtherBytesOrAnotherVersionIsRefused) {
  const std::string yaml = shipped("lilith-policy.yaml");
  const auto compiled = compile_policy(yaml, kEngine);
  ASSERT_TRUE(compiled);
  const std::string sha256 = sha256_hex(yaml);
  const auto other = load_compiled_policy(*compiled, sha256_hex(yaml + " "), kEngine, "p");
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("another policy"));
  for (const char* engine : {"1.2.4", "1.2", "1.2.33", ""}) {
    const auto skewed = load_compiled_policy(*compiled, sha256, engine, "p");
    ASSERT_FALSE(skewed) << engine;
    EXPECT_THAT(skewed.error().message, HasSubstr("another version"));
  }
}

TEST(CompiledPolicy, CutAnywhereOrWithAnyByteChangedIsRefused) {
  const std::string yaml = "version: \"1\"\nmode: audit\n";
  const auto compiled = compile_policy(yaml, kEngine);
  ASSERT_TRUE(compiled);
  const std::string sha256 = sha256_hex(yaml);
  ASSERT_TRUE(load_compiled_policy(*compiled, sha256, kEngine, "p"));
  for (std::size_t i = 0; i < compiled->size(); ++i) {
    EXPECT_FALSE(load_compiled_policy(compiled->substr(0, i), sha256, kEngine, "p")) << i;
    for (const int bit : {0, 7}) {
      std::string changed = *compiled;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      EXPECT_FALSE(load_compiled_policy(changed, sha256, kEngine, "p")) << i;
    }
  }
  EXPECT_FALSE(load_compiled_policy(*compiled + "x", sha256, kEngine, "p"));
}

TEST(CompiledPolicy, IsNotMadeOfAPolicyWithErrors) {
  const auto compiled = compile_policy("version: \"1\"\nmode: sideways\n", kEngine);
  ASSERT_FALSE(compiled);
  EXPECT_THAT(compiled.error().message, HasSubstr(":2:7: error: mode must be one of"));
}

}  // namespace
}  // namespace lilith::rules
